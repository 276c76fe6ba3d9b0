"""What an ONNX file holds: its inputs, outputs, opsets, op counts and size, read without running or loading weights."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .reading import parse

__all__ = ["ModelInfo", "Value", "inspect", "nodes_of", "value"]


@dataclass(frozen=True)
class Value:
    """An input or output: its name, its type as ONNX writes it, and its shape (None where the file gives no rank).

    A dimension is a number, the name of a free dimension, or ``"?"``.
    """

    name: str
    type: str
    shape: tuple[int | str, ...] | None

    def __str__(self) -> str:
        shape = "" if self.shape is None else f"[{', '.join(map(str, self.shape))}]"
        return f"{self.name}: {self.type}{shape}"


@dataclass(frozen=True)
class ModelInfo:
    """What `inspect` found in a file."""

    path: str
    bytes: int
    ir_version: int
    producer: str
    opsets: dict[str, int]  # domain → version
    inputs: list[Value]  # without those that are initializers
    outputs: list[Value]
    ops: dict[str, int]  # op → how often, the most frequent first; with its domain where that is not ONNX's own
    parameters: int  # elements of all initializers
    external: list[str]  # files beside the model that hold weights


def inspect(path: str | os.PathLike[str]) -> ModelInfo:
    """Read an ONNX file and say what it holds. Weights kept in other files are named, not read.

    Raises a FormatError for a file that is not an ONNX model, an OSError for one that cannot be read, and an
    UnsupportedError where the package ``onnx`` is not installed.
    """
    data = Path(path).read_bytes()
    model = parse(path, data)
    graph = model.graph
    initializers = [*graph.initializer, *(s.values for s in graph.sparse_initializer)]
    stored = {tensor.name for tensor in initializers}
    ops = Counter(_op_name(node) for node in nodes_of(model))
    return ModelInfo(
        path=str(path),
        bytes=len(data),
        ir_version=model.ir_version,
        producer=" ".join(filter(None, (model.producer_name, model.producer_version))),
        opsets={opset.domain or "ai.onnx": opset.version for opset in model.opset_import},
        inputs=[value(item) for item in graph.input if item.name not in stored],
        outputs=[value(item) for item in graph.output],
        ops=dict(sorted(ops.items(), key=lambda row: (-row[1], row[0]))),
        parameters=sum(math.prod(tensor.dims) for tensor in initializers),
        external=sorted({entry.value for tensor in initializers for entry in tensor.external_data if entry.key == "location"}),
    )


def nodes_of(owner: Any) -> Iterator[Any]:
    """Every node of a model: those of its graph, of the graphs inside them (If, Loop, Scan), and of its functions."""
    waiting = [owner.graph, *owner.functions]
    while waiting:
        for node in waiting.pop().node:
            yield node
            for attribute in node.attribute:
                waiting += [attribute.g] if attribute.HasField("g") else attribute.graphs


def _op_name(node: Any) -> str:
    return node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}::{node.op_type}"


def value(info: Any) -> Value:
    kind, shape = _type(info.type)
    return Value(info.name, kind, shape)


def _type(about: Any) -> tuple[str, tuple[int | str, ...] | None]:
    """The type in words, and the shape where it is a tensor's."""
    import onnx

    which = about.WhichOneof("value")
    if which in ("tensor_type", "sparse_tensor_type"):
        tensor = getattr(about, which)
        names = onnx.TensorProto.DataType
        number = tensor.elem_type
        element = names.Name(number).lower() if number in names.values() else f"type {number}"
        shape = tuple(_dimension(d) for d in tensor.shape.dim) if tensor.HasField("shape") else None
        return ("sparse " if which == "sparse_tensor_type" else "") + element, shape
    if which in ("sequence_type", "optional_type"):
        inner, shape = _type(getattr(about, which).elem_type)
        return f"{which.removesuffix('_type')} of {inner}", shape
    return (which or "unknown").removesuffix("_type"), None


def _dimension(dim: Any) -> int | str:
    return dim.dim_value if dim.HasField("dim_value") else dim.dim_param or "?"
