"""The inner loop of products and convolutions: a few positions times 16 outputs, summed in registers.

Weights are packed so that the 16 weights of one term lie side by side; a compiler with vectors of any width keeps the sums in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["BLOCK", "Panel", "tile"]

BLOCK = 16


def tile(positions: int, most: int = 6) -> int:
    """How many positions are computed at a time: the size with the least work, of which each term costs one load of weights.

    >>> tile(64), tile(16), tile(2)
    (6, 4, 2)
    """
    if positions <= most:
        return positions
    return min(range(most, 2, -1), key=lambda size: -(-positions // size) * (size + 1))


class Panel:
    """A tile of ``rows`` positions times ``width`` outputs."""

    def __init__(self, rows: int, outputs: int) -> None:
        self.rows = rows
        self.blocks = next((count for count in (4, 2) if rows * count <= 4 and outputs >= count * BLOCK), 1)
        self.width = self.blocks * BLOCK

    def packed(self, weight: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """(..., outputs, terms) as (..., panels, terms, width), the last panel filled up with zeros."""
        *lead, outputs, terms = weight.shape
        panels = -(-outputs // self.width)
        whole = np.zeros((*lead, panels * self.width, terms), np.float32)
        whole[..., :outputs, :] = weight
        return np.ascontiguousarray(np.moveaxis(whole.reshape(*lead, panels, self.width, terms), -2, -1))

    def filled(self, bias: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """(..., outputs) filled up in the same way."""
        return self.packed(bias[..., None]).reshape(*bias.shape[:-1], -1)

    def _sums(self) -> list[tuple[str, int, int]]:
        return [
            (f"a{row}" if self.blocks == 1 else f"a{row}{'abcd'[at]}", row, at) for row in range(self.rows) for at in range(self.blocks)
        ]

    def start(self, bias: str | None) -> list[str]:
        """Declare the sums, beginning at the bias (a pointer) or at 0."""
        sums = self._sums()
        lines = [f"block {', '.join(name for name, _, _ in sums)};"]
        for name, _, at in sums:
            lines.append(f"LOAD({name}, {bias}{f' + {at * BLOCK}' if at else ''});" if bias else f"ZERO({name});")
        return lines

    def term(self, elements: Sequence[str], weights: str) -> list[str]:
        """Add one term: the element of each position times the weights at a pointer."""
        keys = ["k"] if self.blocks == 1 else [f"k{'abcd'[at]}" for at in range(self.blocks)]
        lines = [f"block {', '.join(keys)};"]
        lines += [f"LOAD({key}, {weights}{f' + {at * BLOCK}' if at else ''});" for at, key in enumerate(keys)]
        return lines + [f"MAC({name}, {elements[row]}, {keys[at]});" for name, row, at in self._sums()]

    def finish(self) -> list[str]:
        """Put the sums into ``t[rows][width]``."""
        return [f"float t[{self.rows}][{self.width}];"] + [
            f"STORE(t[{row}]{f' + {at * BLOCK}' if at else ''}, {name});" for name, row, at in self._sums()
        ]
