"""The data sets of the fusion benchmark: blocks, target, the split that counts, the metric."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    PredefinedSplit,
    RepeatedStratifiedKFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    StratifiedShuffleSplit,
)
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skfusion import BlockUnion
from skfusion.inputs import ArrayStacker


@dataclass
class Job:
    """One data set, ready for ``ablation``."""

    name: str
    union: BlockUnion
    X: Any
    y: Any
    cv: Any
    scoring: str
    source: str
    groups: Any = None
    regression: bool = False
    tree: list[tuple[str, list[str], str]] | None = None  # blocks to fuse before the rest


def jobs(folder: Path) -> dict[str, Callable[[], Job]]:
    """Return what loads each data set from ``folder``."""
    loaders = (emoji, leaf, isl_gestures, parkinson, news_official, news_random, omniglot, vader)
    return {loader.__name__: lambda loader=loader: loader(folder) for loader in loaders}


def emoji(folder: Path) -> Job:
    from PIL import Image

    table = pd.read_csv(folder / "emoji/emoji.csv.gz")
    sheet = np.array(Image.open(folder / "emoji/emoji_32_sheet.png").convert("RGB"))
    tiles = sheet.reshape(-1, 32, 40, 32, 3).transpose(0, 2, 1, 3, 4).reshape(-1, 32, 32, 3)
    words = ["keywords_en", "keywords_es"]
    X = table[words].assign(image=list(tiles[: len(table)]))
    union = BlockUnion(
        [("image", ArrayStacker(), "image"), *((name, TfidfVectorizer(), name) for name in words)]
    )
    cv = StratifiedKFold(3, shuffle=True, random_state=0)
    source = "Noto emoji (Apache-2.0), CLDR keywords (Unicode License v3)"
    y, tree = table["group"].to_numpy(), [("keywords", words, "gated")]
    return Job("emoji: group", union, X, y, cv, "accuracy", source, tree=tree)


def leaf(folder: Path) -> Job:
    data = np.load(folder / "leaf/leaf.npz")
    names = ("margin", "shape", "texture")
    X = {name: data[name].astype(np.float32) for name in names}
    union = BlockUnion([(name, StandardScaler(), name) for name in names])
    cv = RepeatedStratifiedKFold(n_splits=2, n_repeats=3, random_state=0)
    source = "UCI One-hundred plant species leaves (CC BY 4.0)"
    y, tree = data["species"], [("outline", ["margin", "shape"], "gated")]
    return Job("leaf: species", union, X, y, cv, "accuracy", source, tree=tree)


def isl_gestures(folder: Path) -> Job:
    data = np.load(folder / "isl_gestures/data.npz")
    X = {name: _standardised(data[name]) for name in ("emg", "imu")}
    union = BlockUnion([(name, "passthrough", name) for name in X])
    y = pd.read_csv(folder / "isl_gestures/samples.csv.gz").letter.to_numpy()
    cv = StratifiedShuffleSplit(5, train_size=0.2, random_state=0)
    source = "Italian Sign Language EMG and IMU (Pacifici et al., 2020)"
    return Job("isl_gestures: letter, 20 % to train", union, X, y, cv, "accuracy", source)


def parkinson(folder: Path) -> Job:
    data = np.load(folder / "parkinson_spiral/data.npz")
    exams = pd.read_csv(folder / "parkinson_spiral/exams.csv")
    X = {"image": data["image"][..., None], "sequence": _standardised(data["sequence"])}
    union = BlockUnion([(name, "passthrough", name) for name in X])
    cv = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    source = "UCI ParkinsonHW (CC BY 4.0)"
    y, groups = exams.label.to_numpy(), exams.subject.to_numpy()
    return Job("parkinson_spiral: by subject", union, X, y, cv, "accuracy", source, groups)


def _news(folder: Path, name: str, cv: Callable[[pd.DataFrame], Any]) -> Job:
    table = pd.read_csv(folder / "fakenews_es/fakenews_es.csv.gz")
    union = BlockUnion(
        [
            ("text", TfidfVectorizer(sublinear_tf=True, min_df=2), "text"),
            ("headline", TfidfVectorizer(sublinear_tf=True), "headline"),
            ("topic", OneHotEncoder(handle_unknown="ignore"), ["topic"]),
        ]
    )
    frame, y = table[["text", "headline", "topic"]], table.fake.astype(int).to_numpy()
    source = "FakeNewsCorpusSpanish (CC BY 4.0)"
    tree = [("language", ["text", "headline"], "gated")]
    return Job(name, union, frame, y, cv(table), "f1_macro", source, tree=tree)


def news_official(folder: Path) -> Job:
    def official(table: pd.DataFrame) -> PredefinedSplit:
        return PredefinedSplit(np.where(table["split"] == "test", 0, -1))

    return _news(folder, "fakenews_es: official split", official)


def news_random(folder: Path) -> Job:
    cv = StratifiedKFold(5, shuffle=True, random_state=0)
    return _news(folder, "fakenews_es: random split", lambda table: cv)


def omniglot(folder: Path) -> Job:
    data = np.load(folder / "omniglot/image_stroke.npz")
    drawings = pd.read_csv(folder / "omniglot/drawings.csv.gz")
    X = {"image": data["image"][..., None], "stroke": _standardised(data["stroke"])}
    union = BlockUnion([(name, "passthrough", name) for name in X])
    y = (drawings.alphabet + "/" + drawings.character).to_numpy()
    drawers = drawings.id.str[-2:].to_numpy()
    source = "Omniglot (MIT)"
    return Job("omniglot: unseen drawers", union, X, y, GroupKFold(4), "accuracy", source, drawers)


def vader(folder: Path) -> Job:
    parts = [
        pd.read_csv(folder / f"vader_gt/{n}.csv.gz") for n in ("amazonReviewSnippets", "tweets")
    ]
    table = pd.concat(parts, ignore_index=True)
    words = TfidfVectorizer(sublinear_tf=True, min_df=2, ngram_range=(1, 2))
    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), min_df=3, sublinear_tf=True)
    union = BlockUnion([("words", words, "text"), ("letters", letters, "text")])
    cv = KFold(5, shuffle=True, random_state=0)
    source = "VADER ground truth (MIT)"
    y = table.sentiment.to_numpy()
    return Job("vader_gt: sentiment", union, table[["text"]], y, cv, "r2", source, regression=True)


def _standardised(sequences: np.ndarray) -> np.ndarray:
    """Scale each channel over all rows and steps; no label is looked at."""
    values = sequences.astype(np.float32)
    mean, spread = values.mean(axis=(0, 1)), values.std(axis=(0, 1))
    return (values - mean) / np.where(spread > 0, spread, 1)
