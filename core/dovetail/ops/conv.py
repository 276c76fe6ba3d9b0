"""Convolution in one, two and three dimensions; a transposed convolution is the input gradient run forward."""

from __future__ import annotations

import math
from typing import Any

from dovetail_numerics.windows import Sizes, window_sizes

from ..errors import DtypeError, ShapeError
from ._convolution import convolution, convolution_input_grad
from ._refuse import listing, not_for, refuse_types
from ._spatial import named, over_batch, spread
from .pad import pad as padded

__all__ = ["conv1d", "conv2d", "conv3d", "conv_tbc", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"]
METHODS = ()
FUNCTIONAL = tuple(__all__)


def _conv(n: int) -> Any:
    where = f"conv{n}d"

    def conv(input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1) -> Any:
        """Convolve `input` (N, C, {size}), or (C, {size}), with `weight` (O, C/groups, *kernel): (N, O, {out}).

        Each size L becomes ``(L + 2·padding - dilation·(K - 1) - 1) // stride + 1``. `padding` is a number of zeros on both sides,
        "valid" (none) or "same" (as many as keep the size; stride 1 only).
        Raises a RuntimeError for shapes that do not fit, and for types that differ.

        >>> import dovetail as dv
        >>> dv.conv{n}d(dv.tensor([1., 2., 4., 8.]).expand(1, 1, *[4] * {n}), dv.ones(1, 1, *[1] * ({n} - 1), 2)).unique()
        tensor([ 3.,  6., 12.])
        """
        x, w = input._a, weight._a
        _check(where, n, x, w, bias, groups)
        stride, dilation = spread(where, "stride", stride, n), spread(where, "dilation", dilation, n)
        if isinstance(padding, str):
            input, padding = _by_name(where, n, input, w.shape[2:], stride, padding, dilation)
            x = input._a
        padding = spread(where, "padding", padding, n)
        _check_numbers(where, stride, padding, dilation)
        if x.dtype.kind in "iub" and x.dtype != "int64" and max(dilation) > 1:
            raise not_for(where, x.dtype, "a floating-point type or int64 where dilation is not 1")
        if min(window_sizes(x.shape[-n:], w.shape[2:], stride, padding, dilation)) < 1:
            sizes = " x ".join(str(s + 2 * p) for s, p in zip(x.shape[-n:], padding, strict=True))
            reach = " x ".join(str(d * (k - 1) + 1) for k, d in zip(w.shape[2:], dilation, strict=True))
            text = f"Calculated padded input size per channel: ({sizes}). Kernel size: ({reach}). "
            raise ShapeError(where, text + "Kernel size can't be greater than actual input size", "", "pad more, or take a smaller kernel")
        return over_batch(n, lambda batch: convolution(batch, weight, bias, stride, padding, dilation, groups), input)

    return named(conv, where, n)


def _by_name(where: str, n: int, input: Any, kernel: Sizes, stride: Sizes, padding: str, dilation: Sizes) -> tuple[Any, Sizes]:
    """The zeros that "valid" and "same" stand for; where the two sides differ, the longer one is added at once."""
    if padding == "valid":
        return input, (0,) * n
    if padding != "same":
        raise ShapeError(where, f"Invalid padding string: {padding!r}", "expected 'valid' or 'same'")
    if any(s != 1 for s in stride):
        raise ShapeError(where, f"padding='same' is not supported for strided convolutions (stride {stride})")
    total = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    if any(t % 2 for t in total):
        input = padded(input, [side for t in reversed(total) for side in (0, t % 2)])
    return input, tuple(t // 2 for t in total)


def _conv_transpose(n: int) -> Any:
    where = f"conv_transpose{n}d"

    def conv_transpose(
        input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, output_padding: Any = 0,
        groups: int = 1, dilation: Any = 1,
    ) -> Any:  # fmt: skip
        """Transposed convolution of `input` (N, C, {size}) with `weight` (C, O/groups, *kernel): (N, O, {out}).

        Each size L becomes ``(L - 1)·stride - 2·padding + dilation·(K - 1) + output_padding + 1``. It is the gradient of :func:`conv{n}d`
        by its input. Raises a RuntimeError for shapes that do not fit, and for an output_padding that is neither below stride nor dilation.

        >>> import dovetail as dv
        >>> dv.conv_transpose{n}d(dv.tensor([1., 2.]).expand(1, 1, *[2] * {n}), dv.ones(1, 1, *[1] * ({n} - 1), 2)).unique()
        tensor([1., 2., 3.])
        """
        x, w = input._a, weight._a
        _check(where, n, x, w, bias, groups, transposed=True)
        refuse_types(where, x, "" if x.dtype.name == "int64" else "iub")
        stride, dilation = spread(where, "stride", stride, n), spread(where, "dilation", dilation, n)
        padding, extra = spread(where, "padding", padding, n), spread(where, "output_padding", output_padding, n)
        _check_numbers(where, stride, padding, dilation)
        if any(e >= max(s, d) for e, s, d in zip(extra, stride, dilation, strict=True)):
            text = f"output padding must be smaller than either stride or dilation, but got output_padding {extra}"
            raise ShapeError(where, f"{text}, stride {stride}, dilation {dilation}")
        each = zip(x.shape[-n:], w.shape[2:], stride, padding, dilation, extra, strict=True)
        size = tuple((m - 1) * s - 2 * p + d * (k - 1) + e + 1 for m, k, s, p, d, e in each)
        if min(size) < 1:
            text = f"Given input size per channel: {x.shape[-n:]}. Calculated output size per channel: {size}. Output size is too small"
            raise ShapeError(where, text)
        out = over_batch(n, lambda batch: convolution_input_grad(batch, weight, size, stride, padding, dilation, groups), input)
        return out if bias is None else out + bias.reshape((-1, *(1,) * n))

    return named(conv_transpose, where, n)


conv1d, conv2d, conv3d = (_conv(n) for n in (1, 2, 3))
conv_transpose1d, conv_transpose2d, conv_transpose3d = (_conv_transpose(n) for n in (1, 2, 3))


def conv_tbc(input: Any, weight: Any, bias: Any, pad: int = 0) -> Any:
    """Convolve `input` (L, N, C) with `weight` (K, C, O): (L', N, O).

    >>> import dovetail as dv
    >>> dv.conv_tbc(dv.ones(4, 1, 2), dv.ones(3, 2, 1), dv.zeros(1)).flatten()
    tensor([6., 6.])
    """
    if input._a.ndim != 3 or weight._a.ndim != 3:
        raise ShapeError("conv_tbc", f"Input must have 3 dims: time, batch, in_channel (got shape {listing(input._a.shape)})")
    return conv1d(input.permute(1, 2, 0), weight.permute(2, 1, 0), bias, padding=pad).permute(2, 0, 1).contiguous()


def _check(where: str, n: int, x: Any, w: Any, bias: Any, groups: int, transposed: bool = False) -> None:
    if x.ndim not in (n + 1, n + 2):
        text = f"Expected {n + 1}D (unbatched) or {n + 2}D (batched) input to {where}, but got input of size: {listing(x.shape)}"
        raise ShapeError(where, text, "", "unsqueeze(0) adds a dimension of one channel" if x.ndim == n else "")
    if w.ndim != n + 2:
        raise ShapeError(where, f"expected weight with {n + 2} dimensions, but got weight of size {listing(w.shape)}")
    if groups < 1:
        raise ShapeError(where, f"non-positive groups is not supported (groups={groups})")
    if w.shape[0] % groups or w.shape[0] < groups:
        text = f"Given groups={groups}, expected weight to be divisible by {groups} at dimension 0, but got weight of size "
        raise ShapeError(where, text + listing(w.shape))
    out = w.shape[1] * groups if transposed else w.shape[0]
    if bias is not None and bias._a.shape != (out,):
        text = f"Given weight of size {listing(w.shape)}, expected bias to be 1-dimensional with {out} elements, but got bias of size "
        raise ShapeError(where, text + listing(bias._a.shape))
    refuse_types(where, x, "b")
    for name, other in (("weight", w), ("bias", None if bias is None else bias._a)):
        if other is not None and other.dtype != x.dtype:
            text = f"Input type ({x.dtype}) and {name} type ({other.dtype}) should be the same"
            raise DtypeError(where, text, "", f"convert one with .to({name}.dtype)")
    channels, wanted = x.shape[x.ndim - n - 1], w.shape[0] if transposed else w.shape[1] * groups
    if channels != wanted:
        text = f"Given {'transposed=1' if transposed else f'groups={groups}'}, weight of size {listing(w.shape)}, expected input"
        grey = "expand repeats the one channel of grey pictures" if channels == 1 else ""
        remedy = "is the input channels-last?" if x.shape[-1] == wanted and not transposed else grey
        raise ShapeError(where, f"{text}{listing(x.shape)} to have {wanted} channels, but got {channels} channels instead", "", remedy)


def _check_numbers(where: str, stride: Sizes, padding: Sizes, dilation: Sizes) -> None:
    if min(stride) < 1:
        raise ShapeError(where, f"non-positive stride is not supported (stride {stride})")
    if min(padding) < 0:
        raise ShapeError(where, f"negative padding is not supported (padding {padding})")
    if min(dilation) < 1:
        raise ShapeError(where, f"dilation should be greater than zero (dilation {dilation})")
    if math.prod(stride) > 2**62:
        raise ShapeError(where, f"stride {stride} is too large")
