"""Hooks on one module or on every module: around forward and backward, and the call that runs them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from ..autograd.function import Function
from ..autograd.node import CLASSES, Handle

__all__ = [
    "register_module_forward_hook", "register_module_forward_pre_hook", "register_module_full_backward_hook",
    "register_module_full_backward_pre_hook",
]  # fmt: skip

WATCHED = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")  # those that a call runs
TABLES = (
    *WATCHED, "_forward_hooks_with_kwargs", "_forward_hooks_always_called", "_forward_pre_hooks_with_kwargs", "_state_dict_hooks",
    "_state_dict_pre_hooks", "_load_state_dict_pre_hooks", "_load_state_dict_post_hooks",
)  # fmt: skip


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

    register_backward_hook = register_full_backward_hook

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
    return out if back is None else back.outputs(out)


class _Backward:
    """The two identity functions between which a module's backward runs."""

    def __init__(self, module: Any) -> None:
        self.module = module
        self.grad_output: tuple[Any, ...] | None = None

    def inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        self.no_input_grad = not any(a.__class__ in CLASSES and a._n is not None for a in args)
        return args if self.no_input_grad else tuple(_watched(self.after, args))

    def outputs(self, out: Any) -> Any:
        if not isinstance(out, tuple | list):
            return _watched(self.before, [out])[0]
        return (list if type(out) is list else tuple)(_watched(self.before, out))

    def before(self, grads: tuple[Any, ...]) -> tuple[Any, ...]:
        """At the module's outputs: pre-hooks see, and may replace, the gradients."""
        for _, hook in _all(self.module, "_backward_pre_hooks"):
            grads = _tuple(hook(self.module, grads), grads)
        self.grad_output = grads
        if self.no_input_grad:
            self.after(tuple(None for _ in grads))
        return grads

    def after(self, grads: tuple[Any, ...]) -> tuple[Any, ...]:
        """At the module's inputs: hooks see both ends."""
        for _, hook in _all(self.module, "_backward_hooks"):
            grads = _tuple(hook(self.module, grads, self.grad_output), grads)
        return grads


def _watched(see: Callable[..., Any], values: Sequence[Any]) -> list[Any]:
    """The values, of which the tensors show their gradients to a callback."""
    made = iter(_Identity.apply(see, *(v for v in values if v.__class__ in CLASSES)))
    return [next(made) if v.__class__ in CLASSES else v for v in values]


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
