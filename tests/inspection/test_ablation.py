import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    LeaveOneOut,
    RepeatedStratifiedKFold,
    StratifiedKFold,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from skfusion import Blocks, BlockUnion, FusionClassifier, FusionRegressor
from skfusion.encoders import MLP
from skfusion.exceptions import BlockTypeError, ParameterError
from skfusion.fusion import FiLM, Gated, Late, Tree
from skfusion.inspection import ablation, conclusion
from skfusion.inspection._variants import make_variants
from skfusion.inspection._verdicts import Results, compare

FOLDS = StratifiedKFold(3, shuffle=True, random_state=0)
COLUMNS = ["variant", "kind", "mean", "std", "n_folds", "difference", "low", "high"]


def classifier(encoders=None, **params):
    defaults = {"max_epochs": 4, "lr": 0.02, "batch_size": 32, "random_state": 0}
    return FusionClassifier(encoders, **{**defaults, **params})


def three_blocks(n=90, seed=0):
    rng = np.random.default_rng(seed)
    X = Blocks({name: rng.normal(size=(n, 2)) for name in ("left", "right", "noise")})
    return X, (X["left"][:, 0] + X["right"][:, 0] > 0).astype(int)


# What is compared


def test_a_row_per_block_per_block_left_out_and_per_operator():
    model = classifier(max_epochs=1)
    table = ablation(model, *three_blocks(), cv=2, operators=["early", "gated", "late"])
    assert [*table.columns] == [*COLUMNS, "p_value", "p_holm", "verdict"]
    assert table[["variant", "kind"]].to_numpy().tolist() == [
        ["left", "block alone"],
        ["right", "block alone"],
        ["noise", "block alone"],
        ["all but left", "leave one out"],
        ["all but right", "leave one out"],
        ["all but noise", "leave one out"],
        ["concat", "middle fusion"],
        ["early", "early fusion"],
        ["gated", "middle fusion"],
        ["late", "late fusion"],
    ]


def test_of_two_blocks_leaving_one_out_is_the_other_alone():
    X, y = three_blocks()
    table = ablation(classifier(), X.select(["left", "noise"]), y, cv=FOLDS, operators=[])
    assert table["variant"].tolist() == ["left", "noise", "concat"]


def test_the_estimators_own_fusion_comes_first_and_is_not_fitted_twice():
    X, y = three_blocks()
    operators = [Gated(width=4), "concat", "late"]
    model = classifier(fusion=Gated(width=4))
    table = ablation(model, X.select(["left", "noise"]), y, cv=FOLDS, operators=operators)
    assert table["variant"].tolist()[2:] == ["Gated(width=4)", "concat", "late"]


def test_operators_may_be_labelled():
    X, y = three_blocks()
    operators = {"votes": Late(combine="vote"), "small gates": Gated(width=2)}
    table = ablation(classifier(), X, y, cv=FOLDS, operators=operators)
    assert table["variant"].tolist()[-2:] == ["votes", "small gates"]
    assert table["kind"].tolist()[-2:] == ["late fusion", "middle fusion"]


def test_a_fusion_that_names_blocks_is_adapted_where_one_is_left_out():
    film = {v.label: v.fusion for v in make_variants(("a", "b", "c"), {"": FiLM(by="b")})}
    assert film["all but b"].by is None
    assert film["all but a"].by == "b"
    tree = Tree([("both", ["a", "b"], "sum"), ("top", ["both"], "mean")], final=FiLM(by="c"))
    pruned = {v.label: v.fusion for v in make_variants(("a", "b", "c"), {"": tree})}
    assert pruned["all but a"].groups[0][:2] == ("both", ["b"])
    assert pruned["all but c"].final.by is None
    lonely = Tree([("one", ["a"], "sum"), ("top", ["one"], "mean")], final="gated")
    assert isinstance(make_variants(("a", "b", "c"), {"": lonely})[3].fusion, Gated)


def test_a_tree_is_compared_without_each_of_its_blocks():
    X, y = three_blocks()
    model = classifier(fusion=[("sides", ["left", "right"], FiLM(by="left"))])
    table = ablation(model, X, y, cv=2, operators=[])
    assert len(table) == 7
    assert table["mean"].notna().all()


# Scores and tests


def test_scores_are_those_of_cross_validation_with_the_same_blocks():
    X, y = three_blocks()
    encoders = {"left": MLP((4,)), "noise": MLP((4,))}
    table = ablation(classifier(encoders), X, y, cv=FOLDS, operators=["late"]).set_index("variant")
    expected = {
        "left": cross_val_score(classifier({"left": MLP((4,))}), X.select(["left"]), y, cv=FOLDS),
        "all but left": cross_val_score(
            classifier({"noise": MLP((4,))}), X.select(["right", "noise"]), y, cv=FOLDS
        ),
        "late": cross_val_score(classifier(encoders, fusion="late"), X, y, cv=FOLDS),
    }
    for variant, scores in expected.items():
        assert table.loc[variant, "mean"] == pytest.approx(scores.mean())
        assert table.loc[variant, "std"] == pytest.approx(scores.std(ddof=1))


def test_p_values_are_of_the_differences_to_the_best_block_fold_by_fold():
    X, y = three_blocks()
    table = ablation(classifier(), X, y, cv=FOLDS, scoring="neg_log_loss", operators=[])
    scores = {
        name: cross_val_score(classifier(), X.select(blocks), y, cv=FOLDS, scoring="neg_log_loss")
        for name, blocks in {
            "left": ["left"],
            "right": ["right"],
            "noise": ["noise"],
            "concat": X.names,
        }.items()
    }
    best = max(("left", "right", "noise"), key=lambda name: scores[name].mean())
    d = scores["concat"] - scores[best]
    t = d.mean() / np.sqrt((1 / 3 + 30 / 60) * d.var(ddof=1))
    row = table.set_index("variant").loc["concat"]
    assert row["difference"] == pytest.approx(d.mean(), rel=1e-4)
    assert row["p_value"] == pytest.approx(2 * stats.t.sf(abs(t), 2), rel=1e-3)
    assert table.set_index("variant").loc[best, "verdict"] == "the best single block"


def test_alpha_is_the_line_between_certain_and_chance():
    X, y = three_blocks()
    arguments = {"cv": FOLDS, "operators": []}
    strict = ablation(classifier(), X, y, alpha=0.0, **arguments)
    assert strict["verdict"][0:3].str.match("the best single block|not told apart").all()
    lenient = ablation(classifier(), X, y, alpha=1.0, **arguments)
    certain = lenient["p_holm"] < 1
    assert certain.any()
    assert lenient["verdict"][certain].str.match("worse|fusion helped|fusion hurt").all()


def made_up(**differences):
    """Scores over ten folds: a block alone at 0.8, another at 0.5, and fusions that differ."""
    rng = np.random.default_rng(0)
    base = 0.8 + 0.02 * rng.normal(size=10)
    variants = [("text", "block alone"), ("noise", "block alone")]
    variants += [(name, "middle fusion") for name in differences]
    scores = [base, base - 0.3 + 0.02 * rng.normal(size=10)]
    scores += [base + d + 0.01 * rng.normal(size=10) for d in differences.values()]
    return Results(variants, np.array(scores), n_train=90, n_test=10)


def test_verdicts_in_words():
    table = compare(made_up(helps=0.1, hurts=-0.1, more=0.002, less=-0.006), alpha=0.05)
    assert table["verdict"].tolist() == [
        "the best single block",
        "worse than 'text'",
        "fusion helped: better than 'text' alone",
        "fusion hurt: worse than 'text' alone",
        "fusion not shown to help: its gain over 'text' alone is within chance",
        "fusion did not help: no better than 'text' alone",
    ]


def test_only_one_fold_is_called_one():
    results = made_up(gain=0.1)
    one = compare(Results(results.variants, results.scores[:, :1], 90, 10), alpha=0.05)
    three = compare(Results(results.variants, results.scores[:, :3], 90, 10), alpha=0.05)
    assert one["verdict"].str.startswith("one fold").tolist() == [False, True, True]
    assert not three["verdict"].str.startswith("one fold").any()
    assert not conclusion(three.assign(p_holm=np.nan)).startswith("One fold")


def test_many_operators_must_pass_a_stricter_test():
    one = compare(made_up(gain=0.012), alpha=0.05)
    many = compare(made_up(gain=0.012, **{f"other{i}": 0.0 for i in range(19)}), alpha=0.05)
    assert one["p_value"][2] == pytest.approx(many["p_value"][2])
    assert one["p_holm"][2] == one["p_value"][2]
    assert many["p_holm"][2] == pytest.approx(min(1, 20 * one["p_value"][2]))
    assert one["p_holm"][1] == one["p_value"][1] == many["p_holm"][1]


def test_one_fold_has_no_verdict():
    results = made_up(gain=0.1)
    one = Results(results.variants, results.scores[:, :1], 90, 10)
    table = compare(one, alpha=0.05)
    assert table["verdict"][2] == "one fold does not tell it from 'text' alone"
    assert table["std"].isna().all()
    assert conclusion(table).startswith("One fold does not tell whether fusion helps: 'gain'")


@pytest.mark.parametrize(
    ("differences", "opening"),
    [
        ({"a": 0.1, "b": 0.0}, "Fusion helped: 'a', the best of the 1 of 2 fused variants for"),
        ({"a": 0.1, "b": 0.2}, "Fusion helped: 'b', the best of 2 fused variants, scores"),
        ({"a": -0.1, "b": 0.003}, "Fusion not shown to help: 'b', the best of 2 fused variants"),
        (
            {"a": -0.1, "b": -0.003},
            "Fusion did not help: 'b', the best of 2 fused variants",
        ),
        ({"a": -0.1, "b": -0.2}, "Fusion hurt: 'a', the best of 2 fused variants, scores"),
    ],
)
def test_the_conclusion_is_one_sentence(differences, opening):
    sentence = conclusion(compare(made_up(**differences), alpha=0.05))
    assert sentence.startswith(opening)
    assert "of 'text' alone; difference" in sentence


def test_fusion_is_said_to_help_where_both_blocks_are_needed():
    X, y = three_blocks(180)
    folds = RepeatedStratifiedKFold(n_splits=3, n_repeats=2, random_state=0)
    model = classifier(max_epochs=8, lr=0.05)
    table = ablation(model, X.select(["left", "right"]), y, cv=folds, operators=[])
    assert table["verdict"][2].startswith("fusion helped")
    assert conclusion(table).startswith("Fusion helped")


def test_fusion_is_said_not_to_help_where_one_block_tells_all():
    X, _ = three_blocks()
    y = X["left"][:, 0] > 0
    model = classifier(max_epochs=8, lr=0.05)
    table = ablation(model, X.select(["left", "noise"]), y, cv=FOLDS)
    fused = table[table["kind"] != "block alone"]
    assert fused["verdict"].str.match("fusion (did not help|not shown to help|hurt)").all()


# Where blocks come from


class Counting(TransformerMixin, BaseEstimator):
    fits = 0

    def fit(self, X, y=None):
        type(self).fits += 1
        self.fitted_ = True
        return self

    def transform(self, X):
        check_is_fitted(self)
        return np.asarray(X, dtype=float)


def test_what_makes_blocks_is_fitted_once_a_fold():
    X, y = three_blocks()
    frame = pd.DataFrame(np.hstack([X["left"], X["right"]]), columns=list("abcd"))
    union = BlockUnion([("left", Counting(), ["a", "b"]), ("right", StandardScaler(), ["c", "d"])])
    Counting.fits = 0
    model = make_pipeline(union, classifier())
    table = ablation(model, frame, y, cv=FOLDS, operators=["late"])
    assert Counting.fits == 3
    assert table["variant"].tolist() == ["left", "right", "concat", "late"]
    assert table["n_folds"].tolist() == [3] * 4
    with pytest.raises(NotFittedError, match="not fitted"):
        check_is_fitted(model)


def test_folds_do_not_leak_into_what_makes_blocks():
    """A transformer that sees held-out rows would know their mean."""

    class Spy(Counting):
        seen = ()

        def fit(self, X, y=None):
            type(self).seen = (*type(self).seen, len(X))
            return super().fit(X)

    X, y = three_blocks()
    union = BlockUnion([("left", Spy(), [0, 1]), ("right", "passthrough", [2, 3])])
    matrix = np.hstack([X["left"], X["right"]])
    ablation(make_pipeline(union, classifier()), matrix, y, cv=FOLDS, operators=[])
    assert Spy.seen == (60, 60, 60)


def test_a_mixed_table_needs_no_pipeline():
    X, y = three_blocks(60)
    frame = pd.DataFrame({"size": X["left"][:, 0], "word": np.where(y, "good", "bad")})
    table = ablation(classifier(), frame, y, cv=2, operators=[])
    assert len(table) == 3


def test_a_dict_of_arrays_and_a_regression():
    X, _ = three_blocks()
    parts = {name: X[name] for name in ("left", "right")}
    y = parts["left"].sum(axis=1)
    model = FusionRegressor(max_epochs=20, lr=0.02, random_state=0)
    table = ablation(model, parts, y, cv=3, operators=["late"], scoring="r2")
    assert table.set_index("variant")["mean"].idxmax() != "right"
    assert table["verdict"][0] == "the best single block"


def test_rows_that_lack_a_block():
    X, y = three_blocks()
    rng = np.random.default_rng(0)
    mask = rng.uniform(size=len(X)) < 0.3
    X = X.assign({}, {"left": mask})
    table = ablation(classifier(), X, y, cv=FOLDS, operators=["gated"])
    kept = np.flatnonzero(~mask)
    scores = []
    for train, test in FOLDS.split(np.zeros(len(X)), y):
        rows = np.intersect1d(train, kept)
        model = classifier().fit(X[rows].select(["left"]), y[rows])
        there = np.intersect1d(test, kept)
        answers = np.full(len(X), np.argmax(np.bincount(y[rows])))
        answers[there] = model.predict(X[there].select(["left"]))
        scores.append(np.mean(answers[test] == y[test]))
    assert table["mean"][0] == pytest.approx(np.mean(scores))


def test_groups_reach_the_splitter():
    X, y = three_blocks(60)
    groups = np.arange(60) // 10
    arguments = {"cv": GroupKFold(2), "groups": groups, "operators": []}
    alone = ablation(classifier(), X, y, **arguments)
    folds = list(GroupKFold(2).split(np.zeros(60), y, groups))
    pd.testing.assert_frame_equal(alone, ablation(classifier(), X, y, cv=folds, operators=[]))


# Bad input


def test_one_block_is_no_fusion():
    X, y = three_blocks()
    with pytest.raises(ParameterError, match=r"at least two blocks. Got \['left'\]"):
        ablation(classifier(), X.select(["left"]), y, cv=2)


def test_what_does_not_fuse_is_refused():
    X, y = three_blocks()
    with pytest.raises(ParameterError, match="FusionClassifier or FusionRegressor. Got Logistic"):
        ablation(LogisticRegression(), X, y)
    search = GridSearchCV(classifier(), {"lr": [0.1]})
    with pytest.raises(ParameterError, match="Got GridSearchCV.*a search over one that is fitted"):
        ablation(search, X, y)


def test_an_error_names_the_variant():
    X, y = three_blocks()
    with pytest.raises(ParameterError, match="width must be") as caught:
        ablation(classifier(), X, y, cv=2, operators={"none": Gated(width=0)})
    assert "'none'" in str(caught.value)


def test_a_score_that_is_nan_is_refused_at_its_fold():
    X, y = three_blocks(12)

    def undefined(model, X, y):
        return np.nan if len(X.names) == 3 else 0.5

    settings = {"cv": LeaveOneOut(), "operators": [], "scoring": undefined}
    with pytest.raises(
        ParameterError, match=r"nan on a fold of 1 row\..*fewer and larger"
    ) as caught:
        ablation(classifier(max_epochs=1), X, y, **settings)
    assert "variant 'concat'" in str(caught.value)


def test_without_y_there_is_nothing_to_score_against():
    with pytest.raises(ParameterError, match="y must be the target of the rows.*Got None"):
        ablation(classifier(), three_blocks()[0], None)


def test_a_dict_with_text_has_no_rows_to_select():
    X = {"price": np.ones((4, 1)), "note": np.array(["a", "b", "c", "d"], dtype=object)}
    model = make_pipeline(BlockUnion(), FusionClassifier())
    with pytest.raises(BlockTypeError, match=r"text or objects \('note'\).*Pass a DataFrame"):
        ablation(model, X, [0, 1, 0, 1], cv=2)
