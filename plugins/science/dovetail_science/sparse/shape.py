"""Dimensions exchanged and added, parts taken, tensors joined; `spdiags`."""

from __future__ import annotations

from typing import Any

import numpy as np

import dovetail as dv
from dovetail import Tensor
from dovetail.errors import RangeError, ShapeError

from .convert import as_coo
from .table import BSC, BSR, COO, CSC, CSR, TABLE, known, unsupported
from .tensor import SparseTensor

__all__ = ["spdiags"]

_TURNED = {CSR: CSC, CSC: CSR, BSR: BSC, BSC: BSR}


def _dim(where: str, t: Any, d: int, more: int = 0) -> int:
    n = t.ndim + more
    if not -n <= d < n:
        raise RangeError(where, f"Dimension out of range (expected to be in range of [{-n}, {n - 1}], but got {d})")
    return d % n


@known("transpose", "swapaxes", "swapdims")
def transpose(input: Any, dim0: int, dim1: int) -> Any:
    """Exchange two sparse dimensions."""
    a, b = (_dim("transpose", input, d) for d in (dim0, dim1))
    order = list(range(input.ndim))
    order[a], order[b] = order[b], order[a]
    out = permute(input, order)
    out.coalesced = out.coalesced or (input.form == COO and not out._nnz())
    return out


@known()
def permute(input: Any, *dims: Any) -> Any:
    """Put the dimensions in another order; sparse ones stay before dense ones."""
    order = [_dim("permute", input, d) for d in (dims[0] if isinstance(dims[0], tuple | list) else dims)]
    if len(order) != input.ndim or len(set(order)) != len(order):
        raise ShapeError("permute", "permute(): duplicate dims are not allowed." if len(order) == input.ndim else f"got {order}")
    size = [input.shape[d] for d in order]
    if order == sorted(order):
        return input
    value = input.live()
    if input.form != COO:
        if input.ndim != 2 or input.dense_dim():
            raise unsupported("permute", input.form)
        value = value.transpose(1, 2) if input.form in (BSR, BSC) else value
        return SparseTensor(_TURNED[input.form], input.index, value, size).after(input, True)
    split = input.sparse_dim()
    if any(d >= split for d in order[:split]):
        raise ShapeError("permute", "transpositions between sparse and dense dimensions are not allowed.", f"sparse: {split}")
    value = value.permute(0, *(d - split + 1 for d in order[split:]))
    same = order[:split] == list(range(split))
    out = SparseTensor(COO, (input.index[0][order[:split]],), value, size)
    out.coalesced = input.coalesced and same
    return out.after(input, True) if input.ndim == 2 else out


@known()
def t(input: Any) -> Any:
    """The transpose of a matrix."""
    if input.ndim > 2:
        raise ShapeError("t", f"t() expects a tensor with <= 2 dimensions, but self is {input.ndim}D")
    return transpose(input, 0, -1) if input.ndim == 2 else input


@known("t_")
def t_(input: Any) -> Any:
    """The transpose of a matrix, in place."""
    return input._take(t(input))


@known("transpose_")
def transpose_(input: Any, dim0: int, dim1: int) -> Any:
    """Exchange two dimensions, in place."""
    return input._take(transpose(input, dim0, dim1))


@known()
def unsqueeze(input: Any, dim: int) -> Any:
    """Insert a dimension of length 1."""
    d = _dim("unsqueeze", input, dim, 1)
    if input.form != COO:
        raise unsupported("unsqueeze", input.form)
    split, size = input.sparse_dim(), list(input.shape)
    size.insert(d, 1)
    if d > split:
        return SparseTensor(COO, input.index, input.live().unsqueeze(d - split + 1), size)
    index = input.index[0]
    index = dv.cat([index[:d], dv.zeros(1, index.shape[1], dtype=dv.int64), index[d:]])
    return SparseTensor(COO, (index,), input.live(), size)


@known()
def select(input: Any, dim: int, index: int) -> Any:
    """One slice along a dimension."""
    d = _dim("select", input, dim)
    n = input.shape[d]
    if not -n <= index < n:
        size = list(input.shape)
        raise RangeError("select", f"select(): index {index} out of range for tensor of size {size} at dimension {d}")
    at, sparse = index % n, as_coo(input)
    split, size = sparse.sparse_dim(), [m for k, m in enumerate(input.shape) if k != d]
    if d >= split:
        return SparseTensor(COO, sparse.index, sparse.live().select(d - split + 1, at), size)
    kept = np.flatnonzero(sparse.index[0].numpy()[d] == at)
    value = sparse.live()[dv.from_numpy(kept)]
    if split == 1:
        return value.sum(0).to(value.dtype)
    rows = [k for k in range(split) if k != d]
    return SparseTensor(COO, (sparse.index[0][rows][:, dv.from_numpy(kept)],), value, size, input.form != COO)


@known()
def unbind(input: Any, dim: int = 0) -> Any:
    """All slices along a dimension."""
    return tuple(select(input, dim, i) for i in range(input.shape[_dim("unbind", input, dim)]))


@known("index_select")
def index_select(input: Any, dim: int, index: Any) -> Any:
    """The slices at these places, in their order."""
    if input.form != COO:
        raise unsupported("index_select", input.form)
    if index.ndim != 1:
        raise RangeError("index_select", "index_select() argument index must be 1-D strided (non-sparse) long-tensor.")
    d, wanted = _dim("index_select", input, dim), index.numpy()
    n, split = input.shape[d], input.sparse_dim()
    if len(wanted) and (wanted.min() < -n or wanted.max() >= n):
        raise RangeError("index_select", f"index_select(): index contains {wanted.max()} that is out of range for tensor of size {n}")
    wanted = np.where(wanted < 0, wanted + n, wanted)
    size = [len(wanted) if k == d else m for k, m in enumerate(input.shape)]
    value = input.live()
    if d >= split:
        return SparseTensor(COO, input.index, value.index_select(d - split + 1, dv.from_numpy(wanted)), size)
    row = input.index[0].numpy()[d]
    order = np.argsort(row, kind="stable")
    begin, end = (np.searchsorted(row[order], wanted, side=side) for side in ("left", "right"))
    counts = end - begin
    new = np.repeat(np.arange(len(wanted)), counts)
    at = dv.from_numpy(order[np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(begin, counts)])
    picked = input.index[0].numpy()[:, at.numpy()].copy()
    picked[d] = new
    return SparseTensor(COO, (dv.from_numpy(picked),), value[at], size)


@known("narrow_copy")
def narrow_copy(input: Any, dim: int, start: int, length: int) -> Any:
    """A part of so many slices along a dimension."""
    d = _dim("narrow_copy", input, dim)
    if input.form != COO:
        raise unsupported("narrow_copy", input.form)
    n, split = input.shape[d], input.sparse_dim()
    if not 0 <= start <= start + length <= n:
        raise ShapeError("narrow_copy", f"start ({start}) + length ({length}) exceeds dimension size ({n}).")
    size = [length if k == d else m for k, m in enumerate(input.shape)]
    if d >= split:
        return input.like(input.live().narrow(d - split + 1, start, length), size)
    at = input.index[0].numpy()
    kept = np.flatnonzero((at[d] >= start) & (at[d] < start + length))
    picked = at[:, kept].copy()
    picked[d] -= start
    out = SparseTensor(COO, (dv.from_numpy(picked),), input.live()[dv.from_numpy(kept)], size)
    out.coalesced = input.coalesced
    return out


@known("adjoint")
def adjoint(input: Any) -> Any:
    """The conjugate transpose."""
    return transpose(input, -2, -1).conj()


@known("movedim", "moveaxis")
def movedim(input: Any, source: int, destination: int) -> Any:
    """Move a dimension."""
    order = [d for d in range(input.ndim) if d != _dim("movedim", input, source)]
    order.insert(_dim("movedim", input, destination), _dim("movedim", input, source))
    return permute(input, order)


@known("__getitem__")
def getitem(self: Any, index: Any) -> Any:
    """Numbers, whole slices, None and dots."""
    given = index if isinstance(index, tuple) else (index,)
    count = sum(1 for i in given if i is not None and i is not Ellipsis)
    if count > self.ndim:
        raise RangeError("Tensor", f"too many indices for tensor of dimension {self.ndim}")
    out, d = self, 0
    for i in given:
        if i is Ellipsis:
            d += self.ndim - count
        elif i is None:
            out, d = unsqueeze(out, d), d + 1
        elif isinstance(i, slice) and (i.start or 0) == 0 and (i.step or 1) == 1 and (i.stop is None or i.stop >= out.shape[d]):
            d += 1
        elif isinstance(i, int | np.integer) and not isinstance(i, bool):
            out = select(out, d, int(i)) if isinstance(out, SparseTensor) else out.select(d, int(i))
        elif isinstance(i, Tensor) and i.ndim == 0 and not i.is_floating_point() and i.dtype is not dv.bool:
            out = select(out, d, int(i))
        else:
            raise unsupported("indexing by slices and tensors", self.form)
    return out


@known("cat", "concat", "concatenate")
def cat(tensors: Any, dim: int = 0, *, out: Any = None) -> Any:
    """Join COO tensors along a dimension."""
    for i, x in enumerate(tensors):
        if not isinstance(x, SparseTensor):
            raise ShapeError("cat", f"Concatenating sparse tensors, but a dense tensor was found at position {i}.")
        if x.form != COO:
            raise unsupported("cat", x.form)
    first = tensors[0]
    d, split = _dim("cat", first, dim), first.sparse_dim()
    rest = [n for k, n in enumerate(first.shape) if k != d]
    for i, x in enumerate(tensors):
        if [n for k, n in enumerate(x.shape) if k != d] != rest or x.sparse_dim() != split:
            what = f"All tensors must have the same shape: {list(first.shape)} (except in the concatenating dimension), but found"
            raise ShapeError("cat", f"{what} shape: {list(x.shape)} at position {i}")
    size = list(first.shape)
    size[d] = sum(x.shape[d] for x in tensors)
    offset, indices, values = 0, [], []
    for x in tensors:
        index, value = x.index[0], x.live()
        if d < split:
            shift = dv.zeros(split, 1, dtype=dv.int64)
            shift[d] = offset
            index = index + shift
        else:
            before = dv.zeros((len(value), *[offset if k == d else n for k, n in enumerate(size)][split:]), dtype=value.dtype)
            after_size = [size[d] - offset - x.shape[d] if k == d else n for k, n in enumerate(size)][split:]
            value = dv.cat([before, value, dv.zeros((len(value), *after_size), dtype=value.dtype)], d - split + 1)
        indices.append(index)
        values.append(value)
        offset += x.shape[d]
    return SparseTensor(COO, (dv.cat(indices, 1),), dv.cat(values), size)


@known()
def stack(tensors: Any, dim: int = 0, *, out: Any = None) -> Any:
    """Join COO tensors along a new dimension."""
    return cat([unsqueeze(x, dim) for x in tensors], dim if dim >= 0 else dim + tensors[0].ndim + 1)


def spdiags(diagonals: Any, offsets: Any, shape: Any, layout: Any = None) -> SparseTensor:
    """A matrix whose diagonals are given: row k of `diagonals` (n, m) holds that at ``offsets[k]``, its elements by column.

    Raises a RuntimeError for offsets that repeat or do not fit, and a shape that is not of two dimensions.

    >>> spdiags(dv.tensor([[1., 2., 3.]]), dv.tensor([1]), (2, 3)).to_dense()
    tensor([[0., 2., 0.],
            [0., 0., 3.]])
    """
    offsets = offsets.reshape(-1) if offsets.ndim == 0 else offsets
    table = diagonals[None] if diagonals.ndim == 1 else diagonals
    if table.ndim != 2:
        raise ShapeError("spdiags", "Diagonals must be vector or matrix", f"got shape {tuple(diagonals.shape)}")
    if len(shape) != 2:
        raise ShapeError("spdiags", f"Output shape must be 2d (got {tuple(shape)})")
    if offsets.ndim != 1:
        raise ShapeError("spdiags", f"Offsets must be scalar or vector (got shape {tuple(offsets.shape)})")
    if len(offsets) != len(table):
        what = f"Number of diagonals ({len(table)}) does not match the number of offsets ({len(offsets)})"
        raise ShapeError("spdiags", what)
    if offsets.dtype is not dv.int64:
        raise ShapeError("spdiags", f"Offset Tensor must have dtype Long but got {offsets.dtype}")
    if len(set(offsets.tolist())) != len(offsets):
        raise ShapeError("spdiags", "Offset tensor contains duplicate values")
    if layout not in (None, COO, CSR, CSC):
        raise ShapeError("spdiags", f"Only output layouts (Sparse, SparseCsc, SparseCsr) are supported, got {layout}")
    n, m = shape
    none = np.empty(0, np.int64)
    rows, columns, values = [none], [none], [table.reshape(-1)[:0]]
    for k, offset in enumerate(offsets.tolist()):
        if not -n <= offset <= m:
            raise ShapeError("spdiags", f"the diagonal {offset} does not lie in a matrix of {n} by {m}")
        column = np.arange(max(offset, 0), min(m, n + offset, table.shape[1]))
        rows.append(column - offset)
        columns.append(column)
        values.append(table[k, dv.from_numpy(column)])
    index = dv.from_numpy(np.stack([np.concatenate(rows), np.concatenate(columns)]).astype(np.int64))
    out = SparseTensor(COO, (index,), dv.cat(values), tuple(shape))
    return TABLE["to_sparse"](out, layout=layout)
