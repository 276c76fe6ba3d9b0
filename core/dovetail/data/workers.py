"""Fetching samples, and the threads that do it ahead of time. Worker processes will take ThreadPool's place here."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..errors import WorkerError
from .dataset import IterableDataset, several

__all__ = ["Fetcher", "ThreadPool", "WorkerInfo", "get_worker_info"]


@dataclass
class WorkerInfo:
    """What a worker knows of itself: its number, how many there are, its seed, the dataset."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


class _Local(threading.local):
    info: WorkerInfo | None = None


_LOCAL = _Local()


def get_worker_info() -> WorkerInfo | None:
    """In a loader's worker, what it is; elsewhere None.

    >>> get_worker_info() is None
    True
    """
    return _LOCAL.info


class Fetcher:
    """Turns one request of the sampler into a batch (or a sample, without batching)."""

    def __init__(self, dataset: Any, auto: bool, collate: Callable[[Any], Any], drop_last: bool) -> None:
        self.dataset, self.auto, self.collate, self.drop_last = dataset, auto, collate, drop_last
        self.stream = iter(dataset) if isinstance(dataset, IterableDataset) else None
        self.ended = False

    def __call__(self, request: Any) -> Any:
        """Load and collate. Raises StopIteration at the end of a stream."""
        if self.stream is not None:
            return self._next(request)
        if not self.auto:
            return self.collate(self.dataset[request])
        return self.collate(several(self.dataset, request))

    def _next(self, request: Any) -> Any:
        if self.ended:
            raise StopIteration
        if not self.auto:
            return self.collate(next(self.stream))  # type: ignore[arg-type]
        batch: list[Any] = []
        for _ in request:
            try:
                batch.append(next(self.stream))  # type: ignore[arg-type]
            except StopIteration:
                self.ended = True
                break
        if not batch or (self.ended and self.drop_last and len(batch) < len(request)):
            raise StopIteration
        return self.collate(batch)


class ThreadPool:
    """Worker threads with a queue each, and one place where results wait for their turn."""

    def __init__(self, infos: list[WorkerInfo], init: Callable[[int], None] | None, make: Callable[[Any], Fetcher]) -> None:
        self.infos, self.init, self.make = infos, init, make
        self.first: float = 0  # requests with lower numbers are of an earlier pass: nobody waits for them
        self.waiting: dict[int, Any] = {}
        self.results: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.requests: list[queue.SimpleQueue[Any]] = [queue.SimpleQueue() for _ in infos]
        for info in infos:
            threading.Thread(target=_work, args=(self, info), daemon=True, name=f"dovetail-loader-{info.id}").start()

    def restart(self, first: int) -> None:
        """Begin another pass with the same threads, whose requests are numbered from `first`."""
        self.first = first
        self.waiting.clear()
        for inbox in self.requests:
            inbox.put((first, "restart", None))

    def send(self, worker: int, number: int, request: Any) -> None:
        """Ask a worker for a batch."""
        self.requests[worker].put((number, "fetch", request))

    def receive(self, number: int, timeout: float) -> tuple[int, str, Any]:
        """Wait for a result by its number: (worker, "batch", "end" of its stream or "error", the value).

        Raises a WorkerError when nothing comes for `timeout` seconds.
        """
        while number not in self.waiting:
            try:
                got, *result = self.results.get(timeout=timeout or None)
            except queue.Empty:
                what = f"DataLoader timed out after {timeout} seconds"
                remedy = "raise timeout=, or look at what the dataset waits for"
                raise WorkerError("DataLoader", what, f"batch {number - int(self.first)} has not come", remedy) from None
            if got >= self.first:
                self.waiting[got] = tuple(result)
        return self.waiting.pop(number)

    def stop(self) -> None:
        """Let the threads end; requests that they have not begun are dropped."""
        self.first = float("inf")
        for inbox in self.requests:
            inbox.put(None)


def _work(pool: ThreadPool, info: WorkerInfo) -> None:
    """The life of a worker thread: its own random stream, then requests until None arrives."""
    from ..generator import thread_generator

    _LOCAL.info = info
    inbox = pool.requests[info.id]
    fetch: Fetcher | None = None
    failed: BaseException | None = None
    with thread_generator(info.seed):
        try:
            if pool.init is not None:
                pool.init(info.id)
        except BaseException as error:
            failed = error
        while (message := inbox.get()) is not None:
            number, kind, request = message
            if kind == "restart":
                fetch = None
            elif number >= pool.first:
                try:
                    if failed is not None:
                        raise failed
                    fetch = fetch or pool.make(info.dataset)
                    result = ("batch", fetch(request))
                except BaseException as error:
                    ended = isinstance(error, StopIteration) and fetch is not None and fetch.stream is not None
                    result = ("end", None) if ended else ("error", _noted(error, info.id, request))
                pool.results.put((number, info.id, *result))
                del result


def _noted(error: BaseException, worker: int, request: Any) -> BaseException:
    """The error with a note of where it happened; what would end a process becomes a WorkerError."""
    where = f"in DataLoader worker thread {worker}, at indices {request}"
    if not isinstance(error, Exception):
        made = WorkerError("DataLoader", f"worker thread {worker} ended by {type(error).__name__} {error}", f"at indices {request}")
        made.__cause__ = error
        return made
    if where not in getattr(error, "__notes__", ()):
        error.add_note(where)
    return error
