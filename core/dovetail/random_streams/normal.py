"""Normal numbers by Box and Muller's transform, in the order and the arithmetic of PyTorch's CPU."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..generator import Generator
from ._box_muller import box_muller
from ._draws import Shape, demand, floating, fma, narrow, real_of, size_of, uniform24, uniform53

__all__ = ["log_normal", "normal", "normal_around"]

_SMALL = 64


def normal(
    gen: Generator, shape: Shape, dtype: Any = np.float32, mean: float = 0.0, std: float = 1.0, contiguous: bool = True
) -> np.ndarray:
    """Draw from N(mean, std²): the stream of ``randn`` and ``normal_``.

    Sixteen numbers and more are made in blocks of sixteen uniforms (eight radii, then eight angles), where a rest at the end
    is covered by drawing the last sixteen anew; fewer, or any number into a tensor that is not contiguous, one pair at a time,
    whose second half waits in the generator. float32 and 16-bit types give PyTorch's bits (its x86 kernels' polynomials are
    followed step by step); float64 agrees to a few units in the last place. A complex type has std/√2 in each part.
    Raises a RuntimeError where std is negative, a DtypeError for an integer type.

    >>> normal(Generator().manual_seed(0), (3,))
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
    elif dtype.itemsize == 2:
        values = _blocks_of_half(gen, count, mean, std).astype(dtype)
    else:
        values = _blocks(gen, count, mean, std, uniform53 if dtype.char == "d" else uniform24)
    return values.reshape(shape)


def normal_around(gen: Generator, mean: Any, std: Any) -> np.ndarray:
    """Draw one normal number for each element of ``mean`` and ``std``, of which at least one is an array: ``normal(mean, std)``.

    Their shapes broadcast; the type is that of ``mean`` where it is an array, else that of ``std``.
    Raises a RuntimeError where a std is negative.

    >>> normal_around(Generator().manual_seed(0), np.array([0.0, 10.0]), 1.0).round(4)
    array([1.541 , 9.7066])
    """
    dtype = mean.dtype if isinstance(mean, np.ndarray) else std.dtype
    if not isinstance(std, np.ndarray):
        out = normal(gen, mean.shape, dtype, 0.0, std)
        out += mean
        return out
    demand(std.size == 0 or bool((std >= 0).all()), "normal", f"std has the minimum {std.min() if std.size else 0}", "expected std >= 0")
    shape = np.broadcast_shapes(np.shape(mean), std.shape)
    out = normal(gen, shape, dtype)
    # as PyTorch's mul_ and add_: computed in the wider type, rounded to the result's after each step
    np.multiply(out, std, out=out, casting="unsafe")
    np.add(out, np.asarray(mean, None if isinstance(mean, np.ndarray) else dtype), out=out, casting="unsafe")
    return out


def log_normal(gen: Generator, shape: Shape, dtype: Any = np.float32, mean: float = 1.0, std: float = 2.0) -> np.ndarray:
    """Draw exp(x) with x from N(mean, std²), one pair at a time whatever the size.

    Raises a RuntimeError where std is not positive, a DtypeError for an integer type.

    >>> log_normal(Generator().manual_seed(0), 2, np.float64, 0.0, 1.0).round(6)
    array([4.669239, 0.745702])
    """
    dtype = floating("log_normal", dtype)
    demand(std > 0, "log_normal", f"std is {std}", "expected std > 0")
    with np.errstate(over="ignore"):
        values = np.exp(_one_by_one(gen, size_of(shape), mean, std, dtype.char == "d"))
    return narrow(values, dtype).reshape(shape)


def _one_by_one(gen: Generator, count: int, mean: float, std: float, exact: bool) -> np.ndarray:
    """Return float64 normals, the first from what the last pair left; keep what this one leaves."""
    values = _pairs(gen, count) if count else np.empty(0)
    if mean == 0 and std == 1:
        return values
    return fma(values, float(std), float(mean)) if exact else values * float(std) + float(mean)


def _pairs(gen: Generator, count: int) -> np.ndarray:
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


def _blocks(gen: Generator, count: int, mean: float, std: float, draw: Any) -> np.ndarray:
    values = draw(gen, count)
    whole = count - count % 16
    box_muller(values[:whole].reshape(-1, 16), mean, std)
    if whole != count:
        values[-16:] = draw(gen, 16)
        box_muller(values[-16:].reshape(1, 16), mean, std)
    return values


def _blocks_of_half(gen: Generator, count: int, mean: float, std: float) -> np.ndarray:
    """As _blocks, but the uniforms of an incomplete last block are never drawn."""
    whole = count - count % 16
    values = uniform24(gen, whole)
    box_muller(values.reshape(-1, 16), mean, std)
    if whole == count:
        return values
    last = uniform24(gen, 16)
    box_muller(last.reshape(1, 16), mean, std)
    return np.concatenate([values[: count - 16], last])
