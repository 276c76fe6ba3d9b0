"""Convolutions, told each time whether Winograd's transforms are allowed: ``dovetail.backends.cpu.winograd``, "auto" or "off".

In three dimensions the depths under a kernel become channels of images: what is left is a convolution in two."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dovetail.backends import cpu as settings
from dovetail.errors import ValueRangeError
from dovetail.extend import Array, Kernel

from . import _native

__all__ = ["convolution", "convolution_input_grad", "convolution_weight_grad"]
_SOME = 1 << 23  # elements of the images that are made at a time


def _told(native: Callable[..., Any], volumes: Callable[..., Any]) -> Kernel:
    def forward(*args: Any) -> Any:
        if settings.winograd not in ("auto", "off"):
            raise ValueRangeError("backends.cpu.winograd", f"it is {settings.winograd!r}", "expected 'auto' or 'off'")
        return (volumes if args[0].ndim == 5 else native)(*args, settings.winograd == "auto")

    return Kernel(forward)


class _Depths:
    """How a convolution goes along the depth: (N, C, D, H, W) to images (N · out, C · kernel, H, W), one for each depth of the result."""

    def __init__(self, depth: int, out: int, kernel: int, stride: int, padding: int, dilation: int) -> None:
        self.depth, self.out, self.kernel = depth, out, kernel
        self.fits = (depth + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1 == out
        self.places = []  # for each depth of the kernel: the depths of the result that it meets, and those of the input
        for k in range(kernel):
            start = k * dilation - padding
            first, last = max(0, -(start // stride)), min(out, (depth - 1 - start) // stride + 1)
            self.places.append((slice(first, max(first, last)), slice(start + first * stride, start + max(first, last) * stride, stride)))

    def images(self, x: Array) -> Array:
        n, c, _, h, w = x.shape
        made = np.zeros((n, self.out, c, self.kernel, h, w), x.dtype)
        for k, (to, at) in enumerate(self.places):
            if to.start < to.stop:
                made[:, to, :, k] = x[:, :, at].swapaxes(1, 2)
        return made.reshape(n * self.out, c * self.kernel, h, w)

    def volumes(self, images: Array, like: Array) -> None:
        """Add the images to where they came from."""
        n, c = like.shape[:2]
        images = images.reshape(n, self.out, c, self.kernel, *images.shape[2:])
        for k, (to, at) in enumerate(self.places):
            if to.start < to.stop:
                like[:, :, at] += images[:, to, :, k].swapaxes(1, 2)


def _flat(grad: Array) -> Array:
    """(N, O, D, H, W) to (N · D, O, H, W)."""
    return np.ascontiguousarray(grad.swapaxes(1, 2)).reshape(-1, grad.shape[1], *grad.shape[3:])


def _parts(n: int, each: int) -> list[slice]:
    step = max(1, _SOME // max(1, each))
    return [slice(i, i + step) for i in range(0, n, step)]


def _forward(input: Array, weight: Array, bias: Any, stride: Any, padding: Any, dilation: Any, groups: int, winograd: bool) -> Array:
    along = zip(input.shape[2:], padding, dilation, weight.shape[2:], stride, strict=True)
    out = [(m + 2 * p - d * (k - 1) - 1) // s + 1 for m, p, d, k, s in along]
    if min(out) < 1 or not input.size or not weight.size or input.dtype != weight.dtype:
        return NotImplemented
    depths = _Depths(input.shape[2], out[0], weight.shape[2], stride[0], padding[0], dilation[0])
    flat = weight.reshape(len(weight), -1, *weight.shape[3:])
    result = np.empty((len(input), len(weight), *out), input.dtype)
    for part in _parts(len(input), input[0].size // input.shape[2] * out[0] * weight.shape[2]):
        found = _native.convolution(depths.images(input[part]), flat, bias, stride[1:], padding[1:], dilation[1:], groups, winograd)
        if found is NotImplemented:
            return found
        result[part] = found.reshape(-1, out[0], *found.shape[1:]).swapaxes(1, 2)
    return result


def _input_grad(grad: Array, weight: Array, size: Any, stride: Any, padding: Any, dilation: Any, groups: int, winograd: bool) -> Array:
    depths = _Depths(size[0], grad.shape[2], weight.shape[2], stride[0], padding[0], dilation[0])
    if not depths.fits or not grad.size or not weight.size or grad.dtype != weight.dtype:
        return NotImplemented
    flat = weight.reshape(len(weight), -1, *weight.shape[3:])
    result = np.zeros((len(grad), weight.shape[1] * groups, *size), grad.dtype)
    for part in _parts(len(grad), result[0].size // size[0] * grad.shape[2] * weight.shape[2]):
        found = _native.convolution_input_grad(_flat(grad[part]), flat, size[1:], stride[1:], padding[1:], dilation[1:], groups, winograd)
        if found is NotImplemented:
            return found
        depths.volumes(found, result[part])
    return result


def _weight_grad(grad: Array, input: Array, size: Any, stride: Any, padding: Any, dilation: Any, groups: int, winograd: bool) -> Array:
    depths = _Depths(input.shape[2], grad.shape[2], size[0], stride[0], padding[0], dilation[0])
    if not depths.fits or not grad.size or not input.size or grad.dtype != input.dtype:
        return NotImplemented
    total: Any = 0
    for part in _parts(len(grad), input[0].size // input.shape[2] * grad.shape[2] * size[0]):
        images = depths.images(input[part])
        found = _native.convolution_weight_grad(
            _flat(grad[part]), images, size[1:], stride[1:], padding[1:], dilation[1:], groups, winograd
        )
        if found is NotImplemented:
            return found
        total = total + found
    return total.reshape(grad.shape[1], input.shape[1] // groups, *size)


convolution = _told(_native.convolution, _forward)
convolution_input_grad = _told(_native.convolution_input_grad, _input_grad)
convolution_weight_grad = _told(_native.convolution_weight_grad, _weight_grad)
