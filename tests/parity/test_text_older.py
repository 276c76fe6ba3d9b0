"""Folders from before tokenizer.json, and options of from_pretrained: read as transformers reads them."""

from __future__ import annotations

import json

import numpy as np
import pytest

import dovetail as dv
from dovetail_text import models, tokenizers
from tests.parity.text_pairs import close, pair, torch, transformers

pytestmark = pytest.mark.parity

WORDS = "[PAD] [UNK] [CLS] [SEP] [MASK] the cat dog sat ran on mat in house ##s ##ing a . , ! café cafe 猫".split()
MERGES = ["t h", "th e", "Ġ the", "c a", "ca t", "Ġ cat"]
TEXTS = ["The cats sat, in the House!", "[CLS] the [MASK] Café 猫 xyz", "", "a  b\tc", "<|endoftext|>the<mask> cat\n", "<s>héllo</s>"]
BERT = [{}, {"do_lower_case": False}, {"strip_accents": False}, {"tokenize_chinese_chars": False}, {"do_lower_case": True}]
BYTES = [{}, {"add_prefix_space": True}, {"add_prefix_space": False}]


def _folder(folder, kind):
    if kind == "bert":
        (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")
        (folder / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 32}))
    else:
        letters = sorted(pytest.importorskip("tokenizers").pre_tokenizers.ByteLevel.alphabet())
        made = [*letters, *("".join(pair.split()) for pair in MERGES)]
        words = [*made, "<|endoftext|>"] if kind == "gpt2" else ["<s>", "<pad>", "</s>", "<unk>", *made, "<mask>"]
        (folder / "vocab.json").write_text(json.dumps({word: number for number, word in enumerate(words)}))
        (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(MERGES) + "\n", encoding="utf-8")
    (folder / "config.json").write_text(json.dumps({"model_type": kind}))
    return folder


def _same(ours, theirs):
    for text in TEXTS:
        assert {**ours(text)} == {**theirs(text)}
        assert ours.decode(ours(text).input_ids) == theirs.decode(theirs(text).input_ids)
    assert {**ours(TEXTS[:2], TEXTS[2:4])} == {**theirs(TEXTS[:2], TEXTS[2:4])}
    assert ours.special_tokens_map == theirs.special_tokens_map and len(ours) == len(theirs)
    assert ours.get_vocab() == theirs.get_vocab() and list(ours.model_input_names) == theirs.model_input_names
    assert ours.model_max_length == theirs.model_max_length


@pytest.mark.parametrize("options", BERT)
def test_words_of_a_bert(options, tmp_path):
    folder = _folder(tmp_path, "bert")
    ours, theirs = (
        tokenizers.BertTokenizer.from_pretrained(folder, **options),
        transformers.BertTokenizer.from_pretrained(folder, **options),
    )
    _same(ours, theirs)
    ours.save_pretrained(tmp_path / "new")
    _same(tokenizers.AutoTokenizer.from_pretrained(tmp_path / "new"), theirs)


@pytest.mark.parametrize("options", BYTES)
@pytest.mark.parametrize(("kind", "name"), [("gpt2", "GPT2Tokenizer"), ("roberta", "RobertaTokenizer"), ("gpt2", "AutoTokenizer")])
def test_pairs_of_a_gpt2_and_a_roberta(kind, name, options, tmp_path):
    folder = _folder(tmp_path, kind)
    theirs = getattr(transformers, name).from_pretrained(folder, **options)
    _same(getattr(tokenizers, name).from_pretrained(folder, **options), theirs)
    theirs = getattr(transformers, name).from_pretrained(folder)
    theirs.save_pretrained(tmp_path / "new")  # a tokenizer.json, which is read by the options too
    again = getattr(tokenizers, name).from_pretrained(tmp_path / "new", **options)
    assert {**again(TEXTS)} == {**getattr(transformers, name).from_pretrained(folder, **options)(TEXTS)}


@pytest.mark.parametrize("kind", ["Bert", "GPT2", "T5"])
def test_states_that_each_call_gives(kind, tmp_path):
    name, fields = {
        "Bert": ("BertModel", {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 20}),
        "GPT2": ("GPT2LMHeadModel", {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 24}),
        "T5": ("T5ForConditionalGeneration", {"d_model": 16, "d_kv": 8, "d_ff": 20, "num_layers": 2, "num_heads": 2}),
    }[kind]
    pair(tmp_path, name, f"{kind}Config", vocab_size=30, **fields)
    ids = np.array([[5, 6, 7], [8, 9, 3]])
    more = {"decoder_input_ids": ids} if kind == "T5" else {}

    def out(names, kind_of, folder=tmp_path, **options):
        model = getattr(names, name).from_pretrained(folder, **options).eval()
        return model, model(*map(kind_of.tensor, (ids,)), **{key: kind_of.tensor(a) for key, a in more.items()})

    key = "decoder_hidden_states" if kind == "T5" else "hidden_states"
    for options in ({"output_hidden_states": True}, {"output_hidden_states": True, "return_dict": True}):
        (ours, got), (_, want) = out(models, dv, **options), out(transformers, torch, **options)
        for one, other in zip(got[key], want[key], strict=True):
            close(one, other)
        assert ours(dv.tensor(ids), output_hidden_states=False, **{k: dv.tensor(a) for k, a in more.items()}).get(key) is None
    assert type(out(models, dv, return_dict=False)[1]) is tuple
    if kind == "Bert":  # of the others transformers' fail
        assert type(out(transformers, torch, return_dict=False)[1]) is tuple
    about = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**about, "output_hidden_states": True}))
    assert len(out(models, dv)[1][key]) == len(out(transformers, torch)[1][key]) == 3
    config = models.AutoConfig.from_pretrained(tmp_path, output_hidden_states=False)
    assert out(models, dv, config=config)[1].get(key) is None
    with pytest.raises(NotImplementedError, match="output_attentions is True; weights of attention are not kept; leave it out"):
        models.AutoModel.from_pretrained(tmp_path, output_attentions=True)
    built = models.AutoModel.from_config(models.AutoConfig.from_pretrained(tmp_path))
    assert len(built(dv.tensor(ids), **{k: dv.tensor(a) for k, a in more.items()})[key]) == 3
