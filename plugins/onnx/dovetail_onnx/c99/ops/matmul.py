"""Matrix products: by packed weights where the right side is the same in every run, of two computed matrices otherwise."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..kernel import Kernel, strides_of
from ..text import literal, loop, terms
from .panel import Panel, tile
from .table import generator

__all__: list[str] = []


@generator("MatMul")
def matmul(k: Kernel) -> None:
    for at in (0, 1):
        if k.needs(at).dtype != "float32":
            raise k.refuse(f"a product of {k.needs(at).dtype}")
    right = k.needs(1).array
    if right is not None and right.ndim == 2:
        _weights(k, right)
    else:
        _batched(k)


def _weights(k: Kernel, right: np.ndarray[Any, Any]) -> None:
    inner, outputs = right.shape
    count = k.needs(0).size // inner
    rows = tile(count)
    panel = Panel(rows, outputs)
    k.title = f"({count}, {inner}) by weights ({inner}, {outputs})"
    k.input(0, "x")
    k.table(panel.packed(right.T), "w", k.needs(1).name)
    y = k.output()
    k.open(loop("o", outputs, panel.width), loop("l", count, rows))
    k.add(f"const int i = {f'l + {rows} <= {count} ? l : {count - rows}' if count % rows else 'l'};")
    k.add(f"const float *const q = x + i * {inner}, *u = w + o * {inner};", *panel.start(None))
    k.open(loop("c", inner))
    k.add(*panel.term([f"q[{terms('c', row * inner)}]" for row in range(rows)], "u"), f"u += {panel.width};")
    k.close()
    k.add(*panel.finish())
    guard = f" && o + m < {outputs}" if outputs % panel.width else ""
    k.open(loop("p", rows), f"for (int m = 0; m < {panel.width}{guard}; m++)")
    k.add("const int r = i + p, z = o + m;")
    rank = len(k.result().shape)
    k.add(*k.store("t[p][m]", f"{y}[r * {outputs} + z]", [(list(range(rank - 1)), "r"), ([rank - 1], "z")]))
    k.close()
    k.close()


@generator("Gemm")
def gemm(k: Kernel) -> None:
    """Where it is no product with weights; those are written as MatMul."""
    a, c, y = k.needs(0), k.value(2), k.result()
    m, n = y.shape
    turned_a, turned_b = k.attr("transA", 0), k.attr("transB", 0)
    inner = a.shape[0] if turned_a else a.shape[1]
    k.title = f"({m}, {inner}) by ({inner}, {n})"
    k.input(0, "x")
    k.input(1, "w")
    alpha, beta = (k.attr(name, 1.0) for name in ("alpha", "beta"))
    added = ""
    if c is not None and beta:
        row, column = strides_of(c.shape, y.shape)
        added = f" + {literal(beta, 'float32')} * {k.input(2, 'b')}[{terms(('i', row), ('j', column))}]"
    k.output()
    k.open(loop("i", m), loop("j", n))
    left = f"x[c * {m} + i]" if turned_a else f"x[i * {inner} + c]"
    right = f"w[j * {inner} + c]" if turned_b else f"w[c * {n} + j]"
    k.add("float t = 0;", loop("c", inner), f"    t += {left} * {right};")
    k.add(f"y[i * {n} + j] = {literal(alpha, 'float32')} * t{added};")
    k.close()


def _batched(k: Kernel) -> None:
    """Rows of the result are sums of rows of the right side."""
    a, b = list(k.needs(0).shape), list(k.needs(1).shape)
    lead = list(k.result().shape)[: len(k.result().shape) - (len(a) > 1) - (len(b) > 1)]
    a, b = [1, *a] if len(a) == 1 else a, [*b, 1] if len(b) == 1 else b
    m, inner, n = a[-2], a[-1], b[-1]
    k.title = f"{math.prod(lead)} times ({m}, {inner}) by ({inner}, {n})"
    k.input(0, "x")
    k.input(1, "w")
    k.output()
    live = [(f"h{at}", size, at) for at, size in enumerate(lead) if size > 1]
    k.open(*(loop(name, size) for name, size, _ in live))
    for pointer, origin, one in (("p", "x", a), ("q", "w", b)):
        steps = strides_of([*one[:-2], 1, 1], [*lead, 1, 1])
        place = terms(origin, *((name, steps[at] * math.prod(one[-2:])) for name, _, at in live))
        k.add(f"const float *const {pointer} = {place};")
    k.add(f"float *const z = {terms('y', *((name, math.prod(lead[at + 1 :]) * m * n) for name, _, at in live))};")
    k.open(loop("i", m))
    k.add(f"float *const t = z + i * {n};", loop("j", n), "    t[j] = 0;")
    k.open(loop("c", inner))
    k.add(f"const float f0 = p[i * {inner} + c];", loop("j", n), f"    t[j] += f0 * q[c * {n} + j];")
    k.close()
    k.close()
    k.close()


@generator("Einsum")
def einsum(k: Kernel) -> None:
    """One loop for each letter, those that are summed inside."""
    equation = str(k.attr("equation")).replace(" ", "")
    left, arrow, out = equation.partition("->")
    parts = left.split(",")
    if not arrow or "." in equation or any(len(set(part)) < len(part) for part in (*parts, out)) or k.result().dtype != "float32":
        raise k.refuse(f"the equation {equation!r}")
    sizes = {letter: size for at, part in enumerate(parts) for letter, size in zip(part, k.needs(at).shape, strict=True)}
    names = {letter: f"i{at}" for at, letter in enumerate(sizes)}
    k.title = f"{', '.join(str(k.needs(at).shape) for at in range(len(parts)))} -> {k.result().shape}"
    factors = []
    for at, part in enumerate(parts):
        steps = strides_of(k.needs(at).shape, k.needs(at).shape)
        factors.append(f"{k.input(at, f'x{at}')}[{terms(*((names[letter], step) for letter, step in zip(part, steps, strict=True)))}]")
    k.output()
    k.open(*(loop(names[letter], sizes[letter]) for letter in out))
    k.add("float v = 0;", *(loop(names[letter], size) for letter, size in sizes.items() if letter not in out))
    k.add(f"    v += {' * '.join(factors)};")
    goal = strides_of(k.result().shape, k.result().shape)
    k.add(f"y[{terms(*((names[letter], step) for letter, step in zip(out, goal, strict=True)))}] = v;")
    k.close()
