"""Transforms of PIL images and tensors, by torchvision's names; random ones draw from ``dovetail.manual_seed``'s stream."""

from __future__ import annotations

from ._interpolation import InterpolationMode
from .convert import Compose, Lambda, Normalize, ToTensor
from .geometry import RandomAffine, RandomCrop, Resize

__all__ = ["Compose", "InterpolationMode", "Lambda", "Normalize", "RandomAffine", "RandomCrop", "Resize", "ToTensor"]
