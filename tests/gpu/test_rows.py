"""Every row of every op on a real GPU: the values, gradients and second gradients of the CPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dovetail.autograd.functional import grad
from dovetail.autograd.node import Tensor, wrap
from dovetail.testing.samples.calls import ROWS, arrays, flat, flat_tree, free, function, inputs, named, typed, wants_grad, wants_grad2
from dovetail.testing.samples.row import Row, Spec
from tests.core.ops.checks import EPS, alike, cotangents

pytestmark = pytest.mark.gpu


def each(applies: Callable[[Row], bool]) -> Any:
    """Parametrise over the rows that have arrays to put on a GPU."""
    rows = [r for r in ROWS if flat_tree((list(r.args), r.kwargs), Spec) and applies(r)]
    return pytest.mark.parametrize("row", [pytest.param(r, id=r.id) for r in rows])


def host(t: Any) -> Any:
    """The array of a result, on the CPU."""
    return getattr(t._a, "get", lambda: t._a)() if isinstance(t, Tensor) else t


def same(got: list[Any], want: list[Any], what: str, tol: float) -> None:
    for k, (g, w) in enumerate(zip(got, want, strict=True)):
        assert (g is None) == (w is None)
        if g is not None:
            alike(host(g), host(w), f"{what} {k}", tol)


@each(lambda r: True)
def test_values(row: Row, cupy: Any) -> None:
    for kind in ("float64", "float32", "float16") if free(arrays(row)) else ("float64",):
        given = typed(arrays(row), lambda k: kind)  # noqa: B023
        with named(row, kind):
            args, kwargs, _ = inputs(row, given, grad=False)
            want = flat(function(row)(*args, **kwargs))
            args, kwargs, _ = inputs(row, given, grad=False, move=cupy.array)
            got = flat(function(row)(*args, **kwargs))
            assert all(isinstance(o._a, cupy.ndarray) for o in got if isinstance(o, Tensor)), "a result has left the GPU"
            same(got, want, "result", max(10 * EPS[kind], _own(row)))


@each(wants_grad)
def test_gradients(row: Row, cupy: Any) -> None:
    want, got = (_gradients(row, move, wants_grad2(row)) for move in (None, cupy.array))
    for what in want:
        same(got[what], want[what], what, 1e-7)


def _own(row: Row) -> float:
    return max(row.tol) if isinstance(row.tol, tuple) else row.tol or 0.0


def _gradients(row: Row, move: Any, second: bool) -> dict[str, list[Any]]:
    """First and second gradients with fixed cotangents, on the CPU or wherever `move` puts the arrays."""
    args, kwargs, leaves = inputs(row) if move is None else inputs(row, move=move)
    put = move or (lambda a: a)
    outs = [o for o in flat(function(row)(*args, **kwargs)) if isinstance(o, Tensor) and o._n is not None]
    first = list(grad(outs, leaves, [wrap(put(w)) for w in cotangents([host(o) for o in outs])], create_graph=second, allow_unused=True))
    found = {"gradient": first}
    again = [g for g in first if second and g is not None and g._n is not None]
    if again:
        ws = [wrap(put(w)) for w in cotangents([host(g) for g in again], seed=6)]
        found["second gradient"] = list(grad(again, leaves, ws, allow_unused=True))
    return found
