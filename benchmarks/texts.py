"""Texts out, on real data: tables to English, Spanish to English, clips to captions.

Run ``python -m benchmarks.texts --data FOLDER [--sets e2e tatoeba moving_emoji] [--heads gru]``.
Models are fitted on one thread, for the epochs that are named below or by ``--epochs``, and are
measured on rows of the official split by all their references: BLEU, chrF, and what of the facts is
told. What others reach on the same split stands in the README of each folder.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch

from benchmarks._page import processor, write_part
from skfusion import BlockUnion, FusionGenerator
from skfusion.encoders import CNN, MLP, RNN, SparseLinear, TimeDistributed
from skfusion.heads import GRUDecoder, TransformerDecoder
from skfusion.inputs import Tokenizer
from skfusion.targets import Texts


class Task(NamedTuple):
    """Rows to learn from and to be measured on, and what is asked of the texts."""

    X: Any
    y: np.ndarray
    X_test: Any
    references: list[list[str]]
    model: FusionGenerator
    told: Callable[[Sequence[str]], dict[str, float]]


SLOTS = ["name", "eatType", "food", "priceRange", "customer rating", "area"]
SLOTS += ["familyFriendly", "near"]


def e2e(folder: Path) -> Task:
    """Eight slots of a table to an English sentence."""
    train, dev = (pd.read_csv(folder / "e2e" / f"{name}.csv.gz") for name in ("train", "dev"))
    asked = dev.drop_duplicates("mr_id")[SLOTS]
    references = dev.groupby("mr_id", sort=False).ref.apply(list).tolist()
    encoders = {slot: SparseLinear(64) for slot in SLOTS}
    columns = dict.fromkeys(SLOTS, "category")
    target = Texts(n_tokens=1000)
    model = FusionGenerator(encoders, columns=columns, target=target, max_epochs=3)

    def told(texts: Sequence[str]) -> dict[str, float]:
        named = [
            value.lower() in text.lower()
            for text, row in zip(texts, asked.to_dict("records"), strict=True)
            for value in (row["name"], row["near"], row["food"])
            if isinstance(value, str)
        ]
        return {"names and foods told": float(np.mean(named))}

    return Task(train[SLOTS], train.ref.to_numpy(object), asked, references, model, told)


def tatoeba(folder: Path) -> Task:
    """Spanish to English."""
    pairs = pd.read_csv(folder / "tatoeba_es_en" / "pairs.csv.gz")
    train, test = (pairs[pairs.split == name] for name in ("train", "test"))
    references = test.groupby("es", sort=False).en.apply(list)
    union = BlockUnion([("es", Tokenizer(tokenizer=_subwords(), max_tokens=2000), "es")])
    model = FusionGenerator(
        {"es": RNN(128, bidirectional=True, embedding_width=128, dropout=0.2)},
        union=union,
        target=Texts(n_tokens=2000),
        batch_size=32,
        max_epochs=16,
    )
    asked = references.index.to_frame(name="es")
    y = train.en.to_numpy(object)
    return Task(train[["es"]], y, asked, references.tolist(), model, lambda texts: {})


def _subwords() -> Any:
    import tokenizers

    found = tokenizers.Tokenizer(tokenizers.models.BPE())
    found.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    return found


def moving_emoji(folder: Path) -> Task:
    """Clips to captions in Spanish and English, by one model."""
    sys.path.insert(0, str(folder / "moving_emoji"))
    made = importlib.import_module("moving_emoji")
    drawings = folder / "emoji"
    _, spanish = made.read_drawings(drawings)
    parts = {name: made.moving_emoji(name, emoji=drawings) for name in ("train", "test")}

    def rows(name: str) -> dict[str, np.ndarray]:
        clips, table = parts[name]
        language = np.repeat([[1.0, 0.0], [0.0, 1.0]], len(table), axis=0).astype(np.float32)
        return {"clip": np.concatenate([clips, clips]), "language": language}

    def captions(name: str) -> list[list[str]]:
        records = parts[name][1].to_dict("records")
        return [list(made.captions(row, way, spanish)) for way in ("es", "en") for row in records]

    train, test = parts["train"][1], parts["test"][1]
    y = np.concatenate([train.es, train.en]).astype(object)

    def told(texts: Sequence[str]) -> dict[str, float]:
        n, found = len(test), {}
        for way, some in (("es", texts[:n]), ("en", texts[n:])):
            facts = [made.facts_told(text, way, spanish) for text in some]
            right = np.array(
                [
                    [one.get(fact) == row[fact] for fact in made.FACTS]
                    for one, row in zip(facts, test.to_dict("records"), strict=True)
                ]
            )
            found |= {f"{way} all": right.all(1).mean(), f"{way} mean": right.mean()}
        return found

    model = FusionGenerator(
        {"clip": TimeDistributed(CNN(), over=RNN(128)), "language": MLP(32)},
        target=Texts(n_tokens=500),
        batch_size=32,
        lr=1e-3,  # at 3e-3 six epochs learned nothing of the clips
        max_epochs=10,
    )
    return Task(rows("train"), y, rows("test"), captions("test"), model, told)


TASKS = {"e2e": e2e, "tatoeba": tatoeba, "moving_emoji": moving_emoji}
HEADS = {"gru": GRUDecoder(), "transformer": TransformerDecoder()}


def measured(texts: Sequence[str], references: list[list[str]]) -> dict[str, float]:
    """Return BLEU and chrF by all references of each row."""
    from sacrebleu.metrics import BLEU, CHRF

    most = max(map(len, references))
    streams = [[row[i] if i < len(row) else None for row in references] for i in range(most)]
    return {
        name: kind().corpus_score(list(texts), streams).score
        for name, kind in (("BLEU", BLEU), ("chrF", CHRF))
    }


def run(name: str, task: Task, params: dict[str, Any]) -> list[str]:
    """Fit, measure, and return what was reached: a row for each number of beams, and texts."""
    model = task.model.set_params(early_stopping=False, schedule="one_cycle", **params)
    start = time.process_time()
    model.fit(task.X, task.y)
    spent, rows = time.process_time() - start, []
    decoder = type(model.head).__name__
    for beams in (1, 4):
        start = time.process_time()
        texts = model.set_params(decoding__num_beams=beams).predict(task.X_test)
        writing = time.process_time() - start
        found = measured(texts, task.references)
        told = ", ".join(f"{what} {share:.3f}" for what, share in task.told(texts).items())
        rows.append(
            f"| {name} | {decoder} | {model.max_epochs} | {spent:.0f} | {beams} | "
            f"{found['BLEU']:.1f} | {found['chrF']:.1f} | {told} | {writing:.1f} |"
        )
        print(rows[-1], flush=True)
    pairs = [*zip(texts, task.references, strict=True)][:: max(1, len(texts) // 8)]
    return [*rows, *(f"- {text} *({known[0]})*" for text, known in pairs)]


HEAD = """## Texts out

`python -m benchmarks.texts`: one model a task, fitted on one thread of {machine}; BLEU and chrF of
sacrebleu by all references of each row, official splits. Below the table texts as they were
written, four beams, each with one of its references in brackets.

| task | decoder | epochs | CPU s | beams | BLEU | chrF | told | CPU s to write |
|---|---|---|---|---|---|---|---|---|"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("SKFUSION_DATA"))
    parser.add_argument("--sets", nargs="*", default=[*TASKS], choices=[*TASKS])
    parser.add_argument("--heads", nargs="*", default=["gru"], choices=[*HEADS])
    parser.add_argument("--epochs", type=int, default=None)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", type=Path, default=None, help="Markdown page to write")
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("name the folder of the data sets: --data FOLDER, or SKFUSION_DATA")
    torch.set_num_threads(1)
    rows, shown = [], []
    for name in arguments.sets:
        task = TASKS[name](Path(arguments.data))
        for head in arguments.heads:
            asked = {} if arguments.epochs is None else {"max_epochs": arguments.epochs}
            params = {"head": HEADS[head], "random_state": arguments.seed, **asked}
            found = run(name, task, params)
            rows += [line for line in found if line.startswith("|")]
            shown += [f"\n{name}, {head}:\n", *(one for one in found if one.startswith("-"))]
    if arguments.write is not None:
        text = "\n".join([HEAD.format(machine=processor()), *rows, *shown])
        write_part(arguments.write, "texts", text)


if __name__ == "__main__":
    main()
