"""The estimators."""

from skfusion._estimators._classifier import FusionClassifier
from skfusion._estimators._generator import FusionGenerator
from skfusion._estimators._multi_task import FusionMultiTask
from skfusion._estimators._regressor import FusionRegressor

__all__ = ["FusionClassifier", "FusionGenerator", "FusionMultiTask", "FusionRegressor"]
