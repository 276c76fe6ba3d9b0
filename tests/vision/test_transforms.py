"""The transforms: what they do to images and tensors, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import dovetail
from dovetail.errors import TypeMismatch, UnsupportedError, ValueRangeError
from dovetail_vision import transforms as T
from dovetail_vision.transforms import functional as F

PIXELS = np.random.default_rng(1).integers(0, 256, (6, 8), dtype=np.uint8)
IMAGE = Image.fromarray(PIXELS)


def _tensor(array: np.ndarray):
    return dovetail.from_numpy(np.ascontiguousarray(array))


def test_to_tensor_scales_bytes():
    out = T.ToTensor()(IMAGE)
    assert tuple(out.shape) == (1, 6, 8)
    np.testing.assert_array_equal(out.numpy()[0], PIXELS.astype(np.float32) / np.float32(255))


def test_to_tensor_leaves_other_types_alone():
    values = PIXELS.astype(np.float64)[:, :, None]
    out = T.ToTensor()(values)
    assert out.dtype == dovetail.float64
    np.testing.assert_array_equal(out.numpy()[0], PIXELS)


def test_to_tensor_copies_an_image():
    image = Image.fromarray(PIXELS.astype(np.float32))
    T.ToTensor()(image).add_(1)
    np.testing.assert_array_equal(np.asarray(image), PIXELS)


def test_normalize_leaves_its_input_alone_unless_told():
    value = dovetail.ones(2, 3, 3)
    out = T.Normalize([0.0, 1.0], [0.5, 2.0])(value)
    assert (out.numpy()[0] == 2).all() and (out.numpy()[1] == 0).all()
    assert (value.numpy() == 1).all()
    T.Normalize([0.0], [0.5], inplace=True)(value)
    assert (value.numpy() == 2).all()


def test_gradients_pass_through():
    value = _tensor(PIXELS[None] / 255.0).requires_grad_()
    chain = T.Compose([T.Resize((3, 4)), T.RandomAffine(9, interpolation=T.InterpolationMode.BILINEAR), T.Normalize([0.5], [0.5])])
    chain(value).sum().backward()
    assert np.abs(value.grad.numpy()).sum() > 0


@pytest.mark.parametrize("mode", list(T.InterpolationMode)[:4])
def test_resizing_keeps_a_flat_image_flat(mode):
    flat = dovetail.full((2, 1, 5, 9), 0.25)
    out = T.Resize((7, 4), mode)(flat)
    assert tuple(out.shape) == (2, 1, 7, 4)
    np.testing.assert_allclose(out.numpy(), 0.25, rtol=1e-6)


def test_resize_to_its_own_size_is_the_same_object():
    value = dovetail.ones(1, 6, 8)
    assert T.Resize(6)(value) is value
    assert T.Resize((6, 8))(IMAGE) is IMAGE


def test_resize_keeps_the_shape_of_the_picture():
    assert T.Resize(3)(IMAGE).size == (4, 3)
    assert T.Resize(12, max_size=14)(IMAGE).size == (14, 10)


def test_resize_of_a_tensor_is_close_to_pillow_s():
    pillow = np.asarray(T.Resize((3, 4))(IMAGE)).astype(int)
    tensor = T.Resize((3, 4))(_tensor(PIXELS[None])).numpy()[0].astype(int)
    assert np.abs(pillow - tensor).max() <= 1


def test_resize_says_that_pillow_always_smooths():
    with pytest.warns(UserWarning, match="antialias=False is ignored"):
        T.Resize(3, antialias=False)(IMAGE)


def test_a_quarter_turn_is_exact():
    square = PIXELS[:, :6]
    want = np.rot90(square, -1)
    np.testing.assert_array_equal(np.asarray(F.affine(Image.fromarray(square), 90, (0, 0), 1.0, 0)), want)
    np.testing.assert_array_equal(F.affine(_tensor(square[None]), 90, (0, 0), 1.0, 0).numpy()[0], want)


def test_a_shift_brings_the_fill_in():
    want = np.full_like(PIXELS, 9)
    want[1:, 2:] = PIXELS[:-1, :-2]
    np.testing.assert_array_equal(np.asarray(F.affine(IMAGE, 0, (2, 1), 1.0, 0, fill=9)), want)
    np.testing.assert_array_equal(F.affine(_tensor(PIXELS[None]), 0, (2, 1), 1.0, 0, fill=9).numpy()[0], want)


def test_crop_outside_is_black():
    want = np.zeros((4, 5), np.uint8)
    want[2:, 1:] = PIXELS[:2, :4]
    np.testing.assert_array_equal(np.asarray(F.crop(IMAGE, -2, -1, 4, 5)), want)
    np.testing.assert_array_equal(F.crop(_tensor(PIXELS), -2, -1, 4, 5).numpy(), want)
    assert not F.crop(_tensor(PIXELS), -9, -9, 4, 5).numpy().any()


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "symmetric"])
def test_padding_is_numpy_s(mode):
    want = np.pad(PIXELS, ((2, 1), (1, 3)), mode=mode)
    np.testing.assert_array_equal(np.asarray(F.pad(IMAGE, (1, 2, 3, 1), padding_mode=mode)), want)
    np.testing.assert_array_equal(F.pad(_tensor(PIXELS[None]), (1, 2, 3, 1), padding_mode=mode).numpy()[0], want)


def test_a_seed_gives_the_same_draws():
    chain = T.Compose([T.RandomCrop(5, padding=1), T.RandomAffine(20, (0.2, 0.2), (0.8, 1.2), 10)])
    dovetail.manual_seed(4)
    first = [chain(IMAGE).tobytes() for _ in range(6)]
    dovetail.manual_seed(4)
    assert [chain(IMAGE).tobytes() for _ in range(6)] == first
    assert len(set(first)) > 1


def test_random_crop_reaches_every_place():
    dovetail.manual_seed(0)
    seen = {T.RandomCrop.get_params(IMAGE, (5, 7))[:2] for _ in range(60)}
    assert seen == {(top, left) for top in (0, 1) for left in (0, 1)}


def test_affine_draws_stay_in_their_ranges():
    dovetail.manual_seed(0)
    drawn = [T.RandomAffine.get_params([-5, 7], (0.25, 0.5), (0.5, 2), [1, 2, -4, -3], [8, 6]) for _ in range(60)]
    assert all(-5 <= angle <= 7 and 0.5 <= scale <= 2 for angle, _, scale, _ in drawn)
    assert {shift[0] for _, shift, _, _ in drawn} == {-2, -1, 0, 1, 2}
    assert {shift[1] for _, shift, _, _ in drawn} <= set(range(-3, 4))
    assert all(1 <= x <= 2 and -4 <= y <= -3 for *_, (x, y) in drawn)


def test_pillow_s_numbers_name_modes():
    assert T.Resize(4, Image.Resampling.LANCZOS).interpolation is T.InterpolationMode.LANCZOS
    assert T.RandomAffine(1, interpolation=2).interpolation is T.InterpolationMode.BILINEAR


def test_sizes():
    assert F.get_image_size(IMAGE) == F.get_image_size(dovetail.ones(3, 6, 8)) == [8, 6]
    assert F.get_dimensions(dovetail.ones(6, 8)) == [1, 6, 8]
    assert F.get_image_num_channels(dovetail.ones(2, 3, 6, 8)) == 3


REFUSED = [
    (lambda: T.Lambda(3), TypeMismatch, "Lambda: lambd is 3; expected something that can be called"),
    (lambda: F.to_tensor("a"), TypeMismatch, "to_tensor: pic is str; expected a PIL image or an array"),
    (lambda: F.to_tensor(np.zeros(3)), ValueRangeError, r"to_tensor: pic has shape \(3,\); expected \(H, W\)"),
    (lambda: F.normalize(IMAGE, [0], [1]), TypeMismatch, "normalize: tensor is Image; .*; put ToTensor before Normalize"),
    (lambda: F.normalize(dovetail.ones(1, 2, 2), [0], [0.0]), ValueRangeError, r"normalize: std is \[0.0\] \(as .*float32\)"),
    (lambda: F.resize(IMAGE, 4, "bilinear"), TypeMismatch, "resize: interpolation is 'bilinear'; expected an InterpolationMode"),
    (lambda: F.resize(IMAGE, 4, 9), ValueRangeError, "resize: interpolation is 9; expected one of 0 nearest, 1 lanczos"),
    (lambda: F.resize(IMAGE, 4, max_size=4), ValueRangeError, "resize: max_size is 4 and size is 4; expected max_size to be"),
    (
        lambda: F.resize(dovetail.ones(1, 4, 4), 2, T.InterpolationMode.BOX),
        UnsupportedError,
        "resize: interpolation is 'box'; tensors take nearest, nearest-exact, bilinear and bicubic",
    ),
    (lambda: F.get_dimensions(dovetail.ones(3)), TypeMismatch, r"get_dimensions: img is a tensor of shape \(3,\)"),
    (lambda: F.pad(IMAGE, (1, 2, 3)), ValueRangeError, r"pad: padding has 3 values \(\(1, 2, 3\)\); expected 1, 2 or 4"),
    (lambda: F.pad(dovetail.ones(1, 4, 4), 1, (1, 2)), TypeMismatch, r"pad: fill is \(1, 2\); expected one number for a tensor"),
    (
        lambda: F.pad(dovetail.ones(4, 4), 1, padding_mode="symmetric"),
        UnsupportedError,
        "pad: img has 2 dimensions and padding_mode is 'symmetric'; expected 3 or 4",
    ),
    (
        lambda: F.affine(IMAGE, 0, (0, 0), 1.0, 0, fill=(1, 2)),
        ValueRangeError,
        r"affine: fill has 2 values but the image has 1 channels \(mode 'L'\); expected one value or one a channel",
    ),
    (lambda: F.affine(IMAGE, 0, (0, 0), -1.0, 0), ValueRangeError, "affine: scale is -1.0; expected a positive number"),
    (
        lambda: T.RandomCrop(9)(IMAGE),
        ValueRangeError,
        r"RandomCrop: size is \(9, 9\) but the image is \(6, 8\); .*; pad_if_needed=True pads it",
    ),
    (lambda: T.RandomAffine(-3), ValueRangeError, "RandomAffine: degrees is -3; expected 0 or more, or a range"),
    (lambda: T.RandomAffine(3, (2, 0)), ValueRangeError, r"RandomAffine: translate is \(2, 0\); expected fractions from 0 to 1"),
    (lambda: T.RandomAffine(3, shear=(1, 2, 3)), ValueRangeError, "RandomAffine: shear is .* a sequence of length 2 or 4"),
]


@pytest.mark.parametrize("call, error, text", REFUSED)
def test_refusals_say_why(call, error, text):
    with pytest.raises(error, match=f"^{text}"):
        call()
