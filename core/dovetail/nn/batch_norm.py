"""Norms over batches (BatchNorm) and over single images (InstanceNorm), with running statistics."""

from __future__ import annotations

import sys
import warnings
from typing import Any

from ..autograd.node import Tensor
from ..dtypes import TYPES
from ..errors import ValueRangeError
from . import functional as F
from . import init
from ._make import Layer, need, parameters
from ._ops import dv
from .module import Module
from .parameter import Parameter

__all__ = [
    "BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d", "SyncBatchNorm",
]  # fmt: skip


class _NormBase(Layer, shows="!num_features eps momentum affine ?bias track_running_stats"):
    """Weights per channel, and running mean and variance as buffers."""

    _version = 2  # 2: num_batches_tracked
    weight: Parameter | None
    bias: Parameter | None
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True, track_running_stats: bool = True,
        device: Any = None, dtype: Any = None, *, bias: bool = True,
    ) -> None:  # fmt: skip
        self._keep(num_features=num_features, eps=eps, momentum=momentum, affine=affine, track_running_stats=track_running_stats)
        shape = (num_features,) if affine else None
        parameters(self, device, dtype, weight=shape, bias=shape if bias else None)
        mean, var, count = None, None, None
        if track_running_stats:
            mean, var = (dv.empty(num_features, device=device, dtype=dtype) for _ in range(2))
            count = dv.tensor(0, dtype=TYPES["int64"], device=device)
        for name, value in (("running_mean", mean), ("running_var", var), ("num_batches_tracked", count)):
            self.register_buffer(name, value)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Start the running statistics again: mean 0, variance 1, no batches."""
        if self.track_running_stats:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Weight 1, bias 0, fresh statistics."""
        self.reset_running_stats()
        if self.affine:
            init.ones_(self.weight)  # type: ignore[arg-type]
            if self.bias is not None:
                init.zeros_(self.bias)

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim not in self._dims:
            expected = " or ".join(f"{d}D" for d in self._dims)
            raise ValueRangeError(type(self).__name__, f"expected {expected} input (got {input.ndim}D input, shape {tuple(input.shape)})")

    def _load_from_state_dict(self, state_dict: Any, prefix: str, local_metadata: Any, *rest: Any) -> None:
        key = prefix + "num_batches_tracked"
        if (local_metadata.get("version") or 0) < 2 and self.track_running_stats and key not in state_dict:
            kept = self.num_batches_tracked
            state_dict[key] = dv.tensor(0, dtype=TYPES["int64"]) if kept is None or kept.is_meta else kept
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)  # type: ignore[misc]


class _BatchNorm(_NormBase):
    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        factor, keep = self.momentum, self.track_running_stats
        if self.training and keep and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if factor is None:  # the plain mean over all batches
                factor = 1.0 / float(self.num_batches_tracked)
        mean, var = (self.running_mean, self.running_var) if keep or not self.training else (None, None)
        batch = self.training or (mean is None and var is None)
        return self._norm(input, mean, var, self.weight, self.bias, batch, factor or 0.0, self.eps)

    def _norm(self, *args: Any) -> Tensor:
        return F.batch_norm(*args)


class BatchNorm1d(_BatchNorm, dims=(2, 3)):
    """y = (x - mean) / √(var + eps) · weight + bias per channel of (N, C) or (N, C, L). Ioffe and Szegedy, 2015.

    In training by the batch's mean and (biased) variance, which also move the running ones by ``momentum`` (unbiased;
    None: the mean of all batches); in evaluation by the running ones. Raises a ValueError for other dimensions.

    >>> import dovetail as dv
    >>> dv.nn.BatchNorm1d(1)(dv.tensor([[1.], [3.]])).detach()
    tensor([[-1.0000],
            [ 1.0000]])
    """


class BatchNorm2d(_BatchNorm, dims=(4,)):
    """BatchNorm1d for images (N, C, H, W).

    >>> import dovetail as dv
    >>> norm = dv.nn.BatchNorm2d(3)
    >>> _ = norm(dv.ones(2, 3, 4, 4))
    >>> norm.running_mean, int(norm.num_batches_tracked)
    (tensor([0.1000, 0.1000, 0.1000]), 1)
    """


class BatchNorm3d(_BatchNorm, dims=(5,)):
    """BatchNorm1d for volumes (N, C, D, H, W)."""


class SyncBatchNorm(_BatchNorm):
    """BatchNorm whose statistics in training are those of all processes of a group; in one process it is BatchNorm of any dimensions.

    >>> import dovetail as dv
    >>> dv.nn.SyncBatchNorm.convert_sync_batchnorm(dv.nn.Sequential(dv.nn.BatchNorm1d(2)))[0].__class__.__name__
    'SyncBatchNorm'
    """

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True, track_running_stats: bool = True,
        process_group: Any = None, device: Any = None, dtype: Any = None, *, bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)
        self.process_group = process_group

    def _check_input_dim(self, input: Tensor) -> None:
        need(input.ndim >= 2, "SyncBatchNorm", f"expected at least 2D input (got {input.ndim}D input)")
        need(input.shape[1], "SyncBatchNorm", "SyncBatchNorm number of input channels should be non-zero")

    def _norm(self, *args: Any) -> Tensor:
        world = sys.modules.get("dovetail.distributed")  # a plugin's, once a program uses it
        if not self.training or world is None or not world.is_initialized() or world.get_world_size(self.process_group) < 2:
            return super()._norm(*args)
        return world.sync_batch_norm(*args, group=self.process_group)

    @classmethod
    def convert_sync_batchnorm(cls, module: Module, process_group: Any = None) -> Module:
        """Replace every BatchNorm at and below ``module`` by a SyncBatchNorm that has its tensors."""
        made = module
        if isinstance(module, _BatchNorm):
            made = cls(
                module.num_features, module.eps, module.momentum, module.affine, module.track_running_stats, process_group,
                bias=module.bias is not None,
            )  # fmt: skip
            made._parameters.update(module._parameters)
            made._buffers.update(module._buffers)
            made.training = module.training
        for name, below in module.named_children():
            made.add_module(name, cls.convert_sync_batchnorm(below, process_group))
        return made


class _InstanceNorm(_NormBase):
    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float = 0.1, affine: bool = False, track_running_stats: bool = False,
        device: Any = None, dtype: Any = None, *, bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        single = input.ndim == self._dims[0]
        at = 0 if single else 1
        if input.shape[at] != self.num_features:
            what = f"input's size at dim={at} does not match num_features ({self.num_features}), but got: {input.shape[at]}"
            need(not self.affine, type(self).__name__, f"expected {what.replace('does not', 'to')}")
            warnings.warn(what + "; it is not used because affine=False", stacklevel=2)
        out = F.instance_norm(
            input.unsqueeze(0) if single else input, self.running_mean, self.running_var, self.weight, self.bias,
            self.training or not self.track_running_stats, 0.0 if self.momentum is None else self.momentum, self.eps,
        )  # fmt: skip
        return out.squeeze(0) if single else out


class InstanceNorm1d(_InstanceNorm, dims=(2, 3)):
    """Norm over the length, for every channel of every sample of (N, C, L) or (C, L). Ulyanov and others, 2016.

    >>> import dovetail as dv
    >>> dv.nn.InstanceNorm1d(1)(dv.tensor([[[1., 3.]]]))
    tensor([[[-1.0000,  1.0000]]])
    """


class InstanceNorm2d(_InstanceNorm, dims=(3, 4)):
    """Norm over height and width, for every channel of every image of (N, C, H, W) or (C, H, W)."""


class InstanceNorm3d(_InstanceNorm, dims=(4, 5)):
    """Norm over depth, height and width, for every channel of (N, C, D, H, W) or (C, D, H, W)."""
