"""The upper layers of a network that was trained elsewhere, and what comes before them."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import nn

from skfusion.exceptions import ParameterError

__all__ = ["Split", "begin", "split", "train_upper_layers"]


def layers_of(model: nn.Module) -> tuple[str, nn.ModuleList]:
    """Return the layers that make up most of a network, and where in it they are.

    Raises
    ------
    ParameterError
        If its layers are not in a list.
    """
    lists = {name: one for name, one in model.named_modules() if isinstance(one, nn.ModuleList)}
    if not lists:
        raise ParameterError(
            f"{type(model).__name__} has no list of layers of which the upper ones could be "
            'trained. Use layers=0 or layers="all".'
        )
    name = max(lists, key=lambda name: _n_weights(lists[name]))  # the outermost of equal ones
    return name, lists[name]


def _n_weights(part: nn.Module) -> int:
    return sum(parameter.numel() for parameter in part.parameters())


def train_upper_layers(model: nn.Module, n: int) -> None:
    """Leave the weights of the ``n`` upper layers, and of what comes behind, to be trained.

    Raises
    ------
    ParameterError
        If the model has fewer layers, or none that are in a list.
    """
    model.requires_grad_(False)
    if n == 0:
        return
    _, layers = layers_of(model)
    if n > len(layers):
        raise ParameterError(
            f"layers must be at most {len(layers)}, as many as {type(model).__name__} has. Got "
            f'{n}. Use layers="all" to train the embeddings too.'
        )
    for parameter in _behind(model, layers):
        parameter.requires_grad_(True)
    for layer in layers[len(layers) - n :]:
        layer.requires_grad_(True)


def _behind(model: nn.Module, layers: nn.ModuleList) -> list[nn.Parameter]:
    """Return the weights behind the layers; embeddings there are of positions that all share."""
    embeddings = [part for part in model.modules() if isinstance(part, nn.Embedding)]
    shared = {id(one) for part in embeddings for one in part.parameters()}
    within = {id(one) for one in layers.parameters()}
    parameters = list(model.parameters())
    last = max(i for i, one in enumerate(parameters) if id(one) in within)
    return [one for one in parameters[last + 1 :] if id(one) not in shared]


@dataclass
class Split:
    """A network in two, which share its weights: ``lower``, and ``upper`` from where it ends.

    Parameters
    ----------
    lower, upper : nn.Module
        Called as the network is. ``lower`` ends in ``EndReachedError``; of its inputs ``upper``
        takes the shapes only, and the mask.
    start : _Start
        Where ``upper`` begins.
    """

    lower: nn.Module
    upper: nn.Module
    start: _Start

    def finish(self, hidden: torch.Tensor, inputs: Mapping[str, torch.Tensor]) -> object:
        """Return what the network would, from what ``begin(lower, ...)`` returned."""
        self.start.hidden = hidden
        try:
            return self.upper(**inputs)
        finally:
            self.start.hidden = None


class EndReachedError(Exception):
    """Raised behind the lower layers, with what they made of the inputs."""

    def __init__(self, hidden: torch.Tensor) -> None:
        super().__init__()
        self.hidden = hidden


def begin(lower: nn.Module, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Return what the lower layers make of ``inputs``, (batch, ...)."""
    try:
        lower(**inputs)
    except EndReachedError as reached:
        return reached.hidden
    raise RuntimeError("the lower layers ended nowhere")


def split(model: nn.Module, example: Mapping[str, torch.Tensor]) -> Split | None:
    """Return the network in two: the layers of which nothing is trained, and the rest.

    None where it cannot be told apart: a network may hand more than one tensor from layer to
    layer. That both give the same on ``example`` is tried out.
    """
    name, layers = layers_of(model)
    n_lower = sum(not _is_trained(layer) for layer in layers)
    if not 0 < n_lower < len(layers):
        return None
    for in_tuple in (False, True):
        parts = _split_at(model, name.split("."), layers, n_lower, in_tuple)
        if _is_same(model, parts, example):
            return parts
    return None


def _split_at(
    model: nn.Module, path: Sequence[str], layers: nn.ModuleList, n_lower: int, in_tuple: bool
) -> Split:
    before = [_PassOn(layer, in_tuple) for layer in layers[: n_lower - 1]]
    start = _Start(layers[n_lower - 1], in_tuple)
    lower, upper = [*layers[:n_lower], _End(layers[n_lower])], [*before, start, *layers[n_lower:]]
    return Split(
        _with_layers(model, path, lower, keep_trained=False),
        _with_layers(model, path, upper, keep_trained=True),
        start,
    )


def _is_same(model: nn.Module, parts: Split, example: Mapping[str, torch.Tensor]) -> bool:
    blank = {name: torch.zeros_like(given) for name, given in example.items()}
    blank |= {name: given for name, given in example.items() if name == "attention_mask"}
    model.eval()
    with torch.no_grad():
        expected = _tensor(model(**example))
        try:
            hidden = begin(parts.lower, example)
            found = _tensor(parts.finish(hidden, blank))
        except Exception:  # of a network that cannot be told apart, whatever it stumbles over
            return False
    mask = example.get("attention_mask")
    by_token = mask is None or hidden.shape[:2] == mask.shape  # as they are to be kept
    return by_token and torch.allclose(found, expected, atol=1e-5, rtol=1e-4)


def _tensor(output: object) -> torch.Tensor:
    return cast("Sequence[torch.Tensor]", output)[0]


def _is_trained(part: nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in part.parameters())


def _with_layers(
    module: nn.Module, path: Sequence[str], layers: Sequence[nn.Module], keep_trained: bool
) -> nn.Module:
    """Return a copy of ``module`` with other layers at ``path``, which shares all the rest.

    Without ``keep_trained`` what is trained besides is left out.
    """
    parts = vars(module)["_modules"]
    inner: nn.Module
    if len(path) == 1:
        inner = nn.ModuleList(layers)
    else:
        inner = _with_layers(parts[path[0]], path[1:], layers, keep_trained)
    copied = copy.copy(module)
    kept = {
        name: nn.Identity() if part is not None and _is_trained(part) and not keep_trained else part
        for name, part in parts.items()
    }
    vars(copied)["_modules"] = {**kept, path[0]: inner}
    return copied


class _InPlaceOf(nn.Module):
    """Has the plain attributes of ``layer``: a network may ask it for the kind of its mask."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        plain = {name: value for name, value in vars(layer).items() if not name.startswith("_")}
        vars(self).update(plain)


class _End(_InPlaceOf):
    def forward(self, hidden_states: torch.Tensor, *args: object, **kwargs: object) -> None:
        raise EndReachedError(hidden_states)


class _PassOn(_InPlaceOf):
    """Returns what it is given; some layers return it as the first of a tuple."""

    def __init__(self, layer: nn.Module, in_tuple: bool) -> None:
        super().__init__(layer)
        self.in_tuple = in_tuple

    def forward(
        self, hidden_states: torch.Tensor, *args: object, **kwargs: object
    ) -> torch.Tensor | tuple[torch.Tensor, None]:
        return (hidden_states, None) if self.in_tuple else hidden_states


class _Start(_PassOn):
    """Hands on ``hidden``, whatever comes to it."""

    hidden: torch.Tensor | None = None

    def forward(
        self, hidden_states: torch.Tensor, *args: object, **kwargs: object
    ) -> torch.Tensor | tuple[torch.Tensor, None]:
        return super().forward(hidden_states if self.hidden is None else self.hidden)
