"""Making tensors from data: numbers, nested lists, NumPy arrays, buffers, DLPack."""

from __future__ import annotations

import functools
import warnings
from contextlib import AbstractContextManager, nullcontext
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..autograd.modes import INFERENCE, STATE
from ..autograd.node import CLASSES, Tensor, leaf, wrap
from ..device import CPU, Device, cupy, device_of, move, to_device
from ..dtypes import dtype as Dtype
from ..dtypes import from_numpy_dtype, get_default_dtype, promote_types, scalar_dtype, to_numpy_dtype
from ..errors import DovetailError, DtypeError, ShapeError, TypeMismatch, ValueRangeError
from ._call import INFERENCE_BOX
from ._layout import converted
from ._live import exhausted

__all__ = ["as_tensor", "asarray", "finished", "from_dlpack", "from_numpy", "frombuffer", "new_tensor", "placed", "tensor"]

_NUMBERS: set[type] = {bool, int, float, complex}
_TYPES = "float64, float32, float16, complex64, complex128, int64, int32, int16, int8, uint64, uint32, uint16, uint8, and bool"


def placed(where: Device) -> AbstractContextManager[Any]:
    """A context in which new arrays are made on this device."""
    if where.type != "cuda" or where.index is None:
        return nullcontext()
    return cupy().cuda.Device(where.index)


def finished(a: Any, requires_grad: bool = False, out: Any = None) -> Tensor:
    """Wrap a fresh array, as a leaf if a gradient is asked for, or write it into `out`."""
    t = wrap(a)
    if out is not None:
        return (out if out._a.shape == a.shape else out.resize_(a.shape)).copy_(t)
    if STATE.word & INFERENCE:
        t._v = INFERENCE_BOX
    if requires_grad:
        if a.dtype.kind not in "fcV":
            what = "Only Tensors of floating point and complex dtype can require gradients"
            raise DtypeError("requires_grad", what, f"got {a.dtype.name}", "pass dtype=float32, or write 1.0 for 1")
        leaf(t)
    return t


def _kind_of(data: Any) -> Dtype:
    """The type of nested sequences of numbers, arrays and tensors; PyTorch's rules."""
    if data.__class__ in CLASSES or isinstance(data, np.ndarray | np.generic):
        return _supported(data._a if data.__class__ in CLASSES else data)
    if isinstance(data, bool | int | float | complex):
        return scalar_dtype(data)
    if isinstance(data, str | bytes):
        raise ValueRangeError("tensor", f"too many dimensions {type(data).__name__!r}")
    if isinstance(data, dict) or not hasattr(data, "__len__") or not hasattr(data, "__getitem__"):
        raise DtypeError("tensor", f"Could not infer dtype of {type(data).__name__}")
    kinds = set(map(type, data))
    found = [scalar_dtype(kind()) for kind in kinds & _NUMBERS]
    if found and kinds & {str, bytes}:
        raise TypeMismatch("tensor", "invalid data type 'str' among numbers")
    if kinds - _NUMBERS:
        found += [_kind_of(item) for item in data if item.__class__ not in _NUMBERS]
    return functools.reduce(promote_types, found) if found else get_default_dtype()


def _supported(a: Any) -> Dtype:
    try:
        return from_numpy_dtype(a.dtype)
    except TypeMismatch:
        name = a.dtype.type.__name__
        raise TypeMismatch("tensor", f"can't convert np.ndarray of type numpy.{name}. The only supported types are: {_TYPES}.") from None


def _plain(data: Any) -> Any:
    """Nested sequences with tensors in them as sequences that NumPy takes."""
    if data.__class__ in CLASSES:
        if data._a.size != 1:
            raise ValueRangeError("tensor", "only one element tensors can be converted to Python scalars", "", "use stack")
        return move(data._a, CPU).reshape(())  # a number, whatever its dimensions
    if isinstance(data, list | tuple):
        return [_plain(v) for v in data] if any(v.__class__ not in _NUMBERS for v in data) else data
    if hasattr(data, "__len__") and hasattr(data, "__getitem__") and not isinstance(data, np.ndarray | np.generic | range):
        return [_plain(data[i]) for i in range(len(data))]
    return data


def _is_list(data: Any) -> bool:
    return isinstance(data, list | tuple | np.ndarray) and bool(getattr(data, "ndim", 1))


def _check_even(data: Any) -> None:
    """Raise what PyTorch says of nested sequences that are not even."""
    parts, dim = [data], 0
    while parts and _is_list(parts[0]):
        n = len(parts[0])
        for part in parts:
            if not _is_list(part):
                raise TypeMismatch("tensor", f"not a sequence at dim {dim}", f"got {type(part).__name__}")
            if len(part) != n:
                raise ValueRangeError(
                    "tensor", f"expected sequence of length {n} at dim {dim} (got {len(part)})", "", "pad the rows to one length"
                )
        parts, dim = [item for part in parts for item in part], dim + 1
    for part in parts:
        if _is_list(part):
            raise TypeMismatch("tensor", f"{type(part).__name__!r} object cannot be interpreted as a number", f"at dim {dim}")


def _array(data: Any, dtype: Any) -> Any:
    """A fresh NumPy array of numbers or nested sequences."""
    if isinstance(data, str | bytes):
        raise TypeMismatch("new()", f"invalid data type {type(data).__name__!r}")
    own = None if dtype is not None and isinstance(data, int | float | complex) else _kind_of(data)  # which says what is no number
    kind = to_numpy_dtype(own if dtype is None else dtype)
    data = _plain(data)
    try:
        with np.errstate(over="ignore"):  # a number too large is infinity
            return _whole(np.array(data), kind) if kind.kind in "iuV" else np.array(data, dtype=kind)
    except DovetailError:
        raise
    except (ValueError, TypeError, OverflowError) as error:
        _check_even(data)
        if isinstance(error, OverflowError):
            raise _Overflow("tensor", f"value cannot be converted to type {kind.name} without overflow") from error
        raise (TypeMismatch if isinstance(error, TypeError) else ShapeError)("tensor", str(error)) from error


class _Overflow(DtypeError, ValueError):
    """A number that its type cannot hold: PyTorch raises a ValueError or a RuntimeError."""


def _whole(a: Any, kind: Any) -> Any:
    """Integers: fractions are cut off, what does not fit is refused (but for negative numbers among unsigned, which wrap)."""
    long = a.dtype.kind == "O"
    if a.dtype.kind == "c" and kind.kind != "V":
        raise TypeMismatch("tensor", "must be real number, not complex")
    if a.size and kind.kind != "V" and a.dtype != kind and not long:
        info, low, high = np.iinfo(kind), a.min(), a.max()
        finite = bool(np.isfinite(low) and np.isfinite(high))
        if not finite or int(high) > info.max or int(low) < (info.min or -info.max):
            long = finite and kind.itemsize == 8
            if not long:
                raise DtypeError("tensor", f"value cannot be converted to type {kind.name} without overflow")
    if long:
        raise _Overflow("tensor", "Overflow when unpacking long long", f"expected numbers of type {kind.name}")
    return a.astype(kind)


def _to_array(data: Any, dtype: Any, copy: bool | None) -> Any:
    """The raw array of any data, without a copy where that is possible and not asked for (on the data's own device)."""
    if data.__class__ in CLASSES:
        a = data._a
    elif hasattr(data, "__cuda_array_interface__"):
        a = cupy().asarray(data)
    elif (hasattr(data, "__array__") and not isinstance(data, list | tuple)) or hasattr(data, "__array_interface__"):
        a = _ours(np.asarray(data))
    elif hasattr(data, "__dlpack__"):
        a = from_dlpack(data)._a
    else:
        return _array(data, dtype)
    kind = a.dtype if dtype is None else to_numpy_dtype(dtype)
    return converted(a, kind) if a.dtype != kind or copy else a


def _ours(a: Any) -> Any:
    """A NumPy array as a tensor can hold it, or an error."""
    _supported(a)
    if not a.dtype.isnative:
        text = "given numpy array has byte order different from the native byte order"
        raise ValueRangeError("from_numpy", f"{text}. Conversion between byte orders is currently not supported.")
    return a


def _wrapped(a: Any, device: Any, requires_grad: bool = False) -> Tensor:
    if device is not None or to_device(None) != CPU:
        a = move(a, to_device(device))
    return finished(a, requires_grad)


def tensor(data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, pin_memory: bool = False) -> Tensor:
    """A new tensor of numbers, nested lists, or an array, which is copied.

    The type is that of the data: bool, int64, the default float, its complex type, or the array's own.
    Raises a ValueError for lists that are not even, a TypeError or RuntimeError for what is no number.

    >>> import dovetail as dv
    >>> dv.tensor([[1, 2.5], [3, 4]])
    tensor([[1.0000, 2.5000],
            [3.0000, 4.0000]])
    """
    if data.__class__ in CLASSES:
        text = "To copy construct from a tensor, it is recommended to use sourceTensor.detach().clone()"
        warnings.warn(f"{text} or sourceTensor.detach().clone().requires_grad_(True), rather than tensor(sourceTensor).", stacklevel=2)
        device = device_of(data._a) if device is None else device
    try:
        return _wrapped(_to_array(data, dtype, True), device, requires_grad)
    except MemoryError as error:
        raise exhausted("tensor", error, (data,)) from None


def new_tensor(input: Tensor, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, **options: Any) -> Tensor:
    """A new tensor of data, with this tensor's type and device unless others are named."""
    kind = from_numpy_dtype(input._a.dtype) if dtype is None else dtype
    return _wrapped(_to_array(data, kind, True), device_of(input._a) if device is None else device, requires_grad)


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """Data as a tensor, without a copy where it is a tensor or array of that type and device already.

    >>> import dovetail as dv, numpy
    >>> a = numpy.zeros(2)
    >>> dv.as_tensor(a)[0] = 1; a
    array([1., 0.])
    """
    if isinstance(data, Tensor):
        out: Any = data if device is None else data.to(device)
        return out if dtype is None else out.to(dtype)
    return _wrapped(_positive(_to_array(data, dtype, None)), device)


def asarray(obj: Any, *, dtype: Any = None, device: Any = None, copy: bool | None = None, requires_grad: bool | None = None) -> Tensor:
    """Data as a tensor; ``copy=True`` always copies, ``copy=False`` refuses to.

    Raises a ValueRangeError (ValueError) where ``copy=False`` cannot be met.

    >>> import dovetail as dv
    >>> dv.asarray([1, 2])
    tensor([1, 2])
    """
    if obj.__class__ in CLASSES:
        if copy is False and dtype not in (None, obj.dtype):
            raise ValueRangeError("asarray", f"can't alias tensor with dtype {obj.dtype} into dtype {dtype}", "", "use copy=None")
        out = obj.to(device or obj.device, dtype, copy=bool(copy))
        as_it_is = requires_grad in (None, out.requires_grad)
        return out if as_it_is else (out.detach() if out.requires_grad else out).requires_grad_(bool(requires_grad))
    if not isinstance(obj, np.ndarray | np.generic) and isinstance(obj, bytes | bytearray | memoryview):
        return frombuffer(obj, dtype=dtype or get_default_dtype(), requires_grad=bool(requires_grad))
    a = _positive(_to_array(obj, dtype, copy))
    if copy is False and not (isinstance(obj, np.ndarray) and np.shares_memory(a, obj)):
        raise ValueRangeError("asarray", f"can't alias data of type {type(obj).__name__}", "", "use copy=None")
    return _wrapped(a, device, bool(requires_grad))


def _positive(a: Any) -> Any:
    """Refuse strides that PyTorch does not have."""
    if a.__class__ is np.ndarray and a.size:
        if min(a.strides, default=0) < 0:
            text = (
                "At least one stride in the given numpy array is negative, and tensors with negative strides are not currently "
                "supported. (You can probably work around this by making a copy of your array with array.copy().)"
            )
            raise ValueRangeError("from_numpy", text)
        if any(s % a.itemsize for s in a.strides):
            text = "given numpy array strides not a multiple of the element byte size"
            raise ValueRangeError("from_numpy", text, "", "Copy the numpy array to reallocate the memory.")
    return a


def from_numpy(ndarray: Any) -> Tensor:
    """A tensor that shares memory with a NumPy array.

    Raises a TypeMismatch (TypeError) for anything else or another type of elements, a ValueRangeError (ValueError)
    for negative strides or foreign byte order.

    >>> import dovetail as dv, numpy
    >>> dv.from_numpy(numpy.array([1, 2]))
    tensor([1, 2])
    """
    if not isinstance(ndarray, np.ndarray):
        raise TypeMismatch("from_numpy", f"expected np.ndarray (got {type(ndarray).__name__})")
    return wrap(_positive(_ours(np.asarray(ndarray))).view())


def frombuffer(buffer: Any, *, dtype: Any, count: int = -1, offset: int = 0, requires_grad: bool = False) -> Tensor:
    """A vector that shares memory with bytes.

    Raises a ValueRangeError (ValueError) where the bytes do not hold that many elements.

    >>> import dovetail as dv
    >>> dv.frombuffer(bytearray(b"ab"), dtype=dv.uint8)
    tensor([97, 98], dtype=dovetail.uint8)
    """
    try:
        if count == -1 and not memoryview(buffer).nbytes:
            raise ValueRangeError("frombuffer", "both buffer length (0) and count (-1) must not be 0")
        return finished(np.frombuffer(buffer, to_numpy_dtype(dtype), count, offset), requires_grad)
    except (ValueError, TypeError) as error:
        raise ValueRangeError("frombuffer", str(error)) from None


def from_dlpack(ext_tensor: Any, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """A tensor that shares memory with another library's, by the DLPack protocol.

    >>> import dovetail as dv, numpy
    >>> dv.from_dlpack(numpy.array([1, 2]))
    tensor([1, 2])
    """
    if type(ext_tensor).__name__ == "PyCapsule":
        capsule = ext_tensor  # of the CPU's memory, to be used once
        ext_tensor = SimpleNamespace(__dlpack__=lambda **options: capsule, __dlpack_device__=lambda: (1, 0))
    if not hasattr(ext_tensor, "__dlpack_device__"):
        raise ShapeError("from_dlpack", f"expected what has __dlpack__, or a capsule; got {type(ext_tensor).__name__}")
    on_gpu = ext_tensor.__dlpack_device__()[0] not in (1, 3)
    a = cupy().from_dlpack(ext_tensor) if on_gpu else np.from_dlpack(ext_tensor)
    a = a.copy() if copy else a
    return wrap(move(a, to_device(device)) if device is not None else a)
