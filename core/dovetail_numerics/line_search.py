"""A line search for the strong Wolfe conditions, by bracketing and cubic interpolation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = ["strong_wolfe"]

_C1, _C2 = 1e-4, 0.9  # how much the loss must fall, and how much the slope
_NARROW = 1e-9  # no bracket gets narrower


class Point(NamedTuple):
    """A step length with the loss, the gradient and the slope along the direction there."""

    t: float
    loss: float
    grad: Any
    slope: float


def strong_wolfe(
    probe: Callable[[float], tuple[float, Any]], d: Any, t: float, loss: float, grad: Any, slope: float, max_ls: int = 25
) -> tuple[float, Any, float, int]:
    """Find t with loss(t) <= loss(0) + c₁ t slope and |slope(t)| <= c₂ |slope|: (loss, gradient, t, evaluations).

    ``probe(t)`` gives loss and gradient at a step length. Source: Nocedal and Wright, "Numerical optimization",
    algorithms 3.5 and 3.6.

    >>> import numpy
    >>> d = numpy.array([1.0])
    >>> strong_wolfe(lambda t: ((t - 2) ** 2, numpy.array([2 * (t - 2)])), d, 1.0, 4.0, -4 * d, -4.0)[2]
    1.0
    """
    start = Point(0.0, loss, grad, slope)

    def at(t: float) -> Point:
        value, g = probe(t)
        return Point(t, value, g, float(g @ d))

    low, high, used, done = _bracket(at, start, t, max_ls)
    if not done:
        low, used = _zoom(at, start, low, high, used, float(abs(d).max()), max_ls)
    return low.loss, low.grad, low.t, used


def _bracket(at: Callable[[float], Point], start: Point, t: float, most: int) -> tuple[Point, Point, int, bool]:
    """Two points around an acceptable one, the lower loss first; or an acceptable point and True."""
    before, here, rounds, used = start, at(t), 0, 1
    while rounds < most:
        if here.loss > start.loss + _C1 * here.t * start.slope or (rounds > 1 and here.loss >= before.loss):
            break
        if abs(here.slope) <= -_C2 * start.slope:
            return here, here, used, True
        if here.slope >= 0:
            break
        bounds = here.t + 0.01 * (here.t - before.t), here.t * 10
        before, here = here, at(_lowest(before, here, bounds))
        used += 1
        rounds += 1
    if rounds == most:
        before = start
    return (before, here, used, False) if before.loss <= here.loss else (here, before, used, False)


def _zoom(at: Callable[[float], Point], start: Point, low: Point, high: Point, used: int, width: float, most: int) -> tuple[Point, int]:
    """Narrow a bracket until its lower point is acceptable."""
    stuck, rounds = False, used - 1
    while rounds < most:
        if abs(high.t - low.t) * width < _NARROW:
            break
        t, stuck = _inside(_lowest(low, high), min(low.t, high.t), max(low.t, high.t), stuck)
        here = at(t)
        used += 1
        rounds += 1
        if here.loss > start.loss + _C1 * t * start.slope or here.loss >= low.loss:
            high = here
            if low.loss > high.loss:
                low, high = high, low
        else:
            done = abs(here.slope) <= -_C2 * start.slope
            if not done and here.slope * (high.t - low.t) >= 0:
                high = low
            low = here
            if done:
                break
    return low, used


def _inside(t: float, left: float, right: float, stuck: bool) -> tuple[float, bool]:
    """Keep a trial point off the bracket's ends: too near twice running, or outside, it goes a tenth inwards."""
    margin = 0.1 * (right - left)
    if min(right - t, t - left) >= margin:
        return t, False
    if not stuck and left < t < right:
        return t, True
    return (right - margin if abs(t - right) < abs(t - left) else left + margin), False


def _lowest(a: Point, b: Point, bounds: tuple[float, float] | None = None) -> float:
    """The minimum of the cubic through two points with their slopes, kept within bounds; their middle where it has none."""
    least, most = bounds if bounds is not None else (min(a.t, b.t), max(a.t, b.t))
    d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t)
    square = d1 * d1 - a.slope * b.slope
    if not square >= 0:
        return (least + most) / 2.0
    near, far = (a, b) if a.t <= b.t else (b, a)
    root = square**0.5
    t = far.t - (far.t - near.t) * ((far.slope + root - d1) / (far.slope - near.slope + 2 * root))
    return min(max(t, least), most)
