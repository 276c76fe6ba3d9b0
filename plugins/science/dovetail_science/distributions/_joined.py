"""Transforms of parts: one for each stretch or each index along a dimension."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import dovetail as dv
from dovetail import Tensor
from dovetail.errors import AssertedError

from . import constraints
from ._transform import Transform
from .utils import _sum_rightmost, lazy_property

__all__ = ["CatTransform", "StackTransform"]


class _Joined(Transform):
    """One transform for each part along a dimension."""

    bijective = property(lambda self: all(t.bijective for t in self.transforms))

    def __init__(self, tseq: Sequence[Any], dim: int = 0, cache_size: int = 0) -> None:
        if not all(isinstance(t, Transform) for t in tseq):
            raise AssertedError(type(self).__name__, "All elements of tseq must be Transform instances", f"got {list(tseq)}")
        super().__init__(cache_size)
        self.transforms = [t.with_cache(cache_size) for t in tseq] if cache_size else list(tseq)
        self.dim = dim

    def _split(self, value: Tensor, length: int) -> Any:
        if not (-value.dim() <= self.dim < value.dim() and value.size(self.dim) == length):
            what = f"the value has shape {tuple(value.shape)}"
            raise AssertedError(type(self).__name__, what, f"expected {length} along dimension {self.dim}")
        return self._parts(value)

    def _parts(self, value: Tensor) -> Any:
        raise NotImplementedError

    def _all(self, value: Tensor, length: int, joined: Callable[..., Tensor], inverse: bool) -> Tensor:
        parts = zip(self.transforms, self._split(value, length), strict=True)
        return joined([(t.inv if inverse else t)(part) for t, part in parts], dim=self.dim)


class CatTransform(_Joined):
    """A transform for each stretch of ``lengths`` along ``dim``, as `cat` joins them.

    >>> from dovetail.distributions.transforms import ExpTransform, identity_transform
    >>> CatTransform([ExpTransform(), identity_transform], lengths=[1, 2])(dv.zeros(3))
    tensor([1., 0., 0.])
    """

    domain = constraints.dependent_property(lambda self: constraints.cat([t.domain for t in self.transforms], self.dim, self.lengths))
    codomain = constraints.dependent_property(lambda self: constraints.cat([t.codomain for t in self.transforms], self.dim, self.lengths))

    def __init__(self, tseq: Sequence[Any], dim: int = 0, lengths: Sequence[int] | None = None, cache_size: int = 0) -> None:
        super().__init__(tseq, dim, cache_size)
        self.lengths = [1] * len(self.transforms) if lengths is None else list(lengths)
        if len(self.lengths) != len(self.transforms):
            raise AssertedError("CatTransform", f"lengths ({len(self.lengths)}) must match transforms ({len(self.transforms)})")

    @lazy_property
    def event_dim(self) -> int:
        return max(t.event_dim for t in self.transforms)

    @lazy_property
    def length(self) -> int:
        """The sum of the lengths."""
        return sum(self.lengths)

    def with_cache(self, cache_size: int = 1) -> Any:
        return self if self._cache_size == cache_size else CatTransform(self.transforms, self.dim, self.lengths, cache_size)

    def _parts(self, value: Tensor) -> Any:
        return value.split(self.lengths, self.dim)

    def _call(self, x: Tensor) -> Tensor:
        return self._all(x, self.length, dv.cat, False)

    def _inverse(self, y: Tensor) -> Tensor:
        return self._all(y, self.length, dv.cat, True)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        terms = []
        for t, before, after in zip(self.transforms, self._split(x, self.length), self._split(y, self.length), strict=True):
            terms.append(_sum_rightmost(t.log_abs_det_jacobian(before, after), max(self.event_dim - t.event_dim, 0)))
        dim = (self.dim - x.dim() if self.dim >= 0 else self.dim) + self.event_dim
        return dv.cat(terms, dim=dim) if dim < 0 else sum(terms)  # type: ignore[return-value]


class StackTransform(_Joined):
    """A transform for each index along ``dim``, as `stack` joins them."""

    domain = constraints.dependent_property(lambda self: constraints.stack([t.domain for t in self.transforms], self.dim))
    codomain = constraints.dependent_property(lambda self: constraints.stack([t.codomain for t in self.transforms], self.dim))

    def with_cache(self, cache_size: int = 1) -> Any:
        return self if self._cache_size == cache_size else StackTransform(self.transforms, self.dim, cache_size)

    def _parts(self, value: Tensor) -> Any:
        return value.unbind(self.dim)

    def _call(self, x: Tensor) -> Tensor:
        return self._all(x, len(self.transforms), dv.stack, False)

    def _inverse(self, y: Tensor) -> Tensor:
        return self._all(y, len(self.transforms), dv.stack, True)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        n = len(self.transforms)
        parts = zip(self.transforms, self._split(x, n), self._split(y, n), strict=True)
        return dv.stack([t.log_abs_det_jacobian(before, after) for t, before, after in parts], dim=self.dim)
