"""Module: attributes, walks, modes, conversions, copies, errors."""

from __future__ import annotations

import copy

import pytest

import dovetail as dv
from dovetail import nn


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.second = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
        self.scale = nn.Parameter(dv.ones(1))
        self.register_buffer("kept", dv.zeros(2))
        self.register_buffer("loose", dv.zeros(2), persistent=False)

    def forward(self, x):
        return self.second(self.first(x)) * self.scale


def test_names_in_order():
    net = Net()
    expected = ["scale", "first.weight", "first.bias", "second.0.weight", "second.0.bias", "second.1.weight", "second.1.bias"]
    assert [n for n, _ in net.named_parameters()] == expected
    assert [n for n, _ in net.named_modules()] == ["", "first", "second", "second.0", "second.1"]
    assert [n for n, _ in net.named_children()] == ["first", "second"]
    assert [n for n, _ in net.named_buffers(recurse=False)] == ["kept", "loose"]
    assert "loose" not in net.state_dict() and "kept" in net.state_dict()


def test_assignment_moves_a_name_between_tables():
    net = Net()
    del net.scale
    net.scale = 2.0
    assert net.scale == 2.0 and "scale" not in net._parameters
    net.scale = nn.Parameter(dv.ones(1))
    assert "scale" in net._parameters and "scale" not in net.__dict__
    net.kept = dv.ones(2)
    assert net._buffers["kept"].sum().item() == 2
    net.first = None
    assert net.first is None and list(net.children()) == [net.second]
    net.fresh = nn.Buffer(dv.ones(1), persistent=False)
    assert "fresh" in net._buffers and "fresh" not in net.state_dict()


@pytest.mark.parametrize(
    ("act", "error", "text"),
    [
        (
            lambda m: setattr(m, "scale", dv.ones(1)),
            TypeError,
            "cannot assign 'dovetail.FloatTensor' as parameter 'scale' (nn.Parameter or None expected)",
        ),
        (
            lambda m: setattr(m, "first", dv.ones(1)),
            TypeError,
            "cannot assign 'dovetail.FloatTensor' as child module 'first' (nn.Module or None expected)",
        ),
        (lambda m: m.register_parameter("a.b", None), KeyError, "can't contain"),
        (lambda m: m.register_parameter("", None), KeyError, "can't be empty string"),
        (lambda m: m.register_parameter("train", None), KeyError, "attribute 'train' already exists"),
        (lambda m: m.register_parameter("new", dv.ones(1)), TypeError, "cannot assign 'dovetail.FloatTensor' object to parameter 'new'"),
        (lambda m: m.register_buffer("new", 1), TypeError, "cannot assign 'int' object to buffer 'new'"),
        (lambda m: m.add_module("new", 1), TypeError, "int is not a Module subclass"),
        (lambda m: m.missing, AttributeError, "'Net' object has no attribute 'missing'"),
        (lambda m: m.get_submodule("second.7"), AttributeError, "Sequential has no attribute `7`"),
        (lambda m: m.get_parameter("second.0.gone"), AttributeError, "Linear has no nn.Parameter `gone`"),
        (lambda m: m.train("yes"), ValueError, "training mode is expected to be boolean"),
        (lambda m: m.to(dv.int64), TypeError, "only accepts floating point or complex dtypes, but got desired dtype=dovetail.int64"),
        (lambda m: nn.Module()(1), NotImplementedError, 'Module [Module] is missing the required "forward" function'),
        (lambda m: nn.Linear(3), TypeError, "out_features"),
        (lambda m: nn.ReLU(False, True), TypeError, "positional argument"),
    ],
)
def test_errors(act, error, text):
    with pytest.raises(error) as caught:
        act(Net())
    assert text in str(caught.value.args[0])


def test_parameters_before_init_are_refused():
    class Early(nn.Module):
        def __init__(self):
            self.w = nn.Parameter(dv.ones(1))

    with pytest.raises(AttributeError, match=r"cannot assign parameters before Module.__init__\(\) call"):
        Early()


def test_a_shared_parameter_appears_once():
    net = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    net[1].weight = net[0].weight
    assert len(list(net.parameters())) == 3
    assert len(list(net.named_parameters(remove_duplicate=False))) == 4
    net(dv.ones(2, 3)).sum().backward()
    assert net[0].weight.grad is net[1].weight.grad


def test_modes_and_gradients():
    net = Net()
    assert net.eval() is net and not any(m.training for m in net.modules())
    assert net.train().second[1].training
    net(dv.randn(4, 3)).sum().backward()
    assert net.first.weight.grad is not None
    net.zero_grad()
    assert net.first.weight.grad is None
    net(dv.randn(4, 3)).sum().backward()
    net.zero_grad(set_to_none=False)
    assert float(net.first.weight.grad.abs().sum()) == 0.0
    assert not any(p.requires_grad for p in net.requires_grad_(False).parameters())


def test_conversion_keeps_identity_and_integers():
    net = Net()
    before = net.first.weight
    net(dv.randn(4, 3)).sum().backward()
    assert net.double() is net and net.first.weight is before
    assert before.dtype == dv.float64 and before.grad.dtype == dv.float64
    assert net.second[1].num_batches_tracked.dtype == dv.int64
    assert net.to(dv.float32)(dv.ones(2, 3)).dtype == dv.float32
    assert net.half().first.weight.dtype == dv.float16


def test_deepcopy_is_apart_and_trains():
    net = Net()
    twin = copy.deepcopy(net)
    twin.first.weight.data.zero_()
    assert float(net.first.weight.abs().sum()) > 0
    twin(dv.randn(4, 3)).sum().backward()
    assert twin.first.weight.grad is not None and net.first.weight.grad is None
    assert [n for n, _ in twin.named_buffers()] == [n for n, _ in net.named_buffers()]


def test_apply_visits_children_first():
    seen = []
    Net().apply(lambda m: seen.append(type(m).__name__))
    assert seen == ["Linear", "Linear", "BatchNorm1d", "Sequential", "Net"]


def test_repr_nests():
    class Outer(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(nn.Linear(1, 2), nn.ReLU())

        def extra_repr(self):
            return "a=1"

    assert repr(Outer()) == (
        "Outer(\n  a=1\n  (net): Sequential(\n    (0): Linear(in_features=1, out_features=2, bias=True)\n    (1): ReLU()\n  )\n)"
    )


def test_submodules_by_path():
    net = Net()
    assert net.get_submodule("second.1") is net.second[1]
    assert net.get_parameter("second.0.weight") is net.second[0].weight
    assert net.get_buffer("second.1.running_mean") is net.second[1].running_mean
    net.set_submodule("second.0", nn.Identity())
    assert isinstance(net.second[0], nn.Identity)


def test_functional_call_swaps_and_restores():
    from dovetail.func import functional_call
    from dovetail.nn.utils import stateless

    layer = nn.Linear(2, 1)
    own = layer.weight
    w = dv.ones(1, 2, requires_grad=True)
    out = functional_call(layer, {"weight": w, "bias": dv.zeros(1)}, (dv.ones(1, 2),))
    out.sum().backward()
    assert out.item() == 2.0 and w.grad.tolist() == [[1.0, 1.0]] and layer.weight is own and own.grad is None
    with pytest.raises(RuntimeError, match="unexpected keys \\['nope'\\]"):
        functional_call(layer, {"nope": w}, (dv.ones(1, 2),), strict=True)
    with pytest.raises(AttributeError, match="no"):
        functional_call(layer, {"no.weight": w}, (dv.ones(1, 2),))
    plain = nn.Linear(2, 1, bias=False)
    with_bias = functional_call(plain, {"weight": w, "bias": dv.ones(1), "nope": w}, (dv.ones(1, 2),))
    assert with_bias.item() == 3.0 and plain.bias is None and not hasattr(plain, "nope")
    with pytest.warns(FutureWarning, match="func.functional_call"):
        assert stateless.functional_call(layer, {"weight": w, "bias": dv.zeros(1)}, (dv.ones(1, 2),)).item() == 2.0


def test_call_super_init_reaches_the_next_class():
    class Next:
        def __init__(self, x):
            self.x = x

    class Both(nn.Module, Next):
        call_super_init = True

    assert Both(3).x == 3


class Pair(nn.Module):
    def forward(self, x, y=None):
        return x if y is None else len(x, y)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda net: net(), "Pair.forward() missing 1 required positional argument: 'x'"),
        (lambda net: net(1, 2, 3), "Pair.forward() takes from 2 to 3 positional arguments but 4 were given"),
        (lambda net: net(1, z=2), "Pair.forward() got an unexpected keyword argument 'z'"),
        (lambda net: nn.Sequential(net)(), "Sequential.forward() missing 1 required positional argument: 'input'"),
    ],
)
def test_arguments_that_forward_does_not_take(call, text):
    with pytest.raises(TypeError) as caught:
        call(Pair())
    takes = "(input)" if "Sequential" in text else "(x, y)"
    assert str(caught.value) == f"{text}; besides self, which is the module, it takes {takes}"


def test_a_type_error_inside_forward_is_left_as_it_is():
    net = Pair()
    with pytest.raises(TypeError) as caught:
        net([1], [2])
    assert type(caught.value) is TypeError and str(caught.value) == "len() takes exactly one argument (2 given)"
    net.forward = len
    with pytest.raises(TypeError) as caught:
        net([1], [2])
    assert type(caught.value) is TypeError and "besides self" not in str(caught.value)
