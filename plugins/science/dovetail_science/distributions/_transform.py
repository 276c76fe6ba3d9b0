"""What a transform is, and how transforms are joined: inverses, chains, events of more dimensions, reshaping."""

from __future__ import annotations

import copy
import functools
import operator
from collections.abc import Callable
from typing import Any

import dovetail as dv
from dovetail import Size, Tensor
from dovetail.errors import AssertedError, UnsupportedError, ValueRangeError

from . import constraints
from .utils import _sum_rightmost, lazy_property

__all__ = ["ComposeTransform", "IndependentTransform", "ReshapeTransform", "Transform", "identity_transform"]

_property = constraints.dependent_property(is_discrete=False)


def at_least(dims: int, found: int, where: str) -> None:
    if found < dims:
        raise ValueRangeError(where, f"Too few dimensions on input ({found})", f"expected {dims} or more")


class Transform:
    """A function ``y = f(x)`` with its inverse and ``log |dy/dx|``.

    ``t(x)``, ``t.inv(y)`` and ``t.log_abs_det_jacobian(x, y)``; with ``cache_size=1`` the last pair is kept, so that the inverse of what
    was just computed is exact.
    """

    bijective: Any = False
    domain: Any
    codomain: Any

    def __init__(self, cache_size: int = 0) -> None:
        if cache_size not in (0, 1):
            raise ValueRangeError(type(self).__name__, f"cache_size is {cache_size}", "cache_size must be 0 or 1")
        self._cache_size = cache_size
        self._inv: Any = None
        self._cached_x_y: tuple[Any, Any] = (None, None)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_inv": None}

    @property
    def event_dim(self) -> int:
        """How many last dimensions the transform takes together."""
        if self.domain.event_dim != self.codomain.event_dim:
            raise ValueRangeError(type(self).__name__, "Please use either .domain.event_dim or .codomain.event_dim", "they differ")
        return self.domain.event_dim

    @property
    def inv(self) -> Any:
        """The inverse transform; ``t.inv.inv`` is ``t``."""
        if self._inv is None:
            self._inv = _InverseTransform(self)
        return self._inv

    @property
    def sign(self) -> Any:
        """+1 where the transform increases, -1 where it decreases."""
        raise UnsupportedError(f"{type(self).__name__}.sign", "the transform is not monotone", "expected a monotone one")

    def with_cache(self, cache_size: int = 1) -> Any:
        """The same transform with this cache size."""
        if self._cache_size == cache_size:
            return self
        if type(self).__init__ is Transform.__init__:
            return type(self)(cache_size=cache_size)
        if type(self).__module__.partition(".")[0] != __name__.partition(".")[0]:
            raise UnsupportedError(type(self).__name__, f"{type(self)}.with_cache is not implemented", "", "define it in your class")
        new = copy.copy(self)
        Transform.__init__(new, cache_size)
        return new

    def __eq__(self, other: object) -> bool:
        return self._same(other)

    __hash__ = None  # type: ignore[assignment]

    def _same(self, other: Any) -> bool:
        return self is other

    def __call__(self, x: Tensor) -> Tensor:
        return self._cached(x, 0, self._call)

    def _inv_call(self, y: Tensor) -> Tensor:
        return self._cached(y, 1, self._inverse)

    def _cached(self, value: Tensor, side: int, compute: Callable[[Tensor], Tensor]) -> Tensor:
        if not self._cache_size:
            return compute(value)
        if value is self._cached_x_y[side]:
            return self._cached_x_y[1 - side]
        other = compute(value)
        self._cached_x_y = (other, value) if side else (value, other)
        return other

    def _call(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def _inverse(self, y: Tensor) -> Tensor:
        raise UnsupportedError(f"{type(self).__name__}.inv", "it has no inverse", "expected a bijective transform")

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """``log |dy/dx|``, summed over the event."""
        raise UnsupportedError(f"{type(self).__name__}.log_abs_det_jacobian", "it has none", "expected a bijective transform")

    def forward_shape(self, shape: Any) -> Any:
        """The shape that an input of this shape becomes."""
        return shape

    def inverse_shape(self, shape: Any) -> Any:
        """The shape of the input that becomes this shape."""
        return shape

    def __repr__(self) -> str:
        return type(self).__name__ + "()"


class _InverseTransform(Transform):
    """A transform backwards."""

    domain = _property(lambda self: self._inv.codomain)
    codomain = _property(lambda self: self._inv.domain)
    bijective = property(lambda self: self._inv.bijective)
    sign = property(lambda self: self._inv.sign)
    inv = property(lambda self: self._inv)

    def __init__(self, transform: Transform) -> None:
        super().__init__(transform._cache_size)
        self._inv = transform

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__

    def with_cache(self, cache_size: int = 1) -> Any:
        return self.inv.with_cache(cache_size).inv

    def _same(self, other: Any) -> bool:
        return isinstance(other, _InverseTransform) and self._inv == other._inv

    def __repr__(self) -> str:
        return f"_InverseTransform({self._inv!r})"

    def __call__(self, x: Tensor) -> Tensor:
        return self._inv._inv_call(x)

    def _inv_call(self, y: Tensor) -> Tensor:
        return self._inv(y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return -self._inv.log_abs_det_jacobian(y, x)

    def forward_shape(self, shape: Any) -> Any:
        return self._inv.inverse_shape(shape)

    def inverse_shape(self, shape: Any) -> Any:
        return self._inv.forward_shape(shape)


def _widened(constraint: Any, event_dim: int) -> Any:
    extra = event_dim - constraint.event_dim
    if extra < 0:
        raise AssertedError("ComposeTransform", f"the event has {event_dim} dimensions", f"expected {constraint.event_dim} or more")
    return constraints.independent(constraint, extra) if extra else constraint


class ComposeTransform(Transform):
    """Several transforms, the first one first."""

    def __init__(self, parts: list[Any], cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.parts = [part.with_cache(cache_size) for part in parts] if cache_size else parts

    def _same(self, other: Any) -> bool:
        return isinstance(other, ComposeTransform) and self.parts == other.parts

    @_property
    def domain(self) -> Any:
        if not self.parts:
            return constraints.real
        need = self.parts[-1].codomain.event_dim
        for part in reversed(self.parts):
            need = max(need + part.domain.event_dim - part.codomain.event_dim, part.domain.event_dim)
        return _widened(self.parts[0].domain, need)

    @_property
    def codomain(self) -> Any:
        if not self.parts:
            return constraints.real
        need = self.parts[0].domain.event_dim
        for part in self.parts:
            need = max(need + part.codomain.event_dim - part.domain.event_dim, part.codomain.event_dim)
        return _widened(self.parts[-1].codomain, need)

    @lazy_property
    def bijective(self) -> bool:
        return all(part.bijective for part in self.parts)

    @lazy_property
    def sign(self) -> Any:
        return functools.reduce(operator.mul, (part.sign for part in self.parts), 1)

    @property
    def inv(self) -> Any:
        if self._inv is None:
            self._inv = ComposeTransform([part.inv for part in reversed(self.parts)])
            self._inv._inv = self
        return self._inv

    def with_cache(self, cache_size: int = 1) -> Any:
        return self if self._cache_size == cache_size else ComposeTransform(self.parts, cache_size)

    def __call__(self, x: Tensor) -> Tensor:
        for part in self.parts:
            x = part(x)
        return x

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        if not self.parts:
            return dv.zeros_like(x)
        points = [x]
        for part in self.parts[:-1]:
            points.append(part(points[-1]))
        total: Any = None
        event_dim = self.domain.event_dim
        for part, before, after in zip(self.parts, points, [*points[1:], y], strict=True):
            term = _sum_rightmost(part.log_abs_det_jacobian(before, after), event_dim - part.domain.event_dim)
            total = term if total is None else total + term
            event_dim += part.codomain.event_dim - part.domain.event_dim
        return total

    def forward_shape(self, shape: Any) -> Any:
        for part in self.parts:
            shape = part.forward_shape(shape)
        return shape

    def inverse_shape(self, shape: Any) -> Any:
        for part in reversed(self.parts):
            shape = part.inverse_shape(shape)
        return shape

    def __repr__(self) -> str:
        return "ComposeTransform(\n    " + ",\n    ".join(repr(part) for part in self.parts) + "\n)"


identity_transform = ComposeTransform([])


class IndependentTransform(Transform):
    """A transform whose last ``reinterpreted_batch_ndims`` dimensions count as one event."""

    domain = _property(lambda self: constraints.independent(self.base_transform.domain, self.reinterpreted_batch_ndims))
    codomain = _property(lambda self: constraints.independent(self.base_transform.codomain, self.reinterpreted_batch_ndims))
    bijective = property(lambda self: self.base_transform.bijective)
    sign = property(lambda self: self.base_transform.sign)

    def __init__(self, base_transform: Any, reinterpreted_batch_ndims: int, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.base_transform, self.reinterpreted_batch_ndims = base_transform.with_cache(cache_size), reinterpreted_batch_ndims

    def with_cache(self, cache_size: int = 1) -> Any:
        if self._cache_size == cache_size:
            return self
        return IndependentTransform(self.base_transform, self.reinterpreted_batch_ndims, cache_size)

    def _call(self, x: Tensor) -> Tensor:
        at_least(self.domain.event_dim, x.dim(), "IndependentTransform")
        return self.base_transform(x)

    def _inverse(self, y: Tensor) -> Tensor:
        at_least(self.codomain.event_dim, y.dim(), "IndependentTransform")
        return self.base_transform.inv(y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return _sum_rightmost(self.base_transform.log_abs_det_jacobian(x, y), self.reinterpreted_batch_ndims)

    def forward_shape(self, shape: Any) -> Any:
        return self.base_transform.forward_shape(shape)

    def inverse_shape(self, shape: Any) -> Any:
        return self.base_transform.inverse_shape(shape)

    def __repr__(self) -> str:
        return f"IndependentTransform({self.base_transform!r}, {self.reinterpreted_batch_ndims})"


class ReshapeTransform(Transform):
    """Reshape the last dimensions from ``in_shape`` to ``out_shape``."""

    bijective = True
    domain = constraints.dependent_property(lambda self: constraints.independent(constraints.real, len(self.in_shape)))
    codomain = constraints.dependent_property(lambda self: constraints.independent(constraints.real, len(self.out_shape)))

    def __init__(self, in_shape: Any, out_shape: Any, cache_size: int = 0) -> None:
        self.in_shape, self.out_shape = Size(in_shape), Size(out_shape)
        if self.in_shape.numel() != self.out_shape.numel():
            what = f"in_shape, out_shape have different numbers of elements ({tuple(in_shape)}, {tuple(out_shape)})"
            raise ValueRangeError("ReshapeTransform", what)
        super().__init__(cache_size)

    def _call(self, x: Tensor) -> Tensor:
        return x.reshape(x.shape[: x.dim() - len(self.in_shape)] + self.out_shape)

    def _inverse(self, y: Tensor) -> Tensor:
        return y.reshape(y.shape[: y.dim() - len(self.out_shape)] + self.in_shape)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return x.new_zeros(x.shape[: x.dim() - len(self.in_shape)])

    def forward_shape(self, shape: Any) -> Any:
        return self._swapped(Size(shape), self.in_shape, self.out_shape)

    def inverse_shape(self, shape: Any) -> Any:
        return self._swapped(Size(shape), self.out_shape, self.in_shape)

    @staticmethod
    def _swapped(shape: Size, old: Size, new: Size) -> Size:
        at_least(len(old), len(shape), "ReshapeTransform")
        cut = len(shape) - len(old)
        if shape[cut:] != old:
            raise ValueRangeError("ReshapeTransform", f"Shape mismatch: expected {shape[cut:]} but got {old}")
        return shape[:cut] + new
