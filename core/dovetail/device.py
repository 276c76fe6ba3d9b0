"""Where arrays live: devices by PyTorch's names, and moves between them."""

from __future__ import annotations

from types import ModuleType, TracebackType
from typing import Any

import numpy as np

from dovetail_numerics import memoryless
from dovetail_numerics.modules import xp

from .errors import DeviceError, NoDevice, TypeMismatch, UnsupportedError
from .size import Spoken

__all__ = ["Device", "cupy", "device_of", "move", "to_device", "xp"]

_NDARRAY = np.ndarray


def cupy() -> ModuleType:
    """Import CuPy on first demand, or say how to get it.

    Raises a NoDevice (a DeviceError, an AssertionError) where CuPy or a GPU is missing.
    """
    try:
        import cupy as module
    except ImportError as error:
        remedy = "pip install 'dovetail[cuda]', or leave out \"cuda\""
        raise NoDevice("cuda", f"CuPy is not installed ({error})", "a CUDA device needs CuPy 14", remedy) from None
    try:
        count = module.cuda.runtime.getDeviceCount()
    except Exception as error:  # CuPy raises its own types for a missing driver
        raise NoDevice("cuda", f"no usable GPU ({error})", "", "use device='cpu'") from None
    if count == 0:
        raise NoDevice("cuda", "no GPU was found", "", "use device='cpu'")
    return module


_KINDS = frozenset("cpu cuda meta mps xpu hpu mtia xla vulkan ipu maia privateuseone".split())  # the first three have tensors here


class Device(metaclass=Spoken):
    """Where a tensor lives: ``device('cpu')``, ``device('cuda')``, ``device('cuda', 1)``; ``device('meta')`` for no memory at all.

    >>> import dovetail as dv
    >>> dv.device("cuda:1").index, dv.device("cpu")
    (1, device(type='cpu'))
    """

    __slots__ = ("_restore", "index", "type")

    def __init__(self, type: str | Device | int, index: int | None = None) -> None:
        if isinstance(type, Device):
            index, type = type.index, type.type
        elif isinstance(type, int) and not isinstance(type, bool):
            cupy()  # a number is one of a GPU's, which must be there
            index, type = type, "cuda"
        elif not isinstance(type, str):
            raise TypeMismatch("device", f"got {type!r} ({type.__class__.__name__})", "expected a name such as 'cpu' or 'cuda:0'")
        name, numbered, number = type.partition(":")
        if name not in _KINDS:
            raise DeviceError("device", f"unknown device type {type!r}", "expected 'cpu', 'cuda' or 'cuda:N'")
        if numbered and (not number.isdecimal() or index is not None):
            raise DeviceError("device", f"invalid device string {type!r}", "expected 'cuda' or 'cuda:N'")
        self.type, self.index = name, int(number) if number else index

    def __repr__(self) -> str:
        return f"device(type={self.type!r})" if self.index is None else f"device(type={self.type!r}, index={self.index})"

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and self.type == other.type and self.index == other.index

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __reduce__(self) -> tuple[Any, ...]:
        return Device, (self.type, self.index)

    def __enter__(self) -> Device:
        self._restore = default.device
        default.device = self
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        default.device = self._restore


Device.__name__ = Device.__qualname__ = "device"  # as users know it
Device.__module__ = "dovetail"
CPU, META = Device("cpu"), Device("meta")


class default:
    """The device on which factories make tensors when none is named."""

    device: Device = CPU


def to_device(where: Any) -> Device:
    """Return a Device for what users write: None, a name, an index, or a Device."""
    if where is None:
        return default.device
    where = where if where.__class__ is Device else Device(where)
    if where.type not in ("cpu", "cuda", "meta"):
        raise DeviceError("device", f"there are no tensors on {where.type!r} here", "expected 'cpu', 'cuda', 'cuda:N' or 'meta'")
    return where


def device_of(array: Any) -> Device:
    """Return where this raw array lives."""
    if array.__class__ is _NDARRAY or (module := xp(array)) is np:
        return CPU
    return META if module is memoryless.numpy else Device("cuda", int(array.device.id))


def module_for(where: Device) -> Any:
    """Return the array module that makes arrays on this device."""
    return np if where.type == "cpu" else memoryless.numpy if where.type == "meta" else cupy()


def move(array: Any, where: Device, copy: bool = False) -> Any:
    """Return the raw array on another device; the same array where it already is, unless ``copy``.

    This is the only way between host and GPU; no operation takes it unasked. From ``meta`` there is none: an UnsupportedError.
    """
    if where.type == "meta":
        if array.__class__ is memoryless.Memoryless:
            return array.copy() if copy else array
        return memoryless.mapped(array.shape, array.dtype, array.strides)
    if array.__class__ is memoryless.Memoryless:
        text = "Please use Module.to_empty() instead of Module.to() when moving a module from meta to a different device"
        raise UnsupportedError("to", "Cannot copy out of meta tensor; no data!", "", text)
    if where.type == "cpu":
        if array.__class__ is _NDARRAY or xp(array) is np:
            return array.copy() if copy else array
        return xp(array).asnumpy(array)
    module = cupy()
    index = module.cuda.runtime.getDevice() if where.index is None else where.index
    if xp(array) is module and int(array.device.id) == index:
        return array.copy() if copy else array
    with module.cuda.Device(index):
        return module.asarray(array) if xp(array) is np else module.array(array)
