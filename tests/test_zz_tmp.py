from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks
import pytest
from skfusion import BlockUnion, FusionClassifier, FusionRegressor
import torch; torch.set_num_threads(1)
@parametrize_with_checks([FusionClassifier(), FusionRegressor(), BlockUnion()])
def test_a(estimator, check): check(estimator)
@parametrize_with_checks([make_pipeline(BlockUnion(), FusionClassifier())])
def test_p(estimator, check): check(estimator)
@parametrize_with_checks([make_pipeline(BlockUnion(dtype=None), FusionClassifier())])
def test_p64(estimator, check): check(estimator)
