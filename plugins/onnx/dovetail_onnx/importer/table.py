"""The table of operators: which function computes which operator from which version on."""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["FAMILIES", "KNOWN", "Operator", "added", "find", "operator", "operators"]

#: The files of ``importer.ops``; each is imported when the first model is loaded.
FAMILIES = (
    "activation", "control", "conv", "loss", "math", "norm", "pool", "quant", "random", "recurrent", "reduce", "resize", "select", "shape",
    "signal", "spatial", "training",
)  # fmt: skip

#: The newest version of each domain that the functions were written against.
KNOWN = {"": 28, "ai.onnx.ml": 5, "ai.onnx.preview.training": 1, "ai.onnx.preview": 1}

_TABLE: dict[tuple[str, str], list[Operator]] = {}
_INJECTED = {"n_outputs", "training", "opset", "fixed"}


@dataclass(frozen=True)
class Operator:
    """One row: the function takes the inputs by position (None where one is left out) and the attributes by ONNX's names.

    It may ask by name for ``n_outputs`` (how many outputs the node names), ``training`` (the module's mode), ``opset``, and ``fixed``
    (the positions of inputs that the file has as numbers).
    ``any_type`` says that it also takes what is no tensor: sequences, strings, types that Dovetail lacks.
    """

    domain: str
    name: str
    since: int
    function: Callable[..., Any]
    any_type: bool = False

    def accepts(self) -> tuple[set[str], set[str], bool]:
        """The names of its parameters, those that are injected, and whether it takes any attribute."""
        return _accepts(self.function)


@functools.cache
def _accepts(function: Callable[..., Any]) -> tuple[set[str], set[str], bool]:
    parameters = inspect.signature(function).parameters
    names = {name for name, one in parameters.items() if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)}
    return names - _INJECTED, names & _INJECTED, any(one.kind is one.VAR_KEYWORD for one in parameters.values())


def operator(
    name: str = "", since: int = 1, domain: str = "", any_type: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Enter a function into the table, under its own name if no other is given; one with a larger ``since`` takes over from there."""

    def enter(function: Callable[..., Any]) -> Callable[..., Any]:
        row = Operator(domain, name or function.__name__, since, function, any_type)
        rows = _TABLE.setdefault((domain, row.name), [])
        rows.append(row)
        rows.sort(key=lambda one: one.since)
        return function

    return enter


def _filled() -> dict[tuple[str, str], list[Operator]]:
    if not _TABLE:
        for family in FAMILIES:
            importlib.import_module(f"{__package__}.ops.{family}")
    return _TABLE


def find(domain: str, name: str, version: int, added: dict[tuple[str, str], list[Any]]) -> Operator | None:
    """The function for an operator of a version: a plugin's row first, then the table's; None where there is none."""
    rows = [row for row in added.get((domain, name), ()) if _since(row) <= version]
    if rows:
        best = max(rows, key=_since)
        return Operator(domain, name, _since(best), best.load())
    return next((row for row in reversed(_filled().get((domain, name), [])) if row.since <= version), None)


def _since(entry: Any) -> int:
    return int(entry.fields.get("version", 1))


def added() -> dict[tuple[str, str], list[Any]]:
    """What plugins add, by domain and operator: rows ``[lowerings."plugin/NAME"]`` with ``format = "onnx-import"``.

    Beside the contract's fields they have ``domain`` (ONNX's own if left out) and ``version`` (the first that the function is for).
    Nothing is imported before the operator is met.
    """
    from dovetail import plugins

    found: dict[tuple[str, str], list[Any]] = {}
    for key in plugins.lowerings.list("*@onnx-import"):
        entry = plugins.lowerings.get(key)
        found.setdefault((entry.fields.get("domain", ""), key.rpartition("@")[0].rpartition("/")[2]), []).append(entry)
    return found


def operators() -> dict[str, list[str]]:
    """The operators that are computed with Dovetail's own functions, by domain (``ai.onnx`` first).

    >>> "Conv" in operators()["ai.onnx"]
    True
    """
    found: dict[str, list[str]] = {}
    for domain, name in sorted(_filled()):
        found.setdefault(domain or "ai.onnx", []).append(name)
    return found
