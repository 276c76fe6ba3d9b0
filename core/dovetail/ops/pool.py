"""Pooling over sliding windows, maximum, average and power average, in one to three dimensions; and back by positions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dovetail_numerics.windows import Sizes, Window, padded, unpadded

from ..autograd.node import wrap
from ..errors import DtypeError, ShapeError, ValueRangeError
from ._arrays import check_index, scatter_add
from ._op import Array, Fixed, op, xp
from ._refuse import listing, refuse_scalar, refuse_types
from ._spatial import named, over_batch, spread

__all__ = ["avg_pool1d", "max_pool1d", "max_pool2d", "max_pool3d"]
METHODS = ()
FUNCTIONAL = (
    *__all__, "avg_pool2d", "avg_pool3d", "lp_pool1d", "lp_pool2d", "lp_pool3d", "max_pool1d_with_indices", "max_pool2d_with_indices",
    "max_pool3d_with_indices", "max_unpool1d", "max_unpool2d", "max_unpool3d",
)  # fmt: skip


def pool_sizes(spatial: Any, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, ceil_mode: bool) -> Sizes:
    """How many windows there are along each dimension; with `ceil_mode` also those that start inside but end outside."""
    outs = []
    for size, k, s, p, d in zip(spatial, kernel, stride, padding, dilation, strict=True):
        room = size + 2 * p - d * (k - 1) - 1
        out = (-(-room // s) if ceil_mode else room // s) + 1
        outs.append(out - 1 if ceil_mode and (out - 1) * s >= size + p else out)
    return tuple(outs)


def tiles(spatial: Sizes, outs: Sizes) -> Window | None:
    """The windows that cut the spatial dimensions into so many equal parts, None where they do not divide."""
    if 0 in outs or any(n % m for n, m in zip(spatial, outs, strict=True)):
        return None
    kernel = tuple(n // m for n, m in zip(spatial, outs, strict=True))
    return Window(kernel, kernel, (0,) * len(outs), (1,) * len(outs), outs)


def _bordered(x: Any, window: Window, value: Any = 0) -> Any:
    """`x` with its border, longer at the end where the last window reaches past it."""
    each = zip(x.shape[2:], *window, strict=True)
    extra = tuple(max(0, (o - 1) * s + d * (k - 1) + 1 - n - 2 * p) for n, k, s, p, d, o in each)
    return padded(x, window.padding, value, extra)


def _below_all(x: Any, window: Window) -> Any:
    """`x` with a border that no maximum meets."""
    kind = x.dtype
    return _bordered(x, window, False if kind.kind == "b" else np.iinfo(kind).min if kind.kind in "iu" else -math.inf)


@op(contiguous="volumes")
def max_pool(input: Array, window: Window) -> Array:
    """The largest element of each window of (N, C, *spatial); NaN where a window holds one."""
    out: Any = None
    for view in window.views(_below_all(input, window)):
        out = view.copy() if out is None else xp(out).maximum(out, view, out=out)
    return out


@max_pool.vjp
def _(g: Any, input: Any, window: Any, input_shape: Any) -> Any:
    # the maxima are found anew: nn.ReLU(True) may have changed the result in place
    return plane_scatter(g, max_pool_indices(input, max_pool(input.detach(), window), window), input_shape[2:])


@op(dtypes=None, contiguous="volumes")
def max_pool_indices(input: Fixed, y: Fixed, window: Window) -> Array:
    """Where each window has its first maximum, as flat positions in the spatial dimensions of the input."""
    m, x = xp(input), _below_all(input, window)
    which = m.zeros(y.shape, np.uint8 if math.prod(window.kernel) < 256 else np.int32)  # the number of the tap
    views = list(window.views(x))
    for number in range(len(views) - 1, -1, -1):
        hit = views[number] == y
        if x.dtype.kind in "fV" and number:
            hit |= views[number] != views[number]
        m.copyto(which, which.dtype.type(number), where=hit)
    start, first, taps = (m.zeros((), np.int64) for _ in range(3))
    for n, k, s, p, d, o in zip(input.shape[2:], *window, strict=True):
        line = m.arange(o) * s - p
        start, taps = start[..., None] * n + line, taps[..., None] * n + m.arange(k) * d
        first = first[..., None] * n + m.where(line < 0, line % d, line)  # where nothing is above the border, tap 0 stands for it
    return m.where(which == 0, first, start + taps.reshape(-1)[which])


@op(dtypes=None)
def plane_gather(input: Array, index: Fixed) -> Array:
    """Pick from the flattened plane of each (n, c): (N, C, *spatial) and positions (N, C, *out) to (N, C, *out)."""
    flat = input.reshape(*input.shape[:2], math.prod(input.shape[2:]))
    at = index.reshape(*index.shape[:2], math.prod(index.shape[2:]))
    return xp(input).take_along_axis(flat, at, axis=2).reshape(index.shape)


plane_gather.vjp(lambda g, input_shape, index: plane_scatter(g, index, input_shape[2:]))


@op
def plane_scatter(input: Array, index: Fixed, size: Sizes) -> Array:
    """Add (N, C, *out) at positions of otherwise zero planes (N, C, *size)."""
    m, planes = xp(input), input.shape[0] * input.shape[1]
    out = m.zeros(planes * math.prod(size), input.dtype)
    index = index.reshape(planes, math.prod(input.shape[2:])) + m.arange(planes)[:, None] * math.prod(size)
    scatter_add(out, index.reshape(-1), input.reshape(-1))
    return out.reshape(*input.shape[:2], *size)


plane_scatter.vjp(lambda g, index: plane_gather(g, index))


@op(dtypes=None, contiguous="images")
def plane_put(input: Array, index: Fixed, size: Sizes) -> Array:
    """Write (N, C, *out) at positions of otherwise zero planes (N, C, *size)."""
    out = xp(input).zeros((*input.shape[:2], math.prod(size)), input.dtype)
    flat = (*input.shape[:2], math.prod(input.shape[2:]))
    xp(input).put_along_axis(out, index.reshape(flat), input.reshape(flat), axis=2)
    return out.reshape(*input.shape[:2], *size)


plane_put.vjp(lambda g, index: plane_gather(g, index))


@op(contiguous="images")
def avg_pool(input: Array, window: Window, count: Fixed) -> Array:
    """The sum of each window of (N, C, *spatial) over `count`, a number or one for each window."""
    out: Any = None
    for view in window.views(_bordered(input, window)):
        out = view.copy() if out is None else xp(out).add(out, view, out=out)
    if out.dtype.kind in "iu":  # towards zero
        return (out - xp(out).fmod(out, count)) // count
    return xp(out).divide(out, count, out=out)


avg_pool.vjp(lambda g, input_shape, window, count: avg_pool_grad(g, input_shape[2:], window, count))


@op
def avg_pool_grad(grad: Array, size: Sizes, window: Window, count: Fixed) -> Array:
    """The gradient of average pooling by its input, whose spatial sizes are `size`."""
    share, apart = grad / count, all(s >= k for s, k in zip(window.stride, window.kernel, strict=True))
    out = _bordered(xp(grad).zeros((*grad.shape[:2], *size), grad.dtype), window)
    for view in window.views(out):
        if apart:
            view[...] = share
        else:
            view += share
    return unpadded(out, window.padding, size)


avg_pool_grad.vjp(lambda g, window, count: avg_pool(g, window, count))


def _counts(x: Any, window: Window, count_include_pad: bool) -> Any:
    """How many elements each window holds: a number, or a tensor where windows differ."""
    total: Any = 1
    for axis, (n, k, s, p, _, o) in enumerate(zip(x.shape[2:], *window, strict=True)):
        spans = [(i * s - p, min(i * s - p + k, n + p)) for i in range(o)]
        line = [b - a if count_include_pad else min(b, n) - max(a, 0) for a, b in spans]
        if len(set(line)) == 1:
            total = total * line[0]
        else:
            kind = x.dtype if x.dtype.itemsize > 2 else np.float32
            total = total * xp(x).asarray(line, kind).reshape(-1, *(1,) * (len(window.outs) - 1 - axis))
    return total if isinstance(total, int) else wrap(total)


def _window(where: str, n: int, x: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool) -> Window:
    """Check the arguments, and spread them over the dimensions."""
    if x.ndim not in (n + 1, n + 2) or 0 in x.shape[x.ndim - n - 1 :]:
        text = f"Expected {n + 1}D or {n + 2}D (batch mode) tensor with optional 0 dim batch size for input, but got:{listing(x.shape)}"
        raise ShapeError(where, text)
    kernel = spread(where, "kernel_size", kernel, n)
    stride = kernel if stride in (None, [], ()) else spread(where, "stride", stride, n)
    padding, dilation = spread(where, "padding", padding, n), spread(where, "dilation", dilation, n)
    for name, values in (("kernel size", kernel), ("stride", stride)):
        if min(values) < 1:
            raise ShapeError(where, f"{name} should be greater than zero, but got {values}")
    if min(dilation) < 1:
        raise ShapeError(where, f"dilation should be greater than zero, but got dilation {dilation}")
    for p, k, d in zip(padding, kernel, dilation, strict=True):
        if p < 0:
            raise ShapeError(where, f"pad must be non-negative, but got pad: {p}")
        if p > k // 2:
            half = "effective kernel size" if d == 1 else "kernel size"
            raise ShapeError(where, f"pad should be at most half of {half}, but got pad={p}, kernel_size={k} and dilation={d}")
    outs = pool_sizes(x.shape[-n:], kernel, stride, padding, dilation, ceil_mode)
    if min(outs) < 1:
        before, after = ("x".join(map(str, (x.shape[-n - 1], *sizes))) for sizes in (x.shape[-n:], outs))
        what = f"Given input size: ({before}). Calculated output size: ({after}). Output size is too small"
        raise ShapeError(where, what, "", "pool less often, or pad")
    return Window(kernel, stride, padding, dilation, outs)


def largest(x: Any, window: Window, indices: bool) -> Any:
    """The maximum of each window of (N, C, *spatial), and with `indices` its position."""
    out = max_pool(x, window)
    return (out, max_pool_indices(x, out, window)) if indices else out


def _max_pool(n: int, always: bool = False) -> Any:
    where = f"max_pool{n}d"

    def pool(
        input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False,
        return_indices: bool = always,
    ) -> Any:  # fmt: skip
        """The largest element of each window of `input` (N, C, {size}) or (C, {size}): (N, C, {out}).

        `stride` is `kernel_size` where it is not given; the border counts as -inf. With `return_indices`, or as
        `max_pool{n}d_with_indices`, the flat positions in the spatial dimensions come too. Raises a RuntimeError where the
        padding exceeds half the kernel or no window fits.

        >>> import dovetail as dv
        >>> dv.nn.functional.max_pool{n}d(dv.tensor([1., 3., 2., 5.]).expand(1, 1, *[4] * {n}), 2).unique()
        tensor([3., 5.])
        """
        window, indices = _window(where, n, input._a, kernel_size, stride, padding, dilation, ceil_mode), always or return_indices
        refuse_types(where, input._a, "iub" if n == 1 and not indices else "b")
        return over_batch(n, lambda x: largest(x, window, indices), input)

    return named(pool, f"{where}_with_indices" if always else where, n)


max_pool1d, max_pool2d, max_pool3d = (_max_pool(n) for n in (1, 2, 3))
max_pool1d_with_indices, max_pool2d_with_indices, max_pool3d_with_indices = (_max_pool(n, True) for n in (1, 2, 3))


def _avg(n: int, input: Any, kernel: Any, stride: Any, padding: Any, ceil_mode: bool, count_include_pad: bool, divisor: Any = None) -> Any:
    where, x = f"avg_pool{n}d", input._a
    if divisor is not None and divisor == 0:
        raise ShapeError(where, "divisor must be not zero", "", "leave divisor_override at None")
    if n == 2:
        refuse_scalar(where, x)
    refuse_types(where, x, "" if x.dtype.name == "int64" else "iub")
    window = _window(where, n, x, kernel, stride, padding, 1, ceil_mode)
    if n == 3 and any(size < k for size, k in zip(x.shape[-3:], window.kernel, strict=True)):
        raise ShapeError(where, f"input image {listing(x.shape[-3:])} smaller than kernel size {listing(window.kernel)}")

    def mean(batch: Any) -> Any:
        return avg_pool(batch, window, _counts(batch._a, window, count_include_pad) if divisor is None else divisor)

    return over_batch(n, mean, input)


def avg_pool1d(
    input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False, count_include_pad: bool = True
) -> Any:
    """The mean of each window of `input` (N, C, L) or (C, L): (N, C, L'); see :func:`avg_pool2d`.

    >>> import dovetail as dv
    >>> dv.avg_pool1d(dv.tensor([[1., 3., 2., 6.]]), 2)
    tensor([[2., 4.]])
    """
    return _avg(1, input, kernel_size, stride, padding, ceil_mode, count_include_pad)


def _avg_pool(n: int) -> Any:
    def pool(
        input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False, count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Any:  # fmt: skip
        """The mean of each window of `input` (N, C, {size}) or (C, {size}): (N, C, {out}).

        The zeros of the border count unless `count_include_pad` is False; `divisor_override` replaces the count.
        Raises a RuntimeError where the padding exceeds half the kernel or no window fits.

        >>> import dovetail as dv
        >>> dv.nn.functional.avg_pool{n}d(dv.arange(2.).expand(1, 1, *[2] * {n}), 2).item()
        0.5
        """
        return _avg(n, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)

    return named(pool, f"avg_pool{n}d", n)


avg_pool2d, avg_pool3d = (_avg_pool(n) for n in (2, 3))


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


def _lp_pool(n: int, mean: Any, most: Any) -> Any:
    def pool(input: Any, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Any:
        """The power sum of each window of (N, C, {size}): ``(Σ xᵖ)^(1/p)``, p the `norm_type`.

        Of infinity it is the greatest ``|x|``, of -infinity the least.

        >>> import dovetail as dv
        >>> dv.nn.functional.lp_pool{n}d(dv.ones(1, 1, *[4] * {n}), {n}, 4).item()
        4.0
        """
        if norm_type in (math.inf, -math.inf):
            return most(input.abs() * (sign := math.copysign(1.0, norm_type)), kernel_size, stride, 0, 1, ceil_mode) * sign
        count = math.prod(spread(f"lp_pool{n}d", "kernel_size", kernel_size, n))
        out = mean(input**norm_type, kernel_size, stride, 0, ceil_mode)
        return (out.sign() * out.abs().relu() * count) ** (1.0 / norm_type)  # relu: no gradient at 0, where the root's is infinite

    return named(pool, f"lp_pool{n}d", n)


max_unpool1d, max_unpool2d, max_unpool3d = (_unpool(n) for n in (1, 2, 3))
lp_pool1d, lp_pool2d, lp_pool3d = map(_lp_pool, (1, 2, 3), (avg_pool1d, avg_pool2d, avg_pool3d), (max_pool1d, max_pool2d, max_pool3d))
