"""How layers make their tensors, and the few lines that many of them share."""

from __future__ import annotations

from typing import Any

from ._ops import dv
from .module import Module
from .parameter import Parameter, UninitializedParameter

__all__ = ["InPlace", "fields", "parameter", "parameters"]


def parameter(*shape: int, device: Any = None, dtype: Any = None) -> Parameter:
    """A parameter without values yet; ``reset_parameters`` gives them."""
    return Parameter(dv.empty(shape, device=device, dtype=dtype))


def parameters(module: Module, device: Any = None, dtype: Any = None, **shapes: tuple[int, ...] | None) -> None:
    """Register parameters by name: of a shape, of a shape to be told by the first input (``()``), or absent (None)."""
    for name, shape in shapes.items():
        if shape is None:
            module.register_parameter(name, None)
        elif shape == ():
            setattr(module, name, UninitializedParameter(device=device, dtype=dtype))
        else:
            setattr(module, name, parameter(*shape, device=device, dtype=dtype))


def fields(module: Module, names: str) -> str:
    """``a=1, b=2`` for the attributes named, for ``extra_repr``; ``!a`` stands for the bare value.

    >>> import dovetail as dv
    >>> fields(dv.nn.Flatten(), "start_dim !end_dim")
    'start_dim=1, -1'
    """
    shown = []
    for name in names.split():
        value = getattr(module, name.lstrip("!"))
        shown.append(str(value) if name.startswith("!") else f"{name}={value}")
    return ", ".join(shown)


class InPlace(Module):
    """A layer with nothing but an ``inplace`` flag, or with arguments shown before it (``_shown``)."""

    _shown = ""
    inplace: bool

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def extra_repr(self) -> str:
        shown = [fields(self, self._shown)] if self._shown else []
        return ", ".join(shown + ["inplace=True"] * self.inplace)
