"""``linalg.ldl_factor`` and its kin: symmetric and Hermitian matrices as ``L D Lᴴ``, by LAPACK's sytrf, hetrf and their solvers."""

from __future__ import annotations

from typing import Any

import numpy as np

from dovetail import Tensor
from dovetail.errors import DtypeError, RangeError, ShapeError, TypeMismatch, UnsupportedError
from dovetail.extend import Array, Fixed, op, results, underived
from dovetail.linalg import LinAlgError

__all__ = ["ldl_factor", "ldl_factor_ex", "ldl_solve"]


def _lapack(name: str, hermitian: bool, a: Any) -> Any:
    """LAPACK's function for symmetric matrices, or for Hermitian ones of complex numbers."""
    from scipy.linalg.lapack import get_lapack_funcs

    return get_lapack_funcs(("he" if hermitian and a.dtype.kind == "c" else "sy") + name, (a,))


def _square(where: str, a: Any) -> None:
    if a.ndim < 2:
        raise ShapeError(where, "The input tensor A must have at least 2 dimensions.", f"got {list(a.shape)}")
    if a.shape[-1] != a.shape[-2]:
        what = f"A must be batches of square matrices, but they are {a.shape[-2]} by {a.shape[-1]} matrices"
        raise ShapeError(where, what)


@op(dtypes=None, name="science/ldl_factor", outputs=("LD", "pivots", "info"), nondiff=("pivots", "info"))
def _factored(input: Array, hermitian: bool, check_errors: bool, where: str) -> Array:
    """The factors of each matrix, which rows changed places, and the first zero of D (from 1; 0 for none)."""
    _square("linalg.ldl_factor_ex", input)
    if input.dtype.kind not in "fcV":
        raise DtypeError("linalg.ldl_factor_ex", f"Expected a floating point or complex tensor as input. Got {input.dtype}")
    if input.dtype.char not in "fdFD":
        raise UnsupportedError(where, f'"ldl_factor_kernel_cpu" not implemented for {input.dtype}', "", "convert with .float()")
    n, batch = input.shape[-1], input.shape[:-2]
    packed, pivots, info = np.empty(input.shape, input.dtype), np.empty((*batch, n), np.int32), np.zeros(batch, np.int32)
    factor = _lapack("trf", hermitian, input)
    for at in np.ndindex(batch):
        if n:
            whole, pivots[at], info[at] = factor(input[at], lower=1)
            packed[at] = np.tril(whole)
    if check_errors and info.any():
        raise LinAlgError(where, f"the factor D is singular: its element {int(info[info != 0].flat[0])} on the diagonal is zero")
    return packed, pivots, info


_factored.vjp(underived("linalg_ldl_factor_ex"))


def _delivered(where: str, found: Any, out: Any) -> Any:
    """The results, or what `out` names filled with them."""
    if out is None:
        return found
    if not isinstance(out, tuple | list) or len(out) != len(found) or not all(isinstance(one, Tensor) for one in out):
        got = type(out).__name__ if not isinstance(out, tuple | list) else [type(one).__name__ for one in out]
        raise TypeMismatch(f"{where}()", f"argument 'out' must be {len(found)} Tensors", f"got {got}")
    for mine, theirs in zip(found, out, strict=True):
        if mine.dtype != theirs.dtype:
            raise DtypeError(where, f"Expected out tensor to have dtype {mine.dtype}, but got {theirs.dtype} instead")
        if mine.shape != theirs.shape:
            theirs.resize_(mine.shape)
        theirs.copy_(mine)
    return out


def ldl_factor_ex(A: Tensor, *, hermitian: bool = False, check_errors: bool = False, out: Any = None) -> Any:
    """L and D of symmetric matrices in one, as LAPACK packs them, with pivots, and for each matrix the first zero of D (0 for none).

    The lower triangle is read. With `hermitian`, complex matrices equal their conjugate transpose, else their transpose.
    Raises a RuntimeError for what is no square matrix, and for a singular one with `check_errors`.

    >>> import dovetail as dv
    >>> dv.linalg.ldl_factor_ex(dv.tensor([[2., 1.], [1., 3.]])).LD
    tensor([[2.0000, 0.0000],
            [0.5000, 2.5000]])
    """
    found = _factored(A, hermitian, check_errors, "linalg.ldl_factor_ex")
    return results("linalg_ldl_factor_ex", "LD", "pivots", "info")(_delivered("linalg.ldl_factor_ex", found, out))


def ldl_factor(A: Tensor, *, hermitian: bool = False, out: Any = None) -> Any:
    """L and D of symmetric matrices in one, and pivots: :func:`ldl_factor_ex`, which is an error for a singular matrix.

    >>> import dovetail as dv
    >>> dv.linalg.ldl_factor(dv.tensor([[2., 1.], [1., 3.]])).pivots
    tensor([1, 2], dtype=dovetail.int32)
    """
    found = _factored(A, hermitian, True, "linalg.ldl_factor")[:2]
    return results("linalg_ldl_factor", "LD", "pivots")(_delivered("linalg.ldl_factor", found, out))


@op(dtypes=None, name="science/ldl_solve")
def _solved(input: Array, pivots: Fixed, B: Array, hermitian: bool) -> Array:
    """Solutions, each in the columns' order of memory."""
    shape = np.broadcast_shapes(input.shape[:-2], B.shape[:-2])
    a = np.broadcast_to(input, (*shape, *input.shape[-2:]))
    p, b = np.broadcast_to(pivots, (*shape, pivots.shape[-1])), np.broadcast_to(B, (*shape, *B.shape[-2:]))
    out = np.empty((*shape, B.shape[-1], B.shape[-2]), B.dtype).swapaxes(-1, -2)
    solve = _lapack("trs", hermitian, input)
    for at in np.ndindex(shape):
        if out[at].size:
            out[at] = solve(a[at], p[at], b[at], lower=1)[0]
    return out


_solved.vjp(underived("linalg_ldl_solve"))


def ldl_solve(LD: Tensor, pivots: Tensor, B: Tensor, *, hermitian: bool = False, out: Tensor | None = None) -> Any:
    """The X with ``A X = B``, of what :func:`ldl_factor` gives for A. Raises a RuntimeError for shapes or types that do not fit.

    >>> import dovetail as dv
    >>> dv.linalg.ldl_solve(*dv.linalg.ldl_factor(dv.tensor([[2., 0.], [0., 4.]])), dv.tensor([[2.], [4.]]))
    tensor([[1.],
            [1.]])
    """
    where = "linalg.ldl_solve"
    _square(where, LD)
    if B.ndim < 2:
        raise RangeError(
            where, f"Dimension out of range (got B of shape {list(B.shape)})", "B has at least 2", "insert one with unsqueeze(-1)"
        )
    if B.shape[-2] != LD.shape[-1]:
        n = LD.shape[-1]
        what = f"Incompatible matrix sizes: each A matrix is {n} by {n} but each b matrix is {B.shape[-2]} by {B.shape[-1]}"
        raise ShapeError(where, what)
    if pivots.shape != LD.shape[:-1]:
        what = f"Expected LD.shape[:-1] and pivots.shape to be the same, but got pivots with shape {list(pivots.shape)} instead"
        raise ShapeError(where, what)
    if pivots.is_floating_point() or pivots.is_complex():
        raise DtypeError(where, f"Expected pivots to be integers. Got {pivots.dtype}")
    if B.dtype != LD.dtype:
        raise DtypeError(where, f"Expected b and A to have the same dtype, but found b of type {B.dtype} and A of type {LD.dtype} instead.")
    found = _solved(LD, pivots, B, hermitian)
    return found if out is None else _delivered(where, (found,), (out,))[0]
