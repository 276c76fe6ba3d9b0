"""autocast: a block in which matrix products and convolutions run in bfloat16 or float16, and what needs the digits in float32."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

from ..autograd.modes import AUTOCAST, STATE
from ..cuda import is_available as _cuda_is_available
from ..device import Device
from ..dtypes import TYPES, bfloat16_dtype, from_numpy_dtype, to_numpy_dtype
from ..dtypes import dtype as Dtype
from ..errors import DeviceError, ValueRangeError

__all__ = [
    "autocast", "custom_bwd", "custom_fwd", "get_autocast_cpu_dtype", "get_autocast_dtype", "get_autocast_gpu_dtype",
    "is_autocast_available", "is_autocast_cache_enabled", "is_autocast_cpu_enabled", "is_autocast_enabled", "set_autocast_dtype",
    "set_autocast_enabled",
]  # fmt: skip

_CHOSEN: dict[str, Any] = {}  # device type → the type chosen with set_autocast_dtype


def _known(where: str, device_type: Any) -> str:
    if not isinstance(device_type, str):
        raise ValueRangeError(where, f"device_type is {type(device_type).__name__}", "expected 'cpu' or 'cuda'")
    if device_type not in ("cpu", "cuda"):
        raise DeviceError(where, f"device_type is {device_type!r}", "expected 'cpu' or 'cuda'")
    return device_type


def is_autocast_available(device_type: str) -> bool:
    """Whether autocast knows this type of device.

    >>> is_autocast_available("cpu")
    True
    """
    return Device(device_type).type in ("cpu", "cuda")


def get_autocast_dtype(device_type: str) -> Dtype:
    """The lower type that autocast uses on a device when none is given: bfloat16 on a CPU, float16 on a GPU.

    >>> get_autocast_dtype("cpu")
    dovetail.bfloat16
    """
    found = STATE.autocast.get(_known("get_autocast_dtype", device_type))
    if found is not None:
        return from_numpy_dtype(found)
    return _CHOSEN.get(device_type) or (bfloat16_dtype() if device_type == "cpu" else TYPES["float16"])


def set_autocast_dtype(device_type: str, dtype: Dtype) -> None:
    """Choose the lower type that autocast uses on a device when none is given."""
    _CHOSEN[_known("set_autocast_dtype", device_type)] = dtype


def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """Whether this thread is inside an enabled autocast for a device.

    >>> import dovetail as dv
    >>> with dv.autocast("cpu"):
    ...     dv.is_autocast_enabled("cpu"), dv.is_autocast_enabled("cuda")
    (True, False)
    """
    return _known("is_autocast_enabled", device_type) in STATE.autocast


def set_autocast_enabled(device_type: Any, enabled: bool | None = None) -> None:
    """Switch autocast for a device on or off in this thread; a block of `autocast` is the better way."""
    device_type, enabled = ("cuda", device_type) if enabled is None else (device_type, enabled)
    _enable(_known("set_autocast_enabled", device_type), to_numpy_dtype(get_autocast_dtype(device_type)) if enabled else None)


def is_autocast_cpu_enabled() -> bool:
    """Whether autocast for the CPU is on."""
    return is_autocast_enabled("cpu")


def is_autocast_cache_enabled() -> bool:
    """Whether casts of weights may be kept in a block: True, as PyTorch's default; here they never are, which changes no number."""
    return True


def get_autocast_cpu_dtype() -> Dtype:
    """The lower type on a CPU."""
    return get_autocast_dtype("cpu")


def get_autocast_gpu_dtype() -> Dtype:
    """The lower type on a GPU."""
    return get_autocast_dtype("cuda")


def _enable(device_type: str, dtype: Any) -> None:
    """Set, or with None remove, the lower type of a device in this thread."""
    state = {key: value for key, value in STATE.autocast.items() if key != device_type}
    STATE.autocast = state if dtype is None else {**state, device_type: dtype}
    STATE.word = STATE.word | AUTOCAST if STATE.autocast else STATE.word & ~AUTOCAST


class autocast:
    """Run ops in the type that suits each: a context manager, and a decorator.

    Inside, matrix products, convolutions and attention of float32 tensors run in ``dtype`` (bfloat16 on a CPU, float16 on a GPU by
    default); losses and what else needs the digits run in float32. Parameters stay as they are; float64 is never touched.
    A dtype that the device does not take, or a device that is not there, is a warning and switches autocast off, as in PyTorch.

    >>> import dovetail as dv
    >>> layer = dv.nn.Linear(3, 2)
    >>> with dv.autocast("cpu"):
    ...     y = layer(dv.ones(1, 3))
    >>> y.dtype
    dovetail.bfloat16
    """

    def __init__(self, device_type: str, dtype: Dtype | None = None, enabled: bool = True, cache_enabled: bool | None = None) -> None:
        self.device = _known("autocast", device_type)
        self.fast_dtype = get_autocast_dtype(device_type) if dtype is None else dtype
        if enabled and device_type == "cuda" and not _cuda_is_available():
            warnings.warn("User provided device_type of 'cuda', but CUDA is not available. Disabling", UserWarning, stacklevel=2)
            enabled = False
        if enabled and self.fast_dtype not in (bfloat16_dtype(), TYPES["float16"]):
            where = device_type.upper()
            text = f"In {where} autocast, but the target dtype {self.fast_dtype} is not supported. Disabling autocast.\n"
            warnings.warn(f"{text}{where} autocast only supports bfloat16 and float16.", UserWarning, stacklevel=2)
            enabled = False
        self._enabled = bool(enabled)

    def __enter__(self) -> autocast:
        self._before = [*getattr(self, "_before", ()), STATE.autocast]
        _enable(self.device, to_numpy_dtype(self.fast_dtype) if self._enabled else None)
        return self

    def __exit__(self, *_: Any) -> None:
        STATE.autocast = self._before.pop()
        STATE.word = STATE.word | AUTOCAST if STATE.autocast else STATE.word & ~AUTOCAST

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def inside(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return inside


def custom_fwd(fwd: Callable[..., Any] | None = None, *, device_type: str, cast_inputs: Dtype | None = None) -> Any:
    """Decorate the ``forward`` of a `Function`: with ``cast_inputs`` its floating tensors are cast and autocast is off inside."""
    if fwd is None:
        return functools.partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)

    @functools.wraps(fwd)
    def inside(*args: Any, **kwargs: Any) -> Any:
        from ..ops._autocast import _cast

        args[0]._dtype = get_autocast_dtype(device_type)
        args[0]._fwd_used_autocast = on = is_autocast_enabled(device_type)
        if cast_inputs is None or not on:
            return fwd(*args, **kwargs)
        args[0]._fwd_used_autocast = False
        to = to_numpy_dtype(cast_inputs)
        with autocast(device_type, enabled=False):
            return fwd(*_cast(args, to), **{name: _cast(value, to) for name, value in kwargs.items()})

    return inside


def custom_bwd(bwd: Callable[..., Any] | None = None, *, device_type: str) -> Any:
    """Decorate the ``backward`` of a `Function`: it runs under autocast as the forward did."""
    if bwd is None:
        return functools.partial(custom_bwd, device_type=device_type)

    @functools.wraps(bwd)
    def inside(*args: Any, **kwargs: Any) -> Any:
        with autocast(device_type, enabled=args[0]._fwd_used_autocast, dtype=args[0]._dtype):
            return bwd(*args, **kwargs)

    return inside
