"""Several named targets, each with its own coding, of one network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from skfusion._checks import check_real, did_you_mean
from skfusion.blocks import Block
from skfusion.exceptions import ParameterError, TargetError, noted
from skfusion.targets._base import Coding, PlainY, Target, TargetOptions, dense
from skfusion.targets._labels import Labels
from skfusion.targets._output import OutputSpec
from skfusion.targets._values import Values
from skfusion.typing import YLike

__all__ = ["SeveralCoding", "SeveralTargets", "frame_of"]

_LEARNED = "learned"
_WORDS = {"values": Values, "classes": Labels}


class SeveralTargets(Target):
    """A column of y for each of several targets; a cell that is missing is not learned from.

    Parameters
    ----------
    targets : dict of str to Target or str, or None, default=None
        Each column's target, ``Values()`` or ``Labels()`` or the words "values" and "classes";
        None, and columns that are not named, take numbers for values and all else for classes.
    weights : dict of str to float, "learned" or None, default=None
        What each loss is multiplied by; 1 where none is given. "learned" divides each by a variance
        that the network gives for it (Kendall et al., 2018).
        ``NOTE[DIFF]``: its logarithm is the mean of one more output over the rows of a batch.

    Examples
    --------
    >>> import pandas as pd
    >>> from skfusion.targets import SeveralTargets
    >>> recipe = SeveralTargets()
    >>> y = recipe.read(pd.DataFrame({"price": [1.5, None, 3.0], "kind": ["a", "b", "c"]}))
    >>> coding = recipe.learn(y)
    >>> coding.output.shape, [part.name for part in coding.parts]
    ((4,), ['price', 'kind'])
    """

    def __init__(
        self,
        targets: Mapping[str, Target | str] | None = None,
        weights: Mapping[str, float] | str | None = None,
    ) -> None:
        self.targets = targets
        self.weights = weights

    def read(self, y: YLike) -> PlainY:
        """Return a field for each target (n_rows,), of objects, None where one is missing.

        Raises
        ------
        TargetError
            If a column cannot be learned; names the target and the row.
        """
        frame = frame_of(y)
        names = [str(name) for name in frame]
        self._check_names(names)
        found = np.empty(len(frame), dtype=[(name, object) for name in names])
        for name in names:
            known = frame[name].notna().to_numpy()
            found[name][:] = None
            if known.any():
                # As if all were known, so that an error counts rows as the user does.
                given = frame[name].where(known, frame[name][known].iloc[0]).infer_objects()
                with noted(f"target {name!r}"):
                    read = self._recipe(name, given).read(given)
                found[name][known] = list(np.asarray(read)[known])
        return found

    def learn(
        self,
        y: PlainY,
        weight: np.ndarray | None = None,
        options: TargetOptions | None = None,
    ) -> SeveralCoding:
        columns = np.asarray(y)
        parts: list[Part] = []
        for name in columns.dtype.names or ():
            known = _known(columns[name])
            if not known.any():
                raise TargetError(
                    f"y, target {name!r}: no row has a value, so that there is nothing to learn. "
                    "Leave the target out."
                )
            values = _plain(columns[name][known])
            of_rows = None if weight is None else weight[known]
            counted = "" if known.all() else ", rows counted among those in which it is known"
            with noted(f"target {name!r}{counted}"):
                coding = self._recipe(name, pd.Series(values)).learn(values, of_rows)
            if coding.output.ragged:
                raise ParameterError(
                    f"target {name!r} is of the form {coding.output.form!r}, which differs in "
                    "length from row to row. Fit a FusionGenerator for it."
                )
            first = parts[-1].stop if parts else 0
            share = float(np.average(known, weights=weight))
            codes = dense(coding.encode(values[:1]))
            parts.append(Part(name, coding, first, share, self._weight(name), codes.dtype.kind))
        return SeveralCoding(parts, self.weights == _LEARNED)

    def _recipe(self, name: str, column: pd.Series) -> Target:
        """Return the target of a column."""
        given = (self.targets or {}).get(name, "auto")
        if isinstance(given, str) and given == "auto":
            is_number = pd.api.types.is_numeric_dtype(column) and column.dtype != bool
            return Values() if is_number else Labels()
        if isinstance(given, str) and given in _WORDS:
            return _WORDS[given]()
        if isinstance(given, Target):
            return given
        raise ParameterError(
            f"targets[{name!r}] must be a recipe such as Values() or Labels(), or one of 'auto', "
            f"'values', 'classes'. Got {given!r}."
        )

    def _check_names(self, names: Sequence[str]) -> None:
        """Check that what is said of targets is of those that there are."""
        weights = self.weights if isinstance(self.weights, Mapping) else {}
        for argument, given in (("targets", self.targets or {}), ("weights", weights)):
            for name in given:
                if name not in names:
                    raise ParameterError(
                        f"{argument} names {name!r}, which is no column of y; the columns are "
                        f"{', '.join(map(repr, names))}. {did_you_mean(name, names)}".rstrip()
                    )

    def _weight(self, name: str) -> float:
        if self.weights is None or self.weights == _LEARNED:
            return 1.0
        if not isinstance(self.weights, Mapping):
            raise ParameterError(
                f'weights must be a dict of numbers, "learned" or None. Got {self.weights!r}.'
            )
        return check_real(f"weights[{name!r}]", self.weights.get(name, 1.0))


def frame_of(y: YLike) -> pd.DataFrame:
    """Return y as a frame whose columns have names, each once.

    Raises
    ------
    TargetError
        If it is none, or a name occurs twice.
    """
    if isinstance(y, np.ndarray) and y.dtype.names:
        y = pd.DataFrame({name: y[name] for name in y.dtype.names})
    if not isinstance(y, pd.DataFrame):
        if not isinstance(y, Mapping):
            raise TargetError(
                "y must be a DataFrame, or a dict of columns, with one for each target. Got "
                f"{type(y).__name__}. Use pd.DataFrame(y, columns=[...])."
            )
        sizes = {str(name): len(column) for name, column in y.items()}
        if len({*sizes.values()}) > 1:
            told = ", ".join(f"{name!r} has {size}" for name, size in sizes.items())
            raise TargetError(f"y: the columns differ in length: {told}. Give each a value a row.")
        with noted("y"):
            y = pd.DataFrame(dict(y))
    frame = y.rename(columns=str)
    twice = frame.columns[frame.columns.duplicated()]
    if len(twice):
        raise TargetError(f"y names the target {twice[0]!r} twice. Rename one of the columns.")
    if not frame.shape[1]:
        raise TargetError("y has no column, so that there is nothing to learn.")
    return frame


@dataclass(frozen=True, eq=False)
class Part:
    """One of several targets: its coding, and where its outputs stand among all.

    Parameters
    ----------
    name : str
        Name of the target.
    coding : Coding
        What was learned of it.
    start : int
        First of its outputs.
    share : float
        Of the rows of the fit, those in which it is known.
    weight : float
        What its loss is multiplied by.
    kind : str
        Kind of its codes, as numpy names it: "i" or "f".
    """

    name: str
    coding: Coding
    start: int
    share: float
    weight: float
    kind: str

    @property
    def stop(self) -> int:
        return self.start + self.coding.n_outputs

    def of_numpy(self, outputs: np.ndarray) -> np.ndarray:
        """Return its outputs (n_rows, *shape) among all (n_rows, n_outputs)."""
        own = outputs[..., self.start : self.stop]
        return own.reshape(*outputs.shape[:-1], *self.coding.output.fixed_shape)

    def of_torch(self, outputs: torch.Tensor) -> torch.Tensor:
        return outputs[:, self.start : self.stop].reshape(-1, *self.coding.output.fixed_shape)


class SeveralCoding(Coding):
    """Codings side by side; the loss is the weighted sum of theirs, each over the rows known.

    Parameters
    ----------
    parts : sequence of Part
        The targets.
    learns_weights : bool
        Whether there is one more output for each, the logarithm of its variance.

    Examples
    --------
    >>> import pandas as pd
    >>> from skfusion.targets import SeveralTargets
    >>> y = pd.DataFrame({"size": [1.0, 2.0, 3.0], "kind": ["a", "b", "a"]})
    >>> recipe = SeveralTargets(weights="learned")
    >>> recipe.learn(recipe.read(y)).output.shape
    (4,)
    """

    def __init__(self, parts: Sequence[Part], learns_weights: bool) -> None:
        n_outputs = parts[-1].stop + (len(parts) if learns_weights else 0)
        super().__init__(OutputSpec("value", (n_outputs,)))
        self.parts, self._learns_weights = tuple(parts), learns_weights

    def encode(self, y: PlainY) -> np.ndarray:
        """Return a code for each target (n_rows, n_targets), NaN where it is not known."""
        columns = np.asarray(y)
        codes = np.full((len(columns), len(self.parts)), np.nan)
        for place, part in enumerate(self.parts):
            column = columns[part.name]
            known = _known(column)
            if known.any():
                filled = np.where(known, column, column[known][:1])  # as in ``SeveralTargets.read``
                with noted(f"target {part.name!r}", _on_new_labels):
                    found = dense(part.coding.encode(_plain(filled)))
                codes[known, place] = found.reshape(-1)[known]
        return codes

    def decode(self, outputs: np.ndarray) -> np.ndarray:
        """Return a field for each target (n_rows,), of objects."""
        found = np.empty(len(outputs), dtype=[(part.name, object) for part in self.parts])
        for part in self.parts:
            found[part.name][:] = part.coding.decode(part.of_numpy(outputs))
        return found

    def loss(
        self, outputs: torch.Tensor, codes: torch.Tensor, weight: torch.Tensor | None
    ) -> torch.Tensor:
        total = outputs.sum() * 0  # a batch may know nothing of a target
        for place, part in enumerate(self.parts):
            known = ~codes[:, place].isnan()
            if known.any():
                of_rows = None if weight is None else weight[known]
                share = known.sum() / len(known) / part.share
                variance = self._log_variance(outputs[known], place)
                found = _loss_of(part, outputs[known], codes[known, place], of_rows, variance)
                total = total + part.weight * share * found
        return total

    def _log_variance(self, outputs: torch.Tensor, place: int) -> torch.Tensor | None:
        if not self._learns_weights:
            return None
        return outputs[:, self.parts[-1].stop + place].mean().clamp(-8, 8)

    def prior(self, codes: Block, weight: np.ndarray | None) -> np.ndarray:
        found = np.zeros(self.n_outputs)
        for place, part in enumerate(self.parts):
            column = dense(codes)[:, place]
            known = ~np.isnan(column)
            if known.any():
                of_rows = None if weight is None else weight[known]
                own = part.coding.prior(_as_codes(part, column[known]), of_rows)
                found[part.start : part.stop] = own.reshape(-1)
        return found

    def mixed(self, outputs: Sequence[np.ndarray], shares: Sequence[float]) -> np.ndarray:
        found = super().mixed(outputs, shares)
        for part in self.parts:
            own = part.coding.mixed([part.of_numpy(one) for one in outputs], shares)
            found[..., part.start : part.stop] = own.reshape(*found.shape[:-1], -1)
        return found

    def scores(self, outputs: np.ndarray, codes: np.ndarray) -> dict[str, float]:
        """Return the score of each target over the rows in which it is known; NaN where of none."""
        found = {}
        for place, part in enumerate(self.parts):
            known = ~np.isnan(codes[:, place])
            own = _as_codes(part, codes[known, place]) if known.any() else None
            score = None if own is None else part.coding.score(part.of_numpy(outputs[known]), own)
            found[part.name] = np.nan if score is None else score
        return found

    def score(self, outputs: np.ndarray, codes: np.ndarray) -> float | None:
        scores = [*self.scores(outputs, codes).values()]
        return None if np.isnan(scores).all() else float(np.nanmean(scores))


def _on_new_labels(said: str) -> str:
    return "Here that is: fit anew on rows of all classes." if "classes=" in said else ""


def _loss_of(
    part: Part,
    outputs: torch.Tensor,
    codes: torch.Tensor,
    weight: torch.Tensor | None,
    log_variance: torch.Tensor | None,
) -> torch.Tensor:
    """Return the mean loss of the rows in which a target is known."""
    own = (codes.long() if part.kind == "i" else codes).reshape(-1, *_shape_of_codes(part))
    found = part.coding.loss(part.of_torch(outputs), own, weight)
    return found if log_variance is None else found * torch.exp(-log_variance) + log_variance / 2


def _shape_of_codes(part: Part) -> tuple[int, ...]:
    """Return the shape of one row of codes: values have an axis of outputs, labels have none."""
    return part.coding.output.fixed_shape if part.coding.output.form == "value" else ()


def _as_codes(part: Part, column: np.ndarray) -> np.ndarray:
    """Return codes (n_rows, ...) as the target's coding made them."""
    codes = column.astype(np.int64) if part.kind == "i" else column
    return codes.reshape(-1, *_shape_of_codes(part))


def _known(column: np.ndarray) -> np.ndarray:
    return np.array([value is not None for value in column], dtype=bool)


def _plain(values: np.ndarray) -> np.ndarray:
    """Return objects of one kind as an array of that kind."""
    found = np.array(list(values))
    return found if found.dtype.kind in "biufMm" else np.array(list(values), dtype=object)
