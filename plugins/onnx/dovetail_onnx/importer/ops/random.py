"""Random numbers, drawn from Dovetail's generator; a ``seed`` in the file gives the same numbers each time."""

from __future__ import annotations

from typing import Any

import dovetail as dv

from ..table import operator
from ..values import dtype as kind

__all__: list[str] = []


def _generator(seed: float | None) -> Any:
    return None if seed is None else dv.Generator().manual_seed(int(seed))


@operator()
def RandomNormal(*, shape: Any, dtype: int = 1, mean: float = 0.0, scale: float = 1.0, seed: float | None = None) -> Any:
    return (dv.randn(list(shape), generator=_generator(seed)) * scale + mean).to(kind(dtype))


@operator()
def RandomUniform(*, shape: Any, dtype: int = 1, low: float = 0.0, high: float = 1.0, seed: float | None = None) -> Any:
    return (dv.rand(list(shape), generator=_generator(seed)) * (high - low) + low).to(kind(dtype))


@operator()
def RandomNormalLike(input: Any, *, dtype: int | None = None, mean: float = 0.0, scale: float = 1.0, seed: float | None = None) -> Any:
    out = dv.randn(list(input.shape), generator=_generator(seed)) * scale + mean
    return out.to(input.dtype if dtype is None else kind(dtype)).to(input.device)


@operator()
def RandomUniformLike(input: Any, *, dtype: int | None = None, low: float = 0.0, high: float = 1.0, seed: float | None = None) -> Any:
    out = dv.rand(list(input.shape), generator=_generator(seed)) * (high - low) + low
    return out.to(input.dtype if dtype is None else kind(dtype)).to(input.device)


@operator()
def Bernoulli(input: Any, *, dtype: int | None = None, seed: float | None = None) -> Any:
    return dv.bernoulli(input, generator=_generator(seed)).to(input.dtype if dtype is None else kind(dtype))


@operator()
def Multinomial(input: Any, *, dtype: int = 6, sample_size: int = 1, seed: float | None = None) -> Any:
    return dv.multinomial(dv.softmax(input, -1), sample_size, replacement=True, generator=_generator(seed)).to(kind(dtype))
