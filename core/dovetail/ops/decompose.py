"""Linear systems and factorizations of matrices (and stacks of them), with their gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd.node import wrap
from ..errors import DovetailError, DtypeError, GradError, ShapeError, UnsupportedError
from ._op import Array, op, xp
from ._refuse import type_name
from ._results import results
from .arithmetic import add, div, mul, neg, sub
from .linalg import _conj, matmul, matmul_nt, matmul_tn
from .reduce import sum
from .shape import getitem, reshape, transpose

__all__: list[str] = []


class LinAlgError(DovetailError, RuntimeError):
    """A matrix for which the problem has no solution: singular, or not positive definite."""


def _matrix(a: Any, name: str, square: bool = True, floating: bool = True) -> None:
    """Check that an argument is a matrix or a stack of them."""
    if a.ndim < 2:
        raise ShapeError(f"linalg.{name}", "The input tensor A must have at least 2 dimensions.", f"got shape {a.shape}")
    if square and a.shape[-1] != a.shape[-2]:
        what = f"A must be batches of square matrices, but they are {a.shape[-2]} by {a.shape[-1]} matrices"
        raise ShapeError(f"linalg.{name}", what)
    if floating and a.dtype.kind not in "fcV":
        what = f"Expected a floating point or complex tensor as input. Got {type_name(a.dtype)}"
        raise DtypeError(f"linalg.{name}", what, "", "convert with .float()")
    if floating and a.dtype.itemsize == 2:
        raise DtypeError(f"linalg.{name}", f"Low precision dtypes not supported. Got {type_name(a.dtype)}", "", "convert with .float()")


def _alike(a: Any, b: Any, name: str) -> None:
    if a.dtype != b.dtype:
        kinds = f"found A of type {type_name(a.dtype)} and B of type {type_name(b.dtype)} instead"
        what = f"Expected A and B to have the same dtype, but {kinds}"
        raise DtypeError(f"linalg.{name}", what)


def _run(name: str, function: Any, failure: str, *args: Any, **kwargs: Any) -> Any:
    """Call LAPACK; what it refuses is our error."""
    try:
        return function(*args, **kwargs)
    except np.linalg.LinAlgError as error:
        raise LinAlgError(f"linalg.{name}", failure) from error


def _t(x: Any) -> Any:
    return _conj(transpose(x, -1, -2))


def _stretch(g: Any) -> Any:
    """A number for each matrix, shaped to multiply it."""
    return reshape(g, (*g._a.shape, 1, 1))


def _constant(like: Any, value: Any) -> Any:
    return wrap(xp(like._a).asarray(value, like._a.dtype))


@op(dtypes=None, name="linalg_inv")
def inv(input: Array) -> Array:
    """The inverse of square matrices: (…, n, n). Raises LinAlgError for a singular one."""
    _matrix(input, "inv")
    failure = "The inversion could not be completed because the input matrix is singular."
    return _run("inv", xp(input).linalg.inv, failure, input)


@inv.vjp
def _(g: Any, out: Any) -> Any:
    out = _conj(out)
    return neg(matmul_tn(out, matmul_nt(g, out)))


@op(dtypes=None, name="linalg_solve")
def solve(input: Array, other: Array, vector: bool = False) -> Array:
    """The X with ``input @ X = other``; `vector` says that `other` is one vector a matrix."""
    _matrix(input, "solve")
    _alike(input, other, "solve")
    b = other[..., None] if vector else other
    if b.shape[-2] != input.shape[-1]:
        raise ShapeError("linalg.solve", f"Incompatible shapes of A and B for the equation AX = B ({input.shape} and {other.shape})")
    failure = "The solver failed because the input matrix is singular."
    out = _run("solve", xp(input).linalg.solve, failure, input, b)
    return out[..., 0] if vector else out


@solve.vjp
def _(g: Any, input: Any, vector: Any, out: Any, needs: Any) -> Any:
    by_other = solve(_t(input), g, vector)
    if not needs[0]:
        return None, by_other
    if vector:
        row = reshape(_conj(out), (*out._a.shape[:-1], 1, out._a.shape[-1]))
        return neg(mul(reshape(by_other, (*by_other._a.shape, 1)), row)), by_other
    return neg(matmul_nt(by_other, _conj(out))), by_other


@op(dtypes=None, name="linalg_solve_triangular")
def solve_triangular(input: Array, other: Array, upper: bool, unitriangular: bool = False) -> Array:
    """The X with ``input @ X = other`` for triangular matrices, of which only that triangle is read."""
    _matrix(input, "solve_triangular")
    _alike(input, other, "solve_triangular")
    where = xp(input)
    a = where.triu(input) if upper else where.tril(input)
    if unitriangular:
        eye = where.eye(a.shape[-1], dtype=a.dtype)
        a = a * (1 - eye) + eye
    return _run("solve_triangular", where.linalg.solve, "the matrix is singular", a, other)


@solve_triangular.vjp
def _(g: Any, input: Any, upper: Any, unitriangular: Any, out: Any, needs: Any) -> Any:
    by_other = solve_triangular(_t(input), g, not upper, unitriangular)
    if not needs[0]:
        return None, by_other
    return mul(neg(matmul_nt(by_other, _conj(out))), _triangle(input, upper, int(unitriangular))), by_other


def _triangle(like: Any, upper: bool, offset: int = 0) -> Any:
    """Ones in a triangle, `offset` steps off the diagonal."""
    where, n = xp(like._a), like._a.shape[-1]
    ones = where.ones((n, n), like._a.dtype)
    return wrap(where.triu(ones, offset) if upper else where.tril(ones, -offset))


@op(dtypes=None, name="linalg_det")
def det(input: Array) -> Array:
    """The determinant of square matrices: (…, n, n) → (…)."""
    _matrix(input, "det")
    return xp(input).linalg.det(input)


det.vjp(lambda g, input: mul(_stretch(g), _cofactors(_conj(input))))


@op(dtypes=None, name="cofactors")
def _cofactors(input: Array) -> Array:
    """The derivative of the determinant, by singular values: defined for singular matrices too."""
    where = xp(input)
    u, s, vh = where.linalg.svd(input)
    n = s.shape[-1]
    others = where.where(where.eye(n, dtype=bool), where.ones((), s.dtype), s[..., None, :]).prod(axis=-1)
    sign = where.linalg.det(u) * where.linalg.det(vh)
    return (u * others[..., None, :]) @ vh * sign[..., None, None]


@_cofactors.vjp
def _(g: Any, input: Any) -> Any:
    p, d = transpose(inv(input), -1, -2), _stretch(det(input))
    along = sum(mul(g, p), (-2, -1), True)
    return mul(d, sub(mul(p, along), matmul(matmul_nt(p, g), p)))


@op(dtypes=None, outputs=("sign", "logabsdet"), name="linalg_slogdet",
    result=results("linalg_slogdet", "sign", "logabsdet"))  # fmt: skip
def slogdet(input: Array) -> Array:
    """The sign of the determinant and the logarithm of its size."""
    _matrix(input, "slogdet")
    return tuple(xp(input).linalg.slogdet(input))


slogdet.vjp(lambda g, input: None if g[1] is None else mul(_stretch(g[1]), _t(inv(input))))


@op(dtypes=None, name="linalg_cholesky")
def cholesky(input: Array, upper: bool = False) -> Array:
    """The triangular L with ``L Lᵀ = input`` for positive definite matrices (or its transpose)."""
    _matrix(input, "cholesky")
    failure = "The factorization could not be completed because the input is not positive-definite"
    out = _run("cholesky", xp(input).linalg.cholesky, failure, input)
    return out.conj().swapaxes(-1, -2).copy() if upper else out


@cholesky.vjp
def _(g: Any, upper: Any, out: Any) -> Any:
    low = _t(out) if upper else out
    inner = mul(matmul(_t(low), _t(g) if upper else g), _half(low))
    s = solve_triangular(_t(low), _t(solve_triangular(_t(low), _t(inner), True)), True)
    return div(add(s, _t(s)), 2)


def _half(like: Any) -> Any:
    """Ones below the diagonal, a half on it."""
    where, n = xp(like._a), like._a.shape[-1]
    return wrap(where.tril(where.ones((n, n), like._a.dtype)) - where.eye(n, dtype=like._a.dtype) / 2)


@op(dtypes=None, outputs=("Q", "R"), name="linalg_qr", result=results("linalg_qr", "Q", "R"))
def qr(input: Array, mode: str = "reduced") -> Array:
    """Orthonormal Q and upper triangular R with ``Q R = input``; mode "reduced", "complete" or "r"."""
    _matrix(input, "qr", False)
    where = xp(input)
    if mode not in ("reduced", "complete", "r"):
        what = f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), 'r', or 'complete'"
        raise ShapeError("linalg.qr", what)
    if mode == "r":
        return where.zeros(0, input.dtype), where.linalg.qr(input, "r")
    return tuple(where.linalg.qr(input, mode))


@qr.vjp
def _(g: Any, input: Any, mode: Any, Q: Any, R: Any) -> Any:
    m, n = input._a.shape[-2:]
    if mode == "r" or (mode == "complete" and m > n):
        what = f"The derivative of linalg.qr is not implemented when mode='{mode}'" + (" and nrows > ncols" if mode != "r" else "")
        raise GradError("linalg.qr", what, "", "use mode='reduced'")
    gq, gr = (x if x is not None else mul(_constant(like, 0), like) for x, like in zip(g, (Q, R), strict=True))
    if m >= n:
        return _qr_gradient(gq, gr, Q, R)
    left, right = (Ellipsis, slice(None, m)), (Ellipsis, slice(m, None))
    gv = getitem(gr, right)
    gx = _qr_gradient(add(gq, matmul_nt(getitem(input, right), _conj(gv))), getitem(gr, left), Q, getitem(R, left))
    from .shape import cat

    return cat([gx, matmul(Q, gv)], -1)


def _qr_gradient(gq: Any, gr: Any, q: Any, r: Any) -> Any:
    """Walter and Lehmann, 2018: ``(gQ + Q copyltu(R gRᵀ - gQᵀ Q)) R⁻ᵀ``."""
    m = sub(matmul(r, _t(gr)), matmul(_t(gq), q))
    low = mul(m, _half(m))
    return _t(solve_triangular(r, _t(add(gq, matmul(q, add(low, _t(low))))), True))


@op(dtypes=None, outputs=("U", "S", "Vh"), name="linalg_svd", result=results("linalg_svd", "U", "S", "Vh"))
def svd(input: Array, full_matrices: bool = True) -> Array:
    """Singular vectors and values: ``U diag(S) Vh = input``."""
    _matrix(input, "svd", False)
    failure = "The algorithm failed to converge because the input matrix contained non-finite values."
    return tuple(_run("svd", xp(input).linalg.svd, failure, input, full_matrices=full_matrices))


@svd.vjp
def _(g: Any, U: Any, S: Any, Vh: Any) -> Any:
    gu, gs, gvh = g
    k = S._a.shape[-1]
    if U._a.shape[-1] != Vh._a.shape[-2]:
        U, gu = _first_columns(U, gu, k)
        V, gv = _first_columns(_t(Vh), None if gvh is None else _t(gvh), k)
        Vh, gvh = _t(V), None if gv is None else _t(gv)
    row = reshape(S, (*S._a.shape[:-1], 1, k))
    column = reshape(S, (*S._a.shape, 1))
    eye = _constant(S, xp(S._a).eye(k))
    gap = add(sub(mul(row, row), mul(column, column)), eye)
    inner = mul(reshape(gs, (*gs._a.shape, 1)), eye) if gs is not None else mul(row, mul(eye, 0))
    if gu is not None:
        x = matmul(_t(U), gu)
        inner = add(inner, mul(div(sub(x, _t(x)), gap), row))
    if gvh is not None:
        x = matmul(Vh, _t(gvh))
        inner = add(inner, mul(column, div(sub(x, _t(x)), gap)))
    out = matmul(matmul(U, inner), Vh)
    if gu is not None and U._a.shape[-2] > k:
        rest = div(sub(gu, matmul(U, matmul(_t(U), gu))), row)
        out = add(out, matmul(rest, Vh))
    if gvh is not None and Vh._a.shape[-1] > k:
        rest = div(sub(gvh, matmul(matmul(gvh, _t(Vh)), Vh)), column)
        out = add(out, matmul(U, rest))
    return out


def _first_columns(u: Any, g: Any, k: int) -> tuple[Any, Any]:
    """The k columns that belong to singular values; the others are arbitrary and must not have a gradient."""
    if g is not None and bool((g._a[..., k:] != 0).any()):
        what = "the gradient of the vectors beyond the singular values is not defined (full_matrices=True)"
        raise GradError("linalg.svd", what, "", "pass full_matrices=False")
    first = (Ellipsis, slice(None, k))
    return getitem(u, first), None if g is None else getitem(g, first)


@op(dtypes=None, outputs=("eigenvalues", "eigenvectors"), name="linalg_eigh",
    result=results("linalg_eigh", "eigenvalues", "eigenvectors"))  # fmt: skip
def eigh(input: Array, UPLO: str = "L") -> Array:
    """Eigenvalues, rising, and eigenvectors of symmetric matrices, of which only one triangle is read."""
    _matrix(input, "eigh")
    if UPLO.upper() not in ("L", "U"):
        raise ShapeError("linalg.eigh", f"Expected UPLO argument to be 'L' or 'U', but got {UPLO}")
    return tuple(_run("eigh", xp(input).linalg.eigh, "The algorithm failed to converge", input, UPLO.upper()))


@eigh.vjp
def _(g: Any, eigenvalues: Any, eigenvectors: Any) -> Any:
    gl, gv = g
    v, k = eigenvectors, eigenvalues._a.shape[-1]
    eye = _constant(eigenvalues, xp(eigenvalues._a).eye(k))
    inner = mul(reshape(gl, (*gl._a.shape, 1)), eye) if gl is not None else None
    if gv is not None:
        gap = sub(reshape(eigenvalues, (*eigenvalues._a.shape[:-1], 1, k)), reshape(eigenvalues, (*eigenvalues._a.shape, 1)))
        x = matmul(_t(v), gv)
        x = mul(div(sub(x, _t(x)), add(gap, eye)), 0.5)  # the input counts as symmetric
        inner = x if inner is None else add(inner, x)
    return matmul_nt(matmul(v, inner), _conj(v))


@op(dtypes=None, outputs=("eigenvalues", "eigenvectors"), name="linalg_eig",
    result=results("linalg_eig", "eigenvalues", "eigenvectors"))  # fmt: skip
def eig(input: Array) -> Array:
    """Complex eigenvalues and eigenvectors of square matrices; values only, without a gradient."""
    _matrix(input, "eig")
    values, vectors = _run("eig", xp(input).linalg.eig, "The algorithm failed to converge", input)
    kind = np.complex64 if input.dtype in (np.float32, np.complex64) else np.complex128
    return values.astype(kind, copy=False), vectors.astype(kind, copy=False)


@eig.vjp
def _(g: Any) -> Any:
    raise UnsupportedError("linalg.eig", "its gradient is not implemented", "", "use eigh for symmetric matrices")


@op(dtypes=None, name="linalg_pinv")
def pinv(input: Array, rcond: float = 1e-15, hermitian: bool = False) -> Array:
    """The Moore-Penrose inverse; singular values below rcond times the largest count as zero."""
    _matrix(input, "pinv", False)
    where = xp(input)
    if not input.size:
        return input.swapaxes(-1, -2).copy()
    u, s, vh = where.linalg.svd(input, full_matrices=False)
    keep = s > rcond * s.max(axis=-1, keepdims=True)
    s = where.where(keep, 1 / where.where(keep, s, where.ones((), s.dtype)), where.zeros((), s.dtype))
    return (vh.conj().swapaxes(-1, -2) * s[..., None, :]) @ u.conj().swapaxes(-1, -2)


pinv.vjp(lambda g, input, out: _pinv_gradient(g, input, out))


def _pinv_gradient(g: Any, a: Any, p: Any) -> Any:
    """Golub and Pereyra, 1973: ``-Pᵀ g Pᵀ + (I - A P) gᵀ P Pᵀ + Pᵀ P gᵀ (I - P A)``."""
    pt, gt = _t(p), _t(g)
    x = matmul(matmul(gt, p), pt)
    y = matmul(pt, matmul(p, gt))
    out = sub(add(x, y), matmul(a, matmul(p, x)))
    return sub(sub(out, matmul(matmul(y, p), a)), matmul(matmul(pt, g), pt))


@op(dtypes=None, name="linalg_lstsq")
def lstsq(input: Array, other: Array, rcond: float) -> Array:
    """The X that minimises ``|input @ X - other|``, the shortest of several."""
    _matrix(input, "lstsq", False)
    _alike(input, other, "lstsq")
    if input.ndim == 2 and other.ndim == 2:
        return xp(input).linalg.lstsq(input, other, rcond=rcond)[0]
    return pinv.op.forward(input, rcond) @ other


@lstsq.vjp
def _(g: Any, input: Any, other: Any, rcond: Any, needs: Any) -> Any:
    p = pinv(input, rcond)
    by_input = _pinv_gradient(matmul_nt(g, _conj(other)), input, p) if needs[0] else None
    return by_input, matmul(_t(p), g) if needs[1] else None
