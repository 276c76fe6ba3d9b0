"""Pictures of tensors, by the names of torchvision's ``utils``: grids, files, and what is drawn into images."""

from __future__ import annotations

from .drawing import draw_bounding_boxes, draw_keypoints, draw_segmentation_masks
from .flow import flow_to_image
from .grids import make_grid, save_image

__all__ = ["draw_bounding_boxes", "draw_keypoints", "draw_segmentation_masks", "flow_to_image", "make_grid", "save_image"]
