"""Sequential, ModuleList, ModuleDict, ParameterList, ParameterDict, DataParallel."""

from __future__ import annotations

from collections import OrderedDict

import pytest

import dovetail as dv
from dovetail import nn


def kinds(container):
    return [type(m).__name__ for m in container]


def test_sequential_slices_and_edits():
    net = nn.Sequential(OrderedDict(a=nn.Linear(2, 2), b=nn.ReLU(), c=nn.Tanh()))
    assert list(net[1:]._modules) == ["b", "c"] and net[-1] is net.c
    net.append(nn.Sigmoid()).insert(0, nn.Identity()).extend([nn.GELU()])
    assert kinds(net) == ["Identity", "Linear", "ReLU", "Tanh", "Sigmoid", "GELU"]
    assert list(net._modules) == [str(i) for i in range(6)]
    del net[1:4]
    assert kinds(net) == ["Identity", "Sigmoid", "GELU"] and list(net._modules) == ["0", "1", "2"]
    assert isinstance(net.pop(0), nn.Identity) and len(net) == 2
    net[0] = nn.ReLU()
    assert kinds(net) == ["ReLU", "GELU"]
    net.insert(-1, nn.Tanh())
    assert kinds(net) == ["ReLU", "Tanh", "GELU"]


def test_sequential_operators():
    a, b = nn.Sequential(nn.ReLU()), nn.Sequential(nn.Tanh(), nn.GELU())
    assert kinds(a + b) == ["ReLU", "Tanh", "GELU"]
    assert kinds(2 * b) == ["Tanh", "GELU"] * 2
    a += b
    a *= 2
    assert kinds(a) == ["ReLU", "Tanh", "GELU"] * 2


@pytest.mark.parametrize(
    ("act", "error", "text"),
    [
        (lambda s: s[3], IndexError, "index 3 is out of range"),
        (lambda s: s + [nn.ReLU()], ValueError, "add operator supports only objects of Sequential class"),
        (lambda s: s * 0, ValueError, "Non-positive multiplication factor 0"),
        (lambda s: s * 1.5, TypeError, "unsupported operand type(s) for *"),
        (lambda s: s.insert(5, nn.ReLU()), IndexError, "Index out of range: 5"),
        (lambda s: s.insert(0, 3), AssertionError, "module should be of type"),
        (lambda s: s.append(3), TypeError, "int is not a Module subclass"),
        (lambda s: nn.ModuleList(3), TypeError, "should be called with an iterable; but got int"),
        (lambda s: nn.ModuleDict([3]), TypeError, "sequence element #0 should be Iterable; is int"),
        (lambda s: nn.ModuleDict([(1, 2, 3)]), ValueError, "sequence element #0 has length 3; 2 is required"),
        (lambda s: nn.ModuleDict({"keys": nn.ReLU()}), KeyError, "attribute 'keys' already exists"),
        (lambda s: nn.ParameterList([1])[2], IndexError, "index 2 is out of range"),
        (lambda s: nn.ParameterList(dv.ones(2)), TypeError, "should be called with an iterable; but got Tensor"),
        (lambda s: nn.ParameterDict()[1], TypeError, "is not a string (type is 'int')"),
    ],
)
def test_errors(act, error, text):
    with pytest.raises(error) as caught:
        act(nn.Sequential(nn.ReLU()))
    assert text in str(caught.value)


def test_module_list():
    layers = nn.ModuleList([nn.Linear(1, 1)]) + [nn.ReLU()]
    layers += [nn.Tanh()]
    layers.insert(1, nn.GELU())
    assert kinds(layers) == ["Linear", "GELU", "ReLU", "Tanh"] and kinds(layers[::2]) == ["Linear", "ReLU"]
    assert [n for n, _ in layers.named_parameters()] == ["0.weight", "0.bias"]
    with pytest.raises(NotImplementedError, match="ModuleList"):
        layers(1)


def test_module_list_repr_joins_what_repeats():
    layers = nn.ModuleList([nn.ReLU(), nn.Sequential(nn.Tanh()), nn.Sequential(nn.Tanh())])
    assert repr(layers) == "ModuleList(\n  (0): ReLU()\n  (1-2): 2 x Sequential(\n    (0): Tanh()\n  )\n)"
    assert repr(nn.ModuleList()) == "ModuleList()"


def test_module_dict():
    parts = nn.ModuleDict({"b": nn.ReLU(), "a": nn.Linear(1, 1)})
    parts.update([("c", nn.Tanh())])
    assert list(parts) == ["b", "a", "c"] and "a" in parts and len(parts) == 3
    assert isinstance(parts.pop("c"), nn.Tanh) and list(parts.keys()) == ["b", "a"]
    assert [n for n, _ in parts.named_parameters()] == ["a.weight", "a.bias"]
    parts.clear()
    assert not len(parts)


def test_parameter_list():
    held = nn.ParameterList([dv.ones(2, 3), nn.Parameter(dv.zeros(1)), "text"])
    assert [n for n, _ in held.named_parameters()] == ["0", "1"] and held[2] == "text" and len(held[:2]) == 2
    held += [dv.ones(1)]
    held[0] = dv.zeros(4)
    assert isinstance(held[-1], nn.Parameter) and tuple(held[0].shape) == (4,)
    assert "(2): Object of type: str" in repr(held) and "(0): Parameter containing: [dovetail.float32 of size 4]" in repr(held)


def test_parameter_dict():
    held = nn.ParameterDict({"b": dv.ones(2)})
    held["a"] = dv.zeros(1)
    assert list(held) == ["b", "a"] and held.get("z") is None and list(reversed(held)) == ["a", "b"]
    more = held | nn.ParameterDict({"c": dv.ones(1)})
    assert list(more) == ["b", "a", "c"] and list(held.state_dict()) == ["b", "a"]
    assert held.popitem()[0] == "a" and "a" not in held and held.setdefault("n", dv.ones(1)).requires_grad


def test_data_parallel_wraps_one_device():
    layer = nn.Linear(2, 1)
    wrapped = nn.DataParallel(layer, device_ids=[0])
    x = dv.ones(3, 2)
    assert wrapped.module is layer and dv.equal(wrapped(x), layer(x))
    assert list(wrapped.state_dict()) == ["module.weight", "module.bias"]
    from dovetail.nn.modules.utils import consume_prefix_in_state_dict_if_present

    state = wrapped.state_dict()
    consume_prefix_in_state_dict_if_present(state, "module.")
    layer.load_state_dict(state)


def test_pieces_for_devices_and_back():
    x = {"x": dv.arange(4.0), "more": (dv.ones(2, 1), "a"), "none": None}
    first, second = nn.parallel.scatter(x, ["cpu", "cpu"])
    assert first["x"].tolist() == [0, 1] and second["x"].tolist() == [2, 3] and second["more"][1] == "a" and second["none"] is None
    joined = nn.parallel.gather([{"x": first["x"], "y": (first["more"][0],)}, {"x": second["x"], "y": (second["more"][0],)}], "cpu")
    assert joined["x"].tolist() == [0, 1, 2, 3] and joined["y"][0].shape == (2, 1) and nn.parallel.gather([None, None], "cpu") is None
    assert nn.parallel.gather([dv.tensor(1.0), dv.tensor(2.0)], "cpu").tolist() == [1, 2]
    layer = nn.Linear(1, 1)
    outs = nn.parallel.parallel_apply(nn.parallel.replicate(layer, ["cpu"]) * 2, [(dv.ones(1, 1),), dv.zeros(1, 1)])
    assert dv.equal(outs[0], layer(dv.ones(1, 1))) and dv.equal(outs[1], layer(dv.zeros(1, 1)))


def test_several_processes_need_a_process_group():
    with pytest.raises(ValueError, match="Default process group has not been initialized; it needs dovetail.distributed"):
        nn.parallel.DistributedDataParallel(nn.Linear(1, 1))
    assert not isinstance(nn.Linear(1, 1), nn.parallel.DistributedDataParallel)
