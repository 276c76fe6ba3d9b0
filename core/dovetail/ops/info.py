"""Questions about tensors and types, and the settings of the process."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..autograd.node import CLASSES, Tensor, detached
from ..device import CPU, Device, default, device_of, to_device
from ..dtypes import dtype, from_numpy_dtype, result_dtype
from ..errors import GradError, NotATensor, ShapeError, TypeMismatch, ValueRangeError
from ._call import INFERENCE_BOX
from ._override import overridden
from ._refuse import native, tensors

__all__ = [
    "are_deterministic_algorithms_enabled", "detach", "detach_", "get_default_device", "get_deterministic_debug_mode", "get_device",
    "get_float32_matmul_precision", "get_num_interop_threads", "get_num_threads", "is_complex", "is_conj",
    "is_deterministic_algorithms_warn_only_enabled", "is_floating_point", "is_inference", "is_neg", "is_nonzero", "is_same_size",
    "is_signed", "is_tensor", "numel", "result_type", "set_default_device", "set_deterministic_debug_mode", "set_float32_matmul_precision",
    "set_flush_denormal", "set_num_interop_threads", "set_num_threads", "typename", "use_deterministic_algorithms",
]  # fmt: skip


def is_tensor(obj: object, /) -> bool:
    """Whether an object is a Tensor.

    >>> import dovetail as dv
    >>> dv.is_tensor(dv.ones(1)), dv.is_tensor([1])
    (True, False)
    """
    return isinstance(obj, Tensor)


def is_floating_point(input: Any) -> bool:
    """Whether a tensor's element type is floating.

    >>> import dovetail as dv
    >>> dv.is_floating_point(dv.ones(1))
    True
    """
    tensors("is_floating_point", input=input)
    return from_numpy_dtype(input._a.dtype).is_floating_point


def is_complex(input: Any) -> bool:
    """Whether a tensor's element type is complex.

    >>> import dovetail as dv
    >>> dv.is_complex(dv.ones(1))
    False
    """
    tensors("is_complex", input=input)
    return from_numpy_dtype(input._a.dtype).is_complex


def is_conj(input: Any) -> bool:
    """False for every tensor: conjugates are computed at once.

    >>> import dovetail as dv
    >>> dv.is_conj(dv.tensor([1j]).conj())
    False
    """
    tensors("is_conj", input=input)
    return False


def is_neg(input: Any) -> bool:
    """False for every tensor: negatives are computed at once.

    >>> import dovetail as dv
    >>> dv.is_neg(-dv.ones(1))
    False
    """
    tensors("is_neg", input=input)
    return False


def is_nonzero(input: Any) -> bool:
    """Whether the one element of a tensor is not zero. Raises a RuntimeError for several elements.

    >>> import dovetail as dv
    >>> dv.is_nonzero(dv.tensor(2.))
    True
    """
    return bool(input)


def numel(input: Any) -> int:
    """The number of elements of a tensor.

    >>> import dovetail as dv
    >>> dv.numel(dv.ones(2, 3))
    6
    """
    tensors("numel", input=input)
    return int(input._a.size)


def is_signed(input: Any) -> bool:
    """Whether a tensor's element type has negative values.

    >>> import dovetail as dv
    >>> dv.is_signed(dv.ones(1))
    True
    """
    tensors("is_signed", input=input)
    return bool(from_numpy_dtype(input._a.dtype).is_signed)


def is_same_size(input: Tensor, other: Tensor) -> bool:
    """Whether two tensors have the same shape.

    >>> import dovetail as dv
    >>> dv.is_same_size(dv.ones(1), dv.ones(2))
    False
    """
    tensors("is_same_size", input=input, other=other)
    return bool(input._a.shape == other._a.shape)


def is_inference(input: Any) -> bool:
    """Whether a tensor was made in inference mode.

    >>> import dovetail as dv
    >>> dv.is_inference(dv.ones(1))
    False
    """
    tensors("is_inference", input=input)
    return input._v is INFERENCE_BOX


def get_device(input: Any) -> int:
    """The number of a tensor's GPU, -1 on the CPU.

    >>> import dovetail as dv
    >>> dv.get_device(dv.ones(1))
    -1
    """
    tensors("get_device", input=input)
    index = device_of(input._a).index
    return -1 if index is None else index


def detach(input: Tensor) -> Tensor:
    """The same memory without the history.

    >>> import dovetail as dv
    >>> dv.detach(dv.ones(1, requires_grad=True)).requires_grad
    False
    """
    if input.__class__ not in CLASSES:
        kind = type(input).__name__
        return overridden(Tensor.detach, NotATensor("detach()", f"argument 'input' must be Tensor, not {kind}"), (input,), {})
    return detached(input)


def detach_(input: Tensor) -> Tensor:
    """Forget the history of a tensor itself. Raises a GradError (RuntimeError) for a view.

    >>> import dovetail as dv
    >>> dv.detach_(dv.ones(1, requires_grad=True) * 2).requires_grad
    False
    """
    tensors("detach_", input=input)
    if getattr(input, "_b", None) is not None and input._n is not None:
        raise GradError("detach_", "Can't detach views in-place", "", "use detach() instead")
    input._n = None
    return input


def typename(obj: Any) -> str:
    """The name of an object's type: that of :meth:`Tensor.type` for a tensor, else a dotted name.

    >>> import dovetail as dv
    >>> dv.typename(dv.ones(1)), dv.typename(dv.nn.Linear)
    ('dovetail.FloatTensor', 'dovetail.nn.linear.Linear')
    """
    if obj.__class__ in CLASSES:
        return str(obj.type())
    named = obj if hasattr(obj, "__qualname__") or hasattr(obj, "__name__") else obj.__class__
    name, module = getattr(named, "__qualname__", None) or named.__name__, getattr(named, "__module__", None) or ""
    return name if module in ("", "builtins") else f"{module}.{name}"


def result_type(tensor: Any, other: Any) -> dtype:
    """The type that an operation on these tensors or numbers gives.

    >>> import dovetail as dv
    >>> dv.result_type(dv.tensor([1]), 1.0)
    dovetail.float32
    """
    for x in (tensor, other):
        if x.__class__ not in CLASSES and not isinstance(x, int | float | complex | np.generic):
            raise TypeMismatch("result_type()", f"received an invalid combination of arguments - got {type(x).__name__}")
    return result_dtype([x._a if x.__class__ in CLASSES else native(x) if isinstance(x, np.generic) else x for x in (tensor, other)])


def set_default_device(device: Any) -> None:
    """Make new tensors on this device when none is named; None means the CPU.

    >>> import dovetail as dv
    >>> dv.set_default_device("cpu")
    """
    default.device = CPU if device is None else to_device(device)


def get_default_device() -> Device:
    """The device on which new tensors are made.

    >>> import dovetail as dv
    >>> dv.get_default_device()
    device(type='cpu')
    """
    return default.device


_settings: dict[str, Any] = {"threads": 0, "precision": "highest", "deterministic": 0}


def usable_cores() -> int:
    """The cores that this process may use: those of its affinity, within the quota of its control group (Linux, cgroup v2)."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        own = Path("/proc/self/cgroup").read_text().partition("0::")[2].strip()
        quota, period = map(int, Path(f"/sys/fs/cgroup{own}/cpu.max").read_text().split())
        return min(count, -(-quota // period))
    except (OSError, ValueError):  # without a quota it says "max"
        return count


def get_num_threads() -> int:
    """How many threads native kernels use: what was set, OMP_NUM_THREADS, or the number of cores that this process may use.

    >>> import dovetail as dv
    >>> dv.get_num_threads() >= 1
    True
    """
    named = os.environ.get("OMP_NUM_THREADS", "")
    return _settings["threads"] or (int(named) if named.isdecimal() and int(named) else usable_cores())


def _positive(where: str, num: Any) -> int:
    if type(num) is not int or num <= 0:
        what = f"a positive integer, got {num}" if type(num) is int else f"an int, but got {type(num).__name__}"
        raise ShapeError(where, f"expects {what}")
    return num


def set_num_threads(num: int) -> None:
    """Set how many threads native kernels use. NumPy's BLAS keeps what its environment variable said at start.

    >>> import dovetail as dv
    >>> dv.set_num_threads(dv.get_num_threads())
    """
    _settings["threads"] = _positive("set_num_threads", num)
    for tell in _listeners:
        tell(num)


_listeners: list[Callable[[int], None]] = []


def on_num_threads(tell: Callable[[int], None]) -> None:
    """Have `tell(num)` called whenever `set_num_threads` sets a number: how kernels with threads of their own learn it.

    >>> import dovetail as dv
    >>> heard = []
    >>> dv.extend.on_num_threads(heard.append)
    >>> dv.set_num_threads(dv.get_num_threads())
    >>> heard[-1] == dv.get_num_threads()
    True
    """
    _listeners.append(tell)
    if _settings["threads"]:
        tell(_settings["threads"])


def get_num_interop_threads() -> int:
    """How many threads run operations side by side: one, or what `set_num_interop_threads` was told.

    >>> import dovetail as dv
    >>> dv.get_num_interop_threads()
    1
    """
    return int(_settings.get("interop", 1))


def set_num_interop_threads(num: int) -> None:
    """Remember a number for `get_num_interop_threads`; operations run one after another. Once in a process, as in PyTorch.

    Raises a ShapeError (RuntimeError) for what is no positive whole number, and for a second call.

    >>> import dovetail as dv
    >>> dv.set_num_interop_threads(1)  # doctest: +SKIP
    """
    _positive("set_num_interop_threads", num)
    if "interop" in _settings:
        raise ShapeError("set_num_interop_threads", "cannot set number of interop threads after set_num_interop_threads called")
    _settings["interop"] = num


def get_float32_matmul_precision() -> str:
    """What `set_float32_matmul_precision` was told; float32 products are always computed in float32.

    >>> import dovetail as dv
    >>> dv.get_float32_matmul_precision()
    'highest'
    """
    return str(_settings["precision"])


def set_float32_matmul_precision(precision: str) -> None:
    """Accept 'highest', 'high' or 'medium'; float32 products stay exact whatever is allowed.

    >>> import dovetail as dv
    >>> dv.set_float32_matmul_precision("highest")
    """
    if not isinstance(precision, str):
        raise ShapeError("set_float32_matmul_precision", f"expects a str, but got {type(precision).__name__}")
    if precision not in ("highest", "high", "medium"):
        raise ValueRangeError("set_float32_matmul_precision", f"got {precision!r}", "expected 'highest', 'high' or 'medium'")
    _settings["precision"] = precision


_MODES = ("default", "warn", "error")


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Note that results must not differ from run to run.

    On the CPU they never do, whatever this says; on a GPU additions by index (``scatter_add``, ``index_add`` …) come in any order.

    >>> import dovetail as dv
    >>> dv.use_deterministic_algorithms(True); dv.are_deterministic_algorithms_enabled()
    True
    >>> dv.use_deterministic_algorithms(False)
    """
    if not isinstance(mode, bool):
        raise TypeMismatch("use_deterministic_algorithms", f"expected bool as mode, not {type(mode).__name__}")
    _settings["deterministic"] = 0 if not mode else 1 if warn_only else 2


def are_deterministic_algorithms_enabled() -> bool:
    """What :func:`use_deterministic_algorithms` was told.

    >>> import dovetail as dv
    >>> dv.are_deterministic_algorithms_enabled()
    False
    """
    return bool(_settings["deterministic"])


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """Whether :func:`use_deterministic_algorithms` was told to warn only.

    >>> import dovetail as dv
    >>> dv.is_deterministic_algorithms_warn_only_enabled()
    False
    """
    return bool(_settings["deterministic"] == 1)


def set_deterministic_debug_mode(debug_mode: int | str) -> None:
    """:func:`use_deterministic_algorithms` by a word or number: "default" (0), "warn" (1) or "error" (2).

    >>> import dovetail as dv
    >>> dv.set_deterministic_debug_mode("default")
    """
    if not isinstance(debug_mode, int | str):
        raise TypeMismatch("set_deterministic_debug_mode", f"debug_mode must be str or int, but got {type(debug_mode).__name__}")
    if debug_mode not in (*_MODES, 0, 1, 2):
        raise ShapeError("set_deterministic_debug_mode", f"invalid value of debug_mode {debug_mode!r}, expected one of {_MODES} or 0, 1, 2")
    _settings["deterministic"] = _MODES.index(debug_mode) if isinstance(debug_mode, str) else int(debug_mode)


def get_deterministic_debug_mode() -> int:
    """0, 1 or 2, as :func:`set_deterministic_debug_mode` has them.

    >>> import dovetail as dv
    >>> dv.get_deterministic_debug_mode()
    0
    """
    return int(_settings["deterministic"])


def set_flush_denormal(mode: bool) -> bool:
    """Whether tiny numbers are flushed to zero: never; the answer is False, as PyTorch's where the processor cannot.

    >>> import dovetail as dv
    >>> dv.set_flush_denormal(True)
    False
    """
    if not isinstance(mode, bool):
        raise TypeMismatch("set_flush_denormal", f"expected a bool, but got {type(mode).__name__}")
    return False
