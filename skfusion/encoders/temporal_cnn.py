"""Sequences, token ids and waveforms through dilated convolutions over time."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import nn
from torch.nn import functional as F

from skfusion._checks import check_choice, check_int, check_real, check_widths
from skfusion._tokens import Encoded, Tokens
from skfusion.blocks import BlockSpec
from skfusion.encoders._base import Encoder, activation, initialise
from skfusion.encoders._pooling import Pooling
from skfusion.encoders._steps import as_steps
from skfusion.exceptions import ParameterError

__all__ = ["TemporalCNN"]


class TemporalCNN(Encoder):
    """Dilated convolutions over time with residual connections.

    Stage ``i`` looks at steps ``dilation ** i`` apart, so that few stages see far (Bai, Kolter and
    Koltun, 2018). Waveforms first pass a learned filter bank, which makes a step of ``hop``
    samples. A row's output depends on its own steps alone; one without steps is encoded as zeros.

    (batch, time, d), ids (batch, time) or waveforms (batch, samples), with a mask where ragged ->
    (batch, channels[-1]), or (batch, time, channels[-1]) and a mask if not pooled; of a waveform
    ``ceil(samples / hop)`` steps.

    Parameters
    ----------
    channels : int or sequence of int, default=(64, 64, 64)
        Channels of each stage; the last is the size of the encoded vector.
    kernel_size : int, default=3
        Steps that a kernel spans.
    dilation : int, default=2
        Growth of the distance between those steps from stage to stage; 1 leaves them adjacent.
    causal : bool, default=False
        Whether a step sees only those before it; otherwise a kernel is centred.
    norm : {"layer"} or None, default=None
        Normalisation of each step in front of the activation.
    residual : bool, default=True
        Whether each stage's input is added to its convolution, through a linear map where the
        channels differ.
    activation : {"relu", "gelu", "silu", "tanh", "identity"}, default="relu"
        Function behind each stage.
    pooling : {"last", "mean", "max", "attention"}, default="mean"
        How the steps of a row become one vector.
    dropout : float, default=0.0
        Share of each stage's output set to zero while training.
    embedding_width : int, default=64
        Size of a token's vector, for token ids.
    window : int, default=80
        Samples that a filter of the filter bank spans, for waveforms.
    hop : int, default=20
        Samples between two positions of the filters, for waveforms.

    Notes
    -----
    NOTE[DIFF]: one convolution a stage instead of two, and layer instead of weight normalisation.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion import FusionClassifier, Ragged
    >>> from skfusion.encoders import TemporalCNN
    >>> voices = Ragged.from_rows([np.zeros(400, np.float32), np.ones(300, np.float32)] * 10)
    >>> model = FusionClassifier({"voice": TemporalCNN(channels=(8, 8))}, max_epochs=2)
    >>> model.fit({"voice": voices}, [1, 0] * 10).transform({"voice": voices}).shape
    (20, 8)
    """

    takes: ClassVar[tuple[str, ...]] = ("sequence", "tokens", "waveform")

    def __init__(
        self,
        channels: int | tuple[int, ...] = (64, 64, 64),
        kernel_size: int = 3,
        dilation: int = 2,
        causal: bool = False,
        norm: str | None = None,
        residual: bool = True,
        activation: str = "relu",
        pooling: str = "mean",
        dropout: float = 0.0,
        embedding_width: int = 64,
        window: int = 80,
        hop: int = 20,
    ) -> None:
        self.channels = channels
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.causal = causal
        self.norm = norm
        self.residual = residual
        self.activation = activation
        self.pooling = pooling
        self.dropout = dropout
        self.embedding_width = embedding_width
        self.window = window
        self.hop = hop

    def build(self, spec: BlockSpec, pooled: bool = True) -> nn.Module:
        self.check(spec)
        check_choice("causal", self.causal, (True, False))
        check_choice("residual", self.residual, (True, False))
        widths, stages = check_widths("channels", self.channels), []
        if not widths:
            raise ParameterError("channels must name at least one stage. Got ().")
        if spec.form == "waveform":
            steps: nn.Module = nn.Identity()
            stages.append(self._filter_bank(widths[0]))
            width_in = widths[0]
        else:
            steps, width_in = as_steps(spec, self.embedding_width)
        growth = check_int("dilation", self.dilation)
        for i, width in enumerate(widths):
            stages.append(self._stage(width_in, width, growth**i))
            width_in = width
        return _TemporalCNN(steps, stages, Pooling(self.pooling, width_in) if pooled else None)

    def _filter_bank(self, width: int) -> nn.Module:
        convolution = _Convolution(
            1, width, check_int("window", self.window), 1, self.causal, check_int("hop", self.hop)
        )
        return _Stage(convolution, None, *self._ends(width))

    def _stage(self, n_in: int, n_out: int, dilation: int) -> nn.Module:
        kernel_size = check_int("kernel_size", self.kernel_size)
        convolution = _Convolution(n_in, n_out, kernel_size, dilation, self.causal, 1)
        same = nn.Identity() if n_in == n_out else nn.Conv1d(n_in, n_out, 1, bias=False)
        return _Stage(convolution, same if self.residual else None, *self._ends(n_out))

    def _ends(self, width: int) -> tuple[nn.Module, nn.Module, nn.Module]:
        norm = check_choice("norm", self.norm, ("layer", None))
        dropout = nn.Dropout(check_real("dropout", self.dropout, 0, 1))
        return _StepNorm(width) if norm else nn.Identity(), activation(self.activation), dropout


class _Convolution(nn.Module):
    """(batch, n_in, time) -> (batch, n_out, ceil(time / stride)), as if zeros stood around."""

    def __init__(
        self, n_in: int, n_out: int, size: int, dilation: int, causal: bool, stride: int
    ) -> None:
        super().__init__()
        convolution = nn.Conv1d(n_in, n_out, size, stride=stride, dilation=dilation)
        self.conv = initialise(convolution, relu=True)
        around = (size - 1) * dilation
        left = around if causal else around // 2
        self.padding = (left, around - left)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(F.pad(x, self.padding))


class _Stage(nn.Module):
    def __init__(
        self,
        convolution: _Convolution,
        shortcut: nn.Module | None,
        norm: nn.Module,
        act: nn.Module,
        dropout: nn.Module,
    ) -> None:
        super().__init__()
        self.convolution, self.shortcut = convolution, shortcut
        self.norm, self.act, self.dropout = norm, act, dropout

    def forward(
        self, x: torch.Tensor, mask: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        y = self.convolution(x)
        if self.shortcut is not None:
            y = y + self.shortcut(x)
        y = self.dropout(self.act(self.norm(y)))
        if mask is None:
            return y, None
        mask = mask[:, :: self.convolution.conv.stride[0]]
        return y * mask[:, None], mask


class _StepNorm(nn.LayerNorm):
    """Layer normalisation over the channels of each step, (batch, channels, time)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.transpose(1, 2)).transpose(1, 2)


class _TemporalCNN(nn.Module):
    """Every stage zeroes what lies behind a row's end, as if nothing stood there."""

    def __init__(
        self, steps: nn.Module, stages: list[nn.Module], pooling: nn.Module | None
    ) -> None:
        super().__init__()
        self.steps, self.stages, self.pooling = steps, nn.ModuleList(stages), pooling

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> Encoded:
        values = self.steps(x)
        values = values[:, :, None] if values.ndim == 2 else values
        if mask is not None:
            values = values * mask[:, :, None]
        values = values.transpose(1, 2)
        for stage in self.stages:
            values, mask = stage(values, mask)
        tokens = values.transpose(1, 2)
        return Tokens(tokens, mask) if self.pooling is None else self.pooling(tokens, mask)
