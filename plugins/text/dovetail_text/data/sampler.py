"""Batches of samples of like length, so that little of a batch is padding."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import dovetail as dv
from dovetail.errors import TypeMismatch, ValueRangeError
from dovetail.utils.data import Sampler

__all__ = ["BucketBatchSampler"]


class BucketBatchSampler(Sampler):
    """Lists of ``batch_size`` indices of samples of like length, for a DataLoader's ``batch_sampler``.

    ``lengths`` has a number for each sample; or it is a dataset, and ``key`` (``len``) gives the length of a sample. Of a
    random order, ``bucket_size_multiplier`` batches at a time are sorted by length and cut into batches, which come in
    random order; every sample comes once. ``shuffle=False`` sorts all, longest last, and draws nothing. ``generator``
    decides the order, or else the global one.

    >>> list(BucketBatchSampler([5, 1, 4, 2], batch_size=2, shuffle=False))
    [[1, 3], [2, 0]]
    """

    def __init__(
        self,
        lengths: Sequence[int] | Any,
        batch_size: int,
        drop_last: bool = False,
        *,
        shuffle: bool = True,
        bucket_size_multiplier: int = 100,
        key: Callable[[Any], int] = len,
        generator: Any = None,
    ) -> None:
        for name, value in (("batch_size", batch_size), ("bucket_size_multiplier", bucket_size_multiplier)):
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueRangeError("BucketBatchSampler", f"{name} is {value!r}", "expected a whole number, 1 or more")
        rows = lengths.tolist() if hasattr(lengths, "tolist") else [lengths[i] for i in range(len(lengths))]
        self.lengths = [row if isinstance(row, int) else self._length(key, row, at) for at, row in enumerate(rows)]
        self.batch_size, self.drop_last, self.shuffle = batch_size, drop_last, shuffle
        self.bucket_size_multiplier, self.generator = bucket_size_multiplier, generator

    @staticmethod
    def _length(key: Callable[[Any], int], row: Any, at: int) -> int:
        try:
            return int(key(row))
        except TypeError as error:
            what = f"sample {at} is {type(row).__name__} and has no length ({error})"
            raise TypeMismatch("BucketBatchSampler", what, "", "pass key=, a function that gives it") from None

    def __iter__(self) -> Iterator[list[int]]:
        count = len(self.lengths)
        if not self.shuffle:
            yield from self._batches(sorted(range(count), key=self.lengths.__getitem__))
            return
        order = dv.randperm(count, generator=self.generator).tolist()
        size = self.batch_size * self.bucket_size_multiplier
        batches = []
        for start in range(0, count, size):
            batches += self._batches(sorted(order[start : start + size], key=self.lengths.__getitem__))
        for at in dv.randperm(len(batches), generator=self.generator).tolist():
            yield batches[at]

    def _batches(self, order: list[int]) -> list[list[int]]:
        found = [order[i : i + self.batch_size] for i in range(0, len(order), self.batch_size)]
        return [batch for batch in found if len(batch) == self.batch_size or not self.drop_last]

    def __len__(self) -> int:
        count, size = len(self.lengths), self.batch_size
        return count // size if self.drop_last else -(-count // size)
