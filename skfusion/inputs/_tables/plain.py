"""Columns of any pandas type as what scikit-learn's transformers take."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from skfusion.exceptions import BlockError, BlockTypeError
from skfusion.inputs._tables.cell_kinds import is_number
from skfusion.inputs._tables.labels import Labels, cells_of_column
from skfusion.inputs._tables.one_column import row_name

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["PlainFlags", "PlainLabels", "PlainNumbers", "plain_floats"]


class _Plain(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Learns only the names of the columns."""

    def fit(self, X: object, y: object = None) -> Self:
        validate_data(self, _as_frame(X), skip_check_array=True)
        return self

    def _read(self, X: object) -> pd.DataFrame:
        check_is_fitted(self, "n_features_in_")
        frame = _as_frame(X)
        validate_data(self, frame, skip_check_array=True, reset=False)
        return frame


class PlainNumbers(_Plain):
    """Booleans, nullable and object columns of numbers as float64, NaN where a cell is missing.

    A column without a value at fit stays NaN: of what it holds later nothing was learned.

    Attributes
    ----------
    without_value_ : ndarray of bool of shape (n_features_in_,)
        Which columns held no value at fit.

    Examples
    --------
    >>> import pandas as pd
    >>> from skfusion.inputs._tables.plain import PlainNumbers
    >>> PlainNumbers().fit_transform(pd.DataFrame({"on": [True, None, False]})).tolist()
    [[1.0], [nan], [0.0]]
    """

    def fit(self, X: object, y: object = None) -> Self:
        super().fit(X)
        self.without_value_ = np.asarray(_as_frame(X).isna().all(axis=0))
        return self

    def transform(self, X: object) -> np.ndarray:
        return plain_floats(self._read(X), self.without_value_)


class PlainFlags(PlainNumbers):
    """Booleans as float64, 0 or 1, NaN where a cell is missing.

    Raises
    ------
    BlockError
        For a number that is neither; names column and row.

    Examples
    --------
    >>> import pandas as pd
    >>> from skfusion.inputs._tables.plain import PlainFlags
    >>> flags = PlainFlags().fit(pd.DataFrame({"paid": [True, False]}))
    >>> flags.transform(pd.DataFrame({"paid": [0, 7]}))
    Traceback (most recent call last):
        ...
    skfusion.exceptions.BlockError: column 'paid', row 1 is 7, and at fit it held booleans...
    """

    def transform(self, X: object) -> np.ndarray:
        floats = super().transform(X)
        odd = np.isfinite(floats) & (floats != 0) & (floats != 1)  # what is infinite is told later
        if odd.any():
            row, position = np.argwhere(odd)[0]
            frame = self._read(X)
            raise BlockError(
                f"column {frame.columns[position]!r}, {row_name(frame, int(row))} is "
                f"{floats[row, position]:g}, and at fit it held booleans. Give True, False, 1, 0 "
                "or None; or say 'number' for it in columns, before the fit, if it counts."
            )
        return floats


class PlainLabels(_Plain):
    """Categories of any type as strings, NaN where a cell is missing.

    Values that mean the same have the label that was learned: see ``Labels`` for the rule.

    Attributes
    ----------
    labels_ : list of Labels
        Labels of each column.

    Examples
    --------
    >>> import pandas as pd
    >>> from skfusion.inputs._tables.plain import PlainLabels
    >>> plain = PlainLabels().fit(pd.DataFrame({"store": [1, 2]}))
    >>> plain.transform(pd.DataFrame({"store": [2.0, None]})).tolist()
    [['2'], [nan]]
    """

    def fit(self, X: object, y: object = None) -> Self:
        super().fit(X)
        frame = _as_frame(X)
        self.labels_ = []
        for position, name in enumerate(frame.columns):
            cells, missing = cells_of_column(frame.iloc[:, position])
            with _categories_of(name, cells):
                self.labels_.append(Labels(cells[~missing]))
        return self

    def transform(self, X: object) -> np.ndarray:
        frame = self._read(X)
        labels = np.full(frame.shape, np.nan, dtype=object)
        for position, name in enumerate(frame.columns):
            cells, missing = cells_of_column(frame.iloc[:, position])
            with _categories_of(name, cells):
                labels[~missing, position] = self.labels_[position].of(cells[~missing])
        return labels


@contextmanager
def _categories_of(name: Hashable, cells: np.ndarray) -> Iterator[None]:
    try:
        yield
    except TypeError as error:
        row = next(row for row, cell in enumerate(cells) if not _is_hashable(cell))
        raise BlockTypeError(
            f"column {name!r}, {row_name(cells, row)} holds {type(cells[row]).__name__} (such as "
            f"{cells[row]!r:.60}), which is no category. Categories are numbers, texts, dates."
        ) from error


def _is_hashable(cell: object) -> bool:
    try:
        hash(cell)
    except TypeError:
        return False
    return True


def plain_floats(X: object, unread: np.ndarray | None = None) -> np.ndarray:
    """Return a column, frame or object array of numbers as a 2-D array of floats.

    Columns where ``unread`` is True are NaN.

    Raises
    ------
    BlockTypeError
        If a cell is not a number; the message names the column and shows the cell.
    """
    frame = _as_frame(X)
    floats = np.full(frame.shape, np.nan)
    for position, name in enumerate(frame.columns):
        if unread is None or not unread[position]:
            floats[:, position] = _floats_of(name, frame.iloc[:, position])
    return floats


def _floats_of(name: Hashable, column: pd.Series) -> np.ndarray:
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "fiub":
        return column.to_numpy()
    if isinstance(column.dtype, pd.SparseDtype) and column.dtype.kind in "fiub":
        return np.asarray(column.array)
    cells = column.astype(object).to_numpy()
    try:
        return np.where(pd.isna(cells), np.nan, cells).astype(np.float64)
    except (TypeError, ValueError) as error:
        odd = (row for row, cell in enumerate(cells) if not (is_number(cell) or pd.isna(cell)))
        row = next(odd)
        raise BlockTypeError(
            f"column {name!r} must hold numbers here, and holds {type(cells[row]).__name__} (such "
            f"as {cells[row]!r:.60} in {row_name(column, row)}). Give it a transformer that makes "
            "numbers of it."
        ) from error


def _as_frame(X: object) -> pd.DataFrame:
    return X if isinstance(X, pd.DataFrame) else pd.DataFrame(np.asarray(X))
