"""Damaged, forged and enormous images: a DecodeError, never another error, and nothing large is allocated before it."""

from __future__ import annotations

import io
import random
import resource
import struct
import time
import zlib

import numpy as np
import pytest
from PIL import Image

import dovetail as dv
from dovetail.errors import DecodeError
from dovetail_vision.io import image as images
from tests.support.figures import note

PIXELS = np.random.RandomState(0).randint(0, 256, (24, 31, 3)).astype(np.uint8)
FORMATS = ("PNG", "JPEG", "WEBP", "GIF")


def _files() -> list[bytes]:
    found = []
    for kind in FORMATS:
        file = io.BytesIO()
        Image.fromarray(PIXELS).save(file, kind)
        found.append(file.getvalue())
    file = io.BytesIO()
    Image.fromarray(PIXELS).convert("P").save(file, "PNG")
    animated = io.BytesIO()
    frames = [Image.fromarray(np.roll(PIXELS, i, 1)) for i in range(3)]
    frames[0].save(animated, "GIF", save_all=True, append_images=frames[1:])
    return [*found, file.getvalue(), animated.getvalue()]


def _damaged(data: bytes, draw: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(draw.randrange(1, 5)):
        at, n = draw.randrange(len(data)), draw.randrange(1, 30)
        match draw.randrange(5):
            case 0:
                del changed[at : at + n]
            case 1:
                changed[at:at] = draw.randbytes(n)
            case 2:
                changed[at : at + n] = draw.randbytes(n)
            case 3:
                changed[at : at + 1] = draw.randbytes(1)
            case 4:
                del changed[at:]
    return bytes(changed)


@pytest.mark.parametrize("cases", [1_200, pytest.param(20_000, marks=pytest.mark.soak)])
def test_random_damage_is_an_image_or_a_decode_error(cases):
    files, draw, refused, slowest = _files(), random.Random(5), 0, 0.0
    for number in range(cases):
        data = _damaged(files[number % len(files)], draw)
        start = time.perf_counter()
        try:
            image = images.decode_image(data, draw.choice(list(images.ImageReadMode)), draw.random() < 0.5)
            assert image.dtype in (dv.uint8, dv.uint16) and image.ndim in (3, 4)
        except DecodeError as error:
            assert "decode_image" in str(error)
            refused += 1
        slowest = max(slowest, time.perf_counter() - start)
    note("S5", "mutated PNG, JPEG, WebP and GIF images", f"{cases:,}: {refused:,} DecodeErrors, 0 others", "DecodeError only")
    assert refused > cases // 4 and slowest < 5


def _png(width: int, height: int, rows: int = 8, depth: int = 8, colour: int = 2) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(rows * (1 + 3 * width)), 9))
        + chunk(b"IEND", b"")
    )


def _gif(frames: int, size: int) -> bytes:
    """An animation whose frames are each a few bytes."""
    body = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    return b"GIF89a" + struct.pack("<HHBBB", size, size, 0x80, 0, 0) + bytes(6) + body * frames + b"\x3b"


BOMBS = {
    "PNG": lambda: _png(20_000, 20_000),
    "PNG, wide": lambda: _png(2**31 - 1, 1, rows=0),
    "GIF": lambda: _gif(1, 65_535),
    "GIF, many frames": lambda: _gif(200, 3_000),
    "WebP": lambda: b"RIFF" + struct.pack("<I", 30) + b"WEBPVP8X" + struct.pack("<I", 10) + b"\0\0\0\0" + b"\xff\x3f\0" * 2 + bytes(8),
    "JPEG": lambda: b"\xff\xd8\xff\xc0\0\x11\x08" + struct.pack(">HH", 65_500, 65_500) + b"\x03\x01\x22\0\x02\x11\x01\x03\x11\x01\xff\xd9",
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_before_it_is_unpacked(name):
    data = BOMBS[name]()
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    texts = {"WebP": "these are no whole image|at most 50,000,000 pixels are allowed"}  # as its library finds one or the other first
    with pytest.raises(DecodeError, match=texts.get(name, "at most 50,000,000 (pixels )?are allowed")):
        images.decode_image(data)
    grown, seconds = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, time.perf_counter() - start
    note(
        "S5",
        f"a bomb of {len(data):,} bytes, {name}",
        f"refused, {seconds * 1e3:.0f} ms, +{grown // 1024} MB",
        "before allocation, RSS +20 MB",
    )
    assert grown < 20 * 1024 and seconds < 2
