"""Models, tokenizers and scales of pixels from a folder, or the hub, of Hugging Face."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Protocol, cast

import torch
from torch import nn

from skfusion._optional import import_optional
from skfusion.exceptions import ParameterError

if TYPE_CHECKING:
    from tokenizers import Tokenizer as HuggingFaceTokenizer

__all__ = [
    "Known",
    "ModelConfig",
    "Pixels",
    "model_of",
    "read_known",
    "tokenizer_of",
    "train_upper_layers",
    "untrained",
    "with_adapters",
]

_FORM_OF = {"input_ids": "tokens", "pixel_values": "image"}

# One of them is in each folder with a tokenizer; without any, transformers makes an empty one.
_TOKENIZER_FILES = ("tokenizer.json", "vocab.*", "*.model", "*.tiktoken")
_LONGEST = 2**20


class ModelConfig(Protocol):
    """Kind and sizes of a network, as transformers keeps them; sizes as far as it has them."""

    model_type: str
    vocab_size: int
    num_hidden_layers: int
    max_position_embeddings: int
    image_size: int


@dataclass(frozen=True)
class Pixels:
    """What a model expects of images: their height and width, and the scale of each channel."""

    size: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class Known:
    """What is known of a model without its weights.

    Parameters
    ----------
    config : ModelConfig
        Kind and sizes of the network.
    form : {"tokens", "image"}
        Form of the blocks that it takes.
    pixels : Pixels or None
        What it expects of images, where it takes these.
    """

    config: ModelConfig
    form: str
    pixels: Pixels | None


def read_known(name: str) -> Known:
    """Return what is known of a model.

    Raises
    ------
    ParameterError
        If there is none of that name, it takes neither texts nor images, or nothing says on which
        scale its images are.
    """
    library = _library()
    with _told(name, "a model (config.json)"):
        config: ModelConfig = library.AutoConfig.from_pretrained(name)
    with torch.device("meta"):  # where layers have shapes and no numbers
        first = str(untrained(config).main_input_name)
    if first not in _FORM_OF:
        raise ParameterError(
            f"Backbone({name!r}): a model of the kind {config.model_type!r} takes {first!r}, "
            "neither texts nor images. Use Pretrained(module, preprocess)."
        )
    form = _FORM_OF[first]
    return Known(config, form, _pixels_of(name, config) if form == "image" else None)


def untrained(config: ModelConfig) -> nn.Module:
    """Return the network of a model, whose weights are yet to come."""
    return cast(nn.Module, _library().AutoModel.from_config(config))


def model_of(name: str) -> nn.Module:
    """Return a model with its weights, in float32."""
    library = _library()
    with _told(name, "weights (model.safetensors)"), _without_bar(library):
        return cast(nn.Module, library.AutoModel.from_pretrained(name)).float()


def tokenizer_of(name: str, max_length: int | None) -> tuple[HuggingFaceTokenizer, int]:
    """Return the tokenizer of a model, and how many tokens of a text are kept.

    Raises
    ------
    ParameterError
        If the folder has none.
    """
    folder = Path(name)
    if folder.is_dir() and not any(any(folder.glob(kind)) for kind in _TOKENIZER_FILES):
        raise ParameterError(
            f"Backbone({name!r}): the folder has no tokenizer (tokenizer.json), by which texts "
            "become the token ids that the model knows. Save it there beside the model: "
            "tokenizer.save_pretrained(folder)."
        )
    library = _library()
    with _told(name, "a tokenizer (tokenizer.json)"):
        found = library.AutoTokenizer.from_pretrained(name)
        own: HuggingFaceTokenizer = found.backend_tokenizer
    limits = [_LONGEST if max_length is None else max_length, int(found.model_max_length)]
    if own.truncation is not None and max_length is None:
        limits.append(own.truncation["max_length"])
    return own, min(limits)


def _pixels_of(name: str, config: ModelConfig) -> Pixels:
    """Return the scale of images that a model was trained on.

    Raises
    ------
    ParameterError
        If nothing says so.
    """
    library = _library()
    with _told(name, "a scale of pixels (preprocessor_config.json)"):
        found = library.AutoImageProcessor.from_pretrained(name, use_fast=False).to_dict()
    size = found.get("crop_size") if found.get("do_center_crop") else found.get("size")
    size = size if isinstance(size, dict) else {}
    side = int(size.get("shortest_edge", getattr(config, "image_size", 224)))
    return Pixels(
        (int(size.get("height", side)), int(size.get("width", side))),
        tuple(found["image_mean"]),
        tuple(found["image_std"]),
    )


def with_adapters(model: nn.Module, rank: int) -> nn.Module:
    """Return the model with low-rank adapters, which alone are trained (Hu et al., 2022).

    Raises
    ------
    ParameterError
        If peft knows no place for them.
    """
    peft = import_optional("peft", "Backbone(adapters=...)", "backbones")
    config = peft.LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear")
    return cast(nn.Module, peft.inject_adapter_in_model(config, model))


def train_upper_layers(model: nn.Module, config: ModelConfig, n: int, name: str) -> None:
    """Leave the weights of the ``n`` upper layers, and of what comes behind, to be trained.

    Raises
    ------
    ParameterError
        If the model has fewer layers, or none that are stacked.
    """
    model.requires_grad_(False)
    if n == 0:
        return
    n_layers = int(getattr(config, "num_hidden_layers", 0))
    stacks = [
        part
        for part in model.modules()
        if isinstance(part, nn.ModuleList) and len(part) == n_layers > 0
    ]
    if not stacks or n > n_layers:
        raise ParameterError(
            f"Backbone({name!r}, layers={n}): the model has {n_layers} layers that are stacked. "
            'Use a smaller number, or layers="all".'
        )
    lowest = next(stacks[0][n_layers - n].parameters())
    is_upper = False
    for parameter in model.parameters():
        is_upper = is_upper or parameter is lowest
        parameter.requires_grad_(is_upper)


def _library() -> ModuleType:
    return import_optional("transformers", "Backbone", "backbones")


@contextmanager
def _told(name: str, what: str) -> Iterator[None]:
    """Say of which model something cannot be read, whatever error that is."""
    try:
        yield
    except (OSError, ValueError, KeyError, ImportError, AttributeError) as error:
        first = str(error).strip().partition("\n")[0]
        raise ParameterError(
            f"Backbone({name!r}): {what} cannot be read from there: {first} Give a folder that "
            "save_pretrained has written, or the name of a model on the hub."
        ) from error


@contextmanager
def _without_bar(library: ModuleType) -> Iterator[None]:
    """Show no progress: a model is read in each fit of a search."""
    logging = library.utils.logging
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
