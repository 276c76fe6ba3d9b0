"""Calling a module with other parameters than its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ...errors import GradError, ValueRangeError
from ..module import Module

__all__ = ["functional_call"]


def functional_call(
    module: Module, parameters_and_buffers: Mapping[str, Any] | tuple[Mapping[str, Any], ...], args: Any = None,
    kwargs: dict[str, Any] | None = None, *, tie_weights: bool = True, strict: bool = False,
) -> Any:  # fmt: skip
    """Call a module with tensors in place of its parameters and buffers, which come back afterwards.

    Tied weights are replaced together unless ``tie_weights`` is False. Other keys are attributes during the call; with ``strict``
    they are a RuntimeError, and missing ones too. Raises an AttributeError for a key below a module that is not there.

    >>> import dovetail as dv
    >>> layer = dv.nn.Linear(1, 1)
    >>> functional_call(layer, {"weight": dv.tensor([[2.]]), "bias": dv.tensor([1.])}, dv.tensor([3.]))
    tensor([7.])
    """
    parts = (parameters_and_buffers,) if isinstance(parameters_and_buffers, Mapping) else parameters_and_buffers
    if not isinstance(parts, tuple | list) or not all(isinstance(part, Mapping) for part in parts):
        what = "Expected parameter_and_buffer_dicts to be a dict, or a list/tuple of dicts"
        raise ValueRangeError("functional_call", f"{what}, but got {type(parameters_and_buffers)}")
    given: dict[str, Any] = {key: value for part in parts for key, value in part.items()}
    if len(given) < sum(map(len, parts)):
        twice = next(key for key in given if sum(key in part for part in parts) > 1)
        raise ValueRangeError(f"{twice} appeared in multiple dictionaries; behavior of functional call is ambiguous")
    args = () if args is None else args if isinstance(args, tuple) else (args,)
    with _swapped(module, given, tie_weights, strict):
        return module(*args, **(kwargs or {}))


def _reparametrize_module(
    module: Module, parameters_and_buffers: Mapping[str, Any], tie_weights: bool = False, strict: bool = False, stack_weights: bool = False
) -> Any:
    """The block in which a module has these tensors: PyTorch's inside, which programs take."""
    return _swapped(module, dict(parameters_and_buffers), tie_weights, strict)


_functional_call = functional_call


@contextmanager
def _swapped(module: Module, given: dict[str, Any], tie_weights: bool, strict: bool) -> Iterator[None]:
    places = {
        (f"{path}.{name}" if path else name): (below.__dict__[table], name)
        for path, below in module.named_modules(remove_duplicate=False)
        for table in ("_parameters", "_buffers")
        for name, value in below.__dict__[table].items()
        if value is not None
    }
    unexpected = [key for key in given if key not in places]
    own = {id(table[name]) for key, (table, name) in places.items() if key in given}
    missing = [key for key, (table, name) in places.items() if key not in given and not (tie_weights and id(table[name]) in own)]
    if strict and (unexpected or missing):
        raise GradError("functional_call", f"Error(s) in functional_call: unexpected keys {unexpected}, missing keys {missing}")
    for key in unexpected:
        path, _, name = key.rpartition(".")
        below = module.get_submodule(path)
        places[key] = below.__dict__["_parameters" if name in below._parameters else "_buffers"], name
    new = {id(places[key][0].get(places[key][1])): value for key, value in given.items()}
    before = []
    try:
        for key, (table, name) in places.items():
            held = table.get(name, GradError)
            if key in given or (tie_weights and id(held) in new):
                before.append((table, name, held))
                table[name] = given[key] if key in given else new[id(held)]
        yield
    finally:
        for table, name, held in before:
            table[name] = held
            if held is GradError:  # it was not there
                del table[name]
