"""Convolution and its two gradients: columns and one matrix product, block by block; depthwise convolution tap by tap.

The three ops are each other's gradients, so derivatives of any order exist.
"""

from __future__ import annotations

import math
from typing import Any

from dovetail_numerics.windows import Sizes, blocks, padded, tap_views, unpadded, window_sizes

from ._op import Array, op, xp
from .arithmetic import held

__all__ = ["convolution", "convolution_input_grad", "convolution_weight_grad"]


@op(autocast="lower", contiguous="volumes")
def convolution(input: Array, weight: Array, bias: Array | None, stride: Sizes, padding: Sizes, dilation: Sizes, groups: int) -> Array:
    """Slide `weight` (O, C/groups, *kernel) over `input` (N, C, *spatial): (N, O, *out).

    ``out[n, o, y] = bias[o] + Σ_ck weight[o, c, k] · input[n, c, stride·y + dilation·k - padding]``
    """
    out = _forward(input, weight, stride, padding, dilation, groups)
    if bias is not None:
        out += bias.reshape(-1, *(1,) * len(stride))
    return out


@convolution.vjp("input")
def _(g: Any, weight: Any, input_shape: Any, stride: Any, padding: Any, dilation: Any, groups: Any) -> Any:
    return convolution_input_grad(g, held(weight), input_shape[2:], stride, padding, dilation, groups)


@convolution.vjp("weight")
def _(g: Any, input: Any, weight_shape: Any, stride: Any, padding: Any, dilation: Any, groups: Any) -> Any:
    return convolution_weight_grad(g, held(input), weight_shape[2:], stride, padding, dilation, groups)


convolution.vjp("bias")(lambda g: g.sum((0, *range(2, g._a.ndim))))


def _forward(x: Any, w: Any, stride: Sizes, padding: Sizes, dilation: Sizes, groups: int) -> Any:
    """(N, C, *spatial) and (O, C/groups, *kernel) to (N, O, *out)."""
    n, c, o, kernel = x.shape[0], x.shape[1], w.shape[0], w.shape[2:]
    outs = window_sizes(x.shape[2:], kernel, stride, padding, dilation)
    if groups > 1 and w.shape[1] == 1:
        return _depthwise(padded(x, padding), w, stride, dilation, groups, outs)
    points = math.prod(outs)
    each = math.prod(w.shape[1:]) * groups
    if groups == 1 and points <= 64 and n * points >= o and each > c:
        return _channels_last(x, w, stride, padding, dilation, outs)
    matrix = w.reshape(groups, o // groups, -1)
    x = padded(x, padding)
    if each == c:  # a 1x1 kernel: the image is the columns
        x = x[(..., *(slice(0, s * (m - 1) + 1, s) for s, m in zip(stride, outs, strict=True)))]
        return (matrix @ x.reshape(n, groups, c // groups, points)).reshape(n, o, *outs)
    out = xp(x).empty((n, groups, o // groups, *outs), xp(x).result_type(x, w))
    buffer = None
    for batch, rows, lines in blocks(x, outs, each, kernel, stride, dilation):
        part = x[batch, :, lines]
        sizes = (rows.stop - rows.start, *outs[1:])
        shape = (part.shape[0], c, *kernel, *sizes)
        if buffer is None or buffer.shape != shape:
            buffer = xp(x).empty(shape, x.dtype)
        for tap, view in tap_views(part, kernel, stride, dilation, sizes):
            buffer[(slice(None), slice(None), *tap)] = view
        cols = buffer.reshape(part.shape[0], groups, each // groups, -1)
        place = out[batch, :, :, rows]
        if place.flags.c_contiguous:
            xp(x).matmul(matrix, cols, out=place.reshape(*cols.shape[:2], o // groups, cols.shape[3]))
        else:
            place[...] = (matrix @ cols).reshape(place.shape)
    return out.reshape(n, o, *outs)


def _channels_last(x: Any, w: Any, stride: Sizes, padding: Sizes, dilation: Sizes, outs: Sizes) -> Any:
    """For small images: columns of whole channel runs, and one tall product instead of a short one for each image."""
    n, kernel, d = x.shape[0], w.shape[2:], len(outs)
    moved = xp(x).ascontiguousarray(padded(x.transpose(0, *range(2, d + 2), 1), (*padding, 0)))
    cols = xp(x).empty((n, *outs, *kernel, x.shape[1]), x.dtype)
    for tap, view in tap_views(moved, kernel, stride, dilation, outs, axis=1):
        cols[(slice(None),) * (d + 1) + tap] = view
    matrix = w.transpose(*range(2, d + 2), 1, 0).reshape(-1, w.shape[0])
    out = (cols.reshape(-1, matrix.shape[0]) @ matrix).reshape(n, *outs, -1)
    return xp(x).ascontiguousarray(out.transpose(0, d + 1, *range(1, d + 1)))


@op(autocast="lower", contiguous="volumes")
def convolution_input_grad(grad: Array, weight: Array, size: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, groups: int) -> Array:
    """The gradient of a convolution by its input, (N, O, *out) to (N, C, *size); also the transposed convolution.

    Columns of the gradient are added to where they came from.
    """
    g, w = grad, weight
    n, o, kernel, outs = g.shape[0], g.shape[1], w.shape[2:], g.shape[2:]
    c = w.shape[1] * groups
    around = tuple(d * (k - 1) - p for k, p, d in zip(kernel, padding, dilation, strict=True))
    covered = all(m + 2 * p - d * (k - 1) == q for m, p, d, k, q in zip(size, padding, dilation, kernel, outs, strict=True))
    if set(stride) == {1} and min(around) >= 0 and covered and o <= c and groups in (1, c):
        return _forward(g, _flipped(w, groups), stride, around, dilation, groups)
    shape = (n, c, *(m + 2 * p for m, p in zip(size, padding, strict=True)))
    out = xp(g).zeros(shape, xp(g).result_type(g, w))
    matrix = w.reshape(groups, o // groups, -1).swapaxes(1, 2)
    for batch, rows, lines in blocks(out, outs, c * math.prod(kernel), kernel, stride, dilation):
        part = g[batch, :, rows]
        cols = (matrix @ part.reshape(part.shape[0], groups, o // groups, -1)).reshape(-1, c, *kernel, *part.shape[2:])
        for tap, view in tap_views(out[batch, :, lines], kernel, stride, dilation, part.shape[2:]):
            view += cols[(slice(None), slice(None), *tap)]
    return out if not any(padding) else xp(g).ascontiguousarray(unpadded(out, padding, size))


@convolution_input_grad.vjp("grad")
def _(g: Any, weight: Any, grad_shape: Any, stride: Any, padding: Any, dilation: Any, groups: Any) -> Any:
    found = convolution(g, held(weight), None, stride, padding, dilation, groups)
    inside = (..., *map(slice, grad_shape[2:]))  # an output_padding may be longer than a stride
    return found if found._a.shape == grad_shape else found[inside].contiguous()


@convolution_input_grad.vjp("weight")
def _(g: Any, grad: Any, weight_shape: Any, stride: Any, padding: Any, dilation: Any, groups: Any) -> Any:
    return convolution_weight_grad(held(grad), g, weight_shape[2:], stride, padding, dilation, groups)


def _flipped(w: Any, groups: int) -> Any:
    """The kernel of the reverse convolution: mirrored, with its channels exchanged."""
    w = w[(..., *(slice(None, None, -1),) * (w.ndim - 2))]
    if groups == 1:
        return w.swapaxes(0, 1)
    many = w.reshape(groups, w.shape[0] // groups, *w.shape[1:]).swapaxes(1, 2)
    return many.reshape(-1, *many.shape[2:])


@op(autocast="lower")
def convolution_weight_grad(grad: Array, input: Array, size: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, groups: int) -> Array:
    """The gradient of a convolution by its weight, (N, O, *out) and (N, C, *spatial) to (O, C/groups, *size).

    Rows of the gradient times columns are summed over the blocks.
    """
    g, x, kernel = grad, padded(input, padding), size
    o, c, outs = g.shape[1], x.shape[1], g.shape[2:]
    if groups > 1 and c == groups:
        return _depthwise_weight_grad(g, x, kernel, stride, dilation, groups)
    total: Any = None
    for batch, rows, lines in blocks(x, outs, c * math.prod(kernel), kernel, stride, dilation):
        part, some = x[batch, :, lines], g[batch, :, rows]
        cols = xp(x).empty((c, *kernel, part.shape[0], *some.shape[2:]), x.dtype)
        for tap, view in tap_views(part, kernel, stride, dilation, some.shape[2:]):
            cols[(slice(None), *tap)] = view.swapaxes(0, 1)
        each = some.swapaxes(0, 1).reshape(groups, o // groups, -1)
        found = each @ cols.reshape(groups, -1, each.shape[2]).swapaxes(1, 2)
        total = found if total is None else total + found
    shape = (o, c // groups, *kernel)
    return xp(x).zeros(shape, x.dtype) if total is None else total.reshape(shape)


@convolution_weight_grad.vjp("grad")
def _(g: Any, input: Any, stride: Any, padding: Any, dilation: Any, groups: Any) -> Any:
    return convolution(held(input), g, None, stride, padding, dilation, groups)


@convolution_weight_grad.vjp("input")
def _(g: Any, grad: Any, input_shape: Any, stride: Any, padding: Any, dilation: Any, groups: Any) -> Any:
    return convolution_input_grad(held(grad), g, input_shape[2:], stride, padding, dilation, groups)


def _depthwise(x: Any, w: Any, stride: Sizes, dilation: Sizes, groups: int, outs: Sizes) -> Any:
    """One input channel a group: products with a scalar each tap, no columns."""
    n, per = x.shape[0], w.shape[0] // groups
    out = xp(x).zeros((n, groups, per, *outs), xp(x).result_type(x, w))
    taps = w.reshape(groups, per, *w.shape[2:])
    last = (None,) * len(outs)
    for batch, rows, lines in blocks(x, outs, w.shape[0] * 4, w.shape[2:], stride, dilation):
        place = out[batch, :, :, rows]
        part, product = x[batch, :, None, lines], xp(x).empty_like(place)
        for tap, view in tap_views(part, w.shape[2:], stride, dilation, place.shape[3:], axis=3):
            xp(x).multiply(view, taps[(slice(None), slice(None), *tap, *last)], out=product)
            place += product
    return out.reshape(n, w.shape[0], *outs)


def _depthwise_weight_grad(g: Any, x: Any, kernel: Sizes, stride: Sizes, dilation: Sizes, groups: int) -> Any:
    outs, per = g.shape[2:], g.shape[1] // groups
    g = g.reshape(g.shape[0], groups, per, *outs)
    total = xp(x).zeros((groups, per, *kernel), xp(x).result_type(g, x))
    axes = (0, *range(3, g.ndim))
    for tap, view in tap_views(x, kernel, stride, dilation, outs):
        total[(slice(None), slice(None), *tap)] = (g * view[:, :, None]).sum(axis=axes)
    return total.reshape(groups * per, 1, *kernel)
