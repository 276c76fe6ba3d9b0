"""The random functions of tensors beside PyTorch's: forms of call, types, layouts, numbers, states and errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
dv = pytest.importorskip("dovetail")

from dovetail.autograd.node import wrap
from dovetail.generator import Generator
from dovetail.ops import random_fill
from dovetail_numerics import streams as rs

pytestmark = pytest.mark.parity

_PROBE = torch.empty(9).exponential_(generator=torch.Generator().manual_seed(0))
OWN_STREAM = np.allclose(rs.exponential(Generator().manual_seed(0), 9), _PROBE, rtol=1e-6)
"""False for a PyTorch that draws exponential_ and bernoulli_(number) from MKL, as it does on Intel processors."""

A = np.random.RandomState(1).rand(5, 6)


def ours(a: Any) -> Any:
    """A tensor on a copy of the array that keeps its layout."""
    return wrap(a.copy(order="K"))


def theirs(a: Any) -> Any:
    return torch.from_numpy(a.copy(order="K"))


CALLS = """
m.rand(3)                                m.rand(2, 3)                          m.rand((2, 3))
m.rand([2, 3], dtype=m.float64)          m.rand(size=(2, 3))                   m.rand(())
m.rand(0, 3)                             m.rand(20, dtype=m.float16)           m.rand(4, dtype=m.complex64)
m.rand(3, requires_grad=True)            m.rand(3, device='cpu')               m.rand(3, generator=g)
m.randn(3)                               m.randn(40)                           m.randn((4, 5), dtype=m.float64)
m.randn(4, 4, requires_grad=True)        m.randn(7, dtype=m.complex64)         m.randn(3, generator=g)
m.randint(10, (3,))                      m.randint(2, 5, (3, 2))               m.randint(high=5, size=[4])
m.randint(low=2, high=5, size=(3,))      m.randint(2, 5, size=(3,))            m.randint(9, (3,), dtype=m.float32)
m.randint(2**40, (5,))                   m.randint(9, (3,), dtype=m.uint8, generator=g)
m.randperm(10)                           m.randperm(5, dtype=m.int32)          m.randperm(0)
m.rand_like(t)                           m.rand_like(t.transpose(0, 1))        m.rand_like(t, dtype=m.float32)
m.randn_like(t)                          m.randn_like(t.transpose(0, 1))       m.randn_like(t, requires_grad=True)
m.randn_like(t[:, ::2])                  m.randint_like(t, 5)                  m.randint_like(t, 2, 5)
m.randint_like(t, low=2, high=5, dtype=m.int64)
m.normal(t, 2.0)                         m.normal(t, t)                        m.normal(0.5, t)
m.normal(t)                              m.normal(2.0, 3.0, (4, 5))            m.normal(1, 2, size=(3,), dtype=m.float64)
m.normal(t[:, :1], t[0])                 m.normal(mean=t, std=1.0, generator=g)  m.normal(t, t.long())
m.bernoulli(t)                           m.bernoulli(t.transpose(0, 1))        t.bernoulli()
m.multinomial(t[0], 4, replacement=True)  m.poisson(t * 20)
m.binomial(t * 30, t * 0.5)              m.binomial(t[:, :1] * 30, t[0] * 0.5)
t.normal_()                              t.normal_(1.0, 2.0)                   t.normal_(mean=1.0, std=2.0, generator=g)
t.transpose(0, 1).normal_()              t[:, ::2].normal_()                   t[1:3].normal_()
t.uniform_()                             t.uniform_(-1, 1)                     t.transpose(0, 1).uniform_(-2, 3)
t.uniform_(to=3.0)                       t[:, 1:5].uniform_()                  t.log_normal_(0.1, 0.2)
t.random_()                              t.random_(10)                         t.random_(2, 5)
t.random_(2, to=5)                       t.transpose(0, 1).random_(100)        t.random_(3, None)
t.cauchy_()                              t.cauchy_(1, 2)                       t.geometric_(0.3)
t.transpose(0, 1).cauchy_()              t.bernoulli_(t)                       t.bernoulli_(t[0] * 1.0)
t.transpose(0, 1).bernoulli_(t.transpose(0, 1))
t.transpose(0, 1).log_normal_()          t.transpose(0, 1).geometric_(0.6)
i.random_()                              i.random_(7)                          i.geometric_(0.2)
"""
OWN = """
m.bernoulli(t, 0.3)                      t.bernoulli_()                        t.bernoulli_(0.7)
t.transpose(0, 1).bernoulli_(0.4)        i.bernoulli_(0.4)                     t.exponential_()
t.exponential_(2.0)                      m.multinomial(t, 3)                   m.multinomial(t[1], 1)
m.multinomial(t, 1, True)                m.multinomial(t.transpose(0, 1), 2)
"""


def table(text: str) -> list[str]:
    return [part.strip() for line in text.strip().splitlines() for part in line.split("  ") if part.strip()]


def both(text: str, kind: str) -> list[tuple[Any, Any, Any]]:
    """Evaluate a call in both libraries: (result, what `t` and `i` are after it, the state after it)."""
    found = []
    for m, convert, generator in ((dv, ours, Generator), (torch, theirs, torch.Generator)):
        m.manual_seed(11)
        g = generator().manual_seed(3)
        names = {"m": m, "t": convert(A.astype(kind)), "i": convert(np.zeros((3, 4), np.int32)), "g": g}
        out = eval(text, names)  # noqa: S307
        state = m.get_rng_state()
        found.append((out, names["t"], (state, g.get_state())))
    return found


def array(x: Any) -> np.ndarray:
    return x._a if isinstance(x, dv.Tensor) else x.detach().numpy()


@pytest.mark.parametrize("kind", ["float32", "float64"])
@pytest.mark.parametrize("call", table(CALLS) + (table(OWN) if OWN_STREAM else []))
def test_calls(call: str, kind: str) -> None:
    (mine, mine_t, mine_states), (their, their_t, their_states) = both(call, kind)
    a, b = array(mine), array(their)
    assert a.shape == b.shape and a.dtype == b.dtype
    assert mine.requires_grad == their.requires_grad
    assert [s for s, n in zip(mine.stride(), b.shape) if n > 1] == [s for s, n in zip(their.stride(), b.shape) if n > 1]
    np.testing.assert_allclose(a, b, rtol=3e-7 if b.dtype in (np.float32, np.complex64) else 1e-13)
    np.testing.assert_allclose(array(mine_t), array(their_t), rtol=3e-7 if kind == "float32" else 1e-13)
    for s, r in zip(mine_states, their_states):
        a, b = array(s).copy(), array(r).copy()
        waiting = slice(5024, 5032)  # the second half of a pair: NumPy's sine may differ in its last bit
        np.testing.assert_allclose(a[waiting].view("f8"), b[waiting].view("f8"), rtol=1e-13)
        a[waiting] = b[waiting] = 0
        assert (a == b).all()


ERRORS = """
m.rand(2, -1)                            m.rand(2, dtype=m.int64)              m.randn(2, dtype=m.int64)
m.rand('a')                              m.rand(2.0)                           m.rand()
m.rand((2, 3), 4)                        m.rand(2, generator=5)                m.rand(True)
m.rand(2, foo=1)                         m.randint(5, 3, (2,))                 m.randint(5, 2)
m.randint(2.5, (2,))                     m.randint(5)                          m.randint(300, (2,), dtype=m.uint8)
m.randint(5, (2,), requires_grad=True)   m.randperm(-1)                        m.randperm(300, dtype=m.uint8)
m.randperm(5, requires_grad=True)        m.randperm(2.0)                       m.randperm(5, dtype=m.bool)
m.rand_like(i)                           m.rand_like([1])                      m.randint_like(t, 5, 3)
m.normal(2, 3)                           m.normal(2, -3, size=(2,))            m.normal(t, -1)
m.normal(t, -t)                          m.normal(t, t[:, :4])                 m.normal(i, 1.0)
m.normal(1, 1, size=(2,), dtype=m.int64)
m.bernoulli(t * 9)                       m.bernoulli(i)                        m.bernoulli(t, 1.5)
m.multinomial(t[0], 40)                  m.multinomial(t[0], 0)                m.multinomial(t[:, :, None], 1)
m.multinomial(i, 1)                      m.multinomial(-t, 1)                  m.multinomial(t * 0, 1)
m.multinomial(t / 0, 1)                  m.multinomial(t, 2.0)                 m.poisson(-t)
m.poisson(i)                             m.binomial(t, t[:, :4])               m.binomial(i, i)
t.normal_(0, -1)                         i.normal_()                           t.uniform_(2, 1)
i.uniform_()                             t.random_(5, 2)                       t.random_(0)
t.bernoulli_(2)                          t.bernoulli_(i)                       t.exponential_(0)
i.exponential_()                         t.geometric_()                        t.geometric_(2)
t.cauchy_(0, -1)                         i.cauchy_()                           t.log_normal_(0, -1)
i.log_normal_()                          m.manual_seed('a')                    m.manual_seed(2**64)
m.manual_seed(-2**63 - 1)                m.set_rng_state(t)                    m.set_rng_state([1])
m.rand(3, out=t, dtype=m.int64)          m.rand(2, requires_grad=True).normal_()
m.rand(2, requires_grad=True)[0:1].uniform_()
"""


@pytest.mark.parametrize("call", table(ERRORS))
def test_errors_have_pytorchs_types(call: str) -> None:
    raised: list[type] = []
    for m, convert in ((dv, ours), (torch, theirs)):
        names = {"m": m, "t": convert(A), "i": convert(np.zeros((3, 4), np.int64))}
        with pytest.raises(Exception) as caught:
            eval(call, names)  # noqa: S307
        raised.append(caught.type)
    mine, their = raised
    assert issubclass(mine, RuntimeError if their is NotImplementedError else their)


def test_states_are_interchangeable() -> None:
    dv.manual_seed(5)
    dv.randn(3)
    torch.set_rng_state(torch.from_numpy(dv.get_rng_state()._a))
    assert (dv.rand(9)._a == torch.rand(9).numpy()).all()
    torch.rand(100)
    dv.set_rng_state(wrap(torch.get_rng_state().numpy().copy()))
    assert (dv.rand(9)._a == torch.rand(9).numpy()).all()


def test_fork_rng() -> None:
    dv.manual_seed(5)
    torch.manual_seed(5)
    from dovetail.random import fork_rng

    with fork_rng(), torch.random.fork_rng():
        assert (dv.rand(9)._a == torch.rand(9).numpy()).all()
    assert (dv.rand(9)._a == torch.rand(9).numpy()).all()


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_rrelu(kind: str, training: bool) -> None:
    a = np.random.RandomState(2).randn(4, 7).astype(kind)
    a[0, :2] = 0
    dv.manual_seed(1)
    torch.manual_seed(1)
    x, t = ours(a).requires_grad_(), theirs(a).requires_grad_()
    y, u = random_fill.rrelu(x, 0.1, 0.4, training), torch.nn.functional.rrelu(t, 0.1, 0.4, training)
    np.testing.assert_allclose(y._a, u.detach().numpy(), rtol=1e-6)
    y.backward(ours(np.ones_like(a)))
    u.backward(torch.ones_like(u))
    np.testing.assert_allclose(x.grad._a[a != 0], t.grad.numpy()[a != 0], rtol=1e-6)
    np.testing.assert_array_equal(dv.get_rng_state()._a, torch.get_rng_state().numpy())


@pytest.mark.parametrize("draw", ["normal_()", "uniform_()", "bernoulli_(0.5)", "random_(3)", "exponential_()"])
def test_gradients_stop_at_a_draw(draw: str) -> None:
    grads = []
    for m in (dv, torch):
        x = m.rand(3, 2, requires_grad=True)
        y = x * 2
        eval(f"y[1].{draw}", {"y": y})  # noqa: S307
        y.backward(m.ones(3, 2) if m is torch else ours(np.ones((3, 2), np.float32)))
        grads.append(array(x.grad))
    np.testing.assert_array_equal(*grads)
