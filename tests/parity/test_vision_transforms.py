"""dovetail_vision.transforms beside torchvision's: same draws, same pixels, same printed form, same kinds of error."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")

import importlib

import numpy as np
from PIL import Image

import dovetail
from dovetail_vision import transforms as ours
from dovetail_vision.transforms import functional as our_functional
from tests.parity.torchvision_oracle import torchvision

pytestmark = pytest.mark.parity

theirs = torchvision().transforms
importlib.import_module("torchvision.transforms.v2")
their_functional = theirs.functional
MODES = list(ours.InterpolationMode)
RNG = np.random.default_rng(0)


def _image(mode: str, size: tuple[int, int] = (9, 7)) -> Image.Image:
    width, height = size
    bands = len(Image.new(mode, (1, 1)).getbands())
    pixels = RNG.integers(0, 256, (height, width, bands), dtype=np.uint8)
    if mode == "F":
        return Image.fromarray(pixels[..., 0].astype(np.float32) / 7)
    if mode in ("I", "1"):
        return Image.fromarray(pixels[..., 0]).convert(mode)
    if mode == "I;16":
        return Image.fromarray(pixels[..., 0].astype(np.uint16) * 100)
    if mode == "P":
        return Image.fromarray(pixels[..., 0]).convert("P")
    return Image.frombytes(mode, size, pixels.tobytes())


def _both(array: np.ndarray):
    return dovetail.from_numpy(array.copy()), torch.from_numpy(array.copy())


def _same_image(got: Image.Image, want: Image.Image) -> None:
    assert (got.mode, got.size) == (want.mode, want.size)
    assert got.tobytes() == want.tobytes()
    assert got.getpalette() == want.getpalette()


def _same_tensor(got, want, atol: float = 0.0) -> None:
    assert str(got.dtype).rpartition(".")[2] == str(want.dtype).rpartition(".")[2]
    assert tuple(got.shape) == tuple(want.shape)
    np.testing.assert_allclose(got.numpy(), want.numpy(), rtol=0, atol=atol)


def _their_mode(mode):
    return theirs.InterpolationMode(mode.value)


def _drawn(mine, yours, inputs, their_inputs):
    dovetail.manual_seed(5)
    got = [mine(value) for value in inputs]
    torch.manual_seed(5)
    return zip(got, [yours(value) for value in their_inputs], strict=True)


TENSORS = {
    "float32": RNG.random((3, 9, 7), dtype=np.float32),
    "float64": RNG.random((2, 3, 7, 9)),
    "uint8": RNG.integers(0, 256, (3, 8, 8), dtype=np.uint8),
    "int64": RNG.integers(-900, 900, (1, 6, 8)),
}
ATOL = {"float32": 1e-5, "float64": 1e-9, "uint8": 0, "int64": 0}


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "CMYK", "YCbCr", "P", "1", "I", "I;16", "F"])
def test_to_tensor_image(mode):
    image = _image(mode)
    _same_tensor(ours.ToTensor()(image), theirs.ToTensor()(image))


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32, np.float64, np.bool_])
@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 3)])
def test_to_tensor_array(dtype, shape):
    array = (RNG.random(shape) * 255).astype(dtype)
    _same_tensor(ours.ToTensor()(array), theirs.ToTensor()(array))


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("mean, std", [([0.1, 0.2, 0.3], [0.5, 0.6, 0.7]), (0.3, 0.37), ([0.5], [0.25])])
def test_normalize(mean, std, inplace):
    for name in ("float32", "float64"):
        mine, yours = _both(TENSORS[name])
        out = ours.Normalize(mean, std, inplace)(mine)
        _same_tensor(out, theirs.Normalize(mean, std, inplace)(yours), 1e-7)
        _same_tensor(mine, yours, 1e-7)
        assert (out is mine) == inplace


@pytest.mark.parametrize("interpolation", MODES)
@pytest.mark.parametrize("size, max_size", [(4, None), (20, None), ([5], None), (6, 7), ((11, 3), None), ((3, 12), None)])
def test_resize_image(size, max_size, interpolation):
    for mode in ("L", "RGB", "F"):
        image = _image(mode)
        got = ours.Resize(size, interpolation, max_size)(image)
        _same_image(got, theirs.Resize(size, _their_mode(interpolation), max_size)(image))


@pytest.mark.parametrize("name", TENSORS)
@pytest.mark.parametrize("antialias", [True, False, None])
@pytest.mark.parametrize("interpolation", MODES[:4])
@pytest.mark.parametrize("size", [4, (20, 13), (3, 12), (1, 1), (8, 8)])
def test_resize_tensor(name, size, interpolation, antialias):
    mine, yours = _both(TENSORS[name])
    got = ours.Resize(size, interpolation, antialias=antialias)(mine)
    want = theirs.Resize(size, _their_mode(interpolation), antialias=antialias)(yours)
    if name in ("float32", "float64"):
        return _same_tensor(got, want, ATOL[name])
    _same_tensor(got, want, 1)
    # A whole number may differ only where the exact value lies half-way, within what float32 can tell.
    exact = ours.Resize(size, interpolation, antialias=antialias)(mine.double()).numpy()
    half_way = np.abs(exact % 1 - 0.5) < 2e-4
    np.testing.assert_array_equal(got.numpy()[~half_way], want.numpy()[~half_way])


@pytest.mark.parametrize("interpolation", MODES[:2])
def test_nearest_pixels_of_every_size(interpolation):
    """Places are counted in float32, so that those between two pixels fall to the same one."""
    for old in (7, 26, 100):
        mine, yours = _both(np.arange(old, dtype=np.float32).reshape(1, 1, old))
        for new in range(1, 150):
            got = ours.Resize((1, new), interpolation)(mine)
            _same_tensor(got, theirs.Resize((1, new), _their_mode(interpolation))(yours))


@pytest.mark.parametrize("padding", [2, [1], (1, 2), [1, 2, 3, 0], (-1, 2, 1, -2)])
@pytest.mark.parametrize("padding_mode", ["constant", "edge", "reflect", "symmetric"])
def test_pad(padding, padding_mode):
    for mode in ("L", "RGB", "P"):
        image = _image(mode)
        got = our_functional.pad(image, padding, 3, padding_mode)
        _same_image(got, their_functional.pad(image, padding, 3, padding_mode))
    for array in TENSORS.values():
        mine, yours = _both(array)
        got = our_functional.pad(mine, padding, 3, padding_mode)
        _same_tensor(got, their_functional.pad(yours, list(np.atleast_1d(padding)), 3, padding_mode), 0)


@pytest.mark.parametrize("box", [(1, 2, 3, 4), (0, 0, 20, 20), (-2, -1, 5, 5), (5, 5, 9, 1), (30, 30, 2, 2), (-1, 2, 3, 9)])
def test_crop(box):
    image = _image("RGB")
    _same_image(our_functional.crop(image, *box), their_functional.crop(image, *box))
    for array in TENSORS.values():
        mine, yours = _both(array)
        _same_tensor(our_functional.crop(mine, *box), their_functional.crop(yours, *box))


CROPS = [
    ((4,), {}),
    (((3, 5),), {"padding": 2, "fill": 9}),
    (((4, 6),), {"padding": (1, 2), "padding_mode": "reflect"}),
    ((12,), {"pad_if_needed": True, "fill": 7}),
    (([20],), {"padding": 1, "pad_if_needed": True, "padding_mode": "edge"}),
]


@pytest.mark.parametrize("args, kwargs", CROPS)
def test_random_crop(args, kwargs):
    mine, yours = ours.RandomCrop(*args, **kwargs), theirs.RandomCrop(*args, **kwargs)
    assert repr(mine) == repr(yours)
    image = _image("L")
    pixels, their_pixels = _both(TENSORS["float32"])
    for got, want in _drawn(mine, yours, [image] * 12, [image] * 12):
        _same_image(got, want)
    for got, want in _drawn(mine, yours, [pixels] * 12, [their_pixels] * 12):
        _same_tensor(got, want)


AFFINES = [
    ((10,), {}),
    (((-30, 70),), {"translate": (0.2, 0.3), "fill": 40}),
    ((0,), {"scale": (0.5, 1.7), "shear": 20}),
    ((15,), {"translate": (0.1, 0.1), "scale": (0.9, 1.1), "shear": (5, 10), "center": (2, 1)}),
    ((180,), {"shear": (-5, 10, -20, 3), "fill": (7,)}),
]


@pytest.mark.parametrize("args, kwargs", AFFINES)
@pytest.mark.parametrize("interpolation", MODES[:4:2] + MODES[3:4])
def test_random_affine_image(args, kwargs, interpolation):
    mine = ours.RandomAffine(*args, interpolation=interpolation, **kwargs)
    yours = theirs.RandomAffine(*args, interpolation=_their_mode(interpolation), **kwargs)
    assert repr(mine) == repr(yours)
    images = [_image(mode, (8, 8)) for mode in ("L", "RGB", "F")] * 20
    for got, want in _drawn(mine, yours, images, images):
        _same_image(got, want)


@pytest.mark.parametrize("args, kwargs", AFFINES)
@pytest.mark.parametrize("interpolation", MODES[:4:2])
@pytest.mark.parametrize("name", TENSORS)
def test_random_affine_tensor(args, kwargs, interpolation, name):
    mine = ours.RandomAffine(*args, interpolation=interpolation, **kwargs)
    yours = theirs.RandomAffine(*args, interpolation=_their_mode(interpolation), **kwargs)
    pixels, their_pixels = _both(TENSORS[name])
    largest = max(1.0, float(np.max(kwargs.get("fill", 0))))  # a rounding of the weights counts by what they weigh
    for got, want in _drawn(mine, yours, [pixels] * 12, [their_pixels] * 12):
        _same_tensor(got, want, ATOL[name] * largest)


@pytest.mark.parametrize("fill", [None, 2, [1.0, 2.0, 3.0]])
@pytest.mark.parametrize("angle, translate, scale, shear", [(0, (0, 0), 1.0, 0), (90, [1, 2], 1.0, [0, 0]), (17.5, (0, -1), 0.7, (3, 4))])
def test_affine(angle, translate, scale, shear, fill):
    image = _image("RGB")
    got = our_functional.affine(image, angle, translate, scale, shear, fill=fill)
    _same_image(got, their_functional.affine(image, angle, translate, scale, shear, fill=fill))
    for interpolation in MODES[:4:2]:
        mine, yours = _both(TENSORS["float32"])
        got = our_functional.affine(mine, angle, translate, scale, shear, interpolation, fill)
        want = their_functional.affine(yours, angle, translate, scale, shear, _their_mode(interpolation), fill)
        _same_tensor(got, want, 1e-5)


def test_printed_forms():
    def build(t):
        mode = t.InterpolationMode
        return t.Compose(
            [
                t.Resize(8),
                t.Resize((3, 4), mode.BICUBIC, antialias=None),
                t.RandomCrop(8, padding=(1, 2)),
                t.RandomAffine(5),
                t.RandomAffine((1, 2), (0.1, 0.2), (0.5, 1), 3, mode.BILINEAR, 5, (1, 2)),
                t.ToTensor(),
                t.Normalize((0.5,), [0.25]),
                t.Lambda(abs),
            ]
        )

    assert repr(build(ours)) == repr(build(theirs))


ERRORS = [
    lambda t, tensor: t.Lambda(3),
    lambda t, tensor: t.ToTensor()("a"),
    lambda t, tensor: t.ToTensor()(np.zeros((1, 2, 3, 4))),
    lambda t, tensor: t.Normalize([0.5], [0.0])(tensor(np.ones((1, 2, 2)))),
    lambda t, tensor: t.Normalize([0.5], [0.5])(tensor(np.ones((1, 2, 2), dtype=np.uint8))),
    lambda t, tensor: t.Normalize([0.5], [0.5])(tensor(np.ones((2, 2)))),
    lambda t, tensor: t.Normalize([0.5], [0.5])(Image.new("L", (2, 2))),
    lambda t, tensor: t.Resize(2.5),
    lambda t, tensor: t.Resize((1, 2, 3)),
    lambda t, tensor: t.Resize(4, max_size=3)(Image.new("L", (8, 8))),
    lambda t, tensor: t.Resize((4, 4), max_size=6)(Image.new("L", (8, 8))),
    lambda t, tensor: t.Resize(4)(np.ones((8, 8))),
    lambda t, tensor: t.RandomCrop((1, 2, 3)),
    lambda t, tensor: t.RandomCrop(9)(Image.new("L", (8, 8))),
    lambda t, tensor: t.RandomCrop(4, padding=(1, 2, 3))(Image.new("L", (8, 8))),
    lambda t, tensor: t.RandomCrop(4, padding=1, padding_mode="wrap")(Image.new("L", (8, 8))),
    lambda t, tensor: t.RandomCrop(4, padding="a")(Image.new("L", (8, 8))),
    lambda t, tensor: t.RandomAffine(-1),
    lambda t, tensor: t.RandomAffine((1, 2, 3)),
    lambda t, tensor: t.RandomAffine(1, translate=(0.5, 1.5)),
    lambda t, tensor: t.RandomAffine(1, translate=0.5),
    lambda t, tensor: t.RandomAffine(1, scale=(0, 1)),
    lambda t, tensor: t.RandomAffine(1, shear=(1, 2, 3)),
    lambda t, tensor: t.RandomAffine(1, fill={}),
    lambda t, tensor: t.RandomAffine(1, center=3),
    lambda t, tensor: t.RandomAffine(1, fill=(1, 2))(Image.new("RGB", (8, 8))),
    lambda t, tensor: t.RandomAffine(1, fill=(1, 2))(tensor(np.ones((3, 4, 4)))),
    lambda t, tensor: t.RandomAffine(1, interpolation=t.InterpolationMode.BICUBIC)(tensor(np.ones((3, 4, 4)))),
    lambda t, tensor: t.functional.affine(Image.new("L", (2, 2)), "a", (0, 0), 1, 0),
    lambda t, tensor: t.functional.affine(Image.new("L", (2, 2)), 1, 3, 1, 0),
    lambda t, tensor: t.functional.affine(Image.new("L", (2, 2)), 1, (1, 2, 3), 1, 0),
    lambda t, tensor: t.functional.affine(Image.new("L", (2, 2)), 1, (0, 0), 0, 0),
    lambda t, tensor: t.functional.affine(Image.new("L", (2, 2)), 1, (0, 0), 1, (1, 2, 3)),
    lambda t, tensor: t.functional.affine(Image.new("L", (2, 2)), 1, (0, 0), 1, 0, "bilinear"),
]


@pytest.mark.parametrize("case", range(len(ERRORS)))
def test_errors_are_of_their_kind(case):
    with pytest.raises((TypeError, ValueError)) as want:
        ERRORS[case](theirs, torch.from_numpy)
    with pytest.raises(want.type):
        ERRORS[case](ours, dovetail.from_numpy)


@pytest.mark.parametrize(
    "name", ["RandomResizedCrop", "ColorJitter", "RandomApply", "RandomRotation", "AugMix", "RandomPhotometricDistort"]
)
def test_draws_follow_the_default_type(name):
    found = []
    for library, transforms, image in ((dovetail, ours, 0), (torch, theirs, 1)):
        library.set_default_dtype(library.float64)
        try:
            where = transforms.v2 if name == "RandomPhotometricDistort" else transforms
            given = {"RandomResizedCrop": (8,), "ColorJitter": (0.4, 0.4, 0.4, 0.1), "RandomRotation": (30,)}.get(name, ())
            made = getattr(where, name)(*([where.RandomCrop(7)],) if name == "RandomApply" else given)
            library.manual_seed(3)
            pixels = _both(np.arange(1440, dtype=np.int64).reshape(3, 20, 24).astype(np.uint8))[image]
            found.append(([made(pixels).tolist() for _ in range(3)], library.randint(0, 10**6, ()).item()))
        finally:
            library.set_default_dtype(library.float32)
    (mine, after), (expected, after_) = found
    assert after == after_
    for one, other in zip(mine, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1)
