"""y of all makers as an array of a plain dtype; what is missing is refused by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, cast

import numpy as np
import pandas as pd
import torch
from scipy.sparse import csr_array, csr_matrix, issparse
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.multiclass import type_of_target

from skfusion.exceptions import TargetError
from skfusion.typing import YLike

__all__ = ["columns_of", "kind_of_labels", "read_labels", "read_plain", "read_values"]

# Kinds of objects, as pandas names them, that are labels as they are.
_LABELS = ("string", "date", "datetime", "timedelta", "time", "decimal", "period", "interval")
_DATES = ("date", "datetime", "datetime64", "timedelta", "timedelta64", "time", "period")


def read_plain(y: YLike) -> np.ndarray | csr_array | csr_matrix:
    """Return y in the plain dtype of what it holds, labels or numbers, csr as csr.

    Nullable, Arrow, categorical, boolean and polars labels become the labels that they stand for.

    Raises
    ------
    TargetError
        If a label is missing, or labels are of types that cannot be sorted; names the row.
    """
    if issparse(y):
        return _finite_csr(csr_array(y))
    labels = columns_of(y)
    _refuse_missing(labels, "label", "Leave out rows without one, or give them one of their own.")
    _refuse_infinity(labels, "label", "Leave the row out, or use a finite number.")
    if labels.dtype == object and labels.ndim < 3:
        return _plain_objects(labels, isinstance(y, Sequence))
    return labels


def read_labels(y: YLike) -> np.ndarray | csr_array | csr_matrix:
    """Return labels (n_rows,), or an indicator matrix (n_rows, n_labels), of a plain dtype.

    Raises
    ------
    TargetError
        As ``read_plain``, and if y holds no labels but numbers.
    """
    labels = read_plain(y)
    kind = kind_of_labels(labels)
    several = kind == "multilabel-indicator" or kind.endswith("multioutput")
    return labels if several else column_or_1d(labels, warn=True)


def read_values(y: YLike, may_lack: bool = False) -> np.ndarray:
    """Return values (n_rows, ...) as float64, NaN where one is missing that may be.

    Raises
    ------
    TargetError
        If a value is missing, infinite, a date or a text; names the row.
    """
    values = y if issparse(y) else columns_of(y)
    if isinstance(values, np.ndarray):
        _refuse_dates(values)
        _refuse_not_finite(values, may_lack)
        if values.dtype.kind in "OUS":
            values = _numbers(np.where(pd.isna(values), np.nan, values) if may_lack else values)
            _refuse_not_finite(values, may_lack)
        if 0 in values.shape[1:]:
            raise TargetError(f"y of shape {values.shape} has no value in a row: nothing to learn.")
    return check_array(
        values,
        ensure_2d=False,
        allow_nd=True,
        dtype=np.float64,
        ensure_all_finite="allow-nan" if may_lack else True,
        input_name="y",
        estimator="FusionRegressor",
    )


def _numbers(values: np.ndarray) -> np.ndarray:
    """Return numbers that are kept as objects or texts."""
    try:
        return values.astype(np.float64)
    except (ValueError, TypeError, OverflowError):
        for at in np.ndindex(values.shape):
            try:
                float(values[at])
            except (ValueError, TypeError, OverflowError) as error:
                raise TargetError(
                    f"y, {_place(at)}: {error}. A regressor learns numbers; FusionClassifier "
                    "learns labels."
                ) from error
        raise


def kind_of_labels(labels: np.ndarray | csr_array | csr_matrix) -> str:
    """Return which kind of target scikit-learn takes labels that were read for."""
    if isinstance(labels, np.ndarray) and _are_objects(labels):
        several = labels.ndim == 2 and labels.shape[1] > 1
        return "multiclass-multioutput" if several else "multiclass"
    if labels.ndim > 2:
        raise TargetError(
            f"Unknown label type: y of shape {labels.shape} has {labels.ndim} axes. Labels are "
            "(n_rows,), or an indicator matrix (n_rows, n_labels)."
        )
    kind = type_of_target(labels, input_name="y", raise_unknown=True)
    if kind.startswith("continuous"):
        raise TargetError(
            f"Unknown label type: {kind}. y holds numbers that are no classes. Maybe you are "
            "trying to fit a classifier, which expects discrete classes, on a regression target "
            "with continuous values. Use FusionRegressor, or make classes, such as by pandas.cut."
        )
    return kind


def _are_objects(labels: np.ndarray) -> bool:
    """Whether labels are texts, dates and the like, of one type that can be sorted."""
    if labels.dtype.kind not in "OMm" or labels.ndim > 2 or not labels.size:
        return False
    return not isinstance(labels.flat[0], list | tuple | np.ndarray)


def columns_of(y: YLike) -> np.ndarray:
    """Return y as an array, each column in the plain dtype of what it holds."""
    if type(y).__module__.partition(".")[0] in ("polars", "pyarrow"):
        y = _of_other_maker(y)
    if isinstance(y, pd.DataFrame):
        columns = [_of_pandas(y.iloc[:, i]) for i in range(y.shape[1])]
        return np.column_stack(_alike(columns)) if columns else y.to_numpy()
    if isinstance(y, pd.Series | pd.Index | pd.api.extensions.ExtensionArray):
        return _of_pandas(pd.Series(y))
    if isinstance(y, torch.Tensor):
        return np.asarray(
            y.detach().cpu().float() if y.dtype == torch.bfloat16 else y.detach().cpu()
        )
    if isinstance(y, np.ma.MaskedArray):
        return _of_masked(y)
    return _of_sequence(y)


def _of_sequence(y: YLike) -> np.ndarray:
    """Return an array, or a list of numbers, texts and other objects, as an array."""
    if not isinstance(y, list | tuple):
        array = np.asarray(y)
        # numpy's texts of any length are known to few functions.
        return array.astype(object) if array.dtype.kind == "T" else array
    try:
        # As objects first, since numpy would write None and NaN among texts as texts.
        objects = np.array(y, dtype=object)
        numbers = np.array(y) if _kind(objects) in ("integer", "floating", "boolean") else objects
    except (ValueError, OverflowError):  # rows of different length
        return np.array(y, dtype=object)
    return numbers


def _of_masked(y: np.ma.MaskedArray) -> np.ndarray:
    masked = np.ma.getmaskarray(y)
    if masked.any():
        raise TargetError(
            f"y, {_first(masked)[0]}: the value is masked, and so it is missing. Leave the row out."
        )
    return np.asarray(y.data)


class _Lazy(Protocol):
    """A frame of polars that is yet to be computed."""

    def collect(self) -> YLike: ...


class _Listed(Protocol):
    """A column of polars or pyarrow."""

    def to_pylist(self) -> list[object]: ...

    def to_list(self) -> list[object]: ...


def _of_other_maker(y: YLike) -> pd.Series | pd.DataFrame:
    """Return what is of polars or pyarrow as objects of pandas, without the need of pyarrow."""
    y = cast(_Lazy, y).collect() if type(y).__name__ == "LazyFrame" else y
    names = getattr(y, "column_names", getattr(y, "columns", None))
    if names is None:
        return _objects(cast(_Listed, y))
    table = cast(Mapping[str, _Listed], y)
    return pd.DataFrame({name: _objects(table[name]) for name in names})


def _objects(column: _Listed) -> pd.Series:
    values = column.to_list() if hasattr(column, "to_list") else column.to_pylist()
    return pd.Series(values, dtype=object)


def _of_pandas(y: pd.Series) -> np.ndarray:
    """Return a column as an array; with what is missing as an array of objects."""
    dtype = y.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        categories = _of_pandas(pd.Series(dtype.categories))
        codes = y.cat.codes.to_numpy()
        if len(categories) and (codes >= 0).all():
            return categories[codes]
        return y.astype(object).to_numpy()
    if isinstance(dtype, np.dtype):
        return y.to_numpy()
    if isinstance(dtype, pd.SparseDtype):
        return np.asarray(y)
    if dtype.kind in "iufb" and not y.isna().any():
        return y.to_numpy(dtype=getattr(dtype, "numpy_dtype", dtype.type))
    return y.to_numpy(dtype=object)


def _alike(columns: list[np.ndarray]) -> list[np.ndarray]:
    """Return columns of one dtype; as objects where numbers and others stand side by side."""
    numbers = [column.dtype.kind in "biufc" for column in columns]
    if all(numbers) or not any(numbers):
        return columns
    # By pandas, since numpy makes integers of nanoseconds.
    return [pd.Series(column).astype(object).to_numpy() for column in columns]


def _plain_objects(labels: np.ndarray, listed: bool) -> np.ndarray:
    """Return objects in the dtype of what they are, or raise ``TargetError``."""
    kind = _kind(labels)
    if kind in ("integer", "boolean", "floating", "mixed-integer-float"):
        return np.array(labels.tolist())
    if kind == "string":
        return labels.astype(str) if listed else labels
    if kind in _LABELS or not labels.size:
        return labels
    if isinstance(labels.flat[0], list | tuple | np.ndarray):  # left to scikit-learn
        return labels
    if kind in ("mixed", "mixed-integer"):
        _refuse_mixed(labels)
    return np.array(labels.tolist())


def _kind(values: np.ndarray) -> str:
    return pd.api.types.infer_dtype(values.ravel(), skipna=True)


def _refuse_mixed(labels: np.ndarray) -> None:
    """Raise ``TargetError`` that says which labels are of another type than the first."""
    flat = labels.ravel()
    types = np.array([type(label).__name__ for label in flat])
    others = np.flatnonzero(types != types[0])
    if not len(others):
        raise TargetError(
            f"Unknown label type: y holds {types[0]} objects, such as {flat[0]!r} in row 0. Labels "
            "are texts, numbers, booleans or dates. Use y.astype(str)."
        )
    n_columns = labels.shape[1] if labels.ndim == 2 else 1
    row = int(others[0]) // n_columns
    raise TargetError(
        f"y holds labels of different types: {flat[0]!r} ({types[0]}) in row 0, "
        f"{flat[others[0]]!r} ({types[others[0]]}) in row {row}. Labels are sorted, which needs "
        "one type. Make them texts, [str(label) for label in y], or map them to one type."
    )


def _refuse_missing(values: np.ndarray, what: str, repair: str) -> None:
    if values.dtype.kind not in "OfMmc":
        return
    missing = pd.isna(values)
    if not missing.any():
        return
    place, at = _first(missing)
    known = "Input y contains NaN. " if values.dtype.kind == "f" else ""  # as scikit-learn says it
    raise TargetError(f"y, {place}: the {what} is missing ({values[at]}). {known}{repair}")


def _refuse_infinity(values: np.ndarray, what: str, repair: str) -> None:
    if values.dtype.kind != "f" or not np.isinf(values).any():
        return
    place, at = _first(np.isinf(values))
    raise TargetError(
        f"y, {place}: the {what} is {values[at]}. Input y contains infinity or a value too large "
        f"for dtype('float64'). {repair}"
    )


def _refuse_not_finite(values: np.ndarray, may_lack: bool = False) -> None:
    if not may_lack:
        repair = 'Leave out rows without a value, or set missing_targets="ignore".'
        _refuse_missing(values, "value", repair)
    _refuse_infinity(values, "value", "Leave the row out, or cut off: y.clip(-1e9, 1e9).")


def _refuse_dates(values: np.ndarray) -> None:
    if values.dtype.kind not in "OMm" or not values.size:
        return
    for column in values.reshape(len(values), -1).T:
        kind = _kind(column)
        if kind not in _DATES:
            continue
        found, repair = (
            ("spans of time", "y / numpy.timedelta64(1, 's') for seconds")
            if kind.startswith("timedelta")
            else ("dates", "(y - y.min()) / numpy.timedelta64(1, 'D') for days")
        )
        raise TargetError(
            f"y holds {found}, such as {column[0]!s} in row 0, but a regressor learns numbers. "
            f"Say in which unit they count: {repair}."
        )


def _finite_csr(y: csr_array | csr_matrix) -> csr_array | csr_matrix:
    if y.dtype.kind == "f" and not np.isfinite(y.data).all():
        entry = int(np.isfinite(y.data).argmin())
        row = int(np.searchsorted(y.indptr, entry, side="right")) - 1
        raise TargetError(
            f"y, row {row}: the label in column {int(y.indices[entry])} is missing "
            f"({y.data[entry]}). Give 1 for a label that the row has; what is not stored is 0."
        )
    return y


def _first(marked: np.ndarray) -> tuple[str, tuple[int, ...]]:
    """Return where the first marked entry stands, in words and as an index."""
    at = tuple(int(i) for i in np.argwhere(marked)[0])
    return _place(at), at


def _place(at: tuple[int, ...]) -> str:
    if len(at) < 2:
        return f"row {at[0]}"
    return f"row {at[0]}, output {at[1] if len(at) == 2 else at[1:]}"
