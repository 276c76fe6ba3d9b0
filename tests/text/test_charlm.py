"""Language models of characters: sizes, the state of the LSTM, and the recipe of the GPT."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("tokenizers")

import dovetail as dv
from dovetail import datasets, models
from dovetail.errors import ShapeError, ValueRangeError
from dovetail_text.charlm import CHARACTERS, char_tokenizer, lstm_lm
from dovetail_text.recipes import char_gpt as recipe
from dovetail_text.recipes.language import bits_per_character
from tests.support.figures import note


def test_the_characters_are_those_of_pydoc():
    assert len(set(CHARACTERS)) == 105 and set(datasets.load("text/pydoc").text) <= set(CHARACTERS)
    tokenizer = char_tokenizer()
    assert tokenizer.decode(tokenizer.encode(CHARACTERS).ids) == CHARACTERS
    with pytest.raises(LookupError, match="'日'"):
        tokenizer.encode("日")


def test_sizes_are_those_of_the_manifest():
    for key in ("text/char_gpt", "text/lstm_lm"):
        assert sum(p.numel() for p in models.create(key).parameters()) == models.get(key).params


def test_the_state_goes_on():
    dv.manual_seed(0)
    model, ids = lstm_lm(20, embedding_dim=8, hidden_size=8).eval(), dv.randint(20, (3, 7))
    whole = model(ids, labels=ids)
    assert list(whole) == ["loss", "logits"] and whole.loss.item() == pytest.approx(math.log(20), rel=0.1)
    first = model(ids[:, :4], return_state=True)
    second = model(ids[:, 4:], first.state)
    np.testing.assert_allclose(dv.cat([first.logits, second.logits], 1).detach(), whole.logits.detach(), atol=1e-6)
    assert second.state[0].shape == (2, 3, 8) and model.decoder.weight is model.embedding.weight
    with pytest.raises(ShapeError, match=r"input_ids is \(7,\); expected \(N, L\)"):
        model(ids[0])
    with pytest.raises(ValueRangeError, match="or pass tie_weights=False"):
        lstm_lm(20, embedding_dim=4)


def test_the_lstm_learns():
    dv.manual_seed(0)
    model, ids = lstm_lm(20, embedding_dim=16, hidden_size=16, num_layers=1), (dv.arange(48) % 6).reshape(4, 12)
    optimizer = dv.optim.Adam(model.parameters(), lr=0.05)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = model(ids, labels=ids).loss
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] > 2.5 and losses[-1] < 0.3


def test_the_recipe_runs_and_its_file_is_read(tmp_path, capsys):
    file = tmp_path / "own.safetensors"
    small = recipe.char_gpt
    recipe.char_gpt = lambda: small(n_layer=1, n_head=1, n_embd=8, block_size=32)
    try:
        assert recipe.main(["--steps", "3", "--minutes", "9", "--length", "5", "--save", str(file)]) == 0
    finally:
        recipe.char_gpt = small
    said = capsys.readouterr().out
    assert "3 steps of 8 × 32 characters" in said and "bits per character" in said
    assert {t.dtype for t in dv.load(file).values()} == {dv.float16}
    model = models.create("text/char_gpt", n_layer=1, n_head=1, n_embd=8, block_size=32)
    model.load_pretrained(dv.load(file))
    assert {p.dtype for p in model.parameters()} == {dv.float32}


def _bits(count):
    text = datasets.load("text/pydoc", split="valid").text[:count]
    return bits_per_character(models.create("text/char_gpt", weights="pydoc"), np.array(char_tokenizer().encode(text).ids), len(text) - 1)


def test_the_weights_that_ship_know_the_manual():
    assert 1 < _bits(3000) < 2.4
    model = models.create("text/char_gpt", weights="DEFAULT")
    assert not model.training
    text = model.tokenizer.decode(model.generate(model.tokenizer.encode('The "__init_').ids, 3).tolist())
    assert text == 'The "__init__()'


@pytest.mark.soak
def test_their_score_is_that_of_the_manifest():
    bits = _bits(None)
    note("text/char_gpt", "bits per character of held-out text", bits, "2.198")
    assert bits == pytest.approx(dv.weights.get("text/char_gpt@pydoc").fields["metrics"]["bits_per_character"], abs=2e-3)


@pytest.mark.soak
def test_a_tenth_of_the_recipe(capsys):
    assert recipe.main(["--steps", "120", "--minutes", "60", "--length", "10"]) == 0
    bits = float(capsys.readouterr().out.split("held-out text: ")[1].split(" ")[0])
    note("text/char_gpt", "bits per character after 120 of 1,200 batches", bits, "3.8")
    assert bits < 3.8
