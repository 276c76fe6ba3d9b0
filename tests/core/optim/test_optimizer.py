"""The protocol of Optimizer: groups, state, state dicts, hooks, closures, subclasses."""

from __future__ import annotations

import copy
import io
from typing import Any

import numpy as np
import pytest

import dovetail as dv
from dovetail import nn, optim
from dovetail.autograd.node import wrap
from dovetail.errors import GradError, TypeMismatch, UnsupportedError, ValueRangeError
from dovetail.io.checkpoint import give_back
from dovetail.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook, required


def parameter(*values: float) -> Any:
    p = nn.Parameter(wrap(np.array(values, np.float32)))
    p.grad = wrap(np.ones_like(p._a))
    return p


def test_groups_have_settings_of_their_own() -> None:
    a, b = parameter(1.0), parameter(1.0)
    sgd = optim.SGD([{"params": a}, {"params": [b], "lr": 0.5}], lr=0.25)
    sgd.step()
    assert (a.item(), b.item()) == (0.75, 0.5)
    assert [g["lr"] for g in sgd.param_groups] == [0.25, 0.5] and sgd.defaults["lr"] == 0.25
    assert repr(sgd).startswith("SGD (\nParameter Group 0\n    dampening: 0\n") and repr(sgd).endswith("    weight_decay: 0\n)")


def test_a_rate_may_be_a_tensor() -> None:
    p = parameter(1.0)
    optim.SGD([p], lr=wrap(np.asarray(0.25, np.float32))).step()
    assert p.item() == 0.75
    with pytest.raises(ValueRangeError, match="Tensor lr must be 1-element"):
        optim.SGD([p], lr=wrap(np.ones(2)))


def test_named_parameters() -> None:
    a, b = parameter(1.0), parameter(2.0)
    sgd = optim.SGD([("a", a), ("b", b)])
    assert sgd.param_groups[0]["param_names"] == ["a", "b"] and sgd.param_groups[0]["params"][1] is b
    assert sgd.state_dict()["param_groups"][0]["param_names"] == ["a", "b"]
    with pytest.raises(ValueRangeError, match="cannot add param group without names"):
        sgd.add_param_group({"params": [parameter(1.0)]})
    with pytest.raises(ValueRangeError, match="Some param names are missing"):
        optim.SGD([("a", a), b])


class Plain(optim.Optimizer):
    """A user's own: state by parameter, settings by group."""

    def __init__(self, params: Any, lr: Any = required) -> None:
        super().__init__(params, {"lr": lr})

    def step(self, closure: Any = None) -> Any:
        loss = None if closure is None else closure()
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                state["count"] = state.get("count", 0) + 1
                p._a[...] -= group["lr"] * p.grad._a
        return loss


def test_subclasses() -> None:
    p = parameter(1.0)
    plain = Plain([p], lr=0.5)
    assert plain.step(lambda: 3) == 3 and p.item() == 0.5 and plain.state[p] == {"count": 1}
    with pytest.raises(ValueRangeError, match="didn't specify a value of required optimization parameter lr"):
        Plain([p])
    with pytest.raises(UnsupportedError, match="not implemented"):
        optim.Optimizer([p], {}).step()


BAD: list[tuple[Any, type, str]] = [
    (lambda: optim.SGD(parameter(1.0)), TypeMismatch, "should be an iterable of Tensors or dicts, but got a Tensor"),
    (lambda: optim.SGD([]), ValueRangeError, "optimizer got an empty parameter list"),
    (lambda: optim.SGD([3]), TypeMismatch, "optimizer can only optimize Tensors, but one of the params is builtins.int"),
    (lambda: optim.SGD([parameter(1.0) * 2]), ValueRangeError, "can't optimize a non-leaf Tensor"),
    (lambda: optim.SGD([{"params": {parameter(1.0)}}]), TypeMismatch, "organized in ordered collections"),
    (lambda: optim.SGD([parameter(1.0)]).add_param_group([1]), TypeMismatch, "param_group must be a dict"),
]


@pytest.mark.parametrize("number", range(len(BAD)))
def test_refusals(number: int) -> None:
    call, kind, text = BAD[number]
    with pytest.raises(kind, match=text):
        call()


def test_a_parameter_in_two_groups() -> None:
    p = parameter(1.0)
    with pytest.raises(ValueRangeError, match="some parameters appear in more than one parameter group"):
        optim.SGD([{"params": p}, {"params": p}])
    with pytest.warns(UserWarning, match="duplicate parameters"):
        sgd = optim.SGD([p, p], lr=0.25)
    sgd.step()
    assert p.item() == 0.5


def test_zero_grad() -> None:
    p = parameter(1.0, 2.0)
    sgd = optim.SGD([p])
    g = p.grad
    sgd.zero_grad(set_to_none=False)
    assert p.grad is g and not g._a.any() and g._v[1] == 1
    sgd.zero_grad()
    assert p.grad is None
    sgd.step()
    assert p.tolist() == [1.0, 2.0]


def test_steps_are_seen_by_the_graph() -> None:
    p = parameter(2.0)
    y = p * p
    optim.SGD([p], lr=0.5).step()
    with pytest.raises(GradError, match=r"modified by an inplace operation by optimizer\.step"):
        y.backward()


def test_closures_record() -> None:
    p = parameter(2.0)
    sgd = optim.SGD([p], lr=0.5)

    def closure() -> Any:
        sgd.zero_grad()
        loss = p * 3
        loss.backward()
        return loss

    with dv.no_grad():
        assert sgd.step(closure).item() == 6.0
    assert p.item() == 0.5


def test_state_dict_and_back() -> None:
    a, b = parameter(1.0, 2.0), parameter(3.0)
    adam = optim.Adam([{"params": a}, {"params": b, "lr": 0.5}], lr=0.25)
    adam.step()
    state = adam.state_dict()
    assert list(state) == ["state", "param_groups"] and sorted(state["state"]) == [0, 1]
    assert [g["params"] for g in state["param_groups"]] == [[0], [1]]
    assert set(state["state"][0]) == {"step", "exp_avg", "exp_avg_sq"}
    assert state["state"][0]["step"].dtype is dv.float32 and state["state"][0]["step"].item() == 1
    assert state["state"][0]["exp_avg"] is adam.state[a]["exp_avg"]
    saved = copy.deepcopy(state)
    a2, b2 = nn.Parameter(wrap(a._a.copy())), nn.Parameter(wrap(b._a.copy()))
    other = optim.Adam([{"params": a2}, {"params": b2}], lr=9.0)
    other.load_state_dict(saved)
    assert [g["lr"] for g in other.param_groups] == [0.25, 0.5] and other.param_groups[0]["params"][0] is a2
    a2.grad, b2.grad = a.grad, b.grad
    adam.step()
    other.step()
    assert (a2._a == a._a).all() and (b2._a == b._a).all()


def test_loading_casts_to_the_parameter() -> None:
    p = nn.Parameter(wrap(np.ones(2)))
    adam = optim.Adam([p])
    state = {"step": wrap(np.asarray(3, np.float32)), "exp_avg": wrap(np.ones(2, np.float32)), "exp_avg_sq": wrap(np.ones(2, np.float32))}
    adam.load_state_dict({"state": {0: state}, "param_groups": adam.state_dict()["param_groups"]})
    assert adam.state[p]["exp_avg"].dtype is dv.float64 and adam.state[p]["step"].dtype is dv.float32


def test_loading_refuses_other_groups() -> None:
    sgd = optim.SGD([parameter(1.0)])
    with pytest.raises(ValueRangeError, match="different number of parameter groups"):
        sgd.load_state_dict(optim.SGD([{"params": parameter(1.0)}, {"params": parameter(1.0)}]).state_dict())
    with pytest.raises(ValueRangeError, match="doesn't match the size of optimizer's group"):
        sgd.load_state_dict(optim.SGD([parameter(1.0), parameter(1.0)]).state_dict())


def test_step_hooks() -> None:
    p, seen = parameter(1.0), []
    sgd = optim.SGD([p], lr=0.5)
    handles = [
        register_optimizer_step_pre_hook(lambda o, args, kwargs: seen.append("all before")),
        sgd.register_step_pre_hook(lambda o, args, kwargs: seen.append("before") or ((o, lambda: 7), {})),
        sgd.register_step_post_hook(lambda o, args, kwargs: seen.append("after")),
        register_optimizer_step_post_hook(lambda o, args, kwargs: seen.append("all after")),
    ]
    assert sgd.step() == 7
    assert seen == ["all before", "before", "after", "all after"]
    for handle in handles:
        handle.remove()
    assert sgd.step() is None and len(seen) == 4
    sgd.register_step_pre_hook(lambda o, args, kwargs: 3)
    with pytest.raises(UnsupportedError, match="must return None or a tuple"):
        sgd.step()


def test_state_dict_hooks() -> None:
    sgd, seen = optim.SGD([parameter(1.0)], lr=0.5), []
    sgd.register_state_dict_pre_hook(lambda o: seen.append("pre"))
    sgd.register_state_dict_post_hook(lambda o, d: {**d, "more": 1})
    sgd.register_state_dict_post_hook(lambda o, d: seen.append(sorted(d)), prepend=True)
    state = sgd.state_dict()
    assert state["more"] == 1 and seen == ["pre", ["param_groups", "state"]]
    state["param_groups"][0]["lr"] = 0.1
    sgd.register_load_state_dict_pre_hook(lambda o, d: seen.append("load"))
    sgd.register_load_state_dict_post_hook(lambda o: seen.append("loaded"))
    sgd.load_state_dict(state)
    assert sgd.param_groups[0]["lr"] == 0.1 and seen[2:] == ["load", "loaded"]


def test_copies_are_independent() -> None:
    p = parameter(1.0)
    adam = optim.Adam([p], lr=0.5)
    adam.step()
    twin = copy.deepcopy(adam)
    q = twin.param_groups[0]["params"][0]
    q.grad = wrap(np.ones(1, np.float32))
    twin.step()
    assert q is not p and twin.state[q]["step"].item() == 2 and adam.state[p]["step"].item() == 1


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
@pytest.mark.parametrize("name", ["Adam", "NAdam", "RAdam", "ASGD", "Rprop", "Adagrad", "Adamax", "RMSprop", "Adadelta", "Adafactor"])
def test_a_loaded_state_goes_on_bit_for_bit(name: str, dtype: str) -> None:
    dv.manual_seed(0)
    x = dv.randn(7, 5).to(getattr(dv, dtype))

    def made() -> Any:
        model = dv.nn.Linear(5, 3).to(x.dtype)
        return model, getattr(dv.optim, name)(model.parameters(), lr=0.01)

    def train(model: Any, optimizer: Any, steps: int) -> list[Any]:
        for _ in range(steps):
            optimizer.zero_grad()
            model(x).square().mean().backward()
            optimizer.step()
        return [p.tolist() for p in model.parameters()]

    (model, optimizer), (other, again) = made(), made()
    train(model, optimizer, 7)
    file = io.BytesIO()
    dv.save([model.state_dict(), optimizer.state_dict()], file)
    file.seek(0)
    for target, state in zip((other, again), dv.load(file), strict=True):
        give_back(target, state)
    assert train(other, again, 9) == train(model, optimizer, 9)
