"""Training step and prediction of the reference networks on clips.

Run ``python -m benchmarks.encoders``. One thread; CPU seconds, the least of several turns, and the
peak memory of processes that do nothing else. The reference is the same network written by hand in
torch, once in the best layout found (channels last, pooled before the activation, frames in chunks
of 16, the LSTM's input projected once for all steps, fused optimiser) and once as one writes it.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from benchmarks._measure import header, ratio, report
from skfusion import Blocks, FusionClassifier
from skfusion._training import Rows, Run, fit_net
from skfusion.encoders import CNN, RNN, TimeDistributed
from skfusion.heads import LinearHead, MLPHead


@dataclass
class Network:
    """One of the reference networks."""

    shape: tuple[int, int, int, int]
    channels: int
    states: int
    hidden: int | None
    n_classes: int
    batch_size: int

    @property
    def features(self) -> int:
        return self.channels * ((self.shape[1] - 2) // 2) * ((self.shape[2] - 2) // 2)

    def __str__(self) -> str:
        return f"{self.shape}, batch {self.batch_size}"


SMALL = Network((10, 64, 64, 3), 32, 64, None, 10, 32)
LARGE = Network((20, 128, 128, 3), 64, 128, 64, 5, 8)
LR = 1e-6  # the work of a step is to be measured, before gates are saturated


class Plain(nn.Module):
    """The network as one writes it: channels first, all frames at once, nn.LSTM."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.conv = nn.Conv2d(network.shape[-1], network.channels, 3)
        self.lstm = nn.LSTM(network.features, network.states, batch_first=True)
        # torch's own start saturates the gates behind so wide an input: denormals, far slower.
        for gate in (*self.lstm.weight_ih_l0.chunk(4), *self.lstm.weight_hh_l0.chunk(4)):
            nn.init.xavier_uniform_(gate)
        layers: list[nn.Module] = [nn.Linear(network.states, network.n_classes)]
        if network.hidden:
            layers = [nn.Linear(network.states, network.hidden), nn.ReLU()]
            layers.append(nn.Linear(network.hidden, network.n_classes))
        self.head = nn.Sequential(*layers)

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        frames = clips.flatten(0, 1).permute(0, 3, 1, 2).contiguous().float() / 255
        maps = F.max_pool2d(torch.relu(self.conv(frames)), 2)
        return self.head(self.lstm(maps.flatten(1).unflatten(0, clips.shape[:2]))[0][:, -1])


class Best(Plain):
    """The same network in the best layout found."""

    def __init__(self, network: Network) -> None:
        super().__init__(network)
        self.conv.to(memory_format=torch.channels_last)

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        chunks = clips.flatten(0, 1).split(16)
        vectors = torch.cat([self._frames(chunk) for chunk in chunks])
        return self.head(self._last_state(vectors.unflatten(0, clips.shape[:2])))

    def _frames(self, frames: torch.Tensor) -> torch.Tensor:
        frames = frames.permute(0, 3, 1, 2).to(torch.float32).div_(255)
        maps = torch.relu(F.max_pool2d(self.conv(frames), 2))
        return maps.permute(0, 2, 3, 1).flatten(1)

    def _last_state(self, steps: torch.Tensor) -> torch.Tensor:
        lstm = self.lstm
        projected = F.linear(steps, lstm.weight_ih_l0, lstm.bias_ih_l0 + lstm.bias_hh_l0)
        h = c = projected.new_zeros(len(steps), lstm.hidden_size)
        for step in projected.unbind(1):
            i, f, g, o = torch.addmm(step, h, lstm.weight_hh_l0.t()).chunk(4, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
        return h


HAND_WRITTEN: dict[str, Callable[[Network], nn.Module]] = {"best": Best, "plain": Plain}


def ours(
    network: Network, X: Blocks, y: np.ndarray, precision: str = "float32"
) -> FusionClassifier:
    encoder = TimeDistributed(
        CNN(channels=network.channels, padding="valid", output="flatten", width=None),
        over=RNN(width=network.states, cell="lstm"),
    )
    head = MLPHead(network.hidden) if network.hidden else LinearHead()
    model = FusionClassifier(
        {"clip": encoder},
        head=head,
        max_epochs=1,
        batch_size=network.batch_size,
        early_stopping=False,
        random_state=0,
        lr=LR,
        precision=precision,
    )
    return model.fit(X, y)


def our_step(model: FusionClassifier, X: Blocks, y: np.ndarray) -> Callable[[], None]:
    run = Run(Rows(X, model.target_.encode(y), None), n_epochs=1, seed=0)
    return lambda: fit_net(model.net_, run)


def hand_step(module: nn.Module, clips: np.ndarray, y: np.ndarray) -> Callable[[], float]:
    inputs, targets = torch.from_numpy(clips), torch.from_numpy(y)
    optimizer = torch.optim.AdamW(module.parameters(), lr=LR, weight_decay=1e-4, fused=True)

    def step() -> float:
        rows = torch.randperm(len(inputs))
        optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(module(inputs[rows]), targets[rows])
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def hand_predict(module: nn.Module, clips: np.ndarray) -> Callable[[], np.ndarray]:
    inputs = torch.from_numpy(clips)

    def predict() -> np.ndarray:
        module.eval()
        with torch.inference_mode():
            return module(inputs).argmax(1).numpy()

    return predict


def bench(network: Network, repeats: int) -> None:
    rng = np.random.default_rng(0)
    clips = rng.integers(0, 256, (network.batch_size, *network.shape), dtype=np.uint8)
    y = np.arange(network.batch_size) % network.n_classes
    X = Blocks({"clip": clips})
    model = ours(network, X, y)
    step = our_step(model, X, y)
    for name, goal in (("best", "<= 1.05"), ("plain", "far below 1")):
        module = HAND_WRITTEN[name](network)
        measured = ratio(step, hand_step(module, clips, y), repeats)
        report(f"step {network}, against the {name} layout", measured, goal)
        measured = ratio(lambda: model.predict(X), hand_predict(module, clips), repeats)
        report(f"predict {network}, against the {name} layout", measured, goal)
        del module
    half = our_step(ours(network, X, y, "bf16"), X, y)
    report(f"step {network}, bf16 against float32", ratio(half, step, repeats), "< 1")


def two_steps(network: Network, what: str) -> None:
    """Print the peak memory of a process that does nothing but two training steps."""
    rng = np.random.default_rng(0)
    clips = rng.integers(0, 256, (network.batch_size, *network.shape), dtype=np.uint8)
    y = np.arange(network.batch_size) % network.n_classes
    if what in HAND_WRITTEN:
        step = hand_step(HAND_WRITTEN[what](network), clips, y)
    else:
        X = Blocks({"clip": clips})
        step = our_step(ours(network, X, y, what), X, y)
    step(), step()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"peak of steps {network}, {what:<12} {peak:6.2f} GB", flush=True)


def bench_peaks(network: Network) -> None:
    """Run each variant in a process of its own, since a peak never falls."""
    size = "small" if network is SMALL else "large"
    for what in ("float32", "bf16", *HAND_WRITTEN):
        command = [sys.executable, "-m", "benchmarks.encoders", "--peak", size, what]
        subprocess.run(command, check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="only the small network")
    parser.add_argument("--large", action="store_true", help="only the large network")
    parser.add_argument("--peak", nargs=2, metavar=("SIZE", "WHAT"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peak:
        size, what = arguments.peak
        two_steps(SMALL if size == "small" else LARGE, what)
        return
    header()
    if not arguments.large:
        bench(SMALL, repeats=5)
        bench_peaks(SMALL)
    if not arguments.small:
        bench(LARGE, repeats=4)
        bench_peaks(LARGE)


if __name__ == "__main__":
    main()
