"""The table of generators, filled by the files of the families."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any

__all__ = ["generator", "generators"]

_FAMILIES = ("conv", "elementwise", "matmul", "move", "norm", "pool", "recurrent", "reduce", "resize", "select")
_TABLE: dict[str, Callable[[Any], None]] = {}


def generator(*names: str) -> Callable[[Callable[[Any], None]], Callable[[Any], None]]:
    """Enter a function of a Kernel for these operators."""

    def enter(function: Callable[[Any], None]) -> Callable[[Any], None]:
        _TABLE.update(dict.fromkeys(names, function))
        return function

    return enter


@functools.cache
def generators() -> dict[str, Callable[[Any], None]]:
    """Operator → generator."""
    for family in _FAMILIES:
        importlib.import_module(f"{__package__}.{family}")
    return dict(sorted(_TABLE.items()))
