"""In-place forms of view ops: the tensor itself takes the new dimensions, and its views and its base keep theirs."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from typing import Any

from ..autograd.modes import GRAD, STATE
from ..autograd.node import Leaf, Tensor, changed, wrap
from ..errors import GradError
from ._prepare import note_view

__all__ = ["reseating"]


def reseating(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make ``name_`` of a function whose result is a view."""
    name = f"{function.__name__}_"

    def call(input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        past = wrap(input._a, input._n, input._v)  # what the tensor was until now; its views are views of this
        leaf = input._n.__class__ is Leaf
        _refuse(input, name)
        word, STATE.word = STATE.word, STATE.word if leaf else STATE.word | GRAD  # the history must fit the new shape
        try:
            if getattr(input, "_b", None) is not None:
                past._b = input._b
            new = function(past, *args, **kwargs)
        finally:
            STATE.word = word
        input._a = new._a
        if leaf:
            input._n.shape = new._a.shape
        elif new is not past:
            _inherit(input, past, new)
            input._n = new._n
            if getattr(new, "_b", None) is not None:
                input._b = new._b
                if input._v[0] != float("inf"):
                    note_view(input._v, input)
        changed(input._v, name)
        return input

    functools.update_wrapper(call, function, assigned=("__module__",))
    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"In-place form of :func:`{function.__name__}`: the tensor itself gets the new shape."
    return call


def _inherit(input: Tensor, past: Tensor, new: Tensor) -> None:
    """Let `past` take the tensor's place among the views of its base, and become the base of the tensor's own views."""
    views = input._v[3] or []
    for k, ref in enumerate(views):
        other = ref()
        if other is input:
            views[k] = weakref.ref(past)
        elif other is not None and other is not new and other._b[0] is input:
            other._b = (past, *other._b[1:])


def _refuse(input: Tensor, name: str) -> None:
    root = input
    while (view := getattr(root, "_b", None)) is not None:
        if view[3] is not None and input._n is not None:
            text = f"Output {view[3]} of {view[1].name} is a view and is being modified inplace. This view is the output of a function that"
            raise GradError(name, f"{text} returns multiple views", "", "use the form without an underscore")
        root = view[0]
    if STATE.word & GRAD and Leaf in (input._n.__class__, root._n.__class__):
        what = "a leaf Variable" if input._n.__class__ is Leaf else "a view of a leaf Variable"
        text = f"{what} that requires grad is being used in an in-place operation"
        raise GradError(name, text, "", "use the form without an underscore, or no_grad()")
