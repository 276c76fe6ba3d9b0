"""Matrix products, on SciPy's compressed rows."""

from __future__ import annotations

from typing import Any

import numpy as np

import dovetail as dv
from dovetail import Tensor
from dovetail.errors import DtypeError, ShapeError, TypeMismatch, UnsupportedError, ValueRangeError
from dovetail.extend import Array, Fixed, Function, op

from .convert import as_coo, coalesce, gathered, rows_and_columns
from .create import empty
from .table import COO, CSC, CSR, TABLE, known, unsupported
from .tensor import SparseTensor

__all__ = ["addmm", "hspmm", "mm", "sampled_addmm", "smm", "sspaddmm"]

_CHUNK = 1 << 22  # elements of the products that are held at a time


@op(dtypes="same", name="science/sparse_times_dense")
def times_dense(values: Array, dense: Array, rows: Fixed, columns: Fixed, count: int) -> Array:
    """A sparse matrix of so many rows, as values at rows and columns, times a dense one (k, p)."""
    from scipy.sparse import csr_array

    kind = np.int64 if values.dtype.kind in "iub" else values.dtype
    matrix = csr_array((values.astype(kind, copy=False), (rows, columns)), shape=(count, len(dense)))
    return (matrix @ dense.astype(kind, copy=False)).astype(dense.dtype, copy=False)


@times_dense.vjp("values")
def _(g: Any, dense: Any, rows: Any, columns: Any) -> Any:
    return products_at(g, dense.conj(), rows, columns)


@times_dense.vjp("dense")
def _(g: Any, values: Any, rows: Any, columns: Any, dense_shape: Any) -> Any:
    return times_dense(values.conj(), g, columns, rows, dense_shape[0])


@op(dtypes="same", name="science/products_at")
def products_at(left: Array, right: Array, rows: Fixed, columns: Fixed) -> Array:
    """The elements of ``left @ right.T`` at rows and columns."""
    out = np.empty(len(rows), left.dtype)
    step = max(1, _CHUNK // max(left.shape[1], 1))
    for i in range(0, len(rows), step):
        part = slice(i, i + step)
        out[part] = np.einsum("ij,ij->i", left[rows[part]], right[columns[part]])
    return out


products_at.vjp(
    lambda g, right, rows, columns, left_shape: times_dense(g, right.conj(), rows, columns, left_shape[0]),
    lambda g, left, rows, columns, right_shape: times_dense(g, left.conj(), columns, rows, right_shape[0]),
)


def located(t: SparseTensor) -> tuple[Any, Any]:
    """The rows and columns of a matrix's values."""
    return tuple(t.index[0]) if t.form == COO else tuple(map(dv.from_numpy, rows_and_columns(t)))  # type: ignore[return-value]


class _Whole(Function):
    """A sparse matrix times a dense one by ``@``: the gradient of what the first was made of is dense, as in PyTorch."""

    @staticmethod
    def forward(ctx: Any, root: Any, dense: Any, sparse: Any, turned: bool) -> Any:
        """The product."""
        ctx.save_for_backward(root, dense, sparse)
        ctx.turned = turned
        return _multiply(sparse, dense)

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        """g denseᵀ, and sparseᵀ g, for second gradients with the history of what the sparse factor was made of."""
        root, dense, sparse = ctx.saved_tensors
        outer = g @ dense.t().conj()
        if dv.is_grad_enabled():
            source = root.t() if ctx.turned else root
            sparse = source if isinstance(root, SparseTensor) else TABLE["sparse_mask"](source, sparse).after(root, ctx.turned)
        left = TABLE["t"](sparse)
        left = left.conj() if left.is_complex() else left
        return outer.t() if ctx.turned else outer, product(left, g) if ctx.needs_input_grad[1] else None, None, None


def _multiply(sparse: SparseTensor, dense: Any) -> Any:
    """Sparse matrix times dense matrix; the gradient of a sparse leaf is sparse."""
    if sparse.form not in (COO, CSR, dv.sparse_csc) or sparse.value.ndim > 1:
        sparse = as_coo(sparse)
    if sparse.value.ndim > 1 or sparse.sparse_dim() != 2:
        raise ShapeError("mm", f"expected a matrix without dense dimensions (got {sparse.sparse_dim()} and {sparse.dense_dim()})")
    rows, columns = located(sparse)
    if sparse.index[0].numel() and rows.numel() and int(columns.max()) >= sparse.shape[1]:
        raise ShapeError("mm", f"an index lies outside the size {tuple(sparse.shape)}")
    return times_dense(sparse.live(), dense, rows, columns, sparse.shape[0])


def _checked(sparse: Any, dense: Any) -> None:
    for which, x in (("sparse", sparse), ("dense", dense)):
        if not isinstance(x, Tensor):
            raise TypeMismatch("mm()", f"argument {which!r} must be Tensor, not {type(x).__name__}")
    if sparse.ndim != 2 or dense.ndim != 2:
        name, n = ("sparse", sparse.ndim) if sparse.ndim != 2 else ("dense", dense.ndim)
        raise ShapeError("mm", f"addmm: 2D tensor expected, got {n}D tensor for {name}")
    if sparse.shape[1] != dense.shape[0]:
        raise ShapeError("mm", f"addmm: Argument #3 (dense): Expected dim 0 size {sparse.shape[1]}, got {dense.shape[0]}")
    if sparse.dtype is not dense.dtype:
        raise DtypeError("mm", f"expected scalar type {_kind(sparse)} but found {_kind(dense)}", "", "convert one of them with .to(dtype)")


def _kind(t: Any) -> str:
    return t.value.type().rpartition(".")[2][:-6] if isinstance(t, SparseTensor) else t.type().rpartition(".")[2][:-6]


def _by_dense(sparse: SparseTensor, dense: Any) -> Any:
    _checked(sparse, dense)
    return _multiply(sparse, dense)


def _by_sparse(a: SparseTensor, b: SparseTensor) -> Any:
    """The product of two sparse matrices, which is sparse."""
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[0]:
        shapes = " and ".join("x".join(map(str, t.shape)) for t in (a, b))
        raise ShapeError("mm", f"mat1 and mat2 shapes cannot be multiplied ({shapes})")
    if a.dtype is not b.dtype:
        raise DtypeError("mm", f"mat1 dtype {_kind(a)} does not match mat2 dtype {_kind(b)}")
    left, right = (coalesce(as_coo(t)) for t in (a, b))
    (i, k), (m, j) = (t.index[0].numpy() for t in (left, right))
    begin, end = (np.searchsorted(m, k, side=side) for side in ("left", "right"))
    counts = end - begin
    first = np.repeat(np.arange(len(k)), counts)
    second = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(begin, counts)
    value = left.live()[dv.from_numpy(first)] * right.live()[dv.from_numpy(second)]
    out = gathered(i[first] * b.shape[1] + j[second], value, (a.shape[0], b.shape[1]), (a.shape[0], b.shape[1]))
    return out if COO in (a.form, b.form) else TABLE["to_sparse_csr"](out)


def product(a: Any, b: Any, dense_gradient: bool = True) -> Any:
    """``a @ b`` with one of them sparse; whether a sparse leaf's gradient is dense, as that of ``@`` is in PyTorch."""
    if dv.is_autocast_enabled("cpu"):
        lower = dv.get_autocast_dtype("cpu")
        a, b = (t.to(lower) if isinstance(t, Tensor) and t.dtype in (dv.float32, dv.float16, dv.bfloat16) else t for t in (a, b))
    if isinstance(a, SparseTensor) and isinstance(b, SparseTensor):
        return _by_sparse(a, b)
    if not isinstance(b, SparseTensor):
        _checked(a, b)
        root = a.root() if dense_gradient else None
        return _multiply(a, b) if root is None else _Whole.apply(root[0], b, a.detach(), root[1])
    if not isinstance(a, Tensor):
        raise TypeMismatch("mm()", f"argument 'input' must be Tensor, not {type(a).__name__}")
    return product(TABLE["t"](b), a.transpose(-2, -1), dense_gradient).transpose(-2, -1)


@known("mm", "spmm")
def multiply(input: Any, mat2: Any) -> Any:
    """``torch.mm`` with a sparse matrix."""
    return product(input, mat2)


@known("matmul")
def matmul(input: Any, other: Any) -> Any:
    """``torch.matmul`` with a sparse matrix: by a vector, a matrix, or on the right of a stack of matrices."""
    if not isinstance(other, Tensor):
        raise TypeMismatch("matmul()", f"argument 'other' (position 2) must be Tensor, not {type(other).__name__}")
    if input.ndim == other.ndim == 1:
        raise unsupported("dot", COO)
    if isinstance(input, SparseTensor):
        if input.ndim == 2 and other.ndim == 1:
            return mv(input, other)
        if other.ndim == 2 and input.ndim == 2:
            return product(input, other)
        raise ShapeError("matmul", "expand is unsupported for Sparse tensors", f"got {tuple(input.shape)} and {tuple(other.shape)}")
    if other.ndim != 2:
        raise ShapeError("matmul", "expand is unsupported for Sparse tensors", f"got {tuple(input.shape)} and {tuple(other.shape)}")
    if input.ndim == 1:
        return product(input[None], other)[0]
    flat = input.reshape(-1, input.shape[-1])
    return product(flat, other).reshape(*input.shape[:-1], other.shape[1])


@known()
def mv(input: Any, vec: Any) -> Any:
    """A sparse matrix times a vector."""
    if input.ndim != 2 or vec.ndim != 1 or input.shape[1] != vec.shape[0]:
        raise ShapeError("mv", f"mv: expected self.size(-1) == vec.size(-1) (got {tuple(input.shape)} and {tuple(vec.shape)})")
    return product(input, vec[:, None])[:, 0]


@known()
def bmm(input: Any, mat2: Any) -> Any:
    """Stacks of matrices, the first sparse."""
    if not isinstance(input, SparseTensor) or isinstance(mat2, SparseTensor):
        raise unsupported("bmm", COO)
    if input.sparse_dim() != 3:
        raise ShapeError("bmm", f"bmm_sparse: Tensor 'self' must have 3 sparse dims, but has {input.sparse_dim()}")
    return dv.stack([_by_dense(m, d) for m, d in zip(TABLE["unbind"](input), mat2, strict=True)])


@known("linear")
def linear(input: Any, weight: Any, bias: Any = None) -> Any:
    """``nn.functional.linear`` with a sparse weight."""
    if not isinstance(weight, SparseTensor):
        out = matmul(input, weight.t())
    else:
        out = matmul(input, TABLE["t"](weight))
    return out if bias is None else out + bias


def mm(sparse: Any, dense: Any, reduce: str | None = None) -> Any:
    """``sparse @ dense``, either of them sparse or both; the gradient of a sparse leaf is sparse.

    reduce: "sum", "mean", "amax" or "amin" over the kept elements of each row of a CSR matrix, zero for an empty one.

    >>> a = dv.tensor([[0., 2.], [0., 0.]]).to_sparse()
    >>> mm(a, dv.ones(2, 1)).tolist()
    [[2.0], [0.0]]
    """
    if not isinstance(sparse, SparseTensor) and not isinstance(dense, SparseTensor):
        return dv.mm(sparse, dense)
    if reduce is None:
        return product(sparse, dense, False)
    if not isinstance(sparse, SparseTensor) or sparse.form != CSR:
        raise unsupported("mm(reduce)", sparse.layout)
    names = {"sum": "sum", "mean": "mean", "amax": "amax", "max": "amax", "amin": "amin", "min": "amin", "prod": "prod"}
    if reduce not in names:
        raise ShapeError("mm", f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}")
    if reduce == "prod":
        raise UnsupportedError("mm", "sparse_mm_reduce: reduce type of prod has not been enabled.")
    _checked(sparse, dense)
    rows, columns = located(sparse)
    parts = sparse.live()[:, None] * dense[columns]
    out = dv.zeros(sparse.shape[0], dense.shape[1], dtype=dense.dtype)
    return out.scatter_reduce(0, rows[:, None].expand(-1, dense.shape[1]), parts, names[reduce], include_self=False)


def addmm(input: Any, mat1: Any, mat2: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
    """``beta · input + alpha · (mat1 @ mat2)`` with a sparse mat1 (or mat2).

    >>> addmm(dv.ones(1, 1), dv.tensor([[2.]]).to_sparse(), dv.tensor([[3.]]), beta=2)
    tensor([[8.]])
    """
    return _addmm(input, mat1, mat2, beta, alpha, False)


def _addmm(input: Any, mat1: Any, mat2: Any, beta: Any, alpha: Any, dense_gradient: bool) -> Any:
    if not isinstance(mat1, SparseTensor) and (isinstance(input, SparseTensor) or not isinstance(mat2, SparseTensor)):
        raise ShapeError("addmm", f"addmm_sparse_dense: expected strided result tensor, got tensor with layout {input.layout}")
    out = product(mat1, mat2, dense_gradient)
    if isinstance(out, SparseTensor) and isinstance(input, SparseTensor):
        return TABLE["add"](input * beta, out, alpha=alpha) if beta else out * alpha  # with beta 0 the input is ignored
    if isinstance(out, SparseTensor) and out.form in (CSR, CSC):
        out = out.to_dense()
    if isinstance(out, SparseTensor) or isinstance(input, SparseTensor):
        raise unsupported("addmm", COO)
    try:
        whole = input.expand(tuple(out.shape))
    except RuntimeError as error:
        what = f"The expanded size of the tensor {tuple(out.shape)} must match the existing size {tuple(input.shape)}"
        raise ShapeError("addmm", what) from error
    return whole * beta + out * alpha if beta else out * alpha


@known("addmv")
def addmv(input: Any, mat: Any, vec: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
    """``beta · input + alpha · (mat @ vec)`` with a sparse matrix."""
    if not isinstance(mat, SparseTensor) or mat.form == COO:
        raise unsupported("addmv", COO)
    return _addmm(input[:, None] if input.ndim else input, mat, vec[:, None], beta, alpha, True)[:, 0]


@known("addmm")
def addmm_op(input: Any, mat1: Any, mat2: Any, beta: Any = 1, alpha: Any = 1) -> Any:
    """The op behind ``torch.addmm``."""
    return _addmm(input, mat1, mat2, beta, alpha, True)


@known("addmm_")
def addmm_(input: Any, mat1: Any, mat2: Any, beta: Any = 1, alpha: Any = 1) -> Any:
    """``addmm`` written into a dense tensor."""
    out = addmm(input, mat1, mat2, beta=beta, alpha=alpha)
    return input._take(out) if isinstance(input, SparseTensor) else input.copy_(out)


def _of_sparse(where: str, t: Any) -> None:
    if not isinstance(t, SparseTensor):
        raise UnsupportedError(where, f"tensor.{where}(...) can only be called on sparse tensors", f"got the layout {t.layout}")


def smm(input: Any, mat: Any) -> SparseTensor:
    """A sparse matrix times a dense one, as a sparse one.

    >>> smm(dv.eye(2).to_sparse(), dv.ones(2, 1)).to_dense().tolist()
    [[1.0], [1.0]]
    """
    _of_sparse("smm", input)
    return sspaddmm(empty(input, (input.shape[0], mat.shape[1])), input, mat, beta=0)


def sspaddmm(input: Any, mat1: Any, mat2: Any, *, beta: Any = 1, alpha: Any = 1) -> SparseTensor:
    """``beta · input + alpha · (mat1 @ mat2)``, input and mat1 sparse, mat2 dense, the result sparse.

    >>> one = dv.eye(2).to_sparse()
    >>> sspaddmm(one, one, dv.eye(2)).to_dense().tolist()
    [[2.0, 0.0], [0.0, 2.0]]
    """
    _of_sparse("sspaddmm", mat1)
    t = coalesce(as_coo(mat1))
    _checked(t, mat2)
    rows = np.unique(t.index[0].numpy()[0])
    out = _multiply(t, mat2)[dv.from_numpy(rows)]
    grid = dv.from_numpy(np.stack([np.repeat(rows, mat2.shape[1]), np.tile(np.arange(mat2.shape[1]), len(rows))]))
    size = (t.shape[0], mat2.shape[1])
    if tuple(input.shape) != size:
        raise ShapeError("sspaddmm", f"sspaddmm: expected input of size {size} (got {tuple(input.shape)})")
    before = as_coo(input)
    return SparseTensor(COO, (dv.cat([before.index[0], grid], 1),), dv.cat([before.live() * beta, out.reshape(-1) * alpha]), size)


def hspmm(mat1: Any, mat2: Any) -> SparseTensor:
    """A sparse matrix times a dense one, as a hybrid one that keeps whole rows.

    >>> hspmm(dv.eye(2).to_sparse(), dv.ones(2, 3)).dense_dim()
    1
    """
    _of_sparse("hspmm", mat1)
    t = coalesce(as_coo(mat1))
    _checked(t, mat2)
    rows = dv.from_numpy(np.unique(t.index[0].numpy()[0]))
    return SparseTensor(COO, (rows[None],), _multiply(t, mat2)[rows], (t.shape[0], mat2.shape[1]))


TABLE.update(smm=smm, sspaddmm=sspaddmm)


def sampled_addmm(input: Any, mat1: Any, mat2: Any, *, beta: Any = 1.0, alpha: Any = 1.0, out: Any = None) -> SparseTensor:
    """``alpha · (mat1 @ mat2) + beta · input`` at the indices of a CSR matrix `input`.

    >>> a = dv.eye(2).to_sparse_csr()
    >>> sampled_addmm(a, dv.ones(2, 3), dv.ones(3, 2)).values()
    tensor([4., 4.])
    """
    if not isinstance(input, SparseTensor) or input.form != CSR:
        raise unsupported("sampled_addmm", input.layout if isinstance(input, Tensor) else type(input).__name__)
    if out is not None:
        raise ValueRangeError("sampled_addmm", "out= is not supported", "", "use the result")
    if mat1.shape[-1] != mat2.shape[0] or tuple(input.shape) != (mat1.shape[0], mat2.shape[1]):
        shapes = f"{tuple(mat1.shape)}, {tuple(mat2.shape)} and {tuple(input.shape)}"
        raise ShapeError("sampled_addmm", f"mat1 and mat2 shapes cannot be multiplied to the shape of the input (got {shapes})")
    rows, columns = located(input)
    return input.like(products_at(mat1, mat2.t(), rows, columns) * alpha + input.live() * beta)
