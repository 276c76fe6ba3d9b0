"""Resize and Upsample: along each axis the output is a weighted sum of input positions, so one matrix an axis says it all."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import dovetail as dv
from dovetail.errors import ValueRangeError

from ..table import operator
from ..values import integers, numbers

__all__ = ["axis_matrices"]


class _Axis:
    """One resized axis: its sizes, scale, and where each output position lies in the input."""

    def __init__(self, size: int, out: int, scale: float, roi: tuple[float, float], transformation: str) -> None:
        self.size, self.out, self.scale = size, out, scale
        length = scale * size  # before it was made whole
        x = np.arange(out, dtype=np.float64)
        if transformation == "half_pixel":
            x = (x + 0.5) / scale - 0.5
        elif transformation == "half_pixel_symmetric":
            adjustment = out / length
            x = size / 2 * (1 - adjustment) + (x + 0.5) / scale - 0.5
        elif transformation == "pytorch_half_pixel":
            x = (x + 0.5) / scale - 0.5 if out > 1 else np.zeros(1)
        elif transformation == "align_corners":
            x = x * (size - 1) / (length - 1) if length != 1 else np.zeros(out)
        elif transformation == "asymmetric":
            x = x / scale
        elif transformation == "tf_half_pixel_for_nn":
            x = (x + 0.5) / scale
        elif transformation == "tf_crop_and_resize":
            start, end = roi
            step = (end - start) * (size - 1) / (length - 1) if length != 1 else 0.0
            x = start * (size - 1) + x * step if length != 1 else np.full(out, 0.5 * (start + end) * (size - 1))
        else:
            raise ValueRangeError("Resize", f"the coordinate transformation is {transformation!r}", "expected one that ONNX has")
        self.x = x

    def nearest(self, mode: str) -> np.ndarray[Any, Any]:
        """The input position for each output."""
        low = np.floor(self.x)
        rounded = {
            "floor": low, "ceil": np.ceil(self.x), "round_prefer_floor": np.ceil(self.x - 0.5), "round_prefer_ceil": np.floor(self.x + 0.5),
            "simple": np.trunc(self.x) if self.scale >= 1 else np.ceil(self.x),
        }[mode]  # fmt: skip
        return np.clip(rounded, 0, self.size - 1).astype(np.int64)

    def matrix(self, mode: str, coefficient: float, exclude_outside: int, antialias: int) -> np.ndarray[Any, Any]:
        """(out, size): how much of each input position is in each output."""
        reach = 1.0 if mode == "linear" else 2.0
        stretch = min(self.scale, 1.0) if antialias else 1.0
        steps = np.arange(math.floor(-reach / stretch) + 1, math.ceil(reach / stretch) + 1)
        at = np.floor(self.x)[:, None] + steps
        distance = np.abs(self.x[:, None] - at) * stretch
        weight = np.maximum(1 - distance, 0) if mode == "linear" else _cubic(distance, coefficient)
        if exclude_outside:
            weight = np.where((at < 0) | (at >= self.size), 0, weight)
        if exclude_outside or antialias:
            weight = weight / weight.sum(1, keepdims=True)
        matrix = np.zeros((self.out, self.size))
        np.add.at(matrix, (np.arange(self.out)[:, None], np.clip(at, 0, self.size - 1).astype(np.int64)), weight)
        return matrix


def _cubic(x: np.ndarray[Any, Any], a: float) -> np.ndarray[Any, Any]:
    """Keys' cubic kernel at distances x."""
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


def _sizes(shape: list[int], dims: list[int], scales: Any, sizes: Any, policy: str) -> tuple[list[int], list[float]]:
    """The new sizes and the scales of the resized axes."""
    if sizes is None:
        factors = numbers(scales)
        return [math.floor(shape[dim] * factor) for dim, factor in zip(dims, factors)], factors
    wanted = integers(sizes)
    factors = [new / shape[dim] for dim, new in zip(dims, wanted)]
    if policy != "stretch":
        factor = min(factors) if policy == "not_larger" else max(factors)
        factors = [factor] * len(dims)
        wanted = [math.floor(shape[dim] * factor + 0.5) for dim in dims]
    return wanted, factors


@operator(since=11)
def Resize(
    X: Any, roi: Any = None, scales: Any = None, sizes: Any = None, *, antialias: int = 0, axes: Any = None,
    coordinate_transformation_mode: str = "half_pixel", cubic_coeff_a: float = -0.75, exclude_outside: int = 0,
    extrapolation_value: float = 0.0, keep_aspect_ratio_policy: str = "stretch", mode: str = "nearest",
    nearest_mode: str = "round_prefer_floor",
) -> Any:  # fmt: skip
    if scales is not None and not scales.numel():
        scales = None
    if (scales is None) == (sizes is None):
        raise ValueRangeError("Resize", "needs either scales or sizes", "and got both" if sizes is not None else "and got neither")
    dims = list(range(X.ndim)) if axes is None else [axis % X.ndim for axis in axes]
    new, factors = _sizes(list(X.shape), dims, scales, sizes, keep_aspect_ratio_policy)
    region = numbers(roi) if roi is not None and roi.numel() else [0.0] * len(dims) + [1.0] * len(dims)
    kind, outside = X.dtype, []
    for place, dim in enumerate(dims):
        crop = coordinate_transformation_mode == "tf_crop_and_resize"
        if new[place] == X.shape[dim] and factors[place] == 1 and not crop:
            continue
        axis = _Axis(X.shape[dim], new[place], factors[place], (region[place], region[place + len(dims)]), coordinate_transformation_mode)
        if mode == "nearest":
            X = X.index_select(dim, dv.from_numpy(axis.nearest(nearest_mode)).to(X.device))
        else:
            matrix = axis.matrix(mode, cubic_coeff_a, exclude_outside, antialias)
            X = _along(X, dim, matrix)
        if crop:
            outside.append((dim, (axis.x < 0) | (axis.x > axis.size - 1)))
    for dim, mask in outside:
        shape = [1] * X.ndim
        shape[dim] = -1
        X = dv.where(dv.from_numpy(mask).to(X.device).reshape(shape), dv.full((), extrapolation_value, dtype=X.dtype, device=X.device), X)
    return X if X.dtype is kind else (X if kind.is_floating_point else X.round()).to(kind)


def axis_matrices(shape: list[int], scales: Any, sizes: Any, how: dict[str, Any]) -> list[tuple[int, np.ndarray[Any, Any]]]:
    """What a Resize of such a shape does, as (axis, matrix of outputs by inputs), for those who write it elsewhere."""
    dims = list(range(len(shape))) if how.get("axes") is None else [axis % len(shape) for axis in how["axes"]]
    by, to = (None if one is None or not np.size(one) else dv.from_numpy(np.array(one)) for one in (scales, sizes))
    new, factors = _sizes(shape, dims, by, to, how.get("keep_aspect_ratio_policy", "stretch"))
    found = []
    for dim, out, factor in zip(dims, new, factors, strict=True):
        if out == shape[dim] and factor == 1:
            continue
        axis = _Axis(shape[dim], out, factor, (0.0, 1.0), how.get("coordinate_transformation_mode", "half_pixel"))
        if how.get("mode", "nearest") == "nearest":
            matrix = np.eye(shape[dim])[axis.nearest(how.get("nearest_mode", "round_prefer_floor"))]
        else:
            settings = how.get("cubic_coeff_a", -0.75), how.get("exclude_outside", 0), how.get("antialias", 0)
            matrix = axis.matrix(how["mode"], *settings)
        found.append((dim, matrix))
    return found


def _along(X: Any, dim: int, matrix: np.ndarray[Any, Any]) -> Any:
    wide = X if X.is_floating_point() else X.float()
    weight = dv.from_numpy(matrix).to(wide.dtype).to(X.device)
    return dv.matmul(wide.movedim(dim, -1), weight.t()).movedim(-1, dim)


@operator("Resize", since=10)
def Resize_10(X: Any, scales: Any, *, mode: str = "nearest") -> Any:
    """Opset 10 knows two modes, and counts positions from the corner."""
    return Resize(X, None, scales, coordinate_transformation_mode="asymmetric", mode=mode, nearest_mode="floor")


@operator("Upsample", since=7)
def Upsample(X: Any, scales: Any = None, *, mode: str = "nearest") -> Any:
    scales = scales if isinstance(scales, dv.Tensor) else dv.tensor(scales)
    return Resize_10(X, scales, mode="linear" if mode == "bilinear" else mode)


@operator("Upsample")
def Upsample_1(X: Any, *, height_scale: float, width_scale: float, mode: str = "nearest") -> Any:
    return Upsample(X, [1.0, 1.0, height_scale, width_scale], mode=mode)
