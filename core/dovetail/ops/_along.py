"""Two ops behind everything that answers with indices: picking along a dimension, and putting back."""

from __future__ import annotations

from typing import Any

from ._arrays import scatter_add
from ._op import Array, Fixed, op, xp
from ._sums import unreduce

__all__ = ["pick", "place", "place_reduced"]


@op(dtypes=None, name="pick_along")
def pick(input: Array, indices: Fixed, dim: int) -> Array:
    """``out[i, j] = input[indices[i, j], j]`` for dim 0; the other dimensions of `indices` are those of `input`."""
    return xp(input).take_along_axis(input, indices, dim) if input.ndim else input.copy()


pick.vjp(lambda g, indices, dim, input_shape: place(g, indices, dim, input_shape, True))


@op(dtypes=None, name="place_along")
def place(input: Array, indices: Fixed, dim: int, shape: Any, adding: bool = False) -> Array:
    """Zeros of a shape with `input` put at `indices` along `dim`; `adding` where an index may come twice."""
    where = xp(input)
    out = where.zeros(shape, input.dtype)
    if not out.ndim:
        return input.reshape(()).copy()
    n = out.ndim
    dim %= n
    grid = tuple(indices if i == dim else where.arange(indices.shape[i]).reshape((1,) * i + (-1,) + (1,) * (n - 1 - i)) for i in range(n))
    if adding:
        scatter_add(out, grid, input)
    else:
        out[grid] = input
    return out


place.vjp(lambda g, indices, dim: pick(g, indices, dim))


def place_reduced(g: Any, indices: Any, dim: int, keepdim: bool, shape: tuple[int, ...]) -> Any:
    """The gradient of picking one element along `dim`."""
    return place(unreduce(g, shape, dim, keepdim), unreduce(indices, shape, dim, keepdim), dim, shape)
