"""Rows of the reductions: sums and products, norms, extremes and order statistics."""

import numpy as np

from .row import B, I, Row, T

X, C = T(3, 4), T(2, 3, 4)
_RANGE = ([T(3, 4), 2], {}, IndexError, "Dimension out of range")
_TWICE = ([T(3, 4), (0, 0)], {}, RuntimeError, "appears multiple times")


def lse(x, dim, keepdim=False):
    return np.log(np.exp(x).sum(axis=dim, keepdims=keepdim))


def take(function, dim):
    """Values and indices of an extreme, by the function that finds it."""
    return lambda x, *rest, **named: (
        np.take_along_axis(x, np.expand_dims(function(x, axis=dim), dim), dim).squeeze(dim),
        function(x, axis=dim),
    )


def middle(x, axis):
    return np.argsort(x, axis=axis, kind="stable").take((x.shape[axis] - 1) // 2, axis=axis)


ROWS = [
    Row("sum", [X], ref=np.sum, empty=True, errors=[_RANGE, _TWICE]),
    Row("sum", [C, (0, 2), True], ref=lambda x, dim, keepdim: x.sum(axis=dim, keepdims=True), name="two dims kept"),
    Row("sum", [X], {"dim": -1}, ref=lambda x, dim: x.sum(axis=-1), name="last"),
    Row("sum", [T()], {"dim": 0}, ref=lambda x, dim: x, name="0-d"),
    Row("sum", [T(700, 3), 0], ref=lambda x, dim: x.sum(axis=0), grad=False, name="many rows"),
    Row("sum", [T(2, 300, 20), 1], ref=lambda x, dim: x.sum(axis=1), grad=False, name="many in the middle"),
    Row(
        "mean",
        [X],
        ref=lambda x: x.mean(),
        empty=True,
        promote=None,
        errors=[_RANGE, ([I(3, high=4)], {}, RuntimeError, "could not infer output dtype")],
    ),
    Row("mean", [C, [0, -1]], {"keepdim": True}, ref=lambda x, dim, keepdim: x.mean(axis=(0, 2), keepdims=True), name="two dims"),
    Row("nansum", [X, 1], ref=lambda x, dim: np.nansum(x, axis=1), errors=[_RANGE]),
    Row("prod", [X], ref=lambda x: x.prod(), errors=[_RANGE, ([T(3, 4), (0, 1)], {}, TypeError, "invalid combination")]),
    Row("prod", [C, 1], ref=lambda x, dim: x.prod(axis=1), name="dim"),
    Row("prod", [C, -1, True], ref=lambda x, dim, k: x.prod(axis=-1, keepdims=True), name="dim kept"),
    Row(
        "var",
        [X],
        ref=lambda x: x.var(ddof=1),
        promote=None,
        errors=[([I(3, high=4)], {}, RuntimeError, "only support floating point"), _RANGE],
    ),
    Row(
        "var",
        [C, (0, 2)],
        {"correction": 0, "keepdim": True},
        ref=lambda x, dim, correction, keepdim: x.var(axis=(0, 2), keepdims=True),
        promote=None,
        name="correction 0",
    ),
    Row(
        "std",
        [X, 1],
        ref=lambda x, dim: x.std(axis=1, ddof=1),
        promote=None,
        errors=[([I(3, high=4)], {}, RuntimeError, "only support floating point")],
    ),
    Row("std", [C], {"dim": 0, "unbiased": False}, ref=lambda x, dim, unbiased: x.std(axis=0), promote=None, name="biased"),
    Row("logsumexp", [X, 1], ref=lse, errors=[_RANGE, ([X, ()], {}, RuntimeError, "no dimensions")]),
    Row("logsumexp", [C, (0, 2), True], ref=lse, name="two dims"),
    Row("count_nonzero", [I(3, 4, high=3)], {"dim": 0}, ref=lambda x, dim: np.count_nonzero(x, axis=0), errors=[_RANGE]),
    Row("all", [I(3, 4, high=3)], {"dim": 1}, ref=lambda x, dim: x.all(axis=1), errors=[_RANGE]),
    Row("any", [I(3, 4, high=2)], ref=lambda x: x.any(), errors=[_RANGE]),
    Row(
        "linalg_vector_norm",
        [X],
        ref=lambda x: np.sqrt((x * x).sum()),
        call="linalg.vector_norm",
        torch="linalg.vector_norm",
        promote=None,
        errors=[
            ([I(3, high=4)], {}, RuntimeError, "Expected a floating point"),
            ([T(0), float("inf")], {}, RuntimeError, "does not have an identity"),
        ],
    ),
    Row("linalg_vector_norm", [C, 1, 1], ref=lambda x, p, dim: abs(x).sum(axis=1), call="norm", torch="norm", promote=None, name="one"),
    Row(
        "linalg_vector_norm",
        [C, 3, (0, 1)],
        ref=lambda x, p, dim: (abs(x) ** 3).sum(axis=dim) ** (1 / 3),
        call="norm",
        torch="norm",
        promote=None,
        name="three",
    ),
    Row(
        "linalg_vector_norm",
        [T(3, 4, positive=True), float("inf"), 0],
        ref=lambda x, p, dim: abs(x).max(axis=0),
        call="norm",
        torch="norm",
        promote=None,
        name="inf",
    ),
    Row(
        "linalg_vector_norm",
        [X, T(3, 4)],
        ref=lambda x, y: np.sqrt(((x - y) ** 2).sum()),
        call="dist",
        torch="dist",
        promote=None,
        name="dist",
    ),
    Row(
        "amax",
        [X, 1],
        ref=lambda x, dim: x.max(axis=1),
        promote=None,
        errors=[([T(0)], {}, RuntimeError, "Expected reduction dim to be specified"), ([T(2, 0), 1], {}, IndexError, "non-zero size")],
    ),
    Row("amax", [C, (0, 1), True], ref=lambda x, dim, k: x.max(axis=dim, keepdims=True), promote=None, name="two dims"),
    Row("amin", [X], ref=lambda x: x.min(), promote=None, errors=[([T(2, 0), 1], {}, IndexError, "non-zero size")]),
    Row("amin", [X], ref=lambda x: (x.min(), x.max()), call="aminmax", torch="aminmax", promote=None, name="aminmax"),
    Row(
        "max",
        [C, 1],
        ref=take(np.argmax, 1),
        promote=None,
        errors=[
            ([T(0)], {}, RuntimeError, "max(): Expected reduction dim"),
            ([T(2, 0), 1], {}, IndexError, "max(): Expected reduction dim 1"),
            ([X, (0, 1)], {}, TypeError, "invalid combination"),
        ],
    ),
    Row("max", [X], ref=np.max, promote=None, name="all"),
    Row(
        "min",
        [C, -1, True],
        ref=lambda x, dim, k: (x.min(axis=-1, keepdims=True), x.argmin(axis=-1, keepdims=True)),
        promote=None,
        errors=[([T(2, 0), 1], {}, IndexError, "min(): Expected reduction dim 1")],
    ),
    Row(
        "argmax",
        [C, 1],
        ref=lambda x, dim: x.argmax(axis=1),
        promote=None,
        errors=[([T(0)], {}, IndexError, "Expected reduction dim to be specified")],
    ),
    Row(
        "argmin",
        [X],
        {"keepdim": True},
        ref=lambda x, keepdim: x.argmin().reshape(1, 1),
        promote=None,
        errors=[([T(2, 0), 1], {}, IndexError, "non-zero")],
    ),
    Row("median", [T(3, 5), 1], ref=take(middle, 1), promote=None, errors=[([T(2, 0), 1], {}, IndexError, "non-zero size")]),
    Row(
        "median", [T(2, 3), 1], ref=None, call="nanmedian", torch="nanmedian", promote=None, why="NumPy averages the middle two", name="nan"
    ),
    Row(
        "median_all",
        [T(3, 5)],
        ref=np.median,
        name="all",
        call="median",
        torch="median",
        promote=None,
        errors=[([T(3, 4), 2], {}, IndexError, "Dimension out of range")],
    ),
    Row(
        "kthvalue",
        [C, 2, -1],
        ref=lambda x, k, dim: (np.sort(x)[..., 1], np.argsort(x)[..., 1]),
        promote=None,
        errors=[
            ([X, 5], {}, RuntimeError, "selected number k out of range for dimension 1"),
            ([B(3), 1], {}, RuntimeError, "\"kthvalue_cpu\" not implemented for 'Bool'"),
        ],
    ),
    Row(
        "mode",
        [T(3, 4), 1],
        ref=lambda x, dim: (x.min(axis=1), x.argmin(axis=1)),
        promote=None,
        errors=[([T(2, 0), 1], {}, IndexError, "non-zero size")],
    ),
]
