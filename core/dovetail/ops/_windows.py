"""Sliding windows over the spatial dimensions: sizes, taps and blocks shared by convolution, pooling and unfold.

A tap is one position in the kernel; the elements that it meets form a strided view of the input. Loops run over taps,
never over output positions.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..errors import RangeError, ShapeError, TypeMismatch
from ._op import xp
from ._refuse import NotForType
from ._refuse import type_name as legacy

__all__ = [
    "Window", "blocks", "listing", "named", "over_batch", "padded", "refuse_scalar", "refuse_types", "spread", "tap_views", "unpadded",
    "window_sizes",
]  # fmt: skip

Sizes = tuple[int, ...]
_BLOCK = 1 << 20  # elements of a column buffer: 4 MB of float32 stays near the cache, and is reused block by block


def spread(where: str, name: str, value: Any, n: int) -> Sizes:
    """An int for every spatial dimension, or one for each; a RuntimeError for another count.

    >>> spread("conv2d", "stride", 2, 2), spread("conv2d", "stride", [1, 3], 2)
    ((2, 2), (1, 3))
    """
    if isinstance(value, int | np.integer):
        return (int(value),) * n
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise TypeMismatch(f"{where}()", f"argument {name!r} must be tuple of ints, not {type(value).__name__}")
    if len(value) == 1:
        return (_whole(where, name, value[0]),) * n
    if len(value) != n:
        raise ShapeError(where, f"{name} must be a single int or a tuple of {n} ints, got {tuple(value)}")
    return tuple(_whole(where, name, v) for v in value)


def _whole(where: str, name: str, value: Any) -> int:
    if isinstance(value, float):
        raise TypeMismatch(f"{where}()", f"argument {name!r} must be tuple of ints, but found element of type float")
    return int(value)


def refuse_types(where: str, x: Any, kinds: str) -> None:
    """Refuse types that PyTorch does not take there: `kinds` are NumPy's letters, "b" for bool, "iu" for integers."""
    if x.dtype.kind in kinds:
        what = f"\"{where}\" not implemented for '{legacy(x.dtype)}'"
        raise NotForType(where, what, "expected a floating-point type", "convert with .float()")


def refuse_scalar(where: str, x: Any) -> None:
    """Refuse a 0-d array with an IndexError, as PyTorch does."""
    if not x.ndim:
        raise RangeError(where, "Dimension out of range: the input has no dimensions")


def listing(shape: Sequence[int]) -> str:
    """A shape as PyTorch's messages write it: ``[8, 3, 32, 32]``."""
    return f"[{', '.join(map(str, shape))}]"


def over_batch(n: int, run: Callable[..., Any], *tensors: Any) -> Any:
    """Run a function of (N, C, *size) with n spatial dimensions; a single sample (C, *size) goes as a batch of one."""
    if tensors[0]._a.ndim == n + 2:
        return run(*tensors)
    out = run(*(t.unsqueeze(0) for t in tensors))
    return tuple(o.squeeze(0) for o in out) if out.__class__ is tuple else out.squeeze(0)


def named(function: Any, name: str, n: int) -> Any:
    """Give a function made for n spatial dimensions its public name, and fill n and its shapes into its docstring."""
    size = ", ".join("DHW"[3 - n :] if n > 1 else "L")
    function.__name__ = function.__qualname__ = name
    for mark, text in (("{n}", str(n)), ("{size}", size), ("{out}", size.replace(",", "',") + "'")):
        function.__doc__ = function.__doc__.replace(mark, text)
    return function


class Window(NamedTuple):
    """How windows lie over the spatial dimensions, and how many there are along each."""

    kernel: Sizes
    stride: Sizes
    padding: Sizes
    dilation: Sizes
    outs: Sizes

    def views(self, x: Any) -> Iterator[Any]:
        """For each place in the kernel the view of the padded `x` that it meets."""
        return (view for _, view in tap_views(x, self.kernel, self.stride, self.dilation, self.outs))


def window_sizes(spatial: Sequence[int], kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes) -> Sizes:
    """How many windows fit along each dimension.

    >>> window_sizes((8, 8), (3, 3), (2, 1), (1, 1), (1, 1))
    (4, 8)
    """
    each = zip(spatial, kernel, stride, padding, dilation, strict=True)
    return tuple((size + 2 * p - d * (k - 1) - 1) // s + 1 for size, k, s, p, d in each)


def tap_views(x: Any, kernel: Sizes, stride: Sizes, dilation: Sizes, outs: Sizes, axis: int = 2) -> Iterator[tuple[Sizes, Any]]:
    """For each tap, the last dimension fastest, the view of `x` that it meets: dimensions from `axis` on, of the sizes `outs`."""
    before = (slice(None),) * axis
    for tap in itertools.product(*map(range, kernel)):
        spans = (slice(t * d, t * d + s * (o - 1) + 1 if o else 0, s) for t, d, s, o in zip(tap, dilation, stride, outs, strict=True))
        yield tap, x[(*before, *spans)]


def padded(x: Any, padding: Sizes, value: float = 0, extra: Sizes | None = None) -> Any:
    """`x` with a border on the last dimensions (and `extra` more at their ends); `x` itself where there is none."""
    extra = extra or (0,) * len(padding)
    if not any(padding) and not any(extra):
        return x
    k = x.ndim - len(padding)
    shape = x.shape[:k] + tuple(n + 2 * p + e for n, p, e in zip(x.shape[k:], padding, extra, strict=True))
    out = xp(x).full(shape, value, x.dtype) if value else xp(x).zeros(shape, x.dtype)
    unpadded(out, padding, x.shape[k:])[...] = x
    return out


def unpadded(x: Any, padding: Sizes, spatial: Sequence[int]) -> Any:
    """The view inside a border."""
    return x[(..., *(slice(p, p + n) for p, n in zip(padding, spatial, strict=True)))]


def blocks(x: Any, outs: Sizes, each: int, kernel: Sizes, stride: Sizes, dilation: Sizes) -> Iterator[tuple[Any, Any, Any]]:
    """Cut the work into (batch, output rows, input rows) so that a buffer of `each` elements an output position stays small."""
    n, rows, sample = x.shape[0], outs[0], max(1, each * math.prod(outs))
    most = _BLOCK if x.__class__ is np.ndarray else _BLOCK << 4
    batch, step = max(1, most // sample), max(1, min(rows, most * rows // sample))
    reach = dilation[0] * (kernel[0] - 1) + 1
    for i in range(0, n, batch):
        for r in range(0, rows, step):
            last = min(rows, r + step)
            yield slice(i, min(n, i + batch)), slice(r, last), slice(r * stride[0], (last - 1) * stride[0] + reach)
