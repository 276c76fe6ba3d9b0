"""Affine and perspective maps of tensors ``(..., H, W)``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

import dovetail
from dovetail import Tensor
from dovetail.autograd.modes import OBSERVE, STATE
from dovetail.errors import ValueRangeError

from . import _gather, _native
from ._fused import fused_double
from ._interpolation import InterpolationMode
from ._tensor import enter, leave

__all__ = ["affine", "elastic", "perspective", "room_for"]

Fill = float | Sequence[float] | None
_FLOATS = (dovetail.float32, dovetail.float64)


def affine(img: Tensor, matrix: Sequence[float], mode: InterpolationMode, fill: Fill, size: tuple[int, int] | None = None) -> Tensor:
    """Take each output pixel from where ``matrix`` (output to input, in pixels from the middle) says; ``size`` is the output's."""
    dtype = img.dtype if img.is_floating_point() else dovetail.float32
    rows = dovetail.tensor(list(matrix), dtype=dtype, device=img.device).view(2, 3)
    sizes = img.shape[-2:], size or img.shape[-2:]

    def places() -> tuple[Tensor, Tensor]:
        return _affine_sources(rows, *sizes)

    return _sampled("affine", img, mode, fill, places, lambda how: how.affine(rows.numpy(), *sizes), sizes[1])


def perspective(img: Tensor, coefficients: Sequence[float], mode: InterpolationMode, fill: Fill) -> Tensor:
    """Take each output pixel from where the 8 coefficients (output to input, in pixels from the corner) say."""
    dtype = img.dtype if img.is_floating_point() else dovetail.float32
    numbers = dovetail.tensor(list(coefficients), dtype=dtype, device=img.device)
    size = img.shape[-2:]

    def places() -> tuple[Tensor, Tensor]:
        return _perspective_sources(numbers, *size)

    return _sampled("perspective", img, mode, fill, places, lambda how: how.perspective(numbers.numpy(), size), size)


def elastic(img: Tensor, displacement: Tensor, mode: InterpolationMode, fill: Fill) -> Tensor:
    """Take each output pixel from its own place moved by ``displacement`` ``(1, H, W, 2)``, x and y in halves of the image's size."""
    dtype = img.dtype if img.is_floating_point() else dovetail.float32
    moves, size = displacement.to(dtype), img.shape[-2:]

    def numbers(how: Any) -> Any:
        return how.elastic(*(line.numpy() for line in _middles(size, moves)), moves[0].numpy())

    def places() -> tuple[Tensor, Tensor]:
        return _elastic_sources(moves, size)

    return _sampled("elastic", img, mode, fill, places, None if moves.requires_grad else numbers, size)


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


def _sampled(
    where: str,
    img: Tensor,
    mode: InterpolationMode,
    fill: Fill,
    sources: Callable[[], tuple[Tensor, Tensor]],
    numbers: Callable[[Any], Any] | None,
    size: Sequence[int],
) -> Tensor:
    if mode not in (InterpolationMode.NEAREST, InterpolationMode.BILINEAR):
        raise ValueRangeError(where, f"interpolation is {mode.value!r}", "tensors take nearest and bilinear")
    channels = 1 if img.ndim == 2 else img.shape[-3]
    fills = None if fill is None else [float(fill)] if isinstance(fill, (int, float)) else [float(f) for f in fill]
    if fills is not None and len(fills) not in (1, channels):
        what = f"fill has {len(fills)} values but the image has {channels} channels"
        raise ValueRangeError(where, what, "expected one value or one a channel")
    nearest = mode is InterpolationMode.NEAREST
    quick = numbers and img.is_cpu and img.numel() and not (img.requires_grad or STATE.word & OBSERVE)  # what is traced is made of ops
    if numbers and quick and (img.dtype in _FLOATS or not img.is_floating_point()):
        found = dovetail.from_numpy(_read(img.numpy(), numbers, size, nearest, fills))
        return found if found.dtype == img.dtype else found.round().to(img.dtype)
    x, y = sources()
    pixels, cover = (_nearest_pixels if nearest else _bilinear_pixels)(enter(img, (x.dtype,)), x, y)
    if fills is not None:
        colour = dovetail.tensor(fills, dtype=x.dtype, device=img.device).view(-1, 1, 1)
        pixels = pixels * cover + (1.0 - cover) * colour
    return leave(pixels, img)


def _read(pixels: np.ndarray, numbers: Callable[[Any], Any], size: Sequence[int], nearest: bool, fills: list[float] | None) -> np.ndarray:
    kind = np.float64 if pixels.dtype == np.float64 else np.float32
    found = NotImplemented if nearest else _native.read(pixels, numbers(_native), size, fills, kind)
    return _gather.read(pixels, numbers(_gather), size, nearest, fills, kind) if found is NotImplemented else found


def _affine_sources(matrix: Tensor, size: Sequence[int], new_size: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Where each output pixel comes from: ``x`` and ``y``, each ``(H, W)``, whole numbers being the middles of pixels."""
    kind = {"dtype": matrix.dtype, "device": matrix.device}
    x, y = (dovetail.arange(n, **kind) - (n - 1) / 2 for n in reversed(new_size))
    # By way of -1..1, as torchvision goes, so that a point half-way between two pixels falls to the same side.
    rows = matrix / dovetail.tensor([size[1] * 0.5, size[0] * 0.5], **kind)[:, None]
    return _pixels((_mapped(row, x, y) for row in rows), size)


def _pixels(found: Iterable[Tensor], size: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Places x and y in -1..1 as pixels, whole numbers being their middles."""
    x, y = (_unnormalized(part + 1.0, n * 0.5) for part, n in zip(found, reversed(size), strict=True))
    return x, y


def _unnormalized(place: Tensor, half: float) -> Tensor:
    if place.dtype is dovetail.float64:
        return fused_double(place, half, -0.5)  # type: ignore[no-any-return]
    return (place.double() * half - 0.5).to(place.dtype)


def _mapped(row: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """``(H, W)``: a row of a matrix times (x, y, 1), added in PyTorch's order; see `_gather`."""
    along, down = x * row[0], (y * row[1])[:, None]
    large = 6 * down.numel() * along.numel() >= 400
    if large and row.dtype is dovetail.float64:
        return fused_double(y[:, None], row[1], along) + row[2]  # type: ignore[no-any-return]
    if large and row.dtype is dovetail.float32:
        down = (y.double() * row[1].double())[:, None]
        least = down.abs().max() * 2.0**-51
        along = dovetail.where(along.abs() < least, along.sign() * least, along.double())
    return (along + down).to(row.dtype) + row[2]


def _perspective_sources(numbers: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    kind = {"dtype": numbers.dtype, "device": numbers.device}
    x, y = dovetail.arange(width, **kind) + 0.5, dovetail.arange(height, **kind) + 0.5
    divisor = _mapped(dovetail.cat([numbers[6:], dovetail.ones(1, **kind)]), x, y)
    rows = numbers[:6].view(2, 3) / dovetail.tensor([width * 0.5, height * 0.5], **kind)[:, None]
    return _pixels((_mapped(row, x, y) / divisor - 1.0 for row in rows), (height, width))


def _middles(size: Sequence[int], like: Tensor) -> tuple[Tensor, Tensor]:
    """x and y of the middles of pixels, in -1..1."""
    kind = {"dtype": like.dtype, "device": like.device}
    return tuple(dovetail.linspace((1 - n) / n, (n - 1) / n, n, **kind) for n in reversed(size))  # type: ignore[return-value]


def _elastic_sources(displacement: Tensor, size: Sequence[int]) -> tuple[Tensor, Tensor]:
    x, y = _middles(size, displacement)
    return _pixels((x + displacement[0, ..., 0], y.unsqueeze(-1) + displacement[0, ..., 1]), size)


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
