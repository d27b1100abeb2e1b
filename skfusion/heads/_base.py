"""What a head promises."""

from __future__ import annotations

from sklearn.base import BaseEstimator
from torch import nn

from skfusion.exceptions import ParameterError, noted
from skfusion.targets import OutputSpec

__all__ = ["Head", "build_head", "shaped"]


class Head(BaseEstimator):
    """Recipe of the last part of the network: ``build`` returns any ``nn.Module``.

    The module is called with what ``takes`` names and returns (batch, *output.shape):

    - ``"vector"``, the fused vectors (batch, width);
    - ``"tokens"``, the fused ``Tokens``: values (batch, tokens, width) and a mask (batch, tokens),
      of a fusion that gives them;
    - ``"either"``, tokens of a fusion that gives them, else the vectors.

    A head that ``writes`` is called with the codes of the target, too: see ``Writer``.

    Examples
    --------
    >>> from torch import nn
    >>> from skfusion.heads import Head
    >>> class Plain(Head):
    ...     def build(self, width, output):
    ...         return nn.Linear(width, output.n_outputs, bias=False)
    """

    # A property, so that a recipe may choose by its parameters; a plain class attribute does too.
    @property
    def takes(self) -> str:
        """What the module is given of each row: "vector", "tokens" or "either"."""
        return "vector"

    @property
    def writes(self) -> bool:
        """Whether the module writes token by token: it is then a ``skfusion.heads.Writer``."""
        return False

    def build(self, width: int, output: OutputSpec) -> nn.Module:
        """Return a new module from vectors of size ``width`` to outputs of that ``output``.

        Raises
        ------
        ParameterError
            If this head cannot give such outputs.
        """
        raise NotImplementedError(
            f"{type(self).__name__} must define build(self, width, output) and return an nn.Module "
            "from it"
        )


def shaped(output: OutputSpec) -> list[nn.Module]:
    """Return what gives flat outputs (batch, n_outputs) their shape (batch, *output.shape)."""
    shape = output.fixed_shape
    return [nn.Unflatten(1, shape)] if len(shape) != 1 else []


def build_head(head: Head, width: int, output: OutputSpec) -> nn.Module:
    """Return a new module of ``head``, with errors that say whose they are."""
    with noted(f"while building the head {head!r}"):
        module: object = head.build(width, output)
    if not isinstance(module, nn.Module):
        raise ParameterError(
            f"build of the head {head!r} must return an nn.Module. Got {module!r}."
        )
    return module
