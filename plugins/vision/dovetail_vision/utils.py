"""Pictures of tensors: grids, files, and boxes and masks drawn into images."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image, ImageColor, ImageDraw, ImageFont

import dovetail
from dovetail import Tensor
from dovetail.errors import TypeMismatch, ValueRangeError

from .transforms.v2 import functional as F

__all__ = ["draw_bounding_boxes", "draw_segmentation_masks", "make_grid", "save_image"]

Colour = str | tuple[int, int, int]
Colours = list[Colour] | Colour | None


def _as_batch(tensor: Any) -> Tensor:
    """Images as (N, C, H, W), grey ones in three channels."""
    if isinstance(tensor, list) and all(isinstance(item, Tensor) for item in tensor):
        tensor = dovetail.stack(tensor)
    if not isinstance(tensor, Tensor):
        raise TypeMismatch("make_grid", f"tensor is {type(tensor).__name__}", "expected a tensor or a list of tensors")
    if tensor.ndim == 2:
        tensor = tensor.unsqueeze(0)
    if tensor.ndim == 3:
        tensor = (dovetail.cat([tensor] * 3) if tensor.shape[0] == 1 else tensor).unsqueeze(0)
    if tensor.ndim != 4:
        raise ValueRangeError("make_grid", f"tensor has shape {tuple(tensor.shape)}", "expected (N, C, H, W), (C, H, W) or (H, W)")
    return dovetail.cat([tensor] * 3, 1) if tensor.shape[1] == 1 else tensor


def _normalised(tensor: Tensor, value_range: tuple[float, float] | None) -> Tensor:
    low, high = (tensor.min().item(), tensor.max().item()) if value_range is None else value_range
    return (tensor.clamp(low, high) - low) / max(high - low, 1e-5)


@dovetail.no_grad()
def make_grid(
    tensor: Tensor | list[Tensor],
    nrow: int = 8,
    padding: int = 2,
    normalize: bool = False,
    value_range: tuple[float, float] | None = None,
    scale_each: bool = False,
    pad_value: float = 0.0,
) -> Tensor:
    """Put images ``(N, C, H, W)``, or a list of ``(C, H, W)``, side by side: ``nrow`` in a row, ``padding`` pixels around each.

    With ``normalize`` the values are brought to 0..1, from ``value_range`` or from the smallest and largest, of each image with
    ``scale_each``. One image alone comes back as it is, with three channels.

    >>> make_grid(dovetail.zeros(6, 1, 4, 4), nrow=3).shape
    dovetail.Size([3, 14, 20])
    """
    images = _as_batch(tensor)
    if normalize:
        if value_range is not None and not isinstance(value_range, tuple):
            raise TypeMismatch("make_grid", f"value_range is {value_range!r}", "expected a tuple (smallest, largest)")
        each = [_normalised(image, value_range) for image in images] if scale_each else None
        images = dovetail.stack(each) if each else _normalised(images, value_range)
    count, channels, height, width = images.shape
    if count == 1:
        return images.squeeze(0)
    across = min(nrow, count)
    down = math.ceil(count / across)
    height, width = height + padding, width + padding
    grid = images.new_full((channels, height * down + padding, width * across + padding), pad_value)
    for i in range(count):
        top, left = (i // across) * height + padding, (i % across) * width + padding
        grid[:, top : top + height - padding, left : left + width - padding] = images[i]
    return grid


@dovetail.no_grad()
def save_image(tensor: Tensor | list[Tensor], fp: str | Path | BinaryIO, format: str | None = None, **kwargs: Any) -> None:
    """Write images with values in 0..1 to a picture file, as ``make_grid(tensor, **kwargs)`` lays them out.

    >>> import io
    >>> file = io.BytesIO()
    >>> save_image(dovetail.rand(4, 3, 8, 8), file, "png", nrow=2)
    >>> Image.open(file).size
    (22, 22)
    """
    grid = make_grid(tensor, **kwargs)
    pixels = grid.mul(255).add_(0.5).clamp_(0, 255).permute(1, 2, 0).to("cpu", dovetail.uint8).numpy()
    Image.fromarray(pixels).save(fp, format=format)


def _palette(count: int) -> list[tuple[int, ...]]:
    return [tuple(i * part % 255 for part in (2**25 - 1, 2**15 - 1, 2**21 - 1)) for i in range(count)]


def _colours(where: str, colors: Colours, count: int) -> list[tuple[int, ...]]:
    if colors is None:
        return _palette(count)
    if isinstance(colors, list):
        if len(colors) < count:
            raise ValueRangeError(where, f"there are {len(colors)} colors for {count} objects", "expected one for each")
        chosen: Sequence[Any] = colors
    elif isinstance(colors, str) or (isinstance(colors, tuple) and len(colors) == 3):
        chosen = [colors] * count
    else:
        raise ValueRangeError(where, f"colors is {colors!r}", "expected a name, an RGB triplet, or a list of them")
    return [ImageColor.getrgb(color) if isinstance(color, str) else color for color in chosen]


def _check_image(where: str, image: Any, channels: tuple[int, ...]) -> None:
    if not isinstance(image, Tensor):
        raise TypeMismatch(where, f"image is {type(image).__name__}", "expected a tensor")
    if (image.dtype != dovetail.uint8 and not image.is_floating_point()) or image.ndim != 3 or image.shape[0] not in channels:
        what = f"image has shape {tuple(image.shape)} and type {image.dtype}"
        raise ValueRangeError(where, what, f"expected (C, H, W) with C {' or '.join(map(str, channels))}, uint8 or float")


@dovetail.no_grad()
def draw_bounding_boxes(
    image: Tensor,
    boxes: Tensor,
    labels: list[str] | None = None,
    colors: Colours = None,
    fill: bool = False,
    width: int = 1,
    font: str | None = None,
    font_size: int | None = None,
    label_colors: Colours = None,
) -> Tensor:
    """Draw boxes ``(N, 4)`` of ``(xmin, ymin, xmax, ymax)``, with ``labels``, into an image ``(C, H, W)``; gives ``(3, H, W)``.

    >>> draw_bounding_boxes(dovetail.zeros(3, 9, 9, dtype=dovetail.uint8), dovetail.tensor([[1, 1, 5, 5]]), colors="red")[:, 1, 1]
    tensor([255,   0,   0], dtype=dovetail.uint8)
    """
    where = "draw_bounding_boxes"
    _check_image(where, image, (1, 3))
    if len(boxes) == 0:
        warnings.warn("draw_bounding_boxes: there are no boxes, so none is drawn", stacklevel=2)
        return image
    if boxes.ndim != 2 or boxes.shape[1] != 4 or bool(((boxes[:, 0] > boxes[:, 2]) | (boxes[:, 1] > boxes[:, 3])).any()):
        raise ValueRangeError(where, f"boxes are {tuple(boxes.shape)}, or end before they begin", "expected (N, 4): xmin, ymin, xmax, ymax")
    if labels is not None and len(labels) != len(boxes):
        raise ValueRangeError(where, f"there are {len(labels)} labels for {len(boxes)} boxes", "expected one for each")
    outlines = _colours(where, colors, len(boxes))
    inks = outlines if label_colors is None else _colours(where, label_colors, len(boxes))
    letters: Any = ImageFont.load_default() if font is None else ImageFont.truetype(font, font_size or 10)
    original = image.dtype
    picture = F.to_pil_image(F.to_dtype(F.grayscale_to_rgb(image), dovetail.uint8, scale=True))
    draw = ImageDraw.Draw(picture, "RGBA") if fill else ImageDraw.Draw(picture)
    for box, outline, label, ink in zip(boxes.long().tolist(), outlines, labels or [None] * len(boxes), inks, strict=False):
        draw.rectangle(box, width=width, outline=outline, fill=(*outline, 100) if fill else None)
        if label is not None:
            draw.text((box[0] + width + 1, box[1] + width + 1), label, fill=ink, font=letters)
    return F.to_dtype(F.pil_to_tensor(picture), original, scale=True)


@dovetail.no_grad()
def draw_segmentation_masks(image: Tensor, masks: Tensor, alpha: float = 0.8, colors: Colours = None) -> Tensor:
    """Colour an image ``(3, H, W)`` where bool masks ``(N, H, W)`` are; ``alpha`` is how much of the colour; overlaps are black.

    >>> masks = dovetail.tensor([[True, False]])
    >>> draw_segmentation_masks(dovetail.ones(3, 1, 2), masks, 0.5, (0, 0, 0))[0]
    tensor([[0.5000, 1.0000]])
    """
    where = "draw_segmentation_masks"
    _check_image(where, image, (3,))
    masks = masks[None] if masks.ndim == 2 else masks
    if masks.ndim != 3 or masks.dtype != dovetail.bool or masks.shape[-2:] != image.shape[-2:]:
        what = f"masks have shape {tuple(masks.shape)} and type {masks.dtype}"
        raise ValueRangeError(where, what, f"expected bool (N, {image.shape[-2]}, {image.shape[-1]})")
    if len(masks) == 0:
        warnings.warn("draw_segmentation_masks: there are no masks, so none is drawn", stacklevel=2)
        return image
    drawn = image.detach().clone()
    for mask, color in zip(masks, _colours(where, colors, len(masks)), strict=False):
        parts = [part / 255 for part in color] if image.is_floating_point() else list(color)
        drawn[:, mask] = dovetail.tensor(parts, dtype=image.dtype, device=image.device)[:, None]
    drawn[:, masks.sum(0) > 1] = 0
    return (image * (1 - alpha) + drawn * alpha).to(image.dtype)
