"""The emoji that several examples read: pictures, names and keywords in two languages, groups."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from PIL import Image
from sklearn.base import BaseEstimator, TransformerMixin

from skfusion import Blocks, FusionClassifier
from skfusion.encoders import CNN

SIDE, PER_ROW = 32, 40


def load_emoji(folder: Path) -> tuple[pd.DataFrame, np.ndarray]:
    """Return a table of 1,324 emoji and their pictures, (1324, 32, 32, 3) bytes."""
    table = pd.read_csv(folder / "emoji.csv.gz")
    sheet = np.array(Image.open(folder / "emoji_32_sheet.png").convert("RGB"))
    tiles = sheet.reshape(-1, SIDE, PER_ROW, SIDE, 3).transpose(0, 2, 1, 3, 4)
    return table, tiles.reshape(-1, SIDE, SIDE, 3)[: len(table)]


def draw_emoji(axis: plt.Axes, pictures: np.ndarray, per_row: int) -> None:
    """Draw pictures side by side, row by row."""
    n_rows = -(-len(pictures) // per_row)
    sheet = np.full((n_rows * per_row, SIDE, SIDE, 3), 255, np.uint8)
    sheet[: len(pictures)] = pictures
    sheet = sheet.reshape(n_rows, per_row, SIDE, SIDE, 3).transpose(0, 2, 1, 3, 4)
    axis.imshow(sheet.reshape(n_rows * SIDE, per_row * SIDE, 3))
    axis.set_axis_off()


# In a module, not in the example, so that Pipeline(memory=) knows it in any process.
class ShelfNetwork(TransformerMixin, BaseEstimator):
    """From the numbers of items to the vectors of a network that learned their shelves.

    Parameters
    ----------
    pictures : ndarray of shape (n_items, height, width, channels)
        Pictures of all items.
    shelves : ndarray of shape (n_items,)
        Shelf of each; those of items that ``fit`` is not shown are not read.
    quick : bool, default=False
        Whether to train for a few epochs only.
    """

    def __init__(self, pictures: np.ndarray, shelves: np.ndarray, quick: bool = False) -> None:
        self.pictures = pictures
        self.shelves = shelves
        self.quick = quick

    def fit(self, X: Blocks, y: np.ndarray | None = None) -> ShelfNetwork:
        """Learn the shelves of the items in ``X``."""
        items = np.unique(X["item"])
        network = FusionClassifier(
            {"picture": CNN(channels=(16, 32), width=32)},
            lr=0.003,
            max_epochs=2 if self.quick else 20,
            random_state=0,
        )
        self.network_ = network.fit({"picture": self.pictures[items]}, self.shelves[items])
        return self

    def transform(self, X: Blocks) -> Blocks:
        """Return the rows with the vector of the picture in place of the item's number."""
        vectors = self.network_.transform({"picture": self.pictures[X["item"].ravel()]})
        return Blocks({"picture": vectors.astype(np.float32), "history": X["history"]})
