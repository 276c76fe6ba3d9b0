"""Distributions with parameters of several shapes, for Dovetail and PyTorch alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.distributions as theirs

import dovetail as dv
import dovetail.distributions as ours

__all__ = ["CASES", "SHAPES", "both", "made", "same", "seeded"]

Make = Callable[[np.random.Generator, tuple[int, ...]], Any]


def between(low: float, high: float, *event: int) -> Make:
    return lambda rng, shape: rng.uniform(low, high, shape + event)


def whole(low: int, high: int) -> Make:
    return lambda rng, shape: rng.integers(low, high, shape).astype(float)


def definite(n: int) -> Make:
    def make(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
        a = rng.normal(size=(*shape, n, n + 2))
        return a @ np.swapaxes(a, -1, -2) + 0.3 * np.eye(n)

    return make


def factor(n: int) -> Make:
    return lambda rng, shape: np.linalg.cholesky(definite(n)(rng, shape))


REAL, POSITIVE, PROBABILITY = between(-3, 3), between(0.1, 5), between(0.02, 0.98)
REALS, POSITIVES = between(-3, 3, 3), between(0.1, 5, 3)
TEMPERATURE: Make = lambda rng, shape: np.asarray(rng.uniform(0.3, 2))
SHAPES = ((), (2,), (3, 2), (1,), (0,))

# name, and parameters: a maker of arrays, or a plain value
CASES: list[tuple[str, dict[str, Any]]] = [
    ("Normal", {"loc": REAL, "scale": POSITIVE}),
    ("Laplace", {"loc": REAL, "scale": POSITIVE}),
    ("Cauchy", {"loc": REAL, "scale": POSITIVE}),
    ("Gumbel", {"loc": REAL, "scale": POSITIVE}),
    ("HalfNormal", {"scale": POSITIVE}),
    ("HalfCauchy", {"scale": POSITIVE}),
    ("LogNormal", {"loc": REAL, "scale": between(0.1, 1.5)}),
    ("Uniform", {"low": between(-3, 0), "high": between(0.1, 3)}),
    ("Exponential", {"rate": POSITIVE}),
    ("Gamma", {"concentration": POSITIVE, "rate": POSITIVE}),
    ("Chi2", {"df": POSITIVE}),
    ("Beta", {"concentration1": POSITIVE, "concentration0": POSITIVE}),
    ("Dirichlet", {"concentration": POSITIVES}),
    ("StudentT", {"df": between(0.3, 8), "loc": REAL, "scale": POSITIVE}),
    ("FisherSnedecor", {"df1": between(0.5, 9), "df2": between(0.5, 9)}),
    ("InverseGamma", {"concentration": POSITIVE, "rate": POSITIVE}),
    ("Kumaraswamy", {"concentration1": POSITIVE, "concentration0": POSITIVE}),
    ("Pareto", {"scale": POSITIVE, "alpha": POSITIVE}),
    ("Weibull", {"scale": POSITIVE, "concentration": between(0.3, 4)}),
    ("VonMises", {"loc": REAL, "concentration": POSITIVE}),
    ("Bernoulli", {"probs": PROBABILITY}),
    ("Bernoulli", {"logits": REAL}),
    ("ContinuousBernoulli", {"probs": PROBABILITY}),
    ("ContinuousBernoulli", {"logits": REAL}),
    ("Geometric", {"probs": PROBABILITY}),
    ("Geometric", {"logits": REAL}),
    ("Poisson", {"rate": POSITIVE}),
    ("Binomial", {"total_count": whole(1, 12), "probs": PROBABILITY}),
    ("Binomial", {"total_count": 7, "logits": REAL}),
    ("NegativeBinomial", {"total_count": whole(1, 12), "probs": PROBABILITY}),
    ("NegativeBinomial", {"total_count": POSITIVE, "logits": REAL}),
    ("Categorical", {"probs": POSITIVES}),
    ("Categorical", {"logits": REALS}),
    ("OneHotCategorical", {"probs": POSITIVES}),
    ("OneHotCategorical", {"logits": REALS}),
    ("OneHotCategoricalStraightThrough", {"probs": POSITIVES}),
    ("Multinomial", {"total_count": 5, "probs": POSITIVES}),
    ("Multinomial", {"total_count": 7, "logits": REALS}),
    ("MultivariateNormal", {"loc": REALS, "covariance_matrix": definite(3)}),
    ("MultivariateNormal", {"loc": REALS, "precision_matrix": definite(3)}),
    ("MultivariateNormal", {"loc": REALS, "scale_tril": factor(3)}),
    ("LowRankMultivariateNormal", {"loc": REALS, "cov_factor": between(-2, 2, 3, 2), "cov_diag": POSITIVES}),
    ("LogisticNormal", {"loc": REALS, "scale": POSITIVES}),
    ("LKJCholesky", {"dim": 3, "concentration": POSITIVE}),
    ("Wishart", {"df": between(3.1, 9), "covariance_matrix": definite(3)}),
    ("Wishart", {"df": between(3.1, 9), "precision_matrix": definite(3)}),
    ("RelaxedBernoulli", {"temperature": between(0.3, 2), "probs": PROBABILITY}),
    ("RelaxedBernoulli", {"temperature": between(0.3, 2), "logits": REAL}),
    ("RelaxedOneHotCategorical", {"temperature": TEMPERATURE, "logits": REALS}),
    ("GeneralizedPareto", {"loc": REAL, "scale": POSITIVE, "concentration": between(-1, 1)}),
]


def made(lib: Any, case: int, shape: tuple[int, ...] = (), kind: str = "float64", grad: bool = False) -> tuple[Any, list[Any]]:
    """The distribution of one library, and its parameters that take gradients."""
    name, spec = CASES[case]
    rng, given, leaves = np.random.default_rng(case), {}, []
    for key, make in spec.items():
        if not callable(make):
            given[key] = make
            continue
        given[key] = lib.from_numpy(np.array(make(rng, shape), kind))
        if grad and key != "total_count":
            leaves.append(given[key].requires_grad_())
    return getattr(ours if lib is dv else theirs, name)(**given), leaves


def seeded(lib: Any, distribution: Any, method: str = "sample", shape: tuple[int, ...] = (4,)) -> Any:
    lib.manual_seed(3)
    return getattr(distribution, method)(shape)


def same(mine: Any, expected: Any, **tolerance: float) -> None:
    """Values, shape, type, and whether a gradient is recorded; what is no tensor has the same repr."""
    if not isinstance(expected, torch.Tensor):
        assert repr(mine).replace("dovetail.", "torch.") == repr(expected)
        return
    assert tuple(mine.shape) == tuple(expected.shape) and str(mine.dtype).split(".")[-1] == str(expected.dtype).split(".")[-1]
    assert mine.requires_grad == expected.requires_grad
    wide = {"rtol": 1e-9, "atol": 1e-10} if expected.dtype == torch.float64 else {"rtol": 2e-4, "atol": 2e-4}
    plain = ((t.float() if t.dtype in (dv.bfloat16, torch.bfloat16) else t).detach().numpy() for t in (mine, expected))
    np.testing.assert_allclose(*plain, **{**wide, **tolerance})


def both(mine: Callable[[], Any], expected: Callable[[], Any], **tolerance: float) -> tuple[Any, Any] | None:
    """Compare two calls, results and errors; None where both raise."""
    try:
        answer = expected()
    except Exception as error:
        try:
            mine()
        except Exception as own:
            builtin = next(c for c in type(error).__mro__ if c.__module__ == "builtins")
            assert isinstance(own, builtin), (own, error)
            return None
        raise AssertionError(f"PyTorch raises {error!r}") from error
    own_answer = mine()
    same(own_answer, answer, **tolerance)
    return own_answer, answer
