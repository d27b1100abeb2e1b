import pytest

from skfusion import FusionClassifier
from skfusion.blocks import Blocks
from skfusion.exceptions import ParameterError
from skfusion.fusion import Concat, Gated, Tree
from skfusion.inspection import ablation
from skfusion.inspection._variants import check_operators, make_variants

ROWS = Blocks({"left": [[1.0], [-1.0]] * 6, "right": [[0.5], [0.0]] * 6})
TARGET = ["yes", "no"] * 6


def long_tree(width):
    """Fusions that differ far from both ends of a repr of more than a thousand characters."""
    groups = [(f"group number {i}", [f"block {i}a", f"block {i}b"], Gated()) for i in range(25)]
    groups[12] = (*groups[12][:2], Gated(width=width))
    return Tree(groups)


def test_fusions_that_differ_where_their_repr_is_cut_are_both_compared():
    one, other = long_tree(4), long_tree(8)
    assert repr(one) == repr(other)
    fusions = check_operators([one, other], "concat")
    assert [*fusions.values()] == [fusions["concat"], one, other]
    assert ["width=4" in label for label in fusions] == [False, True, False]


def test_fusions_that_differ_in_one_of_very_many_groups_need_labels():
    """Scikit-learn writes at most thirty entries of a list, however many characters are asked."""
    groups = [(f"g{i}", [f"a{i}", f"b{i}"], "sum") for i in range(40)]
    one, other = Tree(groups), Tree([*groups[:35], ("g35", ["a35", "b35"], "max"), *groups[36:]])
    assert [*check_operators({"sums": one, "a maximum": other}, "concat")][1:] == [
        "sums",
        "a maximum",
    ]
    with pytest.raises(ParameterError, match='two fusions are called "Tree.*operators={label'):
        check_operators([one, other], "concat")


def test_the_label_of_an_operator_names_the_estimators_own_fusion_too():
    variants = make_variants(("a", "b"), check_operators({"baseline": Concat()}, "concat"))
    assert [variant.label for variant in variants] == ["a", "b", "baseline"]
    fusions = check_operators({"late": "late", "baseline": "concat"}, Concat())
    assert [*fusions] == ["baseline", "late"]


def test_two_fusions_under_one_name_are_refused():
    with pytest.raises(ParameterError, match=r"called 'concat': Concat\(\) and Gated\(\)"):
        check_operators({"concat": Gated()}, "concat")
    with pytest.raises(ParameterError, match="called '1'"):
        check_operators({1: "gated", "1": "late"}, "concat")


def test_one_fusion_under_two_names_is_refused():
    with pytest.raises(ParameterError, match="'gates' and 'again' are the same fusion"):
        check_operators({"gates": "gated", "again": Gated()}, "concat")
    assert [*check_operators(["late", "late"], "concat")] == ["concat", "late"]


@pytest.mark.parametrize(
    ("operators", "repair"),
    [
        ("late", r"Got 'late'. Write operators=\['late'\]"),
        (None, r"Got None. Write operators=\[\] to compare"),
        (Gated(), r"Got Gated\(\). Write operators=\[Gated\(\)\]"),
    ],
)
def test_operators_are_a_list_or_a_dict(operators, repair):
    with pytest.raises(ParameterError, match=f"operators must be a list or a dict.*{repair}"):
        ablation(FusionClassifier(), ROWS, TARGET, operators=operators)


@pytest.mark.parametrize("operators", [["gate"], {"mine": "gate"}])
def test_what_is_no_fusion_is_told_as_one_of_operators(operators):
    with pytest.raises(ParameterError, match="Did you mean 'gated'") as caught:
        ablation(FusionClassifier(), ROWS, TARGET, operators=operators)
    assert "'gate' is one of operators" in str(caught.value)


def test_operators_are_checked_before_anything_is_fitted():
    class Unfit(FusionClassifier):
        def fit(self, X, y):
            raise AssertionError("fitted")

    with pytest.raises(ParameterError, match="Did you mean 'gated'"):
        ablation(Unfit(), ROWS, TARGET, cv=2, operators=["gate"])
