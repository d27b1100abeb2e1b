"""The switch task of Arevalo et al. (2017): whether gates find the block that is informative.

A latent variable M says which of two blocks of one number each carries the class; the other holds
wide noise around a place of its own. Means and directions are drawn anew for each seed. As in the
paper, the blocks go into the fusion through linear maps, so that concatenation can do no more than
logistic regression. The last two columns put a hidden layer in front of both: there concatenation
can tell noise from signal within each block, and the gates have no advantage.

Goal: gate and M correlate above 0.95 on average, Gated beats Concat and logistic regression.

Run ``python -m benchmarks.switch_task [--seeds 20] [--write docs/results.md]``.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.linear_model import LogisticRegression

from benchmarks._page import write_part
from skfusion import Blocks, FusionClassifier
from skfusion.encoders import MLP

N_TRAIN, N_TEST = 500, 1000
LINEAR, HIDDEN = MLP(1, activation="identity"), MLP(16)


def draw(seed):
    """Return two blocks of one number, the class, and M: 1 where the first block carries it."""
    rng = np.random.default_rng(seed)
    n_rows = N_TRAIN + N_TEST
    y, switch = rng.integers(0, 2, n_rows), rng.integers(0, 2, n_rows)
    blocks = {}
    for name, informative in (("first", switch), ("second", 1 - switch)):
        direction, side = rng.choice([-1, 1], size=2)
        classes = direction * np.array([-1, 1]) * rng.uniform(1, 1.5)
        noise = side * rng.uniform(4.5, 5.5)
        mean = np.where(informative == 1, classes[y], noise)
        x = rng.normal(mean, np.where(informative == 1, 0.5, 1.0))
        blocks[name] = ((x - x.mean()) / x.std()).astype(np.float32)[:, None]
    return Blocks(blocks), y, switch


def fit(fusion, encoder, blocks, y, seed):
    model = FusionClassifier(
        dict.fromkeys(blocks.names, encoder),
        fusion=fusion,
        max_epochs=60,
        lr=0.02,
        batch_size=64,
        early_stopping=False,
        random_state=seed,
    )
    return model.fit(blocks, y)


def one_seed(seed):
    blocks, y, switch = draw(seed)
    train, test = slice(0, N_TRAIN), slice(N_TRAIN, None)
    numbers = blocks.hstack()
    gated = fit("gated", LINEAR, blocks[train], y[train], seed)
    scores = {
        "logistic regression": LogisticRegression().fit(numbers[train], y[train]),
        "concat": fit("concat", LINEAR, blocks[train], y[train], seed),
        "gated": gated,
        "concat, hidden": fit("concat", HIDDEN, blocks[train], y[train], seed),
        "gated, hidden": fit("gated", HIDDEN, blocks[train], y[train], seed),
    }
    row = {
        name: model.score(numbers[test] if name.startswith("log") else blocks[test], y[test])
        for name, model in scores.items()
    }
    gate = gated.explain(blocks[test])["first"]
    return {"gate-M correlation": np.corrcoef(gate, switch[test])[0, 1], **row}


HEAD = """## The switch task

`python -m benchmarks.switch_task`: a latent variable says, row by row, which of two blocks carries
the class (Arevalo et al., 2017). Accuracy on held-out rows and the correlation of gate and latent
variable, over {n} seeds; goals: correlation above .95, gated above concat and logistic regression.
"""


def as_text(table):
    lines = ["| | mean | standard deviation | least |", "|---|---:|---:|---:|"]
    for name, row in table.agg(["mean", "std", "min"]).T.iterrows():
        lines.append(f"| {name} | " + " | ".join(f"{value:.3f}" for value in row) + " |")
    return "\n".join([HEAD.format(n=len(table)), *lines])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--write", type=Path, default=None, help="Markdown page to write")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    text = as_text(pd.DataFrame([one_seed(seed) for seed in range(arguments.seeds)]))
    print(text)
    if arguments.write is not None:
        write_part(arguments.write, "switch_task", text)


if __name__ == "__main__":
    main()
