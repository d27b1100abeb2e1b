"""Pages that show how a network looks in a notebook, and their pictures.

Run ``python docs/screenshots.py FOLDER``: it fits two small models, writes a page per theme into
FOLDER, and, where a Chromium is found, photographs each into ``docs/images``.
"""

from __future__ import annotations

import html
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageChops
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skfusion import BlockUnion, FusionClassifier
from skfusion.encoders import CNN, RNN
from skfusion.inputs import ImageLoader, Tokenizer

IMAGES = Path(__file__).parent / "images"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
FIT = "model.fit(products, kept)"
TREE = 'model.set_params(fusionclassifier__fusion=[("language", ["terms", "words"], "gated")])'
SUMMARY = "model[-1].summary()"
THEMES = {"light": ("#ffffff", "#1a1a1a", "#f5f5f5"), "dark": ("#111111", "#e6e6e6", "#1f1f1f")}
PAGE = """<!DOCTYPE html>
<html><head><meta charset="utf-8"><style>
body {{ background: {background}; color: {text}; font: 14px sans-serif; margin: 16px 20px;
  color-scheme: {theme}; display: inline-block; }}
pre.cell {{ background: {cell}; border-radius: 4px; padding: 8px 12px; font: 13px monospace; }}
table {{ border-collapse: collapse; font-size: 12px; }}
table.dataframe th, table.dataframe td {{ padding: 3px 8px; text-align: right; }}
</style></head><body data-jp-theme-light="{light}">{cells}</body></html>
"""


def products(folder: Path, n_rows: int = 60) -> tuple[pd.DataFrame, list[bool]]:
    """Return made-up products with a review, a photo and facts, and whether each was kept."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"photo{number}.png" for number in range(n_rows)]
    for path in paths:
        Image.fromarray(rng.integers(0, 255, (32, 32, 3), dtype=np.uint8)).save(path)
    words = np.array(["good", "bad", "cheap", "slow", "light", "loud", "solid", "weak", "small"])
    frame = pd.DataFrame(
        {
            "review": [" ".join(rng.choice(words, 8)) for _ in paths],
            "photo": [str(path) for path in paths],
            "price": rng.gamma(2, 20, n_rows),
            "stars": rng.integers(1, 6, n_rows),
        }
    )
    return frame, [stars > 3 for stars in frame["stars"]]


def network() -> Pipeline:
    """Return a pipeline of four blocks."""
    return make_pipeline(
        BlockUnion(
            [
                ("terms", TfidfVectorizer(ngram_range=(1, 2)), "review"),
                ("words", Tokenizer(), "review"),
                ("photo", ImageLoader(size=(32, 32)), "photo"),
                ("facts", StandardScaler(), ["price", "stars"]),
            ]
        ),
        FusionClassifier(
            {"words": RNN(cell="gru"), "photo": CNN(channels=(16, 32))},
            max_epochs=1,
            random_state=0,
        ),
    )


def page(theme: str, cells: list[tuple[str, str]]) -> str:
    """Return a page with code cells and what they show."""
    background, text, cell = THEMES[theme]
    shown = [f"<pre class='cell'>{html.escape(code)}</pre>{output}" for code, output in cells]
    return PAGE.format(
        background=background,
        text=text,
        cell=cell,
        theme=theme,
        light=str(theme == "light").lower(),
        cells="".join(shown),
    )


def photograph(browser: str, source: Path, picture: Path, size: str) -> None:
    """Let a browser without a window open ``source`` and save what it shows."""
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    scale = "--force-device-scale-factor=2"
    target = [f"--screenshot={picture}", f"--window-size={size}", source.resolve().as_uri()]
    subprocess.run([browser, *options, scale, *target], check=True, capture_output=True)
    shown = Image.open(picture).convert("RGB")
    empty = Image.new("RGB", shown.size, shown.getpixel((0, 0)))
    box = ImageChops.difference(shown, empty).getbbox()
    shown.crop((0, 0, shown.width, box[3] + 24)).quantize(64).save(picture, optimize=True)


def main(folder: Path) -> None:
    """Write the pages, and take their pictures if a browser is there."""
    X, y = products(folder / "photos")
    model = network().fit(X, y)
    flat = [(FIT, model._repr_html_()), (SUMMARY, model[-1].summary()._repr_html_())]
    model.set_params(fusionclassifier__fusion=[("language", ["terms", "words"], "gated")])
    tree = [(f"{TREE}\n{FIT}", model.fit(X, y)._repr_html_())]
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    for name, cells, size in (("network", flat, "860,960"), ("tree", tree, "860,860")):
        for theme in THEMES:
            source = folder / f"{name}-{theme}.html"
            source.write_text(page(theme, cells), encoding="utf-8")
            if browser is not None:
                photograph(browser, source, IMAGES / f"{name}-{theme}.png", size)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
