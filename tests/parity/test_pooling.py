"""Positions and gradients of max pooling where windows hold NaN and infinities, and nothing above the border."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import dovetail as dv


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16"])
@pytest.mark.parametrize(("padding", "dilation", "ceil_mode"), [(0, 1, False), (1, 1, False), (1, 2, False), (1, 1, True)])
def test_max_pool_of_extremes(padding: int, dilation: int, ceil_mode: bool, dtype: str) -> None:
    x = np.random.RandomState(0).randn(2, 2, 7, 8)
    x[0, :, :4], x[1, 0, 2, 2], x[1, 1, :3, :3] = -np.inf, np.nan, np.inf
    found = []
    for lib in (torch, dv):
        leaf = lib.tensor(x, dtype=getattr(lib, dtype), requires_grad=True)
        values, at = lib.nn.functional.max_pool2d(leaf, 3, 2, padding, dilation, ceil_mode, True)
        values.backward(lib.arange(values.numel(), dtype=values.dtype).reshape(values.shape) % 64)
        found.append([a.detach().double().numpy() for a in (values, at, leaf.grad)])
    for want, got in zip(*found, strict=True):
        np.testing.assert_array_equal(got, want)
