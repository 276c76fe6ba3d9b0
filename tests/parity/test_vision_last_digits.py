"""Where the last digit of a float decides a byte: the same rounding as PyTorch's, also with float64 as the default type."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

import pytest

torch = pytest.importorskip("torch")

import numpy as np

import dovetail
from dovetail_vision import transforms as ours
from dovetail_vision.transforms import _native, _resample
from tests.parity.torchvision_oracle import torchvision

pytestmark = pytest.mark.parity

theirs = torchvision().transforms
import_module("torchvision.transforms.v2")  # which torchvision does not import by itself
RNG = np.random.default_rng(0)
IMAGES = [RNG.integers(0, 256, (3, *RNG.integers(5, 40, 2)), dtype=np.uint8) for _ in range(60)]

COLOURS = [("adjust_saturation", 1.4), ("adjust_contrast", 0.3), ("adjust_sharpness", 0.87), ("autocontrast",)]


@pytest.fixture
def doubles() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    dovetail.set_default_dtype(dovetail.float64)
    yield
    torch.set_default_dtype(torch.float32)
    dovetail.set_default_dtype(dovetail.float32)


@pytest.mark.usefixtures("doubles")
@pytest.mark.parametrize("name", ["AutoAugment", "RandAugment", "TrivialAugmentWide", "AugMix"])
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_policies_where_float64_is_the_default(version: str, name: str) -> None:
    mine, yours = (getattr(module if version == "v1" else module.v2, name) for module in (ours, theirs))
    for seed, pixels in enumerate(IMAGES):
        torch.manual_seed(seed)
        dovetail.manual_seed(seed)
        want = yours(interpolation=theirs.InterpolationMode.NEAREST)(torch.from_numpy(pixels))
        got = mine(interpolation=ours.InterpolationMode.NEAREST)(dovetail.from_numpy(pixels))
        np.testing.assert_array_equal(got.numpy(), want.numpy(), err_msg=f"image {seed}")


@pytest.mark.usefixtures("doubles")
@pytest.mark.parametrize(
    "call", [("adjust_saturation", 1.4), ("adjust_contrast", 0.3), ("adjust_sharpness", 0.87), ("autocontrast",)], ids=str
)
def test_colours_where_float64_is_the_default(call: tuple) -> None:
    name, *arguments = call
    for pixels in IMAGES:
        for mine, yours in ((ours.functional, theirs.functional), (ours.v2.functional, theirs.v2.functional)):
            want = getattr(yours, name)(torch.from_numpy(pixels), *arguments)
            np.testing.assert_array_equal(getattr(mine, name)(dovetail.from_numpy(pixels), *arguments).numpy(), want.numpy())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_smoothing_weights_are_pytorchs_to_the_last_bit(mode: str, dtype: str) -> None:
    for size in (3, 7, 12, 28, 32, 64, 100):
        for new in (3, 5, 12, 24, 31, 50):
            taps, values = _resample._taps(mode, True, size, new, dtype)
            got = _resample._scattered(taps, values, size, dtype)
            ones = torch.eye(size, dtype=getattr(torch, dtype))[None, None]
            want = torch.nn.functional.interpolate(ones, (size, new), mode=mode, antialias=True)
            np.testing.assert_array_equal(got, want[0, 0].numpy(), err_msg=f"{size} to {new}")


@pytest.mark.skipif(_native._kernel() is None, reason="dovetail-cpu is not installed: NumPy reads the pixels, without fused products")
@pytest.mark.parametrize("angle", [90.0, 270.0, 13.0, -77.5])
def test_what_the_native_kernel_reads_is_pytorchs_to_the_last_bit(angle: float) -> None:
    for pixels in IMAGES[:20]:
        for array in (pixels, pixels.astype(np.float32)):
            want = theirs.v2.functional.rotate(torch.from_numpy(array), angle, theirs.InterpolationMode.BILINEAR)
            got = ours.v2.functional.rotate(dovetail.from_numpy(array), angle, ours.InterpolationMode.BILINEAR)
            np.testing.assert_array_equal(got.numpy(), want.numpy())


@pytest.mark.parametrize("recorded", [False, True])
@pytest.mark.parametrize("angle", [45.0, 90.0, 180.0, -90.0])
def test_nearest_pixels_of_float64_are_pytorchs_also_half_way_between_two(angle: float, recorded: bool) -> None:
    for height, width in [(4, 4), (5, 7), (12, 12), (28, 28), (33, 47), (64, 48)]:
        array = RNG.random((2, height, width))
        want = theirs.v2.functional.rotate(torch.from_numpy(array), angle)
        got = ours.v2.functional.rotate(dovetail.from_numpy(array).requires_grad_(recorded), angle)
        np.testing.assert_array_equal(got.detach().numpy(), want.numpy(), err_msg=f"{height} by {width}")


@pytest.mark.parametrize("name", ["MixUp", "CutMix"])
def test_shares_are_never_nothing_or_all(name: str) -> None:
    images, labels = RNG.random((4, 3, 6, 6)).astype(np.float32), RNG.integers(0, 3, 4)
    mine, yours = (getattr(module.v2, name)(alpha=0.05, num_classes=3) for module in (ours, theirs))
    for seed in range(60):
        torch.manual_seed(seed)
        dovetail.manual_seed(seed)
        want = yours(torch.from_numpy(images), torch.from_numpy(labels))
        got = mine(dovetail.from_numpy(images), dovetail.from_numpy(labels))
        for a, b in zip(got, want, strict=True):
            np.testing.assert_array_equal(a.numpy(), b.numpy(), err_msg=f"seed {seed}")
