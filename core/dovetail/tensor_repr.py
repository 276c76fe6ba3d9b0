"""The text of a tensor, as PyTorch prints it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .autograd.node import Leaf, Output, Tensor
from .device import CPU, device_of, move
from .dtypes import from_numpy_dtype, get_default_dtype
from .errors import ValueRangeError

__all__ = ["set_printoptions", "text"]


class _Options:
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
    o = _Options
    if profile is not None:
        if profile not in _PROFILES:
            raise ValueRangeError("set_printoptions", f"unknown profile {profile!r}", f"expected one of {sorted(_PROFILES)}")
        o.precision, o.threshold, o.edgeitems, o.linewidth = _PROFILES[profile]
    o.precision = o.precision if precision is None else precision
    o.threshold = o.threshold if threshold is None else threshold
    o.edgeitems = o.edgeitems if edgeitems is None else edgeitems
    o.linewidth = o.linewidth if linewidth is None else linewidth
    o.sci_mode = sci_mode


class _Writer:
    """How the numbers of one tensor are written, all in the same width."""

    def __init__(self, a: Any) -> None:
        self.kind, self.whole, self.sci, self.width = a.dtype.kind, True, False, 1
        if self.kind != "f":
            self.width = max((len(str(v)) for v in a.reshape(-1).tolist()), default=1)
            return
        wide = a.astype(np.float64)
        finite = wide[np.isfinite(wide) & (wide != 0)]
        if finite.size:
            self._choose(finite)
            self.sci = self.sci if _Options.sci_mode is None else _Options.sci_mode
            self.width = max(map(len, map(self._plain, finite.tolist())))

    def _choose(self, finite: Any) -> None:
        size = np.abs(finite)
        low, high = float(size.min()), float(size.max())
        self.whole = bool((finite == np.ceil(finite)).all())
        self.sci = high / low > 1000.0 or high > 1.0e8 or (not self.whole and low < 1.0e-4)

    def _plain(self, value: Any) -> str:
        if self.kind != "f":
            return str(value)
        if self.sci:
            return f"{value:.{_Options.precision}e}"
        if self.whole:
            return f"{value:.0f}." if math.isfinite(value) else f"{value:.0f}"
        return f"{value:.{_Options.precision}f}"

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


def _edges(a: Any) -> Any:
    """What is left of a large array when the middle of each dimension is left out."""
    k = _Options.edgeitems
    for d, n in enumerate(a.shape):
        if n > 2 * k:
            a = a[(slice(None),) * d + (np.r_[0:k, n - k : n],)]
    return a


def _rows(a: Any, indent: int, short: bool, write: Any) -> str:
    """The brackets of an array and what is inside."""
    if a.ndim == 0:
        return str(write(a.item()))
    k, n = _Options.edgeitems, a.shape[0]
    cut = short and n > 2 * k
    if a.ndim == 1:
        return _line(a, indent, cut, write)
    parts = [_rows(a[i], indent + 1, short, write) for i in ([*range(k), *range(n - k, n)] if cut else range(n))]
    if cut:
        parts.insert(k, "...")
    return "[" + ("," + "\n" * (a.ndim - 1) + " " * (indent + 1)).join(parts) + "]"


def _line(a: Any, indent: int, cut: bool, write: Any) -> str:
    """A vector, broken into lines of the allowed length."""
    k = _Options.edgeitems
    values = a.tolist()
    if cut:
        words = [*map(write, values[:k]), " ...", *map(write, values[-k:])]
    else:
        words = list(map(write, values))
    each = max(1, math.floor((_Options.linewidth - indent) / (write.width + 2)))
    lines = [", ".join(words[i : i + each]) for i in range(0, len(words), each)]
    return "[" + ("," + "\n" + " " * (indent + 1)).join(lines) + "]"


def _body(a: Any, indent: int) -> str:
    if a.dtype.kind == "V" or a.dtype == np.float16:
        a = a.astype(np.float32)
    short = a.size > _Options.threshold
    writer = _ComplexWriter if a.dtype.kind == "c" else _Writer
    return _rows(a, indent, short, writer(_edges(a) if short else a))


def _suffixes(t: Tensor, a: Any, kind: Any) -> list[str]:
    """What is said after the numbers: device, shape, type, gradient."""
    out = []
    where = device_of(t._a)
    if where != CPU:
        out.append(f"device='{where}'")
    default = get_default_dtype()
    if a.size == 0 and a.ndim != 1:
        out.append(f"size={tuple(a.shape)}")
    usual = (default,) if a.size == 0 else (default, default.to_complex())
    if kind not in usual and not (a.size and kind.name in ("int64", "bool")):
        out.append(f"dtype={kind!r}")
    edge = t._n
    if edge is not None:
        node = edge.node if edge.__class__ is Output else edge
        out.append("requires_grad=True" if edge.__class__ is Leaf else f"grad_fn=<{node.name()}>")
    return out


def text(t: Tensor, prefix: str = "tensor(") -> str:
    """Return the repr: the numbers, summarised where there are many, and what else is to be known."""
    a = move(t._a, CPU)
    indent = len(prefix)
    out = prefix + (_body(a, indent) if a.size else "[]")
    at = len(out) - out.rfind("\n") + 1
    for one in _suffixes(t, a, from_numpy_dtype(t._a.dtype)):
        if at + len(one) + 2 > _Options.linewidth:
            out += ",\n" + " " * indent + one
            at = indent + len(one)
        else:
            out += ", " + one
            at += len(one) + 2
    return out + ")"
