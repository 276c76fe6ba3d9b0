"""The steps that torchtext's tutorials append to a data set (``.map(…).batch(16).rows2columnar([…])``), as lazy streams."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any

import dovetail as dv
from dovetail.errors import ValueRangeError
from dovetail.utils.data import IterableDataset, default_collate, get_worker_info

__all__ = ["Pipe", "Shuffled", "Steps"]


class Steps:
    """Methods that make a stream of samples out of the samples here; each pass begins anew, and nothing is kept."""

    def map(self, fn: Callable[[Any], Any]) -> Pipe:
        """Each sample through a function."""
        return Pipe(self, lambda rows: map(fn, rows))

    def filter(self, filter_fn: Callable[[Any], Any]) -> Pipe:
        """The samples that the function is true of."""
        return Pipe(self, lambda rows: filter(filter_fn, rows))

    def flatmap(self, fn: Callable[[Any], Iterable[Any]]) -> Pipe:
        """What the function gives of each sample, one after the other."""
        return Pipe(self, lambda rows: chain.from_iterable(map(fn, rows)))

    def concat(self, *others: Iterable[Any]) -> Pipe:
        """The samples, then those of others."""
        return Pipe(self, lambda rows: chain(rows, *others))

    def zip(self, *others: Iterable[Any]) -> Pipe:
        """Tuples of a sample and of one of each other, as long as all have some."""
        return Pipe(self, lambda rows: zip(rows, *others, strict=False))

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

    def unbatch(self) -> Pipe:
        """The samples of batches, one after the other."""
        return Pipe(self, chain.from_iterable)

    def collate(self, collate_fn: Callable[[Any], Any] = default_collate) -> Pipe:
        """Each batch as tensors, or as the function makes it."""
        return self.map(collate_fn)

    def rows2columnar(self, column_names: Sequence[str] | None = None) -> Pipe:
        """Each batch of samples as a dict of lists: columns get the names given, or are those of samples that are dicts."""

        def columns(batch: list[Any]) -> dict[str, list[Any]]:
            if isinstance(batch[0], dict):
                return {name: [row[name] for row in batch] for name in column_names or batch[0]}
            return dict(zip(column_names or (), map(list, zip(*batch, strict=True)), strict=True))

        return self.map(columns)

    def shuffle(self, *, buffer_size: int = 10000) -> Shuffled:
        """The samples in an order that `dovetail.manual_seed` decides, drawn anew for each pass, within runs of ``buffer_size``.

        All workers of a loader draw the same order, so that a `sharding_filter` behind it gives each sample to one of them. A loader's
        ``shuffle`` turns it on or off, and so does ``set_shuffle``.
        """
        return Shuffled(self, buffer_size)

    def sharding_filter(self) -> Pipe:
        """In a loader's worker process, the share of that worker; a stream of a data set has been shared at its beginning."""
        begin: Any = self
        while isinstance(begin, Pipe):
            begin = begin.source
        return Pipe(self, iter if isinstance(begin, Steps) else _shared)


def _shared(rows: Iterator[Any]) -> Iterator[Any]:
    worker = get_worker_info()
    return rows if worker is None else islice(rows, worker.id, None, worker.num_workers)


class Pipe(Steps, IterableDataset):
    """A stream: the samples of a source as a step makes them. Of a data set each worker of a loader has its share.

    >>> list(Pipe([1, 2, 3], iter).map(lambda x: 2 * x).batch(2))
    [[2, 4], [6]]
    """

    def __init__(self, source: Iterable[Any], step: Callable[[Iterator[Any]], Iterable[Any]]) -> None:
        self.source, self.step = source, step

    def __iter__(self) -> Iterator[Any]:
        rows = iter(self.source)
        return iter(self.step(_shared(rows) if isinstance(self.source, Steps) and not isinstance(self.source, Pipe) else rows))

    def __shuffled__(self, shuffle: bool | None) -> Pipe:
        """What a loader reads that is told to ``shuffle``, as PyTorch's does: the steps that shuffle are turned on, or off.

        Where there are none, the samples of a data set are shuffled before the first step, as torchtext's are. For a stream of another
        source a step is put at the end, and a UserWarning says so: it mixes batches where the stream makes some.
        """
        steps: list[Pipe] = [self]
        while isinstance(steps[-1].source, Pipe):
            steps.append(steps[-1].source)
        mixing = [step for step in steps if isinstance(step, Shuffled)]
        if shuffle is None or (not shuffle and not mixing):
            return self
        if not mixing and isinstance(steps[-1].source, Steps):
            steps[-1].source = steps[-1].source.shuffle()
        elif not mixing:
            warnings.warn("DataLoader: shuffle is True and the stream has no shuffle() step; one was put at its end", stacklevel=3)
            return self.shuffle()
        for step in mixing:
            step.set_shuffle(shuffle)
        return self


class Shuffled(Pipe):
    """A stream in another order; see :meth:`Steps.shuffle`.

    >>> list(Pipe([1, 2, 3], iter).shuffle().set_shuffle(False))
    [1, 2, 3]
    """

    def __init__(self, source: Iterable[Any], buffer_size: int) -> None:
        if buffer_size < 1:
            raise ValueRangeError("shuffle", f"buffer_size is {buffer_size}", "expected 1 or more")
        super().__init__(source, self._mixed)
        self.buffer_size, self.on = buffer_size, True
        self._passes: dict[int, int] = {}  # by worker

    def set_shuffle(self, shuffle: bool = True) -> Shuffled:
        """Turn it on or off."""
        self.on = bool(shuffle)
        return self

    def _mixed(self, rows: Iterator[Any]) -> Iterator[Any]:
        if not self.on:
            yield from rows
        generator = None
        if (worker := get_worker_info()) is not None:
            self._passes[worker.id] = self._passes.get(worker.id, -1) + 1
            generator = dv.Generator().manual_seed(worker.seed - worker.id + self._passes[worker.id])
        while run := list(islice(rows, self.buffer_size)):
            yield from (run[at] for at in dv.randperm(len(run), generator=generator).tolist())
