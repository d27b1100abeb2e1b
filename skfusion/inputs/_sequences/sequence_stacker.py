"""A long table, one line per event, to one ragged sequence per row."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from skfusion._checks import check_int
from skfusion.blocks import Ragged
from skfusion.blocks._ragged import offsets_of
from skfusion.exceptions import BlockError, ParameterError
from skfusion.inputs._no_set_output import NO_SET_OUTPUT
from skfusion.inputs._sequences.channels import learn_channel
from skfusion.inputs._sequences.long_table import (
    Lines,
    TableLike,
    check_columns,
    check_key_kinds,
    keys_of,
    lines_of_cells,
    lines_of_keys,
    table_of,
)
from skfusion.inputs._sequences.times import learn_gaps
from skfusion.inputs._sharing import clone_sharing
from skfusion.inputs._tables.missing_rows import count_rows
from skfusion.typing import XLike

if TYPE_CHECKING:
    from sklearn.utils import Tags
    from typing_extensions import Self

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
    table : DataFrame or dict of str to column, default=None
        The long table. None where each cell holds its own sequence, an array or list (time,) or
        (time, d): then only what is said of numeric columns applies.
    by : str, default=None
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
    gaps_ : Gaps or None
        Coder of the time column.
    channels_ : list of Numbers and Categories
        Coders of the value columns.

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
        table: TableLike | None = None,
        by: str | None = None,
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

    def fit(self, X: XLike, y: object = None) -> Self:
        """Learn the channels from the lines of the keys ``X``."""
        self._check_parameters()
        lines, offsets, _ = self._lines(X)
        if not len(lines):
            self._raise_no_lines(X)
        self.gaps_ = None if self.time is None else learn_gaps(self.time, lines[self.time], offsets)
        self.channels_ = [
            learn_channel(name, lines[name], self.max_categories)
            for name in self._value_columns(lines)
        ]
        if self.gaps_ is None and not self.channels_:
            raise ParameterError("SequenceStacker has no column to use. Give time= or values=.")
        return self

    def transform(self, X: XLike) -> Ragged:
        """Return the sequences of the keys ``X``, float32 (n, None, d)."""
        check_is_fitted(self)
        lines, offsets, codes = self._lines(X)
        if not len(lines):
            if self.table is not None:
                check_key_kinds(X, table_of(self.table)[self.by])
            empty = np.empty((0, len(self.get_feature_names_out())), dtype=np.float32)
            return Ragged(empty, offsets)[codes]
        self._check_learned(lines)
        parts = [channel.encode(lines[channel.name]) for channel in self.channels_]
        if self.gaps_ is not None:
            parts.insert(0, self.gaps_.encode(lines[self.gaps_.name], offsets))
        sequences = Ragged(np.hstack(parts).astype(np.float32), offsets)
        return _last_items(sequences, self.max_length)[codes]

    def get_feature_names_out(self, input_features: object = None) -> np.ndarray:
        """Return the names of the channels, shape (d,)."""
        check_is_fitted(self)
        names = [] if self.gaps_ is None else self.gaps_.names
        names += [name for channel in self.channels_ for name in channel.names]
        return np.array(names, dtype=object)

    def __sklearn_clone__(self) -> SequenceStacker:
        return clone_sharing(self, "table")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = True
        return tags

    def _check_parameters(self) -> None:
        if self.max_length is not None:
            check_int("max_length", self.max_length, repair="Use None for all lines.")
        check_int("max_categories", self.max_categories)
        if (self.table is None) != (self.by is None) or (self.table is None and self.time):
            raise ParameterError(
                "table and by belong together, and time and values are columns of that table. Got "
                f"by={self.by!r}, time={self.time!r} and {'no' if self.table is None else 'a'} "
                "table. Give neither for arrays or lists in cells."
            )
        for name in ("by", "time"):
            if not isinstance(getattr(self, name), Hashable):
                raise ParameterError(
                    f"{name} must be the name of one column. Got {getattr(self, name)!r}."
                )
        if isinstance(self.values, str):
            raise ParameterError(
                f"values must be a list of columns. Got the string {self.values!r}. "
                f"Write [{self.values!r}]."
            )

    def _value_columns(self, lines: pd.DataFrame) -> list[str]:
        if self.values is not None:
            return list(self.values)
        return [name for name in lines.columns if name not in (self.by, self.time)]

    def _lines(self, X: XLike) -> Lines:
        if self.table is None or self.by is None:
            return lines_of_cells(X)
        table = table_of(self.table)
        check_columns(table, [self.by, *self._named_columns()])
        return lines_of_keys(table, self.by, self.time, X)

    def _named_columns(self) -> list[str]:
        return [name for name in [self.time, *(self.values or [])] if name is not None]

    def _check_learned(self, lines: pd.DataFrame) -> None:
        if self.table is not None:
            check_columns(lines, [channel.name for channel in self.channels_])
        elif lines.shape[1] != len(self.channels_):
            raise BlockError(
                f"SequenceStacker: the items of these sequences have {lines.shape[1]} values, but "
                f"those at fit had {len(self.channels_)}."
            )

    def _raise_no_lines(self, X: XLike) -> None:
        if not count_rows(X):
            raise BlockError("SequenceStacker.fit needs at least one row. Got none.")
        if self.table is None:
            raise BlockError(f"SequenceStacker: all {count_rows(X)} sequences are empty at fit.")
        keys, column = keys_of(X), table_of(self.table)[self.by]
        example = f", such as {column.tolist()[0]!r}" if len(column) else ", empty"
        raise BlockError(
            f"SequenceStacker: none of {len(keys):,} keys has a line in the long table. Keys are "
            f"{keys.dtype}, such as {keys.tolist()[0]!r}; column {self.by!r} of the long table is "
            f"{column.dtype}{example}."
        )


def _last_items(sequences: Ragged, max_length: int | None) -> Ragged:
    if max_length is None:
        return sequences
    ends = np.repeat(sequences.offsets[1:], sequences.lengths)
    kept = np.arange(len(ends)) >= ends - max_length
    lengths = np.minimum(sequences.lengths, max_length)
    return Ragged(sequences.values[kept], offsets_of(lengths))
