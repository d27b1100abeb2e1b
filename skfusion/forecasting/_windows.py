"""A series as rows: what was, and what comes next."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.model_selection import TimeSeriesSplit

from skfusion._checks import check_int
from skfusion._warn import warn_user
from skfusion.blocks import Blocks
from skfusion.exceptions import BlockError, ParameterError

__all__ = ["Windows", "windows"]

_FEW = 3  # steps from which on it is asked whether they are equally far apart
_IMAGE_AXES = 3  # of (time, height, width): a map at each step


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows of a series as rows of blocks, and what follows each as y.

    Parameters
    ----------
    X : Blocks
        "past", and a block for each covariate.
    y : ndarray of shape (n_rows, horizon, ...)
        The steps that follow; a view of the series.
    times : ndarray of shape (n_rows,)
        When the first step of y is: its number in the series, or its time where the series is a
        frame.
    gap : int
        How many rows to leave out between training and test rows, so that no step is in both.
    places : tuple
        Names of the columns of a frame, or of its places.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion.forecasting import windows
    >>> found = windows(np.arange(10.0), past=3, horizon=2)
    >>> len(found), found.gap, found.y[0].tolist()
    (6, 4, [3.0, 4.0])
    """

    X: Blocks
    y: np.ndarray
    times: np.ndarray
    gap: int
    places: tuple[Hashable, ...] = ()

    def __len__(self) -> int:
        return len(self.y)

    def splitter(self, n_splits: int = 5, test_size: int | None = None) -> TimeSeriesSplit:
        """Return scikit-learn's splitter in time, with the gap that these windows need."""
        return TimeSeriesSplit(n_splits, gap=self.gap, test_size=test_size)

    def split(self, test_size: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
        """Return the numbers of rows to train on, and of the last share of rows, to test on."""
        first = len(self) - max(1, round(test_size * len(self)))
        if first - self.gap < 1:
            raise ParameterError(
                f"of {len(self)} windows none is left to train on: {len(self) - first} are tested "
                f"on, and the {self.gap} before them overlap with these. Use a longer series, "
                "shorter windows or a smaller test_size."
            )
        return np.arange(first - self.gap), np.arange(first, len(self))


def windows(
    series: np.ndarray | pd.DataFrame | pd.Series,
    past: int,
    horizon: int,
    stride: int = 1,
    *,
    time: Hashable | None = None,
    place: Hashable | None = None,
    value: Hashable | None = None,
    covariates: Mapping[str, np.ndarray | pd.DataFrame] | None = None,
    known: Mapping[str, np.ndarray | pd.DataFrame] | None = None,
) -> Windows:
    """Cut a series into windows: ``past`` steps as blocks, and the ``horizon`` behind them as y.

    No window is copied: blocks and y are views of the series, blocks in float32.

    Parameters
    ----------
    series : ndarray of shape (n_steps, ...), DataFrame or Series
        One number a step, several, or a map (n_steps, height, width) or (n_steps, height, width,
        channels). Of a frame each column is a series, in the order of its index; or, with ``time``,
        ``place`` and ``value``, each row is a value at a time and a place.
    past : int
        Steps of a window that are known.
    horizon : int
        Steps that are to be forecast.
    stride : int, default=1
        Steps from one window to the next.
    time, place, value : str or None, default=None
        Columns of a frame that has a row for each time and place.
    covariates : dict of str to array of shape (n_steps, ...), default=None
        Other series, of which the past is known: a block each.
    known : dict of str to array of shape (n_steps, ...), default=None
        Series that are known ahead, such as the calendar: a block each, over past and horizon.

    Returns
    -------
    windows : Windows
        ``X`` with the block "past", of the form sequence or video; ``y`` of shape (n_rows, horizon,
        ...).

    Raises
    ------
    ParameterError
        If the windows are longer than the series, a covariate has another length, or the index of
        a frame is not in the order of time.
    BlockError
        If a frame has a time twice at one place; names both.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion.forecasting import windows
    >>> radar = np.zeros((20, 8, 8), dtype=np.uint8)
    >>> found = windows(radar, past=4, horizon=3, stride=2)
    >>> found.X.specs()["past"].shape, found.y.shape
    ((4, 8, 8, 1), (7, 3, 8, 8))
    """
    values, times, places = _as_array(series, time, place, value)
    _check_times(times)
    past, horizon = check_int("past", past), check_int("horizon", horizon)
    stride, n_steps = check_int("stride", stride), len(values)
    if past + horizon > n_steps:
        raise ParameterError(
            f"windows of {past} + {horizon} steps are longer than the series, which has {n_steps}. "
            "Use a shorter past or horizon."
        )
    n_rows = (n_steps - past - horizon) // stride + 1
    starts = np.arange(n_rows) * stride
    blocks = {"past": _block(values, past, stride, n_rows)}
    for name, given in (covariates or {}).items():
        blocks[name] = _block(_other(name, given, n_steps, blocks), past, stride, n_rows)
    for name, given in (known or {}).items():
        ahead = _other(name, given, n_steps, blocks)
        blocks[name] = _block(ahead, past + horizon, stride, n_rows)
    y = _cut(values[past:], horizon, stride, n_rows)
    gap = -(-(past + horizon) // stride) - 1
    return Windows(Blocks(blocks), y, times[starts + past], gap, places)


def _as_array(
    series: np.ndarray | pd.DataFrame | pd.Series,
    time: Hashable | None,
    place: Hashable | None,
    value: Hashable | None,
) -> tuple[np.ndarray, np.ndarray, tuple[Hashable, ...]]:
    """Return values (n_steps, ...), the time of each step, and names of columns."""
    named = {"time": time, "place": place, "value": value}
    if any(each is not None for each in named.values()):
        series = _wide(series, named)
    if isinstance(series, pd.Series):
        return series.to_numpy(), series.index.to_numpy(), (series.name,)
    if isinstance(series, pd.DataFrame):
        return series.to_numpy(), series.index.to_numpy(), tuple(series.columns)
    values = np.asarray(series)
    if values.ndim == 0:
        raise ParameterError(f"series must be an array of steps, or a frame. Got {series!r}.")
    return values, np.arange(len(values)), ()


def _check_times(times: np.ndarray) -> None:
    """Check that steps follow each other, and warn of dates that are not equally far apart."""
    index = pd.Index(times)
    is_date = isinstance(index, pd.DatetimeIndex)
    if not (is_date or pd.api.types.is_numeric_dtype(index)) or len(index) < _FEW:
        return
    if not index.is_monotonic_increasing or not index.is_unique:
        step = next(i for i in range(len(index) - 1) if not index[i] < index[i + 1])
        raise ParameterError(
            f"the index is not in the order of time: {index[step]} stands before "
            f"{index[step + 1]}. Sort it by series.sort_index(); or, if the rows are in order, "
            "leave the index out by series.reset_index(drop=True)."
        )
    if is_date and not _is_regular(index):
        gaps = index.to_series().diff()
        warn_user(
            f"the steps of the series are not equally far apart: the longest is {gaps.max()}, "
            f"before {gaps.idxmax()}, the usual one {gaps.median()}. A window counts steps, not "
            "time. Fill the gaps: series.asfreq(...), and interpolate."
        )


def _is_regular(dates: pd.DatetimeIndex) -> bool:
    """Whether dates have a frequency that pandas knows: days, working days, months."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the type that it will return
        return pd.infer_freq(dates) is not None


def _wide(
    frame: np.ndarray | pd.DataFrame | pd.Series, named: Mapping[str, Hashable | None]
) -> pd.DataFrame:
    """Return a column for each place, a row for each time."""
    if not isinstance(frame, pd.DataFrame):
        raise ParameterError("time, place and value name columns, and the series is no DataFrame.")
    lacking = [name for name, column in named.items() if column not in frame.columns]
    if lacking:
        raise ParameterError(
            f"{lacking[0]}={named[lacking[0]]!r} is no column of the frame, which has "
            f"{', '.join(map(repr, frame.columns))}. Name a column for each of time, place, value."
        )
    times, places = frame[named["time"]], frame[named["place"]]
    twice = frame.duplicated([named["time"], named["place"]]).to_numpy()
    if twice.any():
        row = int(twice.argmax())
        raise BlockError(
            f"row {row}: place {places.iloc[row]!r} has a value at time {times.iloc[row]!r} "
            "already. Keep one of them, or their mean: frame.groupby([time, place]).mean()."
        )
    return frame.pivot(columns=named["place"], index=named["time"], values=named["value"])


def _other(
    name: str, given: np.ndarray | pd.DataFrame, n_steps: int, blocks: Mapping[str, np.ndarray]
) -> np.ndarray:
    """Return a covariate (n_steps, ...)."""
    if name in blocks:
        raise ParameterError(f"two blocks would be called {name!r}. Rename the covariate.")
    values = given.to_numpy() if isinstance(given, pd.DataFrame | pd.Series) else np.asarray(given)
    if len(values) != n_steps:
        raise ParameterError(
            f"covariate {name!r} has {len(values)} steps, and the series {n_steps}. Give it a "
            "value for each step."
        )
    return values


def _block(values: np.ndarray, length: int, stride: int, n_rows: int) -> np.ndarray:
    """Return windows as a sequence (n_rows, length, d), or a clip of maps."""
    if values.dtype == np.float64:
        values = values.astype(np.float32)  # once, and not in every window
    if values.ndim in (1, _IMAGE_AXES):
        values = values[..., None]
    return _cut(values, length, stride, n_rows)


def _cut(values: np.ndarray, length: int, stride: int, n_rows: int) -> np.ndarray:
    """Return windows (n_rows, length, ...), as a view."""
    cut = sliding_window_view(values, length, axis=0)[::stride][:n_rows]
    return np.moveaxis(cut, -1, 1)
