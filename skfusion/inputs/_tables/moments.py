"""A column of dates of any type as moments, read as was learned at fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timezone, tzinfo

import numpy as np
import pandas as pd

from skfusion._warn import warn_user
from skfusion.exceptions import BlockError, BlockTypeError
from skfusion.inputs._tables.date_texts import ORDERS, Written, orders_of, written

__all__ = ["Reading", "learn_reading"]

_REPAIR = "Convert the column first: pd.to_datetime(column, format=...)."
_MICROSECONDS = np.dtype("M8[us]")
_LAST_YEAR = 290_000  # that microseconds can count


@dataclass(frozen=True)
class Reading:
    """How the dates of a column are read, whatever rows they stand beside.

    Parameters
    ----------
    order : str or None
        Order of year, month and day in texts such as "03/04/2025"; None if no text told.
    aware : bool or None
        Whether the dates had a time zone; None if there were no dates.
    zone : tzinfo or None
        The time zone in which their local time is counted.
    """

    order: str | None
    aware: bool | None
    zone: tzinfo | None

    def local_times(self, column: pd.Series, row_name: Callable[[int], str]) -> np.ndarray:
        """Return the dates in local time, datetime64[us] of shape (n_rows,), NaT where missing.

        Raises
        ------
        BlockError, BlockTypeError
            For what is no date; names the column and the row, as ``row_name`` calls it.
        """
        found = _moments(column, row_name, self)
        if found.aware is not None and self.aware is not None and found.aware != self.aware:
            raise _other_zone(column.name, self.zone if self.aware else None, found.aware)
        return _in_zone(found.values, self.zone) if found.aware else found.values


@dataclass(frozen=True)
class _Moments:
    """Dates as datetime64[us]: in UTC where they are ``aware`` of their zone."""

    values: np.ndarray
    aware: bool | None
    zone: tzinfo | None = None


def learn_reading(column: pd.Series, order: str, row_name: Callable[[int], str]) -> Reading:
    """Return how to read the dates of ``column``; ``order`` is "auto" or that of the user.

    Raises
    ------
    BlockError
        If no order suits all texts; names two rows.

    Warns
    -----
    UserWarning
        If several orders do; names the column and shows a date.
    """
    known = Reading(None if order == "auto" else order, None, None)
    if known.order is None:
        known = Reading(_order_of(column, row_name), None, None)
    found = _moments(column, row_name, known)
    return Reading(known.order, found.aware, found.zone)


# The order of texts


def _order_of(column: pd.Series, row_name: Callable[[int], str]) -> str | None:
    cells = _objects(column)
    texts = {} if cells is None else {cell: row for row, cell in _texts(cells)}
    unclear = {text: one for text in texts if (one := written(text)) and not one.is_ordered}
    unclear = {text: one for text, one in unclear.items() if orders_of([one])}
    orders = orders_of(unclear.values())
    if not unclear:
        return None
    if not orders:
        raise _no_common_order(column.name, unclear, lambda text: row_name(texts[text]))
    _warn_if_several(column.name, unclear, orders)
    return orders[0]


def _texts(cells: np.ndarray) -> list[tuple[int, str]]:
    return [(row, cell) for row, cell in enumerate(cells) if isinstance(cell, str)]


def _no_common_order(
    name: object, unclear: dict[str, Written], row_of: Callable[[str], str]
) -> BlockError:
    kept: list[Written] = []
    first = next(iter(unclear))
    for text, one in unclear.items():
        if not orders_of([*kept, one]):
            others = [other for other in unclear if not orders_of([unclear[other], one])]
            first = others[0] if others else first
            return BlockError(
                f"column {name!r} has dates in several orders: {row_of(first)} holds {first!r}, "
                f"{row_of(text)} holds {text!r}, and no order of day, month and year suits both. "
                f"Write them in one order, such as 2025-04-03. {_REPAIR}"
            )
        kept.append(one)
    raise AssertionError("there is a common order")


def _warn_if_several(name: object, unclear: dict[str, Written], orders: list[str]) -> None:
    for text, one in unclear.items():
        readings = [one.read(order) for order in orders]
        if any(reading != readings[0] for reading in readings):
            warn_user(
                f"column {name!r}: the order of day, month and year is not told by any of its "
                f"dates. Text such as {text!r} is read as {readings[0]:%Y-%m-%d}, {orders[0]}. Say "
                f"DateParts(order={orders[0]!r}) or DateParts(order={orders[1]!r}). {_REPAIR}",
                UserWarning,
            )
            return


# Columns of all types


def _moments(column: pd.Series, row_name: Callable[[int], str], reading: Reading) -> _Moments:
    dtype = column.dtype
    if isinstance(dtype, pd.DatetimeTZDtype):
        plain = column.dt.tz_convert("UTC").dt.tz_localize(None)
        return _of_array(plain, True, row_name, dtype.tz)
    if isinstance(dtype, pd.PeriodDtype):
        column = column.astype(object)
    elif dtype.kind == "M":
        return _of_array(column, False, row_name)
    cells = _objects(column)
    if cells is None:
        raise _no_dates(column)
    return _of_cells(column.name, cells, row_name, reading)


def _objects(column: pd.Series) -> np.ndarray | None:
    """Return the cells of a column of objects, strings or categories of them; else None."""
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return None if dtype.categories.dtype.kind in "fiubcm" else column.astype(object).to_numpy()
    return column.to_numpy(dtype=object) if dtype.kind == "O" else None


def _of_array(
    column: pd.Series, aware: bool, row_name: Callable[[int], str], zone: tzinfo | None = None
) -> _Moments:
    values = column.to_numpy()
    years = np.where(np.isnat(values), 0, values.astype("M8[Y]").astype(np.int64))
    if (np.abs(years) > _LAST_YEAR).any():
        row = int((np.abs(years) > _LAST_YEAR).argmax())
        raise _unreadable(column.name, row_name(row), values[row], "It is too far away.")
    there = not np.isnat(values).all()
    return _Moments(values.astype(_MICROSECONDS), aware if there else None, zone)


def _of_cells(
    name: object, cells: np.ndarray, row_name: Callable[[int], str], reading: Reading
) -> _Moments:
    values = np.full(len(cells), "NaT", dtype=_MICROSECONDS)
    rows = np.flatnonzero(~pd.isna(cells))
    codes, distinct = _distinct(cells[rows])
    moments: list[datetime] = []
    for code, cell in enumerate(distinct):
        moment = _moment_of(cell, reading.order)
        if moment is None or (moments and (moment.tzinfo is None) != (moments[0].tzinfo is None)):
            row = row_name(int(rows[int((codes == code).argmax())]))
            raise _cell_refused(name, row, cell, reading, moment)
        moments.append(moment)
    if not moments:
        return _Moments(values, None)
    aware = moments[0].tzinfo is not None
    offsets = {moment.utcoffset() for moment in moments}
    zone = None
    if aware:
        offset = offsets.pop() if len(offsets) == 1 else None
        zone = timezone.utc if offset is None else timezone(offset)
        moments = [moment.astimezone(timezone.utc).replace(tzinfo=None) for moment in moments]
    values[rows] = np.array(moments, dtype=_MICROSECONDS)[codes]
    return _Moments(values, aware, zone)


def _distinct(cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return for each cell its number among the distinct texts, which are read once each."""
    if pd.api.types.infer_dtype(cells, skipna=False) != "string":
        return np.arange(len(cells)), cells
    codes, distinct = pd.factorize(cells)
    return codes, np.asarray(distinct, dtype=object)


def _moment_of(cell: object, order: str | None) -> datetime | None:
    """Return a cell as a datetime, with its zone if it has one; None if it cannot be read."""
    if isinstance(cell, str):
        return _moment_of_text(cell, order)
    if isinstance(cell, pd.Period):
        cell = cell.start_time
    if isinstance(cell, np.datetime64):
        cell = cell.astype(_MICROSECONDS).item()
    if isinstance(cell, pd.Timestamp):
        cell = cell.to_pydatetime(warn=False)
    if isinstance(cell, datetime):
        return _checked(cell)
    return datetime(cell.year, cell.month, cell.day) if isinstance(cell, date) else None


def _moment_of_text(text: str, order: str | None) -> datetime | None:
    if len(text) in (10, 19) and text[4] == text[7] == "-" and text[10:11] in ("", " ", "T"):
        try:
            return datetime.fromisoformat(text)  # the usual case, twenty times as quick
        except ValueError:
            pass
    one = written(text)
    if one is None:
        return None
    if one.is_ordered or order is not None:
        moment = one.read(order or ORDERS[0])
    else:
        readings = {reading for order in ORDERS if (reading := one.read(order)) is not None}
        moment = readings.pop() if len(readings) == 1 else None
    return None if moment is None else _checked(moment)


def _checked(moment: datetime) -> datetime | None:
    """Return ``moment``, or None where its zone moves it out of the years 1 to 9999."""
    try:
        if moment.tzinfo is not None:
            moment.astimezone(timezone.utc)
    except (OverflowError, ValueError):
        return None
    return moment


def _in_zone(values: np.ndarray, zone: tzinfo | None) -> np.ndarray:
    if zone is None or zone is timezone.utc:
        return values
    local = pd.DatetimeIndex(values).tz_localize("UTC").tz_convert(zone).tz_localize(None)
    return local.to_numpy().astype(_MICROSECONDS)


# What is refused


def _no_dates(column: pd.Series) -> BlockTypeError:
    repair = {
        "m": "A duration is a number: give it a scaler, behind .dt.total_seconds().",
        "b": "Leave the column out.",
    }.get(
        column.dtype.kind,
        "Say what they count, pd.to_datetime(column, unit='s'), or how they are written: "
        "pd.to_datetime(column, format='%Y%m%d').",
    )
    return BlockTypeError(
        f"column {column.name!r} must hold dates here, and holds {column.dtype}. {repair}"
    )


def _cell_refused(
    name: object, row: str, cell: object, reading: Reading, moment: datetime | None
) -> BlockError | BlockTypeError:
    if moment is not None:
        return _unreadable(
            name,
            row,
            cell,
            "It has a time zone, and rows before have none, or the other way round.",
        )
    if isinstance(cell, str):
        one = written(cell)
        if one is None or all(one.read(order) is None for order in ORDERS):
            return _unreadable(name, row, cell, "It is no date.")
        if reading.order is None:
            return _unreadable(name, row, cell, "No date of the fit tells its order.")
        return _unreadable(name, row, cell, f"The order at fit was {reading.order}.")
    if isinstance(cell, (date, np.datetime64, pd.Period)):
        return _unreadable(name, row, cell, "It is not within the years 1 to 9999.")
    return BlockTypeError(
        f"column {name!r}, {row} holds {type(cell).__name__} (such as {cell!r:.60}), which is no "
        f"date. {_REPAIR}"
    )


def _unreadable(name: object, row: str, cell: object, why: str) -> BlockError:
    return BlockError(
        f"column {name!r}, {row}: {cell!r:.60} cannot be read as a date. {why} {_REPAIR}"
    )


def _other_zone(name: object, fitted: tzinfo | None, aware: bool) -> BlockError:
    if aware:
        return BlockError(
            f"column {name!r} has dates with a time zone, and at fit they had none. Take the zone "
            "off, in the local time of the fit: column.dt.tz_localize(None)."
        )
    return BlockError(
        f"column {name!r} has dates without a time zone, and at fit they had one ({fitted}). "
        "Say which it is: column.dt.tz_localize(...)."
    )
