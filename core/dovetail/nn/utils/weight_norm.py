"""Weight norm by a hook before each forward: the older style, whose state dicts have ``weight_g`` and ``weight_v``."""

from __future__ import annotations

from typing import Any

from ...autograd.node import Tensor
from ...errors import ShapeError, ValueRangeError
from ..module import Module
from ..parameter import Parameter

__all__ = ["WeightNorm", "find_hook", "norm_except", "remove_weight_norm", "the_hook", "weight_norm"]


def norm_except(v: Tensor, dim: int) -> Tensor:
    """The norms of the slices of ``v`` along ``dim``, with its number of dimensions; for -1 the norm of all, 0-d."""
    if dim == -1:
        return v.norm()
    return v.norm(dim=[d for d in range(v.ndim) if d != dim], keepdim=True)


class WeightNorm:
    """The hook: computes the weight from its length and direction."""

    def __init__(self, name: str, dim: int | None) -> None:
        self.name, self.dim = name, -1 if dim is None else dim

    def compute_weight(self, module: Module) -> Any:
        """g · v / ‖v‖."""
        g, v = getattr(module, f"{self.name}_g"), getattr(module, f"{self.name}_v")
        return v * (g / norm_except(v, self.dim))

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self.name, self.compute_weight(module))


def find_hook(module: Module, kind: type, name: str) -> tuple[Any, int] | None:
    """The hook of a kind for a parameter of this name, and the number that it has among the module's."""
    for key, hook in module._forward_pre_hooks.items():
        if isinstance(hook, kind) and hook.name == name:
            return hook, key
    return None


def the_hook(module: Module, kind: type, what: str, name: str) -> tuple[Any, int]:
    """That hook; a ValueError where there is none."""
    found = find_hook(module, kind, name)
    if found is None:
        raise ValueRangeError(f"remove_{what}", f"{what} of '{name}' not found in {module}")
    return found


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """w = g · v / ‖v‖ with a length for each slice along ``dim``. Salimans and Kingma, 2016.

    Raises a RuntimeError where the parameter has one already.

    >>> import dovetail as dv
    >>> sorted(dict(weight_norm(dv.nn.Linear(3, 2)).named_parameters()))
    ['bias', 'weight_g', 'weight_v']
    """
    if find_hook(module, WeightNorm, name):
        raise ShapeError("weight_norm", f"Cannot register two weight_norm hooks on the same parameter {name}")
    weight, hook = getattr(module, name), WeightNorm(name, dim)
    del module._parameters[name]
    module.register_parameter(f"{name}_g", Parameter(norm_except(weight.detach(), hook.dim)))
    module.register_parameter(f"{name}_v", Parameter(weight.detach()))
    hook(module, None)
    module.register_forward_pre_hook(hook)
    return module


def remove_weight_norm(module: Module, name: str = "weight") -> Module:
    """Make the weight an ordinary parameter again. Raises a ValueError where there is no weight norm."""
    hook, key = the_hook(module, WeightNorm, "weight_norm", name)
    weight = hook.compute_weight(module)
    delattr(module, name)
    del module._parameters[f"{name}_g"], module._parameters[f"{name}_v"], module._forward_pre_hooks[key]
    setattr(module, name, Parameter(weight.detach()))
    return module
