"""Normalisation and softmax; means and variances are taken in double."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..kernel import Kernel
from ..text import literal, loop, terms
from .table import generator

__all__: list[str] = []


@generator("BatchNormalization")
def batch_norm(k: Kernel) -> None:
    """Where it was not folded into a convolution: a factor and a summand for each channel."""
    scale, shift, mean, variance = (_array(k, at) for at in (1, 2, 3, 4))
    factor = scale / np.sqrt(variance + k.attr("epsilon", 1e-5))
    x = k.needs(0)
    channels, area = x.shape[1], math.prod(x.shape[2:])
    k.stem, k.title = "batch_norm", f"normalisation of {channels} channels of {area} elements"
    k.input(0, "x")
    k.table(factor.astype("f4"), "w", k.needs(1).name)
    k.table((shift - mean * factor).astype("f4"), "b", k.needs(2).name)
    y = k.output()
    k.open(loop("n", x.shape[0]), loop("r", channels), loop("z", area))
    k.add(f"const int i = (n * {channels} + r) * {area} + z;")
    k.add(*k.store("x[i] * w[r] + b[r]", f"{y}[i]", [([0], "n"), ([1], "r"), (list(range(2, len(x.shape))), "z")]))
    k.close()


def _array(k: Kernel, at: int) -> np.ndarray[Any, Any]:
    found = k.constant(at)
    if found is None or k.needs(0).shape[1:2] != found.shape:
        raise k.refuse("a normalisation without statistics for each channel")
    return found.astype(np.float64)


def _moments(k: Kernel, rows: int, size: int, centred: bool = True) -> None:
    """Begin a loop over rows ``r``, with a row's mean ``m`` and factor ``f0``."""
    epsilon = f"{float(k.attr('epsilon', 1e-5)):.9g}"
    k.open(loop("r", rows))
    k.add(f"const float *const p = x + r * {size};", f"float *const z = y + r * {size};")
    if centred:
        k.add("double d = 0;", loop("i", size), "    d += p[i];", f"const float m = (float)(d / {size});")
    part = "(p[i] - m)" if centred else "p[i]"
    k.add("double e = 0;", loop("i", size), f"    e += {part} * {part};", f"const float f0 = (float)(1 / sqrt(e / {size} + {epsilon}));")
    k.open(loop("i", size))


@generator("LayerNormalization", "RMSNormalization")
def layer_norm(k: Kernel) -> None:
    x, axis = k.needs(0), k.attr("axis", -1) % len(k.needs(0).shape)
    size, centred = math.prod(x.shape[axis:]), k.node.op == "LayerNormalization"
    if any(k.node.outputs[1:]):
        raise k.refuse("the statistics as results")
    if any(one is not None and one.size != size for one in (k.value(1), k.value(2))):
        raise k.refuse("a weight that is broadcast")
    k.stem, k.title = "layer_norm" if centred else "rms_norm", f"{k.node.op} over the last {size} elements"
    k.input(0, "x")
    scale = k.input(1, "w")
    shift = f" + {k.input(2, 'b')}[i]" if k.value(2) is not None else ""
    k.output()
    _moments(k, x.size // size, size, centred)
    k.add(f"z[i] = {'(p[i] - m)' if centred else 'p[i]'} * f0 * {scale}[i]{shift};")
    k.close()
    k.close()


@generator("InstanceNormalization", "GroupNormalization")
def group_norm(k: Kernel) -> None:
    x, channels = k.needs(0), k.needs(0).shape[1]
    groups, area = k.attr("num_groups", channels), math.prod(x.shape[2:])
    if k.needs(1).size != channels:
        raise k.refuse("weights for each group, as before opset 21")
    each = channels // groups
    k.stem, k.title = "group_norm", f"{k.node.op} of {groups} groups of {each * area} elements"
    k.input(0, "x")
    scale, shift = k.input(1, "w"), k.input(2, "b")
    k.output()
    _moments(k, x.shape[0] * groups, each * area)
    k.add(
        f"const int c = {terms((f'r % {groups}', each), f'i / {area}' if each > 1 else 0)};",
        f"z[i] = (p[i] - m) * f0 * {scale}[c] + {shift}[c];",
    )
    k.close()
    k.close()


@generator("Softmax", "LogSoftmax")
def softmax(k: Kernel) -> None:
    x = k.needs(0)
    axis = k.attr("axis", -1) % max(len(x.shape), 1)
    size, inner, outer = x.shape[axis], math.prod(x.shape[axis + 1 :]), math.prod(x.shape[:axis])
    k.title = f"{k.node.op} over {size} elements, {outer * inner} times"
    k.input(0, "x")
    k.output()
    k.open(loop("o", outer), *[loop("j", inner)] * (inner > 1))
    base, at, each = terms(("o", size * inner), ("j", int(inner > 1))), terms(("i", inner)), loop("i", size)
    k.add(f"const float *const p = x + {base};", f"float *const z = y + {base};", "float m = -INFINITY, d = 0;")
    k.add(each, f"    m = p[{at}] > m ? p[{at}] : m;")
    if k.node.op == "Softmax":
        k.open(each)
        k.add(f"z[{at}] = expf(p[{at}] - m);", f"d += z[{at}];")
        k.close()
        k.add(each, f"    z[{at}] /= d;")
    else:
        k.add(each, f"    d += expf(p[{at}] - m);", "d = logf(d);", each, f"    z[{at}] = p[{at}] - m - d;")
    k.close()


@generator("LRN")
def lrn(k: Kernel) -> None:
    x, size = k.needs(0), k.attr("size")
    channels, area = x.shape[1], math.prod(x.shape[2:])
    before, after = (size - 1) // 2, size - 1 - (size - 1) // 2
    alpha, beta, bias = k.attr("alpha", 1e-4) / size, k.attr("beta", 0.75), k.attr("bias", 1.0)
    k.title = f"response normalisation over {size} channels"
    k.input(0, "x")
    k.output()
    k.open(loop("n", x.shape[0]), loop("c", channels), loop("i", area))
    k.add("float d = 0;")
    k.open(f"for (int e = c - {before}; e <= c + {after}; e++)")
    k.add(f"const float f0 = e < 0 || e >= {channels} ? 0 : x[(n * {channels} + e) * {area} + i];", "d += f0 * f0;")
    k.close()
    at = f"(n * {channels} + c) * {area} + i"
    alpha, beta, bias = (literal(one, "float32") for one in (alpha, beta, bias))
    k.add(f"y[{at}] = x[{at}] / powf({bias} + {alpha} * d, {beta});")
    k.close()
