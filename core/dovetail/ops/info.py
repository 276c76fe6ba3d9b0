"""Questions about tensors and types, and the settings of the process."""

from __future__ import annotations

import os
from typing import Any

from ..autograd.node import CLASSES, Tensor
from ..device import CPU, Device, default, to_device
from ..dtypes import dtype, from_numpy_dtype, result_dtype
from ..errors import TypeMismatch, ValueRangeError
from ._refuse import tensors

__all__ = [
    "get_default_device", "get_float32_matmul_precision", "get_num_threads", "is_complex", "is_floating_point", "is_nonzero",
    "is_tensor", "numel", "result_type", "set_default_device", "set_float32_matmul_precision", "set_num_threads",
]  # fmt: skip


def is_tensor(obj: object) -> bool:
    """Whether an object is a Tensor.

    >>> import dovetail as dv
    >>> dv.is_tensor(dv.ones(1)), dv.is_tensor([1])
    (True, False)
    """
    return isinstance(obj, Tensor)


def is_floating_point(input: Any) -> bool:
    """Whether a tensor's element type is floating.

    >>> import dovetail as dv
    >>> dv.is_floating_point(dv.ones(1))
    True
    """
    tensors("is_floating_point", input=input)
    return from_numpy_dtype(input._a.dtype).is_floating_point


def is_complex(input: Any) -> bool:
    """Whether a tensor's element type is complex.

    >>> import dovetail as dv
    >>> dv.is_complex(dv.ones(1))
    False
    """
    tensors("is_complex", input=input)
    return from_numpy_dtype(input._a.dtype).is_complex


def is_nonzero(input: Any) -> bool:
    """Whether the one element of a tensor is not zero. Raises a RuntimeError for several elements.

    >>> import dovetail as dv
    >>> dv.is_nonzero(dv.tensor(2.))
    True
    """
    return bool(input)


def numel(input: Any) -> int:
    """The number of elements of a tensor.

    >>> import dovetail as dv
    >>> dv.numel(dv.ones(2, 3))
    6
    """
    tensors("numel", input=input)
    return int(input._a.size)


def result_type(tensor1: Any, tensor2: Any) -> dtype:
    """The type that an operation on these tensors or numbers gives.

    >>> import dovetail as dv
    >>> dv.result_type(dv.tensor([1]), 1.0)
    dovetail.float32
    """
    return result_dtype([x._a if x.__class__ in CLASSES else x for x in (tensor1, tensor2)])


def set_default_device(device: Any) -> None:
    """Make new tensors on this device when none is named; None means the CPU.

    >>> import dovetail as dv
    >>> dv.set_default_device("cpu")
    """
    default.device = CPU if device is None else to_device(device)


def get_default_device() -> Device:
    """The device on which new tensors are made.

    >>> import dovetail as dv
    >>> dv.get_default_device()
    device(type='cpu')
    """
    return default.device


_settings: dict[str, Any] = {"threads": 0, "precision": "highest"}


def get_num_threads() -> int:
    """How many threads native kernels use: what was set, OMP_NUM_THREADS, or the number of cores.

    >>> import dovetail as dv
    >>> dv.get_num_threads() >= 1
    True
    """
    named = os.environ.get("OMP_NUM_THREADS", "")
    return _settings["threads"] or (int(named) if named.isdecimal() and int(named) else os.cpu_count() or 1)


def set_num_threads(num: int) -> None:
    """Set how many threads native kernels use. NumPy's BLAS keeps what its environment variable said at start.

    >>> import dovetail as dv
    >>> dv.set_num_threads(dv.get_num_threads())
    """
    if not isinstance(num, int) or isinstance(num, bool):
        raise TypeMismatch("set_num_threads", f"expects an int, but got {type(num).__name__}")
    if num <= 0:
        raise ValueRangeError("set_num_threads", f"expects a positive integer, got {num}")
    _settings["threads"] = num


def get_float32_matmul_precision() -> str:
    """What `set_float32_matmul_precision` was told; float32 products are always computed in float32.

    >>> import dovetail as dv
    >>> dv.get_float32_matmul_precision()
    'highest'
    """
    return str(_settings["precision"])


def set_float32_matmul_precision(precision: str) -> None:
    """Accept 'highest', 'high' or 'medium'; float32 products stay exact whatever is allowed.

    >>> import dovetail as dv
    >>> dv.set_float32_matmul_precision("highest")
    """
    if precision not in ("highest", "high", "medium"):
        raise ValueRangeError("set_float32_matmul_precision", f"got {precision!r}", "expected 'highest', 'high' or 'medium'")
    _settings["precision"] = precision
