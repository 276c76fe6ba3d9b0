"""Kernels from outside: an implementation of an op for a device and types, with or without gradient rules of its own."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from ..errors import NameClashError, TypeMismatch, UnknownNameError, ValueRangeError

__all__ = ["WHOLE", "Kernel", "adopt", "install", "install_claimed", "remove", "update_table"]

WHOLE = ("compile", "twin")  # what is no op and no update: the compiler, and the compiled twin of the core's own calls

_updates: dict[str, dict[Any, Callable[..., Any]]] = {}


def update_table(name: str) -> dict[Any, Callable[..., Any]]:
    """The kernels of an optimizer's update, by (device type, NumPy dtype): ``optim`` reads it, `install` fills it."""
    return _updates.setdefault(name, {})


class Kernel:
    """What a kernel's target is: `forward(*raw arguments)`, and optionally gradient rules that fit what it saves.

    `into`, with the same arguments, serves the in-place form: it writes the result over the first array, or does nothing and
    returns NotImplemented; the result must be of that array's shape and type.

    The set is atomic: a call that this forward served is differentiated by these rules (or, without any, by the op's
    own). A forward that returns NotImplemented declines the call, and the reference serves both directions.
    """

    def __init__(
        self, forward: Callable[..., Any], vjp: Callable[..., Any] | dict[str, Callable[..., Any]] | None = None,
        into: Callable[..., Any] | None = None,
    ) -> None:  # fmt: skip
        self.forward, self.vjp, self.into = forward, vjp, into


def install(op: str, device: str, dtypes: tuple[Any, ...], kernel: Kernel | Callable[..., Any], *, replace: bool = False) -> None:
    """Let `kernel` serve this op, or optimizer's update, on this device for these types of its first array.

    Raises an UnknownNameError for an op that does not exist and a NameClashError where another kernel already serves.
    """
    from ._op import OPS, Impl

    record = OPS.get(op)
    table: Any = record.table if record is not None else update_table(op) if op.endswith("_update") or op in WHOLE else None
    if table is None:
        raise UnknownNameError("register_kernels", f"there is no op named {op!r}", "expected one of dovetail.ops", "")
    if not isinstance(kernel, Kernel):
        kernel = Kernel(kernel)
    if not callable(kernel.forward):
        what = f"the kernel for {op} is {type(kernel.forward).__name__}"
        raise TypeMismatch("register_kernels", what, "expected a function on raw arrays, or a Kernel")
    if device not in ("cpu", "cuda"):
        raise ValueRangeError("register_kernels", f"the kernel for {op} names the device {device!r}", "expected 'cpu' or 'cuda'")
    types = [getattr(kind, "np", None) or np.dtype(kind) for kind in dtypes]  # all of them before any is installed
    made: Any = kernel.forward if record is None else Impl(record, kernel.forward, record.reference.rules, kernel.into)
    if kernel.vjp is not None and record is not None:
        made.rules = {}
        for name, rule in kernel.vjp.items() if isinstance(kernel.vjp, dict) else ((None, kernel.vjp),):
            position = None if name is None else [record.params[i] for i in record.arrays].index(name)
            record.add_rule(made, rule, position)
    for numpy_type in types:
        if (device, numpy_type) in table and not replace:
            raise NameClashError("register_kernels", f"{op} on {device} for {numpy_type} already has a kernel")
    for numpy_type in types:
        table[device, numpy_type] = made
        if record is not None and device == "cpu" and numpy_type in record.fast:
            record.fast[numpy_type] = made


def remove(op: str, device: str, dtypes: tuple[Any, ...]) -> None:
    """Give the op back to its reference."""
    from ._op import OPS

    record = OPS.get(op)
    for kind in dtypes:
        numpy_type = getattr(kind, "np", None) or np.dtype(kind)
        (update_table(op) if record is None else record.table).pop((device, numpy_type), None)
        if record is not None and device == "cpu" and numpy_type in record.fast:
            record.fast[numpy_type] = record.reference


def adopt(made: dict[str, Any]) -> None:
    """Let compiled twins serve wherever the core calls these functions by name: they do the same, or hand the call to them."""
    from ..autograd.engine import late

    ops = "_call _viewing contract dropout index".split()
    numerics = "generator streams.draws streams.choice streams.integers streams.normal".split()
    for module in [*(f"dovetail.ops.{name}" for name in ops), *(f"dovetail_numerics.{name}" for name in numerics)]:
        home = vars(import_module(module))
        home.update({name: function for name, function in made.items() if name in home})
    late.walk, late.collect = made["walk"], made["collect"]


_installed = False
_lock = threading.Lock()


def install_claimed() -> None:
    """Install the kernels that plugins claim in their manifests; runs once, at the first op of a process."""
    global _installed
    with _lock:
        if _installed:
            return
        _installed = True
        from ..plugins import kernels_for_core, load_target

        left_out: dict[tuple[str, str], list[tuple[str, Exception]]] = {}  # by what went wrong
        for claim in kernels_for_core():
            try:
                target = load_target(claim.target, claim.plugin)
                install(claim.op, claim.device, claim.dtypes, target)
                if claim.op == "twin" and os.environ.get("DOVETAIL_TWIN") != "0":
                    adopt(target())
            except Exception as error:  # whatever is wrong with a plugin's kernel, the user's program goes on
                left_out.setdefault((claim.plugin, str(error.__cause__ or error)), []).append((claim.op, error))
        for (plugin, _), found in left_out.items():
            (op, why), others = found[0], f" and {len(found) - 1} other ops" if len(found) > 1 else ""
            what = f"plugin {plugin}: its kernel for {op}{others} was left out, and the reference serves: {why}"
            warnings.warn(what, RuntimeWarning, stacklevel=2)
