"""Accuracy and the confusion matrix."""

from __future__ import annotations

import math

import pytest

import dovetail
from dovetail.errors import RangeError, ShapeError
from dovetail_vision.metrics import accuracy, confusion_matrix, f1_score, precision, recall


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
