"""What to keep of a call, and how to run its gradient rules: worked out once per op, implementation and set of needs."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from ..autograd.node import CLASSES, Node, Output, Tensor, is_array, wrap

if TYPE_CHECKING:
    from ._op import Op

__all__ = ["Plan", "Rule"]


def parameter_names(function: Callable[..., Any]) -> tuple[str, ...]:
    """The names of a function's parameters, read from its code: `inspect` would cost an import and 20 µs a function."""
    code = function.__code__
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]


class Rule:
    """One gradient function and the names it asked for; `position` is the array argument it serves, None for all."""

    __slots__ = ("function", "names", "position")

    def __init__(self, op: Op, function: Callable[..., Any], position: int | None) -> None:
        names = parameter_names(function)
        if not names or names[0] != "g":
            raise TypeError(f"{op.name}.vjp: the first parameter of a gradient rule is g; got {names}")
        unknown = [n for n in names[1:] if n not in op.sources]
        if unknown:
            raise TypeError(f"{op.name}.vjp: unknown names {unknown}; a rule may ask for g and {sorted(op.sources)}")
        self.function, self.names, self.position = function, names[1:], position


class Plan:
    """For one op and one set of inputs that require gradients: the kept values and the backward function."""

    __slots__ = ("backward", "boxed", "frees", "kept", "narrow", "needs", "op", "picks", "quick", "rules")

    def __init__(self, op: Op, rules: dict[int | None, Rule], mask: int) -> None:
        self.op, self.narrow = op, dict[tuple[bool, ...], Plan]()
        self.needs = tuple(bool(mask >> i & 1) for i in range(len(op.arrays)))
        if None in rules:
            self.rules = [rules[None]]
        else:
            self.rules = [rules[i] for i in range(len(op.arrays)) if self.needs[i] and i in rules]
        names = {n for rule in self.rules for n in rule.names}
        if op.composite is not None:
            names.update(op.params)  # second derivatives run the composite on the inputs
        self.kept = tuple(sorted((op.sources[n], n) for n in names if n != "needs"))
        held = {*op.arrays, *op.fixed}
        self.picks = tuple(source for source, _ in self.kept)
        self.boxed = tuple(i for i, what in self.picks if what == "value" and (i in held or i >= len(op.params)))
        self.frees = bool(self.boxed)
        self.backward = self._compile()
        plain = tuple(i for (i, what), _ in self.kept if what == "value")
        self.quick = (_QUICK.get((len(op.params), plain)) if len(plain) == len(self.kept) else None) or self._slow_quick

    def narrowed(self, needs: tuple[bool, ...]) -> Plan:
        """The plan for the same call of which fewer gradients are asked: the others are not computed."""
        if needs == self.needs or self.op.lists:
            return self
        if needs not in self.narrow:
            made = self.narrow[needs] = copy(self)
            made.needs, made.rules = needs, [r for r in self.rules if r.position is None or needs[r.position]]
            made.backward = made._compile()
        return self.narrow[needs]

    def _slow_quick(self, *values: Any) -> tuple[Any, Any]:
        """`quick` for a rule that keeps a shape or a type only."""
        half = len(values) // 2
        boxes = tuple(values[half + i] for (i, what), _ in self.kept if what == "value")
        return self.keep(list(values[:half])), boxes

    def keep(self, values: Any) -> tuple[Any, ...]:
        """Pick what the rules asked for out of arguments + results + extras."""
        return tuple([values[i] if what == "value" else _aspect(values[i], what) for i, what in self.picks])

    def keep_boxes(self, args: Any, outs: Any) -> tuple[Any, ...]:
        """The version boxes of the kept tensors."""
        n, boxes = len(self.op.params), []
        for i in self.boxed:
            v = args[i] if i < n else outs[i - n] if i - n < len(outs) else None
            if v.__class__ in CLASSES:
                boxes.append(v._v)
            elif v.__class__ is tuple or v.__class__ is list:
                boxes.extend([x._v for x in v if x.__class__ in CLASSES])
        return tuple(boxes)

    def _compile(self) -> Callable[[Any, Any], Any]:
        """Make backward(g, saved): wrap what was kept, run the rules, align the results with the edges."""
        order = {name: i for i, (_, name) in enumerate(self.kept)}
        steps = []
        for rule in self.rules:
            take = None if list(rule.names) == list(order) else tuple(order.get(n, -1) for n in rule.names)
            steps.append((rule.function, take, rule.position))
        needs, count = self.needs, len(self.op.arrays)
        if len(steps) == 1 and steps[0][1] is None and not self.op.lists:
            return _one_rule(steps[0][0], steps[0][2], count, len(order))

        def backward(g: Any, saved: Any) -> Any:
            kept = [lift(v) for v in saved]
            grads: list[Any] = [None] * count
            for function, take, position in steps:
                r = function(g, *(kept if take is None else [needs if i < 0 else kept[i] for i in take]))
                if position is not None:
                    grads[position] = r
                elif count == 1:
                    grads[0] = r
                else:
                    grads = r
            return grads

        return self._flatten(backward) if self.op.lists else backward

    def _flatten(self, backward: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        """Lay the gradients of a list argument out flat, as its edges are."""
        lists = self.op.lists

        def flat(g: Any, saved: Any) -> list[Any]:
            out: list[Any] = []
            for i, r in enumerate(backward(g, saved)):
                if i in lists:
                    out.extend(r)
                else:
                    out.append(r)
            return out

        return flat

    def again(self, node: Node, g: Any) -> Any:
        """The rules with recording on, on values that are tied to the graph (create_graph=True)."""
        if self.op.composite is not None:
            return self._composite(node, g)
        return self.backward(g, [self._tie(node, i, what, v) for ((i, what), _), v in zip(self.kept, node.saved, strict=True)])

    def _tie(self, node: Node, index: int, what: str, value: Any) -> Any:
        if what != "value":
            return value
        op, n = self.op, len(self.op.params)
        if index >= n:
            k = index - n
            if not is_array(value) or k >= op.n_outputs or k in op.nondiff:
                return value
            return wrap(value, node if op.n_outputs == 1 else Output(node, k, value))
        at = op.edge_of.get(index)
        if at is None:
            return value
        if value.__class__ is list:
            return [wrap(v, e) for v, e in zip(value, node.edges[at:], strict=False)]
        if op.lists and at > min(op.lists):
            at += len(node.edges) - len(op.arrays)
        return wrap(value, node.edges[at]) if is_array(value) else value

    def _composite(self, node: Node, g: Any) -> Any:
        """Second derivatives by the definition: run it on the inputs, recorded, and differentiate that."""
        from ..autograd.functional import grad
        from .memory import alias

        values = {name: v for (_, name), v in zip(self.kept, node.saved, strict=True)}
        args, inputs = [], []
        for i, name in enumerate(self.op.params):
            v = values[name]
            at = self.op.edge_of.get(i)
            if at is not None and is_array(v):
                v = alias(wrap(v, node.edges[at]))
                inputs.append((at, v))
            elif is_array(v):
                v = wrap(v)
            args.append(v)
        assert self.op.composite is not None
        out = self.op.composite(*args)
        many = isinstance(out, tuple)
        pairs = [(o, h) for o, h in zip(out, g, strict=False) if h is not None] if many else [(out, g)]
        wanted = [(at, v) for at, v in inputs if v._n is not None]
        found = grad([o for o, _ in pairs], [v for _, v in wanted], [h for _, h in pairs], create_graph=True, allow_unused=True)
        grads: list[Any] = [None] * len(node.edges)
        for (at, _), r in zip(wanted, found, strict=True):
            grads[at] = r
        return grads


def _aspect(value: Any, what: str) -> Any:
    """The shape or type of a kept argument, or those of a list's elements."""
    if value.__class__ is list:
        return [getattr(x, what) for x in value]
    return getattr(value, what, () if what == "shape" else None)


def _one_rule(function: Callable[..., Any], position: int | None, count: int, kept: int) -> Callable[[Any, Any], Any]:
    """backward(g, saved) for the commonest plans: a single rule that asks for what is kept, in order."""
    if position is None and count > 1:  # a joint rule returns a tuple itself
        if kept == 0:
            return lambda g, saved: function(g)
        return lambda g, saved: function(g, *[lift(v) for v in saved])
    if count == 1:
        if kept == 0:
            return lambda g, saved: (function(g),)
        if kept == 1:
            return lambda g, saved: (function(g, lift(saved[0])),)
        return lambda g, saved: (function(g, *[lift(v) for v in saved]),)
    before, after = (None,) * (position or 0), (None,) * (count - 1 - (position or 0))
    if kept == 1 and not before:
        return lambda g, saved: (function(g, lift(saved[0])),)
    return lambda g, saved: (*before, function(g, *[lift(v) for v in saved]), *after)


_KEPT_BOX = [0, 0, None, None]  # rules never change what was kept for them, so all kept values may share one box
_ndarray, _new = np.ndarray, Tensor.__new__


def lift(value: Any) -> Any:
    """Wrap a kept array for a rule; plain values pass."""
    if value.__class__ is _ndarray:
        out = _new(Tensor)
        out._a = value
        out._n = None
        out._v = _KEPT_BOX
        return out
    if value.__class__ is list:
        return [lift(v) for v in value]
    if value.__class__ in _PLAIN or isinstance(value, Tensor):
        return value
    return wrap(value) if is_array(value) else value


# (number of arguments, kept positions) -> (values..., boxes...) -> (kept values, kept boxes), for the fast wrappers
_QUICK: dict[Any, Callable[..., Any]] = {
    (1, ()): lambda a, o, x, z: ((), ()),
    (1, (0,)): lambda a, o, x, z: ((a,), (x,)),
    (1, (1,)): lambda a, o, x, z: ((o,), (z,)),
    (1, (0, 1)): lambda a, o, x, z: ((a, o), (x, z)),
    (2, ()): lambda a, b, o, x, y, z: ((), ()),
    (2, (0,)): lambda a, b, o, x, y, z: ((a,), (x,)),
    (2, (1,)): lambda a, b, o, x, y, z: ((b,), (y,)),
    (2, (2,)): lambda a, b, o, x, y, z: ((o,), (z,)),
    (2, (0, 1)): lambda a, b, o, x, y, z: ((a, b), (x, y)),
    (2, (1, 2)): lambda a, b, o, x, y, z: ((b, o), (y, z)),
    (2, (0, 1, 2)): lambda a, b, o, x, y, z: ((a, b, o), (x, y, z)),
}
_PLAIN = {int, float, bool, str, tuple, type(None)}
