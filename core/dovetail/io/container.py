"""The safetensors container: named arrays and a metadata of texts, to and from files.

A header is read in one pass, by checks that are stricter than the safetensors package's (docs/decisions/0007-safetensors-header.md).
"""

from __future__ import annotations

import json
import math
import mmap
import re
from functools import cache, lru_cache
from typing import Any, BinaryIO

import numpy as np

from ..dtypes import LATER, dtype_named
from ..errors import FormatError, ValueRangeError

__all__ = ["HEADER_ASKED", "HEADER_LIMIT", "SEAL", "checksum", "crc32", "read", "read_header", "write"]

#: The safetensors package reads no longer header; neither do we write or read one. Longer ones than the first are read if asked for.
HEADER_ASKED, HEADER_LIMIT = 25_000_000, 100_000_000
_NAMES = {
    "bool": "BOOL", "uint8": "U8", "int8": "I8", "uint16": "U16", "int16": "I16", "uint32": "U32", "int32": "I32", "uint64": "U64",
    "int64": "I64", "float16": "F16", "bfloat16": "BF16", "float32": "F32", "float64": "F64", "complex64": "C64",
    "float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2", "float8_e4m3fnuz": "F8_E4M3FNUZ", "float8_e5m2fnuz": "F8_E5M2FNUZ",
    "float8_e8m0fnu": "F8_E8M0",
}  # fmt: skip
#: The metadata's key for the CRC-32 of the header; eight digits, which count as zeros in it.
SEAL = "dovetail.header"
_TYPES = {code: np.dtype(name) for name, code in _NAMES.items() if name not in LATER}
_LATER = {code: name for name, code in _NAMES.items() if name in LATER}
# The format has no complex128: its numbers are kept as pairs, under a name that says so.
_PAIRS = "#complex128"
# What stands in a header, by one expression that never goes back: JSON's texts and natural numbers, a tensor's three keys in any order.
_S = r"[ \t\n\r]*+"
_TEXT = (
    r'[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u(?![dD][89a-fA-F])[0-9a-fA-F]{4}|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})'
    r'[^"\\\x00-\x1f]*+)*+'
)
_N = rf"{_S}(?:0|[1-9][0-9]*+){_S}"
_FIELD = rf'"(?:dtype"{_S}:{_S}"({_TEXT})"|shape"{_S}:{_S}\[({_S}|{_N}(?:,{_N}){{0,63}}+)\]|data_offsets"{_S}:{_S}\[({_N}),({_N})\])'
_TENSOR = rf'{_S}"({_TEXT})"{_S}:{_S}\{{(?:{_S}{_FIELD}{_S}(?:,(?={_S}")|(?=\}}))){{3}}\}}'
_MORE = rf'{_S}"__metadata__"{_S}:{_S}(null|\{{{_S}(?:"{_TEXT}"{_S}:{_S}"{_TEXT}"{_S}(?:,{_S}(?=")|(?=\}})))*+\}})'
_MEMBER = re.compile(rf"(?:{_TENSOR}|{_MORE}){_S}(?:,(?={_S}\")|\Z)|[\s\S]")
_PAIR = re.compile(rf'"({_TEXT})"{_S}:{_S}"({_TEXT})"')


def write(file: BinaryIO, arrays: dict[str, Any], metadata: dict[str, str], align: int = 8) -> None:
    """Write contiguous host arrays under their names, the first at a multiple of ``align``.

    Raises a ValueError for more metadata than a header holds.
    """
    pairs = [_as_pairs(name, a) for name, a in arrays.items()]
    pairs.sort(key=lambda pair: -pair[1].itemsize)  # so that every array lies at a multiple of its item's size
    header: dict[str, Any] = {"__metadata__": metadata}
    at = 0
    for name, a in pairs:
        header[name] = {"dtype": _NAMES[a.dtype.name], "shape": list(a.shape), "data_offsets": [at, at + a.nbytes]}
        at += a.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % align)
    place, seal = _seal(text)
    text = text[:place] + seal + text[place + len(seal) :]
    if len(text) > HEADER_LIMIT:
        what = f"names and plain values take {len(text):,} bytes"
        raise ValueRangeError("save", what, f"expected at most {HEADER_LIMIT:,}", "put long lists of numbers into tensors")
    file.write(len(text).to_bytes(8, "little"))
    file.write(text)
    for _, a in pairs:
        file.write(_bytes(a))


def _as_pairs(name: str, a: Any) -> tuple[str, Any]:
    return (name + _PAIRS, a.reshape(*a.shape, 1).view(np.float64)) if a.dtype.name == "complex128" else (name, a)


def _bytes(a: Any) -> Any:
    return memoryview(a.reshape(-1).view(np.uint8)) if a.size else b""


@cache
def _quick() -> Any:
    try:
        from isal.isal_zlib import crc32
    except ImportError:
        from zlib import crc32
    return crc32


def crc32(data: Any, start: int = 0) -> int:
    """zlib's CRC-32, by the processor's instructions for it where the package isal is installed."""
    return _quick()(data, start)  # type: ignore[no-any-return]


@cache
def _name(kind: Any) -> str:
    return kind.name  # type: ignore[no-any-return]


def checksum(a: Any) -> int:
    """The CRC-32 of an array: its type, its shape and its bytes."""
    return crc32(f"{_name(a.dtype)}{[*a.shape]}".encode(), crc32(_bytes(a)))


def _seal(text: bytes) -> tuple[int, bytes]:
    """Where a header keeps its own CRC-32, and what that is with zeros in the place; nothing where it has none."""
    mark, view = f'"{SEAL}":"'.encode(), memoryview(text)
    at = text.find(mark) + len(mark)
    if at < len(mark):
        return 0, b""
    return at, b"%08x" % crc32(view[at + 8 :], crc32(b"0" * 8, crc32(view[:at])))


def read(name: str, file: Any, limit: int = HEADER_LIMIT, mapped: bool = False) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the arrays and the metadata of an open file. Raises a FormatError, which has the file's name, for one that is not whole.

    With ``mapped`` the arrays are read from the file when they are first used; what is written to them stays out of the file.
    """
    entries, metadata, base = read_header(name, file, limit)
    memory, arrays, count = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) if mapped else None, {}, len(entries)
    while entries:  # which makes room for what is read
        start, end, key, kind, shape = entries.pop()
        try:
            a: Any = np.ndarray(shape, kind, memory, base + start) if mapped else np.empty(shape, kind)
        except (ValueError, OverflowError) as error:
            raise FormatError(name, None, f"tensor {key!r} of shape {shape} cannot be made ({error})") from None
        if mapped:
            a = a if a.ctypes.data % kind.itemsize == 0 else a.copy()
        elif file.readinto(a) != end - start:
            raise FormatError(name, base + start, f"ends within tensor {key!r}; it was changed while it was read")
        if key[-11:] == _PAIRS and kind == np.float64 and shape[-1:] == (2,):
            key, a = key.removesuffix(_PAIRS), a.view(np.complex128).reshape(shape[:-1])
        arrays[key] = a
    if len(arrays) != count:
        raise FormatError(name, None, "is not a whole safetensors file (two of its tensors have one name); it was cut off or changed")
    return arrays, metadata


def read_header(name: str, file: Any, limit: int = HEADER_LIMIT) -> tuple[list[Any], dict[str, str], int]:
    """Return each array's offsets, name, type and shape, the last one first, the metadata, and where the arrays begin.

    Of metadata that are not ours only the first is kept. Raises as `read` does.
    """
    size = file.seek(0, 2)
    file.seek(0)
    length = _header_length(name, file.read(9), size, limit)
    file.seek(8)
    text = file.read(length)
    try:
        entries, metadata = _parsed(text.decode().rstrip(" \t\n\r"))
        entries.sort(reverse=True)
        at = size - 8 - length
        for start, end, key, kind, _ in entries:  # the last one ends with the file, and each lies right behind the one before
            if kind.__class__ is str:
                raise FormatError(name, None, f"tensor {key!r} has the element type {kind}; expected one of {', '.join(_NAMES.values())}")
            if end != at:
                raise ValueError(f"tensor {key!r} ends at {end} where {at} is right")
            at = start
        if at:
            raise ValueError(f"the first {at} bytes behind the header belong to no tensor")
    except (ValueError, TypeError) as error:  # a TypeError where two of one name are sorted
        raise FormatError(name, None, f"is not a whole safetensors file ({error}); it was cut off or changed") from None
    at, seal = _seal(text)
    if SEAL in metadata and (not at or text[at : at + 8] != seal):
        metadata[SEAL] = ""
    return entries, metadata, 8 + length


def _parsed(text: str) -> tuple[list[Any], dict[str, str]]:
    """The entries and the metadata of a header."""
    form, entries = lru_cache(1024)(_form), []
    metadata: dict[str, str] | None = None
    if text[1:][-1:] != "}":
        raise ValueError("its header does not end with '}'")
    for found in _MEMBER.finditer(text, 1, len(text) - 1):
        key, code, shape, first, last, texts = found.groups()
        if texts is not None and metadata is None:
            metadata = _texts(text, *found.span(6))
            continue
        if key is None or code is None or shape is None or first is None or (key := _plain(key)) == "__metadata__":
            raise ValueError(f"{text[found.start() : found.start() + 50]!r} is no entry of a header")
        kind, dims, count = form(code, shape)
        start, end = int(first), int(last)
        if end - start != count and kind.__class__ is not str:
            raise ValueError(f"tensor {key!r} has offsets for {end - start} bytes and needs {count}")
        entries.append((start, end, key, kind, dims))
    return entries, metadata or {}


def _plain(text: str) -> str:
    return json.loads(f'"{text}"') if "\\" in text else text


def _texts(text: str, start: int, end: int) -> dict[str, str]:
    """Our metadata, and the first of others."""
    found: dict[str, str] = {}
    for key, value in map(re.Match.groups, _PAIR.finditer(text, start, end)):
        if not found or "dovetail" in (key := _plain(key)):
            if key in found:
                raise ValueError(f"its metadata have {key!r} twice")
            found[key] = _plain(value)
    return found


def _form(code: str, shape: str) -> tuple[Any, tuple[int, ...], int]:
    """The type (its code where it is none of ours), the shape and the number of bytes of an array."""
    kind = dtype_named(_LATER[code]).np if code in _LATER else _TYPES.get(code := _plain(code), code)
    dims = tuple(map(int, shape.split(","))) if shape.strip() else ()
    return kind, dims, 0 if kind is code else math.prod(dims) * kind.itemsize


def _header_length(name: str, head: bytes, size: int, limit: int) -> int:
    """The length that the file declares for its header, checked against the file's size."""
    length = int.from_bytes(head[:8], "little")
    if size < 8:
        raise FormatError(name, size, f"has {size} bytes, which is too short for a safetensors file; was it cut off?")
    if length > size - 8:
        what = f"declares a header of {length} bytes but has only {size - 8} after it"
        raise FormatError(name, 0, f"{what}; the file is cut off or not safetensors")
    if length > min(limit, HEADER_LIMIT):
        remedy = f"; if you trust the file, load it with max_header={length}" if length <= HEADER_LIMIT else ""
        raise FormatError(name, 0, f"declares a header of {length} bytes; at most {min(limit, HEADER_LIMIT)} are read{remedy}")
    if head[8:9] != b"{":
        raise FormatError(name, 8, "has no header that begins with '{'; expected a safetensors file")
    return length
