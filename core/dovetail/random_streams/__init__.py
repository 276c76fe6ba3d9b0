"""PyTorch's CPU random streams on bare NumPy arrays: for one seed, the draws of PyTorch 2.13 in the same order.

Every function takes the generator first and leaves it where PyTorch would leave its own, so that any mixture of calls stays in
step. ``normal`` says how far the bits agree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..absent import later
from ._draws import DistributionError, floating
from .choice import bernoulli, dropout_mask, multinomial
from .integers import randint, random_, randperm
from .normal import log_normal, normal, normal_around
from .rejection import single_uniform, standard_gamma
from .uniform import cauchy, exponential, geometric, uniform

__all__ = [
    "DistributionError", "bernoulli", "cauchy", "dropout_mask", "exponential", "floating", "geometric", "log_normal", "multinomial",
    "normal", "normal_around", "randint", "random_", "randperm", "single_uniform", "standard_gamma", "uniform",
]  # fmt: skip

if TYPE_CHECKING:
    from dovetail_science.counts import binomial, poisson
else:
    __getattr__, __dir__ = later(__name__)  # counts, which a plugin draws
