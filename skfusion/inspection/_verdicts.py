"""From scores on the same folds to a table that says in words what they mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from skfusion.inspection._resampled_t import corrected_resampled_t_test, holm
from skfusion.inspection._variants import ALONE

__all__ = ["BEST", "Results", "compare", "conclusion"]

BEST = "the best single block"


@dataclass(frozen=True)
class Results:
    """Scores (n_variants, n_folds) of variants, each a label and a kind; rows of a fold."""

    variants: list[tuple[str, str]]
    scores: np.ndarray
    n_train: float
    n_test: float


def compare(results: Results, alpha: float) -> pd.DataFrame:
    """Return a row per variant, tested against the best block alone."""
    table = pd.DataFrame(results.variants, columns=["variant", "kind"])
    table["mean"] = results.scores.mean(axis=1)
    n_folds = results.scores.shape[1]
    table["std"] = results.scores.std(axis=1, ddof=1) if n_folds > 1 else np.nan
    table["n_folds"] = n_folds
    best = _best(table)
    for i, row in enumerate(results.scores - results.scores[best]):
        test = corrected_resampled_t_test(row, results.n_train, results.n_test)
        fields = [test.mean, test.low, test.high, test.p_value if i != best else np.nan]
        table.loc[i, ["difference", "low", "high", "p_value"]] = fields
    alone = table["kind"] == ALONE
    for family in (alone, ~alone):
        table.loc[family, "p_holm"] = holm(table.loc[family, "p_value"])
    best_name = table["variant"][best]
    table["verdict"] = [_verdict(row, best_name, alpha) for _, row in table.iterrows()]
    return table


def _best(table: pd.DataFrame) -> int:
    """Return the place of the block alone with the highest mean; of equals, the first."""
    return int(np.argmax(table["mean"].where(table["kind"] == ALONE, -np.inf)))


def _verdict(row: pd.Series, best: str, alpha: float) -> str:
    alone, certain = row.kind == ALONE, row.p_holm < alpha
    if alone and row.variant == best:
        return BEST
    if row.n_folds == 1:
        return f"one fold does not tell it from {best!r} alone"
    if alone:
        return f"worse than {best!r}" if certain else f"not told apart from {best!r}"
    if row.difference > 0:
        return (
            f"fusion helped: better than {best!r} alone"
            if certain
            else f"fusion not shown to help: its gain over {best!r} alone is within chance"
        )
    if certain:
        return f"fusion hurt: worse than {best!r} alone"
    return f"fusion did not help: no better than {best!r} alone"


def conclusion(table: pd.DataFrame) -> str:
    """Return one sentence on whether fusion helped, with the figures that it rests on.

    Parameters
    ----------
    table : DataFrame
        From :func:`ablation`.

    Returns
    -------
    sentence : str
        The verdict on the best of the fused variants, against the best block alone.

    Examples
    --------
    >>> import pandas as pd
    >>> from skfusion.inspection import conclusion
    >>> print(conclusion(pd.DataFrame({
    ...     "variant": ["text", "gated"], "kind": ["block alone", "middle fusion"],
    ...     "mean": [0.8, 0.81], "n_folds": 5, "difference": [0.0, 0.01], "low": [0.0, -0.02],
    ...     "high": [0.0, 0.04], "p_holm": [float("nan"), 0.4],
    ...     "verdict": ["the best single block", "fusion not shown to help: its gain over 'text' "
    ...                 "alone is within chance"]})))
    Fusion not shown to help: 'gated', the best of 1 fused variant, scores 0.810 against 0.800 of
    'text' alone; difference +0.010, 95 % interval -0.020 to +0.040, adjusted p = 0.4.
    """
    single = table.loc[table["verdict"] == BEST].iloc[0]
    fused = table[table["kind"] != ALONE]
    helped = fused[fused["verdict"].str.startswith("fusion helped")]
    best = (helped if len(helped) else fused).sort_values("mean", kind="stable").iloc[-1]
    return (
        f"{_opening(best)}: {best['variant']!r}, the best of {_count(len(fused), len(helped))}, "
        f"scores {best['mean']:.3f} against {single['mean']:.3f} of {single['variant']!r} alone; "
        f"difference {best['difference']:+.3f}{_doubt(best)}."
    )


def _opening(best: pd.Series) -> str:
    if best["n_folds"] == 1:
        return "One fold does not tell whether fusion helps"
    return str(best["verdict"]).partition(":")[0].capitalize()


def _count(n_fused: int, n_helped: int) -> str:
    if 0 < n_helped < n_fused:
        return f"the {n_helped} of {n_fused} fused variants for which that is certain"
    return f"{n_fused} fused variant{'s' * (n_fused > 1)}"


def _doubt(row: pd.Series) -> str:
    if row["n_folds"] == 1:
        return ""
    p_value = f"= {row['p_holm']:.2g}" if row["p_holm"] >= 0.0001 else "< 0.0001"
    return f", 95 % interval {row['low']:+.3f} to {row['high']:+.3f}, adjusted p {p_value}"
