"""Max and average pooling over sliding windows, in one to three dimensions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import ShapeError
from ._op import Array, Fixed, op, xp
from ._windows import listing, padded, refuse_scalar, refuse_types, spread, tap_views, unpadded

__all__ = ["avg_pool1d", "max_pool1d", "max_pool2d", "max_pool3d"]
METHODS = ()
FUNCTIONAL = (
    *__all__, "avg_pool2d", "avg_pool3d", "max_pool1d_with_indices", "max_pool2d_with_indices", "max_pool3d_with_indices",
)  # fmt: skip

Sizes = tuple[int, ...]


def pool_sizes(spatial: Any, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, ceil_mode: bool) -> Sizes:
    """How many windows there are along each dimension; with `ceil_mode` also those that start inside but end outside."""
    outs = []
    for size, k, s, p, d in zip(spatial, kernel, stride, padding, dilation, strict=True):
        room = size + 2 * p - d * (k - 1) - 1
        out = (-(-room // s) if ceil_mode else room // s) + 1
        outs.append(out - 1 if ceil_mode and (out - 1) * s >= size + p else out)
    return tuple(outs)


def _bordered(x: Any, outs: Sizes, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, value: Any) -> Any:
    """`x` with its border, longer at the end where the last window reaches past it."""
    extra = tuple(
        max(0, (o - 1) * s + d * (k - 1) + 1 - n - 2 * p)
        for o, s, d, k, n, p in zip(outs, stride, dilation, kernel, x.shape[2:], padding, strict=True)
    )
    return padded(x, padding, value, extra)


def _lowest(dtype: Any) -> Any:
    if dtype.kind == "b":
        return False
    return np.iinfo(dtype).min if dtype.kind in "iu" else -math.inf


@op
def max_pool(input: Array, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, ceil_mode: bool) -> Array:
    """The largest element of each window of (N, C, *spatial); NaN where a window holds one."""
    outs = pool_sizes(input.shape[2:], kernel, stride, padding, dilation, ceil_mode)
    x = _bordered(input, outs, kernel, stride, padding, dilation, _lowest(input.dtype))
    out: Any = None
    for _, view in tap_views(x, kernel, stride, dilation, outs):
        out = view.copy() if out is None else xp(x).maximum(out, view, out=out)
    return out


max_pool.vjp(lambda g, input, out, kernel, stride, padding, dilation: max_pool_grad(g, input, out, kernel, stride, padding, dilation))


def _which(x: Any, y: Any, kernel: Sizes, stride: Sizes, dilation: Sizes) -> Any:
    """The number of the first tap at which each window meets its maximum."""
    few = math.prod(kernel) < 256
    which = xp(x).zeros(y.shape, np.uint8 if few else np.int32)
    views = list(tap_views(x, kernel, stride, dilation, y.shape[2:]))
    for number in range(len(views) - 1, 0, -1):
        hit = views[number][1] == y
        if x.dtype.kind == "f":
            hit |= views[number][1] != views[number][1]
        xp(x).copyto(which, which.dtype.type(number), where=hit)
    hit = views[0][1] == y
    xp(x).copyto(which, which.dtype.type(0), where=hit)
    return which


@op
def max_pool_grad(grad: Array, input: Fixed, y: Fixed, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes) -> Array:
    """The gradient of max pooling with the result y: each window's goes to its first largest element."""
    outs = y.shape[2:]
    x = _bordered(input, outs, kernel, stride, padding, dilation, _lowest(input.dtype))
    which = _which(x, y, kernel, stride, dilation)
    out = xp(grad).zeros(x.shape, grad.dtype)
    apart = all(s >= (k - 1) * d + 1 for s, k, d in zip(stride, kernel, dilation, strict=True))
    for number, (_, view) in enumerate(tap_views(out, kernel, stride, dilation, outs)):
        if apart:
            xp(grad).multiply(grad, which == number, out=view)
        else:
            view += grad * (which == number)
    return unpadded(out, padding, input.shape[2:])


max_pool_grad.vjp(lambda g, input, y, kernel, stride, padding, dilation: max_pool_pick(g, input, y, kernel, stride, padding, dilation))


@op
def max_pool_pick(grad: Array, input: Fixed, y: Fixed, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes) -> Array:
    """Of `grad`, shaped as the input, the element at which each window of the input has its maximum."""
    outs = y.shape[2:]
    x = _bordered(input, outs, kernel, stride, padding, dilation, _lowest(input.dtype))
    g = _bordered(grad, outs, kernel, stride, padding, dilation, 0)
    which = _which(x, y, kernel, stride, dilation)
    out = xp(grad).zeros(y.shape, grad.dtype)
    for number, (_, view) in enumerate(tap_views(g, kernel, stride, dilation, outs)):
        xp(grad).copyto(out, view, where=which == number)
    return out


max_pool_pick.vjp(lambda g, input, y, kernel, stride, padding, dilation: max_pool_grad(g, input, y, kernel, stride, padding, dilation))


@op(dtypes=None)
def max_pool_indices(input: Fixed, y: Fixed, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes) -> Array:
    """Where each window has its first maximum, as flat positions in the spatial dimensions of the input."""
    outs = y.shape[2:]
    x = _bordered(input, outs, kernel, stride, padding, dilation, _lowest(input.dtype))
    which = _which(x, y, kernel, stride, dilation).astype(np.int64)
    at, below = xp(x).zeros((), np.int64), 1
    for axis in range(len(kernel) - 1, -1, -1):
        tap = which % kernel[axis]
        which //= kernel[axis]
        start = xp(x).arange(outs[axis]).reshape(-1, *(1,) * (len(kernel) - 1 - axis)) * stride[axis] - padding[axis]
        at = at + (start + tap * dilation[axis]) * below
        below *= input.shape[2 + axis]
    return at


@op
def avg_pool(
    input: Array, kernel: Sizes, stride: Sizes, padding: Sizes, ceil_mode: bool, count_include_pad: bool, divisor: int | None
) -> Array:
    """The mean of each window of (N, C, *spatial), or its sum over `divisor`."""
    ones = (1,) * len(kernel)
    outs = pool_sizes(input.shape[2:], kernel, stride, padding, ones, ceil_mode)
    x = _bordered(input, outs, kernel, stride, padding, ones, 0)
    out: Any = None
    for _, view in tap_views(x, kernel, stride, ones, outs):
        if out is None:
            out = view.copy()
        else:
            out += view
    count = _counts(input, outs, kernel, stride, padding, count_include_pad, divisor)
    if out.dtype.kind in "iu":  # towards zero
        return xp(out).sign(out) * (abs(out) // count)
    return xp(out).divide(out, count, out=out)


@avg_pool.vjp
def _(g: Any, input_shape: Any, kernel: Any, stride: Any, padding: Any, ceil_mode: Any, count_include_pad: Any, divisor: Any) -> Any:
    return avg_pool_grad(g, input_shape[2:], kernel, stride, padding, ceil_mode, count_include_pad, divisor)


@op
def avg_pool_grad(
    grad: Array, size: Sizes, kernel: Sizes, stride: Sizes, padding: Sizes, ceil_mode: bool, count_include_pad: bool,
    divisor: int | None,
) -> Array:  # fmt: skip
    """The gradient of average pooling by its input, whose spatial sizes are `size`."""
    ones, outs = (1,) * len(kernel), grad.shape[2:]
    inside = xp(grad).zeros((*grad.shape[:2], *size), grad.dtype)
    share = grad / _counts(inside, outs, kernel, stride, padding, count_include_pad, divisor)
    out = _bordered(inside, outs, kernel, stride, padding, ones, 0)
    apart = all(s >= k for s, k in zip(stride, kernel, strict=True))
    for _, view in tap_views(out, kernel, stride, ones, outs):
        if apart:
            view[...] = share
        else:
            view += share
    return unpadded(out, padding, size)


@avg_pool_grad.vjp
def _(g: Any, kernel: Any, stride: Any, padding: Any, ceil_mode: Any, count_include_pad: Any, divisor: Any) -> Any:
    return avg_pool(g, kernel, stride, padding, ceil_mode, count_include_pad, divisor)


def _counts(x: Any, outs: Sizes, kernel: Sizes, stride: Sizes, padding: Sizes, count_include_pad: bool, divisor: int | None) -> Any:
    """By what the sum of each window is divided: a number, or an array where windows differ."""
    if divisor is not None:
        return divisor
    lengths: list[list[int]] = []
    for n, o, k, s, p in zip(x.shape[2:], outs, kernel, stride, padding, strict=True):
        spans = [(i * s - p, min(i * s - p + k, n + p)) for i in range(o)]
        lengths.append([b - a if count_include_pad else min(b, n) - max(a, 0) for a, b in spans])
    if all(len(set(line)) <= 1 for line in lengths):
        return math.prod(line[0] for line in lengths if line)
    total: Any = 1
    for axis, line in enumerate(lengths):
        total = total * xp(x).asarray(line, x.dtype).reshape(-1, *(1,) * (len(outs) - 1 - axis))
    return total


def _prepared(where: str, n: int, input: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool) -> Any:
    """Check the arguments and spread them over the dimensions: (batched input, kernel, stride, padding, dilation)."""
    x = input._a
    if x.ndim not in (n + 1, n + 2) or 0 in x.shape[x.ndim - n - 1 :]:
        text = f"Expected {n + 1}D or {n + 2}D (batch mode) tensor with optional 0 dim batch size for input, but got:{listing(x.shape)}"
        raise ShapeError(where, text)
    kernel = spread(where, "kernel_size", kernel, n)
    stride = kernel if stride is None or stride == [] else spread(where, "stride", stride, n)
    padding, dilation = spread(where, "padding", padding, n), spread(where, "dilation", dilation, n)
    for name, values in (("kernel size", kernel), ("stride", stride)):
        if min(values) < 1:
            raise ShapeError(where, f"{name} should be greater than zero, but got {values}")
    if min(dilation) < 1:
        raise ShapeError(where, f"dilation should be greater than zero, but got dilation {dilation}")
    for p, k, d in zip(padding, kernel, dilation, strict=True):
        if p < 0 or p > (d * (k - 1) + 1) // 2:
            text = f"pad should be at most half of effective kernel size, but got pad={p}, kernel_size={k} and dilation={d}"
            raise ShapeError(where, text if p >= 0 else f"pad must be non-negative, but got pad: {p}")
    outs = pool_sizes(x.shape[-n:], kernel, stride, padding, dilation, ceil_mode)
    if min(outs) < 1:
        before, after = ("x".join(map(str, (x.shape[-n - 1], *sizes))) for sizes in (x.shape[-n:], outs))
        text = f"Given input size: ({before}). Calculated output size: ({after}). Output size is too small"
        raise ShapeError(where, text)
    batch = input.reshape((1, *x.shape)) if x.ndim == n + 1 else input
    return batch, kernel, stride, padding, dilation


def _max(where: str, n: int, input: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool, indices: bool) -> Any:
    batch, *window = _prepared(where, n, input, kernel, stride, padding, dilation, ceil_mode)
    refuse_types(where, input._a, "iub" if n == 1 and not indices else "b")
    out = max_pool(batch, *window, ceil_mode)
    single = input._a.ndim == n + 1
    if not indices:
        return out.squeeze(0) if single else out
    found = max_pool_indices(batch, out, *window)
    return (out.squeeze(0), found.squeeze(0)) if single else (out, found)


def _avg(where: str, n: int, input: Any, kernel: Any, stride: Any, padding: Any, *options: Any) -> Any:
    if options[2] is not None and options[2] == 0:
        raise ShapeError(where, "divisor must be not zero", "", "leave divisor_override at None")
    if n == 2:
        refuse_scalar(where, input._a)
    refuse_types(where, input._a, "" if input._a.dtype.name == "int64" else "iub")
    batch, kernel, stride, padding, _ = _prepared(where, n, input, kernel, stride, padding, 1, options[0])
    out = avg_pool(batch, kernel, stride, padding, *options)
    return out.squeeze(0) if input._a.ndim == n + 1 else out


def max_pool1d(
    input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:  # fmt: skip
    """The largest element of each window of `input` (N, C, L) or (C, L): (N, C, L'); see :func:`max_pool2d`.

    >>> import dovetail as dv
    >>> dv.max_pool1d(dv.tensor([[1., 3., 2., 5.]]), 2)
    tensor([[3., 5.]])
    """
    return _max("max_pool1d", 1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool2d(
    input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:  # fmt: skip
    """The largest element of each window of `input` (N, C, H, W) or (C, H, W): (N, C, H', W').

    `stride` is `kernel_size` where it is not given; the border counts as -inf; with `return_indices` the flat position in
    the H·W plane comes too. Raises a RuntimeError where the padding exceeds half the kernel or no window fits.

    >>> import dovetail as dv
    >>> dv.max_pool2d(dv.arange(16.).reshape(1, 1, 4, 4), 2)
    tensor([[[[ 5.,  7.],
              [13., 15.]]]])
    """
    return _max("max_pool2d", 2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool3d(
    input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:  # fmt: skip
    """The largest element of each window of `input` (N, C, D, H, W): (N, C, D', H', W'); see :func:`max_pool2d`.

    >>> import dovetail as dv
    >>> dv.max_pool3d(dv.ones(1, 1, 4, 4, 4), 2).shape
    dovetail.Size([1, 1, 2, 2, 2])
    """
    return _max("max_pool3d", 3, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def _with_indices(n: int, function: Any) -> Any:
    def pool(
        input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False,
        return_indices: bool = True,
    ) -> Any:  # fmt: skip
        return function(input, kernel_size, stride, padding, dilation, ceil_mode, True)

    pool.__name__ = pool.__qualname__ = f"max_pool{n}d_with_indices"
    pool.__doc__ = f":func:`max_pool{n}d` with the positions of the maxima: (values, indices)."
    return pool


max_pool1d_with_indices = _with_indices(1, max_pool1d)
max_pool2d_with_indices = _with_indices(2, max_pool2d)
max_pool3d_with_indices = _with_indices(3, max_pool3d)


def avg_pool1d(
    input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False, count_include_pad: bool = True
) -> Any:
    """The mean of each window of `input` (N, C, L) or (C, L): (N, C, L'); see :func:`avg_pool2d`.

    >>> import dovetail as dv
    >>> dv.avg_pool1d(dv.tensor([[1., 3., 2., 6.]]), 2)
    tensor([[2., 4.]])
    """
    return _avg("avg_pool1d", 1, input, kernel_size, stride, padding, ceil_mode, count_include_pad, None)


def avg_pool2d(
    input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False, count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Any:  # fmt: skip
    """The mean of each window of `input` (N, C, H, W) or (C, H, W): (N, C, H', W').

    The zeros of the border count unless `count_include_pad` is False; `divisor_override` replaces the count.
    Raises a RuntimeError where the padding exceeds half the kernel or no window fits.

    >>> import dovetail as dv
    >>> dv.nn.functional.avg_pool2d(dv.arange(4.).reshape(1, 1, 2, 2), 2)
    tensor([[[[1.5000]]]])
    """
    return _avg("avg_pool2d", 2, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


def avg_pool3d(
    input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False, count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Any:  # fmt: skip
    """The mean of each window of `input` (N, C, D, H, W): (N, C, D', H', W'); see :func:`avg_pool2d`.

    >>> import dovetail as dv
    >>> dv.nn.functional.avg_pool3d(dv.ones(1, 1, 4, 4, 4), 2).shape
    dovetail.Size([1, 1, 2, 2, 2])
    """
    return _avg("avg_pool3d", 3, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)
