"""The safetensors container: named arrays and a metadata of texts, to and from bytes.

Written by us, in one pass over the arrays; read by the safetensors package, whose checks of the header we keep.
"""

from __future__ import annotations

import json
import mmap
import os
from typing import Any, BinaryIO

import numpy as np

from ..errors import FormatError, ValueRangeError

__all__ = ["SEAL", "checksum", "crc32", "read", "read_header", "read_mapped", "write"]

#: The package reads no longer header; neither do we write one.
HEADER_LIMIT = 100_000_000
_NAMES = {
    "bool": "BOOL", "uint8": "U8", "int8": "I8", "uint16": "U16", "int16": "I16", "uint32": "U32", "int32": "I32", "uint64": "U64",
    "int64": "I64", "float16": "F16", "bfloat16": "BF16", "float32": "F32", "float64": "F64", "complex64": "C64",
}  # fmt: skip
#: The metadata's key for the CRC-32 of the header; eight digits, which count as zeros in it.
SEAL = "dovetail.header"
_TYPES = {code: name for name, code in _NAMES.items()}
# The format has no complex128: its numbers are kept as pairs, under a name that says so.
_PAIRS = "#complex128"


def write(file: BinaryIO, arrays: dict[str, Any], metadata: dict[str, str]) -> None:
    """Write contiguous host arrays under their names. Raises a ValueError for more metadata than a header holds."""
    plain = dict(_as_pairs(name, a) for name, a in arrays.items())
    order = sorted(plain, key=lambda name: -plain[name].itemsize)  # so that every array lies at a multiple of its item's size
    header: dict[str, Any] = {"__metadata__": metadata}
    at = 0
    for name in order:
        a = plain[name]
        header[name] = {"dtype": _NAMES[a.dtype.name], "shape": list(a.shape), "data_offsets": [at, at + a.nbytes]}
        at += a.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text = _sealed(text + b" " * (-len(text) % 8))
    if len(text) > HEADER_LIMIT:
        what = f"names and plain values take {len(text):,} bytes"
        raise ValueRangeError("save", what, f"expected at most {HEADER_LIMIT:,}", "put long lists of numbers into tensors")
    file.write(len(text).to_bytes(8, "little"))
    file.write(text)
    for name in order:
        file.write(_bytes(plain[name]))


def _as_pairs(name: str, a: Any) -> tuple[str, Any]:
    return (name + _PAIRS, a.reshape(*a.shape, 1).view(np.float64)) if a.dtype.name == "complex128" else (name, a)


def _bytes(a: Any) -> Any:
    return memoryview(a.reshape(-1).view(np.uint8)) if a.size else b""


def crc32(data: Any, start: int = 0) -> int:
    """zlib's CRC-32, by the processor's instructions for it where the package isal is installed."""
    try:
        from isal.isal_zlib import crc32 as quick
    except ImportError:
        from zlib import crc32 as quick
    return quick(data, start)


def checksum(a: Any) -> int:
    """The CRC-32 of an array: its type, its shape and its bytes."""
    return crc32(f"{a.dtype.name}{list(a.shape)}".encode(), crc32(_bytes(a)))


def _sealed(text: bytes) -> bytes:
    """A header with its own CRC-32 in the place that is kept for it, if there is one."""
    mark = f'"{SEAL}":"'.encode()
    at = text.find(mark) + len(mark)
    if at < len(mark):
        return text
    blank = text[:at] + b"0" * 8 + text[at + 8 :]
    return blank[:at] + b"%08x" % crc32(blank) + blank[at + 8 :]


def read(name: str, data: bytes) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the arrays and the metadata of a file's bytes. Raises a FormatError, which names the file, for anything else."""
    from safetensors import deserialize

    text = data[8 : 8 + _header_length(name, data[:9], len(data))]
    metadata = _checked(name, lambda: _metadata(dict(json.loads(text)), text))  # and the memory of the rest is free again
    entries = _checked(name, lambda: deserialize(data))
    return dict(_array(name, key, entry) for key, entry in entries), metadata


def read_header(path: str) -> tuple[dict[str, Any], dict[str, str], int]:
    """Return the header of a file, its metadata, and where its arrays begin, without reading those. Raises a FormatError as `read` does."""
    from safetensors import safe_open

    def package() -> None:
        with safe_open(path, "np"):
            pass

    with open(path, "rb") as file:
        length = _header_length(path, file.read(9), os.fstat(file.fileno()).st_size)
        file.seek(8)
        text = file.read(length)
    _checked(path, package)
    header = _checked(path, lambda: dict(json.loads(text)))
    return header, _checked(path, lambda: _metadata(header, text)), 8 + length


def read_mapped(path: str) -> tuple[dict[str, Any], dict[str, str]]:
    """As `read`, of arrays that are read from the file when they are first used; what is written to them stays out of the file."""
    header, metadata, at = read_header(path)
    with open(path, "rb") as file:
        mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
    arrays = {}
    for key, entry in header.items():
        if key != "__metadata__":
            start, end = entry["data_offsets"]
            made = _array(path, key, {**entry, "data": mapped[at + start : at + end]})
            arrays[made[0]] = made[1]
    return arrays, metadata


def _checked(name: str, read: Any) -> Any:
    from safetensors import SafetensorError

    try:
        return read()
    except (SafetensorError, ValueError, TypeError, RecursionError, OverflowError) as error:
        raise FormatError(name, None, f"is not a whole safetensors file ({error}); it was cut off or changed") from None


def _metadata(header: dict[str, Any], text: bytes) -> dict[str, str]:
    """The metadata; what the header says its CRC is becomes empty where it is another."""
    metadata = header.get("__metadata__") or {}
    if SEAL in metadata and _sealed(text) != text:
        metadata[SEAL] = ""
    return metadata


def _header_length(name: str, head: bytes, size: int) -> int:
    """The length that the file declares for its header, checked against the file's size."""
    length = int.from_bytes(head[:8], "little")
    if size < 8:
        raise FormatError(name, size, f"has {size} bytes, which is too short for a safetensors file; was it cut off?")
    if length > size - 8:
        what = f"declares a header of {length} bytes but has only {size - 8} after it"
        raise FormatError(name, 0, f"{what}; the file is cut off or not safetensors")
    if length > HEADER_LIMIT:
        raise FormatError(name, 0, f"declares a header of {length} bytes; at most {HEADER_LIMIT} are read")
    if head[8:9] != b"{":
        raise FormatError(name, 8, "has no header that begins with '{'; expected a safetensors file")
    return length


def _array(name: str, key: str, entry: Any) -> tuple[str, Any]:
    code, shape, data = entry["dtype"], entry["shape"], entry["data"]
    if code not in _TYPES:
        raise FormatError(name, None, f"tensor {key!r} has the element type {code}; expected one of {', '.join(_TYPES)}")
    kind = np.dtype(_TYPES[code]) if code != "BF16" else _bfloat16()
    try:
        if data.__class__ is memoryview:
            a = np.frombuffer(data, kind).reshape(shape)
            a = a if a.ctypes.data % kind.itemsize == 0 else a.copy()
        else:
            a = np.frombuffer(data if data.__class__ is bytearray else bytearray(data), kind).reshape(shape)
    except (ValueError, OverflowError) as error:
        raise FormatError(name, None, f"tensor {key!r} of shape {shape} cannot be made ({error})") from None
    if key.endswith(_PAIRS) and code == "F64" and shape[-1:] == [2]:
        return key.removesuffix(_PAIRS), a.view(np.complex128).reshape(shape[:-1])
    return key, a


def _bfloat16() -> Any:
    from ..dtypes import bfloat16_dtype

    return bfloat16_dtype().np
