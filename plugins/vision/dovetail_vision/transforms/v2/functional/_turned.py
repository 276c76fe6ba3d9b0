"""Turned boxes as corners ``(N, 4, 2)``: rectangles from parallelograms, and cutting them at the edges of the canvas."""

from __future__ import annotations

from math import pi

import dovetail
from dovetail import Tensor

__all__ = ["clamped", "rectangles"]


def _length(step: Tensor) -> Tensor:
    return (step[..., 0] ** 2 + step[..., 1] ** 2).sqrt()


def rectangles(parallelograms: Tensor) -> Tensor:
    """Parallelograms ``(..., 8)`` as rectangles: the two corners at the ends of the longer diagonal stay where they are."""
    corners = parallelograms if parallelograms.dtype in (dovetail.float32, dovetail.float64) else parallelograms.float()
    first, second, third, fourth = corners.reshape(-1, 4, 2).unbind(1)
    middle, along, down = (first + third) / 2, second - first, fourth - first
    width, height = _length(along), _length(down)
    turn, turn_down = dovetail.atan2(-along[:, 1], along[:, 0]), dovetail.atan2(-down[:, 1], down[:, 0])
    between = turn - turn_down
    leaning = between.cos() * dovetail.where(between > pi / 2, -1, 1)
    new_width = dovetail.where(width < height, width * between.sin(), width + height * leaning)
    new_height = dovetail.where(width > height, height * between.sin(), height + width * leaning)
    turn = dovetail.where(height > width, turn_down + pi / 2, turn)
    cos, sin = turn.cos(), turn.sin()
    half_along = dovetail.stack([new_width / 2 * cos, -new_width / 2 * sin], -1)
    half_down = dovetail.stack([new_height / 2 * sin, new_height / 2 * cos], -1)
    signs = ((-1, -1), (1, -1), (1, 1), (-1, 1))
    points = dovetail.stack([middle + half_along * x + half_down * y for x, y in signs], 1)
    return points.reshape(parallelograms.shape).to(parallelograms.dtype)


def _rolled(points: Tensor, start: Tensor) -> Tensor:
    """The corners of each box from its ``start`` on, in the same order."""
    places = (start.unsqueeze(1) + dovetail.arange(4, device=points.device)) % 4
    return points.gather(1, places.unsqueeze(-1).expand(points.shape))


def _leftmost(points: Tensor) -> Tensor:
    """Which corner of each box is the leftmost, of several the upper one."""
    x, y = points[..., 0], points[..., 1]
    return (y / y.abs().amax(1, keepdim=True) + x / x.abs().amax(1, keepdim=True) * 100).argmin(1)


def _sides(points: Tensor) -> tuple[Tensor, Tensor]:
    """Slope and intercept of the four sides."""
    step = points.roll(-1, 1) - points
    slope = step[..., 1] / step[..., 0]
    return slope, points[..., 1] - slope * points[..., 0]


def _intercepts(slope: Tensor, given: Tensor, limits: Tensor, width: float, height: float, hard: bool) -> Tensor:
    """Where the sides meet the left edge after cutting there; ``limits`` are the intercepts of the boxes as they came in."""
    a1, a2, a3, a4 = slope.unbind(-1)
    b1, b2, b3, b4 = given.unbind(-1)
    low, low2, high, high2 = limits.unbind(-1)
    upper, lower = b2.clamp(b1, b3).clamp(0, height), b3.clamp(b2, b4).clamp(0, height)
    if hard:  # the largest box inside: its leftmost corner between both, its sides no further than the other edges let them
        upper = lower = (upper + lower) / 2
        reach = [upper * a2 / a1, b3 * a2 / a3, (a1 - a2) * width + upper, (a3 - a2) * width + b3]
        b2 = dovetail.stack(reach, 1).amax(1).clamp(max=b2)
        reach = [height * (1 - a3 / a4) + lower * a3 / a4, height * (1 - a3 / a2) + b2 * a3 / a2]
        b3 = dovetail.stack([*reach, (a2 - a3) * width + b2, (a4 - a3) * width + lower], 1).amin(1).clamp(min=b3)
        upper = lower = upper.clamp(low, high).clamp(low2, high2)
    return dovetail.stack([upper.clamp(low, high), b2.clamp(low2, high2), b3.clamp(low, high), lower.clamp(low2, high2)], -1)


def _cut_at_left(points: Tensor, original: Tensor, width: float, height: float, hard: bool) -> Tensor:
    """Move the corners so that the boxes do not reach over the left edge; the leftmost corner is the first."""
    slope, intercept = _sides(points)
    intercept = _intercepts(slope, intercept, _sides(original)[1], width, height, hard)
    x = -(intercept - intercept.roll(1, 1)) / (slope - slope.roll(1, 1))
    meeting = dovetail.stack([x, slope * x + intercept], -1)
    xs, (y1, y2, y3, y4) = points[..., 0], points[..., 1].unbind(1)
    upright = y1.isclose(y2) | y3.isclose(y4)
    nowhere = (xs <= 0).all(1) | y1.isclose(y4) | y2.isclose(y3) | (upright & xs[:, 0].isclose(xs[:, 1]))
    straight = points.clone()
    straight[:, ::3, 0] = points[:, ::3, 0].clamp(min=0)
    out = dovetail.where(((xs[:, 0] < 0) & ~meeting.isnan().any(-1).any(-1)).view(-1, 1, 1), meeting, points)
    out = dovetail.where(upright.view(-1, 1, 1), straight, out)
    return dovetail.where(nowhere.view(-1, 1, 1), dovetail.zeros_like(out), out)


def clamped(corners: Tensor, canvas_size: tuple[int, int], mode: str) -> Tensor:
    """Corners ``(N, 8)`` of boxes cut at all four edges: each in turn becomes the left one, by turning the canvas."""
    height, width = canvas_size
    points = original = corners.reshape(-1, 4, 2)
    for _ in range(4):
        start = _leftmost(points)
        points, original = _rolled(points, start), _rolled(original, start)
        points = _cut_at_left(points, original, width, height, mode == "hard")
        # Rolled once more in the same direction, as torchvision does, so that corners come out in its order.
        points, original = (_rolled(part, start) for part in (points, original))
        points, original = (dovetail.stack([part[..., 1], width - part[..., 0]], -1) for part in (points, original))
        height, width = width, height
    return points.reshape(corners.shape)
