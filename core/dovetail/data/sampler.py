"""Samplers: the order in which a loader asks for samples, drawn from PyTorch's random streams."""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from dovetail_numerics import streams

from ..dtypes import float64, int64
from ..errors import TypeMismatch, ValueRangeError
from ..generator import Generator, current
from ..ops import random
from ..ops.create import as_tensor
from ..ops.random_draws import multinomial

__all__ = [
    "BatchSampler", "DistributedSampler", "RandomSampler", "Sampler", "SequentialSampler", "SubsetRandomSampler", "WeightedRandomSampler",
]  # fmt: skip

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
    return int(streams.random_(current(generator), (), np.int64))


def _fresh(generator: Any) -> Any:
    """The given generator, or one seeded by a draw from the global one, as PyTorch does."""
    return Generator().manual_seed(draw_seed()) if generator is None else generator


def _check(where: str, name: str, value: Any, kind: type = int) -> None:
    """Refuse what is no positive integer, or no boolean."""
    if kind is bool and not isinstance(value, bool):
        raise ValueRangeError(where, f"{name} should be a boolean value, but got {name}={value}")
    if kind is int and (not isinstance(value, int) or isinstance(value, bool) or value <= 0):
        raise ValueRangeError(where, f"{name} should be a positive integer value, but got {name}={value}")


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
        n, generator = len(self.data_source), _fresh(self.generator)
        size = 32 if self.replacement else n
        for count in [size] * (self.num_samples // size) + [self.num_samples % size]:  # PyTorch draws for a rest of 0, too
            if self.replacement:
                yield from random.randint(0, n, (count,), dtype=int64, generator=generator).tolist()
            else:
                yield from random.randperm(n, generator=generator).tolist()[:count]

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """The given indices in random order."""

    def __init__(self, indices: Sequence[int], generator: Any = None) -> None:
        self.indices, self.generator = indices, generator

    def __iter__(self) -> Iterator[int]:
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
        _check("WeightedRandomSampler", "num_samples", num_samples)
        _check("WeightedRandomSampler", "replacement", replacement, bool)
        self.weights = as_tensor(weights, dtype=float64)
        if self.weights.ndim != 1:
            what = f"weights should be a 1d sequence but given weights have shape {tuple(self.weights.shape)}"
            raise ValueRangeError("WeightedRandomSampler", what)
        self.num_samples, self.replacement, self.generator = num_samples, replacement, generator

    def __iter__(self) -> Iterator[int]:
        yield from multinomial(self.weights, self.num_samples, self.replacement, generator=self.generator).tolist()

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """Lists of ``batch_size`` indices from another sampler.

    >>> list(BatchSampler(range(5), 2, drop_last=False))
    [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool) -> None:
        _check("BatchSampler", "batch_size", batch_size)
        _check("BatchSampler", "drop_last", drop_last, bool)
        self.sampler, self.batch_size, self.drop_last = sampler, batch_size, drop_last

    def __iter__(self) -> Iterator[list[int]]:
        steps = iter(self.sampler)
        while batch := list(itertools.islice(steps, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield batch

    def __len__(self) -> int:
        n = len(self.sampler)  # type: ignore[arg-type]
        return n // self.batch_size if self.drop_last else (n + self.batch_size - 1) // self.batch_size


class DistributedSampler(Sampler[int]):
    """Every ``num_replicas``-th index, from ``rank``, of one permutation that all processes draw from ``seed + epoch``.

    The last indices come twice, or are left out with ``drop_last``, so that all processes get as many. Call
    ``set_epoch`` before each pass. Number and rank are those of `dovetail.distributed` where they are not given.
    Raises a ValueError for a rank outside, or where there is no process group to ask.

    >>> list(DistributedSampler(range(5), num_replicas=2, rank=1, shuffle=False))
    [1, 3, 0]
    """

    def __init__(
        self, dataset: Any, num_replicas: int | None = None, rank: int | None = None, shuffle: bool = True, seed: int = 0,
        drop_last: bool = False,
    ) -> None:  # fmt: skip
        if num_replicas is None or rank is None:
            world = sys.modules.get("dovetail.distributed")  # a plugin's, once a program uses it
            if world is None or not world.is_initialized():
                raise ValueRangeError(
                    "DistributedSampler", "Requires distributed package to be available", "", "give num_replicas and rank"
                )
            num_replicas = world.get_world_size() if num_replicas is None else num_replicas
            rank = world.get_rank() if rank is None else rank
        if not 0 <= rank < num_replicas:
            raise ValueRangeError("DistributedSampler", f"Invalid rank {rank}, rank should be in the interval [0, {num_replicas - 1}]")
        self.dataset, self.num_replicas, self.rank, self.epoch = dataset, num_replicas, rank, 0
        self.shuffle, self.seed, self.drop_last = shuffle, seed, drop_last
        left_out = num_replicas if drop_last and len(dataset) % num_replicas else 0
        self.num_samples = math.ceil((len(dataset) - left_out) / num_replicas)
        self.total_size = self.num_samples * num_replicas

    def __iter__(self) -> Iterator[int]:
        n = len(self.dataset)
        order = random.randperm(n, generator=Generator().manual_seed(self.seed + self.epoch)).tolist() if self.shuffle else list(range(n))
        if self.total_size > n:
            order *= math.ceil(self.total_size / n)
        return iter(order[self.rank : self.total_size : self.num_replicas])

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Choose the permutation of the next pass."""
        self.epoch = epoch
