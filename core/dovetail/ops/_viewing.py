"""The quick way through an op whose result is a view: nothing to promote, no kernel to choose."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ..autograd.modes import GRAD, STATE
from ..autograd.node import CLASSES, Leaf, Node, Tensor, tick
from . import _prepare
from ._call import dispatch
from ._op import Op

__all__ = ["view_of", "viewing"]

_new, _node = Tensor.__new__, Node.__new__
_NEVER = float("inf")


def viewing(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give an op of one tensor and plain arguments (``alias="always"`` or ``"sometimes"``) its quick call."""
    op: Op = function.op
    count, forward, always = len(op.params) - 1, op.forward, op.alias == "always"

    def call(input: Any, *args: Any, **kwargs: Any) -> Any:
        if kwargs or len(args) != count:
            input, *args = op.bind((input, *args), kwargs)  # type: ignore[assignment]
        word = STATE.word
        if word > GRAD or input.__class__ not in CLASSES:
            return dispatch(op, (input, *args))
        a = input._a
        try:
            out = forward(a, *args)
        except (ValueError, IndexError, MemoryError, TypeError, AttributeError) as error:
            _prepare.explain(op, error, [a, *args])
            raise
        return view_of(op, input, args, out, word, always or a.flags.c_contiguous or _prepare.aliases(out, a))

    functools.update_wrapper(call, function)
    return call


def view_of(op: Op, input: Any, args: Any, out: Any, word: int, shares: bool = True) -> Tensor:
    """Wrap the array of a view, tie it to its base, and record the call if a gradient may be asked for."""
    t = _new(Tensor)
    t._a = out
    n = input._n
    if shares:
        t._v = box = input._v
        t._b = (input, op, (input, *args), None, word != 0)
        if word and n.__class__ is not Leaf and box[0] != _NEVER:
            _prepare.note_view(box, t)
    else:
        t._v = [0, 0, None, None]
    impl = op.reference
    if n is None or not word or not impl.rules:
        t._n = None
        return t
    t._n = node = _node(Node)
    node.plan = plan = impl.plans.get(1) or impl.plan(1)
    node.edges = (n,)
    node.saved = plan.keep([input._a, *args, out]) if plan.kept else ()
    node.boxes = ()
    node.shape, node.dtype, node.seq = out.shape, out.dtype, tick()
    return t
