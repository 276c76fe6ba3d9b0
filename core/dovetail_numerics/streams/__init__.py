"""PyTorch's CPU random streams on bare NumPy arrays: for one seed, the draws of PyTorch 2.13 in the same order.

Every function takes the generator first and leaves it where PyTorch would leave its own, so that any mixture of calls stays in
step. ``normal`` says how far the bits agree.
"""

from __future__ import annotations

from ..errors import DistributionError
from .choice import bernoulli, dropout_mask, multinomial
from .counts import binomial, poisson
from .draws import floating
from .integers import randint, random_, randperm
from .normal import log_normal, normal, normal_around
from .rejection import single_uniform, standard_gamma
from .uniform import cauchy, exponential, geometric, uniform

__all__ = [
    "DistributionError", "bernoulli", "binomial", "cauchy", "dropout_mask", "exponential", "floating", "geometric", "log_normal",
    "multinomial", "normal", "normal_around", "poisson", "randint", "random_", "randperm", "single_uniform", "standard_gamma", "uniform",
]  # fmt: skip
