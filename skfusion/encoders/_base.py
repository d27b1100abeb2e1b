"""What an encoder promises, and the small parts that several encoders share."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import ClassVar, Protocol, TypeVar, cast

import torch
from sklearn.base import BaseEstimator
from torch import nn

from skfusion._checks import check_choice
from skfusion._tokens import Encoded
from skfusion.blocks import FORMS, BlockSpec
from skfusion.exceptions import BlockError, ParameterError

__all__ = [
    "ACTIVATIONS",
    "FITTING",
    "Encoder",
    "HasBeginning",
    "activation",
    "as_encoder",
    "as_float",
    "finish",
    "frozen_part",
    "initialise",
    "is_frozen",
    "row_size",
]

Layer = TypeVar("Layer", nn.Linear, nn.Conv1d, nn.Conv2d)

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "identity": nn.Identity,
}

# Which encoders to name to somebody whose encoder cannot take the form. Written out, because this
# module cannot know those that subclass its Encoder; a test compares it with what they take.
FITTING = {
    "csr": ("SparseLinear",),
    "vector": ("MLP", "NumericEmbedding"),
    "tokens": ("TokenEmbedding", "RNN", "TemporalCNN", "Transformer"),
    "sequence": ("RNN", "TemporalCNN", "Transformer", "TimeDistributed"),
    "image": ("CNN", "Transformer"),
    "video": ("TimeDistributed",),
    "waveform": ("TemporalCNN",),
}


class Encoder(BaseEstimator):
    """Recipe of the sub-network of one block: hyper-parameters, and ``build``.

    Subclass it, name in ``takes`` the forms that it reads, and return from ``build`` any
    ``nn.Module``. Nothing is registered and no width is declared: the library runs the module
    once to see how wide its output is.

    The module is called with the rows of a batch as they come: a tensor ``(batch, *shape)``,
    ``SparseRows`` for csr, or ``module(values, mask)`` where rows differ in length. It returns what
    ``build`` says: a tensor ``(batch, width)``, or ``Tokens``.

    A module that is not trained says so by a true attribute ``frozen``: its outputs are computed
    once per fit, not in every epoch. If only its first part is not trained, the module has this
    part as its attribute ``beginning``, a module that is called as the whole one is, and a method
    ``finish``: it is called with the vectors, the tokens, or the tokens and their mask that
    ``beginning`` returns, which are computed once per fit, and does the rest.

    Examples
    --------
    >>> from torch import nn
    >>> from skfusion.encoders import Encoder
    >>> class Squash(Encoder):
    ...     takes = ("vector",)
    ...
    ...     def __init__(self, width=8):
    ...         self.width = width
    ...
    ...     def build(self, spec, pooled=True):
    ...         return nn.Sequential(nn.Linear(spec.shape[0], self.width), nn.Tanh())
    >>> Squash(width=4).get_params()
    {'width': 4}
    """

    takes: ClassVar[tuple[str, ...]] = FORMS

    def build(self, spec: BlockSpec, pooled: bool = True) -> nn.Module:
        """Return a new module for the block that ``spec`` describes.

        Parameters
        ----------
        spec : BlockSpec
            Form, shape and dtype of the block.
        pooled : bool, default=True
            If True the module returns a tensor ``(batch, width)``; else ``Tokens``: values
            ``(batch, tokens, width)`` and a mask ``(batch, tokens)``, True for data, or None where
            every token is data. A module that has no tokens may return ``(batch, width)`` in both
            cases.
        """
        raise NotImplementedError

    def accepts(self, form: str) -> bool:
        """Whether this encoder takes blocks of ``form`` as the usual transformers make them."""
        return form in self.takes

    def reads(self, kind: str) -> object | None:
        """Return a new transformer of raw columns of ``kind``, or None where the usual one will do.

        An estimator asks for it where this encoder is named for a column of a table: to read texts
        by the vocabulary of a model that is trained already, for example.

        Parameters
        ----------
        kind : str
            What the column is: "text", "image", "number", ..., as in ``columns`` of ``BlockUnion``.
        """
        return None

    def kept(self) -> Encoder:
        """Return a recipe of the same network for a file with its weights, which needs no other."""
        params = self.get_params(deep=False)
        inner = {name: one.kept() for name, one in params.items() if isinstance(one, Encoder)}
        if all(one is params[name] for name, one in inner.items()):
            return self
        other: Encoder = copy.copy(self).set_params(**inner)
        return other

    def misfit(self, name: str, what: str, forms: Iterable[str]) -> BlockError:
        """Return the error that this encoder cannot take ``what``, which is of one of ``forms``."""
        others = dict.fromkeys(one for form in forms for one in FITTING[form])
        return BlockError(
            f"{what}, which {type(self).__name__} cannot take: it takes {', '.join(self.takes)}. "
            f"Use {' or '.join(others)}, or leave {name!r} out of `encoders` to have a fitting "
            "encoder chosen."
        )

    def check(self, spec: BlockSpec) -> None:
        """Raise ``BlockError`` if this encoder cannot take a block of ``spec.form``."""
        if spec.form not in self.takes:
            what = f"block {spec.name!r} has the form {spec.form!r}"
            raise self.misfit(spec.name, what, [spec.form])


def activation(name: str) -> nn.Module:
    """Return a new module for the activation called ``name``."""
    return ACTIVATIONS[check_choice("activation", name, ACTIVATIONS)]()


def as_encoder(name: str, value: object) -> Encoder:
    """Return ``value``, an argument called ``name``, if it is the recipe of an encoder."""
    if isinstance(value, Encoder):
        return value
    raise ParameterError(f"{name} must be a recipe such as MLP(). Got {value!r}.")


def is_frozen(module: nn.Module) -> bool:
    """Return whether no part of an encoder's module is trained, now or later.

    Examples
    --------
    >>> import numpy as np
    >>> from torch import nn
    >>> from skfusion.blocks import spec_of
    >>> from skfusion.encoders import Pretrained
    >>> from skfusion.encoders._base import is_frozen
    >>> is_frozen(Pretrained(nn.Linear(3, 2)).build(spec_of("facts", np.zeros((4, 3)))))
    True
    """
    return bool(getattr(module, "frozen", False))


def frozen_part(module: nn.Module) -> nn.Module | None:
    """Return what is not trained of an encoder's module: all, its beginning, or None.

    Examples
    --------
    >>> import numpy as np
    >>> from torch import nn
    >>> from skfusion.blocks import spec_of
    >>> from skfusion.encoders import MLP, Chain, Pretrained
    >>> from skfusion.encoders._base import frozen_part
    >>> module = Chain(Pretrained(nn.Linear(3, 2)), MLP(2)).build(spec_of("x", np.zeros((4, 3))))
    >>> frozen_part(module) is module.first
    True
    """
    return module if is_frozen(module) else getattr(module, "beginning", None)


class HasBeginning(Protocol):
    """The module of an encoder whose first part is not trained; see ``Encoder``."""

    beginning: nn.Module | None

    def finish(self, *begun: torch.Tensor) -> Encoded:
        """Return what the whole module would, from what ``beginning`` returned."""


def finish(module: nn.Module, *begun: torch.Tensor) -> Encoded:
    """Do the rest of an encoder's module, behind its beginning."""
    return cast(HasBeginning, module).finish(*begun)


def initialise(layer: Layer, n_matrices: int = 1, relu: bool = False) -> Layer:
    """Return ``layer`` with zero biases and Glorot weights; of He et al. (2015) for ``relu``.

    Where its weight is ``n_matrices`` one below the other, each keeps a scale of its own.
    """
    for matrix in layer.weight.chunk(n_matrices):
        if relu:
            nn.init.kaiming_uniform_(matrix, nonlinearity="relu")
        else:
            nn.init.xavier_uniform_(matrix)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def row_size(spec: BlockSpec) -> int:
    """Return how many numbers one row has; an error where rows differ in length."""
    size = 1
    for length in spec.shape:
        if length is None:
            raise BlockError(
                f"block {spec.name!r} has rows of different length, which cannot be flattened. "
                "Use an encoder of sequences, such as RNN."
            )
        size *= length
    return size


def as_float(x: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Return bytes as floats in [0, 1], of the dtype of the parameter ``like``."""
    return x.to(like.dtype).div_(255) if x.dtype == torch.uint8 else x
