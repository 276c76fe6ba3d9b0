"""In-place forms: the op's value written into its first argument, and the graph rebased on it.

On a view, the change is replayed onto the base: the base's new history takes the changed region from the view's and
the rest from its own past, and every living view of the base is derived from it anew. Refused are: a leaf that requires
a gradient (and a view of one), one of several results of a single op (split, unbind), a view made without recording.
"""

from __future__ import annotations

import copy
import functools
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import dtypes as dt
from ..autograd.modes import GRAD, INFERENCE, OBSERVE, STATE
from ..autograd.node import CLASSES, HookedNode, Leaf, Node, Tensor, changed, hooks_of, producer, wrap
from ..errors import DtypeError, GradError, ShapeError, TypeMismatch
from . import _prepare
from ._call import dispatch
from ._live import exhausted
from ._op import Op
from ._override import overridden
from ._quiet import IGNORE, hush, restore
from ._refuse import type_name

__all__ = ["check_writable", "inplace", "rebase", "write"]


def inplace(function: Any) -> Callable[..., Any]:
    """Make the in-place form of an op: ``add_ = inplace(add)``."""
    op: Op = function.op

    def call(*args: Any, **kwargs: Any) -> Tensor:
        return write(op, op.bind(args, kwargs))

    functools.update_wrapper(call, function, assigned=("__module__", "__doc__"))
    call.__name__ = call.__qualname__ = f"{op.name}_"
    call.__doc__ = f"In-place form of :func:`{op.name}`."
    call.op = op
    return call


def write(op: Op, args: list[Any]) -> Tensor:
    """Compute the op and write its result into the first argument, which is returned."""
    target = args[op.arrays[0]]
    word = STATE.word
    if word > GRAD:
        word = _prepare.attend(word)
        if word & OBSERVE:
            return _prepare.observed(_shadow(op), args, lambda: write(op, args))
    try:
        if target.__class__ not in CLASSES:
            raise TypeMismatch(f"{op.name}_", f"the first argument is {type(target).__name__}", "expected a Tensor")
        raw, edges, mask, _, dtype = _prepare.unwrap(op, args)
    except TypeMismatch as error:
        return overridden(_method(op), error, args, {})
    except MemoryError as error:  # of a cast
        raise exhausted(op.name, error, args) from None
    mask = mask if word & GRAD else 0
    check_writable(op.name, target, mask, word)
    impl, a = op.reference, target._a
    first = op.arrays[0]
    saved = impl.plan(mask) if mask and impl.rules else None
    past = saved is not None and any(i == first and what == "value" for (i, what), _ in saved.kept)
    into, out = getattr(op.table.get(("cpu", a.dtype)), "into", None), a
    low = op.widens and dtype in dt.HALF
    extras: tuple[Any, ...] = ()
    token = hush(IGNORE)
    try:
        for i in {i for (i, what), _ in saved.kept if what == "value"} if saved is not None else ():
            if i != first and i in op.edge_of and hasattr(raw[i], "base") and _prepare.aliases(raw[i], a):
                raw[i] = raw[i].copy()  # x.mul_(x), x.mul_(x[0]): the rule wants the value from before
        before = a.copy() if past else None  # the rule wants the value that is about to be overwritten
        if into is None or raw[first] is not a or into(*raw) is NotImplemented:
            if op.store is not None:
                op.store(a, *raw[1:])
            else:
                out = impl.forward(*(_prepare.raised(raw) if low else raw))
    except (ValueError, IndexError, MemoryError, TypeError, AttributeError) as error:
        _prepare.explain(op, error, raw)
        raise
    finally:
        restore(token)
    if out is not a:
        if op.saves:
            out, extras = out[0], out[1:]
        out = out if hasattr(out, "dtype") else np.asarray(out)
        _check_result(op, a, out)
        a[...] = out
    if past:
        raw[first] = before
    changed(target._v, _caller(op))
    if saved is not None:
        fresh = wrap(a, None, target._v)
        boxes = saved.keep_boxes([fresh if i == first else x for i, x in enumerate(args)], [fresh])
        keeps_out = any(i == len(op.params) for (i, _), _ in saved.kept)
        boxes = tuple(b for b in boxes if b is not target._v or keeps_out)
        kept = saved.keep([*raw, a, *extras]) if saved.kept else ()
        rebase(op.name, target, Node(saved, edges, kept, boxes, a.shape, a.dtype))
    return target


def _method(op: Op) -> Any:
    """The public in-place form."""
    return getattr(Tensor, f"{op.name.removesuffix('_scaled')}_", op.call)


@functools.cache
def _shadow(op: Op) -> Any:
    """The op by its name with an underscore, for observers."""
    shadow = copy.copy(op)
    shadow.name = f"{op.name}_"
    return shadow


def _check_result(op: Op, a: Any, out: Any) -> None:
    if out.shape != a.shape:
        what = f"output with shape {list(a.shape)} doesn't match the broadcast shape {list(out.shape)}"
        raise ShapeError(f"{op.name}_", what, "an in-place result keeps the shape of its tensor", f"use {op.name}()")
    have, want = dt.from_numpy_dtype(out.dtype), dt.from_numpy_dtype(a.dtype)
    if op.name == "abs" and a.dtype.kind == "c":
        raise DtypeError("abs_", "In-place abs is not supported for complex tensors.", "", "use abs()")
    if have.category > want.category:
        what = f"result type {type_name(have.np)} can't be cast to the desired output type {type_name(want.np)}"
        raise DtypeError(f"{op.name}_", what, "", f"use {op.name}(), or convert the tensor first")


def check_writable(name: str, target: Tensor, mask: int, word: int) -> None:
    """Refuse an in-place change that would lose a gradient."""
    where, a, recording = f"{name}_", target._a, word & GRAD
    if recording and target._n.__class__ is Leaf:
        what = "a leaf Variable that requires grad is being used in an in-place operation"
        raise GradError(where, what, "", "change it inside no_grad(), or change a clone()")
    if (a.__class__ is np.ndarray and not a.flags.writeable) or (a.size > 1 and 0 in a.strides and name != "fill" and _overlaps(a)):
        what = "unsupported operation: more than one element of the written-to tensor refers to a single memory location"
        raise GradError(where, f"{what} (shape {tuple(a.shape)})", "", "clone() the tensor before performing the operation")
    if recording and target._v[0] == float("inf") and not word & INFERENCE:
        raise GradError(where, "Inplace update to inference tensor outside InferenceMode is not allowed", "", "clone() it first")
    links = _links(target) if recording else []
    if not links or not (mask or links[-1][0]._n is not None):
        return
    if any(parent._n.__class__ is Leaf for parent, *_ in links):
        what = "a view of a leaf Variable that requires grad is being used in an in-place operation"
        raise GradError(where, what, "", "change it inside no_grad(), or change a clone()")
    for _, op, _, index, _ in links:
        if index is not None:
            what = f"Output {index} of {op.name} is a view and is being modified inplace. This view is the output of a"
            what += " function that returns multiple views. Such functions do not allow the output views to be modified inplace"
            raise GradError(where, what, "", "clone() it first, or use the out-of-place form")
    if not links[0][4]:
        what = "A view was created in no_grad mode and is being modified inplace with grad mode enabled"
        raise GradError(where, what, "", "make the view with recording on, or clone() it")


def _overlaps(a: Any) -> bool:
    return any(s == 0 and n > 1 for s, n in zip(a.strides, a.shape, strict=True))


def _links(t: Any) -> list[Any]:
    """How a view was made of its parent, how that was, and so on: [(parent, op, arguments, index, whether recorded), ...]."""
    links = []
    while getattr(t, "_b", None) is not None:
        links.append(t._b)
        t = t._b[0]
    return links


def rebase(name: str, target: Tensor, node: Node) -> None:
    """Give a changed tensor its new history; if it is a view, replay the change onto the base and its other views."""
    _give(target, node)
    links = _links(target)
    root = links[-1][0] if links else target
    if links:
        chain = [(op, args) for _, op, args, _, _ in reversed(links)]
        _give(root, Node(_Replay(chain, root._a), (root._n, node), (), (), root._a.shape, root._a.dtype))
    for ref in list(root._v[3] or ()):  # what is made here is noted as a view as well
        view = ref()
        if view is not None and view._b[4]:
            parent, op, args, index, _ = view._b
            found = None if parent._n is None else _again(op, args, parent)
            _give(view, None if found is None else (found if index is None else found[index])._n)


def _give(t: Tensor, edge: Any) -> None:
    """Give a tensor another history, which keeps its gradient if the one before did."""
    (before, index), (node, at) = producer(t._n), producer(edge)
    if isinstance(before, HookedNode) and index in before.hooks["retain"] and isinstance(node, Node):
        hooks_of(node)["retain"][at] = before.hooks["retain"].pop(index)
    t._n = edge


def _again(op: Op, args: Any, parent: Tensor) -> Any:
    """Apply a view op to another tensor."""
    args = list(args)
    args[op.arrays[0]] = parent
    return dispatch(op, args)


class _Replay:
    """The plan of a base whose region was overwritten through a chain of view ops."""

    frees = False  # nothing is kept

    def __init__(self, chain: list[tuple[Op, Any]], base: Any) -> None:
        self.chain = chain
        self.op = chain[-1][0]
        self.kept = ()
        self.order = tuple(sorted(range(base.ndim), key=lambda i: -abs(base.strides[i])))  # how the base lies in memory
        self.inverse = tuple(sorted(range(base.ndim), key=self.order.__getitem__))

    def region(self, t: Tensor) -> Tensor:
        for op, args in self.chain:
            t = _again(op, args, t)
        return t

    def laid(self, g: Tensor) -> Tensor:
        """The gradient in the base's order of axes, so that the views of the chain are possible on it."""
        from .memory import contiguous
        from .transpose import permute

        if g._a.transpose(self.order).flags.c_contiguous:
            return g
        return permute(contiguous(permute(g, self.order)), self.inverse)

    def backward(self, g: Tensor, saved: Any) -> tuple[Tensor, Tensor]:
        """The overwritten region's gradient belongs to the new value, the rest to the past."""
        g = self.laid(g)
        rest = g.clone()
        self.region(rest).zero_()
        return rest, self.region(g)

    def again(self, node: Node, g: Tensor) -> tuple[Tensor, Tensor]:
        return self.backward(g, ())


def _caller(op: Op) -> str:
    """`add_ at train.py:12`: the user's line, for the error about a stale value."""
    frame: Any = sys._getframe(2)
    while frame is not None and "/dovetail/" in frame.f_code.co_filename.replace("\\", "/"):
        frame = frame.f_back
    return f"{op.name}_" if frame is None else f"{op.name}_ at {frame.f_code.co_filename}:{frame.f_lineno}"
