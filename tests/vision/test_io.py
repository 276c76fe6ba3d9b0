"""dovetail_vision.io: what is read, what is written, and what is refused."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

import dovetail as dv
from dovetail.errors import DecodeError, FormatError, TypeMismatch, ValueRangeError
from dovetail_vision import io as images

PIXELS = np.random.RandomState(0).randint(0, 256, (3, 5, 7)).astype(np.uint8)


def _file(mode, **options):
    file = io.BytesIO()
    Image.fromarray(PIXELS.transpose(1, 2, 0)).convert(mode).save(file, "PNG", **options)
    return file.getvalue()


def test_png_makes_the_round_trip(tmp_path):
    for image in (PIXELS, PIXELS[:1]):
        images.write_png(dv.from_numpy(image), tmp_path / "a.png", compression_level=1)
        np.testing.assert_array_equal(images.read_image(tmp_path / "a.png").numpy(), image)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_jpeg_is_pillows(tmp_path):
    images.write_jpeg(dv.from_numpy(PIXELS), tmp_path / "a.jpg", quality=90)
    with Image.open(tmp_path / "a.jpg") as image:
        np.testing.assert_array_equal(images.read_image(str(tmp_path / "a.jpg")).numpy(), np.asarray(image).transpose(2, 0, 1))


@pytest.mark.parametrize("mode, channels", [("L", 1), ("LA", 2), ("RGB", 3), ("RGBA", 4), ("P", 3), ("1", 1)])
def test_channels(mode, channels):
    data = _file(mode)
    assert images.decode_image(data).shape[0] == channels
    for wanted in images.ImageReadMode:
        count = wanted.value or channels
        assert images.decode_png(dv.from_numpy(np.frombuffer(data, np.uint8).copy()), wanted).shape == (count, 5, 7)
        assert images.decode_image(data, wanted.name.lower()).shape == (count, 5, 7)


def test_orientation():
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    data = _file("RGB", exif=exif)
    assert images.decode_image(data).shape == (3, 5, 7)
    assert images.decode_image(data, apply_exif_orientation=True).shape == (3, 7, 5)


def test_damaged_files_are_refused(tmp_path, monkeypatch):
    data = _file("RGB")
    for broken in (b"", b"no image", data[: len(data) // 2], data[:20] + b"\xff" * 30 + data[50:]):
        with pytest.raises(DecodeError, match="decode_image: these are no whole image of this kind"):
            images.decode_image(broken)
    with pytest.raises(DecodeError, match="decode_jpeg"):
        images.decode_jpeg(data)
    (tmp_path / "a.png").write_bytes(data[: len(data) // 2])
    with pytest.raises(DecodeError, match=r"a\.png"):
        images.read_image(tmp_path / "a.png")
    with pytest.raises(FormatError, match=r"b\.png: cannot be read: No such file"):
        images.read_image(tmp_path / "b.png")
    monkeypatch.setattr(images, "_MOST_PIXELS", 10)
    with pytest.raises(DecodeError, match="7 × 5 pixels; at most 10 are allowed"):
        images.decode_image(data)


REFUSED = [
    (
        lambda: images.encode_png(dv.zeros(3, 2, 2)),
        ValueRangeError,
        r"encode_png: input has shape \(3, 2, 2\) and type .*float32; expected uint8",
    ),
    (lambda: images.encode_jpeg("a"), TypeMismatch, "encode_jpeg: input is str; expected a tensor"),
    (lambda: images.encode_jpeg(dv.zeros(2, 2, 2, dtype=dv.uint8)), ValueRangeError, r"encode_jpeg: input has shape \(2, 2, 2\)"),
    (lambda: images.encode_jpeg(dv.zeros(3, 2, 2, dtype=dv.uint8), 0), ValueRangeError, "quality is 0; expected 1 to 100"),
    (lambda: images.encode_png(dv.zeros(3, 2, 2, dtype=dv.uint8), 10), ValueRangeError, "compression_level is 10; expected 0 to 9"),
    (lambda: images.decode_image(dv.zeros(3)), ValueRangeError, r"decode_image: input has shape \(3,\) and type .*; expected the bytes"),
]


@pytest.mark.parametrize("call, error, text", REFUSED)
def test_refusals_say_why(call, error, text):
    with pytest.raises(error, match=text):
        call()
