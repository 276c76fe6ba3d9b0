"""Helpers of torchvision's transforms that programs import although their names begin with an underscore."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Number
from typing import Any

import numpy as np
from PIL import Image

from dovetail.errors import ValueRangeError

from ._interpolation import PIL_FILTERS, InterpolationMode, interpolation_mode
from .functional.warp import inverse_matrix, perspective_coefficients

__all__ = ["pil_modes_mapping"]

#: Pillow's number of each interpolation mode.
pil_modes_mapping = {mode: int(number) for mode, number in PIL_FILTERS.items()}


def _is_pil_image(img: Any) -> bool:
    return isinstance(img, Image.Image)


def _is_numpy(img: Any) -> bool:
    return isinstance(img, np.ndarray)


def _is_numpy_image(img: Any) -> bool:
    return img.ndim in {2, 3}


def _interpolation_modes_from_int(i: int) -> InterpolationMode:
    return interpolation_mode("_interpolation_modes_from_int", i)


def _get_inverse_affine_matrix(
    center: Sequence[float], angle: float, translate: Sequence[float], scale: float, shear: Sequence[float], inverted: bool = True
) -> list[float]:
    """Six numbers, row by row, that take a point of the result to a point of the image; the other way without ``inverted``."""
    rows = inverse_matrix(center, angle, translate, scale, shear)
    if inverted:
        return rows
    return np.linalg.inv(np.array([*rows, 0, 0, 1]).reshape(3, 3))[:2].ravel().tolist()


def _get_perspective_coeffs(startpoints: Sequence[Sequence[float]], endpoints: Sequence[Sequence[float]]) -> list[float]:
    return perspective_coefficients(startpoints, endpoints)


def _setup_size(size: Any, error_msg: str) -> Any:
    """Height and width, of one number, a sequence of one, or two."""
    if isinstance(size, Number):
        return int(size), int(size)  # type: ignore[call-overload]
    if isinstance(size, Sequence) and len(size) == 1:
        return size[0], size[0]
    if len(size) != 2:
        raise ValueRangeError("_setup_size", f"size is {size!r}", error_msg)
    return size


def _check_sequence_input(x: Any, name: str, req_sizes: Sequence[int]) -> None:
    from ._checks import sequence

    sequence("_check_sequence_input", name, x, tuple(req_sizes))


def _setup_angle(x: Any, name: str, req_sizes: Sequence[int] = (2,)) -> list[float]:
    from ._checks import angles

    return angles("_setup_angle", name, x, tuple(req_sizes))


def _compute_resized_output_size(
    image_size: Sequence[int], size: Any, max_size: int | None = None, allow_size_none: bool = False
) -> list[int]:
    """Height and width after `resize`, of ``(height, width)`` before."""
    from .functional.geometry import resized_size

    return list(resized_size(*image_size, size, max_size))


def _check_interpolation(interpolation: Any) -> InterpolationMode:
    return interpolation_mode("_check_interpolation", interpolation) if isinstance(interpolation, int) else interpolation
