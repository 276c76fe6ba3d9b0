"""LU and its uses, and Householder's QR as LAPACK keeps it; ``dovetail`` and ``dovetail.linalg`` have them by their names."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..autograd.node import Tensor, wrap
from ..errors import DtypeError, ShapeError, UnsupportedError
from ._guard import public_function
from ._keywords import once
from ._op import Array, op, xp
from ._refuse import type_name
from ._results import results
from .decompose import eye_of, need_alike, need_matrix, solve_triangular
from .factors import eliminated, first_of, need_settled
from .join import cat

__all__ = ["geqrf", "lu", "lu_factor_ex", "lu_solve", "lu_solved", "lu_unpack", "orgqr", "ormqr", "reflected", "triangular_solve"]


@op(
    dtypes=None, name="linalg_lu_factor_ex", outputs=("LU", "pivots", "info"), nondiff=("pivots", "info"),
    result=results("linalg_lu_factor_ex", "LU", "pivots", "info"),
)  # fmt: skip
def lu_factor_ex(input: Array, pivot: bool = True, check_errors: bool = False) -> Array:
    """L and U of matrices in one, how their rows changed places, and the first zero on the diagonal of U (from 1; 0 for none).

    >>> import dovetail as dv
    >>> dv.linalg.lu_factor_ex(dv.tensor([[0., 2.], [4., 8.]])).info
    tensor(0, dtype=dovetail.int32)
    """
    if input.ndim < 2:
        raise ShapeError("lu_factor", f"Expected tensor with 2 or more dimensions. Got size: {list(input.shape)} instead")
    if input.dtype.char not in "fdFD":
        raise UnsupportedError("lu_factor", f'"lu_cpu" not implemented for {type_name(input.dtype)!r}', "", "convert with .float()")
    if not pivot:
        raise ShapeError("linalg.lu_factor", "LU without pivoting is not implemented on the CPU")
    packed, pivots = eliminated(input)
    info = first_of(packed.diagonal(axis1=-2, axis2=-1) == 0)
    if check_errors:
        need_settled("linalg.lu_factor", info, "U[{0},{0}] is zero and using it on lu_solve would result in a division by zero.")
    return packed, pivots, info


@lu_factor_ex.vjp
def _(g: Any, LU: Any, pivots: Any) -> Any:
    """``P L⁻ᴴ (tril(Lᴴ gL, -1) + triu(gU Uᴴ)) U⁻ᴴ`` of the square part; what is below or beside it is a solution with it."""
    g, k = g[0], min(LU.shape[-2:])
    L, U = LU[..., :k, :k].tril(-1) + eye_of(LU[..., :k]), LU[..., :k, :k].triu()
    below = solve_triangular(U, g[..., k:, :k].mH, True).mH
    beside = solve_triangular(L.mH, g[..., :k, k:], True)
    low = (L.mH @ (g[..., :k, :k] - beside @ LU[..., :k, k:].mH).tril(-1)).tril(-1)
    inner = low + ((g[..., :k, :k] - LU[..., k:, :k].mH @ below).triu() @ U.mH).triu()
    square = solve_triangular(L.mH, solve_triangular(U, inner.mH, True).mH, True)
    rows = cat([cat([square, beside], -1), cat([below, below @ beside], -1)], -2)  # one of them is empty
    return _permutation(pivots, LU) @ rows


@public_function
def lu(A: Tensor, pivot: bool = True, get_infos: bool = False) -> Any:
    """The older :func:`linalg.lu_factor_ex`: (LU, pivots), or with the infos too.

    >>> import dovetail as dv
    >>> dv.lu(dv.tensor([[0., 2.], [4., 8.]]))[0]
    tensor([[4., 8.],
            [0., 2.]])
    """
    once("torch.lu is deprecated in favor of torch.linalg.lu_factor / torch.linalg.lu_factor_ex", 5)
    found = lu_factor_ex(A, pivot)
    return results("_lu_with_info", "LU", "pivots", "info")(found) if get_infos else tuple(found[:2])


def _permutation(pivots: Tensor, like: Tensor) -> Tensor:
    """The matrix P with ``P L U = A`` of rows that changed places, in the type of `like`."""
    p, n, m = pivots._a, like.shape[-2], xp(like._a)
    order = m.broadcast_to(m.arange(n), (prod(p.shape[:-1]), n)).copy()
    each = m.arange(len(order))
    for j, at in enumerate(p.reshape(len(order), p.shape[-1]).T[:n] - 1):
        order[each, at], order[:, j] = order[:, j].copy(), order[each, at]
    return wrap((order.reshape((*p.shape[:-1], 1, n)) == m.arange(n)[:, None]).astype(like._a.dtype))


@public_function
def lu_unpack(LU_data: Tensor, LU_pivots: Tensor, unpack_data: bool = True, unpack_pivots: bool = True) -> Any:
    """P, L and U of what :func:`linalg.lu_factor` gives; empty tensors for what is not to be unpacked.

    >>> import dovetail as dv
    >>> dv.lu_unpack(*dv.linalg.lu_factor(dv.tensor([[0., 2.], [4., 8.]]))).U
    tensor([[4., 8.],
            [0., 2.]])
    """
    p, n, k = LU_pivots._a, LU_data.shape[-2], min(LU_data.shape[-2:])
    if unpack_pivots and p.dtype != np.int32:
        raise ShapeError("lu_unpack", f"LU_pivots is expected to be a contiguous tensor of torch.int32 dtype, not {p.dtype}")
    if unpack_pivots and p.size and n and p.__class__ is np.ndarray and (p.min() < 1 or p.max() > n):
        raise ShapeError("lu_unpack", "pivots passed to lu_unpack must be between 1 and LU.size(-2) inclusive", f"{n}")
    none = LU_data.detach().new_zeros(0)
    low = LU_data[..., :k].tril(-1) + wrap(xp(p).eye(n, k, dtype=LU_data._a.dtype)) if unpack_data else none
    high = LU_data[..., :k, :].triu() if unpack_data else none
    return results("lu_unpack", "P", "L", "U")([_permutation(LU_pivots, LU_data) if unpack_pivots else none, low, high])


def lu_solved(LU: Tensor, pivots: Tensor, B: Tensor, left: bool = True, adjoint: bool = False) -> Tensor:
    """The X with ``A X = B``, or ``X A = B`` without `left`, of a factored A, or of its adjoint."""
    need_matrix(LU._a, "lu_solve")
    need_matrix(B._a, "lu_solve", False)
    need_alike(LU._a, B._a, "lu_solve")
    if pivots._a.dtype != np.int32:
        raise ShapeError("linalg.lu_solve", f"pivots should be a Tensor of scalar type torch.int32, not {pivots._a.dtype}")
    if pivots.shape != LU.shape[:-1]:
        raise ShapeError("linalg.lu_solve", "Number of pivots per batch should be same as the dimension of the matrix")
    if B.shape[-2 if left else -1] != LU.shape[-1]:
        what = f"Incompatible shapes of A and B for the equation {'AX' if left else 'XA'} = B ({tuple(LU.shape)} and {tuple(B.shape)})"
        raise ShapeError("linalg.lu_solve", what)
    if not left:
        return lu_solved(LU, pivots, B.mH, True, not adjoint).mH
    p, low, high = lu_unpack(LU, pivots)
    if adjoint:
        return p @ solve_triangular(low.mH, solve_triangular(high.mH, B, False), True)
    return solve_triangular(high, solve_triangular(low, p.mT @ B, False), True)


@public_function
def lu_solve(input: Tensor, LU_data: Tensor, LU_pivots: Tensor) -> Tensor:
    """The older :func:`linalg.lu_solve`, with the right side first.

    >>> import dovetail as dv
    >>> dv.lu_solve(dv.tensor([[4.], [12.]]), *dv.linalg.lu_factor(dv.tensor([[0., 2.], [4., 8.]])))
    tensor([[-1.],
            [ 2.]])
    """
    once("torch.lu_solve is deprecated in favor of torch.linalg.lu_solve, whose arguments are reversed", 5)
    return lu_solved(LU_data, LU_pivots, input)


@public_function
def triangular_solve(input: Tensor, A: Tensor, upper: bool = True, transpose: bool = False, unitriangular: bool = False) -> Any:
    """The older :func:`linalg.solve_triangular`, with the right side first: (solution, cloned_coefficient).

    >>> import dovetail as dv
    >>> dv.triangular_solve(dv.tensor([[8.]]), dv.tensor([[2.]])).solution
    tensor([[4.]])
    """
    if min(input.ndim, A.ndim) < 2:
        raise ShapeError("triangular_solve", f"Expected b and A to have at least 2 dimensions, but have {input.ndim} and {A.ndim}")
    once("torch.triangular_solve is deprecated in favor of torch.linalg.solve_triangular, whose arguments are reversed", 5)
    out = solve_triangular(A.mT if transpose else A, input, upper != transpose, unitriangular)
    return results("triangular_solve", "solution", "cloned_coefficient")([out, A.clone()])


@op(dtypes=None, name="linalg_geqrf", outputs=("a", "tau"), result=results("geqrf", "a", "tau"))
def _geqrf(input: Array) -> Array:
    """R above the diagonal, the reflections below it, and their factors tau."""
    need_matrix(input, "geqrf", False)
    packed, tau = xp(input).linalg.qr(input, "raw")
    return packed.copy("C").swapaxes(-1, -2), tau  # column after column, as LAPACK has it


@_geqrf.vjp
def _(g: Any) -> Any:
    raise UnsupportedError("geqrf", "the derivative for 'geqrf' is not implemented.", "", "use linalg.qr")


@public_function
def geqrf(input: Tensor) -> Any:
    """Householder's QR as LAPACK keeps it: R above the diagonal, the reflections below it, and their factors tau.

    >>> import dovetail as dv
    >>> dv.geqrf(dv.tensor([[3.], [4.]])).a[0]
    tensor([-5.])
    """
    return _geqrf(input)


def reflected(where: str, A: Tensor, tau: Tensor, x: Tensor, transpose: bool = False) -> Tensor:
    """``Q x``, or ``Qᴴ x``, where Q is the product of the reflections ``1 - tau v vᴴ``."""
    if A.ndim < 2 or x.ndim < 2:
        raise ShapeError(where, f"input and other must have at least 2 dimensions (got {A.ndim} and {x.ndim})")
    if tau.ndim != A.ndim - 1:
        raise ShapeError(where, f"Expected tau to have one dimension less than input, but got {tau.ndim} and {A.ndim}")
    if where == "ormqr" and not tau.shape[:-1] == x.shape[:-2] == A.shape[:-2]:
        what = f"Expected batch dimensions of tau and other to be equal to input.shape[:-2] (got {tuple(tau.shape)}, {tuple(x.shape)})"
        raise ShapeError(where, what)
    k = tau.shape[-1]
    if A.shape[-1] < k or A.shape[-2] < (k if where == "ormqr" else A.shape[-1]) or x.shape[-2] != A.shape[-2]:
        what = f"input.shape[-2], which other.shape[-2] must be, input.shape[-1] and tau.shape[-1] must not rise (got {tuple(A.shape)}, "
        raise ShapeError(where, f"{what}{tuple(tau.shape)}, {tuple(x.shape)})")
    if not A.dtype == tau.dtype == x.dtype:
        raise DtypeError(where, f"Expected input, tau and other to have the same dtype (got {A.dtype}, {tau.dtype}, {x.dtype})")
    if A._a.dtype.char not in "fdFD":
        raise UnsupportedError(where, f'"{where}_cpu" not implemented for {type_name(A._a.dtype)!r}', "", "convert with .float()")
    V = A[..., :k].tril(-1) + wrap(xp(A._a).eye(A.shape[-2], k, dtype=A._a.dtype))
    for i in range(k) if transpose else reversed(range(k)):
        v, factor = V[..., i : i + 1], tau[..., i, None, None]
        x = x - (factor.conj() if transpose else factor) * (v @ (v.mH @ x))
    return x


@public_function
def orgqr(input: Tensor, tau: Tensor) -> Tensor:
    """The Q of :func:`geqrf`'s reflections, in as many columns as `input` has: :func:`linalg.householder_product`.

    >>> import dovetail as dv
    >>> dv.orgqr(*dv.geqrf(dv.tensor([[3.], [4.]])))
    tensor([[-0.6000],
            [-0.8000]])
    """
    if input.ndim < 2:
        raise ShapeError("linalg.householder_product", f"input must have at least 2 dimensions (got {input.ndim})")
    eye = wrap(xp(input._a).eye(*input.shape[-2:], dtype=input._a.dtype))
    return reflected("linalg.householder_product", input, tau, input[..., :0, :].sum((-2, -1), True) + eye)  # it knows its history


@public_function
def ormqr(input: Tensor, tau: Tensor, other: Tensor, left: bool = True, transpose: bool = False) -> Tensor:
    """``Q other``, or ``other Q`` without `left`, for the whole Q of :func:`geqrf`'s reflections, or its adjoint.

    >>> import dovetail as dv
    >>> dv.ormqr(*dv.geqrf(dv.tensor([[3.], [4.]])), dv.tensor([[3.], [4.]]), transpose=True).abs().round()
    tensor([[5.],
            [0.]])
    """
    if left:
        return reflected("ormqr", input, tau, other, transpose)
    return reflected("ormqr", input, tau, other.mH, not transpose).mH
