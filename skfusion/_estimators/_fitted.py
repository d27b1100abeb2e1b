"""What a fitted network is used for: predict, transform, explain."""

from __future__ import annotations

import copy
from collections.abc import Hashable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import sklearn
import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.fixes import parse_version
from sklearn.utils.validation import check_is_fitted

from skfusion._estimators._mixture import HeldOutOutputs, told
from skfusion._estimators._parameters import NamedEncoders
from skfusion._estimators._state import FittedState
from skfusion._estimators._view import (
    VisualBlock,
    diagram_of_parts,
    diagram_of_recipes,
    parts_of,
    summarise,
)
from skfusion._module import FusionModule
from skfusion._reading import check_finite, rows_without_blocks
from skfusion._training import Net, outputs_of_members
from skfusion.blocks import Blocks, BlockSpec
from skfusion.encoders import Encoder
from skfusion.exceptions import ParameterError
from skfusion.fusion._base import FusionLike
from skfusion.heads import Head
from skfusion.inputs import BlockUnion
from skfusion.targets import Coding
from skfusion.typing import XLike

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["FittedNetwork", "PredictsArrays", "indexed_like"]

# scikit-learn 1.6 checks who takes categories with integers, from which it subtracts their mean.
_TELLS_CATEGORIES = parse_version(sklearn.__version__) >= parse_version("1.7")


class FittedNetwork(ClassNamePrefixFeaturesOutMixin, TransformerMixin, NamedEncoders):
    """Reads X like the X of the fit, and asks the network.

    All that was learned is one value, ``_fitted``. Each prediction takes it once, at its start, so
    that a fit beside it changes nothing of what it sees.
    """

    _fitted: FittedState | None = None

    def __init__(
        self,
        encoders: Mapping[str, Encoder | str] | None,
        fusion: FusionLike,
        head: Head | str,
        union: BlockUnion | None,
        columns: Mapping[Hashable, str] | None,
        missing: str,
        device: str | torch.device,
        precision: str,
    ) -> None:
        self.encoders, self.fusion, self.head = encoders, fusion, head
        self.union, self.columns = union, columns
        self.missing, self.device, self.precision = missing, device, precision

    def _snapshot(self) -> FittedState:
        """Return what was learned, or raise scikit-learn's ``NotFittedError``."""
        if (fitted := self._fitted) is None:
            check_is_fitted(self)
            raise AssertionError("unreachable")
        return fitted

    def __sklearn_is_fitted__(self) -> bool:
        return self._fitted is not None

    def __str__(self) -> str:
        """The parameters, and once fitted what became of them: members, and the held-out score."""
        if self._fitted is None:
            return repr(self)
        return f"{self!r}\n{told(len(self._fitted.nets), self._fitted.mixture)}"

    def __getstate__(self) -> dict[str, object]:
        """A pickle opens on the device that the argument names by then, not on that of the fit."""
        state: dict[str, object] = super().__getstate__()
        if (fitted := self._fitted) is not None and fitted.arguments.device != self.device:
            arguments = replace(fitted.arguments, device=str(self.device))
            state["_fitted"] = replace(fitted, arguments=arguments)
        return state

    @property
    def nets_(self) -> list[Net]:
        return [*self._snapshot().nets]

    @property
    def net_(self) -> Net:
        first, *others = self._snapshot().nets
        if others:
            raise AttributeError(
                f"there is no single net_: the fit has {1 + len(others)} members, whose nets are "
                "nets_. Fit with members=1 for one network."
            )
        return first

    @property
    def linear_share_(self) -> float:
        return self._snapshot().mixture.share

    @property
    def temperature_(self) -> float:
        return self._snapshot().mixture.temperature

    @property
    def held_out_(self) -> np.ndarray:
        outputs = self._held_out.outputs
        there = np.isfinite(outputs).reshape(len(outputs), -1).all(axis=1)
        answers = self._answers(outputs[there])
        kind = object if answers.dtype == object else np.float64
        found = np.full((len(outputs), *answers.shape[1:]), np.nan, dtype=kind)
        found[there] = answers
        return found

    @property
    def held_out_score_(self) -> float | None:
        return self._held_out.score

    @property
    def _held_out(self) -> HeldOutOutputs:
        held_out = self._snapshot().mixture.held_out
        if held_out is None:
            raise AttributeError(
                "no rows of X were held out in the fit, so there is no held_out_ and no "
                "held_out_score_. Set early_stopping=True, without validation_data."
            )
        return held_out

    def _answers(self, outputs: np.ndarray) -> np.ndarray:
        """Return what ``held_out_`` tells of outputs."""
        return self._snapshot().target.decode(outputs)

    @property
    def target_(self) -> Coding:
        return self._snapshot().target

    @property
    def history_(self) -> pd.DataFrame:
        return self._snapshot().history.copy()

    @property
    def union_(self) -> BlockUnion | None:
        return self._snapshot().reader.union_

    @property
    def specs_(self) -> dict[str, BlockSpec]:
        return self._snapshot().reader.specs_

    @property
    def n_features_in_(self) -> int:
        return self._snapshot().reader.n_features_in_

    @property
    def feature_names_in_(self) -> np.ndarray:
        names = self._snapshot().reader.feature_names_in_
        if names is None:
            raise AttributeError("the X of the fit has no names, so there is no feature_names_in_")
        return names

    @property
    def _n_features_out(self) -> int:  # which scikit-learn asks for to name what transform returns
        return sum(net.module_.width for net in self._snapshot().nets)

    def transform(self, X: XLike) -> np.ndarray:
        """Return the fused vectors: what the head decides from.

        Parameters
        ----------
        X : as in ``fit``
            Rows, with the blocks of the fit.

        Returns
        -------
        vectors : ndarray of shape (n_rows, width)
            One vector a row; those of several members one after the other, (n_rows, members *
            width).
        """
        fitted = self._snapshot()
        blocks = fitted.read(X, self.missing)
        return np.hstack(outputs_of_members(fitted.nets, blocks, check_finite, FusionModule.fuse))

    def explain(self, X: XLike) -> pd.DataFrame:
        """Return how much the fusion weighs each block of each row.

        Only fusions with gates or attention over blocks have such weights, ``Gated`` for one. Of
        several members it is the mean; a linear member weighs nothing row by row and is left out.

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
        fitted = self._snapshot()
        if not hasattr(fitted.nets[0].module_.fusion, "weights"):
            raise ParameterError(
                f"the fusion of the fit, {fitted.arguments.fusion!r}, has no weights per row and "
                'block to explain. Use one with gates or attention, such as fusion="gated".'
            )
        blocks = fitted.read(X, self.missing)
        of_members = outputs_of_members(fitted.nets, blocks, check_finite, FusionModule.weights)
        weights = np.mean(of_members, axis=0)
        without = rows_without_blocks(blocks)
        if without is not None:
            weights[without] = np.nan
        return indexed_like(X, pd.DataFrame(weights, columns=list(fitted.reader.specs_)))

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
            have a row too. Of several members, which are alike, it shows one; "network" is its
            total, and "total" that of all, with the linear member.

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
        fitted = self._snapshot()
        net, linear = fitted.nets[0], fitted.mixture.linear
        n_parameters = sum(parameter.numel() for parameter in net.module_.parameters())
        return summarise(
            parts_of(net.module, net.module_),
            n_parameters,
            len(fitted.nets),
            0 if linear is None else linear.n_parameters,
        )

    def _sk_visual_block_(self) -> VisualBlock:
        if (fitted := self._fitted) is not None:
            parts, mixture = parts_of(fitted.nets[0].module, fitted.nets[0].module_), fitted.mixture
            is_plain = len(fitted.nets) == 1 and mixture.held_out is None
            return diagram_of_parts(parts, "" if is_plain else told(len(fitted.nets), mixture))
        return diagram_of_recipes(self.encoders, self.fusion, self.head)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.three_d_array = True
        # Of frames, by the default union. It imputes too, but a plain matrix must be finite.
        tags.input_tags.string, tags.input_tags.categorical = True, _TELLS_CATEGORIES
        return tags

    def _split_reading(self, X: XLike) -> tuple[Self, Blocks]:
        """Return a copy that takes blocks as they are, and X as these blocks."""
        fitted, other = self._snapshot(), copy.copy(self)
        reader = fitted.reader.with_missing(self.missing)
        other._fitted = replace(fitted, reader=reader.behind_union())
        return other, reader.read(X)


class PredictsArrays(FittedNetwork):
    """Predicts one target, in the shape of its y."""

    def predict(self, X: XLike) -> np.ndarray:
        """Predict the target.

        Parameters
        ----------
        X : as in ``fit``
            Rows, with the blocks of the fit.

        Returns
        -------
        y : ndarray of shape (n_rows,) or (n_rows, ...)
            Predictions, in the terms and the shape of the y that was fitted.
        """
        fitted = self._snapshot()
        return fitted.target.predict(fitted, fitted.read(X, self.missing))


def indexed_like(X: object, table: pd.DataFrame) -> pd.DataFrame:
    """Return ``table``, a row for each of X, with the index of X where X is of pandas."""
    return table.set_axis(X.index, axis=0) if isinstance(X, pd.DataFrame | pd.Series) else table
