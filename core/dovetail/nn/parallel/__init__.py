"""DataParallel and what it is made of: wrappers of programs for several GPUs, on one device."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from ...absent import later
from ...errors import ValueRangeError
from ..module import Module

__all__ = ["DataParallel", "DistributedDataParallel"]


class DataParallel(Module):
    """Hold a module as ``.module`` and call it: one device does all the work, so the result is that of the module alone.

    State dicts have the prefix ``module.`` that programs expect; the device arguments are kept and not used.

    >>> import dovetail as dv
    >>> list(dv.nn.DataParallel(dv.nn.Linear(2, 1)).state_dict())
    ['module.weight', 'module.bias']
    """

    def __init__(self, module: Module, device_ids: Sequence[Any] | None = None, output_device: Any = None, dim: int = 0) -> None:
        super().__init__()
        self.module = module
        self.device_ids, self.output_device, self.dim = list(device_ids or ()), output_device, dim

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        return self.module(*inputs, **kwargs)


class _NoProcesses(Module):
    """A module whose gradients are averaged over processes. Raises a ValueError: there is no process group (``dovetail-mpi``)."""

    def __init__(self, module: Module, device_ids: Any = None, output_device: Any = None, dim: int = 0, **options: Any) -> None:
        raise ValueRangeError(
            "DistributedDataParallel",
            "Default process group has not been initialized",
            "it needs dovetail.distributed",
            "one process trains the module as it is",
        )


_NoProcesses.__name__ = _NoProcesses.__qualname__ = "DistributedDataParallel"


_find, __dir__ = later(__name__)  # what wrappers for several devices are made of, which a plugin brings


def __getattr__(name: str) -> Any:
    if name != "DistributedDataParallel":
        return _find(name)
    try:
        return import_module(f"{__name__}.distributed").DistributedDataParallel  # a plugin's
    except ModuleNotFoundError:
        return _NoProcesses
