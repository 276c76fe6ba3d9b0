"""Linear systems and factorizations of matrices (and stacks of them), with their gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd.node import wrap
from ..errors import DovetailError, DtypeError, GradError, ShapeError
from ._op import Array, op, xp
from ._refuse import NotForType, type_name
from ._results import results
from .arithmetic import held
from .diag import tril, triu
from .join import cat

__all__: list[str] = []


class LinAlgError(DovetailError, RuntimeError):
    """A matrix for which the problem has no solution: singular, or not positive definite."""


def need_matrix(a: Any, name: str, square: bool = True, floating: bool = True) -> None:
    """Check that an argument is a matrix or a stack of them."""
    if a.ndim < 2:
        raise ShapeError(f"linalg.{name}", "The input tensor A must have at least 2 dimensions.", f"got shape {a.shape}")
    if square and a.shape[-1] != a.shape[-2]:
        what = f"A must be batches of square matrices, but they are {a.shape[-2]} by {a.shape[-1]} matrices"
        raise ShapeError(f"linalg.{name}", what)
    if floating and a.dtype.kind not in "fcV":
        what = f"Expected a floating point or complex tensor as input. Got {type_name(a.dtype)}"
        raise NotForType(f"linalg.{name}", what, "", "convert with .float()")
    if floating and a.dtype.itemsize == 2:
        raise NotForType(f"linalg.{name}", f"Low precision dtypes not supported. Got {type_name(a.dtype)}", "", "convert with .float()")


def need_alike(a: Any, b: Any, name: str) -> None:
    if a.dtype != b.dtype:
        kinds = f"found A of type {type_name(a.dtype)} and B of type {type_name(b.dtype)} instead"
        raise DtypeError(f"linalg.{name}", f"Expected A and B to have the same dtype, but {kinds}")


def _run(name: str, failure: str, *args: Any, where: str = "", **kwargs: Any) -> Any:
    """Call LAPACK; what it refuses is our error."""
    try:
        return getattr(xp(args[0]).linalg, name)(*args, **kwargs)
    except np.linalg.LinAlgError as error:
        raise LinAlgError(f"linalg.{where or name}", failure) from error


def _several(name: str, *outputs: str) -> Any:
    """An op whose results are a named tuple."""
    return op(dtypes=None, name=name, outputs=outputs, result=results(name, *outputs))


def eye_of(x: Any) -> Any:
    """The identity of the size of the last dimension."""
    return wrap(xp(x._a).eye(x._a.shape[-1], dtype=x._a.dtype))


def _half(x: Any) -> Any:
    """Ones below the diagonal, a half on it."""
    return tril(x.new_ones(x._a.shape[-2:])) - eye_of(x) / 2


def _skew(x: Any) -> Any:
    return x - x.mH


def _phase_free(where: str, turn: Any) -> Any:
    """The diagonal of vectorsᴴ times their gradient, which is real unless the gradient depends on the phase of complex vectors."""
    length = turn.diagonal(0, -2, -1)
    if length.is_complex() and not np.allclose(length.imag.numpy(force=True), 0, rtol=1e-2, atol=1e-2):
        what = "The vectors in the complex case are specified up to multiplication by e^{i phi}. The specified loss function "
        raise GradError(f"{where}_backward", what + "depends on this quantity, so it is ill-defined.")
    return length


@op(dtypes=None, name="linalg_inv")
def inv(input: Array) -> Array:
    """The inverse of square matrices: (…, n, n). Raises ``linalg.LinAlgError`` for a singular one.

    >>> import dovetail as dv
    >>> dv.inverse(dv.tensor([[2., 0.], [0., 4.]]))
    tensor([[0.5000, 0.0000],
            [0.0000, 0.2500]])
    """
    need_matrix(input, "inv")
    return _run("inv", "The inversion could not be completed because the input matrix is singular.", input)


inv.vjp(lambda g, out: -(out.mH @ g @ out.mH))


@op(dtypes=None, name="linalg_solve")
def solve(input: Array, other: Array, name: str = "solve") -> Array:
    """The X with ``input @ X = other``; `name` is that of the caller, for errors."""
    need_matrix(input, name)
    need_alike(input, other, name)
    if other.ndim < 2 or other.shape[-2] != input.shape[-1]:
        raise ShapeError(f"linalg.{name}", f"Incompatible shapes of A and B for the equation AX = B ({input.shape} and {other.shape})")
    return _run("solve", "The solver failed because the input matrix is singular.", input, other, where=name)


@solve.vjp
def _(g: Any, input: Any, out: Any, needs: Any) -> Any:
    by_other = solve(input.mH, g)
    return -(by_other @ out.mH) if needs[0] else None, by_other


def solve_triangular(input: Any, other: Any, upper: bool, unitriangular: bool = False) -> Any:
    """The X with ``input @ X = other`` for triangular matrices, of which only that triangle is read."""
    need_matrix(input._a, "solve_triangular")
    triangle = triu(input, int(unitriangular)) if upper else tril(input, -int(unitriangular))
    return solve(triangle + eye_of(input) if unitriangular else triangle, other, "solve_triangular")


@op(dtypes=None, name="linalg_det")
def det(input: Array) -> Array:
    """The determinant of square matrices: (…, n, n) → (…).

    >>> import dovetail as dv
    >>> dv.det(dv.tensor([[2., 0.], [0., 3.]]))
    tensor(6.)
    """
    need_matrix(input, "det")
    return xp(input).linalg.det(input)


det.vjp(lambda g, input: g[..., None, None] * _cofactors(held(input)))


@op(dtypes=None, name="cofactors")
def _cofactors(input: Array) -> Array:
    """The derivative of the determinant, by singular values: defined for singular matrices too."""
    where = xp(input)
    u, s, vh = where.linalg.svd(input)
    n = s.shape[-1]
    others = where.where(where.eye(n, dtype=bool), where.ones((), s.dtype), s[..., None, :]).prod(axis=-1)
    sign = where.linalg.det(u) * where.linalg.det(vh)
    return (u.conj() * others[..., None, :]) @ vh.conj() * sign[..., None, None]


@_cofactors.vjp
def _(g: Any, input: Any) -> Any:
    input = held(input)
    p = inv(input).mT
    return det(input)[..., None, None] * (p * (g * p).sum((-2, -1), True) - p @ g.mT @ p)


@_several("linalg_slogdet", "sign", "logabsdet")
def slogdet(input: Array) -> Array:
    """The sign of the determinant and the logarithm of its size."""
    need_matrix(input, "slogdet")
    return tuple(xp(input).linalg.slogdet(input))


@slogdet.vjp
def _(g: Any, input: Any, sign: Any) -> Any:
    by_sign, scale = g
    if by_sign is not None and sign._a.dtype.kind == "c":  # the sign turns with the determinant
        turn = (by_sign.conj() * sign).imag * -1j
        scale = turn if scale is None else scale + turn
    return None if scale is None else scale[..., None, None] * inv(input).mH


@op(dtypes=None, name="linalg_cholesky")
def cholesky(input: Array, upper: bool = False) -> Array:
    """The triangular L with ``L Lᵀ = input`` (or its transpose). Raises ``linalg.LinAlgError`` if not positive definite.

    >>> import dovetail as dv
    >>> dv.cholesky(dv.tensor([[4., 0.], [0., 9.]]))
    tensor([[2., 0.],
            [0., 3.]])
    """
    need_matrix(input, "cholesky")
    failure = "The factorization could not be completed because the input is not positive-definite"
    out = _run("cholesky", failure, input)
    if isinstance(out, np.ndarray) and np.isnan(out).any():  # NumPy lets NaN through
        raise LinAlgError("linalg.cholesky", failure)
    return out.conj().swapaxes(-1, -2).copy() if upper else out


@cholesky.vjp
def _(g: Any, upper: Any, out: Any) -> Any:
    g, high = (g.mH, out) if upper else (g, out.mH)
    inner = high @ g
    inner = (tril(inner) + tril(inner, -1).mH) / 2
    return solve_triangular(high, solve_triangular(high, inner.mH, True).mH, True)


@_several("linalg_qr", "Q", "R")
def qr(input: Array, mode: str = "reduced") -> Array:
    """Orthonormal Q and upper triangular R with ``Q R = input``; mode "reduced", "complete" or "r"."""
    need_matrix(input, "qr", False)
    where = xp(input)
    if mode not in ("reduced", "complete", "r"):
        what = f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), 'r', or 'complete'"
        raise ShapeError("linalg.qr", what)
    if mode == "r":
        return where.zeros(0, input.dtype), where.linalg.qr(input, "r")
    return tuple(where.linalg.qr(input, mode))


@qr.vjp
def _(g: Any, input: Any, mode: Any, Q: Any, R: Any) -> Any:
    """Walter and Lehmann, 2018: ``(gQ + Q copyltu(R gRᵀ - gQᵀ Q)) R⁻ᵀ``; columns beyond the rows are Q times theirs of R."""
    m, n = input._a.shape[-2:]
    if mode == "r" or (mode == "complete" and m > n):
        what = f"The derivative of linalg.qr is not implemented when mode='{mode}'" + (" and nrows > ncols" if mode != "r" else "")
        raise GradError("linalg.qr", what, "", "use mode='reduced'")
    gq, gr = (x if x is not None else like * 0 for x, like in zip(g, (Q, R), strict=True))
    beyond, gr, R = gr[..., m:], gr[..., :m], R[..., :m]
    gq = gq + input[..., m:] @ beyond.mH
    inner = R @ gr.mH - gq.mH @ Q
    low = inner * _half(inner)
    return cat([solve_triangular(R, (gq + Q @ (low + low.mH)).mH, True).mH, Q @ beyond], -1)


@_several("linalg_svd", "U", "S", "Vh")
def svd(input: Array, full_matrices: bool = True, driver: str | None = None) -> Array:
    """Singular vectors and values: ``U diag(S) Vh = input``; there is one driver."""
    if driver is not None:
        raise ShapeError("torch.linalg.svd", "keyword argument `driver=` is only supported on CUDA inputs with cuSOLVER backend.")
    need_matrix(input, "svd", False)
    failure = "The algorithm failed to converge because the input matrix contained non-finite values."
    return tuple(_run("svd", failure, input, full_matrices=full_matrices))


@svd.vjp
def _(g: Any, U: Any, S: Any, Vh: Any) -> Any:
    eye, row, column = eye_of(S), S[..., None, :], S[..., None]
    U, gu = _leading(U, g[0], S)
    V, gv = _leading(Vh.mH, None if g[2] is None else g[2].mH, S)
    gap = row * row - column * column + eye
    turns = [v.mH @ by for v, by in ((U, gu), (V, gv)) if by is not None and v.is_complex()]  # of real vectors nothing is to be asked
    if turns:
        _phase_free("svd", sum(turns))
    inner = (S * 0 if g[1] is None else g[1])[..., None] * eye
    if gu is not None:
        inner = inner + _skew(U.mH @ gu) / gap * row
    if gv is not None:
        inner = inner + column * (_skew(V.mH @ gv) / gap)
        if gu is not None:  # the phase of complex vectors; zero for real ones
            inner = inner + _skew(U.mH @ gu) * eye / column / 2
    out = U @ inner.to(U.dtype) @ V.mH
    if gu is not None and U._a.shape[-2] > S._a.shape[-1]:
        out = out + (gu - U @ (U.mH @ gu)) / row @ V.mH
    if gv is not None and V._a.shape[-2] > S._a.shape[-1]:
        out = out + U @ ((gv - V @ (V.mH @ gv)) / row).mH
    return out


def _leading(vectors: Any, g: Any, values: Any) -> tuple[Any, Any]:
    """The columns that belong to singular values; the others are arbitrary and must not have a gradient."""
    k = values._a.shape[-1]
    if g is not None and bool((g._a[..., k:] != 0).any()):
        what = "the gradient of the vectors beyond the singular values is not defined (full_matrices=True)"
        raise GradError("linalg.svd", what, "", "pass full_matrices=False")
    return vectors[..., :k], None if g is None else g[..., :k]


@_several("linalg_eigh", "eigenvalues", "eigenvectors")
def eigh(input: Array, UPLO: str = "L") -> Array:
    """Eigenvalues, rising, and eigenvectors of symmetric matrices, of which only one triangle is read."""
    need_matrix(input, "eigh")
    if UPLO.upper() not in ("L", "U"):
        raise ShapeError("linalg.eigh", f"Expected UPLO argument to be 'L' or 'U', but got {UPLO}")
    return tuple(_run("eigh", "The algorithm failed to converge", input, UPLO.upper()))


@eigh.vjp
def _(g: Any, eigenvalues: Any, eigenvectors: Any) -> Any:
    eye, V, (by_values, by_vectors) = eye_of(eigenvalues), eigenvectors, g
    inner = (eigenvalues * 0 if by_values is None else by_values)[..., None] * eye
    if by_vectors is not None:
        gap, turn = eigenvalues[..., None, :] - eigenvalues[..., None] + eye, V.mH @ by_vectors
        _phase_free("linalg_eigh", turn)
        inner = inner + _skew(turn) / gap / 2  # the input counts as symmetric
    return V @ inner.to(V.dtype) @ V.mH


@_several("linalg_eig", "eigenvalues", "eigenvectors")
def eig(input: Array) -> Array:
    """Complex eigenvalues and eigenvectors of square matrices."""
    need_matrix(input, "eig")
    kind = np.complex64 if input.dtype in (np.float32, np.complex64) else np.complex128
    return tuple(x.astype(kind, copy=False) for x in _run("eig", "The algorithm failed to converge", input))


@eig.vjp
def _(g: Any, eigenvalues: Any, eigenvectors: Any) -> Any:
    """Boeddeker and others, 2017: eigenvectors have length 1, and a gradient must not depend on their phase."""
    V, (by_values, by_vectors) = eigenvectors, g
    inner = (eigenvalues * 0 if by_values is None else by_values)[..., None] * eye_of(V)
    if by_vectors is not None:
        turn = V.mH @ by_vectors
        length = _phase_free("linalg_eig", turn)
        gap = held(eigenvalues[..., None, :] - eigenvalues[..., None]) + eye_of(V)
        inner = inner + (turn - V.mH @ (V * length.real[..., None, :])) / gap * (1 - eye_of(V))
    return solve(V.mH, inner @ V.mH)


@op(dtypes=None, name="linalg_pinv")
def pinv(input: Array, rcond: float = 1e-15, hermitian: bool = False) -> Array:
    """The Moore-Penrose inverse; singular values below rcond times the largest count as zero; of `hermitian` the lower triangle is read.

    >>> import dovetail as dv
    >>> dv.pinverse(dv.tensor([[2.], [0.]]))
    tensor([[0.5000, 0.0000]])
    """
    need_matrix(input, "pinv", False)
    where = xp(input)
    if not input.size:
        return input.swapaxes(-1, -2).copy()
    if hermitian:
        s, u = where.linalg.eigh(input)
        vh = u.conj().swapaxes(-1, -2)
    else:
        u, s, vh = where.linalg.svd(input, full_matrices=False)
    keep = abs(s) > rcond * abs(s).max(axis=-1, keepdims=True)
    s = where.where(keep, 1 / where.where(keep, s, where.ones((), s.dtype)), where.zeros((), s.dtype))
    return (vh.conj().swapaxes(-1, -2) * s[..., None, :]) @ u.conj().swapaxes(-1, -2)


pinv.vjp(lambda g, input, out: _pinv_gradient(g, input, out))


def _pinv_gradient(g: Any, a: Any, p: Any) -> Any:
    """Golub and Pereyra, 1973: ``-Pᵀ g Pᵀ + (I - A P) gᵀ P Pᵀ + Pᵀ P gᵀ (I - P A)``."""
    x = g.mH @ p @ p.mH
    y = p.mH @ (p @ g.mH)
    return x + y - a @ (p @ x) - y @ p @ a - p.mH @ g @ p.mH


@op(dtypes=None, name="linalg_lstsq")
def lstsq(input: Array, other: Array, rcond: float) -> Array:
    """The X that minimises ``|input @ X - other|``, the shortest of several."""
    need_matrix(input, "lstsq", False)
    need_alike(input, other, "lstsq")
    if input.ndim == 2 and other.ndim == 2 and rcond < 1:  # from 1 on NumPy takes another
        return xp(input).linalg.lstsq(input, other, rcond=rcond)[0]
    return pinv.op.forward(input, rcond) @ other


lstsq.vjp(0)(lambda g, input, other, rcond: _pinv_gradient(g @ other.mH, input, pinv(input, rcond)))
lstsq.vjp(1)(lambda g, input, rcond: pinv(input, rcond).mH @ g)
