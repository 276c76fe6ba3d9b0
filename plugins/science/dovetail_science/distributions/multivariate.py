"""The multivariate normal distribution."""

from __future__ import annotations

import math
from typing import Any

import dovetail as dv
from dovetail import Tensor
from dovetail.errors import ValueRangeError

from . import constraints
from .distribution import Distribution
from .utils import lazy_property

__all__ = ["MultivariateNormal"]


def _quadratic(bL: Tensor, bx: Tensor) -> Tensor:
    """The squared Mahalanobis distance ``x^T (L L^T)^-1 x`` of each vector."""
    solved = dv.linalg.solve_triangular(bL, bx.unsqueeze(-1), upper=False)
    return solved.squeeze(-1).pow(2).sum(-1)


def _cholesky_of_inverse(precision: Tensor) -> Tensor:
    """The lower Cholesky factor of the inverse of a precision matrix, without inverting it."""
    flipped = dv.linalg.cholesky(dv.flip(precision, (-2, -1)))
    upper = dv.transpose(dv.flip(flipped, (-2, -1)), -2, -1)
    eye = dv.eye(precision.shape[-1], dtype=precision.dtype, device=precision.device)
    return dv.linalg.solve_triangular(upper, eye, upper=False)


class MultivariateNormal(Distribution):
    """The normal distribution of vectors, given by its covariance, its precision or the Cholesky factor of the covariance (the cheapest).

    ``log p(x) = -½ (x - loc)ᵀ Σ⁻¹ (x - loc) - ½ log det Σ - ½ k log 2π``; loc has the shape ``(..., k)``, the matrices ``(..., k, k)``.
    """

    arg_constraints = {
        "loc": constraints.real_vector,
        "covariance_matrix": constraints.positive_definite,
        "precision_matrix": constraints.positive_definite,
        "scale_tril": constraints.lower_cholesky,
    }
    support = constraints.real_vector
    has_rsample = True

    def __init__(
        self,
        loc: Tensor,
        covariance_matrix: Tensor | None = None,
        precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        given = {"covariance_matrix": covariance_matrix, "precision_matrix": precision_matrix, "scale_tril": scale_tril}
        named = [(name, matrix) for name, matrix in given.items() if matrix is not None]
        if loc.dim() < 1 or len(named) != 1:
            what = f"loc has {loc.dim()} dimensions, and {len(named)} matrices are given"
            raise ValueRangeError("MultivariateNormal", what, f"expected one dimension or more, and one of {', '.join(given)}")
        name, matrix = named[0]
        if matrix.dim() < 2:
            raise ValueRangeError("MultivariateNormal", f"{name} has {matrix.dim()} dimensions", "expected two or more")
        batch_shape = dv.broadcast_shapes(matrix.shape[:-2], loc.shape[:-1])
        setattr(self, name, matrix.expand(batch_shape + matrix.shape[-2:]))
        self.loc = loc.expand(batch_shape + loc.shape[-1:])
        super().__init__(batch_shape, self.loc.shape[-1:], validate_args=validate_args)
        if name == "scale_tril":
            self._unbroadcasted_scale_tril = matrix
        else:
            self._unbroadcasted_scale_tril = dv.linalg.cholesky(matrix) if name == "covariance_matrix" else _cholesky_of_inverse(matrix)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        new = self._expanded(_instance, batch_shape, "loc", "covariance_matrix", "precision_matrix", "scale_tril")
        new._unbroadcasted_scale_tril = self._unbroadcasted_scale_tril
        return new

    @lazy_property
    def scale_tril(self) -> Tensor:
        """The lower Cholesky factor of the covariance."""
        return self._unbroadcasted_scale_tril.expand(self._batch_shape + self._event_shape + self._event_shape)

    @lazy_property
    def covariance_matrix(self) -> Tensor:
        """The covariance."""
        factor = self._unbroadcasted_scale_tril
        return dv.matmul(factor, factor.mT).expand(self._batch_shape + self._event_shape + self._event_shape)

    @lazy_property
    def precision_matrix(self) -> Tensor:
        """The inverse of the covariance."""
        factor = self._unbroadcasted_scale_tril
        eye = dv.eye(factor.shape[-1], dtype=factor.dtype, device=factor.device)
        inverse = dv.linalg.solve_triangular(factor, eye.expand(factor.shape), upper=False)
        return dv.matmul(inverse.mT, inverse).expand(self._batch_shape + self._event_shape + self._event_shape)

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        return self._unbroadcasted_scale_tril.pow(2).sum(-1).expand(self._batch_shape + self._event_shape)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        eps = dv.randn(self._extended_shape(sample_shape), dtype=self.loc.dtype, device=self.loc.device)
        return self.loc + dv.matmul(self._unbroadcasted_scale_tril, eps.unsqueeze(-1)).squeeze(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        self._checked(value)
        factor = self._unbroadcasted_scale_tril
        half_log_det = factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        return -0.5 * (self._event_shape[0] * math.log(2 * math.pi) + _quadratic(factor, value - self.loc)) - half_log_det

    def entropy(self) -> Tensor:
        half_log_det = self._unbroadcasted_scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        h = 0.5 * self._event_shape[0] * (1.0 + math.log(2 * math.pi)) + half_log_det
        return h if len(self._batch_shape) == 0 else h.expand(self._batch_shape)
