import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from skfusion.blocks import Ragged
from skfusion.encoders import CNN, Chain, Transformer
from skfusion.exceptions import BlockError, ParameterError


def torch_layers(module, width, n_heads, expansion):
    """torch's own encoder layers with the weights of ours."""
    layers = []
    for ours in module.layers:
        layer = nn.TransformerEncoderLayer(
            width, n_heads, expansion * width, 0.0, "gelu", batch_first=True, norm_first=True
        )
        weights = {
            "self_attn.in_proj_weight": ours.attention.project.weight,
            "self_attn.in_proj_bias": ours.attention.project.bias,
        }
        pairs = {
            "self_attn.out_proj": ours.attention.output,
            "linear1": ours.hidden,
            "linear2": ours.out,
            "norm1": ours.norm_attention,
            "norm2": ours.norm_hidden,
        }
        for name, part in pairs.items():
            weights |= {f"{name}.weight": part.weight, f"{name}.bias": part.bias}
        layer.load_state_dict(weights)
        layers.append(layer.double().eval())
    return layers


def test_layers_are_those_of_torch_on_ragged_rows(rng, build, run):
    block = Ragged.from_rows([rng.normal(size=(length, 3)) for length in (4, 2, 6)])
    encoder = Transformer(8, n_heads=2, expansion=3, positions=None)
    module, state = build(encoder, block, pooled=False)
    values, mask = block.pad()
    with torch.no_grad():
        tokens = torch.from_numpy(values @ state["steps.1.weight"].T + state["steps.1.bias"])
        for layer in torch_layers(module, 8, 2, 3):
            tokens = layer(tokens, src_key_padding_mask=torch.from_numpy(~mask))
        expected = module.norm(tokens).numpy()
    found, found_mask = run(module, values, mask)
    np.testing.assert_array_equal(found_mask, mask)
    np.testing.assert_allclose(found[mask], expected[mask], atol=1e-10)


def test_attention_by_hand(rng, build):
    x = rng.normal(size=(1, 5, 8))
    module, state = build(Transformer(8, n_layers=1, n_heads=2), x)
    layer = module.layers[0]
    part = "layers.0.attention"
    weight, bias = state[f"{part}.project.weight"], state[f"{part}.project.bias"]
    queries, keys, values = np.split(x[0] @ weight.T + bias, 3, axis=1)
    heads = []
    for head in (slice(0, 4), slice(4, 8)):
        scores = np.exp(queries[:, head] @ keys[:, head].T / 2)
        heads.append(scores / scores.sum(axis=1, keepdims=True) @ values[:, head])
    joined = np.concatenate(heads, axis=1)
    expected = joined @ state[f"{part}.output.weight"].T + state[f"{part}.output.bias"]
    tokens = torch.from_numpy(x)
    found = layer.attention(tokens, tokens, None).detach().numpy()
    np.testing.assert_allclose(found[0], expected, atol=1e-12)


def test_patches_are_a_convolution_with_their_stride(rng, build):
    images = rng.normal(size=(2, 10, 8, 3))
    module, _ = build(Transformer(6, n_heads=1, patch_size=4), images)
    patches = module.steps(torch.from_numpy(images))
    weight = module.steps.linear.weight.view(6, 4, 4, 3).permute(0, 3, 1, 2)
    padded = F.pad(torch.from_numpy(images).permute(0, 3, 1, 2), (0, 0, 0, 2))
    expected = F.conv2d(padded, weight, module.steps.linear.bias, stride=4)
    assert patches.shape == (2, 3 * 2, 6)
    torch.testing.assert_close(patches, expected.flatten(2).transpose(1, 2))


@pytest.mark.parametrize("width", [6, 5])
def test_sinusoidal_positions(width, build, rng):
    x = rng.normal(size=(1, 7, 2))
    module, _ = build(Transformer(width, n_heads=1, positions="sinusoidal"), x)
    found = module.positions(torch.zeros(1, 7, width, dtype=torch.float64))[0].numpy()
    for position in range(7):
        for i in range(width):
            angle = position / 10_000 ** (2 * (i // 2) / width)
            expected = np.cos(angle) if i % 2 else np.sin(angle)
            assert found[position, i] == pytest.approx(expected, abs=1e-12)


def test_order_matters_with_positions_and_not_without(rng, build, run):
    x = rng.normal(size=(3, 6, 2))
    for positions, matters in (("learned", True), ("sinusoidal", True), (None, False)):
        module, _ = build(Transformer(8, positions=positions), x)
        assert np.allclose(run(module, x), run(module, x[:, ::-1].copy())) != matters


def test_the_class_token_is_what_is_read(rng, build, run):
    x = rng.normal(size=(3, 6, 2))
    module, _ = build(Transformer(8, pooling="cls"), x)
    before = run(module, x)
    with torch.no_grad():
        module.class_token.add_(torch.arange(8.0))
    assert np.abs(run(module, x) - before).max() > 1e-3


def test_a_row_without_tokens_is_zero_or_the_class_token_alone(build, run):
    words = Ragged.from_rows([[1, 2], []], n_tokens=3)
    assert np.abs(run(build(Transformer(8), words)[0], *words.pad())[1]).max() == 0
    with_class, _ = build(Transformer(8, pooling="cls"), words)
    alone = Ragged.from_rows([[]], n_tokens=3)
    np.testing.assert_allclose(
        run(with_class, *words.pad())[1], run(with_class, *alone.pad())[0], atol=1e-12
    )


def test_parameters(rng, build, n_parameters):
    module, _ = build(Transformer(8, n_layers=3, expansion=2), rng.normal(size=(2, 6, 5)))
    attention = 8 * 24 + 24 + 8 * 8 + 8
    hidden = 8 * 16 + 16 + 16 * 8 + 8
    layer = attention + hidden + 2 * (8 + 8)
    assert n_parameters(module) == (5 * 8 + 8) + 6 * 8 + 3 * layer + (8 + 8)


def test_on_the_feature_map_of_a_cnn(rng, build, run):
    images = rng.normal(size=(2, 8, 8, 3))
    module, _ = build(Chain(CNN(channels=(4,)), Transformer(8)), images)
    assert module.then.positions.weight.shape == (16, 8)
    assert run(module, images).shape == (2, 8)


def test_learned_positions_end_somewhere(build, run):
    words = Ragged.from_rows([[1, 2, 0], [1]], n_tokens=3)
    module, _ = build(Transformer(8, positions="learned", max_length=3), words)
    assert run(module, *words.pad()).shape == (2, 8)
    longer = Ragged.from_rows([[1, 2, 0, 0]], n_tokens=3)
    with pytest.raises(BlockError, match="'block' has a row of 4 tokens, .* learned for 3"):
        run(module, *longer.pad())


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        (
            Transformer(10, n_heads=4),
            "multiple of n_heads. Got width=10 and n_heads=4",
        ),
        (Transformer(positions="sinusoid"), "positions must be one of .* Did you mean"),
        (Transformer(n_layers=0), "n_layers must be an int >= 1"),
        (Transformer(dropout=2), "dropout must be a number between 0 and 1"),
    ],
)
def test_what_cannot_be_is_refused(encoder, message, build, rng):
    with pytest.raises(ParameterError, match=message):
        build(encoder, rng.normal(size=(2, 9, 4)))
