"""Rows chosen by indices that are computed or given; one out of range makes the function fail, and nothing outside is read."""

from __future__ import annotations

import math

from ..kernel import Kernel
from ..text import loop
from .move import move
from .table import generator

__all__: list[str] = []


@generator("Gather")
def gather(k: Kernel) -> None:
    x, index = k.needs(0), k.needs(1)
    if index.array is not None and x.array is None:
        move(k)
        return
    axis = k.attr("axis", 0) % len(x.shape)
    size, inner, outer = x.shape[axis], math.prod(x.shape[axis + 1 :]), math.prod(x.shape[:axis])
    k.title, k.fails = f"{index.size} of {size} rows of {inner}", True
    k.input(0, "x")
    k.input(1, "at")
    k.output()
    k.add("int failed = 0;")
    k.open(loop("o", outer), loop("i", index.size))
    k.add(f"int64_t r = at[i] < 0 ? at[i] + {size} : at[i];")
    k.open(f"if (r < 0 || r >= {size})")
    k.add("failed = 1;", "r = 0;")
    k.close()
    source = f"x + ({f'o * {size} + r' if outer > 1 else 'r'}) * {inner}"
    k.add(f"memcpy(y + (o * {index.size} + i) * {inner}, {source}, {inner} * sizeof({x.ctype}));")
    k.close()
    k.add("return failed;")
