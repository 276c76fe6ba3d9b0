"""Whole numbers that depend on named dimensions: found from several runs, and computed again by the exported graph."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

from dovetail.errors import UnsupportedError

__all__ = ["FreeSize", "Unsolved", "always", "make", "same", "solve", "solve_float"]


class Unsolved(UnsupportedError):
    """A number of the graph that changes with the sizes of the inputs, in a way that is not understood."""


class FreeSize:
    """A number that differs from run to run: its values, how the graph computes it, and its formula in words.

    Sums, differences, products and quotients of sizes are sizes. A comparison answers where all runs agree, and refuses otherwise.
    """

    __slots__ = ("emit", "real", "text", "values")
    __hash__ = object.__hash__

    def __init__(self, values: Sequence[int], emit: Callable[[Any], Any], text: str, real: bool = False) -> None:
        self.values, self.emit, self.text, self.real = tuple(values), emit, text, real  # real: its nodes give a floating number

    def __repr__(self) -> str:
        return self.text

    def __add__(self, other: Any) -> Any:
        return _both("Add", "+", self, other, lambda a, b: a + b)

    def __sub__(self, other: Any) -> Any:
        return _both("Sub", "-", self, other, lambda a, b: a - b)

    def __rsub__(self, other: Any) -> Any:
        return _both("Sub", "-", other, self, lambda a, b: a - b)

    def __mul__(self, other: Any) -> Any:
        return _both("Mul", "*", self, other, lambda a, b: a * b)

    def __floordiv__(self, other: Any) -> Any:
        return _both("Div", "//", self, other, lambda a, b: a // b)

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self) -> Any:
        return 0 - self

    def __eq__(self, other: Any) -> bool:
        return _agree("==", self, other, lambda a, b: a == b) if isinstance(other, int | FreeSize) else False

    def __lt__(self, other: Any) -> bool:
        return _agree("<", self, other, lambda a, b: a < b)

    def __gt__(self, other: Any) -> bool:
        return _agree(">", self, other, lambda a, b: a > b)

    def __le__(self, other: Any) -> bool:
        return _agree("<=", self, other, lambda a, b: a <= b)

    def __ge__(self, other: Any) -> bool:
        return _agree(">=", self, other, lambda a, b: a >= b)

    def __index__(self) -> int:
        raise Unsolved("export", f"the size {self} is needed as a number", f"it is one of {self.values}", "keep that dimension fixed")


def always(a: Any, b: Any) -> bool:
    """Whether two numbers are the same in every run."""
    runs = max(len(x.values) if isinstance(x, FreeSize) else 1 for x in (a, b))
    return all(_of(a, k) == _of(b, k) for k in range(runs))


def make(values: Sequence[int], emit: Callable[[Any], Any], text: str) -> Any:
    """A size, or the plain number where all runs have the same."""
    return values[0] if len(set(values)) == 1 else FreeSize(values, emit, text)


def _of(x: Any, run: int) -> int:
    return x.values[run] if isinstance(x, FreeSize) else int(x)


def _both(op: str, sign: str, a: Any, b: Any, rule: Callable[[int, int], int]) -> Any:
    runs = len((a if isinstance(a, FreeSize) else b).values)
    values = [rule(_of(a, k), _of(b, k)) for k in range(runs)]
    return make(values, lambda g: g.node(op, g.sizes([a]), g.sizes([b])), f"({a} {sign} {b})")


def _agree(sign: str, a: FreeSize, b: Any, rule: Callable[[int, int], bool]) -> bool:
    found = {rule(value, _of(b, k)) for k, value in enumerate(a.values)}
    if len(found) == 2:
        what = f"whether {a} {sign} {b} differs from size to size ({a} is {a.values})"
        raise Unsolved("export", what, "one graph serves all sizes", "keep that dimension fixed")
    return found.pop()


def solve(values: Sequence[int], named: Sequence[FreeSize], local: Sequence[FreeSize] = ()) -> Any:
    """Write a number that has these values in the runs by the named dimensions, or else by the sizes of the tensors at hand; None if not.

    Tried in order: one of them, p·a + b, products, quotients (p·a + b) // q, sums of two, multiples of a quotient.
    """
    found = same(values, (*named, *local))
    if found is not None:  # a size that is there is no guess
        return found
    for atoms in (named, (*named, *local)):
        for rule in (_linear, _product, _quotient, _sum, _multiple):
            found = rule(tuple(values), atoms)
            if found is not None:
                return found
    return None


def same(values: Any, atoms: Sequence[FreeSize]) -> Any:
    """The first of the sizes that has these values in the runs; None if there is none."""
    return next((a for a in atoms if a.values == tuple(values)), None)


def _linear(values: Any, atoms: Sequence[FreeSize]) -> Any:
    for a in atoms:
        i = next(k for k, v in enumerate(a.values) if v != a.values[0])
        p, rest = divmod(values[i] - values[0], a.values[i] - a.values[0])
        b = values[0] - p * a.values[0]
        if not rest and p and all(p * v + b == w for v, w in zip(a.values, values, strict=True)):
            return a * p + b if b else a * p
    return None


#: What is tried first where a few sizes leave several quotients open: halves of halves, rounded down or up, as layers have them.
_DIVISORS: tuple[Callable[[int, int], bool], ...] = (
    lambda q, b: not q & (q - 1) and 0 <= b < q,
    lambda q, b: not q & (q - 1),
    lambda q, b: 0 <= b < q,
    lambda q, b: True,
)


#: What scale factors are fractions of: halves, tenths and thirds sooner than sevenths.
_FACTORS = (*range(2, 7), 8, 10, 12, 16, 20, 7, 9, 11, *range(13, 16), *range(17, 20))


def _quotient(values: Any, atoms: Sequence[FreeSize]) -> Any:
    few = len(set(values)) < 3  # 0, 1, 1, 1, 1 is met by many a formula: only what layers do is believed
    for wanted in _DIVISORS:
        for a, q in itertools.product(atoms, range(2, 65)):
            for p in (1, -1):
                low = max(q * w - p * v for v, w in zip(a.values, values, strict=True))
                high = min(q * w - p * v + q - 1 for v, w in zip(a.values, values, strict=True))
                # Several would do: nothing added, as much as rounds up, or the nearest to nothing.
                b = next((b for b in (0, q - 1) if low <= b <= high), min(max(low, 0), high))
                if low <= high and wanted(q, b) and (not few or q <= 4 or (not q & (q - 1) and b in (0, q - 1))):
                    top = a if p == 1 else -a
                    return (top + b if b else top) // q
    for a, q in itertools.product(atoms, _FACTORS):
        for p in range(2, 4 * q):
            if math.gcd(p, q) == 1 and all(p * v // q == w for v, w in zip(a.values, values, strict=True)):
                return (a * p) // q
    return None


def _product(values: Any, atoms: Sequence[FreeSize]) -> Any:
    for n in (2, 3, 4):
        for some in itertools.combinations_with_replacement(atoms[:12], n):
            whole = [math.prod(each) for each in zip(*(a.values for a in some), strict=True)]
            if any(w == 0 for w in (whole[0], values[0])):
                continue
            divisor = math.gcd(whole[0], values[0])
            p, q = values[0] // divisor, whole[0] // divisor
            if all(w * p == v * q for w, v in zip(whole, values, strict=True)):
                total: Any = math.prod(some[1:], start=some[0])
                total = total * p if p != 1 else total
                return total // q if q != 1 else total
    return None


def _sum(values: Any, atoms: Sequence[FreeSize]) -> Any:
    if len(values) < 4 or len(set(values)) < 3:  # two numbers, such as what pooling lost, may be of height or width
        return None
    import numpy as np

    for a, b in itertools.combinations(atoms[:12], 2):
        rows = np.array([[v, w, 1] for v, w in zip(a.values, b.values, strict=True)], float)
        found, *_ = np.linalg.lstsq(rows, np.array(values, float), rcond=None)
        p, q, c = (round(v) for v in found)
        if p and q and all(p * v + q * w + c == t for v, w, t in zip(a.values, b.values, values, strict=True)):
            return a * p + b * q + c if c else a * p + b * q
    return None


def _multiple(values: Any, atoms: Sequence[FreeSize]) -> Any:
    """What was padded to full windows: of a stride, and with an end of their own."""
    for end in (0, 1, -1, 2, -2, 3, 4, 5):
        unit = math.gcd(*(v - end for v in values))
        found = _quotient([(v - end) // unit for v in values], atoms) if unit > 1 else None
        if found is not None:
            return found * unit + end if end else found * unit
    return None


#: How a float comes of a whole number: in words, back to the number, and as nodes.
_FLOATS: tuple[tuple[str, Callable[[float], float], Callable[[Any, Any], Any]], ...] = (
    ("float({})", lambda v: v, lambda g, x: x),
    ("1/{}", lambda v: 1 / v, lambda g, x: g.Reciprocal(x)),
    ("sqrt({})", lambda v: v * v, lambda g, x: g.Sqrt(x)),
    ("1/sqrt({})", lambda v: 1 / (v * v), lambda g, x: g.Reciprocal(g.Sqrt(x))),
    ("{}/2", lambda v: 2 * v, lambda g, x: g.Mul(x, 0.5)),
)


def solve_float(values: Sequence[float], named: Sequence[FreeSize], local: Sequence[FreeSize] = ()) -> Any:
    """A floating number likewise: a whole one, its half, its reciprocal, root or reciprocal root; a FreeSize whose nodes are floats."""
    for text, back, nodes in _FLOATS:
        if any(v == 0 for v in values) and text.startswith("1"):
            continue
        whole = [back(v) for v in values]
        if all(abs(w - round(w)) < 1e-6 * max(1, abs(w)) for w in whole):
            size = solve([round(w) for w in whole], named, local)
            if size is not None:
                return FreeSize([round(w) for w in whole], lambda g, s=size, n=nodes: n(g, g.floats(s)), text.format(size), True)  # type: ignore[misc]
    return None
