"""A row: one call of an op, with its arguments, its reference and what is claimed of it."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["AUTO", "B", "I", "Row", "Spec", "T"]

AUTO = "as the op declares"
_GRID, _CLEAR = 0.25, 0.02  # kinks lie on multiples of a quarter: relu 0, hardshrink 0.5, round 1.5 …


class Spec:
    """An array that a row asks for: its shape, its type, and the rule by which values are drawn."""

    shape: tuple[int, ...]
    dtype: str
    grad = False
    free = False  # whether other element types may be tried in its place

    def draw(self, shape: tuple[int, ...], rng: np.random.RandomState) -> Any:
        """Values of this kind in any shape."""
        raise NotImplementedError

    def make(self, seed: str, shape: tuple[int, ...] | None = None) -> Any:
        """The array itself; the same seed gives the same values."""
        a = self.draw(self.shape if shape is None else shape, np.random.RandomState(zlib.crc32(seed.encode())))
        return np.asarray(a).astype(self.dtype)

    def __repr__(self) -> str:
        return f"{type(self).__name__}{self.shape}"


class T(Spec):
    """A random tensor between `low` and `high`.

    distinct: no two elements alike and none at a kink (a multiple of a quarter); positive: from 0.2 upwards;
    grad: whether gradients with respect to it are checked. Only a float64 one is tried with other types too.
    """

    def __init__(
        self,
        *shape: int,
        low: float = -2.0,
        high: float = 2.0,
        dtype: str = "float64",
        grad: bool = True,
        positive: bool = False,
        distinct: bool = True,
    ) -> None:
        self.shape, self.dtype, self.distinct = shape, str(np.dtype(dtype)), distinct
        self.low, self.high = (max(low, 0.2), max(high, 1.2)) if positive else (low, high)
        self.grad = grad and np.dtype(dtype).kind in "fc"
        self.free = self.dtype == "float64"

    def draw(self, shape: tuple[int, ...], rng: np.random.RandomState) -> Any:
        kind = np.dtype(self.dtype).kind
        if kind == "b":
            return rng.uniform(size=shape) < 0.5
        if kind in "iu":
            return rng.randint(math.ceil(self.low), math.floor(self.high) + 1, shape)
        if kind == "c":
            return self._real(shape, rng) + 1j * self._real(shape, rng)
        return self._real(shape, rng)

    def _real(self, shape: tuple[int, ...], rng: np.random.RandomState) -> Any:
        n = math.prod(shape)
        span = self.high - self.low
        if not self.distinct:
            return self.low + span * rng.uniform(size=shape)
        places = (rng.permutation(n) + rng.uniform(0.15, 0.85, n)) / max(n, 1)
        v = self.low + span * places.reshape(shape)
        if span < 4 * _GRID:
            return v
        nearest = np.round(v / _GRID) * _GRID
        inwards = np.where(v < (self.low + self.high) / 2, 1.0, -1.0)
        return np.where(abs(v - nearest) < _CLEAR, nearest + inwards * (_CLEAR + 0.5 * abs(v - nearest)), v)


class I(Spec):  # noqa: E742
    """Random integers from `low` up to, not including, `high`: indices and labels."""

    def __init__(self, *shape: int, high: int, low: int = 0, dtype: str = "int64") -> None:
        self.shape, self.low, self.high, self.dtype = shape, low, high, dtype

    def draw(self, shape: tuple[int, ...], rng: np.random.RandomState) -> Any:
        return rng.randint(self.low, self.high, shape)


class B(Spec):
    """A random mask with both answers in it."""

    dtype = "bool"

    def __init__(self, *shape: int) -> None:
        self.shape = shape

    def draw(self, shape: tuple[int, ...], rng: np.random.RandomState) -> Any:
        a = (rng.permutation(math.prod(shape)) % 2).astype(bool)
        return a.reshape(shape)


@dataclass
class Row:
    """One call of an op. The README beside this file explains the fields."""

    op: str
    args: Sequence[Any] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    ref: Callable[..., Any] | None = None
    name: str = ""
    call: str | None = None
    why: str = ""
    grad: bool | None = None  # None: as the op has a rule
    grad2: bool | None = None  # None: as grad
    broadcast: bool = False
    empty: bool = False
    promote: str | None = AUTO
    tol: float | tuple[float, float] | None = None  # in float64, or (in float64, in float32)
    errors: Sequence[tuple[Any, ...]] = ()
    sync: bool = False  # the shape of the result depends on values, so a GPU must be waited for
    covers: tuple[str, ...] = ()  # further ops that this row is the test of
    torch: str | None = None  # PyTorch's path where it is not ours; "" where PyTorch has no such function
    family: str = ""  # the rows file, filled in when it is collected
    id: str = ""
