"""Images through convolutions."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import nn

from skfusion._checks import check_choice, check_int, check_real, check_widths
from skfusion._tokens import Encoded, Tokens
from skfusion.blocks import BlockSpec
from skfusion.encoders._base import Encoder, activation, as_float, initialise
from skfusion.exceptions import BlockError, ParameterError

__all__ = ["CNN"]

_POOLING = {"max": nn.MaxPool2d, "average": nn.AvgPool2d}


class CNN(Encoder):
    """Convolutional network on images, channels last.

    Each stage is convolution, normalisation, activation and pooling. Bytes are scaled to [0, 1].

    (batch, height, width, channels) -> (batch, width), or (batch, positions, channels[-1]) if
    not pooled: one token per position of the last feature map.

    Parameters
    ----------
    channels : int or sequence of int, default=(32, 64)
        Channels of each stage.
    kernel_size : int, default=3
        Side of the kernels, in pixels.
    padding : {"same", "valid"}, default="same"
        Whether borders are filled up, so that the size stays.
    pooling : {"max", "average"} or None, default="max"
        Pooling at the end of each stage.
    pool_size : int, default=2
        Side of the pooled window, in pixels.
    norm : {"group", "batch"} or None, default=None
        Normalisation; "group" uses up to 8 groups (Wu and He, 2018).
    residual : bool, default=False
        Whether each stage's input is added to its convolution (He et al., 2016), through a 1x1
        convolution where the channels differ. Needs ``padding="same"``.
    activation : {"relu", "gelu", "silu", "tanh", "identity"}, default="relu"
        Function of each stage, and behind the final projection.
    output : {"adaptive", "average", "flatten"}, default="adaptive"
        How the last feature map becomes a vector: averaged over a grid of ``grid`` x ``grid``
        cells, averaged over all positions, or all positions in a row.
    grid : int, default=4
        Cells per side for ``output="adaptive"``.
    width : int or None, default=64
        Size of the encoded vector, made by a linear layer; None leaves the feature map as it is.
    dropout : float, default=0.0
        Share of the encoded vector set to zero while training.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion import FusionClassifier
    >>> from skfusion.encoders import CNN
    >>> images = np.random.default_rng(0).integers(0, 255, (20, 8, 8, 3), dtype=np.uint8)
    >>> model = FusionClassifier({"photo": CNN(channels=(4, 8), width=16)}, max_epochs=2)
    >>> model.fit({"photo": images}, [0, 1] * 10).transform({"photo": images}).shape
    (20, 16)
    """

    takes: ClassVar[tuple[str, ...]] = ("image",)

    def __init__(
        self,
        channels: int | tuple[int, ...] = (32, 64),
        kernel_size: int = 3,
        padding: str = "same",
        pooling: str | None = "max",
        pool_size: int = 2,
        norm: str | None = None,
        residual: bool = False,
        activation: str = "relu",
        output: str = "adaptive",
        grid: int = 4,
        width: int | None = 64,
        dropout: float = 0.0,
    ) -> None:
        self.channels = channels
        self.kernel_size = kernel_size
        self.padding = padding
        self.pooling = pooling
        self.pool_size = pool_size
        self.norm = norm
        self.residual = residual
        self.activation = activation
        self.output = output
        self.grid = grid
        self.width = width
        self.dropout = dropout

    def build(self, spec: BlockSpec, pooled: bool = True) -> nn.Module:
        self.check(spec)
        self._check_choices()
        channels = (spec.shape[-1] or 1, *check_widths("channels", self.channels))
        size = self._check_size(spec)
        stages = nn.Sequential(*map(self._stage, channels[:-1], channels[1:]))
        return _CNN(stages, self._output(channels[-1], size) if pooled else None)

    def _check_choices(self) -> None:
        check_choice("output", self.output, ("adaptive", "average", "flatten"))
        check_choice("pooling", self.pooling, (*_POOLING, None))
        check_choice("padding", self.padding, ("same", "valid"))
        check_int("pool_size", self.pool_size)
        check_choice("residual", self.residual, (True, False))
        if self.residual and self.padding != "same":
            raise ParameterError('CNN: residual=True needs padding="same". Got padding="valid".')

    def _stage(self, n_in: int, n_out: int) -> nn.Module:
        parts = [
            _Convolution(n_in, n_out, self.kernel_size, self.padding, self.residual),
            *self._normalisation(n_out),
        ]
        act, pool = activation(self.activation), self._pool()
        # A rising activation and max pooling commute; the pooled map is the smaller one.
        rising = self.pooling == "max" and self.activation in ("relu", "tanh", "identity")
        return nn.Sequential(*parts, *((*pool, act) if rising else (act, *pool)))

    def _normalisation(self, n_channels: int) -> list[nn.Module]:
        norm = check_choice("norm", self.norm, ("group", "batch", None))
        if norm == "batch":
            return [nn.BatchNorm2d(n_channels)]
        groups = max(g for g in range(1, 9) if n_channels % g == 0)
        return [nn.GroupNorm(groups, n_channels)] if norm == "group" else []

    def _pool(self) -> list[nn.Module]:
        return [] if self.pooling is None else [_POOLING[self.pooling](self.pool_size)]

    def _check_size(self, spec: BlockSpec) -> tuple[int, int]:
        """Return height and width of the last feature map."""
        kernel = check_int("kernel_size", self.kernel_size)
        n_stages = len(check_widths("channels", self.channels))
        sides = []
        for side in (int(size or 0) for size in spec.shape[:2]):
            for _ in range(n_stages):
                side = side - (kernel - 1 if self.padding == "valid" else 0)
                side = side // self.pool_size if self.pooling else side
            sides.append(side)
        if min(sides) < 1:
            raise BlockError(
                f"block {spec.name!r}: images of {spec.shape[0]} x {spec.shape[1]} pixels are too "
                f"small for {n_stages} stages of CNN. Use fewer channels, a smaller kernel_size "
                "or pool_size, or pooling=None. Channels come last: if they stand first, turn the "
                "images with np.moveaxis(X, -3, -1); of arrays in cells "
                "[np.moveaxis(cell, -3, -1) for cell in X]."
            )
        return sides[0], sides[1]

    def _output(self, n_channels: int, size: tuple[int, int]) -> nn.Module:
        grid = check_int("grid", self.grid)
        cells = {
            "average": (1, 1),
            "flatten": size,
            "adaptive": (min(grid, size[0]), min(grid, size[1])),
        }[self.output]
        parts: list[nn.Module] = []
        if cells != size:
            parts.append(nn.AdaptiveAvgPool2d(cells))
        parts.append(_Flatten())
        if self.width is not None:
            n_features, width = n_channels * cells[0] * cells[1], check_int("width", self.width)
            parts += [nn.Linear(n_features, width), activation(self.activation)]
        return nn.Sequential(*parts, nn.Dropout(check_real("dropout", self.dropout, 0, 1)))


class _Convolution(nn.Module):
    def __init__(self, n_in: int, n_out: int, size: int, padding: str, residual: bool) -> None:
        super().__init__()
        self.conv = initialise(nn.Conv2d(n_in, n_out, size, padding=padding), relu=True)
        same = nn.Identity() if n_in == n_out else nn.Conv2d(n_in, n_out, 1, bias=False)
        self.shortcut = same if residual else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(x)
        return y if self.shortcut is None else y + self.shortcut(x)


class _Flatten(nn.Module):
    """Positions and channels in a row, channels last as they lie in memory: no copy."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.permute(0, 2, 3, 1).flatten(1)


class _CNN(nn.Module):
    """The permuted view of channels-last rows is torch's channels_last format: no copy."""

    def __init__(self, stages: nn.Sequential, output: nn.Module | None) -> None:
        super().__init__()
        self.stages = stages
        for weight in stages.parameters():
            if weight.ndim == 4:
                weight.data = weight.data.contiguous(memory_format=torch.channels_last)
        self.output = output

    def forward(self, x: torch.Tensor) -> Encoded:
        x = as_float(x, next(self.parameters())).permute(0, 3, 1, 2)
        feature_map = self.stages(x)
        if self.output is not None:
            return self.output(feature_map)
        return Tokens(feature_map.flatten(2).transpose(1, 2))  # (batch, cells, channels)
