"""Copies with a part replaced: a slice, a range of slices, a diagonal."""

from __future__ import annotations

from typing import Any

from ..autograd.node import Tensor
from ..device import xp
from ..errors import ShapeError
from ._dims import dim_of
from ._op import Array
from ._stored import storing
from .assign import set_at
from .index import getitem, slices
from .inplace import write
from .memory import clone
from .strides import diagonal, diagonal_of, two_dims

__all__ = ["diagonal_scatter", "select_scatter", "slice_scatter"]
METHODS = ("diagonal_scatter", "fill_diagonal_", "select_scatter", "slice_scatter")


def select_scatter(input: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    """A copy with ``src`` in place of one slice: ``out[:, index] = src`` for dim 1.

    Raises a ShapeError (RuntimeError) for a ``src`` of another shape than the slice.

    >>> import dovetail as dv
    >>> dv.select_scatter(dv.zeros(2, 2), dv.ones(2), 0, 1)
    tensor([[0., 0.],
            [1., 1.]])
    """
    return _placed("select_scatter", input, src, (*slices(dim_of("select_scatter", dim, input._a.ndim), int(index)), ...))


def slice_scatter(input: Tensor, src: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Tensor:
    """A copy with ``src`` in place of a range of slices: ``out[:, start:end:step] = src`` for dim 1.

    Raises a ShapeError (RuntimeError) for a ``src`` of another shape than the range.

    >>> import dovetail as dv
    >>> dv.slice_scatter(dv.zeros(3), dv.ones(2), 0, 1)
    tensor([0., 1., 1.])
    """
    return _placed("slice_scatter", input, src, slices(dim_of("slice_scatter", dim, input._a.ndim), slice(start, end, step)))


def _placed(where: str, input: Tensor, src: Tensor, at: Any) -> Tensor:
    want = getitem(input, at)._a.shape
    if src._a.shape != want:
        text = f"expected src to have a size equal to the slice of self. src size = {list(src._a.shape)}, slice size = {list(want)}"
        raise ShapeError(where, text)
    return set_at(input, src, at, None)


@storing()
def fill_diagonal(input: Array, fill_value: Any, wrap: bool = False) -> None:
    """A copy with a number on the main diagonal."""
    if input.ndim < 2:
        raise ShapeError("fill_diagonal_", "dimensions must larger than 1", f"got shape {tuple(input.shape)}")
    if input.ndim > 2 and len(set(input.shape)) > 1:
        raise ShapeError("fill_diagonal_", "all dimensions of input must be of equal length", f"got shape {tuple(input.shape)}")
    xp(input).fill_diagonal(input, fill_value, wrap)


fill_diagonal.vjp(lambda g, wrap: fill_diagonal(g, 0, wrap))


def fill_diagonal_(input: Tensor, fill_value: Any, wrap: bool = False) -> Tensor:
    """Write a number on the main diagonal, which begins again below it with ``wrap``.

    Raises a ShapeError (RuntimeError) for fewer than two dimensions.

    >>> import dovetail as dv
    >>> dv.zeros(2, 2).fill_diagonal_(1)
    tensor([[1., 0.],
            [0., 1.]])
    """
    return write(fill_diagonal.op, [input, fill_value, wrap])


@storing("diagonal_scatter")
def _diagonal_scatter(input: Array, src: Array, offset: Any, dim1: Any, dim2: Any) -> None:
    """A copy with another diagonal."""
    diagonal_of(input, offset, dim1, dim2)[...] = src


_diagonal_scatter.vjp(
    lambda g, offset, dim1, dim2: _diagonal_scatter(g, 0, offset, dim1, dim2),
    lambda g, offset, dim1, dim2: clone(diagonal(g, offset, dim1, dim2)),
)


def diagonal_scatter(input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """A copy with ``src`` on a diagonal of two dimensions.

    Raises a ShapeError (RuntimeError) for a ``src`` of another shape than the diagonal.

    >>> import dovetail as dv
    >>> dv.diagonal_scatter(dv.zeros(2, 2), dv.ones(2))
    tensor([[1., 0.],
            [0., 1.]])
    """
    want = diagonal(input, offset, dim1, dim2)._a.shape
    if src._a.shape != want:
        text = f"expected src to have a size equal to the diagonal of self. src size = {list(src._a.shape)}, diagonal size = {list(want)}"
        raise ShapeError("diagonal_scatter", text)
    return _diagonal_scatter(input, src, offset, *two_dims("diagonal_scatter", dim1, dim2, input._a.ndim))
