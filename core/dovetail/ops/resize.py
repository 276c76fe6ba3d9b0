"""Changing spatial sizes: interpolation, and moving elements between channels and space."""

from __future__ import annotations

import math
import warnings
from typing import Any

from ..errors import ShapeError, UnsupportedError, ValueRangeError
from ._op import Array, op, xp
from ._resampling import Axis, along
from ._windows import add_columns, columns, listing, padded, refuse_types, spread, unpadded, window_sizes

__all__ = ["channel_shuffle", "native_channel_shuffle", "pixel_shuffle", "pixel_unshuffle"]
METHODS = ()
FUNCTIONAL = (*__all__, "fold", "interpolate", "unfold", "upsample", "upsample_bilinear", "upsample_nearest")

_DIMS = {"linear": 3, "bilinear": 4, "bicubic": 4, "trilinear": 5, "lanczos": 4}
_KIND = {"bilinear": "linear", "trilinear": "linear", "bicubic": "cubic"}


@op(dtypes=None)
def resample(input: Array, specs: tuple[Axis, ...]) -> Array:
    """Map the last axes of `input` linearly, each by its spec."""
    whole = input.dtype.kind in "iu" and any(not s.kind.startswith("nearest") for s in specs)
    x = input.astype(xp(input).float32) if whole else input
    for k in range(len(specs) - 1, -1, -1):
        x = along(x, x.ndim - len(specs) + k, specs[k])
    if whole:
        info = xp(input).iinfo(input.dtype)
        x = xp(x).clip(xp(x).rint(x), info.min, info.max).astype(input.dtype)
    return x.copy() if x is input else x


resample.vjp(lambda g, specs: resample_grad(g, specs))


@op(dtypes=None)
def resample_grad(grad: Array, specs: tuple[Axis, ...]) -> Array:
    """The gradient of :func:`resample`: the transposed map of each axis."""
    x = grad
    for k in range(len(specs)):
        x = along(x, x.ndim - len(specs) + k, specs[k], transposed=True)
    return x.copy() if x is grad else x


resample_grad.vjp(lambda g, specs: resample(g, specs))


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
    x = input._a
    n = x.ndim - 2
    if mode in ("nearest", "area", "nearest-exact") and align_corners is not None:
        text = "align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic | trilinear"
        raise ValueRangeError("interpolate", f"{text} (mode is {mode!r})")
    outs, factors = _sizes(x, n, size, scale_factor, recompute_scale_factor)
    if (mode not in _DIMS and mode not in ("nearest", "area", "nearest-exact")) or x.ndim not in (3, 4, 5):
        _refuse_mode(x, mode)
    if mode in _DIMS and _DIMS[mode] != x.ndim:
        raise UnsupportedError("interpolate", f"Got {x.ndim}D input, but {mode} mode needs {_DIMS[mode]}D input")
    if antialias and mode not in ("bilinear", "bicubic", "lanczos"):
        text = "Anti-alias option is restricted to bilinear, bicubic, and lanczos modes and requires a 4-D tensor as input"
        raise ValueRangeError("interpolate", text)
    if mode == "lanczos" and not antialias:
        raise ValueRangeError("interpolate", "mode 'lanczos' needs antialias=True")
    if mode == "lanczos" and align_corners:
        raise ValueRangeError("interpolate", "Lanczos mode does not support align_corners=True")
    if min((*outs, *x.shape[2:])) < 1:
        text = f"Input and output sizes should be greater than 0, but got input {x.shape[2:]} output {outs}"
        raise ShapeError("interpolate", text)
    if mode == "area":
        refuse_types("interpolate", x, "iub")
        from .adaptive_pool import adaptive_avg_pool

        return adaptive_avg_pool(input, outs)
    if x.dtype.name != "uint8" or (n != 2 and mode in _DIMS):
        refuse_types("interpolate", x, "iub")
    kind = _KIND.get(mode, mode)
    specs = (
        Axis(kind, i, o, None if i == o and f in (None, 1) else f, bool(align_corners), antialias)
        for i, o, f in zip(x.shape[2:], outs, factors, strict=True)
    )
    return resample(input, tuple(specs))


def _refuse_mode(x: Any, mode: str) -> None:
    modes = "nearest | linear | bilinear | bicubic | trilinear | lanczos | area | nearest-exact"
    text = f"Input Error: Only 3D, 4D and 5D input Tensors supported (got {x.ndim}D) for the modes: {modes} (got {mode})"
    raise UnsupportedError("interpolate", text)


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
    k = len(lead)
    split = input.reshape((*lead, c // (r * r), r, r, h, w))
    return split.permute(*range(k + 1), k + 3, k + 1, k + 4, k + 2).reshape((*lead, c // (r * r), h * r, w * r))


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
    k = len(lead)
    split = input.reshape((*lead, c, h // r, r, w // r, r))
    return split.permute(*range(k + 1), k + 2, k + 4, k + 1, k + 3).reshape((*lead, c * r * r, h // r, w // r))


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
        text = f"channel_shuffle expects input with > 2 dims, but got input with sizes {listing(shape)}"
        raise ShapeError("channel_shuffle", text)
    if groups < 1:
        raise ShapeError("channel_shuffle", f"Number of groups to divide channels in must be positive. Value of groups:{groups}")
    n, c, *rest = shape
    if c % groups:
        text = f"Number of channels must be divisible by groups. Got {c} channels and {groups} groups."
        raise ShapeError("channel_shuffle", text)
    return input.reshape((n, groups, c // groups, *rest)).transpose(1, 2).reshape(shape)


native_channel_shuffle = channel_shuffle


@op
def im2col(input: Array, kernel: Any, dilation: Any, padding: Any, stride: Any) -> Array:
    """The windows of (N, C, H, W) as columns (N, C·kH·kW, L)."""
    outs = window_sizes(input.shape[2:], kernel, stride, padding, dilation)
    cols = columns(padded(input, padding), kernel, stride, dilation, outs)
    return cols.reshape(input.shape[0], -1 if cols.size else input.shape[1] * math.prod(kernel), math.prod(outs))


im2col.vjp(lambda g, input_shape, kernel, dilation, padding, stride: col2im(g, input_shape[2:], kernel, dilation, padding, stride))


@op
def col2im(input: Array, size: Any, kernel: Any, dilation: Any, padding: Any, stride: Any) -> Array:
    """Columns (N, C·kH·kW, L) added up where they came from: (N, C, *size)."""
    outs = window_sizes(size, kernel, stride, padding, dilation)
    shape = (input.shape[0], input.shape[1] // math.prod(kernel))
    out = xp(input).zeros((*shape, *(m + 2 * p for m, p in zip(size, padding, strict=True))), input.dtype)
    add_columns(out, input.reshape(*shape, *kernel, *outs), kernel, stride, dilation, outs)
    return xp(input).ascontiguousarray(unpadded(out, padding, size))


col2im.vjp(lambda g, kernel, dilation, padding, stride: im2col(g, kernel, dilation, padding, stride))


def unfold(input: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """The windows of `input` (N, C, H, W) as columns (N, C·kH·kW, L), L the number of windows.

    >>> import dovetail as dv
    >>> dv.nn.functional.unfold(dv.arange(9.).reshape(1, 1, 3, 3), 2)[0, :, 0]
    tensor([0., 1., 3., 4.])
    """
    window = _window("unfold", kernel_size, dilation, padding, stride)
    x = input._a
    refuse_types("unfold", x, "iu")
    if x.ndim not in (3, 4):
        raise ShapeError("unfold", f"Expected 3D or 4D (batch mode) tensor, but got input of size: {listing(x.shape)}")
    outs = window_sizes(x.shape[-2:], window[0], window[3], window[2], window[1])
    if min(outs) < 1:
        text = f"Given input with spatial size {x.shape[-2:]}, kernel_size={window[0]}, dilation={window[1]}, padding={window[2]}"
        raise ShapeError("unfold", f"{text}, calculated shape of the array of sliding blocks as {outs}, must be at least one")
    return im2col(input, *window) if x.ndim == 4 else im2col(input.reshape((1, *x.shape)), *window).squeeze(0)


def fold(input: Any, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """Add columns (N, C·kH·kW, L) up to an image (N, C, *output_size); the counterpart of :func:`unfold`.

    >>> import dovetail as dv
    >>> dv.nn.functional.fold(dv.ones(1, 4, 4), (3, 3), 2)[0, 0]
    tensor([[1., 2., 1.],
            [2., 4., 2.],
            [1., 2., 1.]])
    """
    size = spread("fold", "output_size", output_size, 2)
    window = _window("fold", kernel_size, dilation, padding, stride)
    x = input._a
    refuse_types("fold", x, "iu")
    if x.ndim not in (2, 3):
        raise ShapeError("fold", f"Expected 2D or 3D (batch mode) tensor for input, but got sizes {listing(x.shape)}")
    rows, length = x.shape[-2:]
    if rows % math.prod(window[0]):
        text = "Expected size of input's dimension 1 to be divisible by the product of kernel_size, but got input.size(1)="
        raise ShapeError("fold", f"{text}{rows} and kernel_size={window[0]}")
    outs = window_sizes(size, window[0], window[3], window[2], window[1])
    if min(outs) < 1 or math.prod(outs) != length:
        text = f"Given output_size={size}, kernel_size={window[0]}, dilation={window[1]}, padding={window[2]}, stride={window[3]}, "
        text += "expected size of input's dimension 2 to match the calculated number of sliding blocks "
        raise ShapeError("fold", f"{text}{' * '.join(map(str, outs))} = {math.prod(outs)}, but got {length}")
    return col2im(input, size, *window) if x.ndim == 3 else col2im(input.reshape((1, *x.shape)), size, *window).squeeze(0)


def _window(where: str, kernel: Any, dilation: Any, padding: Any, stride: Any) -> tuple[Any, ...]:
    values = tuple(
        spread(where, name, v, 2) for name, v in (("kernel_size", kernel), ("dilation", dilation), ("padding", padding), ("stride", stride))
    )
    for name, v, least in zip(("kernel_size", "dilation", "padding", "stride"), values, (1, 1, 0, 1), strict=True):
        if min(v) < least:
            raise ShapeError(where, f"{name} should be greater than {least - 1}, but got {v}")
    return values
