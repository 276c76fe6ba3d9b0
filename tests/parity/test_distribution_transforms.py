"""Transforms, constraints, the registries from one to the other, and divergences, beside PyTorch."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

pytest.importorskip("scipy")
import torch
import torch.distributions as theirs

import dovetail as dv
import dovetail.distributions as ours

from .distribution_cases import CASES, both, made, same, seeded

LIBS = ((dv, ours), (torch, theirs))

CONSTRAINTS = {
    name: lambda c, name=name: getattr(c, name)
    for name in (
        "real positive nonnegative unit_interval simplex lower_cholesky positive_definite positive_semidefinite corr_cholesky boolean "
        "one_hot real_vector symmetric square lower_triangular nonnegative_integer positive_integer dependent"
    ).split()
} | {
    "greater_than": lambda c: c.greater_than(2.0),
    "greater_than_eq": lambda c: c.greater_than_eq(-1.0),
    "less_than": lambda c: c.less_than(3.0),
    "interval": lambda c: c.interval(-1.0, 2.0),
    "half_open_interval": lambda c: c.half_open_interval(0.0, 2.0),
    "integer_interval": lambda c: c.integer_interval(0, 3),
    "multinomial": lambda c: c.multinomial(3),
    "independent": lambda c: c.independent(c.positive, 1),
    "cat": lambda c: c.cat([c.positive, c.real], -1, [1, 2]),
    "cat of events": lambda c: c.cat([c.simplex, c.simplex], 0, [1, 1]),
    "stack": lambda c: c.stack([c.positive, c.real, c.unit_interval], -1),
    "stack of events": lambda c: c.stack([c.simplex, c.simplex], 0),
    "mixture": lambda c: c.MixtureSameFamilyConstraint(c.simplex),
}  # fmt: skip


def values():
    rng = np.random.default_rng(0)
    found = [rng.normal(size=shape) for shape in ((3,), (2, 3), (3, 3), (2, 3, 3), (), (1,), (6,), (4, 4), (2, 2, 2))]
    found += [
        np.eye(3),
        np.array([[1.0, 0.0], [0.6, 0.8]]),
        np.array([0.2, 0.3, 0.5]),
        np.array([0.0, 1.0, 0.0]),
        np.array([1.0, 2.0, 0.0]),
    ]
    found += [np.array(2.0), np.array([[2.0, 0.5], [0.5, 1.0]]), np.full((2, 2), np.nan), np.stack([np.eye(2), -np.eye(2)])]
    return [np.asarray(x) for x in found]


def compare(t, u, inputs=None, same_shape=True):
    """A transform of each library: what it says of itself, and what it does to many inputs."""
    for of in (lambda t: t, lambda t: t.inv):
        both(lambda of=of: repr(of(t)), lambda of=of: repr(of(u)))
        for name in ("bijective", "sign", "domain", "codomain"):
            both(lambda of=of, n=name: getattr(of(t), n), lambda of=of, n=name: getattr(of(u), n))
    both(lambda: t.event_dim, lambda: u.event_dim)
    assert t.inv is t.inv and t.inv.inv is t
    for x in values() if inputs is None else inputs:
        mine, yours = dv.from_numpy(np.array(x)).requires_grad_(), torch.from_numpy(np.array(x)).requires_grad_()
        for of, name in itertools.product((lambda t: t, lambda t: t.inv), ("forward_shape", "inverse_shape")):
            both(lambda: tuple(getattr(of(t), name)(mine.shape)), lambda: tuple(getattr(of(u), name)(yours.shape)))  # noqa: B023
        made = both(lambda: t(mine), lambda: u(yours))  # noqa: B023
        if made is None:
            continue
        a, b = made
        if np.isfinite(b.detach().numpy()).all():  # PyTorch's factorizations refuse NaN in words of their own
            both(lambda: t.inv(a), lambda: u.inv(b), rtol=1e-6, atol=1e-7)  # noqa: B023
        both(lambda: t.log_abs_det_jacobian(mine, a), lambda: u.log_abs_det_jacobian(yours, b), rtol=1e-6)  # noqa: B023
        both(lambda: t.inv.log_abs_det_jacobian(a, mine), lambda: u.inv.log_abs_det_jacobian(b, yours), rtol=1e-6)  # noqa: B023
        if b.requires_grad:
            (a**2).sum().backward()
            (b**2).sum().backward()
            if yours.grad is not None and np.isfinite(yours.grad.numpy()).all():
                same(mine.grad, yours.grad, rtol=1e-7)


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_constraints(name):
    mine, expected = (CONSTRAINTS[name](space.constraints) for _, space in LIBS)
    assert repr(mine) == repr(expected)
    for attribute in ("is_discrete", "event_dim"):
        both(lambda: getattr(mine, attribute), lambda: getattr(expected, attribute))  # noqa: B023
    for x in values():
        both(lambda: mine.check(dv.from_numpy(np.array(x))), lambda: expected.check(torch.from_numpy(np.array(x))))  # noqa: B023


@pytest.mark.parametrize("name", CONSTRAINTS)
@pytest.mark.parametrize("registry", ["transform_to", "biject_to"])
def test_transforms_to_constraints(registry, name):
    mine, expected = (CONSTRAINTS[name](space.constraints) for _, space in LIBS)
    try:
        transform = getattr(theirs, registry)(expected)
    except NotImplementedError:
        with pytest.raises(NotImplementedError):
            getattr(ours, registry)(mine)
        return
    compare(getattr(ours, registry)(mine), transform)


def test_constraint_classes_and_registries_of_ones_own():
    for _, space in LIBS:
        c, table = space.constraints, space.constraint_registry.ConstraintRegistry()
        assert isinstance(c.positive, c.greater_than) and isinstance(c.unit_interval, c._Interval) and c._Real is type(c.real)
        assert issubclass(c._PositiveDefinite, c._Symmetric) and c.is_dependent(space.Uniform.support) and not c.is_dependent(c.real)

        @table.register(c.greater_than)
        def made(constraint, space=space):
            return space.AffineTransform(constraint.lower_bound, 1)

        assert table(c.positive).loc == 0.0
        with pytest.raises(TypeError, match="Expected constraint to be either a Constraint subclass or instance"):
            table.register(3, made)
        with pytest.raises(NotImplementedError, match="Cannot transform _Real constraints"):
            table(c.real)


TRANSFORMS = [
    lambda m, b: m.ExpTransform(), lambda m, b: m.SigmoidTransform(), lambda m, b: m.SoftplusTransform(), lambda m, b: m.TanhTransform(),
    lambda m, b: m.AbsTransform(), lambda m, b: m.SoftmaxTransform(), lambda m, b: m.StickBreakingTransform(),
    lambda m, b: m.LowerCholeskyTransform(), lambda m, b: m.PositiveDefiniteTransform(), lambda m, b: m.CorrCholeskyTransform(),
    lambda m, b: m.AffineTransform(1.0, -2.0), lambda m, b: m.AffineTransform(0, b.tensor(2.0), 1), lambda m, b: m.AffineTransform(0, 3, 2),
    lambda m, b: m.AffineTransform(b.tensor([1.0, 2.0, 3.0]), b.tensor([1.0, -2.0, 3.0]), 1), lambda m, b: m.PowerTransform(2.0),
    lambda m, b: m.PowerTransform(b.tensor([-1.0, 2.0, 0.5])), lambda m, b: m.ReshapeTransform((3,), (1, 3)),
    lambda m, b: m.IndependentTransform(m.ExpTransform(), 1), lambda m, b: m.identity_transform,
    lambda m, b: m.CatTransform([m.ExpTransform(), m.identity_transform, m.AffineTransform(1.0, 2.0)], -1),
    lambda m, b: m.CatTransform([m.ExpTransform(), m.StickBreakingTransform()], 0, [1, 1]),
    lambda m, b: m.StackTransform([m.ExpTransform(), m.identity_transform, m.TanhTransform()], -1),
    lambda m, b: m.ComposeTransform([m.AffineTransform(1.0, 0.5), m.ExpTransform()]),
    lambda m, b: m.ComposeTransform([m.SigmoidTransform(), m.IndependentTransform(m.AffineTransform(0.0, 2.0), 1)]),
    lambda m, b: m.CumulativeDistributionTransform(m.Normal(b.tensor(0.0), b.tensor(1.0))),
]  # fmt: skip
BASES = [
    lambda m, b: m.Normal(b.zeros(3), b.ones(3)), lambda m, b: m.Normal(0.0, 1.0), lambda m, b: m.Normal(b.zeros(2, 3), 1.0),
    lambda m, b: m.Independent(m.Normal(b.zeros(2, 3), 1.0), 1), lambda m, b: m.Normal(b.zeros(2, 3, 3), 1.0),
]  # fmt: skip
IDS = [repr(make(theirs, torch)).replace("\n", "") for make in TRANSFORMS]


@pytest.mark.parametrize("index", range(len(TRANSFORMS)), ids=IDS)
def test_transforms(index):
    t, u = (TRANSFORMS[index](space, lib) for lib, space in LIBS)
    inputs = [np.abs(x) for x in values()] if "Power" in repr(u) else None
    compare(t, u, inputs and [np.asarray(x) for x in inputs])
    for other in TRANSFORMS:
        assert (t == other(ours, dv)) == (u == other(theirs, torch))
    cached = t.with_cache(1), u.with_cache(1)
    assert cached[0]._cache_size == cached[1]._cache_size
    x = dv.full((3, 3), 0.3), torch.full((3, 3), 0.3)
    if t._cache_size != cached[0]._cache_size and (made := both(lambda: cached[0](x[0]), lambda: cached[1](x[1]))):
        assert (cached[0].inv(made[0]) is x[0]) == (cached[1].inv(made[1]) is x[1])


@pytest.mark.parametrize("index", range(len(TRANSFORMS)), ids=IDS)
def test_transformed_distributions(index):
    for base in BASES:
        pair = []
        for lib, space in LIBS:
            try:
                pair.append(space.TransformedDistribution(base(space, lib), [TRANSFORMS[index](space, lib)]))
            except Exception as error:
                pair.append(next(c for c in type(error).__mro__ if c.__module__ == "builtins"))
        p, q = pair
        if isinstance(q, type):
            assert p is q
            continue
        assert (p.batch_shape, p.event_shape, p.has_rsample) == (tuple(q.batch_shape), tuple(q.event_shape), q.has_rsample)
        assert repr(p) == repr(q)
        both(lambda: p.expand((4, *p.batch_shape)).batch_shape, lambda: q.expand((4, *q.batch_shape)).batch_shape)  # noqa: B023
        both(lambda: p.support, lambda: q.support)  # noqa: B023
        drawn = both(lambda: seeded(dv, p, "rsample", (2,)), lambda: seeded(torch, q, "rsample", (2,)))  # noqa: B023
        if drawn is None:
            continue
        value = drawn[1].detach().clone()
        own = dv.from_numpy(np.array(value.numpy()))
        both(lambda: p.log_prob(own), lambda: q.log_prob(value), rtol=1e-3, atol=1e-3)  # noqa: B023
        both(lambda: p.cdf(own), lambda: q.cdf(value), rtol=1e-3, atol=1e-3)  # noqa: B023
        both(lambda: p.icdf(dv.tensor(0.3)), lambda: q.icdf(torch.tensor(0.3)))  # noqa: B023


def test_pairs_with_a_divergence():
    def names(kl):
        return {(p.__name__, q.__name__) for p, q in kl._KL_REGISTRY}

    assert names(ours.kl) == names(theirs.kl)


@pytest.mark.filterwarnings("ignore:Singular sample detected")
@pytest.mark.parametrize("p", range(len(CASES)), ids=[f"{name}({', '.join(spec)})" for name, spec in CASES])
def test_divergences(p):
    """Of one distribution from every other: values, infinities, gradients, and which have none."""
    for q, shape in itertools.product(range(len(CASES)), ((), (3, 2))):
        found = []
        for lib, space in LIBS:
            (a, mine), (b, yours) = (made(lib, case, shape, "float64", grad=True) for case in (p, q))
            found.append((lambda space=space, a=a, b=b: space.kl_divergence(a, b), [*mine, *yours]))
        (own, leaves), (expected, others) = found
        result = both(own, expected, rtol=1e-8)
        if result is None or not result[1].requires_grad:
            continue
        for one in result:
            one.sum().backward()
        for a, b in zip(leaves, others, strict=True):
            if a.grad is not None and b.grad is not None:
                same(a.grad, b.grad, rtol=1e-7)
            else:  # a parameter that plays no part may have no gradient, or one of zeros
                assert all(one.grad is None or not one.grad.any() for one in (a, b))


def test_divergences_at_the_edges():
    for name, points in (("Bernoulli", (0.0, 1.0, 0.5)), ("Geometric", (1.0, 0.5)), ("Categorical", ([0.0, 1.0], [1.0, 0.0], [0.5, 0.5]))):
        for a, b in itertools.product(points, points):
            results = [space.kl_divergence(*(getattr(space, name)(lib.tensor(v)) for v in (a, b))) for lib, space in LIBS]
            same(*results)


def test_triangles():
    for n, diag in itertools.product((1, 2, 4), (-2, -1, 0, 1)):
        x = np.arange(2.0 * n * n).reshape(2, n, n)
        made = both(
            lambda: ours.utils.tril_matrix_to_vec(dv.from_numpy(x), diag),  # noqa: B023
            lambda: theirs.utils.tril_matrix_to_vec(torch.from_numpy(x), diag),  # noqa: B023
        )
        if made:
            both(lambda: ours.utils.vec_to_tril_matrix(made[0], diag), lambda: theirs.utils.vec_to_tril_matrix(made[1], diag))  # noqa: B023
