"""Tensor: the bare class of the engine with PyTorch's attributes, operators and methods bound to the ops, once.

The families in `dovetail.ops` say which of their functions are METHODS and which OPERATORS they serve. What is not an op
lives in `tensor_attributes.py`, `tensor_history.py` and `tensor_legacy.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import ops
from .autograd.node import CLASSES, Tensor, wrap
from .ops._call import operator, reflected
from .ops._prepare import NUMBERS
from .tensor_attributes import Attributes
from .tensor_history import History
from .tensor_legacy import LegacyMethods

__all__ = ["Tensor"]

_COMMUTE = {"add", "mul", "and", "or", "xor"}


def _equality(function: Callable[..., Any], otherwise: bool) -> Callable[..., Any]:
    """== and != answer a plain bool for what cannot be compared."""
    compare = operator(function.op)

    def equality(self: Any, other: Any) -> Any:
        found = compare(self, other)
        return otherwise if found is NotImplemented else found

    return equality


def _augmented(name: str) -> Callable[..., Any]:
    def assign(self: Any, other: Any) -> Any:
        if other.__class__ not in CLASSES and other.__class__ not in NUMBERS:
            if isinstance(other, np.generic):
                other = other.item()
            elif isinstance(other, np.ndarray):
                other = wrap(other)
            else:
                return NotImplemented
        return getattr(self, name)(other)

    return assign


def _copy(members: type) -> None:
    for name, value in vars(members).items():
        if name not in ("__module__", "__dict__", "__weakref__", "__doc__", "__annotations__"):
            setattr(Tensor, name, value)


def _bind() -> None:
    """Put attributes, methods, in-place forms and operators on Tensor."""
    for members in (Attributes, History, LegacyMethods):
        _copy(members)
    for name, method in ops.METHODS.items():
        setattr(Tensor, name, method)
    for dunder, function in ops.OPERATORS.items():
        if dunder in ("neg", "pos", "invert", "abs"):
            setattr(Tensor, f"__{dunder}__", function)
        elif dunder in ("eq", "ne"):
            setattr(Tensor, f"__{dunder}__", _equality(function, dunder == "ne"))
        else:
            forward = operator(function.op)
            setattr(Tensor, f"__{dunder}__", forward)
            if dunder not in ("lt", "le", "gt", "ge"):
                setattr(Tensor, f"__r{dunder}__", forward if dunder in _COMMUTE else reflected(function.op))
            if dunder not in ("lt", "le", "gt", "ge", "matmul"):  # x @= y is x = x @ y
                setattr(Tensor, f"__i{dunder}__", _augmented(f"{_METHOD_OF.get(dunder, dunder)}_"))
    Tensor.__hash__ = object.__hash__


_METHOD_OF = {
    "truediv": "div", "floordiv": "floor_divide", "mod": "remainder", "and": "bitwise_and", "or": "bitwise_or",
    "xor": "bitwise_xor", "lshift": "bitwise_left_shift", "rshift": "bitwise_right_shift",
}  # fmt: skip

_bind()
