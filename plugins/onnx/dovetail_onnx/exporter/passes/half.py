"""float16 and bfloat16: a float32 graph whose weights and most of whose values are of a half type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dovetail.errors import UnsupportedError

from ..write import inner_graphs, prune, read_inside, rename
from .graph import Weights, schema_of, types_of

__all__ = ["HALVES", "KEPT", "to_half"]

HALVES = {"float16": "FLOAT16", "bfloat16": "BFLOAT16"}

#: Operators that are computed in float32: sums of many elements and of squares, which leave float16's range, coordinates, and
#: recurrent ones, which add to a state at each step (and on which onnxruntime 1.32 crashes in float16, where lengths are left out).
KEPT = {
    "CumSum", "DFT", "GRU", "GridSample", "LSTM", "NonMaxSuppression", "Pow", "RNN", "Range", "ReduceL1", "ReduceL2", "ReduceLogSum",
    "ReduceLogSumExp", "ReduceMean", "ReduceProd", "ReduceSum", "ReduceSumSquare", "RoiAlign",
}  # fmt: skip
_FEW = 1024  # elements up to which a constant goes along with values that stay in float32: a weight is larger


def to_half(proto: Any, kind: str, keep_io_types: bool = False, op_block_list: Sequence[str] = ()) -> None:
    """Rewrite a model in place: weights, values, inputs and outputs of float32 become ``kind``.

    Kept in float32 are the operators of ``KEPT`` and ``op_block_list``, inputs that an operator defines so (the scales of Resize), and what
    is computed from these, or from whole numbers, with small constants alone: positions and frequencies, and the variance in a norm.
    Constants beyond the range become its largest number, and a single one too small for the type its smallest: a mask of -3e38 and an
    epsilon of 1e-12 stay what they are for.
    """
    foreign = next((node for node in proto.graph.node if node.domain), None)
    if foreign is not None:
        what = f"half={kind!r}, and the types of {foreign.name} ({foreign.domain}::{foreign.op_type}) are not known"
        raise UnsupportedError("export", what, "expected operators of ONNX alone", "export model.half()")
    _Halving(proto, kind, keep_io_types, {*KEPT, *op_block_list}).run()


class _Halving:
    """One model as it is rewritten. ``wide`` has the float32 values that stay so; the others are of the half type."""

    def __init__(self, proto: Any, kind: str, keep_io_types: bool, block: set[str]) -> None:
        from onnx import TensorProto, helper

        self.proto, self.graph, self.keep_io, self.block = proto, proto.graph, keep_io_types, block
        self.half = getattr(TensorProto, HALVES[kind])
        self.array_type = helper.tensor_dtype_to_np_dtype(self.half)
        self.label, self.text = kind, f"tensor({kind})"
        self.opset = next(o.version for o in proto.opset_import if o.domain in ("", "ai.onnx"))
        self.floats = {name for name, number in types_of(proto).items() if number == TensorProto.FLOAT}
        self.weights = Weights(self.graph)
        self.wide: set[str] = set()
        self.casts: dict[tuple[str, bool], str] = {}
        self.nodes: list[Any] = []
        self.small: dict[str, np.ndarray[Any, Any]] = {}

    def run(self) -> None:
        for value in self.graph.input:
            self._retype(value)
        for node in list(self.graph.node):
            self._node(node)
        for value in self.graph.output:
            self._output(value)
        del self.graph.node[:]
        self.graph.node.extend(self.nodes)
        prune(self.graph)

    def _retype(self, value: Any) -> None:
        if value.name not in self.floats:
            return
        if self.keep_io:
            self.wide.add(value.name)
        else:
            value.type.tensor_type.elem_type = self.half

    def _output(self, value: Any) -> None:
        """The value of an output, in the type that it is to have."""
        if value.name not in self.floats:
            return
        if not self.keep_io:
            value.type.tensor_type.elem_type = self.half
        if (value.name in self.wide) == self.keep_io:
            return
        inner = self.weights.unique(f"{value.name}.{'float32' if value.name in self.wide else self.label}")
        rename(self.nodes, {value.name: inner})
        self._cast(inner, value.name, self.keep_io)

    def _node(self, node: Any) -> None:
        """Give a node inputs of the types that it takes, and note those of its outputs."""
        keep = self._stays(node)
        schema = schema_of(node, self.opset)
        for at, name in enumerate(node.input):
            if name in self.floats and not (node.op_type == "Cast" and name not in self.weights):
                node.input[at] = self._as(name, keep or not self._takes(schema, schema.inputs if schema else (), at))
        inside = {x: self._as(x, True) for x in read_inside(node) if x in self.floats}  # bodies of loops are left as they are
        for graph in inner_graphs(node):
            rename(graph.node, inside)
        for at, name in enumerate(node.output):
            if name in self.floats and (keep or not self._takes(schema, schema.outputs if schema else (), at)):
                self.wide.add(name)
        if not keep:
            self._attributes(node)
        self.nodes.append(node)

    def _stays(self, node: Any) -> bool:
        if node.op_type in self.block or any(a.HasField("g") for a in node.attribute):
            return True
        given = [x for x in node.input if x in self.floats]
        if node.op_type == "Mul" and len(set(node.input)) == 1 and given:  # squares are what the sums of a norm are made of
            return True
        if node.op_type == "Cast":  # from whole numbers, which may be positions
            return node.output[0] in self.floats and node.input[0] not in self.floats
        inputs = {i.name for i in self.graph.input}
        loose = [x for x in given if x not in self.weights]
        few = all(self.weights.array(x).size <= _FEW for x in given if x in self.weights)
        return few and bool(loose) and all(x in self.wide and x not in inputs for x in loose)

    def _takes(self, schema: Any, formal: Any, at: int) -> bool:
        """Whether an operator's input or output may be of the half type."""
        if schema is None or not formal:
            return False
        text = formal[min(at, len(formal) - 1)].type_str
        constraint = next((c for c in schema.type_constraints if c.type_param_str == text), None)
        return self.text in (constraint.allowed_type_strs if constraint else (text,))

    def _attributes(self, node: Any) -> None:
        """Types that a node names: those of a constant, of a Cast, of what it makes."""
        from onnx import TensorProto, numpy_helper

        for attr in node.attribute:
            if attr.name in ("to", "dtype") and attr.i == TensorProto.FLOAT:
                attr.i = self.half
            elif attr.name == "value" and attr.t.data_type == TensorProto.FLOAT:
                attr.t.CopyFrom(numpy_helper.from_array(self._halved(numpy_helper.to_array(attr.t)), attr.t.name))

    def _as(self, name: str, wide: bool) -> str:
        """The name of a value in float32 (``wide``) or in the half type."""
        key = (name, wide)
        if key in self.casts:
            return self.casts[key]
        if name in self.weights and name not in self.wide:
            self.casts[key] = self._weight(name, wide)
        elif (name in self.wide) == wide:
            self.casts[key] = name
        else:
            self.casts[key] = self.weights.unique(f"{name}.{'float32' if wide else self.label}")
            self._cast(name, self.casts[key], wide)
        return self.casts[key]

    def _weight(self, name: str, wide: bool) -> str:
        """An initializer in a type; the first to ask keeps its name, a small one is there twice where both are asked for."""
        array = self.weights.array(name)
        if (name, not wide) not in self.casts:
            self.small.update({name: array} if array.size <= _FEW else {})
            return name if wide else self.weights.set(name, self._halved(array), replace=True)
        if not wide:
            return self.weights.set(f"{name}.{self.label}", self._halved(array))
        if name in self.small:
            return self.weights.set(f"{name}.float32", self.small[name])
        made = self.weights.unique(f"{name}.float32")
        self._cast(name, made, True)
        return made

    def _halved(self, array: Any) -> Any:
        """An array in the half type; finite numbers stay finite, and a single number does not vanish."""
        from ml_dtypes import finfo

        limits = finfo(self.array_type)
        bounded = np.where(np.isfinite(array), np.clip(array, float(limits.min), float(limits.max)), array)
        out = bounded.astype(self.array_type)
        if array.size == 1 and array.any() and not out.astype(np.float32).any():
            out = np.copysign(np.full(array.shape, float(limits.smallest_subnormal), np.float32), array).astype(self.array_type)
        return out

    def _cast(self, source: str, target: str, wide: bool) -> None:
        from onnx import TensorProto, helper

        self.nodes.append(helper.make_node("Cast", [source], [target], name=f"Cast.{target}", to=TensorProto.FLOAT if wide else self.half))
