"""The union of transformers whose outputs stay named blocks."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from sklearn import config_context
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Bunch, get_tags
from sklearn.utils.metadata_routing import MetadataRouter
from sklearn.utils.metaestimators import available_if
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted, check_memory

from skfusion._checks import check_choice
from skfusion.blocks import Blocks
from skfusion.blocks._agreement import check_block_name
from skfusion.inputs._no_set_output import NO_SET_OUTPUT
from skfusion.inputs._tables.table import NamedTable, Table
from skfusion.inputs._union.apply import (
    Job,
    collect,
    fit_block,
    learn_block,
    remembered,
    transform_block,
)
from skfusion.inputs._union.block_names import names_of_block
from skfusion.inputs._union.choose import choose_transformers
from skfusion.inputs._union.columns import as_list, complete, resolve_columns
from skfusion.inputs._union.diagram import parallel_block, single_block
from skfusion.inputs._union.odd_cells import learn_kinds
from skfusion.inputs._union.read import check_target, read_table
from skfusion.inputs._union.routing import route, router_of
from skfusion.inputs._union.steps import (
    Steps,
    active_steps,
    check_dtype,
    check_names,
    check_steps,
    fresh,
    is_word,
    learns_in_chunks,
    params_of,
    well_formed,
)

__all__ = ["BlockUnion"]


class BlockUnion(TransformerMixin, BaseEstimator, **NO_SET_OUTPUT):
    """Transformers side by side, each output a named block in its own form.

    Works like ``ColumnTransformer``, but does not lay the outputs side by side in one matrix:
    text stays sparse, images keep their axes, token ids stay ragged.

    Rows whose source is missing (None, NaN, NaT, NA; of several columns: in all of them) are not
    shown to the transformer of that block, neither to learn nor to transform, and are marked as
    missing in the ``Blocks``. So an imputer fills single cells of a row, and never a row that has
    none of the block's columns.

    Parameters
    ----------
    transformers : list of (name, transformer, columns), default=None
        ``transformer`` has ``fit`` and ``transform``, or is "passthrough" or "drop". ``columns``
        is a name, a position, a list of either, a slice, a mask or a callable that receives X;
        one name or position gives the transformer a 1-D column, all else two dimensions. A
        block without columns (a selector that found none) is left out. None chooses by column,
        see Notes.
    remainder : "drop", "passthrough" or transformer, default="drop"
        What becomes of the columns that no block names: a block called "remainder". Of a dict
        of arrays or ``Blocks``, "passthrough" keeps each as a block of its own name.
    n_jobs : int, default=None
        Number of blocks made at once.
    verbose : bool, default=False
        Whether to print a line with the time per block.
    dtype : {"float32", "float64"} or None, default="float32"
        Type of floating values in the blocks, also of booleans and of integer vectors. Images
        and videos of integers and ragged integers stay as they are. None casts nothing.
    memory : str, joblib.Memory or None, default=None
        Folder in which what each transformer learned, and made of which rows, is kept. A search
        over the network behind then fits and transforms once per fold; ``Pipeline(memory=...)``
        saves the fits alone.
    missing : {"error", "allow"}, default="error"
        What to do after the fit about a block without a single one of its columns in X: raise
        an error, or mark it as missing in all rows.

    Attributes
    ----------
    transformers_ : list of (name, fitted transformer, columns)
        What was fitted, and on which columns; says what was chosen where the user chose nothing.
    named_transformers_ : Bunch
        The fitted transformers by name.
    specs_ : dict of str to BlockSpec
        Form and shape of each block.
    n_features_in_ : int
        Number of columns of X, or of entries of a dict or ``Blocks``.
    feature_names_in_ : ndarray of str of shape (n_features_in_,)
        Their names, where they all have names that are strings.

    Raises
    ------
    BlockError
        For a column that does not exist, names used twice, a block without a single row.
    BlockTypeError
        For a transformer that is none, or returns no block.

    See Also
    --------
    sklearn.compose.ColumnTransformer : The same with one matrix as the output.

    Notes
    -----
    X, of ``n_rows`` rows, is a frame of pandas or polars, a table of Arrow or of any library that
    speaks its protocol, a dict of arrays, a 2-D array, a sparse matrix or ``Blocks``. Columns come
    to the transformers in plain types of pandas. ``BlockUnion()`` chooses:

    - numeric columns: one block "numbers", imputed by the median and scaled;
    - booleans: one block "booleans";
    - strings with few values and categories: one sparse one-hot block "categories";
    - texts (strings with more than 40 different values, or of three and more words on average
      that seldom repeat): one sparse TF-IDF block per column, named after it;
    - dates: one block "dates" of calendar parts;
    - arrays in cells: one block per column, stacked or ragged;
    - in a dict of arrays or ``Blocks``: 2-D numbers are a block of their own, imputed and scaled;
      sparse, ragged and deeper arrays are blocks as they are.

    A column without a value is a missing number, or passed over where there are no numbers.
    Categories are known by what they mean: 1, 1.0, True and "1" are one. A cell that is not what
    its column held at fit is an error that names column and row.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.feature_extraction.text import TfidfVectorizer
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skfusion.inputs import BlockUnion
    >>> frame = pd.DataFrame({"review": ["good", None, "very good"], "price": [1.0, 2.0, 3.0]})
    >>> union = BlockUnion([("text", TfidfVectorizer(), "review"),
    ...                     ("facts", StandardScaler(), ["price"])])
    >>> union.fit_transform(frame)
    Blocks(3 rows)
      text   csr     (3, 2)  float32  1 missing
      facts  vector  (3, 1)  float32
    >>> union.get_feature_names_out().tolist()
    ['text__good', 'text__very', 'facts__price']
    """

    def __init__(
        self,
        transformers: Any = None,
        *,
        remainder: Any = "drop",
        n_jobs: int | None = None,
        verbose: bool = False,
        dtype: Any = "float32",
        memory: Any = None,
        missing: str = "error",
    ) -> None:
        self.transformers = transformers
        self.remainder = remainder
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.dtype = dtype
        self.memory = memory
        self.missing = missing

    def fit(self, X: Any, y: Any = None, **params: Any) -> BlockUnion:
        """Fit all transformers.

        Parameters
        ----------
        X : frame, dict of arrays, array, sparse matrix or Blocks of n_rows rows
            Source of the blocks.
        y : array of shape (n_rows,) or (n_rows, n_outputs), default=None
            Target, passed to the transformers.
        **params : dict
            Metadata such as ``sample_weight``, where metadata routing is enabled.

        Returns
        -------
        BlockUnion
            The union itself.
        """
        self._fit(X, y, route(self, "fit", params))
        return self

    @available_if(learns_in_chunks)
    def partial_fit(self, X: Any, y: Any = None) -> BlockUnion:
        """Learn from a further chunk of rows; the first call starts.

        Only there if each transformer has ``partial_fit`` or needs no fit. The first chunk decides
        which columns there are; a block needs a row of it that is not missing.

        Parameters
        ----------
        X : frame, dict of arrays, array, sparse matrix or Blocks of n_rows rows
            Rows of the chunk.
        y : array of shape (n_rows,) or (n_rows, n_outputs), default=None
            Target, passed to the transformers.

        Returns
        -------
        BlockUnion
            The union itself. If an error is raised no transformer has learned from the chunk.
        """
        check_dtype(self.dtype)
        first = not hasattr(self, "transformers_")
        table = read_table(self, X, reset=first)
        check_target(table, y)
        steps = self._steps(table) if first else self.transformers_
        active = [
            (name, fresh(name, one) if first else copy.deepcopy(one), columns)
            for name, one, columns in active_steps(steps)
        ]
        table = table if first else complete(table, active, self.missing)
        learned = self._run(learn_block, active, table, [(y, first)] * len(active))
        self._keep(steps, active, learned, {})
        if first:
            self._kinds = learn_kinds(table, active)
            # No block is missing in all rows, so that no spec is needed to transform
            arguments = [(None, params_of({}, name)) for name, _, _ in active]
            self.specs_ = collect(
                active, self._run(transform_block, active, table, arguments)
            ).specs()
        return self

    def fit_transform(self, X: Any, y: Any = None, **params: Any) -> Blocks:
        """Fit all transformers and return their blocks; parameters as for ``fit``."""
        return self._fit(X, y, route(self, "fit_transform", params))

    def transform(self, X: Any, **params: Any) -> Blocks:
        """Return the blocks of X.

        Parameters
        ----------
        X : frame, dict of arrays, array, sparse matrix or Blocks of n_rows rows
            Columns with names are found by name: their order and further columns do not matter.
        **params : dict
            Metadata, where metadata routing is enabled.

        Returns
        -------
        Blocks
            Of ``n_rows`` rows.
        """
        check_is_fitted(self, "transformers_")
        routed = route(self, "transform", params)
        steps = active_steps(self.transformers_)
        table = complete(read_table(self, X, reset=False), steps, self.missing)
        arguments = [(self.specs_[name], params_of(routed, name)) for name, _, _ in steps]
        return collect(steps, self._run(transform_block, steps, table, arguments))

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the columns of ``Blocks.hstack()``, as "block__feature".

        A block that is not 2-D contributes one name, its own. ``input_features`` is there for
        compatibility; the names seen at fit are used.
        """
        check_is_fitted(self, "transformers_")
        names: list[str] = []
        for name, transformer, columns in active_steps(self.transformers_):
            sources = [key if isinstance(key, str) else f"x{key}" for key in as_list(columns)]
            names += names_of_block(name, transformer, sources, self.specs_[name])
        return np.array(names, dtype=object)

    @property
    def named_transformers_(self) -> Bunch:
        """Fitted transformers by name."""
        return Bunch(**{name: transformer for name, transformer, _ in self.transformers_})

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters; where ``deep``, with those of the transformers by name."""
        params = dict(super().get_params(deep=deep))
        for name, transformer, _ in well_formed(self.transformers) if deep else []:
            params[name] = transformer
            if hasattr(transformer, "get_params") and not isinstance(transformer, type):
                inner = transformer.get_params(deep=True)
                params.update({f"{name}__{key}": value for key, value in inner.items()})
        return params

    def set_params(self, **params: Any) -> BlockUnion:
        """Set parameters: the union's, a transformer by its name, or ``name__parameter``."""
        if "transformers" in params:
            self.transformers = params.pop("transformers")
        steps = well_formed(self.transformers)
        if replaced := {name for name, _, _ in steps} & set(params):
            self.transformers = [
                (name, params[name] if name in replaced else transformer, columns)
                for name, transformer, columns in steps
            ]
        super().set_params(**{key: params[key] for key in params if key not in replaced})
        return self

    def get_metadata_routing(self) -> MetadataRouter:
        """Return how metadata reaches the transformers."""
        return router_of(self, self._consumers())

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        inner = [
            get_tags(transformer).input_tags
            for _, transformer in self._consumers()
            if hasattr(transformer, "__sklearn_tags__") and not isinstance(transformer, type)
        ]
        tags.input_tags.sparse = all(one.sparse for one in inner)
        tags.input_tags.allow_nan = all(one.allow_nan for one in inner)
        chooses = self.transformers is None
        tags.input_tags.string = chooses or any(one.string for one in inner)
        tags.input_tags.categorical = chooses or any(one.categorical for one in inner)
        tags.input_tags.dict = True
        tags.transformer_tags.preserves_dtype = []  # values are cast to `dtype`
        return tags

    def _sk_visual_block_(self) -> Any:
        steps = getattr(self, "transformers_", None) or well_formed(self.transformers)
        return parallel_block(steps) if steps else single_block(self)

    # How the work is laid out

    def _fit(self, X: Any, y: Any, routed: Any) -> Blocks:
        check_dtype(self.dtype)
        check_choice("missing", self.missing, ("error", "allow"))
        table = read_table(self, X, reset=True)
        check_target(table, y)
        steps = self._steps(table)
        active = [(name, fresh(name, one), columns) for name, one, columns in active_steps(steps)]
        arguments = [(y, params_of(routed, name)) for name, _, _ in active]
        self._keys: dict[str, str] = {}  # by block: what stands for a transformer in the memory
        self._kinds = {}
        made = self._run(fit_block, active, table, arguments)
        blocks = collect(active, made)
        keys = {name: one.key for (name, _, _), one in zip(active, made, strict=True)}
        self._keep(steps, active, [one.transformer for one in made], keys)
        self._kinds = learn_kinds(table, active)
        self.specs_ = blocks.specs()
        return blocks

    def _keep(self, steps: Steps, active: Steps, fitted: list[Any], keys: dict[str, str]) -> None:
        by_name = {name: one for (name, _, _), one in zip(active, fitted, strict=True)}
        self.transformers_ = [(name, by_name.get(name, one), chosen) for name, one, chosen in steps]
        self._keys = keys

    def _steps(self, table: Table) -> Steps:
        """Return the steps with resolved columns, the remainder included."""
        if self.transformers is None:
            steps = choose_transformers(table)
        else:
            steps = [
                (name, transformer, resolve_columns(name, columns, table))
                for name, transformer, columns in check_steps(
                    self.transformers, self.get_params(deep=False)
                )
            ]
        steps = steps + self._remaining(steps, table)
        check_names(steps)
        return steps

    def _remaining(self, steps: Steps, table: Table) -> Steps:
        used = {key for _, _, columns in steps for key in as_list(columns)}
        rest = [key for key in table.keys if key not in used]
        if not is_word(self.remainder, "drop"):
            fresh("remainder", self.remainder)
        if not rest:
            return []
        if isinstance(table, NamedTable) and is_word(self.remainder, "passthrough"):
            return [(check_block_name(key), "passthrough", key) for key in rest]
        return [("remainder", self.remainder, rest)]

    def _run(
        self, work: Callable[..., Any], steps: Steps, table: Table, arguments: list[Any]
    ) -> list[Any]:
        if work is not learn_block:
            work = partial(remembered, check_memory(self.memory), work)
        # Blocks keep each output in its own form, whatever form was set for all transformers.
        with config_context(transform_output="default"):
            made: list[Any] = Parallel(n_jobs=self.n_jobs)(
                delayed(work)(self._job(table, step, number, len(steps)), *arguments[number])
                for number, step in enumerate(steps)
            )
        return made

    def _job(self, table: Table, step: tuple[str, Any, Any], number: int, n_steps: int) -> Job:
        name, transformer, columns = step
        X = table.take(columns)
        missing = table.missing(columns, X)
        message = f"[BlockUnion] block {name!r} ({number + 1} of {n_steps})" if self.verbose else ""
        key = getattr(self, "_keys", {}).get(name, "")
        dtype = check_dtype(self.dtype)
        known = getattr(self, "_kinds", {})
        kinds = {one: known[one] for one in as_list(columns) if one in known}
        return Job(name, transformer, columns, X, missing, dtype, message, key, kinds)

    def _consumers(self) -> list[tuple[str, Any]]:
        named = [(name, transformer) for name, transformer, _ in well_formed(self.transformers)]
        return [*named, ("remainder", self.remainder)]
