"""MATLAB files of version 5, read within bounds: numbers, texts, cells, structs and sparse matrices, as plain NumPy arrays.

SciPy reads more, but a damaged file can crash its reader, and the process with it.
"""

from __future__ import annotations

import math
import os
import struct
import zlib
from typing import Any

import numpy as np

from ._errors import DamagedFile
from ._files import FETCH, need, parsed

__all__ = ["read_mat"]

# https://www.mathworks.com/help/pdf_doc/matlab/matfile_format.pdf: the types of elements and the classes of arrays.
_TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8", 16: "u1", 17: "u2", 18: "u4"}
_ENCODINGS = {1: "utf-8", 2: "utf-8", 3: "utf-16", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_MATRIX, _PACKED = 14, 15
_CELL, _STRUCT, _TEXT, _SPARSE, _NUMBERS = 1, 2, 4, 5, range(6, 16)
_DEEPEST, _LEAST = 20, 1 << 26  # arrays inside arrays; bytes that any file may unpack to, from there on a hundred times its own
_COMPLEX = 0x800


def read_mat(path: str | os.PathLike[str], how: str = FETCH) -> dict[str, Any]:
    """The variables of a file: arrays of numbers as they are stored, of texts, of objects (cells) and of records of objects (structs).

    Shapes are MATLAB's, never below two dimensions; a row of characters is one text; sparse matrices become dense ones. Raises
    MissingFiles, and DamagedFile for what is no such file, is cut, or unpacks to more than it may.
    """
    path = need(path, how)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DamagedFile(path, None, f"cannot be read: {error.strerror}") from error
    try:
        with parsed(path, "a whole MATLAB file of version 5"):
            return _Reader(data).variables()
    except (struct.error, zlib.error) as error:
        raise DamagedFile(path, None, f"is not a whole MATLAB file of version 5 ({error}); fetch it again") from error


class _Reader:
    """The elements of a file, one after the other."""

    def __init__(self, data: bytes) -> None:
        if len(data) < 128 or data[126:128] not in (b"IM", b"MI") or not data.startswith(b"MATLAB 5"):
            raise ValueError(f"it begins with {data[:19]!r}")
        self.data, self.order = memoryview(data), "<" if data[126:128] == b"IM" else ">"
        self.left = max(_LEAST, 100 * len(data))

    def variables(self) -> dict[str, Any]:
        found, rest = {}, self.data[128:]
        while rest:
            kind, body, rest = self.element(rest)
            if kind == _PACKED:
                kind, body, _ = self.element(self.unpacked(body))
            if kind != _MATRIX:
                raise ValueError(f"there is an element of type {kind} where an array belongs")
            name, value = self.array(body, 0)
            found[name] = value
        return found

    def element(self, data: memoryview) -> tuple[int, memoryview, memoryview]:
        """The type and the bytes of the first element, and what follows it."""
        kind, size = struct.unpack_from(self.order + "II", data)
        if kind >> 16:  # small: both numbers in four bytes, up to four bytes of data after them
            kind, size, start, padded = kind & 0xFFFF, kind >> 16, 4, 8
            if size > 4:
                raise ValueError(f"a small element of {size} bytes")
        else:
            start, padded = 8, 8 + size + (0 if kind == _PACKED else -size % 8)
        if start + size > len(data):
            raise ValueError(f"an element of {size:,} bytes, of which {len(data) - start:,} are there")
        return kind, data[start : start + size], data[min(padded, len(data)) :]

    def unpacked(self, data: memoryview) -> memoryview:
        machine, out = zlib.decompressobj(), bytearray()
        for at in range(0, len(data), 1 << 20):
            out += machine.decompress(data[at : at + (1 << 20)], self.left - len(out) + 1)
            if len(out) > self.left:
                raise ValueError(f"it unpacks to more than {self.left:,} bytes")
        if not machine.eof:
            raise ValueError("its compressed data are cut off")
        self.left -= len(out)
        return memoryview(out)

    def numbers(self, data: memoryview) -> tuple[np.ndarray, memoryview]:
        """The values of the first element, in the machine's byte order, and what follows it."""
        kind, body, rest = self.element(data)
        stored = np.dtype(self.order + _TYPES[kind])
        values = np.frombuffer(body, stored)
        return values.astype(stored.newbyteorder("="), copy=values.flags.writeable is False), rest

    def array(self, data: memoryview, depth: int) -> tuple[str, Any]:
        """The name and the value of an array."""
        if depth > _DEEPEST:
            raise ValueError(f"arrays lie more than {_DEEPEST} deep")
        if not data:
            return "", np.zeros((0, 0))
        (flags, _), data = self.numbers(data)
        shape, data = self.numbers(data)
        shape = tuple(int(n) for n in shape)
        _, name, data = self.element(data)
        if len(shape) < 2 or len(shape) > 32 or min(shape) < 0:
            raise ValueError(f"an array of shape {shape}")
        kind, text = int(flags) & 0xFF, bytes(name).decode("latin-1")
        if kind in _NUMBERS:
            return text, self.plain(data, shape, bool(flags & _COMPLEX))
        readers = {_CELL: self.cell, _STRUCT: self.records, _TEXT: self.text, _SPARSE: self.sparse}
        if kind not in readers:
            raise ValueError(f"{text!r} is of class {kind}; arrays, cells, structs, texts and sparse matrices are read")
        return text, readers[kind](data, shape, depth)

    def plain(self, data: memoryview, shape: tuple[int, ...], is_complex: bool) -> np.ndarray:
        values, data = self.numbers(data)
        if is_complex:
            values = values + 1j * self.numbers(data)[0]
        return values.reshape(shape, order="F")

    def text(self, data: memoryview, shape: tuple[int, ...], depth: int) -> np.ndarray:
        """Rows of characters as texts."""
        kind, body, _ = self.element(data)
        encoding = _ENCODINGS[kind] + ("" if _ENCODINGS[kind] == "utf-8" else "-le" if self.order == "<" else "-be")
        letters = np.array(list(bytes(body).decode(encoding)), "U1").reshape(shape, order="F")
        rows = ["".join(row) for row in letters.reshape(-1, shape[-1])] if letters.size else []
        return np.array(rows, "U").reshape(shape[:-1] if rows else (0,))

    def several(self, data: memoryview, shape: tuple[int, ...], depth: int, each: int = 1) -> list[Any]:
        """The arrays of a cell, or ``each`` of every record."""
        count, found = math.prod(shape) * each, []
        if count > len(data) // 8:  # the shortest has eight bytes
            raise ValueError(f"{count:,} arrays in {len(data):,} bytes")
        for _ in range(count):
            kind, body, data = self.element(data)
            if kind != _MATRIX:
                raise ValueError(f"there is an element of type {kind} where an array belongs")
            found.append(self.array(body, depth + 1)[1])
        return found

    def cell(self, data: memoryview, shape: tuple[int, ...], depth: int) -> np.ndarray:
        found = self.several(data, shape, depth)  # first, since it knows whether there can be so many
        out = np.empty(len(found), object)
        for i, value in enumerate(found):
            out[i] = value
        return out.reshape(shape, order="F")

    def records(self, data: memoryview, shape: tuple[int, ...], depth: int) -> np.ndarray:
        (length,), data = self.numbers(data)
        _, names, data = self.element(data)
        if not 0 < length <= 64 or len(names) % int(length):
            raise ValueError(f"names of {length} letters in {len(names)} bytes")
        fields = [bytes(names[at : at + int(length)]).split(b"\0")[0].decode("latin-1") for at in range(0, len(names), int(length))]
        found = self.several(data, shape, depth, len(fields)) if fields else []
        out = np.empty(len(found) // max(len(fields), 1), [(name, object) for name in fields])
        for i in range(len(out)):
            out[i] = tuple(found[i * len(fields) : (i + 1) * len(fields)])
        return out.reshape(shape, order="F")

    def sparse(self, data: memoryview, shape: tuple[int, ...], depth: int) -> np.ndarray:
        rows, data = self.numbers(data)
        starts, data = self.numbers(data)
        values, _ = self.numbers(data)
        self.left -= math.prod(shape) * values.itemsize
        if self.left < 0 or len(shape) != 2:
            raise ValueError(f"a sparse matrix of shape {shape}")
        rows, starts = rows.astype(np.int64), starts.astype(np.int64)
        counts = np.diff(starts)
        if len(starts) != shape[1] + 1 or starts[0] != 0 or (counts < 0).any() or starts[-1] > min(len(rows), len(values)):
            raise ValueError("a sparse matrix whose columns do not fit")
        rows, values = rows[: starts[-1]], values[: starts[-1]]
        if len(rows) and not 0 <= rows.min() <= rows.max() < shape[0]:
            raise ValueError(f"a sparse matrix with the row {rows.max()}")
        out = np.zeros(shape, values.dtype)
        out[rows, np.repeat(np.arange(shape[1]), counts)] = values
        return out
