"""Resizing: along each axis a result is a weighted sum of a few elements, as the importer's operator has them in its matrix."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...importer.ops.resize import axis_matrices
from ..kernel import Kernel
from ..text import loop, terms
from .table import generator

__all__: list[str] = []


@generator("Resize")
def resize(k: Kernel) -> None:
    x = k.needs(0)
    arrays = [k.constant(at) for at in (1, 2, 3)]
    if x.dtype != "float32" or k.attr("coordinate_transformation_mode") == "tf_crop_and_resize":
        raise k.refuse(f"Resize of {x.dtype}, or of a region")
    steps = axis_matrices(list(x.shape), arrays[1], arrays[2], k.node.attrs)
    k.title = f"Resize ({k.attr('mode', 'nearest')}): {x.shape} -> {k.result().shape}"
    source, shape = k.input(0, "x"), list(x.shape)
    y = k.output()
    if not steps:
        k.add(f"memcpy({y}, x, {x.size} * sizeof(float));")
    for number, (dim, matrix) in enumerate(steps):
        last = number == len(steps) - 1
        inner, outer = math.prod(shape[dim + 1 :]), math.prod(shape[:dim])
        target = y if last else k.scratch(outer * len(matrix) * inner, f"s{number}")
        _along(k, source, target, outer, matrix, inner, number)
        shape[dim], source = len(matrix), target


def _along(k: Kernel, source: str, target: str, outer: int, matrix: np.ndarray[Any, Any], inner: int, number: int) -> None:
    out, size = matrix.shape
    taps = max(int((matrix != 0).sum(1).max()), 1)
    places = np.argsort(matrix == 0, axis=1, kind="stable")[:, :taps]
    weights = np.take_along_axis(matrix, places, 1).astype("f4")
    at = k.table(places.astype(np.int32), f"at{number}", "places")
    one = taps == 1 and bool((weights == 1).all())
    w = "" if one else k.table(weights, f"w{number}", "weights")
    k.open(loop("o", outer), loop("i", out), loop("j", inner))
    k.add(f"const float *const p = {source} + o * {size * inner} + j;", "float v = 0;")
    element = f"p[{at}[{terms(('i', taps), 'e' if taps > 1 else 0)}] * {inner}]"
    if taps > 1:
        k.add(loop("e", taps), f"    v += {w}[i * {taps} + e] * {element};")
    else:
        k.add(f"v = {element};" if one else f"v = {w}[i] * {element};")
    k.add(f"{target}[(o * {out} + i) * {inner} + j] = v;")
    k.close()
