"""Linear algebra by PyTorch's names: norms, systems, factorizations, products of matrices and stacks of them."""

from __future__ import annotations

from typing import Any

from .absent import later
from .autograd.node import Tensor, wrap
from .device import xp
from .errors import ShapeError
from .ops import contract, decompose, factors, matrices, norms
from .ops._guard import public_function
from .ops._results import results
from .ops.arithmetic import held, mul
from .ops.decompose import LinAlgError, cholesky, det, eig, eigh, inv, qr, slogdet, svd
from .ops.factors import cholesky_ex, inv_ex
from .ops.linalg import matmul
from .ops.matrices import matrix_exp, matrix_norm, norm
from .ops.reduce import sum
from .ops.views import reshape

__all__ = [
    "LinAlgError", "cholesky", "cholesky_ex", "cross", "det", "diagonal", "eig", "eigh", "eigvals", "eigvalsh", "inv", "inv_ex",
    "lstsq", "matmul", "matrix_exp", "matrix_norm", "matrix_rank", "norm", "pinv", "qr", "slogdet", "solve", "solve_ex",
    "solve_triangular", "svd", "svdvals", "vecdot", "vector_norm",
]  # fmt: skip


def vector_norm(x: Tensor, ord: float = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """``sum(|x|^ord)^(1/ord)`` over `dim`; the largest or smallest |x| for ord ±inf, the count of nonzeros for 0.

    >>> import dovetail as dv
    >>> dv.linalg.vector_norm(dv.tensor([3., 4.]))
    tensor(5.)
    """
    return norms.vector_norm(x, ord, dim, keepdim, dtype)


def _is_vector(A: Tensor, B: Tensor) -> bool:
    """Whether a right side is a vector, or a stack of them."""
    a, b = A._a.shape, B._a.shape
    return len(b) == 1 or (len(a) - 1 == len(b) and b == a[:-1])


def solve(A: Tensor, B: Tensor, *, left: bool = True) -> Tensor:
    """The X with ``A X = B`` (or ``X A = B`` without `left`). Raises LinAlgError for a singular A.

    >>> import dovetail as dv
    >>> dv.linalg.solve(dv.tensor([[2., 0.], [0., 4.]]), dv.tensor([2., 4.]))
    tensor([1., 1.])
    """
    vector = _is_vector(A, B)
    if left:
        return decompose.solve(A, B[..., None])[..., 0] if vector else decompose.solve(A, B)
    decompose.need_matrix(A._a, "solve")
    if vector:
        raise ShapeError("linalg.solve", "Vector broadcasting of the left hand side is not supported for left=False.")
    return decompose.solve(A.mT, B.mT).mT


def solve_ex(A: Tensor, B: Tensor, *, left: bool = True, check_errors: bool = False) -> Any:
    """:func:`solve` and, for each matrix, the place of the zero that makes it singular (0 for none)."""
    right = B[..., None] if left and _is_vector(A, B) else B
    failure = "The diagonal element {0} is zero, the input matrix is singular."
    out = factors.careful("solve_ex", "result", lambda a: solve(a, right, left=left), A, check_errors, failure)
    return out if right is B else out._replace(result=out[0][..., 0])


def solve_triangular(A: Tensor, B: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False) -> Tensor:
    """The X with ``A X = B`` (or ``X A = B``) for a triangular A; the other triangle is not read.

    >>> import dovetail as dv
    >>> dv.linalg.solve_triangular(dv.tensor([[2., 0.], [1., 1.]]), dv.tensor([[2.], [3.]]), upper=False)
    tensor([[1.],
            [2.]])
    """
    if left:
        return decompose.solve_triangular(A, B, upper, unitriangular)
    return decompose.solve_triangular(A.mT, B.mT, not upper, unitriangular).mT


def svdvals(A: Tensor, *, driver: str | None = None) -> Tensor:
    """The singular values, falling.

    >>> import dovetail as dv
    >>> dv.linalg.svdvals(dv.tensor([[3., 0.], [0., 4.]]))
    tensor([4., 3.])
    """
    return svd(A, False, driver)[1]


def eigvalsh(input: Tensor, UPLO: str = "L") -> Tensor:
    """The eigenvalues of symmetric matrices, rising.

    >>> import dovetail as dv
    >>> dv.linalg.eigvalsh(dv.tensor([[2., 0.], [0., 1.]]))
    tensor([1., 2.])
    """
    return eigh(input, UPLO)[0]


def eigvals(input: Tensor) -> Tensor:
    """The complex eigenvalues of square matrices."""
    return eig(input)[0]


def pinv(input: Tensor, rcond: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None) -> Tensor:
    """The Moore-Penrose inverse; singular values up to ``max(atol, rtol · largest)`` count as zero (`rcond` is the older `rtol`).

    >>> import dovetail as dv
    >>> dv.linalg.pinv(dv.tensor([[2.], [0.]]))
    tensor([[0.5000, 0.0000]])
    """
    decompose.need_matrix(input._a, "pinv", False)
    least, relative = matrices.tolerance(input._a, atol, rtol if rcond is None else rcond)
    if atol is not None and input._a.size:
        s = _sizes(input._a, hermitian)
        relative = xp(s).maximum(least / s.max(axis=-1, keepdims=True), relative)
    return decompose.pinv(input, relative, hermitian)


def _sizes(a: Any, hermitian: bool) -> Any:
    """The singular values; of a Hermitian matrix, of which the lower triangle is read, from its eigenvalues."""
    return xp(a).abs(xp(a).linalg.eigvalsh(a)) if hermitian else xp(a).linalg.svd(a, compute_uv=False)


def matrix_rank(input: Tensor, tol: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None) -> Tensor:
    """The number of singular values above ``max(atol, rtol · largest)``, or above the older `tol`.

    >>> import dovetail as dv
    >>> dv.linalg.matrix_rank(dv.tensor([[1., 1.], [1., 1.]]))
    tensor(1)
    """
    decompose.need_matrix(input._a, "matrix_rank", hermitian)
    where = xp(input._a)
    least, relative = matrices.tolerance(input._a, atol, rtol) if tol is None else matrices.tolerance(input._a, tol, 0.0)
    s = _sizes(input._a, hermitian)
    top = s.max(axis=-1, keepdims=True) if s.size else 0
    return wrap(where.asarray((s > where.maximum(least, relative * top)).sum(axis=-1), "int64"))


def lstsq(A: Tensor, B: Tensor, rcond: float | None = None, *, driver: str | None = None) -> Any:
    """The X that minimises ``|A X - B|``, as (solution, residuals, rank, singular_values).

    >>> import dovetail as dv
    >>> dv.linalg.lstsq(dv.tensor([[1.], [1.]]), dv.tensor([[1.], [3.]])).solution
    tensor([[2.]])
    """
    decompose.need_matrix(A._a, "lstsq", False)
    m, n = A._a.shape[-2:]
    vector = _is_vector(A, B)
    if B._a.ndim != A._a.ndim - vector:
        raise ShapeError("linalg.lstsq", "A has as many dimensions as B, or one more", f"got shapes {A._a.shape} and {B._a.shape}")
    if rcond is None or rcond < 0 or driver == "gels" or (driver == "gelsd" and not 0 < rcond < 1):  # as LAPACK's drivers have it
        rcond = matrices.tolerance(A._a, None, None)[1]
    right = B[..., None] if vector else B
    solution = decompose.lstsq(A, right, rcond)
    where = xp(A._a)
    if driver not in (None, "gels", "gelsy", "gelsd", "gelss"):
        raise ShapeError("linalg.lstsq", f"parameter `driver` should be one of (gels, gelsy, gelsd, gelss), got {driver!r}")
    rank = matrix_rank(A, rtol=rcond) if driver != "gels" else wrap(where.zeros(0, "int64"))
    residuals = reshape(solution.real, (-1,))[:0]
    if m > n and driver not in (None, "gelsy") and bool((rank._a == n).all()):
        residuals = (A @ solution - right).abs().square().sum(-2)
    s = wrap(where.linalg.svd(A._a, compute_uv=False) if driver in ("gelsd", "gelss") else where.zeros(0, A._a.real.dtype))
    return results("linalg_lstsq", "solution", "residuals", "rank", "singular_values")(
        [solution[..., 0] if vector else solution, residuals, rank, s]
    )


def vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    """The dot products of vectors along `dim`.

    >>> import dovetail as dv
    >>> dv.linalg.vecdot(dv.tensor([[1., 2.]]), dv.tensor([[3., 4.]]))
    tensor([11.])
    """
    if x._a.dtype.kind in "biu":
        raise decompose.NotForType("linalg.vecdot", f"Expected a floating point or complex tensor as input. Got {x.dtype}")
    decompose.need_alike(x._a, y._a, "vecdot")
    return sum(mul(held(x), y), dim)


def cross(input: Tensor, other: Tensor, *, dim: int = -1) -> Tensor:
    """The vector product along `dim`, whose length must be 3.

    >>> import dovetail as dv
    >>> dv.linalg.cross(dv.tensor([1., 0., 0.]), dv.tensor([0., 1., 0.]))
    tensor([0., 0., 1.])
    """
    return contract.cross(input, other, dim)


def diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """The diagonals of matrices, as a view."""
    return A.diagonal(offset, dim1, dim2)


for _name in __all__:
    if _name != "LinAlgError":
        globals()[_name] = public_function(globals()[_name], _name)

__getattr__, __dir__ = later(__name__)  # functions that a plugin brings
