"""Reductions over any axes."""

from __future__ import annotations

import math

from ..kernel import Kernel, collapse, strides_of
from ..text import loop, terms
from .table import generator

__all__: list[str] = []

#: Operator → start, step with the element ``e``, result; sums are taken in double.
_SUMS = {
    "ReduceSum": ("0", "v += e;", "v"), "ReduceMean": ("0", "v += e;", "v / {n}"), "ReduceProd": ("1", "v *= e;", "v"),
    "ReduceL1": ("0", "v += fabsf(e);", "v"), "ReduceL2": ("0", "v += (double)e * e;", "sqrt(v)"),
    "ReduceSumSquare": ("0", "v += (double)e * e;", "v"), "ReduceLogSum": ("0", "v += e;", "log(v)"),
    "ReduceMax": ("-INFINITY", "v = e > v || e != e ? e : v;", "v"), "ReduceMin": ("INFINITY", "v = e < v || e != e ? e : v;", "v"),
}  # fmt: skip
_WHOLE = {
    "ReduceSum": ("0", "v += e;", "v"), "ReduceProd": ("1", "v *= e;", "v"), "ReduceMax": ("INT64_MIN", "v = e > v ? e : v;", "v"),
    "ReduceMin": ("INT64_MAX", "v = e < v ? e : v;", "v"),
}  # fmt: skip


def _axes(k: Kernel) -> list[int]:
    rank = len(k.needs(0).shape)
    given = k.constant(1)
    axes = given.reshape(-1).tolist() if given is not None else k.attr("axes", [])
    if not axes and k.attr("noop_with_empty_axes", 0):
        return []
    return sorted({int(axis) % rank for axis in axes}) if axes else list(range(rank))


@generator(*_SUMS, "ReduceLogSumExp")
def reduction(k: Kernel) -> None:
    x, axes, op = k.needs(0), _axes(k), k.node.op
    whole = x.dtype != "float32"
    if op not in (_WHOLE if whole else {**_SUMS, "ReduceLogSumExp": ()}):
        raise k.refuse(f"{op} of {x.dtype}")
    own, rest = strides_of(x.shape, x.shape), [at for at in range(len(x.shape)) if at not in axes]
    kept, [outer] = collapse([x.shape[at] for at in rest], [[own[at] for at in rest]])
    gone, [inner] = collapse([x.shape[at] for at in axes], [[own[at] for at in axes]])
    k.title = f"{op} of {x.shape} over {axes}"
    k.input(0, "x")
    y = k.output()
    k.open(*(loop(name, size) for name, size in zip("ijklm", kept, strict=False)))
    k.add(f"const {x.ctype} *const p = {terms('x', *zip('ijklm', outer, strict=False))};")
    target = f"{y}[{terms(*((name, math.prod(kept[at + 1 :])) for at, name in enumerate('ijklm'[: len(kept)])))}]"
    element, loops = (
        f"p[{terms(*zip('abcde', inner, strict=False))}]",
        [loop(name, size) for name, size in zip("abcde", gone, strict=False)],
    )
    if op == "ReduceLogSumExp":
        k.add("float m = -INFINITY;", *loops, f"    m = {element} > m ? {element} : m;")
        k.add("if (m - m != 0)", "    m = 0; /* infinite */", "double v = 0;", *loops)
        k.add(f"    v += expf({element} - m);", f"{target} = m + (float)log(v);")
    else:
        start, step, result = (_WHOLE if whole else _SUMS)[op]
        k.add(f"{'int64_t' if whole else 'float' if op in ('ReduceMax', 'ReduceMin') else 'double'} v = {start};")
        k.open(*loops)
        k.add(f"const {x.ctype} e = {element};", step)
        k.close()
        k.add(f"{target} = ({k.result().ctype})({result.format(n=math.prod(gone))});")
    k.close()


def _line(k: Kernel, axis: int) -> tuple[int, int]:
    """Begin loops over all lines along an axis; the size of the axis and the distance of its elements are returned."""
    shape = k.needs(0).shape
    size, inner = shape[axis], math.prod(shape[axis + 1 :])
    k.title = f"{k.node.op} over {size} elements"
    k.input(0, "x")
    k.output()
    k.open(loop("o", math.prod(shape[:axis])), loop("j", inner))
    k.add(f"const {k.needs(0).ctype} *const p = x + o * {size * inner} + j;")
    return size, inner


@generator("ArgMax", "ArgMin")
def extreme(k: Kernel) -> None:
    sign = (">" if k.node.op == "ArgMax" else "<") + ("=" if k.attr("select_last_index", 0) else "")
    size, inner = _line(k, k.attr("axis", 0) % len(k.needs(0).shape))
    better = f"p[i * {inner}] {sign} p[m * {inner}]"
    if k.needs(0).dtype == "float32":  # the first that is no number is the greatest, and the least
        better = f"p[m * {inner}] == p[m * {inner}] && ({better} || p[i * {inner}] != p[i * {inner}])"
    k.add("int m = 0;", f"for (int i = 1; i < {size}; i++)", f"    m = {better} ? i : m;")
    k.add(f"y[o * {inner} + j] = m;")
    k.close()


@generator("CumSum")
def cumsum(k: Kernel) -> None:
    x, axes = k.needs(0), k.constant(1)
    if axes is None or k.attr("exclusive", 0) or k.attr("reverse", 0):
        raise k.refuse("exclusive or backward sums")
    size, inner = _line(k, int(axes.reshape(-1)[0]) % len(x.shape))
    k.add(f"{'double' if x.dtype == 'float32' else x.ctype} v = 0;")
    k.open(loop("i", size))
    k.add(f"v += p[i * {inner}];", f"y[(o * {size} + i) * {inner} + j] = ({x.ctype})v;")
    k.close()
    k.close()
