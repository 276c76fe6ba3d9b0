"""nn.init against PyTorch's: the same numbers for one seed, the stream left at the same place, the same errors."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import dovetail as dv

pytestmark = pytest.mark.parity

# name, shape, arguments, units in the last place by which numbers may differ (None: relative 1e-5, where LAPACK decides)
CASES: list[tuple[str, tuple[int, ...], dict[str, Any], int | None]] = [
    ("uniform_", (5, 7), {}, 0),
    ("uniform_", (3,), {"a": -2.0, "b": 0.5}, 0),
    ("normal_", (5, 7), {}, 0),
    ("normal_", (3,), {"mean": 2.0, "std": 0.1}, 1),
    ("constant_", (2, 3), {"val": 0.3}, 0),
    ("ones_", (2, 3), {}, 0),
    ("zeros_", (2, 3), {}, 0),
    ("eye_", (3, 5), {}, 0),
    ("dirac_", (4, 2, 3), {}, 0),
    ("dirac_", (6, 2, 3, 3), {"groups": 2}, 0),
    ("dirac_", (2, 3, 1, 2, 3), {}, 0),
    ("xavier_uniform_", (5, 7), {}, 0),
    ("xavier_uniform_", (5, 7, 3), {"gain": 2.0}, 0),
    ("xavier_normal_", (5, 7), {"gain": 0.5}, 1),
    ("kaiming_uniform_", (5, 7), {}, 0),
    ("kaiming_uniform_", (5, 7, 3, 3), {"a": 0.2, "mode": "fan_out"}, 0),
    ("kaiming_uniform_", (5, 7), {"nonlinearity": "relu"}, 0),
    ("kaiming_normal_", (5, 7), {}, 1),
    ("kaiming_normal_", (5, 7, 3, 3), {"mode": "fan_out", "nonlinearity": "relu"}, 1),
    ("trunc_normal_", (50, 7), {}, 1),
    ("trunc_normal_", (50, 7), {"std": 0.02}, 1),
    ("trunc_normal_", (300,), {"mean": 0.5, "std": 1.0, "a": -0.5, "b": 0.8}, 1),
    ("trunc_normal_", (300,), {"mean": 0.0, "std": 1.0, "a": 1.5, "b": 3.0}, 1),
    ("trunc_normal_", (40,), {"mean": 0.0, "std": 5.0, "a": -0.1, "b": 0.1}, 1),
    ("orthogonal_", (4, 4), {}, None),
    ("orthogonal_", (3, 5), {"gain": 2.0}, None),
    ("orthogonal_", (6, 2, 2), {}, None),
    ("sparse_", (6, 5), {"sparsity": 0.4}, 1),
    ("sparse_", (20, 3), {"sparsity": 0.9, "std": 1.0}, 1),
]


def fill(lib: Any, name: str, shape: tuple[int, ...], kwargs: dict[str, Any], dtype: str = "float32") -> tuple[Any, float]:
    lib.manual_seed(17)
    t = lib.empty(*shape, dtype=getattr(lib, dtype))
    out = getattr(lib.nn.init, name)(t, **kwargs)
    assert out is t
    return out.numpy(), float(lib.rand(1))


@pytest.mark.parametrize(("name", "shape", "kwargs", "ulp"), CASES, ids=[f"{n}{s}{k}" for n, s, k, _ in CASES])
def test_same_numbers(name, shape, kwargs, ulp):
    (mine, after), (theirs, after_) = fill(dv, name, shape, kwargs), fill(torch, name, shape, kwargs)
    if ulp is None:
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)
    else:
        np.testing.assert_array_max_ulp(mine, theirs, ulp)
    assert after == after_


@pytest.mark.parametrize("name", ["uniform_", "normal_", "kaiming_uniform_", "xavier_normal_", "trunc_normal_"])
def test_same_numbers_in_float64(name):
    (mine, after), (theirs, after_) = fill(dv, name, (6, 7), {}, "float64"), fill(torch, name, (6, 7), {}, "float64")
    np.testing.assert_allclose(mine, theirs, rtol=1e-13)
    assert after == after_


@pytest.mark.parametrize("name", ["uniform_", "normal_", "trunc_normal_", "xavier_uniform_", "kaiming_normal_", "orthogonal_", "sparse_"])
def test_a_generator_of_ones_own(name):
    more = {"sparsity": 0.5} if name == "sparse_" else {}
    ours, theirs = dv.empty(5, 6), torch.empty(5, 6)
    getattr(dv.nn.init, name)(ours, **more, generator=dv.Generator().manual_seed(9))
    getattr(torch.nn.init, name)(theirs, **more, generator=torch.Generator().manual_seed(9))
    if name == "sparse_":  # which are zeroed comes from the default generator
        ours, theirs = ours[(ours != 0)], theirs[(theirs != 0)]
        assert ours.numel() == theirs.numel()
    else:
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-5, atol=1e-6)


GAINS = ["linear", "conv2d", "conv_transpose3d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"]


@pytest.mark.parametrize("name", GAINS)
def test_gains(name):
    assert dv.nn.init.calculate_gain(name) == torch.nn.init.calculate_gain(name)
    assert dv.nn.init.calculate_gain(name, 0.3) == torch.nn.init.calculate_gain(name, 0.3)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda lib: lib.nn.init.calculate_gain("sine"), "Unsupported nonlinearity sine"),
        (lambda lib: lib.nn.init.calculate_gain("leaky_relu", True), "negative_slope True not a valid number"),
        (
            lambda lib: lib.nn.init.xavier_uniform_(lib.empty(3)),
            "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions",
        ),
        (lambda lib: lib.nn.init.kaiming_normal_(lib.empty(3, 3), mode="fan"), "Mode fan not supported"),
        (lambda lib: lib.nn.init.eye_(lib.empty(3)), "Only tensors with 2 dimensions are supported"),
        (lambda lib: lib.nn.init.dirac_(lib.empty(3, 3)), "Only tensors with 3, 4, or 5 dimensions are supported"),
        (lambda lib: lib.nn.init.dirac_(lib.empty(3, 3, 3), 2), "dim 0 must be divisible by groups"),
        (lambda lib: lib.nn.init.orthogonal_(lib.empty(3)), "Only tensors with 2 or more dimensions are supported"),
        (lambda lib: lib.nn.init.sparse_(lib.empty(3), 0.1), "Only tensors with 2 dimensions are supported"),
    ],
)
def test_same_errors(call, text):
    for lib in (dv, torch):
        with pytest.raises(ValueError) as caught:
            call(lib)
        assert text in str(caught.value)


def test_parameters_are_filled_without_recording():
    p = dv.nn.Parameter(dv.zeros(3, 3))
    version = p._version
    assert dv.nn.init.normal_(p) is p and p.is_leaf and p.requires_grad and p._version > version


@pytest.mark.parametrize(
    "name", ["uniform", "normal", "constant", "eye", "dirac", "xavier_uniform", "kaiming_normal", "orthogonal", "sparse"]
)
def test_old_names_warn(name):
    shape, args = ((2, 2, 2), ()) if name == "dirac" else ((2, 2), (0.5,) if name in ("constant", "sparse") else ())
    with pytest.warns(FutureWarning, match=f"`nn.init.{name}` is now deprecated in favor of `nn.init.{name}_`"):
        getattr(dv.nn.init, name)(dv.empty(*shape), *args)


def test_warnings():
    with pytest.warns(UserWarning, match="mean is more than 2 std from"):
        dv.nn.init.trunc_normal_(dv.empty(3), mean=10.0)
    with pytest.warns(UserWarning, match="Initializing zero-element tensors is a no-op"):
        dv.nn.init.kaiming_uniform_(dv.empty(0, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dv.nn.init.trunc_normal_(dv.empty(3))
