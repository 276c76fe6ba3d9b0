"""Multi-tensor updates: the bits of the plain formula, whatever the parameters' sizes, layouts and histories."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dovetail import nn, optim
from dovetail.autograd.node import changed, wrap
from dovetail.optim import _multi
from dovetail.optim._multi import UPDATES

SHAPES = [(3, 4), (5,), (), (0,), (90000,), (70, 1000)]


def plain_adamw(p: Any, g: Any, state: dict[str, Any], lr: float = 0.1, decay: float = 0.01) -> None:
    """The formula for one tensor, operation by operation."""
    state["step"] += 1
    step, m, v = state["step"], state["m"], state["v"]
    p *= 1 - lr * decay
    m += (g - m) * (1 - 0.9)
    v *= 0.999
    v += g * g * (1 - 0.999)
    p -= m / (np.sqrt(v) / (1 - 0.999**step) ** 0.5 + 1e-8) * (lr / (1 - 0.9**step))


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_bits_of_the_plain_formula(kind: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optim.AdamW.rule, "table", {})  # the reference: a native kernel fuses products with sums
    rng = np.random.RandomState(0)
    params = [nn.Parameter(wrap(np.asarray(rng.randn(*s)).astype(kind))) for s in SHAPES]
    copies = [p._a.copy() for p in params]
    states = [{"step": 0, "m": np.zeros_like(c), "v": np.zeros_like(c)} for c in copies]
    adamw = optim.AdamW(params, lr=0.1)
    for step in range(6):
        for i, (p, c, s) in enumerate(zip(params, copies, states, strict=True)):
            g = np.asarray(rng.randn(*c.shape)).astype(kind)
            absent = (step == 2 and i == 0) or (step in (3, 4) and i == 4)
            p.grad = None if absent else wrap(g)
            if not absent:
                plain_adamw(c, g, s)
        adamw.step()
    for p, c, s in zip(params, copies, states, strict=True):
        assert p._a.tobytes() == c.tobytes()
        assert adamw.state[p]["exp_avg"]._a.tobytes() == s["m"].tobytes()
        assert adamw.state[p]["step"].item() == s["step"]


def pair(n: int = 3) -> tuple[Any, list[Any]]:
    params = [nn.Parameter(wrap(np.full(2, i + 1.0))) for i in range(n)]
    for p in params:
        p.grad = wrap(np.ones(2))
    return optim.Adam(params, lr=0.1), params


def bunches(optimizer: Any) -> list[list[Any]]:
    return [bunch.params for bunch in optimizer._layouts[0][0].bunches]


def test_small_parameters_share_flat_arrays_and_large_ones_stay_alone() -> None:
    small, large = [nn.Parameter(wrap(np.ones(8))) for _ in range(3)], nn.Parameter(wrap(np.ones(_multi.SMALL + 1)))
    for p in [*small, large]:
        p.grad = wrap(np.ones_like(p._a))
    adam = optim.Adam([small[0], large, *small[1:]])
    adam.step()
    assert sorted(len(b) for b in bunches(adam)) == [1, 3]
    flats = [adam.state[p]["exp_avg"]._a.base for p in small]
    assert all(np.shares_memory(flats[0], f) for f in flats)
    array, state = large._a, adam.state[large]["exp_avg"]
    adam.step()
    assert large._a is array and adam.state[large]["exp_avg"] is state


def test_many_small_ones_are_cut_into_flats() -> None:
    params = [nn.Parameter(wrap(np.ones(_multi.SMALL, np.float32))) for _ in range(5)]
    for p in params:
        p.grad = wrap(np.ones_like(p._a))
    sgd = optim.SGD(params, lr=0.5)
    sgd.step()
    assert [len(b) for b in bunches(sgd)] == [4, 1] and all((p._a == 0.5).all() for p in params)


def test_types_and_histories_are_kept_apart() -> None:
    adam, params = pair()
    params[0].grad = None
    adam.step()
    params[0].grad = wrap(np.ones(2))
    params.append(nn.Parameter(wrap(np.ones(2, np.float32))))
    params[3].grad = wrap(np.ones(2, np.float32))
    adam.add_param_group({"params": params[3]})
    adam.step()
    assert [len(b) for b in bunches(adam)] == [2, 1]
    assert [adam.state[p]["step"].item() for p in params] == [1, 2, 2, 1]


def test_a_replaced_state_counts() -> None:
    adam, params = pair()
    adam.step()
    other = wrap(np.full(2, 7.0))
    adam.state[params[1]]["exp_avg"] = other
    adam.step()
    assert np.allclose(adam.state[params[1]]["exp_avg"]._a, 7 + (1 - 7) * 0.1)
    adam.state[params[2]] = {}
    adam.step()
    assert [adam.state[p]["step"].item() for p in params] == [3, 3, 1]
    adam.state.clear()
    adam.step()
    assert [adam.state[p]["step"].item() for p in params] == [1, 1, 1]


def test_a_state_changed_in_place_counts() -> None:
    adam, params = pair()
    adam.step()
    step = adam.state[params[0]]["step"]
    step._a[...] = 10
    changed(step._v, "fill_")
    adam.step()
    assert [adam.state[p]["step"].item() for p in params] == [11, 2, 2]


def test_a_parameters_new_array_is_used() -> None:
    adam, params = pair()
    adam.step()
    params[0].data = wrap(np.full(2, 50.0))
    adam.step()
    assert params[0]._a[0] == pytest.approx(49.9) and adam.state[params[0]]["step"].item() == 2


def test_groups_may_be_edited() -> None:
    adam, params = pair()
    adam.step()
    adam.param_groups[0]["params"] = params[:1]
    adam.param_groups[0]["amsgrad"] = True
    adam.step()
    assert [adam.state[p]["step"].item() for p in params] == [2, 1, 1]
    assert set(adam.state[params[0]]) == {"step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq"}


def test_gradients_are_left_alone() -> None:
    for size in (4, _multi.SMALL + 4):
        for settings in ({}, dict(weight_decay=0.1), dict(maximize=True), dict(nesterov=True, momentum=0.9)):
            p = nn.Parameter(wrap(np.ones(size)))
            p.grad = wrap(np.full(size, 2.0))
            optim.SGD([p], lr=0.1, **settings).step()
            assert (p.grad._a == 2).all()


def test_a_kernel_may_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel gets lists of raw arrays; it may decline."""
    adam, params = pair(2)
    calls: list[Any] = []

    def kernel(arrays: Any, grads: Any, states: Any, *, maximize: bool, l2: float, step_size: float, **more: Any) -> Any:
        calls.append((len(arrays), len(states), maximize, l2, sorted(more)))
        if len(calls) == 2:
            return NotImplemented
        for a in arrays:
            a[...] = -1
        return None

    monkeypatch.setitem(UPDATES["adam_update"].table, ("cpu", np.dtype("f8")), kernel)  # what a plugin has put there comes back
    adam.step()
    assert all((p._a == -1).all() for p in params) and params[0]._v[1] == 1
    adam.step()
    assert all((p._a < -1).all() for p in params)
    assert calls[0] == (2, 2, False, 0, ["beta1", "beta2", "decay", "eps", "root_correction"])
