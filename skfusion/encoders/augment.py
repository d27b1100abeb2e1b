"""Rows changed at random while training, in front of an encoder."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import nn

from skfusion._batch import SparseRows
from skfusion._checks import check_choice, check_real
from skfusion._tokens import Encoded
from skfusion.blocks import BlockSpec
from skfusion.encoders import _augmentations as operations
from skfusion.encoders._around import AroundEncoder
from skfusion.encoders._augmentations import Rows
from skfusion.encoders._base import Encoder, as_encoder
from skfusion.encoders.policy import Policy
from skfusion.exceptions import BlockError, ParameterError

if TYPE_CHECKING:
    pass

__all__ = ["Augment"]

_PICTURES = ("image", "video")
_STEPS = ("sequence", "waveform")
# Which forms each augmentation knows, in the order in which they are done.
_FORMS = {
    "crop": _PICTURES,
    "flip": _PICTURES,
    "shift": (*_PICTURES, *_STEPS),
    "time_warp": _STEPS,
    "noise": (*_PICTURES, *_STEPS, "vector"),
    "cutout": (*_PICTURES, *_STEPS),
    "word_dropout": ("tokens", "csr"),
}
_FLIPS = (False, True, "horizontal", "vertical", "both")


class Augment(AroundEncoder):
    """Show an encoder other versions of its rows in every epoch, and the rows themselves after.

    Pictures that are flipped, shifted or partly covered show the same thing, so that a network
    that sees them learns what stays (data augmentation; Shorten and Khoshgoftaar, 2019). Each row
    of a batch draws for itself; all frames of a clip are changed alike. When predicting, and for
    held-out rows, nothing is changed. The draws follow from the estimator's ``random_state``.

    Takes and returns what ``encoder`` does. Its parameters are reached through this recipe by
    their names: ``photo__channels`` beside ``photo__shift``.

    Parameters
    ----------
    encoder : Encoder
        The recipe. A ``Policy`` goes around: ``Policy(Augment(CNN(), flip=True), lr_scale=0.1)``.
    flip : bool or {"horizontal", "vertical", "both"}, default=False
        Mirror half of the images and clips; True is "horizontal".
    shift : float, default=0.0
        Move images and clips by up to this share of their sides, sequences and waveforms by up to
        this share of their length. What is moved in repeats the border.
    crop : float, default=0.0
        Cut out a window at a random place, whose sides are smaller by up to this share, and
        enlarge it to the size of the image.
    noise : float, default=0.0
        Standard deviation of noise that is added, in the unit of the block; images of bytes are in
        [0, 1].
    cutout : float, default=0.0
        Cover a square, or a stretch of time, with zeros (DeVries and Taylor, 2017): its side, as a
        share of the shorter side or of the length.
    time_warp : float, default=0.0
        Play sequences and waveforms faster or slower, by up to this share.
    word_dropout : float, default=0.0
        Probability by which each token, or each stored entry of a csr row, is left out (Iyyer et
        al., 2015). A row of tokens keeps one of those that it has.

    Raises
    ------
    BlockError
        If an augmentation does not know the form of the block.
    ParameterError
        If a number is out of its range.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion import FusionClassifier
    >>> from skfusion.encoders import CNN, Augment
    >>> photos = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3)).astype(np.uint8)
    >>> photo = Augment(CNN(channels=(4,)), flip=True, shift=0.1)
    >>> model = FusionClassifier({"photo": photo}, max_epochs=2, random_state=0)
    >>> model.fit({"photo": photos}, [0, 1] * 10).predict({"photo": photos}).shape
    (20,)
    """

    def __init__(
        self,
        encoder: Encoder,
        *,
        flip: bool | str = False,
        shift: float = 0.0,
        crop: float = 0.0,
        noise: float = 0.0,
        cutout: float = 0.0,
        time_warp: float = 0.0,
        word_dropout: float = 0.0,
    ) -> None:
        self.encoder = encoder
        self.flip = flip
        self.shift = shift
        self.crop = crop
        self.noise = noise
        self.cutout = cutout
        self.time_warp = time_warp
        self.word_dropout = word_dropout

    def check(self, spec: BlockSpec) -> None:
        encoder = as_encoder("encoder", self.encoder)
        if isinstance(encoder, Policy):
            raise ParameterError(
                f"block {spec.name!r}: a Policy goes around an Augment, not into it. "
                "Write Policy(Augment(...), ...)."
            )
        encoder.check(spec)
        self._check_numbers()
        for name in self._chosen():
            if spec.form not in _FORMS[name]:
                raise BlockError(
                    f"block {spec.name!r} has the form {spec.form!r}, for which there is no "
                    f"{name}: it is for {', '.join(_FORMS[name])}. Leave {name} out of Augment."
                )

    def _check_numbers(self) -> None:
        check_choice("flip", self.flip, _FLIPS)
        check_real("noise", self.noise)
        for name in ("shift", "crop", "cutout", "time_warp", "word_dropout"):
            if check_real(name, getattr(self, name), 0, 1) == 1:
                raise ParameterError(f"{name} must be less than 1, which would leave nothing.")

    def _chosen(self) -> list[str]:
        return [name for name in _FORMS if getattr(self, name)]

    def build(self, spec: BlockSpec, pooled: bool = True) -> nn.Module:
        self.check(spec)
        changes = [self._operation(name, spec.form) for name in self._chosen()]
        return _Augmented(self.encoder.build(spec, pooled=pooled), changes)

    def _operation(self, name: str, form: str) -> Callable[[Rows], Rows]:
        if name == "flip":
            how = "horizontal" if self.flip is True else str(self.flip)
            return partial(operations.flip, how=how)
        kind = "pictures" if form in _PICTURES else "steps"
        change: Callable[..., Rows] = operations.BY_NAME[name, kind]
        return partial(change, strength=float(getattr(self, name)))


class _Augmented(nn.Module):
    """Changes the rows of a batch while training; not frozen, whatever ``encoder`` is."""

    def __init__(self, encoder: nn.Module, changes: list[Callable[[Rows], Rows]]) -> None:
        super().__init__()
        self.encoder, self.changes = encoder, changes

    def forward(self, x: torch.Tensor | SparseRows, mask: torch.Tensor | None = None) -> Encoded:
        rows = Rows(x, mask)
        if self.training:
            for change in self.changes:
                rows = change(rows)
        return self.encoder(rows.x) if rows.mask is None else self.encoder(rows.x, rows.mask)
