"""Transforms of whole samples, by torchvision's names: images, videos, masks, boxes and key points together.

Random ones draw once a sample.

They draw the same numbers as torchvision's after the same ``manual_seed``.
"""

from __future__ import annotations

from .._interpolation import InterpolationMode
from .._policies import AutoAugmentPolicy
from . import _utils, functional
from ._base import Transform, check_type, get_bounding_boxes, get_keypoints, has_all, has_any, query_chw, query_size
from .auto import AugMix, AutoAugment, RandAugment, TrivialAugmentWide
from .boxes import ClampBoundingBoxes, ClampKeyPoints, ConvertBoundingBoxFormat, SanitizeBoundingBoxes, SanitizeKeyPoints, SetClampingMode
from .color import (
    RGB,
    ColorJitter,
    GaussianBlur,
    Grayscale,
    RandomAdjustSharpness,
    RandomAutocontrast,
    RandomChannelPermutation,
    RandomEqualize,
    RandomGrayscale,
    RandomInvert,
    RandomPhotometricDistort,
    RandomPosterize,
    RandomSolarize,
)
from .container import Compose, RandomApply, RandomChoice, RandomOrder
from .convert import (
    JPEG,
    ConvertImageDtype,
    GaussianNoise,
    Identity,
    Lambda,
    LinearTransformation,
    Normalize,
    PILToTensor,
    ToDtype,
    ToImage,
    ToPILImage,
    ToPureTensor,
    ToTensor,
    UniformTemporalSubsample,
)
from .crops import CenterCrop, FiveCrop, Pad, RandomCrop, RandomResizedCrop, Resize, TenCrop
from .detection import RandomIoUCrop, RandomZoomOut
from .mix import CutMix, MixUp, RandomErasing
from .moves import ElasticTransform, RandomAffine, RandomHorizontalFlip, RandomPerspective, RandomRotation, RandomVerticalFlip
from .sizes import RandomResize, RandomShortestSize, ScaleJitter

__all__ = [
    "AugMix", "AutoAugment", "AutoAugmentPolicy", "CenterCrop", "ClampBoundingBoxes", "ClampKeyPoints", "ColorJitter", "Compose",
    "ConvertBoundingBoxFormat", "ConvertImageDtype", "CutMix", "ElasticTransform", "FiveCrop", "GaussianBlur", "GaussianNoise",
    "Grayscale", "Identity", "InterpolationMode", "JPEG", "Lambda", "LinearTransformation", "MixUp", "Normalize", "PILToTensor", "Pad",
    "RGB", "RandAugment", "RandomAdjustSharpness", "RandomAffine", "RandomApply", "RandomAutocontrast", "RandomChannelPermutation",
    "RandomChoice", "RandomCrop", "RandomEqualize", "RandomErasing", "RandomGrayscale", "RandomHorizontalFlip", "RandomInvert",
    "RandomIoUCrop", "RandomOrder", "RandomPerspective", "RandomPhotometricDistort", "RandomPosterize", "RandomResize",
    "RandomResizedCrop", "RandomRotation", "RandomShortestSize", "RandomSolarize", "RandomVerticalFlip", "RandomZoomOut", "Resize",
    "SanitizeBoundingBoxes", "SanitizeKeyPoints", "ScaleJitter", "SetClampingMode", "TenCrop", "ToDtype", "ToImage", "ToPILImage",
    "ToPureTensor", "ToTensor", "Transform", "TrivialAugmentWide", "UniformTemporalSubsample", "check_type", "functional",
    "get_bounding_boxes", "get_keypoints", "has_all", "has_any", "query_chw", "query_size",
]  # fmt: skip
