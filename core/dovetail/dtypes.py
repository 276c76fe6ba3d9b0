"""Element types, and the rules by which they promote (PyTorch's).

A tensor of more dimensions outranks one of none, and both outrank a Python number; within a rank the
category (bool < integer < float < complex) decides, and within a category the width.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from .errors import DtypeError, TypeMismatch, UnsupportedError
from .size import Spoken

__all__ = [
    "can_cast", "dtype", "finfo", "from_numpy_dtype", "get_default_dtype", "iinfo", "promote_types", "result_dtype", "set_default_dtype",
    "to_numpy_dtype",
]  # fmt: skip

_BOOL, _INT, _FLOAT, _COMPLEX = range(4)


class dtype(metaclass=Spoken):
    """The type of a tensor's elements, such as ``dovetail.float32``.

    >>> import dovetail
    >>> dovetail.float32.itemsize, dovetail.float32.is_floating_point
    (4, True)
    """

    __slots__ = ("category", "is_complex", "is_floating_point", "is_signed", "itemsize", "name", "np")

    def __init__(self, name: str, numpy_dtype: Any, category: int, itemsize: int = 0) -> None:
        self.name, self.category = name, category
        self.np: Any = None if itemsize else np.dtype(numpy_dtype)  # None where there are no tensors of it
        self.itemsize = itemsize or np.dtype(numpy_dtype).itemsize
        self.is_floating_point, self.is_complex = category == _FLOAT, category == _COMPLEX
        self.is_signed = category >= _FLOAT or name[0] == "i" or name[:2] == "qi"

    def __repr__(self) -> str:
        return f"{Spoken.package}.{self.name}"

    def __reduce__(self) -> tuple[Any, ...]:
        return dtype_named, (self.name,)

    def to_complex(self) -> dtype:
        """The complex type whose parts have this type: ``float64`` gives ``complex128``."""
        if self.category < _FLOAT:
            raise DtypeError("to_complex", f"Unknown Complex ScalarType for {self}")
        return complex128 if self.itemsize == 8 and self.category == _FLOAT else self if self.is_complex else complex64

    def to_real(self) -> dtype:
        """The type of a complex type's parts: ``complex64`` gives ``float32``."""
        return {complex64: float32, complex128: float64}.get(self, self)


dtype.__module__ = "dovetail"  # as users know it


_INTEGERS = ("uint8", "int8", "int16", "int32", "int64", "uint16", "uint32", "uint64")
bool_ = dtype("bool", np.bool_, _BOOL)
uint8, int8, int16, int32, int64, uint16, uint32, uint64 = (dtype(name, name, _INT) for name in _INTEGERS)
float16, float32, float64 = (dtype(name, name, _FLOAT) for name in ("float16", "float32", "float64"))
complex64, complex128 = (dtype(name, name, _COMPLEX) for name in ("complex64", "complex128"))

ALIASES = {
    "half": float16, "float": float32, "double": float64, "short": int16, "int": int32, "long": int64, "cfloat": complex64,
    "cdouble": complex128,
}  # fmt: skip
_ALL = (bool_, uint8, int8, int16, int32, int64, uint16, uint32, uint64, float16, float32, float64, complex64, complex128)
TYPES: dict[str, dtype] = {t.name: t for t in _ALL}
_FROM_NUMPY: dict[Any, dtype] = {t.np: t for t in TYPES.values()}
HALF: set[Any] = {float16.np}  # the types in which references do not compute; bfloat16 joins when it is made


def dtype_named(name: str) -> dtype:
    """The type of this name, such as ``"float32"``; those of ml_dtypes, which is imported then, are made when they are first asked for."""
    found = TYPES.get(name) or _NAMED.get(name)
    if found is None:
        import ml_dtypes

        found = TYPES[name] = dtype(name, getattr(ml_dtypes, name), _FLOAT)
        _FROM_NUMPY[found.np] = found
        HALF.add(found.np)
    return found


def bfloat16_dtype() -> dtype:
    """Return ``dovetail.bfloat16``, made when it is first asked for."""
    return dtype_named("bfloat16")


# types that PyTorch has hardly any operation for: one can name them, compare them and ask for their size
_SMALL = "quint8 qint8 quint4x2 quint2x4 bits1x8 bits2x4 bits4x2 bits8".split() + [f"{u}int{n}" for u in ("", "u") for n in range(1, 8)]
_NAMED = {name: dtype(name, None, _INT, 1) for name in _SMALL}
_NAMED |= {"bits16": dtype("bits16", None, _INT, 2), "qint32": dtype("qint32", None, _INT, 4)}
_NAMED |= {"float4_e2m1fn_x2": dtype("float4_e2m1fn_x2", None, _FLOAT, 1), "complex32": dtype("complex32", None, _COMPLEX, 4)}
_ML = frozenset("bfloat16 float8_e4m3fn float8_e5m2 float8_e4m3fnuz float8_e5m2fnuz float8_e8m0fnu".split())
LATER = _ML | _NAMED.keys()


class _Default:
    """The type that floats without a type of their own get."""

    float: dtype = float32


def get_default_dtype() -> dtype:
    """Return the type that Python floats become: ``float32`` unless it was set.

    >>> import dovetail
    >>> dovetail.get_default_dtype()
    dovetail.float32
    """
    return _Default.float


def set_default_dtype(d: dtype, /) -> None:
    """Set the type that Python floats become. Raises a TypeError for a type that is not floating.

    >>> import dovetail
    >>> dovetail.set_default_dtype(dovetail.float64); dovetail.tensor(1.5).dtype
    dovetail.float64
    >>> dovetail.set_default_dtype(dovetail.float32)
    """
    if not isinstance(d, dtype) or not d.is_floating_point:
        raise TypeMismatch("set_default_dtype", f"only floating-point types are supported as the default type, got {d!r}")
    _Default.float = d


def from_numpy_dtype(kind: Any) -> dtype:
    """Return our type for NumPy's. Raises a TypeError for a type that tensors do not have.

    >>> import numpy
    >>> from_numpy_dtype(numpy.dtype("f4"))
    dovetail.float32
    """
    found = _FROM_NUMPY.get(kind)
    if found is None:
        kind = np.dtype(kind)
        found = dtype_named(kind.name) if kind.name in _ML else _FROM_NUMPY.get(kind.newbyteorder("="))
        if found is None:
            raise TypeMismatch("dtype", f"can't convert a NumPy array of type {kind}", f"the supported types are {', '.join(TYPES)}")
    return found


_PYTHON = {bool: bool_, int: int64, float: float64, complex: complex128}


def to_numpy_dtype(kind: Any) -> np.dtype[Any]:
    """Return NumPy's type for ours, or for Python's ``float``, ``int`` and ``bool`` (as PyTorch takes them)."""
    if kind.__class__ is dtype:
        if kind.np is None:
            raise UnsupportedError("dtype", f"there are no tensors of type {kind} here", "expected a type with operations")
        return kind.np
    if kind in _PYTHON:
        return _PYTHON[kind].np
    raise TypeMismatch("dtype", f"got {kind!r} ({type(kind).__name__})", "expected a dovetail dtype such as dovetail.float32")


def promote_types(type1: dtype, type2: dtype) -> dtype:
    """Return the smallest type that holds both, as PyTorch's table has it.

    >>> import dovetail as dv
    >>> dv.promote_types(dv.int64, dv.float16), dv.promote_types(dv.uint8, dv.int8)
    (dovetail.float16, dovetail.int16)
    """
    type1, type2 = _demanded("promote_types", type1, type2)
    return type1 if type1 is type2 else _promote(type1, type2)


def _demanded(where: str, *kinds: Any) -> list[Any]:
    found = [_PYTHON.get(k, k) if k.__class__ is type else k for k in kinds]  # float stands for float64
    kind = next((k for k in found if k.__class__ is not dtype), None)
    if kind is not None:
        raise TypeMismatch(f"{where}()", f"argument must be dovetail.dtype, not {type(kind).__name__}")
    return found


@functools.cache
def _promote(a: dtype, b: dtype) -> dtype:
    if a.category != b.category:
        low, high = sorted((a, b), key=lambda t: t.category)
        return complex128 if high.is_complex and low is float64 else high
    if a.category == _FLOAT and a.itemsize == b.itemsize == 2:
        return float32  # float16 with bfloat16
    if a.category == _INT:
        mixed = np.promote_types(a.np, b.np)
        if mixed.kind == "f":
            raise DtypeError("promote_types", f"promotion of {a} with {b} is not supported", "", "cast one of them first")
        return from_numpy_dtype(mixed)
    return a if a.itemsize > b.itemsize else b


def scalar_dtype(value: Any) -> dtype:
    """The type that a Python number stands for: int64, the default float, its complex type, or bool."""
    if isinstance(value, bool | np.bool_):
        return bool_
    if isinstance(value, int | np.integer):
        return int64
    if isinstance(value, float | np.floating):
        return _Default.float
    return _Default.float.to_complex()


def result_dtype(values: Any) -> dtype:
    """Return the type that an operation on these raw arrays and Python numbers has."""
    ranks: list[dtype | None] = [None, None, None]  # what arrays with dimensions, 0-d arrays and Python numbers say
    for value in values:
        if value is not None:
            kind = getattr(value, "dtype", None)
            rank, one = (2, scalar_dtype(value)) if kind is None else (0 if value.ndim else 1, from_numpy_dtype(kind))
            had = ranks[rank]
            ranks[rank] = one if had is None else promote_types(had, one)
    out, *weaker_ones = ranks
    for weaker in weaker_ones:
        if out is None:
            out = weaker
        elif weaker is not None and weaker.category > out.category:
            # a weaker participant of a higher category decides the category only; a float keeps its width
            out = out.to_complex() if out.is_floating_point else promote_types(out, weaker)
    assert out is not None, "no array among the arguments; are the op's parameters annotated `Array`?"
    return out


def can_cast(from_: dtype, to: dtype) -> bool:
    """Whether values of one type may become another without losing their category.

    >>> import dovetail as dv
    >>> dv.can_cast(dv.int64, dv.float32), dv.can_cast(dv.float32, dv.int64)
    (True, False)
    """
    from_, to = _demanded("can_cast", from_, to)
    return from_.category <= to.category


class finfo:
    """The numeric limits of a floating-point type: ``bits eps max min tiny smallest_normal resolution dtype``.

    >>> import dovetail as dv
    >>> dv.finfo(dv.float32).eps
    1.1920928955078125e-07
    """

    __slots__ = ("bits", "dtype", "eps", "max", "min", "resolution", "smallest_normal", "tiny")

    def __init__(self, type: dtype | None = None) -> None:
        (type,) = _demanded("finfo", type or _Default.float)
        if type.category < _FLOAT:
            raise TypeMismatch("finfo", f"requires a floating-point type, got {type}", "", "use iinfo for integers")
        if type.name in _ML:
            import ml_dtypes

            info: Any = ml_dtypes.finfo(type.np)
        else:
            info = np.finfo(type.np)
        self.dtype, self.bits = type.to_real().name, info.bits
        self.eps, self.max, self.min = float(info.eps), float(info.max), float(info.min)
        self.tiny = self.smallest_normal = float(info.smallest_normal)
        self.resolution = float(info.resolution)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, finfo) and self.dtype == other.dtype

    def __hash__(self) -> int:
        return hash(self.dtype)

    def __repr__(self) -> str:
        values = [f"{name}={getattr(self, name):g}" for name in ("min", "max", "eps", "smallest_normal", "tiny")]
        return f"finfo(resolution={self.resolution:.1g}, {', '.join(values)}, dtype={self.dtype})"


class iinfo:
    """The numeric limits of an integer type: ``bits max min dtype``.

    >>> import dovetail as dv
    >>> dv.iinfo(dv.int8).max
    127
    """

    __slots__ = ("bits", "dtype", "max", "min")

    def __init__(self, type: dtype) -> None:
        (type,) = _demanded("iinfo", type)
        if type.category != _INT:
            raise TypeMismatch("iinfo", f"requires an integer type, got {type}", "", "use finfo for floats")
        info = np.iinfo(type.np)
        self.dtype, self.bits, self.max, self.min = type.name, info.bits, int(info.max), int(info.min)

    def __repr__(self) -> str:
        return f"iinfo(min={self.min:g}, max={self.max:g}, dtype={self.dtype})"
