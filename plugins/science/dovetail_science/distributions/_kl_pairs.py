"""Kullback-Leibler divergences between distributions of different families; infinite where p reaches beyond q."""

from __future__ import annotations

import math
from typing import Any

import dovetail as dv
from dovetail import Tensor

from . import kl
from .continuous_bernoulli import ContinuousBernoulli
from .discrete import Bernoulli, Binomial, Poisson
from .gamma import Beta, Gamma
from .kl import register_kl
from .location import Exponential, Laplace, Normal, Uniform
from .of_location import Gumbel
from .tails import Pareto
from .utils import euler_constant

__all__: list[str] = []

_ROOT = math.sqrt(2 * math.pi)


def _everywhere(parameter: str, p: type, *others: type) -> None:
    """Register pairs that diverge whatever their parameters are: q is 0 where p is not."""
    for q in others:
        register_kl(p, q)(lambda p, q: dv.full_like(getattr(p, parameter), math.inf))


_everywhere("concentration1", Beta, Pareto)
_everywhere("probs", ContinuousBernoulli, Pareto)
_everywhere("rate", Exponential, Beta, ContinuousBernoulli, Pareto, Uniform)
_everywhere("concentration", Gamma, Beta, ContinuousBernoulli, Pareto, Uniform)
for _whole_line in (Gumbel, Laplace, Normal):
    _everywhere("loc", _whole_line, Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform)
_everywhere("scale", Pareto, Beta, ContinuousBernoulli, Uniform)
_everywhere("rate", Poisson, Bernoulli, Binomial)


def _xlogx(t: Tensor) -> Tensor:
    return dv.xlogy(t, t)


def _infinite_where(beyond: Tensor, kl: Tensor) -> Tensor:
    return dv.where(beyond, math.inf, kl)


@register_kl(Bernoulli, Poisson)
def _(p: Bernoulli, q: Poisson) -> Tensor:
    return -p.entropy() - (p.probs * q.rate.log() - q.rate)


@register_kl(Beta, ContinuousBernoulli)
@register_kl(Uniform, ContinuousBernoulli)
def _to_continuous_bernoulli(p: Any, q: ContinuousBernoulli) -> Tensor:
    kl = -p.entropy() - p.mean * q.logits - dv.log1p(-q.probs) - q._cont_bern_log_norm()
    return _infinite_where((p.high >= 1.0) | (p.low <= 0.0), kl) if isinstance(p, Uniform) else kl


@register_kl(Beta, Exponential)
def _(p: Beta, q: Exponential) -> Tensor:
    return -p.entropy() - q.rate.log() + q.rate * (p.concentration1 / (p.concentration1 + p.concentration0))


@register_kl(Beta, Gamma)
def _(p: Beta, q: Gamma) -> Tensor:
    a, total = p.concentration1, p.concentration1 + p.concentration0
    norm = q.concentration.lgamma() - q.concentration * q.rate.log()
    return -p.entropy() + norm - (q.concentration - 1) * (a.digamma() - total.digamma()) + q.rate * a / total


@register_kl(Beta, Normal)
def _(p: Beta, q: Normal) -> Tensor:
    total = p.concentration1 + p.concentration0
    mean, variance = p.concentration1 / total, q.scale.pow(2)
    square = (mean * (1 - mean) / (total + 1) + mean.pow(2)) * 0.5
    return -p.entropy() + 0.5 * (variance * 2 * math.pi).log() + (square - q.loc * mean + q.loc.pow(2) * 0.5) / variance


@register_kl(Beta, Uniform)
def _(p: Beta, q: Uniform) -> Tensor:
    return _infinite_where((q.low > 0.0) | (q.high < 1.0), -p.entropy() + (q.high - q.low).log())


@register_kl(ContinuousBernoulli, Exponential)
def _(p: ContinuousBernoulli, q: Exponential) -> Tensor:
    return -p.entropy() - dv.log(q.rate) + q.rate * p.mean


@register_kl(ContinuousBernoulli, Normal)
def _(p: ContinuousBernoulli, q: Normal) -> Tensor:
    norm = 0.5 * (math.log(2.0 * math.pi) + dv.square(q.loc / q.scale)) + dv.log(q.scale)
    return -p.entropy() + norm + (p.variance + dv.square(p.mean) - 2.0 * q.loc * p.mean) / (2.0 * dv.square(q.scale))


@register_kl(ContinuousBernoulli, Uniform)
def _(p: ContinuousBernoulli, q: Uniform) -> Tensor:
    # infinite also where the intervals touch, as in PyTorch
    return _infinite_where((q.low >= 0.0) | (q.high <= 1.0), -p.entropy() + (q.high - q.low).log())


@register_kl(Exponential, Gamma)
def _(p: Exponential, q: Gamma) -> Tensor:
    ratio, b = q.rate / p.rate, q.concentration
    return -b * dv.log(ratio) + ratio + b.lgamma() + b * euler_constant - (1 + euler_constant)


@register_kl(Exponential, Gumbel)
def _(p: Exponential, q: Gumbel) -> Tensor:
    product, moved = p.rate * q.scale, q.loc / q.scale
    return product.log() - 1 - moved + dv.exp(moved) * product / (product + 1) + product.reciprocal()


@register_kl(Exponential, Normal)
def _(p: Exponential, q: Normal) -> Tensor:
    variance, rate_sq = q.scale.pow(2), p.rate.pow(2)
    first = 0.5 * dv.log(rate_sq * variance * 2 * math.pi)
    return first - 1 + (rate_sq.reciprocal() - q.loc / p.rate + q.loc.pow(2) * 0.5) / variance


@register_kl(Gamma, Exponential)
def _(p: Gamma, q: Exponential) -> Tensor:
    return -p.entropy() - q.rate.log() + q.rate * p.concentration / p.rate


@register_kl(Gamma, Gumbel)
def _(p: Gamma, q: Gumbel) -> Tensor:
    a, product, moved = p.concentration, p.rate * q.scale, q.loc / q.scale
    own = (a - 1) * a.digamma() - a.lgamma() - a
    return own + product.log() + a / product + dv.exp(moved) * (1 + product.reciprocal()).pow(-a) - moved


@register_kl(Gamma, Normal)
def _(p: Gamma, q: Normal) -> Tensor:
    a, variance, rate_sq = p.concentration, q.scale.pow(2), p.rate.pow(2)
    own = 0.5 * dv.log(rate_sq * variance * 2 * math.pi) - a - a.lgamma() + (a - 1) * a.digamma()
    return own + (0.5 * (a.pow(2) + a) / rate_sq - q.loc * a / p.rate + 0.5 * q.loc.pow(2)) / variance


@register_kl(Gumbel, Normal)
def _(p: Gumbel, q: Normal) -> Tensor:
    ratio = p.scale / q.scale
    moved = ((p.loc + p.scale * euler_constant - q.loc) / q.scale).pow(2) * 0.5
    return -(ratio / _ROOT).log() + (math.pi * ratio * 0.5).pow(2) / 3 + moved - (euler_constant + 1)


@register_kl(Laplace, Normal)
def _(p: Laplace, q: Normal) -> Tensor:
    variance = q.scale.pow(2)
    ratio = p.scale.pow(2) / variance
    moved = (0.5 * p.loc.pow(2) - p.loc * q.loc + 0.5 * q.loc.pow(2)) / variance
    return -0.5 * dv.log(2 * ratio / math.pi) + ratio + moved - 1


@register_kl(Normal, Gumbel)
def _(p: Normal, q: Gumbel) -> Tensor:
    mean, ratio, moved = p.loc / q.scale, (p.scale / q.scale).pow(2), q.loc / q.scale
    return -(ratio.log() * 0.5) + mean - moved + dv.exp(-mean + 0.5 * ratio + moved) - 0.5 * (1 + math.log(2 * math.pi))


@register_kl(Normal, Laplace)
def _(p: Normal, q: Laplace) -> Tensor:
    moved = p.loc - q.loc
    z = moved / p.scale
    inner = math.sqrt(2 / math.pi) * p.scale * dv.exp(-0.5 * z.pow(2)) + moved * dv.erf(math.sqrt(0.5) * z)
    return -dv.log(p.scale / q.scale) + inner / q.scale - 0.5 * (1 + math.log(0.5 * math.pi))


@register_kl(Pareto, Exponential)
def _(p: Pareto, q: Exponential) -> Tensor:
    product = p.scale * q.rate
    kl = (p.alpha / product).log() - p.alpha.reciprocal() + p.alpha * product / (p.alpha - 1) - 1
    return _infinite_where(p.alpha <= 1, kl)


@register_kl(Pareto, Gamma)
def _(p: Pareto, q: Gamma) -> Tensor:
    common = p.scale.log() + p.alpha.reciprocal()
    norm = q.concentration.lgamma() - q.concentration * q.rate.log()
    kl = p.alpha.log() - common + norm + (1 - q.concentration) * common + q.rate * p.alpha * p.scale / (p.alpha - 1) - 1
    return _infinite_where(p.alpha <= 1, kl)


@register_kl(Pareto, Normal)
def _(p: Pareto, q: Normal) -> Tensor:
    common = p.scale / (p.alpha - 1)
    moved = p.alpha * common.pow(2) / (p.alpha - 2) + (p.alpha * common - q.loc).pow(2)
    kl = (_ROOT * q.scale * p.alpha / p.scale).log() - p.alpha.reciprocal() + moved / (2 * q.scale.pow(2)) - 1
    return _infinite_where(p.alpha <= 2, kl)


@register_kl(Uniform, Beta)
def _(p: Uniform, q: Beta) -> Tensor:
    width, a, b = p.high - p.low, q.concentration1, q.concentration0
    of_a = (a - 1) * (_xlogx(p.high) - _xlogx(p.low) - width) / width
    of_b = (b - 1) * (_xlogx(1 - p.high) - _xlogx(1 - p.low) + width) / width
    kl = of_b + a.lgamma() + b.lgamma() - (a + b).lgamma() - dv.log(width) - of_a
    return _infinite_where((p.high > 1.0) | (p.low < 0.0), kl)


@register_kl(Uniform, Exponential)
def _(p: Uniform, q: Exponential) -> Tensor:
    return _infinite_where(p.low < 0.0, q.rate * (p.high + p.low) / 2 - ((p.high - p.low) * q.rate).log())


@register_kl(Uniform, Gamma)
def _(p: Uniform, q: Gamma) -> Tensor:
    width, b = p.high - p.low, q.concentration
    mean_log = (_xlogx(p.high) - _xlogx(p.low) - width) / width
    kl = -width.log() + b.lgamma() - b * q.rate.log() + (1 - b) * mean_log + q.rate * (p.high + p.low) / 2
    return _infinite_where(p.low < 0.0, kl)


@register_kl(Uniform, Gumbel)
def _(p: Uniform, q: Gumbel) -> Tensor:
    common, high, low = q.scale / (p.high - p.low), (p.high - q.loc) / q.scale, (p.low - q.loc) / q.scale
    return common.log() + 0.5 * (high + low) - common * (dv.exp(-high) - dv.exp(-low))


@register_kl(Uniform, Normal)
def _(p: Uniform, q: Normal) -> Tensor:
    width = p.high - p.low
    moved = width.pow(2) / 12 + ((p.high + p.low - 2 * q.loc) / 2).pow(2)
    return (_ROOT * q.scale / width).log() + 0.5 * moved / q.scale.pow(2)


@register_kl(Uniform, Pareto)
def _(p: Uniform, q: Pareto) -> Tensor:
    width = p.high - p.low
    mean_log = (_xlogx(p.high) - _xlogx(p.low) - width) / width
    kl = mean_log * (q.alpha + 1) - (q.alpha * q.scale.pow(q.alpha) * width).log()
    return _infinite_where(p.low < q.scale, kl)


# PyTorch's names of the rules; programs compare with them and call them
for (_p, _q), _rule in kl._KL_REGISTRY.items():
    _name = f"_kl_{_p.__name__}_{_q.__name__}".lower().replace("continuousb", "continuous_b").replace("exponentialfamily", "expfamily")
    setattr(kl, _name.replace("transformeddistribution", "transformed"), _rule)
