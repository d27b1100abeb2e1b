"""Coding of y and the loss, compared with scikit-learn and plain numpy."""

import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.metrics import log_loss, mean_squared_error
from torch import nn

from skfusion.exceptions import TargetError
from skfusion.targets import Labels, TargetOptions, Values


def class_target(y, classes=None):
    return Labels().learn(Labels().read(y), options=TargetOptions(classes=classes))


def value_target(y, weight=None):
    return Values().learn(Values().read(y), weight)


BINARY = np.array(["yes", "no", "no", "yes", "yes"])
MANY = np.array([7, 3, 3, 9, 7])
SETS = np.array([[1, 0, 1], [0, 0, 1], [1, 1, 0], [0, 0, 0], [1, 0, 0]])
VALUES = np.array([3.0, -1.0, 4.0, 10.0, 2.5])
PAIRS = np.column_stack([VALUES, 1000 * VALUES[::-1]])
WEIGHT = np.array([0.5, 2.0, 1.0, 0.25, 1.25])

TARGETS = {
    "binary": (class_target, BINARY, 1),
    "multiclass": (class_target, MANY, 3),
    "multilabel": (class_target, SETS, 3),
    "value": (value_target, VALUES, 1),
    "values": (value_target, PAIRS, 2),
}


@pytest.fixture(params=TARGETS)
def case(request):
    """A target, the y it was made from, and outputs of a network for it."""
    make, y, n_outputs = TARGETS[request.param]
    outputs = np.random.default_rng(0).normal(size=(len(y), n_outputs)) * 2
    return make(y), y, outputs


def loss_of(target, y, outputs, weight=None):
    codes = torch.from_numpy(target.encode(y))
    weight = None if weight is None else torch.from_numpy(weight)
    return target.loss(torch.from_numpy(outputs), codes, weight).item()


def expected_loss(target, y, outputs, weight=None):
    """Return the mean loss by scikit-learn's metrics, from what the user is shown."""
    total = 1 if weight is None else weight.sum() / len(y)
    if not hasattr(target, "classes"):
        codes = target.encode(y)
        return total * mean_squared_error(codes, outputs, sample_weight=weight)
    probabilities = target.probabilities(outputs)
    if y.ndim == 1:
        return total * log_loss(y, probabilities, sample_weight=weight, labels=target.classes)
    each = [
        log_loss(y[:, i], probabilities[:, i], sample_weight=weight, labels=[0, 1])
        for i in range(y.shape[1])
    ]
    return total * np.mean(each)


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["even", "weighted"])
def test_the_loss_is_that_of_what_the_user_is_shown(case, weight):
    found = loss_of(*case, weight=weight)
    np.testing.assert_allclose(found, expected_loss(*case, weight=weight))


def test_equal_weights_are_no_weights(case):
    np.testing.assert_allclose(loss_of(*case), loss_of(*case, weight=np.ones(5)))


def test_the_right_outputs_decode_to_y(case):
    target, y, outputs = case
    decoded = target.decode(right_outputs(target, y).reshape(outputs.shape))
    assert decoded.dtype.kind == y.dtype.kind
    assert decoded.shape == y.shape
    if y.dtype.kind == "f":
        np.testing.assert_allclose(decoded, y)
    else:
        np.testing.assert_array_equal(decoded, y)


def right_outputs(target, y):
    """Return outputs that leave no doubt about y: codes, or scores on the right side of zero."""
    codes = target.encode(y)
    if codes.dtype == np.int64:
        return np.eye(target.n_outputs)[codes]
    return codes - 0.5 if hasattr(target, "classes") else codes


def test_gradients_step_towards_the_codes(case):
    target, y, outputs = case
    module = nn.Linear(1, outputs.shape[1], dtype=torch.float64)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.01)
    codes, x = torch.from_numpy(target.encode(y)), torch.ones(5, 1, dtype=torch.float64)
    losses = []
    for _ in range(10):
        optimizer.zero_grad()
        loss = target.loss(module(x), codes, None)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses == sorted(losses, reverse=True)
    assert losses[0] > losses[-1]


def test_huge_outputs_stay_finite():
    for y, n_outputs in ((BINARY, 1), (MANY, 3), (SETS, 3)):
        outputs = np.full((5, n_outputs), 1e4, dtype=np.float32) * np.array([1, -1, 1][:n_outputs])
        target = class_target(y)
        probabilities = target.probabilities(outputs.astype(np.float32))
        assert probabilities.dtype == np.float64
        assert np.isfinite(probabilities).all()
        assert np.isfinite(loss_of(target, y, outputs.astype(np.float64)))


def test_probabilities_are_softmax_and_sigmoid():
    outputs = np.log([[1.0, 2.0, 5.0]])
    np.testing.assert_allclose(class_target(MANY).probabilities(outputs), [[0.125, 0.25, 0.625]])
    np.testing.assert_allclose(class_target(BINARY).probabilities(np.log([[3.0]])), [[0.25, 0.75]])
    np.testing.assert_allclose(
        class_target(SETS).probabilities(np.log([[1.0, 3.0, 1 / 3]])), [[0.5, 0.75, 0.25]]
    )


def test_values_are_standardised_by_their_weighted_mean_and_spread():
    target = value_target(PAIRS, WEIGHT)
    codes = target.encode(PAIRS)
    np.testing.assert_allclose(np.average(codes, axis=0, weights=WEIGHT), 0, atol=1e-12)
    np.testing.assert_allclose(np.average(codes**2, axis=0, weights=WEIGHT), 1)
    np.testing.assert_allclose(target.decode(codes), PAIRS)


def test_a_constant_value_has_spread_one():
    target = value_target([5.0, 5.0])
    assert target.encode([5.0, 6.0]).ravel().tolist() == [0, 1]


def test_sparse_indicators_are_labels():
    target = class_target(sparse.csr_array(SETS))
    codes = target.encode(sparse.csr_array(SETS))
    assert sparse.issparse(codes)
    np.testing.assert_array_equal(codes.toarray(), SETS)


def test_classes_that_are_named_are_sorted():
    target = class_target(["b", "b"], classes=["c", "b", "a", "b"])
    assert target.classes.tolist() == ["a", "b", "c"]
    assert target.encode(["c", "a"]).tolist() == [2, 0]


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: class_target(["a", "a"]), r"one class only, \['a'\]"),
        (lambda: class_target([[1, 2], [3, 1]]), "several columns of more than two classes"),
        (lambda: class_target(BINARY).encode(["no", "maybe"]), "y, row 1: label .*'maybe'.*none"),
        (lambda: class_target(MANY).encode([3, 3, 4]), r"y, row 2: label .*4.*none of .*\[3, 7, 9"),
        (lambda: class_target(SETS).encode(SETS[:, :2]), r"matrix with 3 columns.*shape \(5, 2\)"),
        (lambda: value_target(PAIRS).encode(VALUES), "y has 1 outputs, but the first fit had 2"),
    ],
)
def test_errors(call, match):
    with pytest.raises(TargetError, match=match):
        call()
