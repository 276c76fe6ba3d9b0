"""Sizes as a graph computes them: whole numbers in NumPy arrays, numbers and no tensors when a shape needs them."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

import dovetail as dv

__all__ = ["TABLE", "Host", "computed", "plain"]

# A shape has few numbers; longer arrays are data.
_MOST = 64


class Host:
    """A value that does not depend on the data, only on sizes. ``origin`` is the tensor it was read from, if any."""

    __slots__ = ("array", "origin")

    def __init__(self, array: Any, origin: Any = None) -> None:
        self.array, self.origin = np.asarray(array), origin

    @classmethod
    def of(cls, value: Any) -> Any:
        """A constant as a Host, where it could be part of a shape; as it is otherwise."""
        small = isinstance(value, dv.Tensor) and value.dtype in (dv.int64, dv.bool) and value.ndim < 2 and value.numel() <= _MOST
        return cls(value.cpu().numpy(), value) if small else value


def plain(value: Any) -> Any:
    """The value as a tensor."""
    if not isinstance(value, Host):
        return value
    return value.origin if value.origin is not None else dv.from_numpy(np.array(value.array))


def _slice(data: Any, starts: Any, ends: Any, axes: Any = None, steps: Any = None) -> Any:
    """Of one dimension, which is all that shapes have."""
    first, last, step = (int(np.reshape(one, -1)[0]) for one in (starts, ends, [1] if steps is None else steps))
    if data.ndim != 1 or step < 1:
        return None
    return data[first:last:step]


def _div(a: Any, b: Any) -> Any:
    return None if np.any(b == 0) else (np.sign(a) * np.sign(b) * (abs(a) // abs(b))).astype(a.dtype)


def _cast(data: Any, *, to: Any, **_: Any) -> Any:
    return data.astype(np.int64) if to == 7 else data.astype(bool) if to == 9 else None


def _range(start: Any, limit: Any, delta: Any) -> Any:
    return np.arange(start, limit, delta) if delta and abs(limit - start) // abs(delta) < _MOST else None


def _squeeze(data: Any, axes: Any = None) -> Any:
    return data.reshape([]) if data.shape == (1,) else None


#: Operator → what it does to such values; None where the call is better left to tensors.
TABLE: dict[str, Callable[..., Any]] = {
    "Identity": lambda x: x,
    "Cast": _cast,
    "Gather": lambda data, indices, *, axis=0: data[indices] if data.ndim == 1 else None,
    "Concat": lambda *parts, axis=1: np.concatenate(parts, axis),
    "Unsqueeze": lambda data, axes: data.reshape(1) if data.ndim == 0 else None,
    "Squeeze": _squeeze,
    "Reshape": lambda data, shape, *, allowzero=0: data.reshape(-1) if list(np.reshape(shape, -1)) == [-1] else None,
    "Slice": _slice,
    "Add": lambda A, B: A + B,
    "Sub": lambda A, B: A - B,
    "Mul": lambda A, B: A * B,
    "Div": _div,
    "Neg": lambda X: -X,
    "Min": lambda *data: reduce(np.minimum, data),
    "Max": lambda *data: reduce(np.maximum, data),
    "Equal": lambda A, B: A == B,
    "Where": lambda condition, X, Y: np.where(condition, X, Y),
    "ReduceProd": lambda data, axes=None, *, keepdims=1: np.full(
        (1,) * data.ndim if keepdims else (), math.prod(data.reshape(-1).tolist())
    ),
    "Range": _range,
}


def computed(name: str, values: list[Any], keywords: dict[str, Any]) -> Host | None:
    """The result on sizes, None where tensors are to compute it."""
    function = TABLE.get(name)
    if function is None or not all(isinstance(value, Host) for value in values if value is not None):
        return None
    try:
        found = function(*(None if value is None else value.array for value in values), **keywords)
    except (TypeError, ValueError, IndexError, KeyError):  # the operator's own function says what is wrong
        return None
    fits = found is not None and found.ndim < 2 and found.size <= _MOST and found.dtype in (np.int64, np.bool_)
    return Host(found) if fits else None
