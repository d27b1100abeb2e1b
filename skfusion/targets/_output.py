"""What a head may know about the target."""

from __future__ import annotations

import math
from dataclasses import dataclass

from skfusion.exceptions import ParameterError

__all__ = ["OUTPUT_FORMS", "OutputSpec"]

OUTPUT_FORMS = ("value", "classes", "labels", "grid", "sequence", "tokens")


@dataclass(frozen=True)
class OutputSpec:
    """Form and shape of what the network gives for a row: all that a head may know of the target.

    The twin of ``BlockSpec``, at the other end of the network.

    Parameters
    ----------
    form : {"value", "classes", "labels", "grid", "sequence", "tokens"}
        Numbers, one class of several, several labels, numbers in a grid, steps, or token ids.
    shape : tuple of int or None
        Shape of one row of outputs; None stands for a length that differs from row to row.
    n_classes : int or None, default=None
        Number of classes or labels, or of different tokens.

    Examples
    --------
    >>> from skfusion.targets import OutputSpec
    >>> OutputSpec("classes", (3,), n_classes=3).n_outputs
    3
    >>> OutputSpec("grid", (4, 6)).n_outputs
    24
    """

    form: str
    shape: tuple[int | None, ...]
    n_classes: int | None = None

    def __post_init__(self) -> None:
        if self.form not in OUTPUT_FORMS:
            known = ", ".join(map(repr, OUTPUT_FORMS))
            raise ParameterError(
                f"form of an OutputSpec must be one of {known}. Got {self.form!r}."
            )

    @property
    def ragged(self) -> bool:
        """Whether rows differ in length."""
        return None in self.shape

    @property
    def exclusive(self) -> bool:
        """Whether the outputs are one score a class, of which one is right."""
        return self.form == "classes" and self.shape == (self.n_classes,)

    @property
    def n_outputs(self) -> int:
        """How many numbers the network gives for a row.

        Raises
        ------
        ParameterError
            If rows differ in length.
        """
        return math.prod(self.fixed_shape)

    @property
    def fixed_shape(self) -> tuple[int, ...]:
        """The shape of one row, where all rows have the same.

        Raises
        ------
        ParameterError
            If rows differ in length.
        """
        sizes = tuple(size for size in self.shape if size is not None)
        if len(sizes) < len(self.shape):
            raise ParameterError(
                f"outputs of the form {self.form!r} differ in length from row to row, shape "
                f"{self.shape}, which this head or fusion cannot give. Use a head that writes step "
                "by step, or a target of fixed length."
            )
        return sizes
