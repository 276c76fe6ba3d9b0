"""Waiting that ends: while a rank waits for others, it learns of those that ended or failed, and says which.

A rank that ends, or fails, tells every other one in a message of its own (a copy of the communicator keeps it apart from all else). Nothing
is sent and no thread runs while all goes well; a rank looks for such messages only when it has waited for a while.
"""

from __future__ import annotations

import atexit
import os
import socket
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import numpy as np

from . import mpi
from .errors import DistBackendError, DistError

__all__ = ["Watch", "wait"]

_LENGTH = 600  # bytes of a message
_SPIN = 0.3  # seconds in which the processor is only yielded: data move while MPI is asked, and a sleep would hold them up
_BRIEF = 0.0003  # the same where none move: who sleeps leaves a core that two threads share to the rank that is waited for
_GRACE = 1.0  # seconds in which what a rank had sent before it ended still arrives


class Watch:
    """What this process knows of the others of its world, and tells them."""

    def __init__(self, comm: Any) -> None:
        self.comm, self.rank, self.size, self.pid = comm, comm.rank, comm.size, os.getpid()
        self.gone: dict[int, tuple[float, str]] = {}  # rank: when that was heard, and what it said
        self.calls, self.last, self._sent = 0, "", []  # type: int, str, list[Any]
        self._hook = sys.excepthook
        sys.excepthook = self._failed
        atexit.register(self.end)

    def end(self, why: str = "has ended") -> None:
        """Tell the others that this process takes no further part."""
        atexit.unregister(self.end)
        if os.getpid() == self.pid and not self._sent and not mpi.load().Is_finalized():
            sys.excepthook = self._hook
            text = f"{why} after {self.calls} collectives" + (f", the last of them {self.last}" if self.last else "")
            data = np.frombuffer(text.encode(errors="replace")[:_LENGTH].ljust(_LENGTH), np.uint8)
            self._sent = [(self.comm.Isend(data, other), data) for other in range(self.size) if other != self.rank]

    def free(self) -> None:
        """Give back what MPI keeps; every rank calls it, after it has told the others that it left. Their last words are taken first."""
        while len(self.gone) < self.size - 1:
            self.look()
        mpi.load().Request.Waitall([request for request, _ in self._sent])
        self.comm.Free()

    def _failed(self, kind: type[BaseException], error: BaseException, trace: Any) -> None:
        """An error that nobody catches ends the job: the other ranks would wait forever."""
        if os.getpid() != self.pid:
            self._hook(kind, error, trace)
            return
        lines = "".join(traceback.format_exception(kind, error, trace))
        print(f"{lines}rank {self.rank} on {socket.gethostname()} failed: {kind.__name__}: {error}", file=sys.stderr, flush=True)
        self.end(f"failed with {kind.__name__}: {str(error)[:300]},")
        mpi.load().COMM_WORLD.Abort(1)

    def look(self) -> None:
        """Read what others told."""
        status = mpi.load().Status()
        while self.comm.Iprobe(status=status):
            data = np.empty(_LENGTH, np.uint8)
            self.comm.Recv(data, status.source)
            self.gone[status.source] = time.monotonic(), data.tobytes().decode(errors="replace").strip()


def wait(ready: Callable[[], bool], what: str, watch: Watch, members: Sequence[int], timeout: timedelta, moving: bool = True) -> None:
    """Return when ``ready()``; ``moving`` says whether data move while it is asked.

    Raises a DistError when a member has ended or failed, or when the time is over.
    """
    spin = _SPIN if moving else _BRIEF
    start = looked = time.monotonic()
    while not _asked(ready, what):
        waited = (now := time.monotonic()) - start
        if waited < spin:
            os.sched_yield() if hasattr(os, "sched_yield") else time.sleep(0)
            continue
        time.sleep(0.0002 if waited < 2 else 0.001)
        if now - looked > 0.1:
            watch.look()
            looked = now
            for rank in members:
                if rank in watch.gone and now - watch.gone[rank][0] > _GRACE:
                    text = f"rank {watch.rank} waits for rank {rank}, which {watch.gone[rank][1]}"
                    raise DistError(what, text, "expected every rank to call the same collectives in the same order")
        if waited > timeout.total_seconds():
            text = f"rank {watch.rank} waited {waited:.0f} s for the others of {list(members)}"
            raise DistError(
                what, text, "expected all of them to call it", "a longer timeout of init_process_group, where one of them works on"
            )


def _asked(ready: Callable[[], bool], what: str) -> bool:
    try:
        return ready()
    except mpi.load().Exception as error:
        raise DistBackendError(what, f"MPI reports {error}") from error
