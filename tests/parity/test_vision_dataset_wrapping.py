"""wrap_dataset_for_transforms_v2 beside torchvision's, and COCO's masks beside pycocotools'."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")

import numpy as np

from dovetail_vision import datasets as ours
from dovetail_vision.datasets import tiny
from dovetail_vision.datasets._coco_masks import coco_mask
from tests.parity.test_vision_dataset_files import opened, plain, same, theirs  # noqa: F401  (plain is a fixture)

pytestmark = pytest.mark.parity

CASES = [
    ("VOCDetection", "voc", {}, [None, "all", ["boxes"], {"annotation", "labels"}]),
    ("VOCSegmentation", "voc", {}, [None]),
    ("CocoDetection", "coco", {"annFile": "instances.json"}, [None, "all", ("masks", "area")]),
    ("CocoCaptions", "coco", {"annFile": "captions.json"}, [None]),
    ("SBDataset", "sbd", {"mode": "segmentation"}, [None]),
    ("Kitti", "kitti", {}, [None, "all", ["type"]]),
    ("Kitti", "kitti", {"train": False}, [None]),
    ("CelebA", "celeba", {"target_type": "bbox"}, [None]),
    ("CelebA", "celeba", {"target_type": ["identity", "bbox"]}, [None]),
    ("OxfordIIITPet", "oxford_iiit_pet", {"target_types": ["category", "segmentation"]}, [None]),
    ("OxfordIIITPet", "oxford_iiit_pet", {"target_types": []}, [None]),
    ("Cityscapes", "cityscapes", {"target_type": ["semantic", "instance"]}, [None]),
    ("Cityscapes", "cityscapes", {}, [None]),
    ("WIDERFace", "widerface", {}, [None, ["bbox", "pose"]]),
    ("WIDERFace", "widerface", {"split": "test"}, [None]),
    ("Caltech101", "caltech101", {}, [None]),
    ("GTSRB", "gtsrb", {}, [None]),
    ("ImageFolder", "image_folder", {}, [None]),
]


def _sorted(value):
    return {key: _sorted(value[key]) for key in sorted(value)} if isinstance(value, dict) else value


def _kinds(value):
    """The names of tv_tensors in a sample, with the format and canvas of boxes."""
    if isinstance(value, dict):
        return {key: _kinds(part) for key, part in value.items()}
    if isinstance(value, tuple | list):
        return [_kinds(part) for part in value]
    name = type(value).__name__
    return (name, str(value.format), tuple(value.canvas_size)) if name == "BoundingBoxes" else name if name in ("Mask", "Video") else ""


@pytest.mark.parametrize("name, write, options, keys", CASES, ids=[f"{case[0]}-{i}" for i, case in enumerate(CASES)])
def test_wrapped(tmp_path, name, write, options, keys):
    if name.startswith("Coco"):
        pytest.importorskip("pycocotools")
    getattr(tiny, write)(tmp_path)
    for place in ("celeba/img_align_celeba.zip", "widerface/WIDER_val/x"):
        if (tmp_path / place).parent.exists():
            (tmp_path / place).touch()
    for chosen in keys:
        mine = ours.wrap_dataset_for_transforms_v2(opened(ours, name, tmp_path, options), chosen)
        yours = theirs.wrap_dataset_for_transforms_v2(opened(theirs, name, tmp_path, options), chosen)
        assert len(mine) == len(yours) and isinstance(mine, getattr(ours, name)) and type(mine).__name__ == type(yours).__name__
        for i in range(len(yours)):
            a, b = _sorted_pair(mine[i]), _sorted_pair(yours[i])
            same(a, b, f"{name}({options}, {chosen})[{i}]")
            assert _kinds(a) == _kinds(b)


def _sorted_pair(sample):
    return [_sorted(part) for part in sample]


REFUSED = [
    ("SBDataset", "sbd", {}, None),
    ("Caltech101", "caltech101", {"target_type": "annotation"}, None),
    ("CelebA", "celeba", {}, None),
    ("Cityscapes", "cityscapes", {"target_type": ["polygon"]}, None),
    ("DTD", "dtd", {}, None),
    ("VOCSegmentation", "voc", {}, ["boxes"]),
    ("VOCDetection", "voc", {}, ["no"]),
    ("VOCDetection", "voc", {}, 3),
]


@pytest.mark.parametrize("name, write, options, keys", REFUSED, ids=[f"{case[0]}-{i}" for i, case in enumerate(REFUSED)])
def test_refused(tmp_path, name, write, options, keys):
    getattr(tiny, write)(tmp_path)
    if name == "CelebA":
        (tmp_path / "celeba/img_align_celeba.zip").touch()
    with pytest.raises(Exception) as yours:
        theirs.wrap_dataset_for_transforms_v2(opened(theirs, name, tmp_path, options), keys)
    with pytest.raises(type(yours.value), match="wrap_dataset_for_transforms_v2: "):
        ours.wrap_dataset_for_transforms_v2(opened(ours, name, tmp_path, options), keys)


def test_what_is_no_dataset_is_refused():
    for module in (ours, theirs):
        with pytest.raises(TypeError, match="This wrapper is meant for subclasses of"):
            module.wrap_dataset_for_transforms_v2([1, 2])


@pytest.mark.parametrize("cases", [150, pytest.param(3000, marks=pytest.mark.soak)])
def test_masks(cases):
    mask = pytest.importorskip("pycocotools.mask")
    draw = np.random.RandomState(0)
    for i in range(cases):
        height, width = (int(n) for n in draw.randint(1, 40, 2))
        corners = [draw.uniform(-4, 44, 2 * draw.randint(3, 9)).round(draw.randint(0, 3)).tolist() for _ in range(draw.randint(1, 4))]
        if i % 5 == 0:
            corners[0] += corners[0][:2]  # closed, as some files have it
        packed = mask.merge(mask.frPyObjects(corners, height, width))
        expected = mask.decode(packed)
        np.testing.assert_array_equal(coco_mask(corners, height, width), expected)
        np.testing.assert_array_equal(coco_mask(packed, height, width), expected)
        flat = expected.T.reshape(-1)
        edges = np.flatnonzero(np.diff(np.concatenate([[0], flat]))).tolist()
        counts = np.diff([0, *edges, flat.size]).tolist()
        np.testing.assert_array_equal(coco_mask({"counts": counts, "size": [height, width]}, height, width), expected)
    for wrong, text in (
        (3, "COCO segmentation expected to be a dict or a list"),
        ({"counts": [3], "size": [2, 2]}, "run lengths of 3 pixels"),
    ):
        with pytest.raises(ValueError, match=text):
            coco_mask(wrong, 2, 2)
