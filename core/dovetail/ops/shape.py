"""Copies with elements moved or repeated."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..autograd.node import CLASSES, Tensor
from ..device import xp
from ..errors import DtypeError, RangeError, ShapeError
from ._arrays import broadcast
from ._dims import dim_of, dims_of, several, sizes_of
from ._layout import copied
from ._op import Array, Fixed, op
from ._refuse import not_for
from .create import empty
from .gather import index_select
from .join import cat, listed
from .memory import clone, expand_to, sum_to
from .transpose import transpose
from .views import _reshape

__all__ = [
    "block_diag", "flip", "fliplr", "flipud", "meshgrid", "repeat_interleave", "roll", "rot90", "tile",
]  # fmt: skip
METHODS = ("flip", "fliplr", "flipud", "repeat", "repeat_interleave", "roll", "rot90", "tile")


@op(dtypes=None, name="flip")
def _flip(input: Array, dims: Any) -> Array:
    """The elements in the opposite order."""
    return copied(input[tuple(slice(None, None, -1) if d in dims else slice(None) for d in range(input.ndim))])


_flip.vjp(lambda g, dims: _flip(g, dims))


def flip(input: Tensor, *args: Any, dims: Any = None) -> Tensor:
    """Reverse the order along dimensions; a copy.

    Raises a ShapeError (RuntimeError) for a dimension named twice.

    >>> import dovetail as dv
    >>> dv.flip(dv.tensor([[1, 2], [3, 4]]), [1])
    tensor([[2, 1],
            [4, 3]])
    """
    return _flip(input, dims_of("flip", sizes_of("flip", args if dims is None else (dims,), "dims"), input._a.ndim))


def fliplr(input: Tensor) -> Tensor:
    """Reverse dimension 1; :func:`flip`.

    >>> import dovetail as dv
    >>> dv.fliplr(dv.tensor([[1, 2], [3, 4]]))
    tensor([[2, 1],
            [4, 3]])
    """
    if input._a.ndim < 2:
        raise ShapeError("fliplr", "Input must be >= 2-d.")
    return flip(input, 1)


def flipud(input: Tensor) -> Tensor:
    """Reverse dimension 0; :func:`flip`.

    >>> import dovetail as dv
    >>> dv.flipud(dv.tensor([[1, 2], [3, 4]]))
    tensor([[3, 4],
            [1, 2]])
    """
    if input._a.ndim < 1:
        raise ShapeError("flipud", "Input must be >= 1-d.")
    return flip(input, 0)


@op(dtypes=None, name="roll", contiguous="or channels last")
def _roll(input: Array, shifts: Any, dims: Any) -> Array:
    """The elements moved around."""
    return xp(input).roll(input, shifts, dims)


_roll.vjp(lambda g, shifts, dims: _roll(g, tuple(-n for n in shifts) if isinstance(shifts, tuple) else -shifts, dims))


def roll(input: Tensor, shifts: Any, dims: Any = None) -> Tensor:
    """Move elements along dimensions, those that leave at the end coming in at the start; flattened without ``dims``.

    Raises a ShapeError (RuntimeError) for another number of shifts than of dimensions.

    >>> import dovetail as dv
    >>> dv.roll(dv.tensor([1, 2, 3]), 1)
    tensor([3, 1, 2])
    """
    by = sizes_of("roll", (shifts,), "shifts")
    over = () if dims is None else sizes_of("roll", (dims,), "dims")
    if not by:
        raise ShapeError("roll", "`shifts` required")
    if len(by) != (len(over) or 1):
        raise ShapeError("roll", f"shifts and dimensions must align. shifts: {len(by)}, dims:{len(over)}")
    if not over:
        return _roll(input, by[0], None)
    if not input._a.ndim:
        raise RangeError("roll", f"Dimension specified as {over[0]} but tensor has no dimensions")
    return _roll(input, by, tuple(dim_of("roll", d, input._a.ndim) for d in over))


def rot90(input: Tensor, k: int = 1, dims: Any = (0, 1)) -> Tensor:
    """Rotate by 90 degrees ``k`` times in the plane of two dimensions, from the first towards the second.

    Raises a ShapeError (RuntimeError) unless there are two different dimensions.

    >>> import dovetail as dv
    >>> dv.rot90(dv.tensor([[1, 2], [3, 4]]))
    tensor([[2, 4],
            [1, 3]])
    """
    n = input._a.ndim
    if len(dims) != 2:
        raise ShapeError("rot90", f"expected total rotation dims == 2, but got dims = {len(dims)}")
    if n < 2:
        raise ShapeError("rot90", f"expected total dims >= 2, but got total dims = {n}")
    first, second = (dim_of("rot90", d, n) for d in dims)
    if first == second:
        raise ShapeError("rot90", f"expected rotation dims to be different, but got dim0 = {dims[0]} and dim1 = {dims[1]}")
    turn = k % 4
    if turn == 0:
        return clone(input)
    if turn == 2:
        return flip(input, first, second)
    return transpose(flip(input, second if turn == 1 else first), first, second)


@op(dtypes=None, name="repeat")
def _repeat(input: Array, single: Any, spread: Any, shape: Any) -> Array:
    """The elements in a shape with dimensions of length 1, copied along those, and in their final shape."""
    return broadcast(input.reshape(single), spread).copy(order="C").reshape(shape)


_repeat.vjp(lambda g, input_shape, single, spread: _reshape(sum_to(_reshape(g, spread), single), input_shape))


def repeat(input: Tensor, *args: Any, repeats: Any = None) -> Tensor:
    """Copy the tensor side by side, this many times along each dimension; more numbers than dimensions add some in front.

    Raises a ShapeError (RuntimeError) for fewer numbers than dimensions.

    >>> import dovetail as dv
    >>> dv.tensor([1, 2]).repeat(2, 2)
    tensor([[1, 2, 1, 2],
            [1, 2, 1, 2]])
    """
    times, have = sizes_of("repeat", args if repeats is None else (repeats,), "repeats"), input._a.shape
    ahead = len(times) - len(have)
    if ahead < 0:
        text = "Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor"
        raise ShapeError("repeat", text, f"got {times} for shape {tuple(have)}")
    if min(times, default=0) < 0:
        raise ShapeError("repeat", f"Trying to create tensor with negative dimension {min(times)}: {list(times)}")
    have = (1,) * ahead + have
    pairs = [n for d, n in enumerate(have) for n in (1, n)]
    spread = [n for k, n in zip(times, have, strict=True) for n in (k, n)]
    return _repeat(input, tuple(pairs), tuple(spread), tuple(k * n for k, n in zip(times, have, strict=True)))


def tile(input: Tensor, *args: Any, dims: Any = None) -> Tensor:
    """:meth:`repeat` for any number of factors: missing ones in front are 1.

    >>> import dovetail as dv
    >>> dv.tile(dv.tensor([[1, 2]]), (2,))
    tensor([[1, 2, 1, 2]])
    """
    times = sizes_of("tile", args if dims is None else (dims,), "dims")
    return repeat(input, (1,) * (input._a.ndim - len(times)) + times)


@op(dtypes=None)
def _spread(repeats: Fixed) -> Array:
    """Each place in a vector as often as its number says."""
    module = xp(repeats)
    return module.arange(repeats.shape[0]).repeat(repeats.tolist() if module is not np else repeats)


def repeat_interleave(input: Tensor, repeats: Any = None, dim: int | None = None, *, output_size: int | None = None) -> Tensor:
    """Repeat each element (each slice of ``dim``) ``repeats`` times, a number or one for each; flattened without ``dim``.

    With one argument: each place as often as its number says. Raises a ShapeError (RuntimeError) for another number of repeats.

    >>> import dovetail as dv
    >>> dv.repeat_interleave(dv.tensor([1, 2]), 2), dv.repeat_interleave(dv.tensor([0, 2]))
    (tensor([1, 1, 2, 2]), tensor([1, 1]))
    """
    if repeats is None:
        _check_repeats(input, input._a.size)
        return _spread(input)
    if dim is None:
        input, dim = _reshape(input, (-1,) if input._a.size else (0,)), 0
    if not input._a.ndim:
        raise RangeError("repeat_interleave", f"Dimension specified as {dim} but tensor has no dimensions")
    d = dim_of("repeat_interleave", dim, input._a.ndim)
    shape = input._a.shape
    if repeats.__class__ in CLASSES:
        _check_repeats(repeats, shape[d])
        if repeats._a.size == shape[d] and repeats._a.ndim:
            return index_select(input, d, _spread(repeats))
        repeats = int(repeats.item())
    if repeats < 0:
        raise ShapeError("repeat_interleave", f"Repeats must be non-negative, got {repeats}")
    single, spread = ((*shape[: d + 1], n, *shape[d + 1 :]) for n in (1, repeats))
    return _repeat(input, single, spread, (*shape[:d], shape[d] * repeats, *shape[d + 1 :]))


def _check_repeats(repeats: Tensor, n: int) -> None:
    a = repeats._a
    if a.ndim > 1:
        raise ShapeError("repeat_interleave", "repeats must be 0-dim or 1-dim tensor", f"got {a.ndim} dimensions")
    if a.dtype.name not in ("int64", "int32"):
        raise not_for("repeat_interleave", a.dtype, "repeats of type Long or Int")
    if a.size not in (1, n):
        text = f"repeats must have the same size as input along dim, but got repeats.size(0) = {a.size} and input.size(0) = {n}"
        raise ShapeError("repeat_interleave", text)
    if a.size and a.min() < 0:
        raise ShapeError("repeat_interleave", "repeats can not be negative")


def meshgrid(*tensors: Any, indexing: str | None = None) -> tuple[Tensor, ...]:
    """Coordinates of a grid: each vector expanded over the dimensions of the others, as views.

    ``indexing="ij"`` gives the first vector dimension 0; ``"xy"`` swaps the first two dimensions. Raises a RuntimeError
    for types that differ.

    >>> import dovetail as dv
    >>> dv.meshgrid(dv.tensor([1, 2]), dv.tensor([3, 4]), indexing="ij")[0]
    tensor([[1, 1],
            [2, 2]])
    """
    given = several(tensors)
    if not given:
        raise ShapeError("meshgrid", "expects a non-empty TensorList")
    if indexing not in (None, "ij", "xy"):
        raise ShapeError("meshgrid", f'indexing must be one of "xy" or "ij", but received: {indexing}')
    if len({one._a.dtype for one in given}) > 1:
        raise DtypeError("meshgrid", "expects all tensors to have the same dtype")
    if any(one._a.ndim > 1 for one in given):
        bad = next(list(one._a.shape) for one in given if one._a.ndim > 1)
        raise ShapeError("meshgrid", f"Expected 0D or 1D tensor in the tensor list but got: {bad}")
    swap = indexing == "xy" and len(given) > 1
    order = [given[1], given[0], *given[2:]] if swap else list(given)
    shape = tuple(one._a.size for one in order)
    n = len(order)
    grids = [expand_to(_reshape(one, (-1,) + (1,) * (n - k - 1)), shape) for k, one in enumerate(order)]
    if swap:
        grids[0], grids[1] = grids[1], grids[0]
    return tuple(grids)


def block_diag(*tensors: Any) -> Tensor:
    """A matrix with these matrices (vectors as rows) one after the other on its diagonal, and zeros elsewhere.

    >>> import dovetail as dv
    >>> dv.block_diag(dv.tensor([[1, 2]]), dv.tensor([3]))
    tensor([[1, 2, 0],
            [0, 0, 3]])
    """
    blocks = []
    for k, one in enumerate(listed("block_diag", tensors) or [empty(1, 0)]):
        if one._a.ndim > 2:
            raise ShapeError("block_diag", f"Input tensors must have 2 or fewer dimensions. Input {k} has {one._a.ndim} dimensions")
        blocks.append(one if one._a.ndim == 2 else _reshape(one, (1, prod(one._a.shape))))
    width, at, rows = sum(one._a.shape[1] for one in blocks), 0, []
    for one in blocks:
        n, m = one._a.shape
        rows.append(cat([one.new_zeros((n, at)), one, one.new_zeros((n, width - at - m))], 1))
        at += m
    return cat(rows, 0)
