"""One pass over the data: in line, or with workers that are a few batches ahead."""

from __future__ import annotations

import copy
import itertools
import multiprocessing
import sys
import time
import warnings
from contextlib import suppress
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from ..errors import AssertedError, WorkerError
from ..generator import current
from .fetch import Fetcher

if TYPE_CHECKING:
    from .loader import DataLoader

__all__ = ["Ahead", "InLine", "Pass"]

TICK, SHOWN = 0.5, 60.0  # seconds between looks at the time; until the stack of a worker that is waited for is shown


class Pass:
    """One pass over the data."""

    def __init__(self, loader: DataLoader[Any]) -> None:
        self._progress, self._steps = loader._new_pass()
        self._loader = SimpleNamespace(**vars(loader))  # as it is now; the loader may hold this pass, which must not hold it
        self._erred = False  # the last batch was an error
        self._make = partial(Fetcher, auto=loader._auto, collate=loader.collate_fn, drop_last=loader.drop_last, seed=loader.sample_seed)

    def __iter__(self) -> Any:
        return self

    def __len__(self) -> int:
        return len(self._loader._index_sampler)

    def _hand_out(self, value: Any, worker: int, state: Any) -> Any:
        """Count a batch, and say so when a stream goes on for longer than its length."""
        loader, given = self._loader, self._progress.given + 1
        self._progress.count(worker, state)
        if loader._stated is not None and given > loader._stated:
            hint = "; with several workers, let __iter__ ask get_worker_info() for its share" if loader.num_workers else ""
            what = f"DataLoader: the length of IterableDataset {loader.dataset} was reported to be {loader._stated} (by len(dataloader))"
            warnings.warn(f"{what}, but {given} samples have been fetched{hint}", stacklevel=3)
        return value

    def _pass_over(self) -> None:
        """Who goes on after an error has done with its batch; who does not will find it again."""
        self._progress.given += self._erred
        self._erred = False

    def _stream_state(self, worker: int) -> Any:
        """Where the stream of a worker is to go on."""
        return self._progress.streams[worker] if self._progress.streams else None

    def _to_skip(self) -> int:
        """How many batches of a stream that cannot say where it is are to be read again."""
        return self._progress.given if self._loader._iterable and not self._progress.streams else 0


class InLine(Pass):
    """Load in the caller's thread."""

    def __init__(self, loader: DataLoader[Any]) -> None:
        if loader.timeout:
            raise AssertedError("DataLoader", f"timeout is {loader.timeout}", "loading in line requires timeout == 0")
        super().__init__(loader)
        self._fetch = self._make(loader.dataset, epoch=self._progress.epoch, state=self._stream_state(0))
        with current()._fork():  # the program's stream stands after these batches already
            for _ in range(self._to_skip()):
                self._fetch(next(self._steps))

    def __next__(self) -> Any:
        self._pass_over()
        try:
            value = self._fetch(next(self._steps))
        except StopIteration:
            self._progress.done = True
            raise
        except Exception:
            self._erred = True
            raise
        return self._hand_out(value, 0, self._fetch.state())


class Ahead(Pass):
    """Load by workers, a few batches ahead."""

    def __init__(self, loader: DataLoader[Any]) -> None:
        super().__init__(loader)
        self._pool = _pool(self._loader, self._make, self._progress.seed)
        self.failed: str | None = None  # how the worker died with whom the pass has ended
        self._sent = 0
        self._begin()

    def restart(self, loader: DataLoader[Any]) -> None:
        """Begin another pass with the same workers; what the last one left undone is dropped."""
        self._progress, self._steps = loader._new_pass(self._progress.seed)
        self._erred = False
        self._begin()

    def _begin(self) -> None:
        n, progress = self._loader.num_workers, self._progress
        self._waiting: dict[int, tuple[Any, ...]] = {}  # results that came before their turn
        self._flying: dict[int, tuple[int, Any]] = {}  # requests that are not answered to the caller yet: worker and indices
        self._active = set(range(n))  # workers whose stream has not ended
        self._skips = self._to_skip()
        self._turns = itertools.islice(itertools.cycle(range(n)), progress.turn if progress.streams else 0, None)
        self._first = self._due = self._sent  # requests are numbered through all passes
        for worker in range(n):
            self._pool.send(worker, (self._sent, "begin", (progress.epoch, self._stream_state(worker))))
        for _ in range((self._loader.prefetch_factor or 1) * n):
            self._send()

    def _send(self) -> None:
        """Give the next request to the next worker whose stream has not ended, or, in any order, to one that has least to do."""
        for request in itertools.islice(self._steps, 1 if self._active else 0):
            if self._loader.in_order:
                worker = next(w for w in self._turns if w in self._active)
            else:
                worker = min(self._active, key=[w for w, _ in self._flying.values()].count)
            self._flying[self._sent] = worker, request
            self._pool.send(worker, (self._sent, "fetch", request))
            self._sent += 1

    def __next__(self) -> Any:
        if self.failed is not None:
            raise WorkerError("DataLoader", "this pass has ended", self.failed, "begin another one")
        self._pass_over()
        while self._flying:
            worker, kind, value, state = self._result()
            if kind != "end" or worker in self._active:
                self._active -= {worker} if kind == "end" else set()
                self._send()
            if kind == "error":
                self._erred = True
                raise value
            if kind == "batch" and self._skips:
                self._skips -= 1
            elif kind == "batch":
                return self._hand_out(value, worker, state)
        self._progress.done = True
        if not self._loader.persistent_workers:
            self._pool.stop()
        raise StopIteration

    def _result(self) -> tuple[Any, ...]:
        """Wait for the result that is due, or in any order for one."""
        since, timeout, shown = time.monotonic(), self._loader.timeout, False
        while not (self._due in self._waiting if self._loader.in_order else self._waiting):
            message = self._pool.receive(max(0.0, min(TICK, since + timeout - time.monotonic())) if timeout else TICK)
            if message is not None:
                since, (number, worker, *result) = time.monotonic(), message
                if result[0] == "dead":
                    self._bury(worker, result[1])
                if number >= self._first:
                    self._waiting[number] = (worker, *result)
            elif timeout and time.monotonic() - since >= timeout:
                raise self._late(f"DataLoader timed out after {timeout} seconds", "raise timeout=, or look at what the dataset waits for")
            elif time.monotonic() - since >= SHOWN and not shown:
                print(self._late(f"nothing has come for {SHOWN:g} seconds", "timeout= makes this an error"), file=sys.stderr)
                shown = True
        number = self._due if self._loader.in_order else next(iter(self._waiting))
        self._due += 1
        del self._flying[number]
        return self._waiting.pop(number)

    def _late(self, what: str, remedy: str) -> WorkerError:
        """An error that tells which worker is waited for, and where it is."""
        number = min(self._flying)
        worker, request = self._flying[number]
        stack = self._pool.stack(worker)
        expected = f"batch {number - self._first} has not come from worker {worker}, at indices {_short(request)}"
        return WorkerError("DataLoader", what, expected, remedy + (f"\n{stack}" if stack else ""))

    def _bury(self, worker: int, how: str) -> None:
        """End a pass that has lost a worker."""
        flying = [_short(request) for number, (w, request) in self._flying.items() if w == worker and number not in self._waiting]
        self.failed = how.partition("\n")[0]
        self._pool.stop()
        remedy = "with num_workers=0 you see what a sample does to its process"
        raise WorkerError("DataLoader", how, f"in flight were the indices {' and '.join(flying) or 'of no batch'}", remedy)

    def __del__(self) -> None:
        if hasattr(self, "_pool"):
            self._pool.stop()


def _pool(loader: SimpleNamespace, make: Any, seed: int) -> Any:
    from . import pools  # the connections of multiprocessing are imported where there are workers

    task = pools.Task(loader.dataset, make, loader.worker_init_fn, seed, loader.num_workers)
    context = loader.multiprocessing_context
    if context == "thread":
        return pools.ThreadPool(task, [_copied(loader.dataset) for _ in range(loader.num_workers)])
    return pools.ProcessPool(task, context or multiprocessing.get_context(pools.start_method(task)))


def _short(request: Any) -> str:
    """A request as it is shown: at most 16 of its indices."""
    if isinstance(request, list) and len(request) > 16:
        return f"{str(request[:16])[:-1]}, … ({len(request)} in all)]"
    return str(request)


def _copied(dataset: Any) -> Any:
    """A thread's own dataset: what it sets on it stays with it, what the dataset holds is shared."""
    with suppress(Exception):
        return copy.copy(dataset)
    return dataset  # one that cannot be copied is shared
