"""Geometry off the grid of pixels: affine maps, rotation and perspective."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Number

import numpy as np
from PIL import Image  # noqa: F401 (for the examples)

from dovetail import Tensor
from dovetail.errors import TypeMismatch, ValueRangeError
from dovetail.linalg import LinAlgError

from .. import _pil, _warp
from .._interpolation import PIL_FILTERS, InterpolationMode, interpolation_mode
from ._bools import unrounded
from .convert import pil_to_tensor, to_pil_image
from .meta import Img, get_dimensions

__all__ = ["affine", "elastic_transform", "perspective", "perspective_coefficients", "rotate"]

Fill = float | Sequence[float] | None
Mode = InterpolationMode | int


def inverse_matrix(
    center: Sequence[float], angle: float, translate: Sequence[float], scale: float, shear: Sequence[float], factored: bool = False
) -> list[float]:
    """Rows of the matrix that takes an output point to its input point, ``M^-1`` for ``M = T C R(angle) S Hy Hx C^-1``.

    Products are taken in the order of v1, ``factored`` in that of v2: their last bits decide what is half-way between two pixels.
    """
    turn, shear_x, shear_y = (math.radians(degrees) for degrees in (angle, *shear))
    cos, sin = math.cos(turn - shear_y), math.sin(turn - shear_y)
    a, c = cos / math.cos(shear_y), sin / math.cos(shear_y)
    if factored:
        b, d = -(a * math.tan(shear_x) + math.sin(turn)), math.cos(turn) - c * math.tan(shear_x)
    else:
        b = -cos * math.tan(shear_x) / math.cos(shear_y) - math.sin(turn)
        d = -sin * math.tan(shear_x) / math.cos(shear_y) + math.cos(turn)
    # Rotation and shears have determinant 1, so the inverse of [[a, b], [c, d]] is [[d, -b], [-c, a]].
    rows = []
    for (along_x, along_y), middle in zip(((d, -b), (-c, a)), center, strict=True):
        along_x, along_y = along_x / scale, along_y / scale
        from_x, from_y = center[0] + translate[0], center[1] + translate[1]
        shift = middle - along_x * from_x - along_y * from_y if factored else along_x * -from_x + along_y * -from_y + middle
        rows += [along_x, along_y, shift]
    return rows


def check_affine(angle: object, translate: object, scale: float, shear: object, center: object) -> None:
    if not isinstance(angle, (int, float)):
        raise TypeMismatch("affine", f"angle is {angle!r}", "expected a number of degrees")
    if not isinstance(translate, (list, tuple)):
        raise TypeMismatch("affine", f"translate is {translate!r}", "expected 2 numbers")
    if len(translate) != 2:
        raise ValueRangeError("affine", f"translate is {translate!r}", "expected 2 numbers")
    if scale <= 0:
        raise ValueRangeError("affine", f"scale is {scale}", "expected a positive number")
    if not isinstance(shear, (Number, list, tuple)):
        raise TypeMismatch("affine", f"shear is {shear!r}", "expected a number or 2 of them")
    if isinstance(shear, (list, tuple)) and len(shear) not in (1, 2):
        raise ValueRangeError("affine", f"shear is {shear!r}", "expected a number or 2 of them")
    if center is not None and not isinstance(center, (list, tuple)):
        raise TypeMismatch("affine", f"center is {center!r}", "expected 2 numbers")


@unrounded
def affine(
    img: Img,
    angle: float,
    translate: Sequence[float],
    scale: float,
    shear: float | Sequence[float],
    interpolation: InterpolationMode | int = InterpolationMode.NEAREST,
    fill: float | Sequence[float] | None = None,
    center: Sequence[float] | None = None,
) -> Img:
    """Shear, scale and turn about ``center`` (default: the middle), then shift; the size stays.

    ``angle`` and ``shear`` are in degrees, clockwise; ``translate`` is ``(right, down)`` in pixels; ``fill`` is for what
    comes from outside the image.

    >>> affine(Image.new("L", (4, 2)), 30, (1, 0), 1.5, 0).size
    (4, 2)
    """
    return affine_of(img, angle, translate, scale, shear, interpolation_mode("affine", interpolation), fill, center)


def affine_of(
    img: Img,
    angle: float,
    translate: Sequence[float],
    scale: float,
    shear: float | Sequence[float],
    mode: InterpolationMode,
    fill: Fill,
    center: Sequence[float] | None,
    factored: bool = False,
) -> Img:
    check_affine(angle, translate, scale, shear, center)
    shears = [shear, 0.0] if isinstance(shear, Number) else list(shear) * (2 // len(shear))
    _, height, width = get_dimensions(img)
    if isinstance(img, Tensor):  # the origin is the middle of a tensor, the upper left corner of a PIL image
        middle = [0.0, 0.0] if center is None else [center[0] - width * 0.5, center[1] - height * 0.5]
        return _warp.affine(img, inverse_matrix(middle, angle, translate, scale, shears, factored), mode, fill)
    middle = [width * 0.5, height * 0.5] if center is None else list(center)
    return _pil.affine(img, inverse_matrix(middle, angle, translate, scale, shears, factored), PIL_FILTERS[mode], fill)


@unrounded
def rotate(
    img: Img,
    angle: float,
    interpolation: Mode = InterpolationMode.NEAREST,
    expand: bool = False,
    center: Sequence[float] | None = None,
    fill: Fill = None,
) -> Img:
    """Turn by ``angle`` degrees, counter-clockwise, about ``center`` (default: the middle); ``expand`` makes room for all of it.

    >>> rotate(Image.new("L", (4, 2)), 90, expand=True).size
    (2, 4)
    """
    return rotated(img, angle, interpolation_mode("rotate", interpolation), expand, center, fill)


def rotated(
    img: Img, angle: float, mode: InterpolationMode, expand: bool, center: Sequence[float] | None, fill: Fill, factored: bool = False
) -> Img:
    if not isinstance(angle, (int, float)):
        raise TypeMismatch("rotate", f"angle is {angle!r}", "expected a number of degrees")
    if center is not None and not isinstance(center, (list, tuple)):
        raise TypeMismatch("rotate", f"center is {center!r}", "expected 2 numbers")
    _, height, width = get_dimensions(img)
    if not isinstance(img, Tensor):
        return _pil.rotate(img, angle, PIL_FILTERS[mode], expand, center, fill)
    middle = [0.0, 0.0] if center is None else [center[0] - width * 0.5, center[1] - height * 0.5]
    matrix = inverse_matrix(middle, -angle, [0.0, 0.0], 1.0, [0.0, 0.0], factored)
    return _warp.affine(img, matrix, mode, fill, _warp.room_for(matrix, width, height) if expand else None)


def perspective_coefficients(startpoints: Sequence[Sequence[float]], endpoints: Sequence[Sequence[float]]) -> list[float]:
    """The 8 numbers of the map from the four ``endpoints`` back to the ``startpoints``, ``(x, y)`` each.

    ``x_in = (a x + b y + c) / (g x + h y + 1)`` and ``y_in = (d x + e y + f) / (g x + h y + 1)``.
    """
    if len(startpoints) != 4 or len(endpoints) != 4:
        what = f"there are {len(startpoints)} startpoints and {len(endpoints)} endpoints"
        raise ValueRangeError("perspective", what, "expected 4 corners of each")
    rows = []
    for (x, y), (old_x, old_y) in zip(endpoints, startpoints, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -old_x * x, -old_x * y], [0, 0, 0, x, y, 1, -old_y * x, -old_y * y]]
    found, _, rank, _ = np.linalg.lstsq(np.array(rows, float), np.array(startpoints, float).ravel(), rcond=None)
    if rank < 8:
        what = f"startpoints are {startpoints} and endpoints {endpoints}, which no one map takes to each other"
        raise LinAlgError("perspective", what, "expected corners of which no three are in a line")
    return found.astype(np.float32).tolist()


@unrounded
def perspective(
    img: Img,
    startpoints: Sequence[Sequence[int]],
    endpoints: Sequence[Sequence[int]],
    interpolation: Mode = InterpolationMode.BILINEAR,
    fill: Fill = None,
) -> Img:
    """Bring the four corners at ``startpoints`` to ``endpoints``, ``[x, y]`` each, as a picture seen from an angle.

    >>> corners = [[0, 0], [3, 0], [3, 3], [0, 3]]
    >>> perspective(Image.new("L", (4, 4)), corners, [[1, 0], [3, 0], [3, 3], [0, 3]]).size
    (4, 4)
    """
    mode = interpolation_mode("perspective", interpolation)
    get_dimensions(img)
    coefficients = perspective_coefficients(startpoints, endpoints)
    if isinstance(img, Tensor):
        return _warp.perspective(img, coefficients, mode, fill)
    return _pil.perspective(img, coefficients, PIL_FILTERS[mode], fill)


@unrounded
def elastic_transform(img: Img, displacement: Tensor, interpolation: Mode = InterpolationMode.BILINEAR, fill: Fill = None) -> Img:
    """Take each pixel from its own place moved by ``displacement`` ``(1, H, W, 2)``: x and y, in halves of width and height.

    >>> import dovetail
    >>> elastic_transform(Image.new("L", (4, 2)), dovetail.zeros(1, 2, 4, 2)).size
    (4, 2)
    """
    mode = interpolation_mode("elastic_transform", interpolation)
    if not isinstance(displacement, Tensor):
        raise TypeMismatch("elastic_transform", f"displacement is {type(displacement).__name__}", "expected a tensor")
    _, height, width = get_dimensions(img)
    if tuple(displacement.shape) != (1, height, width, 2):
        raise ValueRangeError(
            "elastic_transform", f"displacement has shape {tuple(displacement.shape)}", f"expected (1, {height}, {width}, 2)"
        )
    if isinstance(img, Tensor):
        return _warp.elastic(img, displacement, mode, fill)
    return to_pil_image(_warp.elastic(pil_to_tensor(img), displacement, mode, fill), mode=img.mode)
