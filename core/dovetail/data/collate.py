"""Collation: a list of samples becomes a batch, by the type of its elements."""

from __future__ import annotations

import collections.abc
import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from ..dtypes import float64
from ..errors import ShapeError, TypeMismatch
from ..ops.create import as_tensor, tensor
from ..ops.join import stack
from ..plugins.manager import get_manager
from ..tensor import Tensor

__all__ = ["collate", "default_collate", "default_convert"]


def default_convert(data: Any) -> Any:
    """Turn NumPy arrays inside a sample into tensors, and leave the rest.

    >>> import numpy
    >>> default_convert([numpy.zeros(1), "a"])
    [tensor([0.], dtype=dovetail.float64), 'a']
    """
    if isinstance(data, Tensor | str | bytes):
        return data
    if isinstance(data, np.ndarray | np.bool_ | np.number | np.object_):
        return data if data.dtype.kind in "SUO" else as_tensor(data)
    if isinstance(data, collections.abc.Mapping):
        return _same_kind(data, {k: default_convert(data[k]) for k in data})
    if _is_namedtuple(data):
        return type(data)(*(default_convert(v) for v in data))
    if isinstance(data, tuple):
        return [default_convert(v) for v in data]
    if isinstance(data, collections.abc.Sequence):
        return _same_kind(data, [default_convert(v) for v in data])
    return data


def default_collate(batch: Any) -> Any:
    """Stack the samples of a batch: tensors and arrays along a new first dimension, numbers into tensors, dicts by key,
    tuples and lists by position, strings as they are, and what else plugins can collate.

    Raises a TypeError for an element type that it does not know and a RuntimeError for samples of unequal sizes.

    >>> default_collate([(1, "a"), (2, "b")])
    [tensor([1, 2]), ('a', 'b')]
    """
    return collate(batch)


def collate(batch: Any, *, collate_fn_map: dict[Any, Callable[..., Any]] | None = None) -> Any:
    """`default_collate` with rules for more types: ``collate_fn_map[type](batch, collate_fn_map=...)``."""
    first = batch[0]
    rule = _rule(first, collate_fn_map) or _rule(first, default_collate_fn_map)
    if rule is not None:
        return rule(batch, collate_fn_map=collate_fn_map)
    if isinstance(first, collections.abc.Mapping):
        return _same_kind(first, {k: collate([d[k] for d in batch], collate_fn_map=collate_fn_map) for k in first})
    if _is_namedtuple(first):
        return type(first)(*(collate(s, collate_fn_map=collate_fn_map) for s in zip(*batch, strict=False)))
    if isinstance(first, collections.abc.Sequence):
        return _sequence(batch, first, collate_fn_map)
    kind = type(first)
    made = get_manager().ask("collate", f"{kind.__module__}.{kind.__qualname__}", samples=batch)
    if made is None:
        raise _unknown(kind)
    return made


def _rule(first: Any, rules: dict[Any, Callable[..., Any]] | None) -> Callable[..., Any] | None:
    """The caller's rule for a type: that of the type itself before that of a class above it."""
    if not rules:
        return None
    return rules.get(type(first)) or next((function for kind, function in rules.items() if isinstance(first, kind)), None)


def _unknown(found: Any) -> TypeMismatch:
    what = f"batch must contain tensors, numpy arrays, numbers, dicts or lists; found {found}"
    return TypeMismatch("default_collate", what, "", "pass collate_fn to the DataLoader, or convert in a transform")


def _is_namedtuple(value: Any) -> bool:
    return isinstance(value, tuple) and hasattr(value, "_fields")


def _stack(batch: Any, *, collate_fn_map: Any = None) -> Any:
    first = batch[0]._a.shape
    for at, t in enumerate(batch):
        if isinstance(t, Tensor) and t._a.shape != first:
            what = f"stack expects each tensor to be equal size, but got {list(first)} at entry 0 and {list(t._a.shape)} at entry {at}"
            raise ShapeError("default_collate", what, "", "resize or pad the samples in a transform, or pass collate_fn")
    return stack(list(batch))


def _numpy(batch: Any, *, collate_fn_map: Any = None) -> Any:
    first = batch[0]
    if first.dtype.kind in "SUO":
        raise _unknown(first.dtype)
    if isinstance(first, np.ndarray):
        if first.ndim and all(type(b) is np.ndarray and b.dtype == first.dtype and b.shape == first.shape for b in batch):
            return as_tensor(np.concatenate(batch).reshape(len(batch), *first.shape))
        return _stack([as_tensor(b) for b in batch])
    return as_tensor(np.array(batch))


def _sequence(batch: Any, first: Any, rules: Any) -> Any:
    lengths = [len(s) for s in batch]
    if len(set(lengths)) > 1:
        what = "each element in list of batch should be of equal size"
        raise ShapeError("default_collate", what, f"got lengths {lengths}", "pass collate_fn to pad them")
    merged = [collate(s, collate_fn_map=rules) for s in zip(*batch, strict=False)]
    return merged if isinstance(first, tuple) else _same_kind(first, merged)


default_collate_fn_map: dict[Any, Callable[..., Any]] = {  # a program may add its own types
    Tensor: _stack,
    np.ndarray: _numpy,
    (np.bool_, np.number, np.object_): _numpy,
    float: lambda batch, *, collate_fn_map=None: tensor(batch, dtype=float64),
    int: lambda batch, *, collate_fn_map=None: tensor(batch),  # bool is an int
    **dict.fromkeys((str, bytes), lambda batch, *, collate_fn_map=None: batch),
}


def _same_kind(like: Any, values: Any) -> Any:
    """Values, a dict or a list, in the class of ``like``, with what else it carries where it can be changed."""
    if like.__class__ is list:
        return values
    try:
        if not isinstance(like, collections.abc.MutableMapping | collections.abc.MutableSequence):
            return type(like)(values)
        made = copy.copy(like)
        if isinstance(values, dict):
            made.update(values)
        else:
            for i, value in enumerate(values):
                made[i] = value
        return made
    except TypeError:
        return values
