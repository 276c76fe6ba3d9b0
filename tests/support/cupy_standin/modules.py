"""The modules that stand for ``cupy`` and ``cupyx``: exactly CuPy's names, AttributeError for any other."""

from __future__ import annotations

import ast
import types
from functools import cache
from typing import Any

import numpy as np

from . import cuda
from .array import ndarray
from .functions import attach_methods, delegate, functions, stub
from .names import Entry, names
from .nccl import NCCL
from .random import module_functions
from .state import state
from .ufuncs import attach_operators, special, ufunc

__all__ = ["build", "cupy"]


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except ValueError:  # inf and nan
        return float(text)


def _plain(path: str, name: str, entry: Entry) -> Any:
    """Return what needs no emulation (constants, NumPy's own types and functions), or a stub that says it is missing."""
    if entry.kind == "value":
        return _value(entry.detail)
    if entry.kind == "numpy" or entry == ("type", "numpy"):
        return getattr(np, name)
    if entry.kind == "type":
        for owner in (np, np.exceptions, np.linalg):
            if hasattr(owner, name) and isinstance(getattr(owner, name), type) and issubclass(getattr(owner, name), Exception):
                return getattr(owner, name)
        old = {"bool_": "bool", "float_": "float64", "complex_": "complex128", "cfloat": "complex128", "singlecomplex": "complex64"}
        if name in old:
            return getattr(np, old[name])
    return stub(f"{path}.{name}")


def _fill(path: str, own: dict[str, Any]) -> types.ModuleType:
    """Return a module with CuPy's names: ours where emulated, plain ones and stubs elsewhere."""
    module = types.ModuleType(path, f"Stand-in for {path}.")
    module.__path__ = []  # type: ignore[attr-defined]
    for name, entry in names(path).items():
        if name in own:
            setattr(module, name, own[name])
        elif entry.kind == "ufunc":
            setattr(module, name, ufunc(name, entry.detail))
        elif entry.kind != "module":
            setattr(module, name, _plain(path, name, entry))
    return module


def _top() -> dict[str, Any]:
    own = functions("cupy", np, names("cupy"))
    matmul = Entry("function", "x1 x2 / out= * casting= order= dtype= axes= axis= keepdims=")
    pool, pinned = cuda.MemoryPool(), cuda.PinnedMemoryPool()
    own |= {
        "ndarray": ndarray, "ufunc": ufunc, "matmul": delegate("cupy", "matmul", matmul, np.matmul), "dtype": np.dtype,
        "is_available": lambda: state.devices > 0, "get_array_module": _array_module,
        "size": delegate("cupy", "size", names("cupy")["size"], np.size),
        "get_default_memory_pool": lambda: pool, "get_default_pinned_memory_pool": lambda: pinned, "show_config": lambda **k: None,
        "finfo": np.finfo, "iinfo": np.iinfo, "fuse": stub("cupy.fuse"),
    }  # fmt: skip
    for name in ("result_type", "can_cast", "promote_types", "min_scalar_type"):
        detail = {"can_cast": "from_ to casting=", "promote_types": "type1 type2", "min_scalar_type": "a"}.get(name, "*arrays_and_dtypes")
        own[name] = delegate("cupy", name, Entry("function", detail), getattr(np, name))
    return own


def _array_module(*args: Any) -> Any:
    return cupy() if any(isinstance(a, ndarray) for a in args) else np


def _special() -> dict[str, Any]:
    path = "cupyx.scipy.special"
    return {
        name: delegate(path, name, entry, special(name) if name != "round" else np.round)
        for name, entry in names(path).items()
        if entry.kind == "function"
    }


def _scipy_linalg() -> dict[str, Any]:
    path = "cupyx.scipy.linalg"

    def lazily(name: str) -> Any:
        def function(*args: Any, **kwargs: Any) -> Any:
            import scipy.linalg

            return getattr(scipy.linalg, name)(*args, **kwargs)

        return function

    return {name: delegate(path, name, entry, lazily(name)) for name, entry in names(path).items()}


@cache
def build() -> dict[str, types.ModuleType]:
    """Return every module of the stand-in by its import path, made once: the array type is one for all tests."""
    top = _top()
    root = _fill("cupy", top)
    linalg = functions("cupy.linalg", np.linalg, names("cupy.linalg")) | {"matmul": top["matmul"]}
    tricks = functions("cupy.lib.stride_tricks", np.lib.stride_tricks, names("cupy.lib.stride_tricks"))
    extra = functions("cupyx", np, {n: e for n, e in names("cupyx").items() if n.startswith("scatter_")})
    modules = {
        "cupy": root,
        "cupy.linalg": _fill("cupy.linalg", linalg),
        "cupy.fft": _fill("cupy.fft", functions("cupy.fft", np.fft, names("cupy.fft"))),
        "cupy.random": _fill("cupy.random", module_functions()),
        "cupy.lib": _fill("cupy.lib", {}),
        "cupy.lib.stride_tricks": _fill("cupy.lib.stride_tricks", tricks),
        "cupy.exceptions": _fill("cupy.exceptions", {}),
        "cupy.cuda": _fill("cupy.cuda", cuda.CUDA),
        "cupy.cuda.runtime": _fill("cupy.cuda.runtime", cuda.RUNTIME),
        "cupy.cuda.nccl": _fill("cupy.cuda.nccl", NCCL),
        "cupyx": _fill("cupyx", extra | {"errstate": cuda.errstate, "geterr": lambda: {"linalg": state.linalg}}),
        "cupyx.scipy": _fill("cupyx.scipy", {}),
        "cupyx.scipy.special": _fill("cupyx.scipy.special", _special()),
        "cupyx.scipy.linalg": _fill("cupyx.scipy.linalg", _scipy_linalg()),
    }
    for path, module in modules.items():
        parent, _, name = path.rpartition(".")
        if parent and path != "cupy.cuda.nccl":  # which CuPy's program imports itself
            setattr(modules[parent], name, module)
    attach_methods(vars(root))
    attach_operators(vars(root))
    return modules


def cupy() -> types.ModuleType:
    """Return the module that stands for ``cupy``."""
    return build()["cupy"]
