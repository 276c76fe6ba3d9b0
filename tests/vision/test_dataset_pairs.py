"""Optical flow and stereo: their formats of numbers, and what their transforms take."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from dovetail.errors import ValueRangeError
from dovetail_vision import datasets
from dovetail_vision.datasets import _rasters, tiny
from dovetail_vision.datasets._errors import DamagedFile


def test_transforms_of_flow_and_stereo(tmp_path):
    tiny.sintel(tmp_path), tiny.kitti_stereo(tmp_path)
    flow = datasets.Sintel(tmp_path, transforms=lambda one, two, flow, valid: (valid, two.size, flow.shape, "mask"))
    assert flow[0] == (None, (8, 6), (2, 6, 8), "mask") and len(3 * flow) == 9
    stereo = datasets.Kitti2015Stereo(tmp_path, transforms=lambda images, disparities, valid: (disparities, images, ("a", "b")))
    left, right, disparity, valid = stereo[0]
    assert (left.shape, right.shape, disparity.mode, valid) == ((1, 6, 8), (1, 6, 8), "RGB", "a")
    assert np.array_equal(datasets.Kitti2015Stereo(tmp_path)[0][2], left)


@pytest.mark.parametrize("shape", [(1, 1, 3), (6, 8, 3), (17, 3, 3), (3, 29, 3)])
def test_png_of_16_bits_with_every_filter(tmp_path, monkeypatch, shape):
    draw = np.random.RandomState(0)
    for filters in ((0, 1, 2, 3, 4), (4,), (3, 1), (0,)):
        monkeypatch.setattr(tiny.pairs, "FILTERS", filters)
        values = draw.randint(0, 1 << 16, shape).astype(np.uint16)
        tiny.png16(tmp_path / "a.png", values)
        np.testing.assert_array_equal(_rasters.read_png16(tmp_path / "a.png"), values)
        assert np.array_equal(np.asarray(Image.open(tmp_path / "a.png")), values >> 8), "Pillow's 8 bits"


OTHERS = [
    (_rasters.read_flo, b"PIEX" + bytes(8), "Magic number incorrect: it begins with b'PIEX'"),
    (_rasters.read_flo, b"PIEH" + struct.pack("<ii", 1 << 30, 1 << 30), "0 bytes of numbers; expected 9,223,372,036,854,775,808"),
    (_rasters.read_flo, b"PIEH" + struct.pack("<ii", -1, 1), "expected -8"),
    (_rasters.read_flo, b"PIEH1", "is not a .flo file"),
    (_rasters.read_pfm, b"P6\n1 1\n255\nabc", "Invalid PFM file: it begins with b'P6"),
    (_rasters.read_pfm, b"Pf\n2 1\n-1.0\n" + bytes(4), "4 bytes of numbers; expected 8"),
    (_rasters.read_png16, b"\x89PNG\r\n\x1a\n", "KeyError"),
    (_rasters.read_png16, b"GIF89a", "it begins with b'GIF89a'"),
]


@pytest.mark.parametrize("read, data, text", OTHERS, ids=range(len(OTHERS)))
def test_other_files_of_numbers(tmp_path, read, data, text):
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(DamagedFile, match=text):
        read(tmp_path / "a")
    with pytest.raises(FileNotFoundError, match="b: Dataset not found"):
        read(tmp_path / "b")


def test_other_png(tmp_path):
    path = tmp_path / "a.png"
    tiny.photo(path)
    with pytest.raises(DamagedFile, match="it has 8 bits, kind 2, interlacing 0; expected 16 bits"):
        _rasters.read_png16(path)
    tiny.png16(path, np.zeros((4, 4, 3), np.uint16))
    data = path.read_bytes()
    for size, text in ((65_000, "65000 × 65000 pixels; at most 50,000,000 are allowed"), (5, "unpacks to 100 bytes; expected 155")):
        head = data[12:16] + struct.pack(">II", size, size) + data[24:29]
        path.write_bytes(data[:12] + head + struct.pack(">I", zlib.crc32(head)) + data[33:])
        with pytest.raises(DamagedFile, match=text):
            _rasters.read_png16(path)
    for at in range(len(data)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises(DamagedFile):
            _rasters.read_png16(path)


def test_what_middlebury_has_no_calibration_of(tmp_path):
    for split, calibration, text in (("test", "perfect", "calibration=None, as it has"), ("train", None, "'perfect', 'imperfect' or")):
        with pytest.raises(ValueRangeError, match=f"for the split '{split}'; expected {text}"):
            datasets.Middlebury2014Stereo(tmp_path, split, calibration)
    tiny.middlebury_stereo(tmp_path)
    seen = {datasets.Middlebury2014Stereo(tmp_path, use_ambient_views=True)[0][1].tobytes() for _ in range(40)}
    assert len(seen) == 3


def test_sides_must_be_as_many(tmp_path):
    tiny.carla_stereo(tmp_path)
    (tmp_path / "carla-highres/trainingF/scene0/im1.png").unlink()
    with pytest.raises(ValueError, match=r"Found 2 left files \(\*/im0.png\) but 1 right files"):
        datasets.CarlaStereo(tmp_path)
    tiny.sintel(tmp_path)
    (tmp_path / "Sintel/training/flow/alley_1/frame_0001.flo").unlink()
    with pytest.raises(FileNotFoundError, match="there are 2 files of flow for 3 pairs of images"):
        datasets.Sintel(tmp_path)
