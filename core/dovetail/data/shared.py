"""How a batch comes back from a worker process: its arrays through shared memory that has no name, the rest through the connection.

The worker owns the blocks and writes a batch into one that is free; the main process maps it, and the tensors of the batch lie in it.
When the last of them is gone, the block is free again, and its pages are in place. Nothing outlives the processes.
"""

from __future__ import annotations

import io
import mmap
import os
import threading
import weakref
from collections import deque
from multiprocessing import reduction
from typing import Any

import numpy as np

__all__ = ["Receiver", "Sender"]

SHARED = hasattr(os, "memfd_create")  # elsewhere everything goes through the connection
SMALL = 1024  # bytes of an array that is not worth a place of its own
HELD = 32  # blocks of one worker that may be in use at once: each keeps a file open; more batches than that are copied
_ARRIVING = threading.local()


def _view(offset: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray:
    """An array in the block that is arriving."""
    return np.ndarray(shape, dtype, _ARRIVING.block, offset)


class _Packer(reduction.ForkingPickler):
    """Writes an object but for its larger arrays, which it lists with the places that they are to have."""

    def __init__(self, file: Any) -> None:
        super().__init__(file, 5)
        self.size = 0
        self.arrays: list[tuple[int, np.ndarray]] = []

    def reducer_override(self, value: Any) -> Any:
        if type(value) is not np.ndarray or value.nbytes < SMALL or value.dtype.hasobject or not value.flags.c_contiguous or not SHARED:
            return NotImplemented
        offset, self.size = self.size, (self.size + value.nbytes + 63) & ~63
        self.arrays.append((offset, value))
        return _view, (offset, value.shape, value.dtype)


class Sender:
    """The worker's end: blocks by number, those that are free, and the connection."""

    def __init__(self, line: Any) -> None:
        self.line, self.made = line, 0
        self.blocks: dict[int, mmap.mmap] = {}
        self.free: deque[int] = deque()

    def __call__(self, *message: Any) -> None:
        """Send a message; nothing of it is sent when it cannot be pickled."""
        body = io.BytesIO()
        packer = _Packer(body)
        packer.dump(message)
        number, file, gone = self._block(packer.size) if packer.size else (0, None, [])
        for offset, array in packer.arrays:
            np.ndarray(array.shape, array.dtype, self.blocks[number], offset)[...] = array
        self.line.send((number, len(self.blocks[number]) if number else 0, packer.size, gone))
        if file is not None:
            reduction.send_handle(self.line, file, None)
            os.close(file)
        self.line.send_bytes(body.getbuffer())

    def _block(self, size: int) -> tuple[int, int | None, list[int]]:
        """A free block that is large enough, or a new one with the file to send; and the free ones that were too small, which go."""
        gone: list[int] = []
        while self.free:
            number = self.free.pop()
            if len(self.blocks[number]) >= size:
                return number, None, gone
            del self.blocks[number]
            gone.append(number)
        self.made += 1
        file = os.memfd_create("dovetail-batch")
        size = 1 << max(size - 1, mmap.PAGESIZE - 1).bit_length()  # pages beyond the batch are never touched, and cost nothing
        os.ftruncate(file, size)
        self.blocks[self.made] = mmap.mmap(file, size)
        return self.made, file, gone


class _Held(weakref.ref[Any]):
    """A reference to a batch's memory that knows the number of the block."""

    number = 0


class Receiver:
    """The main process's end: blocks by number, which of them are in use, and which the worker can have back."""

    def __init__(self, line: Any) -> None:
        self.line = line
        self.blocks: dict[int, mmap.mmap] = {}
        self.used: dict[int, _Held] = {}
        self.freed: deque[Any] = deque()  # numbers, and references that know theirs

    def __call__(self) -> Any:
        """The next message. Raises an EOFError or an OSError when the worker is gone."""
        number, size, filled, gone = self.line.recv()
        for old in gone:
            del self.blocks[old]
            self.used.pop(old, None)
        _ARRIVING.block = self._block(number, size, filled) if number else None
        try:
            return self.line.recv()
        finally:
            _ARRIVING.block = None

    def _block(self, number: int, size: int, filled: int) -> np.ndarray:
        if number not in self.blocks:
            file = reduction.recv_handle(self.line)
            self.blocks[number] = mmap.mmap(file, size)
            os.close(file)
        block = np.frombuffer(self.blocks[number], np.uint8)  # all arrays of the batch stand on this one
        if sum(used() is not None for used in self.used.values()) >= HELD:
            block = block[:filled].copy()
            self.freed.append(number)
        else:
            self.used[number] = _Held(block, self.freed.append)  # no Python code runs in it, in which Ctrl-C would be lost
            self.used[number].number = number
        return block
