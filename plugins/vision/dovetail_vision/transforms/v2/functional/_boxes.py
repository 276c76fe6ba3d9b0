"""Formats of boxes, cutting boxes and points at the edge of the canvas, and sorting out those that are not valid."""

from __future__ import annotations

from math import pi
from typing import Any

import dovetail
from dovetail import Tensor
from dovetail.errors import TypeMismatch, ValueRangeError

from ....tv_tensors import BoundingBoxes, BoundingBoxFormat, KeyPoints, is_rotated_bounding_format, wrap
from ....tv_tensors._boxes import box_format
from . import _turned
from ._kernels import is_pure_tensor

__all__ = ["clamp_bounding_boxes", "clamp_keypoints", "convert_bounding_box_format", "sanitize_bounding_boxes", "sanitize_keypoints"]

Format = BoundingBoxFormat | str
XYXY, XYWH, CXCYWH = BoundingBoxFormat.XYXY, BoundingBoxFormat.XYWH, BoundingBoxFormat.CXCYWH
XYWHR, CXCYWHR, CORNERS = BoundingBoxFormat.XYWHR, BoundingBoxFormat.CXCYWHR, BoundingBoxFormat.XYXYXYXY


def _half(value: Tensor) -> Tensor:
    return value.div(2, rounding_mode=None if value.is_floating_point() else "floor")


def _from_centre(boxes: Tensor, corners: bool) -> Tensor:
    """CXCYWH as XYXY or XYWH; whole numbers are cut off, of both corners."""
    middle, size = (boxes if boxes.is_floating_point() else boxes.float()).split(2, -1)
    upper = middle - size / 2
    if boxes.is_floating_point():
        return dovetail.cat([upper, upper + size if corners else size], -1)
    upper, lower = upper.to(boxes.dtype), (upper + size).to(boxes.dtype)
    return dovetail.cat([upper, lower if corners else lower - upper], -1)


def _to_centre(boxes: Tensor) -> Tensor:
    """XYXY as CXCYWH."""
    upper, lower = boxes.split(2, -1)
    return dovetail.cat([_half(upper * 2 + (lower - upper)), lower - upper], -1)


def _turns(boxes: Tensor) -> tuple[Tensor, Tensor]:
    angle = boxes[..., 4] * pi / 180.0
    return angle.cos(), angle.sin()


def _to_corner(boxes: Tensor, sign: int) -> Tensor:
    """The centre of a turned box to its first corner, or back with ``sign`` 1."""
    cos, sin = _turns(boxes)
    width, height = _half(boxes[..., 2]).abs() * sign, _half(boxes[..., 3]).abs() * sign
    x = boxes[..., 0] + width * cos + height * sin
    y = boxes[..., 1] - width * sin + height * cos
    return dovetail.cat([dovetail.stack([x, y], -1), boxes[..., 2:]], -1)


def _to_corners(boxes: Tensor) -> Tensor:
    """XYWHR as the four corners."""
    cos, sin = _turns(boxes)
    first, width, height = boxes[..., :2], boxes[..., 2], boxes[..., 3]
    along, down = dovetail.stack([width * cos, -width * sin], -1), dovetail.stack([height * sin, height * cos], -1)
    return dovetail.cat([first, first + along, first + along + down, first + down], -1)


def _from_corners(boxes: Tensor) -> Tensor:
    """The four corners as XYWHR."""
    points = boxes if boxes.dtype in (dovetail.float32, dovetail.float64) else boxes.float()
    along, down = points[..., 2:4] - points[..., :2], points[..., 4:6] - points[..., 2:4]
    angle = dovetail.atan2(-along[..., 1], along[..., 0]) / pi * 180.0
    sizes = [(side[..., 0] ** 2 + side[..., 1] ** 2).sqrt() for side in (along, down)]
    return dovetail.cat([points[..., :2], dovetail.stack([*sizes, angle], -1)], -1).to(boxes.dtype)


_TO_MIDDLE = {  # to XYXY of upright, to XYWHR of turned boxes
    XYXY: lambda boxes: boxes,
    XYWH: lambda boxes: dovetail.cat([boxes[..., :2], boxes[..., 2:] + boxes[..., :2]], -1),
    CXCYWH: lambda boxes: _from_centre(boxes, True),
    XYWHR: lambda boxes: boxes,
    CXCYWHR: lambda boxes: _to_corner(boxes, -1),
    CORNERS: _from_corners,
}
_FROM_MIDDLE = {
    XYXY: lambda boxes: boxes,
    XYWH: lambda boxes: dovetail.cat([boxes[..., :2], boxes[..., 2:] - boxes[..., :2]], -1),
    CXCYWH: _to_centre,
    XYWHR: lambda boxes: boxes,
    CXCYWHR: lambda boxes: _to_corner(boxes, 1),
    CORNERS: _to_corners,
}


def converted(boxes: Tensor, old: Format, new: Format) -> Tensor:
    """Plain boxes in another format. Raises a ValueRangeError (ValueError) between upright and turned ones."""
    old, new = box_format(old), box_format(new)
    if new is old:
        return boxes
    if is_rotated_bounding_format(old) != is_rotated_bounding_format(new):
        what = f"from {old.value} to {new.value}"
        raise ValueRangeError("convert_bounding_box_format", what, "expected both upright or both turned formats")
    if (old, new) == (XYWH, CXCYWH):
        return dovetail.cat([boxes[..., :2] + _half(boxes[..., 2:]), boxes[..., 2:]], -1)
    if (old, new) == (CXCYWH, XYWH):
        return _from_centre(boxes, False)
    return _FROM_MIDDLE[new](_TO_MIDDLE[old](boxes))


def _known(where: str, inpt: Any, kind: type, given: dict[str, Any]) -> None:
    """A plain tensor needs to be told what a tensor of its kind knows, which must not be told."""
    names = ", ".join(given)
    if is_pure_tensor(inpt):
        if any(value is None for value in given.values()):
            raise ValueRangeError(where, f"{names} are {', '.join(map(repr, given.values()))}", "a plain tensor needs them")
    elif not isinstance(inpt, kind):
        raise TypeMismatch(where, f"inpt is {type(inpt).__name__}", f"expected a plain tensor or {kind.__name__}")
    elif any(value is not None for value in given.values()):
        raise ValueRangeError(where, f"{names} are given for {kind.__name__}", "which know them already")


def convert_bounding_box_format(
    inpt: Tensor, old_format: Format | None = None, new_format: Format | None = None, inplace: bool = False
) -> Tensor:
    """Boxes in another format. Plain tensors need ``old_format``; ``inplace`` overwrites where the shape stays.

    Raises a ValueRangeError (ValueError) between upright and turned formats.

    >>> convert_bounding_box_format(dovetail.tensor([[1, 2, 3, 5]]), "XYXY", "XYWH")
    tensor([[1, 2, 2, 3]])
    """
    if new_format is None:
        raise TypeMismatch("convert_bounding_box_format", "missing 1 required argument: 'new_format'")
    _known("convert_bounding_box_format", inpt, BoundingBoxes, {"old_format": old_format})
    plain = inpt.as_subclass(Tensor) if old_format is None else inpt
    old: Any = inpt.format if old_format is None else old_format
    out = converted(plain, old, new_format)
    if inplace and out is not plain and out.shape == plain.shape:
        out = plain.copy_(out)
    return out if is_pure_tensor(inpt) else wrap(out, like=inpt, format=box_format(new_format))


def cut(boxes: Tensor, format: Format, canvas_size: tuple[int, int], clamping_mode: str | None) -> Tensor:
    """Plain boxes, cut at the edge of the canvas."""
    if clamping_mode is None:
        return boxes.clone()
    if is_rotated_bounding_format(format):
        corners = converted(boxes, format, CORNERS)
        return converted(_turned.clamped(corners.reshape(-1, 8), canvas_size, clamping_mode).reshape(corners.shape), CORNERS, format)
    working = boxes if boxes.is_floating_point() else boxes.float()
    corners = converted(working, format, XYXY)
    most = dovetail.tensor([canvas_size[1], canvas_size[0]] * 2, dtype=corners.dtype, device=corners.device)
    return converted(corners.clamp(min=0).minimum(most), XYXY, format).to(boxes.dtype)


def clamp_bounding_boxes(
    inpt: Tensor, format: Format | None = None, canvas_size: tuple[int, int] | None = None, clamping_mode: str | None = "auto"
) -> Tensor:
    """Cut boxes at the edge of the canvas. Plain tensors need the other arguments; "auto" is the boxes' own ``clamping_mode``.

    >>> clamp_bounding_boxes(dovetail.tensor([[-1, 2, 9, 9]]), "XYXY", (5, 6), "soft")
    tensor([[0, 2, 6, 5]])
    """
    if clamping_mode not in (None, "soft", "hard", "auto"):
        raise ValueRangeError("clamp_bounding_boxes", f"clamping_mode is {clamping_mode!r}", "expected 'soft', 'hard', 'auto' or None")
    _known("clamp_bounding_boxes", inpt, BoundingBoxes, {"format": format, "canvas_size": canvas_size})
    if is_pure_tensor(inpt):
        if clamping_mode == "auto":
            raise ValueRangeError("clamp_bounding_boxes", "clamping_mode is 'auto'", "a plain tensor needs one")
        return cut(inpt, format, canvas_size, clamping_mode)  # type: ignore[arg-type]
    boxes: Any = inpt
    mode = boxes.clamping_mode if clamping_mode == "auto" else clamping_mode
    return wrap(cut(boxes.as_subclass(Tensor), boxes.format, boxes.canvas_size, mode), like=boxes)


def clamp_keypoints(inpt: Tensor, canvas_size: tuple[int, int] | None = None) -> Tensor:
    """Move points outside of the canvas to its nearest pixel. Plain tensors need ``canvas_size``.

    >>> clamp_keypoints(dovetail.tensor([[-1, 9]]), (5, 6))
    tensor([[0, 4]])
    """
    _known("clamp_keypoints", inpt, KeyPoints, {"canvas_size": canvas_size})
    points: Any = inpt.as_subclass(Tensor)
    height, width = canvas_size or inpt.canvas_size
    working = points if points.is_floating_point() else points.float()
    most = dovetail.tensor([width - 1, height - 1], dtype=working.dtype, device=working.device)
    out = working.clamp(min=0).minimum(most).to(points.dtype)
    return out if is_pure_tensor(inpt) else wrap(out, like=inpt)


def valid_boxes(boxes: Tensor, format: Format, canvas_size: tuple[int, int], min_size: float, min_area: float) -> Tensor:
    """Which plain boxes are inside the canvas and not too small."""
    turned = is_rotated_bounding_format(format)
    corners = converted(boxes, format, CORNERS if turned else XYXY)
    if turned:
        x1, y1, x2, y2, _, _, x4, _ = corners.unbind(-1)
        y3, x3 = corners[..., 5], corners[..., 4]
        widths = ((x1 - x2) ** 2 + (y1 - y2) ** 2).sqrt()
        heights = ((y2 - y3) ** 2 + (x3 - x4) ** 2).sqrt()
    else:
        widths, heights = corners[..., 2] - corners[..., 0], corners[..., 3] - corners[..., 1]
    inside = (corners >= 0).all(-1)
    most = dovetail.tensor([canvas_size[1], canvas_size[0]] * (corners.shape[-1] // 2), device=corners.device)
    return (widths >= min_size) & (heights >= min_size) & (widths * heights >= min_area) & inside & (corners <= most).all(-1)


def valid_keypoints(points: Tensor, canvas_size: tuple[int, int]) -> Tensor:
    """Which plain points, or groups of them, are inside the canvas."""
    height, width = canvas_size
    x, y = points[..., 0], points[..., 1]
    valid = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return valid.flatten(1).all(1) if valid.ndim > 1 else valid


def sanitize_bounding_boxes(
    bounding_boxes: Tensor,
    format: Format | None = None,
    canvas_size: tuple[int, int] | None = None,
    min_size: float = 1.0,
    min_area: float = 1.0,
) -> tuple[Tensor, Tensor]:
    """Leave out boxes that reach over the edge or are too small; also which remain. Plain tensors need ``format`` and ``canvas_size``.

    >>> sanitize_bounding_boxes(dovetail.tensor([[0, 0, 2, 2], [0, 0, 0, 2]]), "XYXY", (5, 6))
    (tensor([[0, 0, 2, 2]]), tensor([ True, False]))
    """
    if not isinstance(bounding_boxes, BoundingBoxes) and not is_pure_tensor(bounding_boxes):
        what = f"bounding_boxes is {type(bounding_boxes).__name__}"
        raise ValueRangeError("sanitize_bounding_boxes", what, "expected a plain tensor or BoundingBoxes")
    _known("sanitize_bounding_boxes", bounding_boxes, BoundingBoxes, {"format": format, "canvas_size": canvas_size})
    if is_pure_tensor(bounding_boxes):
        valid = valid_boxes(bounding_boxes, format, canvas_size, min_size, min_area)  # type: ignore[arg-type]
        return bounding_boxes[valid], valid
    boxes: Any = bounding_boxes
    plain = boxes.as_subclass(Tensor)
    valid = valid_boxes(plain, boxes.format, boxes.canvas_size, min_size, min_area)
    return wrap(plain[valid], like=boxes), valid


def sanitize_keypoints(key_points: Tensor, canvas_size: tuple[int, int] | None = None) -> tuple[Tensor, Tensor]:
    """Leave out points, or whole groups of them, outside of the canvas; also which remain. Plain tensors need ``canvas_size``.

    >>> sanitize_keypoints(dovetail.tensor([[0, 0], [9, 0]]), (5, 6))
    (tensor([[0, 0]]), tensor([ True, False]))
    """
    if not isinstance(key_points, KeyPoints) and not is_pure_tensor(key_points):
        what = f"key_points is {type(key_points).__name__}"
        raise ValueRangeError("sanitize_keypoints", what, "expected a plain tensor or KeyPoints")
    _known("sanitize_keypoints", key_points, KeyPoints, {"canvas_size": canvas_size})
    plain = key_points.as_subclass(Tensor)
    valid = valid_keypoints(plain, canvas_size or key_points.canvas_size)
    return (plain[valid] if is_pure_tensor(key_points) else wrap(plain[valid], like=key_points)), valid
