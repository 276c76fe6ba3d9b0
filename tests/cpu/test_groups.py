"""Group norm, max pooling of volumes, sums of exponentials and gates: against the reference, to the second derivative."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import dovetail as dv
import dovetail.nn.functional as F
from dovetail.autograd import gradcheck, gradgradcheck
from dovetail.ops._op import OPS
from dovetail_cpu import _native

pytestmark = pytest.mark.usefixtures("threads")
KINDS = pytest.mark.parametrize("kind", ["f4", "f8"])


def drawn(kind: str, *shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(kind)


def alike(found: Any, expected: Any, kind: str, units: float = 64) -> None:
    assert found is not NotImplemented and found.dtype == kind and found.shape == expected.shape
    tolerance = units * np.finfo(kind).eps
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance * max(1.0, float(np.abs(expected).max(initial=0))))


def reference(name: str, *args: Any) -> Any:
    with np.errstate(all="ignore"):
        return OPS[name].reference.forward(*args)


@KINDS
@pytest.mark.parametrize(
    "shape", [(2, 3, 1, 5), (4, 4, 1, 4), (3, 6, 3, 6), (5, 2, 4, 1), (3, 8, 5, 49), (1, 32, 10, 64), (64, 4, 16, 33)], ids=str
)
def test_group_norm_is_layer_norm_with_parameters_of_channels(kind: str, shape: tuple[int, ...]) -> None:
    x, g, (weight, bias) = drawn(kind, *shape), drawn(kind, *shape)[::-1].copy(), drawn(kind, 2, *shape[1:3], 1)
    for w, b in [(weight, bias), (weight, None), (None, None)]:
        args = (x, shape[2:], w, b, 1e-5, True)
        found, expected = _native.layer_norm(*args), reference("layer_norm", *args)
        for one, other in zip(found, expected, strict=True):
            alike(one, other, kind, 512)
        sizes = shape[2:] if w is None else w.shape
        back = (g, x, sizes, w, *expected[1:], (True, w is not None, b is not None))
        for one, other in zip(_native.layer_norm_grad(*back), reference("layer_norm_grad", *back), strict=True):
            alike(one, other, kind, 4096)


def test_a_parameter_of_a_channel_is_not_taken_for_one_of_the_shape() -> None:
    x, weight = drawn("f8", 2, 6, 3, 6), drawn("f8", 6, 3, 1)  # as many elements as the normalized shape (3, 6) has
    expected = reference("layer_norm", x, (3, 6), weight, None, 1e-5, True)[0]
    np.testing.assert_allclose(_native.layer_norm(x, (3, 6), weight, None, 1e-5, True)[0], expected, rtol=1e-12, atol=1e-12)
    assert np.abs(expected - _native.layer_norm(x, (3, 6), weight.reshape(3, 6), None, 1e-5, True)[0]).max() > 0.1
    assert _native.layer_norm(x, (3, 6), weight.reshape(1, 6, 3, 1), None, 1e-5, True) is NotImplemented
    assert _native.layer_norm(x, (3, 6), weight, weight.reshape(3, 6), 1e-5, True) is NotImplemented
    narrow = drawn("f8", 2, 4, 5, 1)  # the layer norm of all but the batch, whose last size is 1
    mean, rstd = reference("layer_norm", narrow, (4, 5, 1), None, None, 1e-5, True)[1:]
    back = (narrow[::-1].copy(), narrow, (4, 5, 1), drawn("f8", 4, 5, 1), mean, rstd, (True, True, True))
    for one, other in zip(_native.layer_norm_grad(*back), reference("layer_norm_grad", *back), strict=True):
        alike(one, other, "f8", 512)


@pytest.mark.parametrize("given", ["both", "weight", "bias", "none"])
def test_group_norm_has_two_derivatives(given: str) -> None:
    x = dv.from_numpy(drawn("f8", 2, 6, 5)).requires_grad_()
    weight, bias = (dv.from_numpy(a).requires_grad_() for a in drawn("f8", 2, 6))
    parameters = {"weight": weight if given in ("both", "weight") else None, "bias": bias if given in ("both", "bias") else None}
    inputs = (x, *(t for t in parameters.values() if t is not None))

    def call(x: Any, *rest: Any) -> Any:
        some = iter(rest)
        return F.group_norm(x, 3, **{name: None if t is None else next(some) for name, t in parameters.items()})

    assert gradcheck(call, inputs) and gradgradcheck(call, inputs)


@KINDS
@pytest.mark.parametrize(
    "size, kernel, stride, padding, dilation, ceil",
    [((6, 13, 21), 2, 2, 0, 1, False), ((7, 9, 19), 3, 2, 1, 1, True), ((8, 11, 41), (2, 3, 2), (3, 1, 3), (0, 1, 0), (2, 2, 1), False),
     ((4, 5, 33), 3, 1, 1, 1, False), ((5, 4, 3), (1, 4, 1), (1, 2, 4), 0, 1, True)],
)  # fmt: skip
def test_max_pooling_of_volumes(kind: str, size: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil: bool) -> None:
    values = np.round(drawn(kind, 2, 3, *size) * 4) / 4  # the greatest is often there twice
    values[0, 0, 0, 0, 0] = np.nan
    results = []
    for served in (True, False):
        x = dv.from_numpy(values.copy()).requires_grad_()
        if not served:
            x = x.transpose(0, 1)  # lies otherwise: the reference serves
        y = F.max_pool3d(x, kernel, stride, padding, dilation, ceil)
        y = y if served else y.transpose(0, 1)
        g = dv.from_numpy(np.round(drawn(kind, *y.shape) * 8) / 8)  # sums of few such numbers are exact
        (by_x,) = dv.autograd.grad(y, x, g)
        results.append((y.detach().numpy(), by_x.numpy() if served else by_x.transpose(0, 1).numpy()))
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


def test_max_pooling_of_volumes_has_two_derivatives() -> None:
    x = dv.from_numpy(np.random.default_rng(0).permutation(2 * 5 * 6 * 4).reshape(1, 2, 5, 6, 4) / 7.0).requires_grad_()
    call = lambda x: F.max_pool3d(x, 3, 2, 1) ** 2
    assert gradcheck(call, (x,)) and gradgradcheck(call, (x,))


@KINDS
@pytest.mark.parametrize("shape, dim", [((1, 1), 1), ((67, 37), -1), ((67, 37), 0), ((3, 21, 67), 1), ((2, 5, 3, 130), (1,)), ((1003,), 0)])
def test_sums_of_exponentials(kind: str, shape: tuple[int, ...], dim: Any) -> None:
    x = drawn(kind, *shape) * 5
    for keepdim in (True, False):
        alike(_native.logsumexp(x, dim, keepdim), reference("logsumexp", x, dim, keepdim), kind)
    assert _native.logsumexp(x[..., :0], dim, False) is NotImplemented and _native.logsumexp(x, (0, -1), False) is NotImplemented


@KINDS
def test_sums_of_exponentials_at_the_limits(kind: str) -> None:
    inf, far = np.inf, 1e4
    rows = np.array(
        [[inf, 1, 2], [-inf, -inf, -inf], [inf, -inf, 0], [np.nan, 1, inf], [far, far, -far], [-inf, 0, 0], [-far, -far, -inf]], kind
    )
    for x, dim in [(rows, 1), (rows.T.copy(), 0)]:
        np.testing.assert_allclose(_native.logsumexp(x, dim, False), reference("logsumexp", x, dim, False), rtol=1e-6)


@KINDS
@pytest.mark.parametrize("shape, dim", [((2,), 0), ((3, 14), -1), ((3, 14, 5), 1), ((40, 262), 1), ((4, 1, 2050), 2), ((700, 66), 1)])
def test_gates(kind: str, shape: tuple[int, ...], dim: int) -> None:
    x = drawn(kind, *shape) * 4
    found = _native.glu(x, dim)
    alike(found, reference("glu", x, dim), kind)
    alike(_native.glu_grad(found, x, dim), _by_ops(found, x, dim), kind)
    assert _native.glu(x[..., :0], dim) is NotImplemented and _native.glu(x[..., ::-1], dim) is NotImplemented


def _by_ops(grad: np.ndarray, x: np.ndarray, dim: int) -> np.ndarray:
    a, b = np.split(x, 2, axis=dim)
    s = 1 / (1 + np.exp(-b))
    return np.concatenate([grad * s, grad * a * s * (1 - s)], axis=dim)


def test_gates_have_two_derivatives() -> None:
    x = dv.from_numpy(drawn("f8", 3, 6, 2)).requires_grad_()
    assert gradcheck(lambda x: F.glu(x, 1), (x,)) and gradgradcheck(lambda x: F.glu(x, 1), (x,))
