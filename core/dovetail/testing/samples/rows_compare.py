"""Rows of comparisons, tests of elements, logic, choosing by a mask, and filling."""

import numpy as np

from .row import B, I, Row, T

X, Y = T(3, 4), T(3, 4)
A, D = I(3, 4, high=4), I(4, high=4)
SPECIAL = T(3, 4, low=-1e300, high=1e300)
NOT_A_TENSOR = (["x"], {}, TypeError, "must be Tensor")
MISMATCH = ([T(3), T(4)], {}, RuntimeError, "must match the size")
COMPLEX = ([T(3, dtype="complex128"), T(3, dtype="complex128")], {}, RuntimeError, "not implemented for 'ComplexDouble'")
MASK = ([T(3), T(3), 0.0], {}, RuntimeError, "only supports boolean masks")


def compares(name, ref, *errors):
    return [
        Row(name, [A, D], ref=ref, broadcast=True, empty=True, errors=[MISMATCH, *errors]),
        Row(name, [A, 2], ref=lambda x, y: ref(x, 2), name="number"),
        Row(name, [A, 1.5], ref=lambda x, y: ref(x, 1.5), name="fraction", promote=None),
    ]


ROWS = [
    *compares("eq", np.equal),
    *compares("ne", np.not_equal),
    *compares("lt", np.less, COMPLEX),
    *compares("le", np.less_equal, COMPLEX),
    *compares("gt", np.greater, COMPLEX),
    *compares("ge", np.greater_equal, COMPLEX),
    *[
        Row(n, [SPECIAL], ref=f, empty=True, errors=[NOT_A_TENSOR])
        for n, f in (("isnan", np.isnan), ("isinf", np.isinf), ("isfinite", np.isfinite), ("isreal", np.isreal))
    ],
    *[
        Row(n, [SPECIAL], ref=f, errors=[([T(3, dtype="complex128")], {}, RuntimeError, "complex")])
        for n, f in (("isposinf", np.isposinf), ("isneginf", np.isneginf))
    ],
    Row(
        "isclose",
        [X, X],
        dict(rtol=0.1, atol=0.5),
        ref=lambda x, y, rtol, atol: np.isclose(x, y, rtol=0.1, atol=0.5),
        promote=None,
        errors=[
            ([T(3), T(3, dtype="float32")], {}, RuntimeError, "did not match"),
            ([T(3), T(3)], dict(rtol=-1.0), RuntimeError, "must be greater than or equal to zero"),
        ],
    ),
    Row(
        "allclose",
        [X, X],
        dict(atol=5.0),
        ref=lambda x, y, atol: np.allclose(x, y, atol=5.0),
        promote=None,
        sync=True,
        grad=False,
        errors=[([T(3), I(3, high=4)], {}, RuntimeError, "did not match")],
    ),
    Row("equal", [A, A], ref=np.array_equal, promote=None, sync=True, grad=False, errors=[([T(3), 1], {}, TypeError, "must be Tensor")]),
    Row("isin", [A, D], ref=np.isin, promote=None, errors=[(["x", D], {}, TypeError, "must be Tensor")]),
    Row("isin", [A, D], dict(invert=True), ref=lambda x, y, invert: np.isin(x, y, invert=True), name="invert", promote=None),
    Row("logical_and", [A, D], ref=np.logical_and, broadcast=True, errors=[MISMATCH]),
    Row("logical_or", [A, D], ref=np.logical_or, broadcast=True, errors=[MISMATCH]),
    Row("logical_xor", [A, D], ref=np.logical_xor, broadcast=True, errors=[MISMATCH]),
    Row("logical_not", [A], ref=np.logical_not, errors=[NOT_A_TENSOR]),
    # --- choosing
    Row(
        "where",
        [B(3, 4), X, T(4)],
        ref=np.where,
        promote=None,
        errors=[
            ([T(3), T(3), T(3)], {}, RuntimeError, "expected condition to be a boolean tensor"),
            ([B(3), T(3)], {}, TypeError, "invalid combination of arguments"),
        ],
    ),
    Row("where", [B(3, 4), X, 0.5], ref=lambda c, x, y: np.where(c, x, 0.5), name="number", promote=None),
    Row("where", [B(3, 4), 1.5, X], ref=lambda c, x, y: np.where(c, 1.5, y), name="number first", promote=None),
    Row("where", [A], ref=np.nonzero, name="places", promote=None, sync=True),
    Row("where", [X, B(3, 4), Y], ref=lambda x, c, y: np.where(c, x, y), call="Tensor.where", name="method", promote=None),
    Row(
        "masked_fill",
        [X, B(3, 4), 9.0],
        ref=lambda x, m, v: np.where(m, 9.0, x),
        promote=None,
        errors=[MASK, ([T(3), B(3), T(2)], {}, RuntimeError, "only supports a 0-dimensional value tensor")],
    ),
    Row("masked_fill", [X, B(4), 0.0], ref=lambda x, m, v: np.where(m, 0.0, x), name="zero", promote=None),
    Row("masked_fill", [X, B(3, 4), T()], ref=lambda x, m, v: np.where(m, v, x), name="tensor", promote=None),
    Row("masked_fill", [T(40, 50), B(40, 50), 0.0], ref=lambda x, m, v: np.where(m, 0.0, x), name="large", promote=None),
    Row(
        "masked_fill",
        [X, B(3, 4), -1.0],
        ref=lambda x, m, v: np.where(m, -1.0, x),
        call="Tensor.masked_fill_",
        name="in place",
        promote=None,
    ),
    Row(
        "fill",
        [X, 7.0],
        ref=lambda x, v: np.full_like(x, 7.0),
        promote=None,
        grad2=False,
        why="the gradient is zero",
        errors=[([T(3), T(2)], {}, RuntimeError, "value tensor")],
    ),
    Row("fill", [X, T()], ref=np.full_like, name="tensor", promote=None),
    Row("fill", [X, 7.0], ref=lambda x, v: np.full_like(x, 7.0), call="Tensor.fill_", name="in place", promote=None, grad=False),
    Row("fill", [X], ref=np.zeros_like, call="Tensor.zero_", name="zero", promote=None, grad=False),
]
