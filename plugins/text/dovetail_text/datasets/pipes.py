"""The steps that torchtext's tutorials append to a data set (``.map(…).batch(16).rows2columnar([…])``), as lazy streams."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import dovetail as dv
from dovetail.errors import ValueRangeError
from dovetail.utils.data import IterableDataset, get_worker_info

__all__ = ["Pipe", "Steps"]


class Steps:
    """Methods that make a stream of samples out of the samples here; each pass begins anew, and nothing is kept."""

    def map(self, fn: Callable[[Any], Any]) -> Pipe:
        """Each sample through a function."""
        return Pipe(self, lambda rows: map(fn, rows))

    def filter(self, filter_fn: Callable[[Any], Any]) -> Pipe:
        """The samples that the function is true of."""
        return Pipe(self, lambda rows: filter(filter_fn, rows))

    def enumerate(self, starting_index: int = 0) -> Pipe:
        """Pairs of a number and a sample."""
        return Pipe(self, lambda rows: enumerate(rows, starting_index))

    def header(self, limit: int = 10) -> Pipe:
        """The first samples."""
        return Pipe(self, lambda rows: islice(rows, limit))

    def batch(self, batch_size: int, drop_last: bool = False) -> Pipe:
        """Lists of ``batch_size`` samples; the last one may be shorter. Raises a ValueError for a size below 1."""
        if batch_size < 1:
            raise ValueRangeError("batch", f"batch_size is {batch_size}", "expected 1 or more")

        def batches(rows: Iterator[Any]) -> Iterator[list[Any]]:
            while batch := list(islice(rows, batch_size)):
                if len(batch) == batch_size or not drop_last:
                    yield batch

        return Pipe(self, batches)

    def rows2columnar(self, column_names: Sequence[str] | None = None) -> Pipe:
        """Each batch of samples as a dict of lists: columns get the names given, or are those of samples that are dicts."""

        def columns(batch: list[Any]) -> dict[str, list[Any]]:
            if isinstance(batch[0], dict):
                return {name: [row[name] for row in batch] for name in column_names or batch[0]}
            return dict(zip(column_names or (), map(list, zip(*batch, strict=True)), strict=True))

        return self.map(columns)

    def shuffle(self, *, buffer_size: int = 10000) -> Pipe:
        """The samples in an order that `dovetail.manual_seed` decides, drawn anew for each pass, within runs of ``buffer_size``.

        All workers of a loader draw the same order, so that a `sharding_filter` behind it gives each sample to one of them.
        """
        passes: dict[int, int] = {}  # by worker

        def mixed(rows: Iterator[Any]) -> Iterator[Any]:
            generator = None
            if (worker := get_worker_info()) is not None:
                passes[worker.id] = passes.get(worker.id, -1) + 1
                generator = dv.Generator().manual_seed(worker.seed - worker.id + passes[worker.id])
            while run := list(islice(rows, buffer_size)):
                yield from (run[at] for at in dv.randperm(len(run), generator=generator).tolist())

        return Pipe(self, mixed)

    def sharding_filter(self) -> Pipe:
        """In a loader's worker process, the share of that worker."""

        def share(rows: Iterator[Any]) -> Iterator[Any]:
            worker = get_worker_info()
            return rows if worker is None else islice(rows, worker.id, None, worker.num_workers)

        return Pipe(self, share)


class Pipe(Steps, IterableDataset):
    """A stream: the samples of a source as a step makes them.

    >>> list(Pipe([1, 2, 3], iter).map(lambda x: 2 * x).batch(2))
    [[2, 4], [6]]
    """

    def __init__(self, source: Iterable[Any], step: Callable[[Iterator[Any]], Iterable[Any]]) -> None:
        self.source, self.step = source, step

    def __iter__(self) -> Iterator[Any]:
        return iter(self.step(iter(self.source)))
