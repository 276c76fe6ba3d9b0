"""Nodes that depend on constants alone are computed once, and their results written in their place."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..verification import runner
from ..write import prune
from .graph import Weights, readers

__all__ = ["fold_constants"]

_RANDOM = {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"}
_ROOM = 1 << 16  # bytes that a result may have beyond the constants that it takes the place of


def fold_constants(proto: Any) -> int:
    """Replace nodes that only constants reach by what they compute; how many there were.

    A result stays a node where it would make the model larger: an Expand, or the transposed weight of an embedding. What computes is
    what `export` verifies with, onnxruntime or our own importer; where neither knows the nodes they stay.
    """
    graph = proto.graph
    weights, read = Weights(graph), readers(graph)
    still = _constant(graph, weights)
    if not still:
        return 0
    results = _computed(proto, still, weights)
    if not results:
        return 0
    outputs = {o.name for o in graph.output}
    gone = []
    for node in still:
        made = {name: results[name] for name in node.output if name}
        given = sum(weights.array(x).nbytes for x in node.input if x in weights and read[x] == 1)
        fits = sum(a.nbytes for a in made.values()) <= given + _ROOM
        if fits and all(x in weights for x in node.input if x) and not outputs & made.keys():
            for name, array in made.items():
                weights.set(name, array, replace=True)
            gone.append(node)
            read.subtract(x for x in node.input if x)
    for node in gone:
        graph.node.remove(node)
    prune(graph)
    return len(gone)


def _constant(graph: Any, weights: Weights) -> list[Any]:
    """The nodes that no input of the graph reaches, in order."""
    known, found = set(weights.tensors), []
    for node in graph.node:
        inner = any(a.HasField("g") or a.graphs for a in node.attribute)
        if not node.domain and node.op_type not in _RANDOM and not inner and all(x in known for x in node.input if x):
            found.append(node)
            known.update(node.output)
    return found


def _computed(proto: Any, nodes: list[Any], weights: Weights) -> dict[str, np.ndarray[Any, Any]]:
    """The results of these nodes, by name; none where nothing here runs them."""
    from onnx import TypeProto, helper

    read = {x for node in nodes for x in node.input if x}
    names = [name for node in nodes for name in node.output if name]
    results = [helper.make_value_info(name, TypeProto()) for name in names]
    part = helper.make_graph(nodes, "constants", [], results, [w for w in proto.graph.initializer if w.name in read])
    model = helper.make_model(part, opset_imports=proto.opset_import, ir_version=proto.ir_version)
    _, run = runner(model.SerializeToString())
    return {} if run is None else {name: np.asarray(array) for name, array in zip(names, run({}), strict=True)}
