"""What X is: learned once from the X of a fit, then known of every X."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd
from joblib import Memory
from scipy.sparse import csr_array, issparse
from sklearn.base import clone
from sklearn.utils.validation import check_array

from skfusion._reading.columns import Columns, names_of
from skfusion._reading.containers import PLAIN_NAME, in_known_container, is_known
from skfusion._reading.finite import first_not_finite
from skfusion._reading.missing import with_absent
from skfusion._reading.sameness import check_same_blocks, in_fitted_form
from skfusion._reading.scaling import Scale, learn_scales, rescaled
from skfusion._reading.shapes import check_not_empty, warn_of_channels
from skfusion._reading.tables import is_table
from skfusion.blocks import Blocks, BlockSpec, Ragged
from skfusion.blocks._agreement import check_blocks_exist
from skfusion.blocks._kinds import is_csr, is_mapping
from skfusion.exceptions import BlockError, noted
from skfusion.inputs import BlockUnion
from skfusion.inputs._tables.cell_kinds import find_odd_cell, not_finite_cell
from skfusion.inputs._tables.digits import check_digits
from skfusion.inputs._tables.times import refuse_times
from skfusion.inputs._tables.to_pandas import comes_from, pandas_table, rows_as_objects
from skfusion.inputs._union.own_blocks import NamedEncoders
from skfusion.typing import XLike

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Reader"]

_REPAIRS_OF_MATRIX = {  # by a word of scikit-learn's message
    "NaN": "Have missing numbers filled in: union=BlockUnion(), which has a SimpleImputer.",
    "1D array": "One column is a table too: pd.DataFrame(X).",
    "convert": "Give text and categories as columns of a DataFrame: pd.DataFrame(X).",
}


class Reader:
    """Reads X: ``fit`` learns what it is, ``read`` makes like ``Blocks`` of another X.

    A fitted reader is never changed by ``read``, so that threads may share it.

    Parameters
    ----------
    owner : str
        Name of the class that messages speak of.
    missing : {"error", "allow"}, default="error"
        Whether X may lack blocks altogether.
    memory : str, path, joblib.Memory or None, default=None
        Where the union keeps what its transformers learned.
    union : BlockUnion or None, default=None
        What makes blocks of any X that is not blocks already. None is the default union, of
        tables that need one alone.
    encoders : mapping of str to encoder, default=None
        Those that are named: a column called so is read as its encoder can take it.
    usual : BlockUnion or None, default=None
        The default union; None is ``BlockUnion()``.

    Attributes
    ----------
    union_ : BlockUnion or None
        The fitted union, where X went through one.
    specs_ : dict of str to BlockSpec
        The blocks of the fit.
    n_features_in_ : int
        Number of columns of a table or a matrix, else of blocks.
    feature_names_in_ : ndarray of str or None
        Their names, where they have any.
    """

    union_: BlockUnion | None
    specs_: dict[str, BlockSpec]
    _columns: Columns
    _scales: dict[str, Scale]
    _has_ragged: bool

    def __init__(
        self,
        owner: str,
        missing: str = "error",
        memory: str | PathLike[str] | Memory | None = None,
        union: BlockUnion | None = None,
        encoders: NamedEncoders | None = None,
        usual: BlockUnion | None = None,
    ) -> None:
        self.owner, self.missing, self.memory, self.union = owner, missing, memory, union
        self.encoders, self.usual = encoders or {}, usual

    @property
    def n_features_in_(self) -> int:
        return self._columns.n

    @property
    def feature_names_in_(self) -> np.ndarray | None:
        return self._columns.names

    def fit(self, X: XLike) -> Blocks:
        """Learn what X is, and return it as ``Blocks``.

        Raises
        ------
        BlockError
            If there are no rows, blocks of different length, or an encoder is named for nothing.
        ValueError, TypeError
            scikit-learn's own messages, if a matrix does not hold finite numbers.
        """
        self.union_ = None
        X = in_known_container(pandas_table(X))
        if (union := self._union_for(X)) is not None:
            blocks = union._fit_for(X, self.encoders)
            self.union_ = union
            self._columns = _columns_of_table(X)
        elif (given := _given_blocks(X)) is not None:
            blocks = given
            check_blocks_exist(self.encoders, blocks.names)
            _check_digits(blocks)
            self._columns = Columns(len(blocks.names), np.array(blocks.names, dtype=object))
        else:
            names = names_of(X)
            check_blocks_exist(self.encoders, [PLAIN_NAME], [] if names is None else names)
            matrix = self._checked_matrix(X)
            blocks = Blocks({PLAIN_NAME: matrix})
            self._columns = Columns(matrix.shape[1], names)
        self.specs_ = blocks.specs()
        check_not_empty(self.specs_)
        warn_of_channels(self.specs_)
        self._scales = learn_scales(blocks, self.specs_)
        self._has_ragged = any(spec.ragged for spec in self.specs_.values())
        return blocks

    def read(self, X: XLike) -> Blocks:
        """Return X as ``Blocks`` like those of the fit.

        Raises
        ------
        BlockError
            If X has other blocks than at fit; says how they differ.
        ValueError, TypeError
            scikit-learn's own messages, if a matrix differs from that of the fit.
        """
        blocks = self._read(self._known(X))
        if self.missing == "allow":
            blocks = with_absent(blocks, self.specs_)
        if self._has_ragged:
            blocks = in_fitted_form(blocks, self.specs_)
        specs = blocks.specs()
        check_same_blocks(self.specs_, specs)
        return rescaled(blocks, specs, self._scales) if self._scales else blocks

    def with_missing(self, missing: str) -> Self:
        """Return this reader, or one that shares all it learned and follows another rule."""
        if missing == self.missing:
            return self
        other = copy.copy(self)
        other.missing = missing
        if self.union_ is not None:
            other.union_ = copy.copy(self.union_).set_params(missing=other._missing_of_union())
        return other

    def with_memory(self, memory: str | PathLike[str] | Memory | None) -> Self:
        """Return this reader, or one that shares all it learned and keeps its work elsewhere."""
        if memory is self.memory:
            return self
        other = copy.copy(self)
        other.memory = memory
        if self.union_ is not None:
            other.union_ = copy.copy(self.union_).set_params(memory=memory)
        return other

    def behind_union(self) -> Self:
        """Return a reader of the blocks that this one makes of X."""
        other = copy.copy(self)
        other.union_, other._scales = None, {}
        return other

    def _union_for(self, X: Any) -> BlockUnion | None:
        """Return the union, not fitted yet, that X needs or is to go through."""
        if self.union is None:
            if not (is_table(X) or self._has_named_column(X)):
                return None
            usual = BlockUnion() if self.usual is None else clone(self.usual)
            return usual.set_params(missing=self.missing, memory=self.memory)
        if isinstance(X, Blocks | Ragged) or (isinstance(X, np.ndarray) and X.ndim > 2):
            return None
        union: BlockUnion = clone(self.union)
        union.missing = self._missing_of_union()
        if self.memory is not None:
            union.memory = self.memory
        return union

    def _missing_of_union(self) -> str:
        """Blocks may be missing where the estimator allows it, or the union itself."""
        own = "error" if self.union is None else self.union.missing
        return own if self.missing == "error" else self.missing

    def _has_named_column(self, X: object) -> bool:
        """Whether an encoder is named for a column of a frame, which is one block otherwise."""
        named = set(self.encoders) - {PLAIN_NAME}
        return bool(named) and isinstance(X, pd.DataFrame) and not named.isdisjoint(X.columns)

    def _known(self, X: XLike) -> Any:
        """Return X as a table, dict, matrix or blocks; a list may be the column of the fit."""
        if is_known(X):
            return X
        names, column = self._columns.names, None
        _check_single_row(X, names)
        if self.union_ is not None and names is not None and len(names) == 1:
            column = str(names[0])
        arrays = any(spec.form not in ("csr", "vector") for spec in self.specs_.values())
        table = pandas_table(self._without_others(X))
        return in_known_container(table, column, column is not None and arrays)

    def _without_others(self, X: XLike) -> XLike:
        """Return a frame without the columns that the fit did not know, whatever they hold."""
        names = self._columns.names
        is_frame = isinstance(X, pd.DataFrame) or comes_from("polars", X, "DataFrame")
        if self.union_ is None or names is None or not is_frame:
            return X
        frame = cast(pd.DataFrame, X)
        has_others = len(frame.columns) > len(names) and {*names} <= {*frame.columns}
        return frame[list(names)] if has_others else X

    def _read(self, X: XLike) -> Blocks:
        if self.union_ is not None:
            return self.union_.transform(self._as_table(X, self.union_))
        blocks = _given_blocks(X)
        return self._read_matrix(X) if blocks is None else blocks

    # Tables

    def _as_table(self, X: XLike, union: BlockUnion) -> Any:
        """Return X as the union takes it; a matrix without names is read by position."""
        if is_mapping(X) or isinstance(X, Blocks):
            return X
        names = names_of(X)
        # The union finds columns by name, passes over others, and says which are missing.
        if not self._columns.is_found_in(names):
            self._columns.check_names(names, self.owner)
        if names is not None:
            return X
        if isinstance(X, pd.DataFrame):
            self._columns.check_number(X.shape[1], self.owner)
            if is_table(X):
                return X
        X = check_array(
            rows_as_objects(X),
            input_name="X",
            estimator=self.owner,
            dtype=None,
            ensure_all_finite="allow-nan",
        )
        self._columns.check_number(X.shape[1], self.owner)
        return X if self._columns.names is None else pd.DataFrame(X, columns=self._columns.names)

    # Matrices

    def _read_matrix(self, X: XLike) -> Blocks:
        if PLAIN_NAME not in self.specs_ and not hasattr(X, "columns"):
            raise BlockError(
                f"X is a single matrix, but the fit was on the blocks {list(self.specs_)}. "
                "Pass Blocks, or a dict of arrays, with these names."
            )
        if not self._is_like_fitted(X):
            self._columns.check_names(names_of(X), self.owner)
            X = self._checked_matrix(X)
            self._columns.check_number(X.shape[1], self.owner)
        return Blocks({PLAIN_NAME: self._in_fitted_form(X)})

    def _checked_matrix(self, X: XLike) -> Any:
        if isinstance(X, pd.DataFrame) and X.shape[1] == 0:
            raise BlockError(f"X is a table without columns (0 features, shape {X.shape}).")
        with noted(
            f"X is one matrix of numbers, the block {PLAIN_NAME!r}",
            lambda said: _no_number(X) + _repair_of_matrix(said),
        ):
            refuse_times(X, self.owner)
            return check_array(
                X,
                accept_sparse="csr",
                dtype=[np.float64, np.float32],
                input_name="X",
                estimator=self.owner,
            )

    def _is_like_fitted(self, X: XLike) -> bool:
        """Whether X is a matrix that needs no further check, told at the cost of a row."""
        return (
            type(X) is np.ndarray
            and X.dtype in (np.float32, np.float64)
            and X.shape == (len(X) or 1, self._columns.n)
            and self._columns.names is None
        )

    def _in_fitted_form(self, X: Any) -> Any:
        """A plain matrix may be sparse at fit and dense at predict, or the other way round."""
        fitted = self.specs_[PLAIN_NAME].form if PLAIN_NAME in self.specs_ else None
        if fitted == "csr" and not issparse(X):
            return csr_array(X)
        return X.toarray() if fitted == "vector" and issparse(X) else X


def _repair_of_matrix(said: str) -> str:
    return next((repair for word, repair in _REPAIRS_OF_MATRIX.items() if word in said), "")


def _check_single_row(X: object, names: np.ndarray | None) -> None:
    """Raise ``ValueError`` for a row that was taken out of a frame as a Series."""
    if isinstance(X, pd.Series) and names is not None and {*names} <= {*X.index}:
        raise ValueError(
            "X is a single row, as a Series of its cells. Pass a table of one row, such as "
            "X.iloc[[0]] in place of X.iloc[0]."
        )


def _check_digits(blocks: Blocks) -> None:
    if all(spec.dtype != np.float64 for spec in blocks.specs().values()):  # else all is float64
        for name in blocks.names:
            check_digits(name, blocks[name], [])


def _no_number(X: XLike) -> str:
    """Return the first cell of a matrix that is no finite number, as a sentence, or nothing."""
    if isinstance(X, np.ndarray) and X.ndim == 2 and X.dtype.kind in "fO":
        X = pd.DataFrame(X)
    if is_csr(X):
        place = first_not_finite(X)
        return f"It stands in {place}. " if place else ""
    if not isinstance(X, pd.DataFrame):
        return ""
    for position in range(X.shape[1]):
        column = X.iloc[:, position]
        plain = column.dtype.kind in "fiub"
        odd = (None if plain else find_odd_cell(column, "number")) or not_finite_cell(column)
        if odd is not None:
            return f"{odd[:1].upper()}{odd[1:]}. "
    return ""


def _columns_of_table(X: Any) -> Columns:
    if isinstance(X, Mapping):
        return Columns(len(X), np.array(list(X), dtype=object))
    return Columns(X.shape[1], names_of(X))


def _given_blocks(X: Any) -> Blocks | None:
    """Return X where it is blocks already, or one deeper or ragged block."""
    if is_mapping(X):
        X = Blocks(X)
    elif isinstance(X, Ragged) or (isinstance(X, np.ndarray) and X.ndim > 2):
        X = Blocks({PLAIN_NAME: X})
    if not isinstance(X, Blocks):
        return None
    if len(X) == 0:
        raise BlockError("X has no rows (0 samples). Pass at least one row.")
    return X
