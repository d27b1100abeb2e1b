"""How an estimator shows its network: a table, and a diagram in notebooks."""

from __future__ import annotations

from typing import Any

import pandas as pd
from sklearn.utils.validation import check_is_fitted

from skfusion._estimators._diagram import diagram_of_parts, diagram_of_recipes
from skfusion._estimators._parts import parts_of
from skfusion._estimators._summary import summarise
from skfusion._training import Net

__all__ = ["ShownNetwork"]


class ShownNetwork:
    """Adds the summary of the network, and its diagram to scikit-learn's."""

    encoders: Any
    fusion: Any
    head: Any
    net_: Net

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

    def _sk_visual_block_(self) -> Any:
        if "net_" in vars(self):
            return diagram_of_parts(parts_of(self.net_.module, self.net_.module_))
        return diagram_of_recipes(self.encoders, self.fusion, self.head)
