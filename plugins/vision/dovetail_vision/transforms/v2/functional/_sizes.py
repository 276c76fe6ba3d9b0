"""How large the parts of a sample are, of every kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PIL import Image

from dovetail import Tensor
from dovetail.errors import TypeMismatch

from ....tv_tensors import BoundingBoxes, KeyPoints, Mask, Video
from ....tv_tensors import Image as TVImage
from ...functional import meta
from ._kernels import REGISTRY, kernel_for

__all__ = [
    "get_dimensions", "get_dimensions_image", "get_dimensions_video", "get_image_num_channels", "get_num_channels",
    "get_num_channels_image", "get_num_channels_video", "get_num_frames", "get_num_frames_video", "get_size", "get_size_bounding_boxes",
    "get_size_image", "get_size_keypoints", "get_size_mask", "get_size_video",
]  # fmt: skip

Kinds = dict[type, Callable[..., Any]]


def get_dimensions_image(image: Tensor) -> list[int]:
    """``[channels, height, width]`` of a tensor that holds an image."""
    return meta.get_dimensions(image)


def get_dimensions_video(video: Tensor) -> list[int]:
    """``[channels, height, width]`` of a tensor that holds a video."""
    return meta.get_dimensions(video)


def get_num_channels_image(image: Tensor) -> int:
    """The number of channels of a tensor that holds an image."""
    return meta.get_dimensions(image)[0]


def get_num_channels_video(video: Tensor) -> int:
    """The number of channels of a tensor that holds a video."""
    return meta.get_dimensions(video)[0]


def get_size_image(image: Tensor) -> list[int]:
    """``[height, width]`` of a tensor that holds an image."""
    return meta.get_dimensions(image)[1:]


def get_size_video(video: Tensor) -> list[int]:
    """``[height, width]`` of a tensor that holds a video."""
    return meta.get_dimensions(video)[1:]


def get_size_mask(mask: Tensor) -> list[int]:
    """``[height, width]`` of a tensor that holds a mask."""
    return meta.get_dimensions(mask)[1:]


def get_size_bounding_boxes(bounding_box: BoundingBoxes) -> list[int]:
    """``[height, width]`` of the canvas of bounding boxes."""
    return list(bounding_box.canvas_size)


def get_size_keypoints(keypoints: KeyPoints) -> list[int]:
    """``[height, width]`` of the canvas of key points."""
    return list(keypoints.canvas_size)


def get_num_frames_video(video: Tensor) -> int:
    """The number of frames of a tensor ``(..., T, C, H, W)``. Raises a TypeMismatch (TypeError) for fewer dimensions."""
    if video.ndim < 4:
        raise TypeMismatch("get_num_frames", f"inpt has shape {tuple(video.shape)}", "expected (..., T, C, H, W)")
    return int(video.shape[-4])


def _asked(function: Callable[..., Any], inpt: Any) -> Any:
    if not isinstance(inpt, (Tensor, Image.Image)):
        raise TypeMismatch(function.__name__, f"inpt is {type(inpt).__name__}", "expected a PIL image or a tensor")
    return kernel_for(function, type(inpt))(inpt)


def get_dimensions(inpt: Any) -> list[int]:
    """``[channels, height, width]`` of an image or a video.

    >>> get_dimensions(Image.new("RGB", (4, 2)))
    [3, 2, 4]
    """
    return _asked(get_dimensions, inpt)


def get_num_channels(inpt: Any) -> int:
    """The number of channels of an image or a video.

    >>> get_num_channels(Image.new("RGB", (4, 2)))
    3
    """
    return _asked(get_num_channels, inpt)


def get_size(inpt: Any) -> list[int]:
    """``[height, width]`` of an image, a video or a mask, and of the canvas of boxes and key points.

    >>> get_size(Image.new("L", (5, 4)))
    [4, 5]
    """
    return _asked(get_size, inpt)


def get_num_frames(inpt: Any) -> int:
    """The number of frames of a video ``(..., T, C, H, W)``.

    >>> import dovetail
    >>> get_num_frames(dovetail.zeros(2, 3, 4, 5))
    2
    """
    return _asked(get_num_frames, inpt)


get_image_num_channels = get_num_channels
REGISTRY[get_dimensions] = dict.fromkeys((Tensor, TVImage, Image.Image), get_dimensions_image) | {Video: get_dimensions_video}
REGISTRY[get_num_channels] = dict.fromkeys((Tensor, TVImage, Image.Image), get_num_channels_image) | {Video: get_num_channels_video}
REGISTRY[get_size] = dict.fromkeys((Tensor, TVImage, Image.Image), get_size_image) | {
    Video: get_size_video, Mask: get_size_mask, BoundingBoxes: get_size_bounding_boxes, KeyPoints: get_size_keypoints,
}  # fmt: skip
REGISTRY[get_num_frames] = dict.fromkeys((Tensor, Video), get_num_frames_video)
