"""Maps out: grids, with steps and channels, from tokens and from vectors."""

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV

from skfusion import Blocks, FusionClassifier, FusionRegressor
from skfusion.encoders import CNN
from skfusion.exceptions import ParameterError
from skfusion.heads import GridHead

N, SIDE = 160, 12
RNG = np.random.default_rng(0)
PLACE = RNG.integers(2, SIDE - 2, (N, 2))
GRID = np.indices((SIDE, SIDE))
# A bump somewhere, and the same one a row further down.
BUMP = np.exp(-((GRID[:, None] - PLACE.T[:, :, None, None]) ** 2).sum(0) / 4).astype(np.float32)
BELOW = np.roll(BUMP, 2, axis=1)
X = {"map": BUMP[..., None], "facts": RNG.normal(size=(N, 2)).astype(np.float32)}


def model(**params):
    settings = {
        "encoders": {"map": CNN((16, 16))},
        "fusion": "token_concat",
        "head": GridHead(32),
        "max_epochs": 60,
        "members": 1,
        "early_stopping": False,
        "random_state": 0,
    }
    return FusionRegressor(**(settings | params))


def test_what_moves_is_found_again_from_tokens():
    found = model().fit(X, BELOW)
    assert found.predict(X).shape == BELOW.shape
    assert found.score(X, BELOW) > 0.8


def test_from_a_vector_too():
    found = model(fusion="concat").fit(X, BELOW)
    assert found.score(X, BELOW) > 0.5


@pytest.mark.parametrize("shape", [(SIDE, SIDE), (2, 9, 12), (2, 5, 12, 3)])
@pytest.mark.parametrize("fusion", ["token_concat", "sum"])
def test_all_shapes(shape, fusion):
    y = np.broadcast_to(BUMP.mean(axis=(1, 2)).reshape(N, *[1] * len(shape)), (N, *shape))
    found = model(fusion=fusion, max_epochs=2).fit(X, y.copy())
    assert found.predict(X).shape == (N, *shape)
    alone = found.predict({name: block[:1] for name, block in X.items()})
    np.testing.assert_allclose(alone[0], found.predict(X)[0], atol=1e-4)


def test_cells_without_data():
    y = BELOW.copy()
    y[RNG.random(y.shape) < 0.3] = np.nan
    found = model(missing_targets="ignore").fit(X, y)
    assert found.score(X, BELOW) > 0.7


def test_its_parameters_are_searched():
    search = GridSearchCV(model(max_epochs=2), {"head__n_stages": [0, 1], "head__width": [8]}, cv=2)
    assert search.fit(Blocks(X), BELOW).best_params_["head__width"] == 8


@pytest.mark.parametrize(
    ("fitted", "y", "message"),
    [
        (
            model(),
            BELOW[:, 0],
            r"makes maps, of shape .* and the outputs of a row have shape \(12,",
        ),
        (model(head=GridHead(width=6)), BELOW, "width must be a multiple of n_heads"),
        (model(head=GridHead(n_stages=-1)), BELOW, "n_stages must be an int >= 0"),
        (FusionClassifier(head="grid"), np.arange(N) % 2, "makes maps"),
    ],
)
def test_what_is_no_map(fitted, y, message):
    with pytest.raises(ParameterError, match=message):
        fitted.fit(X, y)
