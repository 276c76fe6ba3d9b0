"""From one layout to another: coalescing, dense tensors to sparse ones and back, rows and columns compressed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import dovetail as dv
from dovetail.errors import RangeError, ShapeError, TypeMismatch, UnsupportedError

from .edges import keys, places
from .table import BSC, BSR, COO, CSC, CSR, known, unsupported
from .tensor import SparseTensor

__all__: list[str] = []


@known()
def coalesce(input: Any) -> Any:
    """Sort the indices of a COO tensor and add the values of equal ones."""
    if not isinstance(input, SparseTensor):
        raise ShapeError("coalesce", "coalesce expected sparse coordinate tensor layout but got Strided")
    input._only(COO, "coalesce")
    if input.coalesced:
        return input
    return gathered(keys(input), input.live(), input.shape[: input.sparse_dim()], input.shape).after(input)


def gathered(key: Any, value: Any, lengths: Any, size: Any) -> SparseTensor:
    """The coalesced tensor of values at places among sparse dimensions, those at one place added."""
    kept, inverse = np.unique(key, return_inverse=True)
    return SparseTensor(COO, (places(kept, lengths),), summed(value, inverse, len(kept)), size, True)


def summed(value: Any, where: Any, count: int) -> Any:
    """Add the values, (n, …), that go to one of so many places each."""
    if len(value) == count:
        return value[dv.from_numpy(np.argsort(where, kind="stable"))]
    out = dv.zeros((count, *value.shape[1:]), dtype=dv.uint8 if value.dtype is dv.bool else value.dtype)
    out = out.index_add(0, dv.from_numpy(where), value.to(out.dtype))
    return out.to(value.dtype)


def as_coo(input: Any) -> SparseTensor:
    """Any sparse tensor as a COO one, with its values."""
    if input.form == COO:
        return input
    if input.index[0].ndim > 1:
        return from_dense(input.to_dense())
    at = rows_and_columns(input)
    value = input.live()
    if input.form in (BSR, BSC):
        high, wide = value.shape[1:3]
        r, c = np.meshgrid(np.arange(high), np.arange(wide), indexing="ij")
        at = [(x[:, None] * n + y.ravel()).ravel() for x, n, y in zip(at, (high, wide), (r, c), strict=True)]
        value = value.reshape(-1, *value.shape[3:])
    out = SparseTensor(COO, (dv.from_numpy(np.stack(at)),), value, input.shape, input.form == CSR)
    out.after(input)
    if input.form == CSR:
        return out
    out = coalesce(out)
    out.coalesced = input.form == CSC  # as PyTorch says of blocks
    return out


def rows_and_columns(input: Any) -> list[Any]:
    """The row and the column (or those of the block) of every value of a compressed tensor."""
    compressed, plain = (i.numpy() for i in input.index)
    slow = np.repeat(np.arange(len(compressed) - 1), np.diff(compressed))
    return [slow, plain.astype(np.int64)] if input.form in (CSR, BSR) else [plain.astype(np.int64), slow]


@known()
def to_dense(input: Any, dtype: Any = None, *, masked_grad: Any = None) -> Any:
    """All elements, zeros where none is kept; the gradient goes to the values."""
    if dtype is not None:
        raise ShapeError("to_dense", "dtype argument is not supported by sparse_to_dense", "", "convert the result")
    if input.form != COO and input.index[0].ndim > 1:
        return _batched(input)
    t = as_coo(input)
    split = t.sparse_dim()
    lengths, rest = t.shape[:split], t.shape[split:]
    key = keys(t)
    count = math.prod(lengths)
    if len(key) and (t.index[0].numpy().min(initial=0) < 0 or key.max() >= count):
        raise (ShapeError if input.form == COO else RangeError)("to_dense", f"the indices do not lie inside the size {tuple(t.shape)}")
    value = t.live()
    kind = dv.uint8 if value.dtype is dv.bool else value.dtype
    out = dv.zeros((count, *rest), dtype=kind).index_add(0, dv.from_numpy(key), value.to(kind))
    return out.to(value.dtype).reshape(tuple(t.shape))


def _batched(input: Any) -> Any:
    """A batch of compressed matrices, one after the other."""
    batch = input.index[0].shape[:-1]
    n, count = len(batch), math.prod(batch)
    index = [i.reshape(count, -1) for i in input.index]
    value = input.live()
    value = value.reshape(count, *value.shape[n:])
    one = [SparseTensor(input.form, (index[0][b], index[1][b]), value[b], input.shape[n:]).to_dense() for b in range(count)]
    return dv.stack(one).reshape(tuple(input.shape))


def from_dense(input: Any, split: int | None = None) -> SparseTensor:
    """The elements that are not zero, with the first dimensions sparse."""
    split = input.ndim if split is None else split
    if not 0 <= split <= input.ndim:
        what = f"dense_to_sparse: sparse_dim argument must be in [0,{input.ndim}] range, but {split} is given"
        raise ShapeError("to_sparse", what)
    if split == 0 and input.ndim:
        raise ShapeError("to_sparse", "dense_to_sparse: sparse_dim argument must be in >0 when self.dim()>0")
    lengths = tuple(input.shape[:split])
    flat = input.reshape(math.prod(lengths), *input.shape[split:])
    nonzero = (flat.detach() != 0).numpy()
    key = np.flatnonzero(nonzero.any(tuple(range(1, nonzero.ndim))))
    return SparseTensor(COO, (places(key, lengths),), flat[dv.from_numpy(key)], input.shape, True).after(input)


@known()
def to_sparse(input: Any, sparse_dim: Any = None, *, layout: Any = None, blocksize: Any = None, dense_dim: Any = None) -> Any:
    """To COO with so many sparse dimensions, or to another layout."""
    if layout == dv.strided:
        return input.to_dense()
    if layout not in (None, COO):
        if sparse_dim is not None:
            raise TypeMismatch("to_sparse()", "takes 0 positional arguments but 1 was given", "expected sparse_dim or a layout")
        return _to(input, layout, blocksize)
    if isinstance(input, SparseTensor):
        if sparse_dim not in (None, input.sparse_dim()):
            what = f"sparse_dim={sparse_dim} for a sparse tensor of {input.sparse_dim()}"
            raise UnsupportedError("to_sparse", what, "", "call to_dense() first")
        return as_coo(input)
    return from_dense(input, sparse_dim)


@known()
def to_sparse_coo(input: Any) -> Any:
    """To COO, all dimensions sparse."""
    return to_sparse(input)


def _to(input: Any, layout: Any, blocksize: Any = None, dense_dim: Any = None) -> Any:
    """To a compressed layout, of the last two dimensions."""
    where = f"to_{str(layout).rpartition('.')[2]}"
    if isinstance(input, SparseTensor) and input.form == layout and blocksize in (None, tuple(input.value.shape[1:3])):
        return input
    if dense_dim:
        raise UnsupportedError(where, f"dense_dim={dense_dim}", "expected 0", "use to_sparse(sparse_dim)")
    if not isinstance(input, SparseTensor) and input.ndim > 2 and blocksize is None:
        return _stacked(input, layout, where)
    t = coalesce(as_coo(input)) if isinstance(input, SparseTensor) else from_dense(input, 2 if input.ndim == 2 else None)
    if t.sparse_dim() != 2 or (blocksize is not None and t.ndim != 2):
        what = f"only tensors with two sparse dimensions can be converted to the {layout} layout"
        raise ShapeError(where, what, f"got {t.sparse_dim()} and the shape {tuple(t.shape)}", "convert the matrices one by one")
    if (layout in (BSR, BSC)) != (blocksize is not None):
        raise ShapeError(where, f"blocksize is {blocksize}", "expected two numbers for blocks, None without")
    out = _compress(t, layout) if blocksize is None else _in_blocks(t, layout, tuple(blocksize), where)
    if isinstance(input, SparseTensor) and input.form != COO:
        out.index = tuple(i.to(input.index[0].dtype) for i in out.index)  # int32 stays so
    return out.after(t)


def _stacked(input: Any, layout: Any, where: str) -> SparseTensor:
    """A batch of matrices, each compressed; they keep equally many elements."""
    batch = tuple(input.shape[:-2])
    parts = [_to(m, layout) for m in input.reshape(-1, *input.shape[-2:])]
    if len({p._nnz() for p in parts}) > 1:
        raise ShapeError(where, "Expect the same number of specified elements per batch.")
    index = [dv.stack([p.index[k] for p in parts]).reshape(*batch, -1) for k in (0, 1)]
    return SparseTensor(layout, tuple(index), dv.stack([p.live() for p in parts]).reshape(*batch, -1), input.shape)


def _compress(t: SparseTensor, layout: Any) -> SparseTensor:
    """A coalesced matrix with its rows or columns compressed."""
    at, value = t.index[0].numpy(), t.live()
    slow = 0
    if layout == CSC:
        order = np.lexsort((at[0], at[1]))
        at, value, slow = at[:, order], value[dv.from_numpy(order)], 1
    return SparseTensor(layout, _pointers(at[slow], at[1 - slow], t.shape[slow]), value, t.shape)


def _pointers(slow: Any, fast: Any, count: int) -> tuple[Any, Any]:
    counts = np.bincount(slow, minlength=count)
    return dv.from_numpy(np.r_[0, np.cumsum(counts)].astype(np.int64)), dv.from_numpy(np.ascontiguousarray(fast))


def _in_blocks(t: SparseTensor, layout: Any, block: tuple[int, int], where: str) -> SparseTensor:
    """The blocks in which something is kept."""
    (high, wide), (n, m) = block, t.shape
    if high < 1 or wide < 1 or n % high or m % wide:
        what = f"tensor sparse size ({n}, {m}) must be divisible by given blocksize ({high}, {wide})"
        raise ShapeError(where, what)
    (r, c), value = t.index[0].numpy(), t.live()
    down, across = n // high, m // wide
    key = (r // high) * across + c // wide if layout == BSR else (c // wide) * down + r // high
    kept, inverse = np.unique(key, return_inverse=True)
    within = inverse * high * wide + (r % high) * wide + c % wide
    blocks = dv.zeros(len(kept) * high * wide, dtype=value.dtype).index_add(0, dv.from_numpy(within), value)
    slow, fast = np.divmod(kept, across if layout == BSR else down)
    index = _pointers(slow, fast, down if layout == BSR else across)
    return SparseTensor(layout, index, blocks.reshape(len(kept), high, wide), t.shape)


@known()
def to_sparse_csr(input: Any, dense_dim: Any = None) -> Any:
    """To rows compressed."""
    return _to(input, CSR, None, dense_dim)


@known()
def to_sparse_csc(input: Any, dense_dim: Any = None) -> Any:
    """To columns compressed."""
    return _to(input, CSC, None, dense_dim)


def _pair(blocksize: Any) -> tuple[int, int]:
    return (blocksize, blocksize) if isinstance(blocksize, int) else tuple(blocksize)


@known()
def to_sparse_bsr(input: Any, blocksize: Any, dense_dim: Any = None) -> Any:
    """To rows of blocks compressed."""
    return _to(input, BSR, _pair(blocksize), dense_dim)


@known()
def to_sparse_bsc(input: Any, blocksize: Any, dense_dim: Any = None) -> Any:
    """To columns of blocks compressed."""
    return _to(input, BSC, _pair(blocksize), dense_dim)


@known()
def sparse_mask(input: Any, mask: Any) -> Any:
    """The elements of a dense (or sparse) tensor at the indices of a sparse one."""
    if not isinstance(mask, SparseTensor):
        raise unsupported("sparse_mask", mask.layout)
    if input.shape != mask.shape:
        what = f"operands have incompatible sizes; self has size {list(input.shape)} but mask has size {list(mask.shape)}"
        raise ShapeError("sparse_mask", what)
    dense = input.to_dense()
    if mask.form == COO:
        return mask.like(dense[tuple(mask.index[0])])
    if mask.index[0].ndim > 1:
        raise unsupported("sparse_mask", mask.form)
    if mask.form in (BSR, BSC):
        high, wide = mask.value.shape[1:3]
        dense = dense.reshape(mask.shape[0] // high, high, mask.shape[1] // wide, wide, *mask.shape[2:]).transpose(1, 2)
    return mask.like(dense[tuple(dv.from_numpy(x) for x in rows_and_columns(mask))])
