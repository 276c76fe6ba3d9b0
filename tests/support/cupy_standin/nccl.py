"""The emulated NCCL: processes meet in a folder that the id names, and each communicator works its calls off in a thread, as a GPU would.

Strict where NCCL would hang or mix data up: a call that differs between ranks is an asynchronous error. A send ends when it was received.
"""

from __future__ import annotations

import ctypes
import itertools
import json
import operator
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np

from . import cuda
from .names import BFLOAT16, names, signature
from .state import state

__all__ = ["NCCL", "NcclCommunicator", "NcclError"]

_NAMES = "SUCCESS UNHANDLED_CUDA_ERROR SYSTEM_ERROR INTERNAL_ERROR INVALID_ARGUMENT INVALID_USAGE REMOTE_ERROR".split()
_TYPES = dict(enumerate((np.int8, np.uint8, np.int32, np.uint32, np.int64, np.uint64, np.float16, np.float32, np.float64, BFLOAT16)))
_REDUCTIONS = dict(enumerate((np.add, np.multiply, np.maximum, np.minimum, np.add)))  # the last is the mean, divided below
_ID = 128


class NcclError(RuntimeError):
    """What CuPy raises for a status of NCCL's."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(f"NCCL_ERROR_{_NAMES[status]}: (the stand-in)")


class _Aborted(Exception):
    """The communicator was aborted while a call waited."""


class _Job:
    """Calls on one stream; it begins when all that was on the stream before is done."""

    def __init__(self, stream: Any, calls: Sequence[Callable[[], Callable[[], None]]]) -> None:
        self.calls, self.after, self._ended = calls, tuple(stream.jobs), threading.Event()
        stream.jobs = [*(job for job in stream.jobs if not job.done), self]

    done = property(lambda self: self._ended.is_set())

    def run(self) -> None:
        """Send what all calls have to send, take what they receive, and only then wait until it was received: a group goes on together."""
        try:
            for job in self.after:
                job.wait()
            for finish in sorted([call() for call in self.calls], key=lambda finish: finish.__name__ == "taken"):
                finish()
        finally:
            self._ended.set()

    def wait(self) -> None:
        """Return when it is done."""
        self._ended.wait()


def get_unique_id() -> bytes:
    """Return the name of a new folder, in 128 bytes."""
    name = tempfile.mkdtemp(prefix="nccl").encode()
    assert len(name) <= _ID, "a path of at most 128 bytes"
    return name.ljust(_ID, b"\0")


_local = threading.local()  # the calls of the group that is being made in this thread


def group_start() -> None:
    """Begin to collect calls."""
    _local.depth = getattr(_local, "depth", 0) + 1


def group_end() -> None:
    """Begin the calls that were collected, together."""
    if not getattr(_local, "depth", 0):
        raise NcclError(5)
    _local.depth -= 1
    if not _local.depth:
        made, _local.calls = getattr(_local, "calls", []), []
        for owner, stream in dict.fromkeys((owner, stream) for owner, stream, _ in made):
            owner._queue(stream, [call for other, place, call in made if (other, place) == (owner, stream)])


def _integers(*values: Any) -> None:
    for value in values:
        if isinstance(value, float | np.floating) or not hasattr(value, "__index__"):
            raise TypeError("an integer is required")


def _memory(address: int, count: int, kind: int) -> Any:
    dtype = np.dtype(_TYPES[kind])
    return np.frombuffer((ctypes.c_char * (count * dtype.itemsize)).from_address(address), dtype) if count else np.empty(0, dtype)


class NcclCommunicator:
    """One process's end of a communicator."""

    def __init__(self, ndev: int, commId: bytes, rank: int, config: Any = None) -> None:
        if type(commId) is not bytes:
            raise TypeError(f"Argument 'commId' has incorrect type (expected bytes, got {type(commId).__name__})")
        if len(commId) != _ID:
            raise ValueError(f"commId length {len(commId)} != {_ID}.")
        _integers(ndev, rank)
        self._size, self._rank, self._device, self._folder = ndev, rank, state.device, Path(commId.rstrip(b"\0").decode())
        self._status, self._numbers, self._letters = 0, itertools.count(), Counter()  # type: int, Any, Counter[tuple[str, int, int]]
        self._aborted, self._jobs, self._wakes = threading.Event(), [], threading.Semaphore(0)  # type: threading.Event, list[Any], Any
        self._old, self._new = [], []  # type: list[Path], list[Path]
        self._write(f"join.{rank}", {"device": self._device, "of": ndev})
        others = [self._read(f"join.{other}")[0] for other in range(ndev)]
        if len({other["device"] for other in others}) < ndev or any(other["of"] != ndev for other in others):
            raise NcclError(5)  # a GPU that two have
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    comm = property(lambda self: 0 if self._aborted.is_set() else id(self))

    # Files: a line that says what follows, and data.

    def _write(self, name: str, head: dict[str, Any], data: bytes = b"") -> None:
        hidden = self._folder / f".{name}"
        hidden.write_bytes(json.dumps(head).encode() + b"\n" + data)
        hidden.rename(self._folder / name)

    def _read(self, name: str) -> tuple[dict[str, Any], bytes]:
        path = self._folder / name
        self._until(path.exists)
        head, _, data = path.read_bytes().partition(b"\n")
        return json.loads(head), data

    def _until(self, ready: Callable[[], bool]) -> None:
        while not ready():
            if self._aborted.is_set():
                raise _Aborted
            time.sleep(0.0005)

    # Calls.

    def _queue(self, stream: Any, calls: Sequence[Any]) -> None:
        self._jobs.append(_Job(stream, calls))
        self._wakes.release()

    def _work(self) -> None:
        while True:
            self._wakes.acquire()
            if not self._jobs:
                return
            try:
                self._jobs.pop(0).run()
            except _Aborted:
                pass
            except Exception:
                self._status = 5
            self._old, self._new = [*self._old, *self._new], []

    def _call(self, method: str, arguments: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Check a call as CuPy and NCCL do, and begin it."""
        bound = signature(names("cupy.cuda.nccl.NcclCommunicator")[method].detail).bind(*arguments, **kwargs).arguments
        _integers(*bound.values())
        count = next(value for name, value in bound.items() if name.endswith("count"))
        if count < 0:
            raise OverflowError("can't convert negative value to size_t")
        places = [bound.get(name, 0) for name in ("root", "peer")]
        known = bound["datatype"] in _TYPES and bound.get("op", 0) in _REDUCTIONS and all(0 <= place < self._size for place in places)
        if self._aborted.is_set() or not known or state.device != self._device or bound["stream"] not in cuda.streams:
            raise NcclError(4)
        stream, begin = cuda.streams[bound.pop("stream")], getattr(self, f"_{method}")
        entry = self, stream, lambda: begin(**bound)
        if getattr(_local, "depth", 0):
            _local.calls = [*getattr(_local, "calls", []), entry]
        else:
            self._queue(stream, [entry[2]])

    def _meet(self, what: str, count: int, kind: int, more: Any, sent: Any) -> Callable[[], list[Any]]:
        """Give all what this rank sends, and return what reads the others'."""
        number, head = next(self._numbers), {"what": what, "count": int(count), "kind": int(kind), "more": more}
        self._write(f"{number}.{self._rank}", head, sent.tobytes())
        self._new.append(self._folder / f"{number}.{self._rank}")

        def others() -> list[Any]:
            found = [self._read(f"{number}.{rank}") for rank in range(self._size)]
            if any(other != head for other, _ in found):
                raise NcclError(5)
            while self._old:  # all have read these: they have begun a later job
                self._old.pop().unlink()
            return [np.frombuffer(data, _TYPES[kind]) for _, data in found]

        return others

    def _reduced(self, parts: list[Any], op: int) -> Any:
        total = reduce(_REDUCTIONS[op], parts)
        return (total / self._size if op == 4 else total).astype(parts[0].dtype)

    def _allReduce(self, sendbuf: int, recvbuf: int, count: int, datatype: int, op: int) -> Callable[[], None]:
        others, into = self._meet("allReduce", count, datatype, op, _memory(sendbuf, count, datatype)), _memory(recvbuf, count, datatype)
        return lambda: operator.setitem(into, ..., self._reduced(others(), op))

    def _reduce(self, sendbuf: int, recvbuf: int, count: int, datatype: int, op: int, root: int) -> Callable[[], None]:
        others = self._meet("reduce", count, datatype, [op, root], _memory(sendbuf, count, datatype))

        def finish() -> None:
            parts = others()
            if root == self._rank:
                _memory(recvbuf, count, datatype)[...] = self._reduced(parts, op)

        return finish

    def _broadcast(self, sendbuff: int, recvbuff: int, count: int, datatype: int, root: int) -> Callable[[], None]:
        given = _memory(sendbuff, count if root == self._rank else 0, datatype)
        others, into = self._meet("broadcast", count, datatype, root, given), _memory(recvbuff, count, datatype)
        return lambda: operator.setitem(into, ..., others()[root])

    def _bcast(self, buff: int, count: int, datatype: int, root: int) -> Callable[[], None]:
        return self._broadcast(buff, buff, count, datatype, root)

    def _allGather(self, sendbuf: int, recvbuf: int, count: int, datatype: int) -> Callable[[], None]:
        others, into = self._meet("allGather", count, datatype, 0, _memory(sendbuf, count, datatype)), count * self._size
        return lambda: operator.setitem(_memory(recvbuf, into, datatype), ..., np.concatenate(others()))

    def _reduceScatter(self, sendbuf: int, recvbuf: int, recvcount: int, datatype: int, op: int) -> Callable[[], None]:
        others = self._meet("reduceScatter", recvcount, datatype, op, _memory(sendbuf, recvcount * self._size, datatype))
        own = slice(recvcount * self._rank, recvcount * (self._rank + 1))
        return lambda: operator.setitem(_memory(recvbuf, recvcount, datatype), ..., self._reduced(others(), op)[own])

    def _send(self, sendbuf: int, count: int, datatype: int, peer: int) -> Callable[[], None]:
        letter = self._folder / self._letter("sent", self._rank, peer)
        self._write(letter.name, {"count": int(count), "kind": int(datatype)}, _memory(sendbuf, count, datatype).tobytes())

        def taken() -> None:  # NCCL waits for the other side
            self._until(lambda: not letter.exists())

        return taken

    def _recv(self, recvbuf: int, count: int, datatype: int, peer: int) -> Callable[[], None]:
        name = self._letter("received", peer, self._rank)

        def finish() -> None:
            head, data = self._read(name)
            if head != {"count": int(count), "kind": int(datatype)}:
                raise NcclError(5)
            _memory(recvbuf, count, datatype)[...] = np.frombuffer(data, _TYPES[datatype])
            (self._folder / name).unlink()

        return finish

    def _letter(self, way: str, source: int, target: int) -> str:
        """The name of the next message from one rank to another, which may be the same."""
        self._letters[way, source, target] += 1
        return f"letter{self._letters[way, source, target]}.{source}.{target}"

    def check_async_error(self) -> None:
        """Raise what a call has met with since it began."""
        if self._status or self._aborted.is_set():
            raise NcclError(self._status or 4)

    def _place(self, value: int) -> int:
        if self._aborted.is_set():
            raise NcclError(4)
        return value

    def device_id(self) -> int:
        """Return the number of its GPU."""
        return self._place(self._device)

    def rank_id(self) -> int:
        """Return its place."""
        return self._place(self._rank)

    def size(self) -> int:
        """Return the number of places."""
        return self._place(self._size)

    def destroy(self) -> None:
        """Wait for all calls, and leave."""
        if not self._aborted.is_set():
            self._wakes.release()
            self._thread.join()
            self.abort()

    def abort(self) -> None:
        """End calls that wait for others, and leave; the last rank takes the folder away."""
        if not self._aborted.is_set():
            self._aborted.set()
            self._write(f"left.{self._rank}", {})
            if all((self._folder / f"left.{rank}").exists() for rank in range(self._size)):
                shutil.rmtree(self._folder, ignore_errors=True)

    def commSplit(self, color: int, key: int, config: Any = None) -> Any:
        """Not emulated."""
        raise NotImplementedError("the CuPy stand-in does not emulate NcclCommunicator.commSplit")

    @staticmethod
    def initAll(devices: Any) -> Any:
        """Not emulated: a process has one GPU here."""
        raise NotImplementedError("the CuPy stand-in does not emulate NcclCommunicator.initAll")


def _method(name: str) -> Callable[..., None]:
    def method(self: NcclCommunicator, *args: Any, **kwargs: Any) -> None:
        self._call(name, args, kwargs)

    method.__name__, method.__doc__ = name, f"Begin {name}."
    return method


for _name in ("allReduce", "reduce", "broadcast", "bcast", "allGather", "reduceScatter", "send", "recv"):
    setattr(NcclCommunicator, _name, _method(_name))


def _check_status(status: int) -> None:
    if status:
        raise NcclError(status)


NCCL: dict[str, Any] = {
    "NcclCommunicator": NcclCommunicator, "NcclError": NcclError, "get_unique_id": get_unique_id, "groupStart": group_start,
    "groupEnd": group_end, "get_version": lambda: 23203, "get_build_version": lambda: 22707, "check_status": _check_status,
}  # fmt: skip
