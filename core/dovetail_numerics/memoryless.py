"""Arrays of the device ``meta``: a shape, an element type and strides, over memory that is never there.

All of them lie over one range of addresses that holds nothing: reading gives zeros, writing does nothing. What is computed from one is
computed by NumPy on those zeros, and only the shape, type and strides of the result are kept; what asks for a value is refused.
"""

from __future__ import annotations

import math
import mmap
from types import ModuleType
from typing import Any

import numpy as np

from .errors import DeviceError, UnsupportedError

__all__ = ["Memoryless", "bare", "mapped", "numpy", "without"]

_SIZE = 1 << 40 if hasattr(mmap, "MAP_PRIVATE") else 1 << 28  # bytes of address space, to begin with
_rooms: list[mmap.mmap] = []
_Base: Any = np.ndarray


def _room(size: int) -> memoryview:
    """At least so many bytes, each time as a buffer of its own, by which tensors tell whether they share memory."""
    if not _rooms or len(_rooms[-1]) < size:
        size = max(size, _SIZE)
        private = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, "prot": mmap.PROT_READ} if hasattr(mmap, "MAP_PRIVATE") else {}
        try:
            _rooms.append(mmap.mmap(-1, size, **private))
        except (OSError, OverflowError, ValueError) as error:
            raise DeviceError("meta", f"there are no addresses for {size:,} bytes ({error})", "", "make smaller tensors") from None
    return memoryview(_rooms[-1])


def mapped(shape: Any, dtype: Any, strides: Any = None) -> Memoryless:
    """An array of the device ``meta``.

    >>> mapped((1000, 1000, 1000), "f4").strides
    (4000000, 4000, 4)
    """
    dtype = np.dtype(dtype)
    if strides is None:
        strides = [dtype.itemsize * math.prod(n or 1 for n in shape[d + 1 :]) for d in range(len(shape))]
    steps = [(n - 1) * s for n, s in zip(shape, strides, strict=True)] if 0 not in shape else []
    first = -sum(step for step in steps if step < 0)
    room = _room(first + sum(step for step in steps if step > 0) + dtype.itemsize)
    return np.ndarray.__new__(Memoryless, tuple(shape), dtype, room, first, tuple(strides))


def bare(value: Any) -> Any:
    """The same where NumPy computes on it, also inside tuples, lists and dicts: plain arrays of zeros."""
    if value.__class__ in (tuple, list):
        return value.__class__(map(bare, value))
    if value.__class__ is dict:
        return {key: bare(v) for key, v in value.items()}
    return value.view(np.ndarray) if value.__class__ is Memoryless else value


def without(value: Any) -> Any:
    """The same without memory: arrays and numbers of NumPy's, also inside tuples and lists; a view stays a view."""
    if isinstance(value, tuple | list):
        return type(value)(*map(without, value)) if hasattr(value, "_fields") else type(value)(map(without, value))
    if not isinstance(value, np.ndarray | np.generic):
        return value
    base: Any = value
    while getattr(base, "base", None) is not None:
        base = base.base
    if isinstance(base, memoryview) and any(base.obj is room for room in _rooms):
        return value.view(Memoryless)
    return mapped(value.shape, value.dtype, None if value.flags.c_contiguous else value.strides)


def _refused(what: str) -> Any:
    def refuse(self: Any, *_: Any, **__: Any) -> Any:
        """Always an UnsupportedError (NotImplementedError)."""
        raise UnsupportedError("meta", what, "", "make the tensor on the CPU, or give the module memory with to_empty")

    return refuse


def _masked(index: Any) -> bool:
    parts = index if isinstance(index, tuple) else (index,)
    return any(part.__class__ is Memoryless and part.dtype == bool for part in parts)


def _computed(function: Any, args: Any, kwargs: Any) -> Any:
    """What a function of NumPy's gives for these arrays; what it would write into is left alone."""
    if function.__name__ in ("copyto", "fill_diagonal", "place", "put", "put_along_axis", "putmask"):
        return None
    if function.__name__ in ("allclose", "argwhere", "array_equal", "bincount", "flatnonzero", "nonzero", "unique"):
        mapped((), bool).nonzero()
    out, args, _ = kwargs.pop("out", None), bare(args), kwargs.pop("copy", None)
    if function.__module__ == "numpy.linalg":  # which inverts and factors: the identity, not zeros
        args = [np.broadcast_to(np.eye(*a.shape[-2:], dtype=a.dtype), a.shape) if np.ndim(a) > 1 else a for a in args]
    found = without(function(*args, **bare(kwargs)))
    return found if out is None else out


class Memoryless(_Base):
    """An array that has no values."""

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = None, **kwargs: Any) -> Any:
        if method == "at":
            return None
        with np.errstate(all="ignore"):
            found = without(getattr(ufunc, method)(*bare(inputs), **bare(kwargs)))
        return found if out is None else out if len(out) > 1 else out[0]

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return _computed(func, args, kwargs)

    def __getitem__(self, index: Any) -> Any:
        if _masked(index):
            self.nonzero()
        return without(bare(self)[bare(index)])

    def __setitem__(self, index: Any, value: Any) -> None:
        """Nothing, but an error for shapes that do not fit."""
        if not _masked(index):
            np.broadcast_to(np.broadcast_to(0, np.shape(value)), self[index].shape)

    def __bool__(self) -> bool:
        """False: what a kernel looks for in values, to refuse them or to be quicker, is not there."""
        return False

    def fill(self, value: Any) -> None:
        """Nothing."""

    sort = put = partition = fill

    def astype(self, dtype: Any, order: Any = "K", *_: Any, copy: bool = True, **__: Any) -> Any:
        """The same shape in another type."""
        return self if not copy and self.dtype == dtype else without(np.empty_like(bare(self), dtype, order))

    def copy(self, order: Any = "C") -> Any:
        """Another array of the kind."""
        return self.astype(self.dtype, order)

    def __reduce__(self) -> Any:
        return mapped, (self.shape, self.dtype, self.strides)

    item = __int__ = __float__ = __complex__ = __index__ = _refused("Tensor.item() cannot be called on meta tensors")
    tolist = tobytes = _refused("Cannot copy out of meta tensor; no data!")
    nonzero = _refused("how many elements are not zero depends on values")


class _NumPy:
    """NumPy for these arrays: what its functions give has no memory."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._module, name)
        if isinstance(found, ModuleType):
            return _NumPy(found)
        if not callable(found) or isinstance(found, type):
            return found
        if name in ("empty", "zeros", "ones"):
            return lambda shape, dtype=float, *_: mapped(shape if isinstance(shape, tuple | list) else (shape,), dtype)
        if isinstance(found, np.ufunc):
            return found
        return lambda *args, **kwargs: _computed(found, args, kwargs)


numpy: Any = _NumPy(np)
