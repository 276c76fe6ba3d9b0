"""Bounding boxes and key points, which know the size of their image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, Self

from dovetail import Tensor
from dovetail.errors import ValueRangeError

from ._base import TVTensor, first_of

__all__ = ["BoundingBoxFormat", "BoundingBoxes", "KeyPoints", "box_format", "is_rotated_bounding_format"]


class BoundingBoxFormat(Enum):
    """What the numbers of a box are: corners, or a corner or the centre with width and height; R is an angle in degrees.

    ``XYXYXYXY`` are the corners of a turned box: upper left, upper right, lower right, lower left.

    >>> BoundingBoxFormat["XYWH"].value
    'XYWH'
    """

    XYXY = "XYXY"
    XYWH = "XYWH"
    CXCYWH = "CXCYWH"
    XYWHR = "XYWHR"
    CXCYWHR = "CXCYWHR"
    XYXYXYXY = "XYXYXYXY"


def box_format(value: BoundingBoxFormat | str) -> BoundingBoxFormat:
    """The format for itself or for its name in any case. Raises a ValueRangeError (ValueError, KeyError) for another name."""
    if isinstance(value, BoundingBoxFormat):
        return value
    if not isinstance(value, str) or value.upper() not in BoundingBoxFormat.__members__:
        raise UnknownFormat("bounding boxes", f"format is {value!r}", f"expected one of {', '.join(BoundingBoxFormat.__members__)}")
    return BoundingBoxFormat[value.upper()]


class UnknownFormat(ValueRangeError, KeyError):
    """Raised where torchvision raises a KeyError for the name of a format."""

    __str__ = Exception.__str__


def is_rotated_bounding_format(format: BoundingBoxFormat | str) -> bool:
    """Whether boxes of this format may be turned.

    >>> is_rotated_bounding_format("CXCYWHR")
    True
    """
    if not isinstance(format, (BoundingBoxFormat, str)):
        what = f"format is {type(format).__name__}"
        raise ValueRangeError("is_rotated_bounding_format", what, "expected a BoundingBoxFormat or its name")
    return (format.value if isinstance(format, BoundingBoxFormat) else format) in ("XYWHR", "CXCYWHR", "XYXYXYXY")


class BoundingBoxes(TVTensor):
    """Boxes ``(N, 4)``, or ``(N, 5)`` and ``(N, 8)`` where they may be turned, in an image of ``canvas_size`` ``(H, W)``.

    ``clamping_mode`` says what transforms do to a box that reaches over the edge: "soft" keeps a turned box as large as what is
    visible needs, "hard" cuts it to the inside, None leaves it. Upright boxes are cut by both.

    >>> BoundingBoxes([1, 2, 3, 4], format="XYXY", canvas_size=(8, 8))
    BoundingBoxes([[1, 2, 3, 4]], format=BoundingBoxFormat.XYXY, canvas_size=(8, 8), clamping_mode=soft)
    """

    format: BoundingBoxFormat
    canvas_size: tuple[int, int]
    clamping_mode: str | None

    def __new__(
        cls,
        data: Any,
        *,
        format: BoundingBoxFormat | str,
        canvas_size: tuple[int, int],
        clamping_mode: str | None = "soft",
        dtype: Any = None,
        device: Any = None,
        requires_grad: bool | None = None,
    ) -> Self:
        tensor = cls._to_tensor(data, dtype, device, requires_grad)
        if is_rotated_bounding_format(format) and not tensor.is_floating_point():
            raise ValueRangeError("BoundingBoxes", f"format is {format} and data is {tensor.dtype}", "expected floats for turned boxes")
        return cls._wrap(tensor, format=format, canvas_size=canvas_size, clamping_mode=clamping_mode)

    @classmethod
    def _wrap(
        cls,
        tensor: Tensor,
        *,
        format: BoundingBoxFormat | str,
        canvas_size: tuple[int, int],
        clamping_mode: str | None = "soft",
        check_dims: bool = True,
    ) -> Self:
        if check_dims and tensor.ndim not in (1, 2):
            raise ValueRangeError("BoundingBoxes", f"data has {tensor.ndim} dimensions", "expected one box, or (N, 4), (N, 5) or (N, 8)")
        if clamping_mode not in (None, "hard", "soft"):
            raise ValueRangeError("BoundingBoxes", f"clamping_mode is {clamping_mode!r}", "expected 'soft', 'hard' or None")
        boxes = (tensor.unsqueeze(0) if check_dims and tensor.ndim == 1 else tensor).as_subclass(cls)
        boxes.format, boxes.canvas_size, boxes.clamping_mode = box_format(format), canvas_size, clamping_mode
        return boxes

    @classmethod
    def wrap(cls, tensor: Tensor, like: Any, **kwargs: Any) -> Self:
        """A tensor as boxes, with the format, canvas size and clamping mode of ``like`` where ``kwargs`` do not name others."""
        names = ("format", "canvas_size", "clamping_mode")
        return cls._wrap(tensor, **{name: kwargs.get(name, getattr(like, name)) for name in names})

    @classmethod
    def _wrap_output(cls, output: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None) -> Any:
        like = first_of(BoundingBoxes, (*args, *(kwargs or {}).values()))
        if isinstance(output, (tuple, list)):
            return type(output)(cls._wrap_output(part, args, kwargs) for part in output)
        if not isinstance(output, Tensor) or isinstance(output, BoundingBoxes):
            return output
        known = {"format": like.format, "canvas_size": like.canvas_size, "clamping_mode": like.clamping_mode}
        return cls._wrap(output, **known, check_dims=False)

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        return self._make_repr(format=self.format, canvas_size=self.canvas_size, clamping_mode=self.clamping_mode)


class KeyPoints(TVTensor):
    """Points ``(..., 2)``, x and y, in an image of ``canvas_size`` ``(H, W)``: single ones, polygons, skeletons.

    >>> KeyPoints([[1, 2], [3, 4]], canvas_size=(8, 8)).shape
    dovetail.Size([2, 2])
    """

    canvas_size: tuple[int, int]

    def __new__(
        cls, data: Any, *, canvas_size: tuple[int, int], dtype: Any = None, device: Any = None, requires_grad: bool | None = None
    ) -> Self:
        return cls._wrap(cls._to_tensor(data, dtype, device, requires_grad), canvas_size=canvas_size)

    @classmethod
    def _wrap(cls, tensor: Tensor, *, canvas_size: tuple[int, int], check_dims: bool = True) -> Self:
        if check_dims and tensor.ndim != 1 and (tensor.ndim == 0 or tensor.shape[-1] != 2):
            raise ValueRangeError("KeyPoints", f"data has shape {tuple(tensor.shape)}", "expected (..., 2)")
        points = (tensor.unsqueeze(0) if check_dims and tensor.ndim == 1 else tensor).as_subclass(cls)
        points.canvas_size = canvas_size
        return points

    @classmethod
    def wrap(cls, tensor: Tensor, like: Any, **kwargs: Any) -> Self:
        """A tensor as points, with the canvas size of ``like`` where ``kwargs`` do not name another."""
        return cls._wrap(tensor, canvas_size=kwargs.get("canvas_size", like.canvas_size))

    @classmethod
    def _wrap_output(cls, output: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None) -> Any:
        like = first_of(KeyPoints, (*args, *(kwargs or {}).values()))
        if isinstance(output, (tuple, list)):
            return type(output)(cls._wrap_output(part, args, kwargs) for part in output)
        if not isinstance(output, Tensor) or isinstance(output, KeyPoints):
            return output
        return cls._wrap(output, canvas_size=like.canvas_size, check_dims=False)

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        return self._make_repr(canvas_size=self.canvas_size)
