"""The recipe of the small GPT, made tiny: it learns, it measures bits right, and its command runs."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("tokenizers")

import dovetail as dv
from dovetail import datasets
from dovetail.errors import ValueRangeError
from dovetail.nn import functional as F
from dovetail_text.models import GPT, GPTConfig
from dovetail_text.recipes import pydoc_gpt
from dovetail_text.recipes.language import Settings, bits_per_character, optimizers, train

TEXT = "The statement is a statement that is a statement of the statement. " * 40


def test_it_learns_and_the_seed_decides():
    encode, _ = pydoc_gpt.learn_tokens(TEXT, 257)
    tokens, bits, losses = encode(TEXT), [], []
    for _ in range(2):
        dv.manual_seed(0)
        model = pydoc_gpt.small_gpt(257, block_size=16, n_layer=1, n_head=2, n_embd=16)
        before = bits_per_character(model, tokens, len(tokens) - 1)
        progress = train(model, tokens, Settings(seconds=1e9, steps=30, batch_size=8, lr=1e-2))
        losses.append(progress.loss)
        bits.append(bits_per_character(model, tokens, len(tokens) - 1))
    assert progress.step == 30 and progress.done == 1 and losses[0] == losses[1] and bits[0] == bits[1]
    assert before == pytest.approx(8, rel=0.05) and bits[0] < 4


def test_the_clock_ends_it():
    dv.manual_seed(0)
    model = pydoc_gpt.small_gpt(9, block_size=4, n_layer=1, n_head=1, n_embd=4)
    seen = []
    progress = train(model, np.arange(40) % 9, Settings(seconds=0.2, batch_size=2), lambda p: seen.append(p.done))
    assert 0.2 <= progress.seconds < 2 and len(seen) == progress.step and seen == sorted(seen)


@pytest.mark.parametrize("length", [3, 8, 9, 10, 13, 17, 41, 42, 43, 44])
def test_every_token_is_paid_for_once(length):
    model = GPT(GPTConfig(20, 8, 1, 2, 8, initializer_range=0.5)).eval()
    tokens = np.random.default_rng(length).integers(0, 20, length)

    def costs(window):
        logs = F.log_softmax(model(dv.from_numpy(window[None, :-1])).logits, -1)[0].detach().numpy()
        return -logs[np.arange(len(window) - 1), window[1:]]

    done = min(8, length - 1)
    nats = costs(tokens[: done + 1]).sum()
    while done < length - 1:
        new = min(4, length - 1 - done)
        nats += costs(tokens[done + new - 8 : done + new + 1])[-new:].sum()
        done += new
    assert bits_per_character(model, tokens, 7) == pytest.approx(nats / math.log(2) / 7, rel=1e-5)


def test_every_parameter_has_one_optimizer():
    model = pydoc_gpt.small_gpt(30, block_size=8, n_layer=2, n_head=2, n_embd=8)
    given = [id(p) for optimizer in optimizers(model, Settings()) for group in optimizer.param_groups for p in group["params"]]
    assert sorted(given) == sorted(id(p) for p in model.parameters())


def test_the_command(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(datasets, "load", lambda key, split: SimpleNamespace(text=TEXT if split == "train" else TEXT[:700]))
    monkeypatch.setattr(pydoc_gpt, "small_gpt", _tiny)
    assert pydoc_gpt.main(["--steps", "3", "--length", "20", "--save", str(tmp_path / "gpt.safetensors")]) == 0
    out = capsys.readouterr().out
    assert "2,680 characters to learn, 700 held out" in out and "3 steps of 16 × 16 tokens" in out
    assert "held-out text: " in out and 'The "' in out
    assert isinstance(dv.load(tmp_path / "gpt.safetensors"), GPT)


def test_a_sample_does_not_go_round():
    """A model that has learned one line says it for ever; the stretch that comes once ends that."""
    encode, decode = pydoc_gpt.learn_tokens(TEXT, 257)
    dv.manual_seed(0)
    model = pydoc_gpt.small_gpt(257, block_size=16, n_layer=1, n_head=2, n_embd=16)
    train(model, np.tile(encode("-" * 8), 20), Settings(seconds=1e9, steps=20, batch_size=8, lr=1e-2))
    kept, free = (pydoc_gpt.sample(model, encode, decode, "-", 60, once=once) for once in (8, 61))
    assert "-" * 40 in free and "-" * 10 not in kept


def _tiny(number):
    sizes = {"vocab_size": number, "block_size": 16, "n_layer": 1, "n_head": 1, "n_embd": 8}
    return dv.models.create("text/gpt", **sizes)


def test_a_text_that_is_too_short():
    with pytest.raises(ValueRangeError, match=r"train: the text has 5 tokens; expected more than block_size \+ 1 = 9"):
        train(GPT(GPTConfig(20, 8, 1, 2, 8)), np.arange(5), Settings())
