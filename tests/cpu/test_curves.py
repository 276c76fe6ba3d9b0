"""Activations and losses of a few pieces, and convolutions of volumes: against the reference, to the second derivative."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dovetail as dv
import dovetail.nn.functional as F
from dovetail.autograd import gradcheck, gradgradcheck
from dovetail.ops._op import OPS
from dovetail_cpu import _native

ACTIVATIONS: list[tuple[str, dict[str, float]]] = [
    ("leaky_relu", {"negative_slope": 0.2}), ("leaky_relu", {"negative_slope": -1.5}), ("elu", {"alpha": 0.5}), ("selu", {}),
    ("celu", {"alpha": 2.0}), ("celu", {"alpha": -1.5}), ("softplus", {"beta": 2.0, "threshold": 3.0}), ("logsigmoid", {}),
    ("hardtanh", {"min_val": -0.5, "max_val": 2.0}), ("relu6", {}), ("hardswish", {}), ("hardsigmoid", {}),
    ("hardshrink", {"lambd": 0.7}), ("softshrink", {"lambd": 0.7}), ("threshold", {"threshold": 0.2, "value": 1.5}),
]  # fmt: skip
LOSSES = [("l1_loss", {}), ("huber_loss", {"delta": 0.7}), ("smooth_l1_loss", {"beta": 2.0})]


def reference(name: str, *arrays: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        return OPS[name].reference.forward(*arrays)


@pytest.mark.parametrize("name, options", ACTIVATIONS, ids=str)
def test_activations_have_two_derivatives(name: str, options: dict[str, float]) -> None:
    x = (dv.from_numpy(np.random.default_rng(0).standard_normal(23)) * 3).requires_grad_()
    function = lambda x: getattr(F, name)(x, **options)
    assert gradcheck(function, (x,)) and gradgradcheck(function, (x,))


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("name, options", LOSSES, ids=str)
def test_losses_have_two_derivatives(name: str, options: dict[str, float], reduction: str) -> None:
    draw = np.random.default_rng(1)
    pair = tuple(dv.from_numpy(draw.standard_normal((5, 7))).requires_grad_() for _ in "xy")
    function = lambda x, y: getattr(F, name)(x, y, reduction=reduction, **options)
    assert gradcheck(function, pair) and gradgradcheck(function, pair)


SPECIAL = [0.0, -0.0, 1e-30, -1e-30, 3.0, -3.0, 6.0, 88.0, -88.0, 1e4, -1e4, np.inf, -np.inf, np.nan]


@pytest.mark.parametrize("kind", ["f4", "f8"])
@pytest.mark.parametrize(
    "name, rest",
    [("leaky_relu", (0.1,)), ("elu", (1.0, 1.0, 1.0)), ("softplus", (1.0, 20.0)), ("logsigmoid", ()), ("hardtanh", (-1.0, 1.0)),
     ("hardswish", ()), ("hardsigmoid", ()), ("hardshrink", (3.0,)), ("softshrink", (3.0,)), ("hardshrink", (-1.0,)),
     ("threshold", (3.0, -2.0))],
)  # fmt: skip
def test_limits_are_the_references(name: str, rest: tuple[float, ...], kind: str) -> None:
    x = np.array(SPECIAL, kind)
    dv.relu(dv.ones(1))  # with which kernels are found
    served = OPS[name].table["cpu", x.dtype].forward(x, *rest)
    np.testing.assert_allclose(served, reference(name, x, *rest), rtol=1e-6, atol=1e-37)


@pytest.mark.parametrize("name, rest", [("hardshrink", (0.5,)), ("softshrink", (0.5,)), ("threshold", (0.5, 9.0))])
def test_a_gradient_passes_where_the_input_is_no_number(name: str, rest: tuple[float, ...]) -> None:
    places = [np.nan, 0.5, -0.5, 0.75, -0.75, 0.0]
    for x in (dv.tensor(places, requires_grad=True), dv.tensor(places, dtype=dv.float16, requires_grad=True)):
        getattr(F, name)(x, *rest).sum().backward()
        assert x.grad is not None and x.grad.tolist() == [1, 0, 0, 1, float(name != "threshold"), 0]


def test_what_has_gaps_is_served_in_order() -> None:
    x = np.random.default_rng(2).standard_normal((6, 40)).astype("f4")
    for part in (x[:, 3:21], x[::2, 5:6], x[1:4]):
        found = _native.sigmoid(part)
        assert found.flags.c_contiguous and np.allclose(found, 1 / (1 + np.exp(-part.astype("f8"))), atol=1e-6)
    assert _native.sigmoid(x[:, ::-1]) is NotImplemented and _native.sigmoid(np.broadcast_to(x[:1], (3, 40))) is NotImplemented
    assert _native.sigmoid(x[:, 3:21].T) is NotImplemented


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_rows_with_gaps_between_them(threads: int) -> None:
    before = _native.get_num_threads()
    _native.set_num_threads(threads)
    try:
        for shape in [(7, 400), (3, 5, 260), (2, 300, 64, 70), (900, 128)]:
            x, y = np.random.default_rng(3).standard_normal((2, *shape)).astype("f4")
            a, b = x[..., : shape[-1] // 2 + 29], y[..., shape[-1] // 2 - 29 :][..., : shape[-1] // 2 + 29]
            for part in (a, a[::2], a[:, 1:3]):
                found = _native.sigmoid(part)
                assert found.flags.c_contiguous and np.allclose(found, 1 / (1 + np.exp(-part.astype("f8"))), atol=1e-6)
            found = _native.mul(a, b)
            assert found.flags.c_contiguous and np.array_equal(found, a * b)
            assert _native.mul(a.T, b.T) is NotImplemented  # NumPy lays that out in another order
    finally:
        _native.set_num_threads(before)


def _drawn(draw: np.random.Generator) -> tuple[Any, ...] | None:
    groups = int(draw.choice([1, 1, 2, 3]))
    channels, kernel, size = draw.integers(1, 4, 2) * groups, draw.integers(1, 5, 3), draw.integers(3, 9, 3)
    stride, padding, dilation = (tuple(int(v) for v in draw.integers(low, high, 3)) for low, high in ((1, 4), (0, 4), (1, 3)))
    if any(m + 2 * p < d * (k - 1) + 1 for m, p, d, k in zip(size, padding, dilation, kernel, strict=True)):
        return None
    x = draw.standard_normal((int(draw.integers(1, 4)), channels[0], *size))
    return x, draw.standard_normal((channels[1], channels[0] // groups, *kernel)), stride, padding, dilation, groups


@pytest.mark.parametrize("some", [1, 1 << 23], ids=["each image alone", "all at once"])
def test_volumes_are_images_with_more_channels(monkeypatch: pytest.MonkeyPatch, some: int) -> None:
    from dovetail_cpu import conv

    monkeypatch.setattr(conv, "_SOME", some)
    draw, served = np.random.default_rng(3), 0
    kernels: list[Callable[..., Any]] = [
        OPS[name].table["cpu", np.dtype("f8")].forward for name in ("convolution", "convolution_input_grad", "convolution_weight_grad")
    ]
    for _ in range(120):
        case = _drawn(draw)
        if case is None:
            continue
        x, w, *how = case
        bias = draw.standard_normal(len(w))
        y = reference("convolution", x, w, bias, *how)
        g = draw.standard_normal(y.shape)
        calls = [(x, w, bias), (g, w, x.shape[2:]), (g, x, w.shape[2:])]
        for kernel, name, args in zip(kernels, ("convolution", "convolution_input_grad", "convolution_weight_grad"), calls, strict=True):
            found = kernel(*args, *how)
            assert found is not NotImplemented, (name, x.shape, w.shape, how)
            np.testing.assert_allclose(
                found, reference(name, *args, *how), rtol=1e-10, atol=1e-10, err_msg=f"{name} {x.shape} {w.shape} {how}"
            )
        served += 1
    assert served > 60
