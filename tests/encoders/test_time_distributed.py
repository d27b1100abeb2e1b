import numpy as np
import pytest
import torch
from torch import nn

from skfusion import FusionClassifier
from skfusion.blocks import Ragged
from skfusion.encoders import CNN, MLP, RNN, Encoder, TemporalCNN, TimeDistributed, Transformer
from skfusion.exceptions import BlockError, ParameterError


@pytest.fixture
def clips(rng):
    return Ragged.from_rows([rng.normal(size=(length, 6, 6, 2)) for length in (3, 1, 5)])


@pytest.mark.parametrize("over", [RNN(4), Transformer(4, n_heads=2), TemporalCNN((4,))])
def test_frames_are_encoded_each_by_itself_and_then_over_time(over, clips, build, run):
    module, _ = build(TimeDistributed(CNN((3,), width=5), over, chunk_size=2), clips)
    found = run(module, *clips.pad())
    for clip, vector in zip(clips, found, strict=True):
        frames = np.stack([run(module.steps.frames, frame[None])[0] for frame in clip])
        np.testing.assert_allclose(run(module.over, frames[None])[0], vector, atol=1e-10)


class Counting(Encoder):
    takes = ("image",)

    def build(self, spec, pooled=True):
        return CountingModule()


class CountingModule(nn.Module):
    """Remembers how many frames it was called with."""

    def __init__(self):
        super().__init__()
        self.chunks = []

    def forward(self, frames):
        self.chunks.append(len(frames))
        return frames.flatten(1)[:, :3]


def test_only_real_frames_are_encoded_in_chunks_of_nearly_one_size(clips, build, run):
    module, _ = build(TimeDistributed(Counting(), RNN(4), chunk_size=4), clips)
    module.steps.frames.chunks.clear()
    run(module, *clips.pad())
    assert module.steps.frames.chunks == [3, 3, 3]  # 9 frames in 3 chunks, not 4 + 4 + 1


def test_a_clip_without_frames_is_a_row_of_zeros(clips, build, run):
    module, _ = build(TimeDistributed(CNN((3,)), RNN(4)), clips)
    none = Ragged.from_rows([np.zeros((0, 6, 6, 2))] * 2)
    assert run(module, *none.pad()).tolist() == [[0.0] * 4] * 2
    both = Ragged.from_rows([none[0], clips[0]])
    found = run(module, *both.pad())
    assert not found[0].any()
    np.testing.assert_allclose(found[1], run(module, *clips.pad())[0], atol=1e-12)


def test_steps_that_are_vectors(rng, build, run):
    steps = rng.normal(size=(2, 4, 3))
    module, _ = build(TimeDistributed(MLP(5), over=RNN(4)), steps, pooled=False)
    tokens, mask = run(module, steps)
    vectors = run(module.steps.frames, steps.reshape(8, 3)).reshape(2, 4, 5)
    assert mask is None
    np.testing.assert_allclose(tokens, run(module.over, vectors)[0], atol=1e-12)


def test_the_encoders_are_chosen_where_none_are_named(clips, rng, build):
    frames = build(TimeDistributed(), clips)[0]
    steps = build(TimeDistributed(), rng.normal(size=(2, 4, 3)))[0]
    reference = build(TimeDistributed(CNN(), over=RNN()), clips)[0]
    assert frames.state_dict().keys() == reference.state_dict().keys()
    assert any(isinstance(part, nn.Linear) for part in steps.steps.frames.modules())


def test_clips_in_an_estimator_with_parameters_of_the_parts():
    rng = np.random.default_rng(0)
    clips = {"clip": rng.integers(0, 256, (12, 3, 8, 8, 1), dtype=np.uint8)}
    model = FusionClassifier({"clip": TimeDistributed(CNN((2,)), RNN())}, max_epochs=1)
    model.set_params(clip__over__width=5, clip__encoder__channels=(3,))
    assert model.fit(clips, [0, 1, 1] * 4).transform(clips).shape == (12, 5)


class Tokens(Encoder):
    takes = ("image",)

    def build(self, spec, pooled=True):
        return TokensModule()


class TokensModule(nn.Module):
    def forward(self, frames):
        return frames.flatten(2), None


@pytest.mark.parametrize(
    ("encoder", "error", "message"),
    [
        (TimeDistributed("cnn"), ParameterError, "encoder must be a recipe such as MLP"),
        (TimeDistributed(over=torch.nn.GRU), ParameterError, "over must be a recipe"),
        (TimeDistributed(RNN()), BlockError, "'image', which RNN cannot take"),
        (TimeDistributed(chunk_size=0), ParameterError, "chunk_size must be an int >= 1"),
        (TimeDistributed(Tokens()), BlockError, "must return one vector a frame"),
    ],
)
def test_what_cannot_be_is_refused(encoder, error, message, build, clips):
    with pytest.raises(error, match=message):
        build(encoder, clips)


def test_centred_frames_show_what_moves_alone(build, run, rng):
    """Clips in which nothing moves are alike, whatever they show; the order of frames counts."""
    still = np.repeat(rng.normal(size=(6, 1, 8, 8, 1)), 4, axis=1)
    moving = rng.normal(size=(6, 4, 8, 8, 1))
    encoder = TimeDistributed(CNN((3,), width=5), Transformer(8, n_layers=1), center=True)
    module, _ = build(encoder, moving)
    np.testing.assert_allclose(run(module, still[:3]), run(module, still[3:]), atol=1e-10)
    backwards = run(module, moving[:, ::-1].copy())
    assert abs(run(module, moving) - backwards).max() > 1e-3
    alone = run(module, moving[:1])
    np.testing.assert_allclose(alone, run(module, moving)[:1], atol=1e-10)
