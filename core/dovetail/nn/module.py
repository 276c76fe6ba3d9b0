"""Module: parameters, buffers and sub-modules under one name tree, and the calls that hooks may watch."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from inspect import ismethod, signature
from typing import Any, Self

from ..autograd.modes import OBSERVE, STATE
from ..autograd.node import Tensor
from ..errors import TypeMismatch, UnknownAttribute, UnsupportedError, ValueRangeError
from ..ops.info import typename
from ._convert import _Conversions
from ._hooks import GLOBAL, TABLES, _Hooks, call, registered, watched
from ._state import _State
from .parameter import Buffer, Parameter

__all__ = ["Module"]


def _no_forward(self: Module, *args: Any, **kwargs: Any) -> Any:
    raise UnsupportedError(f'Module [{type(self).__name__}] is missing the required "forward" function; define forward(self, ...)')


class Module(_Conversions, _Hooks, _State):
    """The base of every layer and model: subclass it, make layers in ``__init__``, compute in ``forward``.

    >>> import dovetail as dv
    >>> class Twice(dv.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.w = dv.nn.Parameter(dv.full((1,), 2.0))
    ...     def forward(self, x):
    ...         return self.w * x
    >>> Twice()(dv.tensor([3.]))
    tensor([6.], grad_fn=<MulBackward0>)
    """

    training: bool
    _version = 1
    call_super_init = False
    dump_patches = False
    forward: Callable[..., Any] = _no_forward

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if not self.call_super_init and (args or kwargs):
            what = f"unexpected keyword argument {next(iter(kwargs), None)!r}"
            raise TypeMismatch(
                f"{type(self).__name__}.__init__()", what if kwargs else f"takes 1 positional argument but {len(args) + 1} were given"
            )
        fields = self.__dict__
        fields["training"] = True
        fields["_non_persistent_buffers_set"] = set()
        fields["_watched"] = False  # whether any hook is registered: the call is one attribute read dearer otherwise
        for name in (*_HELD, *TABLES):
            fields[name] = OrderedDict()
        if self.call_super_init:
            super().__init__(*args, **kwargs)

    # --- calling --------------------------------------------------------------------------------------------------

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._watched or GLOBAL._watched or STATE.word & OBSERVE:
            return call(self, args, kwargs)
        try:
            return self.forward(*args, **kwargs)
        except TypeError as error:
            if error.__traceback__.tb_next is None and ismethod(self.forward):  # it did not begin
                takes = ", ".join(signature(self.forward).parameters)
                raise TypeMismatch(f"{error}; besides self, which is the module, it takes ({takes})") from None
            raise

    _call_impl = _wrapped_call_impl = __call__

    def extra_repr(self) -> str:
        """What the repr shows beside the name; layers give their arguments."""
        return ""

    # --- attributes -----------------------------------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        for table, (what, kind, expected) in _HELD.items():
            own = isinstance(value, kind)
            if not own and name not in self.__dict__.get(table, ()):
                continue
            if not own and value is not None and not (kind is Buffer and isinstance(value, Tensor)):
                what = "child module" if kind is Module else what
                raise TypeMismatch(f"cannot assign '{typename(value)}' as {what} '{name}' ({expected} or None expected)")
            if own and kind is not Buffer:
                _own(self, table, name)
            if kind is Parameter:
                return self.register_parameter(name, value)
            if own and kind is Buffer:
                return self.register_buffer(name, value, *(() if value.persistent else (False,)))
            self.__dict__[table][name] = registered(what, self, name, value)
            return None
        return object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        fields = self.__dict__
        for table in _HELD:
            held = fields.get(table, ())
            if name in held:
                return held[name]
        raise UnknownAttribute(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __delattr__(self, name: str) -> None:
        for table in _HELD:
            if name in self.__dict__.get(table, ()):
                del self.__dict__[table][name]
                self._non_persistent_buffers_set.discard(name)
                return
        object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        return sorted({*dir(type(self)), *self.__dict__, *self._parameters, *self._buffers, *self._modules})

    def __setstate__(self, state: dict[str, Any]) -> None:
        fields = self.__dict__
        fields.update(state)
        for name in TABLES:
            fields.setdefault(name, OrderedDict())
        fields.setdefault("_non_persistent_buffers_set", set())
        fields["_watched"] = watched(self)

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter under a name. Raises a KeyError for a name that is taken or has a dot."""
        table = _table(self, "parameter", name)
        if param is not None and not isinstance(param, Parameter):
            raise TypeMismatch(f"cannot assign '{typename(param)}' object to parameter '{name}' (nn.Parameter or None required)")
        if param is not None and not param.is_leaf:
            remedy = f"To express '{name}' as a function of another Tensor, compute the value in the forward() method."
            raise ValueRangeError(
                f"Cannot assign non-leaf Tensor to parameter '{name}'. Model parameters must be created explicitly. {remedy}"
            )
        table[name] = param if param is None else registered("parameter", self, name, param)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that moves and is saved with the module but is not trained (not saved if not ``persistent``)."""
        table = _table(self, "buffer", name)
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeMismatch(f"cannot assign '{typename(tensor)}' object to buffer '{name}' (dovetail Tensor or None required)")
        table[name] = registered("buffer", self, name, tensor)
        (self._non_persistent_buffers_set.discard if persistent else self._non_persistent_buffers_set.add)(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a sub-module under a name."""
        if module is not None and not isinstance(module, Module):
            raise TypeMismatch(f"{typename(module)} is not a Module subclass")
        _table(self, "module", name)[name] = registered("module", self, name, module)

    register_module = add_module

    def get_submodule(self, target: str) -> Module:
        """Return the module at a dotted path. Raises an AttributeError that names the missing step."""
        module = self
        for step in target.split(".") if target else ():
            if step not in module._modules:
                raise UnknownAttribute(f"{type(module).__name__} has no attribute `{step}` (path {target!r})")
            module = module._modules[step]
        return module

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Put a module at a dotted path, where with `strict` there is one already. Raises a ValueError for what is none."""
        if target == "":
            raise ValueRangeError("Cannot set the submodule without a target name!")
        if not isinstance(module, Module):
            raise ValueRangeError(f"`module` is not an nn.Module, found {type(module)}")
        path, _, name = target.rpartition(".")
        parent = self.get_submodule(path)
        if strict and not hasattr(parent, name):
            raise UnknownAttribute(f"{parent._get_name()} has no attribute `{name}`")
        if not isinstance(getattr(parent, name, self), Module):
            raise UnknownAttribute(f"`{name}` is not an nn.Module")
        setattr(parent, name, module)

    def get_parameter(self, target: str) -> Parameter:
        """Return the parameter at a dotted path."""
        return self._lookup(target, "_parameters", "nn.Parameter")

    def get_buffer(self, target: str) -> Tensor:
        """Return the buffer at a dotted path."""
        return self._lookup(target, "_buffers", "buffer")

    def _lookup(self, target: str, table: str, what: str) -> Any:
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if name not in module.__dict__[table]:
            raise UnknownAttribute(f"{type(module).__name__} has no {what} `{name}` (path {target!r})")
        return module.__dict__[table][name]

    # --- walking --------------------------------------------------------------------------------------------------

    def named_modules(self, memo: set[Any] | None = None, prefix: str = "", remove_duplicate: bool = True) -> Iterator[tuple[str, Module]]:
        """Yield (path, module) for this module and all below, each once."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                yield from module.named_modules(memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)

    def modules(self, remove_duplicate: bool = True) -> Iterator[Module]:
        """Yield this module and all below, each once."""
        return (module for _, module in self.named_modules(remove_duplicate=remove_duplicate))

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Yield (name, module) for the direct sub-modules, each once."""
        seen: set[Module] = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def children(self) -> Iterator[Module]:
        """Yield the direct sub-modules."""
        return (module for _, module in self.named_children())

    def _named_members(
        self, get_members_fn: Callable[[Module], Any], prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        walk = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate) if recurse else [(prefix, self)]
        for path, module in walk:
            for name, value in get_members_fn(module):
                if value is None or id(value) in seen:
                    continue
                if remove_duplicate:
                    seen.add(id(value))
                yield f"{path}.{name}" if path else name, value

    def named_parameters(self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True) -> Iterator[tuple[str, Parameter]]:
        """Yield (path, parameter), each parameter once."""
        return self._named_members(lambda m: m._parameters.items(), prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Yield the parameters, each once."""
        return (p for _, p in self.named_parameters(recurse=recurse))

    def named_buffers(self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True) -> Iterator[tuple[str, Tensor]]:
        """Yield (path, buffer), each buffer once."""
        return self._named_members(lambda m: m._buffers.items(), prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Yield the buffers, each once."""
        return (b for _, b in self.named_buffers(recurse=recurse))

    def apply(self, fn: Callable[[Module], Any]) -> Self:
        """Call a function on every module below and on this one, last."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    # --- modes and conversions ------------------------------------------------------------------------------------

    def train(self, mode: bool = True) -> Self:
        """Set training mode, which dropout and batch norm ask for, here and below."""
        if not isinstance(mode, bool):
            raise ValueRangeError("train", f"training mode is expected to be boolean, got {mode!r}")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self) -> Self:
        """Set evaluation mode: ``train(False)``."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Start or stop recording for all parameters."""
        for p in self.parameters():
            p.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop (or zero) the gradients of all parameters."""
        for n in [p._n for p in self.parameters()]:
            if n is not None and n.grad is not None:
                n.grad = None if set_to_none else n.grad.detach_().zero_()

    def share_memory(self) -> Self:
        """Move parameters and buffers to where forked processes share them."""
        for t in (*self.parameters(), *self.buffers()):
            t.share_memory_()
        return self

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Change nothing: the module runs as it is. ``dovetail.compile(module)`` gives one that is recorded and replayed."""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        below = [(name, repr(module)) for name, module in self._modules.items()]
        return _shown(self._get_name(), extra.split("\n") if extra else [], below)

    def _get_name(self) -> str:
        return type(self).__name__


_HELD: dict[str, tuple[str, Any, str]] = {  # the tables of a module: what is in them, its class, and what else may be
    "_parameters": ("parameter", Parameter, "nn.Parameter"),
    "_modules": ("module", Module, "nn.Module"),
    "_buffers": ("buffer", Buffer, "nn.Buffer, dovetail.Tensor"),
}


def _shown(kind: str, lines: list[str], below: list[tuple[str, str]]) -> str:
    """The repr of a module of a kind: its own lines, then the modules below by name, indented."""
    lines = lines + [f"({name}): {text}".replace("\n", "\n  ") for name, text in below]
    if below or len(lines) > 1:
        return f"{kind}(\n  " + "\n  ".join(lines) + "\n)"
    return f"{kind}({''.join(lines)})"


def _own(module: Module, table: str, name: str) -> Module:
    """Make a table the only one that has this name."""
    if table not in module.__dict__:
        kind = "parameters" if table == "_parameters" else table[1:-1]
        raise UnknownAttribute(f"cannot assign {kind} before Module.__init__() call; begin __init__ with super().__init__()")
    for held in (module.__dict__, *(module.__dict__[other] for other in _HELD if other != table)):
        held.pop(name, None)
    module._non_persistent_buffers_set.discard(name)
    return module


def _table(module: Module, what: str, name: Any) -> Any:
    """The table for a parameter, a buffer or a module, which may be put there under this name."""
    table = module.__dict__.get(f"_{what}s")
    if table is None:
        raise UnknownAttribute(f"cannot assign {what} before Module.__init__() call; begin __init__ with super().__init__()")
    if not isinstance(name, str):
        raise TypeMismatch(f"{what} name should be a string. Got {typename(name)}")
    if "." in name:
        raise KeyError(f'{what} name can\'t contain "."' + (f", got: {name}" if what == "module" else ""))
    if name == "":
        raise KeyError(f'{what} name can\'t be empty string ""')
    if name not in table and hasattr(module, name):
        raise KeyError(f"attribute '{name}' already exists")
    return table
