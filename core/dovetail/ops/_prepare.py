"""The steps of an op call around its forward: unwrapping, promotion, half precision, sharing of memory, error texts."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import dtypes as dt
from ..autograd.modes import COLD, GRAD, OBSERVE, STATE
from ..autograd.node import CLASSES, Leaf
from ..device import CPU, device_of, module_for, xp
from ..errors import DeviceError, DovetailError, DtypeError, NotATensor, RangeError, ShapeError, TypeMismatch, as_tensor_remedy
from ._layout import converted
from ._live import exhausted, owner
from ._refuse import NotForType, native, not_for, type_name

if TYPE_CHECKING:
    from ._op import Op

_NDARRAY = np.ndarray
NUMBERS: tuple[Any, ...] = (int, float, bool, complex)


def attend(word: int) -> int:
    """Look for the kernels of plugins, which this thread has not done yet, and return the word that remains."""
    if word & COLD:
        from .kernels import install_claimed

        STATE.word = word = word & ~COLD
        install_claimed()
    return word


def observed(op: Op, args: Any, run: Callable[[], Any]) -> Any:
    """Run the op inside this thread's observers, the newest innermost, none of them seeing what it does itself."""
    observers, STATE.observers = STATE.observers, ()
    STATE.word &= ~OBSERVE

    def layer(depth: int) -> Any:
        return run() if depth < 0 else observers[depth](op, args, lambda: layer(depth - 1))

    try:
        return layer(len(observers) - 1)
    finally:
        STATE.observers = observers
        STATE.word |= OBSERVE


def told(what: str, *args: Any) -> None:
    """Tell those observers that want to know of something that is no op: "effect" or "drawn", and how to do it again."""
    for observer in STATE.observers:
        getattr(observer, what, lambda *_: None)(*args)


def unwrap(op: Op, args: Any) -> tuple[list[Any], tuple[Any, ...], int, str, Any]:
    """Take the arrays out of the tensors: (raw arguments, edges, mask of needs, device type, type of the arrays)."""
    raw = list(args)
    edges: list[Any] = []
    mask = 0
    dtype: Any = None
    plain = True  # every array is NumPy's and of one type, and there are no numbers among them
    for at, i in enumerate(op.arrays):
        x = raw[i]
        if x.__class__ in CLASSES:
            raw[i] = a = x._a
            n = x._n
            edges.append(n)
            if n is not None:
                mask |= 1 << at
            if a.__class__ is not _NDARRAY or (dtype is not a.dtype and dtype is not None):
                plain = False
            dtype = a.dtype
        elif x is None and i in op.optional:
            edges.append(None)
        elif at in op.lists:
            plain = False
            raw[i], some = _unwrap_list(op, i, x)
            edges.extend(some)
            if any(e is not None for e in some):
                mask |= 1 << at
        else:
            plain = False
            edges.append(None)
            if x.__class__ not in NUMBERS or i in op.strict:
                raw[i] = _foreign(op, i, x)
    for i in op.scalars:
        if raw[i].__class__ not in NUMBERS:
            raw[i] = _scalar(op, i, raw[i])
    for i in op.fixed:
        raw[i] = x = bare(raw[i])
        plain = plain and (x.__class__ is _NDARRAY or x is None)
    if plain and dtype in op.plain:
        return raw, tuple(edges), mask, "cpu", dtype
    return _unwrap_mixed(op, args, raw, tuple(edges), mask)


def _unwrap_mixed(op: Op, args: Any, raw: list[Any], edges: tuple[Any, ...], mask: int) -> tuple[list[Any], tuple[Any, ...], int, str, Any]:
    """The rest of `unwrap` where types differ, numbers take part, or arrays live on a GPU."""
    arrays = [a for i in op.arrays for a in (raw[i] if raw[i].__class__ is list else (raw[i],))]
    if not any(hasattr(a, "dtype") for a in arrays) and not any(hasattr(raw[i], "dtype") for i in op.fixed):
        _refuse_plain(op, args)
    device = _same_device(op, raw, arrays)
    if op.real:
        kind = next((a.dtype for a in arrays if hasattr(a, "dtype") and a.dtype.kind == "c"), None)
        if kind is not None:
            raise not_for(op.name, kind, "real numbers")
    dtype = _promote(op, raw, arrays) if op.dtypes is not None else next((a.dtype for a in arrays if hasattr(a, "dtype")), None)
    return raw, edges, mask, device, dtype


def _unwrap_list(op: Op, i: int, tensors: Any) -> tuple[list[Any], list[Any]]:
    if not isinstance(tensors, list | tuple):
        raise TypeMismatch(f"{op.name}()", f"argument {op.params[i]!r} is {type(tensors).__name__}", "expected a tuple or list of Tensors")
    for k, t in enumerate(tensors):
        if t.__class__ not in CLASSES:
            raise TypeMismatch(f"{op.name}()", f"element {k} of {op.params[i]!r} is {type(t).__name__}", "expected a Tensor")
    return [t._a for t in tensors], [t._n for t in tensors]


def _scalar(op: Op, i: int, x: Any) -> Any:
    """A tensor of one element or a scalar of NumPy's as a number; what else a parameter takes stays as it is."""
    if x.__class__ in CLASSES and x.ndim:
        raise TypeMismatch(f"{op.name}()", f"argument {op.params[i]!r} must be Number, not Tensor")
    return x.item() if x.__class__ in CLASSES else native(x) if isinstance(x, np.generic) else x


def _foreign(op: Op, i: int, x: Any) -> Any:
    """Accept NumPy's scalars as numbers; refuse what is neither tensor nor number."""
    if isinstance(x, np.generic) and i not in op.strict:
        return native(x)
    raise _no_tensor(op, i, x, "Tensor" if i in op.strict else "Tensor or Number")


def _no_tensor(op: Op, i: int, x: Any, wanted: str = "Tensor") -> NotATensor:
    what = f"argument {op.params[i]!r} (position {i + 1}) must be {wanted}, not {type(x).__name__}"
    return NotATensor(f"{op.name}()", what, "", as_tensor_remedy(x))


def _refuse_plain(op: Op, args: Any) -> None:
    first = op.arrays[0] if op.arrays else op.fixed[0] if op.fixed else None
    if first is None or (op.lists and args[first]):
        return
    if op.lists:
        raise TypeMismatch(f"{op.name}()", "expected a non-empty list of Tensors")
    raise _no_tensor(op, first, args[first])


def bare(x: Any) -> Any:
    """The raw form of an index or mask: tensors inside tuples, lists and slices become arrays."""
    if x.__class__ in CLASSES:
        return x._a
    if x.__class__ is tuple:
        return tuple(bare(v) for v in x)
    if x.__class__ is list:
        return [bare(v) for v in x]
    if x.__class__ is slice:
        return slice(_whole(x.start), _whole(x.stop), _whole(x.step))
    return x


def _whole(x: Any) -> Any:
    return int(x.item()) if x.__class__ in CLASSES else x


def _same_device(op: Op, raw: list[Any], arrays: list[Any]) -> str:
    """Check that all arrays live on one device; a 0-d CPU tensor joins a GPU tensor, as in PyTorch."""
    fixed = [raw[i] for i in op.fixed if hasattr(raw[i], "dtype")]
    if all(a.__class__ is _NDARRAY or not hasattr(a, "dtype") for a in arrays) and all(f.__class__ is _NDARRAY for f in fixed):
        return "cpu"
    places = {device_of(a) for a in [*arrays, *fixed] if hasattr(a, "dtype") and (a.ndim or a.__class__ is not _NDARRAY)}
    if not places:
        return "cpu"
    if len(places) > 1:
        found = ", ".join(sorted(map(str, places)))
        what = f"Expected all tensors to be on the same device, but found {found}"
        raise DeviceError(f"{op.name}()", what, "", "move them with .to(device)")
    (where,) = places
    if where != CPU:
        module = module_for(where)
        for i in (*op.arrays, *op.fixed):
            if raw[i].__class__ is _NDARRAY and raw[i].ndim == 0:
                raw[i] = module.asarray(raw[i])
    return where.type


def _promote(op: Op, raw: list[Any], arrays: list[Any]) -> Any:
    """Cast the array arguments to their common type, and Python numbers to what they become there."""
    kinds = dict.fromkeys(a.dtype for a in arrays if hasattr(a, "dtype"))
    numbers = [a for a in arrays if a.__class__ in NUMBERS]
    if op.one_type and len(kinds) > 1:
        one, two, *_ = (k.name for k in kinds)
        what = f"expected m1 and m2 to have the same dtype, but got: {_C_NAMES.get(one, one)} != {_C_NAMES.get(two, two)} ({one} and {two})"
        raise DtypeError(f"{op.name}()", what, "", f"convert one of them: {op.params[op.arrays[0]]}.to(dovetail.{two})")
    common = dt.from_numpy_dtype(next(iter(kinds))) if len(kinds) == 1 and not numbers else dt.result_dtype(arrays)
    if op.dtypes in ("float", "floating") and not (common.is_floating_point or common.is_complex):
        if op.dtypes == "floating":
            name = type_name(common.np)
            what = f'"{op.name}" not implemented for {name!r} (argument {op.params[op.arrays[0]]!r} has type {common})'
            raise NotForType(f"{op.name}()", what, "expected a floating-point type", "convert with .float()")
        common = dt.get_default_dtype()
    target = common.np
    for i in op.arrays:
        a = raw[i]
        if a.__class__ is list:
            raw[i] = [x if x.dtype == target else converted(x, target) for x in a]
        elif hasattr(a, "dtype"):
            if a.dtype != target:
                raw[i] = converted(a, np.float32 if target in dt.HALF and not a.ndim and (op.name, i) in _EXACT else target)
        elif a.__class__ in NUMBERS:
            raw[i] = rounded(a, target) if target in dt.HALF and (op.name, i) in _ROUNDED else number(a, common)
    if target in dt.HALF:
        raw[:] = [rounded(a, target) if i in op.scalars and (op.name, i) in _ROUNDED else a for i, a in enumerate(raw)]
    return target


# Beside half precision: where a number is rounded to it, as PyTorch does, and where a tensor without dimensions is not.
_ROUNDED = {*product("add sub pow atan2 eq ne lt le gt ge remainder fmod add_scaled".split(), (0, 1)), ("add_scaled", 2), ("hardshrink", 1)}
_EXACT = {*product("mul div floor_divide floor_quotient truncated_quotient".split(), (1,))}


@np.errstate(over="ignore")
def rounded(value: Any, kind: Any) -> Any:
    """A number as half precision holds it."""
    return value if isinstance(value, complex) else float(kind.type(value))


_C_NAMES = {
    "float32": "float", "float64": "double", "float16": "c10::Half", "int64": "long int", "int32": "int", "int16": "short",
    "int8": "signed char", "uint8": "unsigned char",
}  # fmt: skip


def number(value: Any, common: dt.dtype) -> Any:
    """A Python number as it takes part in an operation of this type; integers wrap as C's do."""
    if common.is_floating_point or common.is_complex:
        return value
    if common.name == "bool":
        return bool(value)
    value = int(value)
    info = np.iinfo(common.np)
    if not info.min <= value <= info.max:
        value = (value - info.min) % (1 << info.bits) + info.min
    return value


def raised(raw: list[Any]) -> list[Any]:
    """Half-precision arguments in float32: the reference computes in float32 and rounds once."""
    return [[_up(x) for x in a] if a.__class__ is list else _up(a) for a in raw]


def _up(a: Any) -> Any:
    kind = getattr(a, "dtype", None)
    return converted(a, np.float32) if kind is not None and kind.itemsize == 2 and kind.kind not in "iu" else a


def lowered(out: Any, dtype: Any) -> Any:
    """Round float32 results back to half precision."""
    if isinstance(out, tuple | list):
        return type(out)(lowered(o, dtype) for o in out)
    return out.astype(dtype) if getattr(out, "dtype", None) == np.float32 else out


def share(op: Op, args: Any, outs: list[Any], word: int) -> None:
    """Let results that alias the first argument share its version box, and remember how they were made."""
    base = args[op.arrays[0]]
    if base.__class__ not in CLASSES:
        return
    a = base._a
    for k, out in enumerate(outs):
        if op.alias == "sometimes" and not aliases(out._a, a):
            continue
        out._v = box = base._v
        out._b = (base, op, args, k if op.n_outputs != 1 else None, bool(word & GRAD))
        if word & GRAD and base._n.__class__ is not Leaf and box[0] != float("inf"):
            note_view(box, out)


def aliases(x: Any, a: Any) -> bool:
    """Whether two arrays share memory, by their owners."""
    return x is a or owner(x) is owner(a)


def note_view(box: list[Any], view: Any) -> None:
    """Keep a weak list of the views of a box, pruned when it doubles."""
    import weakref

    views = box[3]
    if views is None:
        views = box[3] = []
    elif len(views) >= 32 and len(views) & (len(views) - 1) == 0:
        views[:] = [r for r in views if r() is not None]
    views.append(weakref.ref(view))


def explain(op: Op, error: Exception, raw: Any) -> None:
    """Raise the house's error for what NumPy says, with the shapes received; what it cannot explain is for the caller to raise."""
    if isinstance(error, DovetailError):
        error.__suppress_context__ = True
        return
    if isinstance(error, AttributeError):
        for i in (*op.arrays, *op.fixed):  # of these one that is no tensor
            if not hasattr(raw[i], "dtype") and (raw[i] is error.obj or (raw[i] is None and i < op.required)):
                raise _no_tensor(op, i, raw[i]) from error
        return
    shapes = ", ".join(f"{name} {tuple(a.shape)}" for name, a in zip(op.params, raw, strict=False) if hasattr(a, "shape"))
    text = str(error)
    wrong = next((i for i in op.numbers if raw[i].__class__ in (str, list, type(None)) and i not in op.optional), None)
    if wrong is not None:  # what NumPy says of it does not matter
        what = f"argument {op.params[wrong]!r} (position {wrong + 1}) must be a number, not {type(raw[wrong]).__name__}"
        raise TypeMismatch(f"{op.name}()", what) from error
    if isinstance(error, MemoryError):
        raise exhausted(op.name, error, raw) from None
    if isinstance(error, np.exceptions.AxisError):
        n = max([1, *(getattr(a, "ndim", 0) for a in raw)])
        what = f"Dimension out of range (expected to be in range of [{-n}, {n - 1}], but got {getattr(error, 'axis', None)})"
        raise RangeError(op.name, what, shapes) from error
    if isinstance(error, ValueError) and "broadcast" in text:
        raise ShapeError(op.name, _mismatch(raw) or text, shapes, "insert dimensions of size 1 with unsqueeze, or reshape") from error
    if isinstance(error, IndexError | ValueError):
        raise (RangeError if isinstance(error, IndexError) else ShapeError)(op.name, text, shapes) from error
    if isinstance(error, TypeError) and any(phrase in text for phrase in _NO_LOOP):
        kinds = [a.dtype for i in op.arrays for a in (raw[i] if raw[i].__class__ is list else (raw[i],)) if hasattr(a, "dtype")]
        kind = next((k for k in kinds if k.kind in "bc"), kinds[0] if kinds else None)
        raise not_for(op.name, kind, "a type that it computes on") from error


# how NumPy and CuPy say that a function has no loop for an element type
_NO_LOOP = (
    "not supported for the input types", "numpy boolean", "Cannot cast ufunc", "unsupported in linalg", "of arguments for cupy_",
    "'numpy.complex",
)  # fmt: skip


def _mismatch(raw: Any) -> str:
    """PyTorch's sentence for two shapes that do not broadcast."""
    shapes = [a.shape for a in raw if hasattr(a, "shape")]
    if len(shapes) < 2:
        return ""
    a, b = shapes[:2]
    for k in range(1, min(len(a), len(b)) + 1):
        if a[-k] != b[-k] and 1 not in (a[-k], b[-k]):
            where = max(len(a), len(b)) - k
            return f"The size of tensor a ({a[-k]}) must match the size of tensor b ({b[-k]}) at non-singleton dimension {where}"
    return ""


__all__ = [
    "aliases", "attend", "bare", "explain", "lowered", "note_view", "number", "observed", "raised", "rounded", "share", "told", "unwrap",
    "xp",
]  # fmt: skip
