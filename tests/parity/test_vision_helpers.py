"""The helpers that programs reach into torchvision's modules for, beside torchvision's: the same values, the same texts."""

from __future__ import annotations

import random
import warnings
from collections import OrderedDict
from importlib import import_module

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")

import dovetail as dv
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


@pytest.mark.parametrize("case", [boxes_to_rois, overlaps, norms_apart, pyramid, detectors_parts, geometry, clips, outputs])
def test_helpers(case):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the modules of clips are deprecated, here as there
        same(
            case(dv, lambda name: import_module(f"dovetail_vision.{name}")), case(torch, lambda name: import_module(f"torchvision.{name}"))
        )
