"""A text or image model of Hugging Face as an encoder."""

from __future__ import annotations

import copy
from itertools import chain
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import nn

from skfusion._checks import check_choice, check_int
from skfusion._tokens import Encoded, Tokens
from skfusion.blocks import BlockSpec
from skfusion.encoders._backbone import shaped
from skfusion.encoders._base import Encoder
from skfusion.encoders._by_length import by_length
from skfusion.encoders._hugging_face import (
    Known,
    ModelConfig,
    adapters_library,
    check_weights,
    model_of,
    read_known,
    tokenizer_of,
    untrained,
    with_adapters,
)
from skfusion.encoders._model_inputs import inputs_of
from skfusion.encoders._upper_layers import Split, begin, split, train_upper_layers
from skfusion.exceptions import BlockError, ParameterError
from skfusion.inputs import ImageLoader, Tokenizer

if TYPE_CHECKING:
    from typing_extensions import Self

    from skfusion.encoders._model_inputs import Inputs

__all__ = ["Backbone"]


class Backbone(Encoder):
    """A language or image model of Hugging Face, with the tokenizer or scale that belongs to it.

    Named for a raw column, it reads it by itself: ``{"review": Backbone("folder")}`` makes token
    ids by the tokenizer of that folder, of paths or arrays images in the size of the model. In
    front of a block of one's own, ids come from ``Backbone("folder").reads("text")``, a
    ``Tokenizer``.

    By default the model is as it is, and what it makes of each row is computed once per fit.
    ``layers`` trains its upper layers, what comes before them being computed once per fit as far
    as the model allows, or all of it; at a lower rate, or later, by a ``Policy``
    around: ``Policy(Backbone("folder", layers="all"), lr_scale=0.01)``. ``adapters`` trains a few
    weights beside each of its linear layers instead (LoRA; Hu et al., 2022).

    Needs the extra ``backbones`` (transformers; peft for adapters).

    Token ids (batch, tokens), or images (batch, height, width, channels) of any size -> (batch,
    width), or (batch, tokens, width) and a mask if not pooled.

    Parameters
    ----------
    name : str
        Folder that ``save_pretrained`` has written, or name of a model on the hub.
    layers : int or "all", default=0
        How many of the upper layers are trained; "all" trains the embeddings too.
    adapters : int or None, default=None
        Rank of low-rank adapters, which alone are trained then.
    pooling : {"mean", "first"}, default="mean"
        Of the tokens of a row: their mean, or the first (that of [CLS], where there is one).
    max_length : int, default=None
        Keep the first tokens of each text only. None keeps what the tokenizer says.
    cache : bool, default=True
        Whether what the lower layers make of the rows, where the upper ones are trained, is
        computed once per fit and kept: 4 bytes x width of the model for each token of each row.
        False computes it in every epoch.

    Raises
    ------
    BlockError
        If the model does not take the form of the block, or its ids are of another vocabulary.
    ParameterError
        If the folder has no model, no weights, no tokenizer or no scale of pixels, or weights of
        another model; if the model is of a kind that a block cannot be given to, or has fewer
        layers. What a folder lacks is said before a row is read.
    MissingDependencyError
        If transformers, or for adapters peft, is not installed.

    Examples
    --------
    >>> from skfusion.encoders import Backbone, Policy
    >>> tuned = Policy(Backbone("all-MiniLM-L6-v2", layers=2), lr_scale=0.1)
    >>> sorted(tuned.get_params())
    ['adapters', 'cache', 'encoder', 'frozen', 'layers', 'lr_scale', 'max_length', 'name', \
'pooling', 'pretrain_epochs', 'unfreeze_at', 'weight_decay']
    """

    takes: ClassVar[tuple[str, ...]] = ("tokens", "image")

    def __init__(
        self,
        name: str,
        layers: int | str = 0,
        *,
        adapters: int | None = None,
        pooling: str = "mean",
        max_length: int | None = None,
        cache: bool = True,
    ) -> None:
        self.name = name
        self.layers = layers
        self.adapters = adapters
        self.pooling = pooling
        self.max_length = max_length
        self.cache = cache

    _kept: Known | None = None  # of the recipe of a network whose weights are kept elsewhere

    def accepts(self, form: str) -> bool:
        # The usual tokenizers give ids of other words, which stand for anything in the model.
        return form == self._known().form and form != "tokens"

    def reads(self, kind: str) -> object | None:
        known = self._known()
        if kind == "text" and known.form == "tokens":
            tokenizer, max_length = tokenizer_of(self.name, self.max_length)
            return Tokenizer(tokenizer=tokenizer, max_length=max_length)
        if kind == "image" and known.pixels is not None:
            return ImageLoader(size=known.pixels.size)
        return None

    def check(self, spec: BlockSpec) -> None:
        self.check_training(spec.name)
        known = self._known()
        if spec.form != known.form:
            raise BlockError(
                f"block {spec.name!r} has the form {spec.form!r}, which the model of {self.name!r} "
                f"cannot take: it takes {known.form}."
            )
        if known.form == "tokens":
            self._check_ids(spec, known.config)
        elif spec.shape[-1] not in (1, 3):
            raise BlockError(
                f"block {spec.name!r} has images of {spec.shape[-1]} channels, and the model of "
                f"{self.name!r} takes 3, or 1 that is repeated."
            )

    def _check_ids(self, spec: BlockSpec, config: ModelConfig) -> None:
        n_known = int(config.vocab_size)
        if (spec.n_tokens or 0) > n_known:
            raise BlockError(
                f"block {spec.name!r} has {spec.n_tokens:,} different token ids, but the model of "
                f"{self.name!r} knows {n_known:,}. Make them by its own tokenizer: "
                f"Backbone({self.name!r}).reads('text')."
            )

    def check_training(self, name: str) -> None:
        """Check all that does not depend on the rows of block ``name``, the folder included."""
        check_choice("pooling", self.pooling, ("mean", "first"))
        if self.max_length is not None:
            check_int("max_length", self.max_length, repair="Use None for no limit.")
        self._check_trained()
        if self._kept is None:
            self._known()
            check_weights(self.name)

    def _check_trained(self) -> None:
        if self.layers != "all":
            check_int("layers", self.layers, 0, repair='Or use "all".')
        if self.adapters is not None:
            check_int("adapters", self.adapters)
            adapters_library()
            if self.layers != 0:
                raise ParameterError(
                    "adapters are trained in the place of layers. Got layers="
                    f"{self.layers!r} and adapters={self.adapters!r}. Leave out one of them."
                )

    def _known(self) -> Known:
        """Return what is known of the model without its weights."""
        if self._kept is not None:
            return self._kept
        if not isinstance(self.name, str) or not self.name:
            raise ParameterError(
                f"name must be a folder, or the name of a model on the hub. Got {self.name!r}."
            )
        return read_known(self.name)

    def kept(self) -> Self:
        other = copy.copy(self)
        other._kept = self._known()
        return other

    def build(self, spec: BlockSpec, pooled: bool = True) -> nn.Module:
        self.check(spec)
        known = self._known()
        model = model_of(self.name) if self._kept is None else untrained(known.config)
        if self.adapters is not None:
            model = with_adapters(model, self.adapters)
        elif self.layers != "all":
            train_upper_layers(model, int(self.layers))
        inputs = inputs_of(known, spec.name)
        module = _Model(model, inputs, pooled and self.pooling == "first", pooled)
        if self.cache and self.layers not in (0, "all"):
            module.keep_lower()
        return module


class _Model(nn.Module):
    """A model, of which those weights are trained that need a gradient when it comes."""

    def __init__(self, model: nn.Module, inputs: Inputs, first: bool, pooled: bool) -> None:
        super().__init__()
        self.model, self.inputs = model, inputs
        self.first, self.pooled = first, pooled
        self._trained = [one for one in model.parameters() if one.requires_grad]
        self.frozen = not self._trained
        # In no list of modules: both share the weights of the model.
        self._split: tuple[Split, nn.Module] | None = None
        self.train()

    def keep_lower(self) -> None:
        """Let the layers of which nothing is trained be computed once per fit, if they can."""
        parts = split(self.model, self.inputs.example())
        self._split = None if parts is None else (parts, _Lower(self.inputs, parts.lower))
        self.train()

    @property
    def beginning(self) -> nn.Module | None:
        return None if self._split is None else self._split[1]

    def finish(self, hidden: torch.Tensor, mask: torch.Tensor | None = None) -> Encoded:
        assert self._split is not None
        output = self._split[0].finish(hidden, self.inputs.blank(hidden, mask))
        return self._shaped(output, mask)

    def train(self, mode: bool = True) -> Self:
        """Set the mode; parts of which nothing is trained stay as they are when predicting."""
        super().train(mode)
        models = [self.model] if self._split is None else [self.model, self._split[0].upper]
        for part in chain.from_iterable(model.modules() for model in models):
            part.train(mode and any(one.requires_grad for one in part.parameters()))
        return self

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        for one in self._trained:
            one.requires_grad_(requires_grad)
        return self

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> Encoded:
        return self._run(x, None) if mask is None else by_length(self._run, x, mask)

    def _run(self, x: torch.Tensor, mask: torch.Tensor | None) -> Encoded:
        return self._shaped(self.model(**self.inputs(x, mask)), mask)

    def _shaped(self, output: object, mask: torch.Tensor | None) -> Encoded:
        who = f"block {self.inputs.name!r}: the model of Backbone"
        if not self.first:
            return shaped(output, mask, self.pooled, who)
        tokens = shaped(output, mask, False, who)
        return tokens.values[:, 0] if isinstance(tokens, Tokens) else tokens


class _Lower(nn.Module):
    """Rows of a block -> what the lower layers make of them, with the mask where there is one."""

    def __init__(self, inputs: Inputs, lower: nn.Module) -> None:
        super().__init__()
        self.inputs, self.lower = inputs, lower

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> Encoded:
        return self._run(x, None) if mask is None else by_length(self._run, x, mask)

    def _run(self, x: torch.Tensor, mask: torch.Tensor | None) -> Encoded:
        hidden = begin(self.lower, self.inputs(x, mask))
        return hidden if mask is None else Tokens(hidden, mask)
