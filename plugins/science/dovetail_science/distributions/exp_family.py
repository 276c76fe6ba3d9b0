"""Exponential families: entropies and divergences from the normalizer alone."""

from __future__ import annotations

from typing import Any

import dovetail as dv
from dovetail import Tensor

from .distribution import Distribution

__all__ = ["ExponentialFamily"]


class ExponentialFamily(Distribution):
    """A distribution ``p(x) = exp(<t(x), θ> - F(θ) + k(x))``; its entropy and divergences come from ``F`` (Nielsen and Nock, 2010).

    A subclass gives ``_natural_params`` (θ, a tuple of tensors), ``_log_normalizer(*θ)`` (F) and ``_mean_carrier_measure`` (the mean of k).
    """

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        raise NotImplementedError

    def _log_normalizer(self, *natural_params: Tensor) -> Tensor:
        raise NotImplementedError

    @property
    def _mean_carrier_measure(self) -> Any:
        raise NotImplementedError

    def _slopes(self) -> tuple[Tensor, list[Tensor], Any]:
        """F at the natural parameters, those parameters, and the gradient of F with respect to them."""
        params = [p.detach().requires_grad_() for p in self._natural_params]
        normal = self._log_normalizer(*params)
        return normal, params, dv.autograd.grad(normal.sum(), params, create_graph=True)

    def entropy(self) -> Tensor:
        """``F(θ) - <θ, ∇F(θ)> - E[k(x)]``."""
        result, params, slopes = self._slopes()
        result = result - self._mean_carrier_measure
        for param, slope in zip(params, slopes, strict=True):
            result = result - (param * slope).reshape(self._batch_shape + (-1,)).sum(-1)
        return result
