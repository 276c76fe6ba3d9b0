"""Refusals that several families of ops share: element types, zero divisors, several dimensions where none may be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..autograd.node import ASKED, CLASSES
from ..errors import DovetailError, DtypeError, GradError, NotATensor, RangeError, TypeMismatch

__all__ = [
    "DivisionByZero", "NotForType", "fits", "flags", "floats_only", "integers_only", "listing", "native", "no_bools", "no_zeros",
    "not_for", "ordered", "refuse_scalar", "refuse_types", "tensors", "type_name", "underived", "whole_numbers",
]  # fmt: skip

_NAMES = {
    "float32": "Float", "float64": "Double", "float16": "Half", "int64": "Long", "int32": "Int", "int16": "Short", "int8": "Char",
    "uint8": "Byte", "bool": "Bool", "complex64": "ComplexFloat", "complex128": "ComplexDouble", "bfloat16": "BFloat16",
}  # fmt: skip


class NotForType(DtypeError, NotImplementedError):
    """An element type that the op is not implemented for; PyTorch raises a NotImplementedError (a RuntimeError)."""


class DivisionByZero(DovetailError, RuntimeError):
    """An integer division by zero; PyTorch raises a RuntimeError."""


class Underived(GradError, NotImplementedError):
    """A derivative that PyTorch has not either; it raises a RuntimeError, in places a NotImplementedError."""


def underived(name: str) -> Callable[[Any], Any]:
    """The gradient rule of an op that has none, as in PyTorch: its results require one, and asking for it is an error."""

    def rule(g: Any) -> Any:
        raise Underived(name, f"derivative for aten::{name} is not implemented")

    return rule


def type_name(dtype: Any) -> str:
    """PyTorch's capital name of a NumPy type: ``Long``, ``Float``, ``Bool``."""
    return _NAMES.get(np.dtype(dtype).name, np.dtype(dtype).name)


def not_for(op: str, dtype: Any, expected: str) -> NotForType:
    """The error of an op that has no loop for this type."""
    return NotForType(op, f'"{op}_cpu" not implemented for {type_name(dtype)!r}', f"expected {expected}", "convert the tensor first")


def _only(kinds: str, expected: str) -> Callable[[str, Any], None]:
    """A check that refuses, in the name of an op, an array whose kind of type is none of these."""

    def check(op: str, a: Any) -> None:
        if a.dtype.kind not in kinds:
            raise not_for(op, a.dtype, expected)

    return check


no_bools = _only("iufcV", "a number type")  # V is bfloat16
integers_only = _only("iub", "an integer type")
whole_numbers = _only("iu", "an integer type")
floats_only = _only("fcV", "a floating-point type")
ordered = _only("iufbV", "numbers that have an order")


def no_zeros(op: str, divisor: Any) -> None:
    """Refuse an integer divisor that holds a zero. On a GPU nothing is checked, as in PyTorch: that would wait for it."""
    on_host = divisor.__class__ is np.ndarray or not hasattr(divisor, "dtype")
    if on_host and not np.all(divisor):
        raise DivisionByZero(op, "ZeroDivisionError (the divisor holds a zero)", "integers divide by nonzero numbers only")


def native(x: Any) -> Any:
    """A scalar of NumPy's as a number of Python's; a bool or long double is a float, as PyTorch takes it."""
    return float(x) if x.dtype.char in "?g" else x.item()


def fits(where: str, value: Any, dtype: Any) -> Any:
    """A number as a type holds it: whole among integers, a negative one wrapped around if unsigned. Refuses what does not fit."""
    kind, value = dtype.kind, native(value) if isinstance(value, np.generic) else value
    if kind in "iu":
        low, most = np.iinfo(dtype).min, np.iinfo(dtype).max
        bad = value != value or value.imag != 0 or not (low if low or isinstance(value, float) else -most) <= value.real <= most
    else:
        size = value.real if value.real > 0 else -value.real
        bad = (kind == "f" and dtype.itemsize == 2 and 65504 < size < np.inf) or (value.imag != 0 and kind in "fV")
    if bad:
        what = {"float16": "at::Half"}.get(dtype.name, f"{dtype.name}_t")
        raise DtypeError(where, f"value cannot be converted to type {what} without overflow (value {value})", f"the tensor is {dtype}")
    return int(value.real) & (-1 if low else most) if kind in "iu" else value


def flags(where: str, **arguments: Any) -> None:
    """Refuse numbers where True or False belongs."""
    for name, value in arguments.items():
        if not isinstance(value, bool | np.bool_):
            raise TypeMismatch(f"{where}()", f"argument {name!r} must be bool, not {type(value).__name__}")


def tensors(where: str, **arguments: Any) -> None:
    """Refuse arguments that are no tensors."""
    for name, value in arguments.items():
        if value.__class__ not in CLASSES and value.__class__ not in ASKED:
            raise NotATensor(f"{where}()", f"argument {name!r} must be Tensor, not {type(value).__name__}")


def refuse_types(where: str, x: Any, kinds: str) -> None:
    """Refuse types that PyTorch does not take there: `kinds` are NumPy's letters, "b" for bool, "iu" for integers."""
    if x.dtype.kind in kinds:
        what = f"\"{where}\" not implemented for '{type_name(x.dtype)}'"
        raise NotForType(where, what, "expected a floating-point type", "convert with .float()")


def refuse_scalar(where: str, x: Any) -> None:
    """Refuse a 0-d array with an IndexError, as PyTorch does."""
    if not x.ndim:
        raise RangeError(where, "Dimension out of range: the input has no dimensions")


def listing(shape: Sequence[int]) -> str:
    """A shape as PyTorch's messages write it: ``[8, 3, 32, 32]``."""
    return f"[{', '.join(map(str, shape))}]"
