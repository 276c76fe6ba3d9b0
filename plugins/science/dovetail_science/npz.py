"""NumPy's archives, ``.npz``, for ``dovetail.load``: arrays by name; no pickle, and no size is believed that the file does not have."""

from __future__ import annotations

import math
import re
import zipfile
import zlib
from typing import Any, BinaryIO

import numpy as np

from dovetail.dtypes import TYPES
from dovetail.errors import FormatError

__all__ = ["read_npz"]

_DAMAGED = (zipfile.BadZipFile, zlib.error, ValueError, TypeError, EOFError, RuntimeError, OSError, LookupError, OverflowError)
FREE, RATIO = 1 << 28, 100  # bytes that a file may unpack to; from there on so many times its size
_HEADER = re.compile(r"\{'descr': '([<>|=][a-z]\d+)', 'fortran_order': (True|False), 'shape': \(((?:\d+, ?)*(?:\d+,?)?)\),? ?\}\s*")


def read_npz(name: str, file: BinaryIO) -> dict[str, Any] | None:
    """The arrays of an archive, or None where it is no ``.npz``. Raises a FormatError for what is damaged, too large or holds objects."""
    size = file.seek(0, 2)
    file.seek(0)
    try:
        archive = zipfile.ZipFile(file)
    except _DAMAGED:  # which PyTorch's reader of zip archives says
        return None
    members = archive.infolist()
    if not members or not all(member.filename.endswith(".npy") for member in members):
        return None
    total, most = sum(member.file_size for member in members), max(FREE, RATIO * size)
    if total > most:
        raise FormatError(name, None, f"declares {total:,} bytes in {size:,}; at most {most:,} are unpacked")
    if len({member.filename for member in members}) < len(members):
        raise FormatError(name, None, "has two arrays of one name")
    try:
        return {member.filename.removesuffix(".npy"): _array(name, archive, member) for member in members}
    except FormatError:
        raise
    except _DAMAGED as error:
        raise FormatError(name, None, f"is not a whole .npz archive ({type(error).__name__}: {error}); was it cut off?") from None


def _array(name: str, archive: Any, member: Any) -> Any:
    with archive.open(member) as stream:
        start = stream.read(8)
        if start[:6] != b"\x93NUMPY" or len(start) < 8 or start[6] not in (1, 2, 3):
            raise FormatError(name, None, f"array {member.filename!r} is not in NumPy's format")
        width = 2 if start[6] == 1 else 4
        length = int.from_bytes(stream.read(width), "little")
        match = _HEADER.fullmatch(stream.read(length).decode("latin-1")) if length <= 10_000 else None
        if match is None:
            raise FormatError(name, None, f"array {member.filename!r} holds objects, fields or texts; expected numbers")
        kind, shape = np.dtype(match[1]), tuple(int(n) for n in match[3].replace(",", " ").split())
        if kind.newbyteorder("=").name not in {t.np.name for t in TYPES.values()}:
            raise FormatError(name, None, f"array {member.filename!r} has the element type {kind}; expected numbers that tensors can hold")
        count = math.prod(shape) * kind.itemsize
        if 8 + width + length + count != member.file_size:
            raise FormatError(name, None, f"array {member.filename!r} of shape {shape} does not have the size that its archive says")
        a = np.empty(count, np.uint8)
        if stream.readinto(a.data) != count or stream.read(1):  # which compares the CRC-32 too
            raise EOFError(f"array {member.filename!r} ends early")
    a = a.view(kind).reshape(shape[::-1] if match[2] == "True" else shape)
    return np.ascontiguousarray(a.T if match[2] == "True" else a, kind.newbyteorder("=")).reshape(shape)
