"""COCO's figures beside pycocotools, and curves beside their definition."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import time

import numpy as np
import pytest

pytest.importorskip("pycocotools")

from pycocotools import mask as rle
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

import dovetail as dv
from dovetail_vision.datasets import CocoDetection
from dovetail_vision.metrics import MeanAveragePrecision
from tests.support.figures import note

pytestmark = pytest.mark.parity

NAMES = [
    "map",
    "map_50",
    "map_75",
    "map_small",
    "map_medium",
    "map_large",
    "mar_1",
    "mar_10",
    "mar_100",
    "mar_small",
    "mar_medium",
    "mar_large",
]


def boxes_in(draw, count: int, side: float) -> np.ndarray:
    corner = draw.uniform(0, 0.7 * side, (count, 2))
    return np.concatenate([corner, corner + np.exp(draw.uniform(np.log(4), np.log(0.9 * side), (count, 2)))], 1)


def scene(draw, classes: int, most: int, ties: bool, side: float = 300.0):
    """What is there in an image, and what a middling detector finds of it."""
    count = draw.integers(0, 8)
    true = {"boxes": boxes_in(draw, count, side), "labels": draw.integers(1, classes + 1, count), "iscrowd": draw.random(count) < 0.15}
    seen = np.repeat(np.arange(count), draw.integers(0, 3, count))
    boxes = true["boxes"][seen] + draw.normal(0, 1, (len(seen), 4)) * draw.choice([0.0, 2.0, 12.0], (len(seen), 1))
    extra = draw.integers(0, most)
    boxes = np.concatenate([boxes, boxes_in(draw, extra, side)])
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 1)
    labels = np.concatenate([np.where(draw.random(len(seen)) < 0.8, true["labels"][seen], 1), draw.integers(1, classes + 2, extra)])
    scores = draw.random(len(labels))
    return {"boxes": boxes, "labels": labels.astype(int), "scores": scores.round(1) if ties else scores}, true


def tensors(one):
    return {key: dv.from_numpy(np.ascontiguousarray(value)) for key, value in one.items()}


def of_masks(one, height: int = 64, width: int = 80):
    """Ellipses in the boxes."""
    y, x = np.mgrid[:height, :width][:, None] + 0.5
    x1, y1, x2, y2 = one["boxes"].T[:, :, None, None] * (width / 300)
    masks = ((2 * x - x1 - x2) / (x2 - x1)) ** 2 + ((2 * y - y1 - y2) / (y2 - y1)) ** 2 <= 1
    return one | {"masks": masks}


def official(scenes, iou_type: str, classes: int) -> np.ndarray:
    """pycocotools' twelve figures."""
    images, objects, found = [], [], []
    for i, (output, target) in enumerate(scenes):
        images.append({"id": i, "height": 64, "width": 80})
        for one, kept in ((target, objects), (output, found)):
            for j, (box, label) in enumerate(zip(one["boxes"], one["labels"])):
                x1, y1, x2, y2 = map(float, box)
                row = {"image_id": i, "category_id": int(label), "bbox": [x1, y1, x2 - x1, y2 - y1], "id": len(kept) + 1}
                row |= {"iscrowd": int(one["iscrowd"][j])} if kept is objects else {"score": float(one["scores"][j])}
                if iou_type == "segm":
                    row["segmentation"] = rle.encode(np.asfortranarray(one["masks"][j].astype(np.uint8)))
                    row["area"] = float(one["masks"][j].sum())
                    if kept is found:
                        del row["bbox"]
                else:
                    row["area"] = (x2 - x1) * (y2 - y1)
                kept.append(row)
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {"info": {}, "images": images, "annotations": objects, "categories": [{"id": k} for k in range(1, classes + 2)]}
        truth.createIndex()
        run = COCOeval(truth, truth.loadRes(found), iou_type)
        run.evaluate()
        run.accumulate()
        run.summarize()
    return run.stats


def ours(scenes, iou_type: str, batch: int = 7) -> dict[str, float]:
    metric = MeanAveragePrecision(iou_type)
    for start in range(0, len(scenes), batch):
        output, target = zip(*((tensors(a), tensors(b)) for a, b in scenes[start : start + batch]))
        metric.update(output, target)
    return metric.summary()


@pytest.mark.parametrize("iou_type", ["bbox", "segm"])
@pytest.mark.parametrize("seed, ties, classes, most", [(0, False, 3, 12), (1, True, 2, 12), (2, True, 1, 250), (3, False, 9, 4)])
def test_coco_figures(iou_type, seed, ties, classes, most):
    draw = np.random.default_rng(seed)
    scenes = [scene(draw, classes, most, ties) for _ in range(25)]
    if iou_type == "segm":
        scenes = [(of_masks(a), of_masks(b)) for a, b in scenes]
    want, got = official(scenes, iou_type, classes), ours(scenes, iou_type)
    assert list(got) == NAMES and all(type(value) is float for value in got.values())
    np.testing.assert_allclose(list(got.values()), want, atol=1e-12)
    assert np.ptp(want) > 0.01


@pytest.mark.parametrize("count", [120, pytest.param(5000, marks=pytest.mark.soak)])
def test_many_images(count):
    """As many as COCO's validation set, of as many classes: the same figures, in less time than pycocotools."""
    draw = np.random.default_rng(5)
    scenes = [scene(draw, 80, 60, False) for _ in range(count)]
    start = time.perf_counter()
    want = official(scenes, "bbox", 80)
    middle = time.perf_counter()
    got = ours(scenes, "bbox")
    took = time.perf_counter() - middle
    np.testing.assert_allclose(list(got.values()), want, atol=1e-6)
    note("vision", f"COCO mAP of {count} images, seconds here and with pycocotools", [round(took, 2), round(middle - start, 2)], "")
    print(f"{took:.2f} s, pycocotools {middle - start:.2f} s")


def test_curves_are_scikit_learns():
    metrics = pytest.importorskip("sklearn.metrics")
    from dovetail_vision.metrics import average_precision, precision_recall_curve

    draw = np.random.default_rng(0)
    for count, levels in ((50, 1000), (200, 7), (3, 2)):
        scores, target = draw.integers(0, levels, count) / levels, draw.random(count) < 0.4
        target[0] = True
        want = metrics.precision_recall_curve(target, scores)
        got = precision_recall_curve(dv.from_numpy(scores), dv.from_numpy(target))
        for a, b in zip(got, want, strict=True):
            np.testing.assert_allclose(a.numpy(), b, rtol=1e-12)
        assert average_precision(dv.from_numpy(scores), dv.from_numpy(target)) == pytest.approx(
            metrics.average_precision_score(target, scores)
        )


def points_of(draw, boxes: np.ndarray, count: int = 17) -> np.ndarray:
    """Points in boxes, some of them not marked."""
    places = boxes[:, None, :2] + draw.random((len(boxes), count, 2)) * (boxes[:, None, 2:] - boxes[:, None, :2])
    return np.concatenate([places, draw.integers(0, 3, (len(boxes), count, 1))], -1)


def posed(draw, output, target, ties: bool):
    """The same scene with points: what is found of an object lies near its points, some objects have none that are marked."""
    there = points_of(draw, target["boxes"])
    there[draw.random(len(there)) < 0.2, :, 2] = 0
    found = points_of(draw, output["boxes"])
    for i in range(min(len(found), len(there))):
        if draw.random() < 0.8:
            found[i, :, :2] = there[i, :, :2] + draw.normal(0, draw.choice([0.5, 4.0, 15.0]), (17, 2))
    if ties:
        found[1::3] = found[:1]
    area = (target["boxes"][:, 2:] - target["boxes"][:, :2]).prod(1) * draw.uniform(0.3, 0.9, len(there))
    return output | {"keypoints": found}, target | {"keypoints": there, "area": area}


@pytest.mark.parametrize("seed, ties, most", [(0, False, 6), (1, True, 6), (2, True, 60)])
def test_key_points(seed, ties, most):
    draw = np.random.default_rng(seed)
    scenes = [posed(draw, *scene(draw, 1, most, ties), ties) for _ in range(40)]
    images, objects, found = [], [], []
    for i, (output, target) in enumerate(scenes):
        images.append({"id": i, "height": 300, "width": 300})
        for j, points in enumerate(target["keypoints"]):
            x1, y1, x2, y2 = target["boxes"][j].tolist()
            row = {"image_id": i, "category_id": int(target["labels"][j]), "id": len(objects) + 1, "iscrowd": int(target["iscrowd"][j])}
            row |= {"keypoints": points.ravel().tolist(), "num_keypoints": int((points[:, 2] > 0).sum())}
            objects.append(row | {"bbox": [x1, y1, x2 - x1, y2 - y1], "area": float(target["area"][j])})
        for j, points in enumerate(output["keypoints"]):
            row = {"image_id": i, "category_id": int(output["labels"][j]), "score": float(output["scores"][j])}
            found.append(row | {"keypoints": points.ravel().tolist()})
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {"info": {}, "images": images, "annotations": objects, "categories": [{"id": k} for k in (1, 2)]}
        truth.createIndex()
        run = COCOeval(truth, truth.loadRes(found), "keypoints")
        run.evaluate()
        run.accumulate()
        run.summarize()
    got = ours(scenes, "keypoints")
    assert list(got) == [f"{kind}{part}" for kind in ("map", "mar") for part in ("", "_50", "_75", "_medium", "_large")]
    np.testing.assert_allclose(list(got.values()), run.stats, atol=1e-12)
    assert np.ptp(run.stats) > 0.01


def test_pycocotools_takes_the_index_of_a_dataset(tmp_path):
    """As torchvision's evaluator does: the dataset's index is the truth, and what else is asked of it is pycocotools' own."""
    square = [[2, 3, 12, 3, 12, 13, 2, 13]]
    row = {"id": 1, "image_id": 5, "category_id": 1, "bbox": [2, 3, 10, 10], "area": 100, "iscrowd": 0, "segmentation": square}
    image = {"id": 5, "file_name": "5.png", "height": 20, "width": 30}
    file = tmp_path / "a.json"
    file.write_text(json.dumps({"info": {}, "images": [image], "annotations": [row], "categories": [{"id": 1, "name": "a"}]}))
    index = copy.deepcopy(CocoDetection(tmp_path, file).coco)
    with contextlib.redirect_stdout(io.StringIO()):
        known = COCO(str(file))
        np.testing.assert_array_equal(index.annToMask(index.anns[1]), known.annToMask(known.anns[1]))
        found = [{"image_id": 5, "category_id": 1, "segmentation": index.annToRLE(index.anns[1]), "score": 0.5}]
        stats = []
        for truth in (index, known):
            run = COCOeval(truth, COCO.loadRes(truth, copy.deepcopy(found)), "segm")
            run.evaluate()
            run.accumulate()
            run.summarize()
            stats.append(run.stats)
    np.testing.assert_array_equal(*stats)
    assert stats[0][0] == pytest.approx(1)
    with pytest.raises(AttributeError, match="COCO: there is no annToNothing"):
        index.annToNothing
    assert hasattr(COCO, "download") and not hasattr(index, "download")  # which writes wherever an annotation file says
