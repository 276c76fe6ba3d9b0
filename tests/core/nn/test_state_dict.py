"""state_dict and load_state_dict: keys, versions, errors, hooks, extra state."""

from __future__ import annotations

from collections import OrderedDict

import pytest

import dovetail as dv
from dovetail import nn


def net():
    return nn.Sequential(OrderedDict(fc=nn.Linear(2, 3), bn=nn.BatchNorm1d(3)))


def test_keys_and_metadata():
    state = net().state_dict()
    assert list(state) == ["fc.weight", "fc.bias", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var", "bn.num_batches_tracked"]
    assert state._metadata == {"": {"version": 1}, "fc": {"version": 1}, "bn": {"version": 2}}
    assert not any(t.requires_grad for t in state.values())
    assert net().state_dict(keep_vars=True)["fc.weight"].requires_grad


def test_loads_a_copy():
    source, target = net(), net()
    result = target.load_state_dict(source.state_dict())
    assert repr(result) == "<All keys matched successfully>"
    source.fc.weight.data.zero_()
    assert float(target.fc.weight.abs().sum()) > 0 and target.fc.weight.is_leaf


def test_errors_name_every_key_and_change_nothing():
    model = net()
    before = model.fc.bias.clone()
    state = model.state_dict()
    state["fc.bias"] = dv.full((3,), 9.0)
    state["fc.weight"] = dv.ones(4, 2)
    state["extra.key"] = dv.ones(1)
    del state["bn.bias"]
    with pytest.raises(RuntimeError) as caught:
        model.load_state_dict(state)
    assert str(caught.value) == (
        "Error(s) in loading state_dict for Sequential:\n"
        '\tMissing key(s) in state_dict: "bn.bias". \n'
        '\tUnexpected key(s) in state_dict: "extra.key". \n'
        "\tsize mismatch for fc.weight: copying a param with shape dovetail.Size([4, 2]) from checkpoint, "
        "the shape in current model is dovetail.Size([3, 2])."
    )
    assert caught.value.__notes__ == ["Load what fits with strict=False, when these keys are taken out."]
    assert dv.equal(model.fc.bias, before)


def test_not_strict_reports():
    model = net()
    result = model.load_state_dict({"fc.bias": dv.zeros(3), "other": dv.ones(1)}, strict=False)
    assert result.unexpected_keys == ["other"] and "fc.weight" in result.missing_keys
    assert model.fc.bias.abs().sum().item() == 0


def test_a_key_for_an_absent_parameter_is_unexpected():
    result = nn.Linear(2, 3, bias=False).load_state_dict(nn.Linear(2, 3).state_dict(), strict=False)
    assert result.unexpected_keys == ["bias"]


def test_wrong_kinds():
    with pytest.raises(TypeError, match="Expected state_dict to be dict-like, got <class 'list'>"):
        net().load_state_dict([1])
    with pytest.raises(RuntimeError, match='named "fc.bias", expected Tensor or Tensor-like object from checkpoint but received'):
        net().load_state_dict({**net().state_dict(), "fc.bias": [1.0]})


def test_assign_takes_the_tensors():
    model, w = net(), dv.full((3, 2), 7.0)
    model.load_state_dict({**net().state_dict(), "fc.weight": w}, assign=True)
    assert model.fc.weight.data_ptr() == w.data_ptr() and isinstance(model.fc.weight, nn.Parameter)


def test_a_batch_norm_from_before_its_counter():
    state = net().state_dict()
    del state["bn.num_batches_tracked"]
    state._metadata["bn"]["version"] = 1
    model = net()
    model.load_state_dict(state)
    assert model.bn.num_batches_tracked.item() == 0
    state._metadata["bn"]["version"] = 2
    with pytest.raises(RuntimeError, match="bn.num_batches_tracked"):
        net().load_state_dict(state)


def test_hooks_and_extra_state():
    class Counted(nn.Module):
        def __init__(self):
            super().__init__()
            self.n = 0

        def get_extra_state(self):
            return {"n": self.n}

        def set_extra_state(self, state):
            self.n = state["n"]

    a, b, seen = Counted(), Counted(), []
    a.n = 3
    a.register_state_dict_post_hook(lambda m, d, prefix, meta: seen.append(list(d)))
    b.register_load_state_dict_post_hook(lambda m, keys: seen.append(keys.missing_keys))
    b.register_load_state_dict_pre_hook(lambda m, d, prefix, *rest: seen.append(prefix))
    b.load_state_dict(a.state_dict())
    assert b.n == 3 and seen == [["_extra_state"], "", []]
    with pytest.raises(RuntimeError, match='Missing key.*"_extra_state"'):
        b.load_state_dict({})


def test_old_prehook_may_rename_keys():
    model = nn.Linear(1, 1)

    def rename(state, prefix, *rest):
        state[prefix + "weight"] = state.pop(prefix + "w")

    model._register_load_state_dict_pre_hook(rename)
    model.load_state_dict({"w": dv.full((1, 1), 4.0), "bias": dv.zeros(1)})
    assert model.weight.item() == 4.0
