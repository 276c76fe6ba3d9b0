"""Collectives in a world of one process, beside PyTorch's gloo: the same answers, and errors of the same class."""

from __future__ import annotations

import importlib

import pytest
import torch

import dovetail as dv
from tests.parity.both import category

CASES = """
d.all_gather([T.ones(2,dtype=T.float64)], T.ones(2))
d.all_gather([T.ones(2,3)], T.ones(3))
d.all_gather([T.ones(3)], T.ones(1))
d.all_gather([T.ones(2)],T.ones(2),async_op=True).wait()
d.gather(T.ones(2),[T.ones(2,dtype=T.float64)])
d.gather(T.ones(2),[T.ones(3)])
d.scatter(T.ones(2),[T.ones(2,dtype=T.float64)])
d.scatter(T.ones(2),[T.ones(3)])
d.scatter(T.ones(2,3),[T.ones(3)])
d.reduce_scatter(T.ones(2),[T.ones(2,dtype=T.float64)])
d.all_gather_into_tensor(T.ones(4),T.ones(2))
d.all_gather_into_tensor(T.ones(2,dtype=T.float64),T.ones(2))
d.all_gather_into_tensor(T.ones(1,2),T.ones(2))
d.reduce_scatter_tensor(T.ones(2),T.ones(2,dtype=T.float64))
d.reduce_scatter_tensor(T.ones(2),T.ones(4))
d.all_to_all_single(T.ones(2),T.ones(2))
d.all_to_all_single(T.ones(2),T.ones(2),[2],[2])
d.all_to_all_single(T.ones(2),T.ones(2),[1],[2])
d.all_to_all_single(T.ones(2),T.ones(2),[1,1],[2])
d.all_to_all_single(T.ones(2),T.ones(3))
d.all_to_all_single(T.ones(2,dtype=T.float64),T.ones(2))
d.all_to_all([T.ones(2)],[T.ones(2)])
d.all_to_all([T.ones(2)],[T.ones(3)])
d.all_reduce(T.ones(2),d.ReduceOp.AVG)
d.all_reduce(T.ones(2),d.ReduceOp.MAX)
d.all_reduce(T.ones(2),d.ReduceOp.BAND)
d.all_reduce(3)
d.broadcast(T.ones(2),1)
d.broadcast(T.ones(2),0)
d.reduce(T.ones(2),3)
d.all_gather([],T.ones(2))
d.all_gather([T.ones(2),T.ones(2)],T.ones(2))
"""


@pytest.fixture(scope="module", autouse=True)
def world():
    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    dv.distributed.init_process_group("gloo", rank=0, world_size=1)
    yield
    dv.distributed.destroy_process_group()
    torch.distributed.destroy_process_group()


def answer(T, text):
    try:
        return eval(text, {"T": T, "d": T.distributed}), None  # noqa: S307 - a row of the table above
    except Exception as error:
        return None, error


@pytest.mark.parametrize("text", CASES.strip().splitlines())
def test_same(text: str) -> None:
    (mine, error), (other, expected) = answer(dv, text), answer(torch, text)
    assert (error is None) == (expected is None), f"ours: {error or mine}; PyTorch's: {expected or other}"
    if expected is not None:
        assert isinstance(error, category(expected)), f"{error!r}; PyTorch raises {expected!r}"
    else:
        assert mine == other


def through(T):
    """What `distributed.nn` gives in a world of one, and the gradients that pass through it."""
    nn, found = importlib.import_module(f"{T.__name__}.distributed.nn"), []
    x = T.arange(4.0).requires_grad_()
    for y in (
        nn.all_reduce(x * 2), nn.all_gather(x * x)[0], nn.broadcast(x * 3, 0), nn.functional.reduce(x * x, 0),
        nn.all_to_all([T.empty(4)], [x * 5])[0], nn.reduce_scatter(T.empty(4), [x * x]),
    ):  # fmt: skip
        found += [y.tolist(), *(g.tolist() for g in T.autograd.grad((y * T.arange(4.0)).sum(), x))]
    return found


def test_gradients_pass_through_collectives() -> None:
    assert through(dv) == through(torch)
