"""From a form, or a name, to an encoder."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sklearn.pipeline import Pipeline

from skfusion._checks import did_you_mean, resolve_recipe
from skfusion.blocks import BlockSpec
from skfusion.blocks._agreement import check_blocks_exist
from skfusion.encoders._base import Encoder
from skfusion.encoders._defaults import default_encoder
from skfusion.encoders.cnn import CNN
from skfusion.encoders.mlp import MLP
from skfusion.encoders.numeric import NumericEmbedding
from skfusion.encoders.rnn import RNN
from skfusion.encoders.same_as import SameAs
from skfusion.encoders.sparse import SparseLinear
from skfusion.encoders.temporal_cnn import TemporalCNN
from skfusion.encoders.time_distributed import TimeDistributed
from skfusion.encoders.tokens import TokenEmbedding
from skfusion.encoders.transformer import Transformer
from skfusion.exceptions import BlockError, ParameterError, noted

__all__ = [
    "check_same_words",
    "choose_encoders",
    "meant",
    "resolve_encoder",
    "resolve_encoders",
]

_ALIASES = {
    "sparse": SparseLinear,
    "mlp": MLP,
    "numeric": NumericEmbedding,
    "tokens": TokenEmbedding,
    "cnn": CNN,
    "temporal_cnn": TemporalCNN,
    "rnn": RNN,
    "transformer": Transformer,
    "time_distributed": TimeDistributed,
}


def choose_encoders(
    given: Mapping[str, Encoder | str] | None,
    specs: Mapping[str, BlockSpec],
    insist: Callable[[BlockSpec], Encoder | None] | None = None,
) -> dict[str, Encoder]:
    """Return an encoder per block: the one that is given, else the usual one for its form.

    ``insist(spec)``, a fusion's ``encoder_for``, goes first where it returns an encoder.

    Raises
    ------
    BlockError
        If ``given`` names a block that does not exist, or an encoder cannot take its block.
    ParameterError
        If ``given`` is no mapping, or holds what is neither a recipe nor an alias.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion.blocks import Blocks
    >>> from skfusion.encoders._choose import choose_encoders
    >>> specs = Blocks({"photo": np.zeros((2, 8, 8, 3)), "facts": np.zeros((2, 5))}).specs()
    >>> choose_encoders({"photo": "transformer"}, specs)
    {'photo': Transformer(), 'facts': MLP(standardize=True)}
    """
    named = resolve_encoders(given)
    check_blocks_exist(named, specs)
    encoders = {name: named.get(name) or default_encoder(spec) for name, spec in specs.items()}
    for name, spec in specs.items():
        encoders[name] = (insist(spec) if insist else None) or encoders[name]
        encoders[name].check(spec)
    _check_shared(encoders, specs)
    return encoders


def _check_shared(encoders: Mapping[str, Encoder], specs: Mapping[str, BlockSpec]) -> None:
    """Raise an error if an encoder that several blocks share cannot be that of all of them."""
    for name, recipe in encoders.items():
        if not isinstance(recipe, SameAs):
            continue
        other = recipe.block
        if other not in specs:
            known = ", ".join(map(repr, specs))
            raise BlockError(
                f"the encoder of block {name!r} is SameAs({other!r}), but there is no such block; "
                f"the blocks are {known}. {did_you_mean(other, specs)}".rstrip()
            )
        if isinstance(encoders[other], SameAs):
            raise ParameterError(
                f"block {name!r} is SameAs({other!r}), which is itself {encoders[other]!r}. "
                "Name the block that has an encoder of its own."
            )
        _check_same_rows(specs[name], specs[other])


def check_same_words(encoders: Mapping[str, Encoder], transformers: Mapping[str, object]) -> None:
    """Raise ``BlockError`` if blocks that share an encoder were made by other words or categories.

    Parameters
    ----------
    encoders : mapping of str to Encoder
        Those that are named, by block.
    transformers : mapping of str to transformer
        What made the blocks, by block, fitted.
    """
    for name, recipe in encoders.items():
        if not isinstance(recipe, SameAs):
            continue
        pair = [_words_of(transformers.get(one)) for one in (name, recipe.block)]
        if None not in pair and pair[0] != pair[1]:
            raise BlockError(
                f"blocks {name!r} and {recipe.block!r} share an encoder, but each learned words or "
                "categories of its own, so that one text is another thing in each. Give both the "
                "same ones, such as Tokenizer(vocabulary=words) for texts, in a BlockUnion."
            )


def _words_of(transformer: object) -> object:
    """Return what a transformer learned of texts or categories; None where it is of others."""
    if isinstance(transformer, Pipeline):
        transformer = transformer.steps[-1][1]
    if hasattr(transformer, "categories_"):
        return [list(categories) for categories in transformer.categories_]
    return getattr(transformer, "vocabulary_", None)


def _check_same_rows(spec: BlockSpec, other: BlockSpec) -> None:
    differing = [
        f"{what} {getattr(spec, what)} and {getattr(other, what)}"
        for what in ("form", "shape", "n_tokens")
        if getattr(spec, what) != getattr(other, what)
    ]
    if differing:
        raise BlockError(
            f"blocks {spec.name!r} and {other.name!r} cannot share an encoder: they have "
            f"{', '.join(differing)}. Make both by one transformer, or give each its own encoder."
        )


def resolve_encoder(encoder: Encoder | str) -> Encoder:
    """Return ``encoder``, or a new one for an alias such as ``"cnn"``.

    Raises
    ------
    ParameterError
        If it is neither; names the aliases.

    Examples
    --------
    >>> from skfusion.encoders._choose import resolve_encoder
    >>> resolve_encoder("time_distributed")
    TimeDistributed()
    """
    return resolve_recipe("an encoder must be a recipe such as MLP()", encoder, Encoder, _ALIASES)


def resolve_encoders(given: Mapping[str, Encoder | str] | None) -> dict[str, Encoder]:
    """Return the encoders that were named, by block."""
    if given is not None and not isinstance(given, Mapping):
        raise ParameterError(
            f"encoders must be a dict of block name to encoder. Got {type(given).__name__}."
        )
    return {name: _resolved(name, encoder) for name, encoder in (given or {}).items()}


def _resolved(name: str, encoder: Encoder | str) -> Encoder:
    with noted(
        f"encoders: that of {name!r}", lambda said: f"Leave {name!r} out for the usual encoder."
    ):
        return resolve_encoder(encoder)


def meant(named: Mapping[str, Encoder]) -> dict[str, Encoder]:
    """Return the encoders with the one that is shared in the place of each ``SameAs``."""
    return {
        name: named.get(one.block, one) if isinstance(one, SameAs) else one
        for name, one in named.items()
    }
