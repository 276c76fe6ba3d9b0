"""Copies in another order, borders and triangles, running products, and softmax over channels: against the reference."""

from __future__ import annotations

import math
from itertools import permutations
from typing import Any

import numpy as np
import pytest

import dovetail as dv
import dovetail.nn.functional as F
from dovetail.autograd import gradcheck, gradgradcheck
from dovetail.ops._op import OPS
from dovetail_cpu import _native, rearrange

pytestmark = pytest.mark.usefixtures("threads")


@pytest.mark.parametrize("kind", ["f4", "f8", "i4", "i8", "c8"])
def test_copies_of_every_layout(kind: str) -> None:
    draw = np.random.default_rng(0)
    for shape in [(1,), (300, 270), (2, 3, 40, 17), (5, 64, 33), (70, 3, 5), (16, 16, 16), (2, 0, 3), ()]:
        x = np.asarray(draw.standard_normal(shape) * 100).astype(kind)
        for order in permutations(range(len(shape))):
            turned = x.transpose(order)
            views = [turned, np.broadcast_to(turned, (3, *turned.shape))]
            if len(shape) > 1:
                views += [turned[::2], turned[:, ::-1], turned[..., 1:], turned[::-1, ..., ::3]]
            for view in views:
                found = _native.contiguous(view)
                assert found.flags.c_contiguous and found.dtype == kind
                np.testing.assert_array_equal(found, view)


def test_copies_that_no_kernel_moves() -> None:
    pair = np.zeros(4, [("a", "f4"), ("b", "f4"), ("c", "f4")])
    apart = np.frombuffer(bytearray(36), "u1")[:32].view("f8").reshape(4)
    odd = np.lib.stride_tricks.as_strided(apart, (3,), (4,))  # elements that overlap: no whole number of elements lies between
    assert _native.contiguous(pair) is NotImplemented and _native.contiguous(odd) is NotImplemented
    assert _native.contiguous(np.zeros(3, "M8[s]")) is NotImplemented and _native.contiguous(np.zeros(3, "f2")) is NotImplemented
    np.testing.assert_array_equal(_native.contiguous(pair["b"]), pair["b"])


def test_clones_lie_as_they_are_asked_to() -> None:
    x = dv.randn(2, 5, 3, 7).permute(0, 2, 1, 3)
    lasting = x.contiguous(memory_format=dv.channels_last)
    assert lasting.is_contiguous(memory_format=dv.channels_last) and (lasting == x).all()
    assert x.contiguous().is_contiguous() and (x.contiguous() == x).all()
    assert x.clone().stride() == x.stride()
    with pytest.raises(RuntimeError, match="required rank 4 tensor to use channels_last format"):
        x[0].contiguous(memory_format=dv.channels_last)


def test_gradients_that_lie_otherwise_become_contiguous() -> None:
    x = dv.randn(70, 50, requires_grad=True)
    g = dv.randn(50, 70)
    x.t().contiguous().backward(g)
    assert x.grad is not None and x.grad.is_contiguous() and (x.grad == g.t()).all()


def _sides(draw: np.random.Generator, shape: tuple[int, ...], mode: str) -> Any:
    """Borders of some of the last dimensions that the mode allows; None where what is drawn does not fit."""
    padded = int(draw.integers(1, len(shape) + 1))
    sides = ((0, 0),) * (len(shape) - padded) + tuple((int(a), int(b)) for a, b in draw.integers(-3, 5, (padded, 2)))
    for n, (a, b) in zip(shape, sides, strict=True):
        kept = n + min(a, 0) + min(b, 0)
        most = {"constant": math.inf, "replicate": math.inf, "reflect": n - 1, "circular": kept}[mode]
        if kept < 1 or n + a + b < 1 or max(a, b) > most:
            return None
    return sides


@pytest.mark.parametrize("kind", ["f4", "f8"])
@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
def test_borders(mode: str, kind: str) -> None:
    draw, served = np.random.default_rng(1), 0
    name, how = ("constant_pad_nd", 1.5) if mode == "constant" else ("border_pad", mode)
    for shape in [(5,), (3, 5), (2, 3, 4, 5), (3, 1, 5), (2, 2, 3, 4, 3), (2, 40, 37), (64, 70)]:
        for _ in range(60):
            sides = _sides(draw, shape, mode)
            if sides is None:
                continue
            x = draw.standard_normal(shape).astype(kind)
            x = np.asfortranarray(x) if draw.integers(2) else x
            want, found = OPS[name].reference.forward(x, sides, how), getattr(rearrange, name).forward(x, sides, how)
            if found is NotImplemented:  # what is only cut lies as the original did
                assert mode == "constant" and max(map(max, sides)) <= 0
                continue
            served += 1
            np.testing.assert_array_equal(found, want, err_msg=f"{shape} {sides}")
            if mode != "constant":
                g = draw.standard_normal(want.shape).astype(kind)
                want = OPS["border_pad_grad"].reference.forward(g, shape, sides, mode)
                found = rearrange.border_pad_grad.forward(g, shape, sides, mode)
                np.testing.assert_allclose(found, want, rtol=1e-5, atol=1e-5, err_msg=f"{shape} {sides}")
    assert served > 60


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
def test_borders_have_two_derivatives(mode: str) -> None:
    x = dv.randn(2, 4, 5, dtype=dv.float64, requires_grad=True)
    function = lambda x: F.pad(x, (2, -1, 1, 3), mode=mode) ** 3
    assert gradcheck(function, (x,)) and gradgradcheck(function, (x,))


def test_what_no_border_can_be() -> None:
    x = dv.randn(2, 3, 5)
    with pytest.raises(RuntimeError, match=r"wrapping around more than once \(padding \(4, -2\), dimension 2 of \[2, 3, 5\]\)"):
        F.pad(x, (4, -2), mode="circular")  # only three elements are left to go round
    with pytest.raises(RuntimeError, match="Padding size should be less than the corresponding input dimension"):
        F.pad(x, (5, 0), mode="reflect")


@pytest.mark.parametrize("kind", ["f4", "f8", "i8"])
def test_triangles(kind: str) -> None:
    draw = np.random.default_rng(2)
    for shape in [(1, 1), (7, 19), (3, 40, 17), (2, 2, 5, 70), (0, 3), (300, 131)]:
        x = (draw.standard_normal(shape) * 9).astype(kind)
        x[..., -1:] = x[..., -1:] * 0
        for diagonal in (-500, -2, -1, 0, 1, 3, 500):
            for view in (x, np.swapaxes(x, -1, -2)):
                np.testing.assert_array_equal(_native.tril(view, diagonal), np.tril(view, diagonal))
                np.testing.assert_array_equal(_native.triu(view, diagonal), np.triu(view, diagonal))
    assert _native.tril(np.ones(3), 0) is NotImplemented and _native.tril(np.ones((3, 3)), 10**30) is NotImplemented
    assert np.isfinite(_native.tril(np.full((3, 3), np.nan), -3)).all()


@pytest.mark.parametrize("kind", ["f4", "f8"])
def test_running_products(kind: str) -> None:
    draw = np.random.default_rng(3)
    rule = OPS["cumprod"].reference.rules[None].function
    for shape in [(1,), (300,), (9, 37), (3, 5, 70), (40, 4, 33), (2, 1, 3)]:
        for dim in range(-1, len(shape) - 1):
            x = draw.uniform(0.5, 1.5, shape).astype(kind)
            x[draw.random(shape) < 0.05] = 0
            g = draw.standard_normal(shape).astype(kind)
            tolerance = 1e-5 if kind == "f4" else 1e-12
            want = np.cumprod(x, axis=dim, dtype="f8")
            np.testing.assert_allclose(_native.cumprod(x, dim, None), want, rtol=tolerance)
            found = _native.cumprod_grad(g, x, dim)
            wide = [dv.from_numpy(a.astype("f8")) for a in (g, x)]
            want = rule(*wide, dim).numpy()
            np.testing.assert_allclose(found, want, rtol=tolerance, atol=tolerance * max(1, np.abs(want).max()))


def test_running_products_have_two_derivatives() -> None:
    x = dv.tensor([[0.5, 0.0, 2.0, 0.0], [1.0, -1.5, 0.3, 2.0]], dtype=dv.float64, requires_grad=True)
    for dim in (0, 1):
        function = lambda x, dim=dim: x.cumprod(dim)
        assert gradcheck(function, (x,)) and gradgradcheck(function, (x,))


@pytest.mark.parametrize("kind", ["f4", "f8"])
@pytest.mark.parametrize("shape", [(2, 5, 3), (3, 21, 67), (2, 64, 300), (4, 3, 9, 11), (1, 1, 5)])
def test_softmax_over_channels(shape: tuple[int, ...], kind: str) -> None:
    draw = np.random.default_rng(4)
    x, g = (draw.standard_normal(shape) * 4).astype(kind), draw.standard_normal(shape).astype(kind)
    x[0, :, 0] = -np.inf
    x[0, 0, 0] = 2  # all the weight, and nothing for the others
    tolerance = 1e-5 if kind == "f4" else 1e-12
    for name in ("softmax", "log_softmax"):
        with np.errstate(all="ignore"):
            y = OPS[name].reference.forward(x, 1)
            np.testing.assert_allclose(getattr(_native, name)(x, 1), y, rtol=tolerance, atol=tolerance)
            turned = np.ascontiguousarray(np.swapaxes(x, 1, -1)).swapaxes(1, -1)
            np.testing.assert_allclose(getattr(_native, name)(turned, 1), y, rtol=tolerance, atol=tolerance)
            want = OPS[f"{name}_grad"].reference.forward(g, y, 1)
        np.testing.assert_allclose(getattr(_native, f"{name}_grad")(g, y, 1), want, rtol=tolerance, atol=tolerance * 4)


@pytest.mark.parametrize("kind", ["f4", "f8"])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("weighed", [False, True], ids=["", "weighed"])
@pytest.mark.parametrize("shape", [(9, 5), (3, 21, 67), (2, 4, 9, 11)])
def test_cross_entropy_of_maps_and_weights(shape: tuple[int, ...], weighed: bool, reduction: str, kind: str) -> None:
    draw = np.random.default_rng(5)
    x = (draw.standard_normal(shape) * 3).astype(kind)
    target = draw.integers(0, shape[1], (shape[0], *shape[2:]))
    target[draw.random(target.shape) < 0.2] = -100
    weight = draw.uniform(0.5, 2, shape[1]).astype(kind) if weighed else None
    tolerance = 2e-5 if kind == "f4" else 1e-12
    want, logp = OPS["cross_entropy"].reference.forward(x, target, weight, -100, reduction)
    loss, kept = _native.cross_entropy(x, target, weight, -100, reduction)
    assert loss.shape == np.shape(want) and loss.dtype == kind
    np.testing.assert_allclose(loss, want, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(kept, logp, rtol=tolerance, atol=tolerance)
    g = np.asarray(draw.standard_normal(loss.shape), kind)
    args = (g, logp, target, weight, -100, reduction)
    np.testing.assert_allclose(
        _native.cross_entropy_grad(*args), OPS["cross_entropy_grad"].reference.forward(*args), rtol=tolerance, atol=tolerance
    )
    target.flat[0] = shape[1]
    assert _native.cross_entropy(x, target, weight, -100, reduction) is NotImplemented  # the reference says which label it is


@pytest.mark.parametrize("kind", ["f4", "f8"])
def test_signs(kind: str) -> None:
    x = np.array([-np.inf, -3, -1e-40, -0.0, 0.0, 1e-40, 2, np.inf, np.nan] * 5, kind)
    want = np.array([-1, -1, -1, 0, 0, 1, 1, 1, 0] * 5, kind)
    for function in (_native.sign, _native.sgn):
        np.testing.assert_array_equal(function(x), want)
    assert not np.signbit(_native.sign(x)[3::9]).any()


def test_attention_serves_heads_in_any_order() -> None:
    """Also with gaps between rows, as `MultiheadAttention` cuts them from one product; repeated heads are the reference's."""
    whole = np.random.default_rng(0).standard_normal((5, 2, 3, 8)).astype("f4")
    q = whole[..., :4].transpose(1, 2, 0, 3)  # in memory (L, N, heads, E)
    alone = [np.ascontiguousarray(q)] * 3
    out, lse = _native.attention(q, q, q, None, None, None, 1.0, False, 0.5)
    wanted, logs = _native.attention(*alone, None, None, None, 1.0, False, 0.5)
    np.testing.assert_array_equal(out, wanted)
    np.testing.assert_array_equal(lse, logs)
    assert out.transpose(2, 0, 1, 3).flags.c_contiguous
    for other in (np.broadcast_to(q[:, :1], q.shape), q.swapaxes(2, 3)):
        assert _native.attention(other, other, other, None, None, None, 1.0, False, 0.5) is NotImplemented
