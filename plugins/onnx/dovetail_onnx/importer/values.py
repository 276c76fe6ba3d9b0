"""What flows along the edges of an ONNX graph, and how it becomes tensors, arrays and Python numbers.

A value is a tensor; an array where Dovetail has no such element type (strings, 4-bit integers), or has it with other rules (float8, which
ONNX saturates and PyTorch does not); a list for a sequence; or None for an optional without content.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import dovetail as dv
from dovetail.errors import TypeMismatch, UnsupportedError

__all__ = ["arrays", "dtype", "integers", "number", "numbers", "tensors"]


def tensors(value: Any) -> Any:
    """An array, or arrays in lists, as tensors where Dovetail has the type."""
    if isinstance(value, list | tuple):
        return [tensors(item) for item in value]
    if value is None or isinstance(value, dv.Tensor):
        return value
    array = np.asarray(value)
    if array.dtype.kind in "OUS" or array.dtype.name.startswith("float8"):
        return array
    try:
        return dv.from_numpy(array if array.flags.writeable and array.flags.c_contiguous else np.array(array, order="C"))
    except TypeError:
        return array


def arrays(value: Any) -> Any:
    """A tensor, or tensors in lists, as arrays."""
    if isinstance(value, list | tuple):
        return [arrays(item) for item in value]
    if isinstance(value, dv.Tensor):
        return value.detach().cpu().numpy()
    return value


def integers(value: Any) -> list[int]:
    """The whole numbers in a tensor or an attribute, as a list: shapes, axes, pads."""
    if isinstance(value, dv.Tensor):
        return [int(item) for item in value.detach().cpu().numpy().reshape(-1).tolist()]  # read, without an op
    return [int(value)] if isinstance(value, int) else [int(item) for item in value]


def numbers(value: Any) -> list[float]:
    """The numbers in a tensor or an attribute, as a list."""
    if isinstance(value, dv.Tensor):
        return [float(item) for item in value.reshape(-1).tolist()]
    return [float(item) for item in value]


def number(value: Any) -> Any:
    """The one number in a tensor or an attribute."""
    return value.item() if isinstance(value, dv.Tensor) else value


def dtype(code: int | str) -> Any:
    """Dovetail's type for ONNX's number or, as opsets before 6 have it, name. UnsupportedError for types without tensors."""
    from onnx import TensorProto, helper

    number = getattr(TensorProto, code, 0) if isinstance(code, str) else code
    try:
        kind = np.dtype(helper.tensor_dtype_to_np_dtype(number))
        if kind.kind in "OUS" or kind.name.startswith("float8"):
            raise TypeMismatch("dtype", f"{kind.name} is no type of tensors here")
        return dv.from_numpy(np.zeros((), kind)).dtype
    except (KeyError, TypeError) as error:
        name = TensorProto.DataType.Name(number) if number in TensorProto.DataType.values() else code
        raise UnsupportedError("onnx", f"tensors cannot have the element type {name}") from error
