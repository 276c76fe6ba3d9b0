"""Normal numbers by Box and Muller's transform, in the order and the arithmetic of PyTorch's CPU.

float32 follows, operation for operation, the single-precision logarithm, sine and cosine of Moshier's Cephes library as they are
compiled with fused multiply-add. A fused step is taken in float64, where the product of two float32 numbers is exact, and then
rounded to float32; so the bits depend neither on NumPy's version nor on the processor.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..generator import MersenneTwister
from .draws import Shape, demand, floating, fma, narrow, real_of, size_of, uniform24, uniform53

__all__ = ["log_normal", "normal", "normal_around"]

_SMALL = 64
_BLOCKS = 1024  # a chunk of 8,192 pairs: its buffers stay in the processor's cache
_TAU = 2.0 * np.pi


def _f32(*values: float) -> list[float]:
    return [float(np.float32(value)) for value in values]


_LOG = _f32(
    7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
    -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
)  # fmt: skip
_LN2_LOW, _LN2_HIGH = _f32(-2.12194440e-4, 0.693359375)
_SIN = _f32(-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)
_COS = _f32(2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2)
_QUARTER_PI = _f32(-0.78515625, -2.4187564849853515625e-4, -3.77489497744594108e-8)  # minus π/4, in three parts
_ROOT_HALF_BITS = np.int32(0x3F3504F3)  # √½ as a float32


def normal(
    gen: MersenneTwister, shape: Shape, dtype: Any = np.float32, mean: float = 0.0, std: float = 1.0, contiguous: bool = True
) -> np.ndarray:
    """Draw from N(mean, std²): the stream of ``randn`` and ``normal_``.

    Sixteen numbers and more are made in blocks of sixteen uniforms (eight radii, then eight angles), where a rest at the end
    is covered by drawing the last sixteen anew; fewer, or any number into a tensor that is not contiguous, one pair at a time,
    whose second half waits in the generator. float32 and 16-bit types give PyTorch's bits (its x86 kernels' polynomials are
    followed step by step); float64 agrees to a few units in the last place. A complex type has std/√2 in each part.
    Raises a RuntimeError where std is negative, a DtypeError for an integer type.

    >>> normal(MersenneTwister().manual_seed(0), (3,))
    array([ 1.5409961, -0.2934289, -2.1787894], dtype=float32)
    """
    dtype, count = np.dtype(dtype), size_of(shape)
    if dtype.kind != "c":
        floating("normal", dtype)
    demand(std >= 0, "normal", f"std is {std}", "expected std >= 0")
    if dtype.kind == "c":
        values = normal(gen, 2 * count, real_of(dtype), mean, std / math.sqrt(2), contiguous).view(dtype)
    elif count < 16 or not contiguous:
        values = narrow(_one_by_one(gen, count, mean, std, dtype.char == "d"), dtype)
    else:
        values = _blocks(gen, count, mean, std, dtype).astype(dtype, copy=False)
    return values.reshape(shape)


def normal_around(gen: MersenneTwister, mean: Any, std: Any) -> np.ndarray:
    """Draw one normal number for each element of ``mean`` and ``std``, of which at least one is an array: ``normal(mean, std)``.

    Their shapes broadcast; the type is that of ``mean`` where it is an array, else that of ``std``.
    Raises a RuntimeError where a std is negative.

    >>> normal_around(MersenneTwister().manual_seed(0), np.array([0.0, 10.0]), 1.0).round(4)
    array([1.541 , 9.7066])
    """
    dtype = mean.dtype if isinstance(mean, np.ndarray) else std.dtype
    if not isinstance(std, np.ndarray):
        out = normal(gen, mean.shape, dtype, 0.0, std)
        out += mean
        return out
    demand(std.size == 0 or bool((std >= 0).all()), "normal", f"std has the minimum {std.min() if std.size else 0}", "expected std >= 0")
    out = normal(gen, np.broadcast_shapes(np.shape(mean), std.shape), dtype)
    # as PyTorch's mul_ and add_: computed in the wider type, rounded to the result's after each step
    np.multiply(out, std, out=out, casting="unsafe")
    np.add(out, np.asarray(mean, None if isinstance(mean, np.ndarray) else dtype), out=out, casting="unsafe")
    return out


def log_normal(gen: MersenneTwister, shape: Shape, dtype: Any = np.float32, mean: float = 1.0, std: float = 2.0) -> np.ndarray:
    """Draw exp(x) with x from N(mean, std²), one pair at a time whatever the size.

    Raises a RuntimeError where std is not positive, a DtypeError for an integer type.

    >>> log_normal(MersenneTwister().manual_seed(0), 2, np.float64, 0.0, 1.0).round(6)
    array([4.669239, 0.745702])
    """
    dtype = floating("log_normal", dtype)
    demand(std > 0, "log_normal", f"std is {std}", "expected std > 0")
    with np.errstate(over="ignore"):
        values = np.exp(_one_by_one(gen, size_of(shape), mean, std, dtype.char == "d"))
    return narrow(values, dtype).reshape(shape)


def _one_by_one(gen: MersenneTwister, count: int, mean: float, std: float, exact: bool) -> np.ndarray:
    """Return float64 normals, the first from what the last pair left; keep what this one leaves."""
    values = _pairs(gen, count) if count else np.empty(0)
    if mean == 0 and std == 1:
        return values
    return fma(values, float(std), float(mean)) if exact else values * float(std) + float(mean)


def _pairs(gen: MersenneTwister, count: int) -> np.ndarray:
    waiting, gen._normal = gen._normal, None
    head = [] if waiting is None else [waiting]
    pairs = (count - len(head) + 1) // 2
    uniforms = uniform53(gen, (pairs, 2))
    made = np.empty((pairs, 2))
    if pairs <= _SMALL:  # the C library's functions: its bits, and quicker than arrays this short
        for row, (first, second) in enumerate(uniforms.tolist()):
            radius, angle = math.sqrt(-2.0 * math.log1p(-second)), 2.0 * math.pi * first
            made[row, 0], made[row, 1] = radius * math.cos(angle), radius * math.sin(angle)
    else:
        radius = np.sqrt(-2.0 * np.log1p(-uniforms[:, 1]))
        angle = 2.0 * math.pi * uniforms[:, 0]
        np.multiply(radius, np.cos(angle), out=made[:, 0])
        np.multiply(radius, np.sin(angle), out=made[:, 1])
    flat = made.reshape(-1)
    if (count - len(head)) % 2:
        gen._normal = float(flat[-1])
        flat = flat[:-1]
    return np.concatenate([head, flat]) if head else flat


def _blocks(gen: MersenneTwister, count: int, mean: float, std: float, dtype: np.dtype) -> np.ndarray:
    """By sixteen, the last ones drawn again where they are fewer; for half precision they are drawn only once."""
    whole, draw = count - count % 16, uniform53 if dtype.char == "d" else uniform24
    values = draw(gen, whole if dtype.itemsize == 2 else count)
    box_muller(values[:whole].reshape(-1, 16), mean, std)
    if whole != count:
        last = draw(gen, 16)
        box_muller(last.reshape(1, 16), mean, std)
        values = np.concatenate([values[: count - 16], last])
    return values


def box_muller(blocks: np.ndarray, mean: float, std: float) -> None:
    """Turn rows of sixteen uniforms into normals in place: (N, 16), float32 or float64.

    A row's first eight give the radii √(-2 log(1 - u)), its last eight the angles 2πu; cosines go first, sines last.

    >>> row = np.full((1, 16), 0.5, np.float32)
    >>> box_muller(row, 0.0, 1.0)
    >>> float(row[0, 0])
    -1.1774100065231323
    """
    for start in range(0, 0 if transformed(blocks, mean, std) else len(blocks), _BLOCKS):
        part = blocks[start : start + _BLOCKS]
        _transform(part, mean, std) if part.dtype == np.float32 else _transform_double(part, mean, std)


def transformed(blocks: np.ndarray, mean: float, std: float) -> bool:
    """Whether a kernel of a plugin, which then stands here, has done it: not this one."""
    return False


def _transform_double(part: np.ndarray, mean: float, std: float) -> None:
    radius = np.sqrt(-2.0 * np.log(1.0 - part[:, :8]))
    angle = _TAU * part[:, 8:]
    part[:, :8] = fma(radius * np.cos(angle), std, mean)
    part[:, 8:] = fma(radius * np.sin(angle), std, mean)


def _transform(part: np.ndarray, mean: float, std: float) -> None:
    radius = _log(np.float32(1.0) - part[:, :8])
    radius *= np.float32(-2.0)
    np.sqrt(radius, out=radius)
    sine, cosine = _sincos(part[:, 8:] * np.float32(_TAU))
    for values, place in ((cosine, part[:, :8]), (sine, part[:, 8:])):
        values *= radius
        wide = values.astype(np.float64)  # where the product is exact, so that the sum is rounded once
        wide *= float(np.float32(std))
        wide += float(np.float32(mean))
        place[...] = wide


class _Fused:
    """Fused multiply-add on float64 arrays that hold float32 values: every step is rounded back to float32."""

    __slots__ = ("_narrow",)

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._narrow = np.empty(shape, np.float32)

    def round(self, wide: np.ndarray) -> np.ndarray:
        np.copyto(self._narrow, wide, casting="same_kind")
        np.copyto(wide, self._narrow)
        return wide

    def product(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return self.round(a * b)

    def step(self, total: np.ndarray, factor: np.ndarray | float, term: np.ndarray | float) -> np.ndarray:
        """total = total * factor + term."""
        total *= factor
        return self.add(total, term)

    def add(self, total: np.ndarray, term: np.ndarray | float) -> np.ndarray:
        total += term
        return self.round(total)

    def polynomial(self, x: np.ndarray, coefficients: list[float]) -> np.ndarray:
        total = self.add(x * coefficients[0], coefficients[1])
        for coefficient in coefficients[2:]:
            self.step(total, x, coefficient)
        return total


def _log(u: np.ndarray) -> np.ndarray:
    """Return log u in float32 for positive, normal float32 u: u = x·2^e with √½ <= x < √2, a polynomial in x - 1."""
    bits = u.view(np.int32)
    exponent = bits - _ROOT_HALF_BITS
    exponent >>= 23
    x = (bits - (exponent << 23)).view(np.float32).astype(np.float64)
    x -= 1.0
    fused, power = _Fused(x.shape), exponent.astype(np.float64)
    square = fused.product(x, x)
    y = fused.round(fused.polynomial(x, _LOG) * x)
    fused.step(y, square, fused.round(power * _LN2_LOW))
    square *= -0.5
    fused.add(y, square)
    fused.add(x, y)
    power *= _LN2_HIGH
    x += power
    return x.astype(np.float32)


def _sincos(angle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return sin and cos in float32 of float32 angles in [0, 2π]: reduced by multiples of π/4, then a polynomial each."""
    octant = (angle * np.float32(4.0 / np.pi)).astype(np.int32)
    octant += 1
    octant &= ~1
    x, count = angle.astype(np.float64), octant.astype(np.float64)
    fused = _Fused(x.shape)
    for part in _QUARTER_PI:
        fused.add(x, count * part)
    square = fused.product(x, x)
    cosine = fused.polynomial(square, _COS)
    fused.round(np.multiply(cosine, square, out=cosine))
    sine = fused.polynomial(square, _SIN)
    fused.round(np.multiply(sine, square, out=sine))
    fused.step(sine, x, x)
    fused.step(cosine, square, square * -0.5)
    cosine += 1.0
    return _arrange(octant, sine.astype(np.float32), cosine.astype(np.float32))


def _arrange(octant: np.ndarray, sine: np.ndarray, cosine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Swap sine and cosine in the octants around the vertical axis, and give both their signs."""
    sine_bits, cosine_bits = sine.view(np.int32), cosine.view(np.int32)
    swap = (octant >> 1) & 1
    np.negative(swap, out=swap)
    swap &= sine_bits ^ cosine_bits
    sine_bits ^= swap
    cosine_bits ^= swap
    sine_bits ^= (octant & 4) << 29
    cosine_bits ^= (~(octant - 2) & 4) << 29
    return sine, cosine
