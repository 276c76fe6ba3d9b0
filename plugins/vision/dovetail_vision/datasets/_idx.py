"""Files in the IDX format of MNIST, as they are or inside gzip or xz."""

from __future__ import annotations

import gzip
import lzma
import math
import zlib
from pathlib import Path

import numpy as np

import dovetail
from dovetail import Tensor, from_numpy
from dovetail.errors import FormatError

from ._errors import MissingFiles

__all__ = ["find", "get_int", "read_idx", "read_image_file", "read_label_file", "read_sn3_pascalvincent_tensor"]

# http://yann.lecun.com/exdb/mnist/: two zero bytes, the type, the number of dimensions, the sizes, then the values, big-endian.
_TYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
#: The type of elements by the third byte of a file.
SN3_PASCALVINCENT_TYPEMAP = {
    8: dovetail.uint8, 9: dovetail.int8, 11: dovetail.int16, 12: dovetail.int32, 13: dovetail.float32, 14: dovetail.float64,
}  # fmt: skip
_OPENERS = {".gz": gzip.open, ".xz": lzma.open}


def find(path: str | Path) -> Path | None:
    """The file itself, or its ``.gz`` or ``.xz`` beside it, or None.

    >>> find("there/is/no-images-idx3-ubyte")
    """
    path = Path(path)
    return next((found for found in (path, *(path.with_name(path.name + end) for end in _OPENERS)) if found.is_file()), None)


def read_idx(path: str | Path, ndim: int, dtype: str = "u1") -> np.ndarray:
    """Read an array of ``ndim`` dimensions and element type ``dtype`` ("u1" or "i4"), in the machine's byte order.

    Raises MissingFiles where neither the file nor its .gz or .xz is there, FormatError for a file that is something else, cut
    or longer than its header says.
    """
    found = find(path)
    if found is None:
        raise MissingFiles(path, None, "there is no such file, nor one with .gz or .xz after its name")
    opener = _OPENERS.get(found.suffix, open)
    try:
        with opener(found, "rb") as file:
            shape, kind = _header(found, file.read(4 + 4 * ndim), ndim, dtype)
            size = math.prod(shape) * kind.itemsize
            _fits(found, opener is open, 4 + 4 * ndim + size)
            data = file.read(size + 1)  # never more than the header says, whatever a compressed file holds
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise FormatError(found, None, f"cannot be read ({type(error).__name__}: {error}); fetch it again") from error
    if len(data) != size:
        held = f"holds {len(data):,} bytes of values" if len(data) < size else "holds more values"
        raise FormatError(found, 4 + 4 * ndim, f"{held}; expected {size:,} for the shape {shape} in its header; fetch it again")
    return np.frombuffer(data, kind).reshape(shape).astype(kind.newbyteorder("="))


def _header(path: Path, head: bytes, ndim: int, dtype: str) -> tuple[tuple[int, ...], np.dtype]:
    wanted = f"expected an IDX file of {ndim} dimensions and type {dtype}"
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in _TYPES:
        raise FormatError(path, 0, f"begins with {head[:4].hex(' ') or 'nothing'}; {wanted}")
    kind = np.dtype(_TYPES[head[2]])
    if head[3] != ndim or kind.str[1:] != dtype:
        raise FormatError(path, 2, f"has {head[3]} dimensions and type {kind.str[1:]}; {wanted}")
    if len(head) < 4 + 4 * ndim:
        raise FormatError(path, len(head), f"ends inside its header; {wanted}")
    return tuple(int(size) for size in np.frombuffer(head, ">u4", ndim, 4)), kind


def _fits(path: Path, plain: bool, size: int) -> None:
    """Compare what the header says with the file, before anything of that size is allocated."""
    held = path.stat().st_size
    # Deflate shrinks a file to a 1,032nd at best, xz to about a 7,000th.
    if held != size if plain else held * 10_000 < size:
        raise FormatError(path, 4, f"has {held:,} bytes; its header promises {size:,}; fetch it again")


def get_int(b: bytes) -> int:
    """The whole number of big-endian bytes, as headers of IDX files have it.

    >>> get_int(bytes([0, 0, 8, 3]))
    2051
    """
    return int.from_bytes(b, "big")


def read_sn3_pascalvincent_tensor(path: str | Path, strict: bool = True) -> Tensor:
    """An IDX file of any type and number of dimensions as a tensor; ``strict`` has no effect, no byte may be missing or too many.

    Raises MissingFiles and FormatError as `read_idx` does.
    """
    found = find(path)
    if found is None:
        raise MissingFiles(path, None, "there is no such file, nor one with .gz or .xz after its name")
    try:
        with _OPENERS.get(found.suffix, open)(found, "rb") as file:
            head = file.read(4).ljust(4, b"\0")
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise FormatError(found, None, f"cannot be read ({type(error).__name__}: {error}); fetch it again") from error
    return from_numpy(read_idx(path, head[3], _TYPES.get(head[2], "u1").lstrip(">")))


def read_label_file(path: str | Path) -> Tensor:
    """The labels of an IDX file of bytes in one dimension, int64 (N,)."""
    return from_numpy(read_idx(path, 1)).long()


def read_image_file(path: str | Path) -> Tensor:
    """The images of an IDX file of bytes in three dimensions, uint8 (N, H, W)."""
    return from_numpy(read_idx(path, 3))
