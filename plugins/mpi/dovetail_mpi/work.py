"""Work: a collective under way. Before its data move, all members compare what they were asked for.

The comparison is one reduction of sixteen bytes: where ranks were asked for different things (another collective, shape, type or root),
all of them raise an error that says what each was asked for. Without it MPI would mix the data up, or wait forever. Collectives whose
members cannot differ are not compared, but wait for their turn too: MPI tells collectives of a group apart by their order alone.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np

from dovetail.errors import UnsupportedError

from . import mpi
from .errors import DistBackendError, DistError
from .watch import wait

if TYPE_CHECKING:
    from .group import ProcessGroup

__all__ = ["Work", "WorkFuture", "agree"]


class Work:
    """What a collective with ``async_op=True`` returns: its tensors hold the result once `wait` has returned.

    >>> Work().wait(), Work().is_completed()
    (True, True)
    """

    def __init__(
        self, group: ProcessGroup | None = None, what: str = "", start: Callable[[], list[Any]] = list,
        finish: Callable[[], Any] | None = None, checked: bool = True, ordered: bool = True, moving: bool = True,
    ) -> None:  # fmt: skip
        self._group, self._what, self._start, self._finish, self._moving = group, what, start, finish, moving
        self._check: Any = None
        self._requests: list[Any] | None = None  # of the data, once they move
        self._error: Exception | None = None
        self._done = group is None or group.watch is None
        self._source, self._outputs, self._told = -1, None, []  # type: int, list[Any] | None, list[Callable[[], Any]]
        if self._done or group is None:
            return
        if not ordered:  # a message
            self._requests = start()
            return
        group.queue.append(self)
        if checked:
            group.watch.calls, group.watch.last = group.watch.calls + 1, what
            mark = int.from_bytes(blake2b(what.encode(), digest_size=8).digest(), "little") >> 1
            self._mark = np.array([mark, -mark])
            self._check = group.checks.Iallreduce(mpi.load().IN_PLACE, self._mark, mpi.load().MAX)
        else:
            self._begin()

    def wait(self, timeout: timedelta | None = None) -> bool:
        """Return True when the tensors hold the result.

        Raises a DistError where the ranks were asked for different things, where one of them ended or failed, or after the timeout.
        """
        group = self._group
        if not self._done and group is not None:
            try:
                wait(self._advance, self._what, group.watch, group.ranks, timeout or group.timeout, self._moving)
            except DistError as error:
                group.abandon(self._requests, error)
                raise
        if self._error is not None:
            raise self._error
        return self._tell()

    def is_completed(self) -> bool:
        """Whether `wait` would return at once."""
        return self._done or self._advance()

    def is_success(self) -> bool:
        """Whether it is done, without an error."""
        return self.is_completed() and self._error is None

    def exception(self) -> Exception | None:
        """The error that `wait` raises, where there is one."""
        return self._error

    def source_rank(self) -> int:
        """The sender of what was received."""
        return self._source

    synchronize = wait

    def result(self) -> list[Any]:
        """The tensors that hold the result. Raises an UnsupportedError (NotImplementedError) for a work that has no such list."""
        if self._outputs is None:
            raise UnsupportedError(
                "Work.result", f"{self._what or 'this work'} has none", "", "use the tensors that were given to the call"
            )
        return self._outputs

    def get_future(self) -> WorkFuture:
        """A future of `result`."""
        self.result()
        return WorkFuture(self)

    def _advance(self) -> bool:
        """Go on as far as that is possible without waiting; True when done."""
        if self._requests is None and not self._done:
            self._begin()
        if self._done:
            return self._tell()
        if self._requests is None or not self._arrived(self._requests):
            return False
        self._done = True
        if self._finish is not None:
            self._finish()
        return self._tell()

    def _arrived(self, requests: list[Any]) -> bool:
        """Whether the data are here. While NCCL alone is asked, MPI is let go on with what other ranks may wait for."""
        if all(request.Test() for request in requests):  # MPI's, or NCCL's
            return True
        if not isinstance(requests[0], mpi.load().Request):
            self._group.checks.Iprobe()  # type: ignore[union-attr]
        return False

    def tell(self, callback: Callable[[], Any]) -> None:
        """Call a function once this is done."""
        self._told.append(callback)
        if self._done and self._error is None:
            self._tell()

    def _tell(self) -> bool:
        while self._told:
            self._told.pop(0)()
        return True

    def _begin(self) -> None:
        """Start the data of this work, and of those asked for before it: their order is the same on all ranks."""
        queue = self._group.queue  # type: ignore[union-attr]
        while queue and self._requests is None and not self._done:
            first = queue[0]
            if first._check is not None and not first._check.Test():
                return
            queue.popleft()
            if first._check is None or first._mark[0] == -first._mark[1]:
                try:
                    first._requests = first._start()
                except DistBackendError as error:  # its own, whichever work is waited for now
                    first._done, first._error = True, error
            else:
                first._done, first._error = True, first._difference()

    def _difference(self) -> Exception:
        """Every rank says what it was asked for."""
        group: Any = self._group
        mine = np.frombuffer(self._what.encode()[:400].ljust(400), np.uint8)
        texts = np.empty((len(group.ranks), 400), np.uint8)
        request = group.comm.Iallgather(mine, texts)
        wait(request.Test, self._what, group.watch, group.ranks, group.timeout)
        asked: dict[str, list[int]] = {}
        for rank, text in zip(group.ranks, texts, strict=True):
            asked.setdefault(text.tobytes().decode(errors="replace").strip(), []).append(rank)
        said = "; ".join(f"rank{'s' if len(r) > 1 else ''} {', '.join(map(str, r))}: {text}" for text, r in asked.items())
        return DistError(self._what.partition("(")[0], f"the ranks were asked for different things ({said})", "expected the same of all")


class WorkFuture:
    """The result of a work, and of functions that are called when there is one: at a `wait`, or another look at the work.

    >>> import dovetail as dv
    >>> from dovetail import distributed
    >>> distributed.init_process_group("gloo", rank=0, world_size=1)
    >>> work = distributed.all_reduce(dv.ones(2), async_op=True)
    >>> work.get_future().then(lambda f: f.value()[0] / 2).wait()
    tensor([0.5000, 0.5000])
    >>> distributed.destroy_process_group()
    """

    def __init__(self, work: Work, make: Callable[[], Any] | None = None) -> None:
        self._work, self._make, self._made = work, make or work.result, []  # type: Work, Callable[[], Any], list[Any]
        if make is not None:
            work.tell(self.value)

    def done(self) -> bool:
        """Whether `wait` would return at once."""
        return self._work.is_completed()

    def value(self) -> Any:
        """The result of what is done."""
        if not self._made:
            self._made.append(self._make())
        return self._made[0]

    def wait(self) -> Any:
        """The result. Raises what the work, or the function, raises."""
        self._work.wait()
        return self.value()

    def then(self, callback: Callable[[WorkFuture], Any]) -> WorkFuture:
        """A future of what ``callback`` returns for this one."""
        return WorkFuture(self._work, lambda: callback(self))

    def add_done_callback(self, callback: Callable[[WorkFuture], Any]) -> None:
        """Call a function with this future when there is a result."""
        self._work.tell(lambda: callback(self))


def agree(group: ProcessGroup, what: str) -> None:
    """Return when all members have come here with the same text."""
    Work(group, what, moving=False).wait()
