"""Orthogonal matrices as functions of free ones."""

from __future__ import annotations

from typing import Any

from ...autograd.modes import no_grad
from ...autograd.node import Tensor, wrap
from ...device import xp
from ...errors import UnsupportedError, ValueRangeError
from ...ops.create import zeros, zeros_like
from ...ops.decompose import qr, solve
from ...ops.join import cat
from ...ops.matrices import matrix_exp
from ...ops.random import randn
from ...ops.ranges import eye as unit
from ...ops.select import where
from ..module import Module
from .parametrize import register_parametrization

__all__ = ["orthogonal"]


class _Orthogonal(Module):
    """A free matrix of which the lower triangle counts → a matrix with orthonormal columns (or rows, if it is wide).

    Skew-symmetric A = L - Lᵀ gives exp(A) or (1 - A/2)⁻¹(1 + A/2); the columns below the diagonal give a product of
    Householder reflections. With ``base`` the result is base · that, so that the free matrix starts at nothing.
    """

    def __init__(self, weight: Tensor, orthogonal_map: str, use_trivialization: bool = True) -> None:
        super().__init__()
        self.shape, self.orthogonal_map, self.use_trivialization = weight.shape, orthogonal_map, use_trivialization
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, X: Tensor) -> Tensor:
        wide = X.shape[-2] < X.shape[-1]
        X = X.mT if wide else X
        n, k = X.shape[-2:]
        if self.orthogonal_map == "householder":
            Q = _reflections(X) * X.detach().diagonal(dim1=-2, dim2=-1).sign().unsqueeze(-2)
        else:
            low = X.tril()
            if n != k:
                low = cat([low, zeros(*X.shape[:-2], n, n - k, dtype=X.dtype, device=X.device)], -1)
            A = low - low.mT
            Q = matrix_exp(A) if self.orthogonal_map == "matrix_exp" else _cayley(A)
            Q = Q[..., :k]
        if self.use_trivialization:
            Q = self.base @ Q
        return Q.mT if wide else Q

    @no_grad()
    def right_inverse(self, Q: Tensor) -> Tensor:
        """The free matrix for the orthogonal one nearest in the sense of QR to ``Q``."""
        what = f"Expected a matrix or batch of matrices of shape {self.shape}. Got a tensor of shape {Q.shape}."
        if Q.shape != self.shape:
            raise ValueRangeError("orthogonal", what)
        start, wide = Q, Q.shape[-2] < Q.shape[-1]
        Q = Q.mT if wide else Q
        n, k = Q.shape[-2:]
        if not self.use_trivialization:
            what = "It is not possible to assign to the matrix exponential or the Cayley parametrizations when use_trivialization=False."
            if self.orthogonal_map != "householder":
                raise UnsupportedError("orthogonal", what)
            A = _compact_qr(Q)
            return A.mT if wide else A
        if n != k:
            Q = cat([Q, randn(*Q.shape[:-2], n, n - k, dtype=Q.dtype, device=Q.device)], -1)
        elif _is_orthogonal(Q):
            self.base = Q.clone()
            return _minus_identity(start)
        Q, R = qr(Q)
        self.base = Q * R.diagonal(dim1=-2, dim2=-1).sign().unsqueeze(-2)
        return _minus_identity(start)


def _is_orthogonal(Q: Tensor) -> bool:
    eye = unit(Q.shape[-1], dtype=Q.dtype, device=Q.device)
    tolerance = 10.0 * Q.shape[-2] * float(xp(Q._a).finfo(Q._a.dtype).eps)
    return bool(((Q.mT @ Q - eye).abs() < tolerance).all())


def _minus_identity(like: Tensor) -> Tensor:
    """Householder's signs live on the diagonal; its reflections at zero give -1 there."""
    made = zeros_like(like)
    made.diagonal(dim1=-2, dim2=-1).fill_(-1.0)
    return made


def _cayley(A: Tensor) -> Tensor:
    eye = unit(A.shape[-1], dtype=A.dtype, device=A.device)
    return solve(eye - A / 2, eye + A / 2)


def _reflections(X: Tensor) -> Tensor:
    """The first columns of H₁ H₂ … with Hⱼ = 1 - τ v vᵀ, v = eⱼ + what stands below the diagonal in column j."""
    n, k = X.shape[-2:]
    low = X.tril(-1)
    tau = 2.0 / (1.0 + (low * low).sum(-2))
    Q = unit(n, k, dtype=X.dtype, device=X.device).expand(*X.shape[:-2], n, k)
    v = low + Q
    for j in reversed(range(k)):
        column = v[..., j : j + 1]
        Q = Q - tau[..., j, None, None] * (column @ (column.mT @ Q))
    return Q


def _compact_qr(Q: Tensor) -> Tensor:
    """Householder's columns of a QR factorization below the diagonal, and its signs on it."""
    h, tau = xp(Q._a).linalg.qr(Q._a, mode="raw")
    A = wrap(h.swapaxes(-1, -2).copy())
    diagonal = A.diagonal(dim1=-2, dim2=-1)
    diagonal.copy_(where(wrap(tau == 0), -diagonal.sign(), diagonal.sign()))
    return A


def orthogonal(module: Module, name: str = "weight", orthogonal_map: str | None = None, *, use_trivialization: bool = True) -> Module:
    """Keep a weight orthogonal: its columns (or rows, if it is wide) are orthonormal. Lezcano-Casado, 2019.

    ``orthogonal_map`` is "matrix_exp" (the default for square ones), "cayley" or "householder" (the default for others).
    Raises a ValueError for fewer than two dimensions, or another name of a map.

    >>> import dovetail as dv
    >>> layer = orthogonal(dv.nn.Linear(3, 3))
    >>> bool(dv.allclose(layer.weight.T @ layer.weight, dv.eye(3), atol=1e-5))
    True
    """
    weight: Any = getattr(module, name, None)
    if weight is None:
        raise ValueRangeError("orthogonal", f"Module '{module}' has no parameter or buffer with name '{name}'")
    if weight.ndim < 2:
        raise ValueRangeError("orthogonal", f"Expected a matrix or batch of matrices. Got a tensor of {weight.ndim} dimensions.")
    if orthogonal_map is None:
        orthogonal_map = "matrix_exp" if weight.shape[-2] == weight.shape[-1] else "householder"
    if orthogonal_map not in ("matrix_exp", "cayley", "householder"):
        what = f'orthogonal_map has to be one of "matrix_exp", "cayley", "householder". Got: {orthogonal_map}'
        raise ValueRangeError("orthogonal", what)
    return register_parametrization(module, name, _Orthogonal(weight, orthogonal_map, use_trivialization), unsafe=True)
