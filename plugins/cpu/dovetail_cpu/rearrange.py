"""Copies in the order of the dimensions, or in that of a memory format, and with borders."""

from __future__ import annotations

from typing import Any

from dovetail import preserve_format
from dovetail.extend import Array, Kernel

from . import _native

__all__ = ["border_pad", "border_pad_grad", "clone", "constant_pad_nd"]
_MODES = {"constant": 0, "reflect": 1, "replicate": 2, "circular": 3}


def _clone(input: Array, memory_format: Any) -> Array:
    if memory_format is None or memory_format is preserve_format:
        return NotImplemented
    if not memory_format.order:
        return _native.contiguous(input)
    if input.ndim != len(memory_format.order):
        return NotImplemented  # the reference says so
    out = _native.contiguous(input.transpose(memory_format.order))
    return out if out is NotImplemented else out.transpose(memory_format.back)


clone = Kernel(_clone)


def _constant(input: Array, sides: Any, value: Any) -> Array:
    cuts = all(a <= 0 and b <= 0 for a, b in sides)
    if value.__class__ not in (int, float) or (cuts and not input.flags.c_contiguous):  # such a copy lies as the original
        return NotImplemented
    return _native.pad(input, sides, _MODES["constant"], value)


constant_pad_nd = Kernel(_constant)
border_pad = Kernel(lambda input, sides, mode: _native.pad(input, sides, _MODES[mode], 0.0))
border_pad_grad = Kernel(lambda grad, shape, sides, mode: _native.pad_grad(grad, shape, sides, _MODES[mode]))
