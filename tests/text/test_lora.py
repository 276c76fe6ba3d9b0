"""Adapters: what they change and what they leave alone, merging, files, and freezing by name."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest

import dovetail as dv
from dovetail.errors import FormatError, ValueRangeError
from dovetail_text.lora import (
    add_lora,
    freeze,
    load_lora,
    load_lora_state_dict,
    lora_state_dict,
    merge_lora,
    remove_lora,
    save_lora,
    unfreeze,
    unmerge_lora,
)  # fmt: skip
from dovetail_text.models import GPT, BertConfig, BertForSequenceClassification, GPTConfig, LlamaConfig, LlamaForCausalLM

IDS = dv.tensor([[1, 2, 3, 4], [5, 6, 7, 8]])
MAKES = {
    "gpt": (lambda: GPT(GPTConfig(20, 8, 2, 2, 12)), ["c_attn", "*.mlp.c_fc"], 4),
    "llama": (lambda: LlamaForCausalLM(LlamaConfig(20, 16, 24, 2, 4, 2)), ["q_proj", "v_proj"], 4),
    "bert": (
        lambda: BertForSequenceClassification(BertConfig(20, 12, 2, 3, 20, num_labels=3, initializer_range=0.3)),
        "*.attention.self.*",
        6,
    ),
}


def _make(name, seed=0):
    dv.manual_seed(seed)
    return MAKES[name][0]().eval()


def _learned(model, patterns, seed=1, **options):
    names = add_lora(model, patterns, **{"rank": 2, **options})
    dv.manual_seed(seed)
    with dv.no_grad():
        for t in lora_state_dict(model).values():
            t.copy_(0.1 * dv.randn(t.shape))
    return names


def _logits(model):
    with dv.no_grad():
        return model(IDS).logits.numpy()


@pytest.mark.parametrize("name", MAKES)
def test_the_life_of_an_adapter(name, tmp_path):
    model, (_, patterns, count) = _make(name), MAKES[name]
    before, names = _logits(model), set(model.state_dict())
    layers = add_lora(model, patterns, rank=2)
    assert len(layers) == count
    np.testing.assert_array_equal(_logits(model), before)  # nothing changes at first
    assert {n for n, p in model.named_parameters() if p.requires_grad} == set(lora_state_dict(model))
    loss = model(IDS).logits.square().mean()
    loss.backward()
    assert all(p.grad is None for n, p in model.named_parameters() if ".lora." not in n)
    dv.optim.SGD([p for p in model.parameters() if p.requires_grad], 5.0).step()
    with dv.no_grad():
        for key, t in lora_state_dict(model).items():
            if key.endswith("B"):
                assert t.any()
                t.add_(0.1)
    after = _logits(model)
    assert abs(after - before).max() > 1e-3
    save_lora(model, tmp_path)
    merge_lora(model)
    merge_lora(model)  # a second time changes nothing
    np.testing.assert_allclose(_logits(model), after, atol=2e-6)
    unmerge_lora(model)
    np.testing.assert_allclose(_logits(model), after, atol=2e-6)
    fresh = _make(name)
    assert load_lora(fresh, tmp_path) == layers
    np.testing.assert_array_equal(_logits(fresh.eval()), after)
    merge_lora(model)
    assert set(remove_lora(model).state_dict()) == names
    np.testing.assert_allclose(_logits(model), after, atol=2e-6)
    model.save_pretrained(tmp_path / "whole")
    np.testing.assert_allclose(_logits(type(model).from_pretrained(tmp_path / "whole")), after, atol=2e-6)


def test_a_copy_and_another_adapter():
    model = _make("llama")
    before = _logits(model)
    _learned(model, "q_proj")
    twin, after = copy.deepcopy(model), _logits(model)
    np.testing.assert_array_equal(_logits(remove_lora(model)), before)
    np.testing.assert_array_equal(_logits(twin), after)
    _learned(model, "q_proj")
    np.testing.assert_array_equal(_logits(model), after)


def test_the_formula():
    model = dv.nn.Sequential(dv.nn.Linear(4, 3)).double()
    _learned(model, "0", alpha=6.0)
    x, lora = dv.randn(5, 4, dtype=dv.float64), model[0].lora
    want = x.numpy() @ (model[0].weight + 3.0 * lora.B @ lora.A).detach().numpy().T + model[0].bias.detach().numpy()
    np.testing.assert_allclose(model(x).detach().numpy(), want, atol=1e-12)


def test_files_are_laid_out_as_those_of_peft(tmp_path):
    model = _make("gpt")
    _learned(model, "c_attn")
    save_lora(model, tmp_path)
    state = dv.load(tmp_path / "adapter_model.safetensors")
    assert {name: tuple(t.shape) for name, t in state.items()} == {
        f"base_model.model.transformer.h.{i}.attn.c_attn.lora_{part}.weight": shape
        for i in (0, 1)
        for part, shape in (("A", (2, 12)), ("B", (36, 2)))
    }
    about = json.loads((tmp_path / "adapter_config.json").read_text())
    assert about["peft_type"] == "LORA" and about["r"] == 2 and about["lora_alpha"] == 16.0 and about["fan_in_fan_out"] is True


def test_a_head_learns_too():
    model = _make("bert")
    add_lora(model, "query", train="classifier.*")
    learns = {name for name, p in model.named_parameters() if p.requires_grad}
    assert {"classifier.weight", "classifier.bias"} < learns and len(learns) == 6


def test_freezing():
    model = _make("bert")
    frozen = freeze(model, ["bert.embeddings.*", "bert.encoder.layer.0.*"])
    assert set(frozen) == {name for name, p in model.named_parameters() if not p.requires_grad}
    assert all(name.startswith(("bert.embeddings.", "bert.encoder.layer.0.")) for name in frozen) and len(frozen) == 21
    assert set(unfreeze(model, "LayerNorm.weight")) & set(frozen)
    assert len(freeze(model)) == len(list(model.parameters()))
    assert not any(p.requires_grad for p in model.parameters())


def test_errors(tmp_path):
    model = _make("llama")
    with pytest.raises(ValueRangeError, match="add_lora: no linear layer is named 'query'; expected names such as down_proj, gate_proj,"):
        add_lora(model, ["q_proj", "query"])
    assert all(p.requires_grad for p in model.parameters())
    with pytest.raises(ValueRangeError, match="merge_lora: the model has no adapters; expected some; call add_lora first"):
        merge_lora(model)
    with pytest.raises(ValueRangeError, match="freeze: no parameter is named 'encoder.*'"):
        freeze(model, "encoder.*")
    with pytest.raises(ValueRangeError, match="LoRA: rank is 0; expected 1 or more"):
        add_lora(_make("llama"), "q_proj", rank=0)
    _learned(model, "q_proj")
    with pytest.raises(ValueRangeError, match="q_proj has an adapter already"):
        add_lora(model, "q_proj")
    with pytest.raises(ValueRangeError, match="load_lora_state_dict: model.layers.0.self_attn.q_proj.lora.A, .* do not fit"):
        load_lora_state_dict(model, {})
    save_lora(model, tmp_path)
    with pytest.raises(ValueRangeError, match="add_lora: no linear layer is named 'model.layers.0.self_attn.q_proj'"):
        load_lora(_make("gpt"), tmp_path)
    about = json.loads((tmp_path / "adapter_config.json").read_text())
    for change, text in (({"peft_type": "IA3"}, "peft_type is 'IA3'"), ({"use_dora": True}, "use_dora is True"), ({"r": "8"}, "r is '8'")):
        (tmp_path / "adapter_config.json").write_text(json.dumps({**about, **change}))
        with pytest.raises(FormatError, match=text):
            load_lora(_make("llama"), tmp_path)
