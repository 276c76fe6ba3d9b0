"""CTC against the sum over all alignments, and its gradient by the logits against finite differences."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

import dovetail as dv
from dovetail.errors import GradError
from dovetail.nn import functional as F


def collapse(path: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(k for k, _ in itertools.groupby(path) if k)


def by_paths(logp: np.ndarray, target: tuple[int, ...]) -> float:
    steps, classes = logp.shape
    paths = (p for p in itertools.product(range(classes), repeat=steps) if collapse(p) == target)
    return -math.log(sum(math.exp(sum(logp[t, c] for t, c in enumerate(p))) for p in paths) or 1e-300)


def log_softmax(x: np.ndarray) -> np.ndarray:
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


@pytest.mark.parametrize("target", [(1, 2), (1, 1), (2,), ()])
def test_sum_over_alignments(target: tuple[int, ...]) -> None:
    logp = log_softmax(np.random.RandomState(0).randn(4, 1, 3))
    labels = dv.tensor([[*target, 0]])
    loss = F.ctc_loss(dv.from_numpy(logp), labels, (4,), (len(target),), reduction="sum")
    np.testing.assert_allclose(float(loss), by_paths(logp[:, 0], target), rtol=1e-9)


@pytest.mark.parametrize("lengths", [((5, 5), (2, 3)), ((5, 3), (2, 1)), ((4, 5), (0, 3))])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_gradient_by_the_logits(lengths: tuple[tuple[int, int], tuple[int, int]], reduction: str) -> None:
    x = np.random.RandomState(1).randn(5, 2, 4)
    labels = dv.tensor([[1, 2, 3], [2, 2, 1]])

    def loss(a: np.ndarray) -> dv.Tensor:
        t = dv.from_numpy(a).requires_grad_()
        out = F.ctc_loss(t.log_softmax(-1), labels, *lengths, reduction=reduction)
        return out, t

    out, t = loss(x.copy())
    out.backward()
    numeric = np.empty_like(x)
    for i in np.ndindex(*x.shape):
        ends = []
        for step in (1e-6, -1e-6):
            moved = x.copy()
            moved[i] += step
            ends.append(float(loss(moved)[0].detach()))
        numeric[i] = (ends[0] - ends[1]) / 2e-6
    np.testing.assert_allclose(t.grad.numpy(), numeric, atol=1e-8)


def test_impossible_targets() -> None:
    logp = dv.from_numpy(log_softmax(np.zeros((2, 1, 3)))).requires_grad_()
    labels = dv.tensor([[1, 1]])  # needs a blank between: three steps
    assert float(F.ctc_loss(logp, labels, (2,), (2,)).detach()) == math.inf
    loss = F.ctc_loss(logp, labels, (2,), (2,), zero_infinity=True)
    loss.backward()
    assert float(loss.detach()) == 0 and not logp.grad.any()


def test_one_after_the_other_and_padded_targets_agree() -> None:
    logp = dv.from_numpy(log_softmax(np.random.RandomState(2).randn(6, 2, 4)))
    padded = F.ctc_loss(logp, dv.tensor([[1, 2, 3], [3, 1, 0]]), (6, 5), (3, 2))
    flat = F.ctc_loss(logp, dv.tensor([1, 2, 3, 3, 1]), (6, 5), (3, 2))
    assert float(padded) == float(flat)


def test_second_derivatives_are_refused() -> None:
    x = dv.zeros(3, 1, 2, requires_grad=True)
    loss = F.ctc_loss(x.log_softmax(-1), dv.tensor([[1]]), (3,), (1,))
    with pytest.raises(GradError, match="not implemented"):
        dv.autograd.grad(loss, [x], create_graph=True)
