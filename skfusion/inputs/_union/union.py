"""The union of transformers whose outputs stay named blocks."""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from sklearn import config_context
from sklearn.base import TransformerMixin
from sklearn.utils import Tags, get_tags
from sklearn.utils.metadata_routing import MetadataRouter
from sklearn.utils.metaestimators import available_if
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted, check_memory

from skfusion._checks import check_choice
from skfusion.blocks import Blocks
from skfusion.inputs._no_set_output import NO_SET_OUTPUT
from skfusion.inputs._tables.table import Table
from skfusion.inputs._union.absent import with_absent
from skfusion.inputs._union.apply import (
    Job,
    collect,
    fit_block,
    learn_block,
    remembered,
    transform_block,
)
from skfusion.inputs._union.columns import as_list, complete
from skfusion.inputs._union.odd_cells import learn_kinds
from skfusion.inputs._union.own_blocks import NamedEncoders
from skfusion.inputs._union.plan import Plan, plan_of
from skfusion.inputs._union.read import check_target, read_table
from skfusion.inputs._union.routing import route, router_of
from skfusion.inputs._union.steps import (
    Steps,
    active_steps,
    check_dtype,
    fresh,
    is_word,
    learns_in_chunks,
    params_of,
    well_formed,
)
from skfusion.inputs._union.views import UnionViews
from skfusion.typing import XLike, YLike

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["BlockUnion"]


class BlockUnion(TransformerMixin, UnionViews, **NO_SET_OUTPUT):
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
    remainder : "drop", "passthrough", "auto" or transformer, default="drop"
        What becomes of the columns that no block names: a block called "remainder". Of a dict
        of arrays or ``Blocks``, "passthrough" keeps each as a block of its own name. "auto"
        chooses for them by column, as for all columns where ``transformers`` is None.
    columns : dict of column to str, default=None
        What columns are that are chosen for, where the guess would be another: "number",
        "category", "boolean", "date", "text", "image" (paths, bytes or arrays), "audio" (the
        same), "array" (arrays in cells), or "drop". Nothing else changes.
    text, numbers, categories, booleans, dates, images, audio, arrays : transformer, default=None
        What is put on the columns of a kind that are chosen for: on texts, images, sound and
        arrays in cells one by one, on the others together. None is the usual one, see Notes; a
        parameter of it, such as ``text__ngram_range``, may be set nevertheless.
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
        What to do about a block without a single one of its columns in X after the fit, and
        about one without a value at the fit: raise an error, or mark it as missing in all rows.

    Attributes
    ----------
    transformers_ : list of (name, fitted transformer, columns)
        What was fitted, and on which columns; says what was chosen where the user chose nothing.
    named_transformers_ : Bunch
        The fitted transformers by name.
    specs_ : dict of str to BlockSpec
        Form and shape of each block.
    kinds_ : dict of column to str
        What each column was taken for that was chosen for; ``chosen()`` says why.
    n_features_in_ : int
        Number of columns of X, or of entries of a dict or ``Blocks``.
    feature_names_in_ : ndarray of str of shape (n_features_in_,)
        Their names, where they all have names that are strings.

    Raises
    ------
    BlockError
        For a column that does not exist, names used twice, a block without a single row.
    BlockTypeError
        For a transformer that is none, or returns no block; a column that cannot be what
        ``columns`` says.

    Warns
    -----
    ColumnKindWarning
        Of a column that looks like something else than it is read as (numbers, dates, paths as
        text, codes, identifiers), may be another kind in a fold, or has no value. Not of those in
        ``columns``.

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
    - texts (strings of which there seem to be many: more than about 1,000 single words or 40
      sentences, by how often two rows have the same, whatever the number of rows is; answers that
      are given often apart): one sparse TF-IDF block per column, named after it;
    - dates: one block "dates" of calendar parts;
    - arrays in cells: one block per column, stacked or ragged;
    - where ``columns`` says so, images of 64 x 64 pixels (``ImageLoader``), log-mel spectrograms
      (``LogMel``), numbers written as text ("1,200", "12.5 EUR");
    - in a dict of arrays or ``Blocks``: 2-D numbers are a block of their own, imputed and scaled;
      sparse, ragged and deeper arrays are blocks as they are.

    A column without a value keeps the block of its dtype, or of the word in ``columns``, and is
    missing in each row; where neither tells its kind it is a missing number, or passed over if
    there are no numbers.
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
        columns: Mapping[Hashable, str] | None = None,
        text: object = None,
        numbers: object = None,
        categories: object = None,
        booleans: object = None,
        dates: object = None,
        images: object = None,
        audio: object = None,
        arrays: object = None,
        n_jobs: int | None = None,
        verbose: bool = False,
        dtype: Any = "float32",
        memory: Any = None,
        missing: str = "error",
    ) -> None:
        self.transformers = transformers
        self.remainder = remainder
        self.columns = columns
        self.text, self.numbers = text, numbers
        self.categories, self.booleans = categories, booleans
        self.dates, self.images, self.audio, self.arrays = dates, images, audio, arrays
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.dtype = dtype
        self.memory = memory
        self.missing = missing

    def fit(self, X: XLike, y: YLike | None = None, **params: object) -> Self:
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
    def partial_fit(self, X: XLike, y: YLike | None = None) -> Self:
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
        learner = copy.copy(self)  # an error leaves what was fitted before as it is
        learner._learn_chunk(X, y)
        self.__dict__ = learner.__dict__
        return self

    def _learn_chunk(self, X: XLike, y: YLike | None) -> None:
        check_dtype(self.dtype)
        first = not hasattr(self, "transformers_")
        table = read_table(self, X, reset=first)
        check_target(table, y)
        steps = self._plan(table).steps if first else self.transformers_
        active = [
            (name, fresh(name, one) if first else copy.deepcopy(one), columns)
            for name, one, columns in active_steps(steps)
        ]
        table = table if first else complete(table, active, self.missing)
        learned = self._run(learn_block, active, table, [(y, first)] * len(active))
        self._keep(steps, active, learned, {})
        if first:
            self._cell_kinds = learn_kinds(table, active)
            # No block is missing in all rows, so that no spec is needed to transform
            arguments = [(None, params_of({}, name)) for name, _, _ in active]
            self.specs_ = collect(
                active, self._run(transform_block, active, table, arguments)
            ).specs()

    def fit_transform(self, X: XLike, y: YLike | None = None, **params: object) -> Blocks:
        """Fit all transformers and return their blocks; parameters as for ``fit``."""
        return self._fit(X, y, route(self, "fit_transform", params))

    def transform(self, X: XLike, **params: object) -> Blocks:
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

    def get_metadata_routing(self) -> MetadataRouter:
        """Return how metadata reaches the transformers."""
        return router_of(self, self._consumers())

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        inner = [
            get_tags(transformer).input_tags
            for _, transformer in self._consumers()
            if hasattr(transformer, "__sklearn_tags__") and not isinstance(transformer, type)
        ]
        tags.input_tags.sparse = all(one.sparse for one in inner)
        tags.input_tags.allow_nan = all(one.allow_nan for one in inner)
        chooses = self.transformers is None or is_word(self.remainder, "auto")
        tags.input_tags.string = chooses or any(one.string for one in inner)
        tags.input_tags.categorical = chooses or any(one.categorical for one in inner)
        tags.input_tags.dict = True
        tags.transformer_tags.preserves_dtype = []  # values are cast to `dtype`
        return tags

    # How the work is laid out

    def _fit(
        self, X: XLike, y: YLike | None, routed: Any, encoders: NamedEncoders | None = None
    ) -> Blocks:
        learner = copy.copy(self)  # an error leaves what was fitted before as it is
        blocks = learner._learn(X, y, routed, encoders)
        self.__dict__ = learner.__dict__
        return blocks

    def _learn(
        self, X: XLike, y: YLike | None, routed: object, encoders: NamedEncoders | None
    ) -> Blocks:
        check_dtype(self.dtype)
        check_choice("missing", self.missing, ("error", "allow"))
        table = read_table(self, X, reset=True)
        check_target(table, y)
        plan = self._plan(table, encoders)
        steps = with_absent(plan.steps, table, self.missing)
        active = [(name, fresh(name, one), columns) for name, one, columns in active_steps(steps)]
        arguments = [(y, params_of(routed, name)) for name, _, _ in active]
        self._keys: dict[str, str] = {}  # by block: what stands for a transformer in the memory
        self._cell_kinds = {}
        made = self._run(fit_block, active, table, arguments)
        blocks = collect(active, made)
        self._column_kinds = plan.kinds
        keys = {name: one.key for (name, _, _), one in zip(active, made, strict=True)}
        self._keep(steps, active, [one.transformer for one in made], keys)
        self._cell_kinds = learn_kinds(table, active)
        self.specs_ = blocks.specs()
        return blocks

    def _plan(self, table: Table, encoders: NamedEncoders | None = None) -> Plan:
        self._check_names_of_kinds()
        plan = plan_of(self, table, encoders or {})
        plan.warn()
        return plan

    def _keep(self, steps: Steps, active: Steps, fitted: list[Any], keys: dict[str, str]) -> None:
        by_name = {name: one for (name, _, _), one in zip(active, fitted, strict=True)}
        self.transformers_ = [(name, by_name.get(name, one), chosen) for name, one, chosen in steps]
        self._keys = keys

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
        known = getattr(self, "_cell_kinds", {})
        kinds = {one: known[one] for one in as_list(columns) if one in known}
        return Job(name, transformer, columns, X, missing, dtype, message, key, kinds)

    def _fit_for(self, X: XLike, encoders: NamedEncoders) -> Blocks:
        """Fit all transformers and return their blocks, columns read as ``encoders`` can take."""
        return self._fit(X, None, route(self, "fit_transform", {}), encoders)

    def _consumers(self) -> list[tuple[str, Any]]:
        named = [(name, transformer) for name, transformer, _ in well_formed(self.transformers)]
        return [*named, ("remainder", self.remainder)]
