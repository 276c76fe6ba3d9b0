"""What may stand in square brackets, sorted into a step without copying and one with index arrays."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..autograd.node import CLASSES, wrap
from ..device import xp
from ..errors import RangeError, ShapeError, TypeMismatch, ValueRangeError

__all__ = ["outside", "parse"]

_FULL = slice(None)
_WORD = "getitem"


def parse(a: Any, at: Any, select: bool = True) -> tuple[Any, Any]:
    """Return (index for NumPy or None, tuple of full slices, masks and index arrays or None) of ``a[at]``.

    With `select` an index tensor without dimensions acts as an integer. Raises RangeError (IndexError) for what is
    outside the array or cannot index, ValueRangeError (ValueError) for a step below one.
    """
    parts = [_plain(part, select) for part in _parts(at)]
    taken = sum(_takes(part) for part in parts)
    if taken > a.ndim:
        if a.ndim == 0 and len(parts) == 1:
            text = "invalid index of a 0-dim tensor. Use `tensor.item()` to convert a 0-dim tensor to a number"
            raise RangeError(_WORD, text)
        raise RangeError(_WORD, f"too many indices for tensor of dimension {a.ndim}", f"got {taken}")
    walk = _Walk(a, a.ndim - taken)
    for part in parts:
        walk.take(part)
    return walk.result()


class _Walk:
    """Goes along the index and the dimensions that it consumes."""

    def __init__(self, a: Any, free: int) -> None:
        self.a, self.free, self.dim = a, free, 0  # `free` dimensions are left for the first Ellipsis
        self.basic: list[Any] = []
        self.advanced: list[Any] = []  # one entry for each dimension of the basic result, one for all of a mask
        self.any = self.moved = False

    def take(self, part: Any) -> None:
        """Sort one part of the index."""
        shape = self.a.shape
        if part is None:
            self._basic(None)
        elif part is Ellipsis:
            for _ in range(self.free):
                self._basic(_FULL)
            self.dim, self.free = self.dim + self.free, 0
        elif part.__class__ is int:
            n = shape[self.dim]
            if not -n <= part < n:
                raise RangeError(_WORD, f"index {part} is out of bounds for dimension {self.dim} with size {n}", f"shape {tuple(shape)}")
            self.basic.append(part)
            self.moved = True
            self.dim += 1
        elif part.__class__ is slice:
            self._basic(part)
            self.dim += 1
        elif part.__class__ is bool:
            self.basic.append(None)
            self.advanced.append(xp(self.a).asarray([part]))
            self.any = self.moved = True
        else:
            self._array(part)

    def _basic(self, part: Any) -> None:
        self.moved = self.moved or part is None or part != _FULL
        self.basic.append(part)
        self.advanced.append(_FULL)

    def _array(self, part: Any) -> None:
        """An index array or a mask, brought to where the indexed array lives."""
        self.any = True
        raw, module = getattr(part, "_a", part), xp(self.a)
        if raw.__class__ is np.ndarray and module is not np:
            raw = part = module.asarray(raw)
        k = raw.ndim if raw.dtype.kind == "b" else 1
        self.basic.extend([_FULL] * k)
        if raw.dtype.kind == "b":
            want = self.a.shape[self.dim : self.dim + k]
            if raw.shape != want:
                at = next(i for i in range(k) if raw.shape[i] != want[i])
                text = (
                    f"The shape of the mask {list(raw.shape)} at index {at} does not match the shape of the indexed tensor "
                    f"{list(self.a.shape)} at index {self.dim + at}"
                )
                raise RangeError(_WORD, text)
        self.advanced.append(part)
        self.dim += k

    def result(self) -> tuple[Any, Any]:
        """The two steps."""
        if not self.any:
            return (*self.basic, ...), None
        while self.advanced[-1].__class__ is slice:
            self.advanced.pop()
        if len(self.advanced) > 1:
            _check_broadcast(self.advanced)
        return (*self.basic, ...) if self.moved else None, tuple(self.advanced)


def _parts(at: Any) -> tuple[Any, ...]:
    """The parts of an index; a list that holds more than numbers counts as a tuple, as in PyTorch."""
    if at.__class__ is tuple:
        return at
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
    if part.__class__ in (int, slice):
        return 1
    raw = getattr(part, "_a", part)
    return int(raw.ndim) if raw.dtype.kind == "b" else 1


def _plain(part: Any, select: bool) -> Any:
    """A part as None, Ellipsis, bool, int, slice, or a tensor or array of integers or booleans."""
    kind = part.__class__
    if part is None or part is Ellipsis or kind is bool or kind is int:
        return part
    if kind is slice:
        return _checked(part)
    if isinstance(part, np.bool_ | float | complex | np.floating):
        text = "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices"
        raise RangeError(_WORD, f"{text} (got {type(part).__name__})")
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
    elif name not in ("int64", "int32", "bool"):
        raise RangeError(_WORD, "tensors used as indices must be long, int, byte or bool tensors", f"got {name}")
    if raw.ndim == 0 and (select or name == "bool"):
        return bool(raw) if name in ("bool", "uint8") else int(raw)
    return part


def _sequence(part: Any) -> Any:
    """A list or range of indices as an array."""
    if isinstance(part, str):
        raise TypeMismatch(_WORD, "invalid data type 'str' for an index")
    try:
        values = [v.tolist() if v.__class__ in CLASSES else v for v in part]
        out = np.asarray(values) if values else np.zeros(0, np.int64)
    except TypeError:
        text = "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices"
        raise RangeError(_WORD, f"{text} (got {type(part).__name__})") from None
    except ValueError as error:
        raise ShapeError(_WORD, str(error)) from None
    return out


def _checked(part: slice) -> slice:
    step = part.step
    if step is None:
        return part
    step = int(step)
    if step < 1:
        raise ValueRangeError(_WORD, "slice step cannot be zero" if step == 0 else "step must be greater than zero", f"got {step}")
    return slice(part.start, part.stop, step)


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
    shapes = []
    for part in parts:
        raw = getattr(part, "_a", part)
        if raw.__class__ is not slice:
            shapes.append((int(raw.sum()),) if raw.dtype.kind == "b" and len(parts) > 1 else raw.shape)
    if len(shapes) > 1:
        try:
            np.broadcast_shapes(*shapes)
        except ValueError:
            text = "shape mismatch: indexing tensors could not be broadcast together with shapes "
            raise RangeError(_WORD, text + ", ".join(str(list(s)) for s in shapes)) from None
