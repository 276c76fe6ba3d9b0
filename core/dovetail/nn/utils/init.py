"""Making a module without drawing its initial weights."""

from __future__ import annotations

from inspect import signature
from typing import Any

from ..module import Module

__all__ = ["skip_init"]


def skip_init(module_cls: type[Module], *args: Any, **kwargs: Any) -> Module:
    """Make a module whose weights are not to be used before they are loaded; the random stream does not move.

    >>> import dovetail as dv
    >>> skip_init(dv.nn.Linear, 2, 3).weight.shape
    dovetail.Size([3, 2])
    """
    if not issubclass(module_cls, Module):
        raise RuntimeError(f"Expected a Module; got {module_cls}")
    if "device" not in signature(module_cls).parameters:
        raise RuntimeError("Module must support a 'device' arg to skip initialization")
    from ...generator import default_generator

    with default_generator._fork():
        return module_cls(*args, **kwargs)
