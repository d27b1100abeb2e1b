"""Texts that are dates: what is written, apart from the order in which it is read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone, tzinfo

import pandas as pd

__all__ = ["ORDERS", "Written", "orders_of", "written"]

ORDERS = ("MDY", "DMY", "YMD")

_TIME = (
    r"(?:(?:\s*[T,]\s*|\s+)(?P<hour>\d{1,2}):?(?P<minute>\d{2})"
    r"(?::?(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"\s*(?P<half>[ap]\.?m\.?)?\s*(?P<zone>z|utc|gmt|[+-]\d{2}(?::?\d{2})?)?)?"
)
_DAY_OF_WEEK = r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\.?,?\s+)?"
_NAME = r"(?P<name>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
_NAME += r"(?:uary|ruary|ch|il|e|y|ust|t|tember|ober|ember)?\.?"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?\.?"
_PATTERNS = [
    re.compile(_DAY_OF_WEEK + pattern + _TIME, re.IGNORECASE)
    for pattern in (
        r"(?P<year>\d{4})(?P<mark>[-/.])(?P<month>\d{1,2})(?:(?P=mark)(?P<day>\d{1,2}))?",
        r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})",
        r"(?P<first>\d{1,2})(?P<mark>\s*[-/. ]\s*)(?P<second_>\d{1,2})(?P=mark)"
        r"(?P<third>\d{4}|\d{2})",
        rf"{_DAY}[-/\s]*{_NAME}[-/,\s]*(?P<year>\d{{4}}|\d{{2}})",
        rf"{_NAME}[-/\s]*{_DAY},?[-/\s]+(?P<year>\d{{4}}|\d{{2}})",
        rf"(?P<year>\d{{4}})[-/\s]*{_NAME}[-/\s]*{_DAY}",
        rf"{_NAME}[-/,\s]*(?P<year>\d{{4}})",
        r"(?P<year>\d{4})",
    )
]
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]


@dataclass(frozen=True)
class Written:
    """A date as it is written.

    Parameters
    ----------
    fields : tuple of str
        Year, month and day; three numbers in an unknown order where not ``is_ordered``.
    is_ordered : bool
        Whether it is plain which number is which.
    time : timedelta
        Time of the day.
    zone : tzinfo or None
        The zone, or offset, that is written behind.
    """

    fields: tuple[str, str, str]
    is_ordered: bool
    time: timedelta
    zone: tzinfo | None

    def read(self, order: str) -> datetime | None:
        """Return the date in its own zone, or None where ``order`` cannot be."""
        year, month, day = self.fields
        if not self.is_ordered:
            by_letter = dict(zip(order, self.fields, strict=True))
            year, month, day = by_letter["Y"], by_letter["M"], by_letter["D"]
            if len(month) > 2 or len(day) > 2:
                return None
        number = int(year)
        if len(year) < 3:  # as POSIX has it, whatever year it is today
            number += 1900 if number >= 69 else 2000
        try:
            begin = datetime(number, int(month), int(day), tzinfo=self.zone)
            return begin + self.time
        except (ValueError, OverflowError):
            return None


def written(text: str) -> Written | None:
    """Return what is written in ``text``, or None where that is no date.

    Words such as "now", and times without a day, are none: they would be another date tomorrow.

    Examples
    --------
    >>> from skfusion.inputs._tables.date_texts import written
    >>> written("03/04/2025").read("DMY"), written("3 April 2025 10:30 PM").read("MDY")
    (datetime.datetime(2025, 4, 3, 0, 0), datetime.datetime(2025, 4, 3, 22, 30))
    """
    text = text.strip()
    for pattern in _PATTERNS:
        match = pattern.fullmatch(text)
        if match is not None:
            return _of_match(match.groupdict())
    return _by_pandas(text)


def orders_of(dates: Iterable[Written]) -> list[str]:
    """Return the orders in which all of ``dates`` can be read, the likeliest first."""
    unclear = [one for one in dates if not one.is_ordered]
    return [order for order in ORDERS if all(one.read(order) is not None for one in unclear)]


def _of_match(found: dict[str, str | None]) -> Written | None:
    time = _time_of(found)
    if time is None:
        return None
    zone = _zone_of(found["zone"])
    if (first := found.get("first")) is not None:
        second, third = found["second_"] or "", found["third"] or ""
        return Written((first, second, third), False, time, zone)
    month = found.get("month") or "1"
    if (name := found.get("name")) is not None:
        month = str(_MONTHS.index(name.lower()) + 1)
    return Written((found["year"] or "", month, found.get("day") or "1"), True, time, zone)


def _time_of(found: dict[str, str | None]) -> timedelta | None:
    if found["hour"] is None:
        return timedelta(0)
    hour, minute, second = (int(found[part] or 0) for part in ("hour", "minute", "second"))
    if found["half"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if found["half"].lower().startswith("p") else 0)
    if hour > 23 or minute > 59 or second > 59:
        return None
    microseconds = int((found["fraction"] or "")[:6].ljust(6, "0"))
    return timedelta(hours=hour, minutes=minute, seconds=second, microseconds=microseconds)


def _zone_of(text: str | None) -> tzinfo | None:
    if text is None:
        return None
    if text[0] not in "+-":
        return timezone.utc
    digits = text[1:].replace(":", "").ljust(4, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    if offset >= timedelta(days=1):
        return None
    return timezone(-offset if text[0] == "-" else offset)


def _by_pandas(text: str) -> Written | None:
    """Return how pandas reads a rarer way of writing, if that depends on no order and no clock."""
    if re.search(r"\d{4}", text) is None:
        return None
    try:
        found = [pd.Timestamp(pd.to_datetime(text, dayfirst=first)) for first in (False, True)]
    except (ValueError, TypeError, OverflowError):
        return None
    if pd.isna(found[0]) or found[0] != found[1] or found[0].date() == date.today():
        return None
    moment = found[0].to_pydatetime(warn=False)
    time = moment.replace(tzinfo=None) - datetime(moment.year, moment.month, moment.day)
    fields = (f"{moment.year:04d}", str(moment.month), str(moment.day))
    return Written(fields, True, time, moment.tzinfo)
