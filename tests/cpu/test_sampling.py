"""grid_sample and its gradients: against the reference at places within, at the edges and outside, and to the second derivative."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import dovetail as dv
import dovetail.nn.functional as F
from dovetail.autograd import gradgradcheck
from dovetail.ops._op import OPS
from dovetail_cpu import _native

KINDS = pytest.mark.parametrize("kind", ["f4", "f8"])
HOW = pytest.mark.parametrize(
    "mode, padding, corners", list(itertools.product(("bilinear", "nearest"), ("zeros", "border", "reflection"), (True, False)))
)
OUTSIDE = ("zeros", "border", "reflection")


def beside(image: np.ndarray, grid: np.ndarray, mode: str, padding: str, corners: bool, units: float = 64) -> None:
    """The kernel's result and gradients beside those of the reference, which is ops."""
    op = OPS["grid_sampler"].reference
    x, at = dv.from_numpy(image), dv.from_numpy(grid)
    how = (mode == "nearest", OUTSIDE.index(padding), corners)
    out = _native.grid_sampler(image, grid, *how)
    g = np.random.default_rng(1).standard_normal(out.shape).astype(image.dtype)
    rule = op.rules[None].function
    wanted = [op.forward(image, grid, mode, padding, corners)]
    wanted += [t.numpy() for t in rule(dv.from_numpy(g), x, at, mode, padding, corners, (True, True))]
    found = [out, *(_native.grid_sampler_grad(g, image, grid, *how, by_grid) for by_grid in (False, True))]
    for one, other in zip(found, wanted, strict=True):
        assert one.dtype == other.dtype and one.shape == other.shape
        close = units * np.finfo(image.dtype).eps
        np.testing.assert_allclose(one, other, rtol=close, atol=close * max(1.0, float(np.nanmax(np.abs(other), initial=0))))


@KINDS
@HOW
@pytest.mark.parametrize(
    "shape, size, reach",
    [((2, 3, 5, 7), (4, 6), 1.3), ((3, 1, 1, 1), (3, 3), 2.0), ((1, 5, 40, 33), (20, 31), 3.7), ((2, 2, 1, 9), (1, 1), 1.0)],
)
@pytest.mark.usefixtures("threads")
def test_places_anywhere(kind: str, mode: str, padding: str, corners: bool, shape: Any, size: Any, reach: float) -> None:
    draws = np.random.default_rng(0)
    image = draws.standard_normal(shape).astype(kind)
    beside(image, draws.uniform(-reach, reach, (shape[0], *size, 2)).astype(kind), mode, padding, corners, 4096)


@KINDS
@HOW
def test_places_at_pixels_and_edges(kind: str, mode: str, padding: str, corners: bool) -> None:
    """At whole and half pixels, where which pixel is nearest and which way a slope goes is decided."""
    line = np.array([-3, -2, -1.5, -1, -0.75, -0.5, -0.25, 0, 0.25, 0.5, 0.75, 1, 1.5, 2, 3], kind)
    grid = np.stack(np.meshgrid(line, line), -1)[None]
    beside((np.arange(32.0).reshape(1, 2, 4, 4) ** 1.5).astype(kind), grid.astype(kind), mode, padding, corners)


@KINDS
@HOW
def test_places_that_are_no_numbers(kind: str, mode: str, padding: str, corners: bool) -> None:
    """Zeros take them as they are; with a padding what is no number counts as the first pixel, as PyTorch's."""
    nan, inf = np.nan, np.inf
    pairs = np.array([[nan, 0], [0, nan], [inf, 0], [0, -inf], [nan, nan], [1e30, -1e30], [0.3, -0.2]], kind)[None, None]
    image = np.arange(1.0, 17.0).reshape(1, 1, 4, 4).astype(kind)
    found = _native.grid_sampler(image, pairs, mode == "nearest", OUTSIDE.index(padding), corners)
    wanted = OPS["grid_sampler"].reference.forward(image, pairs, mode, padding, corners)
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
    assert np.isnan(found[0, 0, 0, :5]).tolist() == [padding == "zeros" and mode == "bilinear"] * 5
    for by_grid in (False, True):
        back = _native.grid_sampler_grad(np.ones_like(found), image, pairs, mode == "nearest", OUTSIDE.index(padding), corners, by_grid)
        assert back.shape == (pairs if by_grid else image).shape


def test_a_place_outside_reads_nothing_whatever_the_image_holds() -> None:
    image = np.full((1, 1, 2, 2), np.inf, "f4")
    grid = np.array([[[[5, 5], [-9, 0]]]], "f4")
    for nearest in (True, False):
        assert _native.grid_sampler(image, grid, nearest, 0, True).ravel().tolist() == [0, 0]


def test_through_the_public_function() -> None:
    """Layouts, calls that are the reference's, two derivatives, and only those gradients that are asked for."""
    draws = np.random.default_rng(3)
    x = dv.from_numpy(draws.standard_normal((2, 3, 6, 5)))
    grid = dv.from_numpy(draws.uniform(-1.2, 1.2, (2, 4, 7, 2)))
    plain = F.grid_sample(x, grid, align_corners=False)
    images = F.grid_sample(
        x.contiguous(memory_format=dv.channels_last), grid.transpose(1, 2).contiguous().transpose(1, 2), align_corners=False
    )
    assert images.is_contiguous() and dv.equal(images, plain)
    assert _native.grid_sampler(x.numpy().swapaxes(2, 3), grid.numpy(), False, 0, False) is NotImplemented
    assert F.grid_sample(x, grid, "bicubic", align_corners=False).shape == (2, 3, 4, 7)
    call = lambda x, grid: F.grid_sample(x, grid, padding_mode="reflection", align_corners=True) ** 2
    assert gradgradcheck(call, (x[:1, :1].clone().requires_grad_(), grid[:1, :2, :2].clone().requires_grad_()))
    for needs in ((True, False), (False, True)):
        a, b = x.clone().requires_grad_(needs[0]), grid.clone().requires_grad_(needs[1])
        F.grid_sample(a, b, align_corners=False).sum().backward()
        assert (a.grad is not None, b.grad is not None) == needs
