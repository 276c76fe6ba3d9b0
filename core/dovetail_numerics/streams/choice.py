"""Yes or no, and one of many: Bernoulli, dropout masks, multinomial."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import DistributionError, DtypeError, ShapeError
from ..generator import MersenneTwister
from .draws import Shape, below, demand, is_floating, size_of, uniform24, uniform53
from .uniform import exponential

__all__ = ["bernoulli", "dropout_mask", "multinomial"]

_MOST_CATEGORIES = 1 << 24


def bernoulli(gen: MersenneTwister, p: Any, shape: Shape | None = None, dtype: Any = np.float32) -> np.ndarray:
    """Draw ones with probability p, else zeros: the streams of ``bernoulli_(p)`` and ``bernoulli(p)``.

    A number p is compared with a 53-bit uniform, an array p of float64 likewise, an array of another floating type with a
    24-bit uniform. An array p broadcasts to ``shape``, which is its own by default.
    PyTorch built with MKL draws ``bernoulli_(number)``, and with it dropout masks, from a stream of MKL's where the processor
    is Intel's; this is its stream everywhere else.
    Raises a RuntimeError unless 0 <= p <= 1, a DtypeError for an array p that is not floating or a complex result.

    >>> bernoulli(MersenneTwister().manual_seed(0), 0.5, (6,), np.int64)
    array([0, 0, 1, 0, 0, 0])
    >>> bernoulli(MersenneTwister().manual_seed(0), np.array([0.0, 1.0, 0.5], np.float32))
    array([0., 1., 1.], dtype=float32)
    """
    dtype = np.dtype(dtype)
    if dtype.kind == "c":
        raise DtypeError("bernoulli", f"dtype is {dtype}", "expected a real type")
    if not isinstance(p, np.ndarray):
        demand(0 <= p <= 1, "bernoulli", f"p is {p}", "expected 0 <= p <= 1")
        shape = () if shape is None else shape
        return below(gen._words(2 * size_of(shape)), float(p)).reshape(shape).astype(dtype, copy=False)
    if not is_floating(p.dtype):
        raise DtypeError("bernoulli", f"p has dtype {p.dtype}", "expected floating probabilities", "convert p to float")
    demand(p.size == 0 or ((p >= 0) & (p <= 1)).all(), "bernoulli", "p has values outside [0, 1]", "expected 0 <= p <= 1")
    draw, chances = (uniform53, p) if p.dtype == np.float64 else (uniform24, p.astype(np.float32))
    return (draw(gen, p.shape if shape is None else shape) < chances).astype(dtype)


def dropout_mask(gen: MersenneTwister, p: float, shape: Shape) -> np.ndarray:
    """Draw what dropout keeps, as bool: True with probability 1 - p, the stream of ``nn.functional.dropout``.

    Raises a RuntimeError unless 0 <= p <= 1.

    >>> dropout_mask(MersenneTwister().manual_seed(0), 0.5, (4,))
    array([False, False,  True, False])
    """
    return bernoulli(gen, 1.0 - p, shape, np.bool_)


def multinomial(gen: MersenneTwister, probs: np.ndarray, num_samples: int, replacement: bool = False) -> np.ndarray:
    """Draw category numbers with the probabilities of each row: (C,) gives (S,), (N, C) gives (N, S); rows need not sum to one.

    Without replacement, or for a single sample, the S largest of p / q with exponential noise q are taken, largest first; with
    replacement each sample is a 53-bit uniform looked up in the row's running sum.
    Raises a RuntimeError for negative, infinite or NaN probabilities, a row without any, or more samples than categories.

    >>> multinomial(MersenneTwister().manual_seed(0), np.array([0.1, 0.2, 0.7], np.float32), 2)
    array([2, 1])
    """
    num_samples = int(num_samples)
    _check_multinomial(probs, num_samples, replacement)
    if probs.size == 0:
        return np.zeros((*probs.shape[:-1], num_samples), np.int64)
    if replacement and num_samples > 1:
        return _with_replacement(gen, probs, num_samples)
    turned = probs.flags.f_contiguous and not probs.flags.c_contiguous  # PyTorch fills a tensor in the order of its memory
    noise = exponential(gen, probs.shape[::-1], probs.dtype).T if turned else exponential(gen, probs.shape, probs.dtype)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        scores = probs / noise
    if num_samples == 1:
        return np.asarray(np.argmax(scores, axis=-1, keepdims=True))
    return np.argsort(-scores, axis=-1, kind="stable")[..., :num_samples]


def _with_replacement(gen: MersenneTwister, probs: np.ndarray, num_samples: int) -> np.ndarray:
    rows = probs.reshape(-1, probs.shape[-1])
    uniforms = uniform53(gen, (len(rows), num_samples))
    running: np.ndarray = np.cumsum(rows, axis=1, dtype=np.float64 if probs.dtype == np.float64 else np.float32)
    running = running / running[:, -1:]
    running[:, -1] = 1
    picked = [np.searchsorted(bounds, row) for bounds, row in zip(running.astype(np.float64), uniforms, strict=True)]
    return np.array(picked, np.int64).reshape(*probs.shape[:-1], num_samples)


def _check_multinomial(probs: np.ndarray, num_samples: int, replacement: bool) -> None:
    if probs.ndim not in (1, 2):
        raise ShapeError("multinomial", f"probabilities have shape {probs.shape}", "expected (C,) or (N, C)")
    if not is_floating(probs.dtype):
        raise DtypeError("multinomial", f"probabilities have dtype {probs.dtype}", "expected a floating type")
    categories = probs.shape[-1]
    demand(num_samples > 0, "multinomial", f"num_samples is {num_samples}", "expected num_samples > 0")
    if not replacement and num_samples > categories:
        what = f"num_samples is {num_samples} and there are {categories} categories"
        raise DistributionError("multinomial", what, "expected no more without replacement")
    demand(categories <= _MOST_CATEGORIES, "multinomial", f"there are {categories} categories", f"expected at most {_MOST_CATEGORIES}")
    sane, some = ((probs >= 0) & (probs < np.inf)).all(), (probs > 0).any(axis=-1).all()
    demand(sane, "multinomial", "probability tensor contains either `inf`, `nan` or element < 0")
    demand(some or probs.size == 0, "multinomial", "invalid multinomial distribution (sum of probabilities <= 0)")
