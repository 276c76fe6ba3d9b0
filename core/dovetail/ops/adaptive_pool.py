"""Pooling to a size, whatever the input's: adaptive average and maximum."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from dovetail_numerics.windows import Sizes

from ..errors import ShapeError, TypeMismatch, ValueRangeError
from ._dims import whole
from ._op import Array, Fixed, op, xp
from ._refuse import listing, refuse_scalar, refuse_types
from ._resampling import Axis, resample
from ._spatial import named, over_batch
from .pool import avg_pool, largest, plane_scatter, tiles

__all__ = ["adaptive_avg_pool1d"]
METHODS = ()
FUNCTIONAL = (
    *__all__, "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d", "adaptive_max_pool1d_with_indices",
    "adaptive_max_pool2d", "adaptive_max_pool2d_with_indices", "adaptive_max_pool3d", "adaptive_max_pool3d_with_indices",
)  # fmt: skip


def adaptive_avg_pool(input: Any, outs: Sizes) -> Any:
    """Average to `outs` along the last dimensions of (N, C, *spatial): window i of m covers [⌊i·n/m⌋, ⌈(i+1)·n/m⌉)."""
    spatial = input._a.shape[2:]
    if 0 in outs:
        return input.new_zeros((*input._a.shape[:2], *outs))
    if set(outs) == {1}:
        return input.mean(tuple(range(2, input._a.ndim)), keepdim=True)
    window = tiles(spatial, outs)
    if window is not None:
        return avg_pool(input, window, math.prod(window.kernel))
    return resample(input if len(outs) < 3 else input.contiguous(), tuple(Axis("mean", n, m) for n, m in zip(spatial, outs, strict=True)))


@op(dtypes="floating", outputs=("values", "indices"), nondiff=("indices",), contiguous="images")
def max_of_ranges(input: Array, starts: Fixed, lengths: Fixed) -> Array:
    """The largest element of each block of (N, C, *spatial), and its position.

    Along axis k, block i covers `lengths[k][i]` elements from `starts[k][..., i]` on (starts may differ for each (n, c)).
    """
    m, planes = xp(input), input.reshape(*input.shape[:2], math.prod(input.shape[2:]))
    shape = (*input.shape[:2], *(len(line) for line in lengths))
    best = at = None
    for index in _tap_indices(m, input.shape[2:], starts, lengths):
        flat = m.broadcast_to(index, shape).reshape(*shape[:2], math.prod(shape[2:]))
        values = m.take_along_axis(planes, flat, axis=2)
        if best is None:
            best, at = values, flat
            continue
        larger = (values > best) | (values != values)
        best, at = m.where(larger, values, best), m.where(larger, flat, at)
    if best is None:
        return m.zeros(shape, input.dtype), m.zeros(shape, np.int64)
    return best.reshape(shape), at.reshape(shape)


max_of_ranges.vjp(lambda g, input_shape, indices: plane_scatter(g[0], indices, input_shape[2:]))


def _tap_indices(m: Any, spatial: Sizes, starts: Any, lengths: Any) -> Iterable[Any]:
    """For each place in the largest block, the flat positions (..., *outs); shorter blocks repeat their last element."""
    for tap in np.ndindex(*(int(max(line, default=0)) for line in lengths)):
        index: Any = 0
        for k, (start, length) in enumerate(zip(starts, lengths, strict=True)):
            line = m.asarray(start) + m.asarray(np.minimum(tap[k], np.asarray(length) - 1))
            line = line.reshape(*line.shape[:-1], *(1,) * k, line.shape[-1], *(1,) * (len(spatial) - 1 - k))
            index = index * spatial[k] + line
        yield index


def _sizes(where: str, n: int, x: Any, output_size: Any, fixed: int) -> Sizes:
    """Check the arguments, the first `fixed` dimensions aside, and say the output's spatial sizes."""
    several = isinstance(output_size, tuple | list)
    given = tuple(output_size) if several else (output_size,) * n
    if several and n > 1 and len(given) >= x.ndim:
        raise ValueRangeError(where, f"output_size must be {n} (got {given}): input dimension should be at least {len(given) + 1}")
    if x.ndim not in (n + 1, n + 2):
        raise ShapeError(where, f"Expected {n + 1}D or {n + 2}D tensor, but got {listing(x.shape)}")
    if output_size is None:
        raise TypeMismatch(where, f"output_size is None; expected an int, or {n} of which some may be None")
    if len(given) != n:
        raise ShapeError(where, f"output_size must be {n} (got {given})")
    outs = tuple(int(m) if o is None else whole(o) for o, m in zip(given, x.shape[-n:], strict=True))
    if min(outs) < 0:
        raise ShapeError(where, f"elements of output_size must be greater than or equal to 0 but received {outs}")
    refuse_types(where, x, "iub")
    if 0 in x.shape[fixed:]:
        text = "Expected input to have non-zero size for non-batch dimensions, but input has sizes "
        raise ShapeError(where, f"{text}{listing(x.shape)} with dimension {x.shape.index(0, fixed)} being empty")
    return outs


def _largest(x: Any, outs: Sizes, indices: bool) -> Any:
    """The maxima of (N, C, *spatial) over the windows of :func:`adaptive_avg_pool`, and with `indices` their positions."""
    spatial = x._a.shape[2:]
    window = tiles(spatial, outs)
    if window is not None:
        return largest(x, window, indices)
    steps = [(np.arange(o), m, o) for m, o in zip(spatial, outs, strict=True)]
    starts = tuple(i * m // o for i, m, o in steps)
    lengths = tuple((-((-(i + 1) * m) // o) - s).tolist() for (i, m, o), s in zip(steps, starts, strict=True))
    found = max_of_ranges(x, starts, lengths)
    return found if indices else found[0]


def _adaptive_avg_pool(n: int) -> Any:
    def pool(input: Any, output_size: Any) -> Any:
        """Average (N, C, {size}) over `output_size` windows, an int or one for each dimension (None keeps a size).

        Raises a RuntimeError for a wrong number of dimensions or an empty one.

        >>> import dovetail as dv
        >>> dv.nn.functional.adaptive_avg_pool{n}d(dv.tensor([1., 3., 5., 7.]).expand(1, 1, *[4] * {n}), 2).unique()
        tensor([2., 6.])
        """
        if n == 2 and output_size in (1, (1, 1), [1, 1]):
            refuse_scalar(pool.__name__, input._a)
        outs = _sizes(pool.__name__, n, input._a, output_size, input._a.ndim - n)
        return over_batch(n, lambda x: adaptive_avg_pool(x, outs), input)

    return named(pool, f"adaptive_avg_pool{n}d", n)


def _adaptive_max_pool(n: int, always: bool = False) -> Any:
    where = f"adaptive_max_pool{n}d"

    def pool(input: Any, output_size: Any, return_indices: bool = always) -> Any:
        """The largest element of each of `output_size` windows of (N, C, {size}), an int or one for each dimension.

        With `return_indices`, or as `adaptive_max_pool{n}d_with_indices`, the flat positions in the spatial dimensions come too.

        >>> import dovetail as dv
        >>> dv.nn.functional.adaptive_max_pool{n}d(dv.tensor([1., 3., 7., 5.]).expand(1, 1, *[4] * {n}), 2).unique()
        tensor([3., 7.])
        """
        outs = _sizes(where, n, input._a, output_size, input._a.ndim - n - 1)
        return over_batch(n, lambda x: _largest(x, outs, always or return_indices), input)

    return named(pool, f"{where}_with_indices" if always else where, n)


adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d = (_adaptive_avg_pool(n) for n in (1, 2, 3))
adaptive_max_pool1d, adaptive_max_pool2d, adaptive_max_pool3d = (_adaptive_max_pool(n) for n in (1, 2, 3))
adaptive_max_pool1d_with_indices, adaptive_max_pool2d_with_indices = _adaptive_max_pool(1, True), _adaptive_max_pool(2, True)
adaptive_max_pool3d_with_indices = _adaptive_max_pool(3, True)
