"""What is made of products and factorizations: norms of matrices, powers, exponentials, ranks."""

from __future__ import annotations

import math
from typing import Any

from ..autograd.node import CLASSES, Tensor, wrap
from ..errors import ShapeError
from . import decompose
from ._dims import dim_of
from ._op import xp
from ._results import results
from .arithmetic import add, div, mul
from .extremes import amax, amin
from .linalg import matmul
from .norms import vector_norm
from .reduce import sum
from .shape import getitem, reshape, transpose

__all__ = [
    "cholesky", "cholesky_inverse", "cholesky_solve", "det", "inverse", "logdet", "matrix_exp", "matrix_power", "pinverse", "qr",
    "slogdet", "svd",
]  # fmt: skip
METHODS = (
    "cholesky", "cholesky_inverse", "cholesky_solve", "det", "inverse", "logdet", "matrix_exp", "matrix_power", "pinverse", "qr",
    "slogdet", "svd",
)  # fmt: skip


def det(input: Tensor) -> Tensor:
    """The determinant of square matrices: (…, n, n) → (…).

    >>> import dovetail as dv
    >>> dv.det(dv.tensor([[2., 0.], [0., 3.]]))
    tensor(6.)
    """
    return decompose.det(input)


_slogdet = results("slogdet", "sign", "logabsdet")


def slogdet(input: Tensor) -> Any:
    """The sign of the determinant and the logarithm of its size, as (sign, logabsdet).

    >>> import dovetail as dv
    >>> dv.slogdet(dv.tensor([[2., 0.], [0., 3.]])).logabsdet
    tensor(1.7918)
    """
    return _slogdet(decompose.slogdet(input))


def logdet(input: Tensor) -> Tensor:
    """The logarithm of the determinant; NaN where it is negative.

    >>> import dovetail as dv
    >>> dv.logdet(dv.tensor([[2., 0.], [0., 3.]]))
    tensor(1.7918)
    """
    sign, size = decompose.slogdet(input)
    where = xp(sign._a)
    return add(size, wrap(where.where(sign._a < 0, where.full((), math.nan, sign._a.dtype), where.zeros((), sign._a.dtype))))


def inverse(input: Tensor) -> Tensor:
    """The inverse of square matrices. Raises ``linalg.LinAlgError`` for a singular one.

    >>> import dovetail as dv
    >>> dv.inverse(dv.tensor([[2., 0.], [0., 4.]]))
    tensor([[0.5000, 0.0000],
            [0.0000, 0.2500]])
    """
    return decompose.inv(input)


def pinverse(input: Tensor, rcond: float = 1e-15) -> Tensor:
    """The Moore-Penrose inverse; singular values below rcond times the largest count as zero.

    >>> import dovetail as dv
    >>> dv.pinverse(dv.tensor([[2.], [0.]]))
    tensor([[0.5000, 0.0000]])
    """
    return decompose.pinv(input, rcond)


def cholesky(input: Tensor, upper: bool = False) -> Tensor:
    """The triangular L with ``L Lᵀ = input`` (or its transpose). Raises ``linalg.LinAlgError`` if not positive definite.

    >>> import dovetail as dv
    >>> dv.cholesky(dv.tensor([[4., 0.], [0., 9.]]))
    tensor([[2., 0.],
            [0., 3.]])
    """
    return decompose.cholesky(input, upper)


def cholesky_solve(input: Tensor, L: Tensor, upper: bool = False) -> Tensor:
    """The X with ``A X = input`` for the matrix A whose Cholesky factor is `L`.

    >>> import dovetail as dv
    >>> dv.cholesky_solve(dv.tensor([[8.]]), dv.tensor([[2.]]))
    tensor([[2.]])
    """
    low = transpose(L, -1, -2) if upper else L
    return decompose.solve_triangular(transpose(low, -1, -2), decompose.solve_triangular(low, input, False), True)


def cholesky_inverse(L: Tensor, upper: bool = False) -> Tensor:
    """The inverse of the matrix whose Cholesky factor is `L`.

    >>> import dovetail as dv
    >>> dv.cholesky_inverse(dv.tensor([[2.]]))
    tensor([[0.2500]])
    """
    return cholesky_solve(wrap(xp(L._a).eye(L._a.shape[-1], dtype=L._a.dtype)), L, upper)


_qr = results("qr", "Q", "R")
_svd = results("svd", "U", "S", "V")


def qr(input: Tensor, some: bool = True) -> Any:
    """Orthonormal Q and upper triangular R with ``Q R = input``, reduced if `some`.

    >>> import dovetail as dv
    >>> dv.qr(dv.tensor([[2., 1.], [0., 3.]])).R.abs()
    tensor([[2., 1.],
            [0., 3.]])
    """
    return _qr(decompose.qr(input, "reduced" if some else "complete"))


def svd(input: Tensor, some: bool = True, compute_uv: bool = True) -> Any:
    """Singular vectors and values: ``U diag(S) Vᵀ = input``, reduced if `some`.

    >>> import dovetail as dv
    >>> dv.svd(dv.tensor([[3., 0.], [0., 4.]])).S
    tensor([4., 3.])
    """
    u, s, vh = decompose.svd(input, not some)
    return _svd([u, s, transpose(vh, -1, -2).conj() if vh._a.dtype.kind == "c" else transpose(vh, -1, -2)])


def matrix_power(input: Tensor, n: int) -> Tensor:
    """The n-th power of square matrices, by repeated squaring; negative powers by the inverse.

    >>> import dovetail as dv
    >>> dv.matrix_power(dv.tensor([[1., 1.], [0., 1.]]), 3)
    tensor([[1., 3.],
            [0., 1.]])
    """
    decompose._matrix(input._a, "matrix_power", floating=False)
    if n < 0:
        return matrix_power(decompose.inv(input), -n)
    if n == 0:
        nothing = sum(getitem(input, (Ellipsis, slice(0, 0), slice(None))), (-2, -1), True)  # zeros that know their history
        return add(nothing, wrap(xp(input._a).eye(input._a.shape[-1], dtype=input._a.dtype)))
    out, square = None, input
    while n:
        if n & 1:
            out = square if out is None else matmul(out, square)
        n >>= 1
        if n:
            square = matmul(square, square)
    assert out is not None
    return mul(out, 1) if out is input else out


def matrix_exp(input: Tensor) -> Tensor:
    """The exponential of square matrices, ``sum of inputᵏ / k!``, by scaling and squaring.

    >>> import dovetail as dv
    >>> dv.matrix_exp(dv.zeros(2, 2))
    tensor([[1., 0.],
            [0., 1.]])
    """
    decompose._matrix(input._a, "matrix_exp")
    where = xp(input._a)
    size = float(where.abs(input._a).sum(axis=-2).max()) if input._a.size else 0.0
    squarings = max(0, math.ceil(math.log2(size / 0.5))) if size > 0.5 and math.isfinite(size) else 0
    x = mul(input, 0.5**squarings)
    eye = wrap(where.eye(x._a.shape[-1], dtype=x._a.dtype))
    terms = 14 if x._a.dtype.itemsize // (2 if x._a.dtype.kind == "c" else 1) == 8 else 9
    out = add(mul(x, 1 / terms), eye)
    for k in range(terms - 1, 0, -1):  # Horner's rule
        out = add(mul(matmul(x, out), 1 / k), eye)
    for _ in range(squarings):
        out = matmul(out, out)
    return out


def _two(dim: Any, ndim: int, where: str) -> tuple[int, int]:
    if not isinstance(dim, tuple | list) or len(dim) != 2:
        raise ShapeError(where, f"dim must be a 2-tuple. Got {dim}")
    a, b = (dim_of(where, d, ndim) for d in dim)
    if a == b:
        raise ShapeError(where, f"dims must be different. Got ({dim[0]}, {dim[1]})")
    return a, b


def _last(input: Tensor, a: int, b: int) -> Tensor:
    """Move two dimensions to the end."""
    rest = [i for i in range(input._a.ndim) if i not in (a, b)]
    order = (*rest, a, b)
    return input if order == tuple(range(input._a.ndim)) else input.permute(order)


def matrix_norm(input: Tensor, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, dtype: Any = None) -> Tensor:
    """A norm of matrices: "fro", "nuc" (the sum of singular values), 2/-2 (the largest/smallest), 1/-1/±inf (sums of columns/rows)."""
    if input._a.ndim < 2:
        raise ShapeError("linalg.matrix_norm", f"The input tensor A must have at least 2 dimensions (got {input._a.ndim}).")
    a, b = _two(dim, input._a.ndim, "linalg.matrix_norm")
    if ord == "fro":
        return vector_norm(input, 2, (a, b), keepdim, dtype)
    x = input if dtype is None else input.to(dtype)
    if ord in ("nuc", 2, -2):
        s = decompose.svd(_last(x, a, b), False)[1]
        out = sum(s, -1) if ord == "nuc" else amax(s, -1) if ord == 2 else amin(s, -1)
    elif ord in (1, -1, math.inf, -math.inf):
        summed, kept = (a, b) if abs(ord) == 1 else (b, a)
        totals = vector_norm(x, 1, summed, False)
        kept -= kept > summed
        out = amax(totals, kept) if ord > 0 else amin(totals, kept)
    else:
        raise ShapeError("linalg.matrix_norm", f"Order {ord} not supported.")
    return reshape(out, tuple(1 if i in (a, b) else n for i, n in enumerate(input._a.shape))) if keepdim else out


def norm(input: Tensor, ord: Any = None, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Tensor:
    """A vector norm, or a matrix norm where `dim` names two dimensions or `input` is a matrix and `ord` is given."""
    if dim is not None and isinstance(dim, int):
        dim = (dim,)
    if isinstance(ord, str) or (ord is not None and dim is not None and len(dim) == 2):
        if dim is None:
            if input._a.ndim != 2:
                what = f"If dim is not specified but ord is a string, the input must be 2D. Got {input._a.ndim}D."
                raise ShapeError("linalg.norm", what)
            dim = (0, 1)
        return matrix_norm(input, ord, dim, keepdim, dtype)
    if ord is not None and dim is None:
        if input._a.ndim == 2:
            return matrix_norm(input, ord, (0, 1), keepdim, dtype)
        if input._a.ndim != 1:
            what = f"If dim is not specified but ord is, the input must be 1D or 2D. Got {input._a.ndim}D."
            raise ShapeError("linalg.norm", what)
    return vector_norm(input, 2 if ord is None else ord, dim, keepdim, dtype)


def cond(input: Tensor, p: Any = None) -> Tensor:
    """The condition number: the norm of a matrix times that of its inverse; by singular values for p None, 2 and -2."""
    if p in (None, 2, -2):
        s = decompose.svd(input, False)[1]
        high, low = amax(s, -1), amin(s, -1)
        return div(low, high) if p == -2 else div(high, low)
    decompose._matrix(input._a, "cond")
    return mul(matrix_norm(input, p), matrix_norm(decompose.inv(input), p))


def tolerance(a: Any, atol: Any, rtol: Any) -> tuple[Any, Any]:
    """What counts as zero among singular values: PyTorch's defaults for (atol, rtol)."""
    from ..dtypes import finfo, from_numpy_dtype

    if rtol is None:
        given = atol is not None and (atol.__class__ in CLASSES or atol > 0)
        rtol = 0.0 if given else finfo(from_numpy_dtype(a.dtype).to_real()).eps * max(a.shape[-2:])
    raw = [t._a[..., None] if t.__class__ in CLASSES else t for t in (0.0 if atol is None else atol, rtol)]
    return raw[0], raw[1]
