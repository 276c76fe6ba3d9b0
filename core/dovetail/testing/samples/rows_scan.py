"""Rows of the running operations."""

import numpy as np

from .row import I, Row, T

X, C = T(3, 4), T(2, 3, 4)
_RANGE = ([T(3, 4), 2], {}, IndexError, "Dimension out of range")


def running(function, dim):
    """Values and places of a running extreme of distinct elements."""

    def ref(x, _):
        values = function.accumulate(x, axis=dim)
        at = np.arange(x.shape[dim]).reshape([-1 if i == dim else 1 for i in range(x.ndim)])
        return values, np.maximum.accumulate(np.where(x == values, at, 0), axis=dim)

    return ref


ROWS = [
    Row("cumsum", [X, 1], ref=lambda x, dim: x.cumsum(axis=1), empty=True, errors=[_RANGE]),
    Row("cumsum", [I(3, 4, high=5), 0], ref=lambda x, dim: x.cumsum(axis=0), name="integers"),
    Row("cumprod", [X, 0], ref=lambda x, dim: x.cumprod(axis=0), empty=True, errors=[_RANGE]),
    Row("cumprod", [C, -2], ref=lambda x, dim: x.cumprod(axis=1), name="middle"),
    Row("cummax", [C, 1], ref=running(np.maximum, 1), promote=None, errors=[_RANGE]),
    Row("cummin", [X, 0], ref=running(np.minimum, 0), promote=None, errors=[_RANGE]),
    Row(
        "logcumsumexp",
        [X, 1],
        ref=lambda x, dim: np.log(np.exp(x).cumsum(axis=1)),
        errors=[_RANGE, ([I(3, high=4), 0], {}, RuntimeError, "not implemented")],
    ),
    Row(
        "sub", [C], {"n": 2, "dim": 1}, ref=lambda x, n, dim: np.diff(x, n=2, axis=1), call="diff", torch="diff", name="diff", promote=None
    ),
    Row(
        "sum",
        [X],
        {"dx": 0.5, "dim": 0},
        ref=lambda y, dx, dim: np.trapezoid(y, dx=0.5, axis=0),
        call="trapezoid",
        torch="trapezoid",
        name="trapezoid",
        promote=None,
    ),
    Row(
        "cumsum",
        [X, T(4)],
        ref=None,
        why="NumPy has no running trapezoid",
        call="cumulative_trapezoid",
        torch="cumulative_trapezoid",
        name="cumulative_trapezoid",
        promote=None,
    ),
]
