"""Whether the library does on a GPU what it does on a CPU, and how fast.

`python -m benchmarks.gpu` runs wherever torch finds a GPU, in a few minutes: every encoder and
fusion trained there and read back on the CPU, random states, precision, checkpoints, memory that is
not enough, and rows a second beside a loop written by hand. `--device cpu` tries the script itself.
"""

from __future__ import annotations

import argparse
import pickle
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from inspect import isclass

import numpy as np
import torch
from scipy.sparse import random_array
from torch import nn
from torch.nn import functional as F

from skfusion import FusionClassifier, FusionRegressor, encoders, fusion
from skfusion.blocks import Block, Blocks, spec_of
from skfusion.encoders import CNN, MLP, RNN, Chain, Encoder, Policy, Pretrained, Transformer
from skfusion.exceptions import BlockError, ChanceLevelWarning, ParameterError
from skfusion.fusion import Fusion, Tree
from skfusion.testing._samples import N_ROWS, samples

Check = tuple[str, Callable[[], str]]
TOLERANCE = 1e-4
Y = np.arange(N_ROWS) % 2


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    device = parser.parse_args().device
    if device == "cuda" and not torch.cuda.is_available():
        print("torch finds no GPU here: nothing was measured")
        return 0
    # Six rows and two epochs teach nothing, and need not.
    warnings.simplefilter("ignore", ChanceLevelWarning)
    torch.backends.cudnn.allow_tf32 = False  # products of float32 in full, as on the CPU
    print(_named(device), "torch", torch.__version__, flush=True)
    failed = 0
    for what, check in [*_encoders(device), *_fusions(device), *_manners(device)]:
        try:
            print(f"ok    {what}: {check()}", flush=True)
        except Exception:  # a report goes on to the next check, and fails in the end
            failed += 1
            last = "".join(traceback.format_exc().splitlines(keepends=True)[-4:])
            print(f"FAIL  {what}\n{last}", flush=True)
    for what, measure in _speeds(device):
        print(f"      {what}: {measure()}", flush=True)
    print(f"{failed} checks failed")
    return int(failed > 0)


def _named(device: str) -> str:
    return torch.cuda.get_device_name() if device == "cuda" else device


# Every encoder and every fusion


def _encoders(device: str) -> list[Check]:
    """Return a check for each encoder on each kind of rows that it takes."""
    recipes = [_made(kind) for kind in _public(encoders, Encoder)]
    recipes += [Chain(CNN((4,)), Transformer(8, n_heads=2)), Policy(CNN((4,)), frozen=True)]
    recipes += [Pretrained(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()))]
    checks: list[Check] = []
    for recipe in filter(None, recipes):
        for label, block in samples(recipe.takes).items():
            if not _takes(recipe, label, block):
                continue
            model = FusionClassifier({"block": recipe}, max_epochs=2, device=device, random_state=0)
            what = f"{type(recipe).__name__} on {label}"
            checks.append((what, _read_back(model, {"block": block})))
    return checks


def _takes(recipe: Encoder, label: str, block: Block) -> bool:
    if isinstance(recipe, Pretrained):
        return "image" in label
    try:
        recipe.build(spec_of("block", block))
    except BlockError:
        return False
    return True


def _fusions(device: str) -> list[Check]:
    """Return a check for each fusion of three blocks, of which one is missing in some rows."""
    rng = np.random.default_rng(0)
    blocks = {
        "facts": rng.normal(size=(N_ROWS, 4)).astype(np.float32),
        "photo": rng.integers(0, 256, (N_ROWS, 12, 12, 3)).astype(np.uint8),
        "trace": rng.normal(size=(N_ROWS, 6, 2)).astype(np.float32),
    }
    missing = {"photo": np.arange(N_ROWS) == 1}
    recipes = [_made(kind) for kind in _public(fusion, Fusion)] + [
        Tree([("two", ["facts", "trace"], "gated")])
    ]
    return [
        (
            f"fusion {type(recipe).__name__}",
            _read_back(
                FusionRegressor(fusion=recipe, max_epochs=2, device=device, random_state=0),
                blocks,
                missing,
            ),
        )
        for recipe in filter(None, recipes)
    ]


def _public(module: object, base: type) -> list[type]:
    found = [getattr(module, name) for name in module.__all__]
    return [kind for kind in found if isclass(kind) and issubclass(kind, base) and kind is not base]


def _made(kind: type) -> Encoder | Fusion | None:
    try:
        return kind()
    except TypeError:  # it needs another recipe
        return None


def _read_back(
    model: FusionClassifier | FusionRegressor,
    blocks: dict[str, Block],
    missing: dict[str, np.ndarray] | None = None,
) -> Callable[[], str]:
    """Train on the device, and compare what the same weights say there and on the CPU."""

    def check() -> str:
        X = Blocks(blocks, missing)
        there = model.fit(X, Y).transform(X)
        here = pickle.loads(pickle.dumps(model.set_params(device="cpu"))).transform(X)
        size = max(1.0, float(np.abs(here).max()))
        difference = float(np.abs(there - here).max()) / size
        assert difference < TOLERANCE, f"differs by {difference:.2g}"
        return f"differs by {difference:.1g}"

    return check


# Manners


def _manners(device: str) -> list[Check]:
    X = {"facts": np.random.default_rng(0).normal(size=(600, 8)).astype(np.float32)}
    y = (X["facts"][:, 0] > 0).astype(int)

    def model(**params: object) -> FusionClassifier:
        given = {"encoders": {"facts": MLP(64, dropout=0.3)}, "max_epochs": 5, "device": device}
        return FusionClassifier(**{**given, "random_state": 0, "early_stopping": False, **params})

    def random_state() -> str:
        before = _random_states(device)
        model().fit(X, y)
        assert all(map(torch.equal, before, _random_states(device)))
        return "as before a fit"

    def threads() -> str:
        alone = model().fit(X, y).predict_proba(X)
        with ThreadPoolExecutor(4) as pool:
            beside = list(pool.map(lambda _: model().fit(X, y).predict_proba(X), range(4)))
        worst = max(float(np.abs(one - alone).max()) for one in beside)
        assert worst < TOLERANCE, f"differ by {worst:.2g}"
        return f"four fits at once differ from one alone by {worst:.1g}"

    def checkpoint() -> str:
        whole = model(max_epochs=6).fit(X, y).predict_proba(X)
        with tempfile.TemporaryDirectory() as folder:
            model(max_epochs=3, checkpoint=folder).fit(X, y)
            longer = model(max_epochs=6, checkpoint=folder).fit(X, y).predict_proba(X)
        difference = float(np.abs(whole - longer).max())
        assert difference < TOLERANCE, f"differs by {difference:.2g}"
        return f"three and three epochs differ from six by {difference:.1g}"

    def bf16() -> str:
        exact, rough = (model(precision=p).fit(X, y).score(X, y) for p in ("float32", "bf16"))
        assert abs(exact - rough) < 0.05
        return f"accuracy {rough:.3f}, float32 {exact:.3f}"

    def csr() -> str:
        words = random_array((600, 50_000), density=1e-3, format="csr", dtype=np.float32, rng=0)
        fitted = FusionClassifier(max_epochs=2, device=device, random_state=0).fit({"w": words}, y)
        here = pickle.loads(pickle.dumps(fitted.set_params(device="cpu")))
        difference = np.abs(here.predict_proba({"w": words}) - fitted.predict_proba({"w": words}))
        assert difference.max() < TOLERANCE
        return f"50,000 columns differ by {difference.max():.1g}"

    def no_memory() -> str:
        fitted = model().fit(X, y)
        net, history = fitted.net_, fitted.history_
        fitted.set_params(encoders={"facts": MLP((400_000, 400_000))})
        try:
            fitted.fit(X, y)
        except (ParameterError, RuntimeError) as error:  # refused, or torch's own
            kept = fitted.net_ is net and fitted.history_.equals(history)
            assert kept, "the estimator is not as it was"
            return f"{type(error).__name__}: {' '.join(str(error).split())[:90]}"
        raise AssertionError("640 GB fitted")

    named = (random_state, threads, checkpoint, bf16, csr, no_memory)
    return [(one.__name__, one) for one in named]


def _random_states(device: str) -> list[torch.Tensor]:
    there = torch.cuda.get_rng_state_all() if device == "cuda" else []
    return [torch.get_rng_state(), *there]


# Speed


def _speeds(device: str) -> list[Check]:
    rng = np.random.default_rng(0)
    facts = rng.normal(size=(50_000, 64)).astype(np.float32)
    labels = (facts[:, 0] > 0).astype(int)
    clips = rng.normal(size=(4_000, 50, 16)).astype(np.float32)
    many = 4_000

    def tables(batch_size: int) -> Callable[[], str]:
        def measure() -> str:
            params = {"encoders": {"X": MLP((256, 256))}, "batch_size": batch_size}
            ours = _rows_per_second(facts, labels, device, params)
            reference = _by_hand(facts, labels, device, batch_size)
            return f"{ours:,.0f} rows / s, by hand {reference:,.0f}, ratio {reference / ours:.2f}"

        return measure

    def traces() -> str:
        params = {"encoders": {"X": RNN(64)}, "batch_size": 256}
        return f"{_rows_per_second(clips, labels[:many], device, params):,.0f} rows / s"

    sizes = (256, 1024, 8192)
    return [*((f"table, batches of {n}", tables(n)) for n in sizes), ("GRU, 50 steps", traces)]


def _rows_per_second(X: np.ndarray, y: np.ndarray, device: str, params: dict[str, object]) -> float:
    """Return the speed of further epochs, the first being for what happens once."""
    model = FusionClassifier(
        **params, device=device, early_stopping=False, random_state=0, max_epochs=4
    ).fit(X, y)
    return len(X) / float(model.history_["seconds"].iloc[1:].min())


def _by_hand(X: np.ndarray, y: np.ndarray, device: str, batch_size: int) -> float:
    module = nn.Sequential(
        nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 1)
    ).to(device)
    optimizer = torch.optim.AdamW(module.parameters(), lr=3e-3, fused=True)
    rows, codes = torch.from_numpy(X), torch.from_numpy(y.astype(np.float32))
    least = float("inf")
    for _ in range(4):
        start = time.perf_counter()
        for chosen in torch.randperm(len(rows)).split(batch_size):
            optimizer.zero_grad(set_to_none=True)
            outputs = module(rows[chosen].to(device))[:, 0]
            loss = F.binary_cross_entropy_with_logits(outputs, codes[chosen].to(device))
            loss.backward()
            optimizer.step()
            loss.item()
        least = min(least, time.perf_counter() - start)
    return len(X) / least


if __name__ == "__main__":
    sys.exit(main())
