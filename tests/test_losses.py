"""Losses against formulas written in numpy, scikit-learn and scipy."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from scipy.special import expit, softmax
from sklearn.base import clone
from sklearn.linear_model import PoissonRegressor
from sklearn.metrics import (
    log_loss,
    mean_absolute_error,
    mean_pinball_loss,
    mean_poisson_deviance,
)
from sklearn.model_selection import GridSearchCV
from torch.nn import functional as F

from skfusion import Blocks, FusionClassifier, FusionRegressor
from skfusion.encoders import MLP
from skfusion.exceptions import ParameterError, TargetError
from skfusion.losses import (
    CrossEntropy,
    Focal,
    Huber,
    Quantile,
    Squared,
    resolve_class_loss,
    resolve_value_loss,
)
from skfusion.targets import Labels, TargetOptions, Values


def class_target(y, classes, loss, smoothing=0.0):
    return Labels().learn(Labels().read(y), None, TargetOptions(loss, smoothing, classes))


def value_target(y, weight, loss):
    return Values().learn(Values().read(y), weight, TargetOptions(loss))


RNG = np.random.default_rng(0)
N_ROWS = 12
WEIGHT = RNG.uniform(0.1, 2, N_ROWS)
CLASSES = {
    "binary": np.arange(N_ROWS) % 2,
    "multiclass": np.arange(N_ROWS) % 3,
    "multilabel": np.column_stack([np.arange(N_ROWS) % 2, np.arange(N_ROWS) % 3 == 0]).astype(int),
}
VALUES = RNG.gamma(1.0, 3.0, size=(N_ROWS, 2))


def loss_of(target, y, outputs, weight=None):
    codes = torch.from_numpy(target.encode(y))
    weight = None if weight is None else torch.from_numpy(weight)
    return target.loss(torch.from_numpy(outputs), codes, weight).item()


def mean(each, weight):
    """The mean over rows and outputs."""
    each = each.reshape(N_ROWS, -1).mean(1)
    return np.mean(each if weight is None else each * weight)


def shares(kind, outputs):
    """The probability of each class, in a last axis of classes."""
    if kind == "multiclass":
        return softmax(outputs, axis=1)
    return np.stack([expit(-outputs), expit(outputs)], axis=-1)


def truth(kind, smoothing=0.0):
    y = CLASSES[kind]
    hard = np.eye(3 if kind == "multiclass" else 2)[y]
    return hard * (1 - smoothing) + smoothing / hard.shape[-1]


def outputs_for(kind):
    width = {"binary": 1, "multiclass": 3, "multilabel": 2}[kind]
    return RNG.normal(size=(N_ROWS, width)) * 2


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["even", "weighted"])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("kind", CLASSES)
def test_focal_loss_with_smoothed_labels_is_the_formula(kind, gamma, smoothing, weight):
    outputs = outputs_for(kind)
    p = shares(kind, outputs[:, 0] if kind == "binary" else outputs)
    each = -(truth(kind, smoothing) * (1 - p) ** gamma * np.log(p)).sum(-1)
    target = class_target(CLASSES[kind], None, Focal(gamma), smoothing)
    found = loss_of(target, CLASSES[kind], outputs, weight)
    np.testing.assert_allclose(found, mean(each, weight))
    if gamma == 0:
        target = class_target(CLASSES[kind], None, "cross_entropy", smoothing)
        np.testing.assert_allclose(loss_of(target, CLASSES[kind], outputs, weight), found)


def test_smoothing_of_many_classes_is_that_of_torch():
    outputs, y = outputs_for("multiclass"), CLASSES["multiclass"]
    target = class_target(y, None, "cross_entropy", 0.1)
    expected = F.cross_entropy(torch.from_numpy(outputs), torch.from_numpy(y), label_smoothing=0.1)
    np.testing.assert_allclose(loss_of(target, y, outputs), expected.item())


def test_smoothing_of_a_function_is_the_mean_over_the_classes():
    outputs, y = outputs_for("multiclass"), CLASSES["multiclass"]
    target = class_target(y, None, lambda o, c: F.cross_entropy(o, c, reduction="none"), 0.1)
    expected = class_target(y, None, "cross_entropy", 0.1)
    np.testing.assert_allclose(loss_of(target, y, outputs), loss_of(expected, y, outputs))


def test_focal_loss_has_finite_gradients_where_rows_are_right_for_sure():
    for gamma in (0.5, 2.0):
        outputs = torch.tensor([[200.0, -200.0, 0.0]], requires_grad=True)
        Focal(gamma).each(outputs, torch.tensor([0])).sum().backward()
        assert torch.isfinite(outputs.grad).all()


PER_VALUE = {
    "squared": lambda o, c: (o - c) ** 2,
    "absolute": lambda o, c: np.abs(o - c),
    "huber": lambda o, c: np.where(np.abs(o - c) < 1, (o - c) ** 2 / 2, np.abs(o - c) - 0.5),
    "quantile": lambda o, c: np.abs(o - c) / 2,
    "poisson": lambda o, c: np.exp(o) - c * o + c * np.log(c) - c,
}


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["even", "weighted"])
@pytest.mark.parametrize("name", PER_VALUE)
def test_losses_of_values_are_the_formulas(name, weight):
    target, outputs = value_target(VALUES, WEIGHT, name), RNG.normal(size=VALUES.shape) * 2
    each = PER_VALUE[name](outputs, target.encode(VALUES))
    np.testing.assert_allclose(loss_of(target, VALUES, outputs, weight), mean(each, weight))


@pytest.mark.parametrize("level", [0.1, 0.5, 0.9])
def test_pinball_loss_is_that_of_scikit_learn(level):
    target, outputs = value_target(VALUES, None, Quantile(level)), RNG.normal(size=VALUES.shape)
    expected = mean_pinball_loss(target.encode(VALUES), outputs, alpha=level)
    np.testing.assert_allclose(loss_of(target, VALUES, outputs), expected)


def test_poisson_loss_is_half_the_deviance_in_units_of_the_mean():
    y = np.array([0.0, 3.0, 1.0, 7.0])
    target, outputs = value_target(y, None, "poisson"), RNG.normal(size=(4, 1))
    deviance = mean_poisson_deviance(y, target.decode(outputs))
    np.testing.assert_allclose(loss_of(target, y, outputs), deviance / 2 / y.mean())


@pytest.mark.parametrize("delta", [0.3, 1.0, 5.0])
def test_huber_loss_is_quadratic_up_to_delta(delta):
    outputs = torch.linspace(-6, 6, 25, dtype=torch.float64)[:, None]
    residual = outputs.abs()
    expected = torch.where(residual <= delta, residual**2 / 2, delta * (residual - delta / 2))
    torch.testing.assert_close(Huber(delta).each(outputs, torch.zeros_like(outputs)), expected)


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["even", "weighted"])
@pytest.mark.parametrize("loss", ["squared", "absolute", Quantile(0.8), "poisson", "huber"])
def test_the_prior_is_the_constant_of_least_loss(loss, weight):
    if loss == "huber":
        loss = Huber(delta=1e6)  # nearly the squared error: else its constant has no closed form
    target = value_target(VALUES, weight, loss)
    prior = target.prior(target.encode(VALUES), weight)

    def loss_at(value, column):
        outputs = np.tile(prior, (N_ROWS, 1))
        outputs[:, column] = value
        return loss_of(target, VALUES, outputs, weight)

    for column in range(2):
        best = minimize_scalar(lambda value, c=column: loss_at(value, c), (-3, 3), tol=1e-10)
        np.testing.assert_allclose(loss_at(prior[column], column), best.fun, atol=1e-9)


# Fitted


@pytest.fixture(scope="module")
def counts():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 2))
    return X, rng.poisson(np.exp(0.5 * X[:, 0] + 1.0)).astype(float)


def linear(loss, **params):
    """A generalised linear model, trained to its end."""
    settings = {"encoders": {"X": MLP(())}, "early_stopping": False, "weight_decay": 0.0}
    settings |= {"max_epochs": 150, "batch_size": 400, "lr": 0.05, "schedule": "cosine"}
    return FusionRegressor(loss=loss, random_state=0, **(settings | params))


def test_poisson_finds_the_least_deviance(counts):
    X, y = counts
    best = PoissonRegressor(alpha=0.0, tol=1e-10).fit(X, y).predict(X)
    found = linear("poisson").fit(X, y).predict(X)
    assert (found > 0).all()
    np.testing.assert_allclose(found, best, rtol=0.01)
    assert mean_poisson_deviance(y, found) < mean_poisson_deviance(y, best) * 1.0001


def test_poisson_of_several_outputs_and_weights(counts):
    X, y = counts
    weight = np.linspace(0, 2, len(y))
    pair = np.column_stack([y, 1000 * y[::-1]])
    found = linear("poisson").fit(X, pair, sample_weight=weight).predict(X)
    for i, column in enumerate(pair.T):
        best = PoissonRegressor(alpha=0.0, tol=1e-10).fit(X, column, weight).predict(X)
        np.testing.assert_allclose(found[:, i], best, rtol=0.02)


@pytest.mark.parametrize("level", [0.1, 0.5, 0.9])
def test_a_share_of_level_lies_below_the_predicted_quantile(counts, level):
    X, _ = counts
    y = X[:, 0] + np.random.default_rng(1).exponential(2.0, len(X))
    predicted = linear(Quantile(level)).fit(X, y).predict(X)
    assert np.mean(y <= predicted) == pytest.approx(level, abs=0.02)


def test_absolute_error_finds_medians_and_squared_error_means(counts):
    X, _ = counts
    y = np.random.default_rng(1).exponential(2.0, len(X))
    nothing = np.zeros((len(X), 1))
    medians, means = (
        linear(loss).fit(nothing, y).predict(nothing) for loss in ("absolute", "squared")
    )
    np.testing.assert_allclose(medians, np.median(y), rtol=0.02)
    np.testing.assert_allclose(means, y.mean(), rtol=0.02)
    assert mean_absolute_error(y, medians) < mean_absolute_error(y, means)


def test_huber_is_not_led_astray_by_values_far_out(counts):
    X, _ = counts
    y = X[:, 0].copy()
    y[:20] = 1000.0
    errors = [
        np.abs(linear(loss).fit(X, y).predict(X)[20:] - y[20:]).mean()
        for loss in ("squared", Huber(0.01))
    ]
    assert errors[1] < 0.05 * errors[0]


def test_focal_loss_is_less_sure_and_smoothing_too(counts):
    X = counts[0].astype(np.float32)
    y = (X[:, 0] > 0).astype(int)
    params = {"encoders": {"X": MLP(8)}, "members": 1, "max_epochs": 60, "lr": 0.05}
    params["random_state"] = 0
    plain, focal, smooth = (
        FusionClassifier(**params, **more).fit(X, y).predict_proba(X)
        for more in ({}, {"loss": "focal"}, {"label_smoothing": 0.2})
    )
    for other in (focal, smooth):
        assert other.max(1).mean() < plain.max(1).mean() - 0.005
        assert np.mean(other.argmax(1) == y) > 0.95
    assert smooth.max() < 0.96  # the best is 0.9
    assert log_loss(y, plain) < log_loss(y, smooth)


def test_the_default_loss_by_name_and_by_recipe_changes_no_bit(counts):
    X, y = counts
    pairs = [
        (FusionClassifier, y > 2, ["cross_entropy", CrossEntropy()]),
        (FusionClassifier, np.minimum(y, 3), ["cross_entropy", CrossEntropy()]),
        (FusionRegressor, y, ["squared", Squared()]),
    ]
    for kind, target, losses in pairs:
        fits = [kind(max_epochs=2, random_state=0, loss=loss).fit(X, target) for loss in losses]
        plain = kind(max_epochs=2, random_state=0).fit(X, target)
        for fitted in fits:
            np.testing.assert_array_equal(fitted.transform(X), plain.transform(X))


def test_a_function_is_a_loss(counts):
    X, y = counts
    params = {"members": 1, "max_epochs": 3, "random_state": 0}
    named, by_function = (
        FusionRegressor(loss=loss, **params).fit(X, y).predict(X)
        for loss in (Squared(), lambda outputs, codes: (outputs - codes).square())
    )
    np.testing.assert_allclose(by_function, named, rtol=1e-12)
    classes = np.minimum(y, 2)
    named, by_function = (
        FusionClassifier(loss=loss, **params).fit(X, classes).predict_proba(X)
        for loss in ("cross_entropy", lambda o, c: F.cross_entropy(o, c, reduction="none"))
    )
    np.testing.assert_allclose(by_function, named, rtol=1e-9)


def test_weights_of_rows_reach_every_loss(counts):
    X, y = counts
    weight = np.where(np.arange(len(y)) < 200, 1.0, 0.0)
    for loss in ("absolute", Quantile(0.7), "poisson", "huber"):
        params = {"max_epochs": 2, "batch_size": 400, "random_state": 0, "early_stopping": False}
        whole = FusionRegressor(loss=loss, **params).fit(X, y, sample_weight=weight)
        part = FusionRegressor(loss=loss, **params).fit(X[:200], y[:200])
        np.testing.assert_allclose(whole.predict(X), part.predict(X))


def test_losses_of_blocks_alone_are_of_the_same_kind(counts):
    X, y = counts
    fits = [
        FusionRegressor(loss="poisson", block_loss_weight=weight, max_epochs=3, random_state=0)
        for weight in (0.0, 1.0)
    ]
    one, other = (model.fit(X, y).predict(X) for model in fits)
    assert (other > 0).all()
    assert (one != other).any()


def test_a_grid_search_reaches_the_parameters_of_losses(counts):
    X, y = counts
    model = FusionRegressor(loss=Quantile(), max_epochs=1, random_state=0)
    grid = {"loss__level": [0.25, 0.75]}
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(X, y)
    assert search.best_estimator_.loss.level in (0.25, 0.75)
    assert clone(model).set_params(loss=Huber(), loss__delta=3.0).loss.delta == 3.0


def test_rows_without_any_block_get_the_mean_of_counts(counts):
    X, y = counts
    blocks = Blocks({"X": X}, missing={"X": np.arange(len(X)) < 10})
    model = FusionRegressor(loss="poisson", missing="allow", max_epochs=1).fit(blocks, y)
    np.testing.assert_allclose(model.predict(blocks)[:10], y.mean(), rtol=1e-6)


@pytest.mark.parametrize("loss", [Quantile(0.3), "poisson", "huber"])
def test_partial_fit_keeps_the_loss(counts, loss):
    X, y = counts
    params = {"max_epochs": 1, "random_state": 0, "early_stopping": False}
    by_fit = FusionRegressor(loss=loss, **params).fit(X, y)
    by_part = FusionRegressor(loss=loss, **params).partial_fit(X, y)
    np.testing.assert_array_equal(by_fit.predict(X), by_part.predict(X))


# Errors


@pytest.mark.parametrize(
    ("resolve", "loss", "match"),
    [
        (resolve_class_loss, "fcal", "loss must be.*one of 'cross_entropy', 'focal'.*'focal'?"),
        (resolve_class_loss, "squared", "Got 'squared'"),
        (resolve_class_loss, Huber(), r"loss=Huber\(\) is for another kind of target"),
        (resolve_value_loss, "poison", "Did you mean 'poisson'"),
        (resolve_value_loss, Focal(), r"loss=Focal\(\) is for another kind"),
        (resolve_value_loss, Quantile, "Got <class 'skfusion.losses.Quantile'>"),
        (resolve_value_loss, Quantile(1.0), "level must lie strictly between 0 and 1. Got 1.0"),
        (resolve_value_loss, Huber(0), "delta must be > 0"),
        (resolve_class_loss, Focal(-1), "gamma must be a number >= 0"),
    ],
)
def test_losses_that_are_none(resolve, loss, match):
    with pytest.raises(ParameterError, match=match):
        resolve(loss)


def test_a_function_of_other_arguments_is_told_so(counts):
    match = r"in the function given as loss, .*\(outputs, codes\): .* positional argument"
    with pytest.raises(TypeError, match=match):
        FusionRegressor(loss=lambda outputs: outputs, max_epochs=1).fit(*counts)


def test_a_function_that_returns_a_mean_is_told_so(counts):
    X, y = counts
    with pytest.raises(ParameterError, match=r"loss for each row.*Got \(\).*reduction=\"none\""):
        FusionRegressor(loss=F.mse_loss).fit(X, y)


@pytest.mark.parametrize("smoothing", [-0.1, 1.5, "much"])
def test_smoothing_out_of_range(counts, smoothing):
    with pytest.raises(ParameterError, match="label_smoothing must be a number between 0 and 1"):
        FusionClassifier(label_smoothing=smoothing).fit(counts[0], counts[1] > 2)


def test_poisson_takes_no_negative_values(counts):
    X, y = counts
    with pytest.raises(TargetError, match=r"needs y >= 0. Got -1 in row 3, output 0"):
        FusionRegressor(loss="poisson").fit(X, np.where(np.arange(len(y)) == 3, -1, y))
    with pytest.raises(TargetError, match="y is 0 in every row of output 0"):
        FusionRegressor(loss="poisson").fit(X, 0 * y)
    fitted = FusionRegressor(loss="poisson", max_epochs=1).fit(X, y)
    with pytest.raises(TargetError, match="needs y >= 0"):
        fitted.partial_fit(X, -y)
