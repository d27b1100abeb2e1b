"""Assertions on modules that both kinds of proof share."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable
from typing import TypeVar

import torch
from sklearn.base import BaseEstimator, clone
from torch import nn

from skfusion.exceptions import located

__all__ = [
    "assert_close",
    "assert_finite",
    "assert_gradients",
    "assert_independent",
    "assert_recipe_travels",
    "assert_same_state",
    "run_checks",
    "seeded_build",
]

TOLERANCE = 1e-5


Case = TypeVar("Case")


def run_checks(case: Case, checks: Iterable[Callable[[Case], None]]) -> None:
    """Run the checks; whatever is raised says of which case, and of which check if it broke."""
    for check in checks:
        try:
            check(case)
        except AssertionError as error:
            raise AssertionError(f"{case}: {error}") from error
        except Exception as error:  # the recipe under test may raise anything
            raise located(error, f"{case}, in {check.__name__[1:]}") from error.__cause__


def seeded_build(build: Callable[[], nn.Module], seed: int = 0) -> nn.Module:
    """Return what ``build`` makes after seeding torch, whose global state is left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()


def assert_close(found: torch.Tensor, expected: torch.Tensor, message: str) -> None:
    assert found.shape == expected.shape, (
        f"{message}: shape {tuple(found.shape)} against {tuple(expected.shape)}."
    )
    if not found.numel():
        return
    scale = max(1.0, float(expected.detach().abs().max()))
    gap = float((found - expected).detach().abs().max())
    assert gap <= TOLERANCE * scale, f"{message}: they differ by up to {gap:.2g}."


def assert_finite(values: torch.Tensor, message: str) -> None:
    assert bool(torch.isfinite(values).all()), f"{message}: NaN or infinite values."


def assert_gradients(module: nn.Module, output: torch.Tensor, zeros_allowed: bool = False) -> None:
    """Every trained parameter gets a gradient from ``output``, finite and (somewhere) not zero."""
    trained = {name: p for name, p in module.named_parameters() if p.requires_grad}
    if not trained:
        return
    module.zero_grad()
    weights = torch.linspace(-1, 1, output.numel(), dtype=output.dtype).cos().view(output.shape)
    (output * weights).sum().backward()
    for name, parameter in trained.items():
        assert parameter.grad is not None, f"parameter {name} gets no gradient: it never trains."
        assert_finite(parameter.grad, f"the gradient of parameter {name}")
        reached = zeros_allowed or not parameter.numel() or bool(parameter.grad.any())
        assert reached, f"the gradient of parameter {name} is zero everywhere: it never trains."


def assert_independent(one: nn.Module, other: nn.Module) -> None:
    """Two builds share no parameter and no buffer."""
    places = {value.data_ptr(): name for name, value in _tensors(one)}
    others = [value.data_ptr() for _, value in _tensors(other)]
    shared = [places[place] for place in others if place in places]
    assert not shared, f"two builds share {shared[0]}: training one would change the other."


def assert_same_state(
    build: Callable[[], nn.Module], run: Callable[[nn.Module], torch.Tensor]
) -> None:
    """A second build with the state of the first gives the same outputs."""
    one, other = seeded_build(build, 0).eval(), seeded_build(build, 1).eval()
    other.load_state_dict(one.state_dict())
    assert torch.equal(run(one), run(other)), (
        "a new module with the state_dict of another gives other outputs: some state is missing."
    )


def assert_recipe_travels(recipe: BaseEstimator) -> None:
    """The recipe holds hyper-parameters only, and survives clone and pickle."""
    parameters = recipe.get_params(deep=False)
    extra = sorted(set(vars(recipe)) - set(parameters))
    assert not extra, f"{recipe!r} keeps {extra} besides its parameters: build must not change it."
    _assert_same_recipe(clone(recipe), recipe, "clone")
    _assert_same_recipe(pickle.loads(pickle.dumps(recipe)), recipe, "pickle")


def _assert_same_recipe(copied: BaseEstimator, recipe: BaseEstimator, how: str) -> None:
    assert type(copied) is type(recipe), f"{how} makes a {type(copied).__name__} of {recipe!r}."
    names = recipe.get_params(deep=False).keys()
    assert copied.get_params(deep=False).keys() == names, f"{how} of {recipe!r} loses parameters."


def _tensors(module: nn.Module) -> list[tuple[str, torch.Tensor]]:
    both: list[tuple[str, torch.Tensor]] = [*module.named_parameters(), *module.named_buffers()]
    return [(name, value) for name, value in both if value.numel()]
