"""``dovetail.storage``: the memory behind a tensor, as bytes (UntypedStorage) or as elements of its type (TypedStorage)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import dovetail as dv
from dovetail.errors import GradError, RangeError, ShapeError, TypeMismatch
from dovetail.size import Spoken

from .old_methods import METHODS

__all__ = [
    "BFloat16Storage", "BoolStorage", "ByteStorage", "CharStorage", "DoubleStorage", "FloatStorage", "HalfStorage", "IntStorage",
    "LongStorage", "METHODS", "ShortStorage", "TypedStorage", "UntypedStorage", "from_file", "is_storage", "storage_type",
]  # fmt: skip


def _memory(x: Any) -> Any:
    """All of the memory that a tensor looks at, as a tensor of bytes."""
    x = x.detach()
    if x.is_cuda:  # CuPy does not say how far its memory goes: as far as this tensor reaches
        count = x.storage_offset() + sum((n - 1) * step for n, step in zip(x.shape, x.stride(), strict=True)) + 1 if x.numel() else 0
        return x.as_strided((count,), (1,), 0).view(dv.uint8)
    array = x.view(dv.uint16 if x.dtype is dv.bfloat16 else x.dtype).numpy()
    while hasattr(array.base, "dtype") or hasattr(getattr(array.base, "base", None), "dtype"):
        array = array.base if hasattr(array.base, "dtype") else array.base.base
    flat = array.ravel(order="K")
    return dv.from_numpy(flat.view("uint8")) if flat.size else dv.empty(0, dtype=dv.uint8)


class _Storage:
    """What both kinds share; ``_t`` is a tensor of one dimension that looks at the memory."""

    _t: Any
    is_sparse = is_hpu = False
    filename = None

    device = property(lambda self: self._t.device, doc="Where it lies.")
    is_cuda = property(lambda self: self._t.is_cuda, doc="Whether it lies on a GPU.")

    def data_ptr(self) -> int:
        """The address of its first byte; 0 where it has none."""
        return int(self._t.data_ptr()) if self._t.numel() else 0

    def nbytes(self) -> int:
        """Its length in bytes."""
        return int(self._t.nbytes)

    def size(self) -> int:
        """Its length in elements."""
        return int(self._t.numel())

    __len__ = size

    def element_size(self) -> int:
        """Bytes of an element."""
        return int(self._t.element_size())

    def tolist(self) -> list[Any]:
        """The elements as Python numbers."""
        found: list[Any] = self._t.tolist()
        return found

    def __iter__(self) -> Iterator[Any]:
        return iter(self.tolist())

    def fill_(self, value: Any) -> Any:
        """Set every element."""
        self._t.fill_(value)
        return self

    def copy_(self, source: Any, non_blocking: bool = False) -> Any:
        """Copy the elements of another storage of the same length."""
        if len(source) != len(self):
            raise GradError("copy_", f"size does not match, self was {self.nbytes()} bytes but src was {source.nbytes()} bytes")
        self._t.copy_(source._t)
        return self

    def _at(self, index: Any) -> int:
        if not -len(self) <= index < len(self):
            raise RangeError("storage", f"index {index} out of range for storage of size {len(self)}")
        return int(index)

    def share_memory_(self) -> Any:
        """Itself: what goes to other processes is copied."""
        return self

    def is_shared(self) -> bool:
        """Whether other processes see it: see `Tensor.is_shared`."""
        return bool(self._t.is_shared())

    def is_pinned(self, device: Any = "cuda") -> bool:
        """False: no tensor lives in pinned memory."""
        return False

    def resizable(self) -> bool:
        """Whether `resize_` of its tensors may replace it."""
        return True

    def __repr__(self) -> str:
        typed = f"dtype={self._t.dtype}, " if isinstance(self, TypedStorage) else ""
        about = f"[{Spoken.package}.storage.{type(self).__name__}({typed}device={self.device}) of size {len(self)}]"
        return " " + "\n ".join(map(str, self.tolist())) + f"\n{about}"


class UntypedStorage(_Storage):
    """The memory of a tensor as bytes: ``x.untyped_storage()``; of a number, new memory; of a list, these bytes.

    >>> import dovetail as dv
    >>> x = dv.ones(2, 3)
    >>> x[1].untyped_storage().data_ptr() == x.untyped_storage().data_ptr(), x.untyped_storage().nbytes()
    (True, 24)
    """

    def __init__(self, source: Any = 0, *, device: Any = None) -> None:
        if isinstance(source, dv.Tensor):
            self._t = _memory(source)
        elif isinstance(source, int):
            self._t = dv.zeros(source, dtype=dv.uint8, device=device)
        else:
            self._t = dv.tensor(list(source), dtype=dv.uint8, device=device)

    def __getitem__(self, index: Any) -> Any:
        if not isinstance(index, int | slice):
            raise TypeMismatch("UntypedStorage", f"can't index a {type(self).__name__} with {type(index).__name__}")
        return _wrapped(UntypedStorage, self._t[index]) if isinstance(index, slice) else self._t[self._at(index)].item()

    def __setitem__(self, index: Any, value: Any) -> None:
        self._t[index if isinstance(index, slice) else self._at(index)] = value

    def __eq__(self, other: object) -> bool:
        same = isinstance(other, UntypedStorage) and self.data_ptr() == other.data_ptr()
        return same and self.device == other.device and self.nbytes() == other.nbytes()  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return hash((self.data_ptr(), self.nbytes()))

    def clone(self) -> UntypedStorage:
        """A copy."""
        return _wrapped(UntypedStorage, self._t.clone())

    def cpu(self) -> UntypedStorage:
        """Itself, or a copy of a GPU's on the CPU."""
        return _wrapped(UntypedStorage, self._t.cpu()) if self.is_cuda else self

    def cuda(self, device: Any = None, non_blocking: bool = False) -> UntypedStorage:
        """A copy on a GPU."""
        return _wrapped(UntypedStorage, self._t.cuda(device))


class TypedStorage(_Storage):
    """The memory of a tensor as elements of its type: ``x.storage()``.

    >>> import dovetail as dv
    >>> dv.arange(6)[2:].storage().tolist()
    [0, 1, 2, 3, 4, 5]
    """

    def __init__(self, source: Any = 0, *, dtype: Any = None, device: Any = None) -> None:
        if isinstance(source, dv.Tensor):
            self._t = _memory(source).view(dtype or source.dtype) if source.numel() else source.detach().reshape(-1)
        elif isinstance(source, UntypedStorage):
            self._t = source._t.view(dtype or dv.get_default_dtype())
        elif isinstance(source, int):
            self._t = dv.empty(source, dtype=dtype or dv.get_default_dtype(), device=device)
        elif isinstance(source, str):
            raise TypeMismatch("new()", "invalid data type 'str'")
        else:
            self._t = dv.tensor(list(source), dtype=dtype or dv.get_default_dtype(), device=device)

    dtype = property(lambda self: self._t.dtype, doc="The type of its elements.")

    def untyped(self) -> UntypedStorage:
        """The same memory as bytes."""
        return _wrapped(UntypedStorage, self._t.view(dv.uint8)) if self._t.numel() else UntypedStorage(0)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice) or not isinstance(index, int):
            raise GradError("TypedStorage", f"slices and {type(index).__name__} are only supported in UntypedStorage.__getitem__")
        return self._t[self._at(index)].item()

    def __setitem__(self, index: Any, value: Any) -> None:
        self._t[index if isinstance(index, slice) else self._at(index)] = value

    def clone(self) -> TypedStorage:
        """A copy."""
        return _wrapped(TypedStorage, self._t.clone())

    def to(self, device: Any = None, *, dtype: Any = None) -> TypedStorage:
        """The same elements elsewhere, or of another type."""
        return _wrapped(TypedStorage, self._t.to(device=device, dtype=dtype))

    def cpu(self) -> TypedStorage:
        """The same elements on the CPU."""
        return self.to("cpu")

    def cuda(self, device: Any = None, non_blocking: bool = False) -> TypedStorage:
        """A copy on a GPU."""
        return self.to("cuda" if device is None else device)

    def type(self, dtype: Any = None, non_blocking: bool = False) -> Any:
        """The name of its legacy class, ``"dovetail.FloatStorage"``; or the same elements of another type."""
        return f"{Spoken.package}.{self.pickle_storage_type()}" if dtype is None else self.to(dtype=getattr(dtype, "dtype", dtype))

    def pickle_storage_type(self) -> str:
        """The name of its legacy class."""
        return storage_type(self._t).__name__


def _wrapped(kind: Any, t: Any) -> Any:
    made = object.__new__(kind)
    made._t = t
    return made


def _conversion(name: str) -> Any:
    def convert(self: TypedStorage) -> TypedStorage:
        return _wrapped(TypedStorage, getattr(self._t, name)())

    convert.__name__, convert.__doc__ = name, f"The same elements as ``{name}``."
    return convert


for _name in ("float", "double", "half", "bfloat16", "long", "int", "short", "char", "byte", "bool"):
    setattr(TypedStorage, _name, _conversion(_name))


class _Legacy(type):
    """The type of ``FloatStorage`` and its kin: calling one makes a TypedStorage."""

    dtype: Any

    def __call__(cls, source: Any = 0) -> TypedStorage:
        return TypedStorage(source, dtype=getattr(dv, cls.dtype))

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, TypedStorage) and instance.dtype.name == cls.dtype and not instance.is_cuda


_KINDS = {
    "float32": "Float", "float64": "Double", "float16": "Half", "bfloat16": "BFloat16", "int64": "Long", "int32": "Int", "int16": "Short",
    "int8": "Char", "uint8": "Byte", "bool": "Bool",
}  # fmt: skip
_CLASSES = {
    dtype: _Legacy(f"{name}Storage", (), {"dtype": dtype, "__doc__": f"Memory of {dtype}.", "__module__": "dovetail"})
    for dtype, name in _KINDS.items()
}
(
    FloatStorage, DoubleStorage, HalfStorage, BFloat16Storage, LongStorage, IntStorage, ShortStorage, CharStorage, ByteStorage, BoolStorage,
) = _CLASSES.values()  # fmt: skip


def storage_type(x: Any) -> Any:
    """The legacy class of a tensor's storage. Raises a KeyError for a type that has none here."""
    return _CLASSES[x.dtype.name]


def from_file(filename: Any, shared: bool | None = None, size: int = 0, *, dtype: Any = None, **options: Any) -> Any:
    """A tensor that looks at the first `size` elements of a file of raw numbers; what is written to it reaches the file if `shared`.

    Raises a RuntimeError for a file that is not there or too short.
    """
    kind = dv.empty(0, dtype=dtype or dv.get_default_dtype()).numpy().dtype
    try:
        array = np.asarray(np.memmap(filename, kind, "r+" if shared else "c", shape=(size,)))
    except (OSError, ValueError) as error:
        raise ShapeError("from_file", f"unable to open file <{filename}> ({error})", f"expected {size * kind.itemsize} bytes") from None
    return dv.from_numpy(array).to(device=options.get("device")).requires_grad_(bool(options.get("requires_grad")))


METHODS.update(storage=TypedStorage, untyped_storage=UntypedStorage, storage_type=storage_type)


def is_storage(obj: Any, /) -> bool:
    """Whether this is a storage."""
    return isinstance(obj, _Storage)
