"""From the nodes of a file to the steps of a program: names checked, attributes bound, functions and inner graphs prepared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dovetail.errors import DovetailError, FormatError, UnsupportedError

from ..reading import Tensors
from .bind import Attributes, Bodies, Native
from .expand import Expanded
from .gradient import Gradient
from .host import Host
from .program import Program, Step
from .reference import Reference
from .table import KNOWN, added, find
from .values import tensors as as_tensors

__all__ = ["Builder", "Call"]

# Functions inside functions, and how many times over a file may be written out: a few functions that call each other twice are a bomb.
_DEEPEST, _TIMES, _ROOM = 64, 100, 10_000
_DEFAULT = ("", "ai.onnx")


class Builder:
    """Prepares the graphs of one model. ``keep(name, array, frozen)`` stores an initializer and returns the key it has in the module."""

    def __init__(self, path: object, model: Any, tensors: Tensors, keep: Callable[[str, Any, bool], str]) -> None:
        self.path, self.tensors, self.keep = path, tensors, keep
        self.ir_version, self.added = model.ir_version, added()
        self.functions = {(_domain(f.domain), f.name, getattr(f, "overload", "")): f for f in model.functions}
        self.opsets = self.versions(model.opset_import)
        self.running: list[tuple[str, ...]] = []  # the functions inside which we are
        self.stored: set[str] = set()  # names of initializers and constants that the graph at hand sees
        self.room = _ROOM + _TIMES * (len(model.graph.node) + sum(len(function.node) for function in model.functions))

    def refuse(self, what: str) -> FormatError:
        return FormatError(self.path, None, what)

    def versions(self, imports: Any) -> dict[str, int]:
        """Domain → version. Raises an UnsupportedError for one that is newer than the installed package ``onnx`` knows."""
        import onnx

        newest = int(onnx.defs.onnx_opset_version())
        found = {_domain(one.domain): one.version for one in imports}
        if found.get("", 1) > newest:
            what, remedy = f"{self.path} uses opset {found['']}", "pip install -U onnx, or export with an older opset"
            raise UnsupportedError("onnx", what, f"the installed package onnx {onnx.__version__} knows opsets up to {newest}", remedy)
        if any(version < 1 for version in found.values()):
            raise self.refuse(f"imports an operator set of version {min(found.values())}; expected 1 or more")
        return found

    def graph(self, graph: Any, outer: set[str], opsets: dict[str, int], bound: Attributes, prefix: str = "") -> Program:
        """Prepare a graph that sees the names in ``outer``."""
        inputs = [value.name for value in graph.input]
        frozen = _frozen(graph)
        state: dict[str, str] = {}
        for tensor in graph.initializer:
            state[self._new(tensor.name, state)] = self.keep(prefix + tensor.name, self.tensors.array(tensor), tensor.name in frozen)
        before, self.stored = self.stored, (self.stored - set(inputs)) | set(state)
        for sparse in graph.sparse_initializer:
            name = sparse.values.name
            state[self._new(name, state)] = self.keep(prefix + name, self.tensors.dense(sparse), name in frozen)
        program = self.steps(graph.node, [name for name in inputs if name not in state], outer | set(state), opsets, bound, prefix)
        self.stored = before
        program.state, program.types = state, [value.type for value in graph.output]
        program.free -= set(state)
        return self.outputs(program, [value.name for value in graph.output], outer | set(state))

    def _new(self, name: str, known: Any) -> str:
        if not name or name in known:
            raise self.refuse(f"names a value {name!r} twice" if name else "has an initializer without a name")
        return name

    def outputs(self, program: Program, names: list[str], known: set[str]) -> Program:
        """Give a program its outputs, and let each step drop what it is the last to use."""
        made = {name for step in program.steps for name in step.outputs} | set(program.inputs) | set(program.constants)
        missing = [name for name in names if name not in made and name not in known]
        if missing:
            raise self.refuse(f"names the output {missing[0]!r}, which nothing computes")
        program.outputs = names
        program.free |= {name for name in names if name not in made}
        seen = set(names)
        for step in reversed(program.steps):
            used = {*step.inputs, *step.outputs, *getattr(step.call, "free", ())} - {""}
            step.drop = tuple(name for name in used if name not in seen and name in made and name not in program.constants)
            seen |= used
        return program

    def steps(self, nodes: Any, inputs: list[str], outer: set[str], opsets: dict[str, int], bound: Attributes, prefix: str) -> Program:
        """Prepare nodes that stand in order, each after those whose outputs it takes."""
        if len(set(inputs)) < len(inputs):
            raise self.refuse("names an input of a graph twice")
        program = Program(inputs, [], [], {}, {})
        here = set(inputs)
        for at, node in enumerate(nodes):
            where = self.where(node, at, opsets)
            self.room -= 1
            if self.room < 0:
                raise self.refuse(f"{where}: the functions of the model, written out, are more than {_TIMES} times as long as the model")
            missing = [name for name in node.input if name and name not in here and name not in outer]
            if missing:
                raise self.refuse(f"{where} takes {missing[0]!r}, which nothing before it computes")
            program.free |= {name for name in node.input if name and name not in here}
            if node.op_type == "Constant" and _domain(node.domain) == "":
                program.constants[self._output(node, where, here)] = Host.of(self._constant(node, where, bound))
                self.stored.add(node.output[0])
                continue
            try:
                call = self._prepared(program, node, where, (here, outer), opsets, bound, f"{prefix}{node.name or at}/")
            except (DovetailError, RecursionError):
                raise
            except Exception as error:  # bytes for names, attributes of other types than they say
                raise self.refuse(f"{where} is not sound ({type(error).__name__}: {error})") from error
            program.free |= {name for name in getattr(call, "free", ()) if name not in here}
            for name in filter(None, node.output):
                if name in here:
                    raise self.refuse(f"{where} gives {name!r}, which is there already")
                here.add(name)
            self.stored -= set(node.output)
            program.steps.append(Step(call, list(node.input), list(node.output), where))
        return program

    def _prepared(self, program: Program, node: Any, where: str, known: Any, opsets: dict[str, int], bound: Attributes, prefix: str) -> Any:
        if (node.domain, node.op_type) == ("ai.onnx.preview.training", "Gradient"):
            return Gradient(program.steps, bound.of(node, self, where), list(node.input), where, self.path)
        return self.call(node, where, known, opsets, bound, prefix)

    def _output(self, node: Any, where: str, here: set[str]) -> str:
        if len(node.output) != 1 or not node.output[0] or node.output[0] in here:
            raise self.refuse(f"{where} gives {list(node.output)}; expected one new name")
        here.add(node.output[0])
        return str(node.output[0])

    def _constant(self, node: Any, where: str, bound: Attributes) -> Any:
        attributes = bound.of(node, self, where)
        if len(attributes) != 1:
            raise self.refuse(f"{where} has {len(attributes)} values; expected one")
        ((name, value),) = attributes.items()
        if name not in ("value", "sparse_value"):
            import numpy as np

            kinds = {"value_float": np.float32, "value_floats": np.float32, "value_int": np.int64, "value_ints": np.int64}
            value = as_tensors(np.array(value, kinds.get(name, object)))
        return value

    def where(self, node: Any, at: int, opsets: dict[str, int]) -> str:
        """How a node is called in errors."""
        domain = _domain(node.domain)
        name = repr(node.name) if node.name else f"number {at}"
        return f"node {name} ({node.op_type}, {domain or 'ai.onnx'} {opsets.get(domain, 'not imported')})"

    def call(self, node: Any, where: str, known: tuple[set[str], set[str]], opsets: dict[str, int], bound: Attributes, prefix: str) -> Any:
        """What computes a node: our function, the model's own function, the standard's definition, or the reference evaluator."""
        domain = _domain(node.domain)
        function = self.functions.get((domain, node.op_type, getattr(node, "overload", "")))
        attributes = bound.of(node, self, where)
        bodies = {
            name: self.graph(value.graph, known[0] | known[1], opsets, bound, f"{prefix}{name}/")
            for name, value in attributes.items()
            if isinstance(value, Bodies)
        }
        if function is not None:
            return self.function(function, attributes, where, prefix)
        if domain not in opsets:
            raise self.refuse(f"{where} belongs to a domain that the model does not import")
        version = opsets[domain]
        schema = _schema(domain, node.op_type, version)
        if schema is not None and domain in KNOWN and schema.since_version > KNOWN[domain]:
            what, remedy = (
                f"is newer than dovetail-onnx knows ({KNOWN[domain]})",
                "pip install -U dovetail-onnx, or export with an older opset",
            )
            raise UnsupportedError(where, what, "", remedy)
        row = find(domain, node.op_type, schema.since_version if schema is not None else version, self.added)
        handed = None
        if schema is not None and not bodies:
            handed = Reference(bound.resolved(node), opsets, list(self.functions.values()), self.ir_version, where)
        if row is not None:
            fixed = {at for at, name in enumerate(node.input) if name in self.stored}
            injected = {"n_outputs": len(node.output), "opset": version, "fixed": fixed}
            return Native(row, attributes, bodies, injected, where, handed, self.path)
        if schema is None:
            raise UnsupportedError(where, "nobody provides this operator", "`dovetail onnx info FILE` lists a model's operators", _REMEDY)
        if schema.has_function or schema.has_context_dependent_function:
            return Expanded(self, bound.resolved(node), schema, version, where, handed)
        if handed is None:
            raise UnsupportedError(where, "is not supported", "`dovetail onnx info FILE` lists a model's operators", _REMEDY)
        return handed

    def function(self, function: Any, attributes: dict[str, Any], where: str, prefix: str, partial: bool = False) -> Any:
        """Prepare the body of a FunctionProto with the attributes of the node that calls it."""
        key = (function.domain, function.name, getattr(function, "overload", ""))
        if key in self.running or len(self.running) > _DEEPEST:
            raise self.refuse(f"{where} calls itself")
        self.running.append(key)
        stored, self.stored = self.stored, set()
        try:
            opsets = self.versions(function.opset_import)
            if partial:  # asked for when the model runs, and as long as the standard has it
                self.room = max(self.room, _ROOM)
                opsets = {"": newest_opset(), **self.opsets, **opsets}
            defaults = {item.name: item for item in function.attribute_proto}
            bound = Attributes({**{name: Attributes.value(item, self, where) for name, item in defaults.items()}, **attributes})
            program = self.steps(function.node, list(function.input), set(), opsets, bound, prefix)
            if partial:  # a definition made for one node leaves out the outputs that this node does not name
                made = {name for step in program.steps for name in step.outputs} | set(program.inputs) | set(program.constants)
                program.constants |= {name: None for name in function.output if name not in made}
            return Call(self.outputs(program, list(function.output), set()))
        finally:
            self.stored = stored
            self.running.pop()


def newest_opset() -> int:
    """The newest standard opset that both the package onnx and dovetail-onnx know."""
    import onnx

    return min(KNOWN[""], int(onnx.defs.onnx_opset_version()))


_REMEDY = 'a plugin can add it with a row [lowerings."plugin/NAME"], format = "onnx-import"'


class Call:
    """A node that stands for a function of the model."""

    def __init__(self, program: Program) -> None:
        self.program = program

    def __call__(self, values: list[Any], env: dict[str, Any], run: Any) -> list[Any]:
        return self.program(values + [None] * (len(self.program.inputs) - len(values)), {}, run)


def _domain(domain: str) -> str:
    return "" if domain in _DEFAULT else domain


def _schema(domain: str, name: str, version: int) -> Any:
    import onnx

    try:
        return onnx.defs.get_schema(name, version, domain)
    except onnx.defs.SchemaError:
        return None


#: Inputs that set how an operator works and are not learned, by operator: positions.
_SETTINGS = {
    "BatchNormalization": {3, 4}, "Resize": {1, 2}, "Upsample": {1}, "Clip": {1, 2}, "Pad": {2}, "Dropout": {1}, "Range": {0, 1, 2},
    "QuantizeLinear": {1, 2}, "DequantizeLinear": {1, 2}, "OneHot": {2}, "QLinearConv": {1, 4, 6}, "QLinearMatMul": {1, 4, 6},
    "NonMaxSuppression": {3, 4}, "NegativeLogLikelihoodLoss": {2}, "SoftmaxCrossEntropyLoss": {2}, "RoiAlign": {1},
}  # fmt: skip


def _frozen(graph: Any) -> set[str]:
    """The values that are settings in this graph, also where they pass an Identity, with which exporters share equal ones."""
    found: set[str] = set()
    for node in reversed(graph.node):
        found |= {node.input[at] for at in _SETTINGS.get(node.op_type, ()) if at < len(node.input)}
        if node.op_type == "Identity" and node.output and node.output[0] in found:
            found |= set(node.input)
    return found
