"""Kullback-Leibler divergences in closed form, found by the types of both distributions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import dovetail as dv
from dovetail import Tensor
from dovetail.errors import UnsupportedError, ValueRangeError

from .categorical import Categorical, OneHotCategorical
from .discrete import Bernoulli, Binomial, Geometric, Poisson
from .distribution import Distribution
from .gamma import Beta, Dirichlet, Gamma
from .location import Cauchy, Exponential, Gumbel, HalfNormal, Laplace, LogNormal, Normal, Uniform
from .multivariate import MultivariateNormal
from .transformed import Independent, TransformedDistribution
from .utils import sum_rightmost

__all__ = ["kl_divergence", "register_kl"]

_RULES: dict[tuple[type, type], Callable[[Any, Any], Tensor]] = {}


def register_kl(type_p: type, type_q: type) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function of (p, q) as the divergence for two types of distribution and their subclasses."""
    for kind in (type_p, type_q):
        if not (isinstance(kind, type) and issubclass(kind, Distribution)):
            raise TypeError(f"register_kl: got {kind!r}; expected a subclass of Distribution")

    def register(rule: Callable[..., Any]) -> Callable[..., Any]:
        _RULES[type_p, type_q] = rule
        return rule

    return register


def _found(type_p: type, type_q: type) -> Callable[[Any, Any], Tensor]:
    """The rule of the nearest types: first by the distance of p's class, then by that of q's."""
    for kind_p in type_p.__mro__:
        for kind_q in type_q.__mro__:
            if (kind_p, kind_q) in _RULES:
                return _RULES[kind_p, kind_q]
    what = f"there is no closed form for {type_p.__name__} and {type_q.__name__}"
    raise UnsupportedError(
        "kl_divergence", what, "expected two that have one", "add it with @register_kl, or average log p - log q of draws"
    )


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """``KL(p ‖ q) = ∫ p log(p / q)``, of the batch shape. Raises NotImplementedError where there is no closed form.

    >>> from dovetail.distributions import Normal
    >>> kl_divergence(Normal(1.0, 1.0), Normal(0.0, 1.0))
    tensor(0.5000)
    """
    return _found(type(p), type(q))(p, q)


def _infinite(shape_of: Tensor) -> Tensor:
    return dv.full_like(shape_of, math.inf)


def _xlogx(t: Tensor) -> Tensor:
    return dv.xlogy(t, t)


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
    euler = 0.57721566490153286060
    ratio, moved = p.scale / q.scale, (q.loc - p.loc) / q.scale
    return ratio.log().neg() - moved + ratio * euler + dv.exp(moved + (1 + ratio).lgamma()) - (1 + euler)


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
        raise UnsupportedError("kl_divergence", "q has more trials than p", "expected at most as many")
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


@register_kl(Exponential, Gamma)
def _(p: Exponential, q: Gamma) -> Tensor:
    ratio = q.rate / p.rate
    b = q.concentration
    return -b * dv.log(ratio) + ratio + b.lgamma() + b * 0.57721566490153286060 - (1 + 0.57721566490153286060)


@register_kl(Exponential, Normal)
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


@register_kl(Uniform, Normal)
def _(p: Uniform, q: Normal) -> Tensor:
    width = p.high - p.low
    first = (math.sqrt(math.pi * 2) * q.scale / width).log()
    return first + ((width.pow(2) / 12) + ((p.high + p.low - 2 * q.loc) / 2).pow(2)) / (2 * q.scale.pow(2))


@register_kl(Normal, Laplace)
def _(p: Normal, q: Laplace) -> Tensor:
    moved = p.loc - q.loc
    ratio, z = p.scale / q.scale, moved / p.scale
    inner = math.sqrt(2 / math.pi) * p.scale * dv.exp(-0.5 * z.pow(2)) + moved * dv.erf(math.sqrt(0.5) * z)
    return -dv.log(ratio) + inner / q.scale - (0.5 + 0.5 * math.log(0.5 * math.pi))


@register_kl(Laplace, Normal)
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


@register_kl(LogNormal, LogNormal)
@register_kl(TransformedDistribution, TransformedDistribution)
def _(p: TransformedDistribution, q: TransformedDistribution) -> Tensor:
    if p.transforms != q.transforms or p.event_shape != q.event_shape:
        raise UnsupportedError("kl_divergence", "the transforms of p and q differ", "expected the same")
    return kl_divergence(p.base_dist, q.base_dist)


@register_kl(Independent, Independent)
def _(p: Independent, q: Independent) -> Tensor:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise UnsupportedError("kl_divergence", "p and q count different dimensions as their event", "expected the same")
    return sum_rightmost(kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims)


@register_kl(MultivariateNormal, MultivariateNormal)
def _(p: MultivariateNormal, q: MultivariateNormal) -> Tensor:
    if p.event_shape != q.event_shape:
        what = f"p has events of shape {tuple(p.event_shape)} and q of {tuple(q.event_shape)}"
        raise ValueRangeError("kl_divergence", what, "expected the same")
    from .multivariate import _quadratic

    a, b = p._unbroadcasted_scale_tril, q._unbroadcasted_scale_tril
    half_log = b.diagonal(dim1=-2, dim2=-1).log().sum(-1) - a.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    shape = dv.broadcast_shapes(b.shape[:-2], a.shape[:-2])
    n = p.event_shape[0]
    solved = dv.linalg.solve_triangular(b.expand(shape + (n, n)), a.expand(shape + (n, n)), upper=False)
    return half_log + 0.5 * (solved.pow(2).sum((-2, -1)) + _quadratic(b, q.loc - p.loc) - n)
