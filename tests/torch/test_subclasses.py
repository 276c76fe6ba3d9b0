"""Subclasses of Tensor with a ``__torch_function__`` of their own: who is asked, with what, and what comes out."""

from __future__ import annotations

import copy
import threading

import numpy as np
import pytest

import dovetail as dv
from dovetail.errors import TypeMismatch
from dovetail_torch.faces import internals

ASKED: list[str] = []


class Logged(dv.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        ASKED.append(func.__name__)
        return super().__torch_function__(func, types, args, kwargs or {})


class Refusing(dv.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        if func in (dv.add, dv.Tensor.add):
            return "added"
        return "joined" if func is dv.cat else NotImplemented


class Tagged(dv.Tensor):
    def __new__(cls, data, tag=None):
        out = dv.as_tensor(data).as_subclass(cls)
        out.tag = tag
        return out

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        out = super().__torch_function__(func, types, args, kwargs or {})
        if isinstance(out, Tagged):
            out.tag = next(a.tag for a in args if isinstance(a, Tagged))
        return out


class Plain(dv.Tensor):
    __torch_function__ = internals._disabled_torch_function_impl


@pytest.fixture
def x():
    ASKED.clear()
    return dv.tensor([1.0, 2.0]).as_subclass(Logged)


@pytest.mark.parametrize(
    ("call", "name", "expected"),
    [
        (lambda x: x + 1, "add", [2, 3]),
        (lambda x: x + x, "add", [2, 4]),
        (lambda x: 1 + x, "add", [2, 3]),
        (lambda x: dv.ones(2) - x, "sub", [0, -1]),
        (lambda x: dv.eye(2) @ x, "matmul", [1, 2]),
        (lambda x: dv.exp(x).log(), "exp", [1, 2]),
        (lambda x: dv.cat([dv.ones(1), x]), "cat", [1, 1, 2]),
        (lambda x: dv.stack((x, x)), "stack", [[1, 2], [1, 2]]),
        (lambda x: x.sum(), "sum", 3),
        (lambda x: x[1:], "getitem", [2]),
        (lambda x: x.max(0).values, "max", 2),
        (lambda x: x.detach(), "detach", [1, 2]),
        (lambda x: x.clamp(min=1.5), "clamp", [1.5, 2]),
        (lambda x: x.repeat(2), "_repeat", [1, 2, 1, 2]),
        (lambda x: dv.add(x, dv.ones(2), alpha=2), "add", [3, 4]),
        (lambda x: dv.sum(input=x, dim=0), "sum", 3),
        (lambda x: dv.nn.functional.relu(-x), "neg", [0, 0]),
        (lambda x: dv.nn.functional.linear(x, dv.eye(2)), "linear", [1, 2]),
        (lambda x: x.add_(1), "add_", [2, 3]),
    ],
)
def test_functions_operators_and_methods_ask_and_keep_the_class(x, call, name, expected):
    out = call(x)
    assert ASKED[0] == name and type(out) is Logged
    np.testing.assert_allclose(out.numpy(), expected, rtol=1e-6)


def test_assignments_reach_the_tensor_itself(x):
    x[0] = 5
    x[1:] = dv.ones(1)
    x *= 2
    assert type(x) is Logged and x.tolist() == [10, 2] and ASKED == ["__setitem__", "__setitem__", "mul"]


def test_gradients_flow_and_are_plain():
    leaf = dv.tensor([1.0, 2.0]).as_subclass(Logged).requires_grad_()
    (leaf * leaf).sum().backward()
    assert type(leaf.grad) is dv.Tensor and leaf.grad.tolist() == [2, 4]


def test_only_public_functions_are_compared_with():
    t = dv.ones(2).as_subclass(Refusing)
    assert t + 1 == "added" and dv.add(dv.ones(2), t) == "added" and dv.cat([t]) == "joined"
    with pytest.raises(TypeError, match="no implementation found on types that implement __torch_function__: Refusing"):
        dv.exp(t)


def test_what_a_class_adds_survives_and_its_constructor_has_parameters_of_its_own():
    t = Tagged([1.0, 2.0], tag="depth")
    assert (t * 2).tag == "depth" and t.sum().tag == "depth" and copy.deepcopy(t).tag == "depth"
    with pytest.raises(TypeMismatch, match="got an unexpected keyword argument 'tag'"):
        dv.Tensor([1.0], tag=1)


def test_a_block_and_a_class_in_which_nobody_is_asked(x):
    with internals.DisableTorchFunctionSubclass():
        assert type(x + 1) is dv.Tensor
    assert not ASKED and type(x + 1) is Logged
    assert type(dv.ones(2).as_subclass(Plain) + 1) is dv.Tensor


def test_the_repr_names_the_class(x):
    assert repr(x) == "Logged([1., 2.])" and repr(dv.nn.Parameter(x)) == "Parameter containing:\ntensor([1., 2.], requires_grad=True)"


def test_classes_of_another_family_are_not_mixed(x):
    with pytest.raises(TypeError, match="no implementation found"):
        x * dv.ones(2).as_subclass(Tagged)


def test_the_block_ends_though_an_error_leaves_it(x):
    with pytest.raises(ZeroDivisionError), internals.DisableTorchFunctionSubclass():
        raise ZeroDivisionError
    worker = threading.Thread(target=lambda: ASKED.append(type(x + 1).__name__))
    worker.start()
    worker.join()
    assert ASKED[-1] == "Logged"


def test_what_lies_below_torch_c_is_refused():
    with pytest.raises(AttributeError, match=r"torch\._C\._TensorImpl: this is internal to PyTorch; use a public name"):
        internals._TensorImpl
