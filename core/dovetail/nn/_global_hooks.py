"""Hooks on every module at once, for tools that watch a whole program."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from ..autograd.node import Handle
from ._hooks import GLOBAL

__all__ = [
    "register_module_forward_hook", "register_module_forward_pre_hook", "register_module_full_backward_hook",
    "register_module_full_backward_pre_hook",
]  # fmt: skip


class _GlobalHandle(Handle):
    """Clears the flag that calls read when the last hook goes."""

    def remove(self) -> None:
        super().remove()
        GLOBAL.any = any((GLOBAL.forward, GLOBAL.forward_pre, GLOBAL.backward, GLOBAL.backward_pre))


def _register(table: OrderedDict[int, Any], hook: Callable[..., Any]) -> Handle:
    handle = _GlobalHandle(table)
    table[handle.id] = hook
    GLOBAL.any = True
    return handle


def register_module_forward_hook(hook: Callable[..., Any], *, with_kwargs: bool = False, always_call: bool = False) -> Handle:
    """Call ``hook(module, args, output)`` after the forward of every module.

    >>> import dovetail as dv
    >>> names = []
    >>> with register_module_forward_hook(lambda module, args, out: names.append(type(module).__name__)):
    ...     _ = dv.nn.Sequential(dv.nn.Identity())(dv.ones(1))
    >>> names
    ['Identity', 'Sequential']
    """
    if with_kwargs or always_call:
        raise NotImplementedError(
            "register_module_forward_hook: with_kwargs and always_call are for hooks of one module; use register_forward_hook"
        )
    return _register(GLOBAL.forward, hook)


def register_module_forward_pre_hook(hook: Callable[..., Any]) -> Handle:
    """Call ``hook(module, args)`` before the forward of every module."""
    return _register(GLOBAL.forward_pre, hook)


def register_module_full_backward_hook(hook: Callable[..., Any]) -> Handle:
    """Call ``hook(module, grad_input, grad_output)`` in the backward of every module."""
    return _register(GLOBAL.backward, hook)


def register_module_full_backward_pre_hook(hook: Callable[..., Any]) -> Handle:
    """Call ``hook(module, grad_output)`` before the backward of every module."""
    return _register(GLOBAL.backward_pre, hook)
