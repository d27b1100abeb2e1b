"""Beam search and draws against what they mean, on writers whose scores are known."""

import itertools

import numpy as np
import pytest
import torch

from skfusion.decoding import Decoding
from skfusion.decoding._rules import Allowed, Prefix, rules_of
from skfusion.decoding._write import write
from skfusion.encoders import Tokens
from skfusion.exceptions import ParameterError
from skfusion.heads import GRUDecoder, TransformerDecoder
from skfusion.targets import OutputSpec

N_TOKENS, WIDTH, N_ROWS = 6, 8, 5  # begin, end, unknown and three pieces of text
END = 1
KEYS = np.array([7, -3, 2**62, 0, 11])


@pytest.fixture(params=["gru", "transformer"])
def writer(request):
    torch.manual_seed(0)
    kind = {"gru": GRUDecoder, "transformer": TransformerDecoder}[request.param]
    module = kind(width=8, n_heads=2).build(WIDTH, OutputSpec("tokens", (None,), N_TOKENS))
    for weights in module.parameters():  # so that tokens differ much in probability
        torch.nn.init.normal_(weights, std=0.9)
    return module.eval()


@pytest.fixture
def fused():
    generator = torch.Generator().manual_seed(1)
    values = torch.randn(N_ROWS, 4, WIDTH, generator=generator)
    mask = torch.arange(4) < torch.tensor([4, 2, 3, 1, 0])[:, None]
    return Tokens(values, mask)


def plan(n_best=1, longest=4, **params):
    return Decoding(**params).plan(longest, n_best, seed=3)


def written(writer, fused, plan, rules=(), keys=KEYS):
    rows = torch.arange(len(fused[0]))
    with torch.inference_mode():
        return write([writer], [fused], plan, [*rules_of(plan), *rules], rows, keys[: len(rows)])


def taught(writer, fused, row, ids, ended=True):
    """Return the log-probability of a text by teacher forcing."""
    one = Tokens(fused.values[[row]], fused.mask[[row]])
    codes = torch.tensor([[*ids, END]])
    with torch.inference_mode():
        logs = writer(one, codes).log_softmax(2)[0]
    of_tokens = logs[torch.arange(len(codes[0])), codes[0]]
    return float(of_tokens.sum() if ended else of_tokens[:-1].sum())


def test_log_probabilities_are_those_of_teacher_forcing(writer, fused):
    for row, texts in enumerate(written(writer, fused, plan(4, max_new_tokens=5))):
        assert len(texts) == 4
        for text in texts:
            ended = len(text.ids) < 5
            expected = taught(writer, fused, row, text.ids, ended)
            assert text.log_probability == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("penalty", [0.0, 1.0, 2.0])
def test_as_many_beams_as_there_are_texts_find_the_best_of_all(writer, fused, penalty):
    most = 3
    settings = {"num_beams": N_TOKENS**most, "length_penalty": penalty, "max_new_tokens": most}
    found = written(writer, fused, plan(3, **settings))
    for row in range(N_ROWS):
        ranked = sorted(all_texts(writer, fused, row, most, penalty), reverse=True)[:3]
        assert [text.ids for text in found[row]] == [ids for _, ids in ranked]
        np.testing.assert_allclose(
            [text.rank for text in found[row]], [rank for rank, _ in ranked], atol=1e-5
        )


def all_texts(writer, fused, row, most, penalty):
    """Yield every text that can be written, cut off behind ``most`` tokens."""
    for length in range(most + 1):
        for ids in itertools.product(range(3, N_TOKENS), repeat=length):
            ended = length < most
            log = taught(writer, fused, row, ids, ended)
            yield log / (length + ended) ** penalty, ids


def test_one_beam_takes_the_likeliest_token_each_time(writer, fused):
    found = written(writer, fused, plan(num_beams=1, max_new_tokens=6))
    for row, (text,) in enumerate(found):
        ids = []
        for _ in range(6):
            one = Tokens(fused.values[[row]], fused.mask[[row]])
            with torch.inference_mode():
                scores = writer(one, torch.tensor([[*ids, 3]]))[0, -1].numpy().copy()
            scores[[0, 2]] = -np.inf
            if scores.argmax() == END:
                break
            ids.append(int(scores.argmax()))
        assert list(text.ids) == ids


@pytest.mark.parametrize("settings", [{}, {"num_beams": 1}, {"do_sample": True}])
def test_a_row_alone_is_written_about_as_in_its_batch(writer, fused, settings):
    together = written(writer, fused, plan(2, max_new_tokens=8, **settings))
    for row in range(N_ROWS):
        one = Tokens(fused.values[[row]], fused.mask[[row]])
        (alone,) = written(writer, one, plan(2, max_new_tokens=8, **settings), keys=KEYS[[row]])
        assert [text.ids for text in alone] == [text.ids for text in together[row]]


def test_what_is_kept_of_the_past_changes_nothing(writer, fused):
    """The scores step by step, with beams that change places, are those of whole texts."""
    codes = torch.tensor([[3, 4, 5, 3], [5, 5, 3, 4], [4, 3, 4, 5], [3, 3, 3, 3], [5, 4, 3, 4]])
    with torch.inference_mode():
        whole = writer(fused, codes)
        state, ids = writer.begin(fused), torch.zeros(N_ROWS, 1, dtype=torch.int64)
        for place in range(codes.shape[1]):
            scores, state = writer.step(ids, state)
            torch.testing.assert_close(
                scores, whole[:, [place]].expand_as(scores), atol=1e-5, rtol=0
            )
            n_beams = place % 3 + 1
            beams = torch.zeros(N_ROWS, n_beams, dtype=torch.int64)
            state, ids = state.select(None, beams), codes[:, [place]].expand(-1, n_beams)


def test_a_state_keeps_the_rows_that_are_selected(writer, fused):
    rows, ids = torch.tensor([3, 0]), torch.full((N_ROWS, 1), 4)
    with torch.inference_mode():
        _, state = writer.step(torch.zeros_like(ids), writer.begin(fused))
        expected, _ = writer.step(ids, state)
        found, _ = writer.step(ids[rows], state.select(rows, None))
    torch.testing.assert_close(found, expected[rows], atol=1e-5, rtol=0)


def test_several_writers_write_what_their_mean_finds_likely(writer, fused):
    torch.manual_seed(5)
    other = GRUDecoder(width=8, n_heads=2).build(WIDTH, OutputSpec("tokens", (None,), N_TOKENS))
    rows = torch.arange(N_ROWS)
    with torch.inference_mode():
        found = write([writer, other.eval()], [fused] * 2, plan(), rules_of(plan()), rows, KEYS)
        for row, (text,) in enumerate(found):
            one = Tokens(fused.values[[row]], fused.mask[[row]])
            codes = torch.tensor([[*text.ids, END]])
            each = torch.stack([one_of(one, codes).softmax(2) for one_of in (writer, other)])
            logs = each.mean(0).log()[0]
            ended = len(text.ids) < plan().most
            n = len(text.ids) + ended
            expected = logs[torch.arange(n), codes[0, :n]].sum()
            assert text.log_probability == pytest.approx(float(expected), abs=1e-5)


# What may be written


def test_only_allowed_texts_come_out(writer, fused):
    texts = [(3, 3, 4), (3, 5), (), (4, 4, 4)]
    for settings in ({}, {"num_beams": 1}, {"do_sample": True, "temperature": 3.0}):
        found = written(writer, fused, plan(2, max_new_tokens=5, **settings), [Allowed(texts)])
        assert all(text.ids in texts for row in found for text in row)
    everything = written(writer, fused, plan(4, max_new_tokens=5), [Allowed(texts)])
    assert all({text.ids for text in row} == set(texts) for row in everything)


def test_texts_begin_with_their_prefix(writer, fused):
    prefixes = [[3, 4], [], [5], [4, 4, 4], [3]]
    found = written(
        writer, fused, plan(2, max_new_tokens=6), [Prefix(prefixes, torch.device("cpu"))]
    )
    for prefix, texts in zip(prefixes, found, strict=True):
        assert texts and all(list(text.ids[: len(prefix)]) == prefix for text in texts)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_no_run_of_tokens_occurs_twice(writer, fused, size):
    for settings in ({}, {"do_sample": True, "temperature": 5.0}):
        settings = {"no_repeat_ngram_size": size, "max_new_tokens": 20, **settings}
        for (text,) in written(writer, fused, plan(**settings)):
            runs = [text.ids[i : i + size] for i in range(len(text.ids) - size + 1)]
            assert len(set(runs)) == len(runs)


def test_what_was_written_is_repeated_less(writer, fused):
    with torch.no_grad():
        writer.table.bias[END] = -30.0  # so that texts go on

    def repeated(penalty):
        settings = {"num_beams": 1, "repetition_penalty": penalty, "max_new_tokens": 20}
        found = written(writer, fused, plan(**settings))
        return sum(len(text.ids) - len(set(text.ids)) for (text,) in found)

    assert repeated(8.0) < repeated(1.0)


def test_the_penalty_breaks_a_loop_of_which_the_network_is_sure(writer, fused):
    with torch.no_grad():
        writer.table.bias[3:5] = torch.tensor([200.0, 40.0])
    settings = {"num_beams": 1, "max_new_tokens": 6}
    for (text,) in written(writer, fused, plan(**settings)):
        assert text.ids == (3,) * 6
    for (text,) in written(writer, fused, plan(repetition_penalty=100.0, **settings)):
        assert text.ids[:2] == (3, 4)


# Draws


def test_draws_follow_from_the_seed(writer, fused):
    draws = Decoding(do_sample=True, max_new_tokens=12)
    one, again, other = (written(writer, fused, draws.plan(4, 3, seed)) for seed in (1, 1, 2))
    assert one == again != other


def test_draws_have_the_probabilities_of_the_network(writer, fused):
    draws = written(writer, fused, plan(4000, do_sample=True, max_new_tokens=1))
    for row, texts in enumerate(draws):
        ids = np.array([text.ids[0] if text.ids else END for text in texts])
        logs = [taught(writer, fused, row, (token,), ended=False) for token in range(N_TOKENS)]
        expected = np.exp(logs) * ~np.isin(np.arange(N_TOKENS), [0, 2])
        found = np.bincount(ids, minlength=N_TOKENS) / len(ids)
        np.testing.assert_allclose(found, expected / expected.sum(), atol=0.04)


def test_rows_that_hold_the_same_draw_the_same_and_others_on_their_own(writer, fused):
    draws = plan(50, do_sample=True, temperature=30.0, max_new_tokens=3)
    alike = Tokens(*(part[[0, 0, 0]] for part in fused))
    one, same, other = written(writer, alike, draws, keys=np.array([5, 5, 6]))
    assert one == same != other
    both = zip([text.ids for text in one], [text.ids for text in other], strict=True)
    assert np.mean([ids == others for ids, others in both]) < 0.5


def test_unlikely_tokens_are_not_drawn(writer, fused):
    greedy = written(writer, fused, plan(num_beams=1, max_new_tokens=6))
    for settings in ({"top_k": 1}, {"top_p": 1e-9}, {"temperature": 1e-4}):
        found = written(writer, fused, plan(do_sample=True, max_new_tokens=6, **settings))
        assert [row[0].ids for row in found] == [row[0].ids for row in greedy]


# The recipe


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"num_beams": 0}, "num_beams must be an int >= 1. Got 0"),
        ({"num_beams": 4, "temperature": 0.7}, "temperature=0.7 only counts where tokens are dra"),
        ({"top_k": 5}, "top_k=5 only counts"),
        ({"top_p": 0.5}, "top_p=0.5 only counts"),
        ({"num_beams": 4, "do_sample": True}, "num_beams=4 and do_sample=True contradict"),
        ({"do_sample": True, "temperature": 0}, "temperature must be a number > 0"),
        ({"do_sample": True, "top_p": 1.5}, "top_p must be a number between 0 and 1"),
        ({"max_new_tokens": 0}, "max_new_tokens must be an int >= 1"),
        ({"no_repeat_ngram_size": -1}, "no_repeat_ngram_size must be an int >= 0"),
        ({"repetition_penalty": 0}, "repetition_penalty must be a number > 0"),
        ({"do_sample": "yes"}, "do_sample must be one of True, False"),
    ],
)
def test_contradictions_are_refused(params, message):
    with pytest.raises(ParameterError, match=message):
        plan(**params)


@pytest.mark.parametrize(("longest", "most"), [(0, 1), (1, 2), (3, 4), (8, 10), (40, 50)])
def test_there_is_room_for_the_end_of_the_longest_text(longest, most):
    assert plan(longest=longest).most == most
