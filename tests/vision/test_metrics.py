"""Accuracy and the confusion matrix."""

from __future__ import annotations

import math

import pytest

import dovetail
from dovetail.errors import RangeError, ShapeError
from dovetail_vision.metrics import accuracy, confusion_matrix


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
