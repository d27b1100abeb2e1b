"""The development sets of the quality benchmark: rows as a user has them, and their split."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.model_selection import GroupShuffleSplit, train_test_split

from skfusion.datasets import load_docstrings

MOST_TRAIN = 3000  # rows, so that a fit takes about a minute at most


@dataclass
class QualitySet:
    """One data set.

    Parameters
    ----------
    X : DataFrame or dict of ndarray
        Rows, as they are handed to an estimator.
    y : ndarray of shape (n_rows,)
        Labels, or values where ``regression`` is set.
    regression : bool
        Whether the score is R2 in place of log-loss.
    test_size : float
        Share of the rows that is drawn for the test, anew for each seed.
    groups : ndarray or None
        Rows of one group are on one side, such as all of a speaker.
    test : ndarray of bool or None
        Rows of the test, where they are given.
    scale : tuple of str
        Blocks whose columns, or channels, are standardised by the training rows.
    """

    X: Any
    y: np.ndarray
    regression: bool = False
    test_size: float = 0.3
    groups: np.ndarray | None = None
    test: np.ndarray | None = None
    scale: tuple[str, ...] = ()

    def split(self, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the numbers of the rows to train and to test on."""
        rows = np.arange(len(self.y))
        if self.test is not None:
            train, test = np.flatnonzero(~self.test), np.flatnonzero(self.test)
        elif self.groups is not None:
            draw = GroupShuffleSplit(1, test_size=self.test_size, random_state=seed)
            train, test = next(draw.split(rows, groups=self.groups))
        else:
            strata = None if self.regression else self.y
            train, test = train_test_split(
                rows, test_size=self.test_size, random_state=seed, stratify=strata
            )
        if len(train) > MOST_TRAIN:
            train = np.random.RandomState(seed).permutation(train)[:MOST_TRAIN]
        return train, test


def quality_sets(folder: Path) -> dict[str, Callable[[], QualitySet]]:
    """Return what loads each set, from ``folder`` or from the installed libraries."""
    return {
        "news (official split)": lambda: _news(folder),
        "messages: spam": lambda: _spam(folder),
        "snippets: sentiment": lambda: _sentiment(folder, "amazonReviewSnippets"),
        "tweets: sentiment": lambda: _sentiment(folder, "tweets"),
        "docstrings": _docstrings,
        "leaf, 3 views": lambda: _leaf(folder),
        "emoji, picture + words": lambda: _emoji(folder),
        "EMG + IMU": lambda: _gestures(folder),
        "spoken digits, new speakers": lambda: _digits_spoken(folder),
        "drawings + strokes, new drawers": lambda: _drawings(folder),
        "spiral exams, new subjects": lambda: _exams(folder),
        "digits, image + sums": _digits,
        "breast cancer": lambda: _two_views(load_breast_cancer, 15),
        "wine": lambda: _two_views(load_wine, 6),
        "diabetes": lambda: _two_views(load_diabetes, 4, regression=True),
    }


def both_sides(data: QualitySet, train: np.ndarray, test: np.ndarray) -> tuple[Any, Any]:
    """Return X of the training and of the test rows, both scaled by the training rows."""
    X, X_test = taken(data.X, train), taken(data.X, test)
    for name in data.scale:
        X[name], X_test[name] = _scaled(X[name], X_test[name])
    return X, X_test


def taken(X: Any, rows: np.ndarray) -> Any:
    """Return some rows of X, in its own form."""
    if isinstance(X, pd.DataFrame):
        return X.iloc[rows]
    return {name: values[rows] for name, values in X.items()}


def _news(folder: Path) -> QualitySet:
    table = pd.read_csv(folder / "fakenews_es/fakenews_es.csv.gz")
    test = (table["split"] == "test").to_numpy()
    return QualitySet(
        table[["text", "headline", "topic"]], table["fake"].astype(int).to_numpy(), test=test
    )


def _spam(folder: Path) -> QualitySet:
    table = pd.read_csv(folder / "sms_spam/sms.csv.gz")
    return QualitySet(table[["text"]], table["label"].to_numpy())


def _sentiment(folder: Path, name: str) -> QualitySet:
    table = pd.read_csv(folder / f"vader_gt/{name}.csv.gz")
    return QualitySet(table[["text"]], table["sentiment"].to_numpy(), regression=True)


def _docstrings() -> QualitySet:
    X, y = load_docstrings(return_X_y=True)
    areas, counts = np.unique(y, return_counts=True)
    kept = np.isin(y, areas[counts.argsort()[-10:]])  # linear models of all 47 take an hour
    return QualitySet(X[kept], y[kept])


def _leaf(folder: Path) -> QualitySet:
    data = np.load(folder / "leaf/leaf.npz")
    X = {name: data[name] for name in ("margin", "shape", "texture")}
    return QualitySet(X, data["species"], scale=tuple(X))


def _emoji(folder: Path) -> QualitySet:
    from PIL import Image

    table = pd.read_csv(folder / "emoji/emoji.csv.gz")
    sheet = np.array(Image.open(folder / "emoji/emoji_32_sheet.png").convert("RGB"))
    tiles = sheet.reshape(-1, 32, 40, 32, 3).transpose(0, 2, 1, 3, 4).reshape(-1, 32, 32, 3)
    X = table[["keywords_en", "keywords_es"]].assign(image=list(tiles[: len(table)]))
    return QualitySet(X, table["group"].to_numpy())


def _gestures(folder: Path) -> QualitySet:
    data = np.load(folder / "isl_gestures/data.npz")
    y = pd.read_csv(folder / "isl_gestures/samples.csv.gz")["letter"].to_numpy()
    X = {name: data[name] for name in ("emg", "imu")}
    return QualitySet(X, y, test_size=0.8, scale=tuple(X))


def _digits_spoken(folder: Path) -> QualitySet:
    clips = pd.read_csv(folder / "fsdd/clips.csv.gz")
    stored = np.load(folder / "fsdd/logmel_u8.npz")["logmel"].transpose(0, 2, 1)
    voice = stored.astype(np.float32) / 255
    X = {"voice": voice - voice.mean(axis=1, keepdims=True)}
    return QualitySet(X, clips["digit"].to_numpy(), groups=clips["speaker"].to_numpy())


def _drawings(folder: Path) -> QualitySet:
    data = np.load(folder / "omniglot/image_stroke.npz")
    drawings = pd.read_csv(folder / "omniglot/drawings.csv.gz")
    y = (drawings["alphabet"] + "/" + drawings["character"]).to_numpy()
    kept = np.isin(y, np.unique(y)[:60])
    X = {"image": data["image"][..., None][kept], "stroke": data["stroke"][kept]}
    drawers = drawings["id"].str[-2:].to_numpy()[kept]
    return QualitySet(X, y[kept], groups=drawers, scale=("stroke",))


def _exams(folder: Path) -> QualitySet:
    data = np.load(folder / "parkinson_spiral/data.npz")
    exams = pd.read_csv(folder / "parkinson_spiral/exams.csv")
    X = {"image": data["image"][..., None], "sequence": data["sequence"]}
    subjects = exams["subject"].to_numpy()
    return QualitySet(X, exams["label"].to_numpy(), groups=subjects, scale=("sequence",))


def _digits() -> QualitySet:
    images, y = load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8).astype(np.float32)
    sums = np.hstack([images.mean(axis=1), images.mean(axis=2)]) / 8 - 1
    X = {"image": (images * 15).astype(np.uint8)[..., None], "sums": sums}
    return QualitySet(X, y, test_size=0.6)


def _two_views(load: Callable[..., Any], width: int, regression: bool = False) -> QualitySet:
    values, y = load(return_X_y=True)
    X = {"first": values[:, :width], "rest": values[:, width:]}
    return QualitySet(X, y, regression, scale=("first", "rest"))


def _scaled(values: np.ndarray, others: np.ndarray) -> list[np.ndarray]:
    """Standardise each column, or channel, of both by the first."""
    axes = tuple(range(values.ndim - 1))
    values, others = values.astype(np.float64), others.astype(np.float64)
    mean, spread = values.mean(axis=axes), values.std(axis=axes)
    spread = np.where(spread > 0, spread, 1)
    return [((part - mean) / spread).astype(np.float32) for part in (values, others)]
