"""Builder: nodes and initializers as they are written down, with readable names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np

import dovetail as dv
from dovetail.errors import UnsupportedError

from .runs import place
from .sizes import FreeSize

__all__ = ["Builder", "Pair", "Ref", "Unmade"]

_BOOLS = {"Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "And", "Or", "Xor", "Not", "IsNaN", "IsInf"}
_PLAIN = {dv.complex64: dv.float32, dv.complex128: dv.float64}
_INTS = {"Shape", "Size", "NonZero", "ArgMax", "ArgMin"}
_TYPES = {
    "float32": "FLOAT", "float64": "DOUBLE", "float16": "FLOAT16", "bfloat16": "BFLOAT16", "int64": "INT64", "int32": "INT32",
    "int16": "INT16", "int8": "INT8", "uint8": "UINT8", "bool": "BOOL", "complex64": "COMPLEX64", "complex128": "COMPLEX128",
}  # fmt: skip


class Ref:
    """A value of the ONNX graph: its name, its type as Dovetail's, and, where known, its shape and the arrays of a constant."""

    __slots__ = ("arrays", "dtype", "name", "shape")

    def __init__(self, name: str, dtype: Any, shape: Any = None, arrays: Any = None) -> None:
        self.name, self.dtype, self.shape, self.arrays = name, dtype, shape, arrays

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self.shape)

    def __repr__(self) -> str:
        return f"%{self.name}"


class Pair(Ref):
    """A complex value: its real and its imaginary part, which are values of the graph."""

    __slots__ = ("im", "re")

    def __init__(self, re: Ref, im: Ref) -> None:
        self.re, self.im, self.arrays = re, im, None
        self.dtype, self.shape = (dv.complex128 if re.dtype is dv.float64 else dv.complex64), re.shape

    @property
    def name(self) -> str:  # type: ignore[override]
        """Raises that there is no such value."""
        remedy = "return view_as_real(x), and take view_as_complex of an input"
        raise UnsupportedError("export", "complex numbers have no counterpart in ONNX where this one is used", "", remedy)


class Unmade(Ref):
    """A constant that no nodes can make; its name is asked for when it is used, and then the reason is raised."""

    __slots__ = ("error",)

    def __init__(self, error: Exception, dtype: Any) -> None:
        self.error, self.dtype, self.shape, self.arrays = error, dtype, None, None

    @property
    def name(self) -> str:  # type: ignore[override]
        """Raises why there is no such constant."""
        raise self.error


class Builder:
    """What lowerings write with: ``g.Relu(x)``, ``g.Mul(x, 2)``, ``g.node("Softclip", x, domain="com.acme")``.

    Inputs are Refs, None, numbers (constants of the type of the first Ref), lists of whole numbers and sizes (int64), or arrays.
    ``g.opset`` is the version written for; ``g.call`` the call that is being lowered.
    """

    def __init__(self, opset: int) -> None:
        self.opset = opset
        self.nodes: list[Any] = []
        self.initializers: dict[str, np.ndarray] = {}
        self.domains: dict[str, int] = {}
        self.path, self.call = "", cast("Any", None)
        self._names: dict[str, int] = {}
        self._constants: dict[Any, Ref] = {}
        self._sizes: dict[int, tuple[FreeSize, Ref]] = {}

    def __getattr__(self, op: str) -> Callable[..., Any]:
        if not op[:1].isupper():
            raise AttributeError(op)
        return lambda *inputs, **attributes: self.node(op, *inputs, **attributes)

    def node(
        self, op: str, *inputs: Any, outputs: int = 1, domain: str = "", version: int = 1, dtype: Any = None, **attributes: Any
    ) -> Any:  # fmt: skip
        """Append a node and return its result, or a tuple of several; attributes that are None are left out."""
        from onnx import helper

        like = next((x.dtype for x in inputs if isinstance(x, Ref) and not (op == "Where" and x is inputs[0])), dv.float32)
        names = [self.ref(x, like).name if x is not None else "" for x in inputs]
        while names and not names[-1]:
            names.pop()
        if op == "ScatterElements" and attributes.get("reduction") and self.opset < 16:
            what = f"adding up where an index points needs opset 16, got {self.opset}"
            raise UnsupportedError(place(self.call), what, "", "export with a newer opset")
        if op == "Where" and like is dv.bool:  # onnxruntime chooses between numbers alone
            numbers = [self.cast(self.ref(x, like), dv.uint8) for x in inputs[1:]]
            return self.cast(self.node(op, inputs[0], *numbers), dv.bool)
        kind = dtype or (dv.bool if op in _BOOLS else dv.int64 if op in _INTS else like)
        prefix = f"{self.path}.{op}" if self.path else op
        label = self.unique(prefix)
        results = [Ref(self.unique(f"{label}.out" if k == 0 else f"{label}.out{k}"), kind) for k in range(outputs)]
        if domain:
            self.domains[domain] = version
        kept: dict[str, Any] = {k: [int(i) for i in v] if isinstance(v, tuple) else v for k, v in attributes.items() if v is not None}
        self.nodes.append(helper.make_node(op, names, [r.name for r in results], name=label, domain=domain, **kept))
        return results[0] if outputs == 1 else tuple(results)

    def loop(self, count: Ref, states: Sequence[Ref], body: Callable[..., Any], stacked: Sequence[Any] = ()) -> tuple[Ref, ...]:
        """Run nodes ``count`` (a Ref) times: the last states, and what is stacked over the turns.

        ``body(g, turn, *states)`` writes the nodes of a turn (an int64 without dimensions) and returns the next states, of their types,
        and one Ref for each shape in ``stacked``; in these a size is a number, or None where it is not known. It may read what is outside.
        """
        from onnx import helper

        outer, sizes = self.nodes, dict(self._sizes)
        self.nodes = []
        turn, going = Ref(self.unique("turn"), dv.int64, ()), Ref(self.unique("going"), dv.bool, ())
        given = [Ref(self.unique("state"), s.dtype, s.shape) for s in states]
        found = [self.node("Identity", r) for r in body(self, turn, *given)]
        last = self.node("Identity", going)
        shapes = [*(None for _ in states), *(list(shape) for shape in stacked)]
        info = helper.make_tensor_value_info
        inputs = [info(r.name, self.type_number(r.dtype), None if r in given else []) for r in (turn, going, *given)]
        outputs = [info(last.name, self.type_number(dv.bool), [])]
        outputs += [info(r.name, self.type_number(r.dtype), shape) for r, shape in zip(found, shapes, strict=True)]
        graph = helper.make_graph(self.nodes, "turn", inputs, outputs)
        self.nodes, self._sizes = outer, sizes
        made = self.node("Loop", count, self.const(True), *states, outputs=len(found), body=graph)
        made = made if isinstance(made, tuple) else (made,)
        for out, inner in zip(made, found, strict=True):
            out.dtype = inner.dtype
        return made

    def unique(self, name: str) -> str:
        """The name, with a number where it is taken."""
        count = self._names[name] = self._names.get(name, 0) + 1
        return name if count == 1 else self.unique(f"{name}_{count - 1}")

    def ref(self, x: Any, like: Any = None) -> Ref:
        """Make a Ref of what may stand for one."""
        if isinstance(x, Ref):
            return x
        if isinstance(x, FreeSize):
            return self.cast(self.scalar(x), like)
        if isinstance(x, list | tuple) and all(isinstance(v, int | FreeSize) and not isinstance(v, bool) for v in x):
            return self.sizes(x)
        return self.const(x, None if isinstance(x, np.ndarray | np.generic) else like)

    def const(self, value: Any, dtype: Any = None, name: str = "") -> Ref:
        """A constant: an array or number, cast to a type where one is given. Small ones are written once."""
        array = np.asarray(value)
        if dtype is not None:
            array = array.astype(dtype.np)
        kind = dv.from_numpy(np.zeros(0, array.dtype)).dtype
        key = (array.dtype.name, array.shape, array.tobytes()) if array.size < 64 and not name else None
        if key is None or key not in self._constants:
            ref = Ref(self.unique(name or "constant"), kind, tuple(array.shape), [array])
            self.initializers[ref.name] = array
            if key is None:
                return ref
            self._constants[key] = ref
        return self._constants[key]

    def sizes(self, values: Sequence[Any]) -> Ref:
        """Whole numbers and sizes as one int64 vector."""
        if not any(isinstance(v, FreeSize) for v in values):
            return self.const(np.array([int(v) for v in values], np.int64))
        parts: list[Any] = []
        for v in values:
            if isinstance(v, FreeSize):
                parts.append(self._size(v))
            elif parts and isinstance(parts[-1], list):
                parts[-1].append(int(v))
            else:
                parts.append([int(v)])
        refs = [self.const(np.array(p, np.int64)) if isinstance(p, list) else p for p in parts]
        return refs[0] if len(refs) == 1 else self.node("Concat", *refs, axis=0)

    def _size(self, size: FreeSize) -> Ref:
        if id(size) not in self._sizes:
            self._sizes[id(size)] = (size, size.emit(self))
        return self._sizes[id(size)][1]

    def scalar(self, size: Any) -> Ref:
        """A size or number as an int64 without dimensions."""
        return self.node("Squeeze", self._size(size)) if isinstance(size, FreeSize) else self.const(np.int64(size))

    def floats(self, size: Any) -> Ref:
        """A size as a float32 without dimensions."""
        return self.cast(self.scalar(size), dv.float32)

    def cast(self, x: Ref, dtype: Any) -> Ref:
        """``x`` in another type; itself where it has that type."""
        dtype = _PLAIN.get(dtype, dtype)  # of a part of a complex value
        if dtype is None or x.dtype == dtype:
            return x
        out: Ref = self.node("Cast", x, to=self.type_number(dtype), dtype=dtype)
        out.shape = x.shape
        return out

    def type_number(self, dtype: Any) -> int:
        """ONNX's number of a type."""
        from onnx import TensorProto

        return int(getattr(TensorProto, _TYPES[dtype.name]))

    def dim(self, x: Ref, axis: int) -> Callable[[Builder], Ref]:
        """How the graph reads a size of a value."""
        if self.opset >= 15:
            return lambda g: g.node("Shape", x, start=axis, end=axis + 1)
        return lambda g: g.node("Gather", g.node("Shape", x), [axis], axis=0)
