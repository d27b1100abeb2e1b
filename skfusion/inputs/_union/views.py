"""What a fitted union shows of itself."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import Bunch
from sklearn.utils.validation import check_is_fitted

from skfusion.blocks import BlockSpec
from skfusion.inputs._union.block_names import names_of_block
from skfusion.inputs._union.chosen import chosen_table, shown_steps, word_of
from skfusion.inputs._union.columns import as_list
from skfusion.inputs._union.diagram import parallel_block, single_block
from skfusion.inputs._union.kinds import Kind
from skfusion.inputs._union.parameters import UnionParameters
from skfusion.inputs._union.steps import Steps, active_steps, well_formed

__all__ = ["UnionViews"]


class UnionViews(UnionParameters):
    """Adds to a union the table of what was chosen, the diagram and the names of columns."""

    transformers_: Steps
    specs_: dict[str, BlockSpec]
    _column_kinds: Mapping[Hashable, Kind] = MappingProxyType({})  # by column that was chosen for

    @property
    def named_transformers_(self) -> Bunch:
        """Fitted transformers by name."""
        return Bunch(**{name: transformer for name, transformer, _ in self.transformers_})

    def chosen(self) -> pd.DataFrame:
        """Return what becomes of each column, a row a column.

        Returns
        -------
        chosen : DataFrame
            Columns: ``column``, its ``kind`` in the words of ``columns`` ("empty" where it holds
            nothing, "" where a block names it), ``why`` it is, the ``transformer``, the ``block``
            ("" where it is in none) and the ``form`` of the block. ``print(union)`` shows it.

        Examples
        --------
        >>> import pandas as pd
        >>> from skfusion import BlockUnion
        >>> frame = pd.DataFrame({"colour": ["red", "blue", "red"], "price": [1.0, 2.0, 3.0]})
        >>> BlockUnion().fit(frame).chosen()[["column", "kind", "why", "block", "form"]]
           column      kind                                     why       block    form
        0   price    number                          float64 values     numbers  vector
        1  colour  category  2 different values, 1 word on average  categories     csr
        """
        check_is_fitted(self, "transformers_")
        return chosen_table(self.transformers_, self._column_kinds, self.specs_)

    @property
    def kinds_(self) -> dict[Hashable, str]:
        """Kind of each column that was chosen for."""
        check_is_fitted(self, "transformers_")
        return {column: word_of(kind) for column, kind in self._column_kinds.items()}

    def __str__(self) -> str:
        return self.chosen().to_string(index=False) if hasattr(self, "specs_") else repr(self)

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

    def _sk_visual_block_(self) -> Any:
        steps = getattr(self, "transformers_", None) or well_formed(self.transformers)
        return (
            parallel_block(shown_steps(steps, self._column_kinds)) if steps else single_block(self)
        )
