"""The programs of ``docs/keras.md``, and how many weights the Keras ones have.

Run ``python -m benchmarks.peers.keras_page`` in an environment with TensorFlow: it runs each Keras
program of the page and prints the number of weights that the table of the page must have. Nothing
of this library or of torch is needed.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

PAGE = Path(__file__).parents[2] / "docs" / "keras.md"


@dataclass
class Program:
    """One program, in Keras and here."""

    title: str
    keras: str
    ours: str


@dataclass
class Page:
    """What the page holds: the rows of both sides, the imports of each, the programs."""

    text: str
    rows: str
    keras_imports: str
    our_imports: str
    programs: list[Program]


def read_page(path: Path = PAGE) -> Page:
    """Read the page: code of this library is fenced as ``python``, that of Keras as ``py``."""
    text = path.read_text(encoding="utf-8")
    head, *sections = re.split(r"^## ", text, flags=re.MULTILINE)
    rows, our_imports = _code(head, "python")
    (keras_imports,) = _code(head, "py")
    programs = []
    for section in sections:
        for keras, ours in zip(_code(section, "py"), _code(section, "python"), strict=True):
            programs.append(Program(section.partition("\n")[0], keras, ours))
    return Page(text, rows, keras_imports, our_imports, programs)


def _code(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.+?)^```", text, flags=re.DOTALL | re.MULTILINE)


def main() -> None:
    page = read_page()
    names: dict[str, Any] = {}
    exec(page.rows + page.keras_imports, names)
    weights = {}
    for program in page.programs:
        exec(program.keras, names)
        weights[program.title] = names["model"].count_params()
    for title, n_weights in weights.items():
        print(f"{title:<42} {n_weights:>10,}")


if __name__ == "__main__":
    main()
