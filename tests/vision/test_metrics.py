"""Figures of answers: accuracy, the confusion matrix, curves, and their running forms."""

from __future__ import annotations

import math

import pytest

import dovetail
from dovetail.errors import RangeError, ShapeError
from dovetail_vision.metrics import (
    Accuracy,
    AveragePrecision,
    ConfusionMatrix,
    Metric,
    accuracy,
    average_precision,
    confusion_matrix,
    f1_score,
    precision,
    precision_recall_curve,
    recall,
)


def test_accuracy_from_scores_and_from_answers():
    scores, labels = dovetail.tensor([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]]), dovetail.tensor([1, 1, 1])
    assert accuracy(scores, labels) == accuracy(scores.argmax(1), labels) == 2 / 3


def test_accuracy_of_nothing():
    assert math.isnan(accuracy(dovetail.zeros(0, 3), dovetail.zeros(0, dtype=dovetail.int64)))


def test_confusion_matrix_counts_rows_by_label():
    table = confusion_matrix(dovetail.tensor([2, 2, 0, 1]), dovetail.tensor([0, 0, 0, 1]), 3)
    assert table.dtype == dovetail.int64
    assert table.tolist() == [[1, 0, 2], [0, 1, 0], [0, 0, 0]]


def test_confusion_matrix_of_nothing():
    empty = dovetail.zeros(0, dtype=dovetail.int64)
    assert confusion_matrix(empty, empty, 2).tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize("answers, labels, name", [([0, 3], [0, 1], "output holds 0 to 3"), ([0, 1], [-1, 1], "target holds -1 to 1")])
def test_classes_out_of_range(answers, labels, name):
    with pytest.raises(RangeError, match=f"confusion_matrix: {name}; expected 0 to 2"):
        confusion_matrix(dovetail.tensor(answers), dovetail.tensor(labels), 3)


def test_shapes_that_do_not_fit():
    with pytest.raises(ShapeError, match=r"accuracy: output has shape \(2, 3\) and target \(3,\)"):
        accuracy(dovetail.zeros(2, 3), dovetail.zeros(3, dtype=dovetail.int64))


def test_accuracy_of_the_best_few():
    scores = dovetail.tensor([[0.1, 0.3, 0.6], [0.5, 0.4, 0.1], [0.2, 0.7, 0.1]])
    labels = dovetail.tensor([1, 2, 1])
    assert [accuracy(scores, labels, topk) for topk in (1, 2, 3)] == [1 / 3, 2 / 3, 1.0]
    assert math.isnan(accuracy(dovetail.zeros(0, 3), dovetail.zeros(0, dtype=dovetail.int64), 2))
    for output, topk in ((scores, 4), (scores, 0), (labels, 2)):
        with pytest.raises(RangeError, match=f"accuracy: topk is {topk} and output has shape .*; expected scores"):
            accuracy(output, labels, topk)


def test_precision_recall_and_f1():
    answers, labels = dovetail.tensor([0, 0, 1, 1, 1, 2]), dovetail.tensor([0, 1, 1, 1, 2, 2])
    assert precision(answers, labels, 4).tolist() == [0.5, 2 / 3, 1.0, 0.0]
    assert recall(answers, labels, 4).tolist() == [1.0, 2 / 3, 0.5, 0.0]
    assert f1_score(answers, labels, 4).tolist() == pytest.approx([2 / 3, 2 / 3, 2 / 3, 0.0])


def test_labels_that_do_not_count():
    table = confusion_matrix(dovetail.tensor([0, 1, 1, 7]), dovetail.tensor([0, 1, 0, 255]), 2, ignore_index=255)
    assert table.tolist() == [[1, 1], [0, 1]]


def test_scores_of_pixels():
    scores = dovetail.rand(2, 5, 6, 7)
    labels = dovetail.randint(0, 5, (2, 6, 7))
    flat = scores.permute(0, 2, 3, 1).reshape(-1, 5)
    assert confusion_matrix(scores, labels, 5).tolist() == confusion_matrix(flat, labels.flatten(), 5).tolist()
    assert accuracy(scores, labels) == accuracy(flat, labels.flatten())
    assert accuracy(scores, labels, 3) == accuracy(flat, labels.flatten(), 3)


def test_running_figures_are_those_of_all_batches_together():
    scores, labels = dovetail.rand(50, 4), dovetail.randint(0, 4, (50,))
    positive, best = labels == 1, scores[:, 1]
    cases = [
        (Accuracy(), scores, labels, accuracy(scores, labels)),
        (Accuracy(2), scores, labels, accuracy(scores, labels, 2)),
        (ConfusionMatrix(4), scores, labels, confusion_matrix(scores, labels, 4).tolist()),
        (AveragePrecision(), best, positive, average_precision(best, positive)),
    ]
    for metric, output, target, want in cases:
        for _ in range(2):
            for rows in range(0, 50, 17):
                metric.update(output[rows : rows + 17], target[rows : rows + 17])
            got = metric.compute()
            assert (got.tolist() if isinstance(got, dovetail.Tensor) else got) == want
            metric(output[:3], target[:3])  # of these alone
            again = metric.compute()
            assert (again.tolist() if isinstance(again, dovetail.Tensor) else again) == want
            metric.reset()
    assert math.isnan(Accuracy().compute()) and math.isnan(AveragePrecision().compute())


def test_a_metric_of_ones_own_says_what_it_lacks():
    with pytest.raises(NotImplementedError, match="Metric does not define reset"):
        Metric()


def test_precision_and_recall_over_thresholds():
    scores, target = dovetail.tensor([0.9, 0.7, 0.7, 0.4, 0.1]), dovetail.tensor([1, 1, 0, 1, 0])
    share, found, thresholds = precision_recall_curve(scores, target)
    assert share.tolist() == [3 / 5, 3 / 4, 2 / 3, 1.0, 1.0]
    assert found.tolist() == [1.0, 1.0, 2 / 3, 1 / 3, 0.0]
    assert thresholds.tolist() == pytest.approx([0.1, 0.4, 0.7, 0.9])
    assert average_precision(scores, target) == pytest.approx(1 / 3 + 2 / 9 + 3 / 12)
    metric = AveragePrecision()
    metric.update(scores, target)
    assert [part.tolist() for part in metric.curve()] == [part.tolist() for part in (share, found, thresholds)]


def test_curves_without_positives_and_of_nothing():
    none = dovetail.zeros(3)
    assert average_precision(none, none) == 0 and precision_recall_curve(none, none)[1].tolist() == [1.0, 0.0]
    empty = dovetail.zeros(0)
    assert math.isnan(average_precision(empty, empty))
    with pytest.raises(ShapeError, match=r"average_precision: scores have shape \(2, 3\) and target \(2,\).*take one class at a time"):
        average_precision(dovetail.zeros(2, 3), dovetail.zeros(2))
