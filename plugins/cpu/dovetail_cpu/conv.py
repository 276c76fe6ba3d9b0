"""Convolutions, told each time whether Winograd's transforms are allowed: ``dovetail.backends.cpu.winograd``, "auto" or "off"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dovetail.backends import cpu as settings
from dovetail.errors import ValueRangeError
from dovetail.extend import Kernel

from . import _native

__all__ = ["convolution", "convolution_input_grad", "convolution_weight_grad"]


def _told(native: Callable[..., Any]) -> Kernel:
    def forward(*args: Any) -> Any:
        if settings.winograd not in ("auto", "off"):
            raise ValueRangeError("backends.cpu.winograd", f"it is {settings.winograd!r}", "expected 'auto' or 'off'")
        return native(*args, settings.winograd == "auto")

    return Kernel(forward)


convolution = _told(_native.convolution)
convolution_input_grad = _told(_native.convolution_input_grad)
convolution_weight_grad = _told(_native.convolution_weight_grad)
