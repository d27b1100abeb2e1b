"""The work of one block: the rows that are there go through its transformer."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import joblib
import numpy as np
import pandas as pd
from joblib import Memory
from scipy import sparse

from skfusion.blocks import Blocks, BlockSpec, Lookup, MaskedBlock, Ragged, spec_of
from skfusion.blocks._kinds import Block
from skfusion.blocks._rows import as_block, scatter_rows
from skfusion.blocks._same_form import check_same_form
from skfusion.blocks._spec import form_of
from skfusion.exceptions import BlockError, noted
from skfusion.inputs._tables.digits import check_digits, check_scaled_digits
from skfusion.inputs._tables.missing_rows import count_rows, present_metadata, present_rows
from skfusion.inputs._tables.one_column import RowsAmongAll, row_name
from skfusion.inputs._tables.plain import plain_floats
from skfusion.inputs._union.absent import AbsentBlock
from skfusion.inputs._union.columns import as_list
from skfusion.inputs._union.hints import check_one_column_of_texts, hint_of
from skfusion.inputs._union.numbers_only import check_no_times
from skfusion.inputs._union.odd_cells import explained, numbers_as_learned
from skfusion.inputs._union.same_kinds import of_same_kinds
from skfusion.inputs._union.spread import spread_rows
from skfusion.inputs._union.steps import Steps, is_word

__all__ = ["Job", "Made", "collect", "fit_block", "learn_block", "remembered", "transform_block"]


@dataclass
class Job:
    """What the work on one block needs; it travels to worker processes.

    Parameters
    ----------
    name : str
        Name of the block.
    transformer : estimator or "passthrough"
        To be fitted, or fitted.
    columns : str, int or list
        Keys of the source.
    X : array, frame or block
        Rows of these columns.
    missing : ndarray of bool of shape (n_rows,) or None
        Rows without a source.
    dtype : numpy.dtype or None
        Type of floating values.
    message : str
        Line to print when done; empty for none.
    key : str
        Stands for the transformer, if it was fitted with a memory; quicker to compare.
    kinds : dict of key to str
        What the cells of each column were at fit.
    """

    name: str
    transformer: Any
    columns: Any
    X: Any
    missing: np.ndarray | None
    dtype: Any
    message: str = ""
    key: str = ""
    kinds: dict[Hashable, str] = field(default_factory=dict)


@dataclass
class Made:
    """A block, its missing rows, the transformer that was fitted to make it, and its key."""

    transformer: Any
    block: Any
    missing: np.ndarray | None
    key: str = ""


def remembered(memory: Memory, work: Callable[..., Made], job: Job, *arguments: Any) -> Made:
    """Do the work, or take what came of it when it was done for the same rows before."""
    if memory.location is None:
        return work(job, *arguments)
    known = replace(job, transformer=None) if job.key else job
    key = joblib.hash((work.__name__, known, arguments))
    keep = memory.cache(_work, ignore=["work", "job", "arguments"])
    return replace(keep(key, work, job, arguments), key=key)


def _work(key: str, work: Callable[..., Made], job: Job, arguments: tuple[Any, ...]) -> Made:
    return work(job, *arguments)


def fit_block(job: Job, y: Any, params: Any) -> Made:
    """Fit the transformer on the rows that are present and return all rows of its block."""
    with _timed(job), _named(job), _explained(job), _rows_of_all(job):
        _check_some_row(job)
        if is_word(job.transformer, "passthrough"):
            return _pass(job, at_fit=True)
        return _made(job, _fit_transform(job, y, params), at_fit=True)


def learn_block(job: Job, y: Any, first: bool) -> Any:
    """Show the rows that are present to the transformer, and return it."""
    with _timed(job), _named(job), _explained(job), _rows_of_all(job):
        if first:
            _check_some_row(job)
        elif job.missing is not None and job.missing.all():
            return job.transformer
        else:
            job = _as_learned(job)
        if not is_word(job.transformer, "passthrough"):
            learn = getattr(job.transformer, "partial_fit", job.transformer.fit)
            learn(_present(job, job.X), _present(job, y))
        return job.transformer


def transform_block(job: Job, spec: BlockSpec | None, params: Any) -> Made:
    """Transform the rows that are present and return all rows of the block."""
    with _timed(job), _named(job), _explained(job), _rows_of_all(job):
        if spec is not None and job.missing is not None and job.missing.all():
            return Made(job.transformer, _empty_block(spec, len(job.missing)), job.missing)
        job, at_fit = _as_learned(job), spec is None  # the first chunk of a fit by chunks
        if is_word(job.transformer, "passthrough"):
            made = _pass(job, at_fit)
        else:
            params = _present_params(job, params["transform"])
            made = _made(job, job.transformer.transform(_present(job, job.X), **params), at_fit)
            made = replace(made, transformer=None)  # known already, and large where it is kept
        _check_like_fit(spec, made.block)
        return made


def collect(steps: Steps, made: list[Made]) -> Blocks:
    """Return what was made of each step as ``Blocks``."""
    names = [name for name, _, _ in steps]
    blocks = {name: one.block for name, one in zip(names, made, strict=True)}
    masks = {name: one.missing for name, one in zip(names, made, strict=True)}
    return Blocks(blocks, {name: mask for name, mask in masks.items() if mask is not None})


def _check_some_row(job: Job) -> None:
    if isinstance(job.transformer, AbsentBlock):
        return
    if job.missing is not None and job.missing.all():
        raise BlockError(
            f"block {job.name!r} has no row to learn from: all {len(job.missing)} are missing. "
            "Leave the block out, fit on rows that have it, or go without it: "
            'BlockUnion(..., missing="allow").'
        )
    check_one_column_of_texts(job.transformer, job.columns)
    check_no_times(job.X, job.transformer, as_list(job.columns))


def _fit_transform(job: Job, y: Any, params: Any) -> Any:
    X, y = _present(job, job.X), _present(job, y)
    if hasattr(job.transformer, "fit_transform"):
        return job.transformer.fit_transform(X, y, **_present_params(job, params["fit_transform"]))
    fitted = job.transformer.fit(X, y, **_present_params(job, params["fit"]))
    return fitted.transform(X, **_present_params(job, params["transform"]))


def _present(job: Job, value: Any) -> Any:
    return value if job.missing is None or value is None else present_rows(value, ~job.missing)


def _present_params(job: Job, params: dict[str, Any]) -> dict[str, Any]:
    return params if job.missing is None else present_metadata(params, ~job.missing)


def _made(job: Job, output: Any, at_fit: bool = False) -> Made:
    """Return the block of all rows, from the transformer's output for those that are present."""
    found = output.missing if isinstance(output, MaskedBlock) else None
    output = output.block if isinstance(output, MaskedBlock) else output
    block = as_block(job.name, output)
    if at_fit and job.dtype == np.float32:
        check_digits(job.name, block, as_list(job.columns))
        check_scaled_digits(job.name, job.X, block, as_list(job.columns))
    block = _in_dtype(job, block)
    form_of(block, job.name)
    _check_n_rows(job, block)
    if job.missing is None:
        return Made(job.transformer, block, found)
    missing = job.missing.copy()
    if found is not None:
        missing[~job.missing] = found
    return Made(job.transformer, spread_rows(block, ~job.missing), missing)


def _as_learned(job: Job) -> Job:
    X = of_same_kinds(job.X, as_list(job.columns), job.kinds, job.transformer)
    X = numbers_as_learned(X, job.columns, job.kinds)
    return job if X is job.X else replace(job, X=X)


def _check_like_fit(spec: BlockSpec | None, block: Any) -> None:
    """Raise ``BlockError`` if the rows of a block have another shape than at fit."""
    if spec is None:  # the fit itself, chunk by chunk
        return
    found = spec_of(spec.name, block)
    if spec.ragged and found.ragged:  # ids may come as floats, waves as integers
        found = replace(found, form=spec.form)
    check_same_form(spec, found)


def _check_n_rows(job: Job, block: Any) -> None:
    n_rows = count_rows(job.X) if job.missing is None else int((~job.missing).sum())
    if block.shape[0] != n_rows:
        raise BlockError(
            f"block {job.name!r}: {type(job.transformer).__name__} returned {block.shape[0]} rows "
            f"for {n_rows}. A transformer of BlockUnion must return one row per row; leave out "
            "rows before."
        )


def _pass(job: Job, at_fit: bool = False) -> Made:
    block = as_block(job.name, _plain_numbers(job.X))
    if at_fit and job.dtype == np.float32:
        check_digits(job.name, block, as_list(job.columns))
    return Made(job.transformer, _in_dtype(job, block), job.missing)


def _plain_numbers(X: Any) -> Any:
    """Return columns of a frame and objects that hold numbers as an array of numbers."""
    if isinstance(X, (pd.Series, pd.DataFrame)):
        X = X.to_numpy() if _is_plain(X) else plain_floats(X)
    return plain_floats(X) if isinstance(X, np.ndarray) and X.dtype == object else X


def _is_plain(X: Any) -> bool:
    dtypes = set(X.dtypes) if isinstance(X, pd.DataFrame) else {X.dtype}
    dtype = next(iter(dtypes))
    return len(dtypes) == 1 and isinstance(dtype, np.dtype) and dtype.kind in "fiub"


def _in_dtype(job: Job, block: Block) -> Block:
    """Return a block in the type of the union.

    Raises
    ------
    BlockError
        If a number is too large for it, which would be infinity there.
    """
    with np.errstate(over="raise"):
        try:
            return _cast(block, job.dtype)
        except FloatingPointError as error:
            raise _too_large(job, block) from error


def _too_large(job: Job, block: Block) -> BlockError:
    where, columns = "", as_list(job.columns)
    if isinstance(block, np.ndarray) and block.ndim == 2:
        too_large = np.isfinite(block) & (np.abs(block) > np.finfo(job.dtype).max)
        row, column = np.argwhere(too_large)[0]
        X = job.X if count_rows(job.X) == len(block) else _present(job, job.X)
        named = f" of column {columns[column]!r}" if len(columns) == block.shape[1] else ""
        with _rows_of_all(job):
            where = f", {row_name(X, int(row))}{named}"
    return BlockError(
        f"block {job.name!r}{where}: a number is too large for {job.dtype}. Cut off what cannot be "
        "meant, such as by X.clip(-1e9, 1e9), or set dtype='float64' on the union."
    )


def _cast(block: Any, dtype: Any) -> Any:
    if isinstance(block, Lookup):
        return block.with_table(_cast(block.table, dtype))
    if dtype is None or not (isinstance(block, (np.ndarray, Ragged)) or sparse.issparse(block)):
        return block
    kept = "iub" if block.ndim >= 4 else "iu" if isinstance(block, Ragged) else ""
    if block.dtype.kind in kept:
        return block
    if isinstance(block, Ragged):
        return block.astype(dtype)
    if isinstance(block, np.ndarray):
        return block.astype(dtype, order="C", copy=False)
    return block.astype(dtype, copy=False)


def _empty_block(spec: BlockSpec, n_rows: int) -> Any:
    if spec.form == "csr":
        return sparse.csr_matrix((n_rows, *spec.shape), dtype=spec.dtype)
    if spec.ragged:
        return Ragged(_no_values(spec.shape[1:], spec.dtype), np.zeros(n_rows + 1), spec.n_tokens)
    return scatter_rows(_no_values(spec.shape, spec.dtype), np.zeros(n_rows, dtype=bool))


def _no_values(shape: tuple[Any, ...], dtype: np.dtype) -> np.ndarray:
    return np.empty((0, *shape), dtype=dtype)


def _named(job: Job) -> AbstractContextManager[None]:
    columns = as_list(job.columns)
    listed = ", ".join(map(repr, columns[:10])) + (", ..." if len(columns) > 10 else "")
    what = _class_name(job.transformer)
    return noted(
        f"in block {job.name!r} (columns {listed}), {what}", partial(hint_of, job.X, job.columns)
    )


def _explained(job: Job) -> AbstractContextManager[None]:
    return explained(job.X, job.columns, job.kinds)


def _rows_of_all(job: Job) -> AbstractContextManager[None]:
    return RowsAmongAll(None if job.missing is None else ~job.missing)


def _class_name(transformer: Any) -> str:
    return transformer if isinstance(transformer, str) else type(transformer).__name__


@contextmanager
def _timed(job: Job) -> Iterator[None]:
    start = time.perf_counter()
    yield
    if job.message:
        print(f"{job.message} took {time.perf_counter() - start:.2f} s")
