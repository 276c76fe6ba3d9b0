"""Rows of sorting, searching and counting."""

import numpy as np

from .row import B, I, Row, T

X, C = T(3, 5), T(2, 3, 4)
_RANGE = ([T(3, 4), 2], {}, IndexError, "Dimension out of range")


def ranked(x, dim, descending):
    """Values and order of distinct elements."""
    order = np.argsort(-x if descending else x, axis=dim)
    return np.take_along_axis(x, order, dim), order


ROWS = [
    Row("sort", [C, 1], ref=lambda x, dim: ranked(x, 1, False), empty=True, promote=None, errors=[_RANGE]),
    Row("sort", [X], {"descending": True}, ref=lambda x, descending: ranked(x, -1, True), promote=None, name="descending"),
    Row("sort", [X], ref=lambda x: np.sort(x, axis=0), call="msort", torch="msort", promote=None, name="msort"),
    Row("argsort", [C, 0, True], ref=lambda x, dim, descending: ranked(x, 0, True)[1], promote=None, errors=[_RANGE]),
    Row(
        "topk",
        [X, 2],
        ref=lambda x, k: tuple(a[..., :2] for a in ranked(x, -1, True)),
        promote=None,
        errors=[
            ([X, 6], {}, RuntimeError, "selected index k out of range"),
            ([B(3), 1], {}, RuntimeError, "topk does not support bool dtypes"),
        ],
    ),
    Row("topk", [T(100, 3), 4, 0, False], ref=lambda x, *rest: tuple(a[:4] for a in ranked(x, 0, False)), promote=None, name="few of many"),
    Row(
        "sort",
        [X, 0.3, 1],
        ref=lambda x, q, dim: np.quantile(x, 0.3, axis=1),
        call="quantile",
        torch="quantile",
        promote=None,
        name="quantile",
        errors=[
            ([X, 1.5], {}, RuntimeError, "must be in the range [0, 1]"),
            ([X, 0.5], {"interpolation": "no"}, RuntimeError, "interpolation must be"),
        ],
    ),
    Row(
        "sort",
        [X, 0.8],
        {"interpolation": "midpoint"},
        ref=lambda x, q, interpolation: np.quantile(x, 0.8, method="midpoint"),
        call="nanquantile",
        torch="nanquantile",
        promote=None,
        name="nanquantile",
    ),
    Row(
        "searchsorted",
        [I(4, high=1), I(2, 2, low=-1, high=2)],
        {"right": True},
        ref=lambda a, v, right: np.searchsorted(a, v, "right"),
        errors=[([T(2, 3), T(3, 3)], {}, RuntimeError, "boundaries tensor should be 1 dimension")],
    ),
    Row(
        "searchsorted",
        [I(2, 2, low=-1, high=2), I(4, high=1)],
        ref=lambda v, a: np.searchsorted(a, v),
        call="bucketize",
        torch="bucketize",
        name="bucketize",
    ),
    Row(
        "unique",
        [I(3, 4, high=4)],
        {"return_inverse": True, "return_counts": True},
        sync=True,
        ref=lambda x, **named: np.unique(x, return_inverse=True, return_counts=True),
        errors=[([T(0, 3)], {"dim": 1}, RuntimeError, "0 sized dimensions")],
    ),
    Row("unique", [I(6, 2, high=2)], {"dim": 0}, sync=True, ref=lambda x, dim: np.unique(x, axis=0), name="rows"),
    Row("unique", [I(1, 3, high=2)], {"dim": 0}, sync=True, ref=lambda x, dim: x, name="one row"),
    Row(
        "unique",
        [I(9, high=2)],
        sync=True,
        ref=lambda x: x[np.r_[True, x[1:] != x[:-1]]],
        call="unique_consecutive",
        torch="unique_consecutive",
        name="consecutive",
    ),
    Row(
        "bincount",
        [I(9, high=4)],
        {"minlength": 6},
        sync=True,
        ref=lambda x, minlength: np.bincount(x, minlength=6),
        errors=[
            ([I(3, low=-3, high=-1)], {}, RuntimeError, "non-negative"),
            ([T(3)], {}, NotImplementedError, "not implemented for 'Double'"),
        ],
    ),
    Row("bincount", [I(9, high=4), T(9, grad=False)], sync=True, ref=np.bincount, name="weights"),
    Row(
        "histc",
        [T(20, grad=False)],
        {"bins": 5, "min": -2, "max": 2},
        ref=lambda x, **named: np.histogram(x, 5, (-2, 2))[0].astype(float),
        promote=None,
        errors=[([I(3, high=4)], {}, NotImplementedError, "not implemented for 'Long'"), ([T(3), 0], {}, RuntimeError, "bins must be > 0")],
    ),
    Row(
        "histogram",
        [T(20, grad=False), 5],
        {"range": (-2.0, 2.0), "density": True},
        promote=None,
        ref=lambda x, n, **named: np.histogram(x, 5, (-2, 2), density=True),
        errors=[([I(3, high=4), 2], {}, NotImplementedError, "not implemented")],
    ),
    Row("matmul", [X], ref=np.cov, call="cov", torch="cov", promote=None, name="cov"),
    Row("matmul", [T(2, 3, dtype="complex128")], ref=np.cov, call="cov", torch="cov", promote=None, name="cov complex"),
    Row("matmul", [X], ref=np.corrcoef, call="corrcoef", torch="corrcoef", promote=None, name="corrcoef"),
]
