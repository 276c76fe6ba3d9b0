"""Kullback-Leibler divergences in closed form, found by the types of both distributions."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from functools import cmp_to_key
from typing import Any

import dovetail as dv
from dovetail import Tensor
from dovetail.errors import TypeMismatch, UnsupportedError, ValueRangeError

from .categorical import Categorical, OneHotCategorical
from .continuous_bernoulli import ContinuousBernoulli
from .discrete import Bernoulli, Binomial, Geometric, Poisson
from .distribution import Distribution
from .exp_family import ExponentialFamily
from .gamma import Beta, Dirichlet, Gamma
from .location import Cauchy, Exponential, Laplace, Normal, Uniform
from .multivariate import (
    LowRankMultivariateNormal,
    MultivariateNormal,
    _batch_lowrank_logdet,
    _batch_lowrank_mahalanobis,
    _batch_mahalanobis,
)
from .of_location import Gumbel, HalfNormal
from .tails import Pareto
from .transformed import Independent, TransformedDistribution
from .utils import _sum_rightmost, euler_constant

__all__ = ["kl_divergence", "register_kl"]

_KL_REGISTRY: dict[tuple[type, type], Callable[[Any, Any], Tensor]] = {}
_KL_MEMOIZE: dict[tuple[type, type], Any] = {}


def register_kl(type_p: type, type_q: type) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function of (p, q) as the divergence for two types of distribution and their subclasses."""
    for kind in (type_p, type_q):
        if not isinstance(kind, type):
            raise TypeMismatch("register_kl", f"Expected a Distribution subclass but got {kind!r}")

    def register(rule: Callable[..., Any]) -> Callable[..., Any]:
        _KL_REGISTRY[type_p, type_q] = rule
        _KL_MEMOIZE.clear()
        return rule

    return register


def _nearer(a: tuple[type, type], b: tuple[type, type]) -> int:
    """Compare pairs of classes by how far down they are: by the first class, then by the second."""
    for x, y in zip(a, b, strict=True):
        if x is not y:
            return -1 if issubclass(x, y) else 1
    return 0


def _dispatch_kl(type_p: type, type_q: type) -> Any:
    """The rule of the nearest types; a warning where p's and q's sides disagree on which that is."""
    matches = [(p, q) for p, q in _KL_REGISTRY if issubclass(type_p, p) and issubclass(type_q, q)]
    if not matches:
        return NotImplemented
    left_p, left_q = min(matches, key=cmp_to_key(_nearer))
    right_q, right_p = min(((q, p) for p, q in matches), key=cmp_to_key(_nearer))
    if _KL_REGISTRY[left_p, left_q] is not _KL_REGISTRY[right_p, right_q]:
        what = f"Ambiguous kl_divergence({type_p.__name__}, {type_q.__name__})."
        warnings.warn(f"{what} Please register_kl({left_p.__name__}, {right_q.__name__})", RuntimeWarning, stacklevel=2)
    return _KL_REGISTRY[left_p, left_q]


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """``KL(p ‖ q) = ∫ p log(p / q)``, of the batch shape. Raises NotImplementedError where there is no closed form.

    >>> from dovetail.distributions import Normal
    >>> kl_divergence(Normal(1.0, 1.0), Normal(0.0, 1.0))
    tensor(0.5000)
    """
    pair = type(p), type(q)
    if pair not in _KL_MEMOIZE:
        _KL_MEMOIZE[pair] = _dispatch_kl(*pair)
    if _KL_MEMOIZE[pair] is NotImplemented:
        what = f"No KL(p || q) is implemented for p type {pair[0].__name__} and q type {pair[1].__name__}"
        raise UnsupportedError("kl_divergence", what, "", "add it with @register_kl, or average log p - log q of draws")
    return _KL_MEMOIZE[pair](p, q)


@register_kl(Normal, Normal)
def _(p: Normal, q: Normal) -> Tensor:
    ratio = (p.scale / q.scale).pow(2)
    return 0.5 * (ratio + ((p.loc - q.loc) / q.scale).pow(2) - 1 - ratio.log())


@register_kl(Laplace, Laplace)
def _(p: Laplace, q: Laplace) -> Tensor:
    ratio, distance = p.scale / q.scale, (p.loc - q.loc).abs()
    return -ratio.log() + distance / q.scale + ratio * dv.exp(-distance / p.scale) - 1


@register_kl(Cauchy, Cauchy)
def _(p: Cauchy, q: Cauchy) -> Tensor:
    return ((p.scale + q.scale).pow(2) + (p.loc - q.loc).pow(2)).log() - (4 * p.scale * q.scale).log()


@register_kl(Gumbel, Gumbel)
def _(p: Gumbel, q: Gumbel) -> Tensor:
    ratio, moved = p.scale / q.scale, (q.loc - p.loc) / q.scale
    return ratio.log().neg() - moved + ratio * euler_constant + dv.exp(moved + (1 + ratio).lgamma()) - (1 + euler_constant)


@register_kl(Bernoulli, Bernoulli)
def _(p: Bernoulli, q: Bernoulli) -> Tensor:
    softplus = dv.nn.functional.softplus
    one = p.probs * (softplus(-q.logits) - softplus(-p.logits))
    zero = (1 - p.probs) * (softplus(q.logits) - softplus(p.logits))
    return _at_edges(one, zero, p, q)


def _at_edges(one: Tensor, zero: Tensor, p: Bernoulli, q: Bernoulli) -> Tensor:
    one = dv.where(q.probs == 0, math.inf, one)
    one = dv.where(p.probs == 0, 0.0, one)
    zero = dv.where(q.probs == 1, math.inf, zero)
    return one + dv.where(p.probs == 1, 0.0, zero)


@register_kl(Binomial, Binomial)
def _(p: Binomial, q: Binomial) -> Tensor:
    if bool((p.total_count < q.total_count).any()):
        what = "KL between Binomials where q.total_count > p.total_count is not implemented"
        raise UnsupportedError("kl_divergence", what)
    kl = p.total_count * (p.probs * (p.logits - q.logits) + (-p.probs).log1p() - (-q.probs).log1p())
    return dv.where(p.total_count > q.total_count, math.inf, kl)


@register_kl(Geometric, Geometric)
def _(p: Geometric, q: Geometric) -> Tensor:
    return -p.entropy() - dv.log1p(-q.probs) / p.probs - q.logits


@register_kl(Poisson, Poisson)
def _(p: Poisson, q: Poisson) -> Tensor:
    return p.rate * (p.rate.log() - q.rate.log()) - (p.rate - q.rate)


@register_kl(Categorical, Categorical)
def _(p: Categorical, q: Categorical) -> Tensor:
    t = p.probs * (p.logits - q.logits)
    t = dv.where((q.probs == 0).expand_as(t), math.inf, t)
    return dv.where((p.probs == 0).expand_as(t), 0.0, t).sum(-1)


@register_kl(OneHotCategorical, OneHotCategorical)
def _(p: OneHotCategorical, q: OneHotCategorical) -> Tensor:
    return kl_divergence(p._categorical, q._categorical)


@register_kl(Beta, Beta)
def _(p: Beta, q: Beta) -> Tensor:
    return kl_divergence(p._dirichlet, q._dirichlet)


@register_kl(Dirichlet, Dirichlet)
def _(p: Dirichlet, q: Dirichlet) -> Tensor:
    a, b = p.concentration, q.concentration
    total = a.sum(-1)
    norm = total.lgamma() - b.sum(-1).lgamma() - (a.lgamma() - b.lgamma()).sum(-1)
    return norm + ((a - b) * (a.digamma() - total.digamma().unsqueeze(-1))).sum(-1)


@register_kl(Gamma, Gamma)
def _(p: Gamma, q: Gamma) -> Tensor:
    a, b = p.concentration, q.concentration
    scale = b * (p.rate / q.rate).log() + dv.lgamma(b) - dv.lgamma(a)
    return scale + (a - b) * dv.digamma(a) + (q.rate - p.rate) * (a / p.rate)


@register_kl(Exponential, Exponential)
def _(p: Exponential, q: Exponential) -> Tensor:
    ratio = q.rate / p.rate
    return -ratio.log() + ratio - 1


def _(p: Exponential, q: Gamma) -> Tensor:
    ratio = q.rate / p.rate
    b = q.concentration
    return -b * dv.log(ratio) + ratio + b.lgamma() + b * 0.57721566490153286060 - (1 + 0.57721566490153286060)


def _(p: Exponential, q: Normal) -> Tensor:
    variance, rate_sq = q.scale.pow(2), p.rate.pow(2)
    return (
        0.5 * dv.log(rate_sq * variance * 2 * math.pi)
        - 1
        + 1 / (variance * rate_sq)
        - q.loc / (variance * p.rate)
        + 0.5 * q.loc.pow(2) / variance
    )


@register_kl(Uniform, Uniform)
def _(p: Uniform, q: Uniform) -> Tensor:
    kl = ((q.high - q.low) / (p.high - p.low)).log()
    return dv.where((q.low > p.low) | (q.high < p.high), math.inf, kl)


def _(p: Uniform, q: Normal) -> Tensor:
    width = p.high - p.low
    first = (math.sqrt(math.pi * 2) * q.scale / width).log()
    return first + ((width.pow(2) / 12) + ((p.high + p.low - 2 * q.loc) / 2).pow(2)) / (2 * q.scale.pow(2))


def _(p: Normal, q: Laplace) -> Tensor:
    moved = p.loc - q.loc
    ratio, z = p.scale / q.scale, moved / p.scale
    inner = math.sqrt(2 / math.pi) * p.scale * dv.exp(-0.5 * z.pow(2)) + moved * dv.erf(math.sqrt(0.5) * z)
    return -dv.log(ratio) + inner / q.scale - (0.5 + 0.5 * math.log(0.5 * math.pi))


def _(p: Laplace, q: Normal) -> Tensor:
    variance = q.scale.pow(2)
    ratio = p.scale.pow(2) / variance
    return (
        0.5 * dv.log(2 * ratio / math.pi).neg()
        + ratio
        + 0.5 * p.loc.pow(2) / variance
        - p.loc * q.loc / variance
        + 0.5 * q.loc.pow(2) / variance
        - 1
    )


@register_kl(HalfNormal, HalfNormal)
def _(p: HalfNormal, q: HalfNormal) -> Tensor:
    return kl_divergence(p.base_dist, q.base_dist)


@register_kl(TransformedDistribution, TransformedDistribution)
def _(p: TransformedDistribution, q: TransformedDistribution) -> Tensor:
    if p.transforms != q.transforms or p.event_shape != q.event_shape:
        raise UnsupportedError("kl_divergence", "the transforms of p and q differ", "expected the same")
    return kl_divergence(p.base_dist, q.base_dist)


@register_kl(Independent, Independent)
def _(p: Independent, q: Independent) -> Tensor:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise UnsupportedError("kl_divergence", "p and q count different dimensions as their event", "expected the same")
    return _sum_rightmost(kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims)


@register_kl(MultivariateNormal, MultivariateNormal)
def _(p: MultivariateNormal, q: MultivariateNormal) -> Tensor:
    _same_event(p, q)
    a, b = p._unbroadcasted_scale_tril, q._unbroadcasted_scale_tril
    half_log = b.diagonal(dim1=-2, dim2=-1).log().sum(-1) - a.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    shape = dv.broadcast_shapes(b.shape[:-2], a.shape[:-2])
    n = p.event_shape[0]
    solved = dv.linalg.solve_triangular(b.expand(shape + (n, n)), a.expand(shape + (n, n)), upper=False)
    return half_log + 0.5 * (solved.pow(2).sum((-2, -1)) + _batch_mahalanobis(b, q.loc - p.loc) - n)


def _same_event(p: Distribution, q: Distribution) -> None:
    if p.event_shape != q.event_shape:
        what = f"KL-divergence between distributions with different event shapes cannot be computed ({p.event_shape} and {q.event_shape})"
        raise ValueRangeError("kl_divergence", what)


def _batch_trace_XXT(matrix: Tensor) -> Tensor:
    return matrix.pow(2).sum((-2, -1))


def _lowrank_q(q: LowRankMultivariateNormal, moved: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of q: the logarithm of its determinant, the distance of a vector, and the factor of its Woodbury term."""
    w, d = q._parts()
    inner = dv.linalg.solve_triangular(q._capacitance_tril, w.mT / d.unsqueeze(-2), upper=False)
    return _batch_lowrank_logdet(w, d, q._capacitance_tril), _batch_lowrank_mahalanobis(w, d, moved, q._capacitance_tril), inner


@register_kl(LowRankMultivariateNormal, LowRankMultivariateNormal)
def _(p: LowRankMultivariateNormal, q: LowRankMultivariateNormal) -> Tensor:
    _same_event(p, q)
    (w, d), q_d = p._parts(), q._unbroadcasted_cov_diag
    log_det, distance, inner = _lowrank_q(q, q.loc - p.loc)
    trace = (d / q_d).sum(-1) + _batch_trace_XXT(w * q_d.rsqrt().unsqueeze(-1))
    trace = trace - _batch_trace_XXT(inner * d.sqrt().unsqueeze(-2)) - _batch_trace_XXT(inner.matmul(w))
    return 0.5 * (log_det - _batch_lowrank_logdet(w, d, p._capacitance_tril) + trace + distance - p.event_shape[0])


@register_kl(MultivariateNormal, LowRankMultivariateNormal)
def _(p: MultivariateNormal, q: LowRankMultivariateNormal) -> Tensor:
    _same_event(p, q)
    factor = p._unbroadcasted_scale_tril
    log_det, distance, inner = _lowrank_q(q, q.loc - p.loc)
    trace = _batch_trace_XXT(factor * q._unbroadcasted_cov_diag.rsqrt().unsqueeze(-1)) - _batch_trace_XXT(inner.matmul(factor))
    return 0.5 * (log_det - 2 * factor.diagonal(dim1=-2, dim2=-1).log().sum(-1) + trace + distance - p.event_shape[0])


@register_kl(LowRankMultivariateNormal, MultivariateNormal)
def _(p: LowRankMultivariateNormal, q: MultivariateNormal) -> Tensor:
    _same_event(p, q)
    (w, d), b = p._parts(), q._unbroadcasted_scale_tril
    shape, n = dv.broadcast_shapes(b.shape[:-2], w.shape[:-2]), p.event_shape[0]
    wide = b.expand(shape + (n, n))
    trace = _batch_trace_XXT(dv.linalg.solve_triangular(wide, w.expand(shape + w.shape[-2:]), upper=False))
    trace = trace + _batch_trace_XXT(dv.linalg.solve_triangular(wide, dv.diag_embed(d.sqrt()).expand(shape + (n, n)), upper=False))
    log_det = 2 * b.diagonal(dim1=-2, dim2=-1).log().sum(-1) - _batch_lowrank_logdet(w, d, p._capacitance_tril)
    return 0.5 * (log_det + trace + _batch_mahalanobis(b, q.loc - p.loc) - n)


@register_kl(ContinuousBernoulli, ContinuousBernoulli)
def _(p: ContinuousBernoulli, q: ContinuousBernoulli) -> Tensor:
    own = p._cont_bern_log_norm() + dv.log1p(-p.probs)
    return p.mean * (p.logits - q.logits) + own - q._cont_bern_log_norm() - dv.log1p(-q.probs)


@register_kl(Pareto, Pareto)
def _(p: Pareto, q: Pareto) -> Tensor:
    ratio = q.alpha / p.alpha
    kl = q.alpha * (p.scale / q.scale).log() - ratio.log() + ratio - 1
    return dv.where(p.scale < q.scale, math.inf, kl)


@register_kl(ExponentialFamily, ExponentialFamily)
def _(p: ExponentialFamily, q: ExponentialFamily) -> Tensor:
    if type(p) is not type(q):
        what = "The cross KL-divergence between different exponential families cannot be computed using Bregman divergences"
        raise UnsupportedError("kl_divergence", what)
    normal, params, slopes = p._slopes()
    others = q._natural_params
    result = q._log_normalizer(*others) - normal
    for own, other, slope in zip(params, others, slopes, strict=True):
        result = result - _sum_rightmost((other - own) * slope, len(q.event_shape))
    return result
