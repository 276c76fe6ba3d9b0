"""Rows of arithmetic, powers, rounded division and operations on bits."""

import numpy as np

from .row import B, I, Row, T

X, Y, P = T(3, 4), T(3, 4), T(3, 4, positive=True)
ROWWISE = T(4)
NOT_A_TENSOR = (["x"], {}, TypeError, "must be Tensor")
MISMATCH = ([T(3), T(4)], {}, RuntimeError, "must match the size")
BOOLS = [T(3, dtype="bool"), T(3, dtype="bool")]
BY_ZERO = ([I(3, high=5), 0], {}, RuntimeError, "ZeroDivisionError")
FLOATS = ([T(3), T(3)], {}, RuntimeError, "not implemented for")


def torch_remainder(x, y):
    return x - np.floor(x / y) * y


ROWS = [
    Row("add", [X, ROWWISE], ref=np.add, broadcast=True, empty=True, errors=[MISMATCH]),
    Row("add", [X, 2.5], ref=lambda x, y: x + y, name="number"),
    Row("add", [X, Y], dict(alpha=3), ref=lambda x, y, alpha: x + 3 * y, name="alpha", covers=("add_scaled",)),
    Row(
        "add",
        [I(3, 4, high=9), I(3, 4, high=9)],
        dict(alpha=-2),
        ref=lambda x, y, alpha: x - 2 * y,
        name="integers",
        errors=[([I(3, high=5), I(3, high=5)], dict(alpha=0.5), RuntimeError, "alpha must not be a floating point number")],
    ),
    Row("add", BOOLS, ref=np.logical_or, name="bools"),
    Row("sub", [X, ROWWISE], ref=np.subtract, broadcast=True, empty=True, errors=[MISMATCH, (BOOLS, {}, RuntimeError, "two bool tensors")]),
    Row("sub", [X, Y], dict(alpha=3), ref=lambda x, y, alpha: x - 3 * y, name="alpha"),
    Row("sub", [X, Y], dict(alpha=3), ref=lambda x, y, alpha: y - 3 * x, call="rsub", name="rsub"),
    Row("neg", [X], ref=np.negative, empty=True, errors=[([BOOLS[0]], {}, RuntimeError, "on a bool tensor is not supported")]),
    Row("positive", [X], ref=lambda x: x, promote=None, errors=[([BOOLS[0]], {}, RuntimeError, "on a bool tensor is not supported")]),
    Row("mul", [X, ROWWISE], ref=np.multiply, broadcast=True, empty=True, errors=[MISMATCH]),
    Row("mul", [I(3, 4, high=9), 3], ref=lambda x, y: x * 3, name="integers"),
    Row("div", [X, T(4, positive=True)], ref=np.divide, broadcast=True, empty=True, errors=[MISMATCH]),
    Row("div", [I(3, 4, high=9), 4], ref=lambda x, y: x / 4, name="integers"),
    Row(
        "div",
        [X, P],
        dict(rounding_mode="floor"),
        ref=lambda x, y, rounding_mode: np.floor(x / y),
        name="floor",
        promote="promote",
        covers=("floor_quotient",),
        grad2=False,
        why="the gradient is zero",
        errors=[
            ([X, Y], dict(rounding_mode="up"), RuntimeError, "rounding_mode to be one of None, 'trunc', or 'floor'"),
            ([I(3, high=5), 0], dict(rounding_mode="floor"), RuntimeError, "ZeroDivisionError"),
        ],
    ),
    Row(
        "div",
        [X, P],
        dict(rounding_mode="trunc"),
        ref=lambda x, y, rounding_mode: np.trunc(x / y),
        name="trunc",
        promote="promote",
        covers=("truncated_quotient",),
        grad2=False,
        why="the gradient is zero",
        errors=[([I(3, high=5), 0], dict(rounding_mode="trunc"), RuntimeError, "ZeroDivisionError")],
    ),
    Row(
        "div",
        [I(9, low=-9, high=9), 4],
        dict(rounding_mode="trunc"),
        ref=lambda x, y, rounding_mode: np.trunc(x / 4).astype(int),
        name="whole",
    ),
    Row("true_divide", [X, P], ref=np.divide, errors=[MISMATCH], promote="float"),
    Row("reciprocal", [P], ref=np.reciprocal, empty=True, errors=[NOT_A_TENSOR]),
    Row("abs", [X], ref=np.abs, empty=True, errors=[([BOOLS[0]], {}, RuntimeError, "not implemented for 'Bool'")]),
    Row("abs", [T(5, dtype="complex128")], ref=np.abs, name="complex"),
    Row(
        "addcmul",
        [X, Y, ROWWISE],
        ref=lambda x, a, b: x + a * b,
        broadcast=True,
        empty=True,
        errors=[([T(3), T(4), T(3)], {}, RuntimeError, "must match")],
    ),
    Row("addcmul", [X, Y, ROWWISE], dict(value=0.5), ref=lambda x, a, b, value: x + 0.5 * a * b, name="value", promote=None),
    Row(
        "addcdiv",
        [X, Y, T(4, positive=True)],
        dict(value=0.5),
        ref=lambda x, a, b, value: x + 0.5 * a / b,
        empty=True,
        promote=None,
        errors=[
            ([I(3, high=5), I(3, high=5), I(3, low=1, high=5)], {}, RuntimeError, "Integer division with addcdiv is no longer supported")
        ],
    ),
    Row(
        "lerp",
        [X, Y, 0.25],
        ref=lambda x, y, w: x + w * (y - x),
        empty=True,
        promote=None,
        errors=[([I(3, high=5), I(3, high=5), 0.5], {}, RuntimeError, "not implemented for 'Long'")],
    ),
    Row("lerp", [X, Y, T(3, 4, low=0, high=1)], ref=lambda x, y, w: x + w * (y - x), name="tensor", promote=None),
    # --- powers
    Row("square", [X], ref=np.square, empty=True, errors=[NOT_A_TENSOR]),
    Row("sqrt", [P], ref=np.sqrt, empty=True, errors=[NOT_A_TENSOR]),
    Row("rsqrt", [P], ref=lambda x: 1 / np.sqrt(x), empty=True, errors=[NOT_A_TENSOR]),
    *[Row("pow", [P, e], ref=lambda x, e: x**e, name=str(e), promote=None) for e in (0, 1, 2, 3, 0.5, -0.5, -1, -2, 2.5)],
    Row("pow", [P, Y], ref=np.power, broadcast=True, empty=True, name="tensors", errors=[MISMATCH], promote=None),
    Row("pow", [2.0, X], ref=lambda b, x: 2.0**x, name="base", promote=None),
    Row("pow", [2.0, T(5, dtype="complex128")], ref=lambda b, z: 2.0**z, name="complex exponent", promote=None),
    Row("pow", [1 + 2j, X], ref=lambda b, x: (1 + 2j) ** x, name="complex base", promote=None),
    Row(
        "pow",
        [I(3, 4, high=9), 3],
        ref=lambda x, e: x**3,
        name="integers",
        errors=[([I(3, high=5), -1], {}, RuntimeError, "Integers to negative integer powers are not allowed")],
    ),
    Row("float_power", [P, 2.5], ref=lambda x, e: x**2.5, promote=None, errors=[(["x", 2], {}, TypeError, "must be Tensor")]),
    # --- rounded quotients
    Row(
        "floor_divide",
        [X, P],
        ref=np.floor_divide,
        broadcast=True,
        empty=True,
        grad=False,
        why="it has no gradient",
        errors=[BY_ZERO, MISMATCH],
    ),
    Row("remainder", [X, P], ref=torch_remainder, broadcast=True, empty=True, errors=[BY_ZERO, MISMATCH]),
    Row("remainder", [I(9, low=-9, high=9), -4], ref=lambda x, y: x % -4, name="integers"),
    Row("fmod", [X, P], ref=np.fmod, broadcast=True, empty=True, errors=[BY_ZERO, MISMATCH]),
    Row("gcd", [I(3, 4, high=50), I(4, high=50)], ref=np.gcd, promote=None, errors=[FLOATS]),
    Row("lcm", [I(3, 4, high=50), I(4, high=50)], ref=np.lcm, promote=None, errors=[FLOATS]),
    # --- bits
    Row("bitwise_and", [I(3, 4, high=50), I(4, high=50)], ref=np.bitwise_and, promote=None, errors=[FLOATS]),
    Row("bitwise_and", [B(3, 4), B(4)], ref=np.logical_and, name="bools", promote=None),
    Row("bitwise_or", [I(3, 4, high=50), I(4, high=50)], ref=np.bitwise_or, promote=None, errors=[FLOATS]),
    Row("bitwise_xor", [I(3, 4, high=50), I(4, high=50)], ref=np.bitwise_xor, promote=None, errors=[FLOATS]),
    Row("bitwise_not", [I(3, 4, high=50)], ref=np.invert, promote=None, errors=[([T(3)], {}, RuntimeError, "not implemented for")]),
    Row("bitwise_left_shift", [I(3, 4, high=50), I(4, high=70)], ref=np.left_shift, promote=None, errors=[FLOATS]),
    Row("bitwise_right_shift", [I(3, 4, low=-50, high=50), I(4, high=70)], ref=np.right_shift, promote=None, errors=[FLOATS]),
]
