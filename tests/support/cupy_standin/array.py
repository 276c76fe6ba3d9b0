"""The stand-in's ``cupy.ndarray``: a host array behind a wall that only CuPy's own doors go through."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from .names import check_dtype
from .state import state

__all__ = ["ndarray", "to_device", "unwrap", "wrap"]

SCALARS = (bool, int, float, complex, np.generic)
_IMPLICIT = "Implicit conversion to a NumPy array is not allowed. Please use `.get()` to construct a NumPy array explicitly."


class ndarray:
    """An array on the emulated GPU. Its methods and operators are attached by the modules beside this one."""

    __slots__ = ("__weakref__", "_base", "_device", "_host")
    __module__ = "cupy"
    __array_priority__ = 100
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, shape: Any, dtype: Any = float, memptr: Any = None, strides: Any = None, order: str = "C") -> None:
        if memptr is not None or strides is not None:
            raise NotImplementedError("the CuPy stand-in does not emulate cupy.ndarray(memptr=..., strides=...)")
        self._host = poison(np.empty(shape, check_dtype(np.dtype(dtype)), order or "C"))
        self._base, self._device = None, state.device

    # What NumPy would call; every such call from our code is an error of ours.

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise TypeError(_IMPLICIT)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        # `np.float32(2) * x` comes here too, and that is fine: CuPy takes NumPy scalars.
        if method == "__call__" and not kwargs and any(isinstance(i, np.generic) for i in inputs):
            return getattr(sys.modules[__package__ + ".modules"].cupy(), ufunc.__name__)(*inputs)
        for value in inputs:
            refuse(value)
        raise TypeError(f"numpy.{ufunc.__name__} was called on a cupy.ndarray; call the function of the array's own module")

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        raise TypeError(f"numpy.{func.__name__} was called on a cupy.ndarray; call the function of the array's own module")

    # Copies to the host.

    def get(self, stream: Any = None, order: str = "C", out: Any = None, blocking: bool = True) -> Any:
        """Return a copy as a NumPy array; counted."""
        state.host_copy("get()")
        if out is None:
            return np.array(self._host, order={"A": "A", "F": "F"}.get(order.upper(), "C"), copy=True)  # type: ignore[arg-type]
        if not isinstance(out, np.ndarray):
            raise TypeError("Only numpy.ndarray can be obtained fromcupy.ndarray")
        if out.dtype != self._host.dtype:
            raise TypeError(f"{out.dtype} array cannot be obtained from {self._host.dtype} array")
        if out.shape != self._host.shape:
            raise ValueError(f"Shape mismatch. Expected shape: {self._host.shape}, actual shape: {out.shape}")
        out[...] = self._host
        return out

    def item(self) -> Any:
        """Return the only element as a Python scalar; counted."""
        if self._host.size != 1:
            raise ValueError("can only convert an array of size 1 to a Python scalar")
        return self.get().item()

    def tolist(self) -> Any:
        """Return nested lists; counted."""
        return self.get().tolist()

    def tobytes(self, order: str = "C") -> bytes:
        """Return the bytes; counted."""
        return bytes(self.get().tobytes(order))

    def _scalar(self) -> Any:
        if self._host.ndim:
            raise TypeError("only 0-dimensional arrays can be converted to Python scalars")
        return self.get()

    def __int__(self) -> int:
        return int(self._scalar())

    def __float__(self) -> float:
        return float(self._scalar())

    def __complex__(self) -> complex:
        return complex(self._scalar())

    def __bool__(self) -> bool:
        if self._host.size == 0:
            warnings.warn("The truth value of an empty array is ambiguous.", DeprecationWarning, stacklevel=2)
            return False
        if self._host.size > 1:
            raise ValueError("The truth value of an array with more than one element is ambiguous. Use a.any() or a.all()")
        return bool(self.get())

    def __repr__(self) -> str:
        return repr(self.get())

    def __str__(self) -> str:
        return str(self.get())

    def __format__(self, spec: str) -> str:
        return format(self.get(), spec)

    def __reduce__(self) -> Any:
        return to_device, (self.get(),)

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, self._device  # kDLCUDA

    def __dlpack__(self, *, stream: Any = None, max_version: Any = None, dl_device: Any = None, copy: Any = None) -> Any:
        if dl_device is not None and tuple(dl_device) == (1, 0):
            return self.get().__dlpack__(max_version=max_version)
        return Capsule(wrap(self._host.copy()) if copy else self)

    def toDlpack(self) -> Any:
        """Return the emulated DLPack capsule."""
        return Capsule(self)

    # Attributes.

    def set(self, arr: Any, stream: Any = None) -> None:
        """Copy a NumPy array of the same shape and dtype into this array."""
        if not isinstance(arr, np.ndarray):
            raise TypeError("Only numpy.ndarray can be set to cupy.ndarray")
        if arr.dtype != self._host.dtype:
            raise TypeError(f"{arr.dtype} array cannot be set to {self._host.dtype} array")
        if arr.shape != self._host.shape:
            raise ValueError(f"Shape mismatch. Old shape: {self._host.shape}, new shape: {arr.shape}")
        if not (self._host.flags.c_contiguous or self._host.flags.f_contiguous):
            raise RuntimeError("Cannot set to non-contiguous array")
        state.uploads += 1
        self._host[...] = arr

    dtype = property(lambda self: self._host.dtype)
    ndim = property(lambda self: self._host.ndim)
    size = property(lambda self: self._host.size)
    nbytes = property(lambda self: self._host.nbytes)
    itemsize = property(lambda self: self._host.itemsize)
    strides = property(lambda self: self._host.strides)
    base = property(lambda self: self._base)
    T = property(lambda self: wrap(self._host.T, (self,)))
    mT = property(lambda self: wrap(self._host.mT, (self,)))
    device = property(lambda self: sys.modules[__package__ + ".cuda"].Device(self._device))

    @property
    def flags(self) -> Flags:
        """The memory layout."""
        return Flags(self)

    @property
    def data(self) -> Any:
        """The emulated address."""
        return sys.modules[__package__ + ".cuda"].MemoryPointer(self)

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes; may be set where no copy is needed."""
        return tuple(self._host.shape)

    @shape.setter
    def shape(self, value: Any) -> None:
        self._host = self._host.reshape(value, copy=False)

    @property
    def real(self) -> Any:
        """The real part: a view."""
        return self if self._host.dtype.kind != "c" else wrap(self._host.real, (self,))

    @real.setter
    def real(self, value: Any) -> None:
        self.real[...] = value  # type: ignore[index]

    @property
    def imag(self) -> Any:
        """The imaginary part: a view, or zeros of their own for a real array."""
        return wrap(self._host.imag, (self,)) if self._host.dtype.kind == "c" else wrap(np.zeros_like(self._host))

    @imag.setter
    def imag(self, value: Any) -> None:
        if self._host.dtype.kind != "c":
            raise TypeError("cupy.ndarray does not have imaginary part to set")
        self.imag[...] = value

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        strides = None if self._host.flags.c_contiguous else self._host.strides
        data = (self._host.__array_interface__["data"][0] if self._host.size else 0, False)
        return {"shape": self.shape, "typestr": self._host.dtype.str, "data": data, "version": 3, "strides": strides, "stream": 1}

    def __len__(self) -> int:
        if not self._host.ndim:
            raise TypeError("len() of unsized object")
        return len(self._host)

    def __iter__(self) -> Iterator[ndarray]:
        if not self._host.ndim:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self._host)))  # type: ignore[index]

    def __copy__(self) -> ndarray:
        return wrap(self._host.copy())

    def __deepcopy__(self, memo: Any) -> ndarray:
        return wrap(self._host.copy(), device=self._device)


class Flags:
    """``x.flags``: CuPy has these five and no others (no ``writeable``)."""

    def __init__(self, array: ndarray) -> None:
        self.c_contiguous = bool(array._host.flags.c_contiguous)
        self.f_contiguous = bool(array._host.flags.f_contiguous)
        self.owndata = array._base is None
        self.fnc, self.forc = self.f_contiguous and not self.c_contiguous, self.f_contiguous or self.c_contiguous

    def __getitem__(self, name: str) -> bool:
        return getattr(self, {"C_CONTIGUOUS": "c_contiguous", "F_CONTIGUOUS": "f_contiguous", "OWNDATA": "owndata"}[name])  # type: ignore[no-any-return]


class Capsule:
    """What the stand-in's ``__dlpack__`` gives: only the stand-in's ``from_dlpack`` can read it, and only once."""

    def __init__(self, array: ndarray) -> None:
        self.array: ndarray | None = array

    def take(self) -> ndarray:
        """Return a view of the exported array."""
        array, self.array = self.array, None
        if array is None:
            raise ValueError("A DLPack tensor object cannot be consumed multiple times (or object was not a DLPack capsule).")
        return wrap(array._host.view(), (array,), device=array._device)


def poison(host: Any) -> Any:
    """Fill fresh memory with values nobody would want: a GPU's pool returns what was there before."""
    if host.dtype.kind not in "biufcV" or host.dtype.fields:
        return host
    host.fill(np.iinfo(host.dtype).max if host.dtype.kind in "iu" else host.dtype.kind == "b" or np.nan)
    return host


def refuse(value: Any) -> None:
    """Raise CuPy's TypeError for what a kernel cannot take; sequences are looked into."""
    if isinstance(value, (list, tuple)):
        for part in value:
            refuse(part)
    elif not (isinstance(value, (ndarray, str, slice, type, np.dtype, *SCALARS)) or value is None or value is Ellipsis or callable(value)):
        raise TypeError(f"Unsupported type {type(value)}")


def unwrap(value: Any, sources: list[ndarray], move: bool = True) -> Any:
    """Return the host array behind a stand-in array, in nested sequences too, and note where it came from.

    ``move`` is False for functions that run no kernel, which CuPy allows on another device's arrays.
    Raises TypeError for NumPy arrays and foreign objects, ValueError for arrays of another device.
    """
    if isinstance(value, ndarray):
        if move and value._device != state.device:
            raise ValueError(
                f"The device where the array resides ({value._device}) is different from the current device ({state.device}). "
                "Peer access is unavailable between these devices."
            )
        sources.append(value)
        return value._host
    if type(value) in (list, tuple):
        return type(value)(unwrap(part, sources, move) for part in value)
    refuse(value)
    return value


def wrap(value: Any, sources: Any = (), keep_order: bool = True, device: int | None = None) -> Any:
    """Return NumPy's result as CuPy would give it: 0-d arrays for scalars, views with their base, new arrays in C order."""
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(wrap(part, sources, keep_order, device) for part in value))
    if type(value) in (list, tuple):
        return type(value)(wrap(part, sources, keep_order, device) for part in value)
    if not isinstance(value, (np.ndarray, np.generic, bool)):
        return value
    for source in sources:
        if value is source._host:
            return source
    host = np.asarray(value)
    result = ndarray.__new__(ndarray)
    check_dtype(host.dtype)
    owner = next((s for s in sources if host.base is not None and np.may_share_memory(host, s._host)), None)
    if owner is None and not keep_order and not host.flags.c_contiguous:
        host = host.copy(order="C")
    result._host = host
    result._base = None if owner is None else (owner if owner._base is None else owner._base)
    result._device = device if device is not None else state.device if owner is None else owner._device
    return result


def to_device(value: Any, dtype: Any = None, order: str | None = "K", ndmin: int = 0, copy: bool | None = True) -> ndarray:
    """Return ``cupy.array(value)``: NumPy arrays, scalars and nested sequences (of CuPy arrays too) are accepted, and uploads counted."""
    sources: list[ndarray] = []
    dtype = None if dtype is None else np.dtype(dtype)
    if isinstance(value, ndarray):
        host = np.array(value._host, dtype, copy=copy, order=order, ndmin=ndmin)
        return wrap(host, () if copy or value._device != state.device else (value,), device=state.device)
    if isinstance(value, (list, tuple)) and _holds_arrays(value):
        if not _all_arrays(value):
            raise TypeError(_IMPLICIT)
        return wrap(np.array(unwrap(value, sources), dtype, order=order, ndmin=ndmin))
    if copy is False and dtype is not None and not isinstance(value, SCALARS):
        raise ValueError("Unable to avoid copy while creating an array as requested.")
    host = np.array(value, dtype, order=order, ndmin=ndmin)
    check_dtype(host.dtype)
    state.uploads += not isinstance(value, SCALARS)
    return wrap(host)


def _holds_arrays(value: Any) -> bool:
    return isinstance(value, ndarray) or (isinstance(value, (list, tuple)) and any(_holds_arrays(part) for part in value))


def _all_arrays(value: Any) -> bool:
    return isinstance(value, ndarray) or (isinstance(value, (list, tuple)) and all(_all_arrays(part) for part in value))
