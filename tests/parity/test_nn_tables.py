"""PyTorch's older tables of layers and criteria (`common_nn`): results, gradients and second gradients of each entry."""

from __future__ import annotations

import types
import warnings
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("expecttest", reason="PyTorch's tables of tests import it (make parity installs it)")

from torch.testing._internal import common_nn

import dovetail as dv
from tests.parity.both import category
from tests.parity.known import KNOWN_ENTRIES
from tests.parity.translate import leaves_of, same, to_ours

pytestmark = pytest.mark.parity


def entries() -> list[tuple[str, type, dict[str, Any]]]:
    found: dict[str, tuple[str, type, dict[str, Any]]] = {}
    given = [(common_nn.NewModuleTest, e) for e in (*common_nn.module_tests, *common_nn.get_new_module_tests())]
    for kind, entry in (*given, *((common_nn.CriterionTest, e) for e in common_nn.criterion_tests)):
        name = entry.get("fullname") or "_".join(filter(None, (entry["module_name"], entry.get("desc"))))
        while name in found:
            name += "+"
        found[name] = (name, kind, entry)
    return list(found.values())


ENTRIES = entries()


def translated(function: Any) -> Any:
    """A function of PyTorch's tests with our library under the names of PyTorch's."""
    names = {"torch": dv, "F": dv.nn.functional, "nn": dv.nn}
    held = [c.cell_contents for c in function.__closure__ or ()]
    cells = tuple(types.CellType(translated(v) if isinstance(v, types.FunctionType) else to_ours(v)) for v in held)
    made = types.FunctionType(
        function.__code__, {**function.__globals__, **names}, function.__name__, to_ours(function.__defaults__), cells
    )
    made.__kwdefaults__ = function.__kwdefaults__
    return made


def pair(test: Any, entry: dict[str, Any]) -> tuple[Any, Any]:
    """Our module and theirs: layers by their name and arguments, functions as their lambda says."""
    torch.manual_seed(4), dv.manual_seed(4)
    if isinstance(entry.get("constructor"), types.FunctionType):
        return translated(test.constructor)(*to_ours(test.constructor_args)), test.constructor(*test.constructor_args)
    if "constructor" in entry:
        cells = dict(zip(test.constructor.forward.__code__.co_freevars, test.constructor.forward.__closure__, strict=True))
        fn, kwargs = cells["fn"].cell_contents, cells["kwargs"].cell_contents
        own = translated(fn) if fn.__name__ == "<lambda>" else to_ours(fn)
        return (lambda *args: own(*args, **to_ours(kwargs))), (lambda *args: fn(*args, **kwargs))
    mine = getattr(dv.nn, entry["module_name"])(*to_ours(test.constructor_args))
    return mine, test.constructor(*test.constructor_args)


def outcome(lib: Any, module: Any, args: tuple[Any, ...], second: bool) -> list[Any]:
    """Results, gradients of what was given and of the parameters, and gradients of these."""
    lib.manual_seed(7)
    leaves = [t.requires_grad_() for t in leaves_of(args[0]) if t.is_floating_point() or t.is_complex()]
    outs = leaves_of(module(*(args[0] if isinstance(args[0], tuple) else args[:1]), *args[1:]))
    leaves += [p for p in (module.parameters() if hasattr(module, "parameters") else ()) if p.requires_grad]
    total = weighed(lib, [t for t in outs if t.requires_grad])
    if not leaves or isinstance(total, int):
        return outs
    first = lib.autograd.grad(total, leaves, allow_unused=True, create_graph=second)
    again = weighed(lib, [t for t in first if t is not None and t.requires_grad]) if second else 0
    twice = [None] * len(leaves) if isinstance(again, int) else lib.autograd.grad(again, leaves, allow_unused=True)
    zeros = [lib.zeros_like(leaf) for leaf in leaves]
    return [*outs, *(z if g is None else g.detach() for found in (first, twice) for g, z in zip(found, zeros, strict=True))]


def weighed(lib: Any, parts: list[Any]) -> Any:
    total: Any = 0
    for t in parts:
        part = (t * lib.tensor(np.random.default_rng(7).uniform(0.5, 1.5, tuple(t.shape))).to(t.dtype)).sum()
        total = total + (part.real + part.imag if part.is_complex() else part)
    return total


@pytest.mark.parametrize(("name", "kind", "entry"), ENTRIES, ids=[e[0] for e in ENTRIES])
def test_entry(name: str, kind: type, entry: dict[str, Any]) -> None:
    if name in KNOWN_ENTRIES:
        pytest.skip(KNOWN_ENTRIES[name])
    options = {k: v for k, v in entry.items() if k not in ("module_name", "constructor", "desc", "fullname")}
    torch.manual_seed(1)
    with common_nn.set_default_dtype(torch.double), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dv.set_default_dtype(dv.float64)
        try:
            constructor = entry.get("constructor") or getattr(torch.nn, entry["module_name"])
            test = kind(constructor=constructor, desc=name, **options)
            mine, theirs = pair(test, entry)
            args = (test._get_input(), *((test._get_target(),) if kind is common_nn.CriterionTest else ()), *test.extra_args)
            own = to_ours(args)
            second = entry.get("check_gradgrad", True)
            try:
                expected = outcome(torch, theirs, args, second)
            except Exception as error:
                with pytest.raises(category(error)):
                    outcome(dv, mine, own, second)
                return
            same(outcome(dv, mine, own, second), expected, name, 1e-8)
        finally:
            dv.set_default_dtype(dv.float32)
