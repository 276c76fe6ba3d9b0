"""wrap_dataset_for_transforms_v2 beside torchvision's on the same files, and COCO's masks beside pycocotools'."""

from __future__ import annotations

import os
import pickle
import sys
from importlib import import_module

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")

import numpy as np

from dovetail_vision import datasets as ours
from dovetail_vision import transforms, tv_tensors
from dovetail_vision.datasets import tiny
from dovetail_vision.datasets._coco_masks import mask_of
from tests.parity.test_vision_joint import _same
from tests.parity.torchvision_oracle import torchvision

pytestmark = pytest.mark.parity

theirs = torchvision().datasets
their_v2 = import_module("torchvision.transforms.v2")


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    """torchvision's checks of MD5 and its unsorted listings, out of the way."""
    listed = os.listdir
    monkeypatch.setattr(os, "listdir", lambda *path: sorted(listed(*path)))
    for name, module in list(sys.modules.items()):
        if name.startswith("torchvision.datasets.") and hasattr(module, "check_integrity"):
            monkeypatch.setattr(module, "check_integrity", lambda path, md5=None: os.path.isfile(path))


def _annotations(root):
    return os.path.join(root, "instances.json")


CASES = {
    "CocoDetection": (tiny.coco, lambda d, root: d.CocoDetection(root, _annotations(root)), (None, ["masks", "boxes", "bbox"], "all")),
    "CocoCaptions": (tiny.coco, lambda d, root: d.CocoCaptions(root, os.path.join(root, "captions.json")), (None,)),
    "VOCDetection": (tiny.voc, lambda d, root: d.VOCDetection(root), (None, ["labels"], "all")),
    "VOCSegmentation": (tiny.voc, lambda d, root: d.VOCSegmentation(root), (None,)),
    "Kitti": (tiny.kitti, lambda d, root: d.Kitti(root), (None, ["boxes", "type"], "all")),
    "Cityscapes": (tiny.cityscapes, lambda d, root: d.Cityscapes(root, target_type=["semantic", "instance"]), (None,)),
    "OxfordIIITPet": (tiny.oxford_iiit_pet, lambda d, root: d.OxfordIIITPet(root, target_types=["category", "segmentation"]), (None,)),
    "WIDERFace": (tiny.widerface, lambda d, root: d.WIDERFace(root), (None, ["bbox"], "all")),
    "ImageFolder": (tiny.image_folder, lambda d, root: d.ImageFolder(root), (None,)),
}


@pytest.mark.parametrize("name", CASES)
def test_samples_are_the_same(tmp_path, name):
    write, build, choices = CASES[name]
    write(tmp_path)
    for keys in choices:
        mine = ours.wrap_dataset_for_transforms_v2(build(ours, str(tmp_path)), keys)
        yours = theirs.wrap_dataset_for_transforms_v2(build(theirs, str(tmp_path)), keys)
        assert type(mine).__name__ == type(yours).__name__ and isinstance(mine, getattr(ours, name)) and len(mine) == len(yours)
        for i in range(len(mine)):
            (image, target), (their_image, their_target) = mine[i], yours[i]
            if isinstance(their_target, dict):
                assert set(target) == set(their_target)
                target, their_target = ([values[key] for key in sorted(values)] for values in (target, their_target))
            _same([image, target], [their_image, their_target], places=True)


def test_transforms_see_boxes_and_masks(tmp_path):
    tiny.coco(tmp_path)
    joint = transforms.v2.Compose([transforms.v2.RandomHorizontalFlip(1.0), transforms.v2.ToImage()])
    bare = ours.wrap_dataset_for_transforms_v2(ours.CocoDetection(tmp_path, _annotations(tmp_path)), "all")
    dataset = ours.wrap_dataset_for_transforms_v2(ours.CocoDetection(tmp_path, _annotations(tmp_path), transforms=joint), "all")
    for data in (dataset, pickle.loads(pickle.dumps(dataset))):  # noqa: S301
        image, target = data[1]
        assert type(image) is tv_tensors.Image and type(target["masks"]) is tv_tensors.Mask
        before = bare[1][1]
        np.testing.assert_array_equal(target["masks"].numpy(), before["masks"].numpy()[..., ::-1])
        assert target["boxes"][:, 0].tolist() == [8 - x for x in before["boxes"][:, 2].tolist()]


BAD = [
    lambda d, root: d.wrap_dataset_for_transforms_v2(object()),
    lambda d, root: d.wrap_dataset_for_transforms_v2(d.FakeData()),
    lambda d, root: d.wrap_dataset_for_transforms_v2(d.CocoDetection(root, _annotations(root)), 3),
    lambda d, root: d.wrap_dataset_for_transforms_v2(d.CocoDetection(root, _annotations(root)), ["nothing"]),
    lambda d, root: d.wrap_dataset_for_transforms_v2(d.CocoCaptions(root, _annotations(root)), ["boxes"]),
]


@pytest.mark.parametrize("case", range(len(BAD)))
def test_errors_are_of_their_kind(tmp_path, case):
    tiny.coco(tmp_path)
    with pytest.raises((TypeError, ValueError)) as want:
        BAD[case](theirs, str(tmp_path))
    with pytest.raises(want.type):
        BAD[case](ours, str(tmp_path))


def test_masks_are_those_of_pycocotools():
    masks = pytest.importorskip("pycocotools.mask")
    draw = np.random.default_rng(0)
    for _ in range(120):
        height, width = draw.integers(1, 60, 2).tolist()
        polygons = [(draw.random(2 * draw.integers(3, 9)) * 70 - 5).round(2).tolist() for _ in range(draw.integers(1, 3))]
        packed = masks.merge(masks.frPyObjects(polygons, height, width))
        np.testing.assert_array_equal(mask_of(polygons, (height, width)), masks.decode(packed))
        noise = np.asfortranarray(draw.random((height, width)) > draw.random()).astype(np.uint8)
        text = masks.encode(np.asfortranarray(noise))["counts"]
        np.testing.assert_array_equal(mask_of({"counts": text.decode(), "size": [height, width]}, (height, width)), noise)
        flat = noise.T.reshape(-1)
        edges = np.flatnonzero(np.diff(np.concatenate([[0], flat]))).tolist()
        counts = np.diff([0, *edges, flat.size]).tolist()
        np.testing.assert_array_equal(mask_of({"counts": counts, "size": [height, width]}, (height, width)), noise)
    for wrong in (3, [[1, 2]], {"counts": [1, 2]}, {"counts": "P"}, {"counts": [-1, 13]}):
        with pytest.raises(ValueError, match="segmentation: "):
            mask_of(wrong, (3, 4))


def test_videos(tmp_path):
    pytest.importorskip("av")
    tiny.ucf101(tmp_path)
    clips = ours.UCF101(tmp_path / "videos", tmp_path / "lists", 4, 2, output_format="TCHW")
    video, sound, label = ours.wrap_dataset_for_transforms_v2(clips)[5]
    assert type(video) is tv_tensors.Video and video.shape == (4, 3, 16, 24) and label == clips[5][2] and sound.shape == clips[5][1].shape
    turned = transforms.v2.RandomHorizontalFlip(1.0)(video, sound, label)
    np.testing.assert_array_equal(turned[0].numpy(), clips[5][0].numpy()[..., ::-1])
    with pytest.raises(
        NotImplementedError, match="UCF101 has output_format 'THWC', which no transform takes; expected output_format='TCHW'"
    ):
        ours.wrap_dataset_for_transforms_v2(ours.UCF101(tmp_path / "videos", tmp_path / "lists", 4, 2))
