"""The @op decorator: one function on raw arrays, its gradient directly below it.

    @op(dtypes="float")
    def tanh(input: Array) -> Array:
        return xp(input).tanh(input)

    @tanh.vjp
    def _(g, out):
        return tanh_grad(g, out)

Parameters annotated `Array` (or `Arrays`, a list of them) are tensors and may have gradients; `Fixed` ones are tensors
that never have (indices, masks); all others are plain values. A rule's parameter names say what is kept.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ..device import xp
from ._accepts import DIM_WITH_KEEPDIM, ONE_TYPE, REAL, TENSOR_FIRST, TENSORS, plain_types
from ._call import general, specialise
from ._plan import Plan, Rule, parameter_names

__all__ = ["ALIASES", "Array", "Arrays", "Fixed", "OPS", "Impl", "Op", "op", "xp"]

Array = Any  # a differentiable array argument; in a signature it reads `input: Array`
Arrays = Any  # a list of them
Fixed = Any  # an array, or an index made of arrays, without a gradient

OPS: dict[str, Op] = {}
MISSING: Any = type("MISSING", (), {})()  # the default of a parameter that has none


class Impl:
    """A forward function and the rules that belong to it: the reference, or a kernel from outside."""

    __slots__ = ("by_mask", "forward", "into", "op", "plans", "rules")

    def __init__(self, op: Op, forward: Callable[..., Any], rules: dict[int | None, Rule], into: Callable[..., Any] | None = None) -> None:
        self.op, self.forward, self.rules, self.into = op, forward, rules, into
        self.plans: dict[int, Plan] = {}
        self.by_mask: list[Plan | None] = [None] * 4  # the plans again, for the fast wrappers

    def plan(self, mask: int) -> Plan:
        """The plan for a set of needs, made when it is first met."""
        found = self.plans.get(mask)
        if found is None:
            found = self.plans[mask] = Plan(self.op, self.rules, mask)
            if mask < 4:
                self.by_mask[mask] = found
        return found


class Op:
    """What is known of an op: its names, classes, rules and implementations. `OPS` holds them all by name."""

    def __init__(
        self, forward: Callable[..., Any], *, dtypes: str | None = "promote", saves: tuple[str, ...] = (),
        outputs: tuple[str, ...] | str | None = None, nondiff: tuple[str, ...] = (), result: Callable[..., Any] | None = None,
        alias: str | None = None, contiguous: bool | str = False, autocast: str | None = None, name: str | None = None,
        version: int = 1, halves: bool = False,
    ) -> None:  # fmt: skip
        self.forward = forward
        self.name: str = name or forward.__name__
        self.dtypes, self.alias, self.version, self.autocast, self.saves = dtypes, alias, version, autocast, tuple(saves)
        self.contiguous = contiguous
        self.widens = dtypes is not None and not halves  # half precision is computed in float32, unless the forward sees to it
        self.outputs: tuple[str, ...] = tuple(outputs or ("out",))
        self.n_outputs = -1 if outputs == "many" else len(self.outputs)
        self.nondiff = frozenset(self.outputs.index(n) for n in nondiff) if self.n_outputs > 0 else frozenset()
        self.result = result  # makes the named tuple of several results
        self.call: Any = None  # the public function
        self.store: Callable[..., None] | None = None  # writes the result into the first array; see _stored.py
        self.composite: Callable[..., Any] | None = None
        self.refuse: Callable[..., None] | None = None  # looks at an operator's operands before they are promoted
        self._read_signature()
        self.reference = Impl(self, forward, {})
        self.table: dict[Any, Impl] = {}  # (device type, NumPy dtype of the first array) -> a kernel from outside
        self.fast: dict[Any, Impl] = {}  # dtype -> implementation, for calls on the CPU that need no cast

    def _read_signature(self) -> None:
        code, notes = self.forward.__code__, self.forward.__annotations__
        self.params = parameter_names(self.forward)
        if code.co_flags & 0x0C or code.co_kwonlyargcount:
            raise TypeError(f"op {self.name}: a forward has plain parameters only")
        if not all(isinstance(note, str) for note in notes.values()):  # evaluated, Array and Fixed are no longer told apart
            wrong = next(f"{name}: {note!r}" for name, note in notes.items() if not isinstance(note, str))
            raise TypeError(
                f"op {self.name}: the annotation of {wrong} is evaluated; expected it as text, which says whether it is an Array; "
                f"begin the file {self.forward.__code__.co_filename} with `from __future__ import annotations`"
            )
        kinds = [str(notes.get(p, "")).removesuffix(" | None") for p in self.params]
        self.arrays = tuple(i for i, k in enumerate(kinds) if k in ("Array", "Arrays"))
        self.fixed = tuple(i for i, k in enumerate(kinds) if k == "Fixed")
        self.lists = frozenset(self.arrays.index(i) for i, k in enumerate(kinds) if k == "Arrays")
        self.edge_of = {i: at for at, i in enumerate(self.arrays)}
        self.strict = frozenset(self.arrays if self.name in TENSORS else self.arrays[: self.name in TENSOR_FIRST])  # no numbers here
        self.one_type = self.dtypes == "same" or self.name in ONE_TYPE
        self.keepdim = self.params.index("keepdim") if "keepdim" in self.params else None
        self.real, self.plain = self.name in REAL, plain_types(self.name, self.dtypes)
        self.numbers = tuple(i for i, k in enumerate(kinds) if k in ("int", "float", "bool"))
        factors = (i for i, p in enumerate(self.params) if p in ("alpha", "beta", "value") and i not in self.arrays)
        self.scalars = tuple({*self.numbers, *factors})
        n, given = len(self.params), self.forward.__defaults__ or ()
        self.required = n - len(given)
        self.defaults = (MISSING,) * self.required + given
        self.optional = frozenset(i for i, p in enumerate(self.params) if "None" in str(notes.get(p)) or self.defaults[i] is None)
        sources: dict[str, Any] = {"needs": (-1, "")}
        for i, name in enumerate(self.params):
            sources[name] = (i, "value")
            if i in self.arrays or i in self.fixed:
                sources[f"{name}_shape"], sources[f"{name}_dtype"] = (i, "shape"), (i, "dtype")
        for k, name in enumerate(self.outputs):
            if name in sources or name == "g":
                raise TypeError(f"{self.name}: {name!r} names both a parameter and a result")
            sources[name] = (n + k, "value")
        for k, name in enumerate(self.saves):
            sources[name] = (n + len(self.outputs) + k, "value")
        self.sources = sources

    @property
    def differentiable(self) -> bool:
        """Whether the op has a gradient rule."""
        return bool(self.reference.rules)

    def add_rule(self, impl: Impl, function: Callable[..., Any], position: int | None) -> None:
        """Attach a gradient function to an implementation."""
        impl.rules[position] = Rule(self, function, position)
        impl.plans.clear()
        impl.by_mask[:] = [None] * 4

    def implementation(self, device: str, dtype: Any, computed_in: Any = None) -> Impl:
        """The implementation for this device and type: a kernel from outside, one for the type it is computed in, or the reference."""
        return self.table.get((device, dtype)) or self.table.get((device, computed_in)) or self.reference

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
        """Lay positional and keyword arguments out in the order of the parameters, with defaults.

        Raises a TypeError that names what is missing or not known; `axis` and `keepdims` serve for `dim` and `keepdim`.
        """
        params = self.params
        if len(args) > len(params):
            raise _arguments(self, f"takes {len(params)} arguments but {len(args)} were given")
        values = list(args) + list(self.defaults[len(args) :])
        given = set(range(len(args))) if kwargs else ()
        for name, value in kwargs.items():
            name = ALIASES.get(name, name)
            if name not in params:
                raise _arguments(self, f"got an unexpected keyword argument {name!r}")
            at = params.index(name)
            if at in given:
                raise _arguments(self, f"got multiple values for argument {name!r}")
            given.add(at)
            values[at] = value
        if self.name in DIM_WITH_KEEPDIM and len(args) < 2 and "keepdim" in kwargs and not kwargs.keys() & {"dim", "axis"}:
            raise _arguments(self, "received an invalid combination of arguments - keepdim without dim")
        for name, value in zip(params, values, strict=True):
            if value is MISSING:
                raise _arguments(self, f"missing argument {name!r}")
        return values

    def __repr__(self) -> str:
        return f"<op {self.name}({', '.join(self.params)})>"


ALIASES = {"axis": "dim", "keepdims": "keepdim", "x": "input", "A": "input"}


def _arguments(op: Op, what: str) -> Exception:
    from ..errors import TypeMismatch

    return TypeMismatch(f"{op.name}()", what, f"the signature is {op.name}({', '.join(op.params)})")


def op(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Make an op of a function on raw arrays. The options are:

    dtypes:  "promote" casts the array arguments to their common type; "float" also makes integers the default float;
             "floating" refuses what is not floating; "same" refuses arrays of different types; None leaves them alone.
    saves:   names of extra results that only the gradient sees; the forward returns (out, *saves).
    outputs: names of several results, or "many" when their number depends on the call; nondiff: those without gradient.
    alias:   "always" or "sometimes" when the result shares memory with the first argument.
    result:  what makes a named tuple of several results.
    contiguous: whether the result is laid out afresh, in the order of its dimensions ("or channels last", where it is that;
             "images" or "volumes", channels last where an operand is); else it may lie as the arguments do.
    autocast: "lower" or "float32", the category under autocast.
    name, version: what it is known by, the function's own name by default.

    The result is a plain function with attributes: `.vjp` (decorator for a gradient rule: for all array arguments, or
    `.vjp(0)`, `.vjp("weight")` for one), `.composite` (the definition by other ops, for second derivatives), `.op`.
    """
    return _make(function, options) if function is not None else lambda f: _make(f, options)


def _make(function: Callable[..., Any], options: dict[str, Any]) -> Any:
    record = Op(function, **options)
    if record.name in OPS:
        raise NameError(f"op {record.name!r} is defined twice ({function.__module__} and {OPS[record.name].forward.__module__})")
    OPS[record.name] = record
    call: Any = specialise(record) or general(record)
    functools.update_wrapper(call, function)
    call.op, record.call = record, call

    def vjp(*rules: Any) -> Any:
        if callable(rules[0]):
            for position, rule in enumerate(rules):
                record.add_rule(record.reference, rule, position if len(rules) > 1 else None)
            return call
        names = [record.params[i] for i in record.arrays]
        position = rules[0] if isinstance(rules[0], int) else names.index(rules[0])
        return lambda rule: record.add_rule(record.reference, rule, position) or call

    def composite(definition: Callable[..., Any]) -> Any:
        record.composite = definition
        return call

    call.vjp, call.composite = vjp, composite
    return call
