"""What a value from a PyTorch file may be, and how much of it: kinds, depth, keys, attributes."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any

from ..autograd.node import CLASSES
from ..device import Device
from ..dtypes import dtype
from ..ops.memory import layout
from ..size import Size

__all__ = ["DICTS", "GROUPS", "Builder", "check_value", "key_of", "set_state"]

DEPTH, UNFOLDED = 500, 100_000_000  # how deep a value may be nested, and how many values it may stand for where it repeats itself
_SCALARS = {type(None), bool, int, float, complex, str, bytes, bytearray, dtype, Device, layout}
_KEY_PARTS = 100
DICTS, GROUPS = {dict, OrderedDict, Counter}, {list, tuple, set, frozenset, Size}


class Builder:
    """What a global of the list stands for: a function of ours that makes a value of checked arguments."""

    __slots__ = ("call", "name")

    def __init__(self, name: str, call: Callable[..., Any]) -> None:
        self.name, self.call = name, call


def key_of(value: Any) -> Any:
    """The value, if it can be hashed at a bounded cost. A tuple of tuples of tuples can stand for more values than any machine visits."""
    waiting, parts = [value], 0
    while waiting:
        v = waiting.pop()
        parts += 1
        if v.__class__ in (tuple, frozenset, Size):
            if parts + len(waiting) + len(v) > _KEY_PARTS:
                raise ValueError(f"a key holds more than {_KEY_PARTS} values")
            waiting += v
        elif v.__class__ not in _SCALARS and v.__class__ not in CLASSES:
            raise TypeError(f"a key holds a {type(v).__name__}")
    return value


def check_value(value: Any) -> None:
    """Raise a ValueError for a value that holds what is no value, is nested too deep, or unfolds to too many."""
    seen: dict[int, tuple[int, int]] = {}  # of each container: how deep it is, and how many values it stands for
    path, open_ones = [(value, False)], 0
    while path:
        v, done = path.pop()
        inside = _inside(v)
        if inside is None:
            continue
        if done:
            known = [seen[id(x)] for x in inside if id(x) in seen]
            depth, count = 1 + max((d for d, _ in known), default=0), 1 + len(inside) + sum(c for _, c in known)
            seen[id(v)], open_ones = (depth, count), open_ones - 1
        elif id(v) not in seen:
            seen[id(v)] = 0, 0  # what leads back to itself is not followed twice
            path.append((v, True))
            path += [(x, False) for x in inside if x.__class__ not in _SCALARS]
            open_ones += 1
            depth, count = open_ones, 0
        else:
            continue
        if depth > DEPTH or count > UNFOLDED:
            raise ValueError(f"values are nested deeper than {DEPTH} or stand for more than {UNFOLDED}")


def _inside(v: Any) -> list[Any] | None:
    kind = v.__class__
    if kind in _SCALARS:
        return None
    if kind in CLASSES:
        return list(v.__dict__.values())
    if kind in DICTS:
        return [*v, *v.values(), *getattr(v, "__dict__", {}).values()]
    if kind in GROUPS:
        return list(v)
    raise ValueError(f"the value holds {v.name!r} itself" if kind is Builder else f"the value holds a bare {kind.__name__.lower()}")


def set_state(target: Any, state: Any) -> Any:
    """Give a value the attributes that PyTorch saved with it; none may hide what its class has."""
    if state.__class__ is tuple and state[1:] == (None,):  # the attributes, and those of slots
        state = state[0]
    if state.__class__ is not dict:
        raise ValueError(f"its state is a {type(state).__name__}")
    for name, value in state.items():
        if name.__class__ is not str or not name.isidentifier() or hasattr(type(target), name):
            raise ValueError(f"an attribute may not be called {str(name)[:50]!r}")
        target.__dict__[name] = value
    return target
