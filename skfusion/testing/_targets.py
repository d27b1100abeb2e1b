"""The contract of targets as one call."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from functools import cached_property

import numpy as np
import torch

from skfusion._training._codes import Codes
from skfusion.blocks import Block, Blocks, Ragged
from skfusion.blocks._kinds import is_csr
from skfusion.blocks._rows import cut_rows
from skfusion.targets import Coding, LabelCoding, OutputSpec, PlainY, Target
from skfusion.testing._agreement import (
    assert_close,
    assert_finite,
    assert_recipe_travels,
    run_checks,
)
from skfusion.typing import YLike

__all__ = ["check_target"]

_STEPS, _RATE = 300, 0.1  # of Adam, for outputs that are free to be right
_DRAWS = 8


def check_target(target: Target, y: YLike) -> None:
    """Raise ``AssertionError`` unless ``target`` keeps the contract of targets.

    What is read is read again as it is; a row has the same code alone and among others; the loss is
    a mean over rows, linear in their weights, and has a gradient; outputs of least loss decode to
    y, and score more than the prior; no constant beats the prior; probabilities are some; what is
    learned travels, and the recipe stays as it was.

    Parameters
    ----------
    target : Target
        The recipe.
    y : array-like of at least 4 rows
        Rows to prove it on, with every label in 2 of them.

    Raises
    ------
    AssertionError
        With the target and what went wrong.

    Examples
    --------
    >>> from skfusion.targets import Labels, Values
    >>> from skfusion.testing import check_target
    >>> check_target(Labels(), ["b", "a", "c", "a", "c", "b"])
    >>> class Wrong(Values):
    ...     def read(self, y):
    ...         return 2 * super().read(y)  # once more each time
    >>> check_target(Wrong(), [1.0, 2.0, 3.0, 6.0])
    Traceback (most recent call last):
        ...
    AssertionError: Wrong(): what was read is read as something else.
    """
    case = _Case(target, y)
    run_checks(case, _CHECKS)
    assert_recipe_travels(target)


class _Case:
    """One target and the y that it is tried on."""

    def __init__(self, target: Target, y: YLike) -> None:
        self.target, self.y = target, target.read(y)
        self.coding = target.learn(self.y)
        self.rng = np.random.default_rng(0)

    def __str__(self) -> str:
        return repr(self.target)

    @property
    def n_rows(self) -> int:
        return int(self.y.shape[0])

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Shape of one row of outputs; of texts, scores of all tokens at each place."""
        output = self.coding.output
        if not output.ragged:
            return output.fixed_shape
        return self.code_tensor().shape[1], output.n_classes or 1

    @cached_property
    def codes(self) -> Block:
        return self.coding.encode(self.y)

    @cached_property
    def prior(self) -> np.ndarray:
        return self.coding.prior(self.codes, None)

    def code_tensor(self, rows: np.ndarray | None = None) -> torch.Tensor:
        chosen = np.arange(self.n_rows) if rows is None else rows
        codes = Codes(self.codes, torch.float64, torch.device("cpu"))
        return codes.take(torch.from_numpy(chosen))

    def outputs(self, constant: np.ndarray | None = None) -> torch.Tensor:
        """Return one output for every row, or random ones (n_rows, *shape)."""
        shape = self.n_rows, *self.shape
        if constant is None:
            return torch.from_numpy(self.rng.normal(size=shape))
        return torch.from_numpy(np.broadcast_to(constant, shape).astype(np.float64))

    def loss(self, outputs: torch.Tensor, weight: torch.Tensor | None = None) -> torch.Tensor:
        return self.coding.loss(outputs, self.code_tensor(), weight)

    @cached_property
    def best(self) -> np.ndarray:
        """Outputs of little loss, each row with its own."""
        outputs = self.outputs(self.prior).requires_grad_()
        optimizer = torch.optim.Adam([outputs], lr=_RATE)
        for step in range(_STEPS):
            optimizer.param_groups[0]["lr"] = _RATE * (1 - step / _STEPS)
            optimizer.zero_grad()
            self.loss(outputs).backward()
            optimizer.step()
        return outputs.detach().numpy()


def _reading(case: _Case) -> None:
    again = case.target.read(case.y)
    assert _equal(again, case.y), "what was read is read as something else."


def _learning(case: _Case) -> None:
    assert isinstance(case.coding, Coding), (
        f"learn must return a Coding, not {type(case.coding).__name__}."
    )
    assert isinstance(case.coding.output, OutputSpec), "output must be an OutputSpec."


def _encoding(case: _Case) -> None:
    n_codes = case.codes.shape[0]
    assert n_codes == case.n_rows, f"{case.n_rows} rows in, {n_codes} codes out."
    for rows in (np.array([1]), np.arange(case.n_rows)[::-1].copy()):
        alone = case.coding.encode(cut_rows(case.y, rows))
        together = cut_rows(case.codes, rows)
        assert _equal(alone, together), "a row has another code alone than among others."


def _loss_of_rows(case: _Case) -> None:
    outputs, codes = case.outputs(), case.code_tensor()
    loss = case.loss(outputs)
    assert loss.shape == (), f"loss must be one number, not of shape {tuple(loss.shape)}."
    assert_finite(loss, "the loss")
    each = torch.stack(
        [case.coding.loss(outputs[[i]], codes[[i]], None) for i in range(case.n_rows)]
    )
    assert_close(loss, each.mean(), "the loss of a batch is not the mean over its rows")
    weight = torch.linspace(0, 2, case.n_rows, dtype=torch.float64)
    weighted = case.loss(outputs, weight)
    message = "the loss of weighted rows is not the mean of weight times loss"
    assert_close(weighted, (weight * each).mean(), message)


def _gradients(case: _Case) -> None:
    outputs = case.outputs().requires_grad_()
    case.loss(outputs).backward()
    assert outputs.grad is not None, "the loss has no gradient."
    assert_finite(outputs.grad, "the gradient of the loss")
    reached = outputs.grad.reshape(case.n_rows, -1).any(dim=1).all()
    assert bool(reached), "the loss of some rows has no gradient."
    single = case.coding.loss(outputs.detach().float(), _float(case.code_tensor()), None)
    assert single.dtype == torch.float32, f"float32 in, a loss of {single.dtype} out."


def _prior(case: _Case) -> None:
    shape = case.shape[-1:] if case.coding.output.ragged else case.shape
    assert case.prior.shape == shape, f"prior of shape {shape} expected, not {case.prior.shape}."
    assert np.isfinite(case.prior).all(), "the prior is not finite."
    loss = case.loss(case.outputs(case.prior)).item()
    for _ in range(_DRAWS):
        other = case.prior + case.rng.normal(size=shape)
        found = case.loss(case.outputs(other)).item()
        assert loss <= found + 1e-6 * abs(found), (
            f"no constant should have a smaller loss than the prior: {loss:.4g} against "
            f"{found:.4g}."
        )
    same = case.coding.mixed([case.prior, case.prior], [0.75, 0.25])
    assert np.allclose(same, case.prior, atol=1e-6), "a prior mixed with itself is another one."


def _decoding(case: _Case) -> None:
    for outputs in (case.outputs().numpy(), case.best.astype(np.float32)):
        decoded = case.coding.decode(outputs)
        assert decoded.shape == case.y.shape, (
            f"y has shape {case.y.shape}, and what is decoded {decoded.shape}."
        )
    y, decoded = _dense(case.y), case.coding.decode(case.best)
    if y.dtype.kind == "f" and not isinstance(case.coding, LabelCoding):
        right = np.allclose(decoded, y, atol=0.05 * max(float(np.ptp(y)), 1e-6))
    else:
        right = np.array_equal(decoded, y)
    assert right, f"outputs of least loss decode to {decoded[:4]!r}..., and y is {y[:4]!r}..."


def _scores(case: _Case) -> None:
    codes = case.code_tensor().numpy()
    best = case.coding.score(case.best, codes)
    prior = case.coding.score(case.outputs(case.prior).numpy(), codes)
    if best is None or prior is None:
        return
    assert best > prior, f"right outputs score {best:.4g}, no more than the prior ({prior:.4g})."


def _probabilities(case: _Case) -> None:
    coding = case.coding
    if not isinstance(coding, LabelCoding):
        return
    shares = coding.probabilities(case.outputs().numpy())
    expected = (case.n_rows, len(coding.classes))
    assert shares.shape == expected, f"probabilities are {shares.shape}, not {expected}."
    inside = (shares >= -1e-9).all() and (shares <= 1 + 1e-9).all()
    assert inside, "probabilities must lie between 0 and 1."
    exclusive = coding.output.form == "classes"
    sums = shares.sum(axis=1)
    assert not exclusive or np.allclose(sums, 1), f"probabilities sum to {sums}, not to 1."


def _predicting(case: _Case) -> None:
    blocks = Blocks({"x": np.zeros((case.n_rows, 1))})
    predicted = case.coding.predict(_Fixed(case.best), blocks)
    assert predicted.shape == case.y.shape, (
        f"y has shape {case.y.shape}, and what is predicted {predicted.shape}."
    )


def _travels(case: _Case) -> None:
    copied = pickle.loads(pickle.dumps(case.coding))
    message = "a pickled coding decodes otherwise."
    assert _equal(copied.decode(case.best), case.coding.decode(case.best)), message


_CHECKS: tuple[Callable[[_Case], None], ...] = (
    _learning,
    _reading,
    _encoding,
    _loss_of_rows,
    _gradients,
    _prior,
    _decoding,
    _scores,
    _probabilities,
    _predicting,
    _travels,
)


class _Fixed:
    """A network that has made up its mind."""

    def __init__(self, outputs: np.ndarray) -> None:
        self._outputs = outputs

    def outputs(self, blocks: Blocks) -> np.ndarray:
        return self._outputs[: len(blocks)]


def _float(codes: torch.Tensor) -> torch.Tensor:
    return codes.float() if codes.is_floating_point() else codes


def _dense(y: PlainY | Block) -> np.ndarray:
    if isinstance(y, Ragged):
        return np.concatenate([y.lengths, *y])
    return y.toarray() if is_csr(y) else np.asarray(y)


def _equal(one: PlainY | Block, other: PlainY | Block) -> bool:
    found, expected = _dense(one), _dense(other)
    if found.dtype.kind == "f":
        return found.shape == expected.shape and np.allclose(found, expected)
    return np.array_equal(found, expected)
