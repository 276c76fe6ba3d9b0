"""Function: an operation whose forward and backward the user writes, on tensors."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from ..device import xp
from ..errors import GradError, TypeMismatch
from .engine import TWICE
from .graph import Packed
from .modes import GRAD, SAVING, STATE, enable_grad, no_grad
from .node import CLASSES, Leaf, Node, Output, Tensor, changed, wrap

__all__ = ["Function", "FunctionCtx", "InplaceFunction", "once_differentiable"]

_signature = functools.lru_cache(256)(inspect.signature)  # reading one takes longer than a small forward


class FunctionCtx:
    """What forward hands to backward: kept tensors, and any attribute that the user sets.

    ``needs_input_grad`` says, per argument, whether its gradient is asked for.
    """

    needs_input_grad: tuple[bool, ...] = ()
    _inputs: tuple[Any, ...] = ()
    _to_save: tuple[Any, ...] = ()
    _not_differentiable: tuple[Tensor, ...] = ()
    _dirty: tuple[Tensor, ...] = ()
    _materialize = True
    _kept: Any = None

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep tensors; read them in backward as ``ctx.saved_tensors``."""
        for t in tensors:
            if t is not None and not isinstance(t, Tensor):
                what = f"can only save variables, but got {type(t).__name__}"
                raise TypeMismatch("save_for_backward", what, "", "set it as an attribute of ctx")
        self._to_save = tensors

    save_for_forward = save_for_backward

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """The kept tensors. Raises a GradError after they were freed or when one was changed in place."""
        if self._kept is None and self._to_save:
            raise GradError(type(self).__name__, TWICE, "", "pass retain_graph=True the first time")
        for t, version in self._kept or ():
            if version is not None and t._v[1] != version:
                what = "one of the variables needed for gradient computation has been modified by an inplace operation"
                raise GradError(type(self).__name__, f"{what} by {t._v[2]}", "", "clone() it before changing")
        return tuple(t.read() if t.__class__ is Packed else t for t, _ in self._kept or ())

    saved_variables = saved_tensors

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """Say which results have no gradient."""
        self._not_differentiable = tensors

    def mark_dirty(self, *tensors: Tensor) -> None:
        """Say which inputs forward changed in place."""
        self._dirty = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Whether a missing gradient reaches backward as zeros (the default) or as None."""
        self._materialize = value


class Function:
    """Subclass it with static ``forward(ctx, ...)`` and ``backward(ctx, *grads)``; call it by ``apply``.

    >>> import dovetail as dv
    >>> class Double(dv.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         return x * 2
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         return g * 2
    >>> x = dv.tensor(3., requires_grad=True)
    >>> Double.apply(x).backward()
    >>> x.grad
    tensor(2.)
    """

    generate_vmap_rule = False

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Compute the result; to be written by the subclass."""
        raise NotImplementedError("You must implement the forward function for custom autograd.Function.")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """Return one gradient per argument of forward; to be written by the subclass."""
        raise NotImplementedError("You must implement either the backward or vjp method for your custom autograd.Function.")

    vjp = backward

    @staticmethod
    def jvp(ctx: Any, *grad_inputs: Any) -> Any:
        """What PyTorch calls in forward mode, and a subclass may write; here tangents come from backward, and it is not called."""
        raise NotImplementedError("You must implement the jvp function for custom autograd.Function to use it with forward mode AD.")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Refused: a GradError (RuntimeError). ``Function.apply`` is what calls."""
        raise GradError(
            type(self).__name__,
            "Legacy autograd function with non-static forward method is deprecated.",
            remedy=f"call {type(self).__name__}.apply",
        )

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Run forward and record how to run backward."""
        ctx: Any = type(f"{cls.__name__}Backward", (FunctionCtx,), {})()
        recording = STATE.word & GRAD
        ctx.needs_input_grad = tuple(isinstance(a, Tensor) and a._n is not None for a in args)
        separate = getattr(cls, "setup_context", None)
        with no_grad():
            out = cls.forward(ctx, *args, **kwargs) if separate is None else cls.forward(*args, **kwargs)
            if separate is not None:
                given = _signature(cls.forward).bind(*args, **kwargs)
                given.apply_defaults()
                separate(ctx, given.args, out)
        for t in ctx._dirty:
            changed(t._v, cls.__name__)
        if not all(any(t is o for o in (out if isinstance(out, tuple) else (out,))) for t in ctx._dirty):
            raise GradError(cls.__name__, "Some elements marked as dirty during the forward method were not returned as output")
        if not recording or not any(ctx.needs_input_grad):
            return _apart(out, args) if separate is None else out
        return _record(cls, ctx, args, out)


InplaceFunction = Function  # what programs for quantization take as their base


def _apart(out: Any, args: tuple[Any, ...]) -> Any:
    """The results, with another tensor of the same memory for one that is an argument itself."""
    if isinstance(out, tuple):
        return tuple([_apart(o, args) for o in out])
    return wrap(out._a, None, out._v) if out.__class__ in CLASSES and any(out is a for a in args) else out


def _record(cls: type[Function], ctx: Any, args: tuple[Any, ...], out: Any) -> Any:
    """Make the node of a call and tie its results to it."""
    outs = list(out) if isinstance(out, tuple) else [out]
    edges = tuple(a._n if isinstance(a, Tensor) else None for a in args)
    node = Node(_Plan(cls, ctx, outs, edges), edges, (ctx,), (), (), None, len(outs))
    results = []
    for k, o in enumerate(outs):
        if o.__class__ in CLASSES and not any(o is t for t in ctx._not_differentiable) and o._a.dtype.kind in "fcV":
            if any(o is t for t in ctx._dirty):
                if o._n.__class__ is Leaf:
                    raise GradError(cls.__name__, "a leaf Variable that requires grad is being used in an in-place operation")
            elif o._n is not None or any(o is a for a in args):
                o = wrap(o._a, None, o._v)
            o._n = Output(node, k, o._a)
        results.append(o)
    ctx._kept = []
    for t in ctx._to_save:
        at = next((k for k, o in enumerate(outs) if o is t and t is not None), None)
        own = t if at is None else wrap(t._a, Output(node, at, t._a), t._v)
        packed = STATE.word & SAVING and t is not None
        ctx._kept.append((Packed(own), None) if packed else (own, None if t is None else t._v[1]))
    return tuple(results) if isinstance(out, tuple) else results[0]


class _Plan:
    """How the engine runs a user's backward: the same face as the plan of an op."""

    kept = ()

    def __init__(self, cls: type[Function], ctx: Any, outs: list[Any], edges: tuple[Any, ...]) -> None:
        self.edges = edges
        self.op, self.cls, self.name = self, cls, cls.__name__
        self.frees = bool(ctx._to_save)
        self.outs = [(xp(o._a), o._a.shape, o._a.dtype) if o.__class__ in CLASSES else None for o in outs]

    def backward(self, g: Any, saved: Any) -> Any:
        """Run the user's backward on tensors and check what it returns."""
        ctx = saved[0]
        grads = g if g.__class__ is list else [g]
        if ctx._materialize:
            grads = [wrap(o[0].zeros(*o[1:])) if h is None and o is not None else h for h, o in zip(grads, self.outs, strict=True)]
        own = [f for f in (self.cls.backward, self.cls.vjp) if f is not Function.backward]
        if len(own) > 1:
            what = "Implementing both 'backward' and 'vjp' for a custom Function is not allowed"
            raise GradError(self.name, what, "You should only implement one of them")
        found = (own or [Function.backward])[0](ctx, *grads)
        found = found if isinstance(found, tuple) else (found,)
        count = len(ctx.needs_input_grad)
        if all(f is None for f in found[count:]):
            found = found[:count]
        if len(found) != count:
            what = f"returned an incorrect number of gradients (expected {count}, got {len(found)})"
            raise GradError(f"{self.name}Backward", what, "one per argument of forward, None where there is none")
        for i, f in enumerate(found):
            if f is not None and not isinstance(f, Tensor):
                raise GradError(f"{self.name}Backward", f"expected Variable or None (got {type(f).__name__} as gradient {i})")
            plain = f.__class__ in CLASSES and self.edges[i] is not None
            want = self.edges[i].shape if plain else ()
            if want and (f._a.ndim < len(want) or any(n not in (1, m) for n, m in zip(want[::-1], f._a.shape[::-1], strict=False))):
                got = f"got {list(f._a.shape)} but expected shape compatible with {list(want)}"
                raise GradError(f"Function {self.name}Backward", f"returned an invalid gradient at index {i} - {got}")
        # the user may return the same tensor twice, or one that was kept: the leaves must not share it
        return tuple(f if f.__class__ not in CLASSES else wrap(f._a.view(), f._n, f._v) for f in found)

    def again(self, node: Node, g: Any) -> Any:
        """With create_graph the user's operations are recorded like any others."""
        with enable_grad():
            return self.backward(g, node.saved)


def once_differentiable(function: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a backward that must not itself be differentiated: its results carry a node that raises."""

    def inside(ctx: Any, *grads: Any) -> Any:
        with no_grad():
            found = function(ctx, *grads)
        if not STATE.word & GRAD or not any(g is not None and g._n is not None for g in grads):
            return found
        many = found if isinstance(found, tuple) else (found,)
        out = tuple(None if f is None else _Refuse.apply(f.detach().requires_grad_()) for f in many)
        return out if isinstance(found, tuple) else out[0]

    return inside


class _Refuse(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return wrap(x._a)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        raise GradError("backward", "trying to differentiate twice a function that was marked with @once_differentiable")
