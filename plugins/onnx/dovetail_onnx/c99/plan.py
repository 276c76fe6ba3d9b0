"""Where each value lies in the static memory: values that are never needed at the same time share it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Block", "arrange"]

_STEP = 16  # elements; blocks begin at multiples of it


@dataclass
class Block:
    """A piece of memory that is needed from one node to another."""

    key: str
    size: int
    first: int
    last: int
    offset: int = 0


def arrange(blocks: list[Block]) -> int:
    """Give every block its offset, the largest first, each at the lowest place that is free as long as it lives; the total is returned.

    >>> blocks = [Block("a", 32, 0, 1), Block("b", 16, 1, 2), Block("c", 32, 2, 3)]
    >>> arrange(blocks), [block.offset for block in blocks]
    (48, [0, 32, 0])
    """
    placed: list[Block] = []
    for block in sorted(blocks, key=lambda one: (-one.size, one.first)):
        block.offset = 0
        for other in sorted((one for one in placed if _meet(one, block)), key=lambda one: one.offset):
            if block.offset + block.size <= other.offset:
                break
            block.offset = max(block.offset, _up(other.offset + other.size))
        placed.append(block)
    return max((block.offset + block.size for block in blocks), default=0)


def _meet(one: Block, other: Block) -> bool:
    return one.first <= other.last and other.first <= one.last


def _up(size: int) -> int:
    return -(-size // _STEP) * _STEP
