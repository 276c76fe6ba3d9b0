"""What may stand in square brackets, sorted into a step without copying and one with index arrays."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..autograd.node import CLASSES, wrap
from ..device import xp
from ..errors import RangeError, ShapeError, TypeMismatch, ValueRangeError
from ._dims import whole

__all__ = ["outside", "parse"]

_FULL = slice(None)
_WORD = "getitem"
_VALID = "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices"


def parse(a: Any, at: Any, select: bool = True) -> tuple[Any, Any]:
    """Return (index for NumPy or None, tuple of full slices, masks and index arrays or None) of ``a[at]``.

    With `select` an index tensor without dimensions acts as an integer. Raises RangeError (IndexError) for what is
    outside the array or cannot index, ValueRangeError (ValueError) for a step below one.
    """
    parts = [_plain(part, select) for part in _parts(at)]
    free = a.ndim - sum(_takes(part) for part in parts)  # the dimensions that are left for the first Ellipsis
    if free < 0 and a.ndim == 0 and len(parts) == 1:
        raise RangeError(_WORD, "invalid index of a 0-dim tensor. Use `tensor.item()` to convert a 0-dim tensor to a number")
    if free < 0:
        raise RangeError(_WORD, f"too many indices for tensor of dimension {a.ndim}", f"got {a.ndim - free}; shape {tuple(a.shape)}")
    basic: list[Any] = []
    advanced: list[Any] = []  # one entry for each dimension of the basic result, one for all of a mask
    dim = 0
    for part in parts:
        takes = _takes(part)
        if part is Ellipsis:
            takes, free = free, 0
            basic += [_FULL] * takes
            advanced += [_FULL] * takes
        elif part is None or part.__class__ is slice:
            basic.append(part)
            advanced.append(_FULL)
        elif part.__class__ is int:
            n = a.shape[dim]
            if not -n <= part < n:
                raise RangeError(_WORD, f"index {part} is out of bounds for dimension {dim} with size {n}", f"shape {tuple(a.shape)}")
            basic.append(part)
        elif part.__class__ is bool:
            basic.append(None)
            advanced.append(xp(a).asarray([part]))
        else:
            basic += [_FULL] * takes
            advanced.append(_array(a, dim, part))
        dim += takes
    if all(part.__class__ is slice for part in advanced):
        return (*basic, ...), None
    while advanced[-1].__class__ is slice:
        advanced.pop()
    if len(advanced) > 1:
        _check_broadcast(advanced)
    return (*basic, ...) if any(part != _FULL for part in basic) else None, tuple(advanced)


def _array(a: Any, dim: int, part: Any) -> Any:
    """An index array or a mask, brought to where the indexed array lives."""
    raw, module = getattr(part, "_a", part), xp(a)
    if raw.__class__ is np.ndarray and module is not np:
        raw = part = module.asarray(raw)
    if raw.dtype.kind == "b" and raw.shape != a.shape[dim : dim + raw.ndim]:
        at = next(i for i in range(raw.ndim) if raw.shape[i] != a.shape[dim + i])
        text = f"The shape of the mask {list(raw.shape)} at index {at} does not match the shape of the indexed tensor {list(a.shape)}"
        raise RangeError(_WORD, f"{text} at index {dim + at}")
    return part


def _parts(at: Any) -> tuple[Any, ...]:
    """The parts of an index; a list that holds more than numbers counts as a tuple, as in PyTorch."""
    if isinstance(at, list) and 0 < len(at) < 32 and any(
        v is None or v is Ellipsis or isinstance(v, slice | list | tuple | np.ndarray) or v.__class__ in CLASSES for v in at
    ):  # fmt: skip
        text = "Using a non-tuple sequence for multidimensional indexing is deprecated; use x[tuple(seq)] instead of x[seq]"
        warnings.warn(text, UserWarning, stacklevel=4)
        return tuple(at)
    return tuple(at) if isinstance(at, tuple) else (at,)


def _takes(part: Any) -> int:
    """How many dimensions a part consumes."""
    if part is None or part is Ellipsis or part.__class__ is bool:
        return 0
    raw = getattr(part, "_a", part)
    return int(raw.ndim) if hasattr(raw, "dtype") and raw.dtype.kind == "b" else 1


def _plain(part: Any, select: bool) -> Any:
    """A part as None, Ellipsis, bool, int, slice, or a tensor or array of integers or booleans."""
    kind = part.__class__
    if part is None or part is Ellipsis or kind is bool or kind is int:
        return part
    if kind is slice:
        step = 1 if part.step is None else whole(part.step)
        if step < 1:
            raise ValueRangeError(_WORD, "slice step cannot be zero" if step == 0 else "step must be greater than zero", f"got {step}")
        return slice(part.start, part.stop, None if step == 1 else step)
    if isinstance(part, np.bool_ | float | complex | np.floating):
        raise RangeError(_WORD, f"{_VALID} (got {kind.__name__})")
    if isinstance(part, int | np.integer):
        return int(part)
    if kind not in CLASSES and not hasattr(part, "dtype"):
        part = _sequence(part)
    raw = getattr(part, "_a", part)
    name = raw.dtype.name
    if name == "uint8":
        warnings.warn("indexing with dtype uint8 is deprecated, please use a dtype bool instead", UserWarning, stacklevel=5)
        raw = raw.astype(bool)
        part = wrap(raw)
    elif name not in ("int64", "int32", "bool") and (raw.ndim or raw.dtype.kind not in "iu"):
        raise RangeError(_WORD, "tensors used as indices must be long, int, byte or bool tensors", f"got {name}")
    if raw.ndim == 0 and (select or name == "bool"):
        return raw.item()
    return part


def _sequence(part: Any) -> Any:
    """A list or range of indices as an array."""
    if isinstance(part, str):
        raise TypeMismatch(_WORD, "invalid data type 'str' for an index")
    try:
        values = [v.tolist() if v.__class__ in CLASSES else v for v in part]
        return np.asarray(values) if values else np.zeros(0, np.int64)
    except TypeError:
        raise RangeError(_WORD, f"{_VALID} (got {type(part).__name__})") from None
    except ValueError as error:
        raise ShapeError(_WORD, str(error)) from None


def outside(region: Any, indices: Any, error: Exception) -> Exception:
    """What PyTorch says of index arrays that point outside a dimension; NumPy has found that they do."""
    dim = 0
    for part in indices:
        if part.__class__ is not slice and part.dtype.kind in "iu" and part.size:
            n, low, high = region.shape[dim], int(part.min()), int(part.max())
            if low < -n or high >= n:
                text = f"index {high if high >= n else low} is out of bounds for dimension 0 with size {n}"
                return RangeError(_WORD, text, f"shape {tuple(region.shape)}, dimension {dim}")
        dim += part.ndim if part.__class__ is not slice and part.dtype.kind == "b" else 1
    return RangeError(_WORD, str(error))


def _check_broadcast(parts: list[Any]) -> None:
    """Say which shapes of index arrays do not go together."""
    arrays = [getattr(part, "_a", part) for part in parts if part.__class__ is not slice]
    shapes = [(int(raw.sum()),) if raw.dtype.kind == "b" else raw.shape for raw in arrays]
    try:
        np.broadcast_shapes(*shapes)
    except ValueError:
        text = "shape mismatch: indexing tensors could not be broadcast together with shapes "
        raise RangeError(_WORD, text + ", ".join(str(list(s)) for s in shapes)) from None
