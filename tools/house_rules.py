"""The rules of the house that a program can count: sizes, circles of imports, untyped places.

`python -m tools.house_rules` prints each rule with what was found, and fails if one is broken. The
number of `Any` may only fall: whoever lowers it writes the lower number here.
"""

from __future__ import annotations

import ast
import io
import statistics
import sys
import tokenize
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "skfusion").rglob("*.py"))

LONGEST_FILE = 400
LONGEST_FUNCTION = 50
MEDIAN_FUNCTION = 8
MOST_FUNCTIONS = 25  # nine in ten are no longer
N_ANY = 296


def main() -> int:
    """Print what breaks a rule; return the exit status."""
    broken = [*long_files(), *long_functions(), *circles(), *untyped()]
    print(*broken, sep="\n")
    print(f"{len(broken)} rules of the house broken")
    return int(bool(broken))


def long_files() -> Iterator[str]:
    """Yield the files that are longer than a file may be."""
    for path in SOURCES:
        n_lines = len(path.read_text(encoding="utf-8").splitlines())
        if n_lines > LONGEST_FILE:
            yield f"{_shown(path)}: {n_lines} lines, at most {LONGEST_FILE} are allowed. Split it."


def long_functions() -> Iterator[str]:
    """Yield the functions that are too long, and say if functions are too long as a rule."""
    lengths = {
        f"{_shown(path)}:{node.lineno} {node.name}": _n_lines(node)
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }
    for where, length in lengths.items():
        if length > LONGEST_FUNCTION:
            yield f"{where}: {length} lines, at most {LONGEST_FUNCTION} are allowed. Split it."
    median = statistics.median(lengths.values())
    if median >= MEDIAN_FUNCTION:
        yield f"half of all functions are longer than {median} lines, not {MEDIAN_FUNCTION}."
    ninth = statistics.quantiles(lengths.values(), n=10)[-1]
    if ninth > MOST_FUNCTIONS:
        yield f"a tenth of all functions is longer than {ninth} lines, not {MOST_FUNCTIONS}."


def circles() -> Iterator[str]:
    """Yield a circle of imports between modules, imports inside of functions counted."""
    graph = grimp.build_graph("skfusion", exclude_type_checking_imports=True, cache_dir=None)
    imports = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        yield f"imports in a circle: {' -> '.join(reversed(error.args[1]))}. Move what both need."


def untyped() -> Iterator[str]:
    """Yield what is wrong with the number of `Any` in the code."""
    found = sum(map(_n_any, SOURCES))
    if found > N_ANY:
        worst = sorted(SOURCES, key=_n_any)[-5:]
        most = ", ".join(f"{_shown(path)} ({_n_any(path)})" for path in reversed(worst))
        yield f"{found} Any, {N_ANY} are allowed. Write types. Most are in {most}."
    if found < N_ANY:
        yield f"{found} Any, fewer than before: set N_ANY = {found} in tools/house_rules.py."


def _n_any(path: Path) -> int:
    tokens = tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline)
    return sum(token.type == tokenize.NAME and token.string == "Any" for token in tokens)


def _n_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the number of lines without those of the docstring.

    Of a constructor only the body counts: its signature is the list of parameters.
    """
    docstring = ast.get_docstring(function, clean=False)
    first = function.body[0].lineno if function.name == "__init__" else function.lineno
    total = (function.end_lineno or first) - first + 1
    return total - (docstring.count("\n") + 1 if docstring is not None else 0)


def _shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


if __name__ == "__main__":
    sys.exit(main())
