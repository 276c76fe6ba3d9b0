"""Constants that a model makes of the sizes it meets: ``zeros(batch, 8)``, ``arange(length)``, a mask; made anew by the graph."""

from __future__ import annotations

from typing import Any

import numpy as np

import dovetail as dv
from dovetail.errors import UnsupportedError

from .builder import Ref
from .sizes import Size

__all__ = ["varying"]


def varying(lowerer: Any, arrays: list[np.ndarray], dtype: Any) -> Ref:
    """Nodes that give these arrays, each at the sizes of its run.

    One value throughout, evenly spaced numbers along one dimension, an identity matrix, or a single number; anything else is refused,
    which also finds constants that were made of random numbers or of the values of an input.
    """
    g = lowerer.g
    if all(a.size == 1 for a in arrays) and len({a.shape for a in arrays}) == 1:
        values = [a.reshape(-1)[0].item() for a in arrays]
        size = lowerer.number(values, "export", "a constant made by the model is")
        return g.Reshape(g.ref(size, dtype), list(arrays[0].shape))
    flat = {a.reshape(-1)[:1].tobytes() for a in arrays if a.size}
    if len(flat) == 1 and all((a == a.reshape(-1)[:1]).all() for a in arrays if a.size):
        value = next(a for a in arrays if a.size).reshape(-1)[0]
        return g.Expand(g.const(value, dtype), g.sizes(_shape(lowerer, arrays)))
    if all(a.ndim == 2 and np.array_equal(a, np.eye(*a.shape)) for a in arrays):
        return g.cast(g.EyeLike(g.Expand(g.const(0.0, dv.float32), g.sizes(_shape(lowerer, arrays)))), dtype)
    return _line(lowerer, arrays, dtype)


def _shape(lowerer: Any, arrays: list[np.ndarray]) -> list[Any]:
    shapes = list(zip(*(a.shape for a in arrays), strict=True))
    return [s[0] if len(set(s)) == 1 else lowerer.number(s, "export", "a constant made by the model has the size") for s in shapes]


def _line(lowerer: Any, arrays: list[np.ndarray], dtype: Any) -> Ref:
    """start + step · i along the only dimension with more than one element."""
    g = lowerer.g
    long = {max(range(a.ndim), key=lambda k, a=a: a.shape[k]) for a in arrays}  # type: ignore[misc]
    lines = [a.reshape(-1) for a in arrays]
    steps = {float(x[1] - x[0]) for x in lines if len(x) > 1}
    starts = [x[0].item() for x in lines]
    even = all(np.array_equal(x, (x[0] + np.arange(len(x)) * (x[1] - x[0])).astype(x.dtype)) for x in lines if len(x) > 1)
    if len(long) != 1 or any(a.size != max(a.shape) for a in arrays) or not even or len(steps) != 1 or any(len(x) < 1 for x in lines):
        what = f"a constant of shape {list(arrays[0].shape)} has other elements when sizes or inputs change"
        expected = "expected one value throughout, evenly spaced numbers, or the same constant every time"
        raise UnsupportedError("export", what, expected, "make it of the inputs by ops, or keep random numbers out of the model")
    (step,) = steps
    shape = _shape(lowerer, arrays)
    count: Any = shape[long.pop()]
    first: Any = starts[0] if len(set(starts)) == 1 else lowerer.number(starts, "export", "a range made by the model starts at")
    number = g.scalar(count) if isinstance(count, Size) else g.const(np.int64(count))
    line = g.cast(g.Range(g.const(np.int64(0)), number, g.const(np.int64(1))), dtype)
    if step != 1:
        line = g.Mul(line, np.asarray(step, dtype.np))
    if isinstance(first, Size) or first:
        line = g.Add(line, g.ref(first, dtype))
    return g.Reshape(line, g.sizes(shape))
