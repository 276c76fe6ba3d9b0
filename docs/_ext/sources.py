"""Where public names are defined, for viewcode: also those that are bound elsewhere, wrapped by `@op`, or made in a closure."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

__all__ = ["find", "follow"]

_TAGS: dict[str, dict[str, tuple[str, int, int]]] = {}


def follow(app: Any, modname: str, attribute: str) -> str | None:
    """The module that defines `modname.attribute`; its lines are noted for `find`."""
    value: Any = importlib.import_module(modname)
    try:
        for part in attribute.split("."):
            value = getattr(value, part)
    except AttributeError:
        return None
    value = value.fget if isinstance(value, property) else inspect.unwrap(getattr(value, "__func__", value))
    home = getattr(value, "__module__", None)
    lines = _lines(value)
    if home is None or lines is None:
        return None
    _TAGS.setdefault(home, {})[attribute] = ("class" if inspect.isclass(value) else "def", *lines)
    return home


def find(app: Any, modname: str) -> tuple[str, dict[str, tuple[str, int, int]]] | None:
    """The text of a module, and the lines of the names that were followed into it."""
    try:
        return inspect.getsource(importlib.import_module(modname)), _TAGS.setdefault(modname, {})
    except (OSError, TypeError, ImportError):
        return None


def _lines(value: Any) -> tuple[int, int] | None:
    """First and last line, where the object says them and lies in the file of its module."""
    if not (inspect.isfunction(value) or inspect.isclass(value)):
        return None
    module = inspect.getmodule(value)
    try:
        if module is None or inspect.getsourcefile(value) != inspect.getsourcefile(module):
            return None
        lines, first = inspect.getsourcelines(value)
    except (OSError, TypeError):
        return None
    return first, first + len(lines) - 1
