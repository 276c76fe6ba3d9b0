"""Samplers: the order in which a loader asks for samples, drawn from PyTorch's random streams."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from .. import random_streams
from ..errors import TypeMismatch, ValueRangeError
from ..generator import Generator, current

__all__ = ["BatchSampler", "RandomSampler", "Sampler", "SequentialSampler", "SubsetRandomSampler", "WeightedRandomSampler"]

T_co = TypeVar("T_co", covariant=True)


class Sampler(Generic[T_co]):
    """An iterable of indices (or of lists of them)."""

    def __init__(self, data_source: Any = None) -> None:
        pass

    def __iter__(self) -> Iterator[T_co]:
        raise NotImplementedError


class SequentialSampler(Sampler[int]):
    """0, 1, 2, … in order."""

    def __init__(self, data_source: Any) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


def draw_seed(generator: Any = None) -> int:
    """One 64-bit draw, as PyTorch makes it where a pass over the data begins: programs stay in step with its stream."""
    return int(random_streams.random_(current(generator), (), np.int64))


def _fresh(generator: Any) -> Any:
    """The given generator, or one seeded by a draw from the global one, as PyTorch does."""
    if generator is not None:
        return generator
    return Generator().manual_seed(draw_seed())


class RandomSampler(Sampler[int]):
    """A permutation of the indices, or draws with replacement.

    >>> import dovetail as dv
    >>> sorted(RandomSampler(range(4), generator=dv.Generator().manual_seed(0)))
    [0, 1, 2, 3]
    """

    def __init__(self, data_source: Any, replacement: bool = False, num_samples: int | None = None, generator: Any = None) -> None:
        if not isinstance(replacement, bool):
            raise TypeMismatch("RandomSampler", f"replacement should be a boolean value, but got replacement={replacement!r}")
        self.data_source, self.replacement, self._num_samples, self.generator = data_source, replacement, num_samples, generator
        if not isinstance(self.num_samples, int) or self.num_samples <= 0:
            what = f"num_samples should be a positive integer value, but got num_samples={self.num_samples}"
            raise ValueRangeError("RandomSampler", what, "", "is the dataset empty?" if num_samples is None else "")

    @property
    def num_samples(self) -> int:
        """How many indices one pass gives."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        from ..dtypes import int64
        from ..ops import random

        n, generator = len(self.data_source), _fresh(self.generator)
        if self.replacement:
            for _ in range(self.num_samples // 32):
                yield from random.randint(0, n, (32,), dtype=int64, generator=generator).tolist()
            yield from random.randint(0, n, (self.num_samples % 32,), dtype=int64, generator=generator).tolist()
            return
        for _ in range(self.num_samples // n):
            yield from random.randperm(n, generator=generator).tolist()
        yield from random.randperm(n, generator=generator).tolist()[: self.num_samples % n]

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """The given indices in random order."""

    def __init__(self, indices: Sequence[int], generator: Any = None) -> None:
        self.indices, self.generator = indices, generator

    def __iter__(self) -> Iterator[int]:
        from ..ops import random

        for i in random.randperm(len(self.indices), generator=self.generator).tolist():
            yield self.indices[i]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """Indices drawn with probabilities in proportion to weights.

    >>> import dovetail as dv
    >>> list(WeightedRandomSampler([0., 1.], 3))
    [1, 1, 1]
    """

    def __init__(self, weights: Sequence[float], num_samples: int, replacement: bool = True, generator: Any = None) -> None:
        if not isinstance(num_samples, int) or isinstance(num_samples, bool) or num_samples <= 0:
            what = f"num_samples should be a positive integer value, but got num_samples={num_samples}"
            raise ValueRangeError("WeightedRandomSampler", what)
        if not isinstance(replacement, bool):
            raise ValueRangeError("WeightedRandomSampler", f"replacement should be a boolean value, but got replacement={replacement}")
        from ..dtypes import float64
        from ..ops import create

        self.weights = create.as_tensor(weights, dtype=float64)
        if self.weights.ndim != 1:
            what = f"weights should be a 1d sequence but given weights have shape {tuple(self.weights.shape)}"
            raise ValueRangeError("WeightedRandomSampler", what)
        self.num_samples, self.replacement, self.generator = num_samples, replacement, generator

    def __iter__(self) -> Iterator[int]:
        from ..ops.random_draws import multinomial

        yield from multinomial(self.weights, self.num_samples, self.replacement, generator=self.generator).tolist()

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """Lists of ``batch_size`` indices from another sampler.

    >>> list(BatchSampler(range(5), 2, drop_last=False))
    [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool) -> None:
        if not isinstance(batch_size, int) or isinstance(batch_size, bool) or batch_size <= 0:
            raise ValueRangeError("BatchSampler", f"batch_size should be a positive integer value, but got batch_size={batch_size}")
        if not isinstance(drop_last, bool):
            raise ValueRangeError("BatchSampler", f"drop_last should be a boolean value, but got drop_last={drop_last}")
        self.sampler, self.batch_size, self.drop_last = sampler, batch_size, drop_last

    def __iter__(self) -> Iterator[list[int]]:
        steps = iter(self.sampler)
        while batch := list(itertools.islice(steps, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield batch

    def __len__(self) -> int:
        n = len(self.sampler)  # type: ignore[arg-type]
        return n // self.batch_size if self.drop_last else (n + self.batch_size - 1) // self.batch_size
