"""Slopes, powers and combinations of vectors."""

from __future__ import annotations

import itertools
from typing import Any

from ..autograd.node import Tensor
from ..dtypes import int64, uint8
from ..errors import ShapeError, TypeMismatch
from ._guard import public_function
from .convert import tensor
from .join import cat, stack
from .shape import meshgrid

__all__ = ["cartesian_prod", "combinations", "gradient", "powers", "vander"]


@public_function
def gradient(input: Tensor, *, spacing: Any = None, dim: Any = None, edge_order: int = 1) -> tuple[Tensor, ...]:
    """The slope along each of `dim` by central differences, at both ends by one-sided ones that are exact to `edge_order`.

    `spacing` is the distance of the samples, one for each dimension, or their coordinates as tensors. Raises a RuntimeError for a
    number of spacings other than that of dimensions, and for dimensions of less than ``edge_order + 1`` samples.

    >>> import dovetail as dv
    >>> dv.gradient(dv.tensor([1., 4., 9., 16.]))[0]
    tensor([3., 4., 6., 7.])
    """
    if input.dtype is uint8:
        raise ShapeError("gradient", "does not support uint8 input.", "", "convert with .float()")
    if edge_order not in (1, 2):
        raise ShapeError("gradient", f"only supports edge_order=1 and edge_order=2 (got {edge_order})")
    if isinstance(spacing, Tensor) and spacing.ndim:
        raise TypeMismatch("gradient()", "argument 'spacing' must be a number, or a list of numbers or tensors, not Tensor")
    dims = range(input.ndim) if dim is None else dim if isinstance(dim, tuple | list) else (dim,)
    if len({d % max(input.ndim, 1) for d in dims}) < len(dims):
        raise ShapeError("gradient", f"a dim appears multiple times in the list of dims, {dims}")
    alone = 1 if spacing is None else spacing.item() if isinstance(spacing, Tensor) else spacing
    steps = spacing if isinstance(spacing, tuple | list) else [alone] * len(dims)
    if len(steps) != len(dims):
        raise ShapeError(
            "gradient", f"expected spacing to be unspecified, a scalar, or of the length of dim, {len(dims)}, not {len(steps)}"
        )
    return tuple(_slope(input, d, step, edge_order) for d, step in zip(dims, steps, strict=True))


def _slope(input: Tensor, dim: int, step: Any, order: int) -> Tensor:
    """The slope along one dimension, for a distance or a vector of coordinates."""
    y, even = input.movedim(dim, 0), not isinstance(step, Tensor)
    if y.shape[0] < order + 1:
        raise ShapeError("gradient", f"expected each dimension size to be at least edge_order+1, but dimension {dim} has {y.shape[0]}")
    if not even and step.shape != y.shape[:1]:
        what = f"expected each element of spacing to have one dimension, of {y.shape[0]}, not {tuple(step.shape)}"
        raise ShapeError("gradient", what)
    gaps = step if even else (step[1:] - step[:-1]).reshape((-1,) + (1,) * (y.ndim - 1))
    rises = (y[1:] - y[:-1]) / gaps
    part: Any = 0.5 if even else gaps[:-1] / (gaps[:-1] + gaps[1:])
    inner = (y[2:] - y[:-2]) / (2 * step) if even else rises[:-1] * (1 - part) + rises[1:] * part
    first, last = rises[:1], rises[-1:]
    if order == 2:
        first = first + (first - rises[1:2]) * (part if even else part[:1])
        last = last + (last - rises[-2:-1]) * (part if even else 1 - part[-1:])
    return cat([first, inner, last], 0).movedim(0, dim).contiguous()


@public_function
def cartesian_prod(*tensors: Any) -> Tensor:
    """All combinations of the elements of vectors, one in a row.

    >>> import dovetail as dv
    >>> dv.cartesian_prod(dv.tensor([1, 2]), dv.tensor([3, 4]))
    tensor([[1, 3],
            [1, 4],
            [2, 3],
            [2, 4]])
    """
    given = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], tuple | list) else tensors
    for one in given:
        if one.ndim != 1:
            raise ShapeError("cartesian_prod", f"Expect a 1D vector, but got shape {list(one.shape)}")
    if len(given) == 1:
        return given[0]
    return stack([one.flatten() for one in meshgrid(*given, indexing="ij")], dim=1)


@public_function
def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """All choices of ``r`` elements of a vector in their order, one in a row.

    Raises a ShapeError (RuntimeError) unless ``input`` is a vector.

    >>> import dovetail as dv
    >>> dv.combinations(dv.tensor([1, 2, 3]))
    tensor([[1, 2],
            [1, 3],
            [2, 3]])
    """
    if input.ndim != 1:
        raise ShapeError("combinations", "Expect a 1D vector, but got shape", f"{tuple(input.shape)}")
    if r < 0:
        raise ShapeError("combinations", f"Expect a non-negative number, but got {r}")
    if r == 0:
        return input.new_empty((0,))
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    rows = tensor(list(choose(range(input.numel()), r)), dtype=int64, device=input.device)
    return input[rows.reshape(-1, r)]


def powers(x: Tensor, count: int) -> Tensor:
    """The powers 0 … count - 1 of each element: (…, n) → (…, n, count)."""
    column = x[..., None]
    ones = column.new_ones((*x.shape, min(count, 1)))
    return cat([ones, column.expand(*x.shape, max(count - 1, 0)).cumprod(-1)], -1)


@public_function
def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:
    """The powers of a vector as columns, the highest first unless ``increasing``: ``(n, N)``.

    Raises a ShapeError (RuntimeError) unless ``x`` is a vector and ``N`` is not negative.

    >>> import dovetail as dv
    >>> dv.vander(dv.tensor([1, 2, 3]))
    tensor([[1, 1, 1],
            [4, 2, 1],
            [9, 3, 1]])
    """
    if x.ndim != 1:
        raise ShapeError("vander", "x must be a one-dimensional tensor.", f"got shape {tuple(x.shape)}")
    x = x if x.is_floating_point() or x.is_complex() else x.long()
    count = x.numel() if N is None else N
    if count < 0:
        raise ShapeError("vander", f"N must be non-negative, got {count}")
    out = powers(x, count)
    return out if increasing else out.flip(1)
