"""vision/digits: what it holds, how it is split, and how it meets a file that is not the one."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

import dovetail_vision.datasets.digits as module
from dovetail.errors import FormatError, HashMismatch, ValueRangeError
from dovetail_vision.datasets import Digits, StandardTransform, VisionDataset

SHIPPED = Path(module.__file__).with_name("data") / "digits.csv.gz"


def test_the_parts_are_the_whole():
    train, test = Digits(), Digits(train=False)
    assert (len(train), len(test)) == (1346, 451)
    counts = np.bincount(np.concatenate([train.targets.numpy(), test.targets.numpy()]))
    assert counts.tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]  # as the UCI repository counts them


def test_a_quarter_of_each_digit_is_held_out():
    train, test = np.bincount(Digits().targets.numpy()), np.bincount(Digits(train=False).targets.numpy())
    assert np.abs(test - (train + test) / 4).max() <= 0.5


def test_the_held_out_quarter_never_moves():
    labels = np.loadtxt(SHIPPED, delimiter=",", usecols=64, dtype=int)
    rows = []
    for digit in range(10):
        mine = sorted((row * 2654435761 % 2**32, row) for row in np.flatnonzero(labels == digit).tolist())
        rows += [row for _, row in mine[: round(len(mine) / 4 + 1e-9)]]
    assert np.flatnonzero(module._held_out(labels)).tolist() == sorted(rows)
    assert hashlib.sha256(np.array(sorted(rows), "<i8").tobytes()).hexdigest()[:16] == "3b27044701d84a1a"


def test_values_are_the_file_s_scaled_to_bytes():
    pixels = np.loadtxt(SHIPPED, delimiter=",")[:, :64].reshape(-1, 8, 8)
    held = module._held_out(np.loadtxt(SHIPPED, delimiter=",", usecols=64, dtype=int))
    data = Digits(train=False).data.numpy()
    assert data.dtype == np.uint8
    np.testing.assert_array_equal(data, np.floor(pixels[held] / 16 * 255 + 0.5))


def test_a_sample_is_an_image_and_an_int():
    digits = Digits()
    image, label = digits[3]
    assert (image.mode, image.size, type(label)) == ("L", (8, 8), int)
    np.testing.assert_array_equal(np.asarray(image), digits.data[3].numpy())
    assert label == int(digits.targets[3])
    assert digits.classes[label].startswith(f"{label} - ")
    assert digits.class_to_idx["7 - seven"] == 7


def test_a_sample_s_image_is_its_own():
    digits = Digits()
    before = digits.data[0].numpy().copy()
    digits[0][0].putpixel((0, 0), 255 - int(before[0, 0]))
    np.testing.assert_array_equal(digits.data[0].numpy(), before)


def test_index_out_of_range_ends_iteration():
    digits = Digits(train=False)
    with pytest.raises(IndexError):
        digits[451]
    assert sum(1 for _ in digits) == 451


def test_transforms_are_applied():
    digits = Digits(transform=lambda image: image.size, target_transform=str)
    assert digits[0] == ((8, 8), str(int(digits.targets[0])))


@pytest.mark.parametrize("split, train", [("train", True), ("test", False)])
def test_split_goes_before_train(split, train):
    digits = Digits(train=not train, split=split)
    assert digits.train is train
    assert len(digits) == len(Digits(train=train))


def test_unknown_split():
    with pytest.raises(ValueRangeError, match=r'Digits: split is \'val\'; expected "train" or "test"'):
        Digits(split="val")


def test_root_names_the_folder(tmp_path):
    (tmp_path / "digits.csv.gz").write_bytes(SHIPPED.read_bytes())
    assert repr(Digits(tmp_path)).splitlines()[2] == f"    Root location: {tmp_path}"


def test_missing_file(tmp_path):
    with pytest.raises(FormatError, match="digits.csv.gz: No such file or directory; leave root out to use the copy"):
        Digits(tmp_path)


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: data[:99] + b"?" + data[100:], lambda data: b""])
def test_damaged_file(tmp_path, damage):
    (tmp_path / "digits.csv.gz").write_bytes(damage(SHIPPED.read_bytes()))
    with pytest.raises(HashMismatch, match=r"SHA-256 is [0-9a-f]{64}; expected 09f66e6d.*; reinstall dovetail-vision"):
        Digits(str(tmp_path))


def test_printed_form():
    assert repr(Digits()) == "Dataset Digits\n    Number of datapoints: 1346\n    Split: Train"
    want = "Dataset Digits\n    Number of datapoints: 451\n    Split: Test\n    StandardTransform\nTransform: <class 'str'>"
    assert repr(Digits(train=False, transform=str)) == want


def test_standard_transform_prints_each_on_its_line():
    assert repr(StandardTransform(abs, len)) == (
        "StandardTransform\nTransform: <built-in function abs>\nTarget transform: <built-in function len>"
    )


def test_both_kinds_of_transforms_are_refused():
    with pytest.raises(ValueRangeError, match="VisionDataset: transforms was given together with transform"):
        VisionDataset("x", transforms=lambda image, target: (image, target), transform=str)


def test_the_base_asks_for_its_two_methods():
    with pytest.raises(NotImplementedError, match="VisionDataset does not define __len__"):
        len(VisionDataset())
    with pytest.raises(NotImplementedError, match="VisionDataset does not define __getitem__"):
        VisionDataset()[0]
