"""
The table of results
====================

Not an example: it writes what the examples found into a page, between marks of its own. Run
``python -m examples.results --keep outputs --write docs/results.md`` where the examples kept their
records and pictures in ``outputs``; ``make examples`` does all of it.
"""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks._page import write_part

MOST_BYTES = 60_000
WIDEST = 1000

# %%
# Records
# -------


def read_records(folder: Path) -> list[dict[str, Any]]:
    """Return the records of full runs by name; quick ones say nothing, and are left out."""
    records = [
        json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))
    ]
    return [record for record in records if not record["quick"]]


def best(record: dict[str, Any], kind: str) -> dict[str, Any] | None:
    """Return the variant of a kind with the highest mean."""
    variants = [variant for variant in record["variants"] if variant["kind"] == kind]
    return max(variants, key=lambda variant: variant["mean"], default=None)


# %%
# The page
# --------


def make_page(records: list[dict[str, Any]], pictures: dict[str, str]) -> str:
    """Return a table of all examples, then a section for each, as Markdown.

    ``pictures`` holds the address of the picture of some records, by their name.
    """
    if not records:
        raise ValueError("There are no records of full runs. Run the examples without --quick.")
    sections = [make_section(record, pictures.get(record["name"])) for record in records]
    return "\n".join([*make_summary(records), "", *sections])


def make_summary(records: list[dict[str, Any]]) -> list[str]:
    lines = [
        "## Examples",
        "",
        "Each block alone beside the fused, on the same folds, by `make examples`: mean and",
        "standard deviation over the folds. Which block and which fusion is best is read off these",
        "very folds.",
        "",
        "| example | score | best block alone | best fused | folds |",
        "|---|---|---|---|---|",
    ]
    for record in records:
        cells = (record["title"], record["metric"], *_best_cells(record), record["folds"])
        lines.append(f"| {' | '.join(map(_cell, cells))} |")
    return lines


def _best_cells(record: dict[str, Any]) -> list[str]:
    found = [best(record, kind) for kind in ("alone", "fused")]
    return [f"{_figures(variant)} ({variant['variant']})" if variant else "" for variant in found]


def make_section(record: dict[str, Any], picture: str | None) -> str:
    lines = [
        f"### {record['title']}",
        "",
        record["sentence"],
        "",
        " ".join([f"{record['n_rows']:,} rows. {_sentence(record['folds'])}", *record["notes"]]),
        "",
        f"| variant | kind | {record['metric']} | by fold |",
        "|---|---|---:|---|",
    ]
    for variant in record["variants"]:
        by_fold = ", ".join(f"{score:.3f}" for score in variant["scores"])
        cells = (variant["variant"], variant["kind"], _figures(variant), by_fold)
        lines.append(f"| {' | '.join(map(_cell, cells))} |")
    if picture is not None:
        lines += ["", f"![{record['title']}]({picture})"]
    return "\n".join([*lines, "", f"Data: {record['source'].removeprefix('Source: ')}", ""])


def _figures(variant: dict[str, Any]) -> str:
    spread = f" ± {variant['spread']:.3f}" if len(variant["scores"]) != 1 else ""
    return f"{variant['mean']:.3f}{spread}"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


# %%
# Small copies of the pictures
# ----------------------------


def copy_pictures(records: list[dict[str, Any]], keep: Path, page: Path) -> dict[str, str]:
    """Write small copies beside the page; return their address by the name of the record."""
    addresses: dict[str, str] = {}
    for record in records:
        # Two records of one example share its picture, which goes to the first.
        found = [path for path in keep.glob("*.png") if record["name"].startswith(path.stem)]
        path = max(found, key=lambda path: len(path.stem), default=None)
        if path is None or f"pictures/{path.name}" in addresses.values():
            continue
        copy = page.parent / "pictures" / path.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(shrink(path))
        addresses[record["name"]] = f"pictures/{path.name}"
    return addresses


def shrink(path: Path) -> bytes:
    """Return a PNG of few colours, as wide as fits into ``MOST_BYTES``."""
    picture = Image.open(path).convert("RGB")
    width = min(WIDEST, picture.width)
    while True:
        size = (width, round(picture.height * width / picture.width))
        small = picture.resize(size, Image.Resampling.LANCZOS).quantize(64)
        out = io.BytesIO()
        small.save(out, "PNG", optimize=True)
        if out.tell() <= MOST_BYTES:
            return out.getvalue()
        width = width * 4 // 5


# %%
# The job
# -------


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the results of the examples into a page.")
    parser.add_argument("--keep", type=Path, default=Path("outputs"), help="folder of the records")
    parser.add_argument("--write", type=Path, default=Path("docs/results.md"), help="the page")
    arguments = parser.parse_args()
    records = read_records(arguments.keep)
    pictures = copy_pictures(records, arguments.keep, arguments.write)
    write_part(arguments.write, "examples", make_page(records, pictures))
    print(f"{len(records)} results: {arguments.write}")


if __name__ == "__main__":
    main()
