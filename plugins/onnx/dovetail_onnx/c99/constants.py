"""The constants of a program: arrays in the C file, or floats in a file of their own that is read once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from .graph import CTYPES
from .text import array_text, identifier, unique

__all__ = ["MAGIC", "Constants"]

MAGIC = "DVTC99W1"
_STEP = 16  # numbers; arrays in the file begin at multiples of it


class Constants:
    """Arrays by name, equal ones once. ``aside`` puts the floats into one array, which a function fills from a file."""

    def __init__(self, taken: set[str]) -> None:
        self.taken = taken
        self.aside = False
        self._arrays: list[tuple[str, np.ndarray[Any, Any]]] = []
        self._known: dict[tuple[str, int, bytes], str] = {}
        self._offsets: dict[str, int] = {}
        self.count = 0  # floats

    def add(self, array: np.ndarray[Any, Any], label: str) -> str:
        """Enter an array; the name under which the program has it is returned."""
        key = (array.dtype.name, array.size, hashlib.sha256(np.ascontiguousarray(array).data).digest())
        if key not in self._known:
            name = unique(f"w_{identifier(label or 'table')}", self.taken)
            self._known[key] = name
            self._arrays.append((name, array))
            if array.dtype == np.float32:
                self._offsets[name] = self.count
                self.count += -(-array.size // _STEP) * _STEP
        return self._known[key]

    def reference(self, name: str) -> str:
        """How the program reaches an array."""
        return f"weights + {self._offsets[name]}" if self.aside and name in self._offsets else name

    def declarations(self) -> Iterator[str]:
        """The arrays as C has them."""
        for name, array in self._arrays:
            if not (self.aside and name in self._offsets):
                yield f"static const {CTYPES[array.dtype.name]} {name}[{array.size}] = {{"
                yield from array_text(array)
                yield "};"

    def floats(self) -> np.ndarray[Any, Any]:
        """All floats in one array, as they lie in the file."""
        whole = np.zeros(self.count, "<f4")
        for name, array in self._arrays:
            if name in self._offsets:
                whole[self._offsets[name] :][: array.size] = array.reshape(-1)
        return whole

    def check(self) -> tuple[int, int]:
        """Two sums over the 32-bit words of the file, by which the program knows that it has the right one."""
        words = self.floats().view("<u4").astype(np.uint64)
        with np.errstate(over="ignore"):
            return int(words.sum()), int((words * np.arange(len(words), 0, -1, dtype=np.uint64)).sum())

    def file(self) -> bytes:
        """What is in the file: a mark, the number of floats, the floats in little-endian order."""
        return MAGIC.encode() + np.array([self.count], "<u8").tobytes() + self.floats().tobytes()
