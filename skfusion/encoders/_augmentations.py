"""What changes the rows of a batch at random: pictures, steps in time, words.

Images are (batch, height, width, channels), clips have a time behind the batch; steps are
(batch, time, ...), with a mask where rows differ in length. Each row draws for itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch

from skfusion._batch import SparseRows

__all__ = ["BY_NAME", "Rows", "flip"]


class Rows(NamedTuple):
    """The input of an encoder: its rows, and their mask where they differ in length."""

    x: torch.Tensor | SparseRows
    mask: torch.Tensor | None

    @property
    def dense(self) -> torch.Tensor:
        assert isinstance(self.x, torch.Tensor)
        return self.x


# Pictures


def flip(rows: Rows, how: str) -> Rows:
    """Mirror each row with probability 1/2, along one axis or along each of both."""
    x = rows.dense
    for side, axis in (("horizontal", -2), ("vertical", -3)):
        if how in (side, "both"):
            x = torch.where(_per_row(torch.rand(len(x)) < 0.5, x), x.flip(axis), x)
    return rows._replace(x=x)


def shift_pictures(rows: Rows, strength: float) -> Rows:
    """Move each row up or down and left or right; the border is repeated."""
    x = rows.dense
    height, width = x.shape[-3:-1]
    down, right = (_steps_of(len(x), size, strength, x.device) for size in (height, width))
    i = _clamped(torch.arange(height, device=x.device) - down, height)  # (batch, height)
    j = _clamped(torch.arange(width, device=x.device) - right, width)  # (batch, width)
    return rows._replace(x=_gather_pixels(x, i, j))


def crop(rows: Rows, strength: float) -> Rows:
    """Enlarge a window at a random place to the whole, by the nearest pixel."""
    x = rows.dense
    height, width = x.shape[-3:-1]
    side = 1 - strength * torch.rand(len(x), 1)  # share of both sides that is kept
    places = []
    for size in (height, width):
        start = torch.rand(len(x), 1) * (1 - side) * size
        centres = start + side * (torch.arange(size) + 0.5)
        places.append(_clamped(centres.floor().long(), size).to(x.device))
    return rows._replace(x=_gather_pixels(x, *places))


def cutout_pictures(rows: Rows, strength: float) -> Rows:
    """Cover a square with zeros, at a random place of each row."""
    x = rows.dense
    height, width = x.shape[-3:-1]
    side = max(1, round(strength * min(height, width)))
    covered = [_stretch(len(x), size, side, x.device) for size in (height, width)]
    square = covered[0][:, :, None] & covered[1][:, None, :]  # (batch, height, width)
    square = square[:, None] if x.ndim == 5 else square
    return rows._replace(x=x.masked_fill(square[..., None], 0))


def _gather_pixels(x: torch.Tensor, i: torch.Tensor, j: torch.Tensor) -> torch.Tensor:
    """Return rows ``i`` (batch, height) and columns ``j`` (batch, width) of each picture."""
    batch = torch.arange(len(x), device=x.device)[:, None, None]
    if x.ndim == 4:
        return x[batch, i[:, :, None], j[:, None, :]]
    time = torch.arange(x.shape[1], device=x.device)[None, :, None, None]
    return x[batch[:, None], time, i[:, None, :, None], j[:, None, None, :]]


# Steps in time


def shift_steps(rows: Rows, strength: float) -> Rows:
    """Move each row earlier or later; its first or last step is repeated."""
    x, lengths = rows.dense, _lengths(rows)
    offset = (strength * lengths * (2 * torch.rand(len(x), device=x.device) - 1)).round().long()
    position = torch.arange(x.shape[1], device=x.device) - offset[:, None]
    return rows._replace(x=_gather_steps(x, _within(position, lengths)))


def time_warp(rows: Rows, strength: float) -> Rows:
    """Play each row faster or slower; its length stays, its last step is repeated."""
    x, lengths = rows.dense, _lengths(rows)
    speed = 1 + strength * (2 * torch.rand(len(x), 1, device=x.device) - 1)
    place = torch.arange(x.shape[1], device=x.device) * speed  # (batch, time), between steps
    before = _gather_steps(x, _within(place.floor().long(), lengths))
    after = _gather_steps(x, _within(place.floor().long() + 1, lengths))
    if not x.is_floating_point():
        return rows._replace(x=before)
    share = (place - place.floor()).to(x.dtype).reshape(*place.shape, *[1] * (x.ndim - 2))
    return rows._replace(x=torch.lerp(before, after, share))


def cutout_steps(rows: Rows, strength: float) -> Rows:
    """Cover a stretch of time with zeros, at a random place of each row."""
    x = rows.dense
    covered = _stretch(len(x), x.shape[1], max(1, round(strength * x.shape[1])), x.device)
    return rows._replace(x=x.masked_fill(covered.reshape(*covered.shape, *[1] * (x.ndim - 2)), 0))


def _lengths(rows: Rows) -> torch.Tensor:
    if rows.mask is not None:
        return rows.mask.sum(1)
    x = rows.dense
    return torch.full((len(x),), x.shape[1], device=x.device)


def _within(position: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Return the positions (batch, time), moved to the nearest step that a row has."""
    last = (lengths - 1).clamp(min=0)[:, None]
    return position.clamp(min=0).minimum(last)


def _gather_steps(x: torch.Tensor, position: torch.Tensor) -> torch.Tensor:
    return x[torch.arange(len(x), device=x.device)[:, None], position]


# Numbers and words


def noise(rows: Rows, strength: float) -> Rows:
    """Add normal noise; bytes become numbers in [0, 1] by it, and stay there."""
    x = rows.dense
    if x.dtype == torch.uint8:
        x = x.float() / 255
        return rows._replace(x=(x + strength * torch.randn_like(x)).clamp_(0, 1))
    return rows._replace(x=x + strength * torch.randn_like(x))


def word_dropout(rows: Rows, strength: float) -> Rows:
    """Leave out tokens, or stored entries of csr rows; a row of tokens keeps one."""
    if isinstance(rows.x, SparseRows):
        kept = torch.rand(rows.x.values.shape, device=rows.x.values.device) >= strength
        return rows._replace(x=rows.x._replace(values=rows.x.values * kept))
    x = rows.dense
    there = torch.ones_like(x, dtype=torch.bool) if rows.mask is None else rows.mask
    drawn = torch.rand(x.shape, device=x.device) * there
    highest = drawn.argmax(1, keepdim=True)  # kept in any case
    kept = there & (drawn >= strength).scatter(1, highest, True)
    # What is left moves together, since padding stands behind a row's last token.
    order = (~kept).long().argsort(dim=1, stable=True)
    return Rows(x.gather(1, order), kept.gather(1, order))


def _steps_of(n_rows: int, size: int, strength: float, device: torch.device) -> torch.Tensor:
    """Return by how many of ``size`` steps each row is moved, (batch, 1)."""
    drawn = strength * size * (2 * torch.rand(n_rows, 1) - 1)
    return drawn.round().long().to(device)


def _stretch(n_rows: int, size: int, length: int, device: torch.device) -> torch.Tensor:
    """Return a mask (batch, size) with a stretch of ``length`` at a random place of each row."""
    start = (torch.rand(n_rows, 1) * (size - length + 1)).floor().to(device)
    place = torch.arange(size, device=device)
    return (place >= start) & (place < start + length)


def _clamped(index: torch.Tensor, size: int) -> torch.Tensor:
    return index.clamp(0, size - 1)


def _per_row(values: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return values.to(like.device).reshape(-1, *[1] * (like.ndim - 1))


BY_NAME: dict[tuple[str, str], Callable[..., Rows]] = {
    ("shift", "pictures"): shift_pictures,
    ("crop", "pictures"): crop,
    ("cutout", "pictures"): cutout_pictures,
    ("noise", "pictures"): noise,
    ("shift", "steps"): shift_steps,
    ("time_warp", "steps"): time_warp,
    ("cutout", "steps"): cutout_steps,
    ("noise", "steps"): noise,
    ("word_dropout", "steps"): word_dropout,
}
