"""Maxima over windows at random places."""

from __future__ import annotations

from typing import Any

from ..autograd.node import CLASSES, Tensor
from ..dtypes import float32, float64
from ..errors import NotATensor, RangeError, ShapeError, TypeMismatch, UnsupportedError, ValueRangeError, as_tensor_remedy
from .adaptive_pool import max_of_ranges
from .random import rand
from .ranges import arange

__all__: list[str] = []
FUNCTIONAL = (
    "fractional_max_pool2d", "fractional_max_pool2d_with_indices", "fractional_max_pool3d", "fractional_max_pool3d_with_indices",
)  # fmt: skip


def fractional_max_pool2d(
    input: Tensor, kernel_size: Any, output_size: Any = None, output_ratio: Any = None, return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Any:  # fmt: skip
    """The largest element of randomly spaced windows of (N, C, H, W), to `output_size` or a ratio of the input's. Graham, 2014.

    With `return_indices`, or as `fractional_max_pool2d_with_indices`, the flat positions in the spatial dimensions come too.

    >>> import dovetail as dv
    >>> dv.nn.functional.fractional_max_pool2d(dv.ones(1, 1, 6, 6), 2, output_size=4).shape
    dovetail.Size([1, 1, 4, 4])
    """
    out = _pooled(2, input, kernel_size, output_size, output_ratio, _random_samples)
    return out if return_indices else out[0]


def fractional_max_pool3d(
    input: Tensor, kernel_size: Any, output_size: Any = None, output_ratio: Any = None, return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Any:  # fmt: skip
    """The same of (N, C, D, H, W).

    >>> import dovetail as dv
    >>> dv.nn.functional.fractional_max_pool3d(dv.ones(1, 1, 6, 6, 6), 2, output_size=4).shape
    dovetail.Size([1, 1, 4, 4, 4])
    """
    out = _pooled(3, input, kernel_size, output_size, output_ratio, _random_samples)
    return out if return_indices else out[0]


def fractional_max_pool2d_with_indices(
    input: Tensor, kernel_size: Any, output_size: Any = None, output_ratio: Any = None, return_indices: bool = True,
    _random_samples: Tensor | None = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """:func:`fractional_max_pool2d` and where the largest elements are."""
    return _pooled(2, input, kernel_size, output_size, output_ratio, _random_samples)


def fractional_max_pool3d_with_indices(
    input: Tensor, kernel_size: Any, output_size: Any = None, output_ratio: Any = None, return_indices: bool = True,
    _random_samples: Tensor | None = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """:func:`fractional_max_pool3d` and where the largest elements are."""
    return _pooled(3, input, kernel_size, output_size, output_ratio, _random_samples)


def _spread(where: str, name: str, value: Any, n: int) -> tuple[int, ...]:
    """One number for each dimension."""
    value = (value,) * n if isinstance(value, int) else value
    if not isinstance(value, tuple | list) or any(isinstance(v, float) for v in value):
        raise TypeMismatch(f"{where}()", f"argument {name!r} must be tuple of ints, not {type(value).__name__}")
    if len(value) not in (1, n):
        raise ShapeError(where, f"{name} must be a single int or a tuple of {n} ints, got {tuple(value)}")
    return tuple(map(int, value)) * (n // len(value))


def _pooled(n: int, input: Tensor, kernel_size: Any, output_size: Any, ratio: Any, samples: Any) -> tuple[Tensor, Tensor]:
    where = f"fractional_max_pool{n}d"
    if input.__class__ not in CLASSES:
        raise NotATensor(f"{where}()", f"argument 'input' must be Tensor, not {type(input).__name__}", "", as_tensor_remedy(input))
    kernel, spatial = _spread(where, "kernel_size", kernel_size, n), input.shape[-n:]
    if output_size is None and ratio is None:
        raise ValueRangeError(where, f"{where} requires specifying either an output_size or an output_ratio")
    if output_size is None:
        if n == 3 and not isinstance(ratio, tuple | list):
            ratio = (ratio,) * n
        if not isinstance(ratio, tuple | list):
            raise TypeMismatch(where, f"output_ratio is {ratio!r}", f"expected {n} numbers")
        output_size = tuple(int(m * r) for m, r in zip(spatial, ratio, strict=True))
    size = _spread(where, "output_size", output_size, n)
    if not input.is_floating_point() and not input.is_complex():
        raise UnsupportedError(
            where, f'"{where}" not implemented for {input.dtype}', "expected a floating-point type", "convert with .float()"
        )
    if input.ndim <= n:
        raise RangeError(where, f"Dimension out of range: expected {n + 1}D or {n + 2}D, got {list(input.shape)}")
    for m, k, o in zip(spatial, kernel, size, strict=True):
        if o + k - (n == 2) > m or (n == 3 and o + k == m + 1):
            raise ShapeError(where, f"pool size {k} with output size {o} is too large for input size {m}")
    if input.ndim == n + 2:
        return max_of_ranges(input.contiguous(), *_ranges(input, kernel, size, samples))
    one = input.unsqueeze(0)
    values, indices = max_of_ranges(one, *_ranges(one, kernel, size, samples))
    return values.squeeze(0), indices.squeeze(0)


def _ranges(x: Tensor, kernel: tuple[int, ...], size: tuple[int, ...], samples: Any) -> tuple[Any, Any]:
    """Where the random windows begin along each dimension, the last one at the end, and their lengths."""
    n, shape = len(size), (*x.shape[:2], len(size))
    if samples is None:
        u = rand(shape, dtype=float64 if x.dtype is float64 else float32)
    else:
        u = samples[: len(x)]
        if u.shape != shape or u.dtype != x.dtype:
            what = f"_random_samples is of shape {list(samples.shape)} and type {u.dtype}"
            raise ShapeError("fractional_max_pool", what, f"expected ({x.shape[0]} or more, {x.shape[1]}, {n}) of {x.dtype}")
    starts = []
    for a, (length, o, k) in enumerate(zip(x.shape[2:], size, kernel, strict=True)):
        v = u[..., 1 - a if n == 2 else a, None]
        alpha = (length - k) / (o - 1) if o > 1 else 0.0
        line = ((arange(o, dtype=u.dtype, device=u.device) + v) * alpha).long() - (v * alpha).long()
        line[..., -1] = length - k
        starts.append(line.to(x.device))
    return tuple(starts), tuple([k] * o for k, o in zip(kernel, size, strict=True))
