"""What is timed computes the same in every framework: each case at small sizes, after one step and after three."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

import dovetail as dv
from benchmarks.duel import Side, worst_difference
from benchmarks.peers.parts import parts
from benchmarks.training import COLUMNS
from benchmarks.workloads import CASES, tolerance

SIZES: dict[str, dict[str, int]] = {
    "ResNet-18 training": {"batch": 4, "width": 8, "size": 16}, "ResNet-18 inference": {"batch": 2, "width": 8, "size": 16},
    "MNIST CNN": {"batch": 4, "width": 4}, "MNIST CNN, dropout": {"batch": 4, "width": 4}, "MLP 784-256-10": {"batch": 4, "width": 16},
    "MLP 4-128-128-2": {"batch": 4, "width": 8}, "VAE": {"batch": 4, "width": 16},
    "GPT training": {"batch": 2, "length": 8, "width": 32, "blocks": 2},
    "GPT inference": {"batch": 2, "length": 8, "width": 32, "blocks": 2},
    "LSTM": {"batch": 3, "length": 5, "width": 8}, "chain 8x8": {"times": 5, "size": 3}, "chain 8x8, forward": {"times": 5, "size": 3},
}  # fmt: skip


def computed(torch: Any, case: str, steps: int, **how: Any) -> list[float]:
    torch.manual_seed(0)
    built = CASES[case](torch, **how, **SIZES[case])
    for _ in range(steps):
        built.step()
    return built.result()


def test_every_case_has_its_sizes() -> None:
    assert SIZES.keys() == CASES.keys()


@pytest.mark.parametrize("case", CASES)
def test_ours_is_pytorchs(case: str) -> None:
    torch = pytest.importorskip("torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        theirs = computed(torch, case, 1)
    finally:
        torch.set_num_threads(threads)
    assert len(theirs) > 1 and worst_difference(computed(dv, case, 1), theirs) <= tolerance(case)


@pytest.mark.parametrize("case", CASES)
def test_what_is_compiled_computes_the_same(case: str) -> None:
    if "dropout" in case:
        pytest.skip("masks differ from step to step")
    assert worst_difference(computed(dv, case, 3, compiled=dv.compile), computed(dv, case, 3)) <= tolerance(case)


@pytest.mark.parametrize("case", CASES)
def test_without_winograds_transforms_the_same(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if case not in COLUMNS["exact"].cases:
        pytest.skip("no convolutions")
    usual = computed(dv, case, 1)
    monkeypatch.setattr(dv.backends.cpu, "winograd", "off")
    assert worst_difference(computed(dv, case, 1), usual) <= tolerance(case)


@pytest.mark.parametrize("case", COLUMNS["jax"].cases)
def test_jax_agrees(case: str) -> None:
    jax = pytest.importorskip("jax")
    peer = importlib.import_module(Side("jax").module)
    built = peer.CASES[case](jax, **SIZES[case])
    for _ in range(3):
        built.step()
    assert worst_difference(built.result(), computed(dv, case, 3)) <= tolerance(case)


def test_a_peer_begins_where_we_do() -> None:
    weights, inputs = parts("MLP 4-128-128-2", {"batch": 4, "width": 8})
    dv.manual_seed(0)
    built = CASES["MLP 4-128-128-2"](dv, batch=4, width=8)
    assert [name for name, _ in built.model.named_parameters()] == list(weights)
    assert all((p.detach().numpy() == weights[name]).all() for name, p in built.model.named_parameters())
    assert (inputs[0] == built.inputs[0].numpy()).all()
