"""Where single points go: the maps that box corners and key points share."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from numbers import Number
from typing import Any

import dovetail
from dovetail import Tensor
from dovetail.errors import GradError, TypeMismatch, ValueRangeError

from ... import _warp
from ...functional.warp import check_affine, inverse_matrix, perspective_coefficients

__all__ = ["affine_map", "elastic_map", "middle_box", "perspective_map", "the_coefficients"]

Map = Callable[[Tensor], Tensor]


def _forward_matrix(center: Sequence[float], angle: float, translate: Sequence[float], scale: float, shear: Sequence[float]) -> list[float]:
    """Rows of ``T C R(angle) S Hy Hx C^-1``, which takes an input point to its output point."""
    turn, shear_x, shear_y = (math.radians(degrees) for degrees in (angle, *shear))
    a, c = math.cos(turn - shear_y) / math.cos(shear_y), math.sin(turn - shear_y) / math.cos(shear_y)
    b, d = -a * math.tan(shear_x) - math.sin(turn), -c * math.tan(shear_x) + math.cos(turn)
    rows = []
    for along_x, along_y, middle, shift in ((a, b, center[0], translate[0]), (c, d, center[1], translate[1])):
        along_x, along_y = along_x * scale, along_y * scale
        rows += [along_x, along_y, middle + shift - along_x * center[0] - along_y * center[1]]
    return rows


def affine_map(
    canvas_size: tuple[int, int],
    angle: float,
    translate: Sequence[float],
    scale: float,
    shear: float | Sequence[float],
    center: Sequence[float] | None,
    expand: bool,
) -> tuple[Map, tuple[int, int]]:
    """The map of points ``(N, 2)`` under ``affine``, and the size of the canvas after it."""
    check_affine(angle, translate, scale, shear, center)
    shears: Any = [shear, 0.0] if isinstance(shear, Number) else list(shear) * (2 // len(shear))  # type: ignore[arg-type]
    height, width = canvas_size
    middle = [width * 0.5, height * 0.5] if center is None else [float(part) for part in center]
    matrix = _forward_matrix(middle, angle, translate, scale, shears)

    def move(points: Tensor) -> Tensor:
        rows = dovetail.tensor(matrix, dtype=points.dtype, device=points.device).view(2, 3)
        return points @ rows[:, :2].t() + rows[:, 2]

    if not expand:
        return move, canvas_size

    def moved_into_view(points: Tensor) -> Tensor:
        corners = dovetail.tensor([[0, 0], [0, height], [width, height], [width, 0]], dtype=points.dtype, device=points.device)
        return move(points) - move(corners).amin(0, keepdim=True)

    return moved_into_view, _warp.room_for(inverse_matrix(middle, angle, translate, scale, shears, True), width, height)


def the_coefficients(startpoints: Any, endpoints: Any, coefficients: Sequence[float] | None) -> Sequence[float]:
    """The 8 numbers of a perspective, given or found from its points."""
    points = startpoints is not None and endpoints is not None
    if points == (coefficients is not None) or (coefficients is not None and len(coefficients) != 8):
        what = "startpoints and endpoints, or coefficients, do not fit"
        raise ValueRangeError("perspective", what, "expected 4 and 4 points, or 8 numbers")
    return perspective_coefficients(startpoints, endpoints) if points else coefficients  # type: ignore[return-value]


def perspective_map(startpoints: Any, endpoints: Any, coefficients: Sequence[float] | None) -> Map:
    """The map of points ``(N, 2)`` under ``perspective``. Raises a GradError (RuntimeError) where it cannot be inverted."""
    a, b, c, d, e, f, g, h = the_coefficients(startpoints, endpoints, coefficients)
    divisor = a * e - b * d
    if divisor == 0:
        what = f"the coefficients {[a, b, c, d, e, f, g, h]} cannot be inverted"
        raise GradError("perspective", what, "expected a * e - b * d other than 0")
    upper = [e - f * h, -b + c * h, b * f - c * e, -d + f * g, a - c * g, -a * f + c * d]
    lower = [-e * g + d * h, -a * h + b * g]

    def move(points: Tensor) -> Tensor:
        kind = {"dtype": points.dtype if points.is_floating_point() else dovetail.float32, "device": points.device}
        points = points.to(kind["dtype"])
        rows = dovetail.tensor([part / divisor for part in upper], **kind).view(2, 3)
        row = dovetail.tensor([part / divisor for part in lower], **kind)
        return (points @ rows[:, :2].t() + rows[:, 2]) / (points @ row + 1.0).unsqueeze(-1)

    return move


def elastic_map(canvas_size: tuple[int, int], displacement: Any) -> Map:
    """The map of points ``(N, 2)``, each to its pixel's own place less the displacement there: close to what ``elastic`` inverts."""
    if not isinstance(displacement, Tensor):
        raise TypeMismatch("elastic", f"displacement is {type(displacement).__name__}", "expected a tensor")
    height, width = canvas_size
    if tuple(displacement.shape) != (1, height, width, 2):
        raise ValueRangeError("elastic", f"displacement has shape {tuple(displacement.shape)}", f"expected (1, {height}, {width}, 2)")

    def move(points: Tensor) -> Tensor:
        dtype = points.dtype if points.is_floating_point() else dovetail.float32
        places = points.long()
        column, row = places[:, 0].clamp(0, width - 1), places[:, 1].clamp(0, height - 1)
        own = dovetail.stack([(2 * column + 1).to(dtype) / width - 1.0, (2 * row + 1).to(dtype) / height - 1.0], -1)
        moved = own - displacement.to(dtype)[0, row, column]
        return (moved + 1.0) * (0.5 * dovetail.tensor([width, height], dtype=dtype, device=points.device)) - 0.5

    return move


def middle_box(output_size: Any, canvas_size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Where ``center_crop`` cuts: ``(top, left, height, width)``."""
    size = (int(output_size),) * 2 if isinstance(output_size, Number) else tuple(output_size) * (2 if len(output_size) == 1 else 1)
    top, left = (round((have - want) / 2.0) for have, want in zip(canvas_size, size, strict=True))
    return top, left, size[0], size[1]
