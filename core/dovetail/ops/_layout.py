"""How results lie in memory, by PyTorch's rules: afresh, or as the original where all its elements have places of their own."""

from __future__ import annotations

from typing import Any

from ..device import xp

__all__ = ["afresh", "converted", "copied", "like", "order_of"]


def afresh(a: Any, channels_last: bool) -> Any:
    """The array in the order of its dimensions: itself, or a copy; itself too in channels-last order where that is kept."""
    if a.flags.c_contiguous or (channels_last and a.ndim > 3 and xp(a).moveaxis(a, 1, -1).flags.c_contiguous):
        return a
    return xp(a).ascontiguousarray(a)


def order_of(a: Any) -> list[int]:
    """The dimensions in the order of a copy's memory, the outermost first: by strides, and as they come where one is 0.

    PyTorch's own sort (`infer_dense_strides`): it swaps where NumPy's moves, which shows among several strides of 0.
    """
    order, steps = list(range(a.ndim))[::-1], [abs(s) for s in a.strides]
    for i in range(1, a.ndim):
        at = i
        for k in reversed(range(i)):
            near, far = order[k], order[at]
            if not steps[near] or not steps[far]:
                continue
            if steps[near] < steps[far]:
                break
            if steps[near] > steps[far] or a.shape[near] > a.shape[far]:
                order[k], order[at], at = far, near, k
    return order[::-1]


def like(a: Any, kind: Any) -> Any:
    """An array for what has the shape of another one and lies as its copy does."""
    if 0 not in a.strides:
        return xp(a).empty_like(a, dtype=kind)
    order = order_of(a)
    return xp(a).empty([a.shape[d] for d in order], kind).transpose(sorted(range(a.ndim), key=order.__getitem__))


def copied(a: Any) -> Any:
    """A copy of the array."""
    return converted(a, a.dtype) if 0 in a.strides else a.copy(order="K")


def converted(a: Any, kind: Any) -> Any:
    """A copy of the array in a NumPy element type."""
    if 0 not in a.strides:
        return a.astype(kind)
    out = like(a, kind)
    out[...] = a
    return out
