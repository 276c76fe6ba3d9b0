"""Factorizations by rows and reflections: LU and its uses, Householder's QR; and those that tell of failure instead of raising."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..autograd.node import Tensor, wrap
from ..errors import DtypeError, ShapeError, UnsupportedError
from ._keywords import once
from ._op import Array, op, xp
from ._refuse import NotForType, type_name
from ._results import results
from .decompose import LinAlgError, _alike, _matrix, cholesky, eye_of, inv, solve_triangular
from .diag import tril, triu
from .join import cat
from .select import where

__all__ = ["geqrf", "lu", "lu_solve", "lu_unpack", "orgqr", "ormqr", "triangular_solve"]
METHODS = __all__


def _eliminated(a: Any, pivoting: bool = True) -> tuple[Any, Any]:
    """L below and U above the diagonal, and the row (from 1) that each one changed places with."""
    m, stack, k = xp(a), a.shape[:-2], min(a.shape[-2:])
    rows = a.reshape(prod(stack), *a.shape[-2:]).copy()
    each, pivots = m.arange(len(rows)), m.zeros((len(rows), k), np.int32)
    for j in range(k):
        column = rows[:, j:, j]
        at = (abs(column.real) + abs(column.imag)).argmax(axis=1) * pivoting + j  # as LAPACK measures complex numbers
        pivots[:, j] = at + 1
        rows[each, at], rows[:, j] = rows[:, j].copy(), rows[each, at]
        rows[:, j + 1 :, j] /= m.where(rows[:, j, j, None] == 0, m.ones((), a.dtype), rows[:, j, j, None])
        rows[:, j + 1 :, j + 1 :] -= rows[:, j + 1 :, j, None] * rows[:, j, None, j + 1 :]
    return rows.reshape(a.shape), pivots.reshape(*stack, k)


def _first(bad: Any) -> Any:
    """The place (from 1) of the first that is bad in the last dimension; 0 for none."""
    m = xp(bad)
    return m.asarray(m.concatenate([bad[..., :0].any(axis=-1, keepdims=True), bad], axis=-1).argmax(axis=-1), np.int32)


@op(
    dtypes=None, name="linalg_lu_factor_ex", outputs=("LU", "pivots", "info"), nondiff=("pivots", "info"),
    result=results("linalg_lu_factor_ex", "LU", "pivots", "info"),
)  # fmt: skip
def lu_factor_ex(input: Array, pivot: bool = True, check_errors: bool = False) -> Array:
    """L and U of matrices in one, how their rows changed places, and the first zero on the diagonal of U (from 1; 0 for none)."""
    if input.ndim < 2:
        raise ShapeError("lu_factor", f"Expected tensor with 2 or more dimensions. Got size: {list(input.shape)} instead")
    if input.dtype.char not in "fdFD":
        raise NotForType("lu_factor", f'"lu_cpu" not implemented for {type_name(input.dtype)!r}', "", "convert with .float()")
    if not pivot:
        raise ShapeError("linalg.lu_factor", "LU without pivoting is not implemented on the CPU")
    packed, pivots = _eliminated(input)
    info = _first(packed.diagonal(axis1=-2, axis2=-1) == 0)
    if check_errors:
        _settled("linalg.lu_factor", info, "U[{0},{0}] is zero and using it on lu_solve would result in a division by zero.")
    return packed, pivots, info


@lu_factor_ex.vjp
def _(g: Any, LU: Any, pivots: Any) -> Any:
    """``P L⁻ᴴ (tril(Lᴴ gL, -1) + triu(gU Uᴴ)) U⁻ᴴ`` of the square part; what is below or beside it is a solution with it."""
    g, k = g[0], min(LU._a.shape[-2:])
    L, U = tril(LU[..., :k, :k], -1) + eye_of(LU[..., :k]), triu(LU[..., :k, :k])
    below = solve_triangular(U, g[..., k:, :k].mH, True).mH
    beside = solve_triangular(L.mH, g[..., :k, k:], True)
    low = tril(L.mH @ tril(g[..., :k, :k] - beside @ LU[..., :k, k:].mH, -1), -1)
    inner = low + triu(triu(g[..., :k, :k] - LU[..., k:, :k].mH @ below) @ U.mH)
    square = solve_triangular(L.mH, solve_triangular(U, inner.mH, True).mH, True)
    rows = cat([cat([square, beside], -1), cat([below, below @ beside], -1)], -2)  # one of them is empty
    return _permutation(pivots, LU) @ rows


def _settled(name: str, info: Any, text: str) -> None:
    """Raise for the first matrix whose `info` is not 0, with that number in the text."""
    if info.any():
        first = int(info.reshape(-1).nonzero()[0][0])
        raise LinAlgError(name, (f"(Batch element {first}): " if info.ndim else "") + text.format(int(info.reshape(-1)[first])))


def lu(A: Tensor, pivot: bool = True, get_infos: bool = False) -> Any:
    """The older :func:`linalg.lu_factor_ex`: (LU, pivots), or with the infos too.

    >>> import dovetail as dv
    >>> dv.lu(dv.tensor([[0., 2.], [4., 8.]]))[0]
    tensor([[4., 8.],
            [0., 2.]])
    """
    once("torch.lu is deprecated in favor of torch.linalg.lu_factor / torch.linalg.lu_factor_ex")
    found = lu_factor_ex(A, pivot)
    return results("_lu_with_info", "LU", "pivots", "info")(found) if get_infos else tuple(found[:2])


def _permutation(pivots: Tensor, like: Tensor) -> Tensor:
    """The matrix P with ``P L U = A`` of rows that changed places, in the type of `like`."""
    p, n, m = pivots._a, like._a.shape[-2], xp(like._a)
    order = m.broadcast_to(m.arange(n), (prod(p.shape[:-1]), n)).copy()
    each = m.arange(len(order))
    for j, at in enumerate(p.reshape(len(order), p.shape[-1]).T[:n] - 1):
        order[each, at], order[:, j] = order[:, j].copy(), order[each, at]
    return wrap((order.reshape((*p.shape[:-1], 1, n)) == m.arange(n)[:, None]).astype(like._a.dtype))


def lu_unpack(LU_data: Tensor, LU_pivots: Tensor, unpack_data: bool = True, unpack_pivots: bool = True) -> Any:
    """P, L and U of what :func:`linalg.lu_factor` gives; empty tensors for what is not to be unpacked.

    >>> import dovetail as dv
    >>> dv.lu_unpack(*dv.linalg.lu_factor(dv.tensor([[0., 2.], [4., 8.]]))).U
    tensor([[4., 8.],
            [0., 2.]])
    """
    p, n, k = LU_pivots._a, LU_data._a.shape[-2], min(LU_data._a.shape[-2:])
    if unpack_pivots and p.dtype != np.int32:
        raise ShapeError("lu_unpack", f"LU_pivots is expected to be a contiguous tensor of torch.int32 dtype, not {p.dtype}")
    if unpack_pivots and p.size and n and p.__class__ is np.ndarray and (p.min() < 1 or p.max() > n):
        raise ShapeError("lu_unpack", "pivots passed to lu_unpack must be between 1 and LU.size(-2) inclusive", f"{n}")
    none = LU_data.detach().new_zeros(0)
    low = tril(LU_data[..., :k], -1) + wrap(xp(p).eye(n, k, dtype=LU_data._a.dtype)) if unpack_data else none
    high = triu(LU_data[..., :k, :]) if unpack_data else none
    return results("lu_unpack", "P", "L", "U")([_permutation(LU_pivots, LU_data) if unpack_pivots else none, low, high])


def lu_solved(LU: Tensor, pivots: Tensor, B: Tensor, left: bool = True, adjoint: bool = False) -> Tensor:
    """The X with ``A X = B``, or ``X A = B`` without `left`, of a factored A, or of its adjoint."""
    _matrix(LU._a, "lu_solve")
    _matrix(B._a, "lu_solve", False)
    _alike(LU._a, B._a, "lu_solve")
    if pivots._a.dtype != np.int32:
        raise ShapeError("linalg.lu_solve", f"pivots should be a Tensor of scalar type torch.int32, not {pivots._a.dtype}")
    if pivots._a.shape != LU._a.shape[:-1]:
        raise ShapeError("linalg.lu_solve", "Number of pivots per batch should be same as the dimension of the matrix")
    if B._a.shape[-2 if left else -1] != LU._a.shape[-1]:
        what = f"Incompatible shapes of A and B for the equation {'AX' if left else 'XA'} = B ({LU._a.shape} and {B._a.shape})"
        raise ShapeError("linalg.lu_solve", what)
    if not left:
        return lu_solved(LU, pivots, B.mH, True, not adjoint).mH
    p, low, high = lu_unpack(LU, pivots)
    if adjoint:
        return p @ solve_triangular(low.mH, solve_triangular(high.mH, B, False), True)
    return solve_triangular(high, solve_triangular(low, p.mT @ B, False), True)


def lu_solve(input: Tensor, LU_data: Tensor, LU_pivots: Tensor) -> Tensor:
    """The older :func:`linalg.lu_solve`, with the right side first.

    >>> import dovetail as dv
    >>> dv.lu_solve(dv.tensor([[4.], [12.]]), *dv.linalg.lu_factor(dv.tensor([[0., 2.], [4., 8.]])))
    tensor([[-1.],
            [ 2.]])
    """
    once("torch.lu_solve is deprecated in favor of torch.linalg.lu_solve, whose arguments are reversed")
    return lu_solved(LU_data, LU_pivots, input)


def triangular_solve(input: Tensor, A: Tensor, upper: bool = True, transpose: bool = False, unitriangular: bool = False) -> Any:
    """The older :func:`linalg.solve_triangular`, with the right side first: (solution, cloned_coefficient).

    >>> import dovetail as dv
    >>> dv.triangular_solve(dv.tensor([[8.]]), dv.tensor([[2.]])).solution
    tensor([[4.]])
    """
    if min(input._a.ndim, A._a.ndim) < 2:
        raise ShapeError("triangular_solve", f"Expected b and A to have at least 2 dimensions, but have {input._a.ndim} and {A._a.ndim}")
    once("torch.triangular_solve is deprecated in favor of torch.linalg.solve_triangular, whose arguments are reversed")
    out = solve_triangular(A.mT if transpose else A, input, upper != transpose, unitriangular)
    return results("triangular_solve", "solution", "cloned_coefficient")([out, A.clone()])


@op(dtypes=None, name="linalg_geqrf", outputs=("a", "tau"), result=results("geqrf", "a", "tau"))
def geqrf(input: Array) -> Array:
    """Householder's QR as LAPACK keeps it: R above the diagonal, the reflections below it, and their factors tau.

    >>> import dovetail as dv
    >>> dv.geqrf(dv.tensor([[3.], [4.]])).a[0]
    tensor([-5.])
    """
    _matrix(input, "geqrf", False)
    packed, tau = xp(input).linalg.qr(input, "raw")
    return packed.swapaxes(-1, -2), tau


@geqrf.vjp
def _(g: Any) -> Any:
    raise UnsupportedError("geqrf", "the derivative for 'geqrf' is not implemented.", "", "use linalg.qr")


def _reflected(where: str, A: Tensor, tau: Tensor, x: Tensor, transpose: bool = False) -> Tensor:
    """``Q x``, or ``Qᴴ x``, where Q is the product of the reflections ``1 - tau v vᴴ``."""
    if A._a.ndim < 2 or x._a.ndim < 2:
        raise ShapeError(where, f"input and other must have at least 2 dimensions (got {A._a.ndim} and {x._a.ndim})")
    if tau._a.ndim != A._a.ndim - 1:
        raise ShapeError(where, f"Expected tau to have one dimension less than input, but got {tau._a.ndim} and {A._a.ndim}")
    k = tau._a.shape[-1]
    if A._a.shape[-1] < k or A._a.shape[-2] < (k if where == "ormqr" else A._a.shape[-1]) or x._a.shape[-2] != A._a.shape[-2]:
        what = f"input.shape[-2], which other.shape[-2] must be, input.shape[-1] and tau.shape[-1] must not rise (got {A._a.shape}, "
        raise ShapeError(where, f"{what}{tau._a.shape}, {x._a.shape})")
    if not A._a.dtype == tau._a.dtype == x._a.dtype:
        raise DtypeError(where, f"Expected input, tau and other to have the same dtype (got {A.dtype}, {tau.dtype}, {x.dtype})")
    if A._a.dtype.char not in "fdFD":
        raise NotForType(where, f'"{where}_cpu" not implemented for {type_name(A._a.dtype)!r}')
    V = tril(A[..., :k], -1) + wrap(xp(A._a).eye(A._a.shape[-2], k, dtype=A._a.dtype))
    for i in range(k) if transpose else reversed(range(k)):
        v, factor = V[..., i : i + 1], tau[..., i, None, None]
        x = x - (factor.conj() if transpose else factor) * (v @ (v.mH @ x))
    return x


def orgqr(input: Tensor, tau: Tensor) -> Tensor:
    """The Q of :func:`geqrf`'s reflections, in as many columns as `input` has: :func:`linalg.householder_product`.

    >>> import dovetail as dv
    >>> dv.orgqr(*dv.geqrf(dv.tensor([[3.], [4.]])))
    tensor([[-0.6000],
            [-0.8000]])
    """
    if input._a.ndim < 2:
        raise ShapeError("linalg.householder_product", f"input must have at least 2 dimensions (got {input._a.ndim})")
    eye = wrap(xp(input._a).eye(*input._a.shape[-2:], dtype=input._a.dtype))
    return _reflected("linalg.householder_product", input, tau, input[..., :0, :].sum((-2, -1), True) + eye)  # it knows its history


def ormqr(input: Tensor, tau: Tensor, other: Tensor, left: bool = True, transpose: bool = False) -> Tensor:
    """``Q other``, or ``other Q`` without `left`, for the whole Q of :func:`geqrf`'s reflections, or its adjoint.

    >>> import dovetail as dv
    >>> dv.ormqr(*dv.geqrf(dv.tensor([[3.], [4.]])), dv.tensor([[3.], [4.]]), transpose=True).abs().round()
    tensor([[5.],
            [0.]])
    """
    if left:
        return _reflected("ormqr", input, tau, other, transpose)
    return _reflected("ormqr", input, tau, other.mH, not transpose).mH


def careful(name: str, fields: str, run: Any, input: Tensor, check_errors: bool, text: str, positive: bool = False) -> Any:
    """What `run` makes of the matrices, and for each 0, or the number that says what is wrong with it: then the result is NaN."""
    try:
        out, info = run(input), xp(input._a).zeros(input._a.shape[:-2], np.int32)
    except LinAlgError:
        info = _wrong(input._a, positive)
        if check_errors:
            _settled(f"linalg.{name}", info, text)
        good = wrap(info == 0)[..., None, None]
        out = where(good, run(where(good, input, eye_of(input))), np.nan)
    return results(f"linalg_{name}", fields, "info")([out, wrap(info)])


def _wrong(a: Any, positive: bool) -> Any:
    """The place (from 1) of the pivot that is not positive, or zero, in those matrices that LAPACK refuses; 0 in the others."""
    pivots = _eliminated(a, not positive)[0].diagonal(axis1=-2, axis2=-1)
    place = _first(~(pivots.real > 0) if positive else pivots == 0)
    refused = [_fails("cholesky" if positive else "inv", x) for x in a.reshape(prod(a.shape[:-2]), *a.shape[-2:])]
    return xp(a).where(xp(a).asarray(refused).reshape(place.shape), xp(a).where(place == 0, a.shape[-1], place), 0).astype(np.int32)


def _fails(name: str, a: Any) -> bool:
    try:
        return getattr(xp(a).linalg, name)(a) is None
    except np.linalg.LinAlgError:
        return True


def cholesky_ex(A: Tensor, *, upper: bool = False, check_errors: bool = False) -> Any:
    """:func:`linalg.cholesky` and, for each matrix, the order of the first leading minor that is not positive (0 for none)."""
    failure = "The input is not positive-definite (the leading minor of order {0})."
    return careful("cholesky_ex", "L", lambda a: cholesky(a, upper), A, check_errors, failure, True)


def inv_ex(A: Tensor, *, check_errors: bool = False) -> Any:
    """:func:`linalg.inv` and, for each matrix, the place of the zero that makes it singular (0 for none)."""
    return careful("inv_ex", "inverse", inv, A, check_errors, "The diagonal element {0} is zero, the input matrix is singular.")
