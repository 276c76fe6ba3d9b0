"""MPI's shared windows: where all members of a group are on one machine, gradients are added up where they lie, and nothing travels.

MPI's barriers say when all rows are there and when they are added up, so a rank that is lost is found as elsewhere.
"""

from __future__ import annotations

import gc
import os
import shutil
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import mpi
from .group import ProcessGroup
from .objects import gathered

__all__ = ["FOLDER", "Rows", "Window", "add", "rows"]

FOLDER = Path("/dev/shm")  # where MPI keeps windows on Linux; it does not ask for room before a page is first written
_LINE = 64  # bytes to which rows are aligned
_BLOCK = 16384  # elements that are added at a time, and stay in cache
_KEPT: dict[tuple[int, ...], list[Window]] = {}  # by the members' places in the world: what was allocated, in one order at all of them


class Window:
    """Memory that all members of a communicator see, all zeros; made, and given back, by all of them together.

    Arrays in it may outlive what they were made for, so it is given back, or used again, when at no member there is one.
    """

    def __init__(self, comm: Any, size: int) -> None:
        self.size = size
        self._window = mpi.load().Win.Allocate_shared(size if comm.rank == 0 else 0, 1, comm=comm)
        self._window.Lock_all()
        self._memory = self._window.Shared_query(0)[0]
        self._given: weakref.ref[np.ndarray[Any, Any]] | None = None

    def idle(self) -> bool:
        """Whether no array of this process lies in it."""
        return self._given is None or self._given() is None

    def bytes(self) -> np.ndarray[Any, Any]:
        """All of it; views of this array keep it in use."""
        made = np.frombuffer(self._memory, np.uint8)
        self._given = weakref.ref(made)
        return made

    def sync(self) -> None:
        """Let what was written before be seen by those who come to the next barrier, and see what they wrote."""
        self._window.Sync()

    def free(self) -> None:
        """Give it back."""
        self._window.Unlock_all()
        self._window.Free()


@dataclass(frozen=True)
class Rows:
    """A row of elements for every member of a group."""

    members: list[np.ndarray[Any, Any]]
    own: int
    window: Window

    def add(self) -> None:
        """Do this member's part of the sum."""
        self.window.sync()
        add(self.members, self.own)
        self.window.sync()


def rows(group: ProcessGroup, kinds: Sequence[tuple[int, np.dtype[Any]]]) -> list[Rows] | None:
    """For each number and type of elements a row of zeros for every member, which all members see; they come here together.

    None where they are on several machines, where there is no room, or where one of them has ``DOVETAIL_MPI_SHARED=0``.
    """
    if group.watch is None:
        return None
    sizes = [-(-count * kind.itemsize // _LINE) * _LINE for count, kind in kinds]
    window = _window(group, sum(sizes) * group.size())
    if window is None:
        return None
    made, at, memory = [], 0, window.bytes()
    for (count, kind), size in zip(kinds, sizes, strict=True):
        starts = [at + member * size for member in range(group.size())]
        members = [memory[start : start + count * kind.itemsize].view(kind) for start in starts]
        members[group.rank()][...] = 0  # where memory is divided among processors, it lies at the one that first writes it
        made.append(Rows(members, group.rank(), window))
        at += size * group.size()
    return made


def _window(group: ProcessGroup, size: int) -> Window | None:
    """A window of that size, or more: one that no member uses any more, or a new one."""
    kept = _KEPT.setdefault(group.ranks, [])
    if not all(window.idle() for window in kept):
        gc.collect()  # models that were wrapped before hold their buckets in cycles
    wanted = os.environ.get("DOVETAIL_MPI_SHARED") != "0"
    room = not FOLDER.is_dir() or shutil.disk_usage(FOLDER).free > size
    told = gathered("DistributedDataParallel(shared memory)", [wanted, room, [window.idle() for window in kept]], group)
    idle = [window for window, *said in zip(kept, *(states for *_, states in told), strict=True) if all(said)]
    fits = next((window for window in idle if window.size >= size), None)
    for window in idle:
        if window is not fits:
            kept.remove(window)
            window.free()
    if not all(wanted and (room or fits) for wanted, room, _ in told):
        return None
    if fits is None:
        near = group.comm.Split_type(mpi.load().COMM_TYPE_SHARED)
        if near.size == group.size():
            kept.append(fits := Window(near, size))
        near.Free()
    return fits


def add(rows: Sequence[np.ndarray[Any, Any]], own: int) -> None:
    """Do one member's part of the sum of all rows: add it up, in the order of the members, and write it into each row.

    >>> a, b = np.array([1., 2., 3., 4.]), np.array([10., 20., 30., 40.])
    >>> add([a, b], 0); a, b
    (array([11., 22.,  3.,  4.]), array([11., 22., 30., 40.]))
    """
    count, members, kind = rows[0].size, len(rows), rows[0].dtype
    half = kind.isbuiltin != 1 or kind == np.float16  # half precision is added in single
    last = count * (own + 1) // members
    with np.errstate(all="ignore"):  # gradients that overflow are found by what reads them, as after MPI's sum
        for first in range(count * own // members, last, _BLOCK):
            part = slice(first, min(first + _BLOCK, last))
            total = rows[0][part].astype(np.float32 if half else kind)
            for row in rows[1:]:
                total += row[part]
            for row in rows:
                row[part] = total
