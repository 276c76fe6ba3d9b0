"""Batch norms folded into the convolutions and products before them, whose weights and bias they only scale."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..write import prune
from .graph import Weights, attribute, readers

__all__ = ["fold_batch_norm"]


def fold_batch_norm(proto: Any) -> int:
    r"""Fold every BatchNormalization whose input is a Conv, ConvTranspose or Gemm that nothing else reads; how many there were.

    With :math:`s = \gamma / \sqrt{\sigma^2 + \epsilon}`, the weights of each channel are multiplied by :math:`s` and the bias becomes
    :math:`(b - \mu) s + \beta`, computed in float64. A parameter that only this node reads keeps its name.
    """
    graph = proto.graph
    weights, read = Weights(graph), readers(graph)
    _take_bias(graph, weights, read)
    maker = {name: node for node in graph.node for name in node.output}
    gone = []
    for norm in graph.node:
        before = maker.get(norm.input[0]) if norm.op_type == "BatchNormalization" and not norm.domain else None
        if before is None or read[norm.input[0]] > 1 or len([o for o in norm.output if o]) > 1:
            continue
        if _fold(before, norm, weights, read):
            before.output[0] = norm.output[0]
            maker[norm.output[0]] = before
            gone.append(norm)
    for norm in gone:
        graph.node.remove(norm)
    prune(graph)
    return len(gone)


def _fold(node: Any, norm: Any, weights: Weights, read: Any) -> bool:
    axis = _axis(node)
    named = [*node.input[1:3], *norm.input[1:]]
    if axis is None or not all(name in weights for name in named if name):
        return False
    scale, shift, mean, var = (weights.array(name).astype(np.float64) for name in norm.input[1:5])
    factor = scale / np.sqrt(var + attribute(norm, "epsilon", 1e-5))
    kernel = weights.array(node.input[1])
    bias = weights.array(node.input[2]).astype(np.float64) if len(node.input) > 2 and node.input[2] else 0.0
    if node.op_type == "Gemm":
        bias = bias * attribute(node, "beta", 1.0)
        if np.ndim(bias) and np.shape(bias)[-1] != len(mean):
            return False  # a bias of one element, or one for each row
    own = node.input[2] if len(node.input) > 2 and node.input[2] else ""
    folded = _scaled(kernel.astype(np.float64), factor, axis, attribute(node, "group", 1) if axis == 1 and node.op_type != "Gemm" else 1)
    moved = np.broadcast_to((bias - mean) * factor + shift, np.broadcast_shapes(np.shape(bias), mean.shape))
    for attr in [a for a in node.attribute if a.name == "beta"]:
        node.attribute.remove(attr)
    _replace(node, 1, folded.astype(kernel.dtype), weights, read)
    if own:
        _replace(node, 2, moved.astype(kernel.dtype), weights, read)
    else:
        del node.input[2:]
        node.input.append(weights.set(f"{node.name.rpartition('.')[0] or node.name}.bias", moved.astype(kernel.dtype)))
        read[node.input[2]] = 1
    return True


def _replace(node: Any, at: int, array: Any, weights: Weights, read: Any) -> None:
    """A new array for an input: under the same name where nobody else reads it."""
    name = node.input[at]
    node.input[at] = weights.set(name, array, replace=read[name] == 1)
    if node.input[at] != name:
        read[name] -= 1
        read[node.input[at]] = 1


def _take_bias(graph: Any, weights: Weights, read: Any) -> None:
    """Make what is added to each channel of a convolution without a bias its bias: transposed ones are written so."""
    maker = {name: node for node in graph.node for name in node.output}
    gone = []
    for add in [node for node in graph.node if node.op_type == "Add" and not node.domain]:
        for value, other in (add.input, add.input[::-1]):
            node, line = maker.get(value), maker.get(other)
            source = line.input[0] if line is not None and line.op_type == "Reshape" else other
            fits = node is not None and node.op_type in ("Conv", "ConvTranspose") and len(node.input) == 2 and read[value] == 1
            if not fits or source not in weights or node.input[1] not in weights:
                continue
            kernel, array = weights.tensors[node.input[1]].dims, weights.array(source)
            shape = weights.array(line.input[1]).tolist() if line is not None and line.input[1] in weights else list(array.shape)
            channels = kernel[0] if node.op_type == "Conv" else kernel[1] * attribute(node, "group", 1)
            if array.shape == (channels,) and len(shape) in (len(kernel) - 1, len(kernel)) and not {*shape[1 - len(kernel) :][1:]} - {1}:
                node.input.append(source)
                read[source] += 1
                node.output[0] = add.output[0]
                gone.append(add)
                break
    for add in gone:
        graph.node.remove(add)


def _axis(node: Any) -> int | None:
    """The dimension of the weight that counts the channels of the result."""
    if node.domain or node.op_type not in ("Conv", "ConvTranspose", "Gemm"):
        return None
    if node.op_type == "Gemm":
        return 0 if attribute(node, "transB", 0) else 1
    return 0 if node.op_type == "Conv" else 1


def _scaled(kernel: Any, factor: Any, axis: int, groups: int) -> Any:
    """The weight with each channel of the result scaled; a transposed convolution has them by group along its inputs."""
    if groups > 1:
        parts = kernel.reshape(groups, -1, *kernel.shape[1:])
        return (parts * factor.reshape(groups, 1, -1, *(1,) * (kernel.ndim - 2))).reshape(kernel.shape)
    return kernel * factor.reshape([-1 if k == axis else 1 for k in range(kernel.ndim)])
