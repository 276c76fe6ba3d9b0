"""What ops that answer with indices do behind the scenes: pick along a dimension, and put back."""

from __future__ import annotations

from typing import Any

from ._reducing import unreduce
from .gather import gather, gather_grad

__all__ = ["pick", "place", "place_reduced"]


def pick(input: Any, indices: Any, dim: int) -> Any:
    """``out[i, j] = input[indices[i, j], j]`` for dim 0; the other dimensions of `indices` are those of `input`."""
    return gather(input, dim, indices)


def place(input: Any, indices: Any, dim: int, shape: Any, adding: bool = False) -> Any:
    """Zeros of a shape with `input` put at `indices` along `dim`; `adding` where an index may come twice."""
    return gather_grad(input, shape, dim, indices, not adding)


def place_reduced(g: Any, indices: Any, dim: int, keepdim: bool, shape: tuple[int, ...]) -> Any:
    """The gradient of picking one element along `dim`."""
    return place(unreduce(g, shape, dim, keepdim), unreduce(indices, shape, dim, keepdim), dim, shape)
