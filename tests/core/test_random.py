"""The tensor face of the random numbers: PyTorch's numbers (stored), layouts, graph, states, errors, and a GPU's stream."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import dovetail as dv
from dovetail.autograd.node import wrap
from dovetail.errors import DeviceError, DtypeError, GradError, TypeMismatch
from dovetail.ops import _random_gpu as gpu
from dovetail.ops import random_fill
from dovetail.random import fork_rng
from tests.support.cupy_standin import standin  # noqa: F401


@pytest.fixture(autouse=True)
def _seeded() -> None:
    dv.manual_seed(0)


def zeros(*shape: int, dtype: Any = np.float32) -> Any:
    return wrap(np.zeros(shape, dtype))


def values(t: Any) -> list[float]:
    return np.round(t._a.astype(np.float64), 4).tolist()


GOLDEN = [  # of PyTorch 2.13 after manual_seed(0)
    (lambda: dv.rand(3), [0.4963, 0.7682, 0.0885]),
    (lambda: dv.rand((1, 2), dtype=dv.float64), [[0.9701, 0.7078]]),
    (lambda: dv.randn(3), [1.5410, -0.2934, -2.1788]),
    (lambda: dv.randint(10, (4,)), [4, 9, 3, 0]),
    (lambda: dv.randint(-3, 3, size=(4,)), [-1, 0, 2, -3]),
    (lambda: dv.randperm(6), [2, 5, 3, 0, 1, 4]),
    (lambda: dv.normal(zeros(2), 1.0), [1.5410, -0.2934]),
    (lambda: dv.normal(5.0, 0.5, (2,)), [5.7705, 4.8533]),
    (lambda: zeros(3).uniform_(-1, 1), [-0.0075, 0.5364, -0.8230]),
    (lambda: zeros(4).random_(10), [4, 9, 3, 0]),
    (lambda: dv.rand_like(zeros(3)), [0.4963, 0.7682, 0.0885]),
    (lambda: dv.randint_like(zeros(3), 2, 9), [6, 5, 2]),
]


@pytest.mark.parametrize("number", range(len(GOLDEN)))
def test_stored_numbers(number: int) -> None:
    draw, expected = GOLDEN[number]
    np.testing.assert_allclose(values(draw()), expected, atol=1e-4)


def test_draws_follow_the_memory() -> None:
    plain = dv.rand(2, 3)._a
    dv.manual_seed(0)
    turned = zeros(2, 3)
    assert wrap(turned._a.T).uniform_()._a.shape == (3, 2)
    assert (turned._a == plain).all()


def test_a_generator_of_ones_own_leaves_the_default_alone() -> None:
    before = dv.get_rng_state()._a
    gen = dv.Generator().manual_seed(3)
    first = dv.rand(4, generator=gen)._a
    assert (dv.get_rng_state()._a == before).all()
    again = dv.Generator()
    again.set_state(dv.Generator().manual_seed(3).get_state())
    assert (dv.rand(4, generator=again)._a == first).all()


def test_state_and_fork() -> None:
    state = dv.get_rng_state()
    assert state._a.dtype == np.uint8 and state._a.shape == (5056,)
    first = dv.rand(3)._a
    dv.set_rng_state(state)
    with fork_rng():
        dv.rand(100)
    with fork_rng(enabled=False):
        pass
    assert (dv.rand(3)._a == first).all()
    assert dv.initial_seed() == 0 and dv.seed() == dv.initial_seed() != 0


def test_requires_grad_and_types() -> None:
    assert dv.rand(2, requires_grad=True).requires_grad
    assert dv.randperm(3, dtype=dv.int32).dtype is dv.int32
    assert dv.randint(3, (2,)).dtype is dv.int64
    with pytest.raises(DtypeError, match="Only Tensors of floating point"):
        dv.randint(3, (2,), requires_grad=True)


def test_out() -> None:
    out = zeros(3, dtype=np.float64)
    assert dv.rand(3, out=out) is out and values(out) == [0.9701, 0.7078, 0.4594]
    with pytest.raises(DtypeError, match="does not match dtype of out parameter"):
        dv.rand(3, out=out, dtype=dv.float32)


def test_a_fill_is_noticed_by_the_graph() -> None:
    x = dv.rand(3, requires_grad=True)
    y = x * x
    with dv.no_grad():
        x.normal_()
    with pytest.raises(GradError, match="modified by an inplace operation"):
        y.backward(wrap(np.ones(3, np.float32)))
    with pytest.raises(GradError, match="a leaf Variable that requires grad"):
        x.uniform_()
    z = x * 2
    z.normal_()
    z.backward(wrap(np.ones(3, np.float32)))
    assert (x.grad._a == 0).all()
    assert dv.bernoulli(dv.rand(3, requires_grad=True)).requires_grad


ERRORS = [
    (lambda: dv.rand(2, -1), RuntimeError, r"Trying to create tensor with negative dimension -1: \[2, -1\]"),
    (lambda: dv.rand(2, dtype=dv.int64), NotImplementedError, "not implemented for 'Long'"),
    (lambda: dv.rand(2.0), TypeError, r"rand\(\): argument 'size' must be tuple of ints, not float"),
    (dv.rand, TypeError, "invalid combination of arguments"),
    (lambda: dv.rand(2, generator=5), TypeError, "expected a Generator"),
    (lambda: dv.randint(5, 3, (2,)), RuntimeError, "expects 'from' to be less than 'to', but got from=5 >= to=3"),
    (lambda: dv.randint(5), TypeError, "randint"),
    (lambda: dv.randperm(-1), RuntimeError, "negative dimension"),
    (lambda: dv.normal(2.0, 3.0), TypeError, "without a size"),
    (lambda: dv.normal(2.0, -3.0, (2,)), RuntimeError, "normal expects std >= 0.0, but found std -3.0"),
    (lambda: dv.normal(zeros(2), zeros(3)), RuntimeError, r"size of tensor a \(2\) must match the size of tensor b \(3\)"),
    (lambda: dv.bernoulli(zeros(2), 1.5), RuntimeError, "but got p=1.5"),
    (lambda: dv.multinomial(zeros(3), 1), RuntimeError, "sum of probabilities <= 0"),
    (lambda: dv.multinomial(zeros(3), 4), RuntimeError, "without replacement"),
    (lambda: dv.multinomial(zeros(3) - 1, 1), RuntimeError, "either `inf`, `nan` or element < 0"),
    (lambda: dv.poisson(zeros(2, dtype=np.int64)), NotImplementedError, "not implemented for 'Long'"),
    (lambda: dv.binomial(zeros(2, dtype=np.int64), zeros(2)), ValueError, "only supports floating-point dtypes for count, got: Long"),
    (lambda: zeros(2).uniform_(2, 1), RuntimeError, "found from=2 > to=1"),
    (lambda: zeros(2).geometric_(2), RuntimeError, "p to be in"),
    (lambda: zeros(2).exponential_(0), RuntimeError, "expects lambda > 0.0"),
    (lambda: zeros(2).cauchy_(0, -1), RuntimeError, "sigma=-1"),
    (lambda: zeros(2).log_normal_(0, 0), RuntimeError, "std=0"),
    (lambda: dv.manual_seed(2**64), ValueError, "Overflow when unpacking long long"),
    (lambda: dv.set_rng_state(zeros(3)), TypeError, "uint8"),
    (lambda: dv.rand_like([1]), TypeError, "must be Tensor, not list"),
]


@pytest.mark.parametrize("number", range(len(ERRORS)))
def test_errors(number: int) -> None:
    call, kind, text = ERRORS[number]
    with pytest.raises(kind, match=text):
        call()


def test_rrelu() -> None:
    x = wrap(np.array([-2.0, 0.0, 4.0], np.float32))
    assert values(random_fill.rrelu(x, 0.25, 0.75)) == [-1.0, 0.0, 4.0]
    drawn = random_fill.rrelu(x, 0.25, 0.75, training=True)._a
    assert -1.5 <= drawn[0] <= -0.5 and drawn[2] == 4
    assert random_fill.rrelu(x, 0.5, 0.5, inplace=True) is x and values(x) == [-1.0, 0.0, 4.0]
    with pytest.raises(DtypeError, match="not implemented for 'Long'"):
        random_fill.rrelu(zeros(2, dtype=np.int64))


def test_gpu_streams(standin: Any) -> None:
    """The same seed gives the same numbers; every function has the CPU module's arguments and fills a GPU array."""
    before = standin.host_copies

    def everything() -> list[Any]:
        t = dv.rand(3, 4, device="cuda")
        half = wrap(standin.cupy.full((2, 3), 0.5))
        drawn = [t, dv.randn(5, device="cuda", dtype=dv.float64), dv.randint(2, 9, (4,), device="cuda"), dv.randperm(6, device="cuda")]
        drawn += [dv.normal(t, 1.0), dv.bernoulli(t), dv.bernoulli(t, 0.3), dv.multinomial(t, 2), dv.multinomial(t, 5, True)]
        drawn += [dv.poisson(t), dv.binomial(t, t), dv.randn_like(half), dv.rand(2, device="cuda", dtype=dv.complex64)]
        for name in ("normal_", "uniform_", "random_", "bernoulli_", "exponential_", "cauchy_", "log_normal_"):
            drawn.append(getattr(wrap(standin.cupy.zeros((3, 2))), name)())
        drawn.append(wrap(standin.cupy.zeros((3, 2))).geometric_(0.5))
        drawn.append(random_fill.rrelu(t - 0.5, training=True))
        return drawn

    dv.manual_seed(4)
    first = everything()
    assert all(isinstance(t._a, standin.cupy.ndarray) for t in first)
    assert standin.host_copies == before
    dv.manual_seed(4)
    with fork_rng():
        assert not all((a._a == b._a).all().item() for a, b in zip(first, everything(), strict=True))
    second = everything()
    for a, b in zip(first, second, strict=True):
        assert (standin.cupy.asnumpy(a._a) == standin.cupy.asnumpy(b._a)).all()
    with pytest.raises(DeviceError, match="Expected a 'cuda' device type for generator but found 'cpu'"):
        dv.rand(2, device="cuda", generator=dv.default_generator)
    gpu._STREAMS.clear()


def test_seeds_are_taken_as_pytorch_takes_them() -> None:
    assert dv.manual_seed(1.7).initial_seed() == 1
    assert dv.manual_seed(-1).initial_seed() == 2**64 - 1
    with pytest.raises(TypeMismatch):
        dv.Generator().manual_seed(1.5)
