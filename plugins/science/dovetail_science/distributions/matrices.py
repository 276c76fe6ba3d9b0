"""Distributions of matrices: LKJCholesky over correlations, Wishart over covariances."""

from __future__ import annotations

import math
import warnings
from numbers import Number
from typing import Any

import dovetail as dv
from dovetail import Size, Tensor
from dovetail.errors import AssertedError, ValueRangeError

from . import constraints
from .distribution import Distribution
from .exp_family import ExponentialFamily
from .gamma import Beta, Chi2
from .multivariate import _factor, _one_matrix
from .utils import broadcast_all, lazy_property

__all__ = ["LKJCholesky", "Wishart"]


class LKJCholesky(Distribution):
    """Cholesky factors L of ``dim × dim`` correlation matrices, with ``p(L Lᵀ) ∝ det(L Lᵀ)^(concentration - 1)``.

    A concentration of 1 is uniform over correlation matrices. Draws follow the onion method (Lewandowski, Kurowicka and Joe, 2009).
    """

    arg_constraints = {"concentration": constraints.positive}
    support = constraints.corr_cholesky

    def __init__(self, dim: int, concentration: Any = 1.0, validate_args: bool | None = None) -> None:
        if dim < 2:
            raise ValueRangeError("LKJCholesky", f"Expected dim to be an integer greater than or equal to 2. Found dim={dim}.")
        self.dim = dim
        (self.concentration,) = broadcast_all(concentration)
        offset = dv.arange(dim - 1, dtype=self.concentration.dtype, device=self.concentration.device)
        offset = dv.cat([offset.new_zeros((1,)), offset])
        self._beta = Beta(offset + 0.5, (self.concentration + 0.5 * (dim - 2)).unsqueeze(-1) - 0.5 * offset)
        super().__init__(self.concentration.size(), Size((dim, dim)), validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        new = self._new_instance(_instance)
        new.dim, new.concentration = self.dim, self.concentration.expand(batch_shape)
        new._beta = self._beta.expand(Size(batch_shape) + (self.dim,))
        return self._finished(new, batch_shape)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        with dv.no_grad():
            y = self._beta.sample(sample_shape).unsqueeze(-1)
            normal = dv.randn(self._extended_shape(sample_shape), dtype=y.dtype, device=y.device).tril(-1)
            sphere = normal / normal.norm(dim=-1, keepdim=True)
            sphere[..., 0, :].fill_(0.0)
            w = dv.sqrt(y) * sphere
            return w + dv.diag_embed(dv.clamp(1 - dv.sum(w**2, dim=-1), min=dv.finfo(w.dtype).tiny).sqrt())

    def log_prob(self, value: Tensor) -> Tensor:
        self._checked(value)
        order = dv.arange(2, self.dim + 1, device=self.concentration.device)
        order = 2 * (self.concentration - 1).unsqueeze(-1) + self.dim - order
        unnormalized = dv.sum(order * value.diagonal(dim1=-1, dim2=-2)[..., 1:].log(), dim=-1)
        n = self.dim - 1
        alpha = self.concentration + 0.5 * n
        return unnormalized - (0.5 * n * math.log(math.pi) + dv.mvlgamma(alpha - 0.5, n) - dv.lgamma(alpha) * n)


def _mvdigamma(x: Tensor, p: int) -> Tensor:
    """The derivative of the logarithm of the multivariate gamma function."""
    if not bool(x.gt((p - 1) / 2).all()):
        raise AssertedError("Wishart", "Wrong domain for multivariate digamma function.", f"expected more than {(p - 1) / 2}")
    return dv.digamma(x.unsqueeze(-1) - dv.arange(p, dtype=x.dtype, device=x.device).div(2).expand(x.shape + (-1,))).sum(-1)


class Wishart(ExponentialFamily):
    """Covariances of ``df`` normal vectors of a covariance Σ, which is given by itself, its inverse or its Cholesky factor.

    ``log p(X) ∝ ½ (df - p - 1) log det X - ½ tr(Σ⁻¹ X)``. Draws follow Bartlett's decomposition (Odell and Feiveson, 1966).
    """

    support = constraints.positive_definite
    has_rsample = True
    _mean_carrier_measure: Any = 0

    @property
    def arg_constraints(self) -> dict[str, Any]:
        return {
            "covariance_matrix": constraints.positive_definite,
            "precision_matrix": constraints.positive_definite,
            "scale_tril": constraints.lower_cholesky,
            "df": constraints.greater_than(self.event_shape[-1] - 1),
        }

    def __init__(
        self,
        df: Any,
        covariance_matrix: Tensor | None = None,
        precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        given = {"covariance_matrix": covariance_matrix, "precision_matrix": precision_matrix, "scale_tril": scale_tril}
        name, matrix = _one_matrix("Wishart", AssertedError, **given)
        if isinstance(df, Number):
            batch_shape = matrix.shape[:-2]
            self.df = dv.tensor(df, dtype=matrix.dtype, device=matrix.device)
        else:
            batch_shape = dv.broadcast_shapes(matrix.shape[:-2], df.shape)
            self.df = df.expand(batch_shape)
        p = matrix.shape[-1]
        if bool(self.df.le(p - 1).any()):
            raise ValueRangeError("Wishart", f"Value of df={df} expected to be greater than ndim - 1 = {p - 1}.")
        setattr(self, name, matrix.expand(batch_shape + (-1, -1)))
        if bool(self.df.lt(p).any()):
            warnings.warn("Low df values detected. Singular samples are highly likely to occur for ndim - 1 < df < ndim.", stacklevel=2)
        super().__init__(batch_shape, matrix.shape[-2:], validate_args=validate_args)
        self._unbroadcasted_scale_tril = _factor(name, matrix)
        self._prepare()

    def _prepare(self) -> None:
        factor = self._unbroadcasted_scale_tril
        steps = dv.arange(self._event_shape[-1], dtype=factor.dtype, device=factor.device).expand(self._batch_shape + (-1,))
        self._batch_dims = [-(x + 1) for x in range(len(self._batch_shape))]
        self._dist_chi2 = Chi2(df=self.df.unsqueeze(-1) - steps)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        new = self._new_instance(_instance)
        for name in ("_unbroadcasted_scale_tril", "covariance_matrix", "scale_tril", "precision_matrix"):
            if name in self.__dict__:
                setattr(new, name, self.__dict__[name].expand(Size(batch_shape) + self.event_shape))
        new.df = self.df.expand(batch_shape)
        self._finished(new, batch_shape)._prepare()
        return new

    @lazy_property
    def scale_tril(self) -> Tensor:
        """The lower Cholesky factor of Σ."""
        return self._unbroadcasted_scale_tril.expand(self._batch_shape + self._event_shape)

    @lazy_property
    def covariance_matrix(self) -> Tensor:
        """Σ."""
        factor = self._unbroadcasted_scale_tril
        return (factor @ factor.transpose(-2, -1)).expand(self._batch_shape + self._event_shape)

    @lazy_property
    def precision_matrix(self) -> Tensor:
        """The inverse of Σ."""
        factor = self._unbroadcasted_scale_tril
        eye = dv.eye(self._event_shape[-1], device=factor.device, dtype=factor.dtype)
        return dv.cholesky_solve(eye, factor).expand(self._batch_shape + self._event_shape)

    def _as_matrix(self, value: Tensor) -> Tensor:
        return value.reshape(self._batch_shape + (1, 1))

    @property
    def mean(self) -> Tensor:
        return self._as_matrix(self.df) * self.covariance_matrix

    @property
    def mode(self) -> Tensor:
        factor = self.df - self.covariance_matrix.shape[-1] - 1
        return self._as_matrix(dv.where(factor <= 0, math.nan, factor)) * self.covariance_matrix

    @property
    def variance(self) -> Tensor:
        v = self.covariance_matrix
        d = v.diagonal(dim1=-2, dim2=-1)
        return self._as_matrix(self.df) * (v.pow(2) + d.unsqueeze(-1) * d.unsqueeze(-2))

    def _bartlett_sampling(self, sample_shape: Any = ()) -> Tensor:
        """``L A Aᵀ Lᵀ``, with the roots of chi-squared draws on the diagonal of A and normal ones below."""
        p = self._event_shape[-1]
        root = self._dist_chi2.rsample(sample_shape).sqrt()
        noise = root.clamp(min=dv.finfo(root.dtype).eps).diag_embed(dim1=-2, dim2=-1)
        i, j = dv.tril_indices(p, p, offset=-1)
        below = dv.randn(Size(sample_shape) + self._batch_shape + (p * (p - 1) // 2,), dtype=noise.dtype, device=noise.device)
        noise[..., i, j] = below
        factor = self._unbroadcasted_scale_tril @ noise
        return factor @ factor.transpose(-2, -1)

    def _judged(self, inside: Tensor) -> Tensor:
        return inside.amax(self._batch_dims) if self._batch_shape else inside

    def rsample(self, sample_shape: Any = (), max_try_correction: int | None = None) -> Tensor:
        # PyTorch draws all positive definite samples a second time (it takes the check for its opposite); the stream shows it
        sample = self._bartlett_sampling(sample_shape)
        again = self._judged(self.support.check(sample))
        if bool(again.any()):
            warnings.warn("Singular sample detected.", stacklevel=2)
            for _ in range(10 if max_try_correction is None else max_try_correction):
                places = again.clone()
                new = self._bartlett_sampling(places[places].shape)
                sample[places] = new
                again[places] = self._judged(~self.support.check(new))
                if not bool(again.any()):
                    break
        return sample

    def log_prob(self, value: Tensor) -> Tensor:
        self._checked(value)
        nu, p = self.df, self._event_shape[-1]
        trace = dv.cholesky_solve(value, self._unbroadcasted_scale_tril).diagonal(dim1=-2, dim2=-1).sum(dim=-1)
        return (
            -nu * (p * math.log(2) / 2 + self._half_log_det())
            - dv.mvlgamma(nu / 2, p=p)
            + (nu - p - 1) / 2 * dv.linalg.slogdet(value).logabsdet
            - trace / 2
        )

    def _half_log_det(self) -> Tensor:
        return self._unbroadcasted_scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)

    def entropy(self) -> Tensor:
        nu, p = self.df, self._event_shape[-1]
        return (
            (p + 1) * (p * math.log(2) / 2 + self._half_log_det())
            + dv.mvlgamma(nu / 2, p=p)
            - (nu - p - 1) / 2 * _mvdigamma(nu / 2, p=p)
            + nu * p / 2
        )

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        return -self.precision_matrix / 2, (self.df - self._event_shape[-1] - 1) / 2

    def _log_normalizer(self, x: Tensor, y: Tensor) -> Tensor:  # type: ignore[override]
        p = self._event_shape[-1]
        df = y + (p + 1) / 2
        return df * (-dv.linalg.slogdet(-2 * x).logabsdet + math.log(2) * p) + dv.mvlgamma(df, p=p)
