"""Probability distributions: draws, gradients through draws, log-probabilities, entropies and divergences.

>>> import dovetail as dv
>>> from dovetail.distributions import Categorical, Normal, kl_divergence
>>> policy = Categorical(logits=dv.tensor([0.0, 1.0], requires_grad=True))
>>> action = policy.sample()
>>> (-policy.log_prob(action)).backward()  # REINFORCE, for a reward of one
"""

from __future__ import annotations

import sys

from . import _kl_pairs, constraint_registry, constraints, kl, transforms, utils
from .categorical import Categorical, Multinomial, OneHotCategorical, OneHotCategoricalStraightThrough
from .constraint_registry import biject_to, transform_to
from .continuous_bernoulli import ContinuousBernoulli
from .discrete import Bernoulli, Binomial, Geometric, NegativeBinomial, Poisson
from .distribution import Distribution
from .exp_family import ExponentialFamily
from .gamma import Beta, Chi2, Dirichlet, Gamma, StudentT
from .kl import kl_divergence, register_kl
from .location import Cauchy, Exponential, Laplace, Normal, Uniform
from .matrices import LKJCholesky, Wishart
from .multivariate import LogisticNormal, LowRankMultivariateNormal, MultivariateNormal
from .of_location import Gumbel, HalfCauchy, HalfNormal, LogNormal
from .relaxed import LogitRelaxedBernoulli, RelaxedBernoulli, RelaxedOneHotCategorical
from .tails import FisherSnedecor, GeneralizedPareto, InverseGamma, Kumaraswamy, Pareto, Weibull
from .transformed import Independent, MixtureSameFamily, TransformedDistribution
from .transforms import (
    AbsTransform,
    AffineTransform,
    CatTransform,
    ComposeTransform,
    CorrCholeskyTransform,
    CumulativeDistributionTransform,
    ExpTransform,
    IndependentTransform,
    LowerCholeskyTransform,
    PositiveDefiniteTransform,
    PowerTransform,
    ReshapeTransform,
    SigmoidTransform,
    SoftmaxTransform,
    SoftplusTransform,
    StackTransform,
    StickBreakingTransform,
    TanhTransform,
    Transform,
    identity_transform,
)
from .von_mises import VonMises

__all__ = [
    "Bernoulli", "Beta", "Binomial", "Categorical", "Cauchy", "Chi2", "ContinuousBernoulli", "Dirichlet", "Distribution", "Exponential",
    "ExponentialFamily", "FisherSnedecor", "Gamma", "GeneralizedPareto", "Geometric", "Gumbel", "HalfCauchy", "HalfNormal",
    "Independent", "InverseGamma", "Kumaraswamy", "LKJCholesky", "Laplace", "LogNormal", "LogisticNormal", "LowRankMultivariateNormal",
    "MixtureSameFamily", "Multinomial", "MultivariateNormal", "NegativeBinomial", "Normal", "OneHotCategorical",
    "OneHotCategoricalStraightThrough", "Pareto", "Poisson", "RelaxedBernoulli", "RelaxedOneHotCategorical", "StudentT",
    "TransformedDistribution", "Uniform", "VonMises", "Weibull", "Wishart", "biject_to", "kl_divergence", "register_kl", "transform_to",
    "AbsTransform", "AffineTransform", "CatTransform", "ComposeTransform", "CorrCholeskyTransform", "CumulativeDistributionTransform",
    "ExpTransform", "IndependentTransform", "LowerCholeskyTransform", "PositiveDefiniteTransform", "PowerTransform", "ReshapeTransform",
    "SigmoidTransform", "SoftmaxTransform", "SoftplusTransform", "StackTransform", "StickBreakingTransform", "TanhTransform", "Transform",
    "identity_transform",
]  # fmt: skip

# PyTorch has a module for each distribution; programs import them by these names.
_PATHS = {
    "location": "cauchy exponential laplace normal uniform",
    "of_location": "gumbel half_cauchy half_normal log_normal",
    "gamma": "beta chi2 dirichlet studentT",
    "discrete": "bernoulli binomial geometric negative_binomial poisson",
    "categorical": "multinomial one_hot_categorical",
    "matrices": "lkj_cholesky wishart",
    "multivariate": "logistic_normal lowrank_multivariate_normal multivariate_normal",
    "relaxed": "relaxed_bernoulli relaxed_categorical",
    "tails": "fishersnedecor generalized_pareto inverse_gamma kumaraswamy pareto weibull",
    "transformed": "independent mixture_same_family transformed_distribution",
}
for _module, _names in _PATHS.items():
    for _name in _names.split():
        globals()[_name] = sys.modules[f"{__name__}.{_name}"] = sys.modules[f"{__name__}.{_module}"]
