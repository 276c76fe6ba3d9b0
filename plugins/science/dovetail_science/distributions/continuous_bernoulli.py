"""The continuous Bernoulli distribution."""

from __future__ import annotations

import math
from typing import Any

import dovetail as dv
import dovetail.nn.functional as F
from dovetail import Tensor
from dovetail.errors import ValueRangeError

from . import constraints
from .discrete import _Binary
from .exp_family import ExponentialFamily
from .utils import broadcast_all, clamp_probs, lazy_property, logits_to_probs

__all__ = ["ContinuousBernoulli"]


class ContinuousBernoulli(_Binary, ExponentialFamily):
    """The continuous Bernoulli distribution on [0, 1], ``p(x) ∝ p^x (1-p)^(1-x)`` (Loaiza-Ganem and Cunningham, 2019)."""

    support = constraints.unit_interval
    has_rsample = True
    _mean_carrier_measure: Any = 0

    def __init__(
        self, probs: Any = None, logits: Any = None, lims: tuple[float, float] = (0.499, 0.501), validate_args: bool | None = None
    ) -> None:
        self._lims = lims
        if probs is not None and logits is None:
            (probs,) = broadcast_all(probs)
            if validate_args is not None and not bool(self.arg_constraints["probs"].check(probs).all()):
                raise ValueRangeError("ContinuousBernoulli", f"The parameter probs has invalid values: {probs}", "expected 0 <= probs <= 1")
            probs = clamp_probs(probs)
        super().__init__(probs, logits, validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        new = super().expand(batch_shape, _instance)
        new._lims = self._lims
        return new

    @lazy_property
    def probs(self) -> Tensor:
        """The probability, a rounding step away from 0 and 1."""
        return clamp_probs(logits_to_probs(self.logits, is_binary=True))

    def _outside(self) -> Tensor:
        return (self.probs <= self._lims[0]) | (self.probs > self._lims[1])

    def _cut(self) -> Tensor:
        return dv.where(self._outside(), self.probs, self._lims[0] * dv.ones_like(self.probs))

    def _cont_bern_log_norm(self) -> Tensor:
        cut = self._cut()
        below = dv.where(cut <= 0.5, cut, dv.zeros_like(cut))
        above = dv.where(cut >= 0.5, cut, dv.ones_like(cut))
        difference = dv.where(cut <= 0.5, dv.log1p(-2.0 * below), dv.log(2.0 * above - 1.0))
        norm = dv.log(dv.abs(dv.log1p(-cut) - dv.log(cut))) - difference
        x = dv.pow(self.probs - 0.5, 2)
        return dv.where(self._outside(), norm, math.log(2.0) + (4.0 / 3.0 + 104.0 / 45.0 * x) * x)

    @property
    def mean(self) -> Tensor:
        cut = self._cut()
        mus = cut / (2.0 * cut - 1.0) + 1.0 / (dv.log1p(-cut) - dv.log(cut))
        x = self.probs - 0.5
        return dv.where(self._outside(), mus, 0.5 + (1.0 / 3.0 + 16.0 / 45.0 * dv.pow(x, 2)) * x)

    @property
    def variance(self) -> Tensor:
        cut = self._cut()
        found = cut * (cut - 1.0) / dv.pow(1.0 - 2.0 * cut, 2) + 1.0 / dv.pow(dv.log1p(-cut) - dv.log(cut), 2)
        x = dv.pow(self.probs - 0.5, 2)
        return dv.where(self._outside(), found, 1.0 / 12.0 - (1.0 / 15.0 - 128.0 / 945.0 * x) * x)

    @property
    def stddev(self) -> Tensor:
        return dv.sqrt(self.variance)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self.icdf(dv.rand(self._extended_shape(sample_shape), dtype=self.probs.dtype, device=self.probs.device))

    def log_prob(self, value: Tensor) -> Tensor:
        self._checked(value)
        logits, value = broadcast_all(self.logits, value)
        return -F.binary_cross_entropy_with_logits(logits, value, reduction="none") + self._cont_bern_log_norm()

    def cdf(self, value: Tensor) -> Tensor:
        self._checked(value)
        cut = self._cut()
        found = (dv.pow(cut, value) * dv.pow(1.0 - cut, 1.0 - value) + cut - 1.0) / (2.0 * cut - 1.0)
        unbounded = dv.where(self._outside(), found, value)
        return dv.where(value <= 0.0, 0.0, dv.where(value >= 1.0, 1.0, unbounded))

    def icdf(self, value: Tensor) -> Tensor:
        cut = self._cut()
        found = (dv.log1p(-cut + value * (2.0 * cut - 1.0)) - dv.log1p(-cut)) / (dv.log(cut) - dv.log1p(-cut))
        return dv.where(self._outside(), found, value)

    def entropy(self) -> Tensor:
        log0, log1 = dv.log1p(-self.probs), dv.log(self.probs)
        return self.mean * (log0 - log1) - self._cont_bern_log_norm() - log0

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        return (self.logits,)

    def _log_normalizer(self, x: Tensor) -> Tensor:  # type: ignore[override]
        outside = (x <= self._lims[0] - 0.5) | (x > self._lims[1] - 0.5)
        cut = dv.where(outside, x, (self._lims[0] - 0.5) * dv.ones_like(x))
        norm = dv.log(dv.abs(dv.expm1(cut))) - dv.log(dv.abs(cut))
        return dv.where(outside, norm, 0.5 * x + dv.pow(x, 2) / 24.0 - dv.pow(x, 4) / 2880.0)
