"""Dovetail as a backend of the ONNX package: ``onnx.backend.base.Backend`` on imported modules."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import helper
from onnx.backend.base import Backend, BackendRep, namedtupledict

import dovetail as dv
from dovetail.errors import DovetailError

from .importer import OnnxModule, load
from .importer.values import arrays

__all__ = ["DovetailBackend", "DovetailRep", "is_compatible", "prepare", "run_model", "run_node", "supports_device"]


class DovetailRep(BackendRep):
    """A model that is ready to run; ``module`` is what runs."""

    def __init__(self, module: OnnxModule) -> None:
        self.module = module

    def run(self, inputs: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Run on arrays: a list in the order of the inputs, a dict by their names, or one array."""
        given = inputs if isinstance(inputs, list | tuple | dict) else [inputs]
        with dv.no_grad():
            out = self.module(**given) if isinstance(given, dict) else self.module(*given)
        outputs = out if isinstance(out, tuple) else (out,)
        made = namedtupledict("Outputs", [item.name for item in self.module.outputs])
        return made(*[arrays(value) for value in outputs])  # type: ignore[return-value]


class DovetailBackend(Backend):
    """Runs ONNX models on the CPU, or on the GPU where Dovetail has one.

    >>> import numpy as np, onnx
    >>> node = onnx.helper.make_node("Add", ["a", "b"], ["c"])
    >>> DovetailBackend.run_node(node, [np.array([1.0]), np.array([2.0])])[0]
    array([3.])
    """

    @classmethod
    def is_compatible(cls, model: onnx.ModelProto, device: str = "CPU", **kwargs: Any) -> bool:
        """Whether every operator of the model can be run."""
        try:
            load(model)
        except DovetailError:
            return False
        return cls.supports_device(device)

    @classmethod
    def prepare(cls, model: onnx.ModelProto, device: str = "CPU", **kwargs: Any) -> DovetailRep:
        """Check a model and make it ready to run."""
        super().prepare(model, device, **kwargs)
        module = load(model)
        return DovetailRep(module if device == "CPU" else module.to(device.lower()))

    @classmethod
    def run_node(cls, node: onnx.NodeProto, inputs: Any, device: str = "CPU", outputs_info: Any = None, **kwargs: Any) -> tuple[Any, ...]:
        """Run one operator on arrays."""
        super().run_node(node, inputs, device, outputs_info, **kwargs)
        version = int(kwargs.get("opset_version", onnx.defs.onnx_opset_version()))  # type: ignore[call-overload]
        given = inputs if isinstance(inputs, dict) else dict(zip([name for name in node.input if name], inputs))
        values = [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.asarray(value).dtype), np.shape(value))
            for name, value in given.items()
        ]
        outputs = [helper.make_value_info(name, onnx.TypeProto()) for name in node.output if name]
        opsets = [helper.make_opsetid(node.domain, version)]
        graph = helper.make_graph([node], "node", values, outputs)
        return DovetailRep(load(helper.make_model(graph, opset_imports=opsets))).run([np.asarray(value) for value in given.values()])

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """CPU, and CUDA where there is one."""
        return device == "CPU" or (device.startswith("CUDA") and dv.cuda.is_available())


is_compatible = DovetailBackend.is_compatible
prepare = DovetailBackend.prepare
run_model = DovetailBackend.run_model
run_node = DovetailBackend.run_node
supports_device = DovetailBackend.supports_device
