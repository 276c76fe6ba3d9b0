"""Pooling layers: maxima, means and power means over windows, and what undoes a maximum."""

from __future__ import annotations

from typing import Any

from ..autograd.node import Tensor
from ..errors import ValueRangeError
from . import functional as F
from ._make import fields
from ._sizes import _ntuple
from .module import Module

__all__ = [
    "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d", "AdaptiveMaxPool1d", "AdaptiveMaxPool2d", "AdaptiveMaxPool3d",
    "AvgPool1d", "AvgPool2d", "AvgPool3d", "FractionalMaxPool2d", "FractionalMaxPool3d", "LPPool1d", "LPPool2d", "LPPool3d",
    "MaxPool1d", "MaxPool2d", "MaxPool3d", "MaxUnpool1d", "MaxUnpool2d", "MaxUnpool3d",
]  # fmt: skip


class _MaxPoolNd(Module):
    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.dilation = padding, dilation
        self.return_indices, self.ceil_mode = return_indices, ceil_mode

    def _pool(self, pool: Any, input: Tensor) -> Any:
        return pool(
            input, self.kernel_size, self.stride, self.padding, self.dilation,
            ceil_mode=self.ceil_mode, return_indices=self.return_indices,
        )  # fmt: skip

    def extra_repr(self) -> str:
        return fields(self, "kernel_size stride padding dilation ceil_mode")


class MaxPool1d(_MaxPoolNd):
    """The largest of each window of (N, C, L) or (C, L); with ``return_indices`` also where it was.

    >>> import dovetail as dv
    >>> dv.nn.MaxPool1d(2)(dv.tensor([[1., 3., 2., 0.]]))
    tensor([[3., 2.]])
    """

    def forward(self, input: Tensor) -> Any:
        return self._pool(F.max_pool1d, input)


class MaxPool2d(_MaxPoolNd):
    """The largest of each window of (N, C, H, W) or (C, H, W). H_out = ⌊(H + 2·padding - dilation·(k - 1) - 1) / stride⌋ + 1.

    >>> import dovetail as dv
    >>> dv.nn.MaxPool2d(3, stride=2, padding=1)(dv.ones(1, 2, 8, 8)).shape
    dovetail.Size([1, 2, 4, 4])
    """

    def forward(self, input: Tensor) -> Any:
        return self._pool(F.max_pool2d, input)


class MaxPool3d(_MaxPoolNd):
    """The largest of each window of (N, C, D, H, W) or (C, D, H, W).

    >>> import dovetail as dv
    >>> dv.nn.MaxPool3d(2)(dv.ones(1, 1, 4, 4, 4)).shape
    dovetail.Size([1, 1, 2, 2, 2])
    """

    def forward(self, input: Tensor) -> Any:
        return self._pool(F.max_pool3d, input)


class _MaxUnpoolNd(Module):
    _n: int

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0) -> None:
        super().__init__()
        sizes = _ntuple(self._n)
        self.kernel_size, self.stride, self.padding = sizes(kernel_size), sizes(kernel_size if stride is None else stride), sizes(padding)

    def forward(self, input: Tensor, indices: Tensor, output_size: Any = None) -> Tensor:
        unpool = (F.max_unpool1d, F.max_unpool2d, F.max_unpool3d)[self._n - 1]
        return unpool(input, indices, self.kernel_size, self.stride, self.padding, output_size)

    def extra_repr(self) -> str:
        return fields(self, "kernel_size stride padding")


class MaxUnpool1d(_MaxUnpoolNd):
    """Put maxima back where they were, zeros elsewhere; ``indices`` come from MaxPool1d.

    >>> import dovetail as dv
    >>> y, at = dv.nn.MaxPool1d(2, return_indices=True)(dv.tensor([[[1., 3., 2., 0.]]]))
    >>> dv.nn.MaxUnpool1d(2)(y, at)
    tensor([[[0., 3., 2., 0.]]])
    """

    _n = 1


class MaxUnpool2d(_MaxUnpoolNd):
    """Put maxima back where they were; ``indices`` come from MaxPool2d, ``output_size`` settles what the stride left open."""

    _n = 2


class MaxUnpool3d(_MaxUnpoolNd):
    """Put maxima back where they were; ``indices`` come from MaxPool3d."""

    _n = 3


class _AvgPoolNd(Module):
    def __init__(
        self, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False, count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.kernel_size, self.stride, self.padding = kernel_size, stride if stride is not None else kernel_size, padding
        self.ceil_mode, self.count_include_pad, self.divisor_override = ceil_mode, count_include_pad, divisor_override

    def _pool(self, pool: Any, input: Tensor) -> Tensor:
        return pool(
            input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad, self.divisor_override
        )  # fmt: skip

    def extra_repr(self) -> str:
        return fields(self, "kernel_size stride padding")


class AvgPool1d(_AvgPoolNd):
    """The mean of each window of (N, C, L) or (C, L).

    >>> import dovetail as dv
    >>> dv.nn.AvgPool1d(2)(dv.tensor([[1., 3., 2., 0.]]))
    tensor([[2., 1.]])
    """

    def __init__(
        self, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False, count_include_pad: bool = True
    ) -> None:
        one = _ntuple(1)
        super().__init__(one(kernel_size), one(kernel_size if stride is None else stride), one(padding), ceil_mode, count_include_pad)

    def forward(self, input: Tensor) -> Tensor:
        return F.avg_pool1d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)


class AvgPool2d(_AvgPoolNd):
    """The mean of each window of (N, C, H, W) or (C, H, W); ``divisor_override`` replaces the count.

    >>> import dovetail as dv
    >>> dv.nn.AvgPool2d(2)(dv.ones(1, 1, 4, 4)).shape
    dovetail.Size([1, 1, 2, 2])
    """

    def forward(self, input: Tensor) -> Tensor:
        return self._pool(F.avg_pool2d, input)


class AvgPool3d(_AvgPoolNd):
    """The mean of each window of (N, C, D, H, W) or (C, D, H, W).

    >>> import dovetail as dv
    >>> dv.nn.AvgPool3d(2)(dv.ones(1, 1, 2, 2, 2))
    tensor([[[[[1.]]]]])
    """

    def forward(self, input: Tensor) -> Tensor:
        return self._pool(F.avg_pool3d, input)


class _FractionalMaxPoolNd(Module):
    _n: int

    def __init__(
        self, kernel_size: Any, output_size: Any = None, output_ratio: Any = None, return_indices: bool = False, _random_samples: Any = None
    ) -> None:
        super().__init__()
        name, sizes = type(self).__name__, _ntuple(self._n)
        if any(k <= 0 for k in sizes(kernel_size)):
            raise ValueRangeError(name, f"kernel_size must be greater than 0, but got {kernel_size}")
        if output_size is None and output_ratio is None:
            raise ValueRangeError(name, f"{name} requires specifying either an output size, or a pooling ratio")
        if output_size is not None and output_ratio is not None:
            raise ValueRangeError(name, "only one of output_size and output_ratio may be specified")
        self.kernel_size, self.return_indices = sizes(kernel_size), return_indices
        self.register_buffer("_random_samples", _random_samples)
        self.output_size = None if output_size is None else sizes(output_size)
        self.output_ratio = None if output_ratio is None else sizes(output_ratio)
        if self.output_ratio is not None and not all(0 < r < 1 for r in self.output_ratio):
            raise ValueRangeError(name, f"output_ratio must be between 0 and 1 (got {output_ratio})")

    def forward(self, input: Tensor) -> Any:
        pool = F.fractional_max_pool2d if self._n == 2 else F.fractional_max_pool3d
        return pool(input, self.kernel_size, self.output_size, self.output_ratio, self.return_indices, _random_samples=self._random_samples)


class FractionalMaxPool2d(_FractionalMaxPoolNd):
    """Maxima over windows at random places, so that the size shrinks by any ratio. Graham, 2014.

    >>> import dovetail as dv
    >>> dv.nn.FractionalMaxPool2d(2, output_ratio=(0.5, 0.5))(dv.ones(1, 1, 8, 8)).shape
    dovetail.Size([1, 1, 4, 4])
    """

    _n = 2


class FractionalMaxPool3d(_FractionalMaxPoolNd):
    """FractionalMaxPool2d for (N, C, D, H, W)."""

    _n = 3


class _LPPoolNd(Module):
    _n: int

    def __init__(self, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> None:
        super().__init__()
        self.norm_type, self.kernel_size, self.stride, self.ceil_mode = norm_type, kernel_size, stride, ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        pool = (F.lp_pool1d, F.lp_pool2d, F.lp_pool3d)[self._n - 1]
        return pool(input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)

    def extra_repr(self) -> str:
        return fields(self, "norm_type kernel_size stride ceil_mode")


class LPPool1d(_LPPoolNd):
    """(Σ xᵖ)^(1/p) over each window of (N, C, L) or (C, L).

    >>> import dovetail as dv
    >>> dv.nn.LPPool1d(2, 2)(dv.tensor([[3., 4.]]))
    tensor([[5.]])
    """

    _n = 1


class LPPool2d(_LPPoolNd):
    """(Σ xᵖ)^(1/p) over each window of (N, C, H, W) or (C, H, W)."""

    _n = 2


class LPPool3d(_LPPoolNd):
    """(Σ xᵖ)^(1/p) over each window of (N, C, D, H, W) or (C, D, H, W)."""

    _n = 3


class _AdaptiveAvgPoolNd(Module):
    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = output_size

    def extra_repr(self) -> str:
        return fields(self, "output_size")


class _AdaptiveMaxPoolNd(_AdaptiveAvgPoolNd):
    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__(output_size)
        self.return_indices = return_indices


class AdaptiveAvgPool1d(_AdaptiveAvgPoolNd):
    """Means over as many windows as ``output_size`` asks for: (N, C, L) → (N, C, output_size).

    >>> import dovetail as dv
    >>> dv.nn.AdaptiveAvgPool1d(2)(dv.tensor([[1., 3., 2., 0.]]))
    tensor([[2., 1.]])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.adaptive_avg_pool1d(input, self.output_size)


class AdaptiveAvgPool2d(_AdaptiveAvgPoolNd):
    """Means over a grid of windows: (N, C, H, W) → (N, C, *output_size); None keeps a size.

    >>> import dovetail as dv
    >>> dv.nn.AdaptiveAvgPool2d((1, None))(dv.ones(2, 3, 5, 7)).shape
    dovetail.Size([2, 3, 1, 7])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.adaptive_avg_pool2d(input, self.output_size)


class AdaptiveAvgPool3d(_AdaptiveAvgPoolNd):
    """Means over a grid of windows: (N, C, D, H, W) → (N, C, *output_size)."""

    def forward(self, input: Tensor) -> Tensor:
        return F.adaptive_avg_pool3d(input, self.output_size)


class AdaptiveMaxPool1d(_AdaptiveMaxPoolNd):
    """Maxima over as many windows as ``output_size`` asks for: (N, C, L) → (N, C, output_size).

    >>> import dovetail as dv
    >>> dv.nn.AdaptiveMaxPool1d(2)(dv.tensor([[1., 3., 2., 0.]]))
    tensor([[3., 2.]])
    """

    def forward(self, input: Tensor) -> Any:
        return F.adaptive_max_pool1d(input, self.output_size, self.return_indices)


class AdaptiveMaxPool2d(_AdaptiveMaxPoolNd):
    """Maxima over a grid of windows: (N, C, H, W) → (N, C, *output_size)."""

    def forward(self, input: Tensor) -> Any:
        return F.adaptive_max_pool2d(input, self.output_size, self.return_indices)


class AdaptiveMaxPool3d(_AdaptiveMaxPoolNd):
    """Maxima over a grid of windows: (N, C, D, H, W) → (N, C, *output_size)."""

    def forward(self, input: Tensor) -> Any:
        return F.adaptive_max_pool3d(input, self.output_size, self.return_indices)
