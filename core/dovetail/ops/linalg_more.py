"""What ``dovetail.linalg`` has and programs seldom use: LU, powers, chains of products, systems of tensors."""

from __future__ import annotations

import functools
import math
from typing import Any

from ..autograd.node import Tensor
from ..errors import ShapeError
from . import lu_factors as _lu
from ._guard import public_function
from ._results import results
from .decompose import eye_of, inv, need_matrix, solve, svd
from .factors import inv_ex
from .lu_factors import lu_factor_ex as _factored
from .matrices import matrix_norm
from .sequences import powers

__all__ = [
    "chain_matmul", "cond", "householder_product", "kron", "lu", "lu_factor", "lu_factor_ex", "lu_solve", "matrix_power", "multi_dot",
    "tensorinv", "tensorsolve", "vander",
]  # fmt: skip


@public_function
def lu_factor_ex(A: Tensor, *, pivot: bool = True, check_errors: bool = False) -> Any:
    """L and U of matrices in one, how their rows changed places, and the first zero on the diagonal of U (from 1; 0 for none).

    >>> import dovetail as dv
    >>> dv.linalg.lu_factor_ex(dv.ones(2, 2)).info
    tensor(2, dtype=dovetail.int32)
    """
    return _factored(A, pivot, check_errors)


@public_function
def lu_factor(A: Tensor, *, pivot: bool = True) -> Any:
    """L and U of matrices in one, and how their rows changed places. Raises ``linalg.LinAlgError`` for a singular one.

    >>> import dovetail as dv
    >>> dv.linalg.lu_factor(dv.tensor([[0., 2.], [4., 8.]])).pivots
    tensor([2, 2], dtype=dovetail.int32)
    """
    return results("linalg_lu_factor", "LU", "pivots")(_factored(A, pivot, True)[:2])


@public_function
def lu(A: Tensor, *, pivot: bool = True) -> Any:
    """P, L and U with ``A = P L U``: a permutation, ones on the diagonal and zeros above, zeros below the diagonal.

    >>> import dovetail as dv
    >>> dv.linalg.lu(dv.tensor([[0., 2.], [4., 8.]])).U
    tensor([[4., 8.],
            [0., 2.]])
    """
    return results("linalg_lu", "P", "L", "U")(_lu.lu_unpack(*_factored(A, pivot)[:2]))


@public_function
def lu_solve(LU: Tensor, pivots: Tensor, B: Tensor, *, left: bool = True, adjoint: bool = False) -> Tensor:
    """The X with ``A X = B`` (or ``X A = B`` without `left`) of what :func:`lu_factor` gives; `adjoint` takes Aᴴ for A.

    >>> import dovetail as dv
    >>> dv.linalg.lu_solve(*dv.linalg.lu_factor(dv.tensor([[0., 2.], [4., 8.]])), dv.tensor([[4.], [12.]]))
    tensor([[-1.],
            [ 2.]])
    """
    return _lu.lu_solved(LU, pivots, B, left, adjoint)


@public_function
def householder_product(A: Tensor, tau: Tensor) -> Tensor:
    """The first columns of the product of the reflections ``1 - tau v vᴴ`` whose vectors are below the diagonal of `A`.

    >>> import dovetail as dv
    >>> dv.linalg.householder_product(*dv.geqrf(dv.tensor([[3.], [4.]])))
    tensor([[-0.6000],
            [-0.8000]])
    """
    return _lu.orgqr(A, tau)


@public_function
def matrix_power(input: Tensor, n: int) -> Tensor:
    """The n-th power of square matrices, by repeated squaring; negative powers by the inverse.

    >>> import dovetail as dv
    >>> dv.matrix_power(dv.tensor([[1., 1.], [0., 1.]]), 3)
    tensor([[1., 3.],
            [0., 1.]])
    """
    need_matrix(input._a, "matrix_power", floating=False)
    if n < 0:
        return matrix_power(inv(input), -n)
    if n == 0:
        return input[..., :0, :].sum((-2, -1), True) + eye_of(input)  # the zeros know their history
    out, square = None, input
    while n:
        if n & 1:
            out = square if out is None else out @ square
        n >>= 1
        if n:
            square = square @ square
    assert out is not None
    return out * 1 if out is input else out


@public_function
def cond(input: Tensor, p: Any = None) -> Tensor:
    """The condition number: the norm of a matrix times that of its inverse; by singular values for p None, 2 and -2.

    >>> import dovetail as dv
    >>> dv.linalg.cond(dv.tensor([[4., 0.], [0., 2.]]))
    tensor(2.)
    """
    need_matrix(input._a, "cond", p in ("fro", "nuc"))
    if not input.numel() and p in (None, 1, -1, 2, -2, math.inf, -math.inf, "fro", "nuc"):
        return input.real.new_zeros(input.shape[:-2])
    if p in (None, 2, -2, "nuc"):
        s = svd(input, False)[1]
        high, low = s.amax(-1), s.amin(-1)
        return s.sum(-1) * s.reciprocal().sum(-1) if p == "nuc" else low / high if p == -2 else high / low
    need_matrix(input._a, "cond")
    inverse, info = inv_ex(input)
    product = matrix_norm(input, p) * matrix_norm(inverse.masked_fill(info[..., None, None] > 0, math.inf), p)
    return product.nan_to_num(math.inf, math.inf, -math.inf)  # a zero matrix too has the condition number infinity


@public_function
def kron(input: Tensor, other: Tensor) -> Tensor:
    """The Kronecker product: every element of `input` times the whole of `other`.

    >>> import dovetail as dv
    >>> dv.kron(dv.tensor([1., 2.]), dv.tensor([1., 10.]))
    tensor([ 1., 10.,  2., 20.])
    """
    n = max(input.ndim, other.ndim)
    a, b = ((1,) * (n - t.ndim) + tuple(t.shape) for t in (input, other))
    left = input.reshape([x for s in a for x in (s, 1)])
    right = other.reshape([x for s in b for x in (1, s)])
    return (left * right).reshape([s * t for s, t in zip(a, b, strict=True)])


@public_function
def chain_matmul(*matrices: Tensor) -> Tensor:
    """Multiply matrices in the order that takes the fewest operations.

    >>> import dovetail as dv
    >>> dv.chain_matmul(dv.ones(1, 2), dv.ones(2, 3), dv.ones(3, 1))
    tensor([[6.]])
    """
    chain: list[Any] = list(matrices[0]) if len(matrices) == 1 and isinstance(matrices[0], list | tuple) else list(matrices)
    if not chain:
        raise ShapeError("chain_matmul()", "Expected one or more matrices")
    if any(t._a.ndim != 2 for t in chain):
        raise ShapeError("chain_matmul()", f"Tensor dimensions are {[t._a.ndim for t in chain]}, expected 2")
    sizes = [t._a.shape[0] for t in chain] + [chain[-1]._a.shape[1]]

    @functools.cache
    def best(i: int, j: int) -> tuple[int, int]:
        """The fewest operations for the matrices i to j, and where the last product parts them."""
        splits = ((best(i, k)[0] + best(k + 1, j)[0] + sizes[i] * sizes[k + 1] * sizes[j + 1], k) for k in range(i, j))
        return min(splits, default=(0, i))

    def product(i: int, j: int) -> Any:
        k = best(i, j)[1]
        return chain[i] if i == j else product(i, k) @ product(k + 1, j)

    return product(0, len(chain) - 1)


@public_function
def multi_dot(tensors: Any) -> Tensor:
    """Multiply matrices (the first and last may be vectors) in the order that takes the fewest operations.

    >>> import dovetail as dv
    >>> dv.linalg.multi_dot([dv.ones(2), dv.ones(2, 3), dv.ones(3)])
    tensor(6.)
    """
    chain = list(tensors)
    if len(chain) < 2:
        raise ShapeError("multi_dot()", f"expected at least 2 tensors but got {len(chain)}")
    row, column = chain[0]._a.ndim == 1, chain[-1]._a.ndim == 1
    if row:
        chain[0] = chain[0].reshape(1, -1)
    if column:
        chain[-1] = chain[-1].reshape(-1, 1)
    out = chain_matmul(*chain)
    return out.reshape(out.shape[row : 2 - column])


@public_function
def vander(x: Tensor, *, N: int | None = None) -> Tensor:
    """The powers 0 … N - 1 of each element: (…, n) → (…, n, N).

    >>> import dovetail as dv
    >>> dv.linalg.vander(dv.tensor([2., 3.]), N=3)
    tensor([[1., 2., 4.],
            [1., 3., 9.]])
    """
    n = (tuple(x.shape) or (1,))[-1] if N is None else N
    if n <= 1:
        raise ShapeError("linalg.vander", f"N must be greater than 1 (got {n})")
    return powers(x.reshape(tuple(x.shape) or (1,)), n)


@public_function
def tensorinv(A: Tensor, ind: int = 2) -> Tensor:
    """The inverse of the linear map that tensordot with `A` over `ind` dimensions is.

    >>> import dovetail as dv
    >>> dv.linalg.tensorinv(dv.eye(4).reshape(2, 2, 4)).shape
    dovetail.Size([4, 2, 2])
    """
    shape = tuple(A.shape)
    return inv(A.reshape(math.prod(shape[:ind]), math.prod(shape[ind:]))).reshape(shape[ind:] + shape[:ind])


@public_function
def tensorsolve(A: Tensor, B: Tensor, dims: Any = None) -> Tensor:
    """The X with ``tensordot(A, X, X.ndim) = B``.

    >>> import dovetail as dv
    >>> dv.linalg.tensorsolve(2 * dv.eye(4).reshape(2, 2, 4), dv.ones(2, 2))
    tensor([0.5000, 0.5000, 0.5000, 0.5000])
    """
    if dims is not None:
        A = A.permute([i for i in range(A.ndim) if i not in dims] + list(dims))
    n = B.numel()
    return solve(A.reshape(n, math.prod(A.shape[B.ndim :])), B.reshape(n, 1)).reshape(A.shape[B.ndim :])
