"""generate: with and without the cache, several prompts, ends, drawing, and its errors."""

from __future__ import annotations

import gc
import tracemalloc

import numpy as np
import pytest

import dovetail as dv
from dovetail.errors import ShapeError, TypeMismatch, UnsupportedError, ValueRangeError
from dovetail_text.generation import TextStreamer, choose, generate
from dovetail_text.models import GPT, GPTConfig, LlamaConfig, LlamaForCausalLM
from tests.support.figures import note


def _model(seed=0, **config):
    dv.manual_seed(seed)
    return GPT(
        GPTConfig(**{"vocab_size": 30, "block_size": 16, "n_layer": 3, "n_head": 2, "n_embd": 16, "initializer_range": 0.4, **config})
    ).eval()


def _small_llama():
    dv.manual_seed(0)
    return LlamaForCausalLM(LlamaConfig(30, 16, 32, 2, 2, 1, initializer_range=0.4, eos_token_id=None)).eval()


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


def test_beams_find_likelier_texts_than_greed():
    def odds(text):
        logits = MODEL(text[None]).logits[0, 2:-1].log_softmax(-1)
        return logits.gather(1, text[3:, None]).sum().item()

    greedy, beams = generate(MODEL, [1, 2, 3], 6), generate(MODEL, [1, 2, 3], 6, num_beams=20)
    assert odds(beams) >= odds(greedy)
    many = generate(MODEL, [1, 2, 3], 6, num_beams=8, num_return_sequences=8)
    scores = [odds(text) for text in many]
    assert scores == sorted(scores, reverse=True) and len({tuple(text.tolist()) for text in many}) == 8


def test_all_beams_are_looked_at():
    """With more beams than there are texts of two tokens, the best is the best of all."""
    model = _model(3, vocab_size=5)
    every = dv.tensor([[1, a, b] for a in range(5) for b in range(5)])
    logits = model(every).logits.log_softmax(-1)
    odds = logits[:, 0].gather(1, every[:, 1:2]) + logits[:, 1].gather(1, every[:, 2:3])
    assert generate(model, [1], 2, num_beams=10).tolist() == every[int(odds.argmax())].tolist()


def test_a_penalty_for_what_was_said():
    found = generate(MODEL, [1, 2], 12, repetition_penalty=1e6).tolist()
    assert len(set(found)) == len(found)


def test_it_stops_at_a_string_of_the_new_text():
    words = [chr(ord("a") + i % 26) for i in range(30)]

    class Letters:
        def decode(self, ids):
            return "".join(words[i] for i in ids)

    whole = generate(MODEL, [1, 2, 3], 12)
    text = Letters().decode(whole[3:].tolist())
    stop = text[4:6]
    found = generate(MODEL, [1, 2, 3], 12, stop_strings=stop, tokenizer=Letters())
    assert Letters().decode(found[3:].tolist()) == text[: text.index(stop) + 2]
    both = generate(MODEL, [[1, 2, 3], [5, 6, 7]], 12, stop_strings=[stop], tokenizer=Letters(), pad=0)
    assert both[0].tolist()[: found.shape[0]] == found.tolist() and set(both[0].tolist()[found.shape[0] :]) <= {0}


def test_the_configuration_says_where_texts_end():
    whole = generate(MODEL, [1, 2, 3], 9)
    model = _model(eos_token_id=int(whole[5]), pad_token_id=4)
    cut = whole[: whole[3:].tolist().index(int(whole[5])) + 4].tolist()
    assert generate(model, [1, 2, 3], 9).tolist() == cut
    assert generate(model, [1, 2, 3], 9, eos=()).tolist() == generate(model, [1, 2, 3], 9, eos_token_id=[]).tolist() == whole.tolist()


def test_text_is_written_while_it_grows():
    class Bytes:
        def decode(self, ids):
            return bytes(ids).decode("utf-8", "replace")

    pieces = []
    streamer = TextStreamer(Bytes(), pieces.append)
    for byte in "aé🙂b 中\n.".encode() + b"\xc3":
        streamer(dv.tensor([byte]))
    assert pieces == ["a", "é", "🙂b ", "中", "\n"]
    streamer.end()
    assert pieces[-1] == ".\ufffd" and streamer.text == "aé🙂b 中\n.\ufffd"
    with pytest.raises(ValueError, match="TextStreamer: there are 2 texts; expected one"):
        streamer(dv.tensor([1, 2]))


@pytest.mark.parametrize("make", [lambda: _model(block_size=1100), _small_llama])
@pytest.mark.parametrize("new", [100, pytest.param(1000, marks=pytest.mark.soak)])
def test_memory_stays_flat(make, new):
    """The room is made once: while tokens are added, what is allocated does not grow with them."""
    model, seen, step = make(), [], iter(range(new))

    def watch(token):
        if next(step) in (new // 4, new - 1):
            gc.collect()
            seen.append(tracemalloc.get_traced_memory()[0])

    tracemalloc.start()
    try:
        generate(model, [1, 2, 3], new, streamer=watch, eos=())
    finally:
        tracemalloc.stop()
    growth = seen[1] - seen[0]
    note("R14", f"bytes more after {new} tokens", growth, "0 a token")
    # Keys and values would take 128 a token, or 256; what else the process keeps meanwhile has come to 900 bytes in all.
    assert growth < 2 * (new - new // 4) + 2048, growth


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: generate(MODEL, [1], -1), ValueRangeError, "generate: max_new_tokens is -1; expected 0 or more"),
        (lambda: generate(MODEL, max_new_tokens=1), ValueRangeError, "`bos_token_id` has to be defined when no `input_ids` are provided"),
        (lambda: generate(MODEL, [1], 2, input_ids=[1]), TypeError, "generate: 2 of ids, input_ids and inputs are given"),
        (lambda: generate(MODEL, [1, 2], max_length=2), ValueRangeError, "generate: max_length is 2 and the prompt has 2 tokens; expected"),
        (
            lambda: generate(MODEL, [1], 2, 0.0, do_sample=True),
            ValueRangeError,
            "temperature is 0.0; expected more than 0; leave do_sample False",
        ),
        (lambda: generate(MODEL, [1], 2, top_k=-1, do_sample=True), ValueRangeError, "top_k is -1; expected 1 or more, or None for all"),
        (lambda: generate(MODEL, [1], 2, top_p=1.5, do_sample=True), ValueRangeError, "top_p is 1.5; expected 0 < top_p <= 1"),
        (lambda: generate(MODEL, [1], 2, repetition_penalty=0.0), ValueRangeError, "repetition_penalty is 0.0; expected more than 0"),
        (lambda: generate(MODEL, [1], 2, num_beams=0), ValueRangeError, "num_beams is 0 and num_return_sequences is 1; expected"),
        (lambda: generate(MODEL, [1], 2, num_beams=2, streamer=print), UnsupportedError, "num_beams is 2 with a streamer"),
        (lambda: generate(MODEL, [1], 2, num_return_sequences=2), ValueRangeError, "num_return_sequences is 2, num_beams 1; expected"),
        (lambda: generate(MODEL, [1], 2, num_beams=2, early_stopping="soon"), ValueRangeError, "early_stopping is 'soon'; expected"),
        (lambda: generate(MODEL, [1], 2, stop_strings="."), ValueRangeError, "stop_strings are given and tokenizer is NoneType"),
        (lambda: generate(MODEL, [1], 2, stop_strings=[""], tokenizer=1), TypeMismatch, "expected strings that are not empty"),
        (lambda: generate(MODEL, "text", 2), TypeMismatch, "ids is str; expected a tensor or lists of tokens; encode the text first"),
        (lambda: generate(MODEL, [[1], []], 2), ShapeError, "a prompt is empty; expected at least one token"),
        (lambda: generate(MODEL, dv.zeros(1, 0, dtype=dv.int64), 2), ShapeError, r"ids is \(1, 0\); expected \(N, L\) with at least one"),
        (lambda: generate(MODEL, dv.tensor([[1, 0]]), 2, attention_mask=dv.tensor([[1, 0]])), ShapeError, "with the padding on the left"),
    ],
)
def test_errors(call, error, text):
    with pytest.raises(error, match=text):
        call()
