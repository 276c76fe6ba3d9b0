"""Tensor: the bare class of the engine with PyTorch's attributes, operators and methods bound to the ops, once.

The families in `dovetail.ops` say which of their functions are METHODS and which OPERATORS they serve. What is not an op
lives in `tensor_attributes.py`, `tensor_history.py` and `tensor_legacy.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import ops
from .autograd.node import CLASSES, Tensor
from .errors import TypeMismatch
from .ops._call import operand, operator, reflected
from .ops._prepare import NUMBERS
from .tensor_attributes import Attributes
from .tensor_history import History
from .tensor_legacy import LegacyMethods

__all__ = ["Tensor"]

_COMMUTE = {"add", "mul", "and", "or", "xor"}


def _augmented(name: str) -> Callable[..., Any]:
    def assign(self: Any, other: Any) -> Any:
        if other.__class__ not in CLASSES and other.__class__ not in NUMBERS:
            other = operand(other)
        return other if other is NotImplemented else getattr(self, name)(other)

    return assign


def _inverted(self: Any) -> Any:
    if self._a.dtype.kind not in "iub":
        raise TypeMismatch("~", "(operator.invert) is only implemented on integer and Boolean-type tensors", f"got {self.dtype}")
    return ops.OPERATORS["invert"](self)


def _bind() -> None:
    """Put attributes, methods, in-place forms and operators on Tensor."""
    bound: dict[str, Any] = {}
    for members in (Attributes, History, LegacyMethods):
        bound |= vars(members)
    for name in ("__module__", "__dict__", "__weakref__", "__doc__", "__annotations__"):
        bound.pop(name, None)
    bound |= ops.METHODS
    for name, function in ops.OPERATORS.items():
        if name == "invert":
            bound["__invert__"] = _inverted
        elif name in ("neg", "pos", "abs"):
            bound[f"__{name}__"] = function
        else:
            bound[f"__{name}__"] = operator(function.op)
            if name not in ("eq", "ne", "lt", "le", "gt", "ge"):  # Python asks the other operand itself
                bound[f"__r{name}__"] = bound[f"__{name}__"] if name in _COMMUTE else _REFLECTED.get(name) or reflected(function.op)
                if name != "matmul":  # x @= y is x = x @ y
                    bound[f"__i{name}__"] = _augmented(f"{_METHOD_OF.get(name, name)}_")
    for name, value in bound.items():
        setattr(Tensor, name, value)
    Tensor.__hash__, Tensor.__module__ = object.__hash__, "dovetail"


_REFLECTED = {"truediv": lambda self, other: self.reciprocal().__mul__(other)}  # PyTorch's, to the last digit
_METHOD_OF = {
    "truediv": "div", "floordiv": "floor_divide", "mod": "remainder", "and": "bitwise_and", "or": "bitwise_or",
    "xor": "bitwise_xor", "lshift": "bitwise_left_shift", "rshift": "bitwise_right_shift",
}  # fmt: skip

_bind()
