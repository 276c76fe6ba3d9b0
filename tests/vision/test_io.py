"""dovetail_vision.io: what is read, what is written, and what is refused."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

import dovetail as dv
from dovetail.errors import DecodeError, FormatError, TypeMismatch, ValueRangeError
from dovetail_vision.io import image as images

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


def test_grey_of_sixteen_bits():
    deep = (np.arange(35, dtype=np.uint16) * 1800).reshape(5, 7)
    file = io.BytesIO()
    Image.fromarray(deep).save(file, "PNG")
    image = images.decode_image(file.getvalue())
    assert image.dtype == dv.uint16 and image.shape == (1, 5, 7)
    np.testing.assert_array_equal(image[0].numpy(), deep)
    full = images.decode_png(file.getvalue(), "RGBA")
    assert full.shape == (4, 5, 7) and full[3].numpy().min() == 65535
    np.testing.assert_array_equal(full[1].numpy(), deep)
    assert images.decode_png(file.getvalue(), "GRAY_ALPHA").shape == (2, 5, 7)


def test_grey_of_sixteen_bits_in_eight():
    file = io.BytesIO()
    Image.fromarray((np.arange(35, dtype=np.uint16) * 1800).reshape(5, 7)).save(file, "PNG")
    assert dv.io.decode(file.getvalue(), ".png").flatten().tolist() == [i * 1800 >> 8 for i in range(35)]


def test_colours_of_sixteen_bits_are_refused():
    from tests.vision.test_io_hostile import _png

    with pytest.raises(DecodeError, match="16 bits a channel and is RGB; of such depth grey ones alone are read; save it with 8 bits"):
        images.decode_image(_png(2, 2, depth=16))


def test_gif_and_webp():
    frames = [Image.fromarray(np.full((4, 6, 3), shade, np.uint8)) for shade in (0, 100, 200)]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    moving = images.decode_gif(file.getvalue())
    assert moving.shape == (3, 3, 4, 6) and [frame.max().item() for frame in moving] == [0, 100, 200]
    np.testing.assert_array_equal(images.decode_image(file.getvalue(), "GRAY").numpy(), moving.numpy())
    still = io.BytesIO()
    frames[1].save(still, "GIF")
    assert images.decode_gif(dv.from_numpy(np.frombuffer(still.getvalue(), np.uint8).copy())).shape == (3, 4, 6)
    web = io.BytesIO()
    Image.fromarray(PIXELS.transpose(1, 2, 0)).save(web, "WEBP", lossless=True)
    np.testing.assert_array_equal(images.decode_webp(web.getvalue()).numpy(), PIXELS)
    assert images.decode_webp(web.getvalue(), "rgba").shape == (4, 5, 7)


def test_avif_and_heic(monkeypatch):
    file = io.BytesIO()
    Image.init()
    if "AVIF" in Image.SAVE:
        Image.new("RGB", (9, 7), (255, 0, 0)).save(file, "AVIF")
        assert images.decode_avif(file.getvalue()).shape == (3, 7, 9)
    monkeypatch.delitem(Image.OPEN, "HEIF", raising=False)
    with pytest.raises(NotImplementedError, match="decode_heic: this Pillow reads no HEIF; pip install pillow-heif"):
        images.decode_heic(file.getvalue())


def test_several_at_once_and_paths(tmp_path):
    image = dv.from_numpy(PIXELS)
    files = images.encode_jpeg([image, image], 90)
    assert [part.shape for part in images.decode_jpeg(files, "GRAY", "cpu")] == [(1, 5, 7)] * 2
    images.write_png(image, tmp_path / "a.png")
    for path in (tmp_path / "a.png", str(tmp_path / "a.png")):
        np.testing.assert_array_equal(images.decode_image(path).numpy(), PIXELS)
    images.write_file(tmp_path / "b", dv.tensor([1, 2], dtype=dv.uint8))
    assert images.read_file(tmp_path / "b").tolist() == [1, 2]
    assert images.ImageReadMode.RGBA is images.ImageReadMode.RGB_ALPHA


MORE = [
    (lambda: images.decode_image(b"", "grey"), KeyError, "mode is 'grey'; expected one of UNCHANGED, GRAY"),
    (lambda: images.decode_png(3), TypeError, "decode_png: input is int; expected the bytes of a file"),
    (lambda: images.decode_jpeg([]), ValueError, "input is a list of 0; expected one tensor or more"),
    (lambda: images.encode_jpeg([]), ValueError, "input is an empty list"),
    (lambda: images.write_file("/nowhere/a", dv.zeros(2)), ValueError, r"write_file: data is \(2,\) of .*float32; expected uint8"),
    (lambda: images.VideoReader, AttributeError, "there is no VideoReader: torchvision gave its videos up too; decode with PyAV"),
    (lambda: images.nothing, AttributeError, "there is no nothing; expected one of ImageReadMode"),
]


@pytest.mark.parametrize("call, error, text", MORE)
def test_more_refusals_say_why(call, error, text):
    with pytest.raises(error, match=text):
        call()
