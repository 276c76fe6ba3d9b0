"""Pictures of tensors, by the names of torchvision's ``utils``: grids, files, and what is drawn into images."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import repeat
from typing import Any

from .drawing import draw_bounding_boxes, draw_keypoints, draw_segmentation_masks
from .flow import flow_to_image
from .grids import make_grid, save_image

__all__ = ["draw_bounding_boxes", "draw_keypoints", "draw_segmentation_masks", "flow_to_image", "make_grid", "save_image"]


def _log_api_usage_once(obj: Any) -> None:
    """Nothing: what programs use is nobody else's to know. Programs that copy torchvision's layers call it."""


def _make_ntuple(x: Any, n: int) -> tuple[Any, ...]:
    """What is given, as a tuple; a single value ``n`` times."""
    return tuple(x) if isinstance(x, Iterable) else tuple(repeat(x, n))
