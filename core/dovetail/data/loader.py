"""DataLoader: batches from a dataset, in line or by workers, in the order of the sampler."""

from __future__ import annotations

import itertools
import multiprocessing
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

from ..errors import TypeMismatch, UnsupportedError, ValueRangeError
from ..ops.info import usable_cores
from .collate import default_collate, default_convert
from .dataset import IterableDataset
from .fetch import get_worker_info
from .passes import Ahead, InLine
from .progress import Progress, begin, parts
from .sampler import BatchSampler, RandomSampler, SequentialSampler

__all__ = ["DataLoader", "get_worker_info"]

T_co = TypeVar("T_co", covariant=True)
_FIXED = {"batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers"}


class DataLoader(Generic[T_co]):
    """Iterate over a dataset in batches; arguments as PyTorch's.

    ``num_workers`` processes load ahead, each with a copy of the dataset and PyTorch's random numbers of the worker of that number. Batches
    come out in the sampler's order whatever the number of workers. ``multiprocessing_context`` is a start method or a context;
    "thread" makes the workers threads of this process. ``pin_memory`` has no effect.

    With ``sample_seed`` the random numbers of a sample are a function of (sample_seed, epoch, index), and the order one of (sample_seed,
    epoch): the same samples for any number of workers. The loader counts its passes as epochs; `set_epoch` says another. A dataset
    that shuffles itself has a method ``__shuffled__(shuffle)``, whose result is read instead of it.

    Raises a ValueError for options that exclude each other. What a dataset raises in a worker comes out where its batch was due, with
    PyTorch's text and a note that names worker and indices; a WorkerError (RuntimeError) says that a worker died, or that nothing
    came for ``timeout`` seconds.

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
        persistent_workers: bool = False, pin_memory_device: str = "", in_order: bool = True, sample_seed: int | None = None,
    ) -> None:  # fmt: skip
        dataset, shuffle = (dataset.__shuffled__(shuffle), None) if hasattr(dataset, "__shuffled__") else (dataset, shuffle)
        self.dataset, self.num_workers, self.timeout, self.generator = dataset, num_workers, timeout, generator
        self.pin_memory, self.worker_init_fn, self.persistent_workers = pin_memory, worker_init_fn, persistent_workers
        self.pin_memory_device, self.in_order, self.sample_seed = pin_memory_device, in_order, sample_seed
        self._iterable = isinstance(dataset, IterableDataset)
        self._check_workers(prefetch_factor)
        self._check_sampling(shuffle, sampler, batch_sampler, batch_size, drop_last)
        self.prefetch_factor = 2 if num_workers and prefetch_factor is None else prefetch_factor
        if batch_sampler is not None:
            batch_size, drop_last = None, False
        sampler = self._own_sampler(bool(shuffle)) if sampler is None else sampler
        if batch_size is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.batch_size, self.drop_last, self.sampler, self.batch_sampler = batch_size, drop_last, sampler, batch_sampler
        self._auto = batch_sampler is not None  # whether the loader makes batches itself
        self._index_sampler: Any = batch_sampler if self._auto else sampler
        self.collate_fn = collate_fn or (default_collate if self._auto else default_convert)
        self.multiprocessing_context = multiprocessing_context
        self._iterator: Ahead | None = None
        self._stated: int | None = None  # what len() said of a stream, which then turns out to be true or not
        self._epoch = 0  # of the next pass
        self._progress: Progress | None = None  # of the latest pass
        self._resumed: Progress | None = None  # what the next pass goes on with
        self._made = True

    def _check_workers(self, prefetch: int | None) -> None:
        n = self.num_workers
        _refuse(n < 0, f"num_workers option should be non-negative, got {n}", "use num_workers=0 to load in line")
        _refuse(self.timeout < 0, f"timeout option should be non-negative, got {self.timeout}")
        what = f"prefetch_factor option could only be specified in multiprocessing, got {prefetch}"
        _refuse(n == 0 and prefetch is not None, what, "let num_workers > 0")
        _refuse(prefetch is not None and prefetch < 0, f"prefetch_factor option should be non-negative, got {prefetch}")
        _refuse(self.persistent_workers and n == 0, "persistent_workers option needs num_workers > 0")
        both = self.sample_seed is not None and self.generator is not None
        _refuse(both, "sample_seed and generator would both decide the order", "give one of the two")
        if self.worker_init_fn is not None and not callable(self.worker_init_fn):
            what = f"worker_init_fn is {type(self.worker_init_fn).__name__}"
            raise TypeMismatch("DataLoader", what, "expected a function of the worker's id")
        if n > (cores := usable_cores()):
            what = f"This DataLoader will create {n} worker processes in total. Our suggested max number of worker in current system is "
            warnings.warn(f"{what}{cores}, which is smaller than what this DataLoader is going to create.", stacklevel=3)

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
        if name == "multiprocessing_context" and value is not None:
            value = _context(value, self.num_workers)
        object.__setattr__(self, name, value)

    def __iter__(self) -> Iterator[Any]:
        if self.pin_memory:
            what = "'pin_memory' argument is set as true but no accelerator is found, then device pinned memory won't be used."
            warnings.warn(what, stacklevel=2)
        if self.num_workers == 0:
            return InLine(self)
        if self._iterator is not None and self._iterator.failed is None:
            self._iterator.restart(self)
            return self._iterator
        self._iterator = None
        made = Ahead(self)
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

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch the next pass is, for ``sample_seed`` and for samplers that have a `set_epoch`."""
        self._epoch = epoch
        for part in parts(self):
            if hasattr(part, "set_epoch"):
                part.set_epoch(epoch)

    def state_dict(self) -> dict[str, Any]:
        """Where the latest pass is, in plain values and tensors: give it to `load_state_dict` of such a loader to go on there.

        Raises an UnsupportedError where batches come out of order.

        >>> import dovetail as dv
        >>> loader, again = (DataLoader(dv.arange(5), batch_size=2, shuffle=True) for _ in range(2))
        >>> steps = iter(loader)
        >>> _ = next(steps)
        >>> again.load_state_dict(loader.state_dict())
        >>> [b.tolist() for b in again] == [b.tolist() for b in steps]
        True
        """
        if not self.in_order and self.num_workers:
            raise UnsupportedError("DataLoader.state_dict", "with in_order=False what is left is not known", "", "use in_order=True")
        return (self._resumed or self._progress or Progress(self._epoch - 1, self.num_workers, done=True)).state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Let the next pass be the rest of the one that `state_dict` tells of: samples that were given are not loaded again.

        Exact for the order of a map-style dataset with any number of workers, and for its random numbers where the loader has a
        ``sample_seed``. A stream goes on by its own ``load_state_dict``, or is read again up to there, with as many workers as before.
        Raises a TypeError or a ValueError for a state that is none, or of another loader.
        """
        self._resumed = Progress.of(state_dict, self)
        self._epoch = self._resumed.epoch

    def _new_pass(self, seed: int | None = None) -> tuple[Progress, Iterator[Any]]:
        """Begin a pass, or the rest of one: what is known of it, and its requests."""
        resumed, self._resumed = self._resumed, None
        self._progress, steps = begin(self, resumed, seed)
        self._epoch = self._progress.epoch + 1
        return self._progress, steps


def _refuse(wrong: Any, what: str, remedy: str = "") -> None:
    if wrong:
        raise ValueRangeError("DataLoader", what, "", remedy)


def _context(value: Any, workers: int) -> Any:
    """A context of multiprocessing by its name or as it is, or "thread"."""
    what = f"multiprocessing_context can only be used with multi-process loading (num_workers > 0), but got num_workers={workers}"
    _refuse(workers == 0, what)
    if value == "thread":
        return value
    if isinstance(value, str):
        known = multiprocessing.get_all_start_methods()
        what = f"multiprocessing_context option should specify a valid start method in {known!r}, but got multiprocessing_context={value!r}"
        _refuse(value not in known, what, "or 'thread', for threads")
        return multiprocessing.get_context(value)
    if not isinstance(value, multiprocessing.context.BaseContext):
        what = "multiprocessing_context option should be a valid context object or a string specifying the start method"
        raise TypeMismatch("DataLoader", what, f"but got multiprocessing_context={value}")
    return value
