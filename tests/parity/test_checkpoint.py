"""Checkpointed parts draw and compute as PyTorch's; so does the sampler of one process among several."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest
import torch

import dovetail as dv


def _trained(T: Any, reentrant: bool) -> list[Any]:
    checkpoint = importlib.import_module(f"{T.__name__}.utils.checkpoint")
    T.manual_seed(0)
    nn = T.nn
    net = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.GELU(), nn.Linear(8, 4), nn.Tanh(), nn.Dropout(0.3))
    x = T.randn(3, 4, requires_grad=True)
    y = checkpoint.checkpoint(net, x, use_reentrant=reentrant)
    between = T.rand(1)
    (y * y).sum().backward()
    checkpoint.checkpoint_sequential(net, 3, x, use_reentrant=reentrant).sum().backward()
    return [y, x.grad, *(p.grad for p in net.parameters()), between, T.rand(1)]


@pytest.mark.parametrize("reentrant", [True, False])
def test_values_gradients_and_random_numbers(reentrant: bool) -> None:
    for mine, other in zip(_trained(dv, reentrant), _trained(torch, reentrant), strict=True):
        np.testing.assert_allclose(mine.detach().numpy(), other.detach().numpy(), rtol=1e-5, atol=1e-6)


def test_second_gradients() -> None:
    found = []
    for T in (dv, torch):
        checkpoint = importlib.import_module(f"{T.__name__}.utils.checkpoint").checkpoint
        x = T.tensor([0.5, 1.5], requires_grad=True)
        y = checkpoint(lambda a, b, c=checkpoint: c(lambda t: (t * b).sin(), a, use_reentrant=False).exp(), x, b=3, use_reentrant=False)
        (g,) = T.autograd.grad(y.sum(), x, create_graph=True)
        found.append([g.tolist(), T.autograd.grad(g.sum(), x)[0].tolist()])
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5)


@pytest.mark.parametrize("size", [1, 7, 12])
@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("shuffle", [False, True])
def test_distributed_sampler(size: int, drop_last: bool, shuffle: bool) -> None:
    orders = []
    for T in (dv, torch):
        sampler = importlib.import_module(f"{T.__name__}.utils.data.distributed").DistributedSampler
        for rank in range(3):
            one = sampler(range(size), 3, rank, shuffle, 5, drop_last)
            one.set_epoch(2)
            orders.append((T.__name__, len(one), list(one)))
    assert [o[1:] for o in orders[:3]] == [o[1:] for o in orders[3:]]
