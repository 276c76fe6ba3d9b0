"""Array helpers that NumPy and CuPy spell differently."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from dovetail_numerics.memoryless import Memoryless

from ..device import xp
from ..errors import DtypeError
from ._refuse import type_name

__all__ = ["add_rows", "broadcast", "check_index", "same_type", "scatter_add", "scatter_at", "strided"]

_FULL = slice(None)


class _Face:
    """What NumPy needs to know of the memory that `strided` looks at."""

    __slots__ = ("__array_interface__", "base")


def strided(a: Any, shape: Any, strides: Any) -> Any:
    """A view of the array's memory, from its first element, with another shape and other strides (in bytes)."""
    if a.__class__ is not np.ndarray:
        return xp(a).lib.stride_tricks.as_strided(a, shape, strides)
    face = _Face()
    face.__array_interface__ = {**a.__array_interface__, "shape": tuple(shape), "strides": tuple(strides)}
    face.base = a
    out = np.asarray(face)
    return out if out.dtype == a.dtype else out.view(a.dtype)


def broadcast(a: Any, shape: tuple[int, ...]) -> Any:
    """Repeat along dimensions of size 1 by strides of 0; unlike NumPy's own, the view is writable."""
    ahead = len(shape) - a.ndim
    strides = [0] * ahead
    for s, n, m in zip(a.strides, a.shape, shape[ahead:], strict=True):
        if n != m and n != 1:
            raise ValueError(f"cannot broadcast shape {tuple(a.shape)} to {tuple(shape)}")
        strides.append(s if n == m else 0)
    return strided(a, shape, strides)


def check_index(index: Any, size: int) -> bool:
    """Whether every element is in ``[0, size)``; on a GPU this is not looked at, as it would wait for it."""
    if index.__class__ is not np.ndarray or index.size == 0:
        return True
    if index.dtype == np.int64:
        return bool(index.view(np.uint64).max() < size)  # a negative number is a large one without its sign
    return bool(index.min() >= 0 and index.max() < size)


def same_type(where: str, text: str, a: Any, b: Any) -> None:
    """Refuse an array `b` of another type than `a`; the text has a place for each of their names."""
    if getattr(b, "dtype", a.dtype) != a.dtype:
        raise DtypeError(where, text.format(type_name(a.dtype), type_name(b.dtype)))


def scatter_at(how: str, target: Any, index: Any, values: Any) -> None:
    """Combine values with what is at an index, in place, as often as an element is indexed.

    `how` names the function: add, multiply, maximum or minimum.
    """
    if target.__class__ is Memoryless:
        return
    module = xp(target)
    parts = index if index.__class__ is tuple else (index,)
    if module is np and target.flags.c_contiguous and all(_simple(p) for p in parts):
        at = places(target.shape, parts)
        values = np.asarray(values, target.dtype)
        values = values if values.shape == at.shape else np.broadcast_to(values, at.shape)
        getattr(np, how).at(target.reshape(-1), at.reshape(-1), values.reshape(-1))  # 4 to 8 times as fast
    elif module is not np and how == "multiply":
        _multiply_gpu(target, index, values)
    elif module is not np and target.dtype.itemsize < 4 and (how != "add" or target.dtype.kind in "iub"):  # CUDA has no such atomics
        wide = target.astype("int32" if target.dtype.kind in "iub" else "float32")
        getattr(module, how).at(wide, index, values)
        target[...] = wide.astype(target.dtype)
    else:
        getattr(module, how).at(target, index, values)


scatter_add = functools.partial(scatter_at, "add")


def _simple(part: Any) -> bool:
    return part.dtype.kind == "i" if part.__class__ is np.ndarray else part.__class__ is slice and part == _FULL


def places(shape: tuple[int, ...], parts: tuple[Any, ...]) -> Any:
    """The flat places of what full slices and integer arrays address, laid out as the indexed result is."""
    steps = [math.prod(shape[d + 1 :]) for d in range(len(shape))]
    at = [d for d, p in enumerate(parts) if p.__class__ is not slice]
    chosen = sum(_from_front(parts[d].astype(np.int64, copy=False), shape[d]) * steps[d] for d in at)
    first = at[0] if at[-1] - at[0] + 1 == len(at) else 0  # where NumPy puts the dimensions of the index arrays

    numbers = [np.arange(n) * step for n, step in zip(shape, steps, strict=True)]
    before = [numbers[d] for d in range(first) if d not in at]
    after = [numbers[d] for d in range(first, len(shape)) if d not in at]
    return functools.reduce(np.add.outer, [*before, chosen, *after])


def _from_front(index: Any, n: int) -> Any:
    return np.where(index < 0, index + n, index) if index.size and index.min() < 0 else index


def _multiply_gpu(target: Any, index: Any, values: Any) -> None:
    """CUDA has no atomic product: the first element of each place, then the second, and so on."""
    module = xp(target)
    at = module.arange(target.size).reshape(target.shape)[index]
    order = at.reshape(-1).argsort()
    flat = at.reshape(-1)[order]
    turn = module.arange(flat.size) - module.searchsorted(flat, flat)
    values = module.broadcast_to(module.asarray(values, target.dtype), at.shape).reshape(-1)[order]
    for k in range(int(turn.max().item()) + 1):
        now = turn == k
        place = module.unravel_index(flat[now], target.shape)
        target[place] = target[place] * values[now]


def add_rows(target: Any, index: Any, values: Any) -> None:
    """Add row k of `values` (M, D) to row index[k] of `target` (V, D), in place.

    Into few rows this is a product with one-hot rows, which BLAS does faster.
    """
    if target.__class__ is np.ndarray and target.shape[0] <= 128 and values.dtype.char in "fd":
        hot = np.zeros((target.shape[0], index.size), values.dtype)
        hot[index, np.arange(index.size)] = 1
        target += hot @ values
    else:
        scatter_add(target, index, values)
