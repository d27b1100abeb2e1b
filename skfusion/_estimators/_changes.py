"""A fit that goes on with other arguments than the last: what is followed, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator

from skfusion._estimators._arguments import Arguments
from skfusion._estimators._recipes import same
from skfusion._estimators._state import FittedState
from skfusion._training import Net, copy_of, follow, load_weights, make_net, pack_nets, pick_device
from skfusion.encoders._choose import choose_encoders
from skfusion.exceptions import ParameterError
from skfusion.inputs import BlockUnion
from skfusion.targets import Coding

__all__ = ["check_same_network", "continued"]

# Parameters of a union that say how blocks are made, and not which.
_NOT_OF_BLOCKS = {"memory", "missing", "n_jobs", "verbose"}


def check_same_network(before: FittedState, now: Arguments) -> None:
    """Check that the arguments are still those of the network that goes on.

    Raises
    ------
    ParameterError
        If the union, ``encoders``, ``fusion``, ``head`` or ``target`` stand for another network;
        says which.
    """
    changes = list(_other_parts(before, now))
    if changes:
        raise ParameterError(
            f"{'; '.join(changes)}. That is another network, and this fit goes on from the weights "
            "of the last. Fit anew: call fit with warm_start=False. Or set the argument back."
        )


def _other_parts(before: FittedState, now: Arguments) -> Iterator[str]:
    plan = before.nets[0].module
    if now.members not in ("auto", len(before.nets)):
        yield f"members were {len(before.nets)} and are {now.members} now"
    if not _same_union(before, now):
        yield f"union or columns were {before.arguments.union!r} and are {now.union!r} now"
    if not same(before.arguments.target, now.target):
        yield f"target was {before.arguments.target!r} and is {now.target!r} now"
    if not same(plan.fusion, now.fusion):
        yield f"fusion was {plan.fusion!r} and is {now.fusion!r} now"
        return  # which may insist on encoders of its own, or need no head
    if not plan.fusion.decides and not same(plan.head, now.head):
        yield f"head was {plan.head!r} and is {now.head!r} now"
    chosen = choose_encoders(now.encoders, plan.specs, now.fusion.encoder_for)
    for name, encoder in plan.encoders.items():
        if not same(encoder, chosen[name]):
            yield f"encoders: that of block {name!r} was {encoder!r} and is {chosen[name]!r} now"


def _same_union(before: FittedState, now: Arguments) -> bool:
    # Where X went through a union, that of None was a BlockUnion().
    default = None if before.reader.union_ is None else BlockUnion()
    return same(_asked(before.arguments.union, default), _asked(now.union, default))


def _asked(union: BlockUnion | None, default: BlockUnion | None) -> dict[str, object]:
    """Return the parameters that blocks follow from."""
    union = default if union is None else union
    params = {} if union is None else union.get_params(deep=False)
    return {name: value for name, value in params.items() if name not in _NOT_OF_BLOCKS}


def continued(net: Net, target: Coding, now: Arguments) -> Net:
    """Return a copy of a net to go on with, which follows the arguments as they are now.

    The optimiser goes on with its state, unless it is another one now, or on another device.
    """
    settings, then = now.training, net.settings
    same_place = pick_device(now.device) == net.device
    if (
        same_place
        and same(settings.optimizer, then.optimizer)
        and same(settings.net_params, then.net_params)
    ):
        other = copy_of(net)
        follow(other, settings, target)
        return other
    other = make_net(net.module, target, settings, pick_device(now.device))
    return load_weights(other, pack_nets([net])[0])
