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
from ._windows import listing, refuse_scalar, refuse_types, spread
from .adaptive_pool import max_of_ranges, plane_gather
from .pool import avg_pool1d, avg_pool2d, avg_pool3d

__all__: list[str] = []
FUNCTIONAL = (
    "fractional_max_pool2d", "fractional_max_pool2d_with_indices", "fractional_max_pool3d", "fractional_max_pool3d_with_indices",
    "lp_pool1d", "lp_pool2d", "lp_pool3d", "max_unpool1d", "max_unpool2d", "max_unpool3d",
)  # fmt: skip

Sizes = tuple[int, ...]


@op(dtypes=None)
def plane_put(input: Array, index: Fixed, size: Sizes) -> Array:
    """Write (N, C, *out) at positions of otherwise zero planes (N, C, *size)."""
    out = xp(input).zeros((*input.shape[:2], math.prod(size)), input.dtype)
    flat = (*input.shape[:2], math.prod(input.shape[2:]))
    xp(input).put_along_axis(out, index.reshape(flat), input.reshape(flat), axis=2)
    return out.reshape(*input.shape[:2], *size)


plane_put.vjp(lambda g, index: plane_gather(g, index))


def _fractional(where: str, n: int, input: Any, kernel: Any, size: Any, ratio: Any, indices: bool, samples: Any) -> Any:
    kernel, x = spread(where, "kernel_size", kernel, n), input._a
    if size is None and ratio is None:
        raise ValueRangeError(where, f"{where} requires specifying either an output_size or an output_ratio")
    if size is None:
        ratios = ratio if isinstance(ratio, tuple | list) else (ratio,) * n
        size = tuple(int(m * r) for m, r in zip(x.shape[-n:], ratios, strict=True))
    size = spread(where, "output_size", size, n)
    batch = input.reshape((1, *x.shape)) if x.ndim == n + 1 else input
    spatial = batch._a.shape[2:]
    refuse_types(where, x, "iub")
    for m, k, o in zip(spatial, kernel, size, strict=True):
        if o + k - 1 > m:
            raise ShapeError(where, f"pool size {k} with output size {o} is too large for input size {m}")
    if samples is None:
        from ..random_streams import uniform

        draw = np.float64 if x.dtype == np.float64 else np.float32
        u: Any = uniform(default_generator, (*batch._a.shape[:2], n), draw)
    else:
        u = samples._a
    m = xp(x) if samples is not None else np
    starts = tuple(_starts(m, u[..., 1 - a if n == 2 else a], spatial[a], size[a], kernel[a]) for a in range(n))
    lengths = tuple([k] * o for k, o in zip(kernel, size, strict=True))
    values, at = max_of_ranges(batch, tuple(move(s, device_of(x)) for s in starts), lengths)
    if x.ndim == n + 1:
        values, at = values.squeeze(0), at.squeeze(0)
    return (values, at) if indices else values


def _starts(m: Any, u: Any, size: int, out: int, kernel: int) -> Any:
    """Where the random windows begin (Graham, 2014), the last one at the end."""
    alpha = (size - kernel) / (out - 1) if out > 1 else 0.0
    alpha = u.dtype.type(alpha)
    u = u[..., None]
    starts = ((m.arange(out, dtype=u.dtype) + u) * alpha).astype(np.int64) - (u * alpha).astype(np.int64)
    starts[..., -1] = size - kernel
    return starts


def fractional_max_pool2d(
    input: Any, kernel_size: Any, output_size: Any = None, output_ratio: Any = None, return_indices: bool = False,
    _random_samples: Any = None,
) -> Any:  # fmt: skip
    """The largest element of randomly spaced windows of (N, C, H, W), to `output_size` or a ratio of the input's (Graham, 2014).

    >>> import dovetail as dv
    >>> dv.nn.functional.fractional_max_pool2d(dv.ones(1, 1, 6, 6), 2, output_size=4).shape
    dovetail.Size([1, 1, 4, 4])
    """
    return _fractional("fractional_max_pool2d", 2, input, kernel_size, output_size, output_ratio, return_indices, _random_samples)


def fractional_max_pool3d(
    input: Any, kernel_size: Any, output_size: Any = None, output_ratio: Any = None, return_indices: bool = False,
    _random_samples: Any = None,
) -> Any:  # fmt: skip
    """The largest element of randomly spaced windows of (N, C, D, H, W); see :func:`fractional_max_pool2d`.

    >>> import dovetail as dv
    >>> dv.nn.functional.fractional_max_pool3d(dv.ones(1, 1, 6, 6, 6), 2, output_ratio=0.5).shape
    dovetail.Size([1, 1, 3, 3, 3])
    """
    return _fractional("fractional_max_pool3d", 3, input, kernel_size, output_size, output_ratio, return_indices, _random_samples)


def _with_indices(function: Any) -> Any:
    def pool(
        input: Any, kernel_size: Any, output_size: Any = None, output_ratio: Any = None, return_indices: bool = True,
        _random_samples: Any = None,
    ) -> Any:  # fmt: skip
        return function(input, kernel_size, output_size, output_ratio, True, _random_samples)

    pool.__name__ = pool.__qualname__ = f"{function.__name__}_with_indices"
    pool.__doc__ = f":func:`{function.__name__}` with the positions of the maxima: (values, indices)."
    return pool


fractional_max_pool2d_with_indices = _with_indices(fractional_max_pool2d)
fractional_max_pool3d_with_indices = _with_indices(fractional_max_pool3d)


def _unpool(where: str, n: int, input: Any, indices: Any, kernel: Any, stride: Any, padding: Any, output_size: Any) -> Any:
    x, at = input._a, indices._a
    refuse_scalar(where, x)
    refuse_types(where, x, "iub")
    kernel = spread(where, "kernel_size", kernel, n)
    stride = kernel if stride is None else spread(where, "stride", stride, n)
    padding = spread(where, "padding", padding, n)
    if at.dtype.name != "int64":
        raise DtypeError(where, f"elements in indices should be type int64 but got: {at.dtype.name}")
    if x.shape != at.shape:
        text = f"Expected shape of indices to be same as that of the input tensor ({listing(x.shape)}) but got indices tensor with shape: "
        raise ShapeError(where, text + listing(at.shape))
    if x.ndim not in (n + 1, n + 2):
        raise ShapeError(where, f"Input to {where} should be a {n + 1}d or {n + 2}d Tensor, but got {listing(x.shape)}")
    usual = tuple((m - 1) * s + k - 2 * p for m, s, k, p in zip(x.shape[-n:], stride, kernel, padding, strict=True))
    size = usual if output_size is None else _unpooled_size(where, n, usual, stride, tuple(output_size))
    if not check_index(at, math.prod(size)):
        bad = at.max() if at.max() >= math.prod(size) else at.min()
        text = f"Found an invalid max index: {bad} (output volumes are of size {'x'.join(map(str, size))})"
        raise ShapeError(where, text)
    if x.ndim == n + 2:
        return plane_put(input, indices, size)
    return plane_put(input.reshape((1, *x.shape)), indices.reshape((1, *x.shape)), size).squeeze(0)


def _unpooled_size(where: str, n: int, usual: Sizes, stride: Sizes, given: Sizes) -> Sizes:
    given = given[-n:] if len(given) == n + 2 else given
    if len(given) != n:
        text = f"output_size should be a sequence containing {n} or {n + 2} elements, but it has a length of '{len(given)}'"
        raise ValueRangeError(where, text)
    for axis, (o, u, s) in enumerate(zip(given, usual, stride, strict=True)):
        if not u - s < o < u + s:
            raise ValueRangeError(where, f'invalid output_size "{given}" (dim {axis} must be between {u - s} and {u + s})')
    return given


def max_unpool1d(input: Any, indices: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None) -> Any:
    """Put the elements of (N, C, L) back at the positions that :func:`max_pool1d` returned; zeros elsewhere.

    >>> import dovetail as dv
    >>> x = dv.tensor([[[1., 3., 4., 2.]]])
    >>> dv.nn.functional.max_unpool1d(*dv.max_pool1d(x, 2, return_indices=True), 2)
    tensor([[[0., 3., 4., 0.]]])
    """
    return _unpool("max_unpool1d", 1, input, indices, kernel_size, stride, padding, output_size)


def max_unpool2d(input: Any, indices: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None) -> Any:
    """Put the elements of (N, C, H, W) back at the positions that :func:`max_pool2d` returned; zeros elsewhere.

    Raises a ValueError for an `output_size` that the window could not have come from, a RuntimeError for a position outside.

    >>> import dovetail as dv
    >>> values, at = dv.max_pool2d(dv.arange(4.).reshape(1, 1, 2, 2), 2, return_indices=True)
    >>> dv.nn.functional.max_unpool2d(values, at, 2).flatten()
    tensor([0., 0., 0., 3.])
    """
    return _unpool("max_unpool2d", 2, input, indices, kernel_size, stride, padding, output_size)


def max_unpool3d(input: Any, indices: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None) -> Any:
    """Put the elements of (N, C, D, H, W) back at the positions that :func:`max_pool3d` returned; see :func:`max_unpool2d`.

    >>> import dovetail as dv
    >>> values, at = dv.max_pool3d(dv.ones(1, 1, 2, 2, 2), 2, return_indices=True)
    >>> dv.nn.functional.max_unpool3d(values, at, 2).shape
    dovetail.Size([1, 1, 2, 2, 2])
    """
    return _unpool("max_unpool3d", 3, input, indices, kernel_size, stride, padding, output_size)


def _lp(n: int, pool: Any, input: Any, norm_type: float, kernel: Any, stride: Any, ceil_mode: bool) -> Any:
    count = math.prod(spread(f"lp_pool{n}d", "kernel_size", kernel, n))
    mean = pool(input**norm_type, kernel, stride, 0, ceil_mode)
    return (mean.sign() * mean.abs() * count) ** (1.0 / norm_type)


def lp_pool1d(input: Any, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Any:
    """The power sum of each window of (N, C, L): ``(Σ xᵖ)^(1/p)``, p the `norm_type`.

    >>> import dovetail as dv
    >>> dv.nn.functional.lp_pool1d(dv.tensor([[3., 4., 6., 8.]]), 2, 2)
    tensor([[ 5., 10.]])
    """
    return _lp(1, avg_pool1d, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(input: Any, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Any:
    """The power sum of each window of (N, C, H, W): ``(Σ xᵖ)^(1/p)``, p the `norm_type`.

    >>> import dovetail as dv
    >>> dv.nn.functional.lp_pool2d(dv.ones(1, 1, 2, 2), 2, 2)
    tensor([[[[2.]]]])
    """
    return _lp(2, avg_pool2d, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(input: Any, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Any:
    """The power sum of each window of (N, C, D, H, W): ``(Σ xᵖ)^(1/p)``, p the `norm_type`.

    >>> import dovetail as dv
    >>> dv.nn.functional.lp_pool3d(dv.ones(1, 1, 2, 2, 2), 3, 2)
    tensor([[[[[2.]]]]])
    """
    return _lp(3, avg_pool3d, input, norm_type, kernel_size, stride, ceil_mode)
