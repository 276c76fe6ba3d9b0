"""What a call hands over: which of its parts a recorded run holds for, and structures with tensors taken out and put back."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any

from dovetail.graph.raw import CLASSES, Leaf
from dovetail.nn import Module

from .watch import PLAIN, TENSORS, Refused

__all__ = ["Result", "filled", "look", "template"]


def look(x: Any, key: list[Any], tensors: list[Any]) -> None:
    """What a program depends on in an argument; the tensors in it, in order."""
    kind = x.__class__
    if kind in TENSORS:
        a, n = x._a, x._n
        key.append((kind, a.__class__, a.shape, a.dtype, a.strides, n if n is None else n.__class__ is Leaf))
        for i, t in enumerate(tensors):
            if t._v is x._v:
                key.append((i, t is x))
        tensors.append(x)
    elif kind in PLAIN:
        key.append((kind, x) if kind is not float else (kind, x, math.copysign(1.0, x)))
    elif kind is tuple or kind is list or (isinstance(x, tuple) and hasattr(x, "_fields")):
        key.append((kind, len(x)))
        for v in x:
            look(v, key, tensors)
    elif kind is dict:
        key.append((kind, *x))
        for v in x.values():
            look(v, key, tensors)
    elif isinstance(x, Module):
        key.append(x)
    elif kind is slice:
        key.append(kind)
        look((x.start, x.stop, x.step), key, tensors)
    elif kind not in CLASSES and isinstance(x, tuple):
        key.append((kind, x))
    else:
        raise Refused(f"an argument is a {kind.__name__}")


class Result:
    """Stands for a tensor in the structure that a function returns."""

    def __init__(self, at: int) -> None:
        self.at = at


def template(x: Any, see: Callable[[Any], Any], others: tuple[Any, ...] = ()) -> Any:
    """The same structure with `see` applied to its tensors; what cannot be built again is refused."""
    kind = x.__class__
    if kind in CLASSES:
        return see(x)
    if kind in PLAIN or kind is slice or isinstance(x, others):
        return x
    if isinstance(x, tuple) and hasattr(x, "_fields"):
        return kind(*(template(v, see, others) for v in x))
    if kind is tuple or kind is list:
        return kind(template(v, see, others) for v in x)
    if isinstance(x, tuple):
        return x
    if kind is dict:
        return {k: template(v, see, others) for k, v in x.items()}
    if is_dataclass(x) and not isinstance(x, type):
        return replace(x, **{f.name: template(getattr(x, f.name), see, others) for f in fields(x) if f.init})
    raise Refused(f"it returns a {kind.__name__}")


def filled(x: Any, values: list[Any]) -> Any:
    """The structure of a template with the values in place."""
    if x.__class__ is Result:
        return values[x.at]
    if isinstance(x, tuple) and hasattr(x, "_fields"):
        return x.__class__(*(filled(v, values) for v in x))
    if x.__class__ is tuple or x.__class__ is list:
        return x.__class__([filled(v, values) for v in x])
    if x.__class__ is dict:
        return {k: filled(v, values) for k, v in x.items()}
    if is_dataclass(x) and not isinstance(x, type):
        return replace(x, **{f.name: filled(getattr(x, f.name), values) for f in fields(x) if f.init})
    return x
