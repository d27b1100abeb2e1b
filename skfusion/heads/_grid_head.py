"""Maps: numbers in a grid of cells, by up-convolution."""

from __future__ import annotations

import math

import torch
from torch import nn

from skfusion._attention import Attention, check_heads
from skfusion._checks import check_int
from skfusion._tokens import Encoded
from skfusion.exceptions import ParameterError
from skfusion.heads._base import Head
from skfusion.heads._writing import mean_of, memory_of
from skfusion.targets import OutputSpec

__all__ = ["GridHead"]

_AXES = {2: "height, width", 3: "steps, height, width", 4: "steps, height, width, channels"}


class GridHead(Head):
    """From the fused tokens, or the fused vector, to maps, by convolutions that double the size.

    A coarse map comes first: each of its cells has a learned vector that asks the fused tokens, by
    attention (Vaswani et al., 2017), what is there; from a vector, a linear layer makes all cells.
    Then each stage doubles height and width and convolves (Odena et al., 2016); what is too large
    is cut off. The last map has one channel for each step and channel of the outputs.

    Outputs have the shape (height, width), (steps, height, width), or (steps, height, width,
    channels).

    Parameters
    ----------
    width : int, default=32
        Channels of the coarse map; each stage halves them, down to 8.
    n_stages : int or None, default=None
        How often the size is doubled; None goes on until a coarse map has at most 8 cells a side.
    n_heads : int, default=4
        Number of attention heads, over tokens.

    Examples
    --------
    >>> import torch
    >>> from skfusion.heads import GridHead
    >>> from skfusion.targets import OutputSpec
    >>> head = GridHead(width=8).build(16, OutputSpec("grid", (3, 20, 30)))
    >>> head(torch.randn(2, 16)).shape
    torch.Size([2, 3, 20, 30])
    """

    def __init__(self, width: int = 32, n_stages: int | None = None, n_heads: int = 4) -> None:
        self.width = width
        self.n_stages = n_stages
        self.n_heads = n_heads

    @property
    def takes(self) -> str:
        return "either"

    def build(self, width: int, output: OutputSpec) -> nn.Module:
        inner, n_heads = check_heads(self.width, self.n_heads)
        shape, asked = output.fixed_shape, self.n_stages
        n_stages = None if asked is None else check_int("n_stages", asked, low=0)
        if len(shape) not in _AXES:
            known = "; ".join(_AXES.values())
            raise ParameterError(
                f"{self!r} makes maps, of shape ({known}), and the outputs of a row have shape "
                f'{shape}. Use head="linear" for numbers that are no map.'
            )
        height, columns = shape[-2:] if len(shape) < 4 else shape[1:3]
        if n_stages is None:  # until no side is longer than 8 cells
            n_stages = max(0, math.ceil(math.log2(max(height, columns) / 8)))
        coarse = (-(-height // 2**n_stages), -(-columns // 2**n_stages))
        n_channels = math.prod(shape) // (height * columns)
        return _Grid(width, inner, n_heads, coarse, n_stages, n_channels, shape)


class _Grid(nn.Module):
    def __init__(
        self,
        width_in: int,
        width: int,
        n_heads: int,
        coarse: tuple[int, int],
        n_stages: int,
        n_channels: int,
        shape: tuple[int, ...],
    ) -> None:
        super().__init__()
        self.coarse, self.shape = coarse, shape
        n_cells = coarse[0] * coarse[1]
        self.cells = nn.Parameter(torch.randn(n_cells, width) * width**-0.5)
        self.tokens, self.vector = nn.Linear(width_in, width), nn.Linear(width_in, width)
        self.attention, self.norm = Attention(width, n_heads), nn.LayerNorm(width)
        self.spread = nn.Linear(width, n_cells * width)
        self.stages, channels = nn.ModuleList(), width
        for _ in range(n_stages):
            narrower = max(8, channels // 2)
            self.stages.append(_Stage(channels, narrower))
            channels = narrower
        self.out = nn.Conv2d(channels, n_channels, 3, padding=1)

    def forward(self, fused: Encoded) -> torch.Tensor:
        maps = self._coarse(fused)
        for stage in self.stages:
            maps = stage(maps)
        return self._shaped(self.out(maps))

    def _coarse(self, fused: Encoded) -> torch.Tensor:
        """Return the coarse map (batch, channels, height, width)."""
        values, mask = memory_of(fused)
        tokens = self.tokens(values)
        cells = self.cells.expand(len(tokens), -1, -1)
        looked_up = self.attention(cells, tokens, mask)
        mean = self.vector(mean_of((values, mask)))
        spread = self.spread(torch.relu(mean)).reshape(cells.shape)
        found = self.norm(cells + looked_up + spread)
        return found.transpose(1, 2).unflatten(2, self.coarse)

    def _shaped(self, maps: torch.Tensor) -> torch.Tensor:
        """(batch, steps * channels, height, width) -> (batch, *shape)."""
        if len(self.shape) < 4:
            height, width = self.shape[-2:]
            return maps[:, :, :height, :width].reshape(len(maps), *self.shape)
        steps, height, width, channels = self.shape
        cut = maps[:, :, :height, :width].reshape(len(maps), steps, channels, height, width)
        return cut.permute(0, 1, 3, 4, 2)


class _Stage(nn.Module):
    """Twice the height and width, and a convolution."""

    def __init__(self, channels: int, narrower: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, narrower, 3, padding=1)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        larger = nn.functional.interpolate(maps, scale_factor=2, mode="bilinear")
        return torch.relu(self.convolution(larger))
