"""Changing spatial sizes: interpolation, and moving elements between channels and space."""

from __future__ import annotations

import math
import warnings
from typing import Any

from dovetail_numerics.windows import Sizes, Window, padded, unpadded, window_sizes

from ..autograd.node import titled
from ..errors import RangeError, ShapeError, TypeMismatch, UnsupportedError, ValueRangeError
from ._op import Array, op, xp
from ._refuse import listing, refuse_types
from ._resampling import Axis, resample
from ._spatial import over_batch, spread
from .adaptive_pool import adaptive_avg_pool
from .memory import as_images, contiguous_format

__all__ = ["channel_shuffle", "native_channel_shuffle", "pixel_shuffle", "pixel_unshuffle"]
METHODS = ()
FUNCTIONAL = (*__all__, "fold", "interpolate", "unfold", "upsample", "upsample_bilinear", "upsample_nearest")

_PICKING = ("nearest", "area", "nearest-exact")
_MIXING = {  # by mode the dimensions that it needs, and the kind of its map along each axis
    "linear": (3, "linear"), "bilinear": (4, "linear"), "bicubic": (4, "cubic"), "trilinear": (5, "linear"), "lanczos": (4, "lanczos"),
}  # fmt: skip


def interpolate(
    input: Any, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None, antialias: bool = False,
) -> Any:  # fmt: skip
    """Resize the spatial dimensions of (N, C, *spatial) to `size`, or by `scale_factor`.

    Modes: nearest, nearest-exact, area, linear (3-D), bilinear, bicubic, lanczos (4-D), trilinear (5-D). Raises a ValueError
    for options that contradict each other, a NotImplementedError for a mode that does not go with the dimensions.

    >>> import dovetail as dv
    >>> dv.nn.functional.interpolate(dv.tensor([[[1., 3.]]]), scale_factor=2, mode="linear")
    tensor([[[1.0000, 1.5000, 2.5000, 3.0000]]])
    """
    x, where = input._a, "interpolate"
    needed, kind = _MIXING.get(mode, (x.ndim, mode))
    if mode in _PICKING and align_corners is not None:
        text = "align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic | trilinear"
        raise ValueRangeError(where, f"{text} (mode is {mode!r})")
    outs, factors = _sizes(x, x.ndim - 2, size, scale_factor, recompute_scale_factor)
    if (mode not in _MIXING and mode not in _PICKING) or x.ndim not in (3, 4, 5):
        modes = "nearest | linear | bilinear | bicubic | trilinear | lanczos | area | nearest-exact"
        text = f"Input Error: Only 3D, 4D and 5D input Tensors supported (got {x.ndim}D) for the modes: {modes} (got {mode})"
        raise UnsupportedError(where, text)
    if needed != x.ndim:
        raise UnsupportedError(where, f"Got {x.ndim}D input, but {mode} mode needs {needed}D input")
    if antialias and mode not in ("bilinear", "bicubic", "lanczos"):
        text = "Anti-alias option is restricted to bilinear, bicubic, and lanczos modes and requires a 4-D tensor as input"
        raise ValueRangeError(where, text)
    if mode == "lanczos" and not antialias:
        raise ValueRangeError(where, "mode 'lanczos' needs antialias=True")
    if mode == "lanczos" and align_corners:
        raise ValueRangeError(where, "Lanczos mode does not support align_corners=True")
    if min((*outs, *x.shape[2:])) < 1:
        raise ShapeError(where, f"Input and output sizes should be greater than 0, but got input {x.shape[2:]} output {outs}")
    if x.dtype.name != "uint8" or mode == "area" or (x.ndim != 4 and mode in _MIXING):
        refuse_types(where, x, "iub")
    if mode == "area":
        return adaptive_avg_pool(input, outs)
    each = zip(x.shape[2:], outs, factors, strict=True)
    # PyTorch does not heed the factor where sizes are equal or, of pictures, double
    whole = (1, 2) if mode == "nearest" and x.ndim == 4 else (1,) if antialias or kind == "linear" else ()
    specs = (Axis(kind, i, o, None if f == 1 or o / i in whole else f, bool(align_corners), antialias) for i, o, f in each)
    return titled(f"Upsample{mode.title().replace('-', '')}{x.ndim - 2}D0", resample(input, tuple(specs)))


def _sizes(x: Any, n: int, size: Any, factor: Any, recompute: bool | None) -> tuple[tuple[int, ...], Any]:
    """Output sizes, and the factors that count for the positions (None: by the sizes)."""
    if (size is None) == (factor is None):
        many = "only one of size or scale_factor should be defined"
        raise ValueRangeError("interpolate", many if size is not None else "either size or scale_factor should be defined")
    given = size if size is not None else factor
    values = tuple(given) if isinstance(given, tuple | list) else (given,) * n
    if len(values) != n and isinstance(given, tuple | list):
        name = "output size" if size is not None else "scale_factor"
        text = "Input and output must have the same number of spatial dimensions, but got input with spatial dimensions of "
        raise ValueRangeError("interpolate", f"{text}{list(x.shape[2:])} and {name} of {given}")
    if size is not None:
        if recompute:
            raise ValueRangeError("interpolate", "recompute_scale_factor is not meaningful with an explicit size")
        if any(isinstance(v, float) for v in values):
            raise TypeMismatch("interpolate", f"expected size to be one of int or tuples of int, but got size {size}")
        return tuple(int(v) for v in values), (None,) * n
    outs = tuple(math.floor(m * float(f)) for m, f in zip(x.shape[2:], values, strict=False))
    return outs, (None,) * n if recompute else tuple(float(f) for f in values)


def upsample(input: Any, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: bool | None = None) -> Any:
    """:func:`interpolate` under its old name.

    >>> import dovetail as dv
    >>> dv.nn.functional.upsample(dv.ones(1, 1, 2), scale_factor=2).shape
    dovetail.Size([1, 1, 4])
    """
    warnings.warn("`nn.functional.upsample` is deprecated. Use `nn.functional.interpolate` instead.", stacklevel=2)
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(input: Any, size: Any = None, scale_factor: Any = None) -> Any:
    """:func:`interpolate` with mode "nearest".

    >>> import dovetail as dv
    >>> dv.nn.functional.upsample_nearest(dv.ones(1, 1, 2), scale_factor=2).shape
    dovetail.Size([1, 1, 4])
    """
    warnings.warn("`nn.functional.upsample_nearest` is deprecated. Use `nn.functional.interpolate` instead.", stacklevel=2)
    return interpolate(input, size, scale_factor)


def upsample_bilinear(input: Any, size: Any = None, scale_factor: Any = None) -> Any:
    """:func:`interpolate` with mode "bilinear" and corners aligned.

    >>> import dovetail as dv
    >>> dv.nn.functional.upsample_bilinear(dv.ones(1, 1, 2, 2), scale_factor=2).shape
    dovetail.Size([1, 1, 4, 4])
    """
    warnings.warn("`nn.functional.upsample_bilinear` is deprecated. Use `nn.functional.interpolate` instead.", stacklevel=2)
    return interpolate(input, size, scale_factor, "bilinear", True)


def pixel_shuffle(input: Any, upscale_factor: int) -> Any:
    """Move channels into space: (*, C·r², H, W) to (*, C, H·r, W·r) (Shi et al., 2016).

    Raises a RuntimeError where the channels are no multiple of r².

    >>> import dovetail as dv
    >>> dv.pixel_shuffle(dv.arange(4.).reshape(1, 4, 1, 1), 2)
    tensor([[[[0., 1.],
              [2., 3.]]]])
    """
    shape, r = input._a.shape, upscale_factor
    _check_pixels("pixel_shuffle", shape, "upscale_factor", r)
    *lead, c, h, w = shape
    if c % (r * r):
        text = "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of upscale_factor, but "
        raise ShapeError("pixel_shuffle", f"{text}input.size(-3)={c} is not divisible by {r * r}")
    split = input.reshape((*lead, c // (r * r), r, r, h, w))
    return titled("PixelShuffle0", _moved(split, (-2, -4, -1, -3), (*lead, c // (r * r), h * r, w * r)))


def pixel_unshuffle(input: Any, downscale_factor: int) -> Any:
    """Move space into channels: (*, C, H·r, W·r) to (*, C·r², H, W), the inverse of :func:`pixel_shuffle`.

    >>> import dovetail as dv
    >>> dv.pixel_unshuffle(dv.arange(4.).reshape(1, 1, 2, 2), 2).flatten()
    tensor([0., 1., 2., 3.])
    """
    shape, r = input._a.shape, downscale_factor
    _check_pixels("pixel_unshuffle", shape, "downscale_factor", r)
    *lead, c, h, w = shape
    for at, name, m in ((-2, "height", h), (-1, "width", w)):
        if m % r:
            text = f"pixel_unshuffle expects {name} to be divisible by downscale_factor, but input.size({at})={m} is not divisible by {r}"
            raise ShapeError("pixel_unshuffle", text)
    split = input.reshape((*lead, c, h // r, r, w // r, r))
    return titled("PixelUnshuffle0", as_images(_moved(split, (-3, -1, -4, -2), (*lead, c * r * r, h // r, w // r)), input))


def _moved(split: Any, last: Sizes, shape: Any) -> Any:
    """A new tensor of this shape, for which the last four dimensions are put into another order."""
    return split.permute(*range(split._a.ndim - 4), *last).clone(memory_format=contiguous_format).reshape(shape)


def _check_pixels(where: str, shape: Any, name: str, r: int) -> None:
    if len(shape) < 3:
        raise ShapeError(where, f"{where} expects input to have at least 3 dimensions, but got input with {len(shape)} dimension(s)")
    if r < 1:
        raise ShapeError(where, f"{where} expects a positive {name}, but got {r}")


def channel_shuffle(input: Any, groups: int) -> Any:
    """Interleave the channels of `groups` groups of (N, C, *): channel (g, i) becomes (i, g).

    >>> import dovetail as dv
    >>> dv.channel_shuffle(dv.arange(4.).reshape(1, 4, 1), 2).flatten()
    tensor([0., 2., 1., 3.])
    """
    shape = input._a.shape
    if len(shape) < 3:
        raise ShapeError("channel_shuffle", f"channel_shuffle expects input with > 2 dims, but got input with sizes {listing(shape)}")
    if groups < 1:
        raise ShapeError("channel_shuffle", f"Number of groups to divide channels in must be positive. Value of groups:{groups}")
    n, c, *rest = shape
    if c % groups:
        raise ShapeError("channel_shuffle", f"Number of channels must be divisible by groups. Got {c} channels and {groups} groups.")
    return as_images(input.reshape((n, groups, c // groups, *rest)).transpose(1, 2).clone(contiguous_format).reshape(shape), input)


native_channel_shuffle = channel_shuffle


@op(contiguous=True)
def im2col(input: Array, window: Window) -> Array:
    """The windows of (N, C, H, W) as columns (N, C·kH·kW, L)."""
    n, c = input.shape[:2]
    cols = xp(input).stack(list(window.views(padded(input, window.padding))), axis=2)
    return cols.reshape(n, c * math.prod(window.kernel), math.prod(window.outs))


im2col.vjp(lambda g, input_shape, window: col2im(g, input_shape[2:], window))


@op
def col2im(input: Array, size: Any, window: Window) -> Array:
    """Columns (N, C·kH·kW, L) added up where they came from: (N, C, *size)."""
    n, c, taps = input.shape[0], input.shape[1] // math.prod(window.kernel), math.prod(window.kernel)
    out = xp(input).zeros((n, c, *(m + 2 * p for m, p in zip(size, window.padding, strict=True))), input.dtype)
    cols = input.reshape(n, c, taps, *window.outs)
    for k, view in enumerate(window.views(out)):
        view += cols[:, :, k]
    return xp(input).ascontiguousarray(unpadded(out, window.padding, size))


col2im.vjp(lambda g, window: im2col(g, window))


def unfold(input: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """The windows of `input` (N, C, H, W) as columns (N, C·kH·kW, L), L the number of windows.

    >>> import dovetail as dv
    >>> dv.nn.functional.unfold(dv.arange(9.).reshape(1, 1, 3, 3), 2)[0, :, 0]
    tensor([0., 1., 3., 4.])
    """
    x, size = input._a, input._a.shape[-2:]
    refuse_types("unfold", x, "iu")
    if x.ndim not in (3, 4):
        kind = RangeError if x.ndim == 2 else ShapeError
        raise kind("unfold", f"Expected 3D or 4D (batch mode) tensor, but got input of size: {listing(x.shape)}")
    w = _window("unfold", size, kernel_size, dilation, padding, stride)
    if min(w.outs) < 1:
        text = f"Given input with spatial size {size}, kernel_size={w.kernel}, dilation={w.dilation}, padding={w.padding}"
        raise ShapeError("unfold", f"{text}, calculated shape of the array of sliding blocks as {w.outs}, must be at least one")
    return over_batch(2, lambda batch: im2col(batch, w), input)


def fold(input: Any, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """Add columns (N, C·kH·kW, L) up to an image (N, C, *output_size); the counterpart of :func:`unfold`.

    >>> import dovetail as dv
    >>> dv.nn.functional.fold(dv.ones(1, 4, 4), (3, 3), 2)[0, 0]
    tensor([[1., 2., 1.],
            [2., 4., 2.],
            [1., 2., 1.]])
    """
    size, x = spread("fold", "output_size", output_size, 2), input._a
    w = _window("fold", size, kernel_size, dilation, padding, stride)
    refuse_types("fold", x, "iu")
    if x.ndim not in (2, 3):
        raise ShapeError("fold", f"Expected 2D or 3D (batch mode) tensor for input, but got sizes {listing(x.shape)}")
    if x.shape[-2] % math.prod(w.kernel):
        text = "Expected size of input's dimension 1 to be divisible by the product of kernel_size, but got input.size(1)="
        raise ShapeError("fold", f"{text}{x.shape[-2]} and kernel_size={w.kernel}")
    if min(w.outs) < 1 or math.prod(w.outs) != x.shape[-1]:
        text = f"Given output_size={size}, kernel_size={w.kernel}, dilation={w.dilation}, padding={w.padding}, stride={w.stride}, "
        text += "expected size of input's dimension 2 to match the calculated number of sliding blocks "
        raise ShapeError("fold", f"{text}{' * '.join(map(str, w.outs))} = {math.prod(w.outs)}, but got {x.shape[-1]}")
    return over_batch(1, lambda batch: col2im(batch, size, w), input)


def _window(where: str, size: Any, kernel: Any, dilation: Any, padding: Any, stride: Any) -> Window:
    given = (("kernel_size", kernel, 1), ("dilation", dilation, 1), ("padding", padding, 0), ("stride", stride, 1))
    values = [spread(where, name, v, 2) for name, v, _ in given]
    for (name, _, least), v in zip(given, values, strict=True):
        if min(v) < least:
            raise ShapeError(where, f"{name} should be greater than {least - 1}, but got {v}")
    k, d, p, s = values
    return Window(k, s, p, d, window_sizes(size, k, s, p, d))
