"""What a call asks of the texts that are written: their beginning, or a set that they are of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch

from skfusion.decoding._recipe import Plan
from skfusion.decoding._rules import Allowed, Prefix, Rule, rules_of
from skfusion.exceptions import ParameterError
from skfusion.targets import TextCoding
from skfusion.targets._texts import read_texts
from skfusion.targets._vocabulary import UNKNOWN
from skfusion.typing import ArrayLike

__all__ = ["rules_for"]


def rules_for(
    plan: Plan,
    coding: TextCoding,
    n_rows: int,
    prefix: ArrayLike | None,
    allowed: Iterable[str] | None,
    device: torch.device,
) -> list[Rule]:
    """Return what may be written: by the plan, and by what the call asks.

    Raises
    ------
    ParameterError
        If nothing can be written; names the row or the text.
    """
    rules = rules_of(plan)
    beginnings = None if prefix is None else _prefixes(plan, coding, n_rows, prefix)
    if beginnings is not None:
        rules.append(Prefix(beginnings, device))
    if allowed is not None:
        rules.append(_allowed(plan, coding, allowed, beginnings))
    return rules


def _prefixes(
    plan: Plan, coding: TextCoding, n_rows: int, prefix: ArrayLike
) -> list[Sequence[int]]:
    """Return the ids of the prefix of each row."""
    if isinstance(prefix, str) or not hasattr(prefix, "__len__"):
        raise ParameterError(
            f"prefix must be an array of texts, one for each row. Got {prefix!r}. Use "
            "[prefix] * len(X) for the same in all rows."
        )
    texts = read_texts(prefix, "prefix")
    if len(texts) != n_rows:
        raise ParameterError(
            f"prefix must have a text for each of the {n_rows} rows of X. Got {len(texts)}. Use an "
            'empty text, "", for a row that may begin as it likes.'
        )
    rows = [row.tolist() for row in coding.vocabulary.encode(list(texts))]
    for row, ids in enumerate(rows):
        if len(ids) > plan.most:
            raise ParameterError(
                f"prefix, row {row}: {texts[row]!r} has {len(ids)} tokens, more than "
                f"max_new_tokens={plan.most} allows. Allow more, or shorten it."
            )
        _check_known(f"prefix, row {row}", texts[row], ids)
    return rows


def _allowed(
    plan: Plan,
    coding: TextCoding,
    allowed: Iterable[str],
    prefixes: Sequence[Sequence[int]] | None,
) -> Allowed:
    if not isinstance(allowed, Iterable):
        raise ParameterError(f"allowed must be texts, such as a list. Got {allowed!r}.")
    given = [allowed] if isinstance(allowed, str) else list(allowed)
    if not given:
        raise ParameterError(
            "allowed has no text, so that none can be written. Give some, or None."
        )
    texts = read_texts(given, "allowed")
    rows = [row.tolist() for row in coding.vocabulary.encode(list(texts))]
    for number, ids in enumerate(rows):
        _check_known(f"allowed, text {number}", texts[number], ids)
        if len(ids) >= plan.most:
            raise ParameterError(
                f"allowed, text {number}: {texts[number]!r} has {len(ids)} tokens and an end, more "
                f"than max_new_tokens={plan.most} allows. Allow more, or leave it out."
            )
    rule = Allowed(rows)
    for row, prefix in enumerate(prefixes or []):
        if not rule.begins_with(prefix):
            raise ParameterError(
                f"prefix, row {row}: no text in allowed begins with it, so that none can be "
                "written. Prefixes end where a token does, as words do."
            )
    return rule


def _check_known(where: str, text: str, ids: Sequence[int]) -> None:
    if UNKNOWN in ids:
        raise ParameterError(
            f"{where}: {text!r} has a word or character that no text of the fit had, so that it "
            'cannot be written. Texts(tokens="subwords") knows every character.'
        )
