"""Every transform function without chance, v1 and v2, on images of every form: torchvision's bytes, and its floats to the last digits."""

from __future__ import annotations

import math
from importlib import import_module

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")

import numpy as np
from PIL import Image

import dovetail
from dovetail_vision import transforms as ours
from tests.parity.torchvision_oracle import torchvision

pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("ignore")]  # Pillow always smooths, both say

theirs = torchvision().transforms
import_module("torchvision.transforms.v2")  # which torchvision does not import by itself
RNG = np.random.default_rng(0)


def _pixels(dtype, *shape):
    return RNG.random(shape).astype(dtype) if dtype.startswith("float") else RNG.integers(0, 256, shape).astype(dtype)


ARRAYS = {
    f"{dtype} {'x'.join(map(str, shape))}": _pixels(dtype, *shape)
    for dtype in ("uint8", "float32")
    for shape in ((1, 13, 17), (3, 8, 8), (4, 6, 7), (3, 1, 5), (2, 3, 13, 17), (2, 2, 3, 7, 9), (9, 8))
} | {"float64 3x13x17": _pixels("float64", 3, 13, 17), "int16 3x13x17": _pixels("int16", 3, 13, 17)}
IMAGES = {
    f"{mode} {width}x{height}": Image.frombytes(mode, (width, height), _pixels("uint8", height, width, bands).tobytes())
    for mode, bands in (("L", 1), ("LA", 2), ("RGB", 3), ("RGBA", 4))
    for width, height in ((17, 13), (5, 1))
} | {"I": Image.fromarray(_pixels("uint8", 9, 7)).convert("I"), "1": Image.fromarray(_pixels("uint8", 9, 7)).convert("1")}

QUADS = [[0, 0], [10, 0], [10, 13], [0, 13]], [[1, 2], [9, 0], [10, 11], [2, 12]]
MODES = ("NEAREST", "NEAREST_EXACT", "BILINEAR", "BICUBIC", "LANCZOS", "BOX", "HAMMING")
CASES = [(f"adjust_{kind}", (factor,), {}) for kind in ("brightness", "contrast", "saturation", "sharpness") for factor in (0, 0.4, 1, 2.7)]
CASES += [("adjust_hue", (factor,), {}) for factor in (-0.5, -0.31, 0, 0.1, 0.5)]
CASES += [("adjust_gamma", (0.4,), {}), ("adjust_gamma", (2.2,), {"gain": 1.4})]
CASES += [("rgb_to_grayscale", (), {}), ("rgb_to_grayscale", (3,), {}), ("to_grayscale", (3,), {}), ("grayscale_to_rgb", (), {})]
CASES += [
    (name, (), {}) for name in ("autocontrast", "equalize", "invert", "hflip", "vflip", "get_dimensions", "to_image", "pil_to_tensor")
]
CASES += [("posterize", (3,), {}), ("solarize", (100,), {}), ("solarize", (0.5,), {}), ("permute_channels", ([2, 0, 1],), {})]
CASES += [("gaussian_blur", ([3, 5],), {}), ("gaussian_blur", (3, 1.0), {}), ("normalize", ([0.5], [0.25]), {})]
CASES += [("crop", (-3, -2, 30, 9), {}), ("center_crop", ([6, 20],), {}), ("five_crop", (1,), {}), ("ten_crop", ([1, 1], True), {})]
CASES += [("pad", ([1, 0, 0, 1], 3, mode), {}) for mode in ("constant", "edge", "symmetric")]
CASES += [
    ("resize", (size, f"I.{mode}"), {"antialias": smooth}) for mode in MODES for size in ([6, 9], [31, 20]) for smooth in (True, False)
]
CASES += [("resize", (7,), {}), ("resized_crop", (0, 0, 5, 6, [9, 4]), {})]
for _mode in ("I.NEAREST", "I.BILINEAR", "I.BICUBIC"):
    CASES += [("rotate", (17.0, _mode, True), {}), ("rotate", (90, _mode), {"fill": 3}), ("rotate", (30, _mode, False, [3, 4], [5.0]), {})]
    CASES += [("affine", (11.0, [1, 2], 0.8, [4.0, -3.0], _mode), {}), ("affine", (45, [0, 0], 1.0, [0.0, 0.0], _mode), {"fill": 100})]
    CASES += [("perspective", (*QUADS, _mode), {}), ("perspective", (*QUADS, _mode, 9), {})]
CASES += [("convert_image_dtype", (f"D.{kind}",), {}) for kind in ("uint8", "float32", "float64", "int16", "int32")]
CASES += [("to_dtype", (f"D.{kind}",), {"scale": scale}) for kind in ("uint8", "float32", "int32") for scale in (True, False)]
# What lies half-way between two bytes falls to either where PyTorch fuses a product and a sum, and nothing else may.
TIES = {"resize", "resized_crop", "rotate", "affine", "perspective"}
WARPED = {"rotate", "affine", "perspective"}  # whose places are computed in float32, too


def _parts(value):
    return [part for item in value for part in _parts(item)] if isinstance(value, (tuple, list)) else [value]


def _call(library, version, value, name, args, kwargs):
    module, transforms = (library.v2.functional if version == 2 else library.functional), library
    tensors = dovetail if library is ours else torch
    named = {f"I.{mode}": getattr(transforms.InterpolationMode, mode) for mode in MODES}
    given = [
        named.get(a, getattr(tensors, a[2:], a) if isinstance(a, str) and a.startswith("D.") else a) if isinstance(a, str) else a
        for a in args
    ]
    if isinstance(value, np.ndarray):
        value = tensors.from_numpy(value.copy())
    try:
        return getattr(module, name)(value, *given, **kwargs)
    except Exception as error:
        return error


def _check(got, want, name, kind, exact):
    """``exact()`` are torchvision's results of the same pixels in float64."""
    assert not isinstance(got, Exception), f"{kind}: {got}"
    for i, (mine, yours) in enumerate(zip(_parts(got), _parts(want), strict=True)):
        if isinstance(yours, Image.Image):
            assert (mine.mode, mine.size) == (yours.mode, yours.size), kind
            assert mine.tobytes() == yours.tobytes(), kind
        elif isinstance(yours, torch.Tensor):
            assert type(mine).__name__ == type(yours).__name__, kind
            assert str(mine.dtype).rpartition(".")[2] == str(yours.dtype).rpartition(".")[2], kind
            a, b = mine.numpy(), yours.numpy()
            assert a.shape == b.shape, kind
            if b.dtype.kind == "f":
                np.testing.assert_allclose(a, b, rtol=3e-6, atol=1e-5 if name in WARPED else 3e-6, err_msg=kind)
                continue
            other = a != b
            if other.any():
                assert name in TIES and np.abs(a.astype(np.int64) - b.astype(np.int64)).max() == 1, kind
                np.testing.assert_allclose(_parts(exact())[i].numpy()[other] % 1, 0.5, rtol=0, atol=1e-4, err_msg=kind)
        else:
            assert mine == yours, kind


FACES = {1: theirs.functional, 2: theirs.v2.functional}
TABLE = [(version, case) for version in FACES for case in CASES if hasattr(FACES[version], case[0])]


@pytest.mark.parametrize("row", range(len(TABLE)), ids=lambda i: f"v{TABLE[i][0]}-{TABLE[i][1][0]}-{i}")
def test_pixels(row):
    (version, case), answers = TABLE[row], 0
    for kind, value in {**ARRAYS, **IMAGES}.items():
        want = _call(theirs, version, value, *case)
        if not isinstance(want, Exception):
            _check(_call(ours, version, value, *case), want, case[0], kind, lambda v=value: _call(theirs, version, v.astype(float), *case))
            answers += 1
    assert answers, "torchvision itself takes none of these images"


@pytest.mark.parametrize("size", [(8, 8), (8, 9), (40, 50), (65, 3), (64, 224)])
@pytest.mark.parametrize("version", [1, 2])
def test_half_way_between_two_pixels(version, size):
    """Shears and turns whose places fall between pixels: the last bit of PyTorch's sum decides, which has another order above 66 pixels."""
    pixels = _pixels("uint8", 1, *size)
    calls = [("rotate", (angle,)) for angle in (30.0, 45.0, 90.0, 180.0)]
    calls += [
        ("affine", (0.0, [0, 0], 1.0, shear, "I.NEAREST", None, center))
        for slope in (0.2, -0.2, 0.12000000476837158, 0.5)
        for center in (None, [0, 0])
        for shear in ([math.degrees(math.atan(slope)), 0.0], [0.0, math.degrees(math.atan(slope))])
    ]
    calls += [("affine", (0.0, [0, 0], scale, [0.0, 0.0])) for scale in (0.5, 2.0, 0.8)]
    height, width = size
    corners = [[0, 0], [width, 0], [width, height], [0, height]]
    calls += [("perspective", (corners, [[1, 2], [width - 2, 0], [width, height - 1], [2, height]], "I.NEAREST"))]
    for name, args in calls:
        got = _call(ours, version, dovetail.from_numpy(pixels), name, args, {})
        want = _call(theirs, version, torch.from_numpy(pixels), name, args, {})
        assert np.array_equal(got.numpy(), want.numpy()), (name, args)
