"""Refusals that several families of ops share: element types, zero divisors, several dimensions where none may be."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd.node import CLASSES
from ..errors import DovetailError, DtypeError, NotATensor, TypeMismatch

__all__ = [
    "DivisionByZero", "NotForType", "fits", "flags", "floats_only", "integers_only", "no_bools", "no_zeros", "not_for",
    "tensors",
    "type_name",
]  # fmt: skip

_NAMES = {
    "float32": "Float", "float64": "Double", "float16": "Half", "int64": "Long", "int32": "Int", "int16": "Short", "int8": "Char",
    "uint8": "Byte", "bool": "Bool", "complex64": "ComplexFloat", "complex128": "ComplexDouble", "bfloat16": "BFloat16",
}  # fmt: skip


class NotForType(DtypeError, NotImplementedError):
    """An element type that the op is not implemented for; PyTorch raises a NotImplementedError (a RuntimeError)."""


class DivisionByZero(DovetailError, RuntimeError):
    """An integer division by zero; PyTorch raises a RuntimeError."""


def type_name(dtype: Any) -> str:
    """PyTorch's capital name of a NumPy type: ``Long``, ``Float``, ``Bool``."""
    return _NAMES.get(np.dtype(dtype).name, np.dtype(dtype).name)


def not_for(op: str, dtype: Any, expected: str) -> NotForType:
    """The error of an op that has no loop for this type."""
    return NotForType(op, f'"{op}_cpu" not implemented for {type_name(dtype)!r}', f"expected {expected}", "convert the tensor first")


def _dtype(a: Any) -> Any:
    return a.dtype if hasattr(a, "dtype") else np.asarray(a).dtype


def no_bools(op: str, a: Any) -> None:
    """Refuse a bool array."""
    if _dtype(a).kind == "b":
        raise not_for(op, a.dtype, "a number type")


def integers_only(op: str, a: Any, bools: bool = True) -> None:
    """Refuse what is neither integer nor (unless told otherwise) bool."""
    if _dtype(a).kind not in ("iub" if bools else "iu"):
        raise not_for(op, _dtype(a), "an integer type")


def floats_only(op: str, a: Any) -> None:
    """Refuse integers and bools."""
    if _dtype(a).kind in "iub":
        raise not_for(op, _dtype(a), "a floating-point type")


def no_zeros(op: str, divisor: Any) -> None:
    """Refuse an integer divisor that holds a zero. On a GPU nothing is checked, as in PyTorch: that would wait for it."""
    on_host = divisor.__class__ is np.ndarray or not hasattr(divisor, "dtype")
    if on_host and not np.all(divisor):
        raise DivisionByZero(op, "ZeroDivisionError (the divisor holds a zero)", "integers divide by nonzero numbers only")


def fits(where: str, value: Any, dtype: Any) -> None:
    """Refuse a Python number that a type cannot hold."""
    kind = dtype.kind
    if kind in "iu":
        bad = value != value or not np.iinfo(dtype).min <= (value.real if isinstance(value, complex) else value) <= np.iinfo(dtype).max
    else:
        size = value.real if value.real > 0 else -value.real
        bad = dtype.name == "float16" and 65504 < size < np.inf
    if bad:
        what = {"float16": "at::Half"}.get(dtype.name, f"{dtype.name}_t")
        raise DtypeError(where, f"value cannot be converted to type {what} without overflow (value {value})", f"the tensor is {dtype}")


def flags(where: str, **arguments: Any) -> None:
    """Refuse numbers where True or False belongs."""
    for name, value in arguments.items():
        if not isinstance(value, bool | np.bool_):
            raise TypeMismatch(f"{where}()", f"argument {name!r} must be bool, not {type(value).__name__}")


def tensors(where: str, **arguments: Any) -> None:
    """Refuse arguments that are no tensors."""
    for name, value in arguments.items():
        if value.__class__ not in CLASSES:
            raise NotATensor(f"{where}()", f"argument {name!r} must be Tensor, not {type(value).__name__}")
