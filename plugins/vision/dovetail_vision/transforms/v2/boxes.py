"""Transforms of boxes and key points alone: formats, clamping, and leaving out what is not valid."""

from __future__ import annotations

from typing import Any

from dovetail import Tensor
from dovetail.errors import ValueRangeError

from ...tv_tensors import BoundingBoxes, BoundingBoxFormat, KeyPoints, Mask, wrap
from . import functional as F
from ._base import Transform, get_bounding_boxes, get_keypoints
from ._labels import getter_of_labels, labels_beside
from ._tree import flatten
from .functional._boxes import valid_boxes, valid_keypoints

__all__ = [
    "ClampBoundingBoxes", "ClampKeyPoints", "ConvertBoundingBoxFormat", "SanitizeBoundingBoxes", "SanitizeKeyPoints", "SetClampingMode",
]  # fmt: skip


class ConvertBoundingBoxFormat(Transform):
    """Bring boxes to another format.

    >>> ConvertBoundingBoxFormat("XYWH")(BoundingBoxes([1, 2, 3, 4], format="XYXY", canvas_size=(8, 8))).tolist()
    [[1, 2, 2, 2]]
    """

    _transformed_types = (BoundingBoxes,)

    def __init__(self, format: str | BoundingBoxFormat) -> None:
        super().__init__()
        self.format = format

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.convert_bounding_box_format(inpt, new_format=self.format)


class ClampBoundingBoxes(Transform):
    """Cut boxes at the edge of their canvas; "auto" as their ``clamping_mode`` says.

    >>> ClampBoundingBoxes()(BoundingBoxes([1, 2, 9, 9], format="XYXY", canvas_size=(4, 8))).tolist()
    [[1, 2, 8, 4]]
    """

    _transformed_types = (BoundingBoxes,)

    def __init__(self, clamping_mode: str | None = "auto") -> None:
        super().__init__()
        self.clamping_mode = clamping_mode

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.clamp_bounding_boxes(inpt, clamping_mode=self.clamping_mode)


class ClampKeyPoints(Transform):
    """Move key points outside of their canvas to its nearest pixel.

    >>> ClampKeyPoints()(KeyPoints([[9, 1]], canvas_size=(4, 8))).tolist()
    [[7, 1]]
    """

    _transformed_types = (KeyPoints,)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.clamp_keypoints(inpt)


class SetClampingMode(Transform):
    """Say what later transforms do to boxes that reach over the edge: "soft", "hard" or None.

    >>> SetClampingMode(None)(BoundingBoxes([1, 2, 9, 9], format="XYXY", canvas_size=(4, 8))).clamping_mode
    """

    _transformed_types = (BoundingBoxes,)

    def __init__(self, clamping_mode: str | None) -> None:
        super().__init__()
        if clamping_mode not in (None, "soft", "hard"):
            raise ValueRangeError("SetClampingMode", f"clamping_mode is {clamping_mode!r}", "expected 'soft', 'hard' or None")
        self.clamping_mode = clamping_mode

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return wrap(inpt.clone(), like=inpt, clamping_mode=self.clamping_mode)


class _Sanitizing(Transform):
    """The base of those that leave out boxes or points, and their labels."""

    _kinds: tuple[type, ...] = ()

    def __init__(self, labels_getter: Any, **first: float) -> None:
        super().__init__()
        vars(self).update(first)  # in the order in which they print
        self.labels_getter = labels_getter
        self._labels_getter = getter_of_labels(type(self).__name__, labels_getter)

    def _valid(self, flat: list[Any]) -> Tensor:
        raise NotImplementedError

    def forward(self, *inputs: Any) -> Any:
        sample = inputs if len(inputs) > 1 else inputs[0]
        labels = self._labels_getter(sample)
        flat, rebuild = flatten(sample)
        valid = self._valid(flat)
        params = {"valid": valid, "labels": labels_beside(type(self).__name__, labels, len(valid))}
        return rebuild([self.transform(value, params) for value in flat])

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        valid = params["valid"]
        if any(inpt is label for label in params["labels"]):
            return inpt[valid]
        if not isinstance(inpt, self._kinds) or len(inpt) != len(valid):  # a mask of another kind passes
            return inpt
        return wrap(inpt.as_subclass(Tensor)[valid], like=inpt)


class SanitizeBoundingBoxes(_Sanitizing):
    """Leave out boxes that are too small or reach over the edge, with their labels and masks ``(N, H, W)``.

    ``labels_getter`` finds what goes with the boxes: by default the entry "labels" of the sample; a function may return several
    tensors; None is for boxes alone. Needed after ``RandomIoUCrop``, best at the end of a pipeline.

    >>> boxes = BoundingBoxes([[1, 2, 3, 4], [1, 2, 1, 4]], format="XYXY", canvas_size=(8, 8))
    >>> SanitizeBoundingBoxes(labels_getter=None)(boxes).tolist()
    [[1, 2, 3, 4]]
    """

    _kinds = (BoundingBoxes, Mask)
    min_size: float
    min_area: float

    def __init__(self, min_size: float = 1.0, min_area: float = 1.0, labels_getter: Any = "default") -> None:
        for name, value in (("min_size", min_size), ("min_area", min_area)):
            if value < 1:
                raise ValueRangeError("SanitizeBoundingBoxes", f"{name} is {value}", "expected 1 or more")
        super().__init__(labels_getter, min_size=min_size, min_area=min_area)

    def _valid(self, flat: list[Any]) -> Tensor:
        boxes = get_bounding_boxes(flat)
        return valid_boxes(boxes.as_subclass(Tensor), boxes.format, boxes.canvas_size, self.min_size, self.min_area)


class SanitizeKeyPoints(_Sanitizing):
    """Leave out key points, or whole groups of them, outside of the canvas, with what ``labels_getter`` finds (default: nothing).

    >>> SanitizeKeyPoints()(KeyPoints([[1, 2], [9, 2]], canvas_size=(8, 8))).tolist()
    [[1, 2]]
    """

    _kinds = (KeyPoints,)

    def __init__(self, labels_getter: Any = None) -> None:
        super().__init__(labels_getter)

    def _valid(self, flat: list[Any]) -> Tensor:
        points = get_keypoints(flat)
        return valid_keypoints(points.as_subclass(Tensor), points.canvas_size)
