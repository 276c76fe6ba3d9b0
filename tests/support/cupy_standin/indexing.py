"""CuPy's indexing: out-of-range index arrays wrap around, repeated indices store in no set order."""

from __future__ import annotations

from typing import Any

import numpy as np

from .array import SCALARS, ndarray, to_device, unwrap, wrap
from .state import state

__all__ = ["getitem", "put", "scatter", "setitem", "take"]

_ADD = "int32 int64 float16 float32 float64 uint32 uint64"
_EXTREME = "int32 int64 float32 float64 uint32 uint64"
_BITS = "int32 int64 uint32 uint64"
# What CuPy's atomic operations support, where an index array is among the indices.
ATOMIC = {
    "add": _ADD, "subtract": "int32 uint32", "maximum": _EXTREME, "minimum": _EXTREME,
    "bitwise_and": _BITS, "bitwise_or": _BITS, "bitwise_xor": _BITS,
}  # fmt: skip


def prepare(array: ndarray, key: Any) -> tuple[tuple[Any, ...], bool]:
    """Return the key for the host array, and whether any part of it is an index array.

    Raises IndexError for what cannot index: floats, floating-point arrays, foreign objects.
    """
    unwrap(array, [])
    parts = [_part(part) for part in (key if isinstance(key, tuple) else (key,))]
    taken = sum(1 if not isinstance(p, np.ndarray) or p.dtype.kind != "b" else p.ndim for p in parts if p is not None and p is not Ellipsis)
    ndim, axis = array._host.ndim, 0
    if taken > ndim:
        raise IndexError(f"too many indices for array: array is {ndim}-dimensional, but {taken} were indexed")
    for i, part in enumerate(parts):
        if part is Ellipsis:
            axis += ndim - taken
        elif isinstance(part, np.ndarray) and part.dtype.kind == "b":
            axis += part.ndim
        elif part is not None:
            if isinstance(part, np.ndarray):
                parts[i] = np.asarray(part.astype(np.intp) % (array._host.shape[axis] or 1))
            axis += 1
    return tuple(parts), any(isinstance(p, np.ndarray) for p in parts)


def _part(part: Any) -> Any:
    if part is None or part is Ellipsis or isinstance(part, slice):
        return part
    if isinstance(part, (int, np.integer)) and not isinstance(part, bool):
        return int(part)
    if isinstance(part, (float, complex, str, np.inexact)):
        raise IndexError(f"indices must be integers, slices, ellipsis, None or integer or boolean arrays, not {part!r}")
    if not isinstance(part, (ndarray, np.ndarray, list, tuple, bool, np.bool_)):
        raise IndexError(f"indices must be integers, slices, ellipsis, None or integer or boolean arrays, not {type(part)}")
    empty = isinstance(part, (list, tuple)) and not len(part)
    host = unwrap(part if isinstance(part, ndarray) else to_device(part, np.int32 if empty else None), [])
    if host.dtype.kind not in "iub":
        raise IndexError(f"arrays used as indices must be of integer or boolean type. (actual: {host.dtype.type})")
    return host


def getitem(self: ndarray, key: Any) -> ndarray:
    """Return ``x[key]``: a view for basic keys, a new array for index arrays; a mask waits for the GPU."""
    parts, advanced = prepare(self, key)
    if not advanced:
        host = self._host[(*parts, Ellipsis)] if Ellipsis not in parts else self._host[parts]
        return wrap(host, (self,))
    state.synchronizations += any(isinstance(p, np.ndarray) and p.dtype.kind == "b" for p in parts)
    return wrap(np.array(self._host[parts], order="C"))


def setitem(self: ndarray, key: Any, value: Any) -> None:
    """Store ``x[key] = value``; a NumPy array or a list is taken only where CuPy takes it, beside an index array."""
    parts, advanced = prepare(self, key)
    if isinstance(value, ndarray):
        value = unwrap(value, [])
        leading = next((i for i, n in enumerate(value.shape) if n != 1), value.ndim)
        value = value.reshape(value.shape[leading:])
    elif not advanced:
        fill(wrap(self._host[(*parts, Ellipsis)] if Ellipsis not in parts else self._host[parts], (self,)), value)
        return
    else:
        value = to_device(value, self.dtype)._host
    if not advanced:
        self._host[parts] = value
        return
    places = np.arange(self._host.size).reshape(self._host.shape)[parts]
    if value.ndim > places.ndim:
        raise ValueError(f"shape mismatch: value array of shape {value.shape} could not be broadcast to {places.shape}")
    # CuPy says that of repeated places any may win. Here the first does, where NumPy keeps the last: who relies on an order sees it.
    flat = np.broadcast_to(value, places.shape).ravel()[::-1]
    self._host.flat[places.ravel()[::-1]] = flat.astype(self.dtype, copy=False)


def fill(self: ndarray, value: Any) -> None:
    """Store one scalar everywhere.

    Raises ValueError for a NumPy array that is no scalar, TypeError for a list.
    """
    if isinstance(value, ndarray):
        value = unwrap(value, [])
        if value.ndim:
            raise ValueError("non-scalar cupy.ndarray cannot be used for fill")
    elif isinstance(value, np.ndarray):
        if value.ndim:
            raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
    elif not isinstance(value, SCALARS):
        raise TypeError(f"Unsupported type {type(value)}")
    self._host[...] = value


def scatter(name: str, array: ndarray, key: Any, value: Any) -> None:
    """Apply a ufunc in place at the indices, as ``cupy.add.at`` does, for the types that CuPy's atomics have.

    Raises TypeError for other types.
    """
    parts, advanced = prepare(array, key)
    masked = any(isinstance(p, np.ndarray) and p.dtype.kind == "b" for p in parts)
    if advanced and not masked and array.dtype.name not in ATOMIC[name].split():
        raise TypeError(f"cupy.{name}.at only supports {', '.join(ATOMIC[name].split())} as data type")
    host = value._host if isinstance(value, ndarray) else to_device(value, array.dtype)._host
    with np.errstate(all="ignore"):
        getattr(np, name).at(array._host, parts, host.astype(array.dtype))


def take(a: ndarray, indices: Any, axis: int | None = None, out: Any = None) -> ndarray:
    """Return the elements at the indices along an axis; out-of-range ones wrap around."""
    host = unwrap(a, [])
    places = indices if isinstance(indices, ndarray) or np.isscalar(indices) else to_device(indices, int)
    places = np.asarray(unwrap(places, []))
    if places.dtype.kind not in "iu":
        raise TypeError(f"take: indices must be of integer type, got {places.dtype}")
    length = host.size if axis is None else host.shape[axis] if host.ndim else 1
    if not length and places.size:
        raise IndexError("cannot do a non-empty take from an empty axes.")
    result = np.take(host, places.astype(np.intp) % (length or 1), axis)
    if out is None:
        return wrap(result)
    if out.dtype != a.dtype:
        raise TypeError("Output dtype mismatch")
    if out.shape != result.shape:
        raise ValueError("Output shape mismatch")
    out._host[...] = result
    return out  # type: ignore[no-any-return]


def put(a: ndarray, indices: Any, values: Any, mode: str = "wrap") -> None:
    """Store values at flat indices; CuPy's own default mode is ``wrap``."""
    places = indices if isinstance(indices, ndarray) else to_device(indices)
    values = values if isinstance(values, ndarray) else to_device(values, a.dtype)
    state.synchronizations += mode == "raise"
    np.put(unwrap(a, []), unwrap(places, []), unwrap(values, []), mode=mode)  # type: ignore[arg-type]
