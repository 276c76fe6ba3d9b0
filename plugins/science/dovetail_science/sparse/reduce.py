"""Sums and softmax."""

from __future__ import annotations

from typing import Any

import numpy as np

import dovetail as dv
from dovetail.errors import RangeError, ShapeError
from dovetail.extend import Function

from .convert import as_coo, coalesce, gathered
from .edges import keys
from .table import COO, CSR, TABLE, known, unsupported
from .tensor import SparseTensor

__all__ = ["log_softmax", "softmax", "sum"]


class _All(Function):
    """The sum of all elements by ``x.sum()``: the gradient of what they were made of is dense, as in PyTorch."""

    @staticmethod
    def forward(ctx: Any, root: Any, values: Any) -> Any:
        """The sum of the values."""
        ctx.size = tuple(root.shape)
        return values.sum()

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        """The same everywhere."""
        return g.expand(ctx.size).clone(), None


def dims_of(t: Any, dim: Any) -> list[int]:
    """The dimensions that are meant, in order."""
    given = [dim] if isinstance(dim, int) else list(dim)
    n = max(t.ndim, 1)
    for d in given:
        if not -n <= d < n:
            raise RangeError("sum", f"Dimension out of range (expected to be in range of [{-n}, {n - 1}], but got {d})")
    twice = next((d for i, d in enumerate(given) if d % n in [e % n for e in given[:i]]), None)
    if twice is not None:
        raise ShapeError("sum", f"dim {twice % n} appears multiple times in the list of dims")
    return sorted(d % n for d in given)


@known("sum")
def total(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """``x.sum()`` of a sparse tensor: of all elements, or over some dimensions."""
    if dim is None:
        root = input.root()
        if root is not None:
            out = _All.apply(root[0], input.value.detach())
            return out if dtype is None else out.to(dtype)
        return input.live().sum(dtype=dtype)
    if dtype is None and not (input.is_floating_point() or input.is_complex()):
        dtype = dv.int64
    if input.form == COO:
        out = sum(input, dim, dtype)
        return _kept(out, dims_of(input, dim)) if keepdim else out
    if not keepdim:
        raise ShapeError("sum", "reduction operations on CSR tensors with keepdim=False is unsupported")
    if input.form != CSR:
        raise unsupported("sum", input.form)
    dims = dims_of(input, dim)
    t = as_coo(input)
    at = t.index[0].numpy().copy()
    at[dims] = 0
    size = [1 if d in dims else n for d, n in enumerate(t.shape)]
    value = t.live() if dtype is None else t.live().to(dtype)
    return TABLE["to_sparse_csr"](gathered(at[0] * size[1] + at[1], value, size, size))


def _kept(out: Any, dims: list[int]) -> SparseTensor:
    for d in dims:
        out = out.unsqueeze(d)
    return out


def sum(input: Any, dim: Any = None, dtype: Any = None) -> Any:
    """The sum of a COO tensor's elements, or over dimensions: sparse where sparse dimensions remain.

    >>> a = dv.tensor([[0., 2.], [3., 4.]]).to_sparse()
    >>> sum(a), sum(a, 1).to_dense()
    (tensor(9.), tensor([2., 7.]))
    """
    if not isinstance(input, SparseTensor):
        raise ShapeError("sum", "coalesce expected sparse coordinate tensor layout but got Strided")
    input._only(COO, "coalesce")
    if dim is None:
        return coalesce(input).live().sum(dtype=dtype)
    value = input.live() if dtype is None else input.live().to(dtype)
    dims, split = dims_of(input, dim), input.sparse_dim()
    inner = [d - split + 1 for d in dims if d >= split]
    value = value.sum(inner, dtype=dtype) if inner else value
    stay = [d for d in range(split) if d not in dims]
    if not stay:
        return value.sum(0, dtype=dtype)
    lengths = [input.shape[d] for d in stay]
    size = [n for d, n in enumerate(input.shape) if d not in dims]
    picked = SparseTensor(COO, (input.index[0][stay],), value, size)
    return gathered(keys(picked), value, lengths, size)


def _normalised(name: str, input: Any, dim: int, dtype: Any) -> Any:
    """Softmax or its logarithm over the kept elements."""
    if not isinstance(input, SparseTensor) or input.form != COO:
        raise unsupported(name, input.layout)
    t = coalesce(input if dtype is None else input.to(dtype))
    d = dims_of(t, dim)[0]
    split, value = t.sparse_dim(), t.live()
    function = dv.softmax if name == "softmax" else dv.log_softmax
    if d >= split:
        return t.like(function(value, d - split + 1))
    at = t.index[0].numpy().copy()
    at[d] = 0
    _, group = np.unique(keys(SparseTensor(COO, (dv.from_numpy(at),), value, t.shape)), return_inverse=True)
    where, count = dv.from_numpy(group), int(group.max(initial=-1)) + 1
    shape = (count, *value.shape[1:])
    index = where.reshape(-1, *[1] * (value.ndim - 1)).expand(tuple(value.shape))
    most = dv.zeros(shape, dtype=value.dtype).scatter_reduce(0, index, value.detach(), "amax", include_self=False)
    lifted = value - most[where]
    powers = lifted.exp()
    sums = dv.zeros(shape, dtype=value.dtype).index_add(0, where, powers)[where]
    return t.like(powers / sums if name == "softmax" else lifted - sums.log())


def softmax(input: Any, dim: int, *, dtype: Any = None) -> SparseTensor:
    """Softmax over the kept elements along a dimension; those that are not kept count as −∞.

    >>> softmax(dv.tensor([[1., 0.], [1., 1.]]).to_sparse(), 1).to_dense().tolist()
    [[1.0, 0.0], [0.5, 0.5]]
    """
    return _normalised("softmax", input, dim, dtype)


def log_softmax(input: Any, dim: int, *, dtype: Any = None) -> SparseTensor:
    """The logarithm of :func:`softmax`.

    >>> log_softmax(dv.tensor([[5., 0.]]).to_sparse(), 1).values()
    tensor([0.])
    """
    return _normalised("log_softmax", input, dim, dtype)
