"""The compiled twin of op calls and of backward(): the same graph and the same gradients as the Python that it stands for."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import dovetail as dv
from dovetail.autograd.engine import late
from dovetail.graph import raw
from dovetail.ops import _call, _viewing
from dovetail.ops._plan import Plan
from dovetail.ops.kernels import adopt
from dovetail.testing.samples.calls import ROWS, flat, function, inputs
from dovetail.testing.samples.row import Row
from dovetail_cpu import twin

PYTHON: dict[str, Any] = {
    "one": raw.one, "two": raw.two, "dispatch": raw.dispatch, "view_of": raw.view_of, "walk": raw.Walk.go, "collect": raw.Walk.finish,
}  # fmt: skip


@contextmanager
def served_by(functions: dict[str, Any]) -> Iterator[None]:
    homes = {**vars(_viewing), **vars(_call), "walk": late.walk, "collect": late.collect}
    before = {name: homes[name] for name in PYTHON}
    adopt(functions)
    try:
        yield
    finally:
        adopt(before)


@pytest.fixture(scope="module")
def compiled() -> dict[str, Any]:
    dv.ones(1).relu()  # kernels are looked for at the first op
    made = twin.make()
    assert set(made) > set(PYTHON)
    return {name: made[name] for name in PYTHON}


def test_it_serves_where_it_is_built(compiled: dict[str, Any]) -> None:
    assert type(_call.dispatch) is type(compiled["dispatch"])
    code = "import dovetail as dv; dv.ones(1).relu(); from dovetail.ops import _call; print(type(_call.one).__name__)"
    for value, want in (("0", "function"), ("1", "builtin_function_or_method")):
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, "DOVETAIL_TWIN": value}
        )
        assert done.stdout.strip() == want


def described(value: Any, seen: dict[int, int]) -> Any:
    """A result and the graph behind it in plain values, every object of the graph by the order in which it is met."""

    def number(o: Any) -> int:
        return seen.setdefault(id(o), len(seen))

    if isinstance(value, np.ndarray):
        return value.dtype, value.shape, value.strides, value.tobytes()
    if value.__class__ in (list, tuple):
        return [described(v, seen) for v in value]
    if value.__class__ in raw.CLASSES:
        return type(value), described(value._a, seen), number(value._v), value._v[1], described(value._n, seen)
    if isinstance(value, raw.Output):
        return value.index, value.shape, value.dtype, described(value.node, seen)
    if isinstance(value, raw.Node):
        if id(value) in seen:
            return number(value)
        number(value)
        own = isinstance(value.plan, Plan)
        kept = described(list(value.saved), seen) if own else None
        boxes = [number(b) for b in value.boxes if b is not _call._NO_BOX] if own else None  # a number's box never changes
        return value.plan.op.name if own else None, value.shape, value.dtype, kept, boxes, described(list(value.edges), seen)
    return number(value) if isinstance(value, raw.Leaf) else repr(value)


def outcome(row: Row) -> Any:
    """What a row's call gives and records, and the gradients; or its error."""
    dv.manual_seed(5)
    args, kwargs, leaves = inputs(row)
    seen = {id(t._v): -k for k, t in enumerate(leaves, 1)}
    seen.update({id(t._n): -100 - k for k, t in enumerate(leaves)})
    result = function(row)(*args, **kwargs)
    graph = described(result, seen)
    outs = [t for t in flat(result) if isinstance(t, dv.Tensor) and t.requires_grad]
    if outs:
        dv.autograd.backward(outs, [dv.ones_like(t) for t in outs])
    return graph, [described(t.grad, {}) for t in leaves]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_every_row_is_recorded_alike(row: Row, compiled: dict[str, Any]) -> None:
    with served_by(PYTHON):
        want = outcome(row)
    with served_by(compiled):
        found = outcome(row)
    assert repr(found) == repr(want)


def network() -> Any:
    dv.manual_seed(3)
    return dv.nn.Sequential(
        dv.nn.Conv2d(1, 4, 3), dv.nn.BatchNorm2d(4), dv.nn.ReLU(), dv.nn.MaxPool2d(2), dv.nn.Dropout(0.3), dv.nn.Flatten(),
        dv.nn.Linear(36, 16), dv.nn.LayerNorm(16), dv.nn.GELU(), dv.nn.Linear(16, 5),
    )  # fmt: skip


def trained(steps: int = 4) -> list[Any]:
    model = network()
    optimizer = dv.optim.AdamW(model.parameters(), lr=1e-2)
    x, y = dv.randn(6, 1, 8, 8), dv.randint(0, 5, (6,))
    told: list[Any] = []
    model[6].weight.register_hook(lambda g: told.append(g._a.copy()))
    model[9].bias.register_post_accumulate_grad_hook(lambda p: told.append(p.grad._a.copy()))

    def double(g: Any) -> Any:
        told.append(g._a.copy())
        return g * 2

    for _ in range(steps):
        optimizer.zero_grad()
        h = model(x)
        h.register_hook(double)
        h.retain_grad()
        loss = dv.nn.functional.cross_entropy(h, y) + (h * h).mean() + h.split(2, dim=1)[0].sum() * 0.1
        loss.backward(retain_graph=True)
        told.append(dv.autograd.grad(loss, [model[0].weight, h])[0]._a)
        optimizer.step()
        told += [loss._a, h.grad._a]
    return told + [p._a for p in model.parameters()]


def test_training_with_hooks_and_partial_walks_gives_the_same_bits(compiled: dict[str, Any]) -> None:
    with served_by(PYTHON):
        want = trained()
    with served_by(compiled):
        found = trained()
    assert len(found) == len(want) and all(a.tobytes() == b.tobytes() for a, b in zip(found, want, strict=True))


def grown() -> Any:
    return dv.ones(2, requires_grad=True).exp()


def twice() -> None:
    y = grown().sum()
    y.backward()
    y.backward()


def stale() -> None:
    y = grown()
    y.mul_(2)
    y.sum().backward()


def hooked(hook: Any) -> None:
    x = dv.ones(2, requires_grad=True)
    x.register_hook(hook)
    (x * 2).sum().backward()


def interrupt(_: Any) -> None:
    raise KeyboardInterrupt


FAULTS: dict[str, Any] = {
    "shapes": lambda: dv.ones(2, 3, requires_grad=True) + dv.ones(4), "product": lambda: dv.ones(2, 3) @ dv.ones(2, 3),
    "no tensor": lambda: dv.relu("x"), "dimension": lambda: dv.ones(2).sum(3), "twice": twice, "stale": stale,
    "type": lambda: dv.nn.functional.linear(dv.ones(2, 3), dv.ones(2, 3, dtype=dv.float64)), "hook": lambda: hooked(lambda g: 1),
    "interrupt": lambda: hooked(interrupt),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_faults_read_the_same(name: str, compiled: dict[str, Any]) -> None:
    said = []
    for functions in (PYTHON, compiled):
        with served_by(functions), pytest.raises(BaseException) as caught:
            FAULTS[name]()
        said.append((caught.type, str(caught.value)))
    assert said[0] == said[1]
    assert dv.ones(2).relu().tolist() == [1, 1]  # and the next call is well


def test_modes_are_python_s(compiled: dict[str, Any]) -> None:
    x = dv.ones(3, requires_grad=True)
    with served_by(compiled):
        with dv.no_grad():
            assert not (x * 2).requires_grad
        with dv.inference_mode():
            assert (x * 2).is_inference()
        with dv.autocast("cpu"):
            assert (dv.ones(2, 2) @ dv.ones(2, 2)).dtype is dv.bfloat16
        seen: list[str] = []
        with dv.autograd.graph.saved_tensors_hooks(lambda t: seen.append("pack") or t, lambda t: seen.append("unpack") or t):
            x.exp().sum().backward()
        assert seen == ["pack", "unpack"]
        with np.errstate(all="raise"):
            assert (dv.zeros(1) / dv.zeros(1)).isnan().all() and dv.zeros(1).log().item() == -np.inf


def test_threads_have_modes_of_their_own(compiled: dict[str, Any]) -> None:
    found: list[bool] = []
    with served_by(compiled), dv.no_grad():
        thread = threading.Thread(target=lambda: found.append((dv.ones(2, requires_grad=True) * 2).requires_grad))
        thread.start()
        thread.join()
    assert found == [True]


def test_a_kernel_that_comes_later_is_used(compiled: dict[str, Any]) -> None:
    from dovetail.ops.kernels import Kernel, install, remove

    with served_by(compiled):
        x = dv.ones(2, dtype=dv.int64)
        assert x.square().tolist() == [1, 1]
        install("square", "cpu", (np.dtype(np.int64),), Kernel(lambda input: input * 0 + 7))
        try:
            assert x.square().tolist() == [7, 7]
        finally:
            remove("square", "cpu", (np.dtype(np.int64),))
        assert x.square().tolist() == [1, 1]


def test_no_memory_is_kept_and_none_is_given_twice(compiled: dict[str, Any]) -> None:
    import gc

    with served_by(compiled):
        trained(1)
        gc.collect()
        before = len(gc.get_objects())
        references = sys.getrefcount(None)
        for _ in range(20):
            trained(1)
        gc.collect()
        assert len(gc.get_objects()) - before < 200
        assert abs(sys.getrefcount(None) - references) < 500


def test_a_twin_that_cannot_be_made_leaves_the_python(monkeypatch: pytest.MonkeyPatch) -> None:
    from types import SimpleNamespace

    from dovetail import plugins
    from dovetail.ops import kernels

    def broken() -> Any:
        raise AttributeError("no such slot")

    claim = SimpleNamespace(op="twin", device="cpu", dtypes=("float32",), target="x:make", plugin="odd")
    monkeypatch.setattr(plugins, "kernels_for_core", lambda: [claim])
    monkeypatch.setattr(plugins, "load_target", lambda *_: broken)
    monkeypatch.setattr(kernels, "_installed", False)
    monkeypatch.setattr(kernels, "_updates", {})
    before = _call.dispatch
    with pytest.warns(RuntimeWarning, match=r"plugin odd: its kernel for twin was left out, and the reference serves: no such slot"):
        kernels.install_claimed()
    assert _call.dispatch is before and dv.ones(2).relu().tolist() == [1, 1]
