"""Folders of every family: the class they ask for, and errors for broken, foreign and incomplete ones."""

from __future__ import annotations

import json

import numpy as np
import pytest

import dovetail as dv
from dovetail.errors import DovetailError, FormatError, TypeMismatch, UnsupportedError
from dovetail_text import models
from dovetail_text.models.pretrained import read_weights

IDS = dv.tensor([[1, 2, 3, 4], [5, 6, 7, 8]])
BERT = dict(vocab_size=20, hidden_size=12, num_hidden_layers=1, num_attention_heads=3, intermediate_size=20)
LLAMA = dict(vocab_size=20, hidden_size=16, intermediate_size=24, num_hidden_layers=1, num_attention_heads=4, num_key_value_heads=2)
FOLDERS = {
    "BertForMaskedLM": (models.BertConfig, BERT, "AutoModelForMaskedLM"),
    "XLMRobertaForSequenceClassification": (models.XLMRobertaConfig, BERT, "AutoModelForSequenceClassification"),
    "RobertaModel": (models.RobertaConfig, BERT, "AutoModel"),
    "DistilBertModel": (models.DistilBertConfig, dict(vocab_size=20, dim=12, n_layers=1, n_heads=3, hidden_dim=20), "AutoModel"),
    "GPT2LMHeadModel": (models.GPT2Config, dict(vocab_size=20, block_size=8, n_layer=1, n_head=2, n_embd=12), "AutoModelForCausalLM"),
    "LlamaForCausalLM": (models.LlamaConfig, LLAMA, "AutoModelForCausalLM"),
    "MistralForCausalLM": (models.MistralConfig, LLAMA, "AutoModelForCausalLM"),
    "Qwen2ForCausalLM": (models.Qwen2Config, LLAMA, "AutoModel"),
    "T5ForConditionalGeneration": (
        models.T5Config, dict(vocab_size=20, d_model=12, d_kv=4, d_ff=20, num_layers=1, num_heads=3), "AutoModelForSeq2SeqLM",
    ),
}  # fmt: skip


def _saved(name, folder):
    config, fields, _ = FOLDERS[name]
    dv.manual_seed(0)
    model = getattr(models, name)(config(**fields)).eval()
    model.save_pretrained(folder)
    return model


def _found(model):
    more = {"decoder_input_ids": IDS} if hasattr(model, "decoder") else {}
    return model(IDS, **more)[0].detach().numpy()


@pytest.mark.parametrize("name", FOLDERS)
def test_the_class_is_found(name, tmp_path):
    model = _saved(name, tmp_path)
    again = getattr(models, FOLDERS[name][2]).from_pretrained(tmp_path)
    assert type(again) is type(model) and not again.training
    np.testing.assert_array_equal(_found(again), _found(model))
    assert models.AutoConfig.from_pretrained(tmp_path) == again.config == type(again).from_pretrained(tmp_path).config


@pytest.mark.parametrize("name", FOLDERS)
def test_what_is_missing_foreign_or_of_another_shape_is_named(name, tmp_path):
    model = _saved(name, tmp_path)
    state = read_weights(tmp_path)
    victim = next(key for key in state if key.endswith(("LayerNorm.weight", "layer_norm.weight", "norm.weight", "ln_1.weight")))
    for change, text in (
        ({key: t for key, t in state.items() if key != victim}, f'Missing key.*"{victim}"'),
        ({**state, "spam.weight": dv.ones(2)}, 'Unexpected key.*"spam.weight"'),
        ({**state, victim: dv.ones(3)}, f"size mismatch for {victim}"),
    ):
        dv.save(change, tmp_path / "model.safetensors")
        with pytest.raises(RuntimeError, match=text):
            type(model).from_pretrained(tmp_path)


@pytest.mark.parametrize("name", ["LlamaForCausalLM", "T5ForConditionalGeneration"])
def test_broken_files_are_typed_errors(name, tmp_path):
    model = _saved(name, tmp_path)
    config, weights = (tmp_path / file for file in ("config.json", "model.safetensors"))
    good, about = weights.read_bytes(), config.read_bytes()
    rng = np.random.default_rng(0)
    cut = [good[: int(at)] for at in rng.integers(0, len(good), 20)]
    for bad in [b"", b"{}", *cut, b"\xff" * 64 + good[64:]]:
        weights.write_bytes(bad)
        with pytest.raises(DovetailError):
            type(model).from_pretrained(tmp_path)
    weights.write_bytes(good)
    for bad in (b"", b"{", b"[1]", b"\xff\xfe", b'{"model_type": ' + b"[" * 100_000):
        config.write_bytes(bad)
        for kind in (type(model), models.AutoModel):
            with pytest.raises(FormatError):
                kind.from_pretrained(tmp_path)
    config.write_bytes(about)
    np.testing.assert_array_equal(_found(type(model).from_pretrained(tmp_path)), _found(model))


@pytest.mark.parametrize(
    ("kind", "about", "text"),
    [
        ("AutoModel", {"model_type": "lama"}, "AutoModel: the model_type is 'lama'; expected one of bert, .*; did you mean 'llama'"),
        ("AutoConfig", {"model_type": "Roberta"}, "AutoConfig: the model_type is 'Roberta'; .*; did you mean 'roberta'"),
        ("AutoModel", {"model_type": "whisper"}, "the model_type is 'whisper'; expected one of .*; name the class yourself"),
        ("AutoModel", {}, "the configuration has no model_type; expected one of bert"),
        ("AutoModelForCausalLM", {"model_type": "bert"}, "the model_type is 'bert'; expected a family with such a head; it has BertModel,"),
        ("AutoModelForMaskedLM", {"model_type": "t5"}, "it has T5Model, T5ForConditionalGeneration"),
    ],
)
def test_models_that_are_not_there(kind, about, text, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(about))
    with pytest.raises(UnsupportedError, match=text):
        getattr(models, kind).from_pretrained(tmp_path)


def test_an_auto_class_is_no_model(tmp_path):
    with pytest.raises(TypeMismatch, match="AutoModel: it is no model itself; expected a folder; use AutoModel.from_pretrained"):
        models.AutoModel()
    with pytest.raises(FileNotFoundError):
        models.AutoModel.from_pretrained(tmp_path)
