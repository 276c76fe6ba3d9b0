"""Rows of exponentials, logarithms, circular and hyperbolic functions, rounding, limits, special functions, complex parts."""

import math

import numpy as np

from .row import I, Row, T

X, Y, P = T(3, 4), T(3, 4), T(3, 4, positive=True)
UNIT, ABOVE_ONE = T(3, 4, low=-0.95, high=0.95), T(3, 4, low=1.1, high=3)
C = T(5, dtype="complex128")
NOT_A_TENSOR = (["x"], {}, TypeError, "must be Tensor")
MISMATCH = ([T(3), T(4)], {}, RuntimeError, "must match the size")
WHOLE = ([I(3, high=5), I(3, high=5)], {}, RuntimeError, "not implemented for 'Long'")
BOOL = ([T(3, dtype="bool")], {}, RuntimeError, "not implemented for 'Bool'")
FLAT = dict(grad2=False, why="the gradient is zero")
TRIGAMMA = "PyTorch's trigamma is good to 1e-9 only"
NO_NUMPY = "NumPy has no such function"


def each(function):
    """A function of Python numbers on each element."""
    return np.vectorize(function, otypes=[float])


def digamma(x):
    far = x + 100
    return np.log(far) - 1 / (2 * far) - 1 / (12 * far**2) + 1 / (120 * far**4) - sum(1 / (x + k) for k in range(100))


def trigamma(x):
    far = x + 100
    return 1 / far + 1 / (2 * far**2) + 1 / (6 * far**3) - 1 / (30 * far**5) + sum(1 / (x + k) ** 2 for k in range(100))


def unary(name, ref, arg=X, **options):
    return Row(name, [arg], ref=ref, empty=True, errors=[NOT_A_TENSOR], **options)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


ROWS = [
    unary("exp", np.exp),
    unary("exp2", np.exp2),
    unary("expm1", np.expm1),
    unary("log", np.log, P),
    unary("log2", np.log2, P),
    unary("log10", np.log10, P),
    unary("log1p", np.log1p, P),
    unary("tanh", np.tanh),
    unary("sigmoid", sigmoid),
    Row("sigmoid", [T(40000, grad=False)], ref=sigmoid, grad=False, name="blocks"),
    Row("logit", [T(3, 4, low=0.1, high=0.9)], ref=lambda x: np.log(x / (1 - x)), empty=True, errors=[NOT_A_TENSOR]),
    Row("logit", [T(3, 4, low=0.0, high=1.0)], dict(eps=0.1), ref=lambda x, eps: np.log((c := x.clip(0.1, 0.9)) / (1 - c)), name="eps"),
    Row("logaddexp", [X, Y], ref=np.logaddexp, broadcast=True, empty=True, errors=[MISMATCH, WHOLE]),
    Row("logaddexp2", [X, Y], ref=np.logaddexp2, broadcast=True, empty=True, errors=[MISMATCH, WHOLE]),
    Row("xlogy", [X, P], ref=lambda x, y: x * np.log(y), broadcast=True, empty=True, errors=[MISMATCH]),
    Row("xlogy", [2.0, P], ref=lambda x, y: 2 * np.log(y), name="number", promote=None),
    # --- circular and hyperbolic
    unary("sin", np.sin),
    unary("cos", np.cos),
    unary("tan", np.tan, UNIT),
    unary("asin", np.arcsin, UNIT),
    unary("acos", np.arccos, UNIT),
    unary("atan", np.arctan),
    unary("sinh", np.sinh),
    unary("cosh", np.cosh),
    unary("asinh", np.arcsinh),
    unary("acosh", np.arccosh, ABOVE_ONE),
    unary("atanh", np.arctanh, UNIT),
    unary("sinc", np.sinc),
    unary("deg2rad", np.deg2rad),
    unary("rad2deg", np.rad2deg),
    Row("atan2", [X, Y], ref=np.arctan2, broadcast=True, empty=True, errors=[MISMATCH]),
    Row("hypot", [X, Y], ref=np.hypot, broadcast=True, empty=True, errors=[MISMATCH, WHOLE]),
    # --- rounding and signs
    *[
        Row(n, [X], ref=f, empty=True, errors=[BOOL], **FLAT)
        for n, f in (("floor", np.floor), ("ceil", np.ceil), ("trunc", np.trunc), ("round", np.rint))
    ],
    Row("round", [X], dict(decimals=1), ref=lambda x, decimals: np.round(x, 1), name="decimals", promote=None, grad=False),
    Row("floor", [I(3, 4, high=9)], ref=lambda x: x, name="integers"),
    Row("frac", [X], ref=lambda x: x - np.trunc(x), promote=None, errors=[BOOL]),
    Row("sign", [X], ref=np.sign, empty=True, errors=[([C], {}, RuntimeError, "complex")], **FLAT),
    Row("sgn", [X], ref=np.sign, empty=True, errors=[NOT_A_TENSOR], **FLAT),
    Row("sgn", [C], ref=lambda z: z / np.abs(z), name="complex"),
    Row("signbit", [X], ref=np.signbit, errors=[NOT_A_TENSOR, ([C], {}, RuntimeError, "not implemented for 'ComplexDouble'")]),
    Row("copysign", [X, Y], ref=np.copysign, broadcast=True, errors=[MISMATCH], grad2=False, why="the gradient is constant"),
    Row("nextafter", [X, Y], ref=np.nextafter, promote=None, grad2=False, why="the gradient is constant", errors=[MISMATCH, WHOLE]),
    Row(
        "heaviside",
        [X, Y],
        ref=np.heaviside,
        promote=None,
        grad=False,
        errors=[([T(3), I(3, high=2)], {}, RuntimeError, "different dtypes")],
    ),
    Row("ldexp", [X, I(3, 4, high=5)], ref=np.ldexp, promote=None, errors=[([T(3), I(4, high=2)], {}, RuntimeError, "must match")]),
    Row("frexp", [X], ref=np.frexp, promote=None, errors=[([I(3, high=5)], {}, RuntimeError, "only supports floating-point dtypes")]),
    Row("nan_to_num", [X], ref=np.nan_to_num, empty=True, promote=None, errors=[NOT_A_TENSOR]),
    # --- limits
    Row(
        "clamp",
        [X],
        dict(min=-0.6, max=0.6),
        ref=lambda x, min, max: x.clip(-0.6, 0.6),
        empty=True,
        promote=None,
        errors=[([T(3)], {}, RuntimeError, "must not be None")],
    ),
    Row("clamp", [X], dict(min=-0.6), ref=lambda x, min: np.maximum(x, -0.6), name="low", promote=None),
    Row("clamp", [X], dict(max=0.6), ref=lambda x, max: np.minimum(x, 0.6), name="high", promote=None),
    Row(
        "clamp",
        [X, T(4, low=-2, high=-0.5), T(3, 4, low=0.5, high=2)],
        ref=lambda x, low, high: np.minimum(np.maximum(x, low), high),
        name="tensors",
        promote=None,
        covers=("clamp_between",),
        errors=[([C], dict(min=0), RuntimeError, "complex")],
    ),
    Row(
        "clamp_min",
        [X, 0.4],
        ref=lambda x, min: np.maximum(x, 0.4),
        promote=None,
        errors=[([T(3), None], {}, TypeError, "must be Tensor or Number")],
    ),
    Row(
        "clamp_max",
        [X, 0.4],
        ref=lambda x, max: np.minimum(x, 0.4),
        promote=None,
        errors=[([T(3), None], {}, TypeError, "must be Tensor or Number")],
    ),
    Row("maximum", [X, Y], ref=np.maximum, broadcast=True, empty=True, errors=[MISMATCH]),
    Row("minimum", [X, Y], ref=np.minimum, broadcast=True, empty=True, errors=[MISMATCH]),
    Row("fmax", [X, Y], ref=np.fmax, broadcast=True, empty=True, errors=[MISMATCH, ([C, C], {}, RuntimeError, "complex types")]),
    Row("fmin", [X, Y], ref=np.fmin, broadcast=True, empty=True, errors=[MISMATCH, ([C, C], {}, RuntimeError, "complex types")]),
    # --- special functions
    unary("erf", each(math.erf)),
    Row("erf", [T(40000, low=-6, high=6, grad=False)], ref=each(math.erf), grad=False, name="blocks"),
    unary("erfc", each(math.erfc)),
    unary("lgamma", each(math.lgamma), P),
    Row("erfinv", [UNIT], ref=None, why=NO_NUMPY, errors=[NOT_A_TENSOR]),
    Row("digamma", [P], ref=digamma, tol=(1e-10, 1e-5), why=TRIGAMMA, errors=[NOT_A_TENSOR]),
    Row(
        "polygamma",
        [1, P],
        ref=trigamma,
        torch="",
        why=TRIGAMMA,
        promote=None,
        errors=[([-1, T(3)], {}, RuntimeError, "does not support negative n")],
    ),
    Row("polygamma", [2, P], ref=None, why=NO_NUMPY, name="2", promote=None),
    Row(
        "mvlgamma",
        [ABOVE_ONE, 2],
        ref=None,
        why=NO_NUMPY,
        promote=None,
        errors=[([T(3), 0], {}, RuntimeError, "greater than or equal to 1")],
    ),
    unary("i0", np.i0),
    # --- complex parts
    Row("real", [C], ref=np.real, promote=None, errors=[NOT_A_TENSOR]),
    Row(
        "imag",
        [C],
        ref=np.imag,
        promote=None,
        errors=[([T(3)], {}, RuntimeError, "imag is not implemented for tensors with non-complex dtypes")],
    ),
    Row("conj", [C], ref=np.conj, promote=None, errors=[NOT_A_TENSOR]),
    Row(
        "view_as_real",
        [C],
        ref=lambda x: np.stack([x.real, x.imag], -1),
        covers=("view_as_complex",),  # its gradient; other layouts than its own are refused (tests/parity/test_names.py)
        promote=None,
        errors=[NOT_A_TENSOR, ([T(2)], {}, RuntimeError, "only supported for complex tensors")],
    ),
    Row("angle", [C], ref=np.angle, promote=None, errors=[NOT_A_TENSOR]),
    Row("angle", [X], ref=np.angle, name="reals", **FLAT),
    *[
        Row(n, [C], ref=f, name="complex", promote=None)
        for n, f in (("exp", np.exp), ("log", np.log), ("sin", np.sin), ("tanh", np.tanh), ("sqrt", np.sqrt), ("reciprocal", np.reciprocal))
    ],
]
