"""Decompositions of large matrices to a few of their singular values or eigenvalues."""

from __future__ import annotations

from typing import Any

from ..autograd.node import Tensor
from ..errors import AssertedError, ShapeError, ValueRangeError
from ._guard import public_function
from .decompose import cholesky, eigh, qr, solve, svd
from .random import randn

__all__ = ["lobpcg", "pca_lowrank", "svd_lowrank"]


@public_function
def svd_lowrank(A: Tensor, q: int | None = 6, niter: int | None = 2, M: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """U, S and V of about the q largest singular values of ``A - M``, from random directions. Halko and others, 2009, algorithm 5.1.

    >>> import dovetail as dv
    >>> dv.svd_lowrank(dv.tensor([[3., 0.], [0., 4.]]), q=2)[1].round()
    tensor([4., 3.])
    """
    A = A if M is None else A - M
    m, n = A.shape[-2:]
    wide = m < n
    tall = A.mH if wide else A
    Q = qr(tall @ randn(tall.shape[-1], 6 if q is None else q, dtype=A.dtype, device=A.device))[0]
    for _ in range(2 if niter is None else niter):
        Q = qr(tall @ qr(tall.mH @ Q)[0])[0]
    U, S, Vh = svd(Q.mH @ tall, False)
    V = Vh.mH.contiguous()
    return (V, S, Q @ U) if wide else (Q @ U, S, V)


@public_function
def pca_lowrank(A: Tensor, q: int | None = None, center: bool = True, niter: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    """:func:`svd_lowrank` of samples (…, m, n) less their mean: the columns of V are the principal directions.

    >>> import dovetail as dv
    >>> dv.pca_lowrank(dv.tensor([[1., 0.], [3., 0.], [5., 0.]]), q=1)[2].abs()
    tensor([[1.],
            [0.]])
    """
    m, n = A.shape[-2:]
    least = min(m, n)
    if q is not None and not 0 <= q <= least:
        raise ValueRangeError("pca_lowrank", f"q(={q}) must be non-negative integer and not greater than min(m, n)={least}")
    if niter < 0:
        raise ValueRangeError("pca_lowrank", f"niter(={niter}) must be non-negative integer")
    return svd_lowrank(A - A.mean(-2, True) if center else A, min(6, least) if q is None else q, niter)


@public_function
def lobpcg(
    A: Tensor, k: int | None = None, B: Tensor | None = None, X: Tensor | None = None, n: int | None = None, iK: Tensor | None = None,
    niter: int | None = None, tol: float | None = None, largest: bool | None = None, method: str | None = None, tracker: Any = None,
    ortho_iparams: Any = None, ortho_fparams: Any = None, ortho_bparams: Any = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """The k largest (or smallest) eigenvalues of symmetric matrices, ``A x = λ B x``, and their eigenvectors.

    PyTorch comes near them step by step; here they are those of ``linalg.eigh``, and what steers the steps changes nothing.

    >>> import dovetail as dv
    >>> dv.lobpcg(dv.diag(dv.tensor([1., 5., 3.])))[0]
    tensor([5.])
    """
    size = A.shape[-1]
    if A.shape[-2] != size or (B is not None and B.shape != A.shape):
        kind = AssertedError if not A.requires_grad else ShapeError
        raise kind(
            "lobpcg", f"A must be square, and B of its shape (got {tuple(A.shape)}{f' and {tuple(B.shape)}' if B is not None else ''})"
        )
    first = X.shape[-1] if X is not None else n if n is not None else 1 if k is None else k
    if size < 3 * first:
        raise ValueRangeError("lobpcg", f"not applicable when the number of A rows (={size}) is smaller than 3 x {first}")
    low = None if B is None else cholesky((B + B.mT) / 2)
    even = (A + A.mT) / 2 if low is None else solve(low, solve(low, (A + A.mT) / 2).mT)
    values, vectors = eigh(even if largest is False else -even)
    few = slice((1 if X is None else first) if k is None else k)
    vectors = vectors[..., few] if low is None else solve(low.mT, vectors[..., few])
    return values[..., few] * (1 if largest is False else -1), vectors
