"""Pooling with random windows, its inverse by positions, and power averages."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..device import device_of, move
from ..errors import DtypeError, ShapeError, ValueRangeError
from ..generator import default_generator
from ._arrays import check_index
from ._op import Array, Fixed, op, xp
from ._windows import Sizes, listing, named, over_batch, refuse_scalar, refuse_types, spread
from .adaptive_pool import max_of_ranges
from .pool import avg_pool1d, avg_pool2d, avg_pool3d, plane_gather

__all__: list[str] = []
FUNCTIONAL = (
    "fractional_max_pool2d", "fractional_max_pool2d_with_indices", "fractional_max_pool3d", "fractional_max_pool3d_with_indices",
    "lp_pool1d", "lp_pool2d", "lp_pool3d", "max_unpool1d", "max_unpool2d", "max_unpool3d",
)  # fmt: skip


@op(dtypes=None)
def plane_put(input: Array, index: Fixed, size: Sizes) -> Array:
    """Write (N, C, *out) at positions of otherwise zero planes (N, C, *size)."""
    out = xp(input).zeros((*input.shape[:2], math.prod(size)), input.dtype)
    flat = (*input.shape[:2], math.prod(input.shape[2:]))
    xp(input).put_along_axis(out, index.reshape(flat), input.reshape(flat), axis=2)
    return out.reshape(*input.shape[:2], *size)


plane_put.vjp(lambda g, index: plane_gather(g, index))


def _fractional(n: int, always: bool = False) -> Any:
    where = f"fractional_max_pool{n}d"

    def pool(
        input: Any, kernel_size: Any, output_size: Any = None, output_ratio: Any = None, return_indices: bool = always,
        _random_samples: Any = None,
    ) -> Any:  # fmt: skip
        """The largest element of randomly spaced windows of (N, C, {size}), to `output_size` or a ratio of the input's (Graham, 2014).

        With `return_indices`, or as `fractional_max_pool{n}d_with_indices`, the flat positions in the spatial dimensions come too.

        >>> import dovetail as dv
        >>> dv.nn.functional.fractional_max_pool{n}d(dv.ones(1, 1, *[6] * {n}), 2, output_size=4).shape[2]
        4
        """
        kernel, spatial = spread(where, "kernel_size", kernel_size, n), input._a.shape[-n:]
        if output_size is None and output_ratio is None:
            raise ValueRangeError(where, f"{where} requires specifying either an output_size or an output_ratio")
        if output_size is None:
            ratios = output_ratio if isinstance(output_ratio, tuple | list) else (output_ratio,) * n
            output_size = tuple(int(m * r) for m, r in zip(spatial, ratios, strict=True))
        size = spread(where, "output_size", output_size, n)
        refuse_types(where, input._a, "iub")
        for m, k, o in zip(spatial, kernel, size, strict=True):
            if o + k - 1 > m:
                raise ShapeError(where, f"pool size {k} with output size {o} is too large for input size {m}")
        out = over_batch(n, lambda x: max_of_ranges(x, *_ranges(x._a, kernel, size, _random_samples)), input)
        return out if always or return_indices else out[0]

    return named(pool, f"{where}_with_indices" if always else where, n)


def _ranges(x: Any, kernel: Sizes, size: Sizes, samples: Any) -> tuple[Any, Any]:
    """Where the random windows begin along each dimension, the last one at the end, and their lengths."""
    n = len(size)
    if samples is None:
        from ..random_streams import uniform

        m, u = np, uniform(default_generator, (*x.shape[:2], n), np.float64 if x.dtype == np.float64 else np.float32)
    else:
        m, u = xp(x), samples._a
    starts = []
    for a, (length, o, k) in enumerate(zip(x.shape[2:], size, kernel, strict=True)):
        v = u[..., 1 - a if n == 2 else a, None]
        alpha = u.dtype.type((length - k) / (o - 1) if o > 1 else 0.0)
        line = ((m.arange(o, dtype=u.dtype) + v) * alpha).astype(np.int64) - (v * alpha).astype(np.int64)
        line[..., -1] = length - k
        starts.append(move(line, device_of(x)))
    return tuple(starts), tuple([k] * o for k, o in zip(kernel, size, strict=True))


def _unpooled_size(where: str, n: int, usual: Sizes, stride: Sizes, given: Sizes) -> Sizes:
    given = given[-n:] if len(given) == n + 2 else given
    if len(given) != n:
        text = f"output_size should be a sequence containing {n} or {n + 2} elements, but it has a length of '{len(given)}'"
        raise ValueRangeError(where, text)
    for axis, (o, u, s) in enumerate(zip(given, usual, stride, strict=True)):
        if not u - s < o < u + s:
            raise ValueRangeError(where, f'invalid output_size "{given}" (dim {axis} must be between {u - s} and {u + s})')
    return given


def _unpool(n: int) -> Any:
    where = f"max_unpool{n}d"

    def unpool(input: Any, indices: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None) -> Any:
        """Put the elements of (N, C, {size}) back at the positions that :func:`max_pool{n}d` returned; zeros elsewhere.

        Raises a ValueError for an `output_size` that the window could not have come from, a RuntimeError for a position outside.

        >>> import dovetail as dv
        >>> values, at = dv.max_pool{n}d(dv.arange(1., 3.).expand(1, 1, *[2] * {n}), 2, return_indices=True)
        >>> dv.nn.functional.max_unpool{n}d(values, at, 2).flatten()[:2]
        tensor([0., 2.])
        """
        x, at = input._a, indices._a
        refuse_scalar(where, x)
        refuse_types(where, x, "iub")
        kernel = spread(where, "kernel_size", kernel_size, n)
        stride = kernel if stride is None else spread(where, "stride", stride, n)
        padding = spread(where, "padding", padding, n)
        if at.dtype.name != "int64":
            raise DtypeError(where, f"elements in indices should be type int64 but got: {at.dtype.name}")
        if x.shape != at.shape:
            text = f"Expected shape of indices to be same as that of the input tensor ({listing(x.shape)}) but got indices tensor with "
            raise ShapeError(where, f"{text}shape: {listing(at.shape)}")
        if x.ndim not in (n + 1, n + 2):
            raise ShapeError(where, f"Input to {where} should be a {n + 1}d or {n + 2}d Tensor, but got {listing(x.shape)}")
        usual = tuple((m - 1) * s + k - 2 * p for m, s, k, p in zip(x.shape[-n:], stride, kernel, padding, strict=True))
        size = usual if output_size is None else _unpooled_size(where, n, usual, stride, tuple(output_size))
        if not check_index(at, math.prod(size)):
            bad = at.max() if at.max() >= math.prod(size) else at.min()
            raise ShapeError(where, f"Found an invalid max index: {bad} (output volumes are of size {'x'.join(map(str, size))})")
        return over_batch(n, lambda x, at: plane_put(x, at, size), input, indices)

    return named(unpool, where, n)


def _lp_pool(n: int, mean: Any) -> Any:
    def pool(input: Any, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Any:
        """The power sum of each window of (N, C, {size}): ``(Σ xᵖ)^(1/p)``, p the `norm_type`.

        >>> import dovetail as dv
        >>> dv.nn.functional.lp_pool{n}d(dv.ones(1, 1, *[4] * {n}), {n}, 4).item()
        4.0
        """
        count = math.prod(spread(f"lp_pool{n}d", "kernel_size", kernel_size, n))
        out = mean(input**norm_type, kernel_size, stride, 0, ceil_mode)
        return (out.sign() * out.abs() * count) ** (1.0 / norm_type)

    return named(pool, f"lp_pool{n}d", n)


fractional_max_pool2d, fractional_max_pool3d = _fractional(2), _fractional(3)
fractional_max_pool2d_with_indices, fractional_max_pool3d_with_indices = _fractional(2, True), _fractional(3, True)
max_unpool1d, max_unpool2d, max_unpool3d = (_unpool(n) for n in (1, 2, 3))
lp_pool1d, lp_pool2d, lp_pool3d = _lp_pool(1, avg_pool1d), _lp_pool(2, avg_pool2d), _lp_pool(3, avg_pool3d)
