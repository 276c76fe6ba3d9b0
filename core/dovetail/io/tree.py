"""Nested values as JSON, with the tensors taken out: what stands in the metadata of a saved file.

JSON's own values stand for themselves; anything else is an object with the key "$" that names its kind from a closed
list. Data never names code: there is no kind that imports or calls anything.
"""

from __future__ import annotations

import base64
import math
from collections import OrderedDict, deque
from collections.abc import Callable
from importlib import import_module
from typing import Any

from ..autograd.node import CLASSES, Tensor
from ..device import Device
from ..dtypes import LATER, TYPES, dtype, dtype_named
from ..errors import DovetailError, TypeMismatch
from ..size import Size

__all__ = ["pack", "refuse_lazy", "unpack"]

_DEPTH = 200


def pack(value: Any, store: Callable[[Tensor, str], str], where: str = "", depth: int = 0) -> Any:
    """Return the JSON form of a value; `store` keeps a tensor and returns its name.

    Raises a TypeError that names the place of a value that cannot be saved.
    """
    if depth > _DEPTH:
        raise TypeMismatch("save", f"values are nested deeper than {_DEPTH} at {where or 'the top'}")
    kind = value.__class__
    if value is None or kind in (bool, int, str) or (kind is float and math.isfinite(value)):
        return value
    if kind in CLASSES:
        return _pack_tensor(value, store, where)

    def inner(v: Any, name: Any) -> Any:
        return pack(v, store, f"{where}.{name}" if where else str(name), depth + 1)

    if kind is list:
        return [inner(v, i) for i, v in enumerate(value)]
    if kind in _FORMS:
        return {"$": kind.__name__.lower(), "v": _FORMS[kind][0](value, inner)}
    if isinstance(value, dict):
        return _pack_dict(value, inner)
    if (kind.__module__, kind.__name__) == ("argparse", "Namespace"):  # a program's settings; the module takes long to import
        return {"$": "namespace", "v": {k: inner(v, k) for k, v in vars(value).items()}}
    if hasattr(value, "item") and hasattr(value, "dtype") and getattr(value, "ndim", 1) == 0:
        return pack(value.item(), store, where, depth)
    what = f"cannot save {where or 'the value'} of type {kind.__module__}.{kind.__qualname__}"
    expected = "expected tensors, numbers, strings, None, and lists, tuples, sets and dicts of them"
    raise TypeMismatch("save", what, expected, "save its state_dict(), or plain values")


def refuse_lazy(t: Tensor, where: str) -> None:
    """Raise a TypeError for a parameter that waits for its shape."""
    if hasattr(t, "materialize"):
        what = f"{where or 'the tensor'} has no shape yet"
        raise TypeMismatch("save", what, "expected the parameters of a lazy module to be initialized", "run one forward first")


def _pack_tensor(t: Tensor, store: Callable[[Tensor, str], str], where: str) -> Any:
    refuse_lazy(t, where)
    node: dict[str, Any] = {"$": "tensor", "v": store(t, where)}
    if t.__class__.__name__ == "Parameter":
        node["parameter"] = True
    if t._n is not None:  # with a history too: it becomes a leaf, as in PyTorch
        node["requires_grad"] = True
    return node


def _pack_dict(value: dict[Any, Any], inner: Callable[[Any, Any], Any]) -> Any:
    ordered = isinstance(value, OrderedDict)
    if not ordered and all(k.__class__ is str for k in value) and "$" not in value:
        return {k: inner(v, k) for k, v in value.items()}
    node: dict[str, Any] = {"$": "ordered" if ordered else "dict", "v": [[inner(k, "key"), inner(v, k)] for k, v in value.items()]}
    metadata = getattr(value, "_metadata", None)
    if metadata is not None:
        node["metadata"] = {str(k): {"version": m.get("version")} for k, m in metadata.items()}
    return node


def unpack(node: Any, fetch: Callable[[str, bool, bool], Any], depth: int = 0) -> Any:
    """Return the value of a JSON form; `fetch(name, parameter, requires_grad)` returns a tensor by its name.

    Raises a ValueError that says what is wrong with a form that `pack` does not make.
    """
    if depth > _DEPTH:
        raise ValueError(f"the tree of values is nested deeper than {_DEPTH}")

    def inner(v: Any) -> Any:
        return unpack(v, fetch, depth + 1)

    if node is None or isinstance(node, bool | int | float | str):
        return node
    if isinstance(node, list):
        return [inner(v) for v in node]
    if not isinstance(node, dict):
        raise ValueError(f"the tree of values holds {type(node).__name__}")
    if "$" not in node:
        return {k: inner(v) for k, v in node.items()}
    kind, v = node["$"], node.get("v")
    if kind == "tensor" and isinstance(v, str):
        return fetch(v, node.get("parameter") is True, node.get("requires_grad") is True)
    made = _KINDS.get(kind) if isinstance(kind, str) else None
    if made is None:
        raise ValueError(f"the tree of values has the unknown kind {kind!r}")
    try:
        return _with_metadata(made(v, inner), node.get("metadata"))
    except (TypeError, ArithmeticError, LookupError, AttributeError, DovetailError) as error:
        raise ValueError(f"the tree of values has a malformed {kind}: {error}") from None


def _with_metadata(value: Any, metadata: Any) -> Any:
    """The same value; a state dict with the versions of its modules, where the form has them."""
    if isinstance(value, OrderedDict) and isinstance(metadata, dict):
        value._metadata = OrderedDict((name, {"version": _version(m["version"])}) for name, m in metadata.items())
    return value


def _version(v: Any) -> int | None:
    if v is not None and v.__class__ is not int:
        raise ValueError(f"the tree of values holds the module version {v!r}")
    return v


def _items(values: Any, inner: Any) -> list[Any]:
    return [inner(v, i) for i, v in enumerate(values)]


def _dtype(v: Any, inner: Any) -> Any:
    if v not in TYPES and v not in LATER:
        raise ValueError(f"the tree of values names the unknown dtype {v!r}")
    return dtype_named(v)


# Of each class whose name is a kind: what makes a value JSON, and what makes it again. `inner` does the values inside.
_FORMS: dict[type, tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]] = {
    float: (lambda value, inner: repr(value), lambda v, inner: float(v)),
    complex: (lambda value, inner: [repr(value.real), repr(value.imag)], lambda v, inner: complex(float(v[0]), float(v[1]))),
    tuple: (_items, lambda v, inner: tuple(inner(x) for x in v)),
    set: (lambda value, inner: _items(sorted(value, key=repr), inner), lambda v, inner: {inner(x) for x in v}),
    frozenset: (lambda value, inner: _items(sorted(value, key=repr), inner), lambda v, inner: frozenset(inner(x) for x in v)),
    deque: (lambda value, inner: [value.maxlen, *_items(value, inner)], lambda v, inner: deque((inner(x) for x in v[1:]), v[0])),
    Size: (lambda value, inner: list(value), lambda v, inner: Size(int(x) for x in v)),
    bytes: (lambda value, inner: base64.b64encode(value).decode(), lambda v, inner: base64.b64decode(v, validate=True)),
    bytearray: (lambda value, inner: base64.b64encode(value).decode(), lambda v, inner: bytearray(base64.b64decode(v, validate=True))),
    dtype: (lambda value, inner: value.name, _dtype),
    Device: (lambda value, inner: str(value), lambda v, inner: Device(v)),
}


def _namespace(attributes: dict[str, Any]) -> Any:
    """An ``argparse.Namespace``, whose attributes may have any name, ``self`` too."""
    made = import_module("argparse").Namespace()
    vars(made).update(attributes)
    return made


_KINDS: dict[str, Callable[[Any, Any], Any]] = {
    **{kind.__name__.lower(): unpacked for kind, (_, unpacked) in _FORMS.items()},
    "dict": lambda v, inner: {inner(k): inner(x) for k, x in v},
    "ordered": lambda v, inner: OrderedDict((inner(k), inner(x)) for k, x in v),
    "namespace": lambda v, inner: _namespace({k: inner(x) for k, x in v.items()}),
}
