"""Samples as trees: lists, tuples and dicts, nested, with everything else as leaves."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["flatten"]


def flatten(tree: Any) -> tuple[list[Any], Callable[[list[Any]], Any]]:
    """The leaves, depth first, and the function that puts others in their places.

    >>> leaves, rebuild = flatten({"image": 1, "rest": [2, (3,)]})
    >>> leaves, rebuild([4, 5, 6])
    ([1, 2, 3], {'image': 4, 'rest': [5, (6,)]})
    """
    leaves: list[Any] = []
    build = _walk(tree, leaves)
    return leaves, lambda others: build(iter(others))


def _walk(tree: Any, leaves: list[Any]) -> Callable[[Iterator[Any]], Any]:
    kind = type(tree)
    if kind in (list, tuple) or (isinstance(tree, tuple) and hasattr(tree, "_fields")):
        parts = [_walk(item, leaves) for item in tree]
        make = kind if kind in (list, tuple) else lambda items: kind(*items)
        return lambda others: make([part(others) for part in parts])
    if kind in (dict, OrderedDict, defaultdict):
        pairs = [(key, _walk(item, leaves)) for key, item in tree.items()]
        start = (tree.default_factory,) if kind is defaultdict else ()
        return lambda others: kind(*start, [(key, part(others)) for key, part in pairs])
    leaves.append(tree)
    return next
