"""The CPU by the names of device modules: it is there, and what was asked of it has been done.

Where ``dovetail-cpu`` is installed, what that package offers is here too.
"""

from __future__ import annotations

from typing import Any

from ..absent import answers

__all__, _find, __dir__ = answers(__name__)


def __getattr__(name: str) -> Any:
    if name in __dir__():
        return _find(name)
    from ..plugins import namespaces

    return getattr(namespaces.resolve("cpu"), name)
