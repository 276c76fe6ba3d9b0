"""What happens to images and targets before a detector and to its results after it: scale, size, one tensor, and back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import dovetail
from dovetail import Tensor, nn
from dovetail.errors import TypeMismatch, ValueRangeError
from dovetail.nn import functional as F

from ._masks import paste_masks_in_image
from .image_list import ImageList

__all__ = ["GeneralizedRCNNTransform", "resize_boxes", "resize_keypoints"]

Target = dict[str, Tensor]


class GeneralizedRCNNTransform(nn.Module):
    """Normalize images, resize them, and their boxes, masks and key points with them, and put them into one `ImageList`.

    The smaller edge becomes ``min_size`` (while training one of several, at random; else the last of them), the larger one at most
    ``max_size``; or all images become ``fixed_size``, width and height. Height and width are padded to multiples of
    ``size_divisible``. Images are float tensors (C, H, W); a ValueError or TypeError for others.

    >>> prepare = GeneralizedRCNNTransform(20, 100, [0.5] * 3, [0.5] * 3)
    >>> images, targets = prepare([dovetail.ones(3, 10, 16)], [{"boxes": dovetail.tensor([[1., 2, 5, 6]])}])
    >>> images.image_sizes, tuple(images.tensors.shape), targets[0]["boxes"]
    ([(20, 32)], (1, 3, 32, 32), tensor([[ 2.,  4., 10., 12.]]))
    """

    def __init__(
        self,
        min_size: int | Sequence[int],
        max_size: int,
        image_mean: list[float],
        image_std: list[float],
        size_divisible: int = 32,
        fixed_size: tuple[int, int] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        self.min_size = min_size if isinstance(min_size, list | tuple) else (min_size,)
        self.max_size = max_size
        self.image_mean = image_mean
        self.image_std = image_std
        self.size_divisible = size_divisible
        self.fixed_size = fixed_size
        self._skip_resize = kwargs.pop("_skip_resize", False)

    def forward(self, images: Sequence[Tensor], targets: Sequence[Target] | None = None) -> tuple[ImageList, list[Target] | None]:
        copies = [None] * len(images) if targets is None else [dict(target) for target in targets]
        done = []
        for image, target in zip(images, copies, strict=True):
            if image.ndim != 3:
                expected = "images is expected to be a list of 3d tensors of shape [C, H, W]"
                raise ValueRangeError(type(self).__name__, f"an image has shape {tuple(image.shape)}", expected)
            done.append(self.resize(self.normalize(image), target)[0])
        sizes = [(image.shape[-2], image.shape[-1]) for image in done]
        return ImageList(self.batch_images(done, self.size_divisible), sizes), None if targets is None else copies

    def normalize(self, image: Tensor) -> Tensor:
        """Take ``image_mean`` off and divide by ``image_std``."""
        if not image.is_floating_point():
            what = f"Expected input images to be of floating type (in range [0, 1]), but found type {image.dtype}"
            raise TypeMismatch(type(self).__name__, what, "", "divide by 255")
        mean, std = (dovetail.tensor(v, dtype=image.dtype, device=image.device)[:, None, None] for v in (self.image_mean, self.image_std))
        return (image - mean) / std

    def torch_choice(self, k: Sequence[int]) -> int:
        """One of several, at random."""
        return k[int(dovetail.empty(1).uniform_(0.0, float(len(k))).item())]

    def resize(self, image: Tensor, target: Target | None = None) -> tuple[Tensor, Target | None]:
        """The image in its new size, and its target, changed in place."""
        before = image.shape[-2:]
        if self.training and self._skip_resize:
            return image, target
        smaller = self.torch_choice(self.min_size) if self.training else self.min_size[-1]
        how: dict[str, Any] = {"scale_factor": min(smaller / min(before), self.max_size / max(before)), "recompute_scale_factor": True}
        if self.fixed_size is not None:
            how = {"size": (self.fixed_size[1], self.fixed_size[0])}
        image = F.interpolate(image[None], mode="bilinear", align_corners=False, **how)[0]
        if target is None:
            return image, target
        if "masks" in target:
            target["masks"] = F.interpolate(target["masks"][:, None].float(), **how)[:, 0].byte()
        target["boxes"] = resize_boxes(target["boxes"], before, image.shape[-2:])
        if "keypoints" in target:
            target["keypoints"] = resize_keypoints(target["keypoints"], before, image.shape[-2:])
        return image, target

    def max_by_axis(self, the_list: Sequence[Sequence[int]]) -> list[int]:
        """The largest of several sizes, side by side."""
        return [max(sides) for sides in zip(*the_list, strict=True)]

    def batch_images(self, images: list[Tensor], size_divisible: int = 32) -> Tensor:
        """The images in one tensor, zeros behind and below the smaller ones."""
        largest = self.max_by_axis([list(image.shape) for image in images])
        height, width = (math.ceil(side / size_divisible) * size_divisible for side in largest[1:])
        return dovetail.stack([F.pad(image, (0, width - image.shape[2], 0, height - image.shape[1])) for image in images])

    def postprocess(
        self, result: list[Target], image_shapes: Sequence[Sequence[int]], original_image_sizes: Sequence[Sequence[int]]
    ) -> list[Target]:
        """Bring results back to the sizes that the images had; masks become probabilities (N, 1, H, W) of the whole image's pixels."""
        if self.training:
            return result
        for one, size, original in zip(result, image_shapes, original_image_sizes, strict=True):
            one["boxes"] = resize_boxes(one["boxes"], size, original)
            if "masks" in one:
                one["masks"] = paste_masks_in_image(one["masks"], one["boxes"], original)
            if "keypoints" in one:
                one["keypoints"] = resize_keypoints(one["keypoints"], size, original)
        return result

    def __repr__(self) -> str:
        lines = (f"Normalize(mean={self.image_mean}, std={self.image_std})",
                 f"Resize(min_size={self.min_size}, max_size={self.max_size}, mode='bilinear')")  # fmt: skip
        return f"{type(self).__name__}(\n    " + "\n    ".join(lines) + "\n)"


def _ratios(original_size: Sequence[int], new_size: Sequence[int], like: Tensor) -> Tensor:
    """How much wider and higher, (2,), computed in float32."""
    new, old = (dovetail.tensor([size[1], size[0]], dtype=dovetail.float32) for size in (new_size, original_size))
    return (new / old).to(device=like.device, dtype=like.dtype if like.is_floating_point() else None)


def resize_keypoints(keypoints: Tensor, original_size: Sequence[int], new_size: Sequence[int]) -> Tensor:
    """Key points (N, K, 3) of an image of one size (height, width) in that of another.

    >>> resize_keypoints(dovetail.tensor([[[4., 6., 1.]]]), (10, 10), (20, 5))
    tensor([[[ 2., 12.,  1.]]])
    """
    ratios = _ratios(original_size, new_size, keypoints)
    return dovetail.cat((keypoints[..., :2] * ratios, keypoints[..., 2:]), -1)


def resize_boxes(boxes: Tensor, original_size: Sequence[int], new_size: Sequence[int]) -> Tensor:
    """Boxes (N, 4), xyxy, of an image of one size (height, width) in that of another.

    >>> resize_boxes(dovetail.tensor([[2., 2, 4, 6]]), (10, 10), (20, 5))
    tensor([[ 1.,  4.,  2., 12.]])
    """
    return boxes * _ratios(original_size, new_size, boxes).repeat(2)
