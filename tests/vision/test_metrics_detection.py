"""COCO's figures on scenes small enough to reckon by hand, and what is refused; tests/parity holds them against pycocotools."""

from __future__ import annotations

import pytest

import dovetail as dv
from dovetail.errors import RangeError, ShapeError, ValueRangeError
from dovetail_vision.metrics import MeanAveragePrecision, mean_average_precision


def scene(*rows, **more):
    """A dict of boxes from rows of (x1, y1, x2, y2, label) and, of detections, the score."""
    columns = dv.tensor(rows, dtype=dv.float64) if rows else dv.zeros(0, 5)
    found = {"boxes": columns[:, :4], "labels": columns[:, 4].long()}
    if columns.shape[1] == 6:
        found["scores"] = columns[:, 5]
    return found | more


NOTHING = scene(scores=dv.zeros(0))


def test_all_found():
    truth = scene((0, 0, 10, 10, 1), (20, 20, 60, 60, 2), (0, 0, 100, 100, 2))
    got = mean_average_precision([truth | {"scores": dv.tensor([0.5, 0.6, 0.7])}], [truth])
    assert {name: round(value, 9) for name, value in got.items() if round(value, 9) != 1} == {"mar_1": 0.75}


def test_half_of_two_and_one_wrong_between():
    truth = scene((0, 0, 10, 10, 1), (50, 50, 60, 60, 1))
    found = scene((0, 0, 10, 10, 1, 0.9), (30, 0, 40, 10, 1, 0.8), (50, 50, 60, 60, 1, 0.7))
    metric = MeanAveragePrecision()
    metric.update([found], [truth])
    assert metric.compute() == pytest.approx((51 * 1 + 50 * 2 / 3) / 101)  # precision 1 up to recall 0.50, then 2/3
    precision, recall = metric.curve(1)
    assert recall.tolist()[50] == 0.5 and precision.tolist()[50:52] == pytest.approx([1, 2 / 3])
    assert metric.of_classes() == {1: metric.compute()}
    got = metric.summary()
    assert (got["mar_1"], got["mar_10"], got["map_small"], got["map_medium"]) == (0.5, 1, metric.compute(), -1)


def test_one_object_is_found_once():
    truth = scene((0, 0, 10, 10, 1))
    found = scene((0, 0, 10, 10, 1, 0.6), (0, 0, 10, 9, 1, 0.9))  # the worse fit has the higher score, and takes it
    got = mean_average_precision([found], [truth])
    assert got["map_50"] == got["map_75"] == pytest.approx(1) and got["map"] == pytest.approx((9 + 0.5) / 10)


def test_crowds_and_other_sizes_do_not_count_against_it():
    truth = scene((0, 0, 10, 10, 1), (100, 100, 200, 200, 1), iscrowd=dv.tensor([0, 1]))
    found = scene((110, 110, 120, 120, 1, 0.9), (130, 130, 140, 140, 1, 0.8), (0, 0, 10, 10, 1, 0.7))
    assert mean_average_precision([found], [truth])["map"] == pytest.approx(1)
    large = scene((0, 0, 10, 10, 1), (100, 100, 200, 200, 1))
    assert mean_average_precision([found], [large])["map_small"] == pytest.approx(1 / 3)
    assert mean_average_precision([found], [large | {"area": dv.tensor([50.0, 500.0])}])["map_large"] == -1


def test_masks_count_where_boxes_are_the_same():
    truth, found = scene((0, 0, 4, 4, 1)), scene((0, 0, 4, 4, 1, 0.9))
    mask = dv.zeros(1, 4, 4, dtype=dv.uint8)
    mask[:, :, :2] = 1
    half = dv.zeros(1, 1, 4, 4)  # probabilities, as Mask R-CNN gives them
    half[:, :, :3, :2] = 0.8
    got = mean_average_precision([found | {"masks": half}], [truth | {"masks": mask}], "segm")
    assert got["map"] == pytest.approx(0.6) and got["map_50"] == pytest.approx(1)  # IoU 0.75: six of ten thresholds
    assert mean_average_precision([found], [truth])["map"] == pytest.approx(1)


def test_images_without_objects_or_answers():
    truth, found = scene((0, 0, 10, 10, 1)), scene((0, 0, 10, 10, 1, 0.9))
    metric = MeanAveragePrecision()
    assert metric.compute() == -1 and set(metric.summary().values()) == {-1.0}
    metric.update([NOTHING], [scene()])
    assert metric.compute() == -1
    metric.update([NOTHING, found], [truth, scene()])
    assert metric.compute() == 0
    metric.update([found], [truth])
    assert 0 < metric.compute() < 1 and metric([found], [truth]) == pytest.approx(1)
    metric.reset()
    assert metric.compute() == -1
    masks = MeanAveragePrecision("segm")
    masks.update([NOTHING | {"masks": dv.zeros(0, 1, 4, 4)}], [truth | {"masks": dv.ones(1, 4, 4)}])
    assert masks.compute() == 0


def test_thresholds_and_numbers_of_ones_own():
    truth = scene((0, 0, 10, 10, 1), (20, 0, 30, 10, 1))
    metric = MeanAveragePrecision(iou_thresholds=[0.3], max_detections=(1, 2, 3))
    metric.update([scene((0, 0, 10, 4, 1, 0.9), (20, 0, 30, 10, 1, 0.8))], [truth])
    got = metric.summary()
    assert got["map"] == pytest.approx(1) and got["map_50"] == -1 and (got["mar_1"], got["mar_2"], got["mar_3"]) == (0.5, 1, 1)


@pytest.mark.parametrize(
    "output, target, kind, text",
    [
        ([], [scene()], RangeError, "there are 0 outputs and 1 targets; expected as many"),
        ([scene()], [scene()], ValueRangeError, "output has no 'scores', but boxes, labels"),
        (
            [scene((0, 0, 1, 1, 1, 0.5)) | {"boxes": dv.zeros(2, 4)}],
            [scene()],
            ShapeError,
            r"boxes of output has shape \(2, 4\); expected \(1, 4\)",
        ),
        ([NOTHING], [scene() | {"labels": dv.zeros(2, 2)}], ShapeError, r"labels of target has shape \(2, 2\); expected \(N\)"),
    ],
)
def test_what_does_not_fit_is_refused(output, target, kind, text):
    with pytest.raises(kind, match=f"MeanAveragePrecision: {text}"):
        MeanAveragePrecision().update(output, target)


def test_options_out_of_range():
    with pytest.raises(ValueRangeError, match='iou_type is \'box\'; expected "bbox", "segm" or "keypoints"'):
        MeanAveragePrecision("box")
    with pytest.raises(ValueRangeError, match=r"max_detections is \(3, 1, 2\); expected three rising numbers"):
        MeanAveragePrecision(max_detections=(3, 1, 2))
    metric = MeanAveragePrecision()
    metric.update([NOTHING], [scene((0, 0, 9, 9, 4))])
    with pytest.raises(RangeError, match=r"label is 5 and iou 0.5; expected one of \[4\]"):
        metric.curve(5)
    one, two = scene((0, 0, 4, 4, 1, 0.5)) | {"masks": dv.ones(1, 4, 4)}, scene((0, 0, 4, 4, 1)) | {"masks": dv.ones(1, 4, 5)}
    with pytest.raises(ShapeError, match=r"masks of output have shape \(1, 4, 4\) and of target \(1, 4, 5\)"):
        MeanAveragePrecision("segm").update([one], [two])


def test_key_points_by_hand():
    there = {"boxes": dv.tensor([[0.0, 0, 40, 40]]), "labels": dv.tensor([1]), "keypoints": dv.tensor([[[10.0, 10, 2], [30, 30, 0]]])}
    found = there | {"scores": dv.tensor([0.9]), "keypoints": dv.tensor([[[10.0, 10, 1], [0, 0, 1]]])}  # the second is not marked
    metric = MeanAveragePrecision("keypoints", sigmas=[0.1, 0.1])
    assert metric.summary()["map"] == -1
    metric.update([found], [there])
    assert metric.summary() == pytest.approx(dict.fromkeys(metric.summary(), 1.0) | {"map_large": -1.0, "mar_large": -1.0})
    with pytest.raises(ShapeError, match=r"keypoints of output has shape \(1, 2, 3\); expected \(1, 17, 3\)"):
        MeanAveragePrecision("keypoints").update([found], [there])
