"""Pooling, with ONNX's padding, dilation and rounding of sizes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import dovetail as dv
from dovetail.errors import UnsupportedError
from dovetail.nn import functional as F

from ..table import operator
from ..values import integers
from .conv import padded, spatial_pads

__all__: list[str] = []

_CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_MAX = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}


class _Window:
    """The windows of a pooling call: kernel, strides, dilations, what is added before and after, and what the last windows need more."""

    def __init__(self, X: Any, kernel: Sequence[int], strides: Any, dilations: Any, auto_pad: str, pads: Any, ceil_mode: int) -> None:
        if X.ndim - 2 not in _CONV or len(kernel) != X.ndim - 2:
            raise UnsupportedError(
                "pooling", f"the input has the shape {tuple(X.shape)} and the kernel {list(kernel)}", "expected one to three"
            )
        self.kernel, rank = list(kernel), len(kernel)
        self.strides, self.dilations = list(strides or [1] * rank), list(dilations or [1] * rank)
        self.sizes = list(X.shape[2:])
        self.begin, self.end = spatial_pads(self.sizes, kernel, self.strides, self.dilations, auto_pad, pads)
        self.more = [self._more(at, ceil_mode and auto_pad in ("NOTSET", "")) for at in range(rank)]

    def _more(self, at: int, ceil_mode: Any) -> int:
        """How far the last window reaches over the padded end; one that would start behind the input's padding is left out."""
        extent = (self.kernel[at] - 1) * self.dilations[at] + 1
        room = self.sizes[at] + self.begin[at] + self.end[at]
        if not ceil_mode:
            return 0
        count = -(-(room - extent) // self.strides[at]) + 1
        if (count - 1) * self.strides[at] >= self.sizes[at] + self.begin[at]:
            count -= 1
        return max((count - 1) * self.strides[at] + extent - room, 0)

    def last(self) -> list[int]:
        return [end + more for end, more in zip(self.end, self.more)]

    def sums(self, X: Any) -> Any:
        """The sum of each window of an X that is padded already."""
        n, c = X.shape[:2]
        ones = dv.ones(1, 1, *self.kernel, dtype=X.dtype, device=X.device)
        out = _CONV[len(self.kernel)](X.reshape(n * c, 1, *X.shape[2:]), ones, None, tuple(self.strides), 0, tuple(self.dilations))
        return out.reshape(n, c, *out.shape[2:])


@operator()
def AveragePool(
    X: Any, *, kernel_shape: Any, auto_pad: str = "NOTSET", ceil_mode: int = 0, count_include_pad: int = 0, dilations: Any = None,
    pads: Any = None, strides: Any = None,
) -> Any:  # fmt: skip
    window = _Window(X, kernel_shape, strides, dilations, auto_pad, pads, ceil_mode)
    with dv.no_grad():
        counted = dv.ones(1, 1, *window.sizes, dtype=X.dtype, device=X.device)
        if count_include_pad:
            counted = padded(padded(counted, window.begin, window.end, 1.0), [0] * len(window.more), window.more)
        else:
            counted = padded(counted, window.begin, window.last())
        count = window.sums(counted)
    return window.sums(padded(X, window.begin, window.last())) / count


@operator()
def LpPool(
    X: Any, *, kernel_shape: Any, p: float = 2, auto_pad: str = "NOTSET", ceil_mode: int = 0, dilations: Any = None, pads: Any = None,
    strides: Any = None,
) -> Any:  # fmt: skip
    window = _Window(X, kernel_shape, strides, dilations, auto_pad, pads, ceil_mode)
    return window.sums(padded(dv.abs(X) ** p, window.begin, window.last())) ** (1 / p)


@operator()
def MaxPool(
    X: Any, *, kernel_shape: Any, auto_pad: str = "NOTSET", ceil_mode: int = 0, dilations: Any = None, pads: Any = None,
    storage_order: int = 0, strides: Any = None, n_outputs: int,
) -> Any:  # fmt: skip
    window = _Window(X, kernel_shape, strides, dilations, auto_pad, pads, ceil_mode)
    least = -math.inf if X.is_floating_point() else dv.iinfo(X.dtype).min
    wide = padded(X, window.begin, window.last(), least)
    options: dict[str, Any] = {"stride": tuple(window.strides), "dilation": tuple(window.dilations), "return_indices": n_outputs > 1}
    if n_outputs == 1:
        return _MAX[len(window.kernel)](wide, tuple(window.kernel), **options)
    Y, at = _MAX[len(window.kernel)](wide, tuple(window.kernel), **options)
    return Y, _indices(at, window, list(wide.shape[2:]), storage_order)


def _indices(at: Any, window: _Window, wide: list[int], storage_order: int) -> Any:
    """From places in one padded plane to places in the whole input, whose planes may be counted column by column."""
    rank = len(wide)
    places: list[Any] = []
    for dim in reversed(range(rank)):
        places.insert(0, at % wide[dim] - window.begin[dim])
        at = at // wide[dim]
    flat = dv.zeros_like(at)
    for dim in reversed(range(rank)) if storage_order else range(rank):
        flat = flat * window.sizes[dim] + places[dim]
    n, c = at.shape[:2]
    planes = dv.arange(n * c, device=at.device).reshape([n, c] + [1] * rank)
    return planes * math.prod(window.sizes) + flat


@operator()
def MaxUnpool(X: Any, I: Any, output_shape: Any = None, *, kernel_shape: Any, pads: Any = None, strides: Any = None) -> Any:  # noqa: E741
    rank = len(kernel_shape)
    pads, strides = pads or [0] * 2 * rank, strides or [1] * rank
    sizes = [(X.shape[2 + at] - 1) * strides[at] - pads[at] - pads[rank + at] + kernel_shape[at] for at in range(rank)]
    shape = [*X.shape[:2], *sizes]
    flat = dv.zeros(math.prod(shape), dtype=X.dtype, device=X.device).scatter(0, I.reshape(-1), X.reshape(-1))
    whole = flat.reshape(shape)
    if output_shape is not None:
        whole = padded(whole, [0] * rank, [wanted - size for wanted, size in zip(integers(output_shape)[2:], sizes)])
    return whole


@operator()
def GlobalAveragePool(X: Any) -> Any:
    return X.mean(list(range(2, X.ndim)), keepdim=True)


@operator()
def GlobalMaxPool(X: Any) -> Any:
    return dv.amax(X, list(range(2, X.ndim)), keepdim=True)


@operator()
def GlobalLpPool(X: Any, *, p: float = 2) -> Any:
    return (dv.abs(X) ** p).sum(list(range(2, X.ndim)), keepdim=True) ** (1 / p)
