"""What the geometric functions do to plain key points ``(..., 2)``; the names are torchvision's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dovetail
from dovetail import Tensor
from dovetail.errors import ValueRangeError

from ....tv_tensors import KeyPoints
from ...functional.geometry import resized_size, sides_of
from . import _geometry as G
from ._kernels import attach
from ._points import affine_map, elastic_map, middle_box, perspective_map

__all__ = [
    "affine_keypoints", "center_crop_keypoints", "crop_keypoints", "elastic_keypoints", "horizontal_flip_keypoints", "pad_keypoints",
    "perspective_keypoints", "resize_keypoints", "resized_crop_keypoints", "rotate_keypoints", "vertical_flip_keypoints",
]  # fmt: skip

Canvas = tuple[int, int]
Sized = tuple[Tensor, Canvas]


@attach(G.horizontal_flip, KeyPoints)
def horizontal_flip_keypoints(keypoints: Tensor, canvas_size: Canvas) -> Tensor:
    """Points of an image that is mirrored left and right.

    >>> horizontal_flip_keypoints(dovetail.tensor([[1, 2]]), (5, 6))
    tensor([[4, 2]])
    """
    return dovetail.stack([canvas_size[1] - 1 - keypoints[..., 0], keypoints[..., 1]], -1)


@attach(G.vertical_flip, KeyPoints)
def vertical_flip_keypoints(keypoints: Tensor, canvas_size: Canvas) -> Tensor:
    """Points of an image that is mirrored top and bottom.

    >>> vertical_flip_keypoints(dovetail.tensor([[1, 2]]), (5, 6))
    tensor([[1, 2]])
    """
    return dovetail.stack([keypoints[..., 0], canvas_size[0] - 1 - keypoints[..., 1]], -1)


@attach(G.resize, KeyPoints)
def resize_keypoints(keypoints: Tensor, size: int | Sequence[int] | None, canvas_size: Canvas, max_size: int | None = None) -> Sized:
    """Points of an image that is resized, and its new size.

    >>> resize_keypoints(dovetail.tensor([[1, 2]]), [10, 6], (5, 6))
    (tensor([[1, 4]]), (10, 6))
    """
    new = resized_size(*canvas_size, size, max_size)
    if new == tuple(canvas_size):
        return keypoints, canvas_size
    factors = dovetail.tensor([new[1] / canvas_size[1], new[0] / canvas_size[0]], device=keypoints.device)
    return keypoints.mul(factors).to(keypoints.dtype), new


def _shifted(points: Tensor, right: int, down: int) -> Tensor:
    return points + dovetail.tensor([right, down], dtype=points.dtype, device=points.device)


@attach(G.pad, KeyPoints)
def pad_keypoints(keypoints: Tensor, canvas_size: Canvas, padding: int | Sequence[int], padding_mode: str = "constant") -> Sized:
    """Points of an image that is padded, and its new size; of padding modes there is "constant" alone.

    >>> pad_keypoints(dovetail.tensor([[1, 2]]), (5, 6), [1, 0])
    (tensor([[2, 2]]), (5, 8))
    """
    if padding_mode != "constant":
        raise ValueRangeError("pad", f"padding_mode is {padding_mode!r} and there are key points", "expected 'constant'")
    left, top, right, bottom = sides_of(padding)
    return _shifted(keypoints, left, top), (canvas_size[0] + top + bottom, canvas_size[1] + left + right)


@attach(G.crop, KeyPoints)
def crop_keypoints(keypoints: Tensor, top: int, left: int, height: int, width: int) -> Sized:
    """Points of an image from which a part is cut out, and its size; points may come to lie outside.

    >>> crop_keypoints(dovetail.tensor([[1, 2]]), 1, 2, 3, 4)
    (tensor([[-1,  1]]), (3, 4))
    """
    return _shifted(keypoints, -left, -top), (height, width)


@attach(G.center_crop, KeyPoints)
def center_crop_keypoints(inpt: Tensor, canvas_size: Canvas, output_size: Any) -> Sized:
    """Points of an image whose middle is cut out, and its size.

    >>> center_crop_keypoints(dovetail.tensor([[1, 2]]), (6, 6), [4])
    (tensor([[0, 1]]), (4, 4))
    """
    return crop_keypoints(inpt, *middle_box(output_size, canvas_size))


@attach(G.resized_crop, KeyPoints)
def resized_crop_keypoints(keypoints: Tensor, top: int, left: int, height: int, width: int, size: int | Sequence[int]) -> Sized:
    """Points of an image from which a part is cut out and resized, and its size.

    >>> resized_crop_keypoints(dovetail.tensor([[1, 2]]), 1, 1, 2, 2, [4, 4])
    (tensor([[0, 2]]), (4, 4))
    """
    points, canvas = crop_keypoints(keypoints, top, left, height, width)
    return resize_keypoints(points, size, canvas)


def _affine(points: Tensor, canvas_size: Canvas, expand: bool = False, **how: Any) -> Sized:
    if points.numel() == 0:
        return points, canvas_size
    move, canvas_size = affine_map(canvas_size, expand=expand, **how)
    floats = points if points.is_floating_point() else points.float()
    return move(floats.reshape(-1, 2)).reshape(points.shape).to(points.dtype), canvas_size


@attach(G.affine, KeyPoints)
def affine_keypoints(
    keypoints: Tensor,
    canvas_size: Canvas,
    angle: float,
    translate: Sequence[float],
    scale: float,
    shear: float | Sequence[float],
    center: Sequence[float] | None = None,
) -> Sized:
    """Points of an image that is sheared, scaled, turned and shifted, and its size.

    >>> affine_keypoints(dovetail.tensor([[1, 2]]), (6, 6), 0, [1, 0], 1.0, [0.0, 0.0])
    (tensor([[2, 2]]), (6, 6))
    """
    return _affine(keypoints, canvas_size, angle=angle, translate=translate, scale=scale, shear=shear, center=center)


@attach(G.rotate, KeyPoints)
def rotate_keypoints(
    keypoints: Tensor, canvas_size: Canvas, angle: float, expand: bool = False, center: Sequence[float] | None = None
) -> Sized:
    """Points of an image that is turned, and its new size.

    >>> rotate_keypoints(dovetail.tensor([[1., 2.]]), (6, 6), 180.0)[0].round()
    tensor([[5., 4.]])
    """
    how = {"angle": -angle, "translate": [0.0, 0.0], "scale": 1.0, "shear": [0.0, 0.0], "center": center}
    return _affine(keypoints, canvas_size, expand, **how)


@attach(G.perspective, KeyPoints)
def perspective_keypoints(
    keypoints: Tensor,
    canvas_size: Canvas,
    startpoints: Sequence[Sequence[int]] | None,
    endpoints: Sequence[Sequence[int]] | None,
    coefficients: Sequence[float] | None = None,
) -> Tensor:
    """Points of an image that is seen from an angle. Raises a GradError (RuntimeError) for a map that cannot be inverted.

    >>> perspective_keypoints(dovetail.tensor([[1, 2]]), (6, 6), None, None, [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0])
    tensor([[1, 2]])
    """
    if keypoints.numel() == 0:
        return keypoints
    move = perspective_map(startpoints, endpoints, coefficients)
    return move(keypoints.reshape(-1, 2)).to(keypoints.dtype).reshape(keypoints.shape)


@attach(G.elastic, KeyPoints)
def elastic_keypoints(keypoints: Tensor, canvas_size: Canvas, displacement: Tensor) -> Tensor:
    """Points of an image whose pixels are moved, approximately.

    >>> elastic_keypoints(dovetail.tensor([[1., 2.]]), (6, 6), dovetail.zeros(1, 6, 6, 2)).round()
    tensor([[1., 2.]])
    """
    move = elastic_map(canvas_size, displacement)
    if keypoints.numel() == 0:
        return keypoints
    return move(keypoints.reshape(-1, 2)).to(keypoints.dtype).reshape(keypoints.shape)
