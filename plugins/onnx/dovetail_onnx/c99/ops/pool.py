"""Pooling of one to three spatial dimensions; windows that reach over the border are cut."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...importer.ops.conv import spatial_pads
from ..kernel import Kernel
from ..text import loop, terms
from .table import generator

__all__: list[str] = []


@dataclass
class _Axis:
    """One spatial dimension of a pooling."""

    at: int
    size: int
    out: int
    kernel: int
    stride: int
    dilation: int
    begin: int
    end: int

    @property
    def reaches(self) -> int:
        """The last position that a window touches."""
        return (self.out - 1) * self.stride - self.begin + (self.kernel - 1) * self.dilation

    @property
    def position(self) -> str:
        return terms((f"o{self.at}", self.stride), (f"k{self.at}", self.dilation)) + (f" - {self.begin}" if self.begin else "")


def _axes(k: Kernel) -> list[_Axis]:
    x, y, kernel = k.needs(0), k.result(), list(k.attr("kernel_shape"))
    strides, dilations = k.attr("strides", [1] * len(kernel)), k.attr("dilations", [1] * len(kernel))
    begin, end = spatial_pads(x.shape[2:], kernel, strides, dilations, k.attr("auto_pad", "NOTSET"), k.attr("pads"))
    rows = zip(x.shape[2:], y.shape[2:], kernel, strides, dilations, begin, end, strict=True)
    return [_Axis(at, *row) for at, row in enumerate(rows)]


@generator("MaxPool", "AveragePool")
def pool(k: Kernel) -> None:
    x, greatest, axes = k.needs(0), k.node.op == "MaxPool", _axes(k)
    if any(k.node.outputs[1:]):
        raise k.refuse("the places of the maxima")
    if x.dtype != "float32":
        raise k.refuse(f"{k.node.op} of {x.dtype}")
    k.title = f"{k.node.op}, windows of {[axis.kernel for axis in axes]}: {x.shape[2:]} -> {k.result().shape[2:]}"
    k.input(0, "x")
    y = k.output()
    k.open(loop("c", x.shape[0] * x.shape[1]), *(loop(f"o{axis.at}", axis.out) for axis in axes))
    k.add("float v = -INFINITY;" if greatest else "float v = 0;")
    for axis in axes:
        k.open(loop(f"k{axis.at}", axis.kernel))
        k.add(f"const int i{axis.at} = {axis.position};")
        if axis.begin or axis.reaches >= axis.size:
            k.add(f"if (i{axis.at} < 0 || i{axis.at} >= {axis.size})", "    continue;")
    place = terms(("c", math.prod(axis.size for axis in axes)), *((f"i{a.at}", math.prod(b.size for b in axes[a.at + 1 :])) for a in axes))
    k.add(f"const float e = x[{place}];", "v = e > v || e != e ? e : v;" if greatest else "v += e;")
    for _ in axes:
        k.close()
    target = terms(("c", math.prod(axis.out for axis in axes)), *((f"o{a.at}", math.prod(b.out for b in axes[a.at + 1 :])) for a in axes))
    k.add(f"{y}[{target}] = {'v' if greatest else f'v / {_count(k, axes)}'};")
    k.close()


def _count(k: Kernel, axes: list[_Axis]) -> str:
    """How many elements a window holds: those inside, or inside the padding too where it counts."""
    included, found = bool(k.attr("count_include_pad", 0)), []
    for axis in axes:
        low, high = (-axis.begin, axis.size + axis.end) if included else (0, axis.size)
        if low <= -axis.begin and axis.reaches < high:
            found.append(str(axis.kernel))
            continue
        k.add(f"int n{axis.at} = 0;", loop(f"k{axis.at}", axis.kernel))
        k.add(f"    n{axis.at} += {axis.position} >= {low} && {axis.position} < {high};")
        found.append(f"n{axis.at}")
    return f"(float)({' * '.join(found)})"


@generator("GlobalAveragePool", "GlobalMaxPool")
def whole(k: Kernel) -> None:
    x = k.needs(0)
    count, area = x.shape[0] * x.shape[1], math.prod(x.shape[2:])
    greatest = k.node.op == "GlobalMaxPool"
    k.title = f"{k.node.op}: {x.shape[2:]}"
    k.input(0, "x")
    k.output()
    k.open(loop("c", count))
    k.add("float v = -INFINITY;" if greatest else "double v = 0;")
    k.open(loop("i", area))
    k.add(f"const float e = x[c * {area} + i];", "v = e > v || e != e ? e : v;" if greatest else "v += e;")
    k.close()
    k.add("y[c] = v;" if greatest else f"y[c] = (float)(v / {area});")
    k.close()
