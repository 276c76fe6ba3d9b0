"""Convolutions of one to three spatial dimensions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...importer.ops.conv import spatial_pads
from ..kernel import Kernel
from ..text import loop, terms
from .panel import Panel, tile
from .table import generator

__all__: list[str] = []

_ROW = 1024  # numbers of a row that lie on the stack; more are in the static memory


@dataclass
class _Shape:
    """The sizes of a convolution, spatial ones as depth, height, width; ``spread`` is the distance of the input's elements."""

    batch: int
    channels: int
    outputs: int
    groups: int
    size: list[int]
    kernel: list[int]
    stride: list[int]
    dilation: list[int]
    begin: list[int]
    end: list[int]
    spread: list[int]
    out: list[int]

    @property
    def padded(self) -> list[int]:
        return [(n - 1) * u + 1 + a + b for n, u, a, b in zip(self.size, self.spread, self.begin, self.end, strict=True)]

    @property
    def copies(self) -> bool:
        return any((*self.begin, *self.end)) or any(one > 1 for one in self.spread)


def _three(values: Any, fill: int) -> list[int]:
    return [fill] * (3 - len(values)) + [int(one) for one in values]


@generator("Conv")
def conv(k: Kernel) -> None:
    weight = k.constant(1)
    if weight is None:
        raise k.refuse("a convolution without weights")
    x, rank = k.needs(0), weight.ndim - 2
    if rank > 3 or rank < 1:
        raise k.refuse(f"a convolution of {rank} spatial dimensions")
    stride, dilation = k.attr("strides", [1] * rank), k.attr("dilations", [1] * rank)
    begin, end = spatial_pads(x.shape[2:], weight.shape[2:], stride, dilation, k.attr("auto_pad", "NOTSET"), k.attr("pads"))
    if min((*begin, *end)) < 0:
        raise k.refuse("negative padding")
    shape = _Shape(
        x.shape[0], x.shape[1], weight.shape[0], k.attr("group", 1), _three(x.shape[2:], 1), _three(weight.shape[2:], 1),
        _three(stride, 1), _three(dilation, 1), _three(begin, 0), _three(end, 0), [1] * 3, _three(k.result().shape[2:], 1),
    )  # fmt: skip
    _write(k, shape, weight)


@generator("ConvTranspose")
def conv_transpose(k: Kernel) -> None:
    """As a convolution of the input with zeros between its elements, with the kernel turned round."""
    weight = k.constant(1)
    if weight is None:
        raise k.refuse("a convolution without weights")
    x, rank, groups = k.needs(0), weight.ndim - 2, k.attr("group", 1)
    stride, dilation = k.attr("strides", [1] * rank), k.attr("dilations", [1] * rank)
    pads = k.attr("pads", [0] * 2 * rank)
    out = k.result().shape[2:]
    if k.attr("auto_pad", "NOTSET") != "NOTSET" or k.attr("output_shape") or rank > 3:
        raise k.refuse("a transposed convolution with auto_pad, output_shape or more than three dimensions")
    begin = [d * (size - 1) - p for d, size, p in zip(dilation, weight.shape[2:], pads[:rank], strict=True)]
    reach = [d * (size - 1) for d, size in zip(dilation, weight.shape[2:], strict=True)]
    end = [o + r - ((n - 1) * s + 1) - b for o, r, n, s, b in zip(out, reach, x.shape[2:], stride, begin, strict=True)]
    if min((*begin, *end)) < 0:
        raise k.refuse("a transposed convolution that cuts off more than its kernel adds")
    turned = np.flip(weight, tuple(range(2, rank + 2)))
    turned = turned.reshape(groups, weight.shape[0] // groups, *weight.shape[1:]).swapaxes(1, 2)
    turned = turned.reshape(-1, weight.shape[0] // groups, *weight.shape[2:])
    shape = _Shape(
        x.shape[0], x.shape[1], turned.shape[0], groups, _three(x.shape[2:], 1), _three(weight.shape[2:], 1), [1] * 3,
        _three(dilation, 1), _three(begin, 0), _three(end, 0), _three(stride, 1), _three(out, 1),
    )  # fmt: skip
    _write(k, shape, turned)


def _write(k: Kernel, shape: _Shape, weight: np.ndarray[Any, Any]) -> None:
    times = " x ".join(str(one) for one in weight.shape[2:])
    groups = f", {shape.groups} groups" if shape.groups > 1 else ""
    k.title = f"{times} {k.node.op}, {shape.channels} -> {shape.outputs} channels{groups}: {k.needs(0).shape[2:]} -> {k.result().shape[2:]}"
    if shape.kernel == [1, 1, 1] and shape.stride == [1, 1, 1] and not shape.copies:  # then the positions are one row
        shape.size = shape.out = [1, 1, math.prod(shape.out)]
    source = k.input(0, "x")
    if shape.batch > 1:
        k.open(loop("n", shape.batch))
        source = terms("x", ("n", shape.channels * math.prod(shape.size)))
    if shape.copies:
        _pad(k, shape, source)
        source = "s"
    if shape.outputs // shape.groups >= 8 or (shape.groups == 1 and shape.outputs > 2):
        _blocked(k, shape, weight, source)
    else:
        _direct(k, shape, weight, source)
    if shape.batch > 1:
        k.close()


def _pad(k: Kernel, shape: _Shape, source: str) -> None:
    """Copy the input into a larger one with zeros at the borders, and between the elements where it is spread."""
    (depth, height, width), (d, h, w) = shape.padded, shape.size
    total = shape.channels * math.prod(shape.padded)
    k.scratch(total, "s")
    k.add(f"memset(s, 0, {total} * sizeof(float));")
    steps = ("c", height * width * depth), ("e", shape.spread[0] * height * width * (d > 1)), ("i", shape.spread[1] * width)
    first = (shape.begin[0] * height + shape.begin[1]) * width + shape.begin[2]
    target = terms("s", *steps, first)
    origin = terms(source, ("c", d * h * w), ("e", h * w * (d > 1)), ("i", w))
    k.open(loop("c", shape.channels), *[loop("e", d)] * (d > 1), loop("i", h))
    if shape.spread[2] == 1:
        k.add(f"memcpy({target}, {origin}, {w} * sizeof(float));")
    else:
        k.add(f"float *const f = {target};", f"const float *const q = {origin};", loop("j", w), f"    f[j * {shape.spread[2]}] = q[j];")
    k.close()


def _terms(shape: _Shape, channels: int) -> tuple[list[str], str]:
    """The loops over the terms of a sum, and where a term's element lies."""
    _, height, width = shape.padded
    steps = [math.prod(shape.padded), shape.dilation[0] * height * width, shape.dilation[1] * width, shape.dilation[2]]
    live = [one for one in zip("cefg", [channels, *shape.kernel], steps, strict=True) if one[1] > 1]
    return [loop(name, size) for name, size, _ in live], terms(*((name, step) for name, _, step in live))


def _origin(shape: _Shape, source: str, last: tuple[str, int], *more: tuple[str, int]) -> str:
    """Where the window of the output ``d``, ``i`` and another position begins."""
    _, height, width = shape.padded
    rows = ("d", shape.stride[0] * height * width * (shape.out[0] > 1)), ("i", shape.stride[1] * width * (shape.out[1] > 1))
    return terms(source, *more, *rows, last)


def _blocked(k: Kernel, shape: _Shape, weight: np.ndarray[Any, Any], source: str) -> None:
    """16 output channels at a time, a few positions of a row at a time; small planes are one row, by a table."""
    out, groups = shape.out, shape.groups
    each, channels = shape.outputs // groups, shape.channels // groups
    flat = out[2] < 3 and out[2] < math.prod(out) <= 512
    length = math.prod(out) if flat else out[2]
    rows = tile(length)
    panel = Panel(rows, each)
    count = channels * math.prod(shape.kernel)
    k.table(panel.packed(weight.reshape(groups, each, count)), "w", k.needs(1).name)
    bias = k.constant(2)
    if bias is not None:
        k.table(panel.filled(bias.reshape(groups, each)), "b", k.needs(2).name)
    y, room = k.output(), -(-each // panel.width) * panel.width
    if flat:
        at = [math.prod((d, shape.stride[0], *shape.padded[1:])) for d in range(out[0])]
        at = [a + i * shape.stride[1] * shape.padded[2] + j * shape.stride[2] for a in at for i in range(out[1]) for j in range(out[2])]
        k.add(f"static const int at[{length}] = {{{', '.join(map(str, at))}}};")
    heads = [loop("h", groups)] * (groups > 1) + [loop("o", each, panel.width)]
    heads += [] if flat else [loop(name, size) for name, size in zip("di", out[:2], strict=True) if size > 1]
    k.open(*heads, loop("l", length, rows))
    k.add(f"const int j = {f'l + {rows} <= {length} ? l : {length - rows}' if length % rows else 'l'};")
    group = ("h", channels * math.prod(shape.padded) * (groups > 1))
    if flat:
        k.add(*(f"const float *const q{row} = {terms(source, group)} + at[j + {row}];" for row in range(rows)))
    else:
        k.add(f"const float *const q = {_origin(shape, source, ('j', shape.stride[2]), group)};")
    first = terms(("h", room * (groups > 1)), "o")
    k.add(f"const float *u = {terms('w', (first, count))};", *panel.start(terms("b", first) if bias is not None else None))
    loops, where = _terms(shape, channels)
    k.open(*loops)
    k.add(f"const int z = {where};")
    elements = [f"q{row}[z]" if flat else f"q[{terms('z', row * shape.stride[2])}]" for row in range(rows)]
    k.add(*panel.term(elements, "u"), f"u += {panel.width};")
    k.close()
    k.add(*panel.finish())
    guard = f" && o + m < {each}" if each % panel.width else ""
    k.open(f"for (int m = 0; m < {panel.width}{guard}; m++)", loop("p", rows))
    _store(k, shape, y, terms(("h", each * (groups > 1)), "o", "m"), "p + j" if flat else _plane(shape, "p + j"), "t[p][m]")
    k.close()
    k.close()


def _plane(shape: _Shape, last: str) -> str:
    """The position in the output of row ``d``, ``i`` and another index."""
    _, height, width = shape.out
    return terms(("d", height * width * (shape.out[0] > 1)), ("i", width * (height > 1)), last)


def _store(k: Kernel, shape: _Shape, y: str, channel: str, plane: str, value: str) -> None:
    k.add(f"const int r = {channel}, z = {plane};")
    groups = [([0], "n"), ([1], "r"), (list(range(2, len(k.result().shape))), "z")]
    area = math.prod(shape.out)
    place = terms(("n", shape.outputs * area * (shape.batch > 1)), ("r", area), "z")
    k.add(*k.store(value, f"{y}[{place}]", groups))


def _direct(k: Kernel, shape: _Shape, weight: np.ndarray[Any, Any], source: str) -> None:
    """One output row after the other, as depthwise convolutions want it."""
    out, groups = shape.out, shape.groups
    each, channels = shape.outputs // groups, shape.channels // groups
    k.table(weight, "w", k.needs(1).name)
    bias = k.constant(2)
    if bias is not None:
        k.table(bias, "b", k.needs(2).name)
    y = k.output()
    k.open(loop("o", shape.outputs), *(loop(name, size) for name, size in zip("di", out[:2], strict=True) if size > 1))
    group = ("o" if each == 1 else f"o / {each}", channels * math.prod(shape.padded) * (groups > 1))
    k.add(
        f"const float *u = w + o * {channels * math.prod(shape.kernel)};",
        f"const float *const q = {_origin(shape, source, ('', 0), group)};",
    )
    if out[2] <= _ROW:
        k.add(f"float t[{out[2]}];")
    else:
        k.scratch(out[2], "t")
    k.add(loop("j", out[2]), f"    t[j] = {'b[o]' if bias is not None else '0'};")
    loops, where = _terms(shape, channels)
    k.open(*loops)
    k.add(f"const float f0 = *u++, *const v = {terms('q', where if where != '0' else 0)};", loop("j", out[2]))
    k.add(f"    t[j] += f0 * v[{terms(('j', shape.stride[2]))}];")
    k.close()
    k.open(loop("j", out[2]))
    _store(k, shape, y, "o", _plane(shape, "j"), "t[j]")
    k.close()
    k.close()
