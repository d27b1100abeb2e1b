"""A long table, one line per event, to one ragged sequence per row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from skfusion._checks import check_int, did_you_mean
from skfusion.blocks import Ragged
from skfusion.exceptions import BlockError, BlockTypeError, ParameterError
from skfusion.inputs._channels import Channel, Gaps, learn_channel, seconds_of
from skfusion.inputs._no_set_output import NO_SET_OUTPUT
from skfusion.inputs._one_column import column_of, row_name
from skfusion.inputs._sharing import clone_sharing

__all__ = ["SequenceStacker"]


class SequenceStacker(TransformerMixin, BaseEstimator, **NO_SET_OUTPUT):
    """A long table of visits, events or readings to one sequence per row of the main table.

    The main table has a column of keys (say ``patient``); the long table has many lines per key.
    ``transform(keys)`` gives each key the lines that carry it, in the order of ``time``. A key
    without lines is a sequence of length 0. Channels, float32, in this order:

    - time since the row's previous line (0 for the first), in units of the mean such gap at fit;
    - each numeric column standardised; a missing value becomes the mean (0), and a column in
      which values were missing at fit gets a second channel that is 1 where one is missing;
    - each column of strings or categories one-hot; unseen and missing ones are all zero.

    What is learned at fit (means, scales, categories) comes from the lines of the keys seen at
    fit only. For rows whose lines are in another table, set that table and transform:
    ``set_params(table=new)``. Clones share the table instead of copying it: do not change it.

    Takes n keys (list, Series, array or frame of one column); gives a ``Ragged`` (n, None, d).

    Parameters
    ----------
    table : DataFrame or mapping of str to column
        The long table.
    by : str
        Its column of keys.
    time : str, default=None
        Its column of dates, durations or numbers, by which the lines of a key are sorted (lines
        of the same time stay in their order). None keeps the order of the lines, without the
        channel of gaps.
    values : list of str, default=None
        Its columns to use. None for all others.
    max_length : int, default=None
        Keep the last lines of each key only.
    max_categories : int, default=100
        Code the most frequent categories of a column only; others are all zero.

    Attributes
    ----------
    channels_ : list
        One coder per column.

    Raises
    ------
    BlockError
        If a column does not exist, no key has a line, a time is missing or a value infinite.
    BlockTypeError
        For a table that is none, and for a column of dates among the values.

    Examples
    --------
    >>> import pandas as pd
    >>> from skfusion.inputs import SequenceStacker
    >>> visits = pd.DataFrame({"patient": ["b", "a", "b"], "day": [9, 1, 1], "pulse": [60, 70, 80]})
    >>> stacker = SequenceStacker(visits, by="patient", time="day")
    >>> sequences = stacker.fit_transform(["a", "b", "c"])
    >>> sequences.shape, sequences.lengths.tolist()
    ((3, None, 2), [1, 2, 0])
    >>> stacker.get_feature_names_out().tolist()
    ['day since previous', 'pulse']
    """

    def __init__(
        self,
        table: Any,
        by: str,
        time: str | None = None,
        values: Sequence[str] | None = None,
        *,
        max_length: int | None = None,
        max_categories: int = 100,
    ) -> None:
        self.table = table
        self.by = by
        self.time = time
        self.values = values
        self.max_length = max_length
        self.max_categories = max_categories

    def fit(self, X: Any, y: Any = None) -> SequenceStacker:
        """Learn the channels from the lines of the keys ``X``."""
        self.channels_: list[Channel] = []
        self._check_parameters()
        lines, offsets, _ = self._lines(X)
        if not len(lines):
            self._raise_no_lines(X)
        if self.time is not None:
            gaps = _gaps(lines[self.time], offsets)
            self.channels_.append(Gaps(self.time, _mean_gap(gaps, offsets)))
        for name in self._value_columns():
            self.channels_.append(learn_channel(name, lines[name], self.max_categories))
        if not self.channels_:
            raise ParameterError("SequenceStacker has no column to use. Give time= or values=.")
        return self

    def transform(self, X: Any) -> Ragged:
        """Return the sequences of the keys ``X``, float32 (n, None, d)."""
        check_is_fitted(self)
        lines, offsets, codes = self._lines(X)
        parts = []
        for channel in self.channels_:
            if isinstance(channel, Gaps):
                parts.append(channel.encode(_gaps(lines[channel.name], offsets)))
            else:
                parts.append(channel.encode(lines[channel.name]))
        sequences = Ragged(np.hstack(parts).astype(np.float32), offsets)
        return _last_items(sequences, self.max_length)[codes]

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the channels, shape (d,)."""
        check_is_fitted(self)
        names = [name for channel in self.channels_ for name in channel.names]
        return np.array(names, dtype=object)

    def __sklearn_clone__(self) -> SequenceStacker:
        return clone_sharing(self, "table")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = True
        return tags

    def _check_parameters(self) -> None:
        if self.max_length is not None:
            check_int("max_length", self.max_length, repair="Use None for all lines.")
        check_int("max_categories", self.max_categories)
        if isinstance(self.values, str):
            raise ParameterError(
                f"values must be a list of columns. Got the string {self.values!r}. "
                f"Write [{self.values!r}]."
            )

    def _lines(self, X: Any) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
        """Return the lines of all keys, sorted by key and time, their offsets, and rows' codes."""
        table = self._check_table()
        codes, keys = pd.factorize(pd.Series(self._check_keys(X)), use_na_sentinel=True)
        places = pd.Index(keys).get_indexer(table[self.by])
        used = np.flatnonzero(places >= 0)
        order = [seconds_of(table[self.time].iloc[used])] if self.time is not None else []
        used = used[np.lexsort([np.arange(len(used)), *order, places[used]])]
        counts = np.bincount(places[used], minlength=len(keys))
        return table.iloc[used], np.concatenate([[0], np.cumsum(counts)]), codes

    def _check_table(self) -> pd.DataFrame:
        table = self.table
        if hasattr(table, "to_dict") and not isinstance(table, pd.DataFrame):
            table = {name: table[name].to_numpy() for name in table.columns}
        try:
            table = pd.DataFrame(table) if not isinstance(table, pd.DataFrame) else table
        except (TypeError, ValueError) as error:
            raise BlockTypeError(
                f"table must be a DataFrame or a mapping of columns. Got "
                f"{type(self.table).__name__}."
            ) from error
        learned = [channel.name for channel in getattr(self, "channels_", [])]
        for name in [self.by, self.time, *(self.values or []), *learned]:
            if name is not None:
                _check_column(table, name)
        return table

    def _check_keys(self, X: Any) -> Any:
        keys = pd.Series(column_of(X, "SequenceStacker"), copy=False)
        missing = keys.isna().to_numpy()
        if missing.any():
            row = int(np.argmax(missing))
            raise BlockError(
                f"SequenceStacker: {row_name(X, row)} has no key. Inside a BlockUnion such rows "
                "are left out; elsewhere drop them."
            )
        return keys.reset_index(drop=True)

    def _value_columns(self) -> list[str]:
        if self.values is not None:
            return list(self.values)
        return [name for name in self._check_table().columns if name not in (self.by, self.time)]

    def _raise_no_lines(self, X: Any) -> None:
        keys, column = self._check_keys(X), self._check_table()[self.by]
        if not len(keys):
            raise BlockError("SequenceStacker.fit needs at least one row. Got none.")
        raise BlockError(
            f"SequenceStacker: none of {len(keys):,} keys has a line in the long table. Keys are "
            f"{keys.dtype}, such as {keys.iloc[0]!r}; column {self.by!r} of the long table is "
            f"{column.dtype}" + (f", such as {column.iloc[0]!r}." if len(column) else ", empty.")
        )


def _check_column(table: pd.DataFrame, name: str) -> None:
    if name not in table.columns:
        hint = did_you_mean(name, [str(column) for column in table.columns])
        raise BlockError(
            f"SequenceStacker: the long table has no column {name!r}; it has "
            f"{', '.join(map(repr, table.columns))}. {hint}".rstrip()
        )


def _gaps(times: pd.Series, offsets: np.ndarray) -> np.ndarray:
    """Return the time since the previous line of the same key, 0 for its first line."""
    seconds = seconds_of(times)
    gaps = np.diff(seconds, prepend=seconds[:1])
    starts = offsets[:-1]
    gaps[starts[starts < len(gaps)]] = 0.0
    return gaps


def _mean_gap(gaps: np.ndarray, offsets: np.ndarray) -> float:
    n_gaps = len(gaps) - np.count_nonzero(np.diff(offsets))
    return float(gaps.sum() / n_gaps) if gaps.any() else 1.0


def _last_items(sequences: Ragged, max_length: int | None) -> Ragged:
    if max_length is None:
        return sequences
    ends = np.repeat(sequences.offsets[1:], sequences.lengths)
    kept = np.arange(len(ends)) >= ends - max_length
    lengths = np.minimum(sequences.lengths, max_length)
    return Ragged(sequences.values[kept], np.concatenate([[0], np.cumsum(lengths)]))
