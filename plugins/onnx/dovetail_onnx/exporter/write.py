"""The finished model: a ModelProto with names and shapes, and its file, with the weights inside or beside it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from dovetail.errors import ValueRangeError
from dovetail.io import atomic

from .builder import Builder, Ref
from .sizes import FreeSize, solve

__all__ = ["ROOM", "assemble", "inner_graphs", "prune", "read_inside", "rename", "save", "weight"]

ROOM = 2**31 - 2**20  # protobuf messages end at 2 GB; some room for the graph
_LARGE = 1024  # bytes of a tensor that goes into the file of weights


def assemble(
    builder: Builder, inputs: list[Ref], outputs: list[Ref], names: list[str], named: list[FreeSize], metadata: Any, title: str
) -> Any:  # fmt: skip
    """The ModelProto; outputs get their names, inputs and outputs the names of their free dimensions."""
    from onnx import helper, numpy_helper

    from .. import __version__

    _rename(builder, outputs, names)
    graph = helper.make_graph(
        builder.nodes,
        title,
        [_info(builder, r, r.name, named) for r in inputs],
        [_info(builder, r, name, named) for r, name in zip(outputs, names, strict=True)],
        [numpy_helper.from_array(_plain(a), n) for n, a in builder.initializers.items()],
    )
    opsets = [helper.make_opsetid(domain, version) for domain, version in {"": builder.opset, **builder.domains}.items()]
    model = helper.make_model(graph, opset_imports=opsets, producer_name="dovetail-onnx", producer_version=__version__)
    model.ir_version = helper.find_min_ir_version_for(opsets, ignore_unknown=True)
    prune(model.graph)
    for key, value in (metadata or {}).items():
        entry = model.metadata_props.add()
        entry.key, entry.value = str(key), str(value)
    return model


def _plain(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array).reshape(array.shape)


def _rename(builder: Builder, outputs: list[Ref], names: list[str]) -> None:
    """Give the values that are outputs the outputs' names; a copy where one has two names or no node."""
    made = {o for node in builder.nodes for o in node.output}
    new: dict[str, str] = {}
    for ref, name in zip(outputs, names, strict=True):
        if ref.name in made and ref.name not in new:
            new[ref.name] = name
        else:
            builder.nodes.append(_copy(ref.name, name))
    rename(builder.nodes, new)


def rename(nodes: Any, new: dict[str, str]) -> None:
    """Give values other names, inside the bodies of loops and branches too, where no name occurs twice."""
    for node in nodes:
        for names in (node.input, node.output):
            for k, x in enumerate(names):
                names[k] = new.get(x, x)
        for graph in inner_graphs(node):
            rename(graph.node, new)
            for value in graph.output:
                value.name = new.get(value.name, value.name)


def inner_graphs(node: Any) -> list[Any]:
    """The bodies and branches of a node."""
    return [graph for attr in node.attribute for graph in ([attr.g] if attr.HasField("g") else attr.graphs)]


def read_inside(node: Any) -> set[str]:
    """The names that the bodies and branches of a node read from outside."""
    found: set[str] = set()
    for graph in inner_graphs(node):
        own = {value.name for value in (*graph.input, *graph.initializer)} | {x for inner in graph.node for x in inner.output}
        read = {value.name for value in graph.output}.union(*({*inner.input} | read_inside(inner) for inner in graph.node))
        found |= read - own - {""}
    return found


def _copy(source: str, name: str) -> Any:
    from onnx import helper

    return helper.make_node("Identity", [source], [name], name=f"Identity.{name}")


def _info(builder: Builder, ref: Ref, name: str, named: list[FreeSize]) -> Any:
    """The type of an input or output; a size that follows from named dimensions is written as their formula."""
    from onnx import helper

    shape: list[Any] = []
    for axis, size in enumerate(ref.shape):
        if isinstance(size, FreeSize):
            found = solve(size.values, named)
            text = found.text if isinstance(found, FreeSize) else ""
            size = (text[1:-1] if text.startswith("(") else text) if 0 < len(text) < 40 else f"{name}_dim{axis}"
        shape.append(size)
    return helper.make_tensor_value_info(name, builder.type_number(ref.dtype), shape)


def prune(graph: Any) -> None:
    """Leave out nodes and initializers that no output needs."""
    needed = {o.name for o in graph.output}
    kept = []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            kept.append(node)
            needed.update(node.input, read_inside(node))
    del graph.node[:]
    graph.node.extend(reversed(kept))
    weights = [w for w in graph.initializer if w.name in needed]
    del graph.initializer[:]
    graph.initializer.extend(weights)


def weight(model: Any) -> int:
    """The bytes of all initializers."""
    return sum(len(w.raw_data) for w in model.graph.initializer)


def save(model: Any, path: str | os.PathLike[str] | BinaryIO, external_data: bool | str) -> None:
    """Write the model to a path or a stream.

    Weights go into ``<name>.data`` beside it with ``external_data=True``, or where it would pass 2 GB with "auto".

    Both files are written whole or not at all, the weights first.
    """
    if external_data not in (True, False, "auto"):
        raise ValueRangeError("export", f"external_data is {external_data!r}", 'expected True, False or "auto"')
    size = weight(model)
    if external_data is False and size > ROOM:
        raise ValueRangeError("export", f"the weights are {size:,} bytes, and one file holds 2 GB", "", 'external_data="auto"')
    if not isinstance(path, str | os.PathLike):
        if external_data is True or size > ROOM:
            raise ValueRangeError("export", f"f is {type(path).__name__}, and weights go into a file beside it", "expected a path")
        path.write(model.SerializeToString(deterministic=True))
        return
    if external_data is True or size > ROOM:
        beside = Path(os.fspath(path) + ".data")
        with atomic.replacing(beside) as temporary:
            _move_out(model, temporary, beside.name)
    with atomic.replacing(path) as temporary:
        temporary.write_bytes(model.SerializeToString(deterministic=True))


def _move_out(model: Any, path: Path, name: str) -> None:
    """Write the larger tensors to a file, each at a multiple of 4096 bytes, and say in the model where they are."""
    import onnx

    with open(path, "wb") as file:
        for weight in model.graph.initializer:
            if len(weight.raw_data) < _LARGE:
                continue
            file.write(b"\0" * (-file.tell() % 4096))
            place = {"location": name, "offset": file.tell(), "length": len(weight.raw_data)}
            file.write(weight.raw_data)
            weight.ClearField("raw_data")
            weight.data_location = onnx.TensorProto.EXTERNAL
            for key, value in place.items():
                entry = weight.external_data.add()
                entry.key, entry.value = key, str(value)
