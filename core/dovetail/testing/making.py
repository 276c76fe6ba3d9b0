"""make_tensor: random tensors of a type for tests, with PyTorch's numbers for a seed."""

from __future__ import annotations

import math
import warnings
from typing import Any

from .. import ops
from ..dtypes import finfo, iinfo
from ..errors import TypeMismatch, ValueRangeError

__all__ = ["make_tensor"]


def make_tensor(
    *shape: Any, dtype: Any, device: Any, low: float | None = None, high: float | None = None, requires_grad: bool = False,
    noncontiguous: bool = False, exclude_zero: bool = False, memory_format: Any = None,
) -> Any:  # fmt: skip
    """A tensor of random numbers from [low, high): by default [-9, 9), for integers [-9, 10), for booleans both.

    Raises a ValueError for bounds that the type does not reach, and for `requires_grad` of integers.

    >>> import dovetail as dv
    >>> make_tensor(2, 3, dtype=dv.int64, device="cpu", low=0, high=5).shape
    dovetail.Size([2, 3])
    """
    size = tuple(shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape)
    if noncontiguous and memory_format is not None:
        what = "The parameters `noncontiguous` and `memory_format` are mutually exclusive"
        raise ValueRangeError("make_tensor", f"{what}, but got noncontiguous={noncontiguous!r} and memory_format={memory_format!r}")
    floating = dtype.is_floating_point or dtype.is_complex
    if requires_grad and not floating:
        what = f"`requires_grad=True` is not supported for boolean and integral dtypes, but got dtype={dtype!r}"
        raise ValueRangeError("make_tensor", what)
    apart = noncontiguous and math.prod(size) > 1
    size = (*size[:-1], 2 * size[-1]) if apart else size
    low, high = _bounds(dtype, low, high)
    if floating:
        out = ops.create.empty(size, dtype=dtype, device=device)
        _fill(ops.complex.view_as_real(out) if dtype.is_complex else out, low, high)
    else:
        out = ops.random.randint(low, high, size, dtype=dtype, device=device)
    if apart:
        out = out[..., 1::2]
    elif memory_format is not None:
        out = out.clone(memory_format=memory_format)
    if exclude_zero:
        out[out == 0] = finfo(dtype).tiny if floating else 1
    return out.requires_grad_(requires_grad) if floating else out


def _fill(t: Any, low: float, high: float) -> None:
    if high - low >= finfo(t.dtype).max:
        t.uniform_(low / 2, high / 2).mul_(2)
    else:
        t.uniform_(low, high)


def _bounds(dtype: Any, low: float | None, high: float | None) -> Any:
    """The bounds, or their defaults, inside what the type reaches."""
    if dtype.is_floating_point or dtype.is_complex:
        reach: tuple[float, float] = (finfo(dtype).min, finfo(dtype).max)
        default = (-9, 9)
    elif dtype.name == "bool":
        reach, default = (0, 2), (0, 2)
    elif dtype.name.startswith(("int", "uint")):
        info = iinfo(dtype)
        reach, default = (info.min, info.max + (dtype.name != "int64")), (-9, 10)
    else:
        raise TypeMismatch("make_tensor", f"The requested dtype '{dtype}' is not supported")
    a, b = default[0] if low is None else low, default[1] if high is None else high
    if a != a or b != b:
        raise ValueRangeError("make_tensor", f"`low` and `high` cannot be NaN, but got low={a!r} and high={b!r}")
    whole = not (dtype.is_floating_point or dtype.is_complex)
    if a == b and not whole:
        warnings.warn("Passing `low==high` to `make_tensor` for floating or complex types is deprecated", FutureWarning, stacklevel=3)
    elif a >= b:
        raise ValueRangeError("make_tensor", f"`low` must be less than `high`, but got {a} >= {b}")
    elif b < reach[0] or a >= reach[1]:
        what = f"The value interval specified by `low` and `high` is [{a}, {b}), but {dtype} only supports [{reach[0]}, {reach[1]})"
        raise ValueRangeError("make_tensor", what)
    a, b = (min(max(v, reach[0]), reach[1]) for v in (a, b))
    return (math.ceil(a), math.ceil(b)) if whole else (a, b)
