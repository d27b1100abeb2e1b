"""The network in scikit-learn's HTML diagram."""

import re
from html.parser import HTMLParser

import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_html_repr

from skfusion import BlockUnion, FusionClassifier, FusionRegressor
from skfusion.encoders import CNN, RNN, Chain, Policy
from skfusion.fusion import Tree

TREE = [("language", ["text", "words"], "gated"), ("seen", ["language", "photo"], "sum")]


class Boxes(HTMLParser):
    """Collects the labels, the elements' ids, and the names of the elements."""

    def __init__(self, html):
        super().__init__()
        self.labels, self.ids, self.tags, self.outside = [], [], [], []
        self.inside = 0
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.tags.append(tag)
        self.ids += [given["id"]] if "id" in given else []
        self.outside += [given[key] for key in ("src", "href", "xlink:href") if key in given]
        if tag == "label":
            self.inside += 1
            self.labels.append("")

    def handle_endtag(self, tag):
        self.inside -= tag == "label"

    def handle_data(self, data):
        if self.inside:
            self.labels[-1] += data.replace("\N{NO-BREAK SPACE}", " ")


def labels(estimator):
    return Boxes(estimator_html_repr(estimator)).labels


@pytest.fixture(scope="module")
def fitted(X, y, make):
    return make(max_epochs=1).fit(X, y)


def test_blocks_encoders_fusion_and_head_follow_each_other(fitted):
    shown = labels(fitted)
    assert shown[0].startswith("FusionClassifier")
    assert shown[1::2][:4] == ["text", "facts", "photo", "words"]
    summary = fitted.summary()["parameters"]
    photo, head = summary["block", "photo"], summary["head", ""]
    assert (
        f"CNN3 \N{MULTIPLICATION SIGN} 4 \N{MULTIPLICATION SIGN} 1 → 4 ({photo:,} parameters)"
        in shown
    )
    assert shown[-2:] == [
        "Concat4 blocks → 16 (no parameters)",
        f"LinearHead16 → 1 ({head} parameters)",
    ]


def test_every_way_of_showing_has_it(fitted):
    assert "LinearHead" in fitted._repr_html_()
    assert "LinearHead" in fitted._repr_mimebundle_()["text/html"]
    with config_context(display="text"):
        assert not hasattr(fitted, "_repr_html_")


def test_it_is_inside_the_diagrams_of_pipelines_and_searches(X, y, fitted, make):
    pipeline = make_pipeline("passthrough", make(max_epochs=1)).fit(X, y)
    assert set(labels(fitted)[1:]) <= set(labels(pipeline))
    search = GridSearchCV(make(max_epochs=1), {"lr": [1e-3]}, cv=2).fit(X, y)
    assert "LinearHead" in search._repr_html_()


def test_a_tree_is_drawn_as_a_tree(X, y, make):
    """A group's branch holds the branches of its blocks, then the box of its fusion."""
    shown = labels(make(max_epochs=1, fusion=TREE).fit(X, y))
    names = [re.match(r"\w+?(?=\d| |$)", label)[0] for label in shown]
    order = ["seen", "language", "text", "words", "Gated", "photo", "Sum", "facts", "Concat"]
    places = [names.index(name) for name in order]
    assert places == sorted(places)


def test_before_the_fit_recipes_are_shown_as_far_as_known():
    encoders = {"photo": Policy(Chain(CNN(), RNN(width=8)), lr_scale=0.1), "facts": "mlp"}
    shown = labels(FusionRegressor(encoders, fusion=[("both", ["photo", "text"], "gated")]))
    assert {"photo", "Chain(CNN, RNN)lr_scale=0.1", "MLP", "Gated", "other blocks"} < set(shown)
    assert "text" in shown and shown[-2:] == ["Concat", "LinearHead"]
    assert labels(FusionClassifier())[1:] == ["every block", "by its form", "Concat", "LinearHead"]
    assert "LinearHead" not in labels(FusionClassifier(fusion="late"))


@pytest.mark.parametrize("params", [{"fusion": "concta"}, {"encoders": {"photo": "cnm"}}])
def test_what_cannot_be_built_is_shown_plainly(params):
    shown = labels(FusionClassifier(**params))
    assert len(shown) == 1 and shown[0].startswith("FusionClassifier")


def test_names_are_escaped(X, y):
    """A script would run in the notebook of whoever opens it."""
    evil = '<script>alert("x")</script>'
    blocks = {evil: X["facts"], "a&b": X["facts"]}
    model = FusionClassifier(fusion=Tree([("<img src=x>", [evil], "sum")]), max_epochs=1)
    plain = Boxes(estimator_html_repr(FusionClassifier())).tags
    for estimator in (model, clone(model).fit(blocks, y), make_pipeline(model)):
        boxes = Boxes(estimator_html_repr(estimator))
        assert evil in boxes.labels and "<img src=x>" in boxes.labels
        assert "<script>alert" not in estimator_html_repr(estimator)
        assert boxes.tags.count("script") == plain.count("script")
        assert "img" not in boxes.tags


def test_ids_are_unique_on_a_page_and_nothing_is_loaded(fitted):
    pages = [Boxes(estimator_html_repr(fitted)) for _ in range(2)]
    ids = [*pages[0].ids, *pages[1].ids]
    assert ids and len(ids) == len(set(ids))
    assert pages[0].outside == []


def test_details_are_cut(X, y, make):
    model = make(max_epochs=1).fit(X, y)
    model.net_.module_.encoders[1].extend([type(model.net_.module_.fusion)(()) for _ in range(500)])
    assert estimator_html_repr(model).count("_Concat") < 200


def test_the_text_stays_as_it_was(fitted):
    assert repr(fitted).startswith("FusionClassifier(device='cpu'")


def test_a_union_beside_it_keeps_its_branches(y):
    import pandas as pd

    frame = pd.DataFrame({"price": range(len(y)), "stars": range(len(y))})
    union = BlockUnion(
        [("price", StandardScaler(), ["price"]), ("stars", "passthrough", ["stars"])]
    )
    model = make_pipeline(union, FusionClassifier(max_epochs=1)).fit(frame, y)
    shown = labels(model)
    assert shown.count("price") == 2 and shown.count("stars") == 2
