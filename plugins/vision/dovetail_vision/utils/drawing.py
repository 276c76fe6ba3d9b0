"""Boxes, masks and key points drawn into images."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

from PIL import Image, ImageColor, ImageDraw, ImageFont

import dovetail
from dovetail import Tensor
from dovetail.errors import TypeMismatch, ValueRangeError

from ..transforms.v2 import functional as F

__all__ = ["draw_bounding_boxes", "draw_keypoints", "draw_segmentation_masks"]

Colour = str | tuple[int, int, int]
Colours = list[Colour] | Colour | None


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


def _picture(image: Tensor) -> Image.Image:
    """The image as PIL's, in bytes and three channels."""
    image = image.as_subclass(Tensor)
    return F.to_pil_image(F.to_dtype(F.grayscale_to_rgb(image), dovetail.uint8, scale=True))


def _tensor(picture: Image.Image, dtype: dovetail.dtype) -> Tensor:
    return F.to_dtype(F.pil_to_tensor(picture), dtype, scale=True)


def _turned_box(draw: ImageDraw.ImageDraw, corners: list[int], width: int, outline: Any, fill: Any) -> None:
    """A box of four corners, its upper edge dashed by five pixels."""
    points = [(float(x), float(y)) for x, y in zip(corners[::2], corners[1::2], strict=True)]
    (x, y), (end_x, end_y) = points[:2]
    left, dash = math.hypot(end_x - x, end_y - y), True
    while left > 0:
        step = min(left, 5)
        angle = math.atan2(end_y - y, end_x - x)
        next_x, next_y = x + math.cos(angle) * step, y + math.sin(angle) * step
        if dash:
            draw.line([(x, y), (next_x, next_y)], outline, width)
        x, y, left, dash = next_x, next_y, left - step, not dash
    for i in (1, 2, 3):
        draw.line([points[i], points[(i + 1) % 4]], outline, width)
    draw.polygon(points, fill=fill, outline=None, width=0)


def _letters(where: str, font: str | None, font_size: int | None) -> Any:
    if font is not None:
        return ImageFont.truetype(font, font_size or 10)
    if font_size is not None:
        warnings.warn(f"{where}: font_size is ignored without font", stacklevel=3)
    return ImageFont.load_default()


def _label(draw: ImageDraw.ImageDraw, place: tuple[int, int], text: str, ink: Any, ground: Any, letters: Any) -> None:
    """A text, on a ground of one pixel more on all sides where there is one."""
    if ground is not None:
        left, top, right, bottom = draw.textbbox(place, text, font=letters)
        draw.rectangle((left - 1, top - 1, right + 1, bottom + 1), fill=ground)
    draw.text(place, text, fill=ink, font=letters)


def _check_boxes(where: str, boxes: Tensor, labels: list[str] | None) -> None:
    if boxes.ndim != 2 or boxes.shape[1] not in (4, 8):
        raise ValueRangeError(where, f"boxes are {tuple(boxes.shape)}", "expected (N, 4): xmin, ymin, xmax, ymax; or (N, 8): corners")
    if boxes.shape[1] == 4 and bool(((boxes[:, 0] > boxes[:, 2]) | (boxes[:, 1] > boxes[:, 3])).any()):
        raise ValueRangeError(
            where, "boxes end before they begin", "expected (N, 4): xmin, ymin, xmax, ymax", "ops.box_convert converts them"
        )
    if labels is not None and len(labels) != len(boxes):
        raise ValueRangeError(where, f"there are {len(labels)} labels for {len(boxes)} boxes", "expected one for each")


@dovetail.no_grad()
def draw_bounding_boxes(
    image: Tensor,
    boxes: Tensor,
    labels: list[str] | None = None,
    colors: Colours = None,
    fill: bool | None = False,
    width: int = 1,
    font: str | None = None,
    font_size: int | None = None,
    label_colors: Colours = None,
    label_background_colors: Colours = None,
    fill_labels: bool = False,
) -> Tensor:
    """Draw boxes with ``labels`` into an image ``(C, H, W)`` of 1 or 3 channels, uint8 or float; gives ``(3, H, W)``.

    Boxes are ``(N, 4)``, ``(xmin, ymin, xmax, ymax)``, or ``(N, 8)``, the corners of turned ones. ``font`` is a TrueType file.

    >>> draw_bounding_boxes(dovetail.zeros(3, 9, 9, dtype=dovetail.uint8), dovetail.tensor([[1, 1, 5, 5]]), colors="red")[:, 1, 1]
    tensor([255,   0,   0], dtype=dovetail.uint8)
    """
    where = "draw_bounding_boxes"
    _check_image(where, image, (1, 3))
    count, boxes = len(boxes), boxes.as_subclass(Tensor)
    if count == 0:
        warnings.warn("draw_bounding_boxes: there are no boxes, so none is drawn", stacklevel=2)
        return image
    _check_boxes(where, boxes, labels)
    outlines = _colours(where, colors, count)
    inks = _colours(where, label_colors or "black", count) if label_colors or fill_labels else outlines
    grounds: Sequence[Any] = [None] * count
    if fill_labels:
        grounds = _colours(where, label_background_colors, count) if label_background_colors else outlines
    letters = _letters(where, font, font_size)
    picture = _picture(image)
    draw = ImageDraw.Draw(picture, "RGBA") if fill else ImageDraw.Draw(picture)
    rows = zip(boxes.long().tolist(), outlines, labels or [None] * count, inks, grounds, strict=False)
    for box, outline, label, ink, ground in rows:
        inside = (*outline, 100) if fill else None
        if len(box) > 4:
            _turned_box(draw, box, width, outline, inside)
        else:
            draw.rectangle(box, width=width, outline=outline, fill=inside)
        if label is not None:
            _label(draw, (box[0] + width + 1, box[1] + width + 1), label, ink, ground, letters)
    return _tensor(picture, image.dtype)


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


@dovetail.no_grad()
def draw_keypoints(
    image: Tensor,
    keypoints: Tensor,
    connectivity: list[tuple[int, int]] | None = None,
    colors: Colour | None = None,
    radius: int = 2,
    width: int = 3,
    visibility: Tensor | None = None,
) -> Tensor:
    """Draw points ``(instances, K, 2)``, x and y, into an image ``(3, H, W)``, uint8 or float, and lines between those of ``connectivity``.

    A point where ``visibility`` ``(instances, K)`` is False is not drawn, nor are lines to it. What follows x and y, such as COCO's third
    number, is passed over.

    >>> points = dovetail.tensor([[[2, 3]]])
    >>> draw_keypoints(dovetail.zeros(3, 6, 6, dtype=dovetail.uint8), points, colors="red", radius=1)[:, 3, 2]
    tensor([255,   0,   0], dtype=dovetail.uint8)
    """
    where = "draw_keypoints"
    _check_image(where, image, (3,))
    if keypoints.ndim != 3 or keypoints.shape[2] < 2:
        raise ValueRangeError(where, f"keypoints are {tuple(keypoints.shape)}", "expected (instances, K, 2)")
    seen = dovetail.ones(keypoints.shape[:-1], dtype=dovetail.bool) if visibility is None else visibility
    seen = seen.squeeze(-1) if seen.ndim == 3 else seen
    if tuple(seen.shape) != tuple(keypoints.shape[:-1]):
        what = f"visibility is {tuple(seen.shape)} for keypoints {tuple(keypoints.shape)}"
        raise ValueRangeError(where, what, "expected (instances, K)")
    picture = _picture(image)
    draw = ImageDraw.Draw(picture)
    for points, visible in zip(keypoints[..., :2].long().tolist(), seen.bool().tolist(), strict=True):
        for (x, y), shown in zip(points, visible, strict=True):
            if shown:
                draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=colors, outline=None, width=0)
        for first, second in connectivity or ():
            if visible[first] and visible[second]:
                draw.line((tuple(points[first]), tuple(points[second])), width=width)
    return _tensor(picture, image.dtype)
