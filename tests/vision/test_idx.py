"""The functions of IDX files that programs import from torchvision's module of MNIST: every type, and what is damaged."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

import dovetail as dv
from dovetail.errors import FormatError
from dovetail_vision.datasets import _idx, mnist

TYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


def written(path, values: np.ndarray, code: int):
    head = bytes([0, 0, code, values.ndim]) + np.array(values.shape, ">u4").tobytes()
    path.write_bytes(head + values.astype(TYPES[code]).tobytes())
    return path


@pytest.mark.parametrize("code", TYPES)
@pytest.mark.parametrize("shape", [(5,), (2, 3), (2, 3, 4)])
def test_any_type_and_number_of_dimensions(tmp_path, code, shape):
    values = np.arange(np.prod(shape)).reshape(shape)
    found = mnist.read_sn3_pascalvincent_tensor(written(tmp_path / "some-idx", values, code))
    assert found.dtype == mnist.SN3_PASCALVINCENT_TYPEMAP[code] and found.tolist() == values.tolist()


def test_images_and_labels(tmp_path):
    images = mnist.read_image_file(written(tmp_path / "images", np.arange(12).reshape(3, 2, 2), 8))
    labels = mnist.read_label_file(written(tmp_path / "labels", np.array([7, 0]), 8))
    assert (images.dtype, images.shape, labels.dtype, labels.tolist()) == (dv.uint8, (3, 2, 2), dv.int64, [7, 0])
    with pytest.raises(FormatError, match="has 1 dimensions"):
        mnist.read_image_file(tmp_path / "labels")


@pytest.mark.parametrize("keep", [0, 1, 3, 5, 9, -1])
@pytest.mark.parametrize("packed", [False, True])
def test_cut_files_are_a_format_error(tmp_path, keep, packed):
    whole = written(tmp_path / "whole", np.arange(6).reshape(2, 3), 12).read_bytes()
    path = tmp_path / ("cut.gz" if packed else "cut")
    path.write_bytes(gzip.compress(whole)[:keep] if packed else whole[:keep])
    with pytest.raises(FormatError, match="cut"):
        mnist.read_sn3_pascalvincent_tensor(tmp_path / "cut")


def test_a_folder_without_the_file_says_so(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        _idx.read_sn3_pascalvincent_tensor(tmp_path / "none")
