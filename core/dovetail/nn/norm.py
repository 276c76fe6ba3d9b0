"""Norms within one sample: over the last dimensions, over groups of channels, over neighbouring channels."""

from __future__ import annotations

from collections.abc import Iterable
from operator import index
from typing import Any

from ..autograd.node import Tensor
from ..errors import ValueRangeError
from ..ops.contract import einsum
from ..ops.ranges import arange
from . import functional as F
from . import init
from ._make import Layer, need, parameters
from .parameter import Parameter

__all__ = ["CrossMapLRN2d", "GroupNorm", "LayerNorm", "LocalResponseNorm", "RMSNorm"]


class _Affine(Layer):
    """A weight that starts as ones and a bias that starts as zeros, where there are such."""

    weight: Parameter | None
    bias: Parameter | None

    def _start(self, device: Any, dtype: Any, **shapes: tuple[int, ...] | None) -> None:
        parameters(self, device, dtype, **shapes)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weight 1, bias 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self._parameters.get("bias") is not None:
            init.zeros_(self.bias)  # type: ignore[arg-type]


class LayerNorm(_Affine, shows="!normalized_shape eps elementwise_affine ?bias"):
    """y = (x - mean) / √(var + eps) · weight + bias over the last dimensions, ``normalized_shape``. Ba and others, 2016.

    >>> import dovetail as dv
    >>> dv.nn.LayerNorm(2)(dv.tensor([[1., 3.]])).detach()
    tensor([[-1.0000,  1.0000]])
    """

    def __init__(
        self, normalized_shape: Any, eps: float = 1e-5, elementwise_affine: bool = True, bias: bool = True,
        device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        self._keep(normalized_shape=_shape(normalized_shape), eps=eps, elementwise_affine=elementwise_affine)
        shape = self.normalized_shape if elementwise_affine else None
        self._start(device, dtype, weight=shape, bias=shape if bias else None)

    def forward(self, input: Tensor) -> Tensor:
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)


class RMSNorm(_Affine, shows="!normalized_shape eps elementwise_affine"):
    """y = x / √(mean(x²) + eps) · weight over the last dimensions; ``eps=None`` is the type's own. Zhang and Sennrich, 2019.

    >>> import dovetail as dv
    >>> dv.nn.RMSNorm(2)(dv.tensor([[3., 4.]])).detach()
    tensor([[0.8485, 1.1314]])
    """

    def __init__(
        self, normalized_shape: Any, eps: float | None = None, elementwise_affine: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        self._keep(normalized_shape=_shape(normalized_shape), eps=eps, elementwise_affine=elementwise_affine)
        self._start(device, dtype, weight=self.normalized_shape if elementwise_affine else None)

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, self.normalized_shape, self.weight, self.eps)


class GroupNorm(_Affine, calls=F.group_norm, passes="num_groups weight bias eps", shows="!num_groups !num_channels eps affine ?bias"):
    """Norm over groups of channels and all positions of (N, C, *). Wu and He, 2018.

    Raises a ValueError where the groups do not divide the channels.

    >>> import dovetail as dv
    >>> dv.nn.GroupNorm(3, 6)
    GroupNorm(3, 6, eps=1e-05, affine=True, bias=True)
    """

    def __init__(
        self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True, device: Any = None, dtype: Any = None,
        *, bias: bool = True,
    ) -> None:  # fmt: skip
        need(num_channels % num_groups == 0, "GroupNorm", f"num_channels ({num_channels}) must be divisible by num_groups ({num_groups})")
        self._keep(num_groups=num_groups, num_channels=num_channels, eps=eps, affine=affine)
        shape = (num_channels,) if affine else None
        self._start(device, dtype, weight=shape, bias=shape if bias else None)


class LocalResponseNorm(Layer, calls=F.local_response_norm, shows="!size alpha beta k"):
    """b = a / (k + alpha · mean over ``size`` neighbouring channels of a²)^beta. Krizhevsky and others, 2012.

    >>> import dovetail as dv
    >>> dv.nn.LocalResponseNorm(2)(dv.ones(1, 4, 3)).shape
    dovetail.Size([1, 4, 3])
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        self._keep(size=size, alpha=alpha, beta=beta, k=k)


class CrossMapLRN2d(LocalResponseNorm):
    """:class:`LocalResponseNorm` as old programs have it, on (N, C, H, W): every sum of squares has that of channel 0 in it, as PyTorch's.

    The gradient is that of the result (PyTorch's own is off by a channel).

    >>> import dovetail as dv
    >>> dv.nn.CrossMapLRN2d(3)(dv.ones(1, 4, 3, 3)).shape
    dovetail.Size([1, 4, 3, 3])
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1) -> None:
        super().__init__(size, alpha, beta, k)

    def forward(self, input: Tensor) -> Tensor:
        if input.dim() != 4:
            raise ValueRangeError("CrossMapLRN2d", f"Expected input to be 4D, got {input.dim()}D instead.")
        c = arange(input.size(1), device=input.device)
        near = (((c[:, None] - c).abs() < int((self.size - 1) / 2 + 1)) | (c == 0)).to(input.dtype)
        return input * (einsum("nchw,dc->ndhw", input * input, near) * (self.alpha / self.size) + self.k) ** -self.beta


def _shape(normalized_shape: Any) -> tuple[int, ...]:
    return tuple(normalized_shape) if isinstance(normalized_shape, Iterable) else (index(normalized_shape),)
