"""Operators that the ONNX standard defines by others: the definition is asked for when the types of the inputs are known, and run."""

from __future__ import annotations

from typing import Any

import numpy as np

import dovetail as dv
from dovetail.errors import UnsupportedError

from .bind import Attributes
from .program import Run
from .reference import Reference

__all__ = ["Expanded"]

# Definitions that are kept for one node, where they depend on sizes.
_MOST = 16


class Expanded:
    """A node computed by the function body that the standard gives it, prepared for each combination of input types.

    Some definitions depend on the sizes of the inputs too, and are then prepared for each of those.
    """

    def __init__(self, builder: Any, node: Any, schema: Any, version: int, where: str, handed: Reference | None) -> None:
        self.builder, self.node, self.schema, self.version, self.where, self.handed = builder, node, schema, version, where, handed
        self.prepared: dict[Any, Any] = {}

    def __call__(self, values: list[Any], env: dict[str, Any], run: Run) -> Any:
        return self.chosen(values)(values, env, run)

    def chosen(self, values: list[Any]) -> Any:
        """What computes the node for values of these types and sizes."""
        kinds, sizes = tuple(map(_kind, values)), tuple(map(_sizes, values))
        if kinds not in self.prepared:
            self.prepared[kinds] = self._prepare(values, sized=False)
        made = self.prepared[kinds]
        if made is None:
            made = self.prepared.get((kinds, sizes))
            if made is None:
                if len(self.prepared) > _MOST:
                    self.prepared = {kinds: None}
                made = self.prepared[kinds, sizes] = self._prepare(values, sized=True) or self.handed
        if made is None:
            raise UnsupportedError("onnx", f"the standard does not define this operator for {kinds}")
        return made

    def _prepare(self, values: list[Any], sized: bool) -> Any:
        """What runs the definition, None if there is none."""
        import onnx

        schema = self.schema
        if schema.has_function:
            made = schema.function_body
        else:
            types = [_type(value, sized).SerializeToString() for value in values]
            data = schema.get_context_dependent_function(self.node.SerializeToString(), types)
            if not data:
                return None
            made = onnx.FunctionProto.FromString(data)
        given = {name: one.default_value for name, one in schema.attributes.items() if one.default_value.name}
        defaults = {name: Attributes.value(one, self.builder, self.where) for name, one in given.items()}
        attributes = {**defaults, **Attributes().of(self.node, self.builder, self.where)}
        return self.builder.function(made, attributes, self.where, f"{self.node.name}/", True)


def _kind(value: Any) -> Any:
    return None if value is None else (str(value.dtype), value.ndim) if hasattr(value, "dtype") else "sequence"


def _sizes(value: Any) -> Any:
    return tuple(value.shape) if hasattr(value, "shape") else None


def _type(value: Any, sized: bool) -> Any:
    import onnx
    from onnx import helper

    if value is None:
        return onnx.TypeProto()
    if isinstance(value, list):
        return helper.make_sequence_type_proto(_type(value[0], sized) if value else onnx.TypeProto())
    kind = value.dtype if isinstance(value, np.ndarray) else dv.empty(0, dtype=value.dtype).numpy().dtype
    return helper.make_tensor_type_proto(helper.np_dtype_to_tensor_dtype(kind), list(value.shape) if sized else [None] * value.ndim)
