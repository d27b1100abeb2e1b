"""The page of defaults, printed from where they are: ``python -m tools.defaults`` writes it."""

from __future__ import annotations

from pathlib import Path

from skfusion._estimators import _choose_mixture, _held_out, _members
from skfusion.encoders._defaults import ENCODERS
from skfusion.inputs._union import recipes

PAGE = Path(__file__).parents[1] / "docs" / "defaults.md"
HEAD = """# Defaults

`FusionClassifier()` and `FusionRegressor()`, with no argument set. This page is printed from the
code by `python -m tools.defaults`. How good the whole is, and what each part costs, is measured by
`python -m benchmarks.quality`: [quality.md](quality.md).

## The encoder of a block

By its form; the first row that holds counts. Log-loss on test rows, the lower the better.
"""
REST = """
## Members

| what | default | because |
|---|---|---|
| networks | {members}, where rows are held out | one network's chance is worth .01 to .03; three members are within .003 on three sets, two are worse |
| rows held out | a fold for each member, from {several} rows on; a tenth for `members=1`, from {one} | a quarter of fewer rows says little: at 40 and 80 rows folds gained on two of six sets and lost on three |
| mixture | probabilities (values) are averaged | log-odds averaged with those of the linear member: emoji .54 to .74 |
| linear member | its share is {least} to {most}, or 0 where even the best of these is worse by a standard error on held-out rows | leaf .076 to .044, wine .043 to .016, breast cancer .103 to .101; the floor is for what folds cannot see, such as new speakers |
| blocks of the linear member | all, or the one that does better alone by a standard error on the rows that the first split holds out | news .609 to .563, docstrings .175 to .171; no other of 15 sets moved by more than .001 |
| temperature | {coldest:.2f} to {warmest:.2f}, by held-out rows; classes only | a mean is less sure than its parts: leaf .044 to .033, EMG + IMU .331 to .291, drawings .778 to .660; unbounded it costs .09 on new speakers, bounded .01 |
| first bias | the prior | without it a class of 2 % begins at 50 % |

## The features of a text

| where | default | because |
|---|---|---|
| {rows} rows and more, some of which share a word | TF-IDF of words and pairs of words that occur in two rows, logarithms of counts | in place of plain TF-IDF: docstrings .350 to .316, messages .045 to .044, news .601 to .604; R2 of snippets .468 to .481, of tweets .659 to .641 |
| else | TF-IDF of words, logarithms of counts | what occurs in one row may be all there is |
"""


def page() -> str:
    """Return the page as Markdown."""
    rows = [f"| {row.form} | {row.where} | `{row.make()!r}` | {row.because} |" for row in ENCODERS]
    head = "| form | where | encoder | because |\n|---|---|---|---|"
    numbers = ", ".join(f"{n} up to {most:,} rows" for most, n in _members.BY_ROWS)
    shares, warmth = _choose_mixture.SHARES, _choose_mixture.TEMPERATURES
    rest = REST.format(
        members=f"{numbers}, 1 beyond",
        several=_held_out.ROWS_OF_SEVERAL,
        one=_held_out.ROWS_TO_HOLD_OUT,
        least=min(shares),
        most=max(shares),
        coldest=min(warmth),
        warmest=max(warmth),
        rows=recipes.ROWS_FOR_RARE_WORDS,
    )
    return "\n".join([HEAD, head, *rows, rest.rstrip(), ""])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
