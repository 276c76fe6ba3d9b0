"""Layers whose input size the first input tells."""

from __future__ import annotations

from typing import Any

from ..autograd.node import Tensor
from ..dtypes import int64
from ..errors import ShapeError, ValueRangeError
from . import batch_norm, conv
from ._ops import dv
from .linear import Linear
from .module import Module
from .parameter import Buffer, UninitializedBuffer, UninitializedParameter, is_lazy

__all__ = [
    "LazyBatchNorm1d",
    "LazyBatchNorm2d",
    "LazyBatchNorm3d",
    "LazyConv1d",
    "LazyConv2d",
    "LazyConv3d",
    "LazyConvTranspose1d",
    "LazyConvTranspose2d",
    "LazyConvTranspose3d",
    "LazyInstanceNorm1d",
    "LazyInstanceNorm2d",
    "LazyInstanceNorm3d",
    "LazyLinear",
    "LazyModuleMixin",
]


class LazyModuleMixin(Module):
    """Beside a layer class, it makes one that waits: ``initialize_parameters`` runs before the first forward.

    A subclass says in ``cls_to_become`` which class it turns into then.
    """

    cls_to_become: type[Module] | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.__dict__["_initialize_hook"] = self.register_forward_pre_hook(_infer, with_kwargs=True)

    def initialize_parameters(self, *args: Any, **kwargs: Any) -> None:
        """Give every waiting parameter its shape, by the first input."""
        raise NotImplementedError(f"initialize_parameters is not implemented for {type(self).__name__}")

    def has_uninitialized_params(self) -> bool:
        """Whether a parameter or buffer of this module still waits."""
        return any(is_lazy(t) for t in [*self._parameters.values(), *self._buffers.values()])


def _infer(module: Any, args: Any, kwargs: Any) -> None:
    module.initialize_parameters(*args, **kwargs)
    if module.has_uninitialized_params():
        raise ShapeError(type(module).__name__, "module has not been fully initialized")
    module.__dict__.pop("_initialize_hook").remove()
    if module.cls_to_become is not None:
        module.__class__ = module.cls_to_become


class _LazyLayer(LazyModuleMixin):
    """A lazy layer of this library: one size of it, the attribute ``_told``, is zero until the first input tells."""

    _told: str

    def reset_parameters(self) -> None:
        """Set the initial values, once the shapes are known."""
        if not self.has_uninitialized_params() and getattr(self, self._told) != 0:
            super().reset_parameters()  # type: ignore[misc]

    def _wait(self, device: Any, dtype: Any, bias: bool) -> None:
        """Register a weight and, where there is one, a bias without shapes."""
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        self.bias = UninitializedParameter(device=device, dtype=dtype) if bias else None

    def _materialize(self, **shapes: tuple[int, ...]) -> None:
        for name, shape in shapes.items():
            if getattr(self, name) is not None:
                getattr(self, name).materialize(shape)
        self.reset_parameters()


class LazyLinear(_LazyLayer, Linear):
    """A Linear whose ``in_features`` are those of its first input.

    >>> import dovetail as dv
    >>> layer = dv.nn.LazyLinear(2)
    >>> _ = layer(dv.ones(5, 3))
    >>> layer
    Linear(in_features=3, out_features=2, bias=True)
    """

    cls_to_become = Linear
    _told = "in_features"

    def __init__(self, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None) -> None:
        super().__init__(0, 0, False)
        self._wait(device, dtype, bias)
        self.out_features = out_features

    def initialize_parameters(self, input: Tensor) -> None:
        """Take ``in_features`` from the input (or from weights that were loaded)."""
        if self.has_uninitialized_params():
            self.in_features = input.shape[-1]
            self._materialize(weight=(self.out_features, self.in_features), bias=(self.out_features,))
        self.in_features = self.weight.shape[-1]


class _LazyConv(_LazyLayer):
    """A convolution whose ``in_channels`` are those of the first input."""

    _told = "in_channels"

    def __init__(self, out_channels: int, kernel_size: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(0, 0, kernel_size, *args, **kwargs)
        self._wait(self.weight.device, self.weight.dtype, self.bias is not None)
        self.out_channels = out_channels

    def initialize_parameters(self, input: Tensor, *args: Any, **kwargs: Any) -> None:
        """Take ``in_channels`` from the input. Raises a ValueError where the groups do not divide them."""
        if not self.has_uninitialized_params():
            return
        name, n = type(self).__name__, self._n
        if input.ndim not in (n + 1, n + 2):
            expected = f"Expected {n + 1}D (unbatched) or {n + 2}D (batched) input to {name}"
            raise ShapeError(name, expected, f"but got input of size: {list(input.shape)}")
        channels = self.in_channels = input.shape[-n - 1]
        if channels % self.groups:
            raise ValueRangeError(name, "in_channels must be divisible by groups", f"got {channels} and {self.groups}")
        self._materialize(weight=self._weight_shape(), bias=(self.out_channels,))


class _LazyNorm(_LazyLayer):
    """A norm whose ``num_features`` are the channels of the first input."""

    _told = "num_features"

    def __init__(
        self, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True, track_running_stats: bool = True,
        device: Any = None, dtype: Any = None, *, bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(0, eps, momentum, False, False, device, dtype, bias=False)
        self.affine, self.track_running_stats = affine, track_running_stats
        if affine:
            self._wait(device, dtype, bias)
        if track_running_stats:
            self.running_mean = UninitializedBuffer(device=device, dtype=dtype)
            self.running_var = UninitializedBuffer(device=device, dtype=dtype)
            self.num_batches_tracked = Buffer(dv.tensor(0, dtype=int64, device=device))

    def initialize_parameters(self, input: Tensor) -> None:
        """Take ``num_features`` from the input."""
        if self.has_uninitialized_params():
            self.num_features = input.shape[1]
            self._materialize(**dict.fromkeys(("weight", "bias", "running_mean", "running_var"), (self.num_features,)))


def _lazy(base: type[_LazyLayer], kind: type[Module]) -> Any:
    """The lazy form of a layer, which becomes that layer."""
    name, doc = f"Lazy{kind.__name__}", f"A {kind.__name__} whose ``{base._told}`` its first input tells."
    return type(name, (base, kind), {"__doc__": doc, "cls_to_become": kind, "__module__": __name__})


LazyConv1d, LazyConv2d, LazyConv3d = (_lazy(_LazyConv, kind) for kind in (conv.Conv1d, conv.Conv2d, conv.Conv3d))
LazyConvTranspose1d, LazyConvTranspose2d, LazyConvTranspose3d = (
    _lazy(_LazyConv, kind) for kind in (conv.ConvTranspose1d, conv.ConvTranspose2d, conv.ConvTranspose3d)
)
LazyBatchNorm1d, LazyBatchNorm2d, LazyBatchNorm3d = (
    _lazy(_LazyNorm, kind) for kind in (batch_norm.BatchNorm1d, batch_norm.BatchNorm2d, batch_norm.BatchNorm3d)
)
LazyInstanceNorm1d, LazyInstanceNorm2d, LazyInstanceNorm3d = (
    _lazy(_LazyNorm, kind) for kind in (batch_norm.InstanceNorm1d, batch_norm.InstanceNorm2d, batch_norm.InstanceNorm3d)
)
