"""Whole programs as scripts, in processes of their own: with PyTorch, and under `dovetail run-torch`. Losses and prints must agree.

Nothing in programs/ names us: each is what a stranger would bring. A NumPy warning of ours ends a program (see benchmarks/programs.py).
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import dovetail as dv
import dovetail_torch
from benchmarks.programs import PROGRAMS, TWELVE, Pytorch, compare, under_dovetail

#: Names without which a program cannot run; where one is not there yet, neither is the program's test.
NEEDS = {"gat": "sparse_coo_tensor", "matrix_factorization": "sparse_coo_tensor", "ctc_speech": "stft"}
OTHERS = [path for path in PROGRAMS if path.stem not in TWELVE]


@pytest.fixture(scope="module")
def pytorch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pytorch]:
    server = Pytorch(tmp_path_factory.mktemp("programs"))
    yield server
    server.close()


@pytest.fixture
def program(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    if path.stem in NEEDS and not hasattr(dv, NEEDS[path.stem]):
        pytest.skip(f"needs {NEEDS[path.stem]}")
    return path


def each(paths: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("program", paths, ids=lambda path: path.stem, indirect=True)


def test_there_are_the_twelve_and_as_many_again() -> None:
    names = {path.stem for path in PROGRAMS}
    assert names.issuperset(TWELVE) and len(TWELVE) == 12 and len(names) >= 40 and names.issuperset(NEEDS)


@each([path for path in PROGRAMS if path.stem in TWELVE])
def test_the_well_known_agree_in_both_types(program: Path, pytorch: Pytorch) -> None:
    found = compare(program, pytorch)
    assert found.losses >= 50
    assert found.double <= 1e-6, f"in float64 the losses are {found.double:.1e} apart"
    assert found.times is not None and found.times <= 10, f"in float32 {found.times:.1f} times PyTorch's own drift"
    assert found.alike, "the prints differ"


@each(OTHERS)
def test_a_program_gives_the_same_losses_and_prints_the_same(program: Path, pytorch: Pytorch) -> None:
    found = compare(program, pytorch)
    assert found.losses >= 20
    assert found.double <= 1e-6, f"in float64 the losses are {found.double:.1e} apart"
    assert found.alike, "the prints differ"


@pytest.mark.soak
@each(OTHERS)
def test_in_float32_the_losses_stay_together(program: Path, pytorch: Pytorch) -> None:
    mine, expected = under_dovetail(program).losses, pytorch.run(program).losses
    first = slice(0, 10)  # rounding grows from step to step; at first it has had no time to
    np.testing.assert_allclose(mine[first], expected[first], rtol=1e-4, atol=1e-6)


@each(PROGRAMS)
def test_the_report_finds_nothing_missing_in_a_program_that_runs(program: Path) -> None:
    missing = {name.name for name in dovetail_torch.report(program.read_text(encoding="utf-8")).missing}
    assert missing <= {"torch.cuda.FloatTensor", "torch.cuda.is_bf16_supported"}  # which are asked only where there is CUDA


def test_install_leaves_torch_as_it_was() -> None:
    dovetail_torch.install()
    try:
        assert importlib.import_module("torch.nn") is dv.nn
    finally:
        dovetail_torch.uninstall()
    assert sys.modules["torch"] is torch and importlib.import_module("torch.nn") is torch.nn
