"""What an index picks, and where gradients go back to: against the reference, with every layout of the index, and its errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import dovetail as dv
from dovetail.errors import RangeError
from dovetail.ops._op import OPS
from dovetail_cpu import _native, kernels

pytestmark = pytest.mark.usefixtures("threads")


def _drawn(draw: np.random.Generator) -> tuple[np.ndarray, int, np.ndarray]:
    """An array, a dimension, and an index into it: laid out afresh, turned, or repeated along some dimensions."""
    shape = draw.choice([1, 2, 3, 5, 17, 40], int(draw.integers(1, 5)))
    dim = int(draw.integers(len(shape)))
    want = [*shape[:dim], draw.choice([1, 4, 33]), *shape[dim + 1 :]]
    own = [1 if draw.integers(3) == 0 else n for n in want]
    index = np.broadcast_to(draw.integers(0, shape[dim], own), want)
    if draw.integers(2):
        index = np.array(index.T, order="C").T
    return draw.standard_normal(shape), dim, index


@pytest.mark.parametrize("kind", ["f4", "f8"])
def test_gather_scatter_add_and_the_gradient(kind: str) -> None:
    draw = np.random.default_rng(0)
    for _ in range(150):
        x, dim, index = _drawn(draw)
        x = x.astype(kind)
        g = draw.standard_normal(index.shape).astype(kind)
        g = np.array(g.T, order="C").T if draw.integers(2) else g
        found = _native.gather(x, dim - x.ndim, index, False)
        np.testing.assert_array_equal(found, OPS["gather"].reference.forward(x, dim, index))
        tolerance = 1e-5 if kind == "f4" else 1e-13
        want = OPS["gather_grad"].reference.forward(g, x.shape, dim, index)
        np.testing.assert_allclose(_native.gather_grad(g, x.shape, dim, index, False), want, rtol=tolerance, atol=tolerance)
        total = x.copy()
        assert _native.scatter_(total, dim, index, g, 0) is total
        np.testing.assert_allclose(total, x + want, rtol=tolerance, atol=tolerance)
        once = np.argsort(draw.standard_normal(x.shape), axis=dim)  # a permutation: each place comes once
        g = -np.abs(x) * 0
        np.testing.assert_array_equal(np.signbit(_native.gather_grad(g, x.shape, dim, once, True)), True)  # written: −0 stays


@pytest.mark.parametrize("include_self", [True, False])
@pytest.mark.parametrize("reduce", ["sum", "mean", "prod", "amax", "amin"])
@pytest.mark.parametrize("kind", ["f4", "f8"])
def test_scatter_reduce(kind: str, reduce: str, include_self: bool) -> None:
    """As the reference, NaN among the elements; out of place and in place, an index for each element or one for a row of them."""
    op, draw = OPS["scatter_reduce"], np.random.default_rng(5)
    for turn in range(60):
        x, dim, index = _drawn(draw)
        if turn % 3 == 0:
            row = [slice(0, 1)] * index.ndim
            row[dim] = slice(None)
            index = np.broadcast_to(index[tuple(row)], index.shape)
        x, src = x.astype(kind), draw.standard_normal(index.shape).astype(kind)
        src[draw.random(src.shape) < 0.02] = np.nan
        want = op.reference.forward(x, dim, index, src, reduce, include_self)
        close = 1e-4 if kind == "f4" else 1e-12
        before = x.copy()
        found = kernels.scatter_reduce.forward(x, dim, index, src, reduce, include_self)
        np.testing.assert_allclose(found, want, rtol=close, atol=close)
        np.testing.assert_array_equal(x, before)
        assert kernels.scatter_reduce.into(x, dim, index, src, reduce, include_self) is x
        np.testing.assert_array_equal(x, found)
    x = np.ones((2, 3), kind)
    for bad in (index[:0], np.full((2, 3), 3)):
        assert kernels.scatter_reduce.into(x, 1, bad, np.zeros((2, 3), kind), reduce, include_self) is NotImplemented
    assert kernels.scatter_reduce.into(x, 1, np.zeros((2, 3), "i8"), x, "median", include_self) is NotImplemented and (x == 1).all()


@pytest.mark.parametrize("kind", ["f4", "f8"])
def test_square_brackets(kind: str) -> None:
    draw, full = np.random.default_rng(1), slice(None)
    for _ in range(150):
        shape = tuple(int(n) for n in draw.choice([1, 2, 7, 40], int(draw.integers(1, 5))))
        first = int(draw.integers(len(shape)))
        count = int(draw.integers(1, len(shape) - first + 1))
        of = draw.choice([1, 3, 20], int(draw.integers(0, 3)))
        parts = tuple(draw.integers(-shape[first + k], shape[first + k], of) for k in range(count))
        x = draw.standard_normal(shape).astype(kind)
        x = np.asfortranarray(x) if draw.integers(2) else x
        at = (full,) * first + tuple(np.asarray(p) for p in parts)
        want = x[at]
        np.testing.assert_array_equal(_native.index(x, None, at), want)
        g = draw.standard_normal(want.shape).astype(kind)
        found = _native.getitem_grad(g, shape, None, at)
        tolerance = 1e-5 if kind == "f4" else 1e-13
        np.testing.assert_allclose(found, OPS["getitem_grad"].reference.forward(g, shape, None, at), rtol=tolerance, atol=tolerance)
        index = draw.integers(0, shape[first], 9)
        np.testing.assert_array_equal(_native.index_select(x, first, index), x.take(index, first))


def test_sums_are_in_the_order_of_the_index() -> None:
    """Whatever the number of threads: the last bits are those of one."""
    draw = np.random.default_rng(2)
    g, index = draw.standard_normal((5000, 70)).astype("f4"), draw.integers(0, 30, 5000)
    want = np.zeros((30, 70), "f4")
    for row, k in zip(g, index, strict=True):
        want[k] += row
    np.testing.assert_array_equal(_native.getitem_grad(g, (30, 70), None, (index,)), want)
    np.testing.assert_array_equal(_native.embedding_grad(g, index, 30, -1), want)
    want[7] = 0
    np.testing.assert_array_equal(_native.embedding_grad(g, index, 30, 7), want)


def test_what_lies_outside_is_for_the_reference_to_refuse() -> None:
    x, row = dv.arange(6.0).reshape(2, 3), dv.tensor([[0, 3]])
    with pytest.raises(RangeError, match=r"index 3 is out of bounds for dimension 1 with size 3"):
        x.gather(1, row)
    with pytest.raises(RangeError, match=r"index -1 is out of bounds for dimension 1 with size 3"):
        x.gather(1, -dv.ones(1, 1, dtype=dv.int64))
    with pytest.raises(IndexError, match=r"index 2 is out of bounds for dimension 0 with size 2"):
        x[dv.tensor([0, 2])]
    with pytest.raises(IndexError, match=r"out of range in self"):
        x.index_select(0, dv.tensor([-1]))
    with pytest.raises(RuntimeError, match=r"index 5 is out of bounds"):
        dv.zeros(2, 3).scatter_add_(1, dv.tensor([[5]]), dv.ones(1, 1))


NOT_SERVED: list[tuple[str, tuple[Any, ...]]] = [
    ("gather", (np.ones((2, 3)), 1, np.zeros((2, 3), "i4"), False)),
    ("gather", (np.ones((2, 3)), 1, np.zeros((1, 3), "i8"), False)),
    ("gather", (np.ones((2, 3)), 2, np.zeros((2, 3), "i8"), False)),
    ("gather", (np.ones((0, 3)), 1, np.zeros((0, 3), "i8"), False)),
    ("gather", (np.ones((2, 3), "i8"), 1, np.zeros((2, 3), "i8"), False)),
    ("gather_grad", (np.ones((2, 3)), (2, 3), 1, np.zeros((2, 2), "i8"), False)),
    ("index", (np.ones((2, 3)), None, (np.ones((2, 3), bool),))),
    ("index", (np.ones((2, 3)), None, (np.zeros(2, "i8"), np.zeros(1, "i8")))),
    ("index", (np.ones((2, 3)), None, (np.zeros(2, "i8"), slice(None), np.zeros(2, "i8")))),
    ("index", (np.ones((2, 3)), (slice(0, 1), ...), (np.zeros(2, "i8"),))),
    ("index", (np.ones((2, 3)), None, (np.zeros(0, "i8"),))),
    ("index_select", (np.ones((2, 3)), 0, np.zeros((1, 1), "i8"))),
    ("getitem_grad", (np.ones((2, 3)), (4, 3), None, (np.zeros(3, "i8"),))),
    ("getitem_grad", (np.ones((1, 3)), (4, 3), (slice(0, 1), ...), None)),
    ("embedding_grad", (np.ones((2, 3)), np.array([0, 4]), 4, -1)),
    ("scatter_", (np.ones((2, 3)), 1, np.zeros((2, 3), "i8"), np.ones((2, 4)), 0)),
    ("index_add_", (np.ones((2, 3)), 0, np.zeros(1, "i8"), np.ones((1, 2)), 1.0)),
]


@pytest.mark.parametrize("name, args", NOT_SERVED, ids=lambda v: v if isinstance(v, str) else "")
def test_what_has_no_code_is_declined(name: str, args: tuple[Any, ...]) -> None:
    before = [np.array(a) for a in args if isinstance(a, np.ndarray)]
    assert getattr(_native, name)(*args) is NotImplemented
    for a, b in zip((a for a in args if isinstance(a, np.ndarray)), before, strict=True):
        np.testing.assert_array_equal(a, b)
