"""What a target promises: a recipe, and the coding that it learns of y."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np
import torch
from scipy.sparse import csr_array, csr_matrix
from sklearn.base import BaseEstimator

from skfusion.blocks import Block, Blocks
from skfusion.losses import LossLike
from skfusion.targets._output import OutputSpec
from skfusion.targets._reading import read_plain
from skfusion.typing import YLike

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Coding", "Network", "PlainY", "Target", "TargetOptions"]

# y as it was read: of a plain dtype, of one row or more axes, without missing values.
PlainY: TypeAlias = np.ndarray | csr_array | csr_matrix


@dataclass(frozen=True)
class TargetOptions:
    """What the arguments of an estimator say of its target.

    Parameters
    ----------
    loss : Loss, str, callable or None, default=None
        What is minimised; None is the usual of the target.
    label_smoothing : float, default=0.0
        Share of the labels' weight that is spread evenly over all labels.
    classes : ndarray or None, default=None
        All labels that will ever come, where ``partial_fit`` names them.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion.targets import Labels, TargetOptions
    >>> options = TargetOptions(classes=[0, 1, 2])
    >>> Labels().learn(np.array([0, 0, 1]), options=options).n_outputs
    3
    """

    loss: LossLike | None = None
    label_smoothing: float = 0.0
    classes: YLike | None = None


class Network(Protocol):
    """The fitted network, as a coding sees it.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion.targets import ValueCoding, Values
    >>> class Halved(ValueCoding):
    ...     def predict(self, network, blocks):
    ...         return self.decode(network.outputs(blocks) / 2)
    """

    def outputs(self, blocks: Blocks) -> np.ndarray:
        """Return the outputs for the rows of ``blocks``: (n_rows, *shape)."""
        ...


class Coding:
    """What a target learned of y: codes, loss and predictions, in one object that cannot disagree.

    ``encode`` turns y into codes that the loss takes, ``decode`` turns the network's outputs
    (n_rows, *shape) into what the user reads.

    Parameters
    ----------
    output : OutputSpec
        What the network gives for a row.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion.targets import Labels
    >>> coding = Labels().learn(np.array(["no", "yes", "no"]))
    >>> coding.n_outputs, coding.encode(np.array(["yes", "no"])).tolist()
    (1, [1.0, 0.0])
    >>> coding.decode(np.array([[2.0], [-1.0]])).tolist()
    ['yes', 'no']
    """

    def __init__(self, output: OutputSpec) -> None:
        self.output = output

    @property
    def n_outputs(self) -> int:
        """How many numbers the network gives for a row."""
        return self.output.n_outputs

    def encode(self, y: PlainY) -> Block:
        """Return y as codes, a block of one row each.

        An array of any rank, int64 or float64 (which follows the network's dtype), or csr,
        ``Ragged`` or lazy, which is read batch by batch.
        """
        raise NotImplementedError

    def decode(self, outputs: np.ndarray) -> np.ndarray:
        """Return the predictions in the user's terms."""
        raise NotImplementedError

    def predict(self, network: Network, blocks: Blocks) -> np.ndarray:
        """Return the predictions for the rows of ``blocks``; here from one run of the network."""
        return self.decode(network.outputs(blocks))

    def loss(
        self, outputs: torch.Tensor, codes: torch.Tensor, weight: torch.Tensor | None
    ) -> torch.Tensor:
        """Return the mean loss of a batch.

        Parameters
        ----------
        outputs : Tensor of shape (batch, *shape)
            What the network gives.
        codes : Tensor of shape (batch, ...)
            Rows of what ``encode`` returned; csr codes come dense.
        weight : Tensor of shape (batch,) or None
            Weights of the rows, of mean 1 over the whole fit.
        """
        raise NotImplementedError

    def prior(self, codes: Block, weight: np.ndarray | None) -> np.ndarray:
        """Return the outputs (*shape,) that stand for knowing nothing about a row."""
        raise NotImplementedError

    def mixed(self, outputs: Sequence[np.ndarray], shares: Sequence[float]) -> np.ndarray:
        """Return the outputs whose prediction is the mean of those of several networks.

        So are the priors of parts of the rows mixed to that of all; medians and quantiles are
        averaged, which is close to it.

        Parameters
        ----------
        outputs : sequence of ndarray of shape (n_rows, *shape) or (*shape,)
            What each network gives.
        shares : sequence of float
            How much each counts; they sum to 1.
        """
        return sum_of(outputs, shares)

    @property
    def linear_fit(self) -> str | None:
        """How a linear model is fitted to the codes: "logistic", "least squares", or None.

        Its outputs mean what those of the network do, so that both can be mixed.
        """
        return None

    def losses(self, outputs: np.ndarray, codes: Block) -> np.ndarray:
        """Return the loss of each row (n_rows,), of a coding that has a ``linear_fit``."""
        raise NotImplementedError

    def score(self, outputs: np.ndarray, codes: np.ndarray) -> float | None:
        """Return what the estimator's ``score`` would be; None where it has no meaning."""
        return None

    def with_options(self, options: TargetOptions) -> Self:
        """Return this coding with the loss of ``options``, for a fit that goes on.

        Raises
        ------
        ParameterError
            If the outputs of the other loss mean something else.
        """
        return self

    def strata(self, y: PlainY) -> np.ndarray | None:
        """Return what the held-out rows are stratified by (n_rows,), or None."""
        return None


def sum_of(values: Sequence[np.ndarray], shares: Sequence[float]) -> np.ndarray:
    """Return the weighted sum of arrays of one shape."""
    pairs = zip(values, shares, strict=True)
    return np.sum([share * value for value, share in pairs], axis=0)


def dense(codes: Block) -> np.ndarray:
    """Return codes of which a coding knows that it makes arrays of them."""
    assert isinstance(codes, np.ndarray)
    return codes


class Target(BaseEstimator):
    """Recipe of how y is coded and what is minimised.

    Subclass it and return a ``Coding`` from ``learn``; nothing is registered. What is learned of y
    lives in the coding, so that a recipe can be cloned, searched and fitted again.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion.targets import Target, Values
    >>> class Tenths(Target):
    ...     def learn(self, y, weight=None, options=None):
    ...         return Values().learn(y.round(1), weight)
    >>> Tenths().learn(Tenths().read([0.11, 0.34])).decode(np.zeros((1, 1))).tolist()
    [0.2]
    """

    @property
    def takes_loss(self) -> bool:
        """Whether ``learn`` heeds the loss and the label smoothing that the estimator is given."""
        return False

    def read(self, y: YLike) -> PlainY:
        """Return y as an array of a plain dtype, or csr; refuse rows where it is missing.

        Raises
        ------
        TargetError
            If y cannot be learned; names the row.
        """
        return read_plain(y)

    def spread(self, y: PlainY) -> tuple[np.ndarray, PlainY] | None:
        """Return y with one value a row, where rows have several; None where none has.

        Returns
        -------
        rows, y : ndarray of shape (n_values,), ndarray or csr of n_values rows
            The number of the row that each value is of, ascending; and the values.
        """
        return None

    def learn(
        self,
        y: PlainY,
        weight: np.ndarray | None = None,
        options: TargetOptions | None = None,
    ) -> Coding:
        """Return what there is to learn of ``y``, which ``read`` has returned.

        Parameters
        ----------
        y : ndarray or csr of n_rows rows
            The target.
        weight : ndarray of shape (n_rows,) or None, default=None
            Weights of the rows.
        options : TargetOptions or None, default=None
            Arguments of the estimator.

        Raises
        ------
        TargetError
            If y cannot be learned.
        """
        raise NotImplementedError(
            f"{type(self).__name__} must define learn(self, y, weight, options) and return a "
            "Coding from it"
        )
