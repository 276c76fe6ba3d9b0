"""Public names have docstrings; functions of the `dovetail.` namespace also have an example."""

from __future__ import annotations

import importlib
import inspect

import pytest

import dovetail
from dovetail import ops
from tests.contracts.sources import core_files, module_name, numerics_files


def _public() -> list[tuple[str, str]]:
    found = []
    for path in core_files() + numerics_files():
        name = module_name(path)
        if path.name == "__main__.py" or any(part.startswith("_") for part in name.split(".")):
            continue
        module = importlib.import_module(name)
        found += [(name, public) for public in getattr(module, "__all__", ())]
    return found


@pytest.mark.parametrize("module", sorted({m for m, _ in _public()}))
def test_every_public_name_has_a_docstring(module: str) -> None:
    loaded = importlib.import_module(module)
    missing = []
    for name in loaded.__all__:
        value = getattr(loaded, name)
        if not (inspect.isfunction(value) or inspect.isclass(value)):
            continue
        if not (value.__doc__ or "").strip():
            missing.append(name)
        elif inspect.isclass(value):
            missing += [
                f"{name}.{method}"
                for method, function in vars(value).items()
                if inspect.isfunction(function)
                and not method.startswith("_")
                and method != "forward"
                and not inspect.getdoc(getattr(value, method))
            ]
    assert not missing, f"{module}: no docstring on {missing}"


def test_every_function_of_the_namespace_has_an_example() -> None:
    """An in-place form refers to its function, whose example serves both."""
    without = []
    for name, function in ops.namespace().items():
        doc = getattr(function, "__doc__", None) or ""
        refers = name.endswith("_") and doc.startswith("In-place form of :func:`")
        if inspect.isfunction(function) and ">>>" not in doc and not refers:
            without.append(name)
    assert not without, f"no example in the docstring of {sorted(without)}"


def test_every_tensor_method_has_a_docstring() -> None:
    without = [n for n, f in vars(dovetail.Tensor).items() if inspect.isfunction(f) and not n.startswith("_") and not f.__doc__]
    assert not without, f"no docstring on Tensor methods {sorted(without)}"
