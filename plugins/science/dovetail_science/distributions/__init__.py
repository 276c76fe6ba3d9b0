"""Probability distributions: draws, gradients through draws, log-probabilities, entropies and divergences.

>>> import dovetail as dv
>>> from dovetail.distributions import Categorical, Normal, kl_divergence
>>> policy = Categorical(logits=dv.tensor([0.0, 1.0], requires_grad=True))
>>> action = policy.sample()
>>> (-policy.log_prob(action)).backward()  # REINFORCE, for a reward of one
"""

from __future__ import annotations

import sys

from . import constraints, kl, transforms, utils
from .categorical import Categorical, Multinomial, OneHotCategorical, OneHotCategoricalStraightThrough
from .discrete import Bernoulli, Binomial, ContinuousBernoulli, Geometric, NegativeBinomial, Poisson
from .distribution import Distribution
from .gamma import Beta, Chi2, Dirichlet, Gamma, StudentT
from .kl import kl_divergence, register_kl
from .location import Cauchy, Exponential, Gumbel, HalfCauchy, HalfNormal, Laplace, LogNormal, Normal, Uniform
from .multivariate import MultivariateNormal
from .relaxed import LogitRelaxedBernoulli, RelaxedBernoulli, RelaxedOneHotCategorical
from .transformed import Independent, MixtureSameFamily, TransformedDistribution
from .transforms import (
    AbsTransform,
    AffineTransform,
    ComposeTransform,
    ExpTransform,
    IndependentTransform,
    PowerTransform,
    ReshapeTransform,
    SigmoidTransform,
    SoftmaxTransform,
    SoftplusTransform,
    StickBreakingTransform,
    TanhTransform,
    Transform,
    identity_transform,
)  # fmt: skip

__all__ = [
    "AbsTransform", "AffineTransform", "Bernoulli", "Beta", "Binomial", "Categorical", "Cauchy", "Chi2", "ComposeTransform",
    "ContinuousBernoulli", "Dirichlet", "Distribution", "ExpTransform", "Exponential", "Gamma", "Geometric", "Gumbel", "HalfCauchy",
    "HalfNormal", "Independent", "IndependentTransform", "Laplace", "LogNormal", "LogitRelaxedBernoulli", "MixtureSameFamily",
    "Multinomial", "MultivariateNormal", "NegativeBinomial", "Normal", "OneHotCategorical", "OneHotCategoricalStraightThrough",
    "Poisson", "PowerTransform", "RelaxedBernoulli", "RelaxedOneHotCategorical", "ReshapeTransform", "SigmoidTransform",
    "SoftmaxTransform", "SoftplusTransform", "StickBreakingTransform", "StudentT", "TanhTransform", "Transform",
    "TransformedDistribution", "Uniform", "constraints", "identity_transform", "kl", "kl_divergence", "register_kl", "transforms",
    "utils",
]  # fmt: skip

# PyTorch has a module for each distribution; programs import them by these names.
_PATHS = {
    "location": "cauchy exponential gumbel half_cauchy half_normal laplace log_normal normal uniform",
    "gamma": "beta chi2 dirichlet studentT",
    "discrete": "bernoulli binomial continuous_bernoulli geometric negative_binomial poisson",
    "categorical": "multinomial one_hot_categorical",
    "multivariate": "multivariate_normal",
    "relaxed": "relaxed_bernoulli relaxed_categorical",
    "transformed": "independent mixture_same_family transformed_distribution",
}
for _module, _names in _PATHS.items():
    for _name in _names.split():
        globals()[_name] = sys.modules[f"{__name__}.{_name}"] = sys.modules[f"{__name__}.{_module}"]
