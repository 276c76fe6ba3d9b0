"""wrap_dataset_for_transforms_v2: detection and segmentation datasets in pipelines of v2; and masks of COCO's segmentations."""

from __future__ import annotations

import pytest

import dovetail
from dovetail.errors import TypeMismatch, ValueRangeError
from dovetail_vision import datasets as ours
from dovetail_vision import tv_tensors
from dovetail_vision.datasets import tiny
from dovetail_vision.datasets._coco_masks import coco_mask
from dovetail_vision.transforms import v2


def test_transforms_come_after(tmp_path):
    tiny.voc(tmp_path)
    seen = []
    mine = ours.wrap_dataset_for_transforms_v2(ours.VOCDetection(tmp_path, transforms=lambda *sample: seen.append(sample) or ("a", "b")))
    assert mine[0] == ("a", "b") and isinstance(seen[0][1]["boxes"], tv_tensors.BoundingBoxes) and mine.image_set == "train"
    mine.transforms = None
    make, arguments = mine.__reduce__()
    again = make(*arguments)
    assert len(again) == 2 and again[0][1]["labels"].tolist() == [8, 12]


def test_in_a_pipeline(tmp_path):
    """Wrapped, a detection dataset goes through v2's transforms, boxes and image together."""
    tiny.voc(tmp_path)
    flip = v2.Compose([v2.RandomHorizontalFlip(p=1), v2.ToImage(), v2.ToDtype(dovetail.float32, scale=True)])
    mine = ours.wrap_dataset_for_transforms_v2(ours.VOCDetection(tmp_path, transforms=flip))
    image, target = mine[0]
    assert tuple(image.shape) == (3, 6, 8) and target["boxes"].tolist() == [[4, 1, 7, 5], [0, 2, 6, 6]]


def test_masks_of_coco_without_pycocotools(tmp_path):
    tiny.coco(tmp_path)
    mine = ours.wrap_dataset_for_transforms_v2(ours.CocoDetection(tmp_path, "instances.json"), target_keys="all")
    target = mine[1][1]
    assert isinstance(target["masks"], tv_tensors.Mask) and tuple(target["masks"].shape) == (2, 6, 8)
    assert int(target["masks"][0].sum()) == 8 and target["masks"][1].tolist()[3] == [0, 0, 0, 0, 1, 0, 0, 0]
    assert mine[2][1] == {"image_id": 30}
    short = {"counts": [3], "size": [2, 2]}
    for wrong, text in ((3, "COCO segmentation expected to be a dict"), (short, "run lengths of 3 pixels; expected 4")):
        with pytest.raises(ValueRangeError, match=text):
            coco_mask(wrong, 2, 2)


def test_what_is_refused(tmp_path):
    tiny.voc(tmp_path)
    with pytest.raises(ValueRangeError, match=r"Target keys \['no'\] are not available; expected some of annotation, boxes, labels"):
        ours.wrap_dataset_for_transforms_v2(ours.VOCDetection(tmp_path), ["no"])
    with pytest.raises(TypeMismatch, match="No wrapper exists for dataset class FakeData; Please wrap the output yourself"):
        ours.wrap_dataset_for_transforms_v2(ours.FakeData())
