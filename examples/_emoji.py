"""The emoji that several examples read: pictures, names and keywords in two languages, groups."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

SIDE, PER_ROW = 32, 40


def load_emoji(folder: Path) -> tuple[pd.DataFrame, np.ndarray]:
    """Return a table of 1,324 emoji and their pictures, (1324, 32, 32, 3) bytes."""
    table = pd.read_csv(folder / "emoji.csv.gz")
    sheet = np.array(Image.open(folder / "emoji_32_sheet.png").convert("RGB"))
    tiles = sheet.reshape(-1, SIDE, PER_ROW, SIDE, 3).transpose(0, 2, 1, 3, 4)
    return table, tiles.reshape(-1, SIDE, SIDE, 3)[: len(table)]


def draw_emoji(axis, pictures: np.ndarray, per_row: int) -> None:
    """Draw pictures side by side, row by row."""
    n_rows = -(-len(pictures) // per_row)
    sheet = np.full((n_rows * per_row, SIDE, SIDE, 3), 255, np.uint8)
    sheet[: len(pictures)] = pictures
    sheet = sheet.reshape(n_rows, per_row, SIDE, SIDE, 3).transpose(0, 2, 1, 3, 4)
    axis.imshow(sheet.reshape(n_rows * SIDE, per_row * SIDE, 3))
    axis.set_axis_off()
