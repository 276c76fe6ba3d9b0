"""Tokenizers of a folder as transformers hands them out: the same lines on its classes and on ours give the same."""

from __future__ import annotations

import json

import numpy as np
import pytest

import dovetail as dv
from dovetail_text import models, tokenizers
from tests.parity.text_pairs import close, pair, torch, transformers

pytestmark = pytest.mark.parity

CORPUS = ["it fits well, it fits", "The dog ran home.", "A cat sat on the mat!", "hello worlds, how are you?"] * 4
NEW = [["the cat sat on the mat, naïve"] * 4, ["the dog and the doghouse"] * 3]
TEXT = "hello worlds, it fits"
KINDS = {
    "wordpiece": lambda: tokenizers.train_wordpiece(CORPUS, 120),
    "bpe": lambda: tokenizers.train_bpe(CORPUS, 280, special_tokens=["<s>", "<pad>", "</s>", "<unk>"]),
    "unigram": lambda: tokenizers.train_unigram(CORPUS, 40),
}


@pytest.fixture(scope="module", params=KINDS)
def folder(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    KINDS[request.param]().save_pretrained(folder)
    return folder


@pytest.fixture
def two(folder):
    return [(kind.AutoTokenizer.from_pretrained(folder), home) for kind, home in ((tokenizers, dv), (transformers, torch))]


def _encode(t, home):
    ids = t.encode(TEXT)
    pair = t.encode(TEXT, "a cat", add_special_tokens=False)
    return [
        type(ids) is list, [0] + ids + [3], json.dumps(ids), ids.index(ids[2]), ids == t(TEXT).input_ids, pair,
        t.encode(TEXT, max_length=4, truncation=True), t.encode(TEXT, return_tensors="pt").tolist(), home.tensor([ids]).tolist(),
        t.tokenize(TEXT), t.tokenize(TEXT, pair="a cat", add_special_tokens=True), min(t.model_max_length, 512),
        t(TEXT, truncation=True).input_ids,
    ]  # fmt: skip


def _decode(t, home):
    batch = t([TEXT, "a"], padding=True, return_tensors="pt").input_ids
    return [
        t.decode(batch), t.batch_decode(batch, skip_special_tokens=True), t.decode(batch[0]),
        t.decode(t.encode(TEXT), skip_special_tokens=True),
        t.decode(5), t.decode([5, 6], spaces_between_special_tokens=False), t.convert_ids_to_tokens(batch[0]), t.convert_ids_to_tokens(2),
        t.convert_tokens_to_ids(["it", "zzz"]), t.batch_decode([[5], []]),
    ]  # fmt: skip


def _special(t, home):
    said = [t.add_tokens(["newt", "the"]), t.tokenize("newt the"), len(t), sorted(t.vocab.items())[:9]]
    said += [t.add_special_tokens({"additional_special_tokens": ["<a>", "<b>"]}), t.tokenize("x<a>y"), t.convert_tokens_to_ids("<b>")]
    said += [t.add_special_tokens({"mask_token": "<mask>", "extra_special_tokens": ["<c>"]}), t.mask_token_id, set(t.all_special_tokens)]
    t.add_special_tokens({"eos_token": "<eos>"})
    t.pad_token = t.eos_token
    said += [t.pad_token_id, t(["a", TEXT], padding=True).attention_mask]
    t.pad_token_id = 3
    return [*said, t.pad_token, type(t.backend_tokenizer).__name__]


def _trained(t, home):
    new = t.train_new_from_iterator(NEW, 290 if "Ġ" in "".join(t.tokenize("a b")) else 45, new_special_tokens=["<new>"])
    rows = (
        new.encode("the cat sat, doghouse"),
        new("the cat", "naïve <new> zzz").input_ids,
    )  # numbers differ from run to run, on either side
    said = [sorted(new.get_vocab()), [new.convert_ids_to_tokens(row) for row in rows], new.special_tokens_map, new.pad_token_id]
    return [*said, len(new), new.decode(new.encode("the naïve dog")), type(new) is type(t)]


@pytest.mark.parametrize("program", [_encode, _decode, _special, _trained])
def test_the_same_lines(two, program):
    got, want = (program(*one) for one in two)
    for at, (one, other) in enumerate(zip(got, want, strict=True)):
        assert one == other, at


def test_what_is_no_text(two):
    for text in (b"abc", None, 5, 1.5):
        for t, _ in two:
            with pytest.raises(ValueError):
                t(text)


def test_files_and_objects(folder, tmp_path):
    for kind in (tokenizers, transformers):
        one = kind.PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), model_max_length=5)
        other = kind.PreTrainedTokenizerFast(tokenizer_object=one.backend_tokenizer, padding_side="left")
        assert one.encode(TEXT, truncation=True) == other.encode(TEXT, max_length=5, truncation=True)
        names = {str(name).rpartition("/")[2] for name in one.save_pretrained(tmp_path)}
        assert names == {"tokenizer_config.json", "tokenizer.json"}


def test_configurations_by_the_names_of_transformers():
    fields = {"vocab_size": 40, "n_positions": 32, "n_embd": 16, "n_layer": 1, "n_head": 2, "use_cache": False}
    configs = [home.GPT2Config(**fields) for home in (models, transformers)]
    assert [c.n_positions for c in configs] == [32, 32] and [c.n_embd for c in configs] == [16, 16]
    gpts = [home.GPT2LMHeadModel(c) for home, c in zip((models, transformers), configs, strict=True)]
    assert gpts[0].num_parameters() == gpts[1].num_parameters()
    drops = [{m.p for m in gpt.modules() if type(m).__name__ == "Dropout"} for gpt in gpts]
    assert drops[0] == drops[1] == {0.1}
    for name in ("BertConfig", "DistilBertConfig", "RobertaConfig"):
        one, other = (getattr(home, name)(id2label={0: "a", 1: "b", 2: "c"}) for home in (models, transformers))
        assert (one.num_labels, one.id2label) == (other.num_labels, other.id2label) == (3, {0: "a", 1: "b", 2: "c"})
        assert json.loads(one.to_json_string())["id2label"] == json.loads(other.to_json_string())["id2label"]


def test_parts_of_a_t5_and_a_cache_in_another_order(tmp_path):
    fields = dict(vocab_size=40, d_model=16, d_kv=8, d_ff=20, num_layers=2, num_heads=2, decoder_start_token_id=0)
    said = []
    for model, home in zip(pair(tmp_path, "T5ForConditionalGeneration", "T5Config", **fields), (dv, torch), strict=True):
        ids, mask = home.tensor([[5, 6, 7], [8, 9, 0]]), home.tensor([[1, 1, 1], [1, 1, 0]])
        encoded = model.get_encoder()(input_ids=ids, attention_mask=mask, return_dict=True)
        again = model.encoder(ids, mask)[0]
        out = model(encoder_outputs=encoded, attention_mask=mask, decoder_input_ids=home.tensor([[0], [0]]))
        text = model.generate(ids, attention_mask=mask, max_new_tokens=4, do_sample=False)
        said.append((encoded.last_hidden_state, again, out.logits, text, sum(p.numel() for p in model.get_decoder().parameters())))
    for one, other in zip(*(entry[:3] for entry in said), strict=True):
        close(one, other, keep=np.array([True, True]))
    assert said[0][3].tolist() == said[1][3].tolist() and said[0][4] == said[1][4]
    gpts = pair(tmp_path / "gpt", "GPT2LMHeadModel", "GPT2Config", vocab_size=40, n_positions=16, n_embd=16, n_layer=2, n_head=2)
    logits = []
    for model, home in zip(gpts, (dv, torch), strict=True):
        past = model(home.tensor([[2, 9, 4], [2, 8, 7]]), use_cache=True).past_key_values
        past.reorder_cache(home.tensor([1, 0]))
        logits.append(model(home.tensor([[5], [6]]), past_key_values=past).logits)
    close(*logits)
