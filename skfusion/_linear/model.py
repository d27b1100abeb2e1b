"""Logistic regression and ridge regression on all blocks, with the penalty chosen on folds."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from scipy.sparse import csr_array
from scipy.special import logit

from skfusion._linear.inputs import LinearInputs, Matrix
from skfusion.blocks import Block, Blocks
from skfusion.blocks._kinds import is_csr
from skfusion.blocks._rows import cut_rows
from skfusion.targets import Coding

__all__ = ["LinearChoice", "LinearModel", "choose_linear"]

_STRENGTHS = tuple(4.0**power for power in range(-4, 8))  # C, from the strongest penalty on
_FIRST = 5  # of them: 4
# Steps of L-BFGS: behind 30 the test loss of four sets of text, sequences and vectors moved by at
# most .001. scikit-learn's own tolerance ends far earlier where columns are many and small.
_MOST_STEPS, _TOLERANCE = 30, 1e-6
_ENOUGH_ROWS = 500  # held out by one split: the penalty is chosen on it alone
_MOST_WORK = 5e7  # stored numbers times outputs, beyond which the model costs more than networks

Split: TypeAlias = tuple[np.ndarray, np.ndarray]  # rows to fit on, and rows to predict
# Weights (n_columns, n_outputs) and bias (n_outputs,).
Coefficients: TypeAlias = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class LinearModel:
    """A linear model in the outputs of a network: scores, log-odds or standardised values.

    Parameters
    ----------
    inputs : LinearInputs
        From blocks to columns.
    weights : ndarray of shape (n_columns, n_outputs)
        Coefficients.
    bias : ndarray of shape (n_outputs,)
        Intercepts.
    shape : tuple of int
        Shape of one row of outputs.
    strength : float
        Inverse of the penalty, scikit-learn's ``C``.
    """

    inputs: LinearInputs
    weights: np.ndarray
    bias: np.ndarray
    shape: tuple[int, ...]
    strength: float

    @property
    def n_parameters(self) -> int:
        """Number of coefficients and intercepts."""
        return self.weights.size + self.bias.size

    def outputs(self, blocks: Blocks) -> np.ndarray:
        """Return what it makes of the rows: (n_rows, *shape)."""
        return _apply(self.inputs.matrix(blocks), self.weights, self.bias, self.shape)


@dataclass(frozen=True)
class LinearChoice:
    """The model of all rows, and what its like say of rows that they were not fitted on.

    Parameters
    ----------
    model : LinearModel
        Fitted to all rows.
    held_out : ndarray of shape (n_rows, *shape)
        Outputs by models of the same penalty, NaN in rows that no split holds out.
    fitting : _Fitting
        What they were fitted to.
    """

    model: LinearModel
    held_out: np.ndarray
    fitting: _Fitting

    def of_single_blocks(self, blocks: Blocks, split: Split) -> dict[str, np.ndarray]:
        """Return what models of one block each say of the rows that a split holds out.

        Their penalty is that of the model of all; the rows are those that it was chosen by.
        """
        train, rows = split
        inputs, outputs = self.model.inputs, {}
        for name in inputs.names:
            matrix = inputs.matrix(blocks, [name])
            fitted = replace(self.fitting, matrix=matrix).fit(train, self.model.strength, None)
            outputs[name] = _apply(matrix[rows], *fitted, self.model.shape)
        return outputs


def choose_linear(
    target: Coding,
    blocks: Blocks,
    codes: Block,
    weight: np.ndarray | None,
    splits: Sequence[Split],
    at_any_cost: bool,
) -> LinearChoice | None:
    """Return a model of these rows, of the penalty of least loss on rows that ``splits`` hold out.

    None if no block is of a form for a linear model, or if there is more to compute than pays,
    unless it is asked for ``at_any_cost``.
    """
    inputs = LinearInputs(blocks)
    if not inputs.names or target.linear_fit is None:
        return None
    matrix = inputs.matrix(blocks)
    n_stored = matrix.nnz if isinstance(matrix, csr_array) else matrix.size
    if n_stored * target.n_outputs > _MOST_WORK and not at_any_cost:
        return None
    dense = codes.toarray() if is_csr(codes) else np.asarray(codes)
    fitting = _Fitting(target, matrix, dense, weight)
    strength, held_out = _search(fitting, splits)
    weights, bias = fitting.fit(np.arange(len(blocks)), strength, None)
    shape = target.output.fixed_shape
    return LinearChoice(LinearModel(inputs, weights, bias, shape, strength), held_out, fitting)


def _search(fitting: _Fitting, splits: Sequence[Split]) -> tuple[float, np.ndarray]:
    """Return the strength of least held-out loss, and the held-out outputs of its models.

    From the middle on while the loss falls, since it has one valley.
    """
    few = splits[:1] if len(splits[0][1]) >= _ENOUGH_ROWS else splits
    known: dict[int, tuple[float, np.ndarray]] = {}
    starts: dict[int, Coefficients] = {}

    def loss_at(place: int) -> float:
        if place not in known:
            known[place] = fitting.held_out(_STRENGTHS[place], few, starts)
        return known[place][0]

    best = _FIRST
    for step in (1, -1):
        while 0 <= best + step < len(_STRENGTHS) and loss_at(best + step) < loss_at(best):
            best += step
    if len(few) < len(splits):
        return _STRENGTHS[best], fitting.held_out(_STRENGTHS[best], splits, starts)[1]
    return _STRENGTHS[best], known[best][1]


@dataclass(frozen=True)
class _Fitting:
    """Fits models of one matrix to codes, on some of the rows."""

    target: Coding
    matrix: Matrix
    codes: np.ndarray
    weight: np.ndarray | None

    def held_out(
        self,
        strength: float,
        splits: Sequence[Split],
        starts: dict[int, Coefficients],
    ) -> tuple[float, np.ndarray]:
        """Return the mean loss on held-out rows, and the outputs for them, NaN elsewhere."""
        shape = self.target.output.fixed_shape
        outputs = np.full((len(self.codes), *shape), np.nan, np.float32)
        for number, (train, rows) in enumerate(splits):
            starts[number] = self.fit(train, strength, starts.get(number))
            outputs[rows] = _apply(self.matrix[rows], *starts[number], shape)
        there = np.flatnonzero(np.isfinite(outputs).reshape(len(outputs), -1).all(axis=1))
        losses = self.target.losses(outputs[there], cut_rows(self.codes, there))
        of_rows = None if self.weight is None else self.weight[there]
        return float(np.average(losses, weights=of_rows)), outputs

    def fit(self, rows: np.ndarray, strength: float, start: Coefficients | None) -> Coefficients:
        """Return weights (n_columns, n_outputs) and bias (n_outputs,) for these rows."""
        matrix, codes = self.matrix[rows], self.codes[rows]
        weight = None if self.weight is None else self.weight[rows]
        if self.target.linear_fit == "least squares":
            return _ridge(matrix, codes.reshape(len(codes), -1), weight, strength)
        if codes.ndim == 1:
            return _logistic(matrix, codes, weight, strength, self.target.n_outputs, start)
        columns = [
            _logistic(matrix, codes[:, i], weight, strength, 1, _column(start, i))
            for i in range(codes.shape[1])
        ]
        return np.hstack([one for one, _ in columns]), np.concatenate([one for _, one in columns])


def _column(start: Coefficients | None, i: int) -> Coefficients | None:
    return None if start is None else (start[0][:, [i]], start[1][[i]])


def _ridge(
    matrix: Matrix, values: np.ndarray, weight: np.ndarray | None, strength: float
) -> Coefficients:
    from sklearn.linear_model import Ridge

    solver = "sparse_cg" if isinstance(matrix, csr_array) else "cholesky"
    ridge = Ridge(alpha=1 / strength, solver=solver, tol=1e-4)
    ridge.fit(matrix, values.astype(np.float32), sample_weight=weight)
    return ridge.coef_.reshape(values.shape[1], -1).T, np.reshape(ridge.intercept_, -1)


def _logistic(
    matrix: Matrix,
    codes: np.ndarray,
    weight: np.ndarray | None,
    strength: float,
    n_outputs: int,
    start: Coefficients | None,
) -> Coefficients:
    """Return weights and bias of a logistic regression; classes that no row has are unlikely."""
    from sklearn.linear_model import LogisticRegression

    classes = np.unique(codes)
    weights = np.zeros((matrix.shape[1], n_outputs), np.float32)
    bias = np.full(n_outputs, logit(0.5 / (len(codes) + 1)), np.float32)
    places = classes.astype(int) if n_outputs > 1 else np.array([0])
    if len(classes) < 2:
        bias[places] = 0.0 if n_outputs > 1 else (2 * classes[0] - 1) * abs(bias[0])
        return weights, bias
    model = LogisticRegression(C=strength, max_iter=_MOST_STEPS, tol=_TOLERANCE, warm_start=True)
    if start is not None and n_outputs == len(weights[0, places]) != 2:
        model.coef_ = np.asfortranarray(start[0][:, places].T)
        model.intercept_ = start[1][places]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it has not converged: its held-out rows tell
        model.fit(matrix, codes, sample_weight=weight)
    if n_outputs > 1 and len(classes) == 2:  # of three classes and more, a fold has two
        weights[:, places] = np.stack([-model.coef_[0], model.coef_[0]], axis=1) / 2
        bias[places] = np.array([-1, 1]) * model.intercept_[0] / 2
        return weights, bias
    weights[:, places], bias[places] = model.coef_.T, model.intercept_
    return weights, bias


def _apply(
    matrix: Matrix, weights: np.ndarray, bias: np.ndarray, shape: tuple[int, ...]
) -> np.ndarray:
    return np.asarray(matrix @ weights + bias, dtype=np.float32).reshape(-1, *shape)
