"""dovetail-science beside PyTorch: distributions with the same seed, gradients, divergences, transforms; special functions; windows."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

pytest.importorskip("scipy")
import dovetail.distributions as ours
import torch
import torch.distributions as theirs

import dovetail as dv

CASES = {
    "Normal": ([0.0, 1.0], [1.0, 2.0]), "Laplace": ([0.0, 1.0], [1.0, 2.0]), "Cauchy": ([0.0, 1.0], [1.0, 2.0]),
    "Gumbel": ([0.0, 1.0], [1.0, 2.0]), "HalfNormal": ([1.0, 2.0],), "HalfCauchy": ([1.0, 2.0],), "LogNormal": ([0.0, 0.3], [0.5, 1.0]),
    "Uniform": ([0.0, 1.0], [2.0, 3.0]), "Exponential": ([0.5, 2.0],), "Gamma": ([0.5, 3.0], [1.0, 2.0]), "Chi2": ([1.0, 5.0],),
    "Beta": ([0.5, 3.0], [1.0, 2.0]), "Dirichlet": ([0.5, 3.0, 1.0],), "StudentT": ([3.0, 5.0], [0.0, 1.0], [1.0, 2.0]),
    "Bernoulli": ([0.2, 0.7],), "ContinuousBernoulli": ([0.2, 0.5],), "Geometric": ([0.2, 0.7],), "Poisson": ([0.5, 4.0],),
    "Binomial": (5, [0.2, 0.7]), "NegativeBinomial": (5, [0.2, 0.7]), "Categorical": ([[0.1, 0.9], [0.5, 0.5]],),
    "OneHotCategorical": ([[0.1, 0.9], [0.5, 0.5]],), "OneHotCategoricalStraightThrough": ([[0.1, 0.9], [0.5, 0.5]],),
    "Multinomial": (5, [[0.1, 0.9], [0.5, 0.5]]), "MultivariateNormal": ([0.0, 1.0], [[2.0, 0.3], [0.3, 1.0]]),
    "RelaxedBernoulli": (0.5, [0.2, 0.7]), "RelaxedOneHotCategorical": (0.5, [[0.1, 0.9], [0.5, 0.5]]),
}  # fmt: skip


def made(lib, space, name, grad=False):
    """A distribution, and its parameters that are lists as tensors that want gradients."""
    args = [lib.tensor(a, dtype=lib.float64, requires_grad=grad) if isinstance(a, list) else a for a in CASES[name]]
    args = [lib.tensor(a) if isinstance(a, float) else a for a in args]
    return getattr(space, name)(*args), [a for a in args if isinstance(a, lib.Tensor) and a.requires_grad]


def seeded(distribution, lib, method="sample", shape=(4,)):
    lib.manual_seed(3)
    return getattr(distribution, method)(shape)


def same(a, b, **tolerance):
    assert tuple(a.shape) == tuple(b.shape) and str(a.dtype).split(".")[-1] == str(b.dtype).split(".")[-1], (a.dtype, b.dtype)
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), **{"rtol": 1e-9, "atol": 1e-10, **tolerance})


@pytest.mark.parametrize("name", CASES)
def test_distributions(name):
    (p, _), (q, _) = made(dv, ours, name), made(torch, theirs, name)
    assert p.batch_shape == tuple(q.batch_shape) and p.event_shape == tuple(q.event_shape)
    assert repr(p).replace("dovetail.", "torch.") == repr(q) and repr(p.support).replace("dovetail.", "torch.") == repr(q.support)
    drawn = seeded(q, torch)
    same(seeded(p, dv), drawn)
    wide, other = p.expand((3, *p.batch_shape)), q.expand((3, *q.batch_shape))
    same(seeded(wide, dv), seeded(other, torch))
    value = dv.from_numpy(drawn.numpy())
    for method, arguments in (("log_prob", True), ("cdf", True), ("entropy", False), ("perplexity", False), ("enumerate_support", False)):
        try:
            expected = getattr(q, method)(drawn) if arguments else getattr(q, method)()
        except NotImplementedError:
            with pytest.raises(NotImplementedError):
                getattr(p, method)(value) if arguments else getattr(p, method)()
            continue
        same(getattr(p, method)(value) if arguments else getattr(p, method)(), expected)
    for attribute in ("mean", "mode", "variance", "stddev"):
        try:
            expected = getattr(q, attribute)
        except NotImplementedError:
            continue
        same(getattr(p, attribute), expected)
    assert (p.has_rsample, p.has_enumerate_support) == (q.has_rsample, q.has_enumerate_support)


@pytest.mark.parametrize("name", CASES)
def test_gradients(name):
    (p, mine), (q, yours) = made(dv, ours, name, grad=True), made(torch, theirs, name, grad=True)
    value = seeded(q, torch).detach()
    for distribution, v in ((p, dv.from_numpy(value.numpy())), (q, value)):
        distribution.log_prob(v).sum().backward()
    for a, b in zip(mine, yours, strict=True):
        same(a.grad, b.grad)
    if not q.has_rsample:
        return
    (p, mine), (q, yours) = made(dv, ours, name, grad=True), made(torch, theirs, name, grad=True)
    for distribution, lib in ((p, dv), (q, torch)):
        (seeded(distribution, lib, "rsample") ** 2).sum().backward()
    # PyTorch approximates the slope of gamma draws to about three digits; ours is exact
    tolerance = {"rtol": 2e-3} if name in ("Gamma", "Chi2", "Beta", "Dirichlet", "StudentT") else {}
    for a, b in zip(mine, yours, strict=True):
        same(a.grad, b.grad, **tolerance)


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


def test_divergences():
    compared = 0
    for a, b in itertools.product(CASES, CASES):
        try:
            expected = theirs.kl_divergence(made(torch, theirs, a)[0], made(torch, theirs, b)[0])
        except (NotImplementedError, ValueError, RuntimeError):
            continue
        try:
            found = ours.kl_divergence(made(dv, ours, a)[0], made(dv, ours, b)[0])
        except NotImplementedError:
            continue
        same(found, expected)
        compared += 1
    assert compared >= 25


def test_divergences_of_joined_distributions():
    def both(lib, space):
        normal = space.Normal(lib.zeros(3), lib.ones(3)), space.Normal(lib.ones(3), 2 * lib.ones(3))
        squashed = [space.TransformedDistribution(n, [space.TanhTransform()]) for n in normal]
        return space.kl_divergence(*(space.Independent(n, 1) for n in normal)), space.kl_divergence(*squashed)

    for a, b in zip(both(dv, ours), both(torch, theirs), strict=True):
        same(a, b, rtol=1e-6)


TRANSFORMS = [
    ("ExpTransform", ()), ("SigmoidTransform", ()), ("SoftplusTransform", ()), ("TanhTransform", ()), ("AffineTransform", (1.0, -2.0)),
    ("AffineTransform", (1.0, 2.0, 1)), ("PowerTransform", (2.0,)), ("StickBreakingTransform", ()), ("ReshapeTransform", ((4,), (2, 2))),
    ("AbsTransform", ()), ("SoftmaxTransform", ()),
]  # fmt: skip


@pytest.mark.parametrize(("name", "arguments"), TRANSFORMS)
def test_transforms(name, arguments):
    def results(lib, space):
        t = getattr(space.transforms, name)(*arguments)
        x = lib.tensor([[0.3, 0.1, 0.4, 0.2], [0.7, 0.2, 0.5, 0.9]], dtype=lib.float64)
        y = t(x)
        found = [y, t.inv(y)]
        if t.bijective:
            found += [t.log_abs_det_jacobian(x, y), t.inv.log_abs_det_jacobian(y, x)]
        chain = space.ComposeTransform([space.AffineTransform(0.1, 0.5), t])
        if t.bijective:
            found += [chain(x), chain.inv(chain(x)), chain.log_abs_det_jacobian(x, chain(x))]
        return found, (t.domain.event_dim, t.codomain.event_dim, t.bijective, tuple(t.forward_shape((3, 4))))

    (mine, about), (yours, expected) = results(dv, ours), results(torch, theirs)
    assert about == expected
    for a, b in zip(mine, yours, strict=True):
        same(a, b)


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
        mixture = space.MixtureSameFamily(mix, space.Normal(lib.tensor([-1.0, 0.0, 2.0]), lib.tensor([0.5, 1.0, 0.1])))
        several = space.MixtureSameFamily(mix, space.Independent(space.Normal(lib.arange(6.0).reshape(3, 2), lib.ones(3, 2)), 1))
        x = lib.tensor([0.0, 1.0, -3.0])
        return [
            mixture.sample((5,)),
            mixture.log_prob(x),
            mixture.cdf(x),
            mixture.mean,
            mixture.variance,
            several.sample((4,)),
            several.mean,
        ]

    for a, b in zip(run(dv, ours), run(torch, theirs), strict=True):
        same(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", sorted(set(torch.special.__all__) - {"gammainc", "gammaincc"}) + ["gammainc", "gammaincc"])
def test_special(name):
    def run(lib):
        x = lib.tensor(np.linspace(0.05, 0.95, 7).tolist(), dtype=lib.float64, requires_grad=True)
        f, more = getattr(lib.special, name), (x + 1.5).detach()
        if name == "polygamma":
            return x, f(2, x)
        if name == "multigammaln":
            return x, f(x + 3, 2)
        if name in ("log_softmax", "softmax", "logsumexp"):
            return x, f(x, 0)
        if name in ("gammainc", "gammaincc", "xlogy", "xlog1py", "zeta"):
            return x, f(more, x)
        return x, f(x, 3) if "polynomial" in name else f(x)

    (x, mine), (y, yours) = run(dv), run(torch)
    same(mine, yours)
    try:
        yours.sum().backward()
    except RuntimeError:
        return
    mine.sum().backward()
    same(x.grad, y.grad)


@pytest.mark.parametrize("name", dv.signal.windows.__all__)
def test_windows(name):
    import torch.signal.windows as windows

    more = {"a": [0.3, 0.4, 0.3]} if name == "general_cosine" else {}
    for length, sym in itertools.product((0, 1, 2, 5, 8), (True, False)):
        for kind in ("float32", "float64"):
            a = getattr(dv.signal.windows, name)(length, sym=sym, dtype=getattr(dv, kind), **more)
            b = getattr(windows, name)(length, sym=sym, dtype=getattr(torch, kind), **more)
            same(a, b, rtol=0, atol=1e-6 if kind == "float32" else 1e-14)
