"""The safetensors container: named arrays and a metadata of texts, to and from bytes.

Written by us, in one pass over the arrays; read by the safetensors package, whose checks of the header we keep.
"""

from __future__ import annotations

import json
from typing import Any, BinaryIO

import numpy as np

from ..errors import FormatError, ValueRangeError

__all__ = ["checksum", "read", "write"]

#: The package reads no longer header; neither do we write one.
HEADER_LIMIT = 100_000_000
_NAMES = {
    "bool": "BOOL", "uint8": "U8", "int8": "I8", "uint16": "U16", "int16": "I16", "uint32": "U32", "int32": "I32", "uint64": "U64",
    "int64": "I64", "float16": "F16", "bfloat16": "BF16", "float32": "F32", "float64": "F64", "complex64": "C64",
}  # fmt: skip
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
    text += b" " * (-len(text) % 8)
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


def checksum(a: Any) -> int:
    """The CRC-32 of an array: its type, its shape and its bytes."""
    import zlib

    return zlib.crc32(f"{a.dtype.name}{list(a.shape)}".encode(), zlib.crc32(_bytes(a)))


def read(name: str, data: bytes) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the arrays and the metadata of a file's bytes. Raises a FormatError, which names the file, for anything else."""
    from safetensors import SafetensorError, deserialize

    length = _header_length(name, data)
    try:
        entries = deserialize(data)
        metadata = json.loads(data[8 : 8 + length]).get("__metadata__") or {}
    except (SafetensorError, ValueError, TypeError, RecursionError, OverflowError) as error:
        raise FormatError(name, None, f"is not a whole safetensors file ({error}); it was cut off or changed") from None
    return dict(_array(name, key, entry) for key, entry in entries), metadata


def _header_length(name: str, data: bytes) -> int:
    """The length that the file declares for its header, checked against the file."""
    length = int.from_bytes(data[:8], "little")
    if len(data) >= 8 and length <= min(len(data) - 8, HEADER_LIMIT) and data[8:9] == b"{":
        return length
    if len(data) < 8:
        raise FormatError(name, len(data), f"has {len(data)} bytes, which is too short for a safetensors file; was it cut off?")
    if length > len(data) - 8:
        what = f"declares a header of {length} bytes but has only {len(data) - 8} after it"
        raise FormatError(name, 0, f"{what}; the file is cut off or not safetensors")
    if length > HEADER_LIMIT:
        raise FormatError(name, 0, f"declares a header of {length} bytes; at most {HEADER_LIMIT} are read")
    raise FormatError(name, 8, "has no header that begins with '{'; expected a safetensors file")


def _array(name: str, key: str, entry: Any) -> tuple[str, Any]:
    code, shape, data = entry["dtype"], entry["shape"], entry["data"]
    if code not in _TYPES:
        raise FormatError(name, None, f"tensor {key!r} has the element type {code}; expected one of {', '.join(_TYPES)}")
    kind = np.dtype(_TYPES[code]) if code != "BF16" else _bfloat16()
    try:
        a = np.frombuffer(data if data.__class__ is bytearray else bytearray(data), kind).reshape(shape)
    except (ValueError, OverflowError) as error:
        raise FormatError(name, None, f"tensor {key!r} of shape {shape} cannot be made ({error})") from None
    if key.endswith(_PAIRS) and code == "F64" and shape[-1:] == [2]:
        return key.removesuffix(_PAIRS), a.view(np.complex128).reshape(shape[:-1])
    return key, a


def _bfloat16() -> Any:
    from ..dtypes import bfloat16_dtype

    return bfloat16_dtype().np
