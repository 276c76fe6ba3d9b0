"""Constraints: what values a parameter or a sample may have; ``constraint.check(value)`` is True where it may, one answer an event."""

from __future__ import annotations

from typing import Any

import dovetail as dv
from dovetail import Tensor

__all__ = [
    "Constraint", "boolean", "cat", "corr_cholesky", "dependent", "dependent_property", "greater_than", "greater_than_eq",
    "half_open_interval", "independent", "integer_interval", "interval", "is_dependent", "less_than", "lower_cholesky",
    "lower_triangular", "multinomial", "nonnegative", "nonnegative_integer", "one_hot", "positive", "positive_definite",
    "positive_integer", "positive_semidefinite", "real", "real_vector", "simplex", "square", "stack", "symmetric", "unit_interval",
]  # fmt: skip


class Constraint:
    """A set of values. ``event_dim`` counts the last dimensions that are judged together.

    >>> positive.check(dv.tensor([-1.0, 2.0]))
    tensor([False,  True])
    """

    is_discrete = False
    event_dim = 0

    def check(self, value: Tensor) -> Tensor:
        """Say, event by event, whether ``value`` is in the set."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return type(self).__name__.lstrip("_") + "()"


class _Dependent(Constraint):
    """A set that depends on other parameters, so that nothing can be checked."""

    def __init__(self, *, is_discrete: bool = False, event_dim: int = 0) -> None:
        self.is_discrete, self.event_dim = is_discrete, event_dim

    def __call__(self, *, is_discrete: bool = False, event_dim: int = 0) -> _Dependent:
        return _Dependent(is_discrete=is_discrete, event_dim=event_dim)

    def check(self, value: Tensor) -> Tensor:
        raise ValueError("constraints.dependent: what depends on other parameters cannot be checked; expected a constraint of its own")


class dependent_property(property, _Dependent):
    """A property of a class whose value is a constraint that depends on its instance."""

    def __init__(self, fn: Any = None, *, is_discrete: bool = False, event_dim: int = 0) -> None:
        super().__init__(fn)
        self.is_discrete, self.event_dim = is_discrete, event_dim

    def __call__(self, fn: Any) -> dependent_property:  # type: ignore[override]
        return dependent_property(fn, is_discrete=self.is_discrete, event_dim=self.event_dim)


def is_dependent(constraint: Any) -> bool:
    """Say whether a constraint depends on other parameters."""
    return isinstance(constraint, _Dependent)


class _Test(Constraint):
    """A constraint that one function of the value decides."""

    def __init__(self, name: str, test: Any, event_dim: int = 0, is_discrete: bool = False, **about: Any) -> None:
        self._name, self._test, self._about = name, test, about
        self.event_dim, self.is_discrete = event_dim, is_discrete
        self.__dict__.update(about)

    def check(self, value: Tensor) -> Tensor:
        return self._test(value)

    def __repr__(self) -> str:
        bounds = ", ".join(f"{key}={value}" for key, value in self._about.items())
        return f"{self._name}({bounds})" if bounds else f"{self._name}()"


def greater_than(lower_bound: Any) -> Constraint:
    """Values above a bound."""
    return _Test("GreaterThan", lambda v: lower_bound < v, lower_bound=lower_bound)


def greater_than_eq(lower_bound: Any) -> Constraint:
    """Values at or above a bound."""
    return _Test("GreaterThanEq", lambda v: lower_bound <= v, lower_bound=lower_bound)


def less_than(upper_bound: Any) -> Constraint:
    """Values below a bound."""
    return _Test("LessThan", lambda v: v < upper_bound, upper_bound=upper_bound)


def interval(lower_bound: Any, upper_bound: Any) -> Constraint:
    """Values between two bounds, both included."""
    return _Test("Interval", lambda v: (lower_bound <= v) & (v <= upper_bound), lower_bound=lower_bound, upper_bound=upper_bound)


def half_open_interval(lower_bound: Any, upper_bound: Any) -> Constraint:
    """Values from one bound up to, but not at, another."""
    return _Test("HalfOpenInterval", lambda v: (lower_bound <= v) & (v < upper_bound), lower_bound=lower_bound, upper_bound=upper_bound)


def integer_interval(lower_bound: Any, upper_bound: Any) -> Constraint:
    """Whole numbers between two bounds, both included."""

    def test(v: Tensor) -> Tensor:
        return (v % 1 == 0) & (lower_bound <= v) & (v <= upper_bound)

    return _Test("IntegerInterval", test, is_discrete=True, lower_bound=lower_bound, upper_bound=upper_bound)


def multinomial(upper_bound: Any) -> Constraint:
    """Vectors of counts whose sum is ``upper_bound`` at most."""
    return _Test("Multinomial", lambda v: (v >= 0).all(dim=-1) & (v.sum(dim=-1) <= upper_bound), 1, True)


class independent(Constraint):
    """A constraint whose last dimensions are judged together: all must fit."""

    def __init__(self, base_constraint: Constraint, reinterpreted_batch_ndims: int) -> None:
        self.base_constraint, self.reinterpreted_batch_ndims = base_constraint, reinterpreted_batch_ndims
        self.is_discrete = base_constraint.is_discrete
        self.event_dim = base_constraint.event_dim + reinterpreted_batch_ndims

    def check(self, value: Tensor) -> Tensor:
        result = self.base_constraint.check(value)
        n = self.reinterpreted_batch_ndims
        if result.dim() < n:
            raise ValueError(f"constraints.independent: the value has {value.dim()} dimensions; expected {self.event_dim} or more")
        return result.reshape(result.shape[: result.dim() - n] + (-1,)).all(-1)

    def __repr__(self) -> str:
        return f"IndependentConstraint({self.base_constraint!r}, {self.reinterpreted_batch_ndims})"


class _Parts(Constraint):
    """Several constraints, one for each part along a dimension."""

    def __init__(self, constraints: Any, dim: int, lengths: Any) -> None:
        self.cseq, self.dim, self.lengths = list(constraints), dim, lengths
        self.is_discrete = any(c.is_discrete for c in self.cseq)
        inner = max(c.event_dim for c in self.cseq)
        self.event_dim = inner if lengths else inner + (dim + inner < 0)

    def check(self, value: Tensor) -> Tensor:
        if self.lengths is None:
            return dv.stack([c.check(part) for c, part in zip(self.cseq, value.unbind(self.dim), strict=True)], self.dim)
        parts = value.split(list(self.lengths), self.dim)
        return dv.cat([c.check(part) for c, part in zip(self.cseq, parts, strict=True)], self.dim)


def cat(cseq: Any, dim: int = 0, lengths: Any = None) -> Constraint:
    """A constraint for each stretch along ``dim``."""
    cseq = list(cseq)
    return _Parts(cseq, dim, [1] * len(cseq) if lengths is None else list(lengths))


def stack(cseq: Any, dim: int = 0) -> Constraint:
    """A constraint for each index along ``dim``."""
    return _Parts(cseq, dim, None)


def _lower(v: Tensor) -> Tensor:
    return (v.tril() == v).flatten(-2).all(-1)


def _symmetric(v: Tensor) -> Tensor:
    return _square(v) & dv.isclose(v, v.mT, atol=1e-6).flatten(-2).all(-1)


def _square(v: Tensor) -> Tensor:
    return dv.full(v.shape[:-2], v.shape[-2] == v.shape[-1], dtype=dv.bool)


def _definite(least: Any) -> Any:
    def test(v: Tensor) -> Tensor:
        return _symmetric(v) & least(dv.linalg.eigvalsh(v)).all(-1)

    return test


def _unit_rows(v: Tensor) -> Tensor:
    near = (v.norm(dim=-1) - 1).abs() < 1e-4
    return _lower(v) & (v.diagonal(dim1=-2, dim2=-1) > 0).all(-1) & near.all(-1)


dependent = _Dependent()
boolean = _Test("Boolean", lambda v: (v == 0) | (v == 1), is_discrete=True)
one_hot = _Test("OneHot", lambda v: ((v == 0) | (v == 1)).all(-1) & (v.sum(-1) == 1), 1, True)
nonnegative_integer = _Test("IntegerGreaterThan", lambda v: (v % 1 == 0) & (v >= 0), 0, True, lower_bound=0)
positive_integer = _Test("IntegerGreaterThan", lambda v: (v % 1 == 0) & (v >= 1), 0, True, lower_bound=1)
real = _Test("Real", lambda v: v == v)  # not NaN
real_vector = independent(real, 1)
positive = greater_than(0.0)
nonnegative = greater_than_eq(0.0)
unit_interval = interval(0.0, 1.0)
simplex = _Test("Simplex", lambda v: (v >= 0).all(dim=-1) & ((v.sum(-1) - 1).abs() < 1e-6), 1)
lower_triangular = _Test("LowerTriangular", _lower, 2)
lower_cholesky = _Test("LowerCholesky", lambda v: _lower(v) & (v.diagonal(dim1=-2, dim2=-1) > 0).all(-1), 2)
corr_cholesky = _Test("CorrCholesky", _unit_rows, 2)
square = _Test("Square", _square, 2)
symmetric = _Test("Symmetric", _symmetric, 2)
positive_definite = _Test("PositiveDefinite", _definite(lambda e: e > 0), 2)
positive_semidefinite = _Test("PositiveSemidefinite", _definite(lambda e: e >= 0), 2)
