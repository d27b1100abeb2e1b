"""What a fusion costs: time of a training step and parameters, as ratios to Concat.

2, 4 and 8 encoded blocks of width 128, batch of 64, a linear head behind; CPU time of this process
on one thread, the least of several rounds that take turns. Fusions of tokens get 8 tokens a block.

Run ``python -m benchmarks.fusion_cost [--write docs/performance.md]``.
"""

import argparse
import time
from pathlib import Path

import pandas as pd
import torch
from torch import nn

from benchmarks._page import write_part
from skfusion.fusion import Late, TokenTransformer
from skfusion.fusion.tree import resolve_fusion

WIDTH, BATCH, N_TOKENS, N_CLASSES = 128, 64, 8, 10
N_ROUNDS, N_STEPS = 7, 10
FUSIONS = {
    name: resolve_fusion(name)
    for name in [
        "concat",
        "sum",
        "mean",
        "max",
        "product",
        "gated",
        "low_rank",
        "tensor",
        "bilinear",
        "film",
        "experts",
        "token_transformer",
        "cross_attention",
        "bottleneck",
        "early",
        "late",
    ]
}
FUSIONS["token_transformer, all tokens"] = TokenTransformer(tokens="all")
FUSIONS |= {f"late, {rule}": Late(rule) for rule in ("confidence", "vote", "stacked")}


class Step:
    """A training step of one fusion on fixed vectors."""

    def __init__(self, recipe, n_blocks):
        torch.manual_seed(0)
        widths = {f"block_{i}": WIDTH for i in range(n_blocks)}
        sizes = (BATCH, N_TOKENS, WIDTH) if recipe.takes == "tokens" else (BATCH, WIDTH)
        self.blocks = {name: torch.randn(sizes, requires_grad=True) for name in widths}
        self.encoded = self.blocks
        if recipe.takes == "tokens":
            self.encoded = {name: (block, None) for name, block in self.blocks.items()}
        self.y = torch.randint(N_CLASSES, (BATCH,))
        if recipe.decides:
            self.fusion, self.head = recipe.build(widths, n_outputs=N_CLASSES), nn.Identity()
        else:
            self.fusion = recipe.build(widths)
            self.head = nn.Linear(self.fusion(self.encoded, None).shape[1], N_CLASSES)
        parts = [*self.fusion.parameters(), *self.head.parameters()]
        self.n_parameters = sum(part.numel() for part in parts)
        self.optimizer = torch.optim.AdamW(parts, fused=True)

    def __call__(self):
        for block in self.blocks.values():
            block.grad = None
        self.optimizer.zero_grad(set_to_none=True)
        outputs = self.head(self.fusion(self.encoded, None))
        nn.functional.cross_entropy(outputs, self.y).backward()
        self.optimizer.step()

    def seconds(self):
        start = time.process_time()
        for _ in range(N_STEPS):
            self()
        return (time.process_time() - start) / N_STEPS


def measure(n_blocks):
    """Return milliseconds and parameters of each fusion."""
    steps = {name: Step(recipe, n_blocks) for name, recipe in FUSIONS.items()}
    for step in steps.values():
        step.seconds()
    rounds = [{name: step.seconds() for name, step in steps.items()} for _ in range(N_ROUNDS)]
    return 1e3 * pd.DataFrame(rounds).min(), pd.Series(
        {name: step.n_parameters for name, step in steps.items()}
    )


HEAD = """`python -m benchmarks.fusion_cost`: CPU time of a training step and parameters over those
of `Concat`, for 2, 4 and 8 blocks of width 128, batch of 64, a linear head; fusions of tokens get 8
tokens a block. `Concat` itself: {own}."""


def as_text(measured):
    """Return the ratios to Concat as Markdown: ``measured`` holds times and sizes by n_blocks."""
    own = ", ".join(
        f"{n} blocks {times['concat']:.2f} ms and {sizes['concat']:,} parameters"
        for n, (times, sizes) in measured.items()
    )
    titles = [f"time, {n} blocks | parameters" for n in measured]
    lines = ["| fusion | " + " | ".join(titles) + " |", "|---|" + "---:|" * (2 * len(measured))]
    for name in FUSIONS:
        ratios = (part[name] / part["concat"] for pair in measured.values() for part in pair)
        lines.append(f"| {name} | " + " | ".join(f"{ratio:.1f}" for ratio in ratios) + " |")
    return "\n".join([HEAD.format(own=own), "", *lines])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, default=None, help="Markdown page to write")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    text = as_text({n_blocks: measure(n_blocks) for n_blocks in (2, 4, 8)})
    print(text)
    if arguments.write is not None:
        write_part(arguments.write, "fusions", text)


if __name__ == "__main__":
    main()
