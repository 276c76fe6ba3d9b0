"""What is made of products and factorizations: norms of matrices, exponentials, ranks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..autograd.node import CLASSES, Tensor
from ..errors import ShapeError, TypeMismatch
from . import decompose
from ._dims import dim_of
from ._results import results
from .decompose import cholesky, det, eye_of
from .decompose import inv as inverse
from .decompose import pinv as pinverse
from .diag import tril, triu
from .extremes import amax, amin
from .norms import no_narrowing, vector_norm
from .transpose import movedim
from .views import reshape

__all__ = [
    "cholesky", "cholesky_inverse", "cholesky_solve", "det", "inverse", "logdet", "matrix_exp", "pinverse", "qr",
    "slogdet", "svd",
]  # fmt: skip
METHODS = __all__


def slogdet(input: Tensor) -> Any:
    """The sign of the determinant and the logarithm of its size, as (sign, logabsdet).

    >>> import dovetail as dv
    >>> dv.slogdet(dv.tensor([[2., 0.], [0., 3.]])).logabsdet
    tensor(1.7918)
    """
    return results("slogdet", "sign", "logabsdet")(decompose.slogdet(input))


def logdet(input: Tensor) -> Tensor:
    """The logarithm of the determinant; NaN where it is negative.

    >>> import dovetail as dv
    >>> dv.logdet(dv.tensor([[2., 0.], [0., 3.]]))
    tensor(1.7918)
    """
    sign, size = decompose.slogdet(input)
    return sign.log() + size if sign._a.dtype.kind == "c" else size.masked_fill(sign == -1, math.nan)


def cholesky_solve(input: Tensor, L: Tensor, upper: bool = False) -> Tensor:
    """The X with ``A X = input`` for the matrix A whose Cholesky factor is `L`.

    >>> import dovetail as dv
    >>> dv.cholesky_solve(dv.tensor([[8.]]), dv.tensor([[2.]]))
    tensor([[2.]])
    """
    low = L + (triu(L) - L if upper else tril(L) - L).detach()  # PyTorch's gradient is that of all elements
    low = low.mH if upper else low
    return decompose.solve(low.mH, decompose.solve(low, input, "cholesky_solve"), "cholesky_solve")


def cholesky_inverse(L: Tensor, upper: bool = False) -> Tensor:
    """The inverse of the matrix whose Cholesky factor is `L`.

    >>> import dovetail as dv
    >>> dv.cholesky_inverse(dv.tensor([[2.]]))
    tensor([[0.2500]])
    """
    return cholesky_solve(eye_of(L), L, upper)


def qr(input: Tensor, some: bool = True) -> Any:
    """Orthonormal Q and upper triangular R with ``Q R = input``, reduced if `some`.

    >>> import dovetail as dv
    >>> dv.qr(dv.tensor([[2., 1.], [0., 3.]])).R.abs()
    tensor([[2., 1.],
            [0., 3.]])
    """
    return results("qr", "Q", "R")(decompose.qr(input, "reduced" if some else "complete"))


def svd(input: Tensor, some: bool = True, compute_uv: bool = True) -> Any:
    """Singular vectors and values: ``U diag(S) Vᵀ = input``, reduced if `some`.

    >>> import dovetail as dv
    >>> dv.svd(dv.tensor([[3., 0.], [0., 4.]])).S
    tensor([4., 3.])
    """
    u, s, vh = decompose.svd(input, not (some and compute_uv))
    return results("svd", "U", "S", "V")([u, s, vh.mH] if compute_uv else [u.new_zeros(u.shape), s, vh.new_zeros(vh.shape)])


def matrix_exp(input: Tensor) -> Tensor:
    """The exponential of square matrices, ``sum of inputᵏ / k!``, by scaling and squaring.

    >>> import dovetail as dv
    >>> dv.matrix_exp(dv.zeros(2, 2))
    tensor([[1., 0.],
            [0., 1.]])
    """
    decompose.need_matrix(input._a, "matrix_exp")
    size = float(abs(input._a).sum(axis=-2).max()) if input._a.size else 0.0
    squarings = max(0, math.ceil(math.log2(size / 0.5))) if size > 0.5 and math.isfinite(size) else 0
    x, eye = input * 0.5**squarings, eye_of(input)
    terms = 9 if x._a.dtype in (np.float32, np.complex64) else 14
    out = x * (1 / terms) + eye
    for k in range(terms - 1, 0, -1):  # Horner's rule
        out = x @ out * (1 / k) + eye
    for _ in range(squarings):
        out = out @ out
    return out


def _two(dim: Any, ndim: int, where: str) -> tuple[int, int]:
    if not isinstance(dim, tuple | list) or len(dim) != 2:
        raise ShapeError(where, f"dim must be a 2-tuple. Got {dim}")
    a, b = (dim_of(where, d, ndim) for d in dim)
    if a == b:
        raise ShapeError(where, f"dims must be different. Got ({dim[0]}, {dim[1]})")
    return a, b


def matrix_norm(input: Tensor, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, dtype: Any = None) -> Tensor:
    """A norm of matrices: "fro", "nuc" (the sum of singular values), 2/-2 (the largest/smallest), 1/-1/±inf (sums of columns/rows)."""
    decompose.need_matrix(input._a, "matrix_norm", False, ord in ("nuc", 2, -2))
    no_narrowing("linalg.matrix_norm", input._a, dtype)
    a, b = _two(dim, input._a.ndim, "linalg.matrix_norm")
    if ord == "fro":
        return vector_norm(input, 2, (a, b), keepdim, dtype)
    x = movedim(input if dtype is None else input.to(dtype), (a, b), (-2, -1))
    if ord in ("nuc", 2, -2):
        values = decompose.svd(x, False)[1]
    elif ord in (1, -1, math.inf, -math.inf):
        values = vector_norm(x, 1, -2 if abs(ord) == 1 else -1)
    else:
        raise (TypeMismatch if ord is None else ShapeError)("linalg.matrix_norm", f"Order {ord} not supported.")
    out = values.sum(-1) if ord == "nuc" or (ord > 0 and not values._a.shape[-1]) else amax(values, -1) if ord > 0 else amin(values, -1)
    return reshape(out, tuple(1 if i in (a, b) else n for i, n in enumerate(input._a.shape))) if keepdim else out


def norm(input: Tensor, ord: Any = None, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Tensor:
    """A vector norm, or a matrix norm where `dim` names two dimensions or `input` is a matrix and `ord` is given."""
    n = input._a.ndim
    if isinstance(dim, int):
        dim = (dim,)
    elif dim is None and ord is not None:
        if isinstance(ord, str) and n != 2:
            raise ShapeError("linalg.norm", f"If dim is not specified but ord is a string, the input must be 2D. Got {n}D.")
        if n not in (1, 2):
            raise ShapeError("linalg.norm", f"If dim is not specified but ord is, the input must be 1D or 2D. Got {n}D.")
        dim = (0, 1) if n == 2 else None
    if dim is not None and len(dim) not in (1, 2):
        raise ShapeError("linalg.norm", f"If dim is specified, it must be of length 1 or 2. Got {list(dim)}")
    if isinstance(ord, str) or (ord is not None and dim is not None and len(dim) == 2):
        return matrix_norm(input, ord, dim, keepdim, dtype)
    return vector_norm(input, 2 if ord is None else ord, dim, keepdim, dtype)


def tolerance(a: Any, atol: Any, rtol: Any) -> tuple[Any, Any]:
    """What counts as zero among singular values: PyTorch's defaults for (atol, rtol)."""
    if rtol is None:
        given = atol is not None and (atol.__class__ in CLASSES or atol > 0)
        rtol = 0.0 if given else float(np.finfo(a.dtype).eps) * max(a.shape[-2:])
    least, relative = (t._a[..., None] if t.__class__ in CLASSES else t for t in (0.0 if atol is None else atol, rtol))
    return least, relative
