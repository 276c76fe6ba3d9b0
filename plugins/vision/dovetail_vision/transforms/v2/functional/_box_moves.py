"""What the geometric functions do to plain bounding boxes; the names are torchvision's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dovetail
from dovetail import Tensor
from dovetail.errors import ValueRangeError

from ....tv_tensors import BoundingBoxes, is_rotated_bounding_format
from ....tv_tensors._boxes import box_format
from ...functional.geometry import resized_size, sides_of
from . import _geometry as G
from ._boxes import CORNERS, CXCYWHR, XYWH, XYWHR, XYXY, Format, converted, cut
from ._kernels import attach
from ._points import Map, affine_map, elastic_map, middle_box, perspective_map
from ._turned import rectangles

__all__ = [
    "affine_bounding_boxes", "center_crop_bounding_boxes", "crop_bounding_boxes", "elastic_bounding_boxes",
    "horizontal_flip_bounding_boxes", "pad_bounding_boxes", "perspective_bounding_boxes", "resize_bounding_boxes",
    "resized_crop_bounding_boxes", "rotate_bounding_boxes", "vertical_flip_bounding_boxes",
]  # fmt: skip

Canvas = tuple[int, int]
Sized = tuple[Tensor, Canvas]


def _mirrored(boxes: Tensor, format: Format, length: int, axis: int) -> Tensor:
    """Boxes mirrored along x (axis 0) or y (1) in a canvas of that length."""
    format = box_format(format)
    parts = list(boxes.unbind(-1))
    if format is CORNERS:
        parts[axis::2] = [length - part for part in parts[axis::2]]
        parts = [parts[i] for i in (2, 3, 0, 1, 6, 7, 4, 5)]
    elif format is XYXY:
        parts[axis], parts[axis + 2] = length - parts[axis + 2], length - parts[axis]
    elif format is XYWH:
        parts[axis] = length - (parts[axis] + parts[axis + 2])
    else:
        if format is XYWHR:  # the other end of the upper edge comes first
            angle = parts[4].mul(dovetail.pi).div(180)
            parts[0], parts[1] = parts[0] + parts[2] * angle.cos(), parts[1] - parts[2] * angle.sin()
        parts[axis] = length - parts[axis]
    if format in (XYWHR, CXCYWHR):
        parts[4] = -parts[4] if axis == 0 else 180 - parts[4]
    return dovetail.stack(parts, -1)


@attach(G.horizontal_flip, BoundingBoxes)
def horizontal_flip_bounding_boxes(bounding_boxes: Tensor, format: Format, canvas_size: Canvas) -> Tensor:
    """Boxes of an image that is mirrored left and right.

    >>> horizontal_flip_bounding_boxes(dovetail.tensor([[1, 2, 3, 4]]), "XYXY", (5, 6))
    tensor([[3, 2, 5, 4]])
    """
    return _mirrored(bounding_boxes, format, canvas_size[1], 0)


@attach(G.vertical_flip, BoundingBoxes)
def vertical_flip_bounding_boxes(bounding_boxes: Tensor, format: Format, canvas_size: Canvas) -> Tensor:
    """Boxes of an image that is mirrored top and bottom.

    >>> vertical_flip_bounding_boxes(dovetail.tensor([[1, 2, 3, 4]]), "XYXY", (5, 6))
    tensor([[1, 1, 3, 3]])
    """
    return _mirrored(bounding_boxes, format, canvas_size[0], 1)


@attach(G.resize, BoundingBoxes)
def resize_bounding_boxes(
    bounding_boxes: Tensor,
    canvas_size: Canvas,
    size: int | Sequence[int] | None,
    max_size: int | None = None,
    format: Format = XYXY,
    clamping_mode: str | None = "soft",
) -> Sized:
    """Boxes of an image that is resized, and its new size.

    >>> resize_bounding_boxes(dovetail.tensor([[1, 2, 3, 4]]), (4, 6), [8, 6])
    (tensor([[1, 4, 3, 8]]), (8, 6))
    """
    new = resized_size(*canvas_size, size, max_size)
    if new == tuple(canvas_size):
        return bounding_boxes, canvas_size
    factors = [new[1] / canvas_size[1], new[0] / canvas_size[0]]
    if not is_rotated_bounding_format(format):
        return bounding_boxes.mul(dovetail.tensor(factors * 2, device=bounding_boxes.device)).to(bounding_boxes.dtype), new
    corners = converted(bounding_boxes, format, CORNERS)
    corners = rectangles(corners.mul(dovetail.tensor(factors * 4, device=bounding_boxes.device)))
    return converted(cut(corners, CORNERS, new, clamping_mode), CORNERS, format).to(bounding_boxes.dtype), new


def _shifted(boxes: Tensor, format: Format, right: int, down: int) -> Tensor:
    repeats = {CORNERS: 4, XYXY: 2}.get(box_format(format), 1)
    step = [right, down] * repeats
    step += [0] * (boxes.shape[-1] - len(step))
    return boxes + dovetail.tensor(step, dtype=boxes.dtype, device=boxes.device)


@attach(G.pad, BoundingBoxes)
def pad_bounding_boxes(
    bounding_boxes: Tensor,
    format: Format,
    canvas_size: Canvas,
    padding: int | Sequence[int],
    padding_mode: str = "constant",
    clamping_mode: str | None = "soft",
) -> Sized:
    """Boxes of an image that is padded, and its new size; of padding modes there is "constant" alone.

    >>> pad_bounding_boxes(dovetail.tensor([[1, 2, 3, 4]]), "XYXY", (5, 6), [1, 0])
    (tensor([[2, 2, 4, 4]]), (5, 8))
    """
    if padding_mode != "constant":
        raise ValueRangeError("pad", f"padding_mode is {padding_mode!r} and there are bounding boxes", "expected 'constant'")
    left, top, right, bottom = sides_of(padding)
    new = (canvas_size[0] + top + bottom, canvas_size[1] + left + right)
    return cut(_shifted(bounding_boxes, format, left, top), format, new, clamping_mode), new


@attach(G.crop, BoundingBoxes)
def crop_bounding_boxes(
    bounding_boxes: Tensor, format: Format, top: int, left: int, height: int, width: int, clamping_mode: str | None = "soft"
) -> Sized:
    """Boxes of an image from which a part is cut out, and its size.

    >>> crop_bounding_boxes(dovetail.tensor([[1, 2, 3, 4]]), "XYXY", 1, 2, 2, 4)
    (tensor([[0, 1, 1, 2]]), (2, 4))
    """
    boxes = _shifted(bounding_boxes, format, -left, -top)
    if box_format(format) is CORNERS:
        boxes = rectangles(boxes)
    return cut(boxes, format, (height, width), clamping_mode), (height, width)


@attach(G.center_crop, BoundingBoxes)
def center_crop_bounding_boxes(
    bounding_boxes: Tensor, format: Format, canvas_size: Canvas, output_size: Any, clamping_mode: str | None = "soft"
) -> Sized:
    """Boxes of an image whose middle is cut out, and its size.

    >>> center_crop_bounding_boxes(dovetail.tensor([[1, 2, 3, 4]]), "XYXY", (6, 6), [4])
    (tensor([[0, 1, 2, 3]]), (4, 4))
    """
    return crop_bounding_boxes(bounding_boxes, format, *middle_box(output_size, canvas_size), clamping_mode)


@attach(G.resized_crop, BoundingBoxes)
def resized_crop_bounding_boxes(
    bounding_boxes: Tensor,
    format: Format,
    top: int,
    left: int,
    height: int,
    width: int,
    size: int | Sequence[int],
    clamping_mode: str | None = "soft",
) -> Sized:
    """Boxes of an image from which a part is cut out and resized, and its size.

    >>> resized_crop_bounding_boxes(dovetail.tensor([[1, 2, 3, 4]]), "XYXY", 1, 1, 2, 2, [4, 4])
    (tensor([[0, 2, 4, 4]]), (4, 4))
    """
    boxes, canvas = crop_bounding_boxes(bounding_boxes, format, top, left, height, width, clamping_mode)
    return resize_bounding_boxes(boxes, canvas, size, format=format, clamping_mode=clamping_mode)


def _moved(boxes: Tensor, format: Format, canvas_size: Canvas, clamping_mode: str | None, move: Map) -> Tensor:
    """Boxes around their four corners, moved; turned ones as the rectangles nearest to what becomes of them."""
    turned = is_rotated_bounding_format(format)
    between = CORNERS if turned else XYXY
    corners = converted(boxes, format, between)
    points = corners.reshape(-1, 2) if turned else corners[..., [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 2)
    moved = move(points).reshape(-1, 4, 2)
    out = rectangles(moved.reshape(-1, 8)) if turned else dovetail.cat([moved.amin(1), moved.amax(1)], 1)
    return converted(cut(out, between, canvas_size, clamping_mode), between, format).reshape(boxes.shape)


def _affine(boxes: Tensor, format: Format, canvas_size: Canvas, clamping_mode: str | None, expand: bool = False, **how: Any) -> Sized:
    if boxes.numel() == 0:
        return boxes, canvas_size
    move, canvas_size = affine_map(canvas_size, expand=expand, **how)
    floats = boxes if boxes.is_floating_point() else boxes.float()
    return _moved(floats, format, canvas_size, clamping_mode, move).to(boxes.dtype), canvas_size


@attach(G.affine, BoundingBoxes)
def affine_bounding_boxes(
    bounding_boxes: Tensor,
    format: Format,
    canvas_size: Canvas,
    angle: float,
    translate: Sequence[float],
    scale: float,
    shear: float | Sequence[float],
    center: Sequence[float] | None = None,
    clamping_mode: str | None = "soft",
) -> Tensor:
    """Boxes of an image that is sheared, scaled, turned and shifted.

    >>> affine_bounding_boxes(dovetail.tensor([[1, 2, 3, 4]]), "XYXY", (6, 6), 0, [1, 0], 1.0, [0.0, 0.0])
    tensor([[2, 2, 4, 4]])
    """
    how = {"angle": angle, "translate": translate, "scale": scale, "shear": shear, "center": center}
    return _affine(bounding_boxes, format, canvas_size, clamping_mode, **how)[0]


@attach(G.rotate, BoundingBoxes)
def rotate_bounding_boxes(
    bounding_boxes: Tensor,
    format: Format,
    canvas_size: Canvas,
    angle: float,
    expand: bool = False,
    center: Sequence[float] | None = None,
    clamping_mode: str | None = "soft",
) -> Sized:
    """Boxes of an image that is turned, and its new size.

    >>> rotate_bounding_boxes(dovetail.tensor([[1., 2., 3., 4.]]), "XYXY", (6, 6), 90.0)[0].round()
    tensor([[2., 3., 4., 5.]])
    """
    how = {"angle": -angle, "translate": [0.0, 0.0], "scale": 1.0, "shear": [0.0, 0.0], "center": center}
    return _affine(bounding_boxes, format, canvas_size, clamping_mode, expand, **how)


@attach(G.perspective, BoundingBoxes)
def perspective_bounding_boxes(
    bounding_boxes: Tensor,
    format: Format,
    canvas_size: Canvas,
    startpoints: Sequence[Sequence[int]] | None,
    endpoints: Sequence[Sequence[int]] | None,
    coefficients: Sequence[float] | None = None,
    clamping_mode: str | None = "soft",
) -> Tensor:
    """Boxes of an image that is seen from an angle. Raises a GradError (RuntimeError) for a map that cannot be inverted.

    >>> same = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]
    >>> perspective_bounding_boxes(dovetail.tensor([[1, 2, 3, 4]]), "XYXY", (6, 6), None, None, same)
    tensor([[1, 2, 3, 4]])
    """
    if bounding_boxes.numel() == 0:
        return bounding_boxes
    move = perspective_map(startpoints, endpoints, coefficients)
    return _moved(bounding_boxes, format, canvas_size, clamping_mode, move).to(bounding_boxes.dtype)


@attach(G.elastic, BoundingBoxes)
def elastic_bounding_boxes(
    bounding_boxes: Tensor, format: Format, canvas_size: Canvas, displacement: Tensor, clamping_mode: str | None = "soft"
) -> Tensor:
    """Boxes of an image whose pixels are moved, approximately; turned boxes keep size and angle.

    >>> elastic_bounding_boxes(dovetail.tensor([[1., 2., 3., 4.]]), "XYXY", (6, 6), dovetail.zeros(1, 6, 6, 2)).round()
    tensor([[1., 2., 3., 4.]])
    """
    move = elastic_map(canvas_size, displacement)
    if bounding_boxes.numel() == 0:
        return bounding_boxes
    turned = is_rotated_bounding_format(format)
    between = CXCYWHR if turned else XYXY
    boxes = converted(bounding_boxes, format, between)
    boxes = boxes.reshape(-1, boxes.shape[-1])
    points = boxes[:, :2] if turned else boxes[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 2)
    moved = move(points.ceil() if points.is_floating_point() else points)
    if turned:
        out = dovetail.cat([moved, boxes[:, 2:]], 1)
    else:
        moved = moved.reshape(-1, 4, 2)
        out = dovetail.cat([moved.amin(1), moved.amax(1)], 1).to(boxes.dtype)
    return converted(cut(out, between, canvas_size, clamping_mode), between, format).reshape(bounding_boxes.shape)
