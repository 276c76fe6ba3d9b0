"""Objects with ``__torch_function__`` beside tensors, and tensors that have no array."""

from __future__ import annotations

import functools

import pytest

import dovetail as dv
from dovetail.errors import NotATensor
from dovetail.extend import OtherTensor

HANDLED = {}


class Diagonal:
    """PyTorch's own example: n times one value."""

    def __init__(self, n, value):
        self.n, self.value = n, value

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        if function not in HANDLED or not all(issubclass(t, dv.Tensor | Diagonal) for t in types):
            return NotImplemented
        return HANDLED[function](*args, **(kwargs or {}))


def handles(function):
    def keep(mine):
        HANDLED[function] = functools.wraps(function)(mine)
        return mine

    return keep


@handles(dv.mean)
def mean(input):
    return input.value / input.n


@handles(dv.mm)
def mm(input, mat2):
    return ("mm", type(input).__name__, type(mat2).__name__)


@handles(dv.nn.functional.linear)
def linear(input, weight, bias=None):
    return "linear"


@handles(dv.relu)
def relu(input):
    return "relu"


def test_functions_ask_the_argument():
    d = Diagonal(5, 2)
    assert dv.mean(d) == 0.4 and dv.relu(d) == "relu" and dv.nn.functional.linear(dv.ones(2, 2), d) == "linear"
    assert dv.mm(d, dv.eye(5)) == ("mm", "Diagonal", "Tensor") and dv.mm(dv.eye(5), mat2=d) == ("mm", "Tensor", "Diagonal")


def test_where_nobody_answers_it_is_a_type_error():
    with pytest.raises(TypeError, match=r"exp\(\): no implementation found on types that implement __torch_function__: Diagonal"):
        dv.exp(Diagonal(2, 3))
    with pytest.raises(TypeError, match="must be Tensor, not str"):
        dv.mm(dv.ones(1, 1), "x")


def test_subclasses_are_asked_before_their_bases():
    class Half(Diagonal):
        @classmethod
        def __torch_function__(cls, function, types, args=(), kwargs=None):
            return f"half of {function.__name__}, {[t.__name__ for t in types]}"

    assert dv.mm(Diagonal(2, 1), Half(2, 1)) == "half of mm, ['Diagonal', 'Half']"


class Named(OtherTensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        return function.__name__, len(args)


class Nothing:
    shape, ndim, dtype = (2,), 1, dv.float32.np

    def __getattr__(self, name):
        raise NotATensor("Named", f"it has no {name}")


def test_tensors_without_an_array_take_part_in_functions_methods_and_lists():
    t = Named(Nothing())
    assert isinstance(t, dv.Tensor) and dv.is_tensor(t) and not t.requires_grad
    assert dv.sin(t) == ("sin", 1) and dv.cat([t, t]) == ("_cat", 2) and dv.ones(2).add_(t) == ("add_", 2)
