"""Datasets of images."""

from __future__ import annotations

from .digits import Digits
from .vision import StandardTransform, VisionDataset

__all__ = ["Digits", "StandardTransform", "VisionDataset"]
