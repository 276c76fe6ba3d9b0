"""Convolutions and transposed convolutions in one, two and three dimensions, and their lazy forms."""

from __future__ import annotations

import math
from typing import Any

from ..autograd.node import Tensor
from ..errors import ShapeError, TypeMismatch, ValueRangeError
from . import functional as F
from . import init
from ._make import fields, parameters
from ._sizes import _ntuple, _reverse_repeat_tuple
from .lazy import LazyModuleMixin
from .module import Module
from .parameter import Parameter

__all__ = [
    "Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d", "LazyConv1d", "LazyConv2d",
    "LazyConv3d", "LazyConvTranspose1d", "LazyConvTranspose2d", "LazyConvTranspose3d",
]  # fmt: skip

_MODES = ("zeros", "reflect", "replicate", "circular")


class _ConvNd(Module):
    """What all convolutions share: arguments, their checks, the weights and how they start."""

    weight: Parameter
    bias: Parameter | None
    _n: int  # spatial dimensions

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any, padding: Any, dilation: Any, transposed: bool,
        output_padding: Any, groups: int, bias: bool, padding_mode: str, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        _check(type(self).__name__, in_channels, out_channels, stride, padding, groups, padding_mode)
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        self.dilation, self.transposed, self.output_padding = dilation, transposed, output_padding
        self.padding_mode = padding_mode
        self._reversed_padding_repeated_twice = self._padding_for_pad()
        channels = (in_channels, out_channels // groups) if transposed else (out_channels, in_channels // groups)
        parameters(self, device, dtype, weight=(*channels, *kernel_size), bias=(out_channels,) if bias else None)
        self.reset_parameters()

    def _padding_for_pad(self) -> list[int]:
        """Both ends of every dimension, last first, as `pad` wants them."""
        if not isinstance(self.padding, str):
            return list(_reverse_repeat_tuple(self.padding, 2))
        ends: list[int] = []
        for d, k in zip(reversed(self.dilation), reversed(self.kernel_size), strict=True):
            total = d * (k - 1) if self.padding == "same" else 0
            ends += [total // 2, total - total // 2]
        return ends

    def reset_parameters(self) -> None:
        """Draw new initial weights from U(-k, k), k = 1 / √fan_in."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in, _ = init._calculate_fan_in_and_fan_out(self.weight)
            if fan_in != 0:
                bound = 1 / math.sqrt(fan_in)
                init.uniform_(self.bias, -bound, bound)

    def extra_repr(self) -> str:
        text = fields(self, "!in_channels !out_channels kernel_size stride")
        for name, usual in (("padding", (0,)), ("dilation", (1,)), ("output_padding", (0,))):
            value = getattr(self, name)
            if value != usual * len(value):
                text += f", {name}={value}"
        text += f", groups={self.groups}" if self.groups != 1 else ""
        text += ", bias=False" if self.bias is None else ""
        return text + (f", padding_mode={self.padding_mode}" if self.padding_mode != "zeros" else "")


def _check(name: str, in_channels: int, out_channels: int, stride: Any, padding: Any, groups: int, mode: str) -> None:
    if groups <= 0:
        raise ValueRangeError(name, "groups must be a positive integer", f"got {groups}")
    for what, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
        if channels % groups:
            raise ValueRangeError(name, f"{what} must be divisible by groups", f"got {channels} and {groups}")
    if isinstance(padding, str):
        if padding not in ("same", "valid"):
            raise ValueRangeError(name, f"Invalid padding string {padding!r}", "should be one of 'same', 'valid'")
        if padding == "same" and any(s != 1 for s in stride):
            raise ValueRangeError(name, f"padding='same' is not supported for strided convolutions (stride {stride})")
    if mode not in _MODES:
        raise ValueRangeError(name, f"padding_mode must be one of {list(_MODES)}", f"but got padding_mode='{mode}'")


class _Conv(_ConvNd):
    """A convolution: `pad` for the modes that convolve alone cannot do, then F.convNd."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
        groups: int = 1, bias: bool = True, padding_mode: str = "zeros", device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        sizes = _ntuple(self._n)
        super().__init__(
            in_channels, out_channels, sizes(kernel_size), sizes(stride), padding if isinstance(padding, str) else sizes(padding),
            sizes(dilation), False, sizes(0), groups, bias, padding_mode, device, dtype,
        )  # fmt: skip

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        convolve = (F.conv1d, F.conv2d, F.conv3d)[self._n - 1]
        padding = self.padding
        if self.padding_mode != "zeros":
            input, padding = F.pad(input, self._reversed_padding_repeated_twice, mode=self.padding_mode), 0
        return convolve(input, weight, bias, self.stride, padding, self.dilation, self.groups)

    def forward(self, input: Tensor) -> Tensor:
        return self._conv_forward(input, self.weight, self.bias)


class Conv1d(_Conv):
    """Convolve (N, C_in, L) or (C_in, L) with weights (C_out, C_in/groups, k).

    L_out = ⌊(L + 2·padding - dilation·(k - 1) - 1) / stride⌋ + 1. Raises a ValueError for channels not divisible by groups.

    >>> import dovetail as dv
    >>> dv.nn.Conv1d(3, 8, 3, padding="same")(dv.ones(2, 3, 10)).shape
    dovetail.Size([2, 8, 10])
    """

    _n = 1


class Conv2d(_Conv):
    """Convolve (N, C_in, H, W) or (C_in, H, W) with weights (C_out, C_in/groups, kH, kW).

    H_out = ⌊(H + 2·padding - dilation·(kH - 1) - 1) / stride⌋ + 1. Raises a ValueError for channels not divisible by groups.

    >>> import dovetail as dv
    >>> dv.nn.Conv2d(3, 8, 3, stride=2, padding=1)(dv.ones(2, 3, 10, 10)).shape
    dovetail.Size([2, 8, 5, 5])
    """

    _n = 2


class Conv3d(_Conv):
    """Convolve (N, C_in, D, H, W) or (C_in, D, H, W) with weights (C_out, C_in/groups, kD, kH, kW).

    >>> import dovetail as dv
    >>> dv.nn.Conv3d(1, 2, 2)(dv.ones(1, 1, 3, 3, 3)).shape
    dovetail.Size([1, 2, 2, 2, 2])
    """

    _n = 3


class _ConvTransposeNd(_ConvNd):
    """The gradient of a convolution as a layer: it makes images larger."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0, output_padding: Any = 0,
        groups: int = 1, bias: bool = True, dilation: Any = 1, padding_mode: str = "zeros", device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        name, sizes = type(self).__name__, _ntuple(self._n)
        if padding_mode != "zeros":
            raise ValueRangeError(name, f'Only "zeros" padding mode is supported for {name}', f"got {padding_mode!r}")
        if isinstance(padding, str):
            raise TypeMismatch(name, f"padding is {padding!r}", "expected numbers: a transposed convolution has no 'same' or 'valid'")
        super().__init__(
            in_channels, out_channels, sizes(kernel_size), sizes(stride), sizes(padding), sizes(dilation), True,
            sizes(output_padding), groups, bias, padding_mode, device, dtype,
        )  # fmt: skip

    def _output_padding(self, input: Tensor, output_size: Any) -> tuple[int, ...]:
        """What to add on one side so that the result has the size asked for."""
        n, shape = self._n, tuple(input.shape)
        if output_size is None:
            return self.output_padding
        wanted = tuple(output_size)[-n:]
        if len(output_size) not in (n, len(shape)):
            expected = f"output_size must have {n} or {n + 2} elements (got {len(output_size)})"
            raise ValueRangeError(type(self).__name__, f"{expected} for an input of {len(shape)} dimensions")
        least = [
            (shape[d - n] - 1) * self.stride[d] - 2 * self.padding[d] + self.dilation[d] * (self.kernel_size[d] - 1) + 1 for d in range(n)
        ]
        most = [low + step - 1 for low, step in zip(least, self.stride, strict=True)]
        if any(not low <= want <= high for low, want, high in zip(least, wanted, most, strict=True)):
            what = f"requested an output size of {list(wanted)}, but valid sizes range from {least} to {most}"
            raise ValueRangeError(type(self).__name__, f"{what} (for an input of {list(shape[2:])})")
        return tuple(want - low for want, low in zip(wanted, least, strict=True))

    def forward(self, input: Tensor, output_size: Any = None) -> Tensor:
        convolve = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[self._n - 1]
        extra = self._output_padding(input, output_size)
        return convolve(input, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation)


class ConvTranspose1d(_ConvTransposeNd):
    """L_out = (L - 1)·stride - 2·padding + dilation·(k - 1) + output_padding + 1; weights (C_in, C_out/groups, k).

    >>> import dovetail as dv
    >>> dv.nn.ConvTranspose1d(3, 2, 2, stride=2)(dv.ones(1, 3, 5)).shape
    dovetail.Size([1, 2, 10])
    """

    _n = 1


class ConvTranspose2d(_ConvTransposeNd):
    """The transpose of Conv2d: (N, C_in, H, W) → (N, C_out, H_out, W_out); weights (C_in, C_out/groups, kH, kW).

    ``forward(input, output_size)`` chooses among the sizes that the stride allows.

    >>> import dovetail as dv
    >>> dv.nn.ConvTranspose2d(3, 2, 3, stride=2, padding=1)(dv.ones(1, 3, 5, 5), output_size=(10, 10)).shape
    dovetail.Size([1, 2, 10, 10])
    """

    _n = 2


class ConvTranspose3d(_ConvTransposeNd):
    """The transpose of Conv3d: (N, C_in, D, H, W) → (N, C_out, D_out, H_out, W_out).

    >>> import dovetail as dv
    >>> dv.nn.ConvTranspose3d(1, 1, 2)(dv.ones(1, 1, 2, 2, 2)).shape
    dovetail.Size([1, 1, 3, 3, 3])
    """

    _n = 3


class _LazyConv(LazyModuleMixin):
    """A convolution whose ``in_channels`` are those of the first input."""

    def __init__(self, out_channels: int, kernel_size: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(0, 0, kernel_size, *args, **kwargs)
        parameters(self, self.weight.device, self.weight.dtype, weight=(), bias=None if self.bias is None else ())
        self.out_channels = out_channels

    def reset_parameters(self) -> None:
        """Draw initial weights, once the shape is known."""
        if not self.has_uninitialized_params() and self.in_channels != 0:
            super().reset_parameters()  # type: ignore[misc]

    def initialize_parameters(self, input: Tensor, *args: Any, **kwargs: Any) -> None:
        """Take ``in_channels`` from the input. Raises a ValueError where the groups do not divide them."""
        if not self.has_uninitialized_params():
            return
        name, n = type(self).__name__, self._n
        if input.ndim not in (n + 1, n + 2):
            raise ShapeError(
                name, f"Expected {n + 1}D (unbatched) or {n + 2}D (batched) input to {name}", f"but got input of size: {list(input.shape)}"
            )
        self.in_channels = input.shape[-n - 1]
        if self.in_channels % self.groups:
            raise ValueRangeError(name, "in_channels must be divisible by groups", f"got {self.in_channels} and {self.groups}")
        channels = (
            (self.in_channels, self.out_channels // self.groups)
            if self.transposed
            else (self.out_channels, self.in_channels // self.groups)
        )
        self.weight.materialize((*channels, *self.kernel_size))
        if self.bias is not None:
            self.bias.materialize((self.out_channels,))
        self.reset_parameters()


def _lazy(kind: type[_ConvNd]) -> type:
    doc = f"A {kind.__name__} whose ``in_channels`` are those of its first input."
    return type(f"Lazy{kind.__name__}", (_LazyConv, kind), {"__doc__": doc, "cls_to_become": kind, "__module__": __name__})


LazyConv1d, LazyConv2d, LazyConv3d = _lazy(Conv1d), _lazy(Conv2d), _lazy(Conv3d)
LazyConvTranspose1d, LazyConvTranspose2d, LazyConvTranspose3d = _lazy(ConvTranspose1d), _lazy(ConvTranspose2d), _lazy(ConvTranspose3d)
