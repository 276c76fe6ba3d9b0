"""Convolutions and transposed convolutions in one, two and three dimensions."""

from __future__ import annotations

import math
from typing import Any

from ..autograd.node import Tensor
from ..errors import TypeMismatch, ValueRangeError
from . import functional as F
from . import init
from ._make import Layer, fields, need, parameters, unusual
from ._sizes import _ntuple, _reverse_repeat_tuple
from .parameter import Parameter

__all__ = [
    "Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d",
]  # fmt: skip

_MODES = ("zeros", "reflect", "replicate", "circular")


class _ConvNd(Layer):
    """What all convolutions share: arguments, their checks, the weights and how they start."""

    weight: Parameter
    bias: Parameter | None

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any, padding: Any, dilation: Any, transposed: bool,
        output_padding: Any, groups: int, bias: bool, padding_mode: str, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        name = type(self).__name__
        need(groups > 0, name, "groups must be a positive integer", f"got {groups}")
        need(in_channels % groups == 0, name, "in_channels must be divisible by groups", f"got {in_channels} and {groups}")
        need(out_channels % groups == 0, name, "out_channels must be divisible by groups", f"got {out_channels} and {groups}")
        if isinstance(padding, str):
            need(padding in ("same", "valid"), name, f"Invalid padding string {padding!r}", "should be one of 'same', 'valid'")
            strided = padding == "same" and any(s != 1 for s in stride)
            need(not strided, name, f"padding='same' is not supported for strided convolutions (stride {stride})")
        need(padding_mode in _MODES, name, f"padding_mode must be one of {list(_MODES)}", f"but got padding_mode='{padding_mode}'")
        self._keep(
            in_channels=in_channels, out_channels=out_channels, kernel_size=kernel_size, stride=stride, padding=padding, dilation=dilation,
            transposed=transposed, output_padding=output_padding, groups=groups, padding_mode=padding_mode,
        )  # fmt: skip
        self._reversed_padding_repeated_twice = self._padding_for_pad()
        parameters(self, device, dtype, weight=self._weight_shape(), bias=(out_channels,) if bias else None)
        self.reset_parameters()

    def _weight_shape(self) -> tuple[int, ...]:
        first, second = (self.in_channels, self.out_channels) if self.transposed else (self.out_channels, self.in_channels)
        return (first, second // self.groups, *self.kernel_size)

    def _padding_for_pad(self) -> tuple[int, ...]:
        """Both ends of every dimension, last first, as `pad` wants them."""
        if not isinstance(self.padding, str):
            return _reverse_repeat_tuple(self.padding, 2)
        same = self.padding == "same"
        totals = [d * (k - 1) if same else 0 for d, k in zip(reversed(self.dilation), reversed(self.kernel_size), strict=True)]
        return tuple(end for total in totals for end in (total // 2, total - total // 2))

    def reset_parameters(self) -> None:
        """Draw new initial weights from U(-k, k), k = 1 / √fan_in."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in, _ = init._calculate_fan_in_and_fan_out(self.weight)
            if fan_in != 0:
                bound = 1 / math.sqrt(fan_in)
                init.uniform_(self.bias, -bound, bound)

    def extra_repr(self) -> str:
        n = len(self.kernel_size)
        text = fields(self, "!in_channels !out_channels kernel_size stride")
        text += unusual(self, padding=(0,) * n, dilation=(1,) * n, output_padding=(0,) * n, groups=1)
        return text + (", bias=False" if self.bias is None else "") + unusual(self, padding_mode="zeros")


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
        padding = self.padding
        if self.padding_mode != "zeros":
            input, padding = F.pad(input, self._reversed_padding_repeated_twice, mode=self.padding_mode), 0
        return self._calls(input, weight, bias, self.stride, padding, self.dilation, self.groups)

    def forward(self, input: Tensor) -> Tensor:
        return self._conv_forward(input, self.weight, self.bias)


class Conv1d(_Conv, n=1, calls=F.conv1d):
    """Convolve (N, C_in, L) or (C_in, L) with weights (C_out, C_in/groups, k).

    L_out = ⌊(L + 2·padding - dilation·(k - 1) - 1) / stride⌋ + 1. Raises a ValueError for channels not divisible by groups.

    >>> import dovetail as dv
    >>> dv.nn.Conv1d(3, 8, 3, padding="same")(dv.ones(2, 3, 10)).shape
    dovetail.Size([2, 8, 10])
    """


class Conv2d(_Conv, n=2, calls=F.conv2d):
    """Convolve (N, C_in, H, W) or (C_in, H, W) with weights (C_out, C_in/groups, kH, kW).

    H_out = ⌊(H + 2·padding - dilation·(kH - 1) - 1) / stride⌋ + 1. Raises a ValueError for channels not divisible by groups.

    >>> import dovetail as dv
    >>> dv.nn.Conv2d(3, 8, 3, stride=2, padding=1)(dv.ones(2, 3, 10, 10)).shape
    dovetail.Size([2, 8, 5, 5])
    """


class Conv3d(_Conv, n=3, calls=F.conv3d):
    """Convolve (N, C_in, D, H, W) or (C_in, D, H, W) with weights (C_out, C_in/groups, kD, kH, kW).

    >>> import dovetail as dv
    >>> dv.nn.Conv3d(1, 2, 2)(dv.ones(1, 1, 3, 3, 3)).shape
    dovetail.Size([1, 2, 2, 2, 2])
    """


class _ConvTransposeNd(_ConvNd):
    """The gradient of a convolution as a layer: it makes images larger."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0, output_padding: Any = 0,
        groups: int = 1, bias: bool = True, dilation: Any = 1, padding_mode: str = "zeros", device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        name, sizes = type(self).__name__, _ntuple(self._n)
        need(padding_mode == "zeros", name, f'Only "zeros" padding mode is supported for {name}', f"got {padding_mode!r}")
        expected = "expected numbers: a transposed convolution has no 'same' or 'valid'"
        need(not isinstance(padding, str), name, f"padding is {padding!r}", expected, TypeMismatch)
        super().__init__(
            in_channels, out_channels, sizes(kernel_size), sizes(stride), sizes(padding), sizes(dilation), True,
            sizes(output_padding), groups, bias, padding_mode, device, dtype,
        )  # fmt: skip

    def _output_padding(self, input: Tensor, output_size: Any) -> tuple[int, ...]:
        """What to add on one side so that the result has the size asked for."""
        if output_size is None:
            return self.output_padding
        name, n, sizes, wanted = type(self).__name__, self._n, list(input.shape[-self._n :]), tuple(output_size)[-self._n :]
        if len(output_size) not in (n, input.ndim):
            expected = f"output_size must have {n} or {n + 2} elements (got {len(output_size)})"
            raise ValueRangeError(name, f"{expected} for an input of {input.ndim} dimensions")
        steps = zip(sizes, self.stride, self.padding, self.dilation, self.kernel_size, strict=True)
        least = [(size - 1) * s - 2 * p + d * (k - 1) + 1 for size, s, p, d, k in steps]
        most = [low + step - 1 for low, step in zip(least, self.stride, strict=True)]
        if any(not low <= want <= high for low, want, high in zip(least, wanted, most, strict=True)):
            what = f"requested an output size of {list(wanted)}, but valid sizes range from {least} to {most}"
            raise ValueRangeError(name, f"{what} (for an input of {list(input.shape[2:])})")
        return tuple(want - low for want, low in zip(wanted, least, strict=True))

    def forward(self, input: Tensor, output_size: Any = None) -> Tensor:
        extra = self._output_padding(input, output_size)
        return self._calls(input, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation)


class ConvTranspose1d(_ConvTransposeNd, n=1, calls=F.conv_transpose1d):
    """L_out = (L - 1)·stride - 2·padding + dilation·(k - 1) + output_padding + 1; weights (C_in, C_out/groups, k).

    >>> import dovetail as dv
    >>> dv.nn.ConvTranspose1d(3, 2, 2, stride=2)(dv.ones(1, 3, 5)).shape
    dovetail.Size([1, 2, 10])
    """


class ConvTranspose2d(_ConvTransposeNd, n=2, calls=F.conv_transpose2d):
    """The transpose of Conv2d: (N, C_in, H, W) → (N, C_out, H_out, W_out); weights (C_in, C_out/groups, kH, kW).

    ``forward(input, output_size)`` chooses among the sizes that the stride allows.

    >>> import dovetail as dv
    >>> dv.nn.ConvTranspose2d(3, 2, 3, stride=2, padding=1)(dv.ones(1, 3, 5, 5), output_size=(10, 10)).shape
    dovetail.Size([1, 2, 10, 10])
    """


class ConvTranspose3d(_ConvTransposeNd, n=3, calls=F.conv_transpose3d):
    """The transpose of Conv3d: (N, C_in, D, H, W) → (N, C_out, D_out, H_out, W_out).

    >>> import dovetail as dv
    >>> dv.nn.ConvTranspose3d(1, 1, 2)(dv.ones(1, 1, 2, 2, 2)).shape
    dovetail.Size([1, 1, 3, 3, 3])
    """
