"""A transformer of keys: what they name is read once."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils.validation import check_is_fitted

from skfusion._checks import check_choice
from skfusion.blocks import Block, Lookup, MaskedBlock, Ragged
from skfusion.exceptions import BlockError, BlockTypeError, noted
from skfusion.inputs._lookup.keys import Column, Finder, check_distinct, is_history, weights_of
from skfusion.inputs._lookup.things import Things, plain_block, things_of
from skfusion.inputs._no_set_output import NO_SET_OUTPUT
from skfusion.inputs._sharing import clone_sharing
from skfusion.inputs._tables.one_column import column_of
from skfusion.inputs._tables.to_pandas import pandas_table, series_of
from skfusion.typing import XLike

if TYPE_CHECKING:
    from sklearn.utils import Tags
    from typing_extensions import Self

__all__ = ["LookupTable"]

Table: TypeAlias = "pd.Series | pd.DataFrame | Mapping[Hashable, object]"


class Transformer(Protocol):
    """What makes a block of the things."""

    def fit_transform(self, X: Things) -> Block | MaskedBlock:
        """Return the block of the things ``X``."""


class LookupTable(TransformerMixin, BaseEstimator, **NO_SET_OUTPUT):
    """Keys to what they name in a table, where each thing is kept, read and encoded once.

    Many rows that name few things: ratings and the posters of their films, orders and products,
    visits and patients. The things go through ``transformer`` once a fit, whatever the number of
    rows, and an encoder sees each distinct thing of a batch once; see ``skfusion.blocks.Lookup``.
    The table, with things that only rows to predict will name, is given with the transformer.

    Takes one column of keys: numbers, texts or dates. A column of lists of keys gives histories,
    whose encoded things are averaged. A second column, of lists as long, has their weights: ratings
    of the films, shares, counts. Gives a ``Lookup`` of n_rows rows. None instead of a key, and an
    empty list, is a missing row.

    Parameters
    ----------
    table : Series, DataFrame or dict
        The things by their keys: those of the index, or of the dict.
    transformer : transformer, default=None
        Makes a block of the things, of which it gets all in one Series or frame: ``ImageLoader()``,
        ``TfidfVectorizer()``, ``StandardScaler()``, ... None for numbers, and arrays of one shape.
    on_unknown : {"raise", "missing"}, default="raise"
        What happens to a key that is not in the table. "missing" makes the row a missing one, and
        leaves the thing out of a history.

    Attributes
    ----------
    index_ : Index of n_things keys
        The keys of the table.
    things_ : Lookup of n_things rows
        The things, in the order of their keys.
    transformer_ : transformer or None
        The one that was fitted.

    Raises
    ------
    BlockError
        If a key is not in the table, or twice; if the table is empty; if weights do not fit their
        keys. Names row, column and key.
    BlockTypeError
        If the table has no keys, or a cell is none.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.feature_extraction.text import TfidfVectorizer
    >>> from skfusion import BlockUnion
    >>> from skfusion.inputs import LookupTable
    >>> plots = {"m1": "a ship sinks", "m2": "two ships race", "m3": "a heist"}
    >>> ratings = pd.DataFrame({"film": ["m3", "m1", "m1"], "seen": [["m1"], [], ["m2", "m3"]]})
    >>> BlockUnion(
    ...     [
    ...         ("plot", LookupTable(plots, TfidfVectorizer()), "film"),
    ...         ("plots", LookupTable(plots, TfidfVectorizer()), "seen"),
    ...     ]
    ... ).fit_transform(ratings)
    Blocks(3 rows)
      plot   csr     (3, 6)  float32  of 3 things
      plots  csr     (3, 6)  float32  of 3 things, 1 missing
    """

    def __init__(
        self,
        table: Table,
        transformer: Transformer | None = None,
        *,
        on_unknown: str = "raise",
    ) -> None:
        self.table = table
        self.transformer = transformer
        self.on_unknown = on_unknown

    def fit(self, X: XLike, y: object = None) -> Self:
        """Read the table, and learn whether cells hold keys or histories."""
        check_choice("on_unknown", self.on_unknown, ("raise", "missing"))
        things = things_of(self.table)
        check_distinct(things.index)
        self.index_ = things.index
        self.transformer_ = None if self.transformer is None else clone(self.transformer)
        with noted("LookupTable, the table"):
            self.things_ = self._read(things)
        keys, weights = _columns_of(X)
        self._has_histories = weights is not None or is_history(keys)
        if self.on_unknown == "missing":
            self._check_some_known(X, keys)
        return self

    def _check_some_known(self, X: XLike, keys: pd.Series) -> None:
        """Raise ``BlockError`` if no row has a key of the table, such as keys of other types."""
        present = keys.dropna()
        if len(present) and not self.transform(X).used().any():
            key, known = present.tolist()[0], self.index_.tolist()[0]
            raise BlockError(
                f"LookupTable: no row has a key of the table. Column {keys.name!r} holds keys such "
                f"as {key!r:.40} ({type(key).__name__}), the table such as {known!r:.40} "
                f"({type(known).__name__}). Bring both to one type, and check that it is the table "
                "of these keys."
            )

    def partial_fit(self, X: XLike, y: object = None) -> Self:
        """Fit on the first chunk of rows; further ones have nothing to add to the table."""
        return self if hasattr(self, "things_") else self.fit(X)

    def transform(self, X: XLike) -> Lookup:
        """Return which thing, or things, each row of ``X`` has."""
        check_is_fitted(self)
        keys, weights = _columns_of(X)
        finder = Finder(self.index_, self.on_unknown == "raise")
        if self._has_histories:
            given = None if weights is None else weights_of(weights)
            return self._lookup(*finder.histories(keys, given))
        if is_history(keys) or weights is not None:
            raise BlockTypeError(
                f"LookupTable: column {keys.name!r} holds lists of keys, and held one key a row at "
                "fit. Pass one key a row."
            )
        return self._lookup(finder.one_a_row(keys))

    def __sklearn_clone__(self) -> LookupTable:
        return clone_sharing(self, "table")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = True
        return tags

    def _lookup(self, numbers: np.ndarray | Ragged, weights: Ragged | None = None) -> Lookup:
        things = self.things_
        return Lookup(numbers, MaskedBlock(things.table, things.missing), weights)

    def _read(self, things: Things) -> Lookup:
        block = (
            plain_block(things)
            if self.transformer_ is None
            else self.transformer_.fit_transform(things)
        )
        made = block.block if isinstance(block, MaskedBlock) else block
        if made.shape[0] != len(things):
            raise BlockError(
                f"{type(self.transformer_).__name__} returned {made.shape[0]} rows for "
                f"{len(things)} things. It must return one row a thing."
            )
        return Lookup(np.arange(len(things)), block)


def _columns_of(X: XLike) -> tuple[Column, Column | None]:
    """Return the column of keys, and that of weights where there is one."""
    table = pandas_table(X)
    if isinstance(table, pd.DataFrame) and table.shape[1] == 2:
        return table.iloc[:, 0], table.iloc[:, 1]
    column = series_of("keys", column_of(table, "LookupTable"))
    return pd.Series(column), None
