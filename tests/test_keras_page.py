"""``docs/keras.md``: our programs run, are no longer than in Keras, and have the same networks."""

import ast
import re

import numpy as np
import pytest

from benchmarks.peers.keras_page import read_page
from skfusion import FusionClassifier
from skfusion._estimators._dry_run import check_encoders
from skfusion.encoders import Encoder, Pretrained, SameAs

PAGE = read_page()
TITLES = [program.title for program in PAGE.programs]
# Keras' TextVectorization has a column for unknown words, TfidfVectorizer has none.
COLUMN_OF_UNKNOWN = {"A text in two representations": 64}


def n_lines(code):
    """Count lines but empty ones, comments and lone brackets."""
    lines = [line.strip() for line in code.splitlines()]
    return sum(bool(re.search(r"\w", line)) and not line.startswith("#") for line in lines)


def table():
    """Return of each program the lines and the weights, (Keras, here, Keras, here)."""
    rows = re.findall(r"^\| \[(.+?)\]\(#\S+\) \| (.+) \|$", PAGE.text, flags=re.MULTILINE)
    return {
        title: [int(cell.replace(",", "")) for cell in cells.split(" | ")] for title, cells in rows
    }


@pytest.fixture(scope="module")
def run():
    """Return a function that runs our program of a title, once, and returns its model."""
    names, models = {}, {}
    exec(PAGE.rows + PAGE.our_imports, names)
    for program in PAGE.programs:
        exec(compile(program.ours, f"keras.md: {program.title}", "exec"), names)
        models[program.title] = names["model"]
    return models.__getitem__


def test_the_table_has_the_five_programs():
    assert list(table()) == TITLES
    assert len(TITLES) == 5


@pytest.mark.parametrize("program", PAGE.programs, ids=TITLES)
def test_no_program_is_longer_than_in_keras(program):
    theirs, ours = n_lines(program.keras), n_lines(program.ours)
    assert ours <= theirs
    assert table()[program.title][:2] == [theirs, ours]
    lines = [*program.keras.splitlines(), *program.ours.splitlines()]
    assert max(map(len, lines)) <= 100, "a line that is longer counts as one"


@pytest.mark.parametrize("program", PAGE.programs, ids=TITLES)
def test_each_statement_of_keras_has_a_line_of_its_own(program):
    """Or else the counts would not be comparable."""
    for code in (program.keras, program.ours):
        starts = [node.lineno for node in ast.walk(ast.parse(code)) if isinstance(node, ast.stmt)]
        assert len(starts) == len(set(starts))


@pytest.mark.parametrize("title", TITLES)
def test_the_network_has_the_weights_of_keras(title, run):
    module = run(title).net_.module_
    sizes = {name: weight.numel() for name, weight in module.named_parameters()}
    assert table()[title][3] == sum(sizes.values())
    for_missing = sum(n for name, n in sizes.items() if "missing_embeddings" in name)
    second_bias = sum(n for name, n in sizes.items() if "bias_hh" in name)
    as_in_keras = sum(sizes.values()) - for_missing - second_bias
    assert as_in_keras + COLUMN_OF_UNKNOWN.get(title, 0) == table()[title][2]


def test_the_first_two_stay_as_they_were_trained(run):
    module = run("Two trained networks feed a third").net_.module_
    trained = {name.partition(".")[0] for name, w in module.named_parameters() if w.requires_grad}
    assert trained == {"missing_embeddings", "head"}


def test_both_of_a_pair_share_their_weights(run):
    module = run("One network for both of a pair").net_.module_
    assert module.encoders[0] is module.encoders[1]


def words():
    """Return the snippets in the right column of the last table."""
    rows = re.findall(r"^\| .+? \| (.+) \|$", PAGE.text.partition("## Word for word")[2], re.M)
    return [snippet for row in rows for snippet in re.findall(r"`(.+?)`", row)]


@pytest.mark.parametrize("snippet", [snippet for snippet in words() if re.match(r"\w+\(", snippet)])
def test_every_call_can_be_made(snippet):
    names = dict.fromkeys(("model", "backbone"), FusionClassifier())
    exec(f"{PAGE.our_imports}\nfrom skfusion.encoders import *", names)
    exec("import skfusion\nfrom sklearn.model_selection import GridSearchCV", names)
    made = eval(snippet, names)
    if isinstance(made, Encoder) and not isinstance(made, Pretrained | SameAs):
        check_encoders({"block": made})


@pytest.mark.parametrize("snippet", [snippet for snippet in words() if re.match(r"\w+=", snippet)])
def test_every_argument_is_one_of_the_estimator(snippet, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    model = eval(f"FusionClassifier({snippet})", {"FusionClassifier": FusionClassifier})
    X = {"left": np.eye(20, 3), "right": np.eye(20, 4)}
    assert model.set_params(max_epochs=1).fit(X, [0, 1] * 10).predict(X).shape == (20,)


@pytest.mark.parametrize(
    "snippet", [snippet for snippet in words() if snippet.startswith("model.")]
)
def test_every_attribute_is_one_of_the_estimator(snippet):
    fitted = FusionClassifier(max_epochs=1).fit({"left": np.eye(4)}, [0, 1] * 2)
    assert hasattr(fitted, re.match(r"model\.(\w+)", snippet)[1])
