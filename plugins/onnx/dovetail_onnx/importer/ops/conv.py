"""Convolutions of one to three spatial dimensions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

import dovetail as dv
from dovetail.errors import UnsupportedError
from dovetail.nn import functional as F

from ..table import operator

__all__ = ["padded", "spatial_pads"]

_CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


def spatial_pads(
    sizes: Sequence[int], kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int], auto_pad: str, pads: Sequence[int] | None
) -> tuple[list[int], list[int]]:
    """What is added before and after each spatial dimension."""
    rank = len(kernel)
    if auto_pad in ("NOTSET", "") and pads is not None:
        return list(pads[:rank]), list(pads[rank:])
    if auto_pad in ("NOTSET", "", "VALID"):
        return [0] * rank, [0] * rank
    total = [
        max((-(-size // stride) - 1) * stride + (k - 1) * dilation + 1 - size, 0)
        for size, k, stride, dilation in zip(sizes, kernel, strides, dilations)
    ]
    less, more = [one // 2 for one in total], [one - one // 2 for one in total]
    return (less, more) if auto_pad == "SAME_UPPER" else (more, less)


def padded(X: Any, begin: Sequence[int], end: Sequence[int], value: float = 0.0) -> Any:
    """X with its spatial dimensions enlarged."""
    if not any(begin) and not any(end):
        return X
    return F.pad(X, [amount for pair in zip(reversed(begin), reversed(end)) for amount in pair], value=value)


def _rank(X: Any, table: dict[int, Any], where: str) -> int:
    if X.ndim - 2 not in table:
        raise UnsupportedError(where, f"the input has the shape {tuple(X.shape)}", "expected one to three spatial dimensions")
    return int(X.ndim - 2)


@operator()
def Conv(
    X: Any, W: Any, B: Any = None, *, auto_pad: str = "NOTSET", dilations: Any = None, group: int = 1, kernel_shape: Any = None,
    pads: Any = None, strides: Any = None,
) -> Any:  # fmt: skip
    rank = _rank(X, _CONV, "Conv")
    dilations, strides = dilations or [1] * rank, strides or [1] * rank
    begin, end = spatial_pads(X.shape[2:], W.shape[2:], strides, dilations, auto_pad, pads)
    if begin == end:
        return _CONV[rank](X, W, B, tuple(strides), tuple(begin), tuple(dilations), group)
    return _CONV[rank](padded(X, begin, end), W, B, tuple(strides), 0, tuple(dilations), group)


@operator()
def ConvTranspose(
    X: Any, W: Any, B: Any = None, *, auto_pad: str = "NOTSET", dilations: Any = None, group: int = 1, kernel_shape: Any = None,
    output_padding: Any = None, output_shape: Any = None, pads: Any = None, strides: Any = None,
) -> Any:  # fmt: skip
    rank = _rank(X, _TRANSPOSED, "ConvTranspose")
    dilations, strides, extra = dilations or [1] * rank, strides or [1] * rank, output_padding or [0] * rank
    full = [(size - 1) * s + (k - 1) * d + 1 for size, k, s, d in zip(X.shape[2:], W.shape[2:], strides, dilations)]
    if output_shape is None and auto_pad in ("SAME_UPPER", "SAME_LOWER"):
        output_shape = [size * stride for size, stride in zip(X.shape[2:], strides)]
    if output_shape is not None:
        total = [max(one + more - wanted, 0) for one, more, wanted in zip(full, extra, output_shape[-rank:])]
        begin = [one // 2 if auto_pad == "SAME_UPPER" else one - one // 2 for one in total]
        wanted = list(output_shape[-rank:])
    else:
        begin, end = list((pads or [0] * 2 * rank)[:rank]), list((pads or [0] * 2 * rank)[rank:])
        wanted = [one + more - before - after for one, more, before, after in zip(full, extra, begin, end)]
    Y = _TRANSPOSED[rank](X, W, None, tuple(strides), 0, 0, group, tuple(dilations))
    Y = padded(Y, [-before for before in begin], [before + size - one for before, size, one in zip(begin, wanted, full)])
    return Y if B is None else Y + B.reshape((-1,) + (1,) * rank)


@operator()
def ConvInteger(x: Any, w: Any, x_zero_point: Any = None, w_zero_point: Any = None, **attributes: Any) -> Any:
    """In float64, which holds the sums exactly."""
    wide = x.double() if x_zero_point is None else x.double() - x_zero_point.double()
    weight = w.double() if w_zero_point is None else w.double() - w_zero_point.double().reshape((-1,) + (1,) * (w.ndim - 1))
    return Conv(wide, weight, **attributes).round().to(dv.int32)


@operator()
def Col2Im(input: Any, image_shape: Any, block_shape: Any, *, dilations: Any = None, pads: Any = None, strides: Any = None) -> Any:
    image, block = [int(one) for one in image_shape.tolist()], [int(one) for one in block_shape.tolist()]
    rank = len(image)
    dilations, strides, pads = dilations or [1] * rank, strides or [1] * rank, pads or [0] * 2 * rank
    sizes = [size + pads[at] + pads[rank + at] for at, size in enumerate(image)]
    steps = [(size - (b - 1) * d - 1) // s + 1 for size, b, d, s in zip(sizes, block, dilations, strides)]
    flat = np.zeros((math.prod(block), math.prod(steps)), np.int64)
    for size, b, d, s, inside in zip(sizes, np.indices(block), dilations, strides, np.indices(steps)):
        flat = flat * size + b.reshape(-1, 1) * d + inside.reshape(1, -1) * s
    n, channels = input.shape[0], input.shape[1] // math.prod(block)
    at = dv.from_numpy(flat.reshape(-1)).to(input.device)
    whole = dv.zeros(n, channels, math.prod(sizes), dtype=input.dtype, device=input.device)
    whole = whole.index_add(2, at, input.reshape(n, channels, -1)).reshape([n, channels, *sizes])
    return padded(whole, [-one for one in pads[:rank]], [-one for one in pads[rank:]])


@operator()
def DeformConv(
    X: Any, W: Any, offset: Any, B: Any = None, mask: Any = None, *, dilations: Any = None, group: int = 1, kernel_shape: Any = None,
    offset_group: int = 1, pads: Any = None, strides: Any = None,
) -> Any:  # fmt: skip
    """Deformable convolution of images (Dai et al. 2017): each kernel position is sampled bilinearly, then a product with W sums."""
    if X.ndim != 4:
        raise UnsupportedError("DeformConv", f"the input has the shape {tuple(X.shape)}", "expected (N, C, H, W)")
    dilations, strides, pads = dilations or [1, 1], strides or [1, 1], pads or [0, 0, 0, 0]
    n, c, height, width = X.shape
    kernel = list(W.shape[2:])
    out = list(offset.shape[2:])
    places = offset.reshape(n, offset_group, math.prod(kernel), 2, *out)
    groups = X.reshape(n * offset_group, c // offset_group, height, width)
    columns = []
    for at in range(math.prod(kernel)):
        base = [
            dv.arange(out[axis], device=X.device) * strides[axis] - pads[axis] + (at // kernel[1], at % kernel[1])[axis] * dilations[axis]
            for axis in (0, 1)
        ]
        y = places[:, :, at, 0] + base[0].reshape(-1, 1)
        x = places[:, :, at, 1] + base[1].reshape(1, -1)
        grid = dv.stack([2 * x / max(width - 1, 1) - 1, 2 * y / max(height - 1, 1) - 1], -1).reshape(n * offset_group, *out, 2).to(X.dtype)
        sampled = F.grid_sample(groups, grid, mode="bilinear", padding_mode="zeros", align_corners=True).reshape(n, offset_group, -1, *out)
        if mask is not None:
            sampled = sampled * mask.reshape(n, offset_group, -1, *out)[:, :, at : at + 1]
        columns.append(sampled.reshape(n, c, *out))
    stacked = dv.stack(columns, 2).reshape(n, group, c // group * math.prod(kernel), math.prod(out))
    weight = W.reshape(1, group, W.shape[0] // group, -1)
    Y = dv.matmul(weight, stacked).reshape(n, W.shape[0], *out)
    return Y if B is None else Y + B.reshape(1, -1, 1, 1)
