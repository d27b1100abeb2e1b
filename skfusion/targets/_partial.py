"""Values of which some are not known."""

from __future__ import annotations

import numpy as np
import torch

from skfusion.blocks import Block
from skfusion.exceptions import ParameterError, TargetError
from skfusion.targets._base import dense
from skfusion.targets._value_coding import ValueCoding, mean_and_spread, r2_of_known

__all__ = ["PartialValueCoding"]


class PartialValueCoding(ValueCoding):
    """As ``ValueCoding``, of values that are NaN where none was measured.

    Mean, spread, loss and score are of what is known; a row in which nothing is adds nothing. The
    loss of a row is the sum over its known outputs, divided by how many are known of a row on
    average.
    """

    def _learn(self, values: np.ndarray, weight: np.ndarray | None) -> None:
        known = ~np.isnan(values)
        without = ~known.any(axis=0)
        if without.any():
            at = tuple(int(i) for i in np.argwhere(without)[0])
            place = at[0] if len(at) == 1 else at
            raise TargetError(
                f"y, output {place}: no row has a value, so that there is nothing to learn. Leave "
                "the output out."
            )
        self._n_known = float(known.sum() / len(values))
        flat, of_rows = values.reshape(len(values), -1), known.reshape(len(values), -1)
        found = [
            mean_and_spread(column[there], None if weight is None else weight[there])
            for column, there in zip(flat.T, of_rows.T, strict=True)
        ]
        mean, spread = (np.reshape(each, values.shape[1:]) for each in zip(*found, strict=True))
        self.mean, self.scale = mean, np.where(spread > 0, spread, 1.0)

    def prior(self, codes: Block, weight: np.ndarray | None) -> np.ndarray:
        flat = dense(codes).reshape(len(codes), -1)
        found = np.zeros(flat.shape[1])
        for output, column in enumerate(flat.T):
            rows = np.flatnonzero(~np.isnan(column))
            if len(rows):
                of_rows = None if weight is None else weight[rows]
                found[output] = self._loss.constant(column[rows, None], of_rows)[0]
        return found.reshape(self.output.fixed_shape)

    def loss(
        self, outputs: torch.Tensor, codes: torch.Tensor, weight: torch.Tensor | None
    ) -> torch.Tensor:
        unknown = codes.isnan()
        each = self._loss.each(outputs, torch.where(unknown, outputs.detach(), codes))
        if each.shape != outputs.shape:
            raise ParameterError(
                f'missing_targets="ignore" needs a loss of each output, of shape '
                f"{tuple(outputs.shape)}. That of {self._loss!r} is {tuple(each.shape)}."
            )
        of_rows = each.masked_fill(unknown, 0).flatten(1).sum(1) / self._n_known
        return of_rows.mean() if weight is None else (of_rows * weight).mean()

    def score(self, outputs: np.ndarray, codes: np.ndarray) -> float | None:
        return r2_of_known(outputs, codes)

    @property
    def linear_fit(self) -> str | None:
        return None
