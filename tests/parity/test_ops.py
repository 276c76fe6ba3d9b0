"""Every row of every op on PyTorch, by the same public path: values, types, gradients, second gradients, errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from dovetail.autograd.functional import grad
from dovetail.autograd.node import Tensor, leaf, wrap
from dovetail.errors import UnsupportedError
from dovetail.testing.samples.calls import (
    ROWS,
    Made,
    arrays,
    declared,
    flat_tree,
    free,
    function,
    named,
    public,
    shaped,
    typed,
    wants_grad,
    wants_grad2,
)  # fmt: skip
from dovetail.testing.samples.row import Row
from tests.core.ops.checks import EPS, alike, cotangents

from .both import attempt, caught_alike, compare, of_torch, ours, raw, theirs, torch_function, torch_tensor
from .known import KNOWN, KNOWN_TYPES

pytestmark = pytest.mark.parity


def each(applies: Callable[[Row], bool] = lambda r: True) -> Any:
    """Parametrise over the rows that PyTorch can be asked about."""
    rows = [r for r in ROWS if r.torch != "" and (r.torch or public(r)) and applies(r)]

    def over(test: Callable[..., None]) -> Any:
        known = {r: KNOWN[test.__name__, r] for r in (r.id for r in rows) if (test.__name__, r) in KNOWN}
        marks = {r: [pytest.mark.xfail(strict=True, reason=why)] for r, why in known.items()}
        return pytest.mark.parametrize("row", [pytest.param(r, id=r.id, marks=marks.get(r.id, [])) for r in rows])(test)

    return over


def both(row: Row, given: Any, grad: bool = False) -> tuple[Any, Any]:
    return ours(row, function(row), given, grad), of_torch(row, torch_function(row), given, grad)


def tolerance(row: Row, kind: str) -> float:
    """Twice the row's own tolerance: PyTorch rounds too."""
    own = row.tol if isinstance(row.tol, tuple) else (row.tol, None)
    return 2 * ((own[0] if kind == "float64" else own[1] if kind == "float32" else None) or EPS[kind])


@each()
def test_values(row: Row) -> None:
    """In float64 and float32, as the row stands; a row that fails on both sides fails here."""
    for kind in ("float64", "float32") if free(arrays(row)) else ("float64",):
        with named(row, kind):
            mine, other = both(row, typed(arrays(row), lambda k: kind))  # noqa: B023
            if mine.error is not None:
                raise mine.error
            compare(mine, other, tolerance(row, kind) if free(arrays(row)) else None)


@each(lambda r: free(arrays(r)) > 0)
def test_types(row: Row) -> None:
    """Integers, bools and halves, alone and mixed: the type of the result is PyTorch's, or both refuse alike."""
    given = arrays(row)
    mixtures: list[tuple[str, ...]] = [("bool",), ("uint8",), ("int32",), ("int64",), ("float16",)]
    if free(given) > 1 and declared(row) is not None:
        mixtures += [("float32", "int64"), ("float16", "float32"), ("float32", "float64"), ("uint8", "int8"), ("bool", "float32")]
    for mixture in mixtures:
        with named(row, f"types {mixture}"):
            mine, other = both(row, typed(given, lambda k: mixture[k % len(mixture)]))  # noqa: B023
            tol = 2 * EPS["float16"] if "float16" in mixture else 2 * EPS["float32"]
            if mixture in KNOWN_TYPES.get(row.id, ((), ""))[0]:
                with pytest.raises(AssertionError):  # strict, and for these types alone
                    compare(mine, other, tol)
            else:
                compare(mine, other, tol)


@each(lambda r: any(m.array.ndim for m in flat_tree(arrays(r), Made)))
def test_zero_size(row: Row) -> None:
    """With a first dimension of length 0: the same empty result, or the same error."""
    first = next(m.spec.shape for m in flat_tree(arrays(row), Made) if m.array.ndim)
    given = shaped(row, lambda k, s: (0, *s[1:]) if s == first else s)
    compare(*both(row, given))


@each(lambda r: len({m.spec.shape for m in flat_tree(arrays(r), Made)}) == 1 and not any(isinstance(a, list | tuple) for a in r.args))
def test_zero_dimensional(row: Row) -> None:
    compare(*both(row, shaped(row, lambda k, s: ())))


# --- gradients -----------------------------------------------------------------------------------------------------


@each(wants_grad)
def test_gradients(row: Row) -> None:
    for kind in ("float64", "float32") if free(arrays(row)) else ("float64",):
        with named(row, kind):
            _gradients(row, typed(arrays(row), lambda k: kind), 50 * tolerance(row, kind))  # noqa: B023


_CRASHES = {"pdist"}  # PyTorch 2.13 ends the process on the gradient of an empty input


@each(lambda r: r.op not in _CRASHES and wants_grad(r) and any(m.array.ndim for m in flat_tree(arrays(r), Made)))
def test_gradients_of_empty(row: Row) -> None:
    first = next(m.spec.shape for m in flat_tree(arrays(row), Made) if m.array.ndim)
    _gradients(row, shaped(row, lambda k, s: (0, *s[1:]) if s == first else s), 1e-10)


def _gradients(row: Row, given: Any, tol: float) -> None:
    mine, other = both(row, given, grad=True)
    compare(mine, other, tol)
    if mine.error is not None:
        return
    a = [o for o in mine.outs if isinstance(o, Tensor) and o._n is not None]
    b = [o for o in other.outs if isinstance(o, torch.Tensor) and o.requires_grad]
    where = [isinstance(o, Tensor) and o._n is not None for o in mine.outs]
    assert where == [isinstance(o, torch.Tensor) and o.requires_grad for o in other.outs], "other results require a gradient"
    if not a:
        return
    ws = cotangents([o._a for o in a])
    got = grad(a, mine.leaves, [wrap(w) for w in ws], allow_unused=True)
    want = torch.autograd.grad(b, other.leaves, [torch_tensor(w) for w in ws], allow_unused=True)
    _same_gradients(got, want, tol, "gradient")


def _same_gradients(got: Any, want: Any, tol: float, what: str) -> None:
    for k, (g, w) in enumerate(zip(got, want, strict=True)):
        if g is None or w is None:  # a zero that one side does not write out
            some = raw(w if g is None else g) if not (g is None and w is None) else np.zeros(1)
            assert not some.any(), f"{what} {k}: one side has none, the other {some}"
            continue
        a, b = raw(g), raw(w)
        assert a.dtype == b.dtype, f"{what} {k} is {a.dtype}, PyTorch's {b.dtype}"
        alike(a, b, f"{what} {k}", tol)


@each(lambda r: wants_grad(r) and wants_grad2(r))
def test_second_gradients(row: Row) -> None:
    given = arrays(row)
    mine, other = both(row, given, grad=True)
    if mine.error is not None:
        raise mine.error
    a = [o for o in mine.outs if isinstance(o, Tensor) and o._n is not None]
    b = [o for o in other.outs if isinstance(o, torch.Tensor) and o.requires_grad]
    assert len(a) == len(b), "other results require a gradient"
    ws = cotangents([o._a for o in a])
    seeds, torch_seeds = [wrap(w) for w in ws], [torch_tensor(w, True) for w in ws]
    for s in seeds:
        leaf(s)
    first = grad(a, mine.leaves, seeds, create_graph=True, allow_unused=True)
    torch_first = torch.autograd.grad(b, other.leaves, torch_seeds, create_graph=True, allow_unused=True)
    pairs = [(g, w) for g, w in zip(first, torch_first, strict=True) if g is not None and w is not None]
    pairs = [(g, w) for g, w in pairs if g._n is not None and w.requires_grad]
    vs = cotangents([g._a for g, _ in pairs], seed=6)
    got = grad([g for g, _ in pairs], [*mine.leaves, *seeds], [wrap(v) for v in vs], allow_unused=True)
    try:
        want = torch.autograd.grad(
            [w for _, w in pairs], [*other.leaves, *torch_seeds], [torch_tensor(v) for v in vs], allow_unused=True
        )  # fmt: skip
    except (RuntimeError, NotImplementedError) as error:
        assert "not implemented" in str(error), error  # PyTorch has no second derivative; finite differences are the oracle then
        return
    _same_gradients(got, want, 1e3 * tolerance(row, "float64"), "second gradient")


# --- errors --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "error"),
    [pytest.param(r, e, id=f"{r.id}-{k}") for r in ROWS if r.torch != "" and (r.torch or public(r)) for k, e in enumerate(r.errors)],
)
def test_errors(row: Row, error: tuple[Any, ...]) -> None:
    """What we refuse PyTorch refuses too, with an error that the same `except` catches."""
    given = arrays(row, error[0], error[1])
    if issubclass(error[2], UnsupportedError):
        return
    answer = attempt(torch_function(row), given, lambda m: torch_tensor(m.array), torch.Tensor, theirs)
    assert answer.error is not None, f"PyTorch answers {answer.outs}"
    mine = attempt(function(row), given, lambda m: wrap(np.array(m.array)), Tensor)
    theirs_said = f"PyTorch: {type(answer.error).__name__}: {answer.error}"
    assert mine.error is not None and caught_alike(mine.error, answer.error), theirs_said
