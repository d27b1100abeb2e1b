"""The state of a fit on disk, from which a fit that was killed goes on to the same bits."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import joblib
import torch

from skfusion._training._callbacks import OwnCallback
from skfusion._training._sealed import check_place, read_sealed, sweep, unreadable, write_sealed
from skfusion._training._state import FitState
from skfusion.exceptions import CheckpointError, NonFiniteLossError

if TYPE_CHECKING:
    from skfusion._training._net import Net

__all__ = ["Checkpoint", "Save", "begin_with", "check_checkpoint", "cleared_at_the_end"]


def check_checkpoint(path: str | os.PathLike[str] | None) -> None:
    """Raise ``CheckpointError`` if no checkpoint can be kept at ``path``."""
    if path is not None:
        check_place(Path(path))


class Checkpoint:
    """The file of one fit.

    Parameters
    ----------
    path : str or Path
        What ``check_checkpoint`` let through: a folder, in which the file is named by what the fit
        is of, so that many fits can share it; or a file, whose name ends in ".pt".
    fingerprint : dict of str to str
        What the fit is of: all that its bits follow from, in words. What stands after " #" is
        compared and not told.
    name : str
        How a file in a folder begins.
    seed : int
        What all randomness of the fit follows from; that of the file, if there is one.
    extends : bool
        Whether a fit of more epochs would be the same so far, and may go on from this one.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        fingerprint: Mapping[str, str],
        name: str,
        seed: int,
        extends: bool,
    ) -> None:
        self.path, self.fingerprint = Path(path), dict(fingerprint)
        self.stays = extends and self.path.suffix != ".pt"
        if self.path.suffix != ".pt":
            compared = sorted((each, _compared(word)) for each, word in self.fingerprint.items())
            self.path = self.path / f"{name}-{joblib.hash(compared)[:16]}.pt"
        elif self.path.is_symlink():
            self.path = self.path.resolve()
        self.seed = seed
        self.state: FitState | None = None

    def read(self, max_epochs: int, n_before: int = 0) -> None:
        """Read the state, if there is one of no more epochs; it must be of this fit.

        ``n_before`` epochs of the history are of fits before it.
        """
        sweep(self.path)
        content = read_sealed(self.path)
        if content is None:
            return
        with self.naming_the_file():
            kept = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
            seed, state = _checked(kept)
        self._check_fingerprint(kept["fingerprint"])
        if len(state.history) < n_before:
            raise unreadable(self.path, f"it has {len(state.history)} of {n_before} epochs before")
        if len(state.history) <= max_epochs:
            self.seed, self.state = seed, state

    def keep_only_of(self, seed: int) -> None:
        """Leave a state that was read if it is of another seed."""
        if self.seed != seed:
            self.seed, self.state = seed, None

    def write(self, state: FitState) -> None:
        """Put ``state`` in the place of the last one: at any time there is a whole file."""
        kept = {"fingerprint": self.fingerprint, "seed": self.seed, "state": state.packed()}
        try:
            self.path.parent.mkdir(exist_ok=True)
            write_sealed(self.path, partial(torch.save, kept))
        except OSError as error:
            last = "The last one is whole" if self.path.exists() else "There is none yet"
            raise CheckpointError(
                f"the checkpoint {str(self.path)!r} cannot be written in epoch "
                f"{len(state.history)}: {error.strerror or error}. {last}. Make room or name "
                "another path, and fit again."
            ) from error

    def delete(self) -> None:
        """Delete the file, and what a process left that was killed while writing it."""
        self.path.unlink(missing_ok=True)
        sweep(self.path)

    @contextmanager
    def naming_the_file(self) -> Iterator[None]:
        """Turn whatever wrong content raises into an error that names the file."""
        try:
            yield
        except CheckpointError:
            raise
        except Exception as error:
            why = str(error) if type(error) is ValueError else f"{type(error).__name__}: {error}"
            raise unreadable(self.path, why) from error

    def _check_fingerprint(self, kept: Mapping[str, str]) -> None:
        now = self.fingerprint
        names = [n for n in {**kept, **now} if _compared(kept.get(n)) != _compared(now.get(n))]
        if not names:
            return
        # "fusion" differs wherever "fusion__rank" does; the latter tells more.
        told = [name for name in names if not any(o.startswith(f"{name}__") for o in names)]
        differences = "; ".join(_difference(name, kept.get(name), now.get(name)) for name in told)
        raise CheckpointError(
            f"the checkpoint {str(self.path)!r} is of another fit. It differs in {differences}. "
            "Fit as then to go on from it; or delete it, or name another checkpoint, to start anew."
        )


def _checked(kept: object) -> tuple[int, FitState]:
    """Return seed and state of what was loaded; ``ValueError`` says what is wrong with it."""
    if not isinstance(kept, dict) or kept.keys() != {"fingerprint", "seed", "state"}:
        raise ValueError("it has not fingerprint, seed and state of a fit")
    words = kept["fingerprint"]
    if not isinstance(words, dict) or not all(
        isinstance(w, str) for w in [*words, *words.values()]
    ):
        raise ValueError("its fingerprint is none")
    seed = kept["seed"]
    if type(seed) is not int or not 0 <= seed < 2**31:
        raise ValueError(f"its seed is {seed!r}")
    return seed, FitState.unpacked(kept["state"])


def _compared(word: str | None) -> str | None:
    """Return what is compared of a word: its hash, where it has one."""
    return word if word is None else word.rpartition(" #")[2]


def _difference(name: str, then: str | None, now: str | None) -> str:
    then, now = (
        "none" if word is None else word.rpartition(" #")[0] or word for word in (then, now)
    )
    if then == now:
        return f"{name}: {now} then and now, but with other code or values inside"
    return f"{name}: {then} then, {now} now"


@contextmanager
def cleared_at_the_end(checkpoints: Sequence[Checkpoint]) -> Iterator[None]:
    """Delete the files of a fit once none can go on from them: it is through, or can never be."""
    try:
        yield
    except NonFiniteLossError:
        for checkpoint in checkpoints:
            checkpoint.delete()
        raise
    for checkpoint in checkpoints:
        if not checkpoint.stays:
            checkpoint.delete()


def begin_with(net: Net, checkpoint: Checkpoint | None) -> None:
    """Give ``net`` the weights and the history of the checkpoint, if it has some."""
    if checkpoint is None or checkpoint.state is None:
        return
    with checkpoint.naming_the_file():
        checkpoint.state.check_network(net)
        checkpoint.state.put_network(net)


class Save(OwnCallback):
    """Write the whole state after each epoch; begin where it was left."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint

    def on_train_begin(self, net: Net, **kwargs: Any) -> None:
        state = self.checkpoint.state
        if state is not None:
            with self.checkpoint.naming_the_file():
                state.check_training(net)
                state.put_training(net)
            self.checkpoint.state = None

    def on_epoch_end(self, net: Net, **kwargs: Any) -> None:
        if not net.stops_:  # else a longer fit would go on beyond the epoch in which this one ends
            self.checkpoint.write(FitState.of(net))
