"""What the geometric functions do to plain masks ``(..., H, W)``: as to images, always by the nearest pixel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dovetail import Tensor
from dovetail.errors import ValueRangeError

from ....tv_tensors import Mask
from ..._interpolation import InterpolationMode, interpolation_mode
from . import _geometry as G
from ._kernels import REGISTRY, attach

__all__ = [
    "affine_mask", "center_crop_mask", "crop_mask", "elastic_mask", "horizontal_flip_mask", "pad_mask", "perspective_mask", "resize_mask",
    "resized_crop_mask", "rotate_mask", "vertical_flip_mask",
]  # fmt: skip

NEAREST = InterpolationMode.NEAREST
Fill = float | Sequence[float] | None


def _as_image(functional: Callable[..., Any], mask: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """A mask as an image of one channel, where it has no dimension for it."""
    function = REGISTRY[functional][Tensor]
    return function(mask, *args, **kwargs) if mask.ndim >= 3 else function(mask.unsqueeze(0), *args, **kwargs).squeeze(0)


@attach(G.horizontal_flip, Mask)
def horizontal_flip_mask(mask: Tensor) -> Tensor:
    """Masks of an image that is mirrored left and right.

    >>> import dovetail
    >>> horizontal_flip_mask(dovetail.tensor([[1, 2]]))
    tensor([[2, 1]])
    """
    return mask.flip(-1)


@attach(G.vertical_flip, Mask)
def vertical_flip_mask(mask: Tensor) -> Tensor:
    """Masks of an image that is mirrored top and bottom.

    >>> import dovetail
    >>> vertical_flip_mask(dovetail.tensor([[1], [2]])).tolist()
    [[2], [1]]
    """
    return mask.flip(-2)


@attach(G.resize, Mask)
def resize_mask(
    mask: Tensor, size: int | Sequence[int] | None, interpolation: Any = InterpolationMode.BILINEAR, max_size: int | None = None
) -> Tensor:
    """Masks of an image that is resized; other modes than "nearest-exact" are "nearest".

    >>> import dovetail
    >>> resize_mask(dovetail.tensor([[1, 2]]), [1, 4])
    tensor([[1, 1, 2, 2]])
    """
    mode = interpolation_mode("resize", interpolation, names=True)
    mode = mode if mode is InterpolationMode.NEAREST_EXACT else NEAREST
    return _as_image(G.resize, mask, size, mode, max_size)


@attach(G.pad, Mask)
def pad_mask(mask: Tensor, padding: int | Sequence[int], fill: Fill = None, padding_mode: str = "constant") -> Tensor:
    """Masks of an image that is padded, with one number.

    >>> import dovetail
    >>> pad_mask(dovetail.tensor([[1, 2]]), [1, 0], 9)
    tensor([[9, 1, 2, 9]])
    """
    if isinstance(fill, (tuple, list)):
        raise ValueRangeError("pad", f"fill is {fill!r} for a mask", "expected one number")
    return _as_image(G.pad, mask, padding, fill or 0, padding_mode)


@attach(G.crop, Mask)
def crop_mask(mask: Tensor, top: int, left: int, height: int, width: int) -> Tensor:
    """Masks of an image from which a part is cut out.

    >>> import dovetail
    >>> crop_mask(dovetail.tensor([[1, 2]]), 0, 1, 1, 1)
    tensor([[2]])
    """
    return _as_image(G.crop, mask, top, left, height, width)


@attach(G.center_crop, Mask)
def center_crop_mask(mask: Tensor, output_size: Any) -> Tensor:
    """Masks of an image whose middle is cut out.

    >>> import dovetail
    >>> center_crop_mask(dovetail.tensor([[1, 2, 3]]), [1, 1])
    tensor([[2]])
    """
    return _as_image(G.center_crop, mask, output_size)


@attach(G.resized_crop, Mask)
def resized_crop_mask(mask: Tensor, top: int, left: int, height: int, width: int, size: int | Sequence[int]) -> Tensor:
    """Masks of an image from which a part is cut out and resized.

    >>> import dovetail
    >>> resized_crop_mask(dovetail.tensor([[1, 2]]), 0, 1, 1, 1, [1, 2])
    tensor([[2, 2]])
    """
    return resize_mask(crop_mask(mask, top, left, height, width), size)


@attach(G.affine, Mask)
def affine_mask(
    mask: Tensor,
    angle: float,
    translate: Sequence[float],
    scale: float,
    shear: float | Sequence[float],
    fill: Fill = None,
    center: Sequence[float] | None = None,
) -> Tensor:
    """Masks of an image that is sheared, scaled, turned and shifted.

    >>> import dovetail
    >>> affine_mask(dovetail.tensor([[1, 2]]), 0, [1, 0], 1.0, [0.0, 0.0])
    tensor([[0, 1]])
    """
    return _as_image(G.affine, mask, angle, translate, scale, shear, NEAREST, fill, center)


@attach(G.rotate, Mask)
def rotate_mask(mask: Tensor, angle: float, expand: bool = False, center: Sequence[float] | None = None, fill: Fill = None) -> Tensor:
    """Masks of an image that is turned.

    >>> import dovetail
    >>> rotate_mask(dovetail.tensor([[1, 2]]), 180)
    tensor([[2, 1]])
    """
    return _as_image(G.rotate, mask, angle, NEAREST, expand, center, fill)


@attach(G.perspective, Mask)
def perspective_mask(
    mask: Tensor,
    startpoints: Sequence[Sequence[int]] | None,
    endpoints: Sequence[Sequence[int]] | None,
    fill: Fill = None,
    coefficients: Sequence[float] | None = None,
) -> Tensor:
    """Masks of an image that is seen from an angle.

    >>> import dovetail
    >>> perspective_mask(dovetail.tensor([[1, 2]]), None, None, None, [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0])
    tensor([[1, 2]])
    """
    return _as_image(G.perspective, mask, startpoints, endpoints, NEAREST, fill, coefficients)


@attach(G.elastic, Mask)
def elastic_mask(mask: Tensor, displacement: Tensor, fill: Fill = None) -> Tensor:
    """Masks of an image whose pixels are moved.

    >>> import dovetail
    >>> elastic_mask(dovetail.tensor([[1, 2]]), dovetail.zeros(1, 1, 2, 2))
    tensor([[1, 2]])
    """
    return _as_image(G.elastic, mask, displacement, NEAREST, fill)
