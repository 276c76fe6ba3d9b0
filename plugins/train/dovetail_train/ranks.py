"""The processes that train one model together: those that a launcher of MPI started (`dovetail launch`), or this one alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dovetail as dv
from dovetail.errors import UnsupportedError, ValueRangeError

__all__ = ["Ranks", "share", "started"]


class Ranks:
    """This process alone: it shares nothing, and waits for nobody.

    >>> alone = Ranks()
    >>> alone.rank, alone.size, alone.total(2.0, 3.0), alone.first_of("mine"), alone.everyone(1)
    (0, 1, [2.0, 3.0], 'mine', [1])
    """

    rank, size = 0, 1
    launched = False

    def module(self, model: Any) -> Any:
        """What to call in place of the model, so that gradients become the mean of all processes'."""
        return model

    def sampler(self, dataset: Any, *, seed: int, drop_last: bool) -> Any:
        """What draws this process's share of a dataset, or None for all of it."""
        return

    def total(self, *values: float) -> list[float]:
        """The sums over all processes."""
        return list(values)

    def most(self, *values: int) -> list[int]:
        """The largest of all processes."""
        return list(values)

    def first_of(self, value: Any) -> Any:
        """The first process's value."""
        return value

    def everyone(self, value: Any) -> list[Any]:
        """The values of all processes."""
        return [value]

    @contextmanager
    def one_by_one(self) -> Iterator[None]:
        """The first process runs the block before the others do: what it downloads is there for them."""
        yield


class _Launched(Ranks):
    """One of several processes, by ``dovetail.distributed``."""

    launched = True

    def __init__(self) -> None:
        self.world: Any = dv.distributed
        if not self.world.is_initialized():
            self.world.init_process_group("mpi")
        self.rank, self.size = self.world.get_rank(), self.world.get_world_size()

    def module(self, model: Any) -> Any:
        whole = dv.nn.SyncBatchNorm.convert_sync_batchnorm(model)  # its layers: statistics are those of the whole batch
        return dv.nn.parallel.DistributedDataParallel(whole, find_unused_parameters=True)

    def sampler(self, dataset: Any, *, seed: int, drop_last: bool) -> Any:
        return dv.utils.data.DistributedSampler(dataset, self.size, self.rank, seed=seed, drop_last=drop_last)

    def total(self, *values: float) -> list[float]:
        row = dv.tensor(values, dtype=dv.float64)
        self.world.all_reduce(row)
        return [float(value) for value in row.tolist()]

    def most(self, *values: int) -> list[int]:
        row = dv.tensor(values)
        self.world.all_reduce(row, self.world.ReduceOp.MAX)
        return [int(value) for value in row.tolist()]

    def first_of(self, value: Any) -> Any:
        values = [value]
        self.world.broadcast_object_list(values, 0)
        return values[0]

    def everyone(self, value: Any) -> list[Any]:
        values: list[Any] = [None] * self.size
        self.world.all_gather_object(values, value)
        return values

    @contextmanager
    def one_by_one(self) -> Iterator[None]:
        if self.rank:
            self.world.barrier()
        yield
        if not self.rank:
            self.world.barrier()


def started() -> Ranks:
    """The processes of this training, which are waited for.

    Raises an UnsupportedError where several were started, and not by MPI; what says that dovetail-mpi is not installed.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1 and "DOVETAIL_RESTART" not in os.environ:
        return Ranks()
    made = _Launched()
    if made.size != size:
        remedy = f"dovetail launch -n {size} dovetail train CONFIG.toml"
        raise UnsupportedError("dovetail train", f"{size} processes were started, and MPI joins {made.size}", "expected as many", remedy)
    return made


def share(ranks: Ranks, where: str, batch_size: int) -> int:
    """The samples of a batch that are each process's. Raises a ValueRangeError where the batch is not divided evenly."""
    if batch_size % ranks.size:
        what = f"batch_size is {batch_size}, for all of {ranks.size} processes together"
        raise ValueRangeError(where, what, f"expected a multiple of {ranks.size}", "a mean of gradients weighs all processes alike")
    return batch_size // ranks.size
