"""Calling a module with other parameters than its own."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ...autograd.node import Tensor
from ...errors import GradError, TypeMismatch, UnknownAttribute, ValueRangeError
from ..module import Module

__all__ = ["functional_call"]


def functional_call(
    module: Module, parameters_and_buffers: Mapping[str, Any] | tuple[Mapping[str, Any], ...], args: Any = None,
    kwargs: dict[str, Any] | None = None, *, tie_weights: bool = True, strict: bool = False,
) -> Any:  # fmt: skip
    """The older name of `func.functional_call`, which warns of that.

    >>> import dovetail as dv
    >>> functional_call(dv.nn.Linear(1, 1), {"weight": dv.tensor([[2.]]), "bias": dv.tensor([1.])}, dv.tensor([3.]))
    tensor([7.])
    """
    warnings.warn(
        "`nn.utils.stateless.functional_call` is deprecated: use `func.functional_call`, which is the same", FutureWarning, stacklevel=2
    )
    return _functional_call(module, parameters_and_buffers, args, kwargs, tie_weights, strict)


def _functional_call(module: Any, new: Any, args: Any = None, kwargs: Any = None, tie_weights: bool = True, strict: bool = False) -> Any:
    parts = (new,) if isinstance(new, Mapping) else new
    if not isinstance(parts, tuple | list) or not all(isinstance(part, Mapping) for part in parts):
        what = "Expected parameter_and_buffer_dicts to be a dict, or a list/tuple of dicts"
        raise ValueRangeError("functional_call", f"{what}, but got {type(new)}")
    given: dict[str, Any] = {key: value for part in parts for key, value in part.items()}
    if len(given) < sum(map(len, parts)):
        twice = next(key for key in given if sum(key in part for part in parts) > 1)
        raise ValueRangeError(f"{twice} appeared in multiple dictionaries; behavior of functional call is ambiguous")
    args = () if args is None else args if isinstance(args, tuple) else (args,)
    with _swapped(module, new if isinstance(new, dict) else given, tie_weights, strict):
        return module(*args, **(kwargs or {}))


def _reparametrize_module(
    module: Module, parameters_and_buffers: dict[str, Any], tie_weights: bool = False, strict: bool = False, stack_weights: bool = False
) -> Any:
    """The block in which a module has these tensors: PyTorch's inside, which programs take."""
    return _swapped(module, parameters_and_buffers, tie_weights, strict)


@contextmanager
def _swapped(module: Module, given: dict[str, Any], tie_weights: bool, strict: bool) -> Iterator[None]:
    """A block in which the module has these tensors; what it has put in their place goes to `given` at the end."""
    own: dict[str, Any] = {}
    if tie_weights or strict:  # else a module may hold itself
        own = {**dict(module.named_parameters(remove_duplicate=False)), **dict(module.named_buffers(remove_duplicate=False))}
    new = {**given, **(_tied(own, given) if tie_weights else {})}
    unexpected, missing = sorted(new.keys() - own), sorted(own.keys() - new)
    if strict and (unexpected or missing):
        what = f"unexpected keys {unexpected}, missing keys {missing}"
        raise GradError("functional_call", f"Error(s) in reparametrizing for {type(module).__name__}: {what}")
    before: list[tuple[str, Any]] = []
    try:
        for key, value in new.items():
            before.append((key, _swap(module, key, value)))
        yield
    finally:
        after = {key: _swap(module, key, held) for key, held in reversed(before)}
        given.update({key: after[key] for key in given if key in after})


def _tied(own: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """What the other names of the given tensors have in the module, under these names."""
    names: dict[int, list[str]] = {}
    for name, value in own.items():
        names.setdefault(id(value), []).append(name)
    found = {}
    for same in names.values():
        values = [given[name] for name in same if name in given]
        if len({id(value) for value in values}) > 1:
            what = f"functional_call got multiple values for keys {sorted(same)}, which are tied"
            raise ValueRangeError("functional_call", what, "expected one tensor for all", "tie_weights=False keeps them apart")
        found.update(dict.fromkeys(same, values[0]) if values else {})
    return found


_NOTHING = object()


def _swap(module: Module, key: str, value: Any) -> Any:
    """Put a tensor where the key says (`_NOTHING` takes away what is there), and give what was there."""
    path, _, name = key.rpartition(".")
    for part in path.split(".") if path else ():
        below = getattr(module, part, _NOTHING)
        if below is _NOTHING:
            raise UnknownAttribute("functional_call", f"{type(module).__name__} has no attribute `{part}`", f"the key is {key!r}")
        if not isinstance(below, Module):
            raise TypeMismatch("functional_call", f"submodule `{part}`: {below!r} is not an instance of Module", f"the key is {key!r}")
        module = below
    if value is not _NOTHING and value is not None and not isinstance(value, Tensor):
        raise TypeMismatch("functional_call", f"{value!r} is not an instance of Tensor", f"the key is {key!r}")
    table: Any = next((t for t in (module._parameters, module._buffers) if name in t), None)
    held = getattr(module, name, _NOTHING) if table is None else table[name]
    if held is not _NOTHING and held is not None and not isinstance(held, Tensor):
        raise TypeMismatch("functional_call", f"attribute `{name}`: {held!r} is not an instance of Tensor", "expected one to replace")
    if value is _NOTHING:
        if held is not _NOTHING:
            delattr(module, name)
    elif table is None:
        setattr(module, name, value)
    else:
        table[name] = value
    return held
