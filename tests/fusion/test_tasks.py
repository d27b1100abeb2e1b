"""Tasks that tell the operators apart: products across blocks, and a switch between them."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from skfusion import FusionClassifier
from skfusion._batch import make_batch
from skfusion.blocks import Blocks
from skfusion.encoders import MLP


def fitted(fusion, blocks, y, encoder, max_epochs, lr, batch_size="auto"):
    model = FusionClassifier(
        dict.fromkeys(blocks.names, encoder),
        fusion=fusion,
        max_epochs=max_epochs,
        lr=lr,
        batch_size=batch_size,
        random_state=0,
        members=1,
    )
    return model.fit(blocks, y)


# The class is the sign of the product of one number from each block.


def signs(n_blocks, seed):
    numbers = np.random.default_rng(seed).normal(size=(450, n_blocks)).astype(np.float32)
    blocks = {f"x{i}": numbers[:, [i]] for i in range(n_blocks)}
    return Blocks(blocks), numbers.prod(axis=1) > 0


def score_on_signs(fusion, n_blocks):
    model = fitted(fusion, *signs(n_blocks, seed=0), MLP(16), max_epochs=30, lr=1e-2)
    return model.score(*signs(n_blocks, seed=1))


@pytest.mark.parametrize("n_blocks", [2, 3])
@pytest.mark.parametrize("fusion", ["sum", "concat"])
def test_what_adds_up_blocks_cannot_multiply_them(fusion, n_blocks):
    assert score_on_signs(fusion, n_blocks) < 0.6


@pytest.mark.parametrize("fusion", ["low_rank", "tensor", "product"])
@pytest.mark.parametrize("n_blocks", [2, 3])
def test_products_of_all_blocks_are_learned(fusion, n_blocks):
    assert score_on_signs(fusion, n_blocks) > 0.9


@pytest.mark.parametrize("fusion", ["bilinear", "film", "gated"])
def test_products_of_two_blocks_are_learned(fusion):
    assert score_on_signs(fusion, 2) > 0.9


# A latent variable says which block carries the class; the other is noise.


def switched(opposite):
    """Blocks whose noise lies on the same side of the classes' direction, or on opposite ones."""
    rng = np.random.default_rng(0)
    y, switch = rng.integers(0, 2, 800), rng.integers(0, 2, 800)
    blocks = {}
    for name, informative, direction in (
        ("v", switch, 1),
        ("t", 1 - switch, -1 if opposite else 1),
    ):
        mean = np.where(informative == 1, direction * np.array([-1.2, 1.2])[y], 5.0)
        x = rng.normal(mean, np.where(informative == 1, 0.5, 1.0))
        blocks[name] = ((x - x.mean()) / x.std()).astype(np.float32)[:, None]
    return Blocks(blocks), y, switch


@pytest.mark.parametrize("opposite", [True, False])
def test_gates_find_the_block_that_carries_the_class(opposite):
    blocks, y, switch = switched(opposite)
    linear = MLP(1, activation="identity")
    train, test = np.arange(300), np.arange(300, 800)
    scores = {}
    for fusion in ("gated", "concat"):
        model = fitted(
            fusion, blocks[train], y[train], linear, max_epochs=60, lr=0.02, batch_size=64
        )
        scores[fusion] = model.score(blocks[test], y[test])
        if fusion == "gated":
            module = model.net_.module_.eval()
    plain = LogisticRegression().fit(blocks[train].hstack(), y[train])
    scores["logistic"] = plain.score(blocks[test].hstack(), y[test])
    with torch.no_grad():
        encoded = module.encode(make_batch(blocks[test], torch.float32, torch.device("cpu")))
        gate = module.fusion.weights(encoded, None)[:, 0].numpy()
    assert np.corrcoef(gate, switch[test])[0, 1] > 0.9
    assert scores["gated"] > 0.97
    assert scores["gated"] >= max(scores["concat"], scores["logistic"]) + (0.3 if opposite else 0)
