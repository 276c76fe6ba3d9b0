"""What torchvision's weights expect their images to be prepared with."""

from __future__ import annotations

from PIL import Image

import dovetail
from dovetail import Tensor, nn

from . import functional as F
from ._interpolation import InterpolationMode, interpolation_mode

__all__ = ["GreyClassification", "ImageClassification", "ObjectDetection", "SemanticSegmentation"]


class ImageClassification(nn.Module):
    """Resize the smaller edge, cut out the middle, scale to 0..1 and normalize: a PIL image or a tensor ``(…, C, H, W)`` to float32.

    >>> ImageClassification(crop_size=4, resize_size=6)(Image.new("RGB", (9, 12))).shape
    dovetail.Size([3, 4, 4])
    """

    def __init__(
        self,
        *,
        crop_size: int,
        resize_size: int = 256,
        mean: tuple[float, ...] = (0.485, 0.456, 0.406),
        std: tuple[float, ...] = (0.229, 0.224, 0.225),
        interpolation: InterpolationMode = InterpolationMode.BILINEAR,
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        self.crop_size, self.resize_size = [crop_size], [resize_size]
        self.mean, self.std = list(mean), list(std)
        self.interpolation, self.antialias = interpolation_mode("ImageClassification", interpolation, names=True), antialias

    def forward(self, img: Image.Image | Tensor) -> Tensor:
        img = F.resize(img, self.resize_size, interpolation=self.interpolation, antialias=self.antialias)
        img = F.center_crop(img, self.crop_size)
        tensor = img if isinstance(img, Tensor) else F.pil_to_tensor(img)
        return F.normalize(F.convert_image_dtype(tensor, dovetail.float32), mean=self.mean, std=self.std)

    def __repr__(self) -> str:
        names = ("crop_size", "resize_size", "mean", "std", "interpolation")
        return f"{type(self).__name__}(" + "".join(f"\n    {name}={getattr(self, name)}" for name in names) + "\n)"

    def describe(self) -> str:
        """Say in words what is done."""
        return (
            "Accepts PIL images, and tensors (C, H, W) and (B, C, H, W). The smaller edge is resized to "
            f"resize_size={self.resize_size} with interpolation={self.interpolation}, and the middle of crop_size={self.crop_size} is cut "
            f"out. The values are scaled to [0.0, 1.0] and normalized with mean={self.mean} and std={self.std}."
        )


class SemanticSegmentation(nn.Module):
    """Resize the smaller edge (unless ``resize_size`` is None), scale to 0..1 and normalize: an image or ``(…, C, H, W)`` to float32.

    >>> SemanticSegmentation(resize_size=6)(Image.new("RGB", (9, 12))).shape
    dovetail.Size([3, 8, 6])
    """

    def __init__(
        self,
        *,
        resize_size: int | None,
        mean: tuple[float, ...] = (0.485, 0.456, 0.406),
        std: tuple[float, ...] = (0.229, 0.224, 0.225),
        interpolation: InterpolationMode = InterpolationMode.BILINEAR,
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        self.resize_size = None if resize_size is None else [resize_size]
        self.mean, self.std = list(mean), list(std)
        self.interpolation, self.antialias = interpolation_mode("SemanticSegmentation", interpolation, names=True), antialias

    def forward(self, img: Image.Image | Tensor) -> Tensor:
        if self.resize_size is not None:
            img = F.resize(img, self.resize_size, interpolation=self.interpolation, antialias=self.antialias)
        tensor = img if isinstance(img, Tensor) else F.pil_to_tensor(img)
        return F.normalize(F.convert_image_dtype(tensor, dovetail.float32), mean=self.mean, std=self.std)

    def __repr__(self) -> str:
        names = ("resize_size", "mean", "std", "interpolation")
        return f"{type(self).__name__}(" + "".join(f"\n    {name}={getattr(self, name)}" for name in names) + "\n)"

    def describe(self) -> str:
        """Say in words what is done."""
        return (
            "Accepts PIL images, and tensors (C, H, W) and (B, C, H, W). The smaller edge is resized to "
            f"resize_size={self.resize_size} with interpolation={self.interpolation}. The values are scaled to [0.0, 1.0] and normalized "
            f"with mean={self.mean} and std={self.std}."
        )


class ObjectDetection(nn.Module):
    """Scale to 0..1: a PIL image or a tensor ``(…, C, H, W)`` to float32; detectors resize and normalize by themselves.

    >>> ObjectDetection()(Image.new("RGB", (9, 12))).shape
    dovetail.Size([3, 12, 9])
    """

    def forward(self, img: Image.Image | Tensor) -> Tensor:
        return F.convert_image_dtype(img if isinstance(img, Tensor) else F.pil_to_tensor(img), dovetail.float32)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def describe(self) -> str:
        """Say in words what is done."""
        return "Accepts PIL images, and tensors (C, H, W) and (B, C, H, W). The values are scaled to [0.0, 1.0]."


class GreyClassification(nn.Module):
    """Grey, resized to ``(size, size)``, scaled to 0..1 and normalized: a PIL image or a tensor ``(…, C, H, W)`` to float32.

    >>> GreyClassification(size=8)(Image.new("RGB", (9, 12))).shape
    dovetail.Size([1, 8, 8])
    """

    def __init__(self, *, size: int, mean: float = 0.0, std: float = 1.0) -> None:
        super().__init__()
        self.size, self.mean, self.std = size, mean, std

    def forward(self, img: Image.Image | Tensor) -> Tensor:
        grey = F.resize(F.rgb_to_grayscale(img), [self.size, self.size], antialias=True)
        tensor = grey if isinstance(grey, Tensor) else F.pil_to_tensor(grey)
        return F.normalize(F.convert_image_dtype(tensor, dovetail.float32), mean=[self.mean], std=[self.std])
