"""What an editor knows of a user's code. `make lint` checks it with mypy; nothing here is run."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from typing_extensions import assert_type

    from skfusion import Blocks, BlockUnion, FusionClassifier, FusionRegressor, Ragged
    from skfusion.inputs import Tokenizer

    def classify(X: pd.DataFrame, y: list[str]) -> None:
        model = FusionClassifier().fit(X, y)
        assert_type(model, FusionClassifier)
        assert_type(model.set_params(lr=0.01).partial_fit(X, y), FusionClassifier)
        assert_type(model.predict(X), np.ndarray)
        assert_type(model.predict_proba(X), np.ndarray)
        assert_type(model.history_, pd.DataFrame)
        assert_type(model.summary(), pd.DataFrame)

    def regress(X: Blocks, y: np.ndarray) -> None:
        model = FusionRegressor(encoders={"photo": "cnn"}, fusion="gated").fit(X, y)
        assert_type(model, FusionRegressor)
        assert_type(model.score(X, y), float)

    def make_blocks(X: dict[str, list[str]]) -> None:
        assert_type(BlockUnion().fit(X).transform(X), Blocks)
        assert_type(BlockUnion().fit_transform(X)[:10], Blocks)
        words = Tokenizer().fit(X["review"]).transform(X["review"])
        assert_type(words[0], np.ndarray)
        assert_type(words[:2], Ragged)
