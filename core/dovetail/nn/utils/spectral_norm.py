"""Spectral norm by a hook before each forward: the older style, whose state dicts have ``weight_orig``, ``weight_u`` and ``weight_v``."""

from __future__ import annotations

from typing import Any

from ...autograd.modes import no_grad
from ...autograd.node import Tensor
from ...errors import ShapeError, ValueRangeError
from .._ops import dv
from ..functional import normalize
from ..module import Module
from ..parameter import Parameter
from .weight_norm import find_hook, the_hook

__all__ = ["SpectralNorm", "as_matrix", "need_iterations", "output_dim", "random_unit", "remove_spectral_norm", "spectral_norm"]


def as_matrix(weight: Tensor, dim: int) -> Tensor:
    """The weight as a matrix whose rows run along ``dim``."""
    return (weight if dim == 0 else weight.movedim(dim, 0)).flatten(1)


def random_unit(weight: Tensor, size: int, eps: float) -> Tensor:
    """A random vector of length 1."""
    return normalize(weight.new_empty(size).normal_(0, 1), dim=0, eps=eps)


def need_iterations(n: int) -> None:
    """Refuse less than one step of power iteration."""
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
                    v.copy_(normalize(dv.mv(matrix.T, u), dim=0, eps=self.eps))
                    u.copy_(normalize(dv.mv(matrix, v), dim=0, eps=self.eps))
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
    if find_hook(module, SpectralNorm, name):
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
    hook, key = the_hook(module, SpectralNorm, "spectral_norm", name)
    with no_grad():
        weight = hook.compute_weight(module, do_power_iteration=False)
    for suffix in ("", "_u", "_v", "_orig"):
        delattr(module, name + suffix)
    del module._forward_pre_hooks[key]
    module.register_parameter(name, Parameter(weight.detach()))
    return module
