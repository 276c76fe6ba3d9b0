"""Pooling layers: maxima, means and power means over windows, and what undoes a maximum."""

from __future__ import annotations

from typing import Any

from ..autograd.node import Tensor
from ..errors import ValueRangeError
from . import functional as F
from ._make import Layer
from ._sizes import _ntuple
from .module import Module

__all__ = [
    "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d", "AdaptiveMaxPool1d", "AdaptiveMaxPool2d", "AdaptiveMaxPool3d",
    "AvgPool1d", "AvgPool2d", "AvgPool3d", "FractionalMaxPool2d", "FractionalMaxPool3d", "LPPool1d", "LPPool2d", "LPPool3d",
    "MaxPool1d", "MaxPool2d", "MaxPool3d", "MaxUnpool1d", "MaxUnpool2d", "MaxUnpool3d",
]  # fmt: skip


class _MaxPoolNd(
    Layer, passes="kernel_size stride padding dilation ceil_mode return_indices", shows="kernel_size stride padding dilation ceil_mode"
):
    def __init__(
        self, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:  # fmt: skip
        self._keep(
            kernel_size=kernel_size, stride=kernel_size if stride is None else stride, padding=padding, dilation=dilation,
            return_indices=return_indices, ceil_mode=ceil_mode,
        )  # fmt: skip


class MaxPool1d(_MaxPoolNd, calls=F.max_pool1d):
    """The largest of each window of (N, C, L) or (C, L); with ``return_indices`` also where it was.

    >>> import dovetail as dv
    >>> dv.nn.MaxPool1d(2)(dv.tensor([[1., 3., 2., 0.]]))
    tensor([[3., 2.]])
    """


class MaxPool2d(_MaxPoolNd, calls=F.max_pool2d):
    """The largest of each window of (N, C, H, W) or (C, H, W). H_out = ⌊(H + 2·padding - dilation·(k - 1) - 1) / stride⌋ + 1.

    >>> import dovetail as dv
    >>> dv.nn.MaxPool2d(3, stride=2, padding=1)(dv.ones(1, 2, 8, 8)).shape
    dovetail.Size([1, 2, 4, 4])
    """


class MaxPool3d(_MaxPoolNd, calls=F.max_pool3d):
    """The largest of each window of (N, C, D, H, W) or (C, D, H, W).

    >>> import dovetail as dv
    >>> dv.nn.MaxPool3d(2)(dv.ones(1, 1, 4, 4, 4)).shape
    dovetail.Size([1, 1, 2, 2, 2])
    """


class _MaxUnpoolNd(Layer):
    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0) -> None:
        sizes = _ntuple(self._n)
        self._keep(kernel_size=sizes(kernel_size), stride=sizes(kernel_size if stride is None else stride), padding=sizes(padding))

    def forward(self, input: Tensor, indices: Tensor, output_size: Any = None) -> Tensor:
        return self._calls(input, indices, self.kernel_size, self.stride, self.padding, output_size)


class MaxUnpool1d(_MaxUnpoolNd, n=1, calls=F.max_unpool1d):
    """Put maxima back where they were, zeros elsewhere; ``indices`` come from MaxPool1d.

    >>> import dovetail as dv
    >>> y, at = dv.nn.MaxPool1d(2, return_indices=True)(dv.tensor([[[1., 3., 2., 0.]]]))
    >>> dv.nn.MaxUnpool1d(2)(y, at)
    tensor([[[0., 3., 2., 0.]]])
    """


class MaxUnpool2d(_MaxUnpoolNd, n=2, calls=F.max_unpool2d):
    """Put maxima back where they were; ``indices`` come from MaxPool2d, ``output_size`` settles what the stride left open."""


class MaxUnpool3d(_MaxUnpoolNd, n=3, calls=F.max_unpool3d):
    """Put maxima back where they were; ``indices`` come from MaxPool3d."""


class _AvgPoolNd(Layer, shows="kernel_size stride padding"):
    def __init__(
        self, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False, count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:  # fmt: skip
        self._keep(
            kernel_size=kernel_size, stride=kernel_size if stride is None else stride, padding=padding, ceil_mode=ceil_mode,
            count_include_pad=count_include_pad, divisor_override=divisor_override,
        )  # fmt: skip


class AvgPool1d(_AvgPoolNd, calls=F.avg_pool1d):
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


class AvgPool2d(_AvgPoolNd, calls=F.avg_pool2d):
    """The mean of each window of (N, C, H, W) or (C, H, W); ``divisor_override`` replaces the count.

    >>> import dovetail as dv
    >>> dv.nn.AvgPool2d(2)(dv.ones(1, 1, 4, 4)).shape
    dovetail.Size([1, 1, 2, 2])
    """


class AvgPool3d(_AvgPoolNd, calls=F.avg_pool3d):
    """The mean of each window of (N, C, D, H, W) or (C, D, H, W).

    >>> import dovetail as dv
    >>> dv.nn.AvgPool3d(2)(dv.ones(1, 1, 2, 2, 2))
    tensor([[[[[1.]]]]])
    """


class _LPPoolNd(Layer, passes="_power kernel_size stride ceil_mode"):
    @property
    def _power(self) -> float:
        return float(self.norm_type)

    def __init__(self, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> None:
        self._keep(norm_type=norm_type, kernel_size=kernel_size, stride=stride, ceil_mode=ceil_mode)


class LPPool1d(_LPPoolNd, calls=F.lp_pool1d):
    """(Σ xᵖ)^(1/p) over each window of (N, C, L) or (C, L).

    >>> import dovetail as dv
    >>> dv.nn.LPPool1d(2, 2)(dv.tensor([[3., 4.]]))
    tensor([[5.]])
    """


class LPPool2d(_LPPoolNd, calls=F.lp_pool2d):
    """(Σ xᵖ)^(1/p) over each window of (N, C, H, W) or (C, H, W)."""


class LPPool3d(_LPPoolNd, calls=F.lp_pool3d):
    """(Σ xᵖ)^(1/p) over each window of (N, C, D, H, W) or (C, D, H, W)."""


class _AdaptiveAvgPoolNd(Layer, shows="output_size"):
    def __init__(self, output_size: Any) -> None:
        self._keep(output_size=output_size)


class _AdaptiveMaxPoolNd(Layer, shows="output_size"):
    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        self._keep(output_size=output_size, return_indices=return_indices)


class AdaptiveAvgPool1d(_AdaptiveAvgPoolNd, calls=F.adaptive_avg_pool1d):
    """Means over as many windows as ``output_size`` asks for: (N, C, L) → (N, C, output_size).

    >>> import dovetail as dv
    >>> dv.nn.AdaptiveAvgPool1d(2)(dv.tensor([[1., 3., 2., 0.]]))
    tensor([[2., 1.]])
    """


class AdaptiveAvgPool2d(_AdaptiveAvgPoolNd, calls=F.adaptive_avg_pool2d):
    """Means over a grid of windows: (N, C, H, W) → (N, C, *output_size); None keeps a size.

    >>> import dovetail as dv
    >>> dv.nn.AdaptiveAvgPool2d((1, None))(dv.ones(2, 3, 5, 7)).shape
    dovetail.Size([2, 3, 1, 7])
    """


class AdaptiveAvgPool3d(_AdaptiveAvgPoolNd, calls=F.adaptive_avg_pool3d):
    """Means over a grid of windows: (N, C, D, H, W) → (N, C, *output_size)."""


class AdaptiveMaxPool1d(_AdaptiveMaxPoolNd, calls=F.adaptive_max_pool1d):
    """Maxima over as many windows as ``output_size`` asks for: (N, C, L) → (N, C, output_size).

    >>> import dovetail as dv
    >>> dv.nn.AdaptiveMaxPool1d(2)(dv.tensor([[1., 3., 2., 0.]]))
    tensor([[3., 2.]])
    """


class AdaptiveMaxPool2d(_AdaptiveMaxPoolNd, calls=F.adaptive_max_pool2d):
    """Maxima over a grid of windows: (N, C, H, W) → (N, C, *output_size)."""


class AdaptiveMaxPool3d(_AdaptiveMaxPoolNd, calls=F.adaptive_max_pool3d):
    """Maxima over a grid of windows: (N, C, D, H, W) → (N, C, *output_size)."""


class _FractionalMaxPool(Module):
    _n: int

    def __init__(
        self, kernel_size: Any, output_size: Any = None, output_ratio: Any = None, return_indices: bool = False, _random_samples: Any = None
    ) -> None:
        name = type(self).__name__
        each = _ntuple(self._n)
        kernel = each(kernel_size)
        if not all(k > 0 for k in kernel):
            raise ValueRangeError(name, f"kernel_size must be greater than 0, but got {kernel_size}")
        if output_size is None and output_ratio is None:
            raise ValueRangeError(name, f"{name} requires specifying either an output size, or a pooling ratio")
        if output_size is not None and output_ratio is not None:
            raise ValueRangeError(name, "only one of output_size and output_ratio may be specified")
        size, ratio = (None if value is None else each(value) for value in (output_size, output_ratio))
        if not all(0 < r < 1 for r in ratio or ()):
            raise ValueRangeError(name, f"output_ratio must be between 0 and 1 (got {output_ratio})")
        super().__init__()
        self.kernel_size, self.return_indices, self.output_size, self.output_ratio = kernel, return_indices, size, ratio
        self.register_buffer("_random_samples", _random_samples)

    def forward(self, input: Tensor) -> Any:
        out = getattr(F, f"fractional_max_pool{self._n}d_with_indices")(
            input, self.kernel_size, self.output_size, self.output_ratio, _random_samples=self._random_samples
        )
        return out if self.return_indices else out[0]


class FractionalMaxPool2d(_FractionalMaxPool):
    """Maxima over windows at random places, so that the size shrinks by any ratio. Graham, 2014.

    >>> import dovetail as dv
    >>> dv.nn.FractionalMaxPool2d(2, output_ratio=(0.5, 0.5))(dv.ones(1, 1, 8, 8)).shape
    dovetail.Size([1, 1, 4, 4])
    """

    _n = 2


class FractionalMaxPool3d(_FractionalMaxPool):
    """FractionalMaxPool2d for (N, C, D, H, W)."""

    _n = 3
