"""The state of a fit on disk, from which a fit that was killed goes on to the same bits."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import torch
from skorch.callbacks import Callback
from skorch.history import History

from skfusion.exceptions import CheckpointError, NonFiniteLossError

__all__ = ["Checkpoint", "Save", "begin_with", "cleared_at_the_end"]

_FORMAT = 1
# What torch and pickle raise for files that were cut off, or are something else altogether.
_UNREADABLE = (OSError, EOFError, RuntimeError, ValueError, KeyError, pickle.UnpicklingError)


class Checkpoint:
    """The file of one fit.

    Parameters
    ----------
    path : str or Path
        A folder, in which the file is named by what the fit is of, so that many fits can share it;
        or a file, whose name ends in ".pt".
    facts : dict of str to str
        What the fit is of: all that its bits follow from.
    name : str
        How a file in a folder begins.
    seed : int
        What all randomness of the fit follows from; that of the file, if there is one.
    extends : bool
        Whether a fit of more epochs would be the same so far, and may go on from this one.
    """

    def __init__(
        self, path: Any, facts: Mapping[str, str], name: str, seed: int, extends: bool
    ) -> None:
        self.path, self.facts = Path(path), dict(facts)
        self.stays = extends and self.path.suffix != ".pt"
        if self.path.suffix != ".pt":
            self.path = self.path / f"{name}-{joblib.hash(sorted(facts.items()))[:16]}.pt"
        self.seed = seed
        self.state: dict[str, Any] | None = None

    def read(self, max_epochs: int) -> None:
        """Read the state, if there is one of no more epochs; it must be of this fit."""
        if self.path.exists():
            kept = self._load()
            self._check_facts(kept["facts"])
            if len(json.loads(kept["state"]["history"])) <= max_epochs:
                self.seed, self.state = kept["seed"], kept["state"]

    def write(self, state: Mapping[str, Any]) -> None:
        """Put ``state`` in the place of the last one: at any time there is a whole file."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_suffix(f".{os.getpid()}.part")
        kept = {"format": _FORMAT, "facts": self.facts, "seed": self.seed, "state": dict(state)}
        with part.open("wb") as file:
            torch.save(kept, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self.path)

    def delete(self) -> None:
        """Delete the file, and what a process left that was killed while writing it."""
        for path in [self.path, *self.path.parent.glob(f"{self.path.stem}.*.part")]:
            path.unlink(missing_ok=True)

    def _load(self) -> dict[str, Any]:
        try:
            kept = torch.load(self.path, map_location="cpu", weights_only=True)
            if not isinstance(kept, dict) or kept["format"] != _FORMAT:
                raise ValueError(f"it is not of format {_FORMAT}")
        except _UNREADABLE as error:
            raise CheckpointError(
                f"the checkpoint {str(self.path)!r} cannot be read: it was cut off, or is no "
                "checkpoint of this version. Delete it, and the fit starts anew."
            ) from error
        return kept

    def _check_facts(self, kept: Mapping[str, str]) -> None:
        names = [name for name in {**kept, **self.facts} if kept.get(name) != self.facts.get(name)]
        if not names:
            return
        # "fusion" differs wherever "fusion__rank" does; the latter tells more.
        told = [name for name in names if not any(o.startswith(f"{name}__") for o in names)]
        differences = "; ".join(
            f"{name}: {_told(kept, name)} then, {_told(self.facts, name)} now" for name in told
        )
        raise CheckpointError(
            f"the checkpoint {str(self.path)!r} is of another fit. It differs in {differences}. "
            "Fit as then to go on from it; or delete it, or name another checkpoint, to start anew."
        )


def _told(facts: Mapping[str, str], name: str) -> str:
    """Return a fact as it is told: without the hash, which is there for the comparison."""
    return facts.get(name, "none").partition(" #")[0]


@contextmanager
def cleared_at_the_end(checkpoint: Checkpoint | None) -> Iterator[None]:
    """Delete the file once no fit can go on from it: it is through, or can never be."""
    try:
        yield
    except NonFiniteLossError:
        if checkpoint is not None:
            checkpoint.delete()
        raise
    if checkpoint is not None and not checkpoint.stays:
        checkpoint.delete()


def begin_with(net: Any, checkpoint: Checkpoint | None) -> None:
    """Give ``net`` the weights and the history of the checkpoint, if it has some."""
    if checkpoint is None or checkpoint.state is None:
        return
    net.module_.load_state_dict(checkpoint.state["weights"])
    net.history = History(json.loads(checkpoint.state["history"]))


class Save(Callback):
    """Write the whole state after each epoch; begin where it was left."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        if self.checkpoint.state is not None:
            _put_back(net, self.checkpoint.state)
            self.checkpoint.state = None

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        self.checkpoint.write(_state_of(net))


def _state_of(net: Any) -> dict[str, Any]:
    return {
        "weights": net.module_.state_dict(),
        "optimizer": net.optimizer_.state_dict(),
        "callbacks": {name: _pack(callback) for name, callback in _keeping(net)},
        # As text, since a callback of the user may record numbers of any kind.
        "history": json.dumps(net.history.to_list(), default=_plain),
        "random": torch.get_rng_state(),
        "random_cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def _put_back(net: Any, state: Mapping[str, Any]) -> None:
    net.optimizer_.load_state_dict(state["optimizer"])
    for name, callback in _keeping(net):
        _unpack(callback, state["callbacks"][name])
    torch.set_rng_state(state["random"])
    if state["random_cuda"]:
        torch.cuda.set_rng_state_all(state["random_cuda"])


def _keeping(net: Any) -> list[tuple[str, Any]]:
    """Return the callbacks that name in ``kept`` which of their attributes are their state."""
    return [(name, callback) for name, callback in net.callbacks_ if hasattr(callback, "kept")]


def _pack(callback: Any) -> dict[str, Any]:
    return {name: _state(getattr(callback, name)) for name in callback.kept}


def _state(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    return value.state_dict() if hasattr(value, "state_dict") else value


def _unpack(callback: Any, state: Mapping[str, Any]) -> None:
    for name, value in state.items():
        own = getattr(callback, name)
        if hasattr(own, "load_state_dict"):
            own.load_state_dict(value)
        else:
            setattr(callback, name, value)


def _plain(value: Any) -> Any:
    """Return a number of numpy or torch as one of Python; anything else as text."""
    return value.item() if hasattr(value, "item") else repr(value)
