"""How a node meets the function that computes it: attributes as Python values, inner graphs as callables."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

import dovetail as dv
from dovetail.errors import FormatError, UnsupportedError

from .host import TABLE, computed, plain
from .program import Program, Run, on_device
from .reference import Reference
from .table import Operator
from .values import tensors

__all__ = ["Attributes", "Bodies", "Native", "leave"]

# Of old revisions: hints to memory planners, and modes that every model file already has.
_IGNORED = {"consumed_inputs"}


@dataclass
class Bodies:
    """A graph that stands in an attribute, not prepared yet."""

    graph: Any


class Attributes:
    """Reads the attributes of nodes; inside a function, ``bound`` are the values that its caller gave."""

    def __init__(self, bound: dict[str, Any] | None = None) -> None:
        self.bound = bound

    def of(self, node: Any, builder: Any, where: str) -> dict[str, Any]:
        """Name → value of a node's attributes; references to attributes that the caller left out are left out too."""
        found: dict[str, Any] = {}
        for item in node.attribute:
            if item.name in found:
                raise builder.refuse(f"{where} has the attribute {item.name!r} twice")
            if item.ref_attr_name:
                if self.bound is None:
                    raise builder.refuse(f"{where} refers to an attribute {item.ref_attr_name!r} outside a function")
                if item.ref_attr_name in self.bound:
                    found[item.name] = self.bound[item.ref_attr_name]
            else:
                found[item.name] = self.value(item, builder, where)
        return found

    @staticmethod
    def value(item: Any, builder: Any, where: str) -> Any:
        """The value of an AttributeProto."""
        from onnx import AttributeProto as A

        match item.type:
            case A.FLOAT:
                return float(item.f)
            case A.INT:
                return int(item.i)
            case A.STRING:
                return item.s.decode("utf-8", "replace")
            case A.TENSOR:
                return tensors(builder.tensors.array(item.t))
            case A.SPARSE_TENSOR:
                return tensors(builder.tensors.dense(item.sparse_tensor))
            case A.GRAPH:
                return Bodies(item.g)
            case A.FLOATS:
                return [float(one) for one in item.floats]
            case A.INTS:
                return [int(one) for one in item.ints]
            case A.STRINGS:
                return [one.decode("utf-8", "replace") for one in item.strings]
            case A.TENSORS:
                return [tensors(builder.tensors.array(one)) for one in item.tensors]
            case A.TYPE_PROTO:
                return item.tp
            case A.GRAPHS | A.SPARSE_TENSORS | A.TYPE_PROTOS:
                raise UnsupportedError(where, f"lists of graphs, sparse tensors or types are not supported (attribute {item.name!r})")
        raise builder.refuse(f"{where} has the attribute {item.name!r} of the type {item.type}, which ONNX does not define")

    def resolved(self, node: Any) -> Any:
        """The node with its references replaced, for those who read it themselves."""
        if self.bound is None or not any(item.ref_attr_name for item in node.attribute):
            return node
        import onnx
        from onnx import helper

        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        del copy.attribute[:]
        for item in node.attribute:
            if not item.ref_attr_name:
                copy.attribute.append(item)
            elif item.ref_attr_name in self.bound:
                value = self.bound[item.ref_attr_name]
                if isinstance(value, dv.Tensor | np.ndarray):
                    value = onnx.numpy_helper.from_array(np.asarray(value))
                copy.attribute.append(helper.make_attribute(item.name, value, attr_type=item.type))
        return copy


class Native:
    """A node computed by a function of the table."""

    def __init__(
        self,
        row: Operator,
        attributes: dict[str, Any],
        bodies: dict[str, Program],
        given: dict[str, Any],
        where: str,
        handed: Reference | None,
        path: object,
    ) -> None:
        accepted, injected, any_attribute = row.accepts()
        unknown = set(attributes) - accepted - _IGNORED
        if unknown and not any_attribute:
            raise FormatError(path, None, f"{where} has the attribute {min(unknown)!r}; expected {', '.join(sorted(accepted))}")
        self.row, self.bodies, self.handed = row, bodies, handed
        self.keywords = {name: value for name, value in attributes.items() if name not in bodies and name not in _IGNORED}
        self.sizes = row.domain == "" and row.name in TABLE
        self.free = set().union(*(body.free for body in bodies.values()))
        self.wants_training = "training" in injected
        self.keywords |= {name: value for name, value in given.items() if name in injected}

    def __call__(self, values: list[Any], env: dict[str, Any], run: Run) -> Any:
        if self.sizes:
            found = computed(self.row.name, values, self.keywords)
            if found is not None:
                return (found,)
            values = list(map(plain, values))
        keywords = self.keywords
        if not self.row.any_type and any(isinstance(value, np.ndarray) for value in (*values, *keywords.values())):
            if self.handed is None:
                raise UnsupportedError("onnx", "an operator with inner graphs got a type that tensors do not have")
            return self.handed(values, env, run)
        while values and values[-1] is None:
            values.pop()
        if self.wants_training:
            keywords = {**keywords, "training": run.training}
        if self.bodies:
            keywords = {**keywords, **{name: partial(_inner, body, env, run) for name, body in self.bodies.items()}}
        try:
            found = self.row.function(*on_device(values, run), **keywords)
        except _Reference:
            if self.handed is None:
                raise UnsupportedError("onnx", "this combination is not supported inside another graph") from None
            return self.handed(values, env, run)
        return found if isinstance(found, tuple) else (found,)


class _Reference(Exception):
    """Raised by a function of the table that leaves a call to the reference evaluator."""


def leave() -> _Reference:
    """What a function raises for a call that is the reference evaluator's: no tensors, or nothing to differentiate."""
    return _Reference()


def _inner(body: Program, env: dict[str, Any], run: Run, *values: Any) -> list[Any]:
    if len(values) != len(body.inputs):
        raise FormatError(run.path, None, f"an inner graph takes {len(body.inputs)} inputs, and got {len(values)}")
    return body(list(values), env, run)
