"""Random streams on a GPU, by CuPy's generator: the functions of ``streams`` that tensors use, with the same arguments.

The numbers follow the same distributions and come again for the same seed, but they are not those of PyTorch's GPU stream.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = [
    "Stream", "bernoulli", "binomial", "cauchy", "dropout_mask", "exponential", "geometric", "log_normal", "multinomial", "normal",
    "normal_around", "poisson", "randint", "random_", "randperm", "uniform",
]  # fmt: skip


class Stream:
    """One GPU's generator; ``cp`` is CuPy."""

    def __init__(self, cp: Any, index: int, seed: int) -> None:
        self.cp, self.seed = cp, seed
        self.device = cp.cuda.Device(index)
        with self.device:
            self.state = cp.random.RandomState(seed % 2**32)


def _on_its_device(draw: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(draw)
    def inside(gen: Stream, *args: Any, **kwargs: Any) -> Any:
        with gen.device:
            return draw(gen, *args, **kwargs)

    return inside


def _work(dtype: Any) -> Any:
    """The type to compute in: float64 for float64 and integers that need it, else float32."""
    return np.dtype("f8") if np.dtype(dtype).itemsize == 8 and np.dtype(dtype).kind == "f" else np.dtype("f4")


def _unit(gen: Stream, shape: Any, dtype: Any) -> Any:
    """Uniform numbers of [0, 1)."""
    return gen.state.random_sample(shape, dtype=dtype)


def _parts(draw: Callable[[Any, Any], Any], shape: Any, dtype: np.dtype[Any]) -> Any:
    """A complex array whose real and imaginary parts are drawn in turn."""
    real = np.dtype(f"f{dtype.itemsize // 2}")
    return draw((*shape, 2), real).view(dtype)[..., 0]


@_on_its_device
def uniform(gen: Stream, shape: Any, dtype: Any, low: float = 0.0, high: float = 1.0) -> Any:
    """Numbers of [low, high)."""
    if np.dtype(dtype).kind == "c":
        return _parts(lambda s, d: uniform(gen, s, d, low, high), shape, np.dtype(dtype))
    values = _unit(gen, shape, _work(dtype))
    if (low, high) != (0, 1):
        values = values * (high - low) + low
    return values.astype(dtype, copy=False)


@_on_its_device
def normal(gen: Stream, shape: Any, dtype: Any, mean: float = 0.0, std: float = 1.0, contiguous: bool = True) -> Any:
    """Numbers from N(mean, std²)."""
    if np.dtype(dtype).kind == "c":
        return _parts(lambda s, d: normal(gen, s, d, mean, std / 2**0.5), shape, np.dtype(dtype))
    return gen.state.normal(mean, std, shape, dtype=_work(dtype)).astype(dtype, copy=False)


def normal_around(gen: Stream, mean: Any, std: Any) -> Any:
    """One number for each element of mean and std."""
    kind = mean.dtype if hasattr(mean, "dtype") else std.dtype
    shape = np.broadcast_shapes(getattr(mean, "shape", ()), getattr(std, "shape", ()))
    return (normal(gen, shape, kind) * std + mean).astype(kind, copy=False)


def log_normal(gen: Stream, shape: Any, dtype: Any, mean: float = 1.0, std: float = 2.0) -> Any:
    """exp of a normal number."""
    return gen.cp.exp(normal(gen, shape, _work(dtype), mean, std)).astype(dtype, copy=False)


@_on_its_device
def exponential(gen: Stream, shape: Any, dtype: Any, lambd: float = 1.0) -> Any:
    """-log(1 - u) / lambd."""
    return (gen.cp.log1p(-_unit(gen, shape, _work(dtype))) * (-1.0 / lambd)).astype(dtype, copy=False)


@_on_its_device
def cauchy(gen: Stream, shape: Any, dtype: Any, median: float = 0.0, sigma: float = 1.0) -> Any:
    """median + sigma tan(π(u - ½))."""
    return (gen.cp.tan(np.pi * (_unit(gen, shape, _work(dtype)) - 0.5)) * sigma + median).astype(dtype, copy=False)


@_on_its_device
def geometric(gen: Stream, shape: Any, dtype: Any, p: float = 0.5) -> Any:
    """⌈log u / log(1 - p)⌉ with u of (0, 1]."""
    u = 1.0 - _unit(gen, shape, np.dtype("f8"))
    return gen.cp.maximum(gen.cp.ceil(gen.cp.log(u) / np.log1p(-p)), 1.0).astype(dtype)


@_on_its_device
def bernoulli(gen: Stream, p: Any, shape: Any = None, dtype: Any = np.float32) -> Any:
    """Ones with probability p, else zeros."""
    kind = np.dtype("f8") if getattr(p, "dtype", None) == np.float64 else np.dtype("f4")
    return (_unit(gen, p.shape if shape is None else shape, kind) < p).astype(dtype)


def dropout_mask(gen: Stream, p: float, shape: Any) -> Any:
    """True with probability 1 - p."""
    return bernoulli(gen, 1.0 - p, shape, np.bool_)


@_on_its_device
def randint(gen: Stream, low: int, high: int, shape: Any, dtype: Any = np.int64) -> Any:
    """Integers of [low, high)."""
    return gen.state.randint(low, high, shape, dtype=np.int64).astype(dtype, copy=False)


def random_(gen: Stream, shape: Any, dtype: Any, low: int = 0, high: int | None = None) -> Any:
    """Integers from low up to what the type holds exactly."""
    kind = np.dtype(dtype)
    if high is None:
        if kind.kind in "fV":
            high = 2 ** {2: 8 if kind.kind == "V" else 11, 4: 24, 8: 53}[kind.itemsize] + 1
        else:
            high = 2 if kind.kind == "b" else min(int(np.iinfo(kind).max), 2**63 - 2) + 1
    return randint(gen, low, high, shape, kind)


@_on_its_device
def randperm(gen: Stream, n: int, dtype: Any = np.int64) -> Any:
    """A permutation of 0 … n - 1."""
    return gen.cp.argsort(_unit(gen, (n,), np.dtype("f8"))).astype(dtype, copy=False)


@_on_its_device
def multinomial(gen: Stream, probs: Any, num_samples: int, replacement: bool = False) -> Any:
    """Category numbers with the probabilities of each row: (C,) gives (S,), (N, C) gives (N, S)."""
    cp = gen.cp
    if replacement and num_samples > 1:
        rows = probs.reshape(-1, probs.shape[-1])
        running = cp.cumsum(rows, axis=1, dtype=_work(probs.dtype))
        aim = _unit(gen, (len(rows), num_samples), running.dtype) * running[:, -1:]
        picked = cp.stack([cp.searchsorted(running[i], aim[i], side="right") for i in range(len(rows))])
        return cp.minimum(picked, probs.shape[-1] - 1).astype(np.int64).reshape(*probs.shape[:-1], num_samples)
    scores = probs / -cp.log1p(-_unit(gen, probs.shape, _work(probs.dtype)))
    return cp.argsort(-scores, axis=-1)[..., :num_samples].astype(np.int64)


@_on_its_device
def poisson(gen: Stream, rate: Any) -> Any:
    """Counts with these rates."""
    return gen.state.poisson(rate.astype(np.float64), rate.shape, dtype=np.int64).astype(rate.dtype)


@_on_its_device
def binomial(gen: Stream, count: Any, prob: Any) -> Any:
    """Numbers of successes in count trials of prob."""
    return gen.state.binomial(count.astype(np.int64), prob.astype(np.float64), count.shape, dtype=np.int64).astype(count.dtype)
