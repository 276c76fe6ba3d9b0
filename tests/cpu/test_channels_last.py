"""Kernels on images in channels-last order: the numbers of the same images in the order NCHW, lying as they lie."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import dovetail as dv

F = dv.nn.functional
CALLS: dict[str, Callable[..., Any]] = {
    "batch_norm": lambda x, w, s, k: F.batch_norm(x, None, None, s, s + 1, training=True),
    "batch_norm without weights": lambda x, w, s, k: F.batch_norm(x, None, None, training=True),
    "batch_norm of given statistics": lambda x, w, s, k: F.batch_norm(x, s.detach(), s.detach() ** 2 + 1, s, s),
    "conv2d": lambda x, w, s, k: F.conv2d(x, w, s, padding=1),
    "conv2d with a stride": lambda x, w, s, k: F.conv2d(x, w, None, stride=2),
    "depthwise conv2d": lambda x, w, s, k: F.conv2d(x, k, s, padding=1, groups=x.shape[1]),
    "1x1 conv2d": lambda x, w, s, k: F.conv2d(x, w[:, :, :1, :1]),
    "conv_transpose2d": lambda x, w, s, k: F.conv_transpose2d(x, w, None, 2),
    "max_pool2d": lambda x, w, s, k: F.max_pool2d(x, 3, 2, 1),
    "avg_pool2d": lambda x, w, s, k: F.avg_pool2d(x, 2),
    "interpolate": lambda x, w, s, k: F.interpolate(x, scale_factor=2, mode="bilinear"),
    "pad": lambda x, w, s, k: F.pad(x, (1, 2, 0, 1), mode="reflect"),
    "relu": lambda x, w, s, k: F.relu(x),
}


@pytest.mark.parametrize("shape", [(2, 3, 5, 7), (3, 17, 8, 6), (1, 64, 9, 9), (40, 5, 12, 12)])
@pytest.mark.parametrize("kind", [dv.float32, dv.float64])
@pytest.mark.parametrize("call", CALLS)
def test_same_numbers_in_the_same_order(call: str, kind: Any, shape: Any, threads: int) -> None:
    dv.manual_seed(3)
    c = shape[1]
    drawn = [dv.randn(n, dtype=kind) for n in (shape, (c, c, 3, 3), (c,), (c, 1, 3, 3))]
    found = []
    for last in (False, True):
        given = [t.clone().requires_grad_() for t in drawn]
        images = given[0].contiguous(memory_format=dv.channels_last) if last else given[0]
        out = CALLS[call](images, *given[1:])
        assert out.is_contiguous(memory_format=dv.channels_last if last else dv.contiguous_format)
        (out * dv.arange(out.numel(), dtype=kind).reshape(out.shape).cos()).sum().backward()
        found.append([out.detach(), *(t.grad for t in given if t.grad is not None)])
    tolerance = 2e-4 if kind == dv.float32 else 1e-11
    for one, other in zip(*found, strict=True):
        assert (one - other).abs().max() <= tolerance * max(1, one.abs().max())


def test_channels_in_a_long_batch_keep_their_digits() -> None:
    """The mean and variance of 200,000 values near 1,000 are as good as in double precision."""
    x = dv.randn(200_000, 3, generator=dv.Generator().manual_seed(0)) + 1000
    mean, var = dv.zeros(3), dv.ones(3)
    out = F.batch_norm(x, mean, var, training=True, momentum=1.0)
    wide = x.double()
    assert (mean - wide.mean(0)).abs().max() < 1e-3 and (var - wide.var(0)).abs().max() < 1e-4
    assert (out - ((wide - wide.mean(0)) / (wide.var(0, correction=0) + 1e-5).sqrt())).abs().max() < 2e-3
