"""What a fusion costs: time of a training step and parameters, as ratios to Concat.

2, 4 and 8 encoded blocks of width 128, batch of 64, a linear head behind; CPU time of this process
on one thread, the least of several rounds that take turns. Fusions of tokens get 8 tokens a block.

Run ``python -m benchmarks.fusion_cost``.
"""

import time

import pandas as pd
import torch
from torch import nn

from skfusion.fusion import Late, TokenTransformer, resolve_fusion

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


def main():
    torch.set_num_threads(1)
    columns = {}
    for n_blocks in (2, 4, 8):
        milliseconds, n_parameters = measure(n_blocks)
        columns[n_blocks, "ms"] = milliseconds.round(2)
        columns[n_blocks, "time"] = (milliseconds / milliseconds["concat"]).round(1)
        columns[n_blocks, "parameters"] = (n_parameters / n_parameters["concat"]).round(1)
        columns[n_blocks, "n"] = n_parameters
    print("blocks of width 128; time and parameters as ratios to concat")
    print(pd.DataFrame(columns).to_string())


if __name__ == "__main__":
    main()
