"""What older programs call: ``FloatTensor`` and its kin, ``type()`` by such names, and methods that have newer names."""

from __future__ import annotations

import importlib
import mmap
from typing import Any

import numpy as np

from .autograd.node import CLASSES, Tensor, wrap
from .device import cupy
from .dtypes import TYPES, get_default_dtype, set_default_dtype
from .dtypes import dtype as Dtype
from .errors import DeviceError, ShapeError, TypeMismatch, ValueRangeError
from .ops._dims import sizes_of
from .ops._live import owner
from .ops._override import of_plugin
from .ops._refuse import type_name
from .ops.create import empty, from_numpy
from .ops.create import tensor as _tensor
from .ops.memory import alias, sum_to
from .size import Size, Spoken

__all__ = ["CLASSES_BY_TYPE", "CUDA_CLASSES", "LegacyMethods", "LegacyType", "set_default_tensor_type"]

_NAMES = {
    "FloatTensor": "float32", "DoubleTensor": "float64", "HalfTensor": "float16", "LongTensor": "int64", "IntTensor": "int32",
    "ShortTensor": "int16", "CharTensor": "int8", "ByteTensor": "uint8", "BoolTensor": "bool",
}  # fmt: skip
_BY_DTYPE = {dtype: name for name, dtype in _NAMES.items()}


def made(dtype: Any, args: tuple[Any, ...], device: Any = None) -> Tensor:
    """What ``FloatTensor(*args)`` makes: nothing, a size, a tensor of that type as it is, or numbers converted.

    Raises a TypeMismatch (TypeError) for a number with a point, and for a tensor of another type.
    """
    if not args:
        return empty(0, dtype=dtype, device=device)
    first = args[0]
    if isinstance(first, Size) or all(isinstance(n, int | np.integer) for n in args):
        return empty(*args, dtype=dtype, device=device)
    if len(args) > 1 or isinstance(first, float | complex | str):
        raise TypeMismatch("new()", f"data must be a sequence (got {type(first).__name__})", "", "use dovetail.tensor")
    if first.__class__ in CLASSES:
        if first.dtype is not dtype:
            raise TypeMismatch("new()", f"expected a tensor of {dtype.name} (got {first.dtype.name})", "", "use x.to(dtype)")
        return first.detach()
    return _tensor(first, dtype=dtype, device=device)


class LegacyType(type):
    """The type of ``FloatTensor`` and its kin: calling one makes a plain Tensor, isinstance looks at the element type.

    >>> import dovetail as dv
    >>> dv.LongTensor([1, 2]), isinstance(dv.ones(1), dv.FloatTensor)
    (tensor([1, 2]), True)
    """

    dtype: Dtype
    device: str

    def __call__(cls, *args: Any, device: Any = None) -> Tensor:
        if cls.device == "cuda" and not importlib.import_module(f"{__package__}.cuda").is_available():
            raise TypeMismatch(f"cuda.{cls.__name__}", "this type is not available without CuPy and a GPU", "", "ask cuda.is_available()")
        return made(cls.dtype, args, device or cls.device)

    def __instancecheck__(cls, instance: Any) -> bool:
        return instance.__class__ in CLASSES and instance.dtype is cls.dtype and instance.device.type == cls.device


def _classes(device: str, module: str) -> dict[str, LegacyType]:
    about = {"device": device, "__module__": module}
    return {
        name: LegacyType(name, (), about | {"dtype": TYPES[dtype], "__doc__": f"PyTorch's older way to make a tensor of {dtype}."})
        for name, dtype in _NAMES.items()
    }


CLASSES_BY_TYPE, CUDA_CLASSES = _classes("cpu", "dovetail"), _classes("cuda", "dovetail.cuda")


def set_default_tensor_type(t: Any) -> None:
    """Set the default float type by its legacy class or name. Raises a TypeError for a type that is not floating.

    >>> import dovetail as dv
    >>> dv.set_default_tensor_type(dv.FloatTensor)
    """
    kind = _named(t, "set_default_tensor_type") if isinstance(t, str) else getattr(t, "dtype", None)
    if not isinstance(kind, Dtype) or not kind.is_floating_point:
        raise TypeMismatch("set_default_tensor_type", "only floating-point types are supported as the default type", f"got {t!r}")
    set_default_dtype(kind)


def _named(name: str, where: str) -> Dtype:
    kind = {"Tensor": get_default_dtype().name, **_NAMES}.get(name.rpartition(".")[2])
    if kind is None:
        raise ValueRangeError(where, f"invalid type: {name!r}", "a name such as 'FloatTensor'", "or use dovetail.float32")
    return TYPES[kind]


class LegacyMethods:
    """Copied onto Tensor member by member, as those of Attributes are."""

    _a: Any
    _n: Any
    _v: Any

    def __init__(self, *args: Any, device: Any = None, **others: Any) -> None:
        """``Tensor(2, 3)``: uninitialised floats of a size; ``Tensor([1, 2])``: these numbers as floats."""
        if hasattr(self, "_a"):  # made by a subclass's __new__, which has parameters of its own
            return
        if others:
            raise TypeMismatch("Tensor()", f"got an unexpected keyword argument {next(iter(others))!r}")
        given = args[0] if len(args) == 1 and args[0].__class__ in CLASSES else made(get_default_dtype(), args, device)
        self._a, self._n, self._v = given._a, None, given._v

    def new(self: Any, *args: Any, device: Any = None) -> Tensor:
        """A tensor of the same type: ``x.new(2, 3)``, ``x.new([1, 2])``; its newer names are new_empty and new_tensor."""
        return made(self.dtype, args, self.device if device is None else device)

    def type(self: Any, dtype: Any = None, non_blocking: bool = False) -> Any:
        """Without an argument the name of its legacy type, ``"dovetail.FloatTensor"``; else a conversion."""
        if dtype is None:
            place = "" if self.is_cpu else f"{self.device.type}."
            return f"{Spoken.package}.{place}{_BY_DTYPE.get(self.dtype.name) or type_name(self._a.dtype) + 'Tensor'}"
        if isinstance(dtype, str) or dtype is Tensor:
            return self.to("cuda" if ".cuda." in str(dtype) else "cpu", _named(dtype if isinstance(dtype, str) else "Tensor", "type"))
        return self.to(dtype.device, dtype.dtype) if dtype.__class__ is LegacyType else self.to(dtype)

    def ndimension(self: Any) -> int:
        """The number of dimensions; the older name of ``dim()``."""
        return self._a.ndim

    def is_pinned(self, device: Any = None) -> bool:
        """False: no tensor lives in pinned memory."""
        return False

    def pin_memory(self, device: Any = None) -> Any:
        """Itself, since copies to the GPU go through CuPy's own pinned buffers. Raises a DeviceError without a GPU."""
        try:
            cupy()
        except DeviceError as error:
            raise DeviceError("pin_memory", f"Cannot access accelerator device when none is available ({error})") from None
        return self

    def share_memory_(self: Any) -> Any:
        """Move its memory to where forked processes share it, and return it. Views that were made before keep the old memory.

        >>> import dovetail as dv
        >>> dv.ones(2).share_memory_().is_shared()
        True
        """
        if self.is_meta:
            raise DeviceError("share_memory_", "only available on CPU", "got a tensor of the device meta")
        if not self.is_shared():
            shared = np.ndarray(self._a.shape, self._a.dtype, mmap.mmap(-1, max(self._a.nbytes, 1)))
            shared[...] = self._a
            self.data = from_numpy(shared)
        return self

    def is_shared(self: Any) -> bool:
        """Whether other processes see its memory: that of a GPU, of `share_memory_`, of a batch from a loader's worker process."""
        found = owner(self._a)
        return bool(self.is_cuda) or (not self.is_meta and isinstance(getattr(found, "obj", found), mmap.mmap))

    def sum_to_size(self: Any, *size: Any) -> Any:
        """Sum over what broadcasting from this size would repeat. Raises a ShapeError (RuntimeError) for a size that does not fit."""
        shape = sizes_of("sum_to_size", size)
        have = self._a.shape
        if len(shape) > len(have) or any(n not in (1, m) for n, m in zip(shape[::-1], have[::-1], strict=False)):
            raise ShapeError("sum_to_size", f"size {{{list(shape)}}} is not expandable to size {{{list(have)}}}.")
        return self if shape == have and shape else sum_to(self.long() if self._a.dtype.kind in "iub" else self, shape)

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """What a subclass asks by ``super()``: the function as of plain tensors, its results of the subclass. dovetail-torch has it."""
        return of_plugin("of_plain", "overrides")(cls, func, types, args, kwargs)

    def as_subclass(self: Any, cls: Any) -> Any:
        """The same values and history as a tensor of a subclass. Raises a TypeError for a class that is none."""
        if not issubclass(cls, Tensor):
            raise TypeMismatch("as_subclass", f"cls must be a type of tensor (got {cls.__name__})")
        out: Any = wrap(self._a, None, self._v) if self._n is None else alias(self)
        out.__class__ = cls
        return out

    grad_dtype = property(lambda self: self.dtype, doc="The type of its gradient: its own.")
