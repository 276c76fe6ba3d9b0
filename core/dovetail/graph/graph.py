"""Graph: a recorded run, as values and the op calls that make them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any

from ..autograd.node import CLASSES, Tensor
from ..errors import ShapeError, TypeMismatch

__all__ = ["Call", "Graph", "Value"]


@dataclass(eq=False)
class Value:
    """One tensor of a run: an input, a parameter or buffer, a constant, or the result of a call.

    ``tensor`` is the tensor itself for parameters, buffers and constants, None otherwise. ``written`` says that the run
    changes a constant in place: each replay then starts from a copy. Values that share memory, views and what they are views
    of, have the same number ``memory``. ``changed`` says that the run writes to a parameter or buffer.
    """

    name: str
    kind: str  # "input", "parameter", "buffer", "constant" or "result"
    shape: tuple[int, ...]
    dtype: Any
    tensor: Tensor | None = None
    written: bool = False
    memory: int = 0
    changed: bool = False

    def __str__(self) -> str:
        return f"%{self.name}: {self.dtype.name}{list(self.shape)}"


@dataclass(eq=False)
class Call:
    """One op call: the op, its arguments by parameter name (values stand for tensors), its results, and where it was made.

    ``arrays`` names the parameters that are tensors with gradients, and ``promotes`` how their types become one before the op runs:
    "promote", "float" (integers become the default float), "floating", "same", or None where each keeps its own.
    """

    op: str
    args: dict[str, Any]
    outputs: list[Value]
    module: str = ""
    inplace: bool = False
    version: int = 1
    arrays: tuple[str, ...] = ()
    promotes: str | None = None

    def inputs(self) -> Iterator[Value]:
        """The values among the arguments, in order."""
        yield from leaves(self.args, Value)

    @property
    def attributes(self) -> dict[str, Any]:
        """The arguments that are not tensors."""
        return {k: v for k, v in self.args.items() if not leaves(v, Value)}

    def __str__(self) -> str:
        left = ", ".join(map(str, self.outputs))
        right = ", ".join(f"{k}={_text(v)}" for k, v in self.args.items())
        where = f"  # {self.module}" if self.module else ""
        return f"{left} = {self.op}{'_' if self.inplace else ''}({right}){where}"


@dataclass(eq=False)
class Graph:
    """A run of a function: inputs, the calls in order, and the results in the structure that the function returned.

    >>> import dovetail as dv
    >>> g = dv.graph.trace(lambda x: (x * 2).tanh(), dv.ones(2))
    >>> print(g)
    graph(%input0: float32[2])
      %mul: float32[2] = mul(input=%input0, other=2)
      %tanh: float32[2] = tanh(input=%mul)
      return %tanh
    """

    inputs: list[Value]
    calls: list[Call] = field(default_factory=list)
    captured: list[Value] = field(default_factory=list)  # parameters, buffers and constants
    outputs: Any = None

    def __str__(self) -> str:
        lines = [f"graph({', '.join(map(str, self.inputs))})"]
        lines += [f"  {v}  # {v.kind}" for v in self.captured]
        lines += [f"  {c}" for c in self.calls]
        return "\n".join([*lines, f"  return {_text(self.outputs)}"])

    __repr__ = __str__

    def __len__(self) -> int:
        return len(self.calls)

    def parameters(self) -> dict[str, Tensor]:
        """The parameters and buffers that the run used, by dotted name."""
        return {v.name: v.tensor for v in self.captured if v.kind in ("parameter", "buffer") and v.tensor is not None}

    def run(self, *args: Tensor) -> Any:
        """Make the recorded calls again on other inputs of the same shapes and types; what draws random numbers draws anew.

        Inputs and buffers that op calls changed in place are changed again; what the function did beside its op calls,
        such as moving the running statistics of a batch norm, is not repeated. Raises a ShapeError for other inputs:
        the recorded attributes hold for the traced ones.

        >>> import dovetail as dv
        >>> g = dv.graph.trace(lambda x: x * x + 1, dv.zeros(2))
        >>> g.run(dv.tensor([2., 3.]))
        tensor([ 5., 10.])
        """
        from ..ops._call import dispatch
        from ..ops._op import OPS
        from ..ops.inplace import write

        if len(args) != len(self.inputs):
            raise ShapeError("Graph.run", f"got {len(args)} inputs", f"expected {len(self.inputs)}")
        known: dict[Value, Any] = {v: v.tensor.clone() if v.written else v.tensor for v in self.captured}
        for v, t in zip(self.inputs, args, strict=True):
            if t.__class__ not in CLASSES:
                raise TypeMismatch("Graph.run", f"input {v.name} is {type(t).__name__}", "expected a Tensor")
            if tuple(t.shape) != v.shape or t.dtype is not v.dtype:
                what = f"input {v.name} has shape {tuple(t.shape)} and type {t.dtype}"
                raise ShapeError("Graph.run", what, f"traced with {v.shape} and {v.dtype}", "trace again")
            known[v] = t

        def filled(x: Any) -> Any:
            return mapped(x, lambda v: known[v] if isinstance(v, Value) else v)

        for call in self.calls:
            op = OPS[call.op]
            values = [filled(call.args[p]) for p in op.params]
            out = write(op, values) if call.inplace else dispatch(op, values)
            for v, t in zip(call.outputs, out if isinstance(out, tuple) else (out,), strict=True):
                known[v] = t
        return filled(self.outputs)


def mapped(x: Any, see: Callable[[Any], Any]) -> Any:
    """The same structure of tuples, lists, dicts and dataclasses, with `see` applied to everything else in it."""
    if isinstance(x, tuple) and hasattr(x, "_fields"):
        return type(x)(*(mapped(v, see) for v in x))
    if isinstance(x, tuple | list):
        return type(x)(mapped(v, see) for v in x)
    if is_dataclass(x) and not isinstance(x, Value | type):
        return replace(x, **{f.name: mapped(getattr(x, f.name), see) for f in fields(x) if f.init})
    return {k: mapped(v, see) for k, v in x.items()} if isinstance(x, dict) else see(x)


def leaves(x: Any, kind: type) -> list[Any]:
    """The instances of a type in such a structure, in order."""
    found: list[Any] = []
    mapped(x, found.append)
    return [v for v in found if isinstance(v, kind)]


def _text(arg: Any) -> str:
    if isinstance(arg, Value):
        return f"%{arg.name}"
    if isinstance(arg, tuple | list):
        inner = ", ".join(_text(a) for a in arg)
        return f"({inner}{',' if len(arg) == 1 else ''})" if isinstance(arg, tuple) else f"[{inner}]"
    if isinstance(arg, dict):
        return "{" + ", ".join(f"{k!r}: {_text(v)}" for k, v in arg.items()) + "}"
    return repr(arg)
