"""The functions of transforms, v1 and v2, beside torchvision's: same pixels, same kinds of error."""

from __future__ import annotations

from importlib import import_module

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")

import numpy as np
from PIL import Image

import dovetail
from dovetail_vision import transforms as ours
from tests.parity.torchvision_oracle import torchvision

pytestmark = pytest.mark.parity

theirs = torchvision().transforms
import_module("torchvision.transforms.v2")  # which torchvision does not import by itself
RNG = np.random.default_rng(1)
SMOOTH = np.clip(np.add.outer(np.arange(14), np.arange(11))[..., None] * [9, 7, 5] + RNG.integers(0, 30, (14, 11, 3)), 0, 255)
PIXELS = SMOOTH.astype(np.uint8)
ARRAYS = {
    "uint8": PIXELS.transpose(2, 0, 1).copy(),
    "float32": (PIXELS.transpose(2, 0, 1) / 255).astype(np.float32),
    "grey": PIXELS[None, ..., 0].copy(),
    "batch": np.stack([PIXELS.transpose(2, 0, 1), 255 - PIXELS.transpose(2, 0, 1)]),
}
IMAGES = {"RGB": Image.fromarray(PIXELS), "L": Image.fromarray(PIXELS[..., 0])}


def _plain(value):
    if isinstance(value, (tuple, list)):
        return [part for item in value for part in _plain(item)]
    return [value.numpy() if hasattr(value, "numpy") else value]


def _same(got, want, atol):
    got, want = _plain(got), _plain(want)
    assert len(got) == len(want)
    for mine, yours in zip(got, want, strict=True):
        if isinstance(yours, Image.Image):
            assert (mine.mode, mine.size) == (yours.mode, yours.size)
            np.testing.assert_allclose(np.asarray(mine, np.int64), np.asarray(yours, np.int64), rtol=0, atol=atol)
        elif isinstance(yours, np.ndarray):
            assert mine.dtype == yours.dtype and mine.shape == yours.shape
            np.testing.assert_allclose(mine.astype(np.float64), yours.astype(np.float64), rtol=0, atol=atol)
        else:
            assert mine == yours


FUNCTIONS = [
    ("resize", ([9, 5], "I.BILINEAR"), {}),
    ("resize", ([30, 21], "I.BICUBIC"), {"antialias": False}),
    ("resize", ([5],), {}),
    ("resize", ([20, 4], "I.NEAREST_EXACT"), {}),
    ("resized_crop", (1, 2, 9, 7, [5, 6]), {}),
    ("center_crop", ([20, 3],), {}),
    ("pad", ([1, 2],), {"fill": 3, "padding_mode": "symmetric"}),
    ("rotate", (90,), {}),
    ("rotate", (-180,), {}),
    ("rotate", (-90,), {}),
    ("rotate", (-270.0,), {"fill": [9.0]}),
    ("rotate", (30.0, "I.BILINEAR"), {"expand": True, "fill": [9.0]}),
    ("rotate", (30.0,), {"center": [1, 2]}),
    ("affine", (11.0, [1, 2], 0.8, [4.0, -3.0], "I.BILINEAR"), {"center": [3, 4]}),
    ("perspective", ([[0, 0], [10, 0], [10, 13], [0, 13]], [[1, 2], [9, 0], [10, 11], [2, 12]]), {"fill": 1}),
    ("rgb_to_grayscale", (), {}),
    ("adjust_brightness", (1.3,), {}),
    ("adjust_contrast", (0.4,), {}),
    ("adjust_saturation", (1.7,), {}),
    ("adjust_hue", (-0.3,), {}),
    ("adjust_gamma", (0.7,), {"gain": 1.2}),
    ("adjust_sharpness", (3.0,), {}),
    ("autocontrast", (), {}),
    ("invert", (), {}),
    ("gaussian_blur", ([3, 5], [0.5, 2.0]), {}),
    ("hflip", (), {}),
    ("vflip", (), {}),
    ("get_dimensions", (), {}),
    ("get_image_size", (), {}),
]


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("case", range(len(FUNCTIONS)))
def test_functions(case, version):
    name, args, kwargs = FUNCTIONS[case]
    modules = [m.v2.functional if version == 2 else m.functional for m in (ours, theirs)]

    def call(module, value):
        modes = {f"I.{mode.name}": mode for mode in module.InterpolationMode}
        plain = [modes.get(arg, arg) if isinstance(arg, str) else arg for arg in args]
        result = getattr(module, name)(value, *plain, **kwargs)
        return tuple(result) if isinstance(result, (list, torch.Size)) else result

    for kind in ("uint8", "float32", "batch"):
        exact = version == 2 and name == "resize" and kind != "float32"
        got, want = call(modules[0], dovetail.from_numpy(ARRAYS[kind].copy())), call(modules[1], torch.from_numpy(ARRAYS[kind].copy()))
        _same(got, want, 0 if exact else 2e-5 if kind == "float32" else 1)
    for image in IMAGES.values():
        if not isinstance(kwargs.get("fill"), list):
            _same(call(modules[0], image), call(modules[1], image), 0)


KINDS_OF_NUMBERS = ["uint8", "int16", "int32", "int64", "float32", "float64"]


@pytest.mark.parametrize("source", KINDS_OF_NUMBERS)
@pytest.mark.parametrize("target", KINDS_OF_NUMBERS)
def test_element_types(source, target):
    array = (RNG.random((1, 4, 5)) if source.startswith("float") else RNG.integers(0, 120, (1, 4, 5))).astype(source)
    for function in ("v1", "v2"):
        try:
            if function == "v1":
                want = theirs.functional.convert_image_dtype(torch.from_numpy(array), getattr(torch, target))
            else:
                want = theirs.v2.functional.to_dtype(torch.from_numpy(array), getattr(torch, target), scale=True)
        except RuntimeError:
            with pytest.raises(RuntimeError, match="the float type cannot tell such numbers apart"):
                ours.functional.convert_image_dtype(dovetail.from_numpy(array), getattr(dovetail, target))
            continue
        mine = dovetail.from_numpy(array)
        got = (
            ours.functional.convert_image_dtype(mine, getattr(dovetail, target))
            if function == "v1"
            else ours.v2.functional.to_dtype(mine, getattr(dovetail, target), scale=True)
        )
        _same(got, want, 1e-7)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "float32", "float64"])
@pytest.mark.parametrize("shape", [(5, 4), (1, 5, 4), (2, 5, 4), (3, 5, 4), (4, 5, 4)])
def test_to_pil_image(dtype, shape):
    array = (RNG.random(shape) if dtype.startswith("float") else RNG.integers(0, 200, shape)).astype(dtype)
    for mode in (None, "L", "F", "RGB", "HSV", "CMYK", "LA", "I"):
        try:
            want = theirs.functional.to_pil_image(torch.from_numpy(array), mode)
        except (TypeError, ValueError) as error:
            with pytest.raises(type(error)):
                ours.functional.to_pil_image(dovetail.from_numpy(array), mode)
            continue
        got = ours.functional.to_pil_image(dovetail.from_numpy(array), mode)
        assert (got.mode, got.size) == (want.mode, want.size) and got.tobytes() == want.tobytes()
        if got.mode != "HSV":
            _same(ours.functional.pil_to_tensor(got), theirs.functional.pil_to_tensor(want), 0)
            _same(ours.v2.functional.to_image(got), theirs.v2.functional.to_image(want), 0)


@pytest.mark.parametrize("kind", [np.bool_, np.int8, np.int16])
def test_grey_of_all_types(kind):
    """Negative numbers are cut off towards 0 by rgb_to_grayscale, and not where grey is blended in; a bool is True where any part is."""
    array = RNG.integers(-128, 128, (3, 9, 8)).astype(kind)
    for t, other in ((ours.functional, theirs.functional), (ours.v2.functional, theirs.v2.functional)):
        for name, args in (("rgb_to_grayscale", (3,)), ("adjust_contrast", (0.5,)), ("adjust_saturation", (1.5,))):
            got = getattr(t, name)(dovetail.from_numpy(array), *args)
            _same(got, getattr(other, name)(torch.from_numpy(array), *args), 0)


def test_arrays_become_images():
    for shape in ((5, 4), (5, 4, 1), (5, 4, 3)):
        array = RNG.integers(0, 255, shape, dtype=np.uint8)
        assert ours.ToPILImage()(array).tobytes() == theirs.ToPILImage()(array).tobytes()
        _same(ours.v2.ToImage()(array), theirs.v2.ToImage()(array), 0)


def test_gaussian_noise():
    for kind in ("uint8", "float32"):
        for options in ({}, {"mean": 0.2, "sigma": 0.5, "clip": False}):
            dovetail.manual_seed(1)
            torch.manual_seed(1)
            mine, yours = ours.v2.GaussianNoise(**options), theirs.v2.GaussianNoise(**options)
            _same(mine(dovetail.from_numpy(ARRAYS[kind])), yours(torch.from_numpy(ARRAYS[kind])), 1 if kind == "uint8" else 1e-5)


ERRORS = [
    lambda t, x: t.Compose([]),
    lambda t, x: t.Compose(3),
    lambda t, x: t.RandomApply([abs], 1.5),
    lambda t, x: t.RandomChoice([abs], [1, 2]),
    lambda t, x: t.RandomHorizontalFlip(-0.1),
    lambda t, x: t.Resize(2.5),
    lambda t, x: t.Resize(None),
    lambda t, x: t.Resize((1, 2, 3)),
    lambda t, x: t.Resize(5, "cubic")(x),
    lambda t, x: t.CenterCrop((1, 2, 3)),
    lambda t, x: t.Pad("a"),
    lambda t, x: t.Pad((1, 2, 3)),
    lambda t, x: t.Pad(1, padding_mode="wrap"),
    lambda t, x: t.Pad(1, fill="a"),
    lambda t, x: t.Pad(1, fill=[1, 2, 3])(x[:1]),
    lambda t, x: t.RandomCrop(20)(x),
    lambda t, x: t.RandomResizedCrop(3, scale=1),
    lambda t, x: t.FiveCrop(30)(x),
    lambda t, x: t.RandomRotation(-3),
    lambda t, x: t.RandomRotation((1, 2, 3)),
    lambda t, x: t.RandomPerspective(1.5),
    lambda t, x: t.ColorJitter(-1),
    lambda t, x: t.ColorJitter("a"),
    lambda t, x: t.ColorJitter(hue=0.7),
    lambda t, x: t.ColorJitter(contrast=(2, 1)),
    lambda t, x: t.GaussianBlur(4),
    lambda t, x: t.GaussianBlur(3, -1),
    lambda t, x: t.GaussianBlur(3, (2, 1)),
    lambda t, x: t.RandomErasing(value="a"),
    lambda t, x: t.RandomErasing(scale=(0, 2)),
    lambda t, x: t.RandomErasing(1.0, value=(1, 2))(x),
    lambda t, x: t.Normalize([0.5], [0.0])(x),
    lambda t, x: t.Normalize([0.5], [0.5])(IMAGES["L"]),
    lambda t, x: t.AutoAugment("imagenet"),
    lambda t, x: t.RandAugment(-1),
    lambda t, x: t.AugMix(11),
    lambda t, x: t.RandAugment()("no image"),
    lambda t, x: t.RandomCrop(3)("no image"),
    lambda t, x: t.MixUp()(x, x),
    lambda t, x: t.MixUp(num_classes=3)(x),
    lambda t, x: t.MixUp(labels_getter=3),
    lambda t, x: t.CutMix(num_classes=3)(IMAGES["L"], x),
    lambda t, x: t.ToDtype("float32"),
    lambda t, x: t.functional.to_image("a"),
    lambda t, x: t.functional.resize("a", [3]),
    lambda t, x: t.functional.perspective(x, None, None),
    lambda t, x: t.functional.permute_channels(x, [0]),
    lambda t, x: t.functional.adjust_brightness(x, -1.0),
    lambda t, x: t.functional.adjust_hue(x, 0.6),
    lambda t, x: t.functional.gaussian_blur(x, 4),
    lambda t, x: t.functional.solarize(x, 3.0),
    lambda t, x: t.functional.gaussian_noise(IMAGES["L"]),
    lambda t, x: t.functional.gaussian_noise("a"),
]


@pytest.mark.parametrize("case", range(len(ERRORS)))
def test_errors_are_of_their_kind(case):
    with pytest.raises((TypeError, ValueError, RuntimeError)) as want:
        ERRORS[case](theirs.v2, torch.from_numpy(ARRAYS["float32"].copy()))
    with pytest.raises(want.type):
        ERRORS[case](ours.v2, dovetail.from_numpy(ARRAYS["float32"].copy()))


@pytest.mark.parametrize("mode", ["bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize("antialias", [True, False])
def test_resized_bytes_are_the_same_bytes(mode, antialias):
    """Of random sizes up and down: bytes within 1 and nearly all equal, floats to 1e-5; also of crops, batches and wide ratios."""
    if mode == "lanczos" and not antialias:
        for t, image in ((ours, dovetail.zeros(1, 4, 4)), (theirs, torch.zeros(1, 4, 4))):
            with pytest.raises(ValueError, match="antialias=True"):
                t.v2.functional.resize(image, [2, 2], mode, antialias=False)
        return
    rng = np.random.default_rng(7)
    unequal = total = 0
    for _ in range(40):
        height, width, new_height, new_width = rng.integers([1, 1, 1, 2], 120).tolist()  # PyTorch's floats of width 1 are wrong
        array = rng.integers(0, 256, (2, 3, height + 3, width + 2), dtype=np.uint8)[..., 2:-1, 1:-1]
        got = ours.v2.functional.resize(dovetail.from_numpy(array), [new_height, new_width], mode, antialias=antialias)
        want = theirs.v2.functional.resize(torch.from_numpy(array), [new_height, new_width], mode, antialias=antialias)
        apart = np.abs(got.numpy().astype(int) - want.numpy())
        assert got.shape == want.shape and apart.max() <= 1
        unequal, total = unequal + np.count_nonzero(apart), total + apart.size
        floats = array.astype(np.float32) / 255
        got = ours.v2.functional.resize(dovetail.from_numpy(floats), [new_height, new_width], mode, antialias=antialias)
        want = theirs.v2.functional.resize(torch.from_numpy(floats), [new_height, new_width], mode, antialias=antialias)
        np.testing.assert_allclose(got.numpy(), want.numpy(), rtol=0, atol=1e-5)
    assert unequal <= total * 1e-3


def test_resizing_with_gradients_gives_the_same():
    array = RNG.random((3, 31, 17), dtype=np.float32)
    for how in ({"interpolation": "bicubic"}, {"antialias": False}):
        plain = ours.v2.functional.resize(dovetail.from_numpy(array), [12, 40], **how)
        traced = dovetail.tensor(array, requires_grad=True)
        out = ours.v2.functional.resize(traced, [12, 40], **how)
        np.testing.assert_allclose(out.detach().numpy(), plain.numpy(), rtol=0, atol=1e-5)
        yours = torch.tensor(array, requires_grad=True)
        out.square().sum().backward()
        theirs.v2.functional.resize(yours, [12, 40], **how).square().sum().backward()
        np.testing.assert_allclose(traced.grad.numpy(), yours.grad.numpy(), rtol=0, atol=1e-4)
