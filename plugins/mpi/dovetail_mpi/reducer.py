"""Gradients in buckets: each is reduced over all ranks as soon as it is full, while backward goes on to fill the next."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

import dovetail as dv
from dovetail.errors import GradError

from . import mpi
from .buffers import array, reduced, reducer
from .group import ProcessGroup
from .links import backend, link
from .shared import Rows, rows
from .work import Work

__all__ = ["Bucket", "BucketOnGPU", "Reducer", "SharedBucket", "buckets_of"]


def buckets_of(parameters: Sequence[tuple[str, dv.Tensor]], first: float, cap: float) -> list[list[int]]:
    """Places of parameters, the last one first, in runs of one type and of at most so many bytes; the first run is smaller.

    >>> buckets_of([("a", dv.ones(4)), ("b", dv.ones(4)), ("c", dv.ones(4))], 16, 32)
    [[2], [1, 0]]
    """
    made: list[list[int]] = []
    sizes: list[float] = []
    for index in reversed(range(len(parameters))):
        tensor = parameters[index][1]
        size, room = tensor.numel() * tensor.element_size(), first if len(made) <= 1 else cap
        if not made or parameters[made[-1][-1]][1].dtype != tensor.dtype or sizes[-1] + size > room:
            made.append([])
            sizes.append(0)
        made[-1].append(index)
        sizes[-1] += size
    return made


class Bucket:
    """Memory on the host for the gradients of some parameters, in a row."""

    travels = True  # whether data move while MPI is asked

    def __init__(self, indices: list[int], parameters: Sequence[tuple[str, dv.Tensor]]) -> None:
        tensors = [parameters[i][1] for i in indices]
        self.indices, self.waiting, self.work = indices, len(indices), None  # type: Any, int, Work | None
        self.sizes, self.shapes = [t.numel() for t in tensors], [t.shape for t in tensors]
        self.started = self.ended = 0.0
        self._result: Callable[[], Any] | None = None  # from what MPI reduced to the type of the gradients
        self._allocate(tensors[0])

    def _allocate(self, like: dv.Tensor) -> None:
        self._use(np.zeros(sum(self.sizes), array(like.detach()).dtype))

    def _use(self, flat: np.ndarray[Any, Any]) -> None:
        self.flat: Any = flat
        runs = zip(np.split(flat, np.cumsum(self.sizes)[:-1]), self.shapes, strict=True)
        self.parts: list[Any] = [run.reshape(shape) for run, shape in runs]

    def fill(self, at: int, gradient: dv.Tensor | None, share: float) -> None:
        """Put this rank's share of a gradient in its place; None is zeros."""
        if gradient is None:
            self.parts[at][...] = 0
        else:
            np.multiply(array(gradient), share, out=self.parts[at], casting="unsafe")

    def view(self, at: int) -> dv.Tensor:
        """A gradient, in this memory."""
        return dv.from_numpy(self.parts[at])

    def start(self, group: ProcessGroup) -> None:
        """Begin to reduce; the members' order of buckets is one, so there is nothing to compare."""
        self.started = time.perf_counter()
        what = f"DistributedDataParallel(bucket of {len(self.indices)} gradients, {self.flat.nbytes} bytes)"
        self.work = Work(group, what, self._moving(group), self._arrived, checked=False, moving=self.travels)

    def sync(self) -> None:
        """Around a barrier: what was written before it is seen after it; where data travel, that is MPI's matter."""

    def _moving(self, group: ProcessGroup) -> Callable[[], list[Any]]:
        wide, self._result = reducer("SUM", self.flat, group.size())
        return lambda: reduced(group.comm, wide, mpi.load().SUM)

    def _arrived(self) -> None:
        if self._result is not None:
            self._result()
        self.ended = time.perf_counter()


class SharedBucket(Bucket):
    """A row of memory that all members see: once all are full, each member adds up a part of them. Another barrier must follow."""

    travels = False

    def __init__(self, indices: list[int], parameters: Sequence[tuple[str, dv.Tensor]], rows: Rows) -> None:
        self._rows = rows
        super().__init__(indices, parameters)

    def _allocate(self, like: dv.Tensor) -> None:
        self._use(self._rows.members[self._rows.own])

    def _moving(self, group: ProcessGroup) -> Callable[[], list[Any]]:
        self.sync()
        return lambda: [group.comm.Ibarrier()]

    def sync(self) -> None:
        """Of memory that all members see."""
        self._rows.window.sync()

    def _arrived(self) -> None:
        self._rows.add()
        self.ended = time.perf_counter()


class BucketOnGPU(Bucket):
    """Memory on the parameters' GPU, which NCCL reduces there."""

    def _allocate(self, like: dv.Tensor) -> None:
        self.flat = like.detach().new_zeros(sum(self.sizes))
        self.parts = [row.reshape(shape) for row, shape in zip(self.flat.split(self.sizes), self.shapes, strict=True)]

    def fill(self, at: int, gradient: dv.Tensor | None, share: float) -> None:
        """As on the host, by the GPU."""
        with dv.no_grad():
            self.parts[at].zero_() if gradient is None else self.parts[at].copy_(gradient.detach()).mul_(share)

    def view(self, at: int) -> dv.Tensor:
        """A gradient, in this memory."""
        return self.parts[at]  # type: ignore[no-any-return]

    def _moving(self, group: ProcessGroup) -> Callable[[], list[Any]]:
        way, _ = link(group, "DistributedDataParallel", "DistributedDataParallel(bucket)", self.flat)
        return lambda: [way.all_reduce(self.flat, "SUM")]


class Reducer:
    """Collects the gradients of a backward pass, and gives every parameter their mean over all ranks."""

    def __init__(
        self, parameters: Sequence[tuple[str, dv.Tensor]], group: ProcessGroup, first: float, cap: float, views: bool, find_unused: bool
    ) -> None:
        self.parameters, self.group, self.views, self.find_unused = list(parameters), group, views, find_unused
        self.buckets = self._made(buckets_of(self.parameters, first, cap))
        self.place = {i: (bucket, at) for bucket in self.buckets for at, i in enumerate(bucket.indices)}
        self.expects = False  # whether a backward pass is to come, or under way
        self.ready: set[int] = set()
        self.unused: list[int] = []  # by the forward pass
        self.used = np.zeros(len(self.parameters), np.int32)
        self.share = 1 / group.size()  # of a rank's gradients in what is added up
        self.trace: list[tuple[float, float]] = []  # when each bucket of the last pass was on its way
        self.filled = 0.0  # when the last bucket was full
        self.handles = [p.register_post_accumulate_grad_hook(self._hook(i)) for i, (_, p) in enumerate(self.parameters)]

    def _made(self, runs: list[list[int]]) -> Sequence[Bucket]:
        """The buckets: on a GPU where NCCL reduces, else in memory that all members see, else each in its own."""
        group, named = self.group, self.parameters
        if backend(group, "DistributedDataParallel", named[0][1]) == "nccl":
            return [BucketOnGPU(run, named) for run in runs]
        kinds = [(sum(named[i][1].numel() for i in run), array(named[run[0]][1]).dtype) for run in runs]
        found = rows(group, kinds)
        if found is None:
            return [Bucket(run, named) for run in runs]
        return [SharedBucket(run, named, seen) for run, seen in zip(runs, found, strict=True)]

    def prepare(self, outputs: Any) -> None:
        """A forward pass has ended: its backward, if there is one, will reduce. Parameters that it did not use are ready by then."""
        for bucket in self.buckets:
            bucket.waiting, bucket.work = len(bucket.indices), None
        self.ready, self.expects, self._next = set(), True, 0
        self.used[:] = 0
        reached = _leaves(outputs) if self.find_unused else set()
        self.unused = [i for i, (_, p) in enumerate(self.parameters) if self.find_unused and id(p) not in reached]

    def check(self) -> None:
        """Refuse to begin a pass before the one before it was reduced. Raises a RuntimeError that names what had no gradient."""
        if self.expects and self.ready and len(self.ready) < len(self.parameters):
            missing = [name for i, (name, _) in enumerate(self.parameters) if i not in self.ready]
            what = "Expected to have finished reduction in the prior iteration before starting a new one"
            had = f"rank {self.group.rank()}: no gradient for {', '.join(missing)}"
            remedy = "all outputs of forward must take part in the loss; find_unused_parameters=True lets parameters be unused"
            raise GradError("DistributedDataParallel", what, had, remedy)

    def _hook(self, index: int) -> Any:
        def accumulated(parameter: dv.Tensor) -> None:
            if self.expects:
                self._gradient(index, parameter)

        return accumulated

    def _gradient(self, index: int, parameter: dv.Tensor) -> None:
        if index in self.ready:
            name = self.parameters[index][0]
            what = f"Expected to mark a variable ready only once: {name} had its gradient twice in one pass"
            raise GradError(
                "DistributedDataParallel", what, "", "checkpoint(use_reentrant=False); find_unused_parameters only where parts are"
            )
        if not self.ready:
            for other in self.unused:  # what passes before this one have left in it, under no_sync, is averaged too
                self._fill(other, self.parameters[other][1].grad)
        self._fill(index, parameter.grad)
        if len(self.ready) == len(self.parameters):
            self._finish()

    def _fill(self, index: int, gradient: dv.Tensor | None) -> None:
        """Put a gradient in its place; begin what is full and whose turn it is, and let MPI go on with the rest."""
        bucket, at = self.place[index]
        self.ready.add(index)
        self.used[index] = gradient is not None
        bucket.fill(at, gradient, self.share)
        bucket.waiting -= 1
        while self._next < len(self.buckets) and not self.buckets[self._next].waiting:
            self.buckets[self._next].start(self.group)
            self._next += 1
        for other in self.buckets[: self._next]:
            if other.work is not None:
                other.work.is_completed()

    def _finish(self) -> None:
        """All gradients are here: wait for what is under way, and hand out the means."""
        self.filled = time.perf_counter()
        self.expects = False
        if self.find_unused:
            self._find_used_anywhere()
        self._wait()
        self._hand_out()
        self.trace = [(bucket.started, bucket.ended) for bucket in self.buckets]

    def _wait(self) -> None:
        """Return when the sums of all buckets are whole."""
        for bucket in self.buckets:
            if bucket.work is not None:
                bucket.work.wait()
        if not self.buckets[0].travels:  # the other members' parts, too
            start, what = (lambda: [self.group.comm.Ibarrier()]), "DistributedDataParallel(sums)"
            Work(self.group, what, start, self.buckets[0].sync, checked=False, moving=False).wait()

    def _hand_out(self) -> None:
        """Give the parameters the means of their gradients."""
        for index, (_, parameter) in enumerate(self.parameters):
            bucket, at = self.place[index]
            if self.find_unused and not self.used[index]:
                continue  # used by no rank: its gradient is as it was
            mean = bucket.view(at)
            if self.views and mean.device == parameter.device:
                if parameter.grad is None or parameter.grad.data_ptr() != mean.data_ptr():
                    parameter.grad = mean
            elif parameter.grad is None:
                parameter.grad = mean.clone() if mean.device == parameter.device else mean.to(parameter.device)
            else:
                with dv.no_grad():
                    parameter.grad.copy_(mean)

    def shadow(self) -> None:
        """Take part in the others' pass with gradients of zero, by the same collectives in the same order; where gradients are views of the
        buckets, they are the means then, and otherwise those of the last pass."""
        self.used[:] = 0
        for bucket in self.buckets:
            for at in range(len(bucket.indices)):
                bucket.fill(at, None, 0.0)
            bucket.start(self.group)
        if self.find_unused:
            self._find_used_anywhere()
        self._wait()
        if self.views:
            self._hand_out()

    def _find_used_anywhere(self) -> None:
        """Note which parameters some rank has used."""

        def start() -> list[Any]:
            return [self.group.comm.Iallreduce(mpi.load().IN_PLACE, self.used, mpi.load().MAX)]

        Work(self.group, "DistributedDataParallel(used parameters)", start, checked=False).wait()


def _tensors(value: Any) -> Iterator[dv.Tensor]:
    """The tensors in nested containers, and in the attributes of objects such as a model's output."""
    if isinstance(value, dv.Tensor):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _tensors(one)
    elif isinstance(value, list | tuple | set):
        for one in value:
            yield from _tensors(one)
    elif hasattr(value, "__dict__"):
        for one in vars(value).values():
            if isinstance(one, dv.Tensor | list | tuple | dict):
                yield from _tensors(one)


def _leaves(outputs: Any) -> set[int]:
    """Identities of the leaves that the outputs were computed from."""
    found = {id(t) for t in _tensors(outputs)}
    seen: set[Any] = set()
    left = [t.grad_fn for t in _tensors(outputs) if t.grad_fn is not None]
    while left:
        node = left.pop()
        if node in seen:
            continue
        seen.add(node)
        if (leaf := getattr(node, "variable", None)) is not None:
            found.add(id(leaf))
        left.extend(below for below, _ in node.next_functions if below is not None)
    return found
