"""Each pooling against numpy, row by row."""

import numpy as np
import pytest
import torch

from skfusion.encoders._pooling import Pooling
from skfusion.exceptions import ParameterError

LENGTHS = (3, 0, 5, 1)


def by_hand(how, row, score):
    if not len(row):
        return np.zeros(row.shape[1])
    if how == "attention":
        weights = np.exp(row @ score)
        return weights @ row / weights.sum()
    return {"last": row[-1], "mean": row.mean(0), "max": row.max(0)}[how]


@pytest.mark.parametrize("how", ["last", "mean", "max", "attention"])
def test_pooling_is_that_of_each_row_alone(how, rng):
    tokens, mask = rng.normal(size=(4, 5, 3)), np.arange(5) < np.array(LENGTHS)[:, None]
    pooling = Pooling(how, 3).double()
    score = pooling.score.weight.detach().numpy()[0] if how == "attention" else None
    found = pooling(torch.from_numpy(tokens), torch.from_numpy(mask)).detach().numpy()
    expected = [by_hand(how, row[:n], score) for row, n in zip(tokens, LENGTHS, strict=True)]
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("how", ["last", "mean", "max", "attention"])
def test_no_mask_is_a_mask_of_ones(how, rng):
    tokens = torch.from_numpy(rng.normal(size=(4, 5, 3)))
    pooling = Pooling(how, 3).double()
    everywhere = torch.ones(4, 5, dtype=torch.bool)
    torch.testing.assert_close(pooling(tokens, None), pooling(tokens, everywhere))


def test_an_unknown_pooling_is_refused():
    with pytest.raises(ParameterError, match="pooling must be one of .* Did you mean 'mean'"):
        Pooling("men", 3)
