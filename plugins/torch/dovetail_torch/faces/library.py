"""``dovetail.library``: `custom_op` for functions on tensors. ``dovetail.extend.op`` makes ops on arrays, which kernels can replace."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import dovetail as dv
from dovetail.autograd import Function
from dovetail.errors import GradError, TypeMismatch, UnknownNameError, UnsupportedError, ValueRangeError

__all__ = [
    "CustomOpDef", "Library", "custom_op", "define", "fallthrough_kernel", "get_ctx", "get_kernel", "impl", "impl_abstract", "infer_schema",
    "register_autocast", "register_autograd", "register_fake", "register_kernel", "register_torch_dispatch", "register_vmap", "triton_op",
    "wrap_triton",
]  # fmt: skip

_OPS: dict[str, CustomOpDef] = {}


class CustomOpDef:
    """A function with the gradient that `register_autograd` gives it; calling it runs the kernel of the first tensor's device."""

    def __init__(self, name: str, fn: Callable[..., Any], mutates: Any) -> None:
        self._qualname, self._signature, self._mutates = name, inspect.signature(fn), mutates
        self._kernels: dict[str | None, Callable[..., Any]] = {None: fn}
        self._backward: Callable[..., Any] | None = None
        self._setup: Callable[..., Any] | None = None
        functools.update_wrapper(self, fn)

    def __repr__(self) -> str:
        return f"<CustomOpDef({self._qualname})>"

    def register_kernel(self, device_types: Any, fn: Callable[..., Any] | None = None, /) -> Any:
        """Use another function on these devices; also a decorator."""

        def register(function: Callable[..., Any]) -> Callable[..., Any]:
            for device in (device_types,) if isinstance(device_types, str | None) else device_types:
                self._kernels[device] = function
            return function

        return register if fn is None else register(fn)

    def register_fake(self, fn: Callable[..., Any], /) -> Callable[..., Any]:
        """The function itself: shapes are never inferred without values here."""
        return fn

    register_vmap = register_torch_dispatch = register_fake

    def register_autograd(self, backward: Callable[..., Any], /, *, setup_context: Callable[..., Any] | None = None) -> None:
        """Give it a gradient: ``setup_context(ctx, inputs, output)`` keeps what ``backward(ctx, *grads)`` needs."""
        if self._mutates:
            raise GradError("register_autograd", f"{self._qualname} changes its arguments", "a functional op may have a gradient")
        self._backward, self._setup = backward, setup_context

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        values = bound.args
        for parameter, value in zip(self._signature.parameters.values(), values, strict=False):
            if (parameter.annotation is dv.Tensor or str(parameter.annotation).endswith(".Tensor")) and not isinstance(value, dv.Tensor):
                what = f"Expected a value of type 'Tensor' for argument '{parameter.name}' but found type '{type(value).__name__}'"
                raise GradError(f"{self._qualname}()", what)
        if self._mutates or not any(isinstance(v, dv.Tensor) and v.requires_grad for v in values):
            return self._run(*values)
        return _function(self).apply(*values)

    def _run(self, *values: Any) -> Any:
        device = next((v.device.type for v in values if isinstance(v, dv.Tensor)), None)
        with dv.no_grad():
            return (self._kernels.get(device) or self._kernels[None])(*values)


def _function(op: CustomOpDef) -> Any:
    """A Function of the op as it is now."""

    def forward(ctx: Any, *values: Any) -> Any:
        out = op._run(*values)
        if op._setup is not None:
            op._setup(ctx, values, out)
        return out

    def backward(ctx: Any, *grads: Any) -> Any:
        if op._backward is None:
            what = f"Trying to backward through {op._qualname} but no autograd formula was registered"
            raise GradError(op._qualname, what, "", "use register_autograd to add one")
        return op._backward(ctx, *grads)

    return type(op._qualname.replace("::", "_"), (Function,), {"forward": staticmethod(forward), "backward": staticmethod(backward)})


def custom_op(
    name: str, fn: Callable[..., Any] | None = None, /, *, mutates_args: Any, device_types: Any = None, schema: str | None = None,
    tags: Any = None,
) -> Any:  # fmt: skip
    """Make a function an op ``"namespace::name"``; also a decorator. Raises a ValueError for a name without a namespace.

    >>> import dovetail as dv
    >>> @custom_op("example::double", mutates_args=())
    ... def double(x: dv.Tensor) -> dv.Tensor:
    ...     return x * 2
    >>> double.register_autograd(lambda ctx, g: g * 2)
    >>> x = dv.ones(1, requires_grad=True)
    >>> double(x).backward(); x.grad
    tensor([2.])
    """
    if name.count("::") != 1:
        raise ValueRangeError("custom_op", f"the name is {name!r}", "expected 'namespace::name'")

    def make(function: Callable[..., Any]) -> CustomOpDef:
        made = _OPS[name] = CustomOpDef(name, function, mutates_args)
        if device_types is not None:
            made.register_kernel(device_types, function)
        return made

    return make if fn is None else make(fn)


def _found(op: Any) -> CustomOpDef:
    if isinstance(op, CustomOpDef):
        return op
    if not isinstance(op, str):
        raise TypeMismatch("library", f"got {type(op).__name__}", "expected an op of custom_op, or its name")
    if op not in _OPS:
        raise UnknownNameError("library", f"there is no op {op!r}", f"those of custom_op are {', '.join(sorted(_OPS)) or 'none'}")
    return _OPS[op]


def register_autograd(
    op: Any, backward: Callable[..., Any], /, *, setup_context: Callable[..., Any] | None = None, lib: Any = None
) -> None:
    """Give an op of `custom_op` its gradient; see :meth:`CustomOpDef.register_autograd`."""
    _found(op).register_autograd(backward, setup_context=setup_context)


def register_kernel(op: Any, device_types: Any, func: Callable[..., Any] | None = None, /, *, lib: Any = None) -> Any:
    """Use another function for an op of `custom_op` on these devices; also a decorator."""
    return _found(op).register_kernel(device_types, func)


def register_fake(op: Any, func: Callable[..., Any] | None = None, /, *, lib: Any = None, **_: Any) -> Any:
    """The function itself: shapes are never inferred without values here. Also a decorator."""
    _found(op)
    return func if func is not None else lambda function: function


def _refuse(name: str) -> Callable[..., Any]:
    def refused(*_: Any, **__: Any) -> Any:
        raise UnsupportedError(f"library.{name}", "PyTorch's dispatcher is not here", "", "use custom_op, or dovetail.extend.op")

    refused.__name__, refused.__doc__ = name, "Always an UnsupportedError: PyTorch's dispatcher is not here."
    return refused


impl_abstract = register_fake
Library, define, fallthrough_kernel, get_kernel, impl = map(_refuse, ("Library", "define", "fallthrough_kernel", "get_kernel", "impl"))
infer_schema, register_autocast, register_vmap = map(_refuse, ("infer_schema", "register_autocast", "register_vmap"))
register_torch_dispatch, triton_op, wrap_triton = map(_refuse, ("register_torch_dispatch", "triton_op", "wrap_triton"))


def get_ctx() -> None:
    """None, outside of shape inference, of which there is none here."""
