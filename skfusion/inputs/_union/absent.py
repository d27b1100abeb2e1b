"""Blocks that no row of a fit has, such as a fold in which a column is empty."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import Pipeline

from skfusion._warn import warn_user
from skfusion.blocks import MaskedBlock, Ragged
from skfusion.blocks._kinds import Block
from skfusion.inputs._tables.missing_rows import count_rows
from skfusion.inputs._tables.table import Table
from skfusion.inputs._union.recipes import form_made_by
from skfusion.inputs._union.steps import Steps, active_steps, is_word

__all__ = ["ABSENT_FORMS", "AbsentBlock", "with_absent"]


# Forms of which a block may be absent: their rows have a shape that needs no data.
ABSENT_FORMS = ("vector", "csr", "tokens")


class AbsentBlock(TransformerMixin, BaseEstimator):
    """Stands for a transformer that had no row to learn from: its block is missing in all rows.

    Parameters
    ----------
    form : {"csr", "tokens", "vector"}
        What the transformer would have made, here of one column.

    Examples
    --------
    >>> from skfusion.inputs._union.absent import AbsentBlock
    >>> AbsentBlock("vector").fit_transform(["a", "b"]).missing.tolist()
    [True, True]
    """

    def __init__(self, form: str) -> None:
        self.form = form

    def fit(self, X: object, y: object = None) -> AbsentBlock:
        return self

    def transform(self, X: object) -> MaskedBlock:
        n_rows = count_rows(X)
        block: Block = np.zeros((n_rows, 1), np.float32)
        if self.form == "csr":
            block = sparse.csr_matrix(block)
        elif self.form == "tokens":
            block = Ragged(np.zeros(0, np.int64), np.zeros(n_rows + 1), 1)
        return MaskedBlock(block, np.ones(n_rows, dtype=bool))


def with_absent(steps: Steps, table: Table, missing: str) -> Steps:
    """Return the steps, with an ``AbsentBlock`` for those that no row of ``table`` has.

    Where ``missing`` is "error", or it is not known what a transformer makes, a step stays as it
    is, and its fit says that it has no row.
    """
    if missing != "allow":
        return steps
    at_work = {name for name, _, _ in active_steps(steps)}
    return [
        (name, _or_absent(name, one, columns, table) if name in at_work else one, columns)
        for name, one, columns in steps
    ]


def _or_absent(name: str, transformer: object, columns: object, table: Table) -> object:
    mask = table.missing(columns, table.take(columns))
    form = _form_of(transformer)
    if mask is None or not mask.all() or form not in ABSENT_FORMS:
        return transformer
    warn_user(
        f"block {name!r} has no row to learn from: all {len(mask)} are missing. It is missing in "
        "all rows to come as well. Fit on rows that have it to learn from it."
    )
    return AbsentBlock(form)


def _form_of(transformer: object) -> str | None:
    if isinstance(transformer, Pipeline):
        return _form_of(transformer.steps[-1][1])
    is_of_sklearn = type(transformer).__module__.partition(".")[0] == "sklearn"
    is_plain = is_of_sklearn or is_word(transformer, "passthrough")
    return form_made_by(transformer) or ("vector" if is_plain else None)
