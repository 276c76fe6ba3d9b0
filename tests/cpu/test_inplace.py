"""In-place forms write over their tensor by the kernels themselves, and are what the out-of-place forms give."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import dovetail as dv
from dovetail.ops._op import OPS
from dovetail_cpu import _native


def drawn(kind: Any, *shape: int) -> dv.Tensor:
    return (dv.rand(*shape, dtype=kind) * 4 + 0.5) if shape else dv.tensor(1.5, dtype=kind)


UNARY = "neg abs square sqrt rsqrt reciprocal exp log tanh sigmoid relu".split()
BINARY = "add sub mul div".split()
LAYOUTS = {
    "contiguous": lambda t: t, "transposed": lambda t: t.t(), "columns": lambda t: t[:, 1:5], "every second row": lambda t: t[::2],
    "empty": lambda t: t[:0], "one": lambda t: t[2, 3],
}  # fmt: skip


@pytest.mark.parametrize("kind", [dv.float32, dv.float64], ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_results_are_those_of_the_other_form(layout: str, kind: Any) -> None:
    dv.manual_seed(0)
    whole = drawn(kind, 9, 7)
    for name in UNARY:
        x = LAYOUTS[layout](whole.clone())
        want = getattr(x, name)()
        assert getattr(x, f"{name}_")() is x and dv.allclose(x, want, rtol=1e-6 if kind == dv.float32 else 1e-14), name
    for name in BINARY:
        for other in (2, 0.25, drawn(kind, *LAYOUTS[layout](whole).shape), drawn(kind), drawn(dv.float64)):
            x = LAYOUTS[layout](whole.clone())
            want = getattr(x, name)(other).to(kind)
            getattr(x, f"{name}_")(other)
            assert dv.allclose(x, want, rtol=1e-6) and x.dtype == kind, (name, other)
    for call in (
        lambda x, y, f: f(x, "add")(y, alpha=0.5), lambda x, y, f: f(x, "sub")(y, alpha=2), lambda x, y, f: f(x, "lerp")(y, 0.25),
        lambda x, y, f: f(x, "lerp")(y, 0.75), lambda x, y, f: f(x, "addcmul")(y, y, value=3), lambda x, y, f: f(x, "addcdiv")(y, y + 1),
        lambda x, y, f: f(x, "clamp")(1, 2.5), lambda x, y, f: f(x, "clamp")(max=2),
    ):  # fmt: skip
        x, y = LAYOUTS[layout](whole.clone()), LAYOUTS[layout](drawn(kind, 9, 7))
        want = call(x, y, getattr)
        call(x, y, lambda t, name: getattr(t, f"{name}_"))
        assert dv.allclose(x, want, rtol=1e-6 if kind == dv.float32 else 1e-14)


def test_what_is_read_elsewhere_in_the_same_memory_is_read_first() -> None:
    x = drawn(dv.float32, 8, 64)
    pairs: list[tuple[Any, Any]] = [
        (lambda t: t[1:], lambda t: t[:-1]), (lambda t: t, lambda t: t[0]), (lambda t: t, lambda t: t), (lambda t: t, lambda t: t[:, :1]),
    ]  # fmt: skip
    for part, other in pairs:
        for name in BINARY:
            t = x.clone()
            want = getattr(part(t), name)(other(t))
            getattr(part(t), f"{name}_")(other(t))
            assert dv.equal(part(t), want), name
    t, square = x.clone(), drawn(dv.float32, 6, 6)
    want = t[1:].addcmul(t[:-1], t[:-1])
    assert dv.equal(t[1:].addcmul_(t[:-1], t[:-1]), want)
    want = square + square.t()
    assert dv.equal(square.add_(square.t()), want)


def test_shapes_and_types_that_do_not_fit_are_refused_as_before() -> None:
    x = drawn(dv.float32, 3, 1)
    with pytest.raises(RuntimeError, match="doesn't match the broadcast shape"):
        x.add_(drawn(dv.float32, 3, 4))
    with pytest.raises(RuntimeError, match="can't be cast"):
        x.mul_(dv.tensor(1j))
    assert x.add_(drawn(dv.float64, 3, 1)).dtype == dv.float32
    frozen = dv.ones(3).expand(4, 3)
    with pytest.raises(RuntimeError, match="single memory location"):
        frozen.add_(1)


def test_gradients_want_the_value_from_before() -> None:
    changes: list[Any] = [
        lambda t: t.mul_(t), lambda t: t.sigmoid_(), lambda t: t.div_(2).exp_(), lambda t: t.clamp_(1, 2), lambda t: t.square_(),
    ]  # fmt: skip
    for change in changes:
        x = drawn(dv.float64, 5, 4).requires_grad_()
        found = dv.autograd.grad(change(x * 1).sum(), x)[0]
        assert dv.autograd.gradcheck(lambda x, change=change: change(x * 1), (x,)) and found.shape == x.shape


@pytest.mark.parametrize("kind", [dv.float32, dv.float64], ids=str)
def test_sums_at_an_index(kind: Any) -> None:
    dv.manual_seed(1)
    for shape, dim in (((5,), 0), ((5, 3), 0), ((5, 40), 0), ((4, 5), 1), ((3, 5, 70), 1), ((2, 3, 5), 2), ((2, 3, 5), -1)):
        base, many = drawn(kind, *shape), 11
        source = drawn(kind, *[many if d == dim % len(shape) else n for d, n in enumerate(shape)])
        at = dv.randint(0, 5, (many,))
        want = base.double().numpy().copy()
        places = [slice(None)] * len(shape)
        for i in range(many):
            places[dim] = int(at[i])  # type: ignore[call-overload]
            want[tuple(places)] += 0.5 * source.double().select(dim, i).numpy()
        for found in (base.index_add(dim, at, source, alpha=0.5), base.clone().index_add_(dim, at, source, alpha=0.5)):
            np.testing.assert_allclose(found.numpy(), want, rtol=1e-5 if kind == dv.float32 else 1e-13)
        whole = dv.randint(0, 5, tuple(source.shape))
        column = at.reshape([-1 if d == dim % len(shape) else 1 for d in range(len(shape))]).expand(source.shape)
        for index in (whole, column, whole.flip(0).flip(0), column.clone()):
            want = base.double().numpy().copy()
            spots = list(np.indices(source.shape))
            spots[dim] = index.numpy()
            np.add.at(want, tuple(spots), source.double().numpy())
            for found in (base.scatter_add(dim, index, source), base.clone().scatter_add_(dim, index, source)):
                np.testing.assert_allclose(found.numpy(), want, rtol=1e-5 if kind == dv.float32 else 1e-13)
    with pytest.raises(IndexError):
        dv.zeros(3, dtype=kind).index_add_(0, dv.tensor([3]), dv.ones(1, dtype=kind))
    with pytest.raises(RuntimeError):
        dv.zeros(3, dtype=kind).scatter_add_(0, dv.tensor([-1]), dv.ones(1, dtype=kind))
    x = drawn(kind, 4, 6)
    t, at = x.clone(), dv.tensor([1, 1, 0, 3])
    assert dv.allclose(t.index_add_(0, at, t), x.index_add(0, at, x))


def test_the_kernels_serve() -> None:
    """The memory stays the same, and nothing is made for the result."""
    x, y = drawn(dv.float32, 300, 400), drawn(dv.float32, 300, 400)
    place = x.data_ptr()
    before = dict(_native.memory_stats())
    for name in (*BINARY, "add_scaled", "addcmul", "addcdiv", "lerp", "prelu", "elu", "clamp", "index_add", "scatter_add"):
        assert OPS[name].table["cpu", np.dtype("f4")].into is not None, name
    x.add_(y).mul_(0.5).sigmoid_().add_(y, alpha=0.1)
    assert x.data_ptr() == place and dict(_native.memory_stats()) == before
