"""Bilinear reading by dovetail-cpu, where it is installed and has code for the call; else `_gather` serves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from dovetail import plugins

__all__ = ["affine", "elastic", "perspective", "read"]

#: Points (3, 3) or a grid (H, W, 2), and what is added: as `dovetail_cpu.warp` takes them.
Places = tuple[np.ndarray, tuple[float, float, float]]


@cache
def _kernel() -> Callable[..., Any] | None:
    """None where the plugin is not installed, not compiled or disabled."""
    if not any(plugin.name == "cpu" and plugin.usable for plugin in plugins.installed()):
        return None
    try:
        from dovetail_cpu import instruction_set, warp

        instruction_set()
    except ImportError:
        return None
    return warp


def affine(matrix: np.ndarray, size: Sequence[int], new_size: Sequence[int]) -> Places:
    """Places by a matrix ``(2, 3)`` that takes points of the result, from its middle, to points of the image."""
    scaled = matrix / np.array([[size[1] * 0.5], [size[0] * 0.5]], matrix.dtype)
    return np.concatenate([scaled, np.array([[0, 0, 1]], matrix.dtype)]), ((1 - new_size[1]) / 2, (1 - new_size[0]) / 2, 0.0)


def perspective(numbers: np.ndarray, size: Sequence[int]) -> Places:
    """Places by the eight numbers of a perspective, counted from the upper left corner."""
    scaled = numbers[:6].reshape(2, 3) / np.array([[size[1] * 0.5], [size[0] * 0.5]], numbers.dtype)
    return np.concatenate([scaled, np.array([[*numbers[6:], 1]], numbers.dtype)]), (0.5, 0.5, -1.0)


def elastic(x: np.ndarray, y: np.ndarray, displacement: np.ndarray) -> Places:
    """Places by the move ``(H, W, 2)`` of each pixel from ``(x, y)``, all in -1..1."""
    grid = np.empty(displacement.shape, displacement.dtype)
    np.add(displacement[..., 0], x, out=grid[..., 0])
    np.add(displacement[..., 1], y[:, None], out=grid[..., 1])
    return grid, (0.0, 0.0, 0.0)


def read(pixels: np.ndarray, places: Places, size: Sequence[int], fill: Sequence[float] | None, kind: Any) -> Any:
    """Images ``(..., H, W)`` at the places, bytes as bytes and others as ``kind``; NotImplemented where nothing native serves."""
    warp = _kernel()
    if warp is None:
        return NotImplemented
    whole = np.ascontiguousarray(pixels, kind).reshape(-1, *pixels.shape[-2:])
    colours = None if fill is None else np.resize(np.array(fill, kind), len(whole))
    found = warp(whole, places[0], np.array(places[1], kind), (size[0], size[1]), colours, pixels.dtype == np.uint8)
    return found if found is NotImplemented else found.reshape(*pixels.shape[:-2], *size)
