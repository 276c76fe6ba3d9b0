"""Hooks on one module or on every module: around forward and backward, and the call that runs them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from ..autograd.function import Function
from ..autograd.modes import is_grad_enabled
from ..autograd.node import CLASSES, Handle
from ..errors import GradError

__all__ = [
    "register_module_backward_hook", "register_module_buffer_registration_hook", "register_module_forward_hook",
    "register_module_forward_pre_hook", "register_module_full_backward_hook", "register_module_full_backward_pre_hook",
    "register_module_module_registration_hook", "register_module_parameter_registration_hook",
]  # fmt: skip

# those that a call runs
WATCHED = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks", "_node_hooks")
TABLES = (
    *WATCHED, "_forward_hooks_with_kwargs", "_forward_hooks_always_called", "_forward_pre_hooks_with_kwargs", "_state_dict_hooks",
    "_state_dict_pre_hooks", "_load_state_dict_pre_hooks", "_load_state_dict_post_hooks",
)  # fmt: skip


_FULL = {"_node_hooks": False, "_backward_hooks": True}  # a module has had the one or the other
REGISTRATION = ("parameter", "buffer", "module")


class _Everywhere:
    """Stands for every module: its hooks run before a module's own."""

    def __init__(self) -> None:
        self._watched = False
        self.__dict__.update({name: OrderedDict() for name in (*TABLES, *REGISTRATION)})


GLOBAL: Any = _Everywhere()


class _Path(threading.local):
    """The modules whose forward is running in this thread, outermost first (kept while an observer listens)."""

    modules: tuple[Any, ...] = ()


PATH = _Path()


class _HookHandle(Handle):
    """Clears the flag that calls read when the last hook goes."""

    def __init__(self, owner: Any, table: str) -> None:
        super().__init__(getattr(owner, table))
        self._owner = owner

    def remove(self) -> None:
        super().remove()
        self._owner.__dict__["_watched"] = watched(self._owner)


def watched(owner: Any) -> bool:
    """Whether a call of a module has hooks to run."""
    return any(owner.__dict__[table] for table in WATCHED)


def registered(what: str, module: Any, name: str, value: Any) -> Any:
    """What the global hooks make of a parameter, buffer or module that is registered."""
    for hook in list(getattr(GLOBAL, what).values()):
        new = hook(module, name, value)
        value = value if new is None else new
    return value


def add(owner: Any, table: str, hook: Callable[..., Any], prepend: bool = False, **flags: bool) -> Handle:
    """Put a hook into a table of a module, or of GLOBAL; a flag ``x`` is noted in the table ``{table}_x``."""
    if table in _FULL and owner.__dict__.setdefault("_is_full_backward_hook", _FULL[table]) is not _FULL[table]:
        where = "as a global Module hook" if owner is GLOBAL else "on a single Module"
        what = f"Cannot use both regular backward hooks and full backward hooks {where}"
        raise GradError("register_backward_hook", what, "Please use only one of them")
    handle, held = _HookHandle(owner, table), getattr(owner, table)
    held[handle.id] = hook
    for flag in [name for name, on in flags.items() if on]:
        getattr(owner, f"{table}_{flag}")[handle.id] = True
    if prepend:
        held.move_to_end(handle.id, last=False)
    owner.__dict__["_watched"] |= table in WATCHED
    return handle


def _all(module: Any, table: str) -> list[tuple[int, Callable[..., Any]]]:
    return [*GLOBAL.__dict__[table].items(), *module.__dict__[table].items()]


def _flagged(module: Any, flags: str, key: int) -> bool:
    return key in module.__dict__[flags] or key in GLOBAL.__dict__[flags]


def _tuple(new: Any, old: tuple[Any, ...]) -> tuple[Any, ...]:
    """What a hook puts in the place of arguments or gradients."""
    return old if new is None else new if isinstance(new, tuple) else (new,)


class _Hooks:
    """The methods of Module that register hooks on its calls."""

    def register_forward_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False, always_call: bool = False
    ) -> Handle:
        """Call ``hook(module, args, output)`` after forward; what it returns replaces the output."""
        return add(self, "_forward_hooks", hook, prepend, with_kwargs=with_kwargs, always_called=always_call)

    def register_forward_pre_hook(self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False) -> Handle:
        """Call ``hook(module, args)`` before forward; what it returns replaces the arguments."""
        return add(self, "_forward_pre_hooks", hook, prepend, with_kwargs=with_kwargs)

    def register_full_backward_hook(self, hook: Callable[..., Any], prepend: bool = False) -> Handle:
        """Call ``hook(module, grad_input, grad_output)`` when the gradients of the inputs are known; its result replaces them."""
        return add(self, "_backward_hooks", hook, prepend)

    def register_backward_hook(self, hook: Callable[..., Any]) -> Handle:
        """The form of old programs: the hook sees the gradients of the last operation in the module, not of the module."""
        return add(self, "_node_hooks", hook)

    def register_full_backward_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> Handle:
        """Call ``hook(module, grad_output)`` before backward; its result replaces the gradients of the outputs."""
        return add(self, "_backward_pre_hooks", hook, prepend)


def register_module_forward_hook(hook: Callable[..., Any], *, with_kwargs: bool = False, always_call: bool = False) -> Handle:
    """Call ``hook(module, args, output)`` after the forward of every module.

    >>> import dovetail as dv
    >>> names = []
    >>> with register_module_forward_hook(lambda module, args, out: names.append(type(module).__name__)):
    ...     _ = dv.nn.Sequential(dv.nn.Identity())(dv.ones(1))
    >>> names
    ['Identity', 'Sequential']
    """
    return add(GLOBAL, "_forward_hooks", hook, with_kwargs=with_kwargs, always_called=always_call)


def register_module_forward_pre_hook(hook: Callable[..., Any]) -> Handle:
    """Call ``hook(module, args)`` before the forward of every module."""
    return add(GLOBAL, "_forward_pre_hooks", hook)


def register_module_backward_hook(hook: Callable[..., Any]) -> Handle:
    """Call ``hook(module, grad_input, grad_output)`` with the gradients of the last operation in every module."""
    return add(GLOBAL, "_node_hooks", hook)


def register_module_full_backward_hook(hook: Callable[..., Any]) -> Handle:
    """Call ``hook(module, grad_input, grad_output)`` in the backward of every module."""
    return add(GLOBAL, "_backward_hooks", hook)


def register_module_full_backward_pre_hook(hook: Callable[..., Any]) -> Handle:
    """Call ``hook(module, grad_output)`` before the backward of every module."""
    return add(GLOBAL, "_backward_pre_hooks", hook)


def register_module_parameter_registration_hook(hook: Callable[..., Any]) -> Handle:
    """Call ``hook(module, name, param)`` when any module registers a parameter; what it returns takes the place."""
    return add(GLOBAL, "parameter", hook)


def register_module_buffer_registration_hook(hook: Callable[..., Any]) -> Handle:
    """Call ``hook(module, name, buffer)`` when any module registers a buffer; what it returns takes the place."""
    return add(GLOBAL, "buffer", hook)


def register_module_module_registration_hook(hook: Callable[..., Any]) -> Handle:
    """Call ``hook(module, name, submodule)`` when any module registers a sub-module; what it returns takes the place."""
    return add(GLOBAL, "module", hook)


def call(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run forward with everybody who listens."""
    path, PATH.modules = PATH.modules, (*PATH.modules, module)
    done: set[int] = set()

    def after(key: int, hook: Callable[..., Any], args: Any, kwargs: Any, out: Any) -> Any:
        done.add(key)
        named = _flagged(module, "_forward_hooks_with_kwargs", key)
        return hook(module, args, kwargs, out) if named else hook(module, args, out)

    try:
        return _call(module, args, kwargs, after)
    except Exception:
        for key, hook in _all(module, "_forward_hooks"):
            if key not in done and _flagged(module, "_forward_hooks_always_called", key):
                after(key, hook, args, kwargs, None)
        raise
    finally:
        PATH.modules = path


def _call(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any], after: Callable[..., Any]) -> Any:
    for key, hook in _all(module, "_forward_pre_hooks"):
        if _flagged(module, "_forward_pre_hooks_with_kwargs", key):
            both = hook(module, args, kwargs)
            if both is not None and not (isinstance(both, tuple) and len(both) == 2):
                what = f"forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got {both}"
                raise GradError(type(module).__name__, what)
            args, kwargs = (args, kwargs) if both is None else both
        else:
            args = _tuple(hook(module, args), args)
    back = _Backward(module) if _all(module, "_backward_hooks") or _all(module, "_backward_pre_hooks") else None
    if back is not None:
        args = back.inputs(args)
    out = module.forward(*args, **kwargs)
    for key, hook in _all(module, "_forward_hooks"):
        new = after(key, hook, args, kwargs, out)
        out = out if new is None else new
    out = out if back is None else back.outputs(out)
    if legacy := _all(module, "_node_hooks"):
        first = out
        while first.__class__ not in CLASSES:
            first = next(v for v in first.values() if v.__class__ in CLASSES) if isinstance(first, dict) else first[0]
        for _, hook in legacy if first.grad_fn is not None else ():
            first.grad_fn.register_hook(partial(hook, module))
    return out


class _Backward:
    """The two identity functions between which a module's backward runs."""

    def __init__(self, module: Any) -> None:
        self.module = module
        self.grad_output: tuple[Any, ...] | None = None

    def inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        self.count = len(args)
        self.no_input_grad = not any(a.__class__ in CLASSES and a._n is not None for a in args)
        return tuple(_watched(self.after, args, True))

    def outputs(self, out: Any) -> Any:
        if not isinstance(out, tuple | list):
            return _watched(self.before, [out], False)[0]
        return getattr(out, "_make", list if type(out) is list else tuple)(_watched(self.before, out, False))

    def before(self, grads: tuple[Any, ...]) -> tuple[Any, ...]:
        """At the module's outputs: pre-hooks see, and may replace, the gradients."""
        self.grad_output = grads = self.shown("_backward_pre_hooks", grads)
        if self.no_input_grad:
            self.after((None,) * self.count)
        return grads

    def after(self, grads: tuple[Any, ...]) -> tuple[Any, ...]:
        """At the module's inputs: hooks see both ends, unless (in a second derivative) no gradient came by the outputs."""
        if self.grad_output is not None:
            grads = self.shown("_backward_hooks", grads, self.grad_output)
            self.grad_output = None
        return grads

    def shown(self, table: str, grads: tuple[Any, ...], *more: Any) -> tuple[Any, ...]:
        for _, hook in _all(self.module, table):
            new = _tuple(hook(self.module, grads, *more), grads)
            if len(new) != len(grads):
                what = f"Backward hook returned an invalid number of grad_input, got {len(new)}, but expected {len(grads)}"
                raise GradError(type(self.module).__name__, what)
            grads = new
        return grads


def _watched(see: Callable[..., Any], values: Sequence[Any], zeros: bool) -> list[Any]:
    """The values, of which the tensors show their gradients to a callback: missing ones as None or as zeros."""
    at = [i for i, v in enumerate(values) if v.__class__ in CLASSES]
    if not (is_grad_enabled() and any(values[i]._n is not None for i in at)):
        return list(values)

    def packed(grads: tuple[Any, ...]) -> list[Any]:
        given = dict(zip(at, grads, strict=True))
        new = see(tuple(given.get(i) for i in range(len(values))))
        return [new[i] for i in at]

    made = iter(_Identity.apply(packed, zeros, *(values[i] for i in at)))
    return [next(made) if v.__class__ in CLASSES else v for v in values]


class _Identity(Function):
    """Passes tensors through and shows their gradients to a callback."""

    @staticmethod
    def forward(ctx: Any, see: Callable[..., Any], zeros: bool, *tensors: Any) -> Any:
        ctx.see = see
        ctx.set_materialize_grads(zeros)
        outs = tuple(t.detach() for t in tensors)
        ctx.mark_non_differentiable(*(o for o, t in zip(outs, tensors, strict=True) if t._n is None))
        return outs

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        return (None, None, *ctx.see(grads))
