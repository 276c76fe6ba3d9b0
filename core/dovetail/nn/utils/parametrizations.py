"""Weight norm, spectral norm and orthogonality as parametrizations."""

from __future__ import annotations

from typing import Any

from ...autograd.modes import no_grad
from ...autograd.node import Tensor
from ...errors import RangeError, ValueRangeError
from ...ops.linalg import dot, mv
from .. import functional as F
from ..module import Module
from .orthogonal import orthogonal
from .parametrize import register_parametrization
from .spectral_norm import as_matrix, need_iterations, output_dim, random_unit
from .weight_norm import norm_except

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]


class _WeightNorm(Module):
    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        return weight_v * (weight_g / norm_except(weight_v, self.dim))

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        return norm_except(weight, self.dim), weight


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """w = g · v / ‖v‖ with a length ``original0`` = g for each slice along ``dim``, ``original1`` = v. Salimans and Kingma, 2016.

    >>> import dovetail as dv
    >>> layer = weight_norm(dv.nn.Linear(3, 2))
    >>> layer.parametrizations.weight.original0.shape
    dovetail.Size([2, 1])
    """
    register_parametrization(module, name, _WeightNorm(dim), unsafe=True)

    def take_old(state_dict: Any, prefix: str, *rest: Any) -> None:
        for old, new in (("g", 0), ("v", 1)):
            if f"{prefix}{name}_{old}" in state_dict:
                state_dict[f"{prefix}parametrizations.{name}.original{new}"] = state_dict.pop(f"{prefix}{name}_{old}")

    module._register_load_state_dict_pre_hook(take_old)
    return module


class _SpectralNorm(Module):
    def __init__(self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12) -> None:
        super().__init__()
        n = weight.ndim
        if not -n <= dim < n:
            raise RangeError("spectral_norm", f"Dimension out of range (expected to be in range of [-{n}, {n - 1}] but got {dim})")
        need_iterations(n_power_iterations)
        self.dim, self.eps = dim % n, eps
        if n > 1:
            self.n_power_iterations = n_power_iterations
            with no_grad():
                matrix = as_matrix(weight, self.dim)
                for name, size in zip(("_u", "_v"), matrix.shape, strict=True):
                    self.register_buffer(name, random_unit(matrix, size, eps))
            self._power_method(matrix, 15)

    @no_grad()
    def _power_method(self, matrix: Tensor, steps: int) -> None:
        for _ in range(steps):
            self._u.copy_(F.normalize(mv(matrix, self._v), dim=0, eps=self.eps))
            self._v.copy_(F.normalize(mv(matrix.T, self._u), dim=0, eps=self.eps))

    def forward(self, weight: Tensor) -> Tensor:
        if weight.ndim == 1:
            return F.normalize(weight, dim=0, eps=self.eps)
        matrix = as_matrix(weight, self.dim)
        if self.training:
            self._power_method(matrix, self.n_power_iterations)
        return weight / dot(self._u.clone(), mv(matrix, self._v.clone()))

    def right_inverse(self, value: Tensor) -> Tensor:
        return value


def spectral_norm(module: Module, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None) -> Module:
    """w / σ(w), σ the largest singular value by power iteration, one step each training forward. Miyato and others, 2018.

    >>> import dovetail as dv
    >>> layer = spectral_norm(dv.nn.Linear(3, 2), n_power_iterations=20)
    >>> round(float(dv.linalg.matrix_norm(layer.weight, 2)), 3)
    1.0
    """
    weight = getattr(module, name, None)
    if weight is None:
        raise ValueRangeError("spectral_norm", f"Module '{module}' has no parameter or buffer with name '{name}'")
    return register_parametrization(module, name, _SpectralNorm(weight, n_power_iterations, output_dim(module, dim), eps))
