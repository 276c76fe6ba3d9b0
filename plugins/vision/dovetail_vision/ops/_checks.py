"""Checks and small steps that several of the ops share."""

from __future__ import annotations

from collections.abc import Sequence

from dovetail import Tensor, float32, float64, int32, int64
from dovetail.errors import ValueRangeError

__all__ = ["check_chance", "pair", "reduced", "upcast"]


def pair(value: int | Sequence[int]) -> tuple[int, int]:
    """Height and width, of one number or two."""
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def check_chance(where: str, p: float) -> None:
    """A ValueError for a probability outside 0 to 1."""
    if p < 0.0 or p > 1.0:
        raise ValueRangeError(where, f"p is {p}", "expected 0 to 1")


def upcast(boxes: Tensor) -> Tensor:
    """At least float32, or int32, so that products of coordinates do not overflow."""
    if boxes.is_floating_point():
        return boxes if boxes.dtype in (float32, float64) else boxes.float()
    return boxes if boxes.dtype in (int32, int64) else boxes.int()


def reduced(where: str, loss: Tensor, reduction: str) -> Tensor:
    """The loss itself ("none"), its mean or its sum."""
    if reduction not in ("none", "mean", "sum"):
        raise ValueRangeError(where, f"reduction is {reduction!r}", 'expected "none", "mean" or "sum"')
    return loss if reduction == "none" else loss.mean() if reduction == "mean" else loss.sum()
