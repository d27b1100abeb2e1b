"""The network: encode each block, fuse the vectors, decide."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import cast

import torch
from torch import nn

from skfusion._balance import BlockHeads
from skfusion._batch import Batch, Padded, dummy_input
from skfusion._tokens import Encoded, Tokens, as_tokens, as_vector
from skfusion.blocks import BlockSpec
from skfusion.encoders import Encoder, Policy, SameAs
from skfusion.encoders._base import finish, frozen_part, is_frozen
from skfusion.encoders._measure import encode, encoded_width, measuring
from skfusion.exceptions import ParameterError, noted, raise_located
from skfusion.fusion import Concat, Fusion
from skfusion.fusion._base import Decides, GivesTokens, Weighs
from skfusion.fusion._build import build_fusion, fused_width, hands_tokens, takes_tokens
from skfusion.heads import Head, LinearHead
from skfusion.heads._base import build_head, shaped
from skfusion.targets import OutputSpec

__all__ = ["FusionModule", "ModulePlan", "rows_per_step"]

_NUMBERS_PER_STEP = 2**21  # of input: large enough to be quick, small enough for the caches


class ModulePlan:
    """Everything that the network is made from; calling it makes one.

    Small and picklable, so that a network can be kept as plan and weights.
    """

    def __init__(
        self,
        specs: Mapping[str, BlockSpec],
        encoders: Mapping[str, Encoder],
        fusion: Fusion,
        head: Head,
        output: OutputSpec,
        dtype: torch.dtype,
        block_heads: bool = False,
    ) -> None:
        self.specs, self.encoders, self.fusion = dict(specs), dict(encoders), fusion
        self.head, self.output, self.dtype = head, output, dtype
        self.block_heads = block_heads
        self.rows_per_step = rows_per_step(self.specs.values())

    def __getstate__(self) -> dict[str, object]:
        """A file of it needs no other files, such as those that an encoder's weights came from."""
        encoders = {name: encoder.kept() for name, encoder in self.encoders.items()}
        return {**vars(self), "encoders": encoders}

    def __call__(self) -> FusionModule:
        pooled = not takes_tokens(self.fusion)
        encoders = self._encoders(pooled)
        widths = {name: self._width(name, encoder) for name, encoder in encoders.items()}
        module = FusionModule(encoders, widths, self._fusion(widths), pooled).to(self.dtype)
        width = self._fused_width(module)
        of_tokens = hands_tokens(self.fusion, self.head.takes)
        head = self._head(module, width, of_tokens)
        block_heads = BlockHeads(widths, self.output).to(self.dtype) if self.block_heads else None
        module.complete(width, head, of_tokens, block_heads)
        return module

    def _fusion(self, widths: Mapping[str, int]) -> nn.Module:
        n_outputs = self.output.n_outputs if self.fusion.decides else 1
        module = build_fusion(self.fusion, widths, n_outputs)
        for part in module.modules():
            if hasattr(part, "exclusive"):
                cast(Decides, part).exclusive = self.output.exclusive
        return module

    def _head(self, module: FusionModule, width: int, of_tokens: bool) -> nn.Module:
        if self.fusion.decides:
            self._check_decides(width)
            shapes = shaped(self.output)
            return nn.Sequential(*shapes) if shapes else nn.Identity()
        width = self._token_width(module) if of_tokens else width
        head = build_head(self.head, width, self.output).to(self.dtype)
        self._check_outputs(head, width, of_tokens)
        return head

    def _check_outputs(self, head: nn.Module, width: int, takes_tokens: bool) -> None:
        """Check that the module of the head gives what the target's loss takes."""
        tokens = torch.zeros(2, 3, width, dtype=self.dtype)  # (batch, tokens, width)
        fused = Tokens(tokens, torch.ones(2, 3, dtype=torch.bool)) if takes_tokens else tokens[:, 0]
        told = [torch.ones(2, 4, dtype=torch.int64)] if self.head.writes else []
        with measuring(head), noted(f"while measuring the head {self.head!r}"):
            outputs = head(fused, *told)
        found = tuple(outputs.shape) if isinstance(outputs, torch.Tensor) else repr(outputs)
        if not self.output.ragged and found != (2, *self.output.shape):
            raise ParameterError(
                f"the module of the head {self.head!r} must return (batch, *output.shape), which "
                f"is {(2, *self.output.shape)} for a batch of 2 rows. Got {found}."
            )

    def _token_width(self, module: FusionModule) -> int:
        with measuring(module), noted(f"while measuring the tokens of the fusion {self.fusion!r}"):
            return module.fuse_tokens(self._dummy_batch()).values.shape[2]

    def _check_decides(self, width: int) -> None:
        n_outputs = self.output.n_outputs
        if width != n_outputs:
            raise ParameterError(
                f"the fusion {self.fusion!r} decides, so that its module must return "
                f"(batch, n_outputs), n_outputs={n_outputs} of which build is told. "
                f"Got width {width}. Return as many, or leave out `decides` for a head to follow."
            )

    def only(self, name: str) -> ModulePlan:
        """Return the plan of block ``name`` alone: its encoder, without its policy, and a head."""
        recipe = self.encoders[name]
        encoders = {name: recipe.encoder if isinstance(recipe, Policy) else recipe}
        specs = {name: self.specs[name]}
        return ModulePlan(specs, encoders, Concat(), LinearHead(), self.output, self.dtype)

    def _encoders(self, pooled: bool) -> dict[str, nn.Module]:
        """Return the modules by block; blocks that share an encoder share its module."""
        shared = {
            name: recipe.block
            for name, recipe in self.encoders.items()
            if isinstance(recipe, SameAs)
        }
        own = {name: self._encoder(name, pooled) for name in self.specs if name not in shared}
        return {name: own[shared.get(name, name)] for name in self.specs}

    def _encoder(self, name: str, pooled: bool) -> nn.Module:
        with noted(f"while building the encoder of block {name!r}"):
            return self.encoders[name].build(self.specs[name], pooled=pooled).to(self.dtype)

    def _width(self, name: str, encoder: nn.Module) -> int:
        with noted(f"while measuring the encoder of block {name!r}"):
            return encoded_width(encoder, self.specs[name], self.dtype)

    def _fused_width(self, module: FusionModule) -> int:
        with measuring(module):
            return fused_width(self.fusion, lambda: module.fuse(self._dummy_batch()), n_rows=2)

    def _dummy_batch(self) -> Batch:
        inputs = {name: dummy_input(spec, self.dtype) for name, spec in self.specs.items()}
        return Batch(inputs, {}, 2)


class FusionModule(nn.Module):
    """Batch -> outputs (n_rows, *output.shape).

    What is not trained of an encoder, the whole or its beginning, is computed once per fit, and its
    outputs come as the inputs of the blocks in ``batch.encoded``. A missing block is represented by
    ``missing_embeddings[i]``, a learned vector of the block's width, in training and in prediction.
    Encoders only ever see the rows that have their block.
    """

    head: nn.Module
    head_takes_tokens: bool
    width: int  # of the fused vector
    block_heads: BlockHeads | None  # what each block alone would decide, while training

    def __init__(
        self,
        encoders: Mapping[str, nn.Module],
        widths: Mapping[str, int],
        fusion: nn.Module,
        pooled: bool,
    ) -> None:
        super().__init__()
        self.names, self.pooled = tuple(encoders), pooled
        self.encoders = nn.ModuleList(encoders.values())
        self.missing_embeddings = nn.ParameterList(torch.zeros(width) for width in widths.values())
        self.fusion = fusion
        self.block_heads, self.head_takes_tokens = None, False

    def complete(
        self, width: int, head: nn.Module, takes_tokens: bool, block_heads: BlockHeads | None
    ) -> None:
        """Add what follows the fusion, once it is known how wide the vectors are that it makes."""
        self.width, self.head, self.head_takes_tokens = width, head, takes_tokens
        self.block_heads = block_heads

    def forward(self, batch: Batch) -> torch.Tensor:
        fused = self.fuse_tokens(batch) if self.head_takes_tokens else self._mixed(batch)
        try:  # as in ``fuse``
            return self.head(fused) if batch.codes is None else self.head(fused, batch.codes)
        except Exception as error:
            raise_located(error, "in the head")

    def read(self, batch: Batch) -> Encoded:
        """Return what the head takes of each row: the fused vector, or the fused tokens."""
        return self.fuse_tokens(batch) if self.head_takes_tokens else self.fuse(batch)

    def _mixed(self, batch: Batch) -> torch.Tensor:
        fused = self.fuse(batch)
        return fused if batch.mixing is None else batch.mixing.rows(fused)

    def fuse(self, batch: Batch) -> torch.Tensor:
        """Return the fused vectors (n_rows, width)."""
        encoded, present = self._encoded(batch)
        try:  # a context manager would cost more than the rest, and torch.compile not follow it
            return self.fusion(encoded, present)
        except Exception as error:
            raise_located(error, "in the fusion")

    def fuse_tokens(self, batch: Batch) -> Tokens:
        """Return the fused tokens (n_rows, tokens, width), of a fusion that gives them."""
        encoded, present = self._encoded(batch)
        try:
            return cast(GivesTokens, self.fusion).tokens(encoded, present)
        except Exception as error:
            raise_located(error, "in the fusion")

    def _encoded(self, batch: Batch) -> tuple[dict[str, Encoded], torch.Tensor | None]:
        """Return what the fusion takes of each block, and which rows have which block."""
        encoded, present = self.encode(batch), self._presence(batch)
        if self.block_heads is not None and self.training:
            vectors = {name: as_vector(block) for name, block in encoded.items()}
            self.block_heads.remember(vectors, present)
        return encoded, present

    def weights(self, batch: Batch) -> torch.Tensor:
        """Return the weight that the fusion gives each block of each row (n_rows, n_blocks)."""
        encoded, present = self.encode(batch), self._presence(batch)
        with noted("in the fusion"):
            return cast(Weighs, self.fusion).weights(encoded, present)

    def encode(self, batch: Batch) -> dict[str, Encoded]:
        """Return what the fusion takes of each block: vectors, or tokens and mask."""
        encoded, name = {}, ""
        try:
            for i, (name, encoder) in enumerate(zip(self.names, self.encoders, strict=True)):
                encoded[name] = self._encode(i, encoder, batch, batch.present.get(name))
        except Exception as error:
            raise_located(error, f"in the encoder of block {name!r}")
        return encoded

    def frozen_parts(self) -> dict[str, nn.Module]:
        """Return what is not trained of the encoders, the whole or its beginning, by block."""
        parts = zip(self.names, map(frozen_part, self.encoders), strict=True)
        return {name: part for name, part in parts if part is not None}

    def _encode(
        self, i: int, encoder: nn.Module, batch: Batch, present: torch.Tensor | None
    ) -> Encoded:
        """Return what the fusion takes of block ``i``; a missing row is a learned embedding."""
        if present is None:
            encoded = self._encode_rows(i, encoder, batch)
            return encoded if self.pooled else as_tokens(encoded)
        there = self._encode_rows(i, encoder, batch) if present.any() else None
        if self.pooled:
            vectors = cast("torch.Tensor | None", there)
            return _fill(vectors, present, self.missing_embeddings[i])
        tokens = None if there is None else as_tokens(there)
        return _fill_tokens(tokens, present, self.missing_embeddings[i])

    def _encode_rows(self, i: int, encoder: nn.Module, batch: Batch) -> Encoded:
        """Return the rows that have block ``i``, encoded."""
        encoded, places = self._encode_inputs(i, encoder, batch), batch.lookups.get(self.names[i])
        return encoded if places is None else places.of_rows(encoded, self.pooled)

    def _encode_inputs(self, i: int, encoder: nn.Module, batch: Batch) -> Encoded:
        """Return the inputs of block ``i``, its rows or distinct things, encoded."""
        name = self.names[i]
        x = batch.inputs[name]
        if name not in batch.encoded:
            return encode(encoder, x)
        begun = x if isinstance(x, Padded) else (cast(torch.Tensor, x),)
        if not is_frozen(encoder):
            return finish(encoder, *begun)
        return Tokens(*begun) if isinstance(x, Padded) else begun[0]

    def _presence(self, batch: Batch) -> torch.Tensor | None:
        if not batch.present:
            return None
        everywhere = torch.ones_like(next(iter(batch.present.values())))
        return torch.stack([batch.present.get(name, everywhere) for name in self.names], dim=1)


def _fill(
    encoded: torch.Tensor | None, present: torch.Tensor, embedding: torch.Tensor
) -> torch.Tensor:
    """Spread the encoded rows over the places that are present; the others get the embedding."""
    everywhere = embedding.expand(len(present), *embedding.shape)
    if encoded is None:
        return everywhere
    encoded = encoded.to(everywhere.dtype)  # of less precision within autocast
    return everywhere.index_put((present.nonzero(as_tuple=True)[0],), encoded)


def _fill_tokens(encoded: Tokens | None, present: torch.Tensor, embedding: torch.Tensor) -> Tokens:
    """As ``_fill``; a missing row has one token, the embedding."""
    if encoded is None:
        return Tokens(embedding.expand(len(present), 1, -1))
    values, mask = encoded
    n_tokens = values.shape[1]
    filled = _fill(values, present, embedding.expand(n_tokens, -1))
    if n_tokens == 1 and mask is None:
        return Tokens(filled)
    rows = values.new_ones((len(values), n_tokens), dtype=torch.bool) if mask is None else mask
    first = torch.arange(n_tokens, device=values.device) == 0
    return Tokens(filled, _fill(rows, present, first))


def rows_per_step(specs: Iterable[BlockSpec]) -> int:
    """Return how many rows to send through the network at once without training."""
    numbers = sum(
        math.prod(size or 64 for size in spec.shape) for spec in specs if spec.form != "csr"
    )
    return max(16, min(1024, _NUMBERS_PER_STEP // max(1, numbers)))
