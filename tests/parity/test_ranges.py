"""linspace beside PyTorch's, bit for bit: each number is rounded once, and counted from the nearer end."""

from __future__ import annotations

import numpy as np
import pytest

import dovetail as dv

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity


@pytest.mark.parametrize("kind", ["float32", "float64", "int32", "int64"])
def test_linspace(kind):
    draw = np.random.RandomState(0)
    for _ in range(300):
        start, end = draw.randn(2) * 10.0 ** draw.randint(-3, 4)
        steps = draw.randint(1, 80)
        got, want = dv.linspace(start, end, steps, dtype=getattr(dv, kind)), torch.linspace(start, end, steps, dtype=getattr(torch, kind))
        np.testing.assert_array_equal(got.numpy(), want.numpy(), err_msg=f"linspace({start}, {end}, {steps})")


@pytest.mark.parametrize("kind", ["uint8", "int8", "int16", "int32", "int64"])
def test_arange_of_fractions_among_integers(kind: str) -> None:
    """Only int64 cuts the bounds before it counts."""
    ends = [(0.0, -8.000001, -4.0), (1.0, 5.000001, 2.0), (-0.9, 2.1, 2.0), (2.1, -2.9, -1.0), (3.1,), (2.7, 9.2, 1.5)]
    for bounds in ends if kind != "uint8" else ends[1:3] + ends[4:]:
        got, want = dv.arange(*bounds, dtype=getattr(dv, kind)), torch.arange(*bounds, dtype=getattr(torch, kind))
        np.testing.assert_array_equal(got.numpy(), want.numpy(), err_msg=f"arange{bounds}")
