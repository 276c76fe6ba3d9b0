"""Named tuples for ops of several results, such as ``max(x, 0).indices``."""

from __future__ import annotations

import functools
from collections import namedtuple
from collections.abc import Callable
from typing import Any

from ..size import Spoken

__all__ = ["KINDS", "results"]

KINDS: dict[str, Any] = {}  # what `dovetail.return_types` shows, and pickle looks up there


def _show(values: Any) -> str:
    """A line for each result, as PyTorch prints them."""
    lines = ",\n".join(f"{name}={value!r}" for name, value in zip(values._fields, values, strict=True))
    return f"{Spoken.package}.return_types.{type(values).__name__}(\n{lines})"


@functools.cache
def results(name: str, *fields: str) -> Callable[[Any], Any]:
    """A function that makes the named tuple ``name(fields)`` of a list of tensors; of one name it is always the same."""
    make: Any = namedtuple
    kind = make(name, fields)
    kind.__module__ = "dovetail.return_types"
    kind.__repr__ = _show
    KINDS[name] = kind
    return lambda values: kind(*values)
