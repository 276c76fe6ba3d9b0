"""``compile`` by PyTorch's name: the first call of a kind is recorded, later ones replay it without Python's autograd."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from .absent import answers
from .autograd.modes import STATE
from .errors import AssertedError, GradError, TypeMismatch
from .nn.module import Module
from .ops._prepare import attend
from .ops.kernels import update_table

_NAMES, __getattr__, __dir__ = answers(__name__)
__all__ = ["OptimizedModule", "compile", "disable", "report", "substitute_in_graph", *_NAMES]  # noqa: PLE0604

_MODES = (None, "default", "lite", "reduce-overhead", "max-autotune-no-cudagraphs", "max-autotune")


def compile(
    model: Callable[..., Any] | None = None, *, fullgraph: bool = False, dynamic: bool | None = None, backend: Any = "inductor",
    mode: str | None = None, options: dict[str, Any] | None = None, disable: bool = False, **_: Any,
) -> Any:  # fmt: skip
    """A function or module that runs as the given one does, replayed from its second call on; also a decorator.

    A call of a new kind (shapes, types, numbers, modes, module flags, what the function reads from outside) runs in Python and is
    recorded; the next ones of that kind run its kernels in a row, chains of them fused, with one node for the gradient. What cannot be
    replayed (a value that is read, a data-dependent branch, effects) runs as it is, and :func:`report` says why; with `fullgraph`
    it is an UnsupportedError (a RuntimeError) that names the line. The other options are PyTorch's and change nothing.

    It takes a plugin that compiles, which dovetail-cpu is; without one, functions run as they are.
    A module comes back as an :class:`OptimizedModule`. Raises a RuntimeError when `mode` and `options` are both given.

    >>> import dovetail as dv
    >>> @dv.compile(fullgraph=True)
    ... def double(x):
    ...     return x * 2
    >>> double(dv.ones(1)), double(dv.ones(1) + 1)
    (tensor([2.]), tensor([4.]))
    """
    if mode is not None and options is not None:
        raise GradError("compile", "Either mode or options can be specified, but both can't be specified at the same time.")
    if mode not in _MODES:
        raise GradError("compile", f"Unrecognized mode={mode}, should be one of: {', '.join(map(str, _MODES[1:]))}")
    if model is None:
        return lambda function: compile(function, fullgraph=fullgraph, mode=mode, options=options, disable=disable)
    if not callable(model):
        raise AssertedError("compile", f"A callable function is expected, but {type(model)} is provided.")
    if disable or isinstance(model, type):
        return model
    if isinstance(model, Module):
        return OptimizedModule(model._orig_mod if isinstance(model, OptimizedModule) else model, fullgraph)
    compiled = _Calls(getattr(model, "_torchdynamo_orig_callable", model), fullgraph)
    made: Any = functools.wraps(model)(lambda *args, **kwargs: compiled(*args, **kwargs))
    made._torchdynamo_orig_callable, made._compiled = compiled.fn, compiled
    return made


class _Calls:
    """Calls of a function or module by way of the plugin that compiles, which is looked for at the first of them."""

    def __init__(self, fn: Callable[..., Any], strict: bool) -> None:
        self.fn, self.strict = fn, strict
        self.by: Any = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.by is None:
            attend(STATE.word)
            self.by = next(iter(update_table("compile").values()), lambda fn, _: fn)(self.fn, self.strict)
        return self.by(*args, **kwargs)


class OptimizedModule(Module):
    """A module whose calls are compiled. What else one does with it is done with the module itself, ``_orig_mod``, whose name
    stands before those of the state dict, as in PyTorch.

    >>> import dovetail as dv
    >>> net = dv.compile(dv.nn.Linear(2, 1))
    >>> list(net.state_dict()), net.in_features
    (['_orig_mod.weight', '_orig_mod.bias'], 2)
    """

    def __init__(self, mod: Module, fullgraph: bool = False) -> None:
        super().__init__()
        del self.__dict__["training"]
        self._modules["_orig_mod"] = mod
        self.__dict__["_compiled"] = _Calls(mod, fullgraph)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The module's own, compiled."""
        return self._compiled(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        mod = self.__dict__["_modules"]["_orig_mod"]
        return mod if name == "_orig_mod" else getattr(mod, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._orig_mod, name, value) if "_compiled" in self.__dict__ else super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._orig_mod, name)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *dir(self._orig_mod)})

    def __len__(self) -> int:
        return len(self._orig_mod)

    def __reduce__(self) -> Any:
        return OptimizedModule, (self._orig_mod, self._compiled.strict)


def report(compiled: Any) -> str:
    """What became of the calls of a compiled function or module: a line for each kind of call, in order.

    >>> import dovetail as dv
    >>> f = dv.compile(lambda x: x if x.sum() > 0 else -x)
    >>> _ = f(dv.ones(1))
    >>> dv.compiler.report(f).startswith("runs as it is: ")
    True
    """
    found = getattr(compiled, "_compiled", None)
    if found is None:
        raise TypeMismatch("report", f"{type(compiled).__name__} is not compiled", "expected what compile returned")
    alone = ["runs as it is: no plugin that compiles is installed (dovetail-cpu is one)"]
    return "\n".join(alone if found.by is found.fn else getattr(found.by, "report", ())) or "not called yet"


def disable(fn: Any = None, recursive: bool = True, *, reason: str | None = None) -> Any:
    """The function itself; also a decorator with arguments."""
    return fn if fn is not None else lambda function: function


def substitute_in_graph(original_fn: Any, **_: Any) -> Any:
    """A decorator that leaves the function as it is."""
    return disable()
