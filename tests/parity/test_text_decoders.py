"""Llama, Mistral, Qwen2 and GPT-2 beside Hugging Face transformers: folders, results, gradients, texts."""

from __future__ import annotations

import numpy as np
import pytest

import dovetail as dv
from tests.parity.text_pairs import IDS, LABELS, MASK, both, close, pair, same_gradients, torch, transformers

pytestmark = pytest.mark.parity

SIZES = dict(
    vocab_size=30, hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
    max_position_embeddings=32, initializer_range=0.3, pad_token_id=0, bos_token_id=1, eos_token_id=None,
)  # fmt: skip
GPT2 = dict(vocab_size=30, n_positions=32, n_embd=24, n_layer=2, n_head=3, eos_token_id=None, bos_token_id=1, pad_token_id=0)
STRETCHED = {
    "linear": {"factor": 4.0},
    "llama3": {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 64},
    "yarn": {"factor": 4.0, "original_max_position_embeddings": 64},
}
FAMILIES = {
    "llama": ("LlamaForCausalLM", "LlamaConfig", SIZES),
    "llama-tied": ("LlamaForCausalLM", "LlamaConfig", {**SIZES, "tie_word_embeddings": True, "attention_bias": True, "mlp_bias": True}),
    "llama-heads": ("LlamaForCausalLM", "LlamaConfig", {**SIZES, "num_key_value_heads": 1, "head_dim": 8, "hidden_act": "gelu"}),
    "mistral": ("MistralForCausalLM", "MistralConfig", {**SIZES, "sliding_window": None}),
    "mistral-window": ("MistralForCausalLM", "MistralConfig", {**SIZES, "sliding_window": 4}),
    "qwen2": ("Qwen2ForCausalLM", "Qwen2Config", SIZES),
    "gpt2": ("GPT2LMHeadModel", "GPT2Config", GPT2),
    "gpt2-scaled": ("GPT2LMHeadModel", "GPT2Config", {**GPT2, "scale_attn_by_inverse_layer_idx": True, "attn_pdrop": 0.3}),
}  # fmt: skip
for kind, more in STRETCHED.items():
    parameters = {"rope_type": kind, "rope_theta": 5000.0, **more}
    FAMILIES[f"llama-{kind}"] = ("LlamaForCausalLM", "LlamaConfig", {**SIZES, "rope_parameters": parameters})


def _pair(tmp_path, family):
    name, config, fields = FAMILIES[family]
    return pair(tmp_path, name, config, **fields)


@pytest.mark.parametrize("family", FAMILIES)
def test_results_and_gradients(family, tmp_path):
    ours, theirs = _pair(tmp_path, family)
    got, want = both(ours, theirs, input_ids=IDS, labels=LABELS)
    close(got.loss, want.loss)
    close(got.logits, want.logits)
    got.loss.backward()
    want.loss.backward()
    same_gradients(ours, theirs)
    mask = MASK[:, ::-1]
    places = np.maximum(mask.cumsum(1) - 1, 0)
    got, want = both(ours, theirs, input_ids=IDS, attention_mask=mask, position_ids=places)
    close(got.logits, want.logits, keep=mask.astype(bool))
    got, want = both(ours, theirs, input_ids=IDS, attention_mask=MASK)
    close(got.logits, want.logits, keep=MASK.astype(bool))


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_in_double_precision(family, tmp_path):
    ours, theirs = _pair(tmp_path, family)
    got, want = both(ours.double(), theirs.double(), input_ids=IDS, labels=LABELS)
    close(got.logits, want.logits, atol=2e-6)  # theirs computes norms and angles of a Llama in single precision
    got.loss.backward()
    want.loss.backward()
    same_gradients(ours, theirs, atol=2e-6)


@pytest.mark.parametrize("family", FAMILIES)
def test_greedy_text(family, tmp_path):
    ours, theirs = _pair(tmp_path, family)
    mask = MASK[:, ::-1].copy()
    want = theirs.generate(torch.from_numpy(IDS), attention_mask=torch.from_numpy(mask), max_new_tokens=12, do_sample=False)
    for use_cache in (True, False):
        got = ours.generate(dv.from_numpy(IDS), 12, attention_mask=dv.from_numpy(mask), pad=0, use_cache=use_cache)
        np.testing.assert_array_equal(got.numpy(), want.numpy())


@pytest.mark.parametrize("family", ["llama-llama3", "mistral-window", "qwen2", "gpt2-scaled"])
def test_folders_go_back(family, tmp_path):
    ours, _ = _pair(tmp_path / "theirs", family)
    ours.save_pretrained(tmp_path / "ours")
    yours, info = getattr(transformers, FAMILIES[family][0]).from_pretrained(tmp_path / "ours", output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"]
    got, want = both(ours, yours.eval(), input_ids=IDS)
    close(got.logits, want.logits)
    assert type(ours).from_pretrained(tmp_path / "ours").config == ours.config


def test_a_base_model_and_old_fields(tmp_path):
    ours, theirs = pair(tmp_path, "LlamaModel", "LlamaConfig", **SIZES)
    got, want = both(ours, theirs, input_ids=IDS, output_hidden_states=True)
    close(got.last_hidden_state, want.last_hidden_state)
    for a, b in zip(got.hidden_states, want.hidden_states, strict=True):
        close(a, b)
    scaling = {"type": "linear", "factor": 2.0}
    config = type(ours.config).from_dict({"model_type": "llama", "rope_theta": 9000.0, "rope_scaling": scaling})
    assert config.rope_parameters == {"rope_theta": 9000.0, "rope_type": "linear", "factor": 2.0}


def test_pieces(tmp_path):
    _, theirs = _pair(tmp_path / "whole", "llama")
    theirs.save_pretrained(tmp_path / "pieces", max_shard_size="10KB")
    assert len(list((tmp_path / "pieces").glob("model-*.safetensors"))) > 2
    from dovetail_text.models import LlamaForCausalLM

    got, want = both(LlamaForCausalLM.from_pretrained(tmp_path / "pieces"), theirs, input_ids=IDS)
    close(got.logits, want.logits)
