"""Hooks on modules: around forward and backward, and the call that runs them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from ..autograd.function import Function
from ..autograd.node import CLASSES, Handle

METHODS = (
    "register_forward_hook",
    "register_forward_pre_hook",
    "register_full_backward_hook",
    "register_full_backward_pre_hook",
    "register_backward_hook",
)
TABLES = (
    "_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks", "_state_dict_hooks",
    "_state_dict_pre_hooks", "_load_state_dict_pre_hooks", "_load_state_dict_post_hooks",
)  # fmt: skip


class GLOBAL:
    """Hooks on every module; `any` is the flag that a call reads."""

    any = False
    forward: OrderedDict[int, Any] = OrderedDict()
    forward_pre: OrderedDict[int, Any] = OrderedDict()
    backward: OrderedDict[int, Any] = OrderedDict()
    backward_pre: OrderedDict[int, Any] = OrderedDict()


class _Path(threading.local):
    """The modules whose forward is running in this thread, outermost first (kept while an observer listens)."""

    modules: tuple[Any, ...] = ()


PATH = _Path()


def _add(module: Any, table: str, hook: Callable[..., Any], prepend: bool, **flags: Any) -> Handle:
    held = getattr(module, table)
    handle = Handle(held)
    held[handle.id] = (hook, flags)
    if prepend:
        held.move_to_end(handle.id, last=False)
    module.__dict__["_watched"] = True
    return handle


def register_forward_hook(
    self: Any, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False, always_call: bool = False
) -> Handle:
    """Call ``hook(module, args, output)`` after forward; what it returns replaces the output."""
    return _add(self, "_forward_hooks", hook, prepend, kwargs=with_kwargs, always=always_call)


def register_forward_pre_hook(self: Any, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False) -> Handle:
    """Call ``hook(module, args)`` before forward; what it returns replaces the arguments."""
    return _add(self, "_forward_pre_hooks", hook, prepend, kwargs=with_kwargs)


def register_full_backward_hook(self: Any, hook: Callable[..., Any], prepend: bool = False) -> Handle:
    """Call ``hook(module, grad_input, grad_output)`` when the gradients of the inputs are known; its result replaces them."""
    return _add(self, "_backward_hooks", hook, prepend)


register_backward_hook = register_full_backward_hook


def register_full_backward_pre_hook(self: Any, hook: Callable[..., Any], prepend: bool = False) -> Handle:
    """Call ``hook(module, grad_output)`` before backward; its result replaces the gradients of the outputs."""
    return _add(self, "_backward_pre_hooks", hook, prepend)


def call(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run forward with everybody who listens."""
    path, PATH.modules = PATH.modules, (*PATH.modules, module)
    done: set[int] = set()
    try:
        return _call(module, args, kwargs, done)
    except Exception:
        for key, (hook, flags) in module._forward_hooks.items():
            if flags.get("always") and key not in done:
                hook(module, args, None)
        raise
    finally:
        PATH.modules = path


def _call(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any], done: set[int]) -> Any:
    for hook in GLOBAL.forward_pre.values():
        new = hook(module, args)
        if new is not None:
            args = new if isinstance(new, tuple) else (new,)
    for hook, flags in list(module._forward_pre_hooks.values()):
        if flags["kwargs"]:
            both = hook(module, args, kwargs)
            if both is not None:
                args, kwargs = both
        else:
            new = hook(module, args)
            if new is not None:
                args = new if isinstance(new, tuple) else (new,)
    back = _Backward.make(module)
    if back is not None:
        args = back.inputs(args)
    out = module.forward(*args, **kwargs)
    for hook in GLOBAL.forward.values():
        new = hook(module, args, out)
        out = out if new is None else new
    for key, (hook, flags) in list(module._forward_hooks.items()):
        done.add(key)
        new = hook(module, args, kwargs, out) if flags["kwargs"] else hook(module, args, out)
        out = out if new is None else new
    return out if back is None else back.outputs(out)


class _Backward:
    """The two identity functions between which a module's backward runs."""

    def __init__(self, module: Any) -> None:
        self.module = module
        self.grad_output: tuple[Any, ...] | None = None

    @classmethod
    def make(cls, module: Any) -> _Backward | None:
        listening = module._backward_hooks or module._backward_pre_hooks or GLOBAL.backward or GLOBAL.backward_pre
        return cls(module) if listening else None

    def inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        at = [i for i, a in enumerate(args) if a.__class__ in CLASSES]
        self.no_input_grad = not any(args[i]._n is not None for i in at)
        if self.no_input_grad:
            return args
        made = _Identity.apply(self.after, *(args[i] for i in at))
        made = made if isinstance(made, tuple) else (made,)
        out = list(args)
        for i, t in zip(at, made, strict=True):
            out[i] = t
        return tuple(out)

    def outputs(self, out: Any) -> Any:
        many = isinstance(out, tuple | list)
        values = list(out) if many else [out]
        at = [i for i, a in enumerate(values) if a.__class__ in CLASSES]
        made = _Identity.apply(self.before, *(values[i] for i in at))
        made = made if isinstance(made, tuple) else (made,)
        for i, t in zip(at, made, strict=True):
            values[i] = t
        return type(out)(values) if many and type(out) in (tuple, list) else tuple(values) if many else values[0]

    def before(self, grads: tuple[Any, ...]) -> tuple[Any, ...]:
        """At the module's outputs: pre-hooks see, and may replace, the gradients."""
        for hook in [*GLOBAL.backward_pre.values(), *(h for h, _ in self.module._backward_pre_hooks.values())]:
            new = hook(self.module, grads)
            if new is not None:
                grads = new if isinstance(new, tuple) else (new,)
        self.grad_output = grads
        if self.no_input_grad:
            self.run(tuple(None for _ in grads))
        return grads

    def after(self, grads: tuple[Any, ...]) -> tuple[Any, ...]:
        """At the module's inputs: hooks see both ends."""
        return self.run(grads)

    def run(self, grads: tuple[Any, ...]) -> tuple[Any, ...]:
        for hook in [*GLOBAL.backward.values(), *(h for h, _ in self.module._backward_hooks.values())]:
            new = hook(self.module, grads, self.grad_output)
            if new is not None:
                grads = new if isinstance(new, tuple) else (new,)
        return grads


class _Identity(Function):
    """Passes tensors through and shows their gradients to a callback."""

    @staticmethod
    def forward(ctx: Any, see: Callable[..., Any], *tensors: Any) -> Any:
        ctx.see = see
        ctx.set_materialize_grads(False)
        return tuple(t.detach() for t in tensors)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        return (None, *ctx.see(grads))
