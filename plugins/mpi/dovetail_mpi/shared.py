"""Memory that all members of a group see, where they are on one machine: gradients are added up where they lie, and nothing travels.

MPI stays in front: its barriers say when all rows are there and when they are added up, so a rank that is lost is found as elsewhere.
"""

from __future__ import annotations

import mmap
import os
import socket
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from .group import ProcessGroup
from .objects import gathered

__all__ = ["FOLDER", "add", "made", "mapped", "rows"]

FOLDER = Path("/dev/shm")  # where Linux names memory; elsewhere messages are sent
_LINE = 64  # bytes to which rows are aligned
_BLOCK = 16384  # elements that are added at a time, and stay in cache


def rows(group: ProcessGroup, kinds: Sequence[tuple[int, np.dtype[Any]]]) -> list[list[np.ndarray[Any, Any]]] | None:
    """For each number and type of elements a row of zeros for every member, which all members see; they come here together.

    None where they are on several machines, where there is no room, or where one of them has ``DOVETAIL_MPI_SHARED=0``.
    """
    where, sizes = "DistributedDataParallel(shared memory)", [-(-count * kind.itemsize // _LINE) * _LINE for count, kind in kinds]
    whole, wanted = sum(sizes) * group.size(), os.environ.get("DOVETAIL_MPI_SHARED") != "0"
    name = made(whole) if group.rank() == 0 and wanted else ""
    try:
        told = gathered(where, [socket.gethostname() if wanted else "", name], group)
        near = told[0][1] and all(host == told[0][0] for host, _ in told)
        memory = mapped(told[0][1], whole) if near else None
        if not all(gathered(where, memory is not None, group)):
            return None
    finally:
        if name:
            os.unlink(name)  # it lasts as long as somebody uses it
    found, at = [], 0
    for (count, kind), size in zip(kinds, sizes, strict=True):
        found.append([np.frombuffer(memory, kind, count, at + member * size) for member in range(group.size())])  # type: ignore[arg-type]
        at += size * group.size()
    return found


def made(size: int) -> str:
    """The name of a new file that has room for so many bytes in memory, or nothing."""
    with suppress(OSError):
        file, name = tempfile.mkstemp(prefix="dovetail-", dir=FOLDER)
        try:
            os.posix_fallocate(file, 0, size)  # a page that is not there would end the process when it is first written
            return name
        except OSError:
            os.unlink(name)
        finally:
            os.close(file)
    return ""


def mapped(name: str, size: int) -> mmap.mmap | None:
    """The memory of that name; None where this process does not see it, as in another container."""
    with suppress(OSError, ValueError):
        file = os.open(name, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            return mmap.mmap(file, size)
        finally:
            os.close(file)
    return None


def add(rows: Sequence[np.ndarray[Any, Any]], own: int) -> None:
    """Do one member's part of the sum of all rows: add it up, in the order of the members, and write it into each row.

    >>> a, b = np.array([1., 2., 3., 4.]), np.array([10., 20., 30., 40.])
    >>> add([a, b], 0); a, b
    (array([11., 22.,  3.,  4.]), array([11., 22., 30., 40.]))
    """
    count, members, kind = rows[0].size, len(rows), rows[0].dtype
    half = kind.isbuiltin != 1 or kind == np.float16  # half precision is added in single
    last = count * (own + 1) // members
    for first in range(count * own // members, last, _BLOCK):
        part = slice(first, min(first + _BLOCK, last))
        total = rows[0][part].astype(np.float32 if half else kind)
        for row in rows[1:]:
            total += row[part]
        for row in rows:
            row[part] = total
