"""The helpers that programs reach into torchvision's modules for, beside torchvision's: the same values, the same texts."""

from __future__ import annotations

import gzip
import lzma
import random
import shutil
import warnings
from collections import OrderedDict
from functools import partial
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")

from PIL import Image

import dovetail as dv
from dovetail_torch.moved import counterpart
from dovetail_vision import datasets
from tests.parity.torchvision_oracle import with_operators

pytestmark = pytest.mark.parity
with_operators()
DRAW = np.random.default_rng(2)
BOXES = DRAW.random((4, 4)).astype(np.float32) * 20 + [0, 0, 25, 25]
MAPS = [DRAW.random((1, c, 16 >> i, 16 >> i)).astype(np.float32) for i, c in enumerate((4, 8))]
CLIP = DRAW.integers(0, 256, (3, 20, 24, 3), dtype=np.uint8)


def boxes_to_rois(t, tv):
    one = t.from_numpy(BOXES.astype(np.float32))
    utils = tv("ops._utils")
    return [utils.convert_boxes_to_roi_format([one[:3], one[3:]]), *utils._loss_inter_union(one, one.flip(0)), utils._upcast(one.half())]


def overlaps(t, tv):
    one = t.from_numpy(BOXES.astype(np.float32))
    return [*tv("ops.boxes")._box_inter_union(one, one[:2]), tv("ops.poolers").initLevelMapper(2, 5)([one * 9])]


def boxes_by_private_names(t, tv):
    one, boxes = t.from_numpy(BOXES.astype(np.float32)), tv("ops.boxes")
    scores, kinds = t.linspace(0.9, 0.1, 4), t.tensor([0, 1, 0, 1])
    turns = ("_box_cxcywh_to_xyxy", "_box_xyxy_to_cxcywh", "_box_xywh_to_xyxy", "_box_xyxy_to_xywh")
    kept = [getattr(boxes, f"_batched_nms_{how}")(one * 0.1, scores, kinds, 0.3) for how in ("vanilla", "coordinate_trick")]
    return [*(getattr(tv("ops._box_convert"), name)(one) for name in turns), *kept]


def pooling_by_steps(t, tv):
    pool = tv("ops.poolers")
    maps = pool._filter_input(OrderedDict((str(i), t.from_numpy(one)) for i, one in enumerate(MAPS)), ["0", "1"])
    maps[1] = maps[1][:, :4]
    scales, mapper = pool._setup_scales(maps, [(60, 64), (64, 60)], 30, 3)
    boxes = [t.from_numpy(BOXES.astype(np.float32))]
    pooled = pool._multiscale_roi_align(maps, boxes, (2, 3), 2, scales, mapper)
    return [pooled, scales, [mapper.k_min, mapper.k_max, mapper.s0, pool._infer_scale(maps[0], [60, 64])]]


def texts(t, tv):
    text = tv("_utils").sequence_to_str
    one = [text(words, **more) for words in ([], ["a"], ["a", "b"], ["a", 2, "c"]) for more in ({}, {"separate_last": "or "})]
    found = [tv("datasets.utils")._detect_file_type(f"x/a{end}") for end in (".tgz", ".tbz2", ".tar", ".tar.gz", ".zip", ".gz", ".b.xz")]
    addresses = ("https://drive.google.com/file/d/1_a-b/view", "https://drive.google.com/", "https://example.com/file/d/1/view")
    return [one, found, [tv("datasets.utils")._get_google_drive_file_id(url) for url in addresses]]


def builders(t, tv):
    first, second, third = (tv(f"models.{family}") for family in ("efficientnet", "vision_transformer", "detection.ssdlite"))
    rows = first._efficientnet_conf("efficientnet_v2_s")[0][:2]
    found = []
    for build, arguments, more in (
        (first._efficientnet, (rows, 0.1, 32, None, True), {}),
        (second._vision_transformer, (16, 1, 2, 8, 16, None, True), {"image_size": 32, "num_classes": 3}),
        (third._prediction_block, (4, 6, 3, t.nn.BatchNorm2d), {}),
    ):
        t.manual_seed(0)
        state = build(*arguments, **more).state_dict()
        found += [list(state), *state.values()]
    return found


def norms_apart(t, tv):
    model = t.nn.Sequential(t.nn.Conv2d(3, 4, 1), t.nn.BatchNorm2d(4), t.nn.Sequential(t.nn.Linear(4, 2), t.nn.LayerNorm(2)))
    return [[tuple(p.shape) for p in part] for part in tv("ops._utils").split_normalization_params(model)]


def pyramid(t, tv):
    t.manual_seed(0)
    fpn = tv("ops").FeaturePyramidNetwork([4, 8], 6)
    maps = OrderedDict((str(i), t.from_numpy(one)) for i, one in enumerate(MAPS))
    return [fpn.get_result_from_inner_blocks(maps["1"], -1), fpn.get_result_from_layer_blocks(fpn(maps)["0"], 0)]


def detectors_parts(t, tv):
    heads = tv("models.detection.roi_heads")
    one = [t.from_numpy(BOXES.astype(np.float32))]
    mask = t.from_numpy(MAPS[0][0, 0])
    pasted = [heads.paste_mask_in_image(mask, t.tensor(box), 20, 24) for box in ([2, 3, 12, 17], [-3, 5, 8, 40], [5, 5, 4, 4])]
    roi = heads.RoIHeads(None, None, None, 0.5, 0.5, 4, 0.25, None, 0.05, 0.5, 10)
    prepare = tv("models.detection.transform").GeneralizedRCNNTransform(10, 20, [0.0], [1.0])
    return [*pasted, *roi.add_gt_proposals(one, one), prepare.max_by_axis([[1, 5, 2], [3, 4, 2]])]


def geometry(t, tv):
    f, more = tv("transforms.functional"), tv("transforms.transforms")
    matrix = [f._get_inverse_affine_matrix([3.0, 4.0], 20.0, [1.0, -2.0], 1.2, [5.0, 3.0], inverted) for inverted in (True, False)]
    corners = [[0, 0], [9, 0], [9, 7], [0, 7]], [[1, 1], [8, 0], [9, 6], [0, 7]]
    return [
        *(np.array(m) for m in matrix), np.array(f._get_perspective_coeffs(*corners)), f._interpolation_modes_from_int(2).value,
        more._setup_size(3, error_msg="no"), more._setup_size([4], error_msg="no"), more._setup_angle(7, name="a", req_sizes=(2,)),
        [f._is_numpy(CLIP), f._is_pil_image(CLIP), f._is_numpy_image(CLIP)],
    ]  # fmt: skip


def clips(t, tv):
    video = tv("transforms._transforms_video")
    clip, found = video.ToTensorVideo()(t.from_numpy(CLIP)), []
    steps = (video.CenterCropVideo(10), video.NormalizeVideo([0.4, 0.5, 0.6], [0.2, 0.3, 0.4]), video.RandomCropVideo((8, 9)),
             video.RandomResizedCropVideo(7), video.RandomHorizontalFlipVideo())  # fmt: skip
    for step in steps:
        t.manual_seed(3)
        random.seed(5)
        found += [step(clip), repr(step)]
    return found


def outputs(t, tv):
    t.manual_seed(0)
    model = tv("models.googlenet").GoogLeNet(num_classes=2, init_weights=False)
    parts = t.ones(1), t.zeros(1), None
    return [type(model.eager_outputs(*parts)).__name__, model.eval().eager_outputs(*parts)]


def tensor_helpers(t, tv):
    """What transforms of one's own take from the file of functions on tensors."""
    f, image = tv("transforms._functional_tensor"), t.from_numpy(CLIP[0].transpose(2, 0, 1).copy())
    matrix, theta = [0.9, 0.2, 1.0, -0.1, 1.1, 0.0], t.tensor([[[0.9, 0.2, 1.0], [-0.1, 1.1, 0.0]]])
    batch, *how = f._cast_squeeze_in(image, [t.float32])
    grid = f._gen_affine_grid(theta, 24, 20, 15, 13)
    hsv = f._rgb2hsv(image.float() / 255)
    return [
        batch, how[:2], f._cast_squeeze_out(batch / 3, *how), grid, hsv, f._hsv2rgb(hsv), f._max_value(t.int16),
        *(f._apply_grid_transform(image, grid, mode, fill) for mode in ("nearest", "bilinear") for fill in (None, 7, [1.0, 2.0, 3.0])),
        f._blend(image, image.flip(-1), 0.3), f._pad_symmetric(image, [2, 3, 1, 4]), f._get_gaussian_kernel1d(5, 0.7, t.float64, "cpu"),
        f._get_gaussian_kernel2d([3, 5], [0.5, 1.5], t.float32, "cpu"), f._compute_affine_output_size(matrix, 24, 20),
        f.affine(image, matrix, "bilinear"), f.rotate(image, matrix, "nearest", True, [3.0]), f.rgb_to_grayscale(image),
        f.resize(image, [9, 7]), f.resize(image, [9, 7], "bicubic", antialias=False), hasattr(f, "__path__"),
        raises(RuntimeError, lambda: f._apply_grid_transform(image[:1], grid, "bilinear", [1.0, 2.0])),
    ]  # fmt: skip


def pil_helpers(t, tv):
    f, image = tv("transforms._functional_pil"), Image.fromarray(CLIP[0])
    matrix, numbers = [0.9, 0.2, 1.0, -0.1, 1.1, 0.0], [1.0, 0.1, 2.0, 0.0, 1.0, 0.0, 0.001, 0.0]
    made = [
        f.affine(image, matrix), f.affine(image, matrix, Image.Resampling.BILINEAR, 5), f.perspective(image, numbers),
        f.perspective(image, numbers, Image.Resampling.NEAREST, [3]), f.rotate(image, 30), f.hflip(image),
    ]  # fmt: skip
    return [*(np.asarray(one) for one in made), f.get_image_size(image), f._is_pil_image(image), hasattr(f, "__path__")]


def helpers_of_v2(t, tv):
    utils, inner, images = tv("transforms.v2._utils"), tv("transforms.v2.functional"), tv("tv_tensors")
    image = images.Image(t.from_numpy(CLIP[0].transpose(2, 0, 1).copy()))
    fills = utils._setup_fill_arg({images.Mask: 255, "others": (1, 2)})
    found = [utils._get_fill(fills, kind) for kind in (images.Mask, images.Image)] + [
        utils._setup_fill_arg(3),
        utils._convert_fill_arg(None),
    ]
    found += [utils._setup_number_or_seq([2], "a"), utils._setup_number_or_seq(3, "a"), utils._setup_size(4, error_msg="")]
    found += [utils.query_chw([image]), utils._parse_labels_getter("default")(({}, {"Labels": 7}))]
    wrong = [(utils._check_fill_arg, "x"), (utils._setup_number_or_seq, "a", "b"), (utils._setup_number_or_seq, [1, 2, 3], "a")]
    wrong += [(utils._check_padding_arg, [1, 2, 3]), (utils._check_padding_mode_arg, "round")]
    for function, *given in wrong:
        found.append(next(kind.__name__ for kind in (TypeError, ValueError) if raises(kind, partial(function, *given))))
    kernels = tv("transforms.v2.functional._utils")
    found += [
        kernels._get_kernel(inner.horizontal_flip, images.Image)(image),
        kernels._get_kernel(inner.resize, int, allow_passthrough=True)(3),
    ]

    def own(inpt):
        return inpt

    kernels._register_kernel_internal(own, images.Mask)(lambda inpt: inpt + 1)
    found.append(kernels._get_kernel(own, images.Mask)(images.Mask(t.zeros(1, 1))))
    return [*found, type(found[-1]).__name__, utils._setup_angle(3, name="a", req_sizes=(2,))]


def middles(t, tv):
    """Key points in the middle of boxes lie on the edge of a cell, and the last digit of a quotient says of which."""
    heads, found = tv("models.detection.roi_heads"), []
    for kind in (t.float32, t.float64):
        sides = t.arange(3, 63, dtype=kind) * 0.953125
        boxes = t.stack([sides * 0.3, sides * 0.7, sides * 1.3, sides * 1.9], 1)
        points = t.stack([(boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2, t.ones(60, dtype=kind)], 1)[:, None].float()
        found += heads.keypoints_to_heatmap(points, boxes, 56)
    return found


def raises(kind, call):
    try:
        call()
    except kind:
        return True
    except Exception:
        return False
    return False


def policies(t, tv):
    """RandAugment with operations of one's own choice, and one operation by its name."""
    auto, modes = tv("transforms.autoaugment"), tv("transforms").InterpolationMode
    image = t.from_numpy(CLIP[0].transpose(2, 0, 1).copy())

    class Few(auto.RandAugment):
        def _augmentation_space(self, num_bins, image_size):
            space = super()._augmentation_space(num_bins, image_size)
            assert space["Identity"][0].ndim == 0 and image_size == (20, 24)
            return {name: space[name] for name in ("Identity", "Rotate", "Brightness", "Equalize")}

    class Wide(auto.TrivialAugmentWide):
        def _augmentation_space(self, num_bins):
            return {"Solarize": super()._augmentation_space(num_bins)["Solarize"], "Invert": (t.tensor(0.0), False)}

    class Flat(auto.AutoAugment):
        def _augmentation_space(self, num_bins, image_size):
            return {
                name: (strengths / 2, signed) for name, (strengths, signed) in super()._augmentation_space(num_bins, image_size).items()
            }

    t.manual_seed(4)
    found = [step(image) for step in (Few(), Wide(), Flat()) for _ in range(6)]
    names = (
        "ShearX",
        "ShearY",
        "TranslateX",
        "TranslateY",
        "Rotate",
        "Brightness",
        "Color",
        "Contrast",
        "Sharpness",
        "Posterize",
        "Solarize",
    )
    found += [auto._apply_op(image, name, 0.6 if name != "Solarize" else 90.0, modes.NEAREST, None) for name in names[:9] + names[10:]]
    return [
        *found,
        auto._apply_op(image, "Posterize", 3, modes.NEAREST, None),
        raises(ValueError, lambda: auto._apply_op(image, "?", 0, None, None)),
    ]


def same(got, want) -> None:
    if isinstance(want, list | tuple):
        assert len(got) == len(want)
        for mine, yours in zip(got, want, strict=True):
            same(mine, yours)
    elif hasattr(want, "numpy"):
        assert tuple(got.shape) == tuple(want.shape) and str(got.dtype).partition(".")[2] == str(want.dtype).partition(".")[2]
        np.testing.assert_allclose(got.detach().numpy(), want.detach().numpy(), rtol=1e-5, atol=1e-5)
    elif isinstance(want, np.ndarray):
        np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-9)
    else:
        assert got == want


@pytest.mark.parametrize(
    "case",
    [
        boxes_to_rois,
        boxes_by_private_names,
        pooling_by_steps,
        texts,
        builders,
        overlaps,
        norms_apart,
        pyramid,
        detectors_parts,
        geometry,
        clips,
        outputs,
        tensor_helpers,
        pil_helpers,
        helpers_of_v2,
        policies,
        middles,
    ],
)
def test_helpers(case):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the modules of clips are deprecated, here as there
        same(case(dv, lambda name: counterpart("dovetail_vision", name)), case(torch, lambda name: import_module(f"torchvision.{name}")))


@pytest.mark.parametrize("kind", [str, Path])
def test_unpacking_returns_what_torchvisions_does(tmp_path: Path, kind: type) -> None:
    (tmp_path / "in" / "words").mkdir(parents=True)
    (tmp_path / "in" / "words" / "a.txt").write_bytes(b"a b")
    for form in ("zip", "tar", "gztar", "bztar", "xztar"):
        shutil.make_archive(str(tmp_path / form), form, tmp_path / "in")
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"a b"))
    (tmp_path / "a.txt.xz").write_bytes(lzma.compress(b"a b"))
    shutil.copy(tmp_path / "gztar.tar.gz", tmp_path / "short.tgz")
    found = []
    for utils in (datasets.utils, import_module("torchvision.datasets.utils")):
        rows = []
        for path in sorted(path for path in tmp_path.iterdir() if path.is_file() and path.suffix != ".txt"):
            for folder in (None, tmp_path / "out" / path.name):
                if folder is None and path.suffix not in (".gz", ".xz"):
                    continue
                if folder:
                    folder.mkdir(parents=True, exist_ok=True)
                rows += [utils.extract_archive(kind(path), kind(folder) if folder else None)]
        made = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*"))
        found.append((rows, made))
        shutil.rmtree(tmp_path / "out")
    assert found[0] == found[1]
    for name in ("plain", "a.rar"):
        (tmp_path / name).write_bytes(b"")
        with pytest.raises(RuntimeError, match="has no suffixes|Unknown compression or archive type: '.rar'"):
            datasets.utils.extract_archive(tmp_path / name)


def test_what_is_refused_of_private_names(tmp_path: Path) -> None:
    from dovetail_vision._utils import StrEnum

    with pytest.raises(ValueError, match=r"Unknown value 'UP' for Side\."):
        StrEnum("Side", "LEFT RIGHT").from_str("UP")
    with pytest.raises(NotImplementedError, match="cannot be read by accimage"):
        datasets.folder.accimage_loader("a.jpg")
    with pytest.raises(RuntimeError, match=r"_decompress: \.tar\.gz is an archive's"):
        datasets.utils._decompress("a.tar.gz")
