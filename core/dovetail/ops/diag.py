"""Diagonals and triangles of matrices, and what is written on diagonals."""

from __future__ import annotations

from typing import Any

from ..autograd.node import Tensor
from ..device import xp
from ..errors import RangeError, ShapeError
from ._dims import whole
from ._op import Array, op
from ._stored import storing
from .assign import same_shape
from .memory import clone
from .strides import diagonal, diagonal_grad, diagonal_of, two_dims
from .views import reshape

__all__ = ["diag", "diag_embed", "diagflat", "diagonal_scatter", "tril", "triu"]
INPLACE = ("fill_diagonal", "tril", "triu")


def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Matrices that have the last dimension of ``input`` as their diagonal and zeros elsewhere: ``(..., n) -> (..., n, n)``.

    Raises a ShapeError (RuntimeError) where both dimensions are the same.

    >>> import dovetail as dv
    >>> dv.diag_embed(dv.tensor([1, 2]))
    tensor([[1, 0],
            [0, 2]])
    """
    n = input._a.ndim + 1
    if n == 1:
        raise RangeError("diag_embed", "Dimension out of range for a 0-d tensor")
    first, second = two_dims("diag_embed", dim1, dim2, n)
    shape = list(input._a.shape[:-1])
    for d in sorted((first, second)):
        shape.insert(d, input._a.shape[-1] + abs(offset))
    return diagonal_grad(input, tuple(shape), offset, first, second)


def diag(input: Tensor, diagonal: int = 0) -> Tensor:
    """A matrix with this vector as a diagonal, or the diagonal of this matrix (a copy).

    Raises a ShapeError (RuntimeError) for other numbers of dimensions.

    >>> import dovetail as dv
    >>> dv.diag(dv.tensor([[1, 2], [3, 4]]))
    tensor([1, 4])
    """
    n = input._a.ndim
    if n not in (1, 2):
        raise ShapeError("diag()", f"Supports 1D or 2D tensors. Got {n}D")
    return diag_embed(input, diagonal) if n == 1 else clone(_diagonal(input, diagonal))


_diagonal = diagonal  # whose name is that of an argument above


def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """A matrix with all elements on a diagonal.

    >>> import dovetail as dv
    >>> dv.diagflat(dv.tensor([1, 2]), 1).shape
    dovetail.Size([3, 3])
    """
    return diag_embed(reshape(input, (-1,)), offset)


def _triangle(where: str, input: Any) -> Any:
    if input.ndim < 2:
        raise ShapeError(where, "input tensor must have at least 2 dimensions", f"got shape {tuple(input.shape)}")
    return xp(input)


@op(dtypes=None, contiguous=True)
def tril(input: Array, diagonal: int = 0) -> Array:
    """The lower triangle of matrices, up to and with a diagonal; zeros above.

    Raises a ShapeError (RuntimeError) for fewer than two dimensions.

    >>> import dovetail as dv
    >>> dv.tril(dv.ones(2, 2))
    tensor([[1., 0.],
            [1., 1.]])
    """
    return _triangle("tril", input).tril(input, whole(diagonal))


tril.vjp(lambda g, diagonal: tril(g, diagonal))


@op(dtypes=None, contiguous=True)
def triu(input: Array, diagonal: int = 0) -> Array:
    """The upper triangle of matrices, from a diagonal on; zeros below.

    Raises a ShapeError (RuntimeError) for fewer than two dimensions.

    >>> import dovetail as dv
    >>> dv.triu(dv.ones(2, 2), 1)
    tensor([[0., 1.],
            [0., 0.]])
    """
    return _triangle("triu", input).triu(input, whole(diagonal))


triu.vjp(lambda g, diagonal: triu(g, diagonal))


@storing()
def fill_diagonal(input: Array, fill_value: Any, wrap: bool = False) -> None:
    """A copy with a number on the main diagonal, which begins again below it with ``wrap``; a method in its in-place form.

    Raises a ShapeError (RuntimeError) for fewer than two dimensions.

    >>> import dovetail as dv
    >>> dv.zeros(2, 2).fill_diagonal_(1)
    tensor([[1., 0.],
            [0., 1.]])
    """
    if input.ndim < 2:
        raise ShapeError("fill_diagonal_", "dimensions must larger than 1", f"got shape {tuple(input.shape)}")
    if input.ndim > 2 and len(set(input.shape)) > 1:
        raise ShapeError("fill_diagonal_", "all dimensions of input must be of equal length", f"got shape {tuple(input.shape)}")
    xp(input).fill_diagonal(input, fill_value, wrap)


fill_diagonal.vjp(lambda g, wrap: fill_diagonal(g, 0, wrap))


@storing("diagonal_scatter", preserve=True)
def _diagonal_scatter(input: Array, src: Array, offset: Any, dim1: Any, dim2: Any) -> None:
    """A copy with another diagonal."""
    diagonal_of(input, offset, dim1, dim2)[...] = src


_diagonal_scatter.vjp(0)(lambda g, offset, dim1, dim2: _diagonal_scatter(g, 0, offset, dim1, dim2))
_diagonal_scatter.vjp(1)(lambda g, offset, dim1, dim2: clone(diagonal(g, offset, dim1, dim2)))


def diagonal_scatter(input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """A copy with ``src`` on a diagonal of two dimensions.

    Raises a ShapeError (RuntimeError) for a ``src`` of another shape than the diagonal.

    >>> import dovetail as dv
    >>> dv.diagonal_scatter(dv.zeros(2, 2), dv.ones(2))
    tensor([[1., 0.],
            [0., 1.]])
    """
    same_shape("diagonal_scatter", "diagonal", src, _diagonal(input, offset, dim1, dim2))
    return _diagonal_scatter(input, src, offset, *two_dims("diagonal_scatter", dim1, dim2, input._a.ndim))
