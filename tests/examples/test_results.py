"""The page of results: what the records say, nothing of quick runs, other parts untouched."""

import io
import json
import sys

import numpy as np
import pytest
from PIL import Image

from examples import results


def record(name="leaves", quick=False, **changes):
    variants = [
        {"variant": "margin", "kind": "alone", "mean": 0.7, "spread": 0.02, "scores": [0.68, 0.72]},
        {"variant": "shape", "kind": "alone", "mean": 0.5, "spread": 0.01, "scores": [0.49, 0.51]},
        {"variant": "a | b", "kind": "fused", "mean": 0.9, "spread": 0.03, "scores": [0.87, 0.93]},
    ]
    return {
        "name": name,
        "title": f"Species of {name}",
        "quick": quick,
        "metric": "accuracy",
        "n_rows": 1990,
        "folds": "2 folds",
        "source": "Source: a garden. Licence: CC BY 4.0.",
        "notes": ["All are green."],
        "sentence": "Fused is better.",
        "variants": variants,
        **changes,
    }


@pytest.fixture
def keep(tmp_path):
    """Return a function that writes records, and pictures of noise, into a folder."""

    def write(*records, picture=None):
        folder = tmp_path / "kept"
        folder.mkdir()
        for one in records:
            (folder / f"{one['name']}.json").write_text(json.dumps(one), encoding="utf-8")
        if picture is not None:
            noise = np.random.default_rng(0).integers(0, 256, (100, 400, 3), dtype=np.uint8)
            Image.fromarray(noise).save(folder / f"{picture}.png")
        return folder

    return write


def run(monkeypatch, keep, page):
    monkeypatch.setattr(sys, "argv", ["results.py", "--keep", str(keep), "--write", str(page)])
    results.main()
    return page.read_text(encoding="utf-8")


def test_a_row_for_each_example_with_the_best_of_each_kind(keep, monkeypatch, tmp_path):
    text = run(monkeypatch, keep(record()), tmp_path / "page.md")
    assert (
        "| Species of leaves | accuracy | 0.700 ± 0.020 (margin) | 0.900 ± 0.030 (a \\| b) "
        "| 2 folds |" in text
    )


def test_a_section_holds_folds_sentence_notes_and_source(keep, monkeypatch, tmp_path):
    text = run(monkeypatch, keep(record()), tmp_path / "page.md")
    section = text.partition("### Species of leaves")[2]
    assert "Fused is better." in section
    assert "1,990 rows. 2 folds. All are green." in section
    assert "| shape | alone | 0.500 ± 0.010 | 0.490, 0.510 |" in section
    assert "Data: a garden. Licence: CC BY 4.0." in section


def test_one_split_has_no_spread():
    alone = {"variant": "x", "kind": "alone", "mean": 0.5, "spread": 0.0, "scores": [0.5]}
    assert "| x | alone | 0.500 | 0.500 |" in results.make_section(record(variants=[alone]), None)


def test_quick_runs_are_left_out(keep, monkeypatch, tmp_path):
    text = run(monkeypatch, keep(record(), record("trees", quick=True)), tmp_path / "page.md")
    assert "trees" not in text


def test_nothing_but_quick_runs_is_an_error(keep, monkeypatch, tmp_path):
    with pytest.raises(ValueError, match="no records of full runs"):
        run(monkeypatch, keep(record(quick=True)), tmp_path / "page.md")


def test_the_other_parts_of_the_page_stay(keep, monkeypatch, tmp_path):
    page, folder = tmp_path / "page.md", keep(record())
    page.write_text("# Results\n\n<!-- fusion: begin -->\nkept\n<!-- fusion: end -->\n")
    run(monkeypatch, folder, page)
    twice = run(monkeypatch, folder, page)
    assert "<!-- fusion: begin -->\nkept\n<!-- fusion: end -->" in twice
    assert twice.count("### Species of leaves") == 1


def test_two_records_of_one_example_share_its_picture_made_small(keep, monkeypatch, tmp_path):
    monkeypatch.setattr(results, "MOST_BYTES", 10_000)
    folder = keep(record("news_official"), record("news_random"), picture="news")
    text = run(monkeypatch, folder, tmp_path / "page.md")
    assert text.count("](pictures/news.png)") == 1
    small = (tmp_path / "pictures" / "news.png").read_bytes()
    assert len(small) <= 10_000
    width, height = Image.open(io.BytesIO(small)).size
    assert width / height == pytest.approx(4, abs=0.05)
