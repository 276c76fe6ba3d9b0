"""Intersection over union, and figures of a model on a dataset in one call."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image

import dovetail as dv
from dovetail import nn
from dovetail.errors import RangeError, TypeMismatch, ValueRangeError
from dovetail_vision.datasets import Digits
from dovetail_vision.datasets.shapes import Shapes
from dovetail_vision.metrics import Accuracy, MeanIoU, evaluate, iou_of_classes, mean_iou


def test_iou_of_each_class_and_their_mean():
    answers, labels = dv.tensor([[0, 0, 1, 1, 2, 2]]), dv.tensor([[0, 0, 0, 1, 255, 2]])
    assert iou_of_classes(answers, labels, 4, ignore_index=255).tolist()[:3] == [2 / 3, 0.5, 1.0]
    assert math.isnan(iou_of_classes(answers, labels, 4, 255)[3]) and mean_iou(answers, labels, 4, 255) == pytest.approx(13 / 18)
    with pytest.raises(RangeError, match="confusion_matrix: target holds 0 to 255; expected 0 to 3"):
        mean_iou(answers, labels, 4)
    assert math.isnan(mean_iou(answers[:0], labels[:0], 4))


def test_running_mean_of_pixels():
    scores, labels = dv.rand(5, 3, 8, 9), dv.randint(0, 3, (5, 8, 9))
    metric = MeanIoU(3)
    for i in range(5):
        metric.update({"out": scores[i : i + 1], "aux": None}, labels[i : i + 1])
    assert metric.compute() == pytest.approx(mean_iou(scores, labels, 3))
    assert metric.pixel_accuracy() == pytest.approx(float((scores.argmax(1) == labels).float().mean()))


class Sees(nn.Module):
    """Answers what it is told, in the order of the dataset."""

    def __init__(self, answers, pick=lambda parts: parts):
        super().__init__()
        self.answers, self.pick, self.at = answers, pick, 0

    def forward(self, images):
        assert not self.training and not dv.is_grad_enabled()
        found = [self.answers[self.at + i] for i in range(len(images))]
        self.at += len(images)
        return self.pick(found)


def scores_of(classes, count):
    """(…) of classes as scores (count, …)."""
    return dv.nn.functional.one_hot(dv.as_tensor(classes).long(), count).movedim(-1, 0).float()


def test_classification():
    data = Digits(train=False)
    wrong = {3, 100, 200}
    answers = [scores_of((int(label) + (i in wrong)) % 10, 10) for i, label in enumerate(data.targets)]
    model = Sees(answers, dv.stack).train()
    assert evaluate(model, data, batch_size=100) == {"accuracy": pytest.approx(448 / 451), "top5": pytest.approx(448 / 451, abs=3 / 451)}
    assert model.training
    few = {"right": Accuracy()}
    assert evaluate(Sees(answers, dv.stack), data, batch_size=400, metrics=few) == {"right": pytest.approx(448 / 451)}


def test_segmentation():
    data = Shapes(split="test", target_type="semantic", size=16)
    answers = [scores_of(np.array(data[i][1]), 6) for i in range(16)]
    got = evaluate(Sees(answers, lambda parts: {"out": dv.stack(parts)}), data, batch_size=4, num_classes=6)
    assert got == {"miou": 1.0, "pixel_accuracy": 1.0, "ious": [1.0] * 6}
    answers[0] = scores_of(np.zeros((96, 96)), 6)
    found = evaluate(Sees(answers, dv.stack), data, num_classes=6)
    assert 0.5 < found["miou"] < 1 and evaluate(Sees(answers, dv.stack), data) == found
    maps = [Sees(answers, lambda parts: dv.stack(parts).argmax(1)) for _ in range(2)]
    assert evaluate(maps[0], data, num_classes=6) == found
    with pytest.raises(ValueRangeError, match="evaluate: num_classes is None; expected the number of classes of the pixels"):
        evaluate(maps[1], data)


def test_detection():
    data = Shapes(split="test", size=9)
    answers = [one | {"scores": dv.linspace(0.9, 0.5, len(one["labels"]))} for _, one in data]
    got = evaluate(Sees(answers), data, batch_size=4)
    assert got["map"] == got["segm_map"] == pytest.approx(1) and got["map_50"] == pytest.approx(1) and len(got) == 24
    boxes = [{key: one[key] for key in ("boxes", "labels", "scores")} for one in answers]
    boxes[0]["boxes"] = boxes[0]["boxes"] + 30
    assert 0.5 < evaluate(Sees(boxes), data)["map"] < 1 and len(evaluate(Sees(boxes), data)) == 12


def test_images_are_prepared():
    seen = []
    data = [(Image.new("L", (4, 4), 255), 0), (Image.new("L", (4, 4), 51), 1)]

    def look(images):
        seen.append(images.flatten(1)[:, 0].tolist())
        return dv.zeros(len(images), 2)

    model = nn.Identity()
    model.forward = look
    evaluate(model, data)
    evaluate(model, data, transform=lambda image: dv.tensor([[float(image.getpixel((0, 0)))]]))
    assert seen == [pytest.approx([1.0, 0.2]), [255.0, 51.0]]


def test_what_cannot_be_told_is_refused():
    with pytest.raises(TypeMismatch, match="evaluate: a target of the dataset is a str; expected a dict of boxes, .*; say task="):
        evaluate(nn.Identity(), [(dv.zeros(1, 2, 2), "cat")])
    with pytest.raises(ValueRangeError, match="task is 'boxes'; expected one of classification, detection, segmentation"):
        evaluate(nn.Identity(), [], "boxes")
    with pytest.raises(ValueRangeError, match="evaluate: dataset has no samples; expected one or more"):
        evaluate(nn.Identity(), [])
