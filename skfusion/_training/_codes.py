"""Codes of the target as tensors, a batch at a time."""

from __future__ import annotations

import numpy as np
import torch

from skfusion._batch import as_tensor
from skfusion.blocks import Block, Ragged
from skfusion.blocks._kinds import is_csr
from skfusion.blocks._rows import cut_rows

__all__ = ["PADDING", "Codes"]

PADDING = -100  # behind the end of ragged ids; torch's cross-entropy passes over it


class Codes:
    """Codes on a device: integers as int64, all else in the dtype of the network.

    Arrays move there as a whole. csr, ``Ragged`` and lazy codes are cut first, then moved: csr rows
    become dense, ragged ones are padded, ids by -100 and numbers by NaN.
    """

    def __init__(self, codes: Block, dtype: torch.dtype, device: torch.device) -> None:
        self._codes, self._dtype, self._device = codes, dtype, device
        self._whole = self._tensor(codes) if isinstance(codes, np.ndarray) else None

    def take(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the codes of ``rows`` (batch,): (batch, ...)."""
        if self._whole is not None:
            return self._whole[rows.to(self._device)]
        block = cut_rows(self._codes, rows.cpu().numpy())
        if is_csr(block):
            return self._tensor(block.toarray())
        return self._tensor(_padded(block) if isinstance(block, Ragged) else np.asarray(block[:]))

    def _tensor(self, codes: np.ndarray) -> torch.Tensor:
        kind = self._dtype if codes.dtype.kind == "f" else torch.int64
        return as_tensor(codes, kind, self._device)


def _padded(codes: Ragged) -> np.ndarray:
    """Return ragged codes as one array (batch, longest, ...)."""
    values, mask = codes.pad()
    values = values.copy()
    values[~mask] = PADDING if values.dtype.kind in "iu" else np.nan
    return values
