"""Constraints: what values a parameter or a sample may have; ``constraint.check(value)`` is True where it may, one answer an event."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import dovetail as dv
from dovetail import Tensor
from dovetail.errors import AssertedError, ValueRangeError

__all__ = [
    "Constraint", "MixtureSameFamilyConstraint", "boolean", "cat", "corr_cholesky", "dependent", "dependent_property", "greater_than",
    "greater_than_eq", "half_open_interval", "independent", "integer_interval", "interval", "is_dependent", "less_than",
    "lower_cholesky", "lower_triangular", "multinomial", "nonnegative", "nonnegative_integer", "one_hot", "positive",
    "positive_definite", "positive_integer", "positive_semidefinite", "real", "real_vector", "simplex", "square", "stack", "symmetric",
    "unit_interval",
]  # fmt: skip


class Constraint:
    """A set of values. ``event_dim`` counts the last dimensions that are judged together.

    >>> positive.check(dv.tensor([-1.0, 2.0]))
    tensor([False,  True])
    """

    is_discrete: Any = False
    event_dim: Any = 0

    def check(self, value: Tensor) -> Tensor:
        """Say, event by event, whether ``value`` is in the set."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return type(self).__name__[1:] + "()"


def _static(name: str) -> property:
    """An attribute that is known only if it was given."""

    def get(self: Any) -> Any:
        value = self.__dict__[f"_{name}"]
        if value is NotImplemented:
            raise NotImplementedError(f".{name} cannot be determined statically")
        return value

    return property(get)


class _Dependent(Constraint):
    """A set that depends on other parameters, so that nothing can be checked."""

    is_discrete, event_dim = _static("is_discrete"), _static("event_dim")

    def __init__(self, *, is_discrete: Any = NotImplemented, event_dim: Any = NotImplemented) -> None:
        self._is_discrete, self._event_dim = is_discrete, event_dim

    def __call__(self, *, is_discrete: Any = NotImplemented, event_dim: Any = NotImplemented) -> _Dependent:
        discrete = self._is_discrete if is_discrete is NotImplemented else is_discrete
        return _Dependent(is_discrete=discrete, event_dim=self._event_dim if event_dim is NotImplemented else event_dim)

    def check(self, value: Tensor) -> Tensor:
        raise ValueRangeError("constraints.dependent", "Cannot determine validity of dependent constraint", "expected one of its own")


class _DependentProperty(property, _Dependent):
    """A property of a class whose value is a constraint that depends on its instance."""

    def __init__(self, fn: Callable[..., Any] | None = None, *, is_discrete: Any = NotImplemented, event_dim: Any = NotImplemented) -> None:
        super().__init__(fn)
        self._is_discrete, self._event_dim = is_discrete, event_dim

    def __call__(self, fn: Callable[..., Any]) -> _DependentProperty:  # type: ignore[override]
        return _DependentProperty(fn, is_discrete=self._is_discrete, event_dim=self._event_dim)


def is_dependent(constraint: Any) -> bool:
    """Say whether a constraint depends on other parameters."""
    return isinstance(constraint, _Dependent)


def _asserted(holds: bool, where: str, what: str) -> None:
    if not holds:
        raise AssertedError(f"constraints.{where}", what)


def _wide_enough(value: Tensor, dims: int, where: str) -> None:
    if value.dim() < dims:
        raise ValueRangeError(f"constraints.{where}", f"Expected value.dim() >= {dims} but got {value.dim()}")


class _Around(Constraint):
    """A constraint made of another one."""

    base_constraint: Constraint

    @property
    def is_discrete(self) -> bool:  # type: ignore[override]
        return self.base_constraint.is_discrete

    @property
    def event_dim(self) -> int:  # type: ignore[override]
        return self.base_constraint.event_dim


class _IndependentConstraint(_Around):
    """A constraint whose last dimensions are judged together: all must fit."""

    def __init__(self, base_constraint: Constraint, reinterpreted_batch_ndims: int) -> None:
        _asserted(isinstance(base_constraint, Constraint), "independent", f"base_constraint is {type(base_constraint).__name__}")
        whole = isinstance(reinterpreted_batch_ndims, int) and reinterpreted_batch_ndims >= 0
        _asserted(whole, "independent", f"reinterpreted_batch_ndims is {reinterpreted_batch_ndims!r}; expected an int of 0 or more")
        self.base_constraint, self.reinterpreted_batch_ndims = base_constraint, reinterpreted_batch_ndims

    @property
    def event_dim(self) -> int:  # type: ignore[override]
        return self.base_constraint.event_dim + self.reinterpreted_batch_ndims

    def check(self, value: Tensor) -> Tensor:
        result, n = self.base_constraint.check(value), self.reinterpreted_batch_ndims
        if result.dim() < n:
            _wide_enough(value, self.event_dim, "independent")
        return result.reshape(result.shape[: result.dim() - n] + (-1,)).all(-1)

    def __repr__(self) -> str:
        return f"IndependentConstraint({self.base_constraint!r}, {self.reinterpreted_batch_ndims})"


class MixtureSameFamilyConstraint(_Around):
    """The constraint of a mixture: a value must fit every component, which stand in one more dimension."""

    def __init__(self, base_constraint: Constraint) -> None:
        _asserted(isinstance(base_constraint, Constraint), "MixtureSameFamilyConstraint", f"got {type(base_constraint).__name__}")
        self.base_constraint = base_constraint

    def check(self, value: Tensor) -> Tensor:
        result = self.base_constraint.check(value.unsqueeze(-1 - self.event_dim))
        _wide_enough(value, self.event_dim, "MixtureSameFamilyConstraint")
        return result.reshape(result.shape[: value.dim() - self.event_dim] + (-1,)).all(-1)

    def __repr__(self) -> str:
        return f"MixtureSameFamilyConstraint({self.base_constraint!r})"


class _Above(Constraint):
    """A constraint with a lower bound."""

    def __init__(self, lower_bound: Any) -> None:
        self.lower_bound = lower_bound

    def __repr__(self) -> str:
        return f"{type(self).__name__[1:]}({', '.join(f'{name}={value}' for name, value in self.__dict__.items())})"


class _Below(_Above):
    """A constraint with an upper bound."""

    def __init__(self, upper_bound: Any) -> None:
        self.upper_bound = upper_bound


class _Between(_Above):
    """A constraint with both bounds."""

    def __init__(self, lower_bound: Any, upper_bound: Any) -> None:
        self.lower_bound, self.upper_bound = lower_bound, upper_bound


def _set(name: str, base: type, summary: str, check: Callable[[Any, Tensor], Tensor], event_dim: int = 0, is_discrete: bool = False) -> Any:
    """A class of constraints that one function of the constraint and the value decides."""
    about = {"__doc__": summary, "__module__": __name__, "check": check, "event_dim": event_dim, "is_discrete": is_discrete}
    return type(name, (base,), about)


def _whole(v: Tensor) -> Tensor:
    return v % 1 == 0 if v.is_floating_point() else v == v


def _lower(v: Tensor) -> Tensor:
    return (v.tril() == v).flatten(-2).all(-1)


def _lower_positive(v: Tensor) -> Tensor:
    return _lower(v) & (v.diagonal(dim1=-2, dim2=-1) > 0).all(-1)


def _unit_rows(v: Tensor) -> Tensor:
    near = dv.finfo(v.dtype).eps * v.size(-1) * 10
    return _lower_positive(v) & ((dv.linalg.norm(v.detach(), dim=-1) - 1.0).abs() <= near).all(dim=-1)


def _is_square(v: Tensor) -> Tensor:
    return dv.full(v.shape[:-2], v.shape[-2] == v.shape[-1], dtype=dv.bool, device=v.device)


def _is_symmetric(v: Tensor) -> Tensor:
    square = _is_square(v)
    return dv.isclose(v, v.mT, atol=1e-6).all(-2).all(-1) if bool(square.all()) else square


def _definite(test: Callable[[Tensor], Tensor]) -> Callable[[Any, Tensor], Tensor]:
    def check(self: Any, v: Tensor) -> Tensor:
        symmetric = _is_symmetric(v)
        return test(v) if bool(symmetric.all()) else symmetric

    return check


def _has_factor(v: Tensor) -> Tensor:
    """Where a Cholesky factor exists, matrix by matrix if not everywhere."""
    try:
        dv.linalg.cholesky(v.detach())
    except RuntimeError:
        if v.dim() == 2:
            return dv.zeros((), dtype=dv.bool, device=v.device)
        return dv.stack([_has_factor(one) for one in v])
    return dv.ones(v.shape[:-2], dtype=dv.bool, device=v.device)


class _Parts(Constraint):
    """Several constraints, one for each part along a dimension."""

    def __init__(self, cseq: Sequence[Constraint], dim: int = 0) -> None:
        _asserted(all(isinstance(c, Constraint) for c in cseq), type(self).__name__[1:].lower(), f"cseq is {cseq!r}; expected constraints")
        self.cseq, self.dim = list(cseq), dim

    @property
    def is_discrete(self) -> bool:  # type: ignore[override]
        return any(c.is_discrete for c in self.cseq)

    @property
    def event_dim(self) -> int:  # type: ignore[override]
        return max(c.event_dim for c in self.cseq)

    def check(self, value: Tensor) -> Tensor:
        inside = -value.dim() <= self.dim < value.dim()
        _asserted(inside, type(self).__name__[1:].lower(), f"dim {self.dim} is out of range for a value of {value.dim()} dimensions")
        return self._check(value)

    def _check(self, value: Tensor) -> Tensor:
        raise NotImplementedError


class _Cat(_Parts):
    """A constraint for each stretch of ``lengths`` along ``dim``."""

    def __init__(self, cseq: Sequence[Constraint], dim: int = 0, lengths: Sequence[int] | None = None) -> None:
        super().__init__(cseq, dim)
        self.lengths = [1] * len(self.cseq) if lengths is None else list(lengths)
        _asserted(len(self.lengths) == len(self.cseq), "cat", f"{len(self.lengths)} lengths for {len(self.cseq)} constraints")

    def _check(self, value: Tensor) -> Tensor:
        starts = [sum(self.lengths[:i]) for i in range(len(self.lengths))]
        parts = zip(self.cseq, starts, self.lengths, strict=True)
        return dv.cat([c.check(value.narrow(self.dim, start, length)) for c, start, length in parts], self.dim)


class _Stack(_Parts):
    """A constraint for each index along ``dim``."""

    @property
    def event_dim(self) -> int:  # type: ignore[override]
        inner = max(c.event_dim for c in self.cseq)
        return inner + (self.dim + inner < 0)

    def _check(self, value: Tensor) -> Tensor:
        return dv.stack([c.check(part) for c, part in zip(self.cseq, value.unbind(self.dim), strict=False)], self.dim)


dependent = _Dependent()
dependent_property = _DependentProperty
independent = _IndependentConstraint
cat = _Cat
stack = _Stack

_GreaterThan = greater_than = _set("_GreaterThan", _Above, "Values above a bound.", lambda self, v: self.lower_bound < v)
_GreaterThanEq = greater_than_eq = _set(
    "_GreaterThanEq", _Above, "Values at or above a bound.", lambda self, v: self.lower_bound <= v
)  # fmt: skip
_LessThan = less_than = _set("_LessThan", _Below, "Values below a bound.", lambda self, v: v < self.upper_bound)
_Interval = interval = _set(
    "_Interval", _Between, "Values between two bounds, both included.",
    lambda self, v: (self.lower_bound <= v) & (v <= self.upper_bound),
)  # fmt: skip
_HalfOpenInterval = half_open_interval = _set(
    "_HalfOpenInterval", _Between, "Values from one bound up to, but not at, another.",
    lambda self, v: (self.lower_bound <= v) & (v < self.upper_bound),
)  # fmt: skip
_IntegerInterval = integer_interval = _set(
    "_IntegerInterval", _Between, "Whole numbers between two bounds, both included.",
    lambda self, v: _whole(v) & (self.lower_bound <= v) & (v <= self.upper_bound), is_discrete=True,
)  # fmt: skip
_IntegerLessThan = _set(
    "_IntegerLessThan", _Below, "Whole numbers up to a bound.", lambda self, v: _whole(v) & (v <= self.upper_bound), is_discrete=True
)
_IntegerGreaterThan = _set(
    "_IntegerGreaterThan", _Above, "Whole numbers from a bound on.", lambda self, v: _whole(v) & (v >= self.lower_bound), is_discrete=True
)
_Multinomial = multinomial = _set(
    "_Multinomial", _Below, "Vectors of counts whose sum is ``upper_bound`` at most.",
    lambda self, v: (v >= 0).all(dim=-1) & (v.sum(dim=-1) <= self.upper_bound), 1, True,
)  # fmt: skip
_Multinomial.__repr__ = Constraint.__repr__  # it shows no bound in PyTorch

_Boolean = _set("_Boolean", Constraint, "0 and 1.", lambda self, v: (v == 0) | (v == 1), is_discrete=True)
_OneHot = _set("_OneHot", Constraint, "Vectors with a single 1.", lambda self, v: ((v == 0) | (v == 1)).all(-1) & v.sum(-1).eq(1), 1, True)
_Real = _set("_Real", Constraint, "All numbers; not NaN.", lambda self, v: v == v)
_Simplex = _set("_Simplex", Constraint, "Probabilities.", lambda self, v: (v >= 0).all(dim=-1) & ((v.sum(-1) - 1).abs() < 1e-6), 1)
_LowerTriangular = _set("_LowerTriangular", Constraint, "Lower triangular matrices.", lambda self, v: _lower(v), 2)
_LowerCholesky = _set("_LowerCholesky", Constraint, "Those with a positive diagonal.", lambda self, v: _lower_positive(v), 2)
_CorrCholesky = _set("_CorrCholesky", Constraint, "Those with rows of length 1.", lambda self, v: _unit_rows(v), 2)
_Square = _set("_Square", Constraint, "Square matrices.", lambda self, v: _is_square(v), 2)
_Symmetric = _set("_Symmetric", _Square, "Symmetric matrices.", lambda self, v: _is_symmetric(v), 2)
_PositiveSemidefinite = _set(
    "_PositiveSemidefinite", _Symmetric, "Those without negative eigenvalues.", _definite(lambda v: dv.linalg.eigvalsh(v).ge(0).all(-1)), 2
)
_PositiveDefinite = _set("_PositiveDefinite", _Symmetric, "Those with a Cholesky factor.", _definite(_has_factor), 2)

boolean, one_hot, real, simplex = _Boolean(), _OneHot(), _Real(), _Simplex()
nonnegative_integer, positive_integer = _IntegerGreaterThan(0), _IntegerGreaterThan(1)
real_vector = independent(real, 1)
positive, nonnegative, unit_interval = greater_than(0.0), greater_than_eq(0.0), interval(0.0, 1.0)
lower_triangular, lower_cholesky, corr_cholesky = _LowerTriangular(), _LowerCholesky(), _CorrCholesky()
square, symmetric = _Square(), _Symmetric()
positive_semidefinite, positive_definite = _PositiveSemidefinite(), _PositiveDefinite()
