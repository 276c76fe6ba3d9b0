"""Pooling to a size, whatever the input's: adaptive average and maximum."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..errors import ShapeError
from ._arrays import scatter_add
from ._op import Array, Fixed, op, xp
from ._resampling import Axis
from ._windows import listing, refuse_scalar, refuse_types
from .pool import avg_pool, max_pool, max_pool_indices
from .resize import resample

__all__ = ["adaptive_avg_pool1d"]
METHODS = ()
FUNCTIONAL = (
    *__all__, "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d", "adaptive_max_pool1d_with_indices",
    "adaptive_max_pool2d",
    "adaptive_max_pool2d_with_indices", "adaptive_max_pool3d", "adaptive_max_pool3d_with_indices",
)  # fmt: skip

Sizes = tuple[int, ...]


def adaptive_avg_pool(input: Any, outs: Sizes) -> Any:
    """Average to `outs` along the last dimensions of (N, C, *spatial): window i of m covers [⌊i·n/m⌋, ⌈(i+1)·n/m⌉)."""
    spatial = input._a.shape[2:]
    if set(outs) == {1}:
        return input.mean(tuple(range(2, input._a.ndim)), keepdim=True)
    if 0 not in outs and all(n % m == 0 for n, m in zip(spatial, outs, strict=True)):
        kernel = tuple(n // m for n, m in zip(spatial, outs, strict=True))
        return avg_pool(input, kernel, kernel, (0,) * len(outs), False, True, None)
    return resample(input, tuple(Axis("mean", n, m) for n, m in zip(spatial, outs, strict=True)))


@op(dtypes=None)
def plane_gather(input: Array, index: Fixed) -> Array:
    """Pick from the flattened plane of each (n, c): (N, C, *spatial) and positions (N, C, *out) to (N, C, *out)."""
    lead = input.shape[:2]
    flat = input.reshape(*lead, math.prod(input.shape[2:]))
    at = index.reshape(*index.shape[:2], math.prod(index.shape[2:]))
    return xp(input).take_along_axis(flat, at, axis=2).reshape(lead + index.shape[2:])


plane_gather.vjp(lambda g, input_shape, index: plane_scatter(g, index, input_shape[2:]))


@op(dtypes=None)
def plane_scatter(input: Array, index: Fixed, size: Sizes) -> Array:
    """Add (N, C, *out) at positions of otherwise zero planes (N, C, *size)."""
    m, planes = xp(input), input.shape[0] * input.shape[1]
    out = m.zeros(planes * math.prod(size), input.dtype)
    index = m.broadcast_to(index, input.shape).reshape(planes, math.prod(input.shape[2:])) + m.arange(planes)[:, None] * math.prod(size)
    scatter_add(out, index.reshape(-1), input.reshape(-1))
    return out.reshape(*input.shape[:2], *size)


plane_scatter.vjp(lambda g, index: plane_gather(g, index))


@op(dtypes="floating", outputs=("values", "indices"), nondiff=("indices",))
def max_of_ranges(input: Array, starts: Fixed, lengths: Fixed) -> Array:
    """The largest element of each block of (N, C, *spatial), and its position.

    Along axis k, block i covers `lengths[k][i]` elements from `starts[k][..., i]` on (starts may differ for each (n, c)).
    """
    m, planes = xp(input), input.reshape(*input.shape[:2], math.prod(input.shape[2:]))
    outs = tuple(len(line) for line in lengths)
    best = at = None
    for index in _tap_indices(m, input.shape[2:], starts, lengths):
        flat = m.broadcast_to(index, (*input.shape[:2], *outs)).reshape(*input.shape[:2], math.prod(outs))
        values = m.take_along_axis(planes, flat, axis=2)
        if best is None:
            best, at = values, flat
            continue
        larger = (values > best) | (values != values)
        best, at = m.where(larger, values, best), m.where(larger, flat, at)
    shape = (*input.shape[:2], *outs)
    if best is None:
        return m.zeros(shape, input.dtype), m.zeros(shape, np.int64)
    return best.reshape(shape), at.reshape(shape)


max_of_ranges.vjp(lambda g, input_shape, indices: plane_scatter(g[0], indices, input_shape[2:]))


def _tap_indices(m: Any, spatial: Sizes, starts: Any, lengths: Any) -> Iterable[Any]:
    """For each place in the largest block, the flat positions (..., *outs); shorter blocks repeat their last element."""
    d = len(spatial)
    longest = [int(max(line, default=0)) for line in lengths]
    for tap in np.ndindex(*longest):
        index: Any = 0
        for k in range(d):
            offset = m.asarray(np.minimum(tap[k], np.asarray(lengths[k]) - 1))
            line = m.asarray(starts[k]) + offset
            line = line.reshape(*line.shape[:-1], *(1,) * k, line.shape[-1], *(1,) * (d - 1 - k))
            index = index * spatial[k] + line
        yield index


def _adaptive(where: str, n: int, input: Any, output_size: Any, maximum: bool) -> Any:
    """Check the arguments and bring the input to (N, C, *spatial): (input, output sizes, whether it was single)."""
    x = input._a
    if x.ndim not in (n + 1, n + 2):
        raise ShapeError(where, f"Expected {n + 1}D or {n + 2}D tensor, but got {listing(x.shape)}")
    if isinstance(output_size, tuple | list):
        if len(output_size) != n:
            raise ShapeError(where, f"{where}: output_size must be {n} (got {tuple(output_size)})")
        outs = tuple(int(m) if o is None else int(o) for o, m in zip(output_size, x.shape[-n:], strict=True))
    else:
        outs = tuple(x.shape[-n:]) if output_size is None else (int(output_size),) * n
    if min(outs) < 0:
        raise ShapeError(where, f"elements of output_size must be greater than or equal to 0 but received {outs}")
    refuse_types(where, x, "iub")
    for axis in range(x.ndim - n - (1 if maximum else 0), x.ndim):
        if x.shape[axis] == 0:
            text = "Expected input to have non-zero size for non-batch dimensions, but input has sizes "
            raise ShapeError(where, f"{text}{listing(x.shape)} with dimension {axis} being empty")
    return (input, outs, False) if x.ndim == n + 2 else (input.reshape((1, *x.shape)), outs, True)


def _avg(where: str, n: int, input: Any, output_size: Any) -> Any:
    if n == 2:
        refuse_scalar(where, input._a)
    batch, outs, single = _adaptive(where, n, input, output_size, False)
    out = adaptive_avg_pool(batch, outs)
    return out.squeeze(0) if single else out


def _max(where: str, n: int, input: Any, output_size: Any, return_indices: bool) -> Any:
    batch, outs, single = _adaptive(where, n, input, output_size, True)
    spatial = batch._a.shape[2:]
    if 0 not in outs and all(m % o == 0 for m, o in zip(spatial, outs, strict=True)):
        kernel = tuple(m // o for m, o in zip(spatial, outs, strict=True))
        window = (kernel, kernel, (0,) * n, (1,) * n)
        out = max_pool(batch, *window, False)
        found = max_pool_indices(batch, out, *window) if return_indices else None
    else:
        steps = [np.arange(o) for o in outs]
        starts = tuple(i * m // o for i, m, o in zip(steps, spatial, outs, strict=True))
        ends = (-((-(i + 1) * m) // o) for i, m, o in zip(steps, spatial, outs, strict=True))
        lengths = tuple((e - s).tolist() for s, e in zip(starts, ends, strict=True))
        out, found = max_of_ranges(batch, starts, lengths)
    if single:
        out, found = out.squeeze(0), None if found is None else found.squeeze(0)
    return (out, found) if return_indices else out


def adaptive_avg_pool1d(input: Any, output_size: Any) -> Any:
    """Average (N, C, L) over `output_size` windows: (N, C, output_size).

    >>> import dovetail as dv
    >>> dv.adaptive_avg_pool1d(dv.tensor([[1., 3., 5., 7.]]), 2)
    tensor([[2., 6.]])
    """
    return _avg("adaptive_avg_pool1d", 1, input, output_size)


def adaptive_avg_pool2d(input: Any, output_size: Any) -> Any:
    """Average (N, C, H, W) over `output_size` windows, an int or a pair (None keeps a size): (N, C, *output_size).

    Raises a RuntimeError for a wrong number of dimensions or an empty one.

    >>> import dovetail as dv
    >>> dv.nn.functional.adaptive_avg_pool2d(dv.arange(4.).reshape(1, 1, 2, 2), 1)
    tensor([[[[1.5000]]]])
    """
    return _avg("adaptive_avg_pool2d", 2, input, output_size)


def adaptive_avg_pool3d(input: Any, output_size: Any) -> Any:
    """Average (N, C, D, H, W) over `output_size` windows: (N, C, *output_size).

    >>> import dovetail as dv
    >>> dv.nn.functional.adaptive_avg_pool3d(dv.ones(1, 2, 3, 3, 3), 2).shape
    dovetail.Size([1, 2, 2, 2, 2])
    """
    return _avg("adaptive_avg_pool3d", 3, input, output_size)


def adaptive_max_pool1d(input: Any, output_size: Any, return_indices: bool = False) -> Any:
    """The largest element of each of `output_size` windows of (N, C, L): (N, C, output_size).

    >>> import dovetail as dv
    >>> dv.nn.functional.adaptive_max_pool1d(dv.tensor([[1., 3., 7., 5.]]), 2)
    tensor([[3., 7.]])
    """
    return _max("adaptive_max_pool1d", 1, input, output_size, return_indices)


def adaptive_max_pool2d(input: Any, output_size: Any, return_indices: bool = False) -> Any:
    """The largest element of each of `output_size` windows of (N, C, H, W): (N, C, *output_size).

    >>> import dovetail as dv
    >>> dv.nn.functional.adaptive_max_pool2d(dv.arange(9.).reshape(1, 1, 3, 3), 2).flatten()
    tensor([4., 5., 7., 8.])
    """
    return _max("adaptive_max_pool2d", 2, input, output_size, return_indices)


def adaptive_max_pool3d(input: Any, output_size: Any, return_indices: bool = False) -> Any:
    """The largest element of each of `output_size` windows of (N, C, D, H, W): (N, C, *output_size).

    >>> import dovetail as dv
    >>> dv.nn.functional.adaptive_max_pool3d(dv.ones(1, 1, 4, 4, 4), 3).shape
    dovetail.Size([1, 1, 3, 3, 3])
    """
    return _max("adaptive_max_pool3d", 3, input, output_size, return_indices)


def _with_indices(function: Any) -> Any:
    def pool(input: Any, output_size: Any, return_indices: bool = True) -> Any:
        return function(input, output_size, True)

    pool.__name__ = pool.__qualname__ = f"{function.__name__}_with_indices"
    pool.__doc__ = f":func:`{function.__name__}` with the positions of the maxima: (values, indices)."
    return pool


adaptive_max_pool1d_with_indices = _with_indices(adaptive_max_pool1d)
adaptive_max_pool2d_with_indices = _with_indices(adaptive_max_pool2d)
adaptive_max_pool3d_with_indices = _with_indices(adaptive_max_pool3d)
