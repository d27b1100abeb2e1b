"""A target and a head of one's own take part in all that those of the library do."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from torch import nn

from skfusion import Blocks, FusionClassifier, FusionRegressor
from skfusion.encoders import RNN
from skfusion.exceptions import ParameterError
from skfusion.fusion import Concat, TokenTransformer
from skfusion.heads import Head, MLPHead
from skfusion.targets import Labels, OutputSpec, Target, ValueCoding, Values
from skfusion.testing import check_head, check_target
from tests.targets.ordinal import CumulativeLink, Ordinal

N = 90
X = np.random.default_rng(0).normal(size=(N, 3))
GRADES = np.digitize(X[:, 0] + X[:, 1], [-0.8, 0.0, 0.8])
Y = X[:, 0] - X[:, 2]
CLIPS = np.random.default_rng(1).normal(size=(N, 5, 2))


def quick(**params):
    return FusionClassifier(**({"max_epochs": 3, "random_state": 0} | params))


# Ordinal classes


def test_ordinal_classes_keep_the_contracts():
    check_target(Ordinal(), GRADES)
    check_head(CumulativeLink(), OutputSpec("classes", (3,), 4))


def test_ordinal_classes_are_learned_and_searched():
    model = quick(target=Ordinal(), head=CumulativeLink(), max_epochs=40, lr=0.02)
    search = GridSearchCV(model, {"head__spread": [0.1, 1.0], "fusion": ["concat", "sum"]}, cv=2)
    blocks = Blocks({"a": X[:, :2], "b": X[:, 2:]})
    search.fit(blocks, GRADES)
    assert search.best_score_ > 0.7
    assert search.score(blocks, GRADES) > 0.8
    np.testing.assert_allclose(search.predict_proba(blocks).sum(axis=1), 1)


def test_ordinal_classes_are_few_lines():
    lines = Path(__file__).with_name("ordinal.py").read_text().splitlines()
    own = [line for line in lines if line.strip() and not line.startswith(("import", "from", '"'))]
    assert len(own) < 40


def test_a_head_that_does_not_know_of_the_order():
    model = quick(target=Ordinal(), early_stopping=True).fit(X, [f"grade {g}" for g in GRADES])
    assert model.predict_proba(X).shape == (N, 4)
    assert model.history_["valid_score"].between(0, 1).all()


# The argument


def test_a_target_is_a_parameter_like_others():
    model = quick(target=Labels())
    assert model.get_params()["target__several"] == "auto"
    assert clone(model.set_params(target__several=False)).target.several is False
    assert quick().set_params(target__several=True).target.several is True
    assert isinstance(FusionRegressor().set_params(target="values").target, str)


def test_words_for_targets():
    several = np.eye(4, dtype=int)[GRADES]
    with_word = quick(target="labels").fit(X, several)  # and no warning
    assert with_word.predict(X).shape == several.shape
    assert quick(target="classes").fit(X, GRADES).classes_.tolist() == [0, 1, 2, 3]
    assert FusionRegressor(target="values", max_epochs=1).fit(X, Y).predict(X).shape == (N,)


def test_a_recipe_is_left_as_it_was():
    recipe = Values()
    FusionRegressor(target=recipe, max_epochs=1).fit(X, Y)
    assert vars(recipe) == {"missing": "error"}


@pytest.mark.parametrize(
    ("model", "y", "match"),
    [
        (quick(target="clases"), GRADES, "target must be a recipe.*Did you mean 'classes'"),
        (quick(target=Labels), GRADES, r"That is the class: write Labels\(\)"),
        (quick(target=Values()), GRADES, r"target=Values\(\) is for FusionRegressor"),
        (FusionRegressor(target=Labels()), Y, r"Labels\(\) is for FusionClassifier"),
        (quick(target=Ordinal(), loss="focal"), GRADES, r"loss=Focal\(\) has no effect"),
        (quick(target=Ordinal(), label_smoothing=0.1), GRADES, "label_smoothing=0.1 has no eff"),
        (quick(target="classes"), np.eye(4)[GRADES], r"several labels a row.*y.argmax"),
        (quick(target="labels"), GRADES, "several labels a row need y as an indicator matrix"),
        (quick(target=Labels(several=3)), GRADES, "several must be one of"),
    ],
)
def test_errors(model, y, match):
    with pytest.raises(ValueError, match=match):
        model.fit(X, y)


class Doubtful(Target):
    """A target of a regressor, for a classifier."""

    def learn(self, y, weight=None, options=None):
        return Values().learn(y)


def test_a_classifier_needs_classes():
    with pytest.raises(ParameterError, match="learns no classes, but a ValueCoding"):
        quick(target=Doubtful()).fit(X, GRADES)


def test_a_fit_that_goes_on_has_the_same_target():
    model = quick(target=Ordinal(), warm_start=True).fit(X, GRADES)
    model.fit(X, GRADES)
    with pytest.raises(ParameterError, match=r"target was Ordinal\(\) and is Labels\(\) now"):
        model.set_params(target="auto").fit(X, GRADES)


# What a prediction is computed from


class Twice(Values):
    """Runs the network once for the rows, and once for them in reverse."""

    def learn(self, y, weight=None, options=None):
        return TwiceCoding(y, weight, super().learn(y, weight, options)._loss)


class TwiceCoding(ValueCoding):
    def predict(self, network, blocks):
        backwards = network.outputs(blocks[::-1])[::-1]
        return self.decode((network.outputs(blocks) + backwards) / 2)


def test_a_target_may_run_the_network_more_than_once():
    check_target(Twice(), Y)
    once = FusionRegressor(max_epochs=2, random_state=0).fit(X, Y)
    twice = FusionRegressor(target=Twice(), max_epochs=2, random_state=0).fit(X, Y)
    np.testing.assert_allclose(twice.predict(X), once.predict(X), atol=1e-5)


# Heads on tokens


class Attends(Head):
    takes = "tokens"

    def build(self, width, output):
        return _Attends(width, output.n_outputs)


class _Attends(nn.Module):
    def __init__(self, width, n_outputs):
        super().__init__()
        self.score, self.out = nn.Linear(width, 1), nn.Linear(width, n_outputs)

    def forward(self, tokens):
        values, mask = tokens
        scores = self.score(values)  # (batch, tokens, 1)
        if mask is not None:
            scores = scores.masked_fill(~mask[:, :, None], -torch.inf)
        return self.out((scores.softmax(1) * values).sum(1))


def test_a_head_takes_the_tokens_of_a_fusion_that_gives_them():
    check_head(Attends(), OutputSpec("value", (3,)))
    fusion = TokenTransformer("all", width=8, n_heads=2)
    model = quick(encoders={"clips": RNN(4)}, fusion=fusion, head=Attends())
    model.fit({"clips": CLIPS, "facts": X}, GRADES)
    blocks = {"clips": CLIPS, "facts": X}
    assert model.predict(blocks).shape == (N,)
    assert model.transform(blocks).shape == (N, 8)
    alone = model.predict_proba({"clips": CLIPS[:1], "facts": X[:1]})
    np.testing.assert_allclose(alone, model.predict_proba(blocks)[:1], atol=1e-5)


class Unread:
    """Fails the test that reads it."""

    def __getattr__(self, name):
        raise AssertionError("X was read")


@pytest.mark.parametrize("fusion", ["concat", "late", Concat()])
def test_a_head_that_its_fusion_cannot_serve_is_refused_before_a_row_is_read(fusion):
    with pytest.raises(ParameterError, match=r'takes the fused tokens, but .* or .*head="linear"'):
        quick(fusion=fusion, head=Attends()).fit(Unread(), GRADES)


class Narrow(Head):
    def build(self, width, output):
        return nn.Linear(width, 2)


class NoModule(Head):
    def build(self, width, output):
        return "a module"


class Typo(Head):
    takes = "token"


@pytest.mark.parametrize(
    ("head", "match"),
    [
        (Narrow(), r"Narrow\(\) must return \(batch, \*output.shape\), which is \(2, 4\).*Got"),
        (NoModule(), r"build of the head NoModule\(\) must return an nn.Module. Got 'a module'"),
        (Typo(), r"takes of the head Typo\(\) must be one of .*Did you mean 'tokens'"),
    ],
)
def test_heads_that_do_not_fit(head, match):
    with pytest.raises(ParameterError, match=match):
        quick(head=head).fit(X, GRADES)


def test_outputs_of_no_fixed_length_need_another_head():
    with pytest.raises(ParameterError, match="differ in length from row to row"):
        MLPHead().build(4, OutputSpec("tokens", (None,), 9))
    with pytest.raises(ParameterError, match="form of an OutputSpec must be one of"):
        OutputSpec("values", (1,))
