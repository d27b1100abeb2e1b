"""A fitted estimator's network, or a part of it, as an encoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, cast

import torch
from sklearn.exceptions import NotFittedError
from torch import nn

from skfusion._batch import Batch, Input, Padded, SparseRows
from skfusion._checks import did_you_mean
from skfusion._tokens import Encoded, masked_mean
from skfusion.blocks import BlockSpec
from skfusion.encoders._backbone import BackboneModule
from skfusion.encoders._base import Encoder
from skfusion.encoders._measure import encode
from skfusion.exceptions import BlockError, ParameterError

__all__ = ["FittedEncoder"]


class FusedNetwork(Protocol):
    """What is asked of the network of a fitted estimator."""

    names: tuple[str, ...]
    encoders: nn.ModuleList
    missing_embeddings: nn.ParameterList
    head: nn.Module

    def fuse(self, batch: Batch) -> torch.Tensor:
        """Return the fused vectors (n_rows, width)."""


class FittedNet(Protocol):
    """What holds the network."""

    module_: nn.Module


class FittedEstimator(Protocol):
    """What is asked of a fitted ``FusionClassifier`` or ``FusionRegressor``."""

    nets_: Sequence[FittedNet]
    specs_: Mapping[str, BlockSpec]


class FittedEncoder(Encoder):
    """The vectors of a fitted ``FusionClassifier`` or ``FusionRegressor``: networks feed a network.

    Train one estimator per block, then hand what they have learned to a third that fuses it
    (transfer learning; "two networks feed a third"). ``clone`` and a grid search keep ``estimator``
    fitted, as ``sklearn.frozen.FrozenEstimator`` does. The block may have another name than at
    that fit, but must have the same form and shape.

    Rows of a block -> (batch, width); or (batch, tokens, width) and a mask if not pooled and if
    the fitted encoder has tokens.

    Parameters
    ----------
    estimator : fitted FusionClassifier or FusionRegressor
        Where the network comes from. Each build has a copy.
    part : str, default="fused"
        "fused" for the fused vector of an estimator of one block, or the name of one of its
        blocks for what its encoder makes of that.
    frozen : bool, default=True
        If True the part is not trained, and its outputs are computed once per fit; else it is
        tuned with the rest.

    Raises
    ------
    sklearn.exceptions.NotFittedError
        If ``estimator`` is not fitted.
    BlockError
        If rows of the block are not what ``estimator`` was fitted on.
    ParameterError
        If ``estimator`` is none of this library or has several members, or ``part`` is not one of
        its parts.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion import FusionClassifier
    >>> from skfusion.encoders import MLP, FittedEncoder
    >>> X = {"face": np.eye(20, 4), "voice": np.eye(20, 3)}
    >>> y = [0, 1] * 10
    >>> face, voice = (
    ...     FusionClassifier({name: MLP(8)}, max_epochs=2).fit({name: X[name]}, y) for name in X
    ... )
    >>> both = {"face": FittedEncoder(face), "voice": FittedEncoder(voice, part="voice")}
    >>> FusionClassifier(both, max_epochs=2).fit(X, y).transform(X).shape
    (20, 16)
    """

    def __init__(
        self, estimator: FittedEstimator, part: str = "fused", frozen: bool = True
    ) -> None:
        self.estimator = estimator
        self.part = part
        self.frozen = frozen

    def build(self, spec: BlockSpec, pooled: bool = True) -> nn.Module:
        self.check(spec)
        name, module = self._block_name(), self.estimator.nets_[0].module_
        if self.part == "fused":
            return _Fused(module, name, self.frozen)
        network = cast(FusedNetwork, module)
        return _Part(network.encoders[network.names.index(name)], self.frozen, pooled)

    def check(self, spec: BlockSpec) -> None:
        fitted = self._specs()[self._block_name()]
        same_bytes = (fitted.dtype == "uint8") == (spec.dtype == "uint8") or spec.form == "vector"
        if (fitted.form, fitted.shape) != (spec.form, spec.shape) or not same_bytes:
            raise BlockError(
                f"block {spec.name!r} has rows of form {spec.form!r}, shape {spec.shape} and dtype "
                f"{spec.dtype}, but the estimator of FittedEncoder was fitted on block "
                f"{fitted.name!r} of form {fitted.form!r}, shape {fitted.shape} and dtype "
                f"{fitted.dtype}. Prepare both by the same transformer."
            )
        if (spec.n_tokens or 0) > (fitted.n_tokens or 0):
            raise BlockError(
                f"block {spec.name!r} has a vocabulary of {spec.n_tokens} ids, but the estimator "
                f"of FittedEncoder was fitted with {fitted.n_tokens}. Use the same Tokenizer."
            )

    def get_params(self, deep: bool = True) -> dict[str, object]:
        """Return the parameters; those of the fitted estimator are no longer to be set."""
        return super().get_params(deep=False)

    def __sklearn_clone__(self) -> FittedEncoder:
        """Keep the estimator fitted; nothing here changes it, so clones can share it."""
        return type(self)(self.estimator, self.part, self.frozen)

    def _specs(self) -> Mapping[str, BlockSpec]:
        specs = getattr(self.estimator, "specs_", None)
        nets = getattr(self.estimator, "nets_", None)
        if specs is not None and nets is not None:
            if len(nets) > 1:
                raise ParameterError(
                    f"FittedEncoder takes the encoder of one network, but the estimator has "
                    f"{len(nets)} members. Fit it with members=1."
                )
            return specs
        if hasattr(self.estimator, "fit") and hasattr(self.estimator, "encoders"):
            raise NotFittedError(
                "FittedEncoder needs a fitted estimator, but this one is not: "
                f"{type(self.estimator).__name__}. Call its fit first."
            )
        raise ParameterError(
            "estimator must be a fitted FusionClassifier or FusionRegressor. "
            f"Got {type(self.estimator).__name__}."
        )

    def _block_name(self) -> str:
        """Return which block of the fitted estimator stands for ours."""
        names = list(self._specs())
        if self.part in names:
            return self.part
        if self.part != "fused":
            raise ParameterError(
                f"part must be 'fused' or a block of the fitted estimator, {names}. "
                f"Got {self.part!r}. {did_you_mean(self.part, ['fused', *names])}".rstrip()
            )
        if len(names) != 1:
            raise ParameterError(
                f"part='fused' needs an estimator of one block; this one has {names}. Name one of "
                "them in `part`, or hand on what its transform returns as a block of its own."
            )
        return names[0]


class _Fused(BackboneModule):
    """The network up to its fused vector."""

    def __init__(self, network: nn.Module, name: str, frozen: bool) -> None:
        super().__init__(network, frozen)
        self.name = name
        # What leads on from the fused vector, and what stands for absent rows, has no work here.
        self._network.head = nn.Identity()
        self._network.missing_embeddings.requires_grad_(False)

    @property
    def _network(self) -> FusedNetwork:
        return cast(FusedNetwork, self.backbone)

    def forward(self, x: Input, mask: torch.Tensor | None = None) -> torch.Tensor:
        rows = _rows(x, mask)
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            return self._network.fuse(Batch({self.name: rows}, {}, _n_rows(x)))


class _Part(BackboneModule):
    """The encoder of one block."""

    def __init__(self, encoder: nn.Module, frozen: bool, pooled: bool) -> None:
        super().__init__(encoder, frozen)
        self.pooled = pooled

    def forward(self, x: Input, mask: torch.Tensor | None = None) -> Encoded:
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            output = encode(self.backbone, _rows(x, mask))
        if self.pooled and isinstance(output, tuple):
            return masked_mean(*output)
        return output


def _rows(x: Input, mask: torch.Tensor | None) -> Input:
    return x if mask is None or isinstance(x, (SparseRows, Padded)) else Padded(x, mask)


def _n_rows(x: Input) -> int:
    return len(x.offsets) - 1 if isinstance(x, SparseRows) else len(x)
