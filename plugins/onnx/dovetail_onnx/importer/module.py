"""An ONNX model as a module: its initializers are parameters and buffers, its graph is the forward."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

import dovetail as dv
from dovetail import nn
from dovetail.errors import DovetailError, FormatError, TypeMismatch

from ..reading import Tensors, parse
from ..summary import Value, value
from .bind import Attributes
from .build import Builder
from .names import dotted, scoped
from .program import Run
from .values import tensors

__all__ = ["OnnxModule", "load"]


class Group(nn.Module):
    """A part of the name tree: the parameters whose names begin alike."""


class OnnxModule(nn.Module):
    """A model read from ONNX; `load` makes it.

    The floating-point initializers are its parameters, save those that only set how an operator works (the running statistics of
    BatchNormalization, the bounds of Clip …), which are buffers, as are all initializers of other types. They have the names
    that they have in the file, with characters that Python names cannot have replaced; those to which PyTorch's exporter gives a
    number (``onnx::Conv_193``) are named after their layer. ``names`` maps the file's names to the module's.

    ``forward`` takes the graph's inputs in their order or by name, tensors or NumPy arrays of any size the graph can
    process, and returns the one output, or a tuple of several. Gradients reach inputs and parameters.

    ``handed_over`` names the nodes that the last calls gave to the ONNX package's own evaluator, with their operators: strings,
    types that Dovetail lacks. No gradient passes through those.
    """

    def __init__(self, model: Any, path: object, folder: Path | None, trainable: Any = None) -> None:
        super().__init__()
        self.path, self.opsets = str(path), {}
        self.inputs: list[Value] = []
        self.outputs: list[Value] = []
        self.names: dict[str, str] = {}
        self.handed_over: dict[str, str] = {}
        self._trainable = trainable
        self._scoped = scoped(model.graph)
        self._places: dict[str, tuple[Any, str]] = {}
        with dv.device("cpu"):
            builder = Builder(path, model, Tensors(path, folder), self._keep)
            self._program = builder.graph(model.graph, set(), builder.opsets, Attributes())
        self.inputs = [value(item) for item in model.graph.input if item.name not in self._program.state]
        self.outputs = [value(item) for item in model.graph.output]
        self.opsets = {domain or "ai.onnx": version for domain, version in builder.opsets.items()}
        self._nodes = Counter(node.op_type for node in model.graph.node)
        self._by_name = {item.name: at for at, item in enumerate(self.inputs)}

    def _keep(self, name: str, array: np.ndarray[Any, Any], frozen: bool) -> str:
        """Store an initializer in the name tree; the key is the name under which it was first asked for."""
        key = name
        while key in self._places:
            key += "'"
        tensor = tensors(array)
        owner, leaf, place = self._place(name)
        if isinstance(tensor, dv.Tensor):
            learned = tensor.is_floating_point() and not frozen
            if self._trainable is not None and tensor.is_floating_point():
                learned = bool(self._trainable(name))
            if learned:
                owner.register_parameter(leaf, nn.Parameter(tensor))
            else:
                owner.register_buffer(leaf, tensor)
        else:
            setattr(owner, leaf, tensor)
        self._places[key] = (owner, leaf)
        self.names[key] = place
        return key

    def _place(self, name: str) -> tuple[nn.Module, str, str]:
        """The module and the attribute for a name: "layer1.0.weight" is `weight` of `0` of `layer1`."""
        *steps, leaf = dotted(self._scoped.get(name, name))
        owner: nn.Module = self
        path: list[str] = []
        for step in steps[:16]:
            while hasattr(owner, step) and not isinstance(getattr(owner, step), Group):
                step += "_"
            if not hasattr(owner, step):
                owner.add_module(step, Group())
            owner = getattr(owner, step)
            path.append(step)
        while hasattr(owner, leaf):
            leaf += "_"
        return owner, leaf, ".".join([*path, leaf])

    def _state(self, key: str) -> Any:
        owner, leaf = self._places[key]
        return getattr(owner, leaf)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        values = self._bound(args, kwargs)
        device = next((item.device for item in values if isinstance(item, dv.Tensor)), None)
        run = Run(self.path, self._state, self.training, device or dv.device("cpu"), self.handed_over)
        found = self._program(values, {}, run)
        return found[0] if len(found) == 1 else tuple(found)

    def _bound(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
        wanted = f"expected {', '.join(map(str, self.inputs)) or 'no inputs'}"
        if len(args) > len(self.inputs):
            raise TypeMismatch("OnnxModule", f"takes {len(self.inputs)} inputs but {len(args)} were given", wanted)
        found: dict[int, Any] = dict(enumerate(args))
        for name, given in kwargs.items():
            at = self._by_name.get(name)
            if at is None or at in found:
                what = f"got the input {name!r} twice" if at is not None else f"got an unexpected input {name!r}"
                raise TypeMismatch("OnnxModule", what, wanted)
            found[at] = given
        missing = [item.name for at, item in enumerate(self.inputs) if at not in found]
        if missing:
            raise TypeMismatch("OnnxModule", f"missing the input {missing[0]!r}", wanted)
        return [tensors(found[at]) for at in range(len(self.inputs))]

    def extra_repr(self) -> str:
        ops = ", ".join(f"{name} {count}" for name, count in self._nodes.most_common(6))
        more = ", …" if len(self._nodes) > 6 else ""
        return f"{', '.join(map(str, self.inputs))} -> {', '.join(map(str, self.outputs))}\nnodes: {ops}{more}"


def load(model: Any, *, trainable: Any = None) -> OnnxModule:
    """Read an ONNX model, from a path, bytes or a ModelProto, as a module in evaluation mode.

    ``trainable`` chooses the parameters: a function of the initializer's name; by default all floating-point initializers that
    are not settings of an operator. Weights in other files are read from the model's own folder only.

    Raises a FormatError for a file that is no sound ONNX model, and an UnsupportedError for operators that nobody provides.

    >>> import onnx, dovetail as dv
    >>> text = '<ir_version: 8, opset_import: ["" : 18]> g (float[n, 2] x) => (float[n, 1] y) <float[2, 1] w = {1, 2}> { y = MatMul(x, w) }'
    >>> model = load(onnx.parser.parse_model(text))
    >>> model(dv.ones(3, 2)).sum().backward()
    >>> model.w.grad.flatten()
    tensor([3., 3.])
    """
    path: str | os.PathLike[str] = "model"
    folder = None
    if isinstance(model, str | os.PathLike):
        path, folder = model, Path(model).parent
        model = Path(model).read_bytes()
    if isinstance(model, bytes | bytearray | memoryview):
        model = parse(path, bytes(model))
    elif not hasattr(model, "graph"):
        raise TypeMismatch("load", f"got a {type(model).__name__}", "expected a path, bytes or a ModelProto")
    try:
        return OnnxModule(model, path, folder, trainable).eval()
    except DovetailError:
        raise
    except RecursionError as error:
        raise FormatError(path, None, "has graphs too deep to be read") from error
    except Exception as error:  # a broken file gives bytes for names, numbers that are none of an enumeration, and what follows from those
        raise FormatError(path, None, f"is not a sound ONNX model ({type(error).__name__}: {error})") from error
