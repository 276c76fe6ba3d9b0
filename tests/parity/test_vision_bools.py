"""Images of bools beside torchvision's: v1 gives True for whatever is not zero between pixels, v2 rounds, except where it resizes.

With antialiasing the last bit of a weight decides what is not zero.
"""

from __future__ import annotations

import importlib

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")

import dovetail as dv
from tests.parity.torchvision_oracle import torchvision

pytestmark = pytest.mark.parity
torchvision()

CORNERS = [[0, 0], [18, 0], [18, 22], [0, 22]], [[2, 1], [17, 3], [15, 21], [1, 19]]
CALLS = {
    "rotate": lambda f, m, img, moves: f.rotate(img, 30, m.BILINEAR),
    "rotate, nearest": lambda f, m, img, moves: f.rotate(img, 30, m.NEAREST),
    "rotate, filled": lambda f, m, img, moves: f.rotate(img, 30, m.NEAREST, expand=True, fill=[1.0]),
    "affine": lambda f, m, img, moves: f.affine(img, 10, [2, -3], 1.3, [4.0, 2.0], m.BILINEAR),
    "perspective": lambda f, m, img, moves: f.perspective(img, *CORNERS, m.BILINEAR),
    "elastic": lambda f, m, img, moves: f.elastic_transform(img, moves, m.BILINEAR),
    "resize": lambda f, m, img, moves: f.resize(img, [31, 11], m.BILINEAR, antialias=False),
    "resize, bicubic": lambda f, m, img, moves: f.resize(img, [31, 11], m.BICUBIC, antialias=False),
    "resize, smoothed": lambda f, m, img, moves: f.resize(img, [31, 11], m.BILINEAR),
    "resize, smoothed to fewer": lambda f, m, img, moves: f.resize(img, [19, 11], m.BILINEAR),
    "resize, smoothed bicubic": lambda f, m, img, moves: f.resize(img, [11, 40], m.BICUBIC),
    "resize, nearest": lambda f, m, img, moves: f.resize(img, [31, 11], m.NEAREST),
    "resized_crop": lambda f, m, img, moves: f.resized_crop(img, 2, 3, 14, 9, [20, 20], m.BILINEAR, antialias=False),
    "gaussian_blur": lambda f, m, img, moves: f.gaussian_blur(img, [3, 5]),
}


@pytest.mark.parametrize("version", ["transforms.functional", "transforms.v2.functional"])
@pytest.mark.parametrize("name", CALLS)
def test_bools(name, version):
    draw = np.random.default_rng(3)
    pixels, moves = draw.random((1, 23, 19)) < 0.2, draw.uniform(-0.1, 0.1, (1, 23, 19, 2)).astype(np.float32)
    found = []
    for package, tensors in (("dovetail_vision", dv), ("torchvision", torch)):
        functions = importlib.import_module(f"{package}.{version}")
        modes = importlib.import_module(f"{package}.transforms").InterpolationMode
        out = CALLS[name](functions, modes, tensors.from_numpy(pixels), tensors.from_numpy(moves))
        assert out.dtype == tensors.bool
        found.append(out.numpy())
    assert found[1].any() and not found[1].all()
    np.testing.assert_array_equal(*found)
