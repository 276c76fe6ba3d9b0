"""Nodes without a meaning for tensors (strings, 4-bit and 8-bit floats …) are handed to the ONNX package's own evaluator."""

from __future__ import annotations

from typing import Any

from .program import Run
from .values import arrays, tensors

__all__ = ["Reference"]


class Reference:
    """One node on arrays, by ``onnx.reference.ReferenceEvaluator``. No gradient passes through it."""

    def __init__(self, node: Any, opsets: dict[str, int], functions: list[Any], ir_version: int, where: str) -> None:
        self.node, self.opsets, self.functions, self.where = node, opsets, functions, where
        self.ir_version = ir_version
        self.evaluator: Any = None

    def __call__(self, values: list[Any], env: dict[str, Any], run: Run) -> list[Any]:
        run.handed[self.where] = self.node.op_type
        if self.evaluator is None:
            self.evaluator = self._made()
        feeds = {name: arrays(value) for name, value in zip(self.node.input, values) if name}
        found = iter(self.evaluator.run(None, feeds))
        return [tensors(next(found)) if name else None for name in self.node.output]

    def _made(self) -> Any:
        from onnx import TypeProto, helper
        from onnx.reference import ReferenceEvaluator

        unknown = TypeProto()
        inputs = [helper.make_value_info(name, unknown) for name in dict.fromkeys(self.node.input) if name]
        outputs = [helper.make_value_info(name, unknown) for name in self.node.output if name]
        graph = helper.make_graph([self.node], "node", inputs, outputs)
        opsets = [helper.make_opsetid(domain, version) for domain, version in self.opsets.items()]
        model = helper.make_model(graph, opset_imports=opsets, functions=self.functions, ir_version=self.ir_version)
        return ReferenceEvaluator(model)
