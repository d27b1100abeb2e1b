"""Does fusion help? Every block alone, every level and operator, on the same folds of real data.

Run ``python -m benchmarks.fusion --data FOLDER [--jobs emoji leaf] [--write docs/results.md]``.
Each network has the library's defaults; only the fusion changes. Results are kept one JSON file a
data set in ``--keep``, and the page is written from all that are there.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from scipy.stats import t
from sklearn.pipeline import make_pipeline

from benchmarks._data import Job, jobs
from benchmarks._page import write_part
from skfusion import FusionClassifier, FusionRegressor
from skfusion.inspection import ablation

DEFAULT = "concat"
HEAD = """## Does fusion help?

`python -m benchmarks.fusion`: each block alone, all but one, and operators of every level on the
same folds, all with the library's defaults. Differences are to the best single block; standard
errors and tests are those of the corrected resampled t-test (Nadeau and Bengio, 2003), which asks
for much where folds test on more rows than they train on, as those of isl_gestures do. The default
`lr` was chosen on some of these very data.
"""
EARLY, LATE = ("early",), ("late",)
MIDDLE = ("concat", "sum", "mean", "max", "product", "gated", "low_rank", "tensor", "bilinear")
MIDDLE += ("film", "experts", "cross_attention", "token_transformer", "bottleneck")
OPERATORS = EARLY + MIDDLE + LATE
LEVELS = ("early fusion", "middle fusion", "late fusion")


def run(job: Job, operators: tuple[str, ...], **params: object) -> pd.DataFrame:
    network = FusionRegressor if job.regression else FusionClassifier
    model = make_pipeline(job.union, network(random_state=0, missing="allow", **params))
    fusions: dict[str, Any] = {name: name for name in operators}
    if job.tree is not None:
        fusions["tree"] = job.tree
    return ablation(
        model, job.X, job.y, cv=job.cv, groups=job.groups, scoring=job.scoring, operators=fusions
    )


def keep(job: Job, table: pd.DataFrame, seconds: float, folder: Path, name: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    record = {
        "title": job.name,
        "scoring": job.scoring,
        "source": job.source,
        "seconds": round(seconds),
        "tree": job.tree,
        "table": json.loads(table.to_json(orient="records")),
    }
    (folder / f"{name}.json").write_text(json.dumps(record, indent=1))


def kept(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]


def page(records: list[dict[str, Any]], picture: str | None = None) -> str:
    """Return the tables of all kept results as Markdown."""
    shown = [] if picture is None else [f"![Differences to the best block]({picture})\n"]
    sections = (line for one in records for line in section(one))
    return "\n".join([HEAD, *summary(records), *shown, *by_fusion(records), *sections])


def summary(records: list[dict[str, Any]]) -> list[str]:
    """Return a row a data set: the best block alone, the default fusion, and how far apart."""
    lines = [
        "| data | score | best block alone | `concat` | difference | standard error |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for record in records:
        table = pd.DataFrame(record["table"]).set_index("variant")
        alone = table[table["kind"] == "block alone"]["mean"].idxmax()
        fused = table.loc[DEFAULT]
        error = standard_error(fused)
        lines.append(
            f"| {record['title']} | {record['scoring']} | {table.loc[alone, 'mean']:.3f} ({alone}) "
            f"| {fused['mean']:.3f} | {fused['difference']:+.3f} "
            f"| {'one split' if error is None else f'{error:.3f}'} |"
        )
    return [*lines, ""]


def standard_error(row: pd.Series) -> float | None:
    """Return the corrected standard error of the difference, from its 95 % interval."""
    if pd.isna(row["low"]):
        return None
    return (row["high"] - row["low"]) / 2 / float(t.ppf(0.975, row["n_folds"] - 1))


def by_fusion(records: list[dict[str, Any]]) -> list[str]:
    """Return a row a fusion: its difference to the best block alone on each data set."""
    tables = [pd.DataFrame(record["table"]).set_index("variant") for record in records]
    columns = pd.concat(
        [table.loc[table["kind"].isin(LEVELS), "difference"] for table in tables],
        axis=1,
        keys=[record["title"] for record in records],
    )
    level = pd.concat([table["kind"] for table in tables]).groupby(level=0).first()
    order = [*OPERATORS, *columns.index.difference(OPERATORS)]
    columns = columns.reindex([name for name in order if name in columns.index])
    lines = [
        "Differences to the best block alone, a row a fusion; what is empty was not run.\n",
        "| " + " | ".join(["fusion", "level", *columns.columns]) + " |",
        "|---|---|" + "---:|" * columns.shape[1],
    ]
    for name, row in columns.iterrows():
        cells = ["" if pd.isna(one) else f"{one:+.3f}" for one in row]
        lines.append("| " + " | ".join([name, level[name], *cells]) + " |")
    return [*lines, ""]


def section(record: dict[str, Any]) -> list[str]:
    """Return the table of one data set."""
    facts = f"{record['scoring']}. Data: {record['source']}.{_tree(record)}"
    lines = [
        f"### {record['title']}\n\n{facts}\n",
        "| variant | kind | mean | std | difference | p (Holm) | verdict |",
        "|---|---|---:|---:|---:|---:|---|",
    ]
    for row in pd.DataFrame(record["table"]).itertuples():
        p_value = "" if pd.isna(row.p_holm) else f"{row.p_holm:.3f}"
        spread = "" if pd.isna(row.std) else f"{row.std:.3f}"
        lines.append(
            f"| {row.variant} | {row.kind} | {row.mean:.3f} | {spread} | "
            f"{row.difference:+.3f} | {p_value} | {row.verdict} |"
        )
    return [*lines, ""]


def _tree(record: dict[str, Any]) -> str:
    if record.get("tree") is None:
        return ""
    groups = [f"{' and '.join(blocks)} by {fusion}" for _, blocks, fusion in record["tree"]]
    return f" Tree: {', '.join(groups)}, then all by concat."


def draw(records: list[dict[str, Any]], path: Path) -> None:
    """Draw a line a data set: each fusion's difference to the best block alone."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(7, 1 + 0.5 * len(records)), layout="constrained")
    for place, record in enumerate(reversed(records)):
        table = pd.DataFrame(record["table"]).set_index("variant")
        others = table[table["kind"].isin(LEVELS)].drop(DEFAULT)["difference"]
        ax.plot(others, [place] * len(others), "|", color="tab:gray", markersize=12)
        default = table.loc[DEFAULT]
        if not pd.isna(default["low"]):
            ax.plot([default["low"], default["high"]], [place, place], color="tab:blue")
        ax.plot(default["difference"], place, "o", color="tab:blue")
    ax.plot([], [], "o-", color="tab:blue", label=f"{DEFAULT}, the default, 95 % interval")
    ax.plot([], [], "|", color="tab:gray", markersize=12, label="every other fusion")
    ax.set_yticks(range(len(records)), [record["title"] for record in reversed(records)])
    ax.axvline(0, color="black", linewidth=0.8)
    ax.set_xlabel("difference in score to the best block alone")
    figure.legend(loc="outside upper center", ncols=2)
    figure.savefig(path, dpi=100)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("SKFUSION_DATA"))
    parser.add_argument("--jobs", nargs="*", default=None)
    parser.add_argument("--operators", nargs="*", default=OPERATORS)
    parser.add_argument("--keep", type=Path, default=Path("outputs/fusion"))
    parser.add_argument("--write", type=Path, default=None, help="Markdown page to write")
    parser.add_argument("--picture", type=Path, default=None, help="file of the differences")
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("name the folder of the data sets: --data FOLDER, or SKFUSION_DATA")
    torch.set_num_threads(1)
    loaders = jobs(Path(arguments.data))
    for name in loaders if arguments.jobs is None else arguments.jobs:
        job, start = loaders[name](), time.perf_counter()
        table = run(job, tuple(arguments.operators))
        keep(job, table, time.perf_counter() - start, arguments.keep, name)
        print(f"\n{job.name} ({job.scoring}, {time.perf_counter() - start:.0f} s)")
        print(table.round(3).to_string(index=False), flush=True)
    if arguments.picture is not None:
        draw(kept(arguments.keep), arguments.picture)
    if arguments.write is not None:
        shown = arguments.picture and os.path.relpath(arguments.picture, arguments.write.parent)
        write_part(arguments.write, "fusion", page(kept(arguments.keep), shown))


if __name__ == "__main__":
    main()
