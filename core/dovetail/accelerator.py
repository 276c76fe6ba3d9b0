"""The accelerator of this machine, by PyTorch's device-neutral names: the NVIDIA GPU behind CuPy, or none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import cuda
from .absent import later
from .device import Device

__all__ = [
    "current_accelerator", "current_device_idx", "current_device_index", "device_count", "is_available", "set_device_idx",
    "set_device_index", "synchronize",
]  # fmt: skip

__getattr__, __dir__ = later(__name__)
if TYPE_CHECKING:
    from dovetail_torch.faces.accelerator import *  # noqa: F403

is_available, device_count, synchronize = cuda.is_available, cuda.device_count, cuda.synchronize
current_device_index = current_device_idx = cuda.current_device
set_device_index = set_device_idx = cuda.set_device


def current_accelerator(check_available: bool = False) -> Device | None:
    """The device type that an accelerator has here, or None without one.

    >>> import dovetail as dv
    >>> (dv.accelerator.current_accelerator() is None) == (not dv.cuda.is_available())
    True
    """
    return Device("cuda") if is_available() else None
