"""The rules of the house, as far as a program can check them."""

import ast
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import skfusion

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "skfusion").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
HEAVY = (
    "matplotlib",
    "PIL",
    "transformers",
    "tokenizers",
    "sacrebleu",
    "dask",
    "polars",
    "pyarrow",
    "onnx",
)


def shown(path):
    return str(path.relative_to(ROOT))


def nodes(path, kind):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, kind)]


def public_modules():
    names = [info.name for info in pkgutil.walk_packages(skfusion.__path__, "skfusion.")]
    public = [name for name in names if not any(part.startswith("_") for part in name.split("."))]
    return ["skfusion", *public]


def public_objects():
    """Each public class and function once, where its own package offers it."""
    found = {}
    for module in map(importlib.import_module, public_modules()):
        for name in getattr(module, "__all__", ()):
            value = getattr(module, name)
            if inspect.isclass(value) or inspect.isfunction(value):
                found.setdefault(value, f"{module.__name__}.{name}")
    return [pytest.param(value, id=where) for value, where in found.items()]


def public_classes():
    """The public classes, but for errors, which take a message, and protocols."""
    return [
        parameter
        for parameter in public_objects()
        if inspect.isclass(parameter.values[0])
        and not issubclass(parameter.values[0], BaseException)
        and not getattr(parameter.values[0], "_is_protocol", False)
    ]


# Imports


def test_imports_run_one_way():
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"]
    done = subprocess.run([*command, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_modules_import_from_where_a_name_is_defined():
    inside = [path for path in SOURCES if path != ROOT / "skfusion" / "__init__.py"]
    froms = [(path, node) for path in inside for node in nodes(path, ast.ImportFrom)]
    assert [shown(path) for path, node in froms if node.module == "skfusion" or node.level] == []


def test_heavy_libraries_are_imported_by_nobody_at_the_top_of_a_module():
    found = [
        (shown(path), name)
        for path in SOURCES
        for statement in ast.parse(path.read_text()).body
        for name in imported(statement)
        if name.partition(".")[0] in HEAVY
    ]
    assert found == []


def imported(statement):
    if isinstance(statement, ast.Import):
        return [alias.name for alias in statement.names]
    return [statement.module] if isinstance(statement, ast.ImportFrom) else []


def test_importing_the_library_loads_nothing_heavy_of_its_own():
    """What torch, scikit-learn, skorch and pandas load by themselves is not ours to avoid."""
    program = """
import sys
import numpy, pandas, scipy.sparse, sklearn.base, skorch, torch
before = set(sys.modules)
import skfusion
print(*{name.partition('.')[0] for name in set(sys.modules) - before})
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "skfusion" in loaded
    assert loaded.isdisjoint(HEAVY)


# Words


def test_every_module_says_what_it_is():
    assert [
        shown(path) for path in SOURCES if not ast.get_docstring(ast.parse(path.read_text()))
    ] == []


def test_public_names_exist_and_are_sorted_out():
    for module in map(importlib.import_module, public_modules()):
        names = getattr(module, "__all__", None)
        assert names, f"{module.__name__} has no __all__"
        assert [name for name in names if not hasattr(module, name)] == []
        assert len(set(names)) == len(names)


@pytest.mark.parametrize("value", public_objects())
def test_public_objects_have_an_example(value):
    assert "Examples\n" in inspect.getdoc(value)
    assert ">>> " in inspect.getdoc(value)


@pytest.mark.parametrize("value", public_classes())
def test_every_constructor_argument_is_documented(value):
    section = inspect.getdoc(value).partition("Parameters\n----------\n")[2]
    entries = re.findall(r"^(\w[\w, *]*) :", section, flags=re.MULTILINE)
    documented = {name.strip() for entry in entries for name in entry.split(",")}
    assert set(inspect.signature(value).parameters) - documented == set()


@pytest.mark.parametrize("value", public_classes())
def test_constructors_are_explicit(value):
    kinds = {parameter.kind for parameter in inspect.signature(value).parameters.values()}
    assert inspect.Parameter.VAR_KEYWORD not in kinds


@pytest.mark.parametrize(("title", "n"), [("A fit in seven stops", 7), ("A prediction in four", 4)])
def test_the_stops_of_the_design_are_there(title, n):
    text = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    section = text.partition(f"## {title}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (\d) \w+ \| `([\w.]+)`", section, flags=re.MULTILINE)
    assert [number for number, _ in rows] == [str(i + 1) for i in range(n)]
    for name in {*re.findall(r"`(skfusion[\w.]+)`", section)}:
        assert pkgutil.resolve_name(name)


# Tests


def test_every_expected_error_is_matched():
    """A match= is what makes the test one of the message, not only of the type."""
    calls = [(path, node) for path in TESTS for node in nodes(path, ast.Call)]
    raises = [
        (f"{shown(path)}:{node.lineno}", {keyword.arg for keyword in node.keywords})
        for path, node in calls
        if isinstance(node.func, ast.Attribute) and node.func.attr == "raises"
    ]
    assert raises
    assert [where for where, keywords in raises if "match" not in keywords] == []


def test_nothing_is_skipped_or_excused():
    """No skips, no expected failures, no silenced linters."""
    words = [f"mark.{word}" for word in ("skip", "xfail")]
    words += [f"pytest.{word}(" for word in ("skip", "xfail", "importorskip")]
    words += [f"# {word}" for word in ("noqa", "type: ignore", "pragma: no cover")]
    found = [
        (shown(path), word)
        for path in [*SOURCES, *TESTS]
        for word in words
        if word in path.read_text() and path != Path(__file__)
    ]
    assert found == []


def test_no_file_names_the_machine_it_was_written_on():
    suffixes = {".py", ".md", ".toml", ".txt", ".cfg", ".yml", ".rst"}
    parts = ["skfusion", "tests", "docs", "examples", "benchmarks", "constraints"]
    files = [path for part in parts for path in (ROOT / part).rglob("*") if path.suffix in suffixes]
    files += [path for path in ROOT.iterdir() if path.is_file() and path.suffix in suffixes]
    homes = ("/" + "work/", "/" + "root/", "/" + "home/", "/" + "opt/")
    built = ("_build", "generated", "auto_examples")
    assert [
        shown(path)
        for path in files
        if not any(part in built for part in path.parts)
        and any(home in path.read_text(encoding="utf-8") for home in homes)
    ] == []
