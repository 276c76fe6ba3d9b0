"""The text of a tensor, as PyTorch prints it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .autograd.node import Leaf, Tensor, producer
from .device import CPU, device_of, move
from .dtypes import bool_, from_numpy_dtype, get_default_dtype, int64
from .errors import ValueRangeError

__all__ = ["set_printoptions", "text"]


class Options:
    """What `set_printoptions` sets."""

    precision, threshold, edgeitems, linewidth = 4, 1000.0, 3, 80
    sci_mode: bool | None = None


_PROFILES = {"default": (4, 1000.0, 3, 80), "short": (2, 1000.0, 2, 80), "full": (4, math.inf, 3, 80)}


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Set how tensors are printed: digits after the point, the number of elements above which the middle is left out,
    how many then remain at each edge, characters in a line, and whether numbers are written as ``1.0000e+00``.

    Raises a ValueRangeError (ValueError) for an unknown profile (``"default"``, ``"short"``, ``"full"``).

    >>> import dovetail as dv
    >>> dv.set_printoptions(precision=2); dv.tensor(3.14159)
    tensor(3.14)
    >>> dv.set_printoptions(profile="default")
    """
    o = Options
    if profile is not None:
        if profile not in _PROFILES:
            raise ValueRangeError("set_printoptions", f"unknown profile {profile!r}", f"expected one of {sorted(_PROFILES)}")
        o.precision, o.threshold, o.edgeitems, o.linewidth = _PROFILES[profile]
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth}
    for name, value in given.items():
        if value is not None:
            setattr(o, name, value)
    o.sci_mode = sci_mode


class _Writer:
    """How the numbers of one tensor are written, all in the same width."""

    def __init__(self, a: Any) -> None:
        self.kind, self.whole, self.sci = a.dtype.kind, True, False
        values = a.reshape(-1)
        if self.kind == "f":
            values = values.astype(np.float64)
            values = values[np.isfinite(values) & (values != 0)]
            if values.size:
                low, high = float(np.abs(values).min()), float(np.abs(values).max())
                self.whole = bool((values == np.ceil(values)).all())
                self.sci = high / low > 1000.0 or high > 1.0e8 or (not self.whole and low < 1.0e-4)
                self.sci = self.sci if Options.sci_mode is None else Options.sci_mode
        self.width = max(map(len, map(self._plain, values.tolist())), default=1)

    def _plain(self, value: Any) -> str:
        if self.kind != "f":
            return str(value)
        if self.sci:
            return f"{value:.{Options.precision}e}"
        if self.whole:
            return f"{value:.0f}." if math.isfinite(value) else f"{value:.0f}"
        return f"{value:.{Options.precision}f}"

    def __call__(self, value: Any) -> str:
        return self._plain(value).rjust(self.width)


class _ComplexWriter:
    """Complex numbers: the parts each have a writer of their own."""

    def __init__(self, a: Any) -> None:
        self.real, self.imag = _Writer(a.real), _Writer(a.imag)
        self.width = self.real.width + self.imag.width + 1

    def __call__(self, value: complex) -> str:
        imag = self.imag(value.imag).lstrip() + "j"
        return self.real(value.real) + ("" if imag[0] in "+-" else "+") + imag


def _rows(a: Any, indent: int, cut: list[bool], write: Any) -> str:
    """The brackets of an array and what is inside; dots stand for the middle of a dimension that was cut."""
    if a.ndim == 0:
        return str(write(a.item()))
    parts = [write(v) for v in a.tolist()] if a.ndim == 1 else [_rows(row, indent + 1, cut[1:], write) for row in a]
    if cut[0]:
        parts.insert(Options.edgeitems, " ..." if a.ndim == 1 and parts else "...")
    if a.ndim == 1:  # broken into lines of the allowed length
        each = max(1, math.floor((Options.linewidth - indent) / (write.width + 2)))
        parts = [", ".join(parts[i : i + each]) for i in range(0, len(parts), each)]
    return "[" + ("," + "\n" * max(1, a.ndim - 1) + " " * (indent + 1)).join(parts) + "]"


def body(a: Any, indent: int) -> str:
    """The numbers of an array in their brackets, which begin in a column."""
    if a.dtype.kind == "V" or a.dtype == np.float16:
        a = a.astype(np.float32)
    k = Options.edgeitems
    cut = [a.size > Options.threshold and n > 2 * k for n in a.shape]
    for d, n in enumerate(a.shape):
        if cut[d]:
            a = a.take(np.r_[0:k, n - k : n], d)
    return _rows(a, indent, cut, (_ComplexWriter if a.dtype.kind == "c" else _Writer)(a))


def _suffixes(t: Tensor, a: Any, kind: Any) -> list[str]:
    """What is said after the numbers: device, shape, type, gradient."""
    out = []
    where = device_of(t._a)
    if where != CPU:
        out.append(f"device='{where}'")
    default = get_default_dtype()
    if where.type == "meta" or (not Options.edgeitems if a.size else a.ndim != 1):
        out.append(f"size={tuple(a.shape)}")
    if kind not in ((default, default.to_complex(), int64, bool_) if a.size and where.type != "meta" else (default,)):
        out.append(f"dtype={kind!r}")
    if t._n is not None:
        out.append("requires_grad=True" if t._n.__class__ is Leaf else f"grad_fn=<{producer(t._n)[0].name()}>")
    return out


def text(t: Tensor, prefix: str = "tensor(") -> str:
    """Return the repr: the numbers, summarised where there are many, and what else is to be known."""
    meta = device_of(t._a).type == "meta"
    a = t._a if meta else move(t._a, CPU)
    indent = len(prefix)
    out = prefix + ("..." if meta else body(a, indent) if a.size else "[]")
    at = len(out) - out.rfind("\n") + 1
    for one in _suffixes(t, a, from_numpy_dtype(t._a.dtype)):
        room = len(one.replace("dovetail.", "torch."))  # so that lines break where PyTorch's do
        if at + room + 2 > Options.linewidth:
            out += ",\n" + " " * indent + one
            at = indent + room
        else:
            out += ", " + one
            at += room + 2
    return out + ")"
