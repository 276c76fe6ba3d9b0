"""Fetching: a request of the sampler becomes a batch, in whichever process or thread."""

from __future__ import annotations

import hashlib
import operator
import random
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..generator import Generator, thread_generator
from .collate import default_collate
from .dataset import IterableDataset, whole_batch

__all__ = ["Fetcher", "WorkerInfo", "get_worker_info", "seed_of", "set_worker_info"]


@dataclass(frozen=True)
class WorkerInfo:
    """What a worker knows of itself: its number, how many there are, its seed, the dataset; whether it is a process or a thread."""

    id: int
    num_workers: int
    seed: int
    dataset: Any
    rng: Any = None
    worker_method: str = "multiprocessing"


class _Local(threading.local):
    info: WorkerInfo | None = None


_LOCAL = _Local()


def set_worker_info(info: WorkerInfo) -> None:
    """Say what this worker is: to its thread, or to all threads of its process."""
    (_LOCAL if info.worker_method == "thread" else _Local).info = info


def get_worker_info() -> WorkerInfo | None:
    """In a loader's worker, what it is; elsewhere None.

    >>> get_worker_info() is None
    True
    """
    return _LOCAL.info


def seed_of(seed: int, epoch: int, what: str, key: Any) -> int:
    """The 64-bit seed of one sample, one batch or one order: a function of these four, the same on every machine.

    >>> seed_of(0, 0, "sample", 1) == seed_of(0, 0, "sample", True + 0), seed_of(0, 0, "sample", 1) == seed_of(0, 1, "sample", 1)
    (True, False)
    """
    with suppress(TypeError):
        key = operator.index(key)  # a sampler may give 3 as NumPy's integer or a tensor
    return int.from_bytes(hashlib.blake2b(repr((int(seed), int(epoch), what, key)).encode(), digest_size=8).digest(), "little")


class Fetcher:
    """Turns one request of the sampler into a batch (or a sample, without batching).

    With `seed`, the random numbers of a sample are a function of (seed, epoch, its index), and those of its collation of (seed, epoch,
    the first index); a stream counts its samples instead. `state` is where a stream continues.
    """

    def __init__(
        self, dataset: Any, auto: bool, collate: Callable[[Any], Any], drop_last: bool, seed: int | None = None,
        epoch: int = 0, state: Any = None,
    ) -> None:  # fmt: skip
        self.dataset, self.auto, self.collate, self.drop_last = dataset, auto, collate, drop_last
        self.seed, self.epoch, self.ended, self.read = seed, epoch, False, 0
        info = get_worker_info()
        self.worker, self.alone = (0, True) if info is None else (info.id, info.worker_method != "thread")
        if state is not None:
            self.read = state["read"]
            dataset.load_state_dict(state["dataset"])
        self.stream = iter(dataset) if isinstance(dataset, IterableDataset) else None

    def __call__(self, request: Any) -> Any:
        """Load and collate. Raises StopIteration at the end of a stream."""
        if self.seed is None:
            return self._batch(request, None)
        kept = random.getstate(), np.random.get_state()
        with thread_generator(0) as generator:
            try:
                return self._batch(request, generator)
            finally:  # the streams of Python and NumPy go on as if nothing had been drawn
                if self.alone:
                    random.setstate(kept[0])
                    np.random.set_state(kept[1])

    def state(self) -> Any:
        """Where the stream is, if the dataset can say so."""
        if self.stream is None or not hasattr(self.dataset, "state_dict"):
            return None
        return {"read": self.read, "dataset": self.dataset.state_dict()}

    def _batch(self, request: Any, generator: Generator | None) -> Any:
        quick = self.stream is None and self.auto and generator is None and self.collate is default_collate
        if quick and (whole := whole_batch(self.dataset, request)) is not None:
            return whole
        if self.stream is not None:
            data = self._read(request, generator)
        elif self.auto:
            data = self._samples(request, getattr(self.dataset, "__getitems__", None), generator)
        else:
            data = self._samples([request], None, generator)[0]
        if generator is not None:
            self._reseed(generator, "batch", (request[0] if request else None) if self.auto and self.stream is None else request)
        return self.collate(data)

    def _samples(self, indices: list[Any], many: Callable[..., Any] | None, generator: Generator | None) -> Any:
        """Some samples, all at once where the dataset can: with seeds, each by itself."""
        if many and generator is None:
            return many(indices)
        data: list[Any] = []
        try:
            for index in indices:
                if generator is not None:
                    self._reseed(generator, "sample", index)
                data.append(many([index])[0] if many else self.dataset[index])
        except Exception as error:
            error.add_note(f"DataLoader: at index {indices[len(data)]!r} of {indices}")
            raise
        return data

    def _read(self, request: Any, generator: Generator | None) -> Any:
        """The next sample of the stream, or a list of them."""
        if self.ended:
            raise StopIteration
        data: list[Any] = []
        for _ in request if self.auto else (None,):
            if generator is not None:
                self._reseed(generator, "sample", self.read)
            try:
                data.append(next(self.stream))  # type: ignore[arg-type]
            except StopIteration:
                self.ended = self.auto
                break
            self.read += 1
        if not data or (self.ended and self.drop_last and len(data) < len(request)):
            raise StopIteration
        return data if self.auto else data[0]

    def _reseed(self, generator: Generator, what: str, key: Any) -> None:
        """Restart the random numbers of Dovetail, Python and NumPy; a thread's only Dovetail's, as the others belong to all threads."""
        key = key if self.stream is None else (self.worker, self.read)
        seed = seed_of(self.seed, self.epoch, what, key)  # type: ignore[arg-type]
        generator.manual_seed(seed)
        if self.alone:
            random.seed(seed)
            np.random.seed(seed & 0xFFFFFFFF)
