"""transforms.v2 on whole detection samples beside torchvision's: images, videos, masks, boxes of all formats and key points together."""

from __future__ import annotations

from importlib import import_module

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")

import numpy as np
from PIL import Image

import dovetail
from dovetail_vision import transforms as our_transforms
from dovetail_vision import tv_tensors as our_tensors
from tests.parity.torchvision_oracle import torchvision

pytestmark = pytest.mark.parity

theirs = torchvision()
their_v2 = import_module("torchvision.transforms.v2")
their_tensors = import_module("torchvision.tv_tensors")
our_v2 = our_transforms.v2
RNG = np.random.default_rng(3)
HEIGHT, WIDTH = 21, 26
PIXELS = RNG.integers(0, 256, (3, HEIGHT, WIDTH), dtype=np.uint8)
VIDEO = RNG.random((2, 3, HEIGHT, WIDTH), dtype=np.float32)
FORMATS = ("XYXY", "XYWH", "CXCYWH", "XYWHR", "CXCYWHR", "XYXYXYXY")
OFTEN = [format if format in ("XYXY", "CXCYWHR") else pytest.param(format, marks=pytest.mark.soak) for format in FORMATS]


def _boxes(format, count=6, reach=8, seed=0):
    """Boxes of which some reach over the edge of the canvas; whole numbers in the upright formats for odd seeds."""
    rng = np.random.default_rng(seed)
    middle = rng.uniform([0, 0], [WIDTH, HEIGHT], (count, 2))
    size = rng.uniform(3, 3 + reach, (count, 2))
    values = {
        "XYXY": lambda: np.concatenate([middle - size / 2, middle + size / 2], 1),
        "XYWH": lambda: np.concatenate([middle - size / 2, size], 1),
        "CXCYWH": lambda: np.concatenate([middle, size], 1),
    }
    if format in values:
        return values[format]().astype(np.int64 if seed % 2 else np.float32)
    turned = np.concatenate([middle, size, rng.uniform(-170, 170, (count, 1))], 1).astype(np.float32)
    boxes = their_tensors.BoundingBoxes(torch.from_numpy(turned), format="CXCYWHR", canvas_size=(HEIGHT, WIDTH))
    return their_v2.functional.convert_bounding_box_format(boxes, new_format=format).numpy()


POINTS = RNG.uniform([-3, -3], [WIDTH + 3, HEIGHT + 3], (5, 2, 2)).astype(np.float32)


def _sample(tv, make, format, seed, mode="soft", image="Image"):
    made = {
        "image": Image.fromarray(PIXELS.transpose(1, 2, 0))
        if image == "PIL"
        else tv.Image(make(PIXELS.copy()))
        if image == "Image"
        else make(PIXELS.copy()),
        "target": [
            tv.BoundingBoxes(make(_boxes(format, seed=seed).copy()), format=format, canvas_size=(HEIGHT, WIDTH), clamping_mode=mode),
            {"masks": tv.Mask(make((PIXELS > 100).copy())), "labels": make(np.arange(6)), "name": "six"},
        ],
        "semantic": tv.Mask(make(PIXELS[0] % 5)),
        "points": tv.KeyPoints(make(POINTS.copy()), canvas_size=(HEIGHT, WIDTH)),
        "video": tv.Video(make(VIDEO.copy())),
    }
    return made


def _leaves(tree):
    if isinstance(tree, dict):
        return [leaf for key in tree for leaf in _leaves(tree[key])]
    return [leaf for item in tree for leaf in _leaves(item)] if isinstance(tree, (list, tuple)) else [tree]


def _same(got, want, places=False):
    """Same classes, types, formats and canvases; uint8 within 1, floats of pixels within 1e-5, of places within 1e-4."""
    got, want = _leaves(got), _leaves(want)
    assert len(got) == len(want)
    for mine, yours in zip(got, want, strict=True):
        assert isinstance(yours, Image.Image) or type(mine).__name__ == type(yours).__name__
        if isinstance(yours, Image.Image):
            assert (mine.mode, mine.size) == (yours.mode, yours.size)
            np.testing.assert_allclose(np.asarray(mine, np.int64), np.asarray(yours, np.int64), atol=1, rtol=0)
        elif isinstance(yours, torch.Tensor):
            assert str(mine.dtype).rpartition(".")[2] == str(yours.dtype).rpartition(".")[2]
            placed = isinstance(yours, (their_tensors.BoundingBoxes, their_tensors.KeyPoints))
            if placed:
                assert tuple(mine.canvas_size) == tuple(yours.canvas_size)
                assert getattr(mine, "format", None) is None or (mine.format.value, mine.clamping_mode) == (
                    yours.format.value,
                    yours.clamping_mode,
                )
            assert tuple(mine.shape) == tuple(yours.shape)
            placed = placed or places
            most = (0 if placed else 1) if not yours.is_floating_point() else 1e-4 if placed else 1e-5
            a, b = mine.detach().numpy().astype(np.float64), yours.detach().numpy().astype(np.float64)
            scale = max(1.0, np.abs(b[np.isfinite(b)]).max(initial=0.0)) if placed else 1.0
            np.testing.assert_allclose(a, b, atol=most * scale, rtol=0)
        else:
            assert mine == yours


#: What builds a transform from v2 and tv_tensors.
GEOMETRY = {
    "RandomHorizontalFlip": lambda t, tv: t.RandomHorizontalFlip(0.7),
    "RandomVerticalFlip": lambda t, tv: t.RandomVerticalFlip(0.7),
    "Resize": lambda t, tv: t.Resize(11),
    "Resize, both": lambda t, tv: t.Resize((30, 9), "bicubic"),
    "Resize, none": lambda t, tv: t.Resize(None, max_size=40),
    "RandomResize": lambda t, tv: t.RandomResize(8, 30),
    "RandomShortestSize": lambda t, tv: t.RandomShortestSize([8, 14, 25], max_size=30),
    "ScaleJitter": lambda t, tv: t.ScaleJitter((24, 24), (0.5, 1.5)),
    "CenterCrop": lambda t, tv: t.CenterCrop((10, 15)),
    "CenterCrop, larger": lambda t, tv: t.CenterCrop(40),
    "Pad": lambda t, tv: t.Pad([1, 2, 3, 4], fill={tv.Mask: 9, "others": 3}),
    "RandomCrop": lambda t, tv: t.RandomCrop((12, 16), padding=[2, 1], fill=4),
    "RandomCrop, padded": lambda t, tv: t.RandomCrop(30, pad_if_needed=True),
    "RandomResizedCrop": lambda t, tv: t.RandomResizedCrop((14, 18), (0.2, 0.9)),
    "RandomZoomOut": lambda t, tv: t.RandomZoomOut({tv.Image: 7, "others": 0}, (1.2, 2.0), 0.8),
    "RandomRotation": lambda t, tv: t.RandomRotation(60, "bilinear"),
    "RandomRotation, expand": lambda t, tv: t.RandomRotation(170, expand=True, fill=2),
    "RandomRotation, center": lambda t, tv: t.RandomRotation((20, 100), center=[3, 4]),
    "RandomAffine": lambda t, tv: t.RandomAffine(40, (0.2, 0.1), (0.6, 1.4), (-9, 9, -5, 5), fill=1),
    "RandomPerspective": lambda t, tv: t.RandomPerspective(0.5, 0.9),
    "ElasticTransform": lambda t, tv: t.ElasticTransform(20.0, 2.0),
    "RandomIoUCrop": lambda t, tv: t.RandomIoUCrop(),
    "Compose": lambda t, tv: t.Compose([t.RandomZoomOut(), t.RandomIoUCrop(), t.RandomHorizontalFlip(), t.Resize((16, 16))]),
}
VALUES = {
    "ConvertBoundingBoxFormat": lambda t, tv: t.ConvertBoundingBoxFormat("XYWH"),
    "ClampBoundingBoxes": lambda t, tv: t.ClampBoundingBoxes(),
    "ClampKeyPoints": lambda t, tv: t.ClampKeyPoints(),
    "SetClampingMode": lambda t, tv: t.SetClampingMode(None),
    "SanitizeBoundingBoxes": lambda t, tv: t.Compose(
        [t.ClampBoundingBoxes(), t.SanitizeBoundingBoxes(5.0, labels_getter=lambda s: s["target"][1]["labels"])]
    ),
    "SanitizeBoundingBoxes, alone": lambda t, tv: t.SanitizeBoundingBoxes(labels_getter=None),
    "SanitizeKeyPoints": lambda t, tv: t.SanitizeKeyPoints(),
    "ToPureTensor": lambda t, tv: t.ToPureTensor(),
    "ToImage": lambda t, tv: t.ToImage(),
    "ToDtype": lambda t, tv: t.ToDtype({tv.Mask: tv.Image([[1]]).long().dtype, "others": None}),
    "UniformTemporalSubsample": lambda t, tv: t.UniformTemporalSubsample(3),
    "ColorJitter": lambda t, tv: t.ColorJitter(0.3, 0.3, 0.3, 0.1),
    "RandomPhotometricDistort": lambda t, tv: t.RandomPhotometricDistort(),
    "RandomGrayscale": lambda t, tv: t.RandomGrayscale(0.6),
    "GaussianBlur": lambda t, tv: t.GaussianBlur(3),
    "RandomErasing": lambda t, tv: t.RandomErasing(0.8, value="random"),
    "RandomEqualize": lambda t, tv: t.RandomEqualize(0.9),
    "RandomInvert": lambda t, tv: t.RandomInvert(0.9),
    "RandomChannelPermutation": lambda t, tv: t.RandomChannelPermutation(),
}


def _through(build, format, seed, image, mode="soft", times=1):
    mine, yours = build(our_v2, our_tensors), build(their_v2, their_tensors)
    dovetail.manual_seed(seed)
    torch.manual_seed(seed)
    for time in range(times):
        got = mine(_sample(our_tensors, dovetail.from_numpy, format, seed + time, mode, image))
        want = yours(_sample(their_tensors, torch.from_numpy, format, seed + time, mode, image))
        _same(got, want)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("format", OFTEN)
@pytest.mark.parametrize("name", GEOMETRY)
def test_geometry_moves_all_parts_alike(name, format):
    if name in ("RandomIoUCrop", "Compose") and format in FORMATS[3:]:
        pytest.skip("torchvision's RandomIoUCrop takes upright boxes")
    _through(GEOMETRY[name], format, 10 + FORMATS.index(format), "Image", times=1)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("image", ["PIL", "plain"])
@pytest.mark.parametrize("name", GEOMETRY)
def test_geometry_with_pil_images_and_plain_tensors(name, image):
    _through(GEOMETRY[name], "XYXY", 3, image, times=1)


@pytest.mark.parametrize("mode", ["hard", None])
@pytest.mark.parametrize("format", OFTEN)
@pytest.mark.parametrize("name", ["RandomRotation", "RandomAffine", "RandomResizedCrop", "RandomPerspective", "ElasticTransform", "Resize"])
def test_clamping_modes(name, format, mode):
    _through(GEOMETRY[name], format, 20, "Image", mode, times=1)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", VALUES)
def test_what_changes_values(name):
    for seed, format in enumerate(["XYXY", "CXCYWH"]):
        _through(VALUES[name], format, seed, "Image", times=1)


@pytest.mark.parametrize("old", FORMATS)
@pytest.mark.parametrize("new", FORMATS)
def test_formats(old, new):
    for seed in range(4):
        array = _boxes(old, 20, seed=seed)
        if (old in FORMATS[3:]) != (new in FORMATS[3:]):
            for v2, make in ((our_v2, dovetail.from_numpy), (their_v2, torch.from_numpy)):
                with pytest.raises(ValueError, match="otated|turned"):
                    v2.functional.convert_bounding_box_format(make(array), old, new)
            continue
        got = our_v2.functional.convert_bounding_box_format(dovetail.from_numpy(array.copy()), old, new)
        want = their_v2.functional.convert_bounding_box_format(torch.from_numpy(array.copy()), old, new)
        _same([got], [want], places=True)
        again = dovetail.from_numpy(array.copy())
        out = our_v2.functional.convert_bounding_box_format(again, old, new, inplace=True)
        np.testing.assert_array_equal(out.numpy(), got.numpy())
        assert (out is again) == (got.shape == again.shape)


@pytest.mark.parametrize("mode", ["soft", "hard", None])
@pytest.mark.parametrize("format", FORMATS)
def test_clamping(format, mode):
    """Many boxes far over the edges, of which most are cut."""
    for seed in range(6):
        array = _boxes(format, 60, 30, seed)
        got = our_v2.functional.clamp_bounding_boxes(dovetail.from_numpy(array.copy()), format, (HEIGHT, WIDTH), mode)
        want = their_v2.functional.clamp_bounding_boxes(
            torch.from_numpy(array.copy()), their_tensors.BoundingBoxFormat[format], (HEIGHT, WIDTH), mode
        )
        # where sides are nearly parallel to an edge the meeting point is a difference of large numbers, in float32 on both sides
        apart = np.abs(got.numpy().astype(np.float64) - want.numpy())
        assert np.quantile(apart, 0.97) <= 1e-3 and apart.max() <= (1e-4 if format in FORMATS[:3] else 0.5)


KERNELS = [
    ("horizontal_flip", {}), ("vertical_flip", {}), ("resize", {"size": [9, 30]}), ("resize", {"size": [9], "max_size": 12}),
    ("pad", {"padding": [1, 2]}), ("crop", {"top": 2, "left": 3, "height": 9, "width": 30}), ("center_crop", {"output_size": [8]}),
    ("resized_crop", {"top": 1, "left": 2, "height": 7, "width": 8, "size": [20, 5]}), ("rotate", {"angle": 31.0, "expand": True}),
    ("affine", {"angle": 9, "translate": [2, 1], "scale": 0.7, "shear": [3.0, 1.0]}), ("rotate", {"angle": 90.0}),
    ("perspective", {"startpoints": [[0, 0], [25, 0], [25, 20], [0, 20]], "endpoints": [[2, 1], [24, 0], [25, 17], [1, 20]]}),
]  # fmt: skip


@pytest.mark.parametrize("name, kwargs", KERNELS)
def test_kernels_of_plain_tensors(name, kwargs):
    ours, yours = our_v2.functional, their_v2.functional
    for array, kind in ((PIXELS, "image"), (VIDEO, "video"), (PIXELS[0], "mask")):
        how = {key: value for key, value in kwargs.items()}
        got = getattr(ours, f"{name}_{kind}")(dovetail.from_numpy(array.copy()), **how)
        _same([got], [getattr(yours, f"{name}_{kind}")(torch.from_numpy(array.copy()), **how)])
    canvas = {} if name in ("crop", "resized_crop") else {"canvas_size": (HEIGHT, WIDTH)}
    got = getattr(ours, f"{name}_keypoints")(dovetail.from_numpy(POINTS.copy()), **canvas, **kwargs)
    _same([got], [getattr(yours, f"{name}_keypoints")(torch.from_numpy(POINTS.copy()), **canvas, **kwargs)])
    for format in FORMATS:
        array = _boxes(format)
        known = canvas | {"format": their_tensors.BoundingBoxFormat[format]}
        want = getattr(yours, f"{name}_bounding_boxes")(torch.from_numpy(array.copy()), **known, **kwargs)
        _same(
            [getattr(ours, f"{name}_bounding_boxes")(dovetail.from_numpy(array.copy()), **canvas, format=format, **kwargs)],
            [want],
            places=True,
        )


def test_sanitizing_functions():
    ours, yours = our_v2.functional, their_v2.functional
    for format in FORMATS:
        array = _boxes(format, 40)
        got = ours.sanitize_bounding_boxes(dovetail.from_numpy(array.copy()), format, (HEIGHT, WIDTH), 4.0, 30.0)
        _same(got, yours.sanitize_bounding_boxes(torch.from_numpy(array.copy()), format, (HEIGHT, WIDTH), 4.0, 30.0))
    got = ours.sanitize_keypoints(dovetail.from_numpy(POINTS.copy()), (HEIGHT, WIDTH))
    _same(got, yours.sanitize_keypoints(torch.from_numpy(POINTS.copy()), (HEIGHT, WIDTH)))


def test_every_name_of_torchvision_is_there():
    for mine, yours in ((our_v2, their_v2), (our_v2.functional, their_v2.functional), (our_tensors, their_tensors)):
        assert not [name for name in dir(yours) if not name.startswith("_") and name != "torch" and not hasattr(mine, name)]


def _own_kind(v2, tv, T):
    class Depth(tv.TVTensor):
        pass

    register = v2.functional.register_kernel

    @register("resize", Depth)
    def _resized(depth, size, **kwargs):
        return tv.wrap(T.zeros(*size), like=depth)

    @register(v2.functional.hflip, Depth)
    def _flipped(depth):
        return tv.wrap(depth + 1, like=depth)

    depth = T.zeros(2, 2).as_subclass(Depth)
    resized, passed = v2.Resize((3, 4))(depth), v2.ColorJitter(0.1)(depth)
    flipped = v2.functional.horizontal_flip(depth)
    errors = []
    for call in (
        lambda: v2.functional.vertical_flip(depth),
        lambda: register("resize", Depth),
        lambda: register("nothing", Depth),
        lambda: register("resize", tv.Image),
        lambda: register("resize", int),
        lambda: register(len, Depth),
    ):
        with pytest.raises((ValueError, TypeError)) as found:
            call()
        errors.append(next(kind for kind in (ValueError, TypeError) if issubclass(found.type, kind)))
    return tuple(resized.shape), type(resized).__name__, passed is depth, type(flipped).__name__, flipped.sum().item(), errors


def test_a_kind_of_ones_own():
    assert _own_kind(our_v2, our_tensors, dovetail) == _own_kind(their_v2, their_tensors, torch)


BAD = [
    lambda v2, tv, T: v2.functional.convert_bounding_box_format(T.zeros(1, 4)),
    lambda v2, tv, T: v2.functional.convert_bounding_box_format(T.zeros(1, 4), new_format="XYXY"),
    lambda v2, tv, T: v2.functional.convert_bounding_box_format(tv.Mask(T.zeros(1, 4)), new_format="XYXY"),
    lambda v2, tv, T: v2.functional.convert_bounding_box_format(_one(tv), "XYXY", "XYWH"),
    lambda v2, tv, T: v2.functional.clamp_bounding_boxes(T.zeros(1, 4)),
    lambda v2, tv, T: v2.functional.clamp_bounding_boxes(T.zeros(1, 4), tv.BoundingBoxFormat.XYXY, (3, 3)),
    lambda v2, tv, T: v2.functional.clamp_bounding_boxes(_one(tv), clamping_mode="no"),
    lambda v2, tv, T: v2.functional.clamp_bounding_boxes(_one(tv), canvas_size=(3, 3)),
    lambda v2, tv, T: v2.functional.clamp_keypoints(T.zeros(1, 2)),
    lambda v2, tv, T: v2.functional.sanitize_bounding_boxes(T.zeros(1, 4)),
    lambda v2, tv, T: v2.functional.sanitize_bounding_boxes(tv.Mask(T.zeros(1, 4))),
    lambda v2, tv, T: v2.functional.sanitize_keypoints(T.zeros(1, 2)),
    lambda v2, tv, T: v2.functional.adjust_brightness(_one(tv), 0.5),
    lambda v2, tv, T: v2.functional.get_dimensions(_one(tv)),
    lambda v2, tv, T: v2.functional.get_num_frames(tv.Image(T.zeros(1, 4, 4))),
    lambda v2, tv, T: v2.functional.pad(_one(tv), 1, padding_mode="edge"),
    lambda v2, tv, T: v2.functional.pad(tv.Mask([[1]]), 1, fill=[1, 2]),
    lambda v2, tv, T: v2.functional.elastic(_one(tv), T.zeros(1, 2, 2, 2)),
    lambda v2, tv, T: v2.functional.perspective(_one(tv), None, None, coefficients=[0.0] * 8),
    lambda v2, tv, T: v2.SanitizeBoundingBoxes(min_size=0),
    lambda v2, tv, T: v2.SanitizeBoundingBoxes(labels_getter=3),
    lambda v2, tv, T: v2.SanitizeBoundingBoxes()({"labels": T.zeros(2), "boxes": _one(tv)}),
    lambda v2, tv, T: v2.SanitizeBoundingBoxes()({"labels": 3, "boxes": _one(tv)}),
    lambda v2, tv, T: v2.SanitizeBoundingBoxes()({"boxes": _one(tv)}),
    lambda v2, tv, T: v2.SanitizeBoundingBoxes(labels_getter=None)(T.zeros(3)),
    lambda v2, tv, T: v2.SanitizeKeyPoints()(T.zeros(3)),
    lambda v2, tv, T: v2.SetClampingMode("no"),
    lambda v2, tv, T: v2.RandomIoUCrop()(_one(tv)),
    lambda v2, tv, T: v2.RandomZoomOut(side_range=(0.5, 1.0)),
    lambda v2, tv, T: v2.FiveCrop(1)(tv.Image(T.zeros(1, 4, 4)), _one(tv)),
    lambda v2, tv, T: v2.AutoAugment()(tv.Image(T.zeros(3, 4, 4)), _one(tv)),
    lambda v2, tv, T: v2.MixUp(num_classes=2)(tv.Image(T.zeros(1, 3, 4, 4)), T.zeros(1).long(), _one(tv)),
]


def _one(tv):
    return tv.BoundingBoxes([[0.0, 0, 2, 2]], format="XYXY", canvas_size=(4, 4))


@pytest.mark.parametrize("case", range(len(BAD)))
def test_errors_are_of_their_kind(case):
    with pytest.raises((TypeError, ValueError, RuntimeError)) as want:
        BAD[case](their_v2, their_tensors, torch)
    with pytest.raises(want.type):
        BAD[case](our_v2, our_tensors, dovetail)


def test_videos_are_mixed_and_augmented():
    for build in (lambda t: t.MixUp(num_classes=4), lambda t: t.CutMix(num_classes=4)):
        dovetail.manual_seed(1)
        torch.manual_seed(1)
        batch, labels = RNG.random((4, 2, 3, 6, 5), dtype=np.float32), np.arange(4)
        got = build(our_v2)(our_tensors.Video(dovetail.from_numpy(batch)), dovetail.from_numpy(labels))
        _same(got, build(their_v2)(their_tensors.Video(torch.from_numpy(batch)), torch.from_numpy(labels)))
    for build in (lambda t: t.AutoAugment(), lambda t: t.RandAugment(3), lambda t: t.TrivialAugmentWide(), lambda t: t.AugMix()):
        dovetail.manual_seed(2)
        torch.manual_seed(2)
        for _ in range(4):
            got = build(our_v2)(our_tensors.Image(dovetail.from_numpy(PIXELS)), 3)
            _same(got, build(their_v2)(their_tensors.Image(torch.from_numpy(PIXELS)), 3))
        frames = np.stack([PIXELS, PIXELS[:, ::-1]])
        got = build(our_v2)(our_tensors.Video(dovetail.from_numpy(frames)))
        _same(got, build(their_v2)(their_tensors.Video(torch.from_numpy(frames))))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.soak
@pytest.mark.parametrize("seeds", [6])
def test_random_samples(seeds):
    """Every geometric transform on random samples of every format and clamping mode."""
    for seed in range(100, 100 + seeds):
        for name, build in GEOMETRY.items():
            for format in FORMATS[:3] if name in ("RandomIoUCrop", "Compose") else FORMATS:
                for mode in ("soft", "hard"):
                    _through(build, format, seed, "Image" if seed % 2 else "PIL", mode, times=1)


def test_signatures_are_torchvisions():
    """The same parameters in the same order with the same defaults, of every class and function, and v1's get_params on v2's classes."""
    from inspect import isfunction, signature

    def parameters(call):
        plain = [p for p in signature(call).parameters.values() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
        return [(p.name, str(p.default).rpartition(".")[2] if "float32" in str(p.default) else str(p.default)) for p in plain]

    known = ["adjust_gamma_image", "get_image_size", "to_tensor"]  # a default of 1 for 1.0; names of v1
    for name, theirs_ in vars(their_v2).items():
        if isinstance(theirs_, type) and name != "Transform":
            assert parameters(getattr(our_v2, name).__init__) == parameters(theirs_.__init__), name
            assert hasattr(getattr(our_v2, name), "get_params") or not hasattr(theirs_, "get_params"), name
    for name, theirs_ in vars(their_v2.functional).items():
        if isfunction(theirs_) and not name.startswith("_") and name not in known:
            assert parameters(getattr(our_v2.functional, name)) == parameters(theirs_), name


def test_get_params_draws_the_same():
    calls = [
        lambda t, image: t.RandomCrop.get_params(image, output_size=(7, 9)),
        lambda t, image: t.RandomResizedCrop.get_params(image, (0.2, 0.8), (0.7, 1.4)),
        lambda t, image: t.RandomRotation.get_params([-20.0, 50.0]),
        lambda t, image: t.RandomAffine.get_params([-9.0, 9.0], (0.1, 0.2), (0.9, 1.1), (-3.0, 3.0), [26, 21]),
        lambda t, image: t.RandomPerspective.get_params(26, 21, 0.5),
        lambda t, image: t.AutoAugment.get_params(25)[0],
        lambda t, image: t.GaussianBlur.get_params(0.1, 2.0),
    ]
    for call in calls:
        dovetail.manual_seed(4)
        torch.manual_seed(4)
        for _ in range(5):
            got, want = call(our_v2, dovetail.from_numpy(PIXELS)), call(their_v2, torch.from_numpy(PIXELS))
            np.testing.assert_allclose([float(part) for part in _leaves(got)], [float(part) for part in _leaves(want)], rtol=1e-6)
