"""Affine and perspective maps of tensors ``(..., H, W)``."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

import dovetail
from dovetail import Tensor
from dovetail.autograd.modes import OBSERVE, STATE
from dovetail.errors import ValueRangeError

from ._interpolation import InterpolationMode
from ._tensor import enter, leave

__all__ = ["affine", "elastic", "perspective", "room_for"]

Fill = float | Sequence[float] | None


def affine(img: Tensor, matrix: Sequence[float], mode: InterpolationMode, fill: Fill, size: tuple[int, int] | None = None) -> Tensor:
    """Take each output pixel from where ``matrix`` (output to input, in pixels from the middle) says; ``size`` is the output's."""
    dtype = img.dtype if img.is_floating_point() else dovetail.float32
    rows = dovetail.tensor(list(matrix), dtype=dtype, device=img.device).view(2, 3)
    return _sampled("affine", img, mode, fill, lambda: _affine_sources(rows, img.shape[-2:], size or img.shape[-2:]))


def perspective(img: Tensor, coefficients: Sequence[float], mode: InterpolationMode, fill: Fill) -> Tensor:
    """Take each output pixel from where the 8 coefficients (output to input, in pixels from the corner) say."""
    dtype = img.dtype if img.is_floating_point() else dovetail.float32
    numbers = dovetail.tensor(list(coefficients), dtype=dtype, device=img.device)
    return _sampled("perspective", img, mode, fill, lambda: _perspective_sources(numbers, *img.shape[-2:]))


def elastic(img: Tensor, displacement: Tensor, mode: InterpolationMode, fill: Fill) -> Tensor:
    """Take each output pixel from its own place moved by ``displacement`` ``(1, H, W, 2)``, x and y in halves of the image's size."""
    dtype = img.dtype if img.is_floating_point() else dovetail.float32
    return _sampled("elastic", img, mode, fill, lambda: _elastic_sources(displacement.to(dtype), *img.shape[-2:]))


def room_for(matrix: Sequence[float], width: int, height: int) -> tuple[int, int]:
    """The (height, width) that holds the whole image after ``matrix``, in float32 as torchvision counts."""
    corners = np.array([[-width, -height], [-width, height], [width, height], [width, -height]], np.float32) * np.float32(0.5)
    points = np.concatenate([corners, np.ones((4, 1), np.float32)], 1)
    found = dovetail.from_numpy(points) @ dovetail.tensor(list(matrix), dtype=dovetail.float32).view(2, 3).t()
    middle, step = dovetail.tensor([width * 0.5, height * 0.5]), 1e-4
    largest = dovetail.ceil(((found.amax(0) + middle) / step).trunc() * step)
    smallest = dovetail.floor(((found.amin(0) + middle) / step).trunc() * step)
    new_width, new_height = (largest - smallest).tolist()
    return int(new_height), int(new_width)


def _sampled(where: str, img: Tensor, mode: InterpolationMode, fill: Fill, sources: Callable[[], tuple[Tensor, Tensor]]) -> Tensor:
    if mode not in (InterpolationMode.NEAREST, InterpolationMode.BILINEAR):
        raise ValueRangeError(where, f"interpolation is {mode.value!r}", "tensors take nearest and bilinear")
    channels = 1 if img.ndim == 2 else img.shape[-3]
    fills = None if fill is None else [float(fill)] if isinstance(fill, (int, float)) else [float(f) for f in fill]
    if fills is not None and len(fills) not in (1, channels):
        what = f"fill has {len(fills)} values but the image has {channels} channels"
        raise ValueRangeError(where, what, "expected one value or one a channel")
    x, y = sources()
    batch, nearest = enter(img, (x.dtype,)), mode is InterpolationMode.NEAREST
    if batch.is_cpu and batch.numel() and not (batch.requires_grad or x.requires_grad or STATE.word & OBSERVE):
        pixels, cover = _gathered(batch.numpy(), x.numpy(), y.numpy(), nearest)
    else:  # what is traced, or has a gradient, is made of ops
        pixels, cover = (_nearest_pixels if nearest else _bilinear_pixels)(batch, x, y)
    if fills is not None:
        colour = dovetail.tensor(fills, dtype=x.dtype, device=img.device).view(-1, 1, 1)
        pixels = pixels * cover + (1.0 - cover) * colour
    return leave(pixels, img)


def _affine_sources(matrix: Tensor, size: Sequence[int], new_size: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Where each output pixel comes from: ``x`` and ``y``, each ``(H, W)``, whole numbers being the middles of pixels."""
    kind = {"dtype": matrix.dtype, "device": matrix.device}
    height, width = new_size
    x = dovetail.arange(width, **kind) - (width - 1) / 2
    y = dovetail.arange(height, **kind) - (height - 1) / 2
    ones = dovetail.ones(height, width, **kind)
    points = dovetail.stack([x.expand(height, width), y.unsqueeze(1).expand(height, width), ones], -1).view(-1, 3)
    # By way of -1..1, as torchvision goes, so that a point half-way between two pixels falls to the same side.
    half = dovetail.tensor([size[1] * 0.5, size[0] * 0.5], **kind)
    source = (points @ (matrix.t() / half) + 1.0) * half - 0.5
    return source[:, 0].view(height, width), source[:, 1].view(height, width)


def _perspective_sources(numbers: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    kind = {"dtype": numbers.dtype, "device": numbers.device}
    x, y = dovetail.arange(width, **kind) + 0.5, dovetail.arange(height, **kind) + 0.5
    ones = dovetail.ones(height, width, **kind)
    points = dovetail.stack([x.expand(height, width), y.unsqueeze(1).expand(height, width), ones], -1).view(-1, 3)
    half = dovetail.tensor([width * 0.5, height * 0.5], **kind)
    divisor = points @ dovetail.cat([numbers[6:], dovetail.ones(1, **kind)])
    source = (points @ (numbers[:6].view(2, 3).t() / half)) / divisor.unsqueeze(1) - 1.0
    source = (source + 1.0) * half - 0.5
    return source[:, 0].view(height, width), source[:, 1].view(height, width)


def _elastic_sources(displacement: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    kind = {"dtype": displacement.dtype, "device": displacement.device}
    x, y = (dovetail.linspace((1 - size) / size, (size - 1) / size, size, **kind) for size in (width, height))
    found = (x + displacement[0, ..., 0], y.unsqueeze(-1) + displacement[0, ..., 1])
    return tuple((part + 1.0) * (size * 0.5) - 0.5 for part, size in zip(found, (width, height), strict=True))  # type: ignore[return-value]


def _gathered(batch: np.ndarray, x: np.ndarray, y: np.ndarray, nearest: bool) -> tuple[Tensor, Tensor]:
    """The pixels at ``(x, y)`` and how much of each lies inside, as the functions below give them."""
    height, width = batch.shape[-2:]
    channels = batch.reshape(-1, height, width)
    padded = np.zeros((len(channels) + 1, height + 4, width + 4), batch.dtype)  # what is around is 0, and so is its cover
    padded[:-1, 2:-2, 2:-2], padded[-1, 2:-2, 2:-2] = channels, 1
    planes, across = padded.reshape(len(padded), -1), width + 4
    with np.errstate(invalid="ignore"):  # a perspective may send pixels to infinity
        left, top = (np.rint(x), np.rint(y)) if nearest else (np.floor(x), np.floor(y))
        rows = (np.clip(top, -2, height).astype(np.int64) + 2) * across
        places = (rows + np.clip(left, -2, width).astype(np.int64) + 2).ravel()
        found = planes.take(places, axis=1, mode="clip") if nearest else np.zeros((len(planes), x.size), batch.dtype)
        right_part, lower_part = (x - left).ravel(), (y - top).ravel()
        for down, row_weight in () if nearest else ((0, 1 - lower_part), (across, lower_part)):
            for along, column_weight in ((0, 1 - right_part), (1, right_part)):
                corner = planes.take(places + (down + along), axis=1, mode="clip")
                corner *= row_weight * column_weight
                found += corner
    cover = dovetail.from_numpy(found[-1].reshape(x.shape))
    return dovetail.from_numpy(found[:-1].reshape(*batch.shape[:-2], *x.shape)), cover


def _take(batch: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """The pixels at whole ``(x, y)``, 0 outside; and 1 where inside, 0 outside."""
    height, width = batch.shape[-2:]
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    rows, columns = y.clamp(0, height - 1).long(), x.clamp(0, width - 1).long()
    zero = dovetail.zeros(1, dtype=batch.dtype, device=batch.device)
    return dovetail.where(inside, batch[..., rows, columns], zero), inside.to(batch.dtype)


def _nearest_pixels(batch: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return _take(batch, x.round(), y.round())


def _bilinear_pixels(batch: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    left, top = x.floor(), y.floor()
    right_part, lower_part = x - left, y - top
    pixels: Tensor | float = 0.0
    cover: Tensor | float = 0.0
    for down, row_weight in ((0, 1.0 - lower_part), (1, lower_part)):
        for along, column_weight in ((0, 1.0 - right_part), (1, right_part)):
            corner, inside = _take(batch, left + along, top + down)
            weight = row_weight * column_weight
            pixels, cover = corner * weight + pixels, inside * weight + cover
    return pixels, cover  # type: ignore[return-value]
