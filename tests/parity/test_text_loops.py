"""Loops of strangers around models of transformers, run beside ours: training without dropout, caches of their own, text in pieces."""

from __future__ import annotations

import copy
from functools import partial
from threading import Thread

import numpy as np
import pytest

import dovetail as dv
from dovetail_text import generation, models, tokenizers
from tests.parity.text_pairs import close, pair, same_gradients, torch, transformers

pytestmark = pytest.mark.parity

ENCODER = dict(vocab_size=40, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=20, max_position_embeddings=24)
FIELDS = {
    "BertForSequenceClassification": ("BertConfig", ENCODER),
    "RobertaForMaskedLM": ("RobertaConfig", {**ENCODER, "pad_token_id": 1}),
    "DistilBertForSequenceClassification": (
        "DistilBertConfig", dict(vocab_size=40, dim=16, n_layers=2, n_heads=2, hidden_dim=20, max_position_embeddings=24),
    ),
    "GPT2LMHeadModel": ("GPT2Config", dict(vocab_size=40, n_positions=24, n_embd=16, n_layer=2, n_head=2, initializer_range=0.3)),
    "LlamaForCausalLM": ("LlamaConfig", dict(
        vocab_size=40, hidden_size=16, intermediate_size=20, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        max_position_embeddings=24, initializer_range=0.3,
    )),
    "T5ForConditionalGeneration": ("T5Config", dict(
        vocab_size=40, d_model=16, d_kv=8, d_ff=20, num_layers=2, num_heads=2, decoder_start_token_id=0,
    )),
}  # fmt: skip
DECODERS = ("GPT2LMHeadModel", "LlamaForCausalLM")
IDS = [[5, 6, 7, 8, 9, 3], [9, 3, 2, 4, 5, 6]]


def _two(tmp_path, name):
    config, fields = FIELDS[name]
    return zip(pair(tmp_path, name, config, **fields), (dv, torch), strict=True)


@pytest.mark.parametrize("name", FIELDS)
def test_layers_of_dropout_are_where_programs_look_for_them(name, tmp_path):
    """The dropout of attention was a number, so that a program that switched all dropout off still had it."""
    found = [
        sorted((path, layer.p) for path, layer in model.named_modules() if isinstance(layer, kind.nn.Dropout))
        for model, kind in _two(tmp_path, name)
    ]
    assert found[0] == found[1]
    assert found[0] or name == "LlamaForCausalLM"


@pytest.mark.parametrize("name", [name for name in FIELDS if "T5" not in name])
def test_training_in_float64_with_all_dropout_off_step_by_step(name, tmp_path):
    losses, two = [], list(_two(tmp_path, name))
    for model, kind in two:
        model.double().train()
        for layer in model.modules():
            if isinstance(layer, kind.nn.Dropout):
                layer.p = 0.0
        ids = kind.tensor(IDS)
        labels = kind.tensor([0, 1]) if "Classification" in name else ids
        optimizer, seen = kind.optim.SGD(model.parameters(), lr=0.05, momentum=0.9), []
        for _ in range(6):
            optimizer.zero_grad()
            loss = model(input_ids=ids, labels=labels).loss
            loss.backward()
            kind.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            seen.append(loss.item())
        losses.append(seen)
    # transformers' decoders compute the loss, and Llama its norms, in float32, whatever the model is in
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5 if name in DECODERS else 1e-10)
    same_gradients(two[0][0], two[1][0], atol=1e-5 if name in DECODERS else 1e-10)


@pytest.mark.parametrize("name", DECODERS)
def test_the_cache_of_a_call_that_asked_for_none(name, tmp_path):
    """``past_key_values`` was None then, and a loop that passed it on went on from the last token alone."""
    said, two = [], list(_two(tmp_path, name))
    for model, kind in two:
        tokens, past, scores = kind.tensor(IDS), None, []
        with kind.no_grad():
            for _ in range(9):
                out = model(tokens, past_key_values=past)
                past, tokens = out.past_key_values, out.logits[:, -1:].argmax(-1)
                scores.append(out.logits[:, -1])
        assert past.get_seq_length() == 14
        assert model(kind.tensor(IDS), use_cache=False).past_key_values is None
        said.append(kind.stack(scores))
        first = model(kind.tensor(IDS)[:, :4])
        (model(kind.tensor(IDS)[:, 4:], past_key_values=first.past_key_values).logits ** 2).mean().backward()
    close(*said)
    same_gradients(two[0][0], two[1][0])


def test_the_cache_of_a_decoder_that_asked_for_none(tmp_path):
    said = []
    for model, kind in _two(tmp_path, "T5ForConditionalGeneration"):
        tokens, past, scores = kind.tensor([[0], [0]]), None, []
        with kind.no_grad():
            encoded = model.get_encoder()(kind.tensor(IDS))
            for _ in range(5):
                out = model(encoder_outputs=encoded, decoder_input_ids=tokens, past_key_values=past)
                past, tokens = out.past_key_values, out.logits[:, -1:].argmax(-1)
                scores.append(out.logits)
        said.append(kind.cat(scores, 1))
    close(*said)


@pytest.mark.parametrize("name", DECODERS)
def test_a_checkpoint_of_layers_runs_them_again_and_finds_the_same(name, tmp_path):
    grads = []
    for again in (False, True):
        model, kind = next(iter(_two(tmp_path, name)))
        layers = model.transformer.h if "GPT2" in name else model.model.layers
        for layer in layers if again else ():
            layer.forward = partial(kind.utils.checkpoint.checkpoint, layer.forward, use_reentrant=False)
        model(kind.tensor(IDS), labels=kind.tensor(IDS)).loss.backward()
        grads.append([p.grad.numpy().copy() for p in model.parameters()])
    for one, other in zip(*grads, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", DECODERS)
def test_caches_of_ones_own(name, tmp_path):
    """Cut short after a draft that was wrong, copied for several endings, repeated for beams, and looked into."""
    found = []
    for (model, kind), home in zip(_two(tmp_path, name), (models, transformers), strict=True):
        ids, scores, sizes = kind.tensor(IDS), [], []
        with kind.no_grad():
            past = home.DynamicCache(config=model.config)
            scores.append(model(ids, past_key_values=past).logits)
            past.crop(-2)
            sizes.append(past.get_seq_length())
            scores.append(model(ids[:, -2:], past_key_values=past).logits)
            for token in (5, 7):
                ending = copy.deepcopy(past)
                scores.append(model(kind.tensor([[token], [token]]), past_key_values=ending).logits)
                sizes += [past.get_seq_length(), ending.get_seq_length()]
            past.batch_repeat_interleave(2)
            scores.append(model(kind.tensor([[1], [2], [3], [4]]), past_key_values=past).logits)
            past.batch_select_indices(kind.tensor([3, 0]))
            past.reorder_cache(kind.tensor([1, 0]))
            kept = [part for layer in past.layers for part in (layer.keys, layer.values)]
            past.batch_repeat_interleave(2)
            past.reset()
            scores.append(model(ids, past_key_values=past).logits)
        with pytest.raises(ValueError, match="crop"):
            past.crop(3)
        found.append((scores + kept, sizes))
    assert found[0][1] == found[1][1]
    for got, want in zip(found[0][0], found[1][0], strict=True):
        close(got, want)
    with pytest.raises(TypeError, match=r"past_key_values is tuple; expected a cache; pass on what the model gave, or a DynamicCache"):
        next(iter(_two(tmp_path, name)))[0](dv.tensor(IDS), past_key_values=())


@pytest.mark.parametrize("name", ["GPT2LMHeadModel", "T5ForConditionalGeneration"])
def test_the_pieces_of_a_text(name, tmp_path):
    """Each step brings the piece that transformers' streamer brings, also where it is empty; a subclass may take them itself."""
    lines = ["it's so: 'naïve'\n - 中 🙂 fits"] * 9
    tokenizer = tokenizers.train_bpe(lines, 270, special_tokens=["<pad>", "<|endoftext|>"])
    tokenizer.save_pretrained(tmp_path / "tokens")
    ids = tokenizer.encode(lines[0]).ids
    config, fields = FIELDS[name]
    said = []
    for (model, kind), autos, home in zip(
        zip(pair(tmp_path, name, config, **{**fields, "vocab_size": 270}), (dv, torch), strict=True),
        (tokenizers, transformers), (generation, transformers), strict=True,
    ):  # fmt: skip
        reader, pieces = autos.AutoTokenizer.from_pretrained(tmp_path / "tokens"), []

        class Own(home.TextStreamer):
            def on_finalized_text(self, text, stream_end=False, pieces=pieces):
                pieces.append((text, stream_end))

        for streamer in (Own(reader), Own(reader, skip_prompt=True), Own(reader, skip_special_tokens=True)):
            for token in (kind.tensor([[5, 6]]), *(kind.tensor([number]) for number in ids)):
                streamer.put(token)
            streamer.end()
        late = home.TextIteratorStreamer(reader, skip_prompt=True, timeout=60)
        options = {"inputs": kind.tensor([ids[:6]]), "max_new_tokens": 9, "do_sample": False, "pad_token_id": 0, "streamer": late}
        thread = Thread(target=model.generate, kwargs=options)
        thread.start()
        pieces += list(late)
        thread.join()
        model.generate(**{**options, "streamer": Own(reader)})
        with pytest.raises(ValueError, match="TextStreamer"):
            late.put(kind.tensor([[1], [2]]))
        said.append(pieces)
    assert said[0] == said[1] and len({piece for piece in said[0] if piece}) > 5
