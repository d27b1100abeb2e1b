"""The recipe of how texts are chosen, and what it amounts to for one call."""

from __future__ import annotations

from dataclasses import dataclass

from sklearn.base import BaseEstimator

from skfusion._checks import check_choice, check_int, check_real
from skfusion.exceptions import ParameterError

__all__ = ["Decoding", "Plan"]

_BEAMS = 4


@dataclass(frozen=True)
class Plan:
    """A ``Decoding`` checked and resolved for one call; see there."""

    n_beams: int  # that are searched by, or texts that are drawn for each row
    n_best: int  # texts that are returned for each row
    most: int  # tokens
    length_penalty: float
    draws: bool
    temperature: float
    top_k: int | None
    top_p: float
    n_gram: int  # that must not repeat; 0 for none
    repetition_penalty: float
    seed: int


class Decoding(BaseEstimator):
    """How a text is chosen: by beam search, greedily (``num_beams=1``), or drawn at random.

    The parameters have the names of the field. They can be searched as ``decoding__num_beams``,
    and changed after a fit.

    Parameters
    ----------
    num_beams : int or None, default=None
        How many texts are followed at a time; None is 4, or 1 where texts are drawn.
    max_new_tokens : int or None, default=None
        Most tokens of a text, behind which it is cut off; None allows a quarter more than the
        longest text of the fit has.
    length_penalty : float, default=1.0
        Texts are compared by their log-probability divided by their number of tokens to this power
        (Wu et al., 2016, in a simpler form): 0 prefers short texts.
    do_sample : bool, default=False
        Whether tokens are drawn by their probabilities.
    temperature : float, default=1.0
        What scores are divided by before a draw: below 1 likely tokens become likelier.
    top_k : int or None, default=None
        Draw among this many most likely tokens.
    top_p : float, default=1.0
        Draw among the fewest tokens that together have this probability (Holtzman et al., 2020).
    no_repeat_ngram_size : int, default=0
        No sequence of so many tokens occurs twice in a text; 0 allows all.
    repetition_penalty : float, default=1.0
        What the score of a token is divided by, or multiplied by if it is negative, that was
        written before (Keskar et al., 2019): above 1 repetitions are rarer.

    Examples
    --------
    >>> from skfusion.decoding import Decoding
    >>> Decoding(num_beams=2).plan(longest=8, n_best=1, seed=0).most
    10
    >>> Decoding(temperature=0.7).plan(longest=8, n_best=1, seed=0)
    Traceback (most recent call last):
        ...
    skfusion.exceptions.ParameterError: temperature=0.7 only counts where tokens are drawn...
    """

    def __init__(
        self,
        num_beams: int | None = None,
        max_new_tokens: int | None = None,
        length_penalty: float = 1.0,
        do_sample: bool = False,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float = 1.0,
        no_repeat_ngram_size: int = 0,
        repetition_penalty: float = 1.0,
    ) -> None:
        self.num_beams = num_beams
        self.max_new_tokens = max_new_tokens
        self.length_penalty = length_penalty
        self.do_sample = do_sample
        self.temperature = temperature
        self.top_k = top_k
        self.top_p = top_p
        self.no_repeat_ngram_size = no_repeat_ngram_size
        self.repetition_penalty = repetition_penalty

    def plan(self, longest: int, n_best: int, seed: int) -> Plan:
        """Return what this amounts to.

        Parameters
        ----------
        longest : int
            Tokens of the longest text of the fit.
        n_best : int
            How many texts are asked for, of each row.
        seed : int
            What draws follow from.

        Raises
        ------
        ParameterError
            If a parameter is out of range, or two contradict each other.
        """
        draws = bool(check_choice("do_sample", self.do_sample, (True, False)))
        self._check_draws(draws)
        n_beams = 1 if draws else _BEAMS
        if self.num_beams is not None:
            n_beams = check_int("num_beams", self.num_beams, repair="Use num_beams=1 to be greedy.")
        most = self.max_new_tokens
        return Plan(
            n_beams=n_best if draws else max(n_beams, n_best),
            n_best=n_best,
            most=_usual(longest) if most is None else check_int("max_new_tokens", most),
            length_penalty=check_real("length_penalty", self.length_penalty, low=-100),
            draws=draws,
            temperature=_above_zero("temperature", self.temperature),
            top_k=None if self.top_k is None else check_int("top_k", self.top_k),
            top_p=_above_zero("top_p", self.top_p, high=1),
            n_gram=check_int("no_repeat_ngram_size", self.no_repeat_ngram_size, low=0),
            repetition_penalty=_above_zero("repetition_penalty", self.repetition_penalty),
            seed=seed,
        )

    def _check_draws(self, draws: bool) -> None:
        """Refuse what has no effect."""
        if draws and self.num_beams not in (None, 1):
            raise ParameterError(
                f"num_beams={self.num_beams} and do_sample=True contradict each other: drawn texts "
                "are not searched for. Use num_beams=None, and predict_n for several draws."
            )
        usual = {"temperature": 1.0, "top_k": None, "top_p": 1.0}
        for name, value in usual.items():
            if not draws and getattr(self, name) != value:
                raise ParameterError(
                    f"{name}={getattr(self, name)!r} only counts where tokens are drawn. Set "
                    f"do_sample=True, or leave {name}={value!r}."
                )


def _usual(longest: int) -> int:
    """Return a quarter more than the longest, and room for its end in any case."""
    return longest + max(1, longest // 4)


def _above_zero(name: str, value: float, high: float = 1e6) -> float:
    if check_real(name, value, 0, high) == 0:
        raise ParameterError(f"{name} must be a number > 0. Got {value!r}.")
    return float(value)
