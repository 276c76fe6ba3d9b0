"""Files of numbers for each pixel: optical flow (.flo), maps of floats (.pfm) and PNG with 16 bits a channel."""

from __future__ import annotations

import math
import os
import re
import struct
import zlib
from typing import Any

import numpy as np

from ._errors import DamagedFile
from ._files import need, parsed
from ._image import MOST_PIXELS

__all__ = ["read_flo", "read_pfm", "read_png16"]

Place = str | os.PathLike[str]


def _bytes(path: Place) -> bytes:
    try:
        return need(path).read_bytes()
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise DamagedFile(path, None, f"cannot be read: {error.strerror}") from error


def _floats(data: bytes, start: int, order: str, *shape: int) -> np.ndarray:
    if len(data) - start != 4 * math.prod(shape):
        raise ValueError(f"there are {len(data) - start:,} bytes of numbers; expected {4 * math.prod(shape):,} for {shape}")
    return np.frombuffer(data, f"{order}f4", offset=start).reshape(shape)


def read_flo(path: Place) -> np.ndarray:
    """Optical flow in Middlebury's format, float32 ``(2, H, W)``: horizontal, then vertical, in pixels.

    Source: https://vision.middlebury.edu/flow/code/flow-code/README.txt.
    """
    data = _bytes(path)
    with parsed(path, "a .flo file"):
        if data[:4] != b"PIEH":
            raise ValueError(f"Magic number incorrect: it begins with {data[:4]!r}; expected b'PIEH'")
        width, height = (int(n) for n in np.frombuffer(data, "<i4", 2, 4))
        return _floats(data, 12, "<", height, width, 2).transpose(2, 0, 1).copy()


def read_pfm(path: Place, slice_channels: int = 2) -> np.ndarray:
    """The first channels of a map of floats, float32 ``(C, H, W)``, from the top row down.

    Source: https://www.pauldebevec.com/Research/HDR/PFM/.
    """
    data = _bytes(path)
    with parsed(path, "a .pfm file"):
        head = re.match(rb"(P[Ff])\s*?\n(\d+)\s(\d+)\s*?\n(-?[\d.eE+-]+)\s*?\n", data)
        if head is None:
            raise ValueError(f"Invalid PFM file: it begins with {data[:20]!r}")
        channels, width, height = 3 if head[1] == b"PF" else 1, int(head[2]), int(head[3])
        rows = _floats(data, head.end(), "<" if float(head[4]) < 0 else ">", height, width, channels)
        return np.ascontiguousarray(rows[::-1].transpose(2, 0, 1)[:slice_channels], np.float32)


def read_png16(path: Place) -> np.ndarray:
    """A PNG of three channels with 16 bits each, uint16 ``(H, W, 3)``; Pillow keeps only 8 of them.

    Source: https://www.w3.org/TR/png-3/.
    """
    data = _bytes(path)
    try:
        with parsed(path, "a whole PNG of 16 bits and three channels"):
            head, packed = _chunks(data)
            width, height, depth, kind, _, _, interlaced = struct.unpack(">IIBBBBB", head)
            if (depth, kind, interlaced) != (16, 2, 0):
                raise ValueError(f"it has {depth} bits, kind {kind}, interlacing {interlaced}; expected 16 bits, kind 2 and none")
            if not 0 < width * height <= MOST_PIXELS:
                raise ValueError(f"it has {width} × {height} pixels; at most {MOST_PIXELS:,} are allowed")
            size = height * (1 + 6 * width)
            machine = zlib.decompressobj()
            rows = machine.decompress(packed, size + 1)
            if len(rows) != size:
                raise ValueError(f"it unpacks to {len(rows):,} bytes; expected {size:,}")
            return _unfiltered(np.frombuffer(rows, np.uint8).reshape(height, 1 + 6 * width)).view(">u2").astype(np.uint16)
    except (struct.error, zlib.error) as error:
        raise DamagedFile(path, None, f"is not a whole PNG of 16 bits and three channels ({error}); fetch it again") from error


def _chunks(data: bytes) -> tuple[bytes, bytes]:
    """The header and the compressed pixels."""
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        raise ValueError(f"it begins with {data[:8]!r}")
    at, found = 8, {}
    while at < len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        body, check = data[at + 8 : at + 8 + size], data[at + 8 + size : at + 12 + size]
        if len(body) != size or check != struct.pack(">I", zlib.crc32(name + body)):
            raise ValueError(f"its part {name!r} is damaged")
        found.setdefault(name, []).append(body)
        at += 12 + size
    return found[b"IHDR"][0], b"".join(found[b"IDAT"])


def _unfiltered(rows: np.ndarray) -> np.ndarray:
    """Undo the filters of rows, ``(H, 1 + 6 W)`` to ``(H, W, 6)``.

    A pixel needs its neighbours to the left and above, so all pixels of one diagonal are done at a time.
    """
    kinds, height = rows[:, 0], len(rows)
    if kinds.max(initial=0) > 4:
        raise ValueError(f"a row has the filter {kinds.max()}")
    width = rows.shape[1] // 6
    out = np.zeros((height + 1, width + 1, 6), np.uint8)  # with a row and a column of zeros before the first
    out[1:, 1:] = rows[:, 1:].reshape(height, width, 6)
    if not kinds.any():
        return np.ascontiguousarray(out[1:, 1:])
    sub, up, mean, paeth = (kinds == kind for kind in (1, 2, 3, 4))
    for diagonal in range(height + width - 1):
        y = np.arange(max(0, diagonal - width + 1), min(height, diagonal + 1))
        x = diagonal - y
        left, above, corner = (out[y + dy, x + dx].astype(np.int16) for dy, dx in ((1, 0), (0, 1), (0, 0)))
        guess = np.zeros_like(left)
        for rule, value in ((sub, left), (up, above), (mean, (left + above) >> 1), (paeth, _paeth(left, above, corner))):
            guess = np.where(rule[y][:, None], value, guess)
        out[y + 1, x + 1] += guess.astype(np.uint8)
    return np.ascontiguousarray(out[1:, 1:])


def _paeth(left: Any, above: Any, corner: Any) -> Any:
    to_left, to_above, to_corner = abs(above - corner), abs(left - corner), abs(left + above - 2 * corner)
    return np.where((to_left <= to_above) & (to_left <= to_corner), left, np.where(to_above <= to_corner, above, corner))
