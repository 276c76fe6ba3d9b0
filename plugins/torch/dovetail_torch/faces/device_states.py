"""States of the GPUs' generators, by tensors: what ``torch.utils.checkpoint`` has beside checkpointing, and reversible layers take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dovetail as dv

__all__ = ["get_device_states", "set_device_states"]

_initialized = dv.cuda.is_available()  # `torch.cuda._initialized`: whether there are such states


def get_device_states(*args: Any) -> tuple[list[int], list[dv.Tensor]]:
    """The indices of the GPUs that these tensors are on, and the states of their generators; on the CPU two empty lists."""
    devices = sorted({x.get_device() for x in args if isinstance(x, dv.Tensor) and x.is_cuda})
    return devices, [dv.cuda.get_rng_state(device) for device in devices]


def set_device_states(devices: Sequence[int], states: Sequence[dv.Tensor], *, device_type: str | None = None) -> None:
    """Set the states of these GPUs' generators."""
    for device, state in zip(devices, states, strict=True):
        dv.cuda.set_rng_state(state, device)


def _is_in_bad_fork() -> bool:
    """`torch.cuda._is_in_bad_fork`: False; that a child of a process which has used a GPU cannot, CUDA itself says."""
    return False
