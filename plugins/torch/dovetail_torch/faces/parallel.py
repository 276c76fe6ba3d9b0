"""What wrappers of modules for several devices are made of: ``dovetail.nn.parallel`` has these by their names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dovetail import Tensor, cat, chunk
from dovetail.errors import NoDevice
from dovetail.nn import Module

__all__ = ["data_parallel", "gather", "parallel_apply", "replicate", "scatter"]


def data_parallel(
    module: Module,
    inputs: Any,
    device_ids: Any = None,
    output_device: Any = None,
    dim: int = 0,
    module_kwargs: dict[str, Any] | None = None,
) -> Any:
    """Call a module on inputs, on one device."""
    inputs = inputs if isinstance(inputs, tuple) else (inputs,)
    return module(*inputs, **(module_kwargs or {}))


def scatter(inputs: Any, target_gpus: Sequence[Any], dim: int = 0) -> Any:
    """Pieces of tensors, also in tuples, lists and dicts, for each device; other values are repeated.

    >>> import dovetail as dv
    >>> scatter({"x": dv.arange(4), "n": 1}, ["cpu", "cpu"])
    [{'x': tensor([0, 1]), 'n': 1}, {'x': tensor([2, 3]), 'n': 1}]
    """
    if isinstance(inputs, Tensor):
        return tuple(part.to(where) for part, where in zip(chunk(inputs, len(target_gpus), dim), target_gpus, strict=False))
    if isinstance(inputs, tuple | list | dict) and inputs:
        parts = zip(*(scatter(one, target_gpus, dim) for one in (inputs.items() if isinstance(inputs, dict) else inputs)), strict=False)
        return [type(inputs)(*one) if hasattr(inputs, "_fields") else type(inputs)(one) for one in parts]
    return [inputs for _ in target_gpus]


def gather(outputs: Sequence[Any], target_device: Any, dim: int = 0) -> Any:
    """Results of several devices joined on one, by the structure of the first: tensors by ``cat``."""
    first = outputs[0]
    if isinstance(first, Tensor):
        return cat([one.to(target_device).reshape(one.shape or 1) for one in outputs], dim)
    if isinstance(first, dict):
        return type(first)((key, gather([one[key] for one in outputs], target_device, dim)) for key in first)
    parts = None if first is None else [gather(same, target_device, dim) for same in zip(*outputs, strict=True)]
    return parts if parts is None else type(first)(*parts) if hasattr(first, "_fields") else type(first)(parts)


def replicate(network: Module, devices: Sequence[Any], detach: bool = False) -> list[Module]:
    """The module itself for its one device. Raises a NoDevice (RuntimeError) for several devices."""
    if len(devices) != 1:
        raise NoDevice("replicate", f"{len(devices)} devices are given", "expected one", "run a process on each device")
    return [network.to(devices[0])]


def parallel_apply(modules: Sequence[Any], inputs: Sequence[Any], kwargs_tup: Any = None, devices: Any = None) -> list[Any]:
    """Call each module on its inputs, one after the other."""
    values = [one if isinstance(one, tuple | list) else (one,) for one in inputs]
    return [module(*own, **more) for module, own, more in zip(modules, values, kwargs_tup or [{}] * len(modules), strict=True)]
