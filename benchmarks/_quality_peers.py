"""What a careful person runs instead: linear models with a tuned penalty, boosted trees, an MLP.

All get the blocks as matrices that were learned on the training rows alone.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_array, hstack, issparse
from sklearn.base import BaseEstimator
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold, cross_val_predict
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

from skfusion import Blocks, BlockUnion

STRENGTHS = 10.0 ** np.arange(-1, 5.1, 0.5)
_SIDE = 8  # pixels to which images are averaged
_LONGEST = 1024  # numbers of a sequence that is flattened; longer ones are summed up


@dataclass
class Matrices:
    """The blocks of training and test rows, as matrices of equal mean squared norm."""

    train: dict[str, Any]
    test: dict[str, Any]


def matrices(X: Any, X_test: Any) -> Matrices:
    """Return the blocks as matrices."""
    if isinstance(X, dict):
        blocks, blocks_test = Blocks(X), Blocks(X_test)
    else:
        union = BlockUnion().fit(X)
        blocks, blocks_test = union.transform(X), union.transform(X_test)
    train, test = {}, {}
    for name in blocks.names:
        one, other = (_matrix(part[name]) for part in (blocks, blocks_test))
        if not issparse(one):
            scaler = StandardScaler().fit(one)
            one, other = scaler.transform(one), scaler.transform(other)
        squares = one.power(2) if issparse(one) else one**2
        norm = np.sqrt(squares.sum() / one.shape[0]) or 1.0
        train[name], test[name] = one / norm, other / norm
    return Matrices(train, test)


def _matrix(block: Any) -> Any:
    if issparse(block):
        return csr_array(block)
    values = np.asarray(block[:], dtype=np.float64)
    if values.ndim == 4:
        step = max(1, values.shape[1] // _SIDE)
        sides = [size - size % step for size in values.shape[1:3]]
        cut = values[:, : sides[0], : sides[1]]
        cells = cut.reshape(len(cut), sides[0] // step, step, sides[1] // step, step, -1)
        values = cells.mean(axis=(2, 4))
    elif values.ndim == 3 and values[0].size > _LONGEST:
        values = np.hstack([np.mean(values, 1), np.std(values, 1), values.min(1), values.max(1)])
    return values.reshape(len(values), -1)


def _joined(parts: dict[str, Any]) -> Any:
    if any(issparse(part) for part in parts.values()):
        return csr_array(hstack([csr_array(part) for part in parts.values()]))
    return np.hstack([*parts.values()])


def linear_all(data: Matrices, y: np.ndarray, groups: Any, regression: bool, seed: int) -> Any:
    """Fit a linear model of all blocks; return it, and what it predicts from."""
    _, model = _tuned(_joined(data.train), y, groups, regression)
    return model, _joined(data.test)


def linear_best(data: Matrices, y: np.ndarray, groups: Any, regression: bool, seed: int) -> Any:
    """Fit a linear model of each block alone; return the one that is best on folds."""
    found = {name: _tuned(part, y, groups, regression) for name, part in data.train.items()}
    best = min(found, key=lambda name: found[name][0])
    return found[best][1], data.test[best]


def boosted(data: Matrices, y: np.ndarray, groups: Any, regression: bool, seed: int) -> Any:
    """Fit boosted trees; wide sparse blocks are reduced to 100 columns."""
    kind = HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier
    share = _held_out(y, regression)
    model = kind(early_stopping=True, validation_fraction=share, random_state=seed)
    return _on_dense(model, data, y, seed)


def mlp(data: Matrices, y: np.ndarray, groups: Any, regression: bool, seed: int) -> Any:
    """Fit scikit-learn's MLP with early stopping, on the same columns as the trees, scaled."""
    kind, share = MLPRegressor if regression else MLPClassifier, _held_out(y, regression)
    model = kind(early_stopping=True, validation_fraction=share, max_iter=500, random_state=seed)
    return _on_dense(model, data, y, seed)


def _held_out(y: np.ndarray, regression: bool) -> float:
    """Return the usual tenth, or a fifth where a tenth has not a row of each class."""
    return 0.2 if not regression and len(np.unique(y)) > 0.1 * len(y) else 0.1


PEERS: dict[str, Callable[..., Any]] = {
    "best block, linear": linear_best,
    "all blocks, linear": linear_all,
    "boosted trees": boosted,
    "scikit-learn's MLP": mlp,
}


def _on_dense(model: BaseEstimator, data: Matrices, y: np.ndarray, seed: int) -> Any:
    train, test = [], []
    for name, part in data.train.items():
        other = data.test[name]
        if issparse(part) and part.shape[1] > 100:
            reduce = TruncatedSVD(100, random_state=seed).fit(part)
            part, other = reduce.transform(part), reduce.transform(other)
        elif issparse(part):
            part, other = part.toarray(), other.toarray()
        train.append(part)
        test.append(other)
    scaler = StandardScaler().fit(np.hstack(train))
    return model.fit(scaler.transform(np.hstack(train)), y), scaler.transform(np.hstack(test))


def _tuned(X: Any, y: np.ndarray, groups: Any, regression: bool) -> tuple[float, Any]:
    """Return the least loss on four folds, and the model of that penalty on all rows."""
    folds: Any = KFold(4, shuffle=True, random_state=0)
    if groups is not None:
        folds = GroupKFold(min(4, len(np.unique(groups))))
    elif not regression:
        folds = StratifiedKFold(4, shuffle=True, random_state=0)
    losses: list[float] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes with few rows, and steps that are used up
        for strength in STRENGTHS:
            model = _linear(strength, regression)
            method = "predict" if regression else "predict_proba"
            found = cross_val_predict(model, X, y, cv=folds, groups=groups, method=method)
            wrong = np.mean((found - y) ** 2) if regression else log_loss(y, found)
            losses.append(float(wrong))
            if losses[-1] > 1.2 * min(losses):
                break
        best = STRENGTHS[int(np.argmin(losses))]
        return min(losses), _linear(best, regression).fit(X, y)


def _linear(strength: float, regression: bool) -> BaseEstimator:
    if regression:
        return Ridge(alpha=1 / strength)
    return LogisticRegression(C=strength, max_iter=300, tol=1e-5)
