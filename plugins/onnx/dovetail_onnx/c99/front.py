"""From a model to a Net: read or exported as ONNX, run once on an example, written out flat with the shape of every value."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import dovetail as dv
from dovetail.errors import ShapeError, TypeMismatch, UnsupportedError

from ..importer.bind import Native
from ..importer.build import Call
from ..importer.expand import Expanded
from ..importer.host import plain
from ..importer.module import OnnxModule, load
from ..importer.program import Program, Run, explained
from ..importer.values import arrays, tensors
from .graph import Net, Node, Value

__all__ = ["net_of", "read"]

_OLDEST = 13  # older files are exported again: then there is one form of each operator
_DRAWS = {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"}

#: Operator → the inputs whose elements say what shape a result has; reductions have their axes in the second.
_SHAPED_BY = {
    "AffineGrid": (1,), "BlackmanWindow": (0,), "CenterCropPad": (1,), "Col2Im": (1, 2), "Compress": (1,), "ConstantOfShape": (0,),
    "DFT": (1,), "Expand": (1,), "HammingWindow": (0,), "HannWindow": (0,), "MaxUnpool": (2,), "NonMaxSuppression": (0, 1, 2, 3, 4),
    "NonZero": (0,), "OneHot": (1,), "Pad": (1, 3), "Range": (0, 1, 2), "Reshape": (1,), "Resize": (1, 2, 3), "STFT": (1, 2, 3),
    "Slice": (1, 2, 3, 4), "Split": (1,), "Squeeze": (1,), "Tile": (1,), "TopK": (1,), "Unique": (0,), "Unsqueeze": (1,), "Upsample": (1,),
}  # fmt: skip


def read(path: str | os.PathLike[str], args: tuple[Any, ...]) -> tuple[OnnxModule, list[np.ndarray[Any, Any]]]:
    """The module in a file and an example of its inputs: the given one, or zeros of the sizes that the file has, one sample."""
    module = load(path)
    example = [np.asarray(arrays(arg)) for arg in args] or [_zeros(item) for item in module.inputs]
    if len(example) != len(module.inputs):
        wanted = ", ".join(map(str, module.inputs))
        raise TypeMismatch("to_c", f"{os.fspath(path)} takes {len(module.inputs)} inputs and {len(example)} examples were given", wanted)
    if module.opsets.get("ai.onnx", _OLDEST) < _OLDEST:
        from ..exporter import export

        names = [item.name for item in module.inputs]
        given = tuple(tensors(array) for array in example)
        proto = export(module, given, input_names=names, output_names=[item.name for item in module.outputs], verify=False)
        module = load(proto)
    return module, example


def _zeros(item: Any) -> np.ndarray[Any, Any]:
    from onnx import TensorProto, helper

    shape = [1 if at == 0 and not isinstance(size, int) else size for at, size in enumerate(item.shape or ())]
    if item.shape is None or not all(isinstance(size, int) for size in shape):
        what, remedy = f"the input {item} has free sizes", 'to_c("model.onnx", "net.c", example), or --input 1,3,224,224'
        raise ShapeError("to_c", what, "expected an example input: the C program has fixed sizes", remedy)
    kind = helper.tensor_dtype_to_np_dtype(TensorProto.DataType.Value(item.type.upper()))
    return np.zeros(shape, kind)


def net_of(module: OnnxModule, example: Sequence[np.ndarray[Any, Any]]) -> Net:
    """Run the module once and write down what is computed on the way."""
    walk = _Walk(module)
    names = []
    for item, array in zip(module.inputs, example, strict=True):
        names.append(walk.value(item.name, tensors(array), varies=True))
    scope = dict(zip(module._program.inputs, names, strict=True))
    with dv.no_grad():
        found = walk.program(module._program, scope, {})
    walk.refuse_types()
    outputs = [(item.name, key) for item, key in zip(module.outputs, found, strict=True)]
    return Net(names, outputs, walk.nodes, walk.values)


class _Walk:
    """Follows a program on concrete values. ``data`` has what each value was; those that do not vary with the input become constants."""

    def __init__(self, module: OnnxModule) -> None:
        self.nodes: list[Node] = []
        self.values: dict[str, Value] = {}
        self.data: dict[str, Any] = {}
        self.varies: set[str] = set()
        self.run = Run(module.path, module._state, False, dv.device("cpu"), {})

    def value(self, name: str, found: Any, varies: bool) -> str:
        """Enter a value under a key of its own."""
        key = name if name not in self.values else f"{name}#{len(self.values)}"
        self.data[key] = found
        array = arrays(plain(found))
        if not isinstance(array, np.ndarray):  # a sequence, or nothing
            self.values[key] = Value(name, (), type(array).__name__)
        else:
            self.values[key] = Value(name, array.shape, array.dtype.name, None if varies else np.array(array, order="C"))
        if varies:
            self.varies.add(key)
        return key

    def program(self, program: Program, scope: Mapping[str, str], outer: Mapping[str, str]) -> list[str]:
        """Run a program's steps; ``scope`` has the keys of its inputs, ``outer`` those of the graphs around it."""
        here = {**outer}
        for name, constant in program.constants.items():
            here[name] = self.value(name, constant, False)
        for name, state in program.state.items():
            here[name] = self.value(name, self.run.state(state), False)
        here |= scope
        for step in program.steps:
            keys = [here[name] if name and self.data[here[name]] is not None else "" for name in step.inputs]
            try:
                results = self.step(step, keys, here)
            except UnsupportedError:
                raise
            except Exception as error:
                raise explained(error, step.where, self.run.path) from error
            here |= {name: key for name, key in zip(step.outputs, results, strict=False) if name}
        return [here[name] for name in program.outputs]

    def step(self, step: Any, keys: list[str], here: dict[str, str]) -> list[str]:
        call = step.call
        values = [self.data[key] if key else None for key in keys]
        if isinstance(call, Expanded):
            call = call.chosen(list(map(plain, values)))
        if isinstance(call, Call):
            full = [*keys, *[""] * (len(call.program.inputs) - len(keys))]
            inner = [key or self.value(name, None, False) for name, key in zip(call.program.inputs, full, strict=True)]
            return self.program(call.program, dict(zip(call.program.inputs, inner, strict=True)), {})
        if isinstance(call, Native) and call.row.name == "If" and keys[0] not in self.varies:
            body = call.bodies["then_branch" if bool(plain(values[0])) else "else_branch"]
            return self.program(body, {}, here)
        given = values if step.sizes else list(map(plain, values))
        free = {name: here[name] for name in getattr(call, "free", ()) if name in here}
        found = call(given, {name: self.data[key] for name, key in free.items()}, self.run)
        name = call.row.name if isinstance(call, Native) else call.node.op_type if hasattr(call, "node") else "?"
        sized = name in ("Shape", "Size") and isinstance(call, Native) and not call.row.domain
        varies = name in _DRAWS or (not sized and bool({*keys, *free.values()} & self.varies))
        results = [self.value(name, one, varies) if name else "" for name, one in zip(step.outputs, found, strict=False)]
        if varies:
            attrs = call.keywords if isinstance(call, Native) else {}
            domain = call.row.domain if isinstance(call, Native) else ""
            simple = isinstance(call, Native) and not call.bodies
            node = Node(f"{domain}::{name}" if domain else name, step.where, keys, results, dict(attrs))
            node.call = (lambda *given: call(list(given), {}, self.run)) if simple else None
            shaping = _SHAPED_BY.get(name, (1,) if name.startswith("Reduce") else ())
            node.loose = not domain and any(keys[at] in self.varies for at in shaping if at < len(keys))
            self.nodes.append(node)
        return results

    def refuse_types(self) -> None:
        """Values of types that the C program lacks, if any node computes with them."""
        from .graph import CTYPES

        for node in self.nodes:
            for key in (*node.inputs, *node.outputs):
                dtype = self.values[key].dtype if key else ""
                if key and dtype not in CTYPES and dtype != "NoneType":
                    have, remedy = ", ".join(CTYPES), "model.float()" if dtype in ("float64", "float16", "bfloat16") else ""
                    raise UnsupportedError("to_c", f"{node.where} has values of the type {dtype}", f"the C program has {have}", remedy)
