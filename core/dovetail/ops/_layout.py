"""How results lie in memory, by PyTorch's rules: afresh, or as the original where all its elements have places of their own."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from ..device import xp

__all__ = ["IMAGES", "afresh", "converted", "copied", "is_channels_last", "like", "order_of"]


IMAGES = {"images": (4,), "volumes": (4, 5)}  # of an op's results in channels-last order: their numbers of dimensions


def afresh(a: Any, how: Any, given: Any = ()) -> Any:
    """The array in the order of its dimensions: itself, or a copy; itself too in channels-last order where `how` keeps that.

    Of "images", (N, C, H, W), and "volumes", with a depth too, it is in that order where one of the first two operands `given` is.
    """
    m = xp(a)
    if how in IMAGES:
        turned = a.ndim in IMAGES[how] and any(map(is_channels_last, given[:2]))
        return m.moveaxis(m.ascontiguousarray(m.moveaxis(a, 1, -1)), -1, 1) if turned else a
    if a.flags.c_contiguous:
        return a
    parts = given[0] if given and given[0].__class__ is list else given[:1]  # joined, all of them must lie so
    kept = how is not True and a.ndim > 3 and m.moveaxis(a, 1, -1).flags.c_contiguous and all(map(is_channels_last, parts))
    return a if kept else m.ascontiguousarray(a)


def is_channels_last(a: Any) -> bool:
    """Whether the strides are those of channels last, with gaps or without (PyTorch's `suggest_memory_format`)."""
    if getattr(a, "ndim", 0) not in (4, 5) or a.flags.c_contiguous or not a.size:
        return False
    steps = [(a.strides[d], a.shape[d]) for d in (1, *range(a.ndim - 1, 1, -1), 0)]
    return all(near * n <= far for (near, n), (far, _) in pairwise(steps)) and a.strides[0] > a.strides[1] > 0


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
