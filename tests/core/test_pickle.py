"""What process pools send: tensors, modules and the small objects around them come back as they were."""

from __future__ import annotations

import copy
import pickle

import pytest

import dovetail as dv
from dovetail import nn

TENSORS = {
    "plain": dv.arange(6.0).reshape(2, 3),
    "a view": dv.arange(12.0).reshape(3, 4)[1:, ::2],
    "transposed": dv.arange(6).reshape(2, 3).t(),
    "expanded": dv.ones(1, 3).expand(2, 3),
    "channels last": dv.rand(1, 2, 3, 3).contiguous(memory_format=dv.channels_last),
    "bfloat16": dv.ones(2, 3).bfloat16(),
    "bool": dv.tensor([True, False]),
    "complex": dv.tensor([1 + 2j]),
    "a scalar": dv.tensor(3),
    "a leaf": dv.ones(2, requires_grad=True),
    "a parameter": nn.Parameter(dv.ones(2)),
    "a frozen parameter": nn.Parameter(dv.ones(2), requires_grad=False),
}
OTHERS = (dv.Size([2, 3]), dv.device("cuda:1"), dv.ones(2, 2).max(0).indices.shape, dv.errors.ShapeError("a", "b").args)
SAME = (dv.float32, dv.bfloat16, dv.channels_last, dv.relu, dv.add, dv.nn.functional.gelu, dv.nn.functional.linear, dv.Tensor, nn.Linear)


def again(value: object, protocol: int = 5) -> object:
    return pickle.loads(pickle.dumps(value, protocol))  # noqa: S301 - our own bytes


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize("name", TENSORS)
def test_tensors(name: str, protocol: int) -> None:
    t = TENSORS[name]
    back = again(t, protocol)
    assert type(back) is type(t) and back.dtype is t.dtype and back.shape == t.shape and back.stride() == t.stride()
    assert dv.equal(back, t) and back.requires_grad == t.requires_grad and back.is_leaf and back.grad is None


def test_small_objects() -> None:
    assert all(again(value) == value for value in OTHERS) and all(again(value) is value for value in SAME)
    assert all(copy.deepcopy(value) is value for value in SAME)
    generator = dv.Generator().manual_seed(3)
    assert dv.equal(dv.rand(3, generator=again(generator)), dv.rand(3, generator=generator))
    found = again(dv.tensor([[1.0, 2.0]]).max(1))
    assert type(found) is dv.return_types.max and found.indices.tolist() == [1]


@pytest.mark.parametrize(
    "make", [lambda: nn.Linear(2, 3), lambda: nn.TransformerEncoderLayer(4, 1), lambda: nn.LSTM(2, 2), lambda: nn.LazyLinear(2)]
)
def test_modules(make: object) -> None:
    module = make()
    module.tag = "kept"
    back = again(module)
    assert back.tag == "kept" and list(back.state_dict()) == list(module.state_dict())
    if not isinstance(module, nn.LazyLinear):
        assert all(dv.equal(a, b) for a, b in zip(back.parameters(), module.parameters(), strict=True))


def test_shared_parameters_stay_shared() -> None:
    twice = again(nn.ModuleList([nn.Linear(1, 1)] * 2))
    assert twice[0] is twice[1] and len(list(twice.parameters())) == 2


def test_a_result_comes_back_as_a_leaf() -> None:
    back = again(dv.ones(2, requires_grad=True) * 2)  # as PyTorch's does
    assert back.requires_grad and back.is_leaf and back.tolist() == [2.0, 2.0]
