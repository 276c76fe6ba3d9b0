"""One table, ``absent.toml``, of what is no matter here: modules that are not there, devices that are lacking, switches without effect."""

from __future__ import annotations

import copy
import functools
import importlib
import sys
from collections.abc import Callable
from contextlib import ContextDecorator, nullcontext
from types import SimpleNamespace
from typing import Any

from .errors import NoDevice, UnknownAttribute, say

__all__ = ["answers", "instead", "later"]

_KINDS = {  # what a function of the table does, whatever its arguments
    "lacks": "Always a NoDevice (RuntimeError).",
    "needs": "Always a ModuleNotFoundError.",
    "same": "Its first argument, as it is.",
    "blocks": "A block like any other.",
    "nothing": "Nothing.",
}


class _Block(nullcontext[None], ContextDecorator):
    """A block, or a decorator, that changes nothing."""


@functools.cache
def _table() -> dict[str, dict[str, Any]]:
    import tomllib
    from pathlib import Path

    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))


def instead(module: str) -> str:
    """What to use in place of a module of PyTorch's that is not here, by its name below ``torch``; or nothing.

    >>> instead("fx.passes")
    'dovetail.graph.trace records a run as a graph'
    """
    table: dict[str, str] = _table()["instead"]
    return next((table[name] for name in sorted(table, reverse=True) if f"{module}.".startswith(f"{name}.")), "")


def later(module: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a module by its table, which is read for the first name that is asked for.

    The import system asks every module for ``__path__``: names of that kind are answered without the table.
    """

    def find(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        return own.setdefault(name, answers(module)[1](name))

    own = vars(sys.modules[module])
    return find, lambda: sorted({*own, *_table()[module.partition(".")[2]]["homes"]})


@functools.cache
def answers(
    module: str, present: Callable[[], bool] = bool, home: str = ""
) -> tuple[list[str], Callable[[str], Any], Callable[[], list[str]]]:
    """``__all__``, ``__getattr__`` and ``__dir__`` of a module, with what its table says.

    Where ``present()``, as for CUDA with a GPU, functions of the table have no counterpart, and each raises.
    `home` is the module that has them, where a plugin's serves under that name.
    """
    about = _table()[module.partition(".")[2]]
    values, results, homes = (about.get(kind, {}) for kind in ("constants", "returns", "homes"))
    kinds = {name: kind for kind in _KINDS for name in about.get(kind, "").split()} | dict.fromkeys(results, "returns")
    names = sorted({*values, *kinds})

    @functools.cache
    def find(name: str) -> Any:
        if name not in names and name not in homes:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        if name in homes:
            try:
                home = importlib.import_module(f"dovetail.{homes[name]}")
                return home if homes[name].endswith(f".{name}") else getattr(home, name)
            except ModuleNotFoundError as error:
                raise UnknownAttribute(str(error)) from None
        if name in values:
            return SimpleNamespace(**values[name]) if isinstance(values[name], dict) else values[name]

        def answer(*args: Any, **kwargs: Any) -> Any:
            if kinds[name] == "lacks" or present():
                raise NoDevice(where, "no such device here, or no such function for it", "", f"ask {module}.is_available() first")
            if kinds[name] == "needs":
                raise ModuleNotFoundError(say(where, "sensors of the device are not read here", "", "use nvidia-smi, or the maker's tool"))
            if kinds[name] == "same":
                return (*args, *kwargs.values())[0]
            return _Block() if kinds[name] == "blocks" else copy.copy(results.get(name))

        where = f"{module.partition('.')[2]}.{name}"
        answer.__module__, answer.__name__, answer.__qualname__ = module, name, name
        answer.__doc__ = _KINDS.get(kinds[name]) or f"{results[name]!r}, whatever the arguments."
        return answer

    return names, find, lambda: sorted({*names, *homes, *(sys.modules[home or module].__all__ if "." in module else ())})
