"""The formats of boxes, turned into one another: straight ones by their corners, turned ones by their upper left corner."""

from __future__ import annotations

import math
from collections.abc import Callable

import dovetail
from dovetail import Tensor

__all__ = ["FROM", "ROTATED", "STRAIGHT", "TO"]

Step = Callable[[Tensor], Tensor]

STRAIGHT = ("xyxy", "xywh", "cxcywh")
ROTATED = ("xywhr", "cxcywhr", "xyxyxyxy")


def _same(boxes: Tensor) -> Tensor:
    return boxes


def _from_xywh(boxes: Tensor) -> Tensor:
    x, y, w, h = boxes.unbind(-1)
    return dovetail.stack((x, y, x + w, y + h), -1)


def _to_xywh(boxes: Tensor) -> Tensor:
    x1, y1, x2, y2 = boxes.unbind(-1)
    return dovetail.stack((x1, y1, x2 - x1, y2 - y1), -1)


def _from_cxcywh(boxes: Tensor) -> Tensor:
    cx, cy, w, h = boxes.unbind(-1)
    return dovetail.stack((cx - 0.5 * w, cy - 0.5 * h, cx + 0.5 * w, cy + 0.5 * h), -1)


def _to_cxcywh(boxes: Tensor) -> Tensor:
    x1, y1, x2, y2 = boxes.unbind(-1)
    return dovetail.stack(((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1), -1)


def _rounding(step: Step) -> Step:
    """Boxes of integers are computed in float and rounded."""

    def convert(boxes: Tensor) -> Tensor:
        out = step(boxes)
        return out if boxes.is_floating_point() else out.round().to(boxes.dtype)

    return convert


def _turned(r: Tensor) -> tuple[Tensor, Tensor]:
    radians = r * math.pi / 180.0
    return radians.cos(), radians.sin()


@_rounding
def _from_cxcywhr(boxes: Tensor) -> Tensor:
    cx, cy, w, h, r = boxes.unbind(-1)
    cos, sin = _turned(r)
    return dovetail.stack((cx - w / 2 * cos - h / 2 * sin, cy - h / 2 * cos + w / 2 * sin, w, h, r), -1)


@_rounding
def _to_cxcywhr(boxes: Tensor) -> Tensor:
    x, y, w, h, r = boxes.unbind(-1)
    cos, sin = _turned(r)
    return dovetail.stack((x + w / 2 * cos + h / 2 * sin, y - w / 2 * sin + h / 2 * cos, w, h, r), -1)


@_rounding
def _to_corners(boxes: Tensor) -> Tensor:
    x1, y1, w, h, r = boxes.unbind(-1)
    cos, sin = _turned(r)
    x2, y2 = x1 + w * cos, y1 - w * sin
    return dovetail.stack((x1, y1, x2, y2, x2 + h * sin, y2 + h * cos, x1 + h * sin, y1 + h * cos), -1)


@_rounding
def _from_corners(boxes: Tensor) -> Tensor:
    x1, y1, x2, y2, x3, y3, _, _ = boxes.unbind(-1)
    angle = dovetail.atan2(y1 - y2, x2 - x1) * 180 / math.pi
    w, h = ((x2 - x1) ** 2 + (y1 - y2) ** 2).sqrt(), ((x3 - x2) ** 2 + (y3 - y2) ** 2).sqrt()
    return dovetail.stack((x1, y1, w, h, angle), -1)


# By these names programs import them.
_box_xywh_to_xyxy, _box_xyxy_to_xywh = _from_xywh, _to_xywh
_box_cxcywh_to_xyxy, _box_xyxy_to_cxcywh = _from_cxcywh, _to_cxcywh
_box_cxcywhr_to_xywhr, _box_xywhr_to_cxcywhr = _from_cxcywhr, _to_cxcywhr
_box_xyxyxyxy_to_xywhr, _box_xywhr_to_xyxyxyxy = _from_corners, _to_corners

#: Format → how its boxes become xyxy, or xywhr where they are turned.
FROM: dict[str, Step] = {
    "xyxy": _same, "xywh": _from_xywh, "cxcywh": _from_cxcywh, "xywhr": _same, "cxcywhr": _from_cxcywhr, "xyxyxyxy": _from_corners,
}  # fmt: skip
#: Format → how it is made of those.
TO: dict[str, Step] = {
    "xyxy": _same, "xywh": _to_xywh, "cxcywh": _to_cxcywh, "xywhr": _same, "cxcywhr": _to_cxcywhr, "xyxyxyxy": _to_corners,
}  # fmt: skip
