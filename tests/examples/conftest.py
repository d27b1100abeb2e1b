"""The examples as modules, and a small folder of data for them."""

import importlib
from pathlib import Path

import pytest

from tests.examples._stand_in import write_stand_in

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def example(monkeypatch):
    """Return a function that imports an example by its name."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    return importlib.import_module


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory):
    """Return a folder with all that the examples read, small and at random."""
    return write_stand_in(tmp_path_factory.mktemp("data"))
