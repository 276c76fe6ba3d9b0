"""transforms.v2 on its own: what of a sample is transformed, what the mixing transforms do, and what refusals say."""

from __future__ import annotations

from collections import OrderedDict, namedtuple

import numpy as np
import pytest
from PIL import Image

import dovetail as dv
from dovetail.errors import DtypeError, ShapeError, TypeMismatch, UnknownAttribute, ValueRangeError
from dovetail.linalg import LinAlgError
from dovetail_vision import tv_tensors
from dovetail_vision.transforms import v2
from dovetail_vision.transforms.v2 import functional as F

PIXELS = dv.tensor(np.random.RandomState(0).randint(0, 256, (3, 8, 9)).astype(np.uint8))
IMAGE = F.to_pil_image(PIXELS)
FLIP = v2.RandomHorizontalFlip(1.0)


def test_samples_of_any_shape():
    pair = namedtuple("pair", "image label")
    for sample in ((PIXELS, 3), [PIXELS, 3], {"a": PIXELS, "b": 3}, OrderedDict(a=PIXELS, b=3), pair(PIXELS, 3)):
        flipped = FLIP(sample)
        assert type(flipped) is type(sample)
        image, label = flipped.values() if isinstance(flipped, dict) else flipped
        assert label == 3 and dv.equal(image, PIXELS.flip(-1))
    image, label = FLIP(PIXELS, 3)
    assert label == 3 and dv.equal(image, PIXELS.flip(-1))


def test_the_first_tensor_is_the_image():
    labels = dv.arange(3)
    image, passed, other = FLIP(PIXELS, labels, PIXELS)
    assert passed is labels and other is PIXELS and dv.equal(image, PIXELS.flip(-1))
    image, passed = FLIP(IMAGE, PIXELS)
    assert passed is PIXELS and image.tobytes() != IMAGE.tobytes()


def test_one_draw_for_all_images():
    crop = v2.RandomCrop(4)
    for _ in range(5):
        first, second = crop(IMAGE, IMAGE)
        assert first.tobytes() == second.tobytes()


def test_what_does_not_happen_leaves_the_sample_itself():
    sample = {"image": PIXELS}
    assert v2.RandomHorizontalFlip(0.0)(sample) is sample


def test_mixup_mixes_images_and_labels_alike():
    images, labels = dv.eye(4).reshape(4, 1, 2, 2), dv.arange(4)
    mixed, shares = v2.MixUp(alpha=2.0, num_classes=4)(images, labels)
    np.testing.assert_allclose(mixed.reshape(4, 4).numpy(), shares.numpy(), rtol=1e-6)
    np.testing.assert_allclose(shares.sum(1).numpy(), 1, rtol=1e-6)


def test_cutmix_mixes_labels_by_area():
    dv.manual_seed(0)
    images, labels = dv.arange(4).float().reshape(4, 1, 1, 1).expand(4, 1, 10, 12), dv.eye(4)
    for _ in range(10):
        mixed, shares = v2.CutMix()(images, labels)
        own = (mixed == images).float().mean((1, 2, 3))
        np.testing.assert_allclose(shares.diagonal().numpy(), own.numpy(), rtol=1e-5)


def test_a_transform_of_ones_own():
    class Darker(v2.Transform):
        def make_params(self, flat_inputs):
            return {"by": dv.rand(1).item()}

        def transform(self, inpt, params):
            return F.adjust_brightness(inpt, params["by"])

    darker, label = Darker()(PIXELS, "cat")
    assert label == "cat" and darker.float().mean() < PIXELS.float().mean()
    with pytest.raises(NotImplementedError, match="Transform does not define transform"):
        v2.Transform()(PIXELS)


def test_printed_forms():
    assert repr(v2.Resize(4)) == "Resize(size=[4], interpolation=bilinear, antialias=True)"
    assert repr(v2.Compose([v2.RGB(), v2.Pad(1)])).splitlines()[0] == "Compose("


REFUSED = [
    (lambda: v2.Compose([]), ValueRangeError, "Compose: transforms is empty; expected at least one"),
    (lambda: v2.Compose(abs), TypeMismatch, "Compose: transforms is builtin_function_or_method; expected a sequence of callables"),
    (lambda: v2.RandomInvert(2), ValueRangeError, "RandomInvert: p is 2; expected 0 to 1"),
    (lambda: v2.RandomChoice([abs], [1, 2]), ValueRangeError, "RandomChoice: p has 2 numbers for 1 transforms; expected one each"),
    (lambda: v2.Resize(None), ValueRangeError, "Resize: size is None and max_size is None; expected max_size to be an int then"),
    (lambda: v2.Resize(3, "cubic")(PIXELS), ValueRangeError, "resize: interpolation is 'cubic'; expected one of nearest, nearest-exact"),
    (lambda: v2.Resize(3, "box")(PIXELS), NotImplementedError, "resize: interpolation is 'box'; tensors take nearest"),
    (
        lambda: v2.RandomCrop(20)(IMAGE),
        ValueRangeError,
        r"RandomCrop: size is \(20, 20\) but the image is \(8, 9\); .*; pad_if_needed=True pads it",
    ),
    (
        lambda: v2.RandomCrop(2)(IMAGE, PIXELS[:, :4], IMAGE.resize((3, 3))),
        ValueRangeError,
        r"the sample has parts of \[\(3, 3\), \(8, 9\)\]; expected one \(H, W\) for all",
    ),
    (lambda: v2.RandomCrop(2)("cat"), TypeMismatch, "transform: there is no image or video in the sample; expected a PIL image"),
    (
        lambda: v2.Normalize([0.5], [0.5])(IMAGE),
        TypeMismatch,
        "Normalize: the sample holds a PIL image; .*; put ToImage and ToDtype before Normalize",
    ),
    (
        lambda: v2.ColorJitter(hue=0.6),
        ValueRangeError,
        r"ColorJitter: hue is 0.6, a range of \(-0.6, 0.6\); expected an increasing one in -0.5 to 0.5",
    ),
    (lambda: v2.GaussianBlur(4), ValueRangeError, "GaussianBlur: kernel_size is 4; expected odd positive numbers"),
    (lambda: v2.RandomErasing(1.0, value=(1, 2))(PIXELS), ValueRangeError, "expected 1 number or 3, one a channel"),
    (lambda: v2.Pad(1, "a"), TypeMismatch, "Pad: fill is 'a'; expected a number, one a channel, or a dict of them by type"),
    (
        lambda: v2.MixUp()(dv.zeros(2, 1, 2, 2), dv.arange(2)),
        ValueRangeError,
        "MixUp: num_classes is None and labels are classes; expected num_classes",
    ),
    (lambda: v2.CutMix(alpha=-1), ValueRangeError, "CutMix: alpha is -1; expected more than 0"),
    (
        lambda: v2.MixUp(num_classes=2)(dv.zeros(3, 1, 2, 2), dv.arange(2)),
        ValueRangeError,
        r"MixUp: images are \(3, 1, 2, 2\) and labels \(2,\)",
    ),
    (lambda: v2.CutMix(num_classes=2)({"image": PIXELS}), ValueRangeError, "there are no labels in the sample; give labels_getter"),
    (lambda: v2.AutoAugment("svhn"), ValueRangeError, "AutoAugment: policy is 'svhn'; expected one of AutoAugmentPolicy.IMAGENET"),
    (lambda: v2.RandAugment()(3), TypeMismatch, "RandAugment: there is no image in the sample; expected just one"),
    (lambda: v2.RandAugment()((IMAGE, IMAGE)), TypeMismatch, "RandAugment: there are 2 images in the sample; expected just one"),
    (lambda: v2.ToDtype(3), ValueRangeError, "ToDtype: dtype is 3; expected a dtype, or a dict of them by type"),
    (lambda: F.to_dtype(IMAGE), TypeMismatch, "to_dtype: inpt is Image; expected a tensor; put ToImage before ToDtype"),
    (
        lambda: F.to_dtype(dv.ones(1), dv.int64, scale=True),
        DtypeError,
        "from dovetail.float32 to dovetail.int64; the float type cannot tell",
    ),
    (
        lambda: F.adjust_hue(dv.ones(2, 3, 3), 0.1),
        TypeMismatch,
        r"adjust_hue: img has shape \(2, 3, 3\); expected \(..., C, H, W\) with C 1 or 3",
    ),
    (lambda: F.adjust_contrast(PIXELS, -1), ValueRangeError, "adjust_contrast: the factor is -1; expected 0 or more"),
    (lambda: F.perspective(PIXELS, [[0, 0]] * 4, [[0, 0], [1, 0], [1, 1], [0, 1]]), LinAlgError, "perspective: startpoints are "),
    (lambda: F.perspective(PIXELS, None, None), ValueRangeError, "perspective: startpoints and endpoints, or coefficients, do not fit"),
    (
        lambda: F.pad(PIXELS, 1, [1, 2, 3], "edge"),
        ValueRangeError,
        "pad: padding_mode is 'edge' and fill is .*; a fill a channel goes with",
    ),
    (
        lambda: F.pad(PIXELS[:1], 1, [1, 2, 3]),
        ShapeError,
        "pad: fill has 3 values but the image has 1 channels; expected one value or one a channel",
    ),
    (lambda: F.jpeg(PIXELS, 0), ValueRangeError, "jpeg: quality is 0; expected 1 to 100"),
    (lambda: F.jpeg(PIXELS, 101), ValueRangeError, "jpeg: quality is 101; expected 1 to 100"),
    (lambda: F.gaussian_noise(IMAGE), ValueRangeError, "gaussian_noise: inpt is Image; expected a tensor; put ToImage before it"),
    (lambda: F.clamp_boxes, UnknownAttribute, "there is no clamp_boxes; expected a function of torchvision.transforms.v2.functional"),
]


@pytest.mark.parametrize("call, error, text", REFUSED)
def test_refusals_say_why(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_the_fill_may_depend_on_the_type():
    padded = v2.Pad(1, {dv.Tensor: 7, "others": 9})
    assert padded(PIXELS)[0, 0, 0].item() == 7 and padded(IMAGE).getpixel((0, 0)) == (9, 9, 9)


def test_dtypes_by_type():
    assert v2.ToDtype({dv.Tensor: dv.float32, "others": None}, scale=True)(PIXELS).max() <= 1
    assert v2.ToDtype(dv.float32)(IMAGE) is IMAGE
    with pytest.warns(UserWarning, match="scale is True but the image has no dtype"):
        assert v2.ToDtype({"others": None}, scale=True)(PIXELS) is PIXELS


def test_gradients_pass_through_tensors():
    image = dv.rand(3, 8, 9, requires_grad=True)
    v2.Compose(
        [v2.Resize((5, 6)), v2.RandomRotation(20, "bilinear"), v2.ColorJitter(0.2), v2.GaussianBlur(3), v2.Normalize([0.5] * 3, [0.2] * 3)]
    )(image).sum().backward()
    assert image.grad.abs().sum() > 0


def test_an_image_of_another_library_is_refused():
    with pytest.raises(TypeMismatch, match="get_dimensions: img is ndarray"):
        F.resize(np.zeros((8, 8, 3), np.uint8), [4, 4])
    assert isinstance(v2.ToPILImage()(np.zeros((8, 8, 3), np.uint8)), Image.Image)


def test_jpeg_of_tensors_is_that_of_images():
    for image in (IMAGE, IMAGE.convert("L")):
        pixels = F.pil_to_tensor(image)
        np.testing.assert_array_equal(F.jpeg(pixels, 40).numpy(), F.pil_to_tensor(F.jpeg(image, 40)).numpy())
        batch = dv.stack([pixels, 255 - pixels])
        np.testing.assert_array_equal(F.jpeg(batch, 40)[0].numpy(), F.jpeg(pixels, 40).numpy())


def test_a_traced_resize_is_made_of_ops():
    from dovetail import graph

    for dtype in (dv.float32, dv.uint8):
        first, second = ((dv.rand(3, 9, 8) * 255).to(dtype) for _ in range(2))
        traced = graph.trace(lambda image: F.resize(image, [5, 6]), first)
        np.testing.assert_allclose(traced.run(second).numpy(), F.resize(second, [5, 6]).numpy(), rtol=0, atol=1e-4)


class Boxed(dv.data.Dataset):
    """Images with boxes, masks and labels, augmented at random."""

    def __init__(self):
        draws = [v2.RandomPhotometricDistort(), v2.RandomZoomOut(p=0.8), v2.RandomIoUCrop(), v2.RandomHorizontalFlip()]
        self.transform = v2.Compose([*draws, v2.Resize((16, 16)), v2.SanitizeBoundingBoxes()])

    def __len__(self):
        return 6

    def __getitem__(self, index):
        pixels = np.random.RandomState(index).randint(0, 256, (3, 20, 25)).astype(np.uint8)
        boxes = tv_tensors.BoundingBoxes([[3.0, 3, 12, 12], [5, 5, 22, 18]], format="XYXY", canvas_size=(20, 25))
        target = {"boxes": boxes, "labels": dv.tensor([1, 2]), "masks": tv_tensors.Mask(dv.ones(2, 20, 25, dtype=dv.uint8))}
        return self.transform(tv_tensors.Image(dv.from_numpy(pixels)), target)


def as_they_are(samples):
    return samples


def test_any_workers_give_the_same_boxes():
    def drawn(workers):
        loader = dv.data.DataLoader(Boxed(), 2, collate_fn=as_they_are, sample_seed=3, num_workers=workers)
        samples = [sample for batch in loader for sample in batch]
        assert all(type(image) is tv_tensors.Image and type(target["masks"]) is tv_tensors.Mask for image, target in samples)
        return [(image.tolist(), repr(target["boxes"]), target["labels"].tolist()) for image, target in samples]

    assert drawn(0) == drawn(2)


def test_warps_with_gradients_give_the_same_pixels():
    image = dv.rand(3, 9, 12)
    for mode in ("bilinear", "nearest"):
        for warp in (
            lambda x, mode=mode: F.rotate(x, 33.0, mode, fill=[0.2, 0.4, 0.6]),
            lambda x, mode=mode: F.affine(x, 20.0, [30, -4], 0.3, [9.0, 2.0], mode),
            lambda x, mode=mode: F.perspective(x, [[0, 0], [11, 0], [11, 8], [0, 8]], [[3, 2], [9, 0], [11, 5], [1, 8]], mode, fill=1.0),
        ):
            traced = warp(image.clone().requires_grad_())
            assert traced.requires_grad
            np.testing.assert_allclose(traced.detach().numpy(), warp(image).numpy(), rtol=0, atol=1e-6)
