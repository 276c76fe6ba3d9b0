"""What makes a Net smaller before C is written: aliases, normalisation in convolutions, elementwise nodes with their producers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .expressions import ELEMENTWISE
from .graph import Net, Node, Value
from .kernel import place

__all__ = ["groups_of", "simplify"]

_SAME = {"Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Dropout"}


def simplify(net: Net) -> None:
    """Bring a Net into the form that the generators take."""
    _share(net)
    _prune(net)
    _fold_norms(net)
    _silu(net)
    _rows(net)
    _prune(net)
    _fuse(net)


def _share(net: Net) -> None:
    """Nodes whose result has the same elements in the same order give another name for their input."""
    kept = []
    for node in net.nodes:
        source, target = net.values[node.inputs[0]] if node.inputs and node.inputs[0] else None, net.values[node.outputs[0]]
        alone = not any(node.outputs[1:])
        same = node.op in _SAME or (node.op in ("Cast", "CastLike") and source is not None and source.dtype == target.dtype)
        same = same or (node.op in ("Expand", "Transpose") and source is not None and _stays(node, source, target))
        if same and alone and source is not None and source.dtype == target.dtype:
            net.alias[node.outputs[0]] = node.inputs[0]
        else:
            kept.append(node)
    net.nodes = kept


def _stays(node: Node, source: Value, target: Value) -> bool:
    """Whether an Expand adds nothing, or a Transpose only moves dimensions of one element."""
    if node.op == "Expand":
        return source.size == target.size
    order = node.attrs.get("perm") or range(len(source.shape))[::-1]
    live = [at for at in order if source.shape[at] != 1]
    return live == sorted(live)


def _prune(net: Net) -> None:
    """Leave out what nobody reads."""
    read = {net.root(key) for _, key in net.outputs}
    kept = []
    for node in reversed(net.nodes):
        if read & set(node.outputs):
            kept.append(node)
            read |= {net.root(name) for name in node.inputs if name}
    net.nodes = kept[::-1]


def _readers(net: Net) -> dict[str, list[Node]]:
    found: dict[str, list[Node]] = {}
    for node in net.nodes:
        for name in filter(None, dict.fromkeys(node.inputs)):
            found.setdefault(net.root(name), []).append(node)
    return found


def _new(net: Net, name: str, array: np.ndarray[Any, Any]) -> str:
    key = f"{name}#{len(net.values)}"
    net.values[key] = Value(name, array.shape, array.dtype.name, np.ascontiguousarray(array))
    return key


def _fold_norms(net: Net) -> None:
    """A BatchNormalization of a convolution's result alone is a change of its weights."""
    uses, maker = net.uses(), {name: node for node in net.nodes for name in node.outputs}
    for norm in [node for node in net.nodes if node.op == "BatchNormalization"]:
        conv = maker.get(norm.inputs[0])
        if conv is None or conv.op != "Conv" or uses[conv.outputs[0]] > 1:
            continue
        arrays = [net.values[key].array for key in (*conv.inputs[1:3], *norm.inputs[1:]) if key]
        if any(array is None for array in arrays):
            continue
        weight, *bias, scale, shift, mean, variance = (np.asarray(array, np.float64) for array in arrays)
        factor = scale / np.sqrt(variance + norm.attrs.get("epsilon", 1e-5))
        weight = weight * factor.reshape(-1, *[1] * (weight.ndim - 1))
        moved = shift + ((bias[0] if bias else 0.0) - mean) * factor
        name = net.values[conv.inputs[1]].name
        conv.inputs = [conv.inputs[0], _new(net, name, weight.astype("f4")), _new(net, f"{name}_bias", moved.astype("f4"))]
        conv.outputs = [norm.outputs[0]]
        maker[norm.outputs[0]] = conv
        net.nodes.remove(norm)


def _silu(net: Net) -> None:
    """x · sigmoid(x), as exporters write SiLU."""
    uses, maker = net.uses(), {name: node for node in net.nodes for name in node.outputs}
    for node in [one for one in net.nodes if one.op == "Mul"]:
        for x, gate in (node.inputs, node.inputs[::-1]):
            other = maker.get(gate)
            if other is not None and other.op == "Sigmoid" and other.inputs[0] == x and uses[gate] == 1:
                node.op, node.inputs = "Silu", [x]
                net.nodes.remove(other)
                break


def _rows(net: Net) -> None:
    """Gemm with a constant right side becomes MatMul and Add, so that there is one product to write."""
    made: list[Node] = []
    for node in net.nodes:
        b = net.values[node.inputs[1]].array if node.op == "Gemm" else None
        alpha, beta = node.attrs.get("alpha", 1.0), node.attrs.get("beta", 1.0)
        if b is None or node.attrs.get("transA"):
            made.append(node)
            continue
        right = (b.T if node.attrs.get("transB") else b) * np.float32(alpha)
        added = node.inputs[2] if len(node.inputs) > 2 else ""
        product = node.outputs[0]
        if added and beta != 1:
            array = net.values[added].array
            if array is None:
                made.append(node)
                continue
            added = _new(net, net.values[added].name, array * np.float32(beta))
        if added:
            product = f"{node.outputs[0]}#{len(net.values)}"
            net.values[product] = Value(product, net.values[node.outputs[0]].shape, "float32")
        made.append(Node("MatMul", node.where, [node.inputs[0], _new(net, net.values[node.inputs[1]].name, right)], [product]))
        if added:
            made.append(Node("Add", node.where, [product, added], node.outputs))
    net.nodes = made


def groups_of(node: Node, net: Net) -> list[list[int]] | None:
    """The dimensions of a result that its generator's loops take together; None where it stores nothing through ``post``."""
    rank = len(net.values[node.outputs[0]].shape)
    if node.op in ("Conv", "ConvTranspose"):
        return [[0], [1], list(range(2, rank))]
    if node.op == "MatMul":
        right = net.values[node.inputs[1]].array  # other products are written without packed weights
        return [list(range(rank - 1)), [rank - 1]] if right is not None and right.ndim == 2 else None
    if node.op == "BatchNormalization":
        return [[0], [1], list(range(2, rank))]
    return [[at] for at in range(rank)] if node.op in ELEMENTWISE else None


def _fuse(net: Net) -> None:
    """Compute an elementwise node together with the node whose result it alone reads."""
    maker = {name: node for node in net.nodes for name in node.outputs}
    outputs = {net.root(key) for _, key in net.outputs}
    readers = _readers(net)
    gone: list[Node] = []
    for node in net.nodes:
        if node.op not in ELEMENTWISE:
            continue
        for key in filter(None, node.inputs):
            first = maker.get(key)
            if first is None or key in outputs or readers[net.root(key)] != [node] or key in net.alias:
                continue
            if not _fits(net, first, node, key):
                continue
            first.post = [*first.post, node]
            maker[node.outputs[0]] = first
            gone.append(node)
            break
    _move(net, gone)


def _fits(net: Net, first: Node, node: Node, key: str) -> bool:
    groups = groups_of(first, net)
    shape = net.values[first.outputs[0]].shape
    if groups is None or net.values[node.outputs[0]].shape != shape or (first.post and len(first.post) > 12):
        return False
    return all(_reached(net, one, shape, groups) for one in node.inputs if one and one != key)


def _reached(net: Net, key: str, shape: Sequence[int], groups: Sequence[Sequence[int]]) -> bool:
    value = net.values[key]
    single = value.array is not None and value.size == 1
    return single or place(value.shape, shape, [(dims, "i") for dims in groups]) is not None


def _move(net: Net, gone: list[Node]) -> None:
    """A node with ``post`` takes the place of the last of these: all operands are there by then."""
    last = {id(node.post[-1]): node for node in net.nodes if node.post}
    waiting = {id(node) for node in net.nodes if node.post}
    kept = []
    for node in net.nodes:
        if id(node) in last:
            kept.append(last[id(node)])
        elif id(node) not in waiting and not any(node is one for one in gone):
            kept.append(node)
    net.nodes = kept
