"""dovetail.distributions beside PyTorch, one distribution after the other: the same seed, the same numbers, gradients, checks and texts."""

from __future__ import annotations

import importlib
import itertools
import math
import pkgutil
import warnings

import numpy as np
import pytest

pytest.importorskip("scipy")
import torch
import torch.distributions as theirs

import dovetail as dv
import dovetail.distributions as ours

from .distribution_cases import CASES, SHAPES, both, made, same, seeded

NAMES = [f"{name}({', '.join(spec)})" for name, spec in CASES]
# draws through a gamma variable: PyTorch approximates their slopes to about three digits
OF_GAMMA = {"Gamma", "Chi2", "Beta", "Dirichlet", "StudentT", "FisherSnedecor", "InverseGamma"}
# PyTorch's GeneralizedPareto takes float32 alone (isclose with a float32 zero)
KINDS = {"GeneralizedPareto": "float32"}

pytestmark = pytest.mark.filterwarnings("ignore:Singular sample detected")


def pairs(case, shapes=SHAPES, **options):
    kind = KINDS.get(CASES[case][0], "float64")
    for shape in shapes:
        try:
            expected = made(torch, case, shape, kind, **options)
        except RuntimeError:  # an empty batch
            with pytest.raises(RuntimeError):
                made(dv, case, shape, kind, **options)
            continue
        yield made(dv, case, shape, kind, **options), expected


def test_names():
    assert set(ours.__all__) == set(theirs.__all__)
    for module in pkgutil.iter_modules(theirs.__path__):
        mine, expected = (importlib.import_module(f"{root}.distributions.{module.name}") for root in ("dovetail", "torch"))
        assert set(getattr(expected, "__all__", [])) <= set(dir(mine)), module.name


PRIVATE = """
normal _standard_normal, utils _standard_normal, utils _sum_rightmost, utils euler_constant, gamma _standard_gamma, dirichlet _Dirichlet,
multivariate_normal _batch_mahalanobis, multivariate_normal _batch_mv, multivariate_normal _precision_to_scale_tril,
lowrank_multivariate_normal _batch_capacitance_tril, transforms _InverseTransform, kl _KL_REGISTRY, kl _kl_normal_normal,
kl _kl_categorical_categorical, kl _kl_expfamily_expfamily, constraints _Interval, constraints _Real
"""


@pytest.mark.parametrize("line", [" ".join(line.split()) for line in PRIVATE.split(",")])
def test_private_names_that_programs_import(line):
    module, name = line.split()
    for root in ("torch", "dovetail"):
        assert hasattr(importlib.import_module(f"{root}.distributions.{module}"), name)


@pytest.mark.parametrize("case", range(len(CASES)), ids=NAMES)
def test_attributes(case):
    for (p, _), (q, _) in pairs(case):
        assert repr(p).replace("dovetail.", "torch.") == repr(q)
        assert (p.batch_shape, p.event_shape) == (tuple(q.batch_shape), tuple(q.event_shape))
        names = ["has_rsample", "has_enumerate_support", "support", "arg_constraints", "mean", "mode", "variance", "stddev"]
        names += [n for n in (*CASES[case][1], "probs", "logits", "loc", "scale", "param_shape") if hasattr(q, n)]
        names += [n for n in ("covariance_matrix", "precision_matrix", "scale_tril") if hasattr(q, n)]
        for name in names:
            both(lambda p=p, name=name: getattr(p, name), lambda q=q, name=name: getattr(q, name))
        for method, arguments in (("entropy", ()), ("perplexity", ()), ("enumerate_support", (True,)), ("enumerate_support", (False,))):
            both(lambda p=p, m=method, a=arguments: getattr(p, m)(*a), lambda q=q, m=method, a=arguments: getattr(q, m)(*a))


@pytest.mark.parametrize("case", range(len(CASES)), ids=NAMES)
def test_draws_and_probabilities(case):
    for (p, _), (q, _) in pairs(case):
        for method, shape in itertools.product(("sample", "rsample"), ((), (4,), (2, 3))):
            both(lambda p=p, m=method, s=shape: seeded(dv, p, m, s), lambda q=q, m=method, s=shape: seeded(torch, q, m, s))
        try:
            drawn = seeded(torch, q)
        except IndexError:  # the Wishart of an empty batch
            continue
        uniform = torch.linspace(0.05, 0.95, max(drawn.numel(), 1), dtype=drawn.dtype)[: drawn.numel()].reshape(drawn.shape)
        odd = [drawn, drawn + 0.5, drawn[None, None], torch.full_like(drawn, 1), torch.zeros(7, 5, dtype=drawn.dtype)]
        odd += [torch.full(drawn.shape, x, dtype=torch.float64).to(drawn.dtype) for x in (-1.5, 0.0)]
        for value, method in itertools.product(odd, ("log_prob", "cdf")):
            own = dv.from_numpy(np.array(value.numpy()))
            both(lambda p=p, m=method, v=own: getattr(p, m)(v), lambda q=q, m=method, v=value: getattr(q, m)(v))
        both(lambda p=p, u=uniform: p.icdf(dv.from_numpy(np.array(u.numpy()))), lambda q=q, u=uniform: q.icdf(u))


@pytest.mark.parametrize("case", range(len(CASES)), ids=NAMES)
def test_expanded(case):
    for (p, _), (q, _) in pairs(case):
        shape = (5, *q.batch_shape)
        wide, other = p.expand(shape), q.expand(shape)
        assert type(wide) is type(p) and repr(wide).replace("dovetail.", "torch.") == repr(other)
        for name in ("batch_shape", "event_shape", "mean", "variance", "support"):
            both(lambda p=wide, n=name: getattr(p, n), lambda q=other, n=name: getattr(q, n))
        both(lambda p=wide: seeded(dv, p), lambda q=other: seeded(torch, q))


@pytest.mark.parametrize("case", range(len(CASES)), ids=NAMES)
def test_gradients(case):
    tolerance = {"rtol": 5e-3, "atol": 1e-3} if CASES[case][0] in OF_GAMMA else {}
    for (p, mine), (q, yours) in pairs(case, SHAPES[:-1], grad=True):
        value = seeded(torch, q).detach()
        results = [(lambda d, v: d.log_prob(v), {})]
        if q.has_rsample and CASES[case][0] != "Wishart":  # PyTorch's own Wishart changes what its gradient needs
            results.append((lambda d, v: seeded(torch if isinstance(d, theirs.Distribution) else dv, d, "rsample") ** 2, tolerance))
        for result, wide in results:
            outs = [result(d, v) for d, v in ((p, dv.from_numpy(np.array(value.numpy()))), (q, value))]
            for out in outs:
                out.sum().backward(retain_graph=True)
            for a, b in zip(mine, yours, strict=True):
                assert (a.grad is None) == (b.grad is None)
                if b.grad is not None:
                    same(a.grad, b.grad, **wide)
                a.grad = b.grad = None


POOL = [
    lambda b: 1.0, lambda b: 2, lambda b: -1.0, lambda b: 0.5, lambda b: math.nan, lambda b: b.tensor(0.5), lambda b: b.tensor([0.5, 0.25]),
    lambda b: b.tensor([0.5, -0.25]), lambda b: b.tensor([[0.2, 0.8], [0.4, 0.6]]), lambda b: None, lambda b: "x", lambda b: b.eye(2),
    lambda b: b.tensor([0.1, 0.2, 0.7]),
]  # fmt: skip


@pytest.mark.parametrize("name", sorted({name for name, _ in CASES} - {"LKJCholesky"}))
def test_what_constructors_take(name):
    """Plain numbers, tensors of other shapes, and values that are none: what is made, what is refused, and in which words."""
    needed = len(next(spec for n, spec in CASES if n == name))
    for makers in itertools.product(POOL, repeat=min(needed, 2)):
        texts = []
        for lib, space in ((dv, ours), (torch, theirs)):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                try:
                    texts.append((repr(getattr(space, name)(*(m(lib) for m in makers))).replace("dovetail.", "torch."), len(caught)))
                except Exception as error:
                    texts.append(error)
        mine, expected = texts
        if not isinstance(expected, Exception):
            assert mine == expected
            continue
        assert isinstance(mine, Exception), (mine, expected)
        assert isinstance(mine, next(c for c in type(expected).__mro__ if c.__module__ == "builtins")), (mine, expected)
        if str(expected).startswith("Expected parameter"):
            assert str(expected) in str(mine).replace("dovetail.", "torch.")


def test_the_slope_of_gamma_draws_is_that_of_the_quantile():
    from scipy.special import gammainc, gammaincinv

    for a in (0.3, 2.0, 50.0):
        alpha = dv.tensor(a, dtype=dv.float64, requires_grad=True)
        dv.manual_seed(1)
        x = ours.Gamma(alpha, dv.tensor(1.0, dtype=dv.float64)).rsample()
        x.backward()
        h = 1e-3 * a
        p = gammainc(a, x.item())
        points = [gammaincinv(a + k * h, p) for k in (-2, -1, 1, 2)]
        expected = (points[0] - 8 * points[1] + 8 * points[2] - points[3]) / (12 * h)
        assert math.isclose(alpha.grad.item(), expected, rel_tol=1e-6)


def test_gamma_draws_leave_the_stream_where_pytorch_does():
    """Few draws and many, shapes below and above 1, with other draws between them."""

    def run(lib, space):
        lib.manual_seed(11)
        found = []
        for n, a in ((100, 0.3), (17, 2.0), (16, 0.9), (15, 5.0), (500, 0.05), (41, 3.0), (1, 1.0), (57, 0.7)):
            found.append(space.Gamma(lib.tensor(a, dtype=lib.float64), lib.tensor(1.0, dtype=lib.float64)).sample((n,)))
            found.append(lib.rand(3, dtype=lib.float64))
            if n % 2:  # a pair of normal numbers, of which one is kept
                found.append(lib.randn((), dtype=lib.float64))
            found.append(space.Dirichlet(lib.tensor([a, 0.5, 2.0], dtype=lib.float64)).sample((n // 3,)))
            found += [lib.randn(5), lib.randperm(7)]
        return found

    for a, b in zip(run(dv, ours), run(torch, theirs), strict=True):
        same(a, b)


def test_values_of_another_type():
    """A float32 value among float64 parameters and the other way round, for all; Bernoulli's answer has the value's type."""
    for case, kinds in itertools.product(range(len(CASES)), (("float64", "float32"), ("float32", "float64"))):
        if CASES[case][0] in ("GeneralizedPareto", "MultivariateNormal", "LowRankMultivariateNormal", "Wishart"):  # one type, in LAPACK
            continue
        (p, _), (q, _) = (made(lib, case, (2,), kinds[0]) for lib in (dv, torch))
        value = seeded(torch, q).to(getattr(torch, kinds[1])) if seeded(torch, q).is_floating_point() else seeded(torch, q)
        own = dv.from_numpy(np.array(value.numpy()))
        for method in ("log_prob", "cdf"):
            both(lambda p=p, m=method, v=own: getattr(p, m)(v), lambda q=q, m=method, v=value: getattr(q, m)(v), rtol=1e-3, atol=1e-4)


def test_squashed_policies():
    """What soft actor-critic does: a reparameterized draw through tanh, and its log-probability, with gradients."""

    def run(lib, space):
        lib.manual_seed(0)
        mean = lib.zeros(2, 3, dtype=lib.float64, requires_grad=True)
        base = space.Independent(space.Normal(mean, lib.ones(2, 3, dtype=lib.float64)), 1)
        policy = space.TransformedDistribution(base, [space.TanhTransform(cache_size=1)])
        action = policy.rsample()
        log_prob = policy.log_prob(action)
        (log_prob.sum() + action.sum()).backward()
        return action, log_prob, mean.grad

    for a, b in zip(run(dv, ours), run(torch, theirs), strict=True):
        same(a, b)


def test_mixtures():
    def run(lib, space):
        lib.manual_seed(0)
        mix = space.Categorical(lib.tensor([0.2, 0.3, 0.5]))
        parts = space.Normal(lib.tensor([-1.0, 0.0, 2.0]), lib.tensor([0.5, 1.0, 0.1]))
        mixture, several = (
            space.MixtureSameFamily(mix, parts),
            space.MixtureSameFamily(mix, space.Independent(space.Normal(lib.arange(6.0).reshape(3, 2), lib.ones(3, 2)), 1)),
        )
        batch = space.MixtureSameFamily(mix.expand((4,)), parts.expand((4, 3)))
        x = lib.tensor([0.0, 1.0, -3.0])
        found = [mixture.sample((5,)), mixture.log_prob(x), mixture.cdf(x), mixture.mean, mixture.variance, mixture.support]
        found += [several.sample((4,)), several.mean, several.variance, several.support, several]
        found += [batch.mean, batch.variance, batch.sample((2,)), batch.expand((3, 4)).sample(), batch.expand((3, 4)).mean, batch]
        return found

    for a, b in zip(run(dv, ours), run(torch, theirs), strict=True):
        same(a, b, rtol=1e-5, atol=1e-6)
