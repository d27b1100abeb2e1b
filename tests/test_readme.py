"""Every example of the README runs, and what it names exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def examples():
    """Return the titles of the sections and the python code below each."""
    parts = re.findall(r"^## (.+?)\n(.+?)(?=^## |\Z)", README, flags=re.MULTILINE | re.DOTALL)
    blocks = {title: re.findall(r"```python\n(.+?)```", text, re.DOTALL) for title, text in parts}
    return {title: "\n".join(code) for title, code in blocks.items() if code}


@pytest.fixture(scope="module")
def run():
    """Run an example after those above it: later ones use what earlier ones made."""
    names, done = {}, []

    def run(title):
        for above, code in examples().items():
            if above not in done:
                exec(compile(code, f"README: {above}", "exec"), names)
                done.append(above)
            if above == title:
                return names
        raise AssertionError(title)

    return run


def test_a_table(run):
    names = run("A table with text, categories, numbers and dates")
    assert names["model"].union_ is not None
    assert set(names["model"].specs_) == {"note", "categories", "numbers", "dates"}
    assert names["model"].score(names["test"], names["late_test"]) > 0.85
    assert {name: spec.form for name, spec in names["ordered"].specs_.items()} == {
        "numbers": "vector",
        "dates": "vector",
        "note": "tokens",
        "carrier": "csr",
    }


def test_images_beside_a_table(run):
    names = run("Images with a table beside them")
    assert names["model"].specs_["picture"].form == "image"
    assert names["model"].score(names["X_test"], names["y_test"]) > 0.85


def test_a_search(run):
    search = run("A search over everything at once")["search"]
    assert len(search.cv_results_["params"]) == 8
    assert search.best_score_ > 0.85


def test_whether_fusion_helps(run):
    names = run("Does fusion help? And when a block is missing?")
    assert set(names["table"]["variant"]) >= {"words", "all but words", "concat", "late"}
    assert names["table"].set_index("variant").loc["words", "mean"] > 0.8
    assert names["model"].missing == "allow"


def test_seeing_the_network(run):
    network = run("See the network, watch it learn")["network"]
    assert network.summary().loc["block"].index.tolist() == ["words", "carrier", "facts"]
    assert network.history_["member"].value_counts().tolist() == [10] * 4


def test_there_is_one_example_a_test():
    assert len(examples()) == 5


def test_commands_exist():
    commands = set(re.findall(r"(?:^|`)make (\w+)", README, re.MULTILINE))
    targets = set(re.findall(r"^(\w+)(?: [\w-]+)*:", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"demo", "test"} <= commands <= targets


def test_links_lead_somewhere():
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
