"""Values: numbers of one output, several or a grid of them."""

from __future__ import annotations

import numpy as np

from skfusion._checks import check_choice
from skfusion.exceptions import ParameterError
from skfusion.losses import Loss
from skfusion.targets._base import PlainY, Target, TargetOptions
from skfusion.targets._partial import PartialValueCoding
from skfusion.targets._reading import read_values
from skfusion.targets._value_coding import Means, ValueCoding, loss_of
from skfusion.typing import YLike

__all__ = ["Values"]


class Values(Target):
    """Real values: one a row, several, or a grid of them.

    y of shape (n_rows,), (n_rows, n_outputs) or (n_rows, height, width, ...) comes back in that
    shape. Each output is standardised by its own mean and spread, but for losses of counts, where
    it is divided by its mean.

    Parameters
    ----------
    missing : {"error", "ignore"}, default="error"
        What becomes of NaN: an error, or a value that is not known, which plays no part in the
        loss, nor in mean and spread.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion.targets import Values
    >>> coding = Values().learn(np.array([10.0, 30.0]))
    >>> coding.encode(np.array([10.0, 30.0, 20.0])).ravel().tolist()
    [-1.0, 1.0, 0.0]
    >>> coding.decode(np.array([[0.5]])).tolist()
    [25.0]
    >>> Values().learn(np.zeros((5, 4, 6))).output
    OutputSpec(form='grid', shape=(4, 6), n_classes=None)
    """

    def __init__(self, missing: str = "error") -> None:
        self.missing = missing

    @property
    def takes_loss(self) -> bool:
        return True

    @property
    def may_lack(self) -> bool:
        """Whether values may be missing."""
        return bool(check_choice("missing", self.missing, ("error", "ignore")) == "ignore")

    def read(self, y: YLike) -> PlainY:
        return read_values(y, self.may_lack)

    def learn(
        self,
        y: PlainY,
        weight: np.ndarray | None = None,
        options: TargetOptions | None = None,
    ) -> ValueCoding:
        loss = loss_of(options or TargetOptions())
        if self.may_lack:
            return self._partly_known(np.asarray(y), weight, loss)
        return (Means if loss.link == "log" else ValueCoding)(np.asarray(y), weight, loss)

    def _partly_known(self, y: np.ndarray, weight: np.ndarray | None, loss: Loss) -> ValueCoding:
        if loss.link == "log":
            raise ParameterError(
                f"loss={loss!r} does not go with missing values. Leave rows without one out, or "
                'use loss="squared".'
            )
        return PartialValueCoding(y, weight, loss)
