"""DataLoader: batches from a dataset, in line or by worker threads, in the order of the sampler."""

from __future__ import annotations

import copy
import itertools
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from ..errors import AssertedError, TypeMismatch, ValueRangeError
from .collate import default_collate, default_convert
from .dataset import IterableDataset
from .sampler import BatchSampler, RandomSampler, SequentialSampler, draw_seed
from .workers import Fetcher, ThreadPool, WorkerInfo, get_worker_info

__all__ = ["DataLoader", "get_worker_info"]

_FIXED = {"batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers"}


class DataLoader:
    """Iterate over a dataset in batches; arguments as PyTorch's.

    Worker processes are to come: ``num_workers > 0`` starts that many threads and says so in a warning. Each has a shallow
    copy of the dataset and random numbers of its own, those of PyTorch's worker of that number. Batches come out in the
    sampler's order whatever the number of workers. ``pin_memory`` has no effect.

    Raises a ValueError for options that exclude each other. What a dataset raises in a worker comes out unchanged where
    its batch was due, with a note that names worker and indices; a WorkerError (RuntimeError) after ``timeout`` seconds.

    >>> import dovetail as dv
    >>> loader = DataLoader(dv.arange(5), batch_size=2)
    >>> [b.tolist() for b in loader], len(loader)
    ([[0, 1], [2, 3], [4]], 3)
    """

    _made = False

    def __init__(
        self, dataset: Any, batch_size: int | None = 1, shuffle: bool | None = None, sampler: Iterable[Any] | None = None,
        batch_sampler: Iterable[Any] | None = None, num_workers: int = 0, collate_fn: Callable[[Any], Any] | None = None,
        pin_memory: bool = False, drop_last: bool = False, timeout: float = 0, worker_init_fn: Callable[[int], None] | None = None,
        multiprocessing_context: Any = None, generator: Any = None, *, prefetch_factor: int | None = None,
        persistent_workers: bool = False, pin_memory_device: str = "", in_order: bool = True,
    ) -> None:  # fmt: skip
        self.dataset, self.num_workers, self.timeout, self.generator = dataset, num_workers, timeout, generator
        self.pin_memory, self.worker_init_fn, self.persistent_workers = pin_memory, worker_init_fn, persistent_workers
        self.multiprocessing_context, self.pin_memory_device, self.in_order = multiprocessing_context, pin_memory_device, in_order
        self._iterable = isinstance(dataset, IterableDataset)
        self._check_workers(prefetch_factor)
        self._check_sampling(shuffle, sampler, batch_sampler, batch_size, drop_last)
        self.prefetch_factor = 2 if num_workers and prefetch_factor is None else prefetch_factor
        if batch_sampler is not None:
            batch_size, drop_last = None, False
        if sampler is None:
            sampler = self._own_sampler(bool(shuffle))
        if batch_size is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.batch_size, self.drop_last, self.sampler, self.batch_sampler = batch_size, drop_last, sampler, batch_sampler
        self._auto = batch_sampler is not None  # whether the loader makes batches itself
        self._index_sampler: Any = batch_sampler if self._auto else sampler
        self.collate_fn = collate_fn or (default_collate if self._auto else default_convert)
        self._iterator: _Threaded | None = None
        self._stated: int | None = None  # what len() said of a stream, which then turns out to be true or not
        self._made = True

    def _check_workers(self, prefetch: int | None) -> None:
        n, context = self.num_workers, self.multiprocessing_context
        _refuse(n < 0, f"num_workers option should be non-negative, got {n}", "use num_workers=0 to load in line")
        _refuse(self.timeout < 0, f"timeout option should be non-negative, got {self.timeout}")
        what = f"prefetch_factor option could only be specified in multiprocessing, got {prefetch}"
        _refuse(n == 0 and prefetch is not None, what, "let num_workers > 0")
        _refuse(prefetch is not None and prefetch < 0, f"prefetch_factor option should be non-negative, got {prefetch}")
        _refuse(self.persistent_workers and n == 0, "persistent_workers option needs num_workers > 0")
        what = "multiprocessing_context can only be used with multi-process loading (num_workers > 0), but got num_workers=0"
        _refuse(context is not None and n == 0, what)
        if self.worker_init_fn is not None and not callable(self.worker_init_fn):
            what = f"worker_init_fn is {type(self.worker_init_fn).__name__}"
            raise TypeMismatch("DataLoader", what, "expected a function of the worker's id")

    def _check_sampling(self, shuffle: Any, sampler: Any, batch_sampler: Any, batch_size: Any, drop_last: bool) -> None:
        for name, value in (("sampler", sampler), ("batch_sampler", batch_sampler), ("shuffle", shuffle or None)):
            if self._iterable and value is not None:
                _refuse(True, f"with IterableDataset: expected unspecified {name} option, but got {name}={value}", "shuffle in the dataset")
        _refuse(sampler is not None and shuffle, "sampler option is mutually exclusive with shuffle")
        given = batch_size != 1 or shuffle or sampler is not None or drop_last
        what = "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last"
        _refuse(batch_sampler is not None and given, what)
        what = "batch_size=None option disables auto-batching and is mutually exclusive with drop_last"
        _refuse(batch_sampler is None and batch_size is None and drop_last, what)

    def _own_sampler(self, shuffle: bool) -> Any:
        if self._iterable:
            return itertools.repeat(None)  # a stream has no indices, only turns
        return RandomSampler(self.dataset, generator=self.generator) if shuffle else SequentialSampler(self.dataset)

    def __setattr__(self, name: str, value: Any) -> None:
        fixed = self._made and name in _FIXED
        _refuse(fixed, f"{name} attribute should not be set after DataLoader is initialized", "make another DataLoader")
        object.__setattr__(self, name, value)

    def __iter__(self) -> Iterator[Any]:
        if self.pin_memory:
            warnings.warn("DataLoader: pin_memory has no effect, batches stay in ordinary memory", stacklevel=2)
        if self.num_workers == 0:
            return _InLine(self)
        if self._iterator is not None:
            self._iterator.restart()
            return self._iterator
        warnings.warn(
            f"DataLoader: num_workers={self.num_workers} starts threads; worker processes are not available yet, so pure-Python "
            "transforms do not run in parallel",
            stacklevel=2,
        )
        made = _Threaded(self)
        if self.persistent_workers:
            self._iterator = made
        return made

    def __len__(self) -> int:
        if not self._iterable:
            return len(self._index_sampler)
        n = self._stated = len(self.dataset)
        if self.batch_size is None:
            return n
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)


def _refuse(wrong: Any, what: str, remedy: str = "") -> None:
    if wrong:
        raise ValueRangeError("DataLoader", what, "", remedy)


class _Pass:
    """One pass over the data."""

    def __init__(self, loader: DataLoader) -> None:
        self._loader, self._given = loader, 0
        self._make = partial(Fetcher, auto=loader._auto, collate=loader.collate_fn, drop_last=loader.drop_last)

    def __iter__(self) -> Any:
        return self

    def __len__(self) -> int:
        return len(self._loader)

    def _hand_out(self, value: Any) -> Any:
        """Count a batch, and say so when a stream goes on for longer than its length."""
        loader, self._given = self._loader, self._given + 1
        if loader._stated is not None and self._given > loader._stated:
            hint = "; with several workers, let __iter__ ask get_worker_info() for its share" if loader.num_workers else ""
            warnings.warn(
                f"DataLoader: the length of IterableDataset {loader.dataset} was reported to be {loader._stated} (by len(dataloader)), "
                f"but {self._given} samples have been fetched{hint}",
                stacklevel=3,
            )
        return value


class _InLine(_Pass):
    """Load in the caller's thread."""

    def __init__(self, loader: DataLoader) -> None:
        if loader.timeout:
            raise AssertedError("DataLoader", f"timeout is {loader.timeout}", "loading in line requires timeout == 0")
        super().__init__(loader)
        self._steps = iter(loader._index_sampler)
        draw_seed(loader.generator)  # nobody here needs it, but PyTorch draws it
        self._fetch = self._make(loader.dataset)

    def __next__(self) -> Any:
        return self._hand_out(self._fetch(next(self._steps)))


class _Threaded(_Pass):
    """Load by worker threads, a few batches ahead, handing them out in order."""

    def __init__(self, loader: DataLoader) -> None:
        super().__init__(loader)
        seed = draw_seed(loader.generator)
        infos = [WorkerInfo(i, loader.num_workers, seed + i, _copied(loader.dataset)) for i in range(loader.num_workers)]
        self._pool = ThreadPool(infos, loader.worker_init_fn, self._make)
        self._sent = 0
        self._begin()

    def restart(self) -> None:
        """Begin another pass with the same threads; what the last one left undone is dropped."""
        self._pool.restart(self._sent)
        self._begin()

    def _begin(self) -> None:
        loader = self._loader
        self._steps = iter(loader._index_sampler)
        self._turns = itertools.cycle(range(loader.num_workers))
        self._active = set(range(loader.num_workers))
        self._first = self._due = self._sent  # requests are numbered through all passes
        self._given = 0
        for _ in range((loader.prefetch_factor or 1) * loader.num_workers):
            self._send()

    def _send(self) -> None:
        """Give the next request to the next worker whose stream has not ended."""
        if self._active:
            for request in itertools.islice(self._steps, 1):
                worker = next(w for w in self._turns if w in self._active)
                self._pool.send(worker, self._sent, request)
                self._sent += 1

    def __next__(self) -> Any:
        while self._due < self._sent:
            worker, kind, value = self._pool.receive(self._due, self._loader.timeout)
            self._due += 1
            if kind != "end" or worker in self._active:
                self._active -= {worker} if kind == "end" else set()
                self._send()
            if kind == "error":
                raise value
            if kind == "batch":
                return self._hand_out(value)
        if not self._loader.persistent_workers:
            self._pool.stop()
        raise StopIteration

    def __del__(self) -> None:
        if hasattr(self, "_pool"):
            self._pool.stop()


def _copied(dataset: Any) -> Any:
    """A worker's own dataset: what it sets on it stays with it, what the dataset holds is shared."""
    try:
        return copy.copy(dataset)
    except Exception:  # a dataset that cannot be copied is shared
        return dataset
