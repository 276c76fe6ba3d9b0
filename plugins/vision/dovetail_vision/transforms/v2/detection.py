"""Transforms of detection's training: crops that keep boxes, and images on a larger canvas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PIL import Image

import dovetail
from dovetail import Tensor
from dovetail.errors import TypeMismatch, ValueRangeError

from ... import tv_tensors
from .._checks import FillFor, sequence
from ._base import RandomApplied, Transform, get_bounding_boxes, has_any, query_size
from .functional import is_pure_tensor
from .functional._boxes import XYXY, converted

__all__ = ["RandomIoUCrop", "RandomZoomOut"]


class RandomZoomOut(RandomApplied):
    """Put the image at a random place of a canvas larger by a factor from ``side_range``, with probability ``p``.

    What is around it is ``fill``: a number, one a channel, or a dict by type. Source: SSD, https://arxiv.org/abs/1512.02325.

    >>> RandomZoomOut(side_range=(2.0, 2.0), p=1.0)(dovetail.ones(1, 2, 3)).shape
    dovetail.Size([1, 4, 6])
    """

    def __init__(self, fill: Any = 0, side_range: Sequence[float] = (1.0, 4.0), p: float = 0.5) -> None:
        super().__init__(p)
        self.fill = fill
        self._fill = FillFor("RandomZoomOut", fill)
        sequence("RandomZoomOut", "side_range", side_range, (2,))
        if not 1.0 <= side_range[0] <= side_range[1]:
            raise ValueRangeError("RandomZoomOut", f"side_range is {side_range!r}", "expected an increasing range from 1 on")
        self.side_range = side_range

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        height, width = query_size(flat_inputs)
        factor = self.side_range[0] + dovetail.rand(1) * (self.side_range[1] - self.side_range[0])
        new_width, new_height = int(width * factor), int(height * factor)
        place = dovetail.rand(2)
        left, top = int((new_width - width) * place[0]), int((new_height - height) * place[1])
        return {"padding": [left, top, new_width - left - width, new_height - top - height]}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(self._functional.pad, inpt, params["padding"], fill=self._fill(inpt))


class RandomIoUCrop(Transform):
    """Cut out a part whose overlap with some box is at least a drawn one of ``sampler_options``; 1 or more leaves the sample.

    ``scale`` and ``aspect_ratio`` bound the part, ``trials`` how often an option is tried. Boxes with their centre outside become
    0, to be left out by ``SanitizeBoundingBoxes``. Source: SSD, https://arxiv.org/abs/1512.02325.

    >>> boxes = tv_tensors.BoundingBoxes([[1, 2, 3, 4]], format="XYXY", canvas_size=(8, 8))
    >>> image, boxes = RandomIoUCrop(sampler_options=[1.0])(dovetail.ones(1, 8, 8), boxes)
    >>> image.shape, boxes.tolist()
    (dovetail.Size([1, 8, 8]), [[1, 2, 3, 4]])
    """

    def __init__(
        self,
        min_scale: float = 0.3,
        max_scale: float = 1.0,
        min_aspect_ratio: float = 0.5,
        max_aspect_ratio: float = 2.0,
        sampler_options: list[float] | None = None,
        trials: int = 40,
    ) -> None:
        super().__init__()
        self.min_scale = min_scale
        self.max_scale = max_scale
        self.min_aspect_ratio = min_aspect_ratio
        self.max_aspect_ratio = max_aspect_ratio
        self.options = [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0] if sampler_options is None else sampler_options
        self.trials = trials

    def check_inputs(self, flat_inputs: list[Any]) -> None:
        image = has_any(flat_inputs, Image.Image, tv_tensors.Image, is_pure_tensor)
        if not image or not has_any(flat_inputs, tv_tensors.BoundingBoxes):
            raise TypeMismatch("RandomIoUCrop", "the sample has no image or no boxes", "expected an image and tv_tensors.BoundingBoxes")

    def _drawn(self, height: int, width: int) -> tuple[int, int, int, int] | None:
        """A part ``(left, top, right, bottom)``, or None for one of a wrong shape."""
        sides = self.min_scale + (self.max_scale - self.min_scale) * dovetail.rand(2)
        across, down = int(width * sides[0]), int(height * sides[1])
        if not self.min_aspect_ratio <= across / down <= self.max_aspect_ratio:
            return None
        place = dovetail.rand(2)
        left, top = int((width - across) * place[0]), int((height - down) * place[1])
        return (left, top, left + across, top + down) if across and down else None

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        height, width = query_size(flat_inputs)
        given = get_bounding_boxes(flat_inputs)
        boxes = converted(given.as_subclass(Tensor), given.format, XYXY)
        while True:
            least = self.options[int(dovetail.randint(0, len(self.options), (1,)))]
            if least >= 1.0:
                return {}
            for _ in range(self.trials):
                part = self._drawn(height, width)
                kept = None if part is None else self._kept(boxes, part, least)
                if kept is not None:
                    left, top, right, bottom = part  # type: ignore[misc]
                    return {"box": (top, left, bottom - top, right - left), "kept": kept}

    @staticmethod
    def _kept(boxes: Tensor, part: tuple[int, int, int, int], least: float) -> Tensor | None:
        """Which boxes have their centre inside; None where there is none, or none that overlaps enough."""
        left, top, right, bottom = part
        x, y = 0.5 * (boxes[..., 0] + boxes[..., 2]), 0.5 * (boxes[..., 1] + boxes[..., 3])
        kept = (left < x) & (x < right) & (top < y) & (y < bottom)
        if not kept.any():
            return None
        inside = boxes[kept]
        limits = dovetail.tensor(part, dtype=boxes.dtype, device=boxes.device)
        sides = (inside[:, 2:].minimum(limits[2:]) - inside[:, :2].maximum(limits[:2])).clamp(min=0)
        common = sides[:, 0] * sides[:, 1]
        areas = (inside[:, 2] - inside[:, 0]) * (inside[:, 3] - inside[:, 1]) + (right - left) * (bottom - top)
        return kept if (common / (areas - common)).max() >= least else None

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        if not params:
            return inpt
        out = self._call_kernel(self._functional.crop, inpt, *params["box"])
        if isinstance(out, tv_tensors.BoundingBoxes):
            out[~params["kept"]] = 0
        return out
