"""What a fitted network is used for: predict, transform, explain."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from skfusion._estimators._parameters import NamedEncoders
from skfusion._estimators._view import (
    VisualBlock,
    diagram_of_parts,
    diagram_of_recipes,
    parts_of,
    summarise,
)
from skfusion._reading import Reader, check_finite, check_some_block, rows_without_blocks
from skfusion._training import Net, outputs
from skfusion.blocks import Blocks, BlockSpec
from skfusion.exceptions import NonFiniteLossError, ParameterError
from skfusion.inputs import BlockUnion
from skfusion.targets import Target

__all__ = ["FittedNetwork", "indexed_like"]


class FittedNetwork(ClassNamePrefixFeaturesOutMixin, TransformerMixin, NamedEncoders):
    """Reads X like the X of the fit, and asks the network."""

    missing: str
    net_: Net
    target_: Target
    _reader: Reader
    _prior: np.ndarray
    _n_seen: int  # rows that the prior is of

    @property
    def union_(self) -> BlockUnion | None:
        return self._fitted_reader().union_

    @property
    def specs_(self) -> dict[str, BlockSpec]:
        return self._fitted_reader().specs_

    @property
    def n_features_in_(self) -> int:
        return self._fitted_reader().n_features_in_

    @property
    def feature_names_in_(self) -> np.ndarray:
        names = self._fitted_reader().feature_names_in_
        if names is None:
            raise AttributeError("the X of the fit has no names, so there is no feature_names_in_")
        return names

    def _fitted_reader(self) -> Reader:
        if "_reader" not in vars(self):
            raise NotFittedError(f"This {type(self).__name__} is not fitted yet. Call fit first.")
        return self._reader

    def _read_to_predict(self, X: Any) -> Blocks:
        if "net_" not in vars(self):  # asked first, since check_is_fitted costs as much as a row
            check_is_fitted(self, "net_")
        blocks = self._reader.with_missing(self.missing).read(X)
        if self.missing == "error":
            check_some_block(blocks)
        return blocks

    def _outputs(self, X: Any) -> np.ndarray:
        """Return the outputs of the network; those of the prior for rows without any block."""
        blocks = self._read_to_predict(X)
        found = outputs(self.net_, blocks, check_finite)
        if not np.isfinite(found).all():
            row = int(np.isfinite(found).all(axis=1).argmin())
            raise NonFiniteLossError(
                f"the network's output is not finite in row {row}: "
                "inputs or weights are too large for its precision. Scale the inputs, or fit again "
                "with a lower lr."
            )
        without = rows_without_blocks(blocks) if self.missing == "allow" else None
        if without is not None:
            found[without] = self._prior
        return found

    def predict(self, X: Any) -> np.ndarray:
        """Predict the target.

        Parameters
        ----------
        X : as in ``fit``
            Rows, with the blocks of the fit.

        Returns
        -------
        y : ndarray of shape (n_rows,) or (n_rows, n_outputs)
            Predictions, in the terms of the y that was fitted.
        """
        found = self._outputs(X)
        return self.target_.decode(found)

    def transform(self, X: Any) -> np.ndarray:
        """Return the fused vectors: what the head decides from.

        Parameters
        ----------
        X : as in ``fit``
            Rows, with the blocks of the fit.

        Returns
        -------
        vectors : ndarray of shape (n_rows, width)
            One vector a row.
        """
        blocks = self._read_to_predict(X)
        return outputs(self.net_, blocks, check_finite, part="fuse")

    def explain(self, X: Any) -> pd.DataFrame:
        """Return how much the fusion weighs each block of each row.

        Only fusions with gates or attention over blocks have such weights, ``Gated`` for one.

        Parameters
        ----------
        X : as in ``fit``
            Rows, with the blocks of the fit.

        Returns
        -------
        weights : DataFrame of shape (n_rows, n_blocks)
            A column a block, with the index of a pandas X; what a weight means is said in the
            docstring of the fusion. NaN for a row without any block (``missing="allow"``), since
            the prior is predicted for it and nothing is weighed.

        Raises
        ------
        ParameterError
            If the fusion has no weights.
        """
        blocks = self._read_to_predict(X)
        if not hasattr(self.net_.module_.fusion, "weights"):
            raise ParameterError(
                f"fusion={self.fusion!r} has no weights per row and block to explain. "
                'Use one with gates or attention, such as fusion="gated".'
            )
        weights = outputs(self.net_, blocks, check_finite, part="weights")
        without = rows_without_blocks(blocks)
        if without is not None:
            weights[without] = np.nan
        return indexed_like(X, pd.DataFrame(weights, columns=list(self.specs_)))

    # What it is made of

    def summary(self) -> pd.DataFrame:
        """Return what the network is made of, a row a part.

        Returns
        -------
        summary : DataFrame
            A row per block, one per group of a ``Tree``, one each for the fusion, the head and the
            total; indexed by the kind of part and the block's or group's name. The columns:
            the ``form`` of a block, the shape of one row of the part's ``input``, its ``recipe``,
            the shape of its ``output``, the number of ``parameters``, their ``share`` of all, and
            whether they are ``trained`` ("yes", "frozen" or "partly"). The linear heads of single
            blocks, which ``block_loss_weight`` and ``gradient_modulation`` add while training,
            have a row too.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted: sizes are learned from the data.

        Examples
        --------
        >>> import numpy as np
        >>> from skfusion import FusionClassifier
        >>> X = {"left": np.eye(4), "right": np.ones((4, 2))}
        >>> model = FusionClassifier(max_epochs=1, random_state=0).fit(X, [0, 1, 0, 1])
        >>> model.summary().loc["block", "parameters"].to_dict()
        {'left': 384, 'right': 256}
        """
        check_is_fitted(self, "net_")
        module = self.net_.module_
        n_parameters = sum(parameter.numel() for parameter in module.parameters())
        return summarise(parts_of(self.net_.module, module), n_parameters)

    def _sk_visual_block_(self) -> VisualBlock:
        if "net_" in vars(self):
            return diagram_of_parts(parts_of(self.net_.module, self.net_.module_))
        return diagram_of_recipes(self.encoders, self.fusion, self.head)


def indexed_like(X: Any, table: pd.DataFrame) -> pd.DataFrame:
    """Return ``table``, a row for each of X, with the index of X where X is of pandas."""
    return table.set_axis(X.index, axis=0) if isinstance(X, pd.DataFrame | pd.Series) else table
