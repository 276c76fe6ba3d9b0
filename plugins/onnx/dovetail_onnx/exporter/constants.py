"""Constants that a model makes of the sizes it meets: ``zeros(batch, 8)``, ``arange(length)``, a mask; made anew by the graph."""

from __future__ import annotations

from typing import Any

import numpy as np

import dovetail as dv
from dovetail.errors import UnsupportedError

from .builder import Ref

__all__ = ["varying"]


def varying(lowerer: Any, arrays: list[np.ndarray], dtype: Any) -> Ref:
    """Nodes that give these arrays, each at the sizes of its run.

    A single number, one value throughout, an identity matrix, two values on the sides of a diagonal, evenly spaced numbers along one
    dimension; anything else is refused, which also finds constants that were made of random numbers or of the values of an input.
    """
    for rule in (_number, _uniform, _identity, _triangle, _line):
        found: Ref | None = rule(lowerer, arrays, dtype)
        if found is not None:
            return found
    what = f"a constant of shape {list(arrays[0].shape)} has other elements when sizes or inputs change"
    expected = "expected one value throughout, evenly spaced numbers, or the same constant every time"
    raise UnsupportedError("export", what, expected, "make it of the inputs by ops, or keep random numbers out of the model")


def _number(lowerer: Any, arrays: list[np.ndarray], dtype: Any) -> Any:
    if any(a.size != 1 for a in arrays) or len({a.shape for a in arrays}) > 1:
        return None
    size = lowerer.number([a.item() for a in arrays], "export", "a constant made by the model is")
    return lowerer.g.Reshape(lowerer.g.ref(size, dtype), list(arrays[0].shape))


def _shape(lowerer: Any, arrays: list[np.ndarray]) -> list[Any]:
    shapes = list(zip(*(a.shape for a in arrays), strict=True))
    return [s[0] if len(set(s)) == 1 else lowerer.number(s, "export", "a constant made by the model has the size") for s in shapes]


def _uniform(lowerer: Any, arrays: list[np.ndarray], dtype: Any) -> Any:
    values = np.concatenate([a.reshape(-1) for a in arrays])
    if not values.size or not np.array_equal(values, np.full_like(values, values[0]), equal_nan=values.dtype.kind in "fc"):
        return None
    return lowerer.g.Expand(lowerer.g.const(values[0], dtype), lowerer.g.sizes(_shape(lowerer, arrays)))


def _identity(lowerer: Any, arrays: list[np.ndarray], dtype: Any) -> Any:
    if not all(a.ndim == 2 and np.array_equal(a, np.eye(*a.shape)) for a in arrays):
        return None
    g = lowerer.g
    return g.cast(g.EyeLike(g.Expand(g.const(0.0, dv.float32), g.sizes(_shape(lowerer, arrays)))), dtype)


def _triangle(lowerer: Any, arrays: list[np.ndarray], dtype: Any) -> Any:
    """``np.triu(np.full((n, n), -inf), 1)`` and its kin, also with dimensions of 1 in front."""
    g = lowerer.g
    if any(a.ndim < 2 or a.size != a.shape[-1] * a.shape[-2] or min(a.shape) < 1 for a in arrays):
        return None
    high, low = arrays[0][..., 0, -1].item(), arrays[0][..., -1, 0].item()
    for k in (0, 1, -1):
        if all(np.array_equal(a, np.broadcast_to(np.where(_upper(a, k), high, low).astype(a.dtype), a.shape)) for a in arrays):
            *_, rows, columns = shape = _shape(lowerer, arrays)
            above = g.Sub(_places(g, columns), g.Unsqueeze(_places(g, rows), [1]))  # how far right of the diagonal
            return g.Reshape(g.Where(g.Less(above, k), g.const(low, dtype), g.const(high, dtype)), g.sizes(shape))
    return None


def _places(g: Any, count: Any) -> Any:
    return g.Range(g.const(0, dv.int64), g.scalar(count), g.const(1, dv.int64))


def _upper(a: np.ndarray, k: int) -> np.ndarray:
    return np.triu(np.ones(a.shape[-2:], bool), k)


def _line(lowerer: Any, arrays: list[np.ndarray], dtype: Any) -> Any:
    """start + step · i along the only dimension with more than one element, for the same step, or the same ends."""
    g = lowerer.g
    long = {max(range(a.ndim), key=lambda k, a=a: a.shape[k]) for a in arrays if a.ndim}  # type: ignore[misc]
    lines = [a.reshape(-1) for a in arrays]
    if len(long) != 1 or any(a.size != max(a.shape, default=0) for a in arrays) or any(len(x) < 2 for x in lines):
        return None
    shape, starts = _shape(lowerer, arrays), [x[0].item() for x in lines]
    count = shape[long.pop()]
    i = g.cast(_places(g, count), dtype)
    even = [(x[0] + np.arange(len(x)) * (x[1] - x[0])).astype(x.dtype) for x in lines]
    if _one(x[1] - x[0] for x in lines) and all(map(np.array_equal, lines, even)):
        line = g.Mul(i, np.asarray(lines[0][1] - lines[0][0], dtype.np))
    elif _one(x[-1] - x[0] for x in lines) and all(np.allclose(x, np.linspace(x[0], x[-1], len(x)), 1e-5, 1e-6) for x in lines):
        line = g.Div(g.Mul(i, np.asarray(lines[0][-1] - lines[0][0], dtype.np)), g.ref(count - 1, dtype))
    else:
        return None
    first: Any = starts[0] if _one(starts) else lowerer.number(starts, "export", "a range made by the model starts at")
    return g.Reshape(g.Add(line, g.ref(first, dtype)), g.sizes(shape))


def _one(values: Any) -> bool:
    return len({float(v) for v in values}) == 1
