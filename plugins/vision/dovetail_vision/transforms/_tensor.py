"""Geometry and scaling of tensors ``(..., H, W)``."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

import dovetail
from dovetail import Tensor
from dovetail.autograd.modes import OBSERVE, STATE
from dovetail.errors import TypeMismatch, UnsupportedError, ValueRangeError
from dovetail.nn import functional as F

from . import _resample
from ._interpolation import InterpolationMode

__all__ = ["crop", "enter", "leave", "normalize", "pad", "resize"]

_FLOATS = (dovetail.float32, dovetail.float64)
_F_PAD_MODES = {"constant": "constant", "edge": "replicate", "reflect": "reflect"}


def normalize(tensor: Tensor, mean: Sequence[float], std: Sequence[float], inplace: bool) -> Tensor:
    """``(tensor - mean) / std`` along the third dimension from the end."""
    if all(isinstance(values, list | tuple) and all(type(part) is float for part in values) for values in (mean, std)):
        shift, scale = _kept(tuple(mean), tuple(std), tensor.dtype, tensor.device)
    else:
        shift, scale = _scales(mean, std, tensor.dtype, tensor.device)
    return tensor.sub_(shift).div_(scale) if inplace else tensor.sub(shift).div(scale)


def _scales(mean: Sequence[float], std: Sequence[float], dtype: Any, device: Any) -> tuple[Tensor, Tensor]:
    """Both as tensors that go with an image."""
    shift, scale = (dovetail.as_tensor(values, dtype=dtype, device=device) for values in (mean, std))
    if not bool(scale.all()):
        raise ValueRangeError("normalize", f"std is {std} (as {dtype})", "expected no zero to divide by")
    return shift.view(-1, 1, 1) if shift.ndim == 1 else shift, scale.view(-1, 1, 1) if scale.ndim == 1 else scale


_kept = lru_cache(maxsize=16)(_scales)  # a dataset's numbers are the same for each of its images


def crop(img: Tensor, top: int, left: int, height: int, width: int) -> Tensor:
    """Cut a box out; what lies outside is 0."""
    bottom, right = top + height, left + width
    inside = img[..., max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    above, before = min(max(-top, 0), height), min(max(-left, 0), width)
    below, after = height - above - inside.shape[-2], width - before - inside.shape[-1]
    if not (above or before or below or after):
        return inside
    return pad(inside, (before, above, after, below), 0, "constant")


def pad(img: Tensor, ltrb: Sequence[int], fill: float | Sequence[float] | None, mode: str) -> Tensor:
    """Pad by (left, top, right, bottom); negative numbers cut."""
    if fill is not None and not isinstance(fill, (int, float)):
        raise TypeMismatch("pad", f"fill is {fill!r}", "expected one number for a tensor")
    left, top, right, bottom = ltrb
    if img.ndim > 4 and mode != "constant":  # videos: what is ahead of the channels is one batch
        flat = pad(img.reshape(-1, *img.shape[-3:]), ltrb, fill, mode)
        return flat.reshape(*img.shape[:-2], *flat.shape[-2:])
    if mode == "symmetric":
        return _mirror(img, left, top, right, bottom)
    batch = img if img.ndim >= 4 else img.unsqueeze(0)
    cast = mode != "constant" and batch.dtype not in _FLOATS
    batch = batch.to(dovetail.float32) if cast else batch
    widths = [left, right, top, bottom]
    value = float(fill or 0) if mode == "constant" else None
    batch = F.pad(batch, widths, mode=_F_PAD_MODES[mode], value=value)
    batch = batch if img.ndim >= 4 else batch.squeeze(0)
    return batch.to(img.dtype) if cast else batch


def _mirror(img: Tensor, left: int, top: int, right: int, bottom: int) -> Tensor:
    if img.ndim not in (3, 4):
        what = f"img has {img.ndim} dimensions and padding_mode is 'symmetric'"
        raise UnsupportedError("pad", what, "expected 3 or 4")
    height, width = img.shape[-2:]
    img = img[..., max(-top, 0) : height - max(-bottom, 0), max(-left, 0) : width - max(-right, 0)]
    for dim, before, after in ((-2, max(top, 0), max(bottom, 0)), (-1, max(left, 0), max(right, 0))):
        size = img.shape[dim]
        rows = [*range(before - 1, -1, -1), *range(size), *range(size - 1, size - 1 - after, -1)]
        img = img.index_select(dim, dovetail.tensor(rows, device=img.device))
    return img


def enter(img: Tensor, dtypes: Sequence[dovetail.dtype]) -> Tensor:
    """The image as a batch, in the first of ``dtypes`` if it is in none of them."""
    batch = img if img.ndim >= 4 else img.unsqueeze(0)
    return batch if batch.dtype in dtypes else batch.to(dtypes[0])


def leave(batch: Tensor, img: Tensor) -> Tensor:
    """The result in the form of ``img``: its dimensions, and its dtype, rounded where that is a whole number."""
    batch = batch if img.ndim >= 4 else batch.squeeze(0)
    if batch.dtype == img.dtype:
        return batch
    return (batch if img.is_floating_point() else batch.round()).to(img.dtype)


def resize(img: Tensor, height: int, width: int, mode: InterpolationMode, antialias: bool, in_bytes: bool = False) -> Tensor:
    """Resize to exactly (height, width); ``in_bytes`` keeps bytes as they are, columns first, each direction rounded."""
    if mode in (InterpolationMode.NEAREST, InterpolationMode.NEAREST_EXACT):
        return _nearest(img, height, width, 0.0 if mode is InterpolationMode.NEAREST else 0.5)
    smooth = (InterpolationMode.BILINEAR, InterpolationMode.BICUBIC) + (InterpolationMode.LANCZOS,) * in_bytes
    if mode not in smooth:
        what = f"interpolation is {mode.value!r}"
        kind = ValueRangeError if mode is InterpolationMode.LANCZOS else UnsupportedError  # as PyTorch's
        raise kind("resize", what, "tensors take nearest, nearest-exact, bilinear and bicubic, in v2 lanczos too")
    if mode is InterpolationMode.LANCZOS and not antialias:
        raise ValueRangeError("resize", "interpolation is 'lanczos' and antialias is False", "expected antialias=True")
    quick = img.is_cpu and not img.requires_grad and not STATE.word & OBSERVE  # what is traced is made of ops
    if in_bytes and img.dtype == dovetail.uint8:
        if quick and img.numel():
            return dovetail.from_numpy(_resample.resized_bytes(img.numpy(), (height, width), mode.value, antialias))
        return _bytes_resized(img, height, width, mode.value, antialias)
    batch = enter(img, _FLOATS)
    for dim, size in ((-1, width), (-2, height)):
        if batch.shape[dim] != size:
            batch = _one_way(batch, dim, size, mode.value, antialias, quick)
    if mode in smooth[1:] and img.dtype == dovetail.uint8:
        batch = batch.clamp(0, 255)
    return leave(batch != 0 if img.dtype == dovetail.bool else batch, img)  # as torchvision's, which rounds whole numbers alone


def _one_way(batch: Tensor, dim: int, size: int, mode: str, antialias: bool, quick: bool) -> Tensor:
    if quick and batch.numel():
        pixels = batch.numpy()
        strips = _resample.bands(mode, antialias, pixels.shape[dim], size, pixels.dtype.name)
        return dovetail.from_numpy(_resample.resized(pixels, dim, strips))
    weights = _resample.table(mode, antialias, batch.shape[dim], size)
    table = dovetail.as_tensor(weights, dtype=batch.dtype, device=batch.device)
    return batch @ table if dim == -1 else table.t() @ batch


def _bytes_resized(img: Tensor, height: int, width: int, mode: str, antialias: bool) -> Tensor:
    for dim, size in ((-1, width), (-2, height)):
        if img.shape[dim] == size:
            continue
        strips, _ = _resample.byte_bands(mode, antialias, img.shape[dim], size)
        weights = np.zeros((img.shape[dim], size))
        for start, stop, low, high, part in strips:
            weights[low:high, start:stop] = part
        table = dovetail.as_tensor(weights, device=img.device)
        sums = img.double() @ table if dim == -1 else table.t() @ img.double()
        img = (sums + 0.5).floor().clamp(0, 255).to(dovetail.uint8)
    return img


def _nearest(img: Tensor, height: int, width: int, offset: float) -> Tensor:
    for dim, new in ((-2, height), (-1, width)):
        old = img.shape[dim]
        step = np.float32(old) / np.float32(new)  # in float32, as PyTorch counts
        rows = np.minimum(((np.arange(new, dtype=np.float32) + np.float32(offset)) * step).astype(np.int64), old - 1)
        img = img.index_select(dim, dovetail.from_numpy(rows).to(img.device))
    return img
