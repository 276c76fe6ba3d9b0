"""Rows of the activations."""

import math

import numpy as np

from .row import I, Row, T

X, WIDE = T(3, 4), T(4, 5, low=-7, high=7)
NOT_A_TENSOR = (["x"], {}, TypeError, "must be Tensor")
WHOLE = ([I(3, high=5)], {}, RuntimeError, "not implemented for")
BOOLS = ([T(3, dtype="bool")], {}, RuntimeError, "not supported")


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def gelu(x):
    return x * np.vectorize(lambda v: 0.5 * math.erfc(-v / math.sqrt(2)), otypes=[float])(x)


def gelu_tanh(x, approximate="tanh"):
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def elu(x, alpha=1.0, scale=1.0, width=1.0):
    return scale * np.where(x > 0, x, alpha * np.expm1(x / width))


def softplus(x, beta=1.0, threshold=20.0):
    return np.where(x * beta > threshold, x, np.log1p(np.exp(x * beta)) / beta)


def prelu(x, w):
    return np.where(x > 0, x, x * w)


def smooth(name, ref, *errors, arg=WIDE, tol=None, why="", **kwargs):
    return Row(
        name,
        [arg],
        kwargs,
        ref=ref,
        empty=True,
        promote=None,
        errors=errors or [WHOLE],
        name=",".join(kwargs),
        torch=f"nn.functional.{name}",
        tol=tol,
        why=why,
    )


ROWS = [
    Row("relu", [X], ref=lambda x: np.maximum(x, 0), empty=True, errors=[BOOLS]),
    Row("relu", [T(80, 80)], ref=lambda x: np.maximum(x, 0), name="large"),
    Row("relu", [X], ref=lambda x: np.maximum(x, 0), call="Tensor.relu_", name="in place"),
    smooth("leaky_relu", lambda x: np.where(x > 0, x, 0.01 * x)),
    smooth("leaky_relu", lambda x, negative_slope: np.where(x > 0, x, 2 * x), negative_slope=2.0),
    smooth("silu", lambda x: x * sigmoid(x)),
    smooth("gelu", gelu),
    smooth("gelu", gelu_tanh, ([T(3)], dict(approximate="x"), RuntimeError, "must be either none or tanh"), approximate="tanh"),
    Row("silu", [T(200, 200, grad=False)], ref=lambda x: x * sigmoid(x), name="blocks", promote=None, grad=False),
    Row("gelu", [T(200, 200, grad=False)], ref=gelu, name="blocks", promote=None, grad=False),
    smooth("mish", lambda x: x * np.tanh(np.log1p(np.exp(x)))),
    smooth("softplus", softplus),
    smooth("softplus", softplus, beta=2.0, threshold=5.0),
    smooth("logsigmoid", lambda x: -np.log1p(np.exp(-x))),
    smooth("elu", elu),
    smooth("elu", elu, alpha=0.3),
    Row("elu", [WIDE], ref=lambda x: elu(x, 1.6732632423543772, 1.0507009873554805), call="selu", name="selu", promote=None, torch="selu"),
    Row(
        "elu",
        [WIDE, 0.5],
        ref=lambda x, a: elu(x, 0.5, 1.0, 0.5),
        call="celu",
        name="celu",
        promote=None,
        torch="celu",
        errors=[([T(3), 0.0], {}, RuntimeError, "alpha cannot be 0 for CELU")],
    ),
    smooth("softsign", lambda x: x / (1 + abs(x)), ([T(3, dtype="bool")], {}, RuntimeError, "not implemented for 'Bool'")),
    smooth("tanhshrink", lambda x: x - np.tanh(x), BOOLS),
    Row(
        "prelu",
        [T(2, 3, 4), T(3)],
        ref=lambda x, w: prelu(x, w[:, None]),
        promote=None,
        errors=[
            ([T(2, 3), T(2)], {}, RuntimeError, "Mismatch of parameter numbers and input channel size"),
            ([T(2, 3), T(2, 2)], {}, RuntimeError, "to be a scalar or 1D tensor"),
        ],
    ),
    Row("prelu", [T(2, 3, 4), T(1)], ref=prelu, name="one", promote=None),
    Row("glu", [T(3, 4)], ref=lambda x: x[:, :2] * sigmoid(x[:, 2:]), promote=None, errors=[([T(2, 3)], {}, RuntimeError, "must be even")]),
    Row("glu", [T(2, 4, 3), 1], ref=lambda x, dim: x[:, :2] * sigmoid(x[:, 2:]), name="dim", promote=None),
    # --- straight pieces
    Row(
        "hardtanh",
        [T(3, 4)],
        ref=lambda x: x.clip(-1, 1),
        errors=[BOOLS, ([T(3), 1.0, -1.0], {}, ValueError, "min_val cannot be greater than max_val")],
        promote=None,
    ),
    Row("hardtanh", [WIDE], ref=lambda x: x.clip(0, 6), call="nn.functional.relu6", name="relu6", promote=None),
    smooth("hardswish", lambda x: x * (x + 3).clip(0, 6) / 6),
    smooth("hardsigmoid", lambda x: (x + 3).clip(0, 6) / 6, tol=(1e-10, 1e-5), why="PyTorch's sixth is a float32 also in float64"),
    smooth("hardshrink", lambda x: np.where(abs(x) <= 0.5, 0, x)),
    smooth("softshrink", lambda x: np.sign(x) * np.maximum(abs(x) - 0.5, 0), ([T(3), -1.0], {}, RuntimeError, "lambda must be in range")),
    Row(
        "threshold",
        [X, 0.1, 20.0],
        ref=lambda x, t, v: np.where(x > 0.1, x, 20.0),
        promote=None,
        errors=[(["x", 0.0, 1.0], {}, TypeError, "must be Tensor")],
    ),
]
