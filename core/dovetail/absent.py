"""What is not here: modules with what to use instead, and the answers of devices that this machine lacks. ``absent.toml`` is the table."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .errors import NoDevice, say

__all__ = ["answers", "instead"]


@functools.cache
def _table() -> dict[str, dict[str, Any]]:
    import tomllib

    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))


def instead(module: str) -> str:
    """What to use in place of a module of PyTorch's that is not here, by its name below ``torch``; or nothing.

    >>> instead("fx.passes")
    'dovetail.graph.trace records a run as a graph'
    """
    table: dict[str, str] = _table()["instead"]
    return next((table[name] for name in sorted(table, reverse=True) if f"{module}.".startswith(f"{name}.")), "")


def answers(module: str, present: Callable[[], bool] = bool) -> tuple[list[str], Callable[[str], Any], Callable[[], list[str]]]:
    """``__all__``, ``__getattr__`` and ``__dir__`` of the module of a device, as PyTorch's build without such a device answers.

    Where the device is present, none of the functions has a counterpart, and each raises.
    """
    about = _table()[module.rpartition(".")[2]]
    constants: dict[str, Any] = about.get("constants", {})
    results = about.get("returns", {}) | dict.fromkeys(about.get("nothing", "").split())
    errors = {name: kind for kind in ("lacks", "needs") for name in about.get(kind, "").split()}

    @functools.cache
    def find(name: str) -> Any:
        if name in constants:
            return constants[name]
        if name not in errors and name not in results:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")

        def answer(*args: Any, **kwargs: Any) -> Any:
            if errors.get(name) == "needs":
                raise ModuleNotFoundError(say(where, "sensors of the device are not read here", "", "use nvidia-smi, or the maker's tool"))
            if name in errors or present():
                raise NoDevice(where, "no such device here, or no such function for it", "", f"ask {module}.is_available() first")
            return copy.copy(results[name])

        where = f"{module.removeprefix('dovetail.')}.{name}"
        answer.__module__, answer.__name__, answer.__qualname__ = module, name, name
        answer.__doc__ = "Always an error: a NoDevice (RuntimeError)." if name in errors else f"{results[name]!r}, whatever the arguments."
        return answer

    names = sorted({*constants, *results, *errors})
    return names, find, lambda: names
