"""From whatever the user passes as X to ``Blocks``, with all that must be checked on the way."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_array, issparse
from sklearn.utils.validation import validate_data

from skfusion.blocks import Blocks, BlockSpec, Ragged
from skfusion.exceptions import BlockError, TargetError, add_note
from skfusion.inputs import BlockUnion

__all__ = [
    "check_finite",
    "check_same_blocks",
    "check_some_block",
    "needs_coding",
    "read_fit",
    "read_predict",
    "require_target",
    "rows_without_blocks",
]

PLAIN_NAME = "X"
_ROWS_AT_ONCE = 65_536


def read_fit(estimator: Any, X: Any) -> Blocks:
    """Return X as ``Blocks``; set on ``estimator`` what it must remember of X.

    That is ``n_features_in_``, ``feature_names_in_`` where X has names, ``union_`` (the fitted
    default ``BlockUnion`` for tables, else None).
    """
    estimator.union_ = None
    if _is_table(X):
        estimator.union_ = BlockUnion(memory=estimator.memory)
        blocks = estimator.union_.fit_transform(X)
        _remember_names(estimator, X)
    else:
        blocks = _read(estimator, X, reset=True)
    return blocks


def read_predict(estimator: Any, X: Any) -> Blocks:
    """Return X as ``Blocks`` like those of the fit; an error says how they differ."""
    if estimator.union_ is not None:
        blocks = _union(estimator).transform(_as_table(estimator, X))
    else:
        blocks = _read(estimator, X, reset=False)
    if estimator.missing == "allow":
        blocks = _with_absent(blocks, estimator.specs_)
    check_same_blocks(estimator.specs_, blocks)
    return blocks


def _union(estimator: Any) -> BlockUnion:
    """Return the default union, which bears missing blocks as the estimator does by now."""
    union = estimator.union_
    if union.missing != estimator.missing:
        union = copy.copy(union).set_params(missing=estimator.missing)
    return union


def rows_without_blocks(blocks: Blocks) -> np.ndarray | None:
    """Return the mask of rows that lack every block, or None where there is no such row."""
    without = None
    for name in blocks.names:
        missing = blocks.missing(name)
        if missing is None:
            return None
        without = missing if without is None else without & missing
    return without if without is not None and without.any() else None


def check_some_block(blocks: Blocks) -> None:
    """Raise ``BlockError`` if a row lacks every block."""
    without = rows_without_blocks(blocks)
    if without is not None:
        raise BlockError(
            f"row {int(without.argmax())} lacks every block ({int(without.sum())} such rows), so "
            "there is nothing to learn or predict from. Leave these rows out, or use "
            'missing="allow" to have the prior predicted for them.'
        )


def _with_absent(blocks: Blocks, specs: Mapping[str, BlockSpec]) -> Blocks:
    """Add the blocks that X lacks altogether, missing in every row."""
    gone = [name for name in specs if name not in blocks]
    if not gone:
        return blocks
    empty = {name: specs[name].empty(len(blocks)) for name in gone}
    return blocks.assign(empty, {name: np.ones(len(blocks), dtype=bool) for name in gone})


def _read(estimator: Any, X: Any, reset: bool) -> Blocks:
    if isinstance(X, Mapping) and not issparse(X):
        X = Blocks(X)
    elif isinstance(X, Ragged) or (isinstance(X, np.ndarray) and X.ndim > 2):
        X = Blocks({PLAIN_NAME: X})
    if isinstance(X, Blocks):
        _remember_blocks(estimator, X, reset)
        return X
    if not reset:
        _check_matrix_was_fitted(estimator, X)
    if reset or not _is_like_fitted(estimator, X):
        X = _validated(estimator, X, reset)
    return Blocks({PLAIN_NAME: X if reset else _in_fitted_form(estimator, X)})


def _validated(estimator: Any, X: Any, reset: bool) -> Any:
    try:
        return validate_data(
            estimator, X, reset=reset, accept_sparse="csr", dtype=[np.float64, np.float32]
        )
    except (TypeError, ValueError) as error:
        add_note(
            error,
            f"X is one matrix of numbers, the block {PLAIN_NAME!r}. Give text and categories as "
            "columns of a DataFrame; missing numbers in a DataFrame too, behind a BlockUnion()",
        )
        raise


def _check_matrix_was_fitted(estimator: Any, X: Any) -> None:
    if PLAIN_NAME not in estimator.specs_ and not hasattr(X, "columns"):
        raise BlockError(
            f"X is a single matrix, but the fit was on the blocks {list(estimator.specs_)}. "
            "Pass Blocks, or a dict of arrays, with these names."
        )


def _is_like_fitted(estimator: Any, X: Any) -> bool:
    """Whether X is a matrix that ``validate_data`` would return as it is, at the cost of a row."""
    return (
        type(X) is np.ndarray
        and X.dtype in (np.float32, np.float64)
        and X.shape == (len(X) or 1, estimator.n_features_in_)
        and not hasattr(estimator, "feature_names_in_")
    )


def _in_fitted_form(estimator: Any, X: Any) -> Any:
    """A plain matrix may be sparse at fit and dense at predict, or the other way round."""
    fitted = estimator.specs_[PLAIN_NAME].form if PLAIN_NAME in estimator.specs_ else None
    if fitted == "csr" and not issparse(X):
        return csr_array(X)
    return X.toarray() if fitted == "vector" and issparse(X) else X


def _is_table(X: Any) -> bool:
    """Whether X needs a ``BlockUnion`` to become numbers: mixed frames, dicts with text in them."""
    if isinstance(X, Mapping) and not issparse(X):
        return any(needs_coding(value) for value in X.values())
    if not hasattr(X, "columns"):
        return False
    return any(needs_coding(X[name]) for name in X.columns)


def needs_coding(value: Any) -> bool:
    """Whether a column or a block holds anything but numbers."""
    if issparse(value) or isinstance(value, Ragged):
        return False
    dtype = getattr(value, "dtype", None)
    if dtype is None:
        return np.asarray(value).dtype.kind not in "fiub"
    if hasattr(dtype, "is_numeric"):  # polars
        return not dtype.is_numeric()
    return getattr(dtype, "kind", "O") not in "fiub"


def _as_table(estimator: Any, X: Any) -> Any:
    """Check the columns of X against the fit; a plain matrix is read by position."""
    if isinstance(X, Mapping) or _is_part(estimator, X):  # the union says what is missing
        return X
    validate_data(estimator, X, reset=False, skip_check_array=True)
    if _is_table(X):
        return X
    X = validate_data(estimator, X, reset=False, dtype=None, ensure_all_finite="allow-nan")
    return pd.DataFrame(X, columns=estimator.union_.feature_names_in_)


def _is_part(estimator: Any, X: Any) -> bool:
    """Whether X has some of the columns of the fit, and no others."""
    known = getattr(estimator, "feature_names_in_", ())
    return hasattr(X, "columns") and len(X.columns) > 0 and set(X.columns) < set(known)


def _remember_names(estimator: Any, X: Any) -> None:
    if isinstance(X, Mapping):
        estimator.n_features_in_ = len(X)
        estimator.feature_names_in_ = np.array(list(X), dtype=object)
    else:
        validate_data(estimator, X, skip_check_array=True)


def _remember_blocks(estimator: Any, blocks: Blocks, reset: bool) -> None:
    if len(blocks) == 0:
        raise BlockError("X has no rows (0 samples). Pass at least one row.")
    if reset:
        estimator.n_features_in_ = len(blocks.names)
        estimator.feature_names_in_ = np.array(blocks.names, dtype=object)


def check_same_blocks(specs: Mapping[str, BlockSpec], blocks: Blocks) -> None:
    """Raise ``BlockError`` unless ``blocks`` are of the names, forms and shapes of ``specs``."""
    new = [name for name in blocks.names if name not in specs]
    gone = [name for name in specs if name not in blocks]
    if new or gone:
        parts = [f"new are {new}"] * bool(new) + [f"gone are {gone}"] * bool(gone)
        raise BlockError(
            f"X has other blocks than at fit: {'; '.join(parts)}. "
            f"Pass the blocks of the fit: {list(specs)}"
            + (', or use missing="allow" to predict without.' if gone else ".")
        )
    for name, spec in blocks.specs().items():
        _check_same_spec(specs[name], spec)


def _check_same_spec(fitted: BlockSpec, spec: BlockSpec) -> None:
    if (fitted.form, fitted.shape) != (spec.form, spec.shape):
        raise BlockError(
            f"block {spec.name!r} has rows of form {spec.form!r} and shape {spec.shape}, but at "
            f"fit they had form {fitted.form!r} and shape {fitted.shape}."
        )
    if spec.n_tokens is not None and spec.n_tokens > (fitted.n_tokens or 0):
        raise BlockError(
            f"block {spec.name!r} has token ids up to {spec.n_tokens - 1}, but the vocabulary at "
            f"fit had {fitted.n_tokens} ids. Use the Tokenizer that was fitted, or give "
            "Ragged(..., n_tokens=...) at fit."
        )


def check_finite(blocks: Blocks, first_row: int = 0) -> None:
    """Raise ``BlockError`` for the first NaN or infinite value, with block, row and column.

    Lazy blocks are not read. Others are read a few thousand rows at a time, so that a memory map
    stays on disk. ``first_row`` is what the user calls the first of these rows.
    """
    for start in range(0, len(blocks), _ROWS_AT_ONCE):
        few = len(blocks) <= _ROWS_AT_ONCE
        chunk = blocks if few else blocks[start : start + _ROWS_AT_ONCE]
        for name in chunk.names:
            _check_finite_block(name, chunk[name], chunk.missing(name), first_row + start)


def _check_finite_block(name: str, block: Any, missing: Any, start: int) -> None:
    values = _stored_values(block)
    if values is None or values.dtype.kind != "f":
        return
    # The sum is finite unless a value is not, or the values are huge; it needs no copy.
    with np.errstate(over="ignore", invalid="ignore"):
        finite = bool(np.isfinite(values.sum()))
    if not finite:
        _find_not_finite(name, block, values, missing, start)


def _stored_values(block: Any) -> np.ndarray | None:
    if issparse(block):
        return block.data
    if isinstance(block, Ragged):
        return block.values[block.offsets[0] : block.offsets[-1]]
    return block if isinstance(block, np.ndarray) else None


def _find_not_finite(name: str, block: Any, values: np.ndarray, missing: Any, start: int) -> None:
    bad = ~np.isfinite(values)
    if missing is not None:
        bad[_held_by(block, missing)] = False
    if not bad.any():
        return
    first = tuple(int(i) for i in np.unravel_index(int(bad.argmax()), bad.shape))
    row, place = _place(block, first)
    raise BlockError(
        f"Input block {name!r} contains {_kind(values[first])} in row {start + row}, {place} "
        f"({int(bad.sum())} such values in all). Impute them (SimpleImputer in the BlockUnion), or "
        "mark rows that lack the whole block in Blocks(..., missing={name: mask})."
    )


def _held_by(block: Any, rows: np.ndarray) -> np.ndarray:
    """Return the mask of the stored values that belong to ``rows``, a mask itself."""
    if isinstance(block, np.ndarray):
        return rows
    offsets = block.indptr if issparse(block) else block.offsets
    return np.repeat(rows, np.diff(offsets))


def _kind(value: float) -> str:
    return "NaN" if np.isnan(value) else "infinity"


def _place(block: Any, first: tuple[int, ...]) -> tuple[int, str]:
    """Return the row of the value, and where in its row it stands."""
    if issparse(block):
        row = int(np.searchsorted(block.indptr, first[0], side="right")) - 1
        return row, f"column {int(block.indices[first[0]])}"
    if isinstance(block, Ragged):
        starts = block.offsets - block.offsets[0]
        row = int(np.searchsorted(starts, first[0], side="right")) - 1
        return row, f"step {first[0] - int(starts[row])}"
    return first[0], f"column {first[1]}" if len(first) == 2 else f"position {first[1:]}"


def require_target(estimator: Any, y: Any) -> None:
    """Raise the error that scikit-learn words for a missing ``y``."""
    if y is None:
        raise TargetError(
            f"{type(estimator).__name__} requires y to be passed, but the target y is None."
        )
