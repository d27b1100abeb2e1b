"""Neural networks on rows that carry several kinds of data at once, as scikit-learn estimators."""

from skfusion._estimators import (
    FusionClassifier,
    FusionGenerator,
    FusionMultiTask,
    FusionRegressor,
)
from skfusion.blocks import Blocks, BlockSpec, Ragged
from skfusion.inputs import BlockUnion

__version__ = "0.1.0"

__all__ = [
    "BlockSpec",
    "BlockUnion",
    "Blocks",
    "FusionClassifier",
    "FusionGenerator",
    "FusionMultiTask",
    "FusionRegressor",
    "Ragged",
]
