"""What lowerings of several families share."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import dovetail as dv
from dovetail.errors import UnsupportedError

from ..exporter.sizes import FreeSize

__all__ = ["END", "arange", "axes_of", "flat", "plain", "product", "reduce", "refuse", "transposed"]

END = 2**63 - 1  # a slice that goes to the end


def plain(op: str) -> Callable[..., Any]:
    """The lowering of an op that ONNX has under another name and with the same inputs."""

    def lowering(g: Any, **inputs: Any) -> Any:
        return g.node(op, *inputs.values())

    lowering.__name__ = lowering.__qualname__ = op
    return lowering


def axes_of(dim: Any, ndim: int) -> list[int]:
    """The dimensions that ``dim`` means, none negative; all of them for None and ()."""
    if dim is None or dim == ():
        return list(range(ndim))
    return [int(d) % max(ndim, 1) for d in (dim if isinstance(dim, tuple | list) else (dim,))]


def reduce(g: Any, op: str, x: Any, dim: Any, keepdim: bool) -> Any:
    """``ReduceSum`` and its like, whose axes became an input at opset 18 (that of the sum before)."""
    if not x.ndim:
        return x
    axes = axes_of(dim, x.ndim)
    if op == "ReduceSum" or g.opset >= 18:
        return g.node(op, x, axes, keepdims=int(keepdim))
    return g.node(op, x, axes=axes, keepdims=int(keepdim))


def product(sizes: Sequence[Any]) -> Any:
    """The product of numbers and sizes."""
    return math.prod(s for s in sizes if not isinstance(s, FreeSize)) * math.prod(s for s in sizes if isinstance(s, FreeSize))


def transposed(g: Any, x: Any, ndim: int) -> Any:
    """The last two dimensions exchanged."""
    return g.Transpose(x, perm=[*range(ndim - 2), ndim - 1, ndim - 2])


def flat(g: Any, x: Any) -> Any:
    """All elements in one dimension."""
    return g.Reshape(x, [-1])


def arange(g: Any, count: Any) -> Any:
    """0, 1, … as int64: a constant, or made by the graph."""
    if isinstance(count, FreeSize):
        return g.Range(g.const(0, dv.int64), g.scalar(count), g.const(1, dv.int64))
    import numpy as np

    return g.const(np.arange(int(count)))


def refuse(g: Any, what: str, remedy: str = "") -> UnsupportedError:
    """The error of a lowering that cannot say a call in ONNX."""
    call = g.call
    where = f"export: {call.op} in {call.module}" if call.module else f"export: {call.op}"
    return UnsupportedError(where, what, "", remedy)
