"""Lowerings of convolution, padding, and windows as columns."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ._common import END, refuse

__all__: list[str] = []


def convolution(g: Any, input: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    return g.Conv(
        input, weight, bias, kernel_shape=tuple(weight.shape[2:]), strides=tuple(stride), pads=(*padding, *padding),
        dilations=tuple(dilation), group=groups,
    )  # fmt: skip


def convolution_input_grad(g: Any, grad: Any, weight: Any, size: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    """The transposed convolution."""
    return _transposed(g, grad, weight, grad.shape[2:], tuple(weight.shape[2:]), size, stride, padding, dilation, groups)


def _transposed(
    g: Any, x: Any, weight: Any, spatial: Any, kernel: Any, size: Any, stride: Any, padding: Any, dilation: Any, groups: int
) -> Any:
    each = zip(size, spatial, kernel, stride, padding, dilation, strict=True)
    extra = tuple(n - ((m - 1) * s - 2 * p + d * (k - 1) + 1) for n, m, k, s, p, d in each)
    if not all(isinstance(e, int) for e in extra):
        what = f"the output size {size} does not follow from the input's by one output_padding"
        raise refuse(g, what, "give output_padding, no output_size")
    return g.ConvTranspose(
        x, weight, kernel_shape=kernel, strides=tuple(stride), pads=(*padding, *padding), dilations=tuple(dilation), group=groups,
        output_padding=extra,
    )  # fmt: skip


def constant_pad_nd(g: Any, input: Any, sides: Any, value: Any) -> Any:
    pads = g.sizes([a for a, _ in sides] + [b for _, b in sides])
    return g.Pad(input, pads, g.const(value, input.dtype), mode="constant")


def border_pad(g: Any, input: Any, sides: Any, mode: str) -> Any:
    """Pad, then cut; a circular border is cut first and joined from its parts, as Pad has it from opset 19 on only."""
    out = input
    if mode != "circular":
        grow = [max(a, 0) for a, _ in sides] + [max(b, 0) for _, b in sides]
        out = g.Pad(input, g.sizes(grow), mode="edge" if mode == "replicate" else "reflect") if any(grow) else out
    for axis, (before, after) in enumerate(sides):
        if before < 0 or after < 0:
            out = g.Slice(out, g.sizes([max(-before, 0)]), g.sizes([after if after < 0 else END]), g.sizes([axis]))
        if mode == "circular" and (before > 0 or after > 0):
            first = [g.Slice(out, g.sizes([-before]), g.sizes([END]), g.sizes([axis]))] if before > 0 else []
            last = [g.Slice(out, g.sizes([0]), g.sizes([after]), g.sizes([axis]))] if after > 0 else []
            out = g.Concat(*first, out, *last, axis=axis)
    return out


def _taps(g: Any, channels: int, kernel: Any, dtype: Any) -> Any:
    """One filter for each place in a window, the same for all channels: (C·places, 1, *kernel)."""
    places = math.prod(kernel)
    return g.const(np.tile(np.eye(places).reshape(places, 1, *kernel), (channels, *(1,) * (len(kernel) + 1))), dtype)


def im2col(g: Any, input: Any, window: Any) -> Any:
    channels = input.shape[1]
    weight = _taps(g, int(channels), window.kernel, input.dtype)
    out = convolution(g, input, weight, None, window.stride, window.padding, window.dilation, int(channels))
    return g.Reshape(out, g.sizes([input.shape[0], channels * math.prod(window.kernel), -1]))


def col2im(g: Any, input: Any, size: Any, window: Any) -> Any:
    channels = int(input.shape[1]) // math.prod(window.kernel)
    columns = g.Reshape(input, g.sizes([*input.shape[:2], *window.outs]))
    weight = _taps(g, channels, window.kernel, input.dtype)
    how = (window.stride, window.padding, window.dilation, channels)
    return _transposed(g, columns, weight, window.outs, tuple(window.kernel), size, *how)
