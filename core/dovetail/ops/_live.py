"""Which memory live tensors hold, and what is said when there is no more."""

from __future__ import annotations

import gc
import math
import sys
from typing import Any

import numpy as np

from dovetail_numerics.memoryless import Memoryless

from ..autograd import engine
from ..autograd.node import CLASSES, Node, is_array
from ..errors import OutOfMemory

__all__ = ["exhausted", "owner"]


def owner(x: Any) -> Any:
    """Where the memory of an array comes from: an array, or what else an array was made of (a buffer, another library's tensor)."""
    while hasattr(x.base, "base"):
        x = x.base
    return x if x.base is None else x.base


def exhausted(where: str, error: MemoryError, args: Any = ()) -> OutOfMemory:
    """The error for an allocation that failed, with what was asked for and who holds the rest; one that says so already stays."""
    if isinstance(error, OutOfMemory):
        return error
    arrays = [getattr(a, "_a", a) for a in args]
    what = ", ".join(f"{tuple(a.shape)} {a.dtype}" for a in arrays if is_array(a))
    asked = _asked(error)
    size = f"not enough memory{'' if asked is None else f' for {asked:,} bytes'}{f' (arguments {what})' if what else ''}"
    try:
        total, largest = _held()
    except MemoryError:  # no room for a list of them either
        total, largest = 0, []
    held = f"live tensors hold {total:,} bytes, the largest: {'; '.join(largest) or 'none'}"
    out = OutOfMemory(where, size, held, "use a smaller batch, no_grad() where no gradient is needed, or del what is not needed")
    out.asked, out.in_use, out.largest = asked, total, largest
    return out


def _asked(error: MemoryError) -> int | None:
    """How many bytes: NumPy's error has shape and type, others say "1,024 bytes"."""
    if hasattr(error, "shape"):
        return math.prod(error.shape) * int(np.dtype(error.dtype).itemsize)
    number = str(error).partition(" bytes")[0].rpartition(" ")[2].replace(",", "")
    return int(number) if number.isdecimal() else None


def _held() -> tuple[int, list[str]]:
    """The bytes behind all tensors and values kept for gradients, and the five largest in words."""
    found: dict[int, tuple[Any, Any]] = {}
    modules: list[Any] = []
    Module: Any = getattr(sys.modules.get("dovetail.nn.module"), "Module", ())
    for o in gc.get_objects():
        kind = type(o)
        if kind in CLASSES or issubclass(kind, Node):
            for a in (getattr(o, "_a", None),) if kind in CLASSES else getattr(o, "saved", None) or ():
                if is_array(a) and a.__class__ is not Memoryless:
                    base = owner(a)
                    found.setdefault(id(base), (getattr(base, "nbytes", a.nbytes), base if is_array(base) else a))
        elif issubclass(kind, Module):
            modules.append(o)
    inner = {id(child) for m in modules for child in m.children()}
    roots = [m for m in modules if id(m) not in inner]
    names = {id(owner(t._a)): f" {name}" for m in roots for name, t in m.named_parameters() if is_array(getattr(t, "_a", None))}
    largest = sorted(found.items(), key=lambda item: -item[1][0])[:5]
    words = [f"{tuple(a.shape)} {a.dtype}{names.get(key, '')} {size:,} bytes" for key, (size, a) in largest]
    return sum(size for size, _ in found.values()), words


engine.late.exhausted = exhausted
