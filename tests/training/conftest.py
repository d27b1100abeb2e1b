"""Fits that are broken off, for all tests of checkpoints."""

from pathlib import Path

import pytest


@pytest.fixture
def killing(monkeypatch):
    """The module of fits that break, by the name that it has in other processes too."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.delenv("BREAKS", raising=False)
    import killing

    return killing


@pytest.fixture
def data(killing):
    return killing.rows()


@pytest.fixture
def break_off(monkeypatch):
    """Return a function that fits until an error in an epoch."""

    def break_off(model, data, epoch):
        monkeypatch.setenv("BREAKS", f"{epoch} raise")
        with pytest.raises(ConnectionError, match="broken off"):
            model.fit(*data)
        monkeypatch.setenv("BREAKS", "0 never")
        return model

    return break_off
