"""Models, tokenizers and scales of pixels from a folder, or the hub, of Hugging Face."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Protocol, cast

from torch import nn

from skfusion._apart import without_memory
from skfusion._optional import import_optional
from skfusion.exceptions import ParameterError

if TYPE_CHECKING:
    from tokenizers import Tokenizer as HuggingFaceTokenizer

__all__ = [
    "Known",
    "ModelConfig",
    "Pixels",
    "adapters_library",
    "check_weights",
    "model_of",
    "read_known",
    "tokenizer_of",
    "untrained",
    "with_adapters",
]

_FORM_OF = {"input_ids": "tokens", "pixel_values": "image"}

# One of them is in each folder with a tokenizer; without any, transformers makes an empty one.
_TOKENIZER_FILES = ("tokenizer.json", "vocab.*", "*.model", "*.tiktoken")
_WEIGHTS_FILES = ("*.safetensors", "*.safetensors.index.json", "*.bin")
_LONGEST = 2**20
# A folder may bring programs of its own, which nothing here runs or asks about.
_NO_CODE = {"trust_remote_code": False}


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
        config: ModelConfig = library.AutoConfig.from_pretrained(name, **_NO_CODE)
    _check_one_network(name, config)
    first = without_memory(lambda: str(untrained(config).main_input_name))
    if first not in _FORM_OF:
        raise ParameterError(
            f"Backbone({name!r}): a model of the kind {config.model_type!r} takes {first!r}, "
            "neither texts nor images. Use Pretrained(module, preprocess)."
        )
    form = _FORM_OF[first]
    return Known(config, form, _pixels_of(name, config) if form == "image" else None)


def _check_one_network(name: str, config: ModelConfig) -> None:
    """Check that a model is one network, of one input."""
    several = [part for part in ("text_config", "vision_config") if hasattr(config, part)]
    if len(several) == 2:
        raise ParameterError(
            f"Backbone({name!r}): a model of the kind {config.model_type!r} is a network of texts "
            "and one of images. Save the one that you want to a folder of its own, such as by "
            "CLIPVisionModel.from_pretrained(...).save_pretrained(folder), with what belongs to it."
        )
    if getattr(config, "is_encoder_decoder", False):
        raise ParameterError(
            f"Backbone({name!r}): a model of the kind {config.model_type!r} writes texts behind "
            "its encoder, which a block has no use for. Use a model that is an encoder, or "
            "Pretrained(model.get_encoder())."
        )


def untrained(config: ModelConfig) -> nn.Module:
    """Return the network of a model, whose weights are yet to come."""
    return _without_pooler(cast(nn.Module, _library().AutoModel.from_config(config, **_NO_CODE)))


def _without_pooler(model: nn.Module) -> nn.Module:
    """Return the model without what it puts behind its tokens, which would have no gradient."""
    if any(True for _ in getattr(model, "pooler", nn.Identity()).parameters()):
        model.register_module("pooler", None)
    return model


def check_weights(name: str) -> None:
    """Raise ``ParameterError`` if ``name`` is a folder without weights."""
    folder = Path(name)
    if folder.is_dir() and not any(any(folder.glob(kind)) for kind in _WEIGHTS_FILES):
        raise ParameterError(
            f"Backbone({name!r}): the folder has no weights (model.safetensors). Save them there: "
            "model.save_pretrained(folder)."
        )


def model_of(name: str) -> nn.Module:
    """Return a model with its weights, in float32.

    Raises
    ------
    ParameterError
        If there are none, or not all of those that its configuration tells of.
    """
    library = _library()
    with _told(name, "weights (model.safetensors)"), _quiet(library):
        model, report = library.AutoModel.from_pretrained(
            name, output_loading_info=True, **_NO_CODE
        )
    model = _without_pooler(model)
    lacking = sorted(set(report["missing_keys"]) & set(model.state_dict()))
    if lacking:
        raise ParameterError(
            f"Backbone({name!r}): {len(lacking)} weights of the network that config.json describes "
            f"are not there, such as {lacking[0]!r}, and would be random numbers. Save both "
            "together: model.save_pretrained(folder)."
        )
    return model.float()


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
        found = library.AutoTokenizer.from_pretrained(name, **_NO_CODE)
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
    with _told(name, "a scale of pixels (preprocessor_config.json)"), _quiet(library):
        processor = library.AutoImageProcessor.from_pretrained(name, use_fast=False, **_NO_CODE)
        found = processor.to_dict()
    size = found.get("crop_size") if found.get("do_center_crop") else found.get("size")
    size = size if isinstance(size, dict) else {}
    side = int(size.get("shortest_edge", getattr(config, "image_size", 224)))
    height, width = int(size.get("height", side)), int(size.get("width", side))
    high = 255 * float(found["rescale_factor"]) if found.get("do_rescale", True) else 255.0
    mean, std = (0.0,) * 3, (1.0,) * 3
    if found.get("do_normalize", True):
        mean, std = found["image_mean"], found["image_std"]
    return Pixels((height, width), _divided(mean, high), _divided(std, high))


def _divided(values: Sequence[float], high: float) -> tuple[float, ...]:
    """Return values for images in [0, 1], of those for images in [0, high]."""
    return tuple(value / high for value in values)


def adapters_library() -> ModuleType:
    """Return the library that adapters are from."""
    return import_optional("peft", "Backbone(adapters=...)", "backbones")


def with_adapters(model: nn.Module, rank: int) -> nn.Module:
    """Return the model with low-rank adapters, which alone are trained (Hu et al., 2022).

    Raises
    ------
    ParameterError
        If peft knows no place for them.
    """
    peft = adapters_library()
    try:
        config = peft.LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=_places(model))
        return cast(nn.Module, peft.inject_adapter_in_model(config, model))
    except (TypeError, ValueError) as error:
        raise ParameterError(
            f"adapters: peft knows no place for them in {type(model).__name__}: {error} "
            "Use layers=... to train upper layers instead."
        ) from error


def _places(model: nn.Module) -> str | list[str]:
    """Return where adapters go: all linear layers, or all convolutions where there are none."""
    if any(isinstance(part, nn.Linear) for part in model.modules()):
        return "all-linear"
    found = [
        name
        for name, part in model.named_modules()
        if isinstance(part, nn.Conv2d) and part.groups == 1
    ]
    return found or "all-linear"


def _library() -> ModuleType:
    return import_optional("transformers", "Backbone", "backbones")


@contextmanager
def _told(name: str, what: str) -> Iterator[None]:
    """Say of which model something cannot be read, whatever error that is."""
    try:
        yield
    except Exception as error:  # what is wrong with a file shows in errors of all kinds
        first = str(error).strip().partition("\n")[0]
        raise ParameterError(
            f"Backbone({name!r}): {what} cannot be read from there: {first} Give a folder that "
            "save_pretrained has written, or the name of a model on the hub."
        ) from error


@contextmanager
def _quiet(library: ModuleType) -> Iterator[None]:
    """Show neither progress, since a search reads a model in each fit, nor a table of weights."""
    logging = library.utils.logging
    shown, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if shown:
            logging.enable_progress_bar()
