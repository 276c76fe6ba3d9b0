"""Weight norm and spectral norm by a hook before each forward: the older style, whose state dicts have ``weight_g``, or ``weight_orig``.

Under ``dovetail.nn.utils``, as PyTorch's.
"""

from __future__ import annotations

from typing import Any

import dovetail as dv
from dovetail import Tensor, no_grad
from dovetail.errors import ShapeError, ValueRangeError
from dovetail.nn import Module, Parameter
from dovetail.nn import functional as F

__all__ = ["SpectralNorm", "WeightNorm", "remove_spectral_norm", "remove_weight_norm", "spectral_norm", "weight_norm"]


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


def _find(module: Module, kind: type, name: str) -> tuple[Any, int] | None:
    for key, hook in module._forward_pre_hooks.items():
        if isinstance(hook, kind) and hook.name == name:
            return hook, key
    return None


def _the(module: Module, kind: type, what: str, name: str) -> tuple[Any, int]:
    found = _find(module, kind, name)
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
    if _find(module, WeightNorm, name):
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
    hook, key = _the(module, WeightNorm, "weight_norm", name)
    weight = hook.compute_weight(module)
    delattr(module, name)
    del module._parameters[f"{name}_g"], module._parameters[f"{name}_v"], module._forward_pre_hooks[key]
    setattr(module, name, Parameter(weight.detach()))
    return module


def as_matrix(weight: Tensor, dim: int) -> Tensor:
    """The weight as a matrix whose rows run along ``dim``."""
    return (weight if dim == 0 else weight.movedim(dim, 0)).flatten(1)


def random_unit(weight: Tensor, size: int, eps: float) -> Tensor:
    return F.normalize(weight.new_empty(size).normal_(0, 1), dim=0, eps=eps)


def need_iterations(n: int) -> None:
    if n <= 0:
        raise ValueRangeError("spectral_norm", f"Expected n_power_iterations to be positive, but got n_power_iterations={n}")


def output_dim(module: Module, dim: int | None) -> int:
    """The output dimension of a weight: the second one of transposed convolutions."""
    return (1 if getattr(module, "transposed", False) else 0) if dim is None else dim


class SpectralNorm:
    """The hook: divides the weight by its largest singular value."""

    def __init__(self, name: str, n_power_iterations: int, dim: int, eps: float) -> None:
        need_iterations(n_power_iterations)
        self.name, self.n_power_iterations, self.dim, self.eps = name, n_power_iterations, dim, eps

    def reshape_weight_to_matrix(self, weight: Tensor) -> Tensor:
        """The weight as a matrix whose rows run along ``dim``."""
        return as_matrix(weight, self.dim)

    def compute_weight(self, module: Module, do_power_iteration: bool) -> Any:
        """w / (uᵀ W v), after steps of power iteration on u and v if asked for."""
        weight = getattr(module, f"{self.name}_orig")
        u, v = getattr(module, f"{self.name}_u"), getattr(module, f"{self.name}_v")
        matrix = self.reshape_weight_to_matrix(weight)
        if do_power_iteration:
            with no_grad():
                for _ in range(self.n_power_iterations):
                    v.copy_(F.normalize(dv.mv(matrix.T, u), dim=0, eps=self.eps))
                    u.copy_(F.normalize(dv.mv(matrix, v), dim=0, eps=self.eps))
        return weight / dv.dot(u.clone(), dv.mv(matrix, v.clone()))

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self.name, self.compute_weight(module, do_power_iteration=module.training))


def spectral_norm(module: Module, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None) -> Module:
    """w / σ(w), σ the largest singular value by power iteration, one step each training forward. Miyato and others, 2018.

    Raises a RuntimeError where the parameter has one already.

    >>> import dovetail as dv
    >>> sorted(spectral_norm(dv.nn.Linear(3, 2)).state_dict())
    ['bias', 'weight_orig', 'weight_u', 'weight_v']
    """
    if _find(module, SpectralNorm, name):
        raise ShapeError("spectral_norm", f"Cannot register two spectral_norm hooks on the same parameter {name}")
    hook, weight = SpectralNorm(name, n_power_iterations, output_dim(module, dim), eps), module._parameters[name]
    if weight is None:
        raise ValueRangeError("spectral_norm", f"`SpectralNorm` cannot be applied as parameter `{name}` is None")
    with no_grad():
        u, v = (random_unit(weight, size, eps) for size in hook.reshape_weight_to_matrix(weight).shape)
    del module._parameters[name]
    module.register_parameter(f"{name}_orig", weight)
    setattr(module, name, weight.data)
    module.register_buffer(f"{name}_u", u)
    module.register_buffer(f"{name}_v", v)
    module.register_forward_pre_hook(hook)
    return module


def remove_spectral_norm(module: Module, name: str = "weight") -> Module:
    """Make the weight an ordinary parameter again. Raises a ValueError where there is no spectral norm."""
    hook, key = _the(module, SpectralNorm, "spectral_norm", name)
    with no_grad():
        weight = hook.compute_weight(module, do_power_iteration=False)
    for suffix in ("", "_u", "_v", "_orig"):
        delattr(module, name + suffix)
    del module._forward_pre_hooks[key]
    module.register_parameter(name, Parameter(weight.detach()))
    return module
