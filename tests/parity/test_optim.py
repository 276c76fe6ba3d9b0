"""Every optimizer beside PyTorch's: twenty steps, several settings, float64 and float32, and state dicts both ways."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import dovetail as dv
from dovetail import nn, optim
from dovetail.autograd.node import wrap

pytestmark = pytest.mark.parity

SHAPES = [(4, 5), (5,), (), (3, 2, 2), (70000,), (0,)]
MATRICES = [(4, 5), (7, 3)]
TABLE: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {}),
    ("SGD", dict(lr=0.1, weight_decay=0.01)),
    ("SGD", dict(lr=0.1, momentum=0.9)),
    ("SGD", dict(lr=0.1, momentum=0.9, dampening=0.3, weight_decay=0.1)),
    ("SGD", dict(lr=0.1, momentum=0.9, nesterov=True, maximize=True)),
    ("Adam", {}),
    ("Adam", dict(lr=0.1, betas=(0.4, 0.9), weight_decay=0.1)),
    ("Adam", dict(lr=0.1, amsgrad=True, eps=1e-3, maximize=True)),
    ("Adam", dict(lr=0.1, weight_decay=0.1, decoupled_weight_decay=True)),
    ("AdamW", {}),
    ("AdamW", dict(lr=0.1, amsgrad=True, weight_decay=0.3)),
    ("AdamW", dict(lr=0.1, maximize=True, weight_decay=0)),
    ("RMSprop", {}),
    ("RMSprop", dict(lr=0.1, momentum=0.8, weight_decay=0.1)),
    ("RMSprop", dict(lr=0.1, centered=True, alpha=0.4)),
    ("RMSprop", dict(lr=0.1, centered=True, momentum=0.5, maximize=True)),
    ("Adadelta", {}),
    ("Adadelta", dict(lr=0.5, rho=0.7, weight_decay=0.1, maximize=True)),
    ("Adagrad", {}),
    ("Adagrad", dict(lr=0.1, lr_decay=0.2, weight_decay=0.1, initial_accumulator_value=0.5)),
    ("Adagrad", dict(lr=0.1, maximize=True)),
    ("Adamax", {}),
    ("Adamax", dict(lr=0.1, betas=(0.3, 0.8), weight_decay=0.1, maximize=True)),
    ("NAdam", {}),
    ("NAdam", dict(lr=0.1, weight_decay=0.1, momentum_decay=0.1)),
    ("NAdam", dict(lr=0.1, weight_decay=0.1, decoupled_weight_decay=True, maximize=True)),
    ("RAdam", {}),
    ("RAdam", dict(lr=0.1, betas=(0.8, 0.9), weight_decay=0.1)),
    ("RAdam", dict(lr=0.1, betas=(0.8, 0.9), weight_decay=0.1, decoupled_weight_decay=True, maximize=True)),
    ("ASGD", {}),
    ("ASGD", dict(lr=0.1, t0=5, alpha=0.5, weight_decay=0.1)),
    ("ASGD", dict(lr=0.1, lambd=0.1, maximize=True)),
    ("Rprop", {}),
    ("Rprop", dict(lr=0.1, etas=(0.3, 1.5), step_sizes=(1e-3, 0.2), maximize=True)),
    ("Adafactor", {}),
    ("Adafactor", dict(lr=0.1, eps=(1e-4, 1e-2), d=1.5, weight_decay=0.1, beta2_decay=-0.5, maximize=True)),
]
IDS = [f"{name}-{number}" for number, (name, _) in enumerate(TABLE)]
SPECIAL = {"Adafactor": [(4, 5), (5,), (3, 2, 2)]}


def pair(shapes: list[Any], kind: str) -> tuple[list[Any], list[Any]]:
    rng = np.random.RandomState(0)
    arrays = [np.asarray(rng.randn(*s)).astype(kind) for s in shapes]
    return [nn.Parameter(wrap(a.copy())) for a in arrays], [torch.nn.Parameter(torch.from_numpy(a.copy())) for a in arrays]


def give(step: int, mine: list[Any], their: list[Any], skip: Callable[[int, int], bool] = lambda step, i: False) -> None:
    """The same gradients to both."""
    rng = np.random.RandomState(step)
    for i, (p, q) in enumerate(zip(mine, their, strict=True)):
        g = np.asarray(rng.randn(*p._a.shape)).astype(p._a.dtype)
        p.grad = None if skip(step, i) else wrap(g.copy())
        q.grad = None if skip(step, i) else torch.from_numpy(g.copy())


def close(a: Any, b: Any, kind: str, steps: int = 20) -> None:
    if kind == "float64":
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)
    else:
        scale = max(1.0, float(np.abs(b).max())) if np.size(b) else 1.0
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=4e-7 * scale)


def same_state(mine: Any, their: Any, kind: str) -> None:
    ours, theirs = mine.state_dict(), their.state_dict()
    assert ours["param_groups"] == theirs["param_groups"]
    assert [list(group) for group in ours["param_groups"]] == [list(group) for group in theirs["param_groups"]]
    assert ours["state"].keys() == theirs["state"].keys()
    for key, values in theirs["state"].items():
        assert ours["state"][key].keys() == values.keys()
        for name, value in values.items():
            have = ours["state"][key][name]
            assert str(have.dtype).split(".")[1] == str(value.dtype).split(".")[1], name
            assert tuple(have.shape) == tuple(value.shape)
            close(have._a, value.numpy(), "float32" if value.dtype == torch.float32 else kind)


@pytest.mark.parametrize("kind", ["float64", "float32"])
@pytest.mark.parametrize("row", TABLE, ids=IDS)
def test_twenty_steps(row: tuple[str, dict[str, Any]], kind: str) -> None:
    name, settings = row
    mine, their = pair(SPECIAL.get(name, SHAPES), kind)
    a, b = getattr(optim, name)(mine, **settings), getattr(torch.optim, name)(their, **settings)
    assert repr(a) == repr(b)
    for step in range(20):
        give(step, mine, their)
        a.step()
        b.step()
    for p, q in zip(mine, their, strict=True):
        close(p._a, q.detach().numpy(), kind)
    same_state(a, b, kind)


@pytest.mark.parametrize("row", TABLE, ids=IDS)
def test_gradients_that_come_and_go(row: tuple[str, dict[str, Any]]) -> None:
    """Parameters that skip steps fall behind in their counters; groups have settings of their own."""
    name, settings = row
    shapes = SPECIAL.get(name, [(4, 5), (5,), (), (3, 2, 2)])
    mine, their = pair(shapes, "float64")
    make = [[{"params": ps[:2]}, {"params": ps[2:], "lr": 0.02}] for ps in (mine, their)]
    a, b = getattr(optim, name)(make[0], **settings), getattr(torch.optim, name)(make[1], **settings)
    for step in range(12):
        give(step, mine, their, lambda step, i: (step % 3 == 0 and i == 1) or (step % 4 == 1 and i == 2) or (step < 5 and i == 0))
        a.step()
        b.step()
        if step == 6:
            a.param_groups[0]["lr"] = b.param_groups[0]["lr"] = 0.05
    for p, q in zip(mine, their, strict=True):
        close(p._a, q.detach().numpy(), "float64")
    same_state(a, b, "float64")


def to_torch(value: Any) -> Any:
    if isinstance(value, dv.Tensor):
        return torch.from_numpy(value._a.copy())
    return {k: to_torch(v) for k, v in value.items()} if isinstance(value, dict) else value


def to_ours(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return wrap(value.numpy().copy())
    return {k: to_ours(v) for k, v in value.items()} if isinstance(value, dict) else value


@pytest.mark.parametrize("row", TABLE, ids=IDS)
def test_state_dicts_are_interchangeable(row: tuple[str, dict[str, Any]]) -> None:
    """Five steps in one library, its state dict loaded in the other, five more steps in both."""
    name, settings = row
    shapes = SPECIAL.get(name, SHAPES)
    mine, their = pair(shapes, "float64")
    a, b = getattr(optim, name)(mine, **settings), getattr(torch.optim, name)(their, **settings)
    for step in range(5):
        give(step, mine, their)
        a.step()
        b.step()
    mine2, their2 = ([type(p)(p.detach().clone()) for p in ps] for ps in (mine, their))
    a2, b2 = getattr(optim, name)(mine2, lr=7), getattr(torch.optim, name)(their2, lr=7)
    ours, theirs = a.state_dict(), b.state_dict()
    a2.load_state_dict({"state": to_ours(theirs["state"]), "param_groups": theirs["param_groups"]})
    b2.load_state_dict({"state": to_torch(ours["state"]), "param_groups": ours["param_groups"]})
    for step in range(5, 10):
        give(step, mine2, their2)
        a2.step()
        b2.step()
    for p, q in zip(mine2, their2, strict=True):
        close(p._a, q.detach().numpy(), "float64")
    same_state(a2, b2, "float64")


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop", "Adadelta", "Adagrad", "Adamax", "NAdam", "RAdam", "ASGD", "Rprop"])
def test_complex_parameters(name: str) -> None:
    rng = np.random.RandomState(0)
    start = rng.randn(3, 4) + 1j * rng.randn(3, 4)
    p, q = nn.Parameter(wrap(start.copy())), torch.nn.Parameter(torch.from_numpy(start.copy()))
    a, b = getattr(optim, name)([p], lr=0.1), getattr(torch.optim, name)([q], lr=0.1)
    for _ in range(6):
        g = rng.randn(3, 4) + 1j * rng.randn(3, 4)
        p.grad, q.grad = wrap(g.copy()), torch.from_numpy(g.copy())
        a.step()
        b.step()
    np.testing.assert_allclose(p._a, q.detach().numpy(), rtol=1e-12)


@pytest.mark.parametrize("name", ["SGD", "AdamW", "Adadelta", "Rprop"])
def test_layouts_and_repeated_parameters(name: str) -> None:
    """A transposed parameter and gradient, and a parameter mentioned twice."""
    mine, their = pair([(4, 6), (5,)], "float64")
    p, q = nn.Parameter(wrap(mine[0]._a.T)), torch.nn.Parameter(their[0].detach().t())
    with pytest.warns(UserWarning, match="duplicate parameters"):
        a = getattr(optim, name)([p, mine[1], mine[1]], lr=0.1)
    with pytest.warns(UserWarning):
        b = getattr(torch.optim, name)([q, their[1], their[1]], lr=0.1)
    rng = np.random.RandomState(0)
    for _ in range(4):
        g, h = rng.randn(4, 6), rng.randn(5)
        p.grad, q.grad = wrap(g.copy().T), torch.from_numpy(g.copy()).t()
        mine[1].grad, their[1].grad = wrap(h.copy()), torch.from_numpy(h.copy())
        a.step()
        b.step()
    close(p._a, q.detach().numpy(), "float64")
    close(mine[1]._a, their[1].detach().numpy(), "float64")


@pytest.mark.parametrize("settings", [{}, dict(lr=0.1, nesterov=False, adjust_lr_fn="match_rms_adamw"), dict(lr=0.1, weight_decay=0.3)])
def test_muon(settings: dict[str, Any]) -> None:
    """The iteration is in bfloat16 (three digits), so that the direction agrees to a few per cent."""
    mine, their = pair(MATRICES, "float32")
    a, b = optim.Muon(mine, **settings), torch.optim.Muon(their, **settings)
    start = [p._a.copy() for p in mine]
    for step in range(10):
        give(step, mine, their)
        a.step()
        b.step()
    for p, q, s in zip(mine, their, start, strict=True):
        moved = np.abs(q.detach().numpy() - s).max()
        np.testing.assert_allclose(p._a, q.detach().numpy(), atol=0.03 * moved)
    same_state(a, b, "float32")


@pytest.mark.parametrize("settings", [{}, dict(line_search_fn="strong_wolfe"), dict(lr=0.1, history_size=3, max_iter=7), dict(max_iter=1)])
def test_lbfgs(settings: dict[str, Any]) -> None:
    """Rosenbrock's function in six dimensions: the same path, the same number of evaluations."""
    start = np.linspace(-1.0, 1.2, 6)
    p, q = nn.Parameter(wrap(start.copy())), torch.nn.Parameter(torch.from_numpy(start.copy()))
    fast = {"lr": 0.002} if settings.get("line_search_fn") is None else {}
    a, b = optim.LBFGS([p], **{**fast, **settings}), torch.optim.LBFGS([q], **{**fast, **settings})

    def ours() -> Any:
        x = p._a
        g = np.zeros(6)
        g[1:] += 200 * (x[1:] - x[:-1] ** 2)
        g[:-1] += -400 * x[:-1] * (x[1:] - x[:-1] ** 2) - 2 * (1 - x[:-1])
        p.grad = wrap(g)
        return float((100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum())

    def theirs() -> Any:
        b.zero_grad()
        loss = (100 * (q[1:] - q[:-1] ** 2) ** 2 + (1 - q[:-1]) ** 2).sum()
        loss.backward()
        return loss

    for _ in range(6):
        np.testing.assert_allclose(a.step(ours), b.step(theirs).item(), rtol=1e-6)
    np.testing.assert_allclose(p._a, q.detach().numpy(), rtol=1e-6)
    counts = [{k: s[k] for k in ("n_iter", "func_evals")} for s in (a.state[p], b.state[q])]
    assert counts[0] == counts[1]
    assert set(a.state[p]) == set(b.state[q]) - {"al"}


ERRORS: list[tuple[str, dict[str, Any]]] = [
    ("SGD", dict(lr=-1.0)), ("SGD", dict(momentum=-0.5)), ("SGD", dict(weight_decay=-0.5)), ("SGD", dict(nesterov=True)),
    ("SGD", dict(foreach=True, fused=True)), ("Adam", dict(betas=(1.0, 0.9))), ("Adam", dict(betas=(0.9, -0.1))),
    ("Adam", dict(eps=-1.0)), ("Adam", dict(weight_decay=-1.0)), ("AdamW", dict(lr=-1.0)), ("AdamW", dict(fused=True, foreach=True)),
    ("RMSprop", dict(alpha=-1.0)), ("RMSprop", dict(momentum=-1.0)), ("Adadelta", dict(rho=1.1)), ("Adagrad", dict(lr_decay=-0.5)),
    ("Adagrad", dict(initial_accumulator_value=-1.0)), ("Adamax", dict(betas=(0.0, 1.0))), ("NAdam", dict(momentum_decay=-0.2)),
    ("RAdam", dict(weight_decay=-1.0)), ("ASGD", dict(weight_decay=-0.5)), ("Rprop", dict(etas=(1.0, 0.5))),
    ("Adafactor", dict(beta2_decay=0.8)), ("Adafactor", dict(eps=(-1e-30, 1e-3))), ("Adafactor", dict(d=0.0)),
    ("Muon", dict(adjust_lr_fn="x")), ("Muon", dict(momentum=-1.0)), ("SparseAdam", dict(betas=(1.0, 0.0))), ("LBFGS", dict(lr=-1.0)),
]  # fmt: skip


@pytest.mark.parametrize("row", ERRORS, ids=str)
def test_errors_are_pytorchs(row: tuple[str, dict[str, Any]]) -> None:
    name, settings = row
    mine, their = pair([(2, 2)], "float64")
    with pytest.raises(Exception) as theirs:
        getattr(torch.optim, name)(their, **settings)
    with pytest.raises(theirs.type) as ours:
        getattr(optim, name)(mine, **settings)
    assert str(theirs.value) in str(ours.value)


def test_the_update_costs_no_more_than_pytorchs() -> None:
    """Not a benchmark: the same six tensors, best of many, and a wide margin."""
    import time

    shapes = [(128, 4), (128,), (128, 128), (128,), (2, 128), (2,)]
    mine, their = pair(shapes, "float32")
    a, b = optim.AdamW(mine), torch.optim.AdamW(their)
    best = []
    for optimizer in (a, b):
        give(0, mine, their)
        times = []
        for _ in range(200):
            start = time.perf_counter()
            optimizer.step()
            times.append(time.perf_counter() - start)
        best.append(min(times))
    assert best[0] < 1.5 * best[1], best
