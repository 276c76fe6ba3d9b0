"""NumPy's family of stacks: tensors joined along a dimension that each of them is first given."""

from __future__ import annotations

from typing import Any

from ..autograd.node import Tensor
from ..errors import ShapeError
from .join import cat, listed
from .views import reshape, unsqueeze

__all__ = ["atleast_1d", "atleast_2d", "atleast_3d", "column_stack", "dstack", "hstack", "row_stack", "vstack"]


def _atleast(n: int, tensors: Any) -> Any:
    if len(tensors) == 1 and isinstance(tensors[0], tuple | list):
        return tuple(_grown(one, n) for one in tensors[0])
    return _grown(tensors[0], n) if len(tensors) == 1 else tuple(_grown(one, n) for one in tensors)


def _grown(one: Tensor, n: int) -> Tensor:
    k = one._a.ndim
    if k >= n:
        return one
    if k == 0:
        return reshape(one, (1,) * n)
    if n == 2:
        return unsqueeze(one, 0)
    return unsqueeze(one if k == 2 else unsqueeze(one, 0), -1)


def atleast_1d(*tensors: Any) -> Any:
    """Numbers as vectors of one element; everything else as it is.

    >>> import dovetail as dv
    >>> dv.atleast_1d(dv.tensor(2.))
    tensor([2.])
    """
    return _atleast(1, tensors)


def atleast_2d(*tensors: Any) -> Any:
    """Vectors as matrices of one row; what has two dimensions or more as it is.

    >>> import dovetail as dv
    >>> dv.atleast_2d(dv.tensor([1, 2]))
    tensor([[1, 2]])
    """
    return _atleast(2, tensors)


def atleast_3d(*tensors: Any) -> Any:
    """Vectors as ``(1, n, 1)``, matrices as ``(n, m, 1)``; what has three dimensions or more as it is.

    >>> import dovetail as dv
    >>> dv.atleast_3d(dv.ones(2, 3)).shape
    dovetail.Size([2, 3, 1])
    """
    return _atleast(3, tensors)


def hstack(tensors: Any) -> Tensor:
    """Join side by side: vectors end to end, everything else along dimension 1.

    >>> import dovetail as dv
    >>> dv.hstack([dv.tensor([1]), dv.tensor([2])])
    tensor([1, 2])
    """
    given = _atleast(1, (_some("hstack", tensors),))
    return cat(given, 0 if given[0]._a.ndim == 1 else 1)


def vstack(tensors: Any) -> Tensor:
    """Join on top of each other, vectors as rows.

    >>> import dovetail as dv
    >>> dv.vstack([dv.tensor([1, 2]), dv.tensor([3, 4])])
    tensor([[1, 2],
            [3, 4]])
    """
    return cat(_atleast(2, (_some("vstack", tensors),)), 0)


def row_stack(tensors: Any) -> Tensor:
    """:func:`vstack` by another name.

    >>> import dovetail as dv
    >>> dv.row_stack([dv.tensor([1, 2]), dv.tensor([3, 4])])
    tensor([[1, 2],
            [3, 4]])
    """
    return vstack(tensors)


def dstack(tensors: Any) -> Tensor:
    """Join along dimension 2.

    >>> import dovetail as dv
    >>> dv.dstack([dv.tensor([1, 2]), dv.tensor([3, 4])])
    tensor([[[1, 3],
             [2, 4]]])
    """
    return cat(_atleast(3, (_some("dstack", tensors),)), 2)


def column_stack(tensors: Any) -> Tensor:
    """Join side by side, vectors as columns.

    >>> import dovetail as dv
    >>> dv.column_stack([dv.tensor([1, 2]), dv.tensor([3, 4])])
    tensor([[1, 3],
            [2, 4]])
    """
    given = _some("column_stack", tensors)
    return hstack([reshape(one, (one._a.size, 1)) if one._a.ndim <= 1 else one for one in given])


def _some(where: str, tensors: Any) -> list[Any]:
    given = listed(where, tensors)
    if not given:
        raise ShapeError(where, "expects a non-empty TensorList")
    return given
