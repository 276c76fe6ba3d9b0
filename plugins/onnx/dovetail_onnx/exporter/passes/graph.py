"""What the passes share: the arrays of a graph's initializers, who reads what, and the types of all values."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from ..write import read_inside

__all__ = ["Weights", "attribute", "readers", "schema_of", "types_of"]

_BIG = 1024  # bytes from which a tensor cannot be what a shape is inferred from


class Weights:
    """The initializers of a graph: arrays by name, read when asked for; ``set`` writes one, under a new name where it is taken."""

    def __init__(self, graph: Any) -> None:
        self.graph = graph
        self.tensors = {w.name: w for w in graph.initializer}
        self._taken = {*self.tensors, *(i.name for i in graph.input), *(o for n in graph.node for o in n.output)}

    def __contains__(self, name: object) -> bool:
        return name in self.tensors

    def array(self, name: str) -> np.ndarray[Any, Any]:
        """The array of an initializer."""
        from onnx import numpy_helper

        return np.asarray(numpy_helper.to_array(self.tensors[name]))

    def unique(self, name: str) -> str:
        """The name, with a number where something of the graph has it already."""
        label, count = name, 0
        while label in self._taken:
            count += 1
            label = f"{name}_{count}"
        self._taken.add(label)
        return label

    def set(self, name: str, array: np.ndarray[Any, Any], replace: bool = False) -> str:
        """Write an initializer: in the place of the one of that name, or beside it."""
        from onnx import numpy_helper

        label = name if replace else self.unique(name)
        made = numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), label)
        if replace and name in self.tensors:
            self.tensors[name].CopyFrom(made)
        else:
            self.graph.initializer.append(made)
            self.tensors[label] = self.graph.initializer[-1]
        return label


def readers(graph: Any) -> Counter[str]:
    """How often each value is read, by nodes or as an output of the graph."""
    inside = [x for node in graph.node for x in read_inside(node)]
    return Counter([x for node in graph.node for x in node.input if x] + [o.name for o in graph.output] + inside)


def attribute(node: Any, name: str, default: Any = None) -> Any:
    """The value of an attribute, or the default."""
    from onnx import helper

    return next((helper.get_attribute_value(a) for a in node.attribute if a.name == name), default)


def schema_of(node: Any, opset: int) -> Any:
    """The definition of a node's operator at this opset; None for other domains."""
    from onnx import defs

    return defs.get_schema(node.op_type, opset) if node.domain in ("", "ai.onnx") else None


def types_of(proto: Any) -> dict[str, int]:
    """ONNX's number of the element type of every value that inference finds one for."""
    import onnx

    light = onnx.ModelProto()
    light.ir_version = proto.ir_version
    light.opset_import.extend(proto.opset_import)
    light.graph.name = proto.graph.name
    light.graph.node.extend(proto.graph.node)
    light.graph.input.extend(proto.graph.input)
    light.graph.output.extend(proto.graph.output)
    for weight in proto.graph.initializer:  # large ones by their shapes alone: a message holds 2 GB
        if len(weight.raw_data) < _BIG:
            light.graph.initializer.append(weight)
        else:
            light.graph.input.append(onnx.helper.make_tensor_value_info(weight.name, weight.data_type, weight.dims))
    known = onnx.shape_inference.infer_shapes(light, data_prop=True).graph
    found = {v.name: v.type.tensor_type.elem_type for v in (*known.input, *known.value_info, *known.output)}
    return found | {w.name: w.data_type for w in proto.graph.initializer}
