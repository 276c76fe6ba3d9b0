"""A run of a model as the graph that TensorBoard draws: a node for each op call, named by the modules that it is in."""

from __future__ import annotations

from typing import Any

from tensorboardX.proto.attr_value_pb2 import AttrValue
from tensorboardX.proto.graph_pb2 import GraphDef
from tensorboardX.proto.node_def_pb2 import NodeDef
from tensorboardX.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboardX.proto.versions_pb2 import VersionDef

import dovetail as dv
from dovetail.graph import trace

__all__ = ["graph_of"]


def graph_of(model: Any, args: tuple[Any, ...]) -> Any:
    """The graph of ``model(*args)``, without gradients and in the mode that it is in."""
    with dv.no_grad():
        recorded = trace(model, *args)
    root = type(model).__name__
    names: dict[Any, str] = {}
    nodes = []
    for value in (*recorded.inputs, *recorded.captured):
        names[value] = f"{root}/{value.name.replace('.', '/')}" if value.kind in ("parameter", "buffer") else f"{value.kind}/{value.name}"
        nodes.append(_node(names[value], value.kind, [], value, ""))
    for call in recorded.calls:
        scope = "/".join([root, *call.module.split(".")] if call.module else [root])
        said = ", ".join(f"{name}={value!r}" for name, value in call.attributes.items())
        for value in call.outputs:
            names[value] = f"{scope}/{value.name}"
            nodes.append(_node(names[value], call.op, [names[v] for v in call.inputs() if v in names], value, said))
    for at, value in enumerate(_values(recorded.outputs)):
        nodes.append(_node(f"output/{at}", "output", [names[value]], value, ""))
    return GraphDef(node=nodes, versions=VersionDef(producer=22))


def _values(outputs: Any) -> list[Any]:
    if isinstance(outputs, dict):
        outputs = list(outputs.values())
    if isinstance(outputs, tuple | list):
        return [v for item in outputs for v in _values(item)]
    return [outputs] if hasattr(outputs, "kind") else []


def _node(name: str, op: str, inputs: list[str], value: Any, said: str) -> Any:
    shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=n) for n in value.shape])
    attributes = {"_output_shapes": AttrValue(list=AttrValue.ListValue(shape=[shape]))}
    attributes["attr"] = AttrValue(s=f"{value.dtype.name}{list(value.shape)} {said}".strip().encode())
    return NodeDef(name=name, op=op, input=inputs, attr=attributes)
