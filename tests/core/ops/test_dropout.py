"""Dropout and Gumbel-softmax, whose results are random: frequencies, gradients, and what they leave alone."""

from __future__ import annotations

import numpy as np
import pytest

import dovetail as dv
from dovetail.nn import functional as F


def ones(*shape: int) -> dv.Tensor:
    return dv.ones(*shape, dtype=dv.float64, requires_grad=True)


def test_elements_are_dropped_and_the_rest_scaled() -> None:
    dv.manual_seed(0)
    x = ones(200, 200)
    y = F.dropout(x, 0.3)
    assert set(np.unique(y.detach().numpy())) == {0.0, 1 / 0.7}
    assert abs(float((y == 0).float().mean()) - 0.3) < 0.01
    (y * y).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * y.detach().numpy() / 0.7 * (y != 0).numpy())


def test_the_seed_decides_the_mask() -> None:
    masks = []
    for seed in (1, 1, 2):
        dv.manual_seed(seed)
        masks.append(F.dropout(ones(50)).detach().numpy())
    assert np.array_equal(masks[0], masks[1]) and not np.array_equal(masks[0], masks[2])


@pytest.mark.parametrize(("function", "shape"), [(F.dropout1d, (30, 8, 4)), (F.dropout2d, (30, 8, 2, 2)), (F.dropout3d, (30, 8, 2, 1, 2))])
def test_whole_channels(function: object, shape: tuple[int, ...]) -> None:
    y = function(ones(*shape), 0.5).detach().numpy().reshape(*shape[:2], -1)  # type: ignore[operator]
    assert (y == y[..., :1]).all()
    assert 0.3 < (y == 0).mean() < 0.7


@pytest.mark.parametrize("function", [F.alpha_dropout, F.feature_alpha_dropout])
def test_alpha_keeps_mean_and_variance(function: object) -> None:
    dv.manual_seed(3)
    y = function(dv.randn(400, 400), 0.3, training=True)  # type: ignore[operator]
    assert abs(float(y.mean())) < 0.02
    assert abs(float(y.var()) - 1) < 0.05


def test_in_place_and_identity() -> None:
    x = dv.ones(20)
    assert F.dropout(x, 0.5, training=False) is x
    assert F.dropout(x, 0.5, inplace=True) is x
    assert set(x.tolist()) <= {0.0, 2.0}
    assert not F.dropout(dv.ones(5), 1.0).any()


def test_second_derivative_uses_the_same_mask() -> None:
    x = ones(40)
    y = F.dropout(x * x, 0.5)
    (g,) = dv.autograd.grad(y.sum(), [x], create_graph=True)
    (h,) = dv.autograd.grad(g.sum(), [x])
    np.testing.assert_array_equal(h.numpy(), 2 * y.detach().numpy())


def test_gumbel_softmax_draws_by_the_logits() -> None:
    dv.manual_seed(5)
    logits = dv.tensor([0.2, 0.3, 0.5]).log().expand(20000, 3).clone().requires_grad_()
    y = F.gumbel_softmax(logits, hard=True)
    np.testing.assert_allclose(y.detach().mean(0).numpy(), [0.2, 0.3, 0.5], atol=0.015)
    assert (y.detach().sum(-1) - 1).abs().max() < 1e-6
    (y * dv.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert float(logits.grad.abs().max()) > 0  # the gradient is that of the soft sample
