"""Images read at the places of a grid: the reference is some sixty ops on whole arrays, forward and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from dovetail.extend import Array, Kernel, op

from . import _native

__all__ = ["grid_grad", "grid_sampler", "input_grad"]


_OUTSIDE = ("zeros", "border", "reflection")  # as in sampler.h


@op(name="cpu/grid_sampler_input_grad", dtypes="same")
def input_grad(grad: Array, input: Array, grid: Array, how: tuple[bool, int, bool]) -> Array:
    """The gradient of `grid_sample` by the input."""
    return _native.grid_sampler_grad(*map(np.ascontiguousarray, (grad, input, grid)), *how, False)


@op(name="cpu/grid_sampler_grid_grad", dtypes="same")
def grid_grad(grad: Array, input: Array, grid: Array, how: tuple[bool, int, bool]) -> Array:
    """The gradient of `grid_sample` by the grid."""
    return _native.grid_sampler_grad(*map(np.ascontiguousarray, (grad, input, grid)), *how, True)


def _how(mode: str, padding_mode: str, align_corners: bool) -> tuple[bool, int, bool]:
    return mode == "nearest", _OUTSIDE.index(padding_mode), align_corners


def _forward(input: Array, grid: Array, mode: str, padding_mode: str, align_corners: bool) -> Array:
    if mode == "bicubic":
        return NotImplemented
    return _native.grid_sampler(np.ascontiguousarray(input), np.ascontiguousarray(grid), *_how(mode, padding_mode, align_corners))


def _rule(g: Any, input: Any, grid: Any, mode: str, padding_mode: str, align_corners: bool, needs: tuple[bool, bool]) -> Any:
    how = _how(mode, padding_mode, align_corners)
    return [rule(g, input, grid, how) if need else None for rule, need in zip((input_grad, grid_grad), needs, strict=True)]


grid_sampler = Kernel(_forward, _rule)
