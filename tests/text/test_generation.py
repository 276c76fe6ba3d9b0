"""generate: with and without the cache, several prompts, ends, drawing, and its errors."""

from __future__ import annotations

import numpy as np
import pytest

import dovetail as dv
from dovetail.errors import ShapeError, TypeMismatch, ValueRangeError
from dovetail_text.generation import choose, generate
from dovetail_text.models import GPT, GPTConfig


def _model(seed=0, **config):
    dv.manual_seed(seed)
    return GPT(
        GPTConfig(**{"vocab_size": 30, "block_size": 16, "n_layer": 3, "n_head": 2, "n_embd": 16, "initializer_range": 0.4, **config})
    ).eval()


MODEL = _model()
PROMPTS = [[1, 2, 3, 4, 5], [6], [7, 8, 9]]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("new", [0, 1, 11, 25])
def test_the_cache_changes_nothing(seed, new):
    model = _model(seed)
    for prompts in (PROMPTS, [[3, 1, 4]], dv.tensor([[1, 2], [3, 4]])):
        with_cache, without = (generate(model, prompts, new, use_cache=use) for use in (True, False))
        np.testing.assert_array_equal(with_cache.numpy(), without.numpy())


def test_several_prompts_are_each_as_alone():
    together = generate(MODEL, PROMPTS, 9)
    for row, prompt in zip(together, PROMPTS, strict=True):
        np.testing.assert_array_equal(row.numpy()[5 - len(prompt) :], generate(MODEL, prompt, 9).numpy())


def test_greedy_is_the_likeliest_each_time():
    ids = [1, 2]
    for _ in range(5):
        ids.append(MODEL(dv.tensor([ids])).logits[0, -1].argmax().item())
    assert generate(MODEL, [1, 2], 5).tolist() == ids


def test_the_cache_computes_each_token_once():
    seen = []
    handle = MODEL.transformer.wte.register_forward_hook(lambda module, args, out: seen.append(args[0].shape[1]))
    generate(MODEL, [1, 2, 3], 4)
    handle.remove()
    assert seen == [3, 1, 1, 1]


def test_it_ends_where_the_text_ends():
    whole = generate(MODEL, PROMPTS, 9)
    end = int(whole[0, 7])
    cut = generate(MODEL, PROMPTS, 9, eos=end, pad=29)
    for row, free in zip(cut[:, 5:].tolist(), whole[:, 5:].tolist(), strict=True):
        at = free.index(end) if end in free else len(free)
        assert row[: at + 1] == free[: len(row)][: at + 1] and set(row[at + 1 :]) <= {29}
    assert generate(MODEL, PROMPTS[0], 9, eos=[end]).tolist() == whole[0, : 6 + whole[0, 5:].tolist().index(end)].tolist()


def test_the_generator_decides():
    def draw(seed):
        return generate(MODEL, PROMPTS, 9, do_sample=True, top_k=9, generator=dv.Generator().manual_seed(seed)).tolist()

    assert draw(1) == draw(1) != draw(2)


def test_top_k_and_top_p_keep_the_likeliest():
    scores = dv.tensor([[1.0, 3.0, 2.0, 0.0]]).expand(400, 4)
    dv.manual_seed(0)
    assert set(choose(scores, top_k=2).tolist()) == {1, 2}
    assert set(choose(scores, top_p=0.6).tolist()) == {1}  # 64 % of the probability
    assert set(choose(scores, top_p=0.7).tolist()) == {1, 2}
    assert set(choose(scores, temperature=0.01).tolist()) == {1}
    assert set(choose(scores).tolist()) == {0, 1, 2, 3}


def test_the_streamer_sees_every_token():
    seen = []
    out = generate(MODEL, PROMPTS, 6, streamer=lambda token: seen.append(token.tolist()))
    assert np.array_equal(np.array(seen).T, out.numpy()[:, 5:])


def test_a_mask_may_come_with_the_tensor():
    ids, mask = dv.tensor([[0, 0, 6]]), dv.tensor([[0, 0, 1]])
    assert generate(MODEL, ids, 5, attention_mask=mask)[0, 2:].tolist() == generate(MODEL, [6], 5).tolist()


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: generate(MODEL, [1], -1), ValueRangeError, "generate: max_new_tokens is -1; expected 0 or more"),
        (lambda: generate(MODEL, [1], 2, 0.0), ValueRangeError, "temperature is 0.0; expected more than 0; leave do_sample False"),
        (lambda: generate(MODEL, [1], 2, top_k=0), ValueRangeError, "top_k is 0; expected 1 or more, or None for all"),
        (lambda: generate(MODEL, [1], 2, top_p=1.5), ValueRangeError, "top_p is 1.5; expected 0 < top_p <= 1"),
        (lambda: generate(MODEL, "text", 2), TypeMismatch, "ids is str; expected a tensor or lists of tokens; encode the text first"),
        (lambda: generate(MODEL, [[1], []], 2), ShapeError, "a prompt is empty; expected at least one token"),
        (lambda: generate(MODEL, dv.zeros(1, 0, dtype=dv.int64), 2), ShapeError, r"ids is \(1, 0\); expected \(N, L\) with at least one"),
        (lambda: generate(MODEL, dv.tensor([[1, 0]]), 2, attention_mask=dv.tensor([[1, 0]])), ShapeError, "with the padding on the left"),
    ],
)
def test_errors(call, error, text):
    with pytest.raises(error, match=text):
        call()
