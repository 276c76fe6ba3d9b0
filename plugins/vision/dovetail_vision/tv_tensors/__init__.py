"""Tensors that say what they are to the transforms: images, videos, masks, boxes and key points, by torchvision's names.

Operations on them give plain tensors, except ``clone``, ``to``, ``detach``, ``requires_grad_``, ``pin_memory`` and copies; see
:func:`set_return_type`.
"""

from __future__ import annotations

from ._base import TVTensor, set_return_type, wrap
from ._boxes import BoundingBoxes, BoundingBoxFormat, KeyPoints, is_rotated_bounding_format
from ._images import Image, Mask, Video

__all__ = [
    "BoundingBoxFormat", "BoundingBoxes", "Image", "KeyPoints", "Mask", "TVTensor", "Video", "is_rotated_bounding_format",
    "set_return_type", "wrap",
]  # fmt: skip
