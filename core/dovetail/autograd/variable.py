"""Variable: PyTorch's old wrapper, still found in live programs."""

from __future__ import annotations

from typing import Any

from ..errors import TypeMismatch
from .node import CLASSES, Tensor

__all__ = ["Variable"]


class _Meta(type):
    """Every tensor is a Variable, and making one gives a tensor."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return instance.__class__ in CLASSES

    def __call__(cls, data: Tensor, requires_grad: bool = False, volatile: bool = False) -> Any:
        if data.__class__ not in CLASSES:
            raise TypeMismatch("Variable", f"Variable data has to be a tensor, but got {type(data).__name__}")
        return data.detach().requires_grad_(requires_grad)


class Variable(metaclass=_Meta):
    """A tensor of the same memory, without the history.

    >>> import dovetail as dv
    >>> Variable(dv.ones(1)), isinstance(dv.ones(1), Variable)
    (tensor([1.]), True)
    """
