"""How an op call reaches its implementation: unwrap, promote, choose, run, wrap, record.

`dispatch` is the whole story and serves every op. `specialise` repeats its commonest path for one and two tensors of
one floating type on the CPU, where most of a small model's time goes; anything else falls back to `dispatch`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from dovetail_numerics.memoryless import Memoryless, without

from ..autograd.graph import pack
from ..autograd.modes import AUTOCAST, GRAD, INFERENCE, OBSERVE, SAVING, STATE
from ..autograd.node import ASKED, CLASSES, Node, Output, Tensor, tick, wrap
from ..dtypes import HALF
from ..errors import TypeMismatch
from . import _prepare
from ._autocast import cast_for
from ._layout import IMAGES, afresh
from ._live import exhausted
from ._out import into
from ._override import overridden
from ._quiet import IGNORE, hush, restore
from ._refuse import flags, native

if TYPE_CHECKING:
    from ._op import Impl, Op

__all__ = ["array", "dispatch", "general", "one", "operand", "operator", "reflected", "specialise", "two"]

_NDARRAY = np.ndarray
_SINGLE = np.dtype(np.float32)
_NO_BOX = [0, 0, None, None]  # stands for the box of an argument that is a Python number
INFERENCE_BOX = [float("inf"), 0, "inference_mode", None]  # a tensor made in inference mode can never be a kept value
_new = Tensor.__new__
_node = Node.__new__


def general(op: Op) -> Callable[..., Any]:
    """The wrapper of an op with any signature."""
    count, required, defaults, bind, flag = len(op.params), op.required, op.defaults, op.bind, op.keepdim

    def call(*args: Any, **kwargs: Any) -> Any:
        n = len(args)
        given: Any = args
        if kwargs or n > count or n < required:
            if "out" in kwargs and op.alias is None:
                return into(call, args, kwargs)
            given = bind(args, kwargs)
        elif n < count:
            given = args + defaults[n:]
        if flag is not None and given[flag] is not False and given[flag] is not True:
            flags(op.name, keepdim=given[flag])  # True or False, and never a second dimension
        return dispatch(op, given)

    return call


def dispatch(op: Op, args: Any) -> Any:
    """Run an op on arguments in the order of its parameters."""
    try:
        word = STATE.word
        if word > GRAD:
            word = _prepare.attend(word)
            if word & AUTOCAST:
                args = cast_for(op, args)
            if word & OBSERVE:
                return _prepare.observed(op, args, lambda: dispatch(op, args))
        try:
            raw, edges, mask, device, dtype = _prepare.unwrap(op, args)
        except TypeMismatch as error:
            while len(args) > op.required and args[-1] is op.defaults[len(args) - 1]:
                args = args[:-1]
            return overridden(op.call, error, args, {})
        low = op.widens and dtype in HALF
        impl = op.implementation(device, dtype, _SINGLE if low else None) if op.table else op.reference
        token = hush(IGNORE)
        try:
            out = impl.forward(*(_prepare.raised(raw) if low else raw))
            if out is NotImplemented:
                impl = op.reference
                out = impl.forward(*(_prepare.raised(raw) if low else raw))
        except (ValueError, IndexError, TypeError, AttributeError) as error:
            _prepare.explain(op, error, raw)
            raise
        finally:
            restore(token)
        if device == "meta":
            out = without(out)
        if low:
            out = (_prepare.lowered(out[0], dtype), *out[1:]) if op.saves else _prepare.lowered(out, dtype)
        return finish(op, impl, args, raw, out, edges, mask if word & GRAD else 0, word)
    except MemoryError as error:
        raise exhausted(op.name, error, args) from None


def finish(op: Op, impl: Impl, args: Any, raw: Any, out: Any, edges: Any, mask: int, word: int) -> Any:
    """Wrap what the forward returned, and record the call if a gradient may be asked for."""
    extras: tuple[Any, ...] = ()
    if op.saves:
        out, extras = out[0], out[1:]
    if op.n_outputs != 1:
        return finish_many(op, impl, args, raw, out, extras, edges, mask, word)
    if out.__class__ is not _NDARRAY:
        out = array(out)
    if op.contiguous and (op.contiguous in IMAGES or not out.flags.c_contiguous):
        out = afresh(out, op.contiguous, raw)
    t = _new(Tensor)
    t._a = out
    t._n = None
    t._v = [0, 0, None, None] if not word & INFERENCE else INFERENCE_BOX
    if op.alias is not None:
        _prepare.share(op, args, [t], word)
    if mask and impl.rules and out.dtype.kind in "fcV":
        plan = impl.plans.get(mask) or impl.plan(mask)
        t._n = node = _node(Node)
        node.plan = plan
        node.edges = edges
        if plan.kept:
            node.saved = plan.keep((*raw, out, *extras))
            node.boxes = plan.keep_boxes(args, (t,))
        else:
            node.saved = node.boxes = ()
        node.shape, node.dtype, node.seq = out.shape, out.dtype, tick()
        if word & SAVING:
            pack(node)
    return t


def finish_many(op: Op, impl: Impl, args: Any, raw: Any, out: Any, extras: Any, edges: Any, mask: int, word: int) -> Any:
    """`finish` for an op of several results."""
    out = [o if o.__class__ is _NDARRAY else array(o) for o in out]
    if op.contiguous:
        out = [afresh(o, op.contiguous, raw) for o in out]
    outs = [wrap(o) for o in out]
    if op.alias is not None:
        _prepare.share(op, args, outs, word)
    if mask and impl.rules:
        plan = impl.plan(mask)
        saved = plan.keep((*raw, *(o._a for o in outs), *extras))
        node = Node(plan, edges, saved, plan.keep_boxes(args, outs), (), None, len(outs))
        if word & SAVING:
            pack(node)
        for k, o in enumerate(outs):
            if k not in op.nondiff and o._a.dtype.kind in "fcV":
                o._n = Output(node, k, o._a)
    if word & INFERENCE:
        for o in outs:
            o._v = INFERENCE_BOX
    return op.result(outs) if op.result is not None else tuple(outs)


def array(value: Any) -> Any:
    """Make an array of the scalar that NumPy returns for 0-d results; a CuPy array stays as it is."""
    return value if hasattr(value, "__cuda_array_interface__") or value.__class__ is Memoryless else np.asarray(value)


def specialise(op: Op) -> Callable[..., Any] | None:
    """The fast wrapper for an op of one or two required tensors, or None for any other signature."""
    n = len(op.params)
    if op.arrays != tuple(range(n)) or op.lists or op.saves or op.n_outputs != 1 or op.alias or op.contiguous or op.dtypes is None:
        return None
    if op.required != n or n not in (1, 2):
        return None
    for kind in (np.dtype(np.float32), np.dtype(np.float64)):
        op.fast[kind] = op.reference
    return _unary(op) if n == 1 else _binary(op)


def _unary(op: Op) -> Callable[..., Any]:
    def call(input: Any, *, out: Any = None) -> Any:
        return one(op, input) if out is None else into(call, (input,), {"out": out})

    return call


def one(op: Op, input: Any) -> Any:
    """The quick way of an op of one tensor."""
    word = STATE.word
    kind = input.__class__
    if word > 1 or (kind is not Tensor and kind not in CLASSES):
        return dispatch(op, (input,))
    a = input._a
    dtype = a.dtype
    impl = op.fast.get(dtype)
    if impl is None or a.__class__ is not _NDARRAY:
        return dispatch(op, (input,))
    token = hush(IGNORE)
    try:
        out = impl.forward(a)
        if out is NotImplemented:
            impl = op.reference
            out = impl.forward(a)
    except MemoryError:
        return dispatch(op, (input,))
    finally:
        restore(token)
    if out.__class__ is not _NDARRAY:
        out = np.asarray(out)
    t = _new(Tensor)
    t._a = out
    t._v = [0, 0, None, None]
    n = input._n
    if n is None or not word or not impl.rules:
        t._n = None
        return t
    t._n = node = _node(Node)
    node.plan = plan = impl.by_mask[1] or impl.plan(1)
    node.edges = (n,)
    node.saved, node.boxes = plan.quick(a, out, input._v, t._v)
    node.shape = out.shape
    node.dtype = dtype
    node.seq = tick()
    return t


def operator(op: Op) -> Callable[..., Any]:
    """The form of a two-argument op that stands behind an operator: NotImplemented for an operand that it does not know."""
    return _binary(op, True) if op.fast else lambda input, other: _operator_slow(op, (input, other))


def reflected(op: Op) -> Callable[..., Any]:
    """The operator with its operands exchanged: ``other op self``."""
    return lambda self, other: _operator_slow(op, (self, other), swap=True)


def operand(other: Any) -> Any:
    """A scalar or array of NumPy's beside a tensor, as a number or a tensor; NotImplemented for what is no tensor."""
    if isinstance(other, np.generic):
        return native(other)
    return wrap(other) if isinstance(other, np.ndarray) else other if other.__class__ in ASKED else NotImplemented


def _operator_slow(op: Op, args: Any, swap: bool = False) -> Any:
    self, other = args
    if other.__class__ not in CLASSES and other.__class__ not in _prepare.NUMBERS:
        other = operand(other)
        if other is NotImplemented:
            return other
    args = (other, self) if swap else (self, other)
    if op.refuse is not None:
        op.refuse(*args)
    return dispatch(op, args)


def _binary(op: Op, operator: bool = False) -> Callable[..., Any]:
    def call(input: Any, other: Any, *, out: Any = None) -> Any:
        return two(op, input, other, operator) if out is None else into(call, (input, other), {"out": out})

    return call


def two(op: Op, input: Any, other: Any, operator: bool = False) -> Any:
    """The quick way of an op of two tensors, or of a tensor and a number; `operator` where it stands behind one."""
    slow = _operator_slow if operator else dispatch
    word = STATE.word
    kind = input.__class__
    if word > 1 or (kind is not Tensor and kind not in CLASSES):
        return slow(op, (input, other))
    a = input._a
    dtype = a.dtype
    impl = op.fast.get(dtype)
    kind = other.__class__
    if impl is None or a.__class__ is not _NDARRAY:
        return slow(op, (input, other))
    n = input._n
    if kind is Tensor or kind in CLASSES:
        b = other._a
        if b.dtype is not dtype or b.__class__ is not _NDARRAY:
            return slow(op, (input, other))
        m = other._n
        v = other._v
    elif (kind is float or kind is int) and 1 not in op.strict:
        b = other
        m = None
        v = _NO_BOX
    else:
        return slow(op, (input, other))
    token = hush(IGNORE)
    try:
        out = impl.forward(a, b)
        if out is NotImplemented:
            impl = op.reference
            out = impl.forward(a, b)
    except (ValueError, OverflowError, MemoryError):
        return slow(op, (input, other))
    finally:
        restore(token)
    if out.__class__ is not _NDARRAY:
        out = np.asarray(out)
    t = _new(Tensor)
    t._a = out
    t._v = [0, 0, None, None]
    if not word or (n is None and m is None) or not impl.rules:
        t._n = None
        return t
    t._n = node = _node(Node)
    mask = (1 if m is None else 3) if n is not None else 2
    node.plan = plan = impl.by_mask[mask] or impl.plan(mask)
    node.edges = (n, m)
    node.saved, node.boxes = plan.quick(a, b, out, input._v, v, t._v)
    node.shape = out.shape
    node.dtype = dtype
    node.seq = tick()
    return t
