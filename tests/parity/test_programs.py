"""Whole programs in plain PyTorch style, run twice: with PyTorch, and with `torch` standing for us. Losses and prints must agree.

Nothing in programs/ names us: each is what a stranger would bring. The runner changes what `import torch` means, nothing else.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import dovetail as dv
import dovetail_torch

PROGRAMS = sorted(Path(__file__).with_name("programs").glob("*.py"))


@contextlib.contextmanager
def ours_as_torch() -> Any:
    """For a while, `import torch` and what lies below gives dovetail."""
    dovetail_torch.install()
    try:
        yield
    finally:
        dovetail_torch.uninstall()


def run(path: Path, framework: Any, dtype: str) -> tuple[list[float], str]:
    """Run a program; give the losses it collected and what it printed, in neutral words."""
    spec = importlib.util.spec_from_file_location(f"program_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    before = framework.get_default_dtype()
    framework.set_default_dtype(getattr(framework, dtype))
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed), contextlib.nullcontext() if framework is torch else ours_as_torch():
            spec.loader.exec_module(module)
    finally:
        framework.set_default_dtype(before)
    return module.losses, re.sub(r"\b(torch|dovetail)\.", "", printed.getvalue())


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_a_program_gives_the_same_losses_and_prints_the_same(path: Path) -> None:
    expected, said = run(path, torch, "float64")
    losses, says = run(path, dv, "float64")
    assert len(expected) >= 20
    np.testing.assert_allclose(losses, expected, rtol=1e-6, atol=1e-9)
    assert says == said


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_in_float32_the_losses_stay_together(path: Path) -> None:
    losses, expected = run(path, dv, "float32")[0], run(path, torch, "float32")[0]
    first = slice(0, 10)  # rounding grows from step to step; at first it has had no time to
    np.testing.assert_allclose(losses[first], expected[first], rtol=1e-4, atol=1e-6)


def test_the_runner_leaves_torch_as_it_was() -> None:
    with ours_as_torch():
        assert importlib.import_module("torch.nn") is dv.nn
    assert sys.modules["torch"] is torch and importlib.import_module("torch.nn") is torch.nn
