"""Torch's random state and settings: a process has one of each, fits in threads take turns.

The layers of a network draw from torch's own generators, which no thread has for itself. So one fit
at a time holds the *turn*: the generators are in its state, and only it draws. Between two batches
it hands the turn on if another fit waits, and gets its state back with the next turn. The caller's
state is taken when the first fit enters, and put back when the last one leaves.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from queue import Empty, SimpleQueue
from time import perf_counter
from types import ModuleType

import torch

__all__ = ["lent", "offer", "plain_settings", "random_state_kept", "seeded", "some_seed"]

_LEAST = 0.02  # seconds of a turn before it is handed on: handing on costs a switch of threads
# Seconds that callbacks may take before somebody who waits takes the turn: they draw rarely, may
# take long, and may wait for the very fit that waits here.
_GRACE, _GRACE_WHILE_WAITING = 0.5, 0.05
_TRIES = 10  # to leave, each of which could be interrupted
_CPU = torch.device("cpu")
_AS_IT_IS = nullcontext()
_DTYPE = torch.float32  # what layers are built in; all of torch's code is written for it


class _Generators:
    """The states of torch's generators on some kinds of devices, and the default dtype."""

    def __init__(self, kinds: tuple[str, ...]) -> None:
        self.dtype = torch.get_default_dtype()
        self.states = {kind: _states(kind) for kind in kinds}

    def put(self) -> None:
        torch.set_default_dtype(self.dtype)
        for kind, states in self.states.items():
            _put_states(kind, states)


class _Queue:
    """Who has the turn and who waits for it, all under one lock.

    What changes it can be repeated: Ctrl-C may come between any two lines of the main thread. For
    the same reason the lock and the bells are those of C, which no signal finds half taken.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.holder: Turn | None = None
        self.waiting: deque[Turn] = deque()
        self.inside: set[object] = set()  # fits, and predictions that need plain settings
        self.outside: _Generators | None = None  # the caller's, while somebody is inside

    def enter(self, who: object, kinds: tuple[str, ...]) -> None:
        with self.lock:
            if self.outside is None:
                self.outside = _Generators(())
            for kind in kinds:
                if kind not in self.outside.states:
                    self.outside.states[kind] = _states(kind)
            self.inside.add(who)
            torch.set_default_dtype(_DTYPE)

    def leave(self, who: object) -> None:
        with self.lock:
            self.inside.discard(who)
            if not self.inside and self.outside is not None:
                self.outside.put()
                self.outside = None

    def ring(self) -> None:
        """Wake who is the next to have the turn."""
        for turn in list(self.waiting)[:1]:
            turn.bell.put(None)


_queue = _Queue()
_mine = threading.local()  # .turn: the innermost turn of a thread


def _begin_anew() -> None:
    """The threads that held or awaited the turn are not in a process that was forked."""
    global _queue, _mine
    _queue, _mine = _Queue(), threading.local()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)


class Turn:
    """The turn of one fit, which it may have at the moment or not."""

    def __init__(self, seed: int, device: torch.device) -> None:
        self.kinds = _kinds(device)
        self.seed: int | None = seed  # until the first turn
        self.state: _Generators | None = None  # while another has the turn
        self.queue, self.bell = _queue, SimpleQueue[None]()
        self.thread = threading.get_ident()
        self.outer: Turn | None = getattr(_mine, "turn", None)  # this fit runs within that one
        self.since = 0.0  # when the turn, or what may last long, began
        self.lent = False  # whether who waits may take the turn

    def take(self) -> None:
        """Wait for the turn, and put the generators into the state of this fit."""
        queue, taken = self.queue, False
        with queue.lock:
            if self.outer is not None and queue.holder is self.outer:
                self.outer.give_away()  # it goes on when this fit is through
                queue.ring()
            if queue.holder is None and not queue.waiting:
                self._hold()
                taken = True
        if not taken:
            self._wait()

    def give_away(self) -> None:
        """Keep the state of this fit, so that another can have the turn; under the lock."""
        self.state, self.queue.holder = _Generators(self.kinds), None

    def leave(self) -> None:
        """Give the turn to the fit around this one, or to who waits."""
        queue = self.queue
        with queue.lock:
            if queue.holder is self:
                if self.outer is not None:
                    self.outer._put()
                queue.holder = self.outer
            queue.ring()

    def offer(self) -> None:
        """Let who waits have the turn, and wait for the next."""
        if perf_counter() - self.since < _LEAST:
            return
        with self.queue.lock:
            if self.queue.holder is self:
                self.give_away()
            self.queue.ring()
        self.take()

    def lend(self) -> None:
        """Let others take the turn if what follows takes long."""
        self.since, self.lent = perf_counter(), True

    def take_back(self) -> None:
        with self.queue.lock:
            self.lent, self.since = False, perf_counter()
            lost = self.queue.holder is not self
        if lost:
            self.take()

    def _wait(self) -> None:
        queue = self.queue
        try:
            queue.waiting.append(self)
            while not self._is_next():
                with suppress(Empty):
                    self.bell.get(timeout=_GRACE_WHILE_WAITING)
        finally:
            queue.waiting.remove(self)

    def _is_next(self) -> bool:
        """Take the turn if nobody has it, any longer, and nobody waits for longer than this fit."""
        queue = self.queue
        with queue.lock:
            holder = queue.holder
            if queue.waiting[0] is not self:
                return False
            if holder is not None and holder.lent and holder.takes_long():
                holder.give_away()
            if queue.holder is not None:
                return False
            self._hold()
        return True

    def _hold(self) -> None:
        self._put()
        self.queue.holder, self.since = self, perf_counter()

    def takes_long(self) -> bool:
        """Whether this fit has lent the turn for long, or waits for somebody meanwhile."""
        lasted = perf_counter() - self.since
        if lasted < _GRACE_WHILE_WAITING:
            return False
        frame = sys._current_frames().get(self.thread)
        waits = frame is not None and frame.f_code.co_filename == threading.__file__
        return waits or lasted > _GRACE

    def _put(self) -> None:
        """Put the generators into the state of this fit, which is that of the seed at first."""
        if self.state is not None:
            self.state.put()
            self.state = None
        if self.seed is not None:
            torch.set_default_dtype(_DTYPE)
            for kind in self.kinds:
                _seed(kind, self.seed)
            self.seed = None


@contextmanager
def seeded(seed: int, device: torch.device = _CPU) -> Iterator[None]:
    """Draw from ``seed`` in the block of code, whatever other threads and the caller do.

    Torch's random state and settings are the caller's again afterwards. The block may be within
    another one of its thread.
    """
    turn = Turn(seed, device)
    with plain_settings(device, training=True), _inside(turn, turn.kinds):
        turn.take()
        _mine.turn = turn
        yield


@contextmanager
def _inside(who: object, kinds: tuple[str, ...]) -> Iterator[None]:
    """Be inside in the block of code, and leave it also if Ctrl-C comes while leaving."""
    interruption: BaseException | None = None
    try:
        _queue.enter(who, kinds)
        yield
    finally:
        for _ in range(_TRIES):
            try:
                _leave(who)
                break
            except BaseException as error:
                interruption = error
        if interruption is not None:
            raise interruption


def _leave(who: object) -> None:
    """Leave; to the same end if it is called again after it was interrupted."""
    if not isinstance(who, Turn):
        _queue.leave(who)
        return
    _mine.turn = who.outer
    who.leave()
    who.queue.leave(who)
    if who.outer is not None and not who.outer.lent:
        who.outer.take_back()


def some_seed() -> AbstractContextManager[None]:
    """Draw from the seed of a block around this one, or from any seed if there is none."""
    return seeded(0) if getattr(_mine, "turn", None) is None else nullcontext()


def offer() -> None:
    """Let a fit that waits have the turn. Called between batches, costs nothing if nobody waits."""
    if _queue.waiting:
        turn: Turn | None = getattr(_mine, "turn", None)
        if turn is not None and not turn.lent:
            turn.offer()


@contextmanager
def lent() -> Iterator[None]:
    """Run what draws little and may last long, such as callbacks; others may take the turn."""
    turn: Turn | None = getattr(_mine, "turn", None)
    if turn is None or turn.lent:
        yield
        return
    turn.lend()
    try:
        yield
    finally:
        turn.take_back()


def plain_settings(device: torch.device, training: bool = False) -> AbstractContextManager[None]:
    """Compute as torch does by default, whatever the caller has set for this thread or process."""
    asked = ["cpu"] if torch.is_autocast_enabled("cpu") else []
    if device.type != "cpu" and torch.is_autocast_enabled(device.type):
        asked.append(device.type)
    made = torch.empty(0)  # tells the defaults quicker than functions do
    elsewhere = made.device.type != "cpu"
    # A dtype that is plain only because a fit runs somewhere would change with its end.
    outside = _queue.outside
    odd = made.dtype is not _DTYPE or (outside is not None and outside.dtype is not _DTYPE)
    if not (asked or elsewhere or odd or training):
        return _AS_IT_IS
    return _plain_settings(asked, elsewhere, odd and not training, training)


@contextmanager
def _plain_settings(asked: list[str], elsewhere: bool, odd: bool, training: bool) -> Iterator[None]:
    with ExitStack() as stack:
        for kind in asked:
            stack.enter_context(torch.autocast(kind, enabled=False))
        if elsewhere:
            stack.enter_context(_CPU)
        if odd:
            stack.enter_context(_plain_dtype())
        if training:
            stack.enter_context(torch.inference_mode(False))
            stack.enter_context(torch.enable_grad())
        yield


@contextmanager
def _plain_dtype() -> Iterator[None]:
    with _inside(object(), ()):
        yield


@contextmanager
def random_state_kept(device: torch.device) -> Iterator[None]:
    """Draw nothing, for what comes after the block of code, within it."""
    state = _Generators(_kinds(device))
    try:
        yield
    finally:
        state.put()


def _kinds(device: torch.device) -> tuple[str, ...]:
    """Return the kinds of devices from whose generators is drawn by what computes on ``device``."""
    return ("cpu",) if device.type == "cpu" else ("cpu", device.type)


def _states(kind: str) -> list[torch.Tensor]:
    if kind == "cpu":
        return [torch.default_generator.get_state()]
    module = _module(kind)
    return module.get_rng_state_all() if kind != "mps" else [module.get_rng_state()]


def _put_states(kind: str, states: list[torch.Tensor]) -> None:
    if kind == "cpu":
        torch.default_generator.set_state(states[0])
    elif kind == "mps":
        _module(kind).set_rng_state(states[0])
    else:
        _module(kind).set_rng_state_all(states)


def _seed(kind: str, seed: int) -> None:
    if kind == "cpu":
        torch.default_generator.manual_seed(seed)
    elif kind == "mps":
        _module(kind).manual_seed(seed)
    else:
        _module(kind).manual_seed_all(seed)


def _module(kind: str) -> ModuleType:
    """Return torch's package for a kind of device, such as ``torch.cuda``."""
    module: ModuleType = getattr(torch, kind)
    return module
