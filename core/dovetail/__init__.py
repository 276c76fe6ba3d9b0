"""Dovetail: PyTorch's programming model in Python you can read, on NumPy and CuPy, with plugins that fit.

What there is: tensors and their functions here, `nn`, `optim`, `autograd`, `data` (also `utils.data`), `io`, `graph`;
what plugins bring through `models`, `weights`, `datasets` and namespaces such as `dovetail.vision`.
"""

from __future__ import annotations

import importlib
import math as _math
from typing import TYPE_CHECKING, Any

from . import dtypes as _dtypes
from .autograd.anomaly import is_anomaly_check_nan_enabled, is_anomaly_enabled, set_anomaly_enabled
from .autograd.modes import enable_grad, inference_mode, is_grad_enabled, is_inference_mode_enabled, no_grad, set_grad_enabled
from .device import Device as device
from .dtypes import can_cast, dtype, finfo, get_default_dtype, iinfo, promote_types, set_default_dtype
from .generator import Generator, default_generator
from .ops import namespace as _namespace
from .plugins import namespaces as _namespaces
from .size import Size
from .tensor import Tensor
from .tensor_legacy import CLASSES_BY_TYPE as _LEGACY_CLASSES
from .tensor_legacy import set_default_tensor_type

if TYPE_CHECKING:
    from . import (
        absent,
        accelerator,
        amp,
        autograd,
        backends,
        compiler,
        cpu,
        cuda,
        data,
        datasets,
        errors,
        extend,
        fft,
        func,
        graph,
        hooks,
        hub,
        io,
        jit,
        linalg,
        models,
        nn,
        optim,
        plugins,
        random,
        return_types,
        testing,
        types,
        utils,
        version,
        weights,
    )  # fmt: skip
    from .amp import GradScaler
    from .cpu.streams import Event, Stream
    from .cuda import OutOfMemoryError
    from .io import load, save
    from .ops.public import *
    from .ops.public import tensor as tensor

__version__ = "0.2.0"

_namespaces.install()

inf, nan, pi, e = _math.inf, _math.nan, _math.pi, _math.e
newaxis = None

_MODULES = {
    "absent", "accelerator", "amp", "autograd", "backends", "compiler", "cpu", "cuda", "data", "datasets", "errors", "extend", "fft",
    "func",
    "graph", "hooks", "hub", "io", "jit", "linalg", "models", "nn", "optim", "plugins", "random", "return_types", "testing", "types",
    "utils", "version", "weights",
}  # fmt: skip

_ELSEWHERE = {  # functions and classes that are imported when first used
    "load": "io", "save": "io", "vmap": "func", "compile": "compiler", "Event": "cpu.streams", "Stream": "cpu.streams", "GradScaler": "amp",
    "OutOfMemoryError": "cuda", **dict.fromkeys(("dsmm", "hsmm", "hspmm", "smm", "sspaddmm"), "sparse"),
    **{f"sparse_{kind}_tensor": "sparse" for kind in ("bsc", "bsr", "compressed", "coo", "csc", "csr")},
}  # fmt: skip


if not TYPE_CHECKING:  # to a type checker an unknown name is an error

    def __getattr__(name: str) -> Any:
        """Import a module of the core, or the package of a plugin, when it is first touched."""
        if name in _MODULES:
            return importlib.import_module(f"{__name__}.{name}")
        if name in _dtypes.LATER:
            return _dtypes.dtype_named(name)
        if name in _ELSEWHERE or name.endswith("Storage") or name.startswith("_foreach_"):
            home = _ELSEWHERE.get(name, "storage" if name.endswith("Storage") else "torch.faces.foreach")
            try:
                return getattr(importlib.import_module(f"{__name__}.{home}"), name)
            except ModuleNotFoundError as error:  # a plugin brings it
                raise AttributeError(str(error)) from None
        if "autocast" in name and name in (found := importlib.import_module(f"{__name__}.amp.autocast_mode")).__all__:
            return getattr(found, name)
        if name.startswith("_"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from .absent import answers
        from .plugins import namespaces

        if name in answers(__name__)[2]():
            return globals().setdefault(name, answers(__name__)[1](name))
        return namespaces.resolve(name)

    def __dir__() -> list[str]:
        """What is there, and what is imported when it is first touched."""
        from .absent import answers

        return sorted({*globals(), *_MODULES, *answers(__name__)[2]()})


# last, because `float`, `bool`, `sum` … are from here on ours
globals().update({**_dtypes.TYPES, **_dtypes.ALIASES, **_LEGACY_CLASSES, **_namespace()})
