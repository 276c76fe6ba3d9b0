"""States of models and optimizers under the names of parameters, the same in and out of DistributedDataParallel, by PyTorch's path."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

import dovetail as dv
from dovetail.errors import UnknownNameError, UnsupportedError

from ...parallel import DistributedDataParallel

__all__ = [
    "StateDictOptions", "get_model_state_dict", "get_optimizer_state_dict", "get_state_dict", "set_model_state_dict",
    "set_optimizer_state_dict", "set_state_dict",
]  # fmt: skip


@dataclass
class StateDictOptions:
    """How a state is taken or given. All ranks have whole states, in the host's memory or the GPU's: most options ask for nothing."""

    full_state_dict: bool = False
    cpu_offload: bool = False
    ignore_frozen_params: bool = False
    keep_submodule_prefixes: bool = True
    strict: bool = True
    broadcast_from_rank0: bool = False
    flatten_optimizer_state_dict: bool = False
    dsd_fqn_modifiers: str = "_fqn_modifiers"


_HEEDED = ("full_state_dict", "cpu_offload", "strict")


def _checked(where: str, options: StateDictOptions | None, submodules: Any = None) -> StateDictOptions:
    """The options. Raises an UnsupportedError for one that would change what is done."""
    given = options or StateDictOptions()
    other = [one.name for one in fields(given) if one.name not in _HEEDED and getattr(given, one.name) != one.default]
    if other or submodules:
        what = f"{', '.join([*other, *(['submodules'] if submodules else [])])}: not there"
        raise UnsupportedError(where, what, f"expected other options than {', '.join(_HEEDED)} as they are")
    return given


def _name(model: dv.nn.Module, name: str) -> str:
    """A parameter's name without the parts that DistributedDataParallel adds."""
    kept: list[str] = []
    at: Any = model
    for part in name.split("."):
        if not (isinstance(at, DistributedDataParallel) and part == "module"):
            kept.append(part)
        at = getattr(at, part, None)
    return ".".join(kept)


def get_model_state_dict(model: dv.nn.Module, *, submodules: Any = None, options: StateDictOptions | None = None) -> dict[str, Any]:
    """The model's tensors by their names, without DistributedDataParallel's ``module.``.

    >>> list(get_model_state_dict(dv.nn.Linear(2, 1)))
    ['weight', 'bias']
    """
    given = _checked("get_model_state_dict", options, submodules)
    found = {_name(model, name): value for name, value in model.state_dict().items()}
    return {name: _placed(value, given) for name, value in found.items()}


def _placed(value: Any, given: StateDictOptions) -> Any:
    return value.cpu() if given.cpu_offload and isinstance(value, dv.Tensor) else value


def _optimizers(optimizers: Any) -> list[Any]:
    return [*optimizers] if isinstance(optimizers, Iterable) else [optimizers]


def _begin(optimizer: Any) -> None:
    """Let an optimizer that never stepped have its state, as PyTorch does: a step of size 0 by gradients of 0."""
    every = [p for group in optimizer.param_groups for p in group["params"]]
    if optimizer.state or any(p.grad is not None for p in every):
        return
    rates = [group.get("lr") for group in optimizer.param_groups]
    for p in every:
        p.grad = dv.zeros_like(p) if p.requires_grad else None
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    optimizer.step()
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate
    optimizer.zero_grad(set_to_none=True)


def get_optimizer_state_dict(
    model: dv.nn.Module, optimizers: Any, *, submodules: Any = None, options: StateDictOptions | None = None
) -> dict[str, Any]:
    """The states of one or several optimizers, by the names of the model's parameters; one that never stepped is given its first state."""
    given = _checked("get_optimizer_state_dict", options, submodules)
    names = {id(p): _name(model, name) for name, p in model.named_parameters()}
    found: dict[str, Any] = {"state": {}, "param_groups": []}
    for optimizer in _optimizers(optimizers):
        _begin(optimizer)
        for group in optimizer.param_groups:
            own = [_named(names, p) for p in group["params"]]
            found["param_groups"].append({**{k: v for k, v in group.items() if k != "params"}, "params": own})
            for p, name in zip(group["params"], own, strict=True):
                if p in optimizer.state:
                    found["state"][name] = {k: _placed(v, given) for k, v in optimizer.state[p].items()}
    return found


def _named(names: dict[int, str], parameter: Any) -> str:
    if id(parameter) not in names:
        what = f"the optimizer has a parameter of shape {tuple(parameter.shape)} that is not the model's"
        raise UnknownNameError("get_optimizer_state_dict", what, "expected the parameters of the model")
    return names[id(parameter)]


def get_state_dict(
    model: dv.nn.Module, optimizers: Any, *, submodules: Any = None, options: StateDictOptions | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """`get_model_state_dict` and `get_optimizer_state_dict`."""
    found = get_model_state_dict(model, submodules=submodules, options=options)
    return found, get_optimizer_state_dict(model, optimizers, submodules=submodules, options=options)


def set_model_state_dict(model: dv.nn.Module, model_state_dict: dict[str, Any], *, options: StateDictOptions | None = None) -> Any:
    """Give a model what `get_model_state_dict` returned, and return the names that are missing or too many.

    Raises as load_state_dict does, with ``strict`` of the options.

    >>> model = dv.nn.Linear(2, 1)
    >>> set_model_state_dict(model, get_model_state_dict(model))
    <All keys matched successfully>
    """
    given = _checked("set_model_state_dict", options)
    inner = {_name(model, name): name for name in model.state_dict()}
    return model.load_state_dict({inner.get(name, name): value for name, value in model_state_dict.items()}, strict=given.strict)


def set_optimizer_state_dict(
    model: dv.nn.Module, optimizers: Any, optim_state_dict: dict[str, Any], *, options: StateDictOptions | None = None
) -> None:
    """Give optimizers what `get_optimizer_state_dict` returned. Raises an UnknownNameError for a parameter that it has not."""
    _checked("set_optimizer_state_dict", options)
    names = {id(p): _name(model, name) for name, p in model.named_parameters()}
    groups = {name: group for group in optim_state_dict["param_groups"] for name in group["params"]}
    for optimizer in _optimizers(optimizers):
        _begin(optimizer)
        state, given, at = {}, [], 0
        for group in optimizer.param_groups:
            own = [_named(names, p) for p in group["params"]]
            if missing := [name for name in own if name not in groups]:
                what = f"no state of {', '.join(missing)}"
                raise UnknownNameError("set_optimizer_state_dict", what, f"it has {sorted(groups)}")
            places = range(at, at := at + len(own))
            given.append({**group, **(groups[own[0]] if own else {}), "params": [*places]})
            state.update({place: optim_state_dict["state"][name] for place, name in zip(places, own, strict=True)
                          if name in optim_state_dict["state"]})  # fmt: skip
        optimizer.load_state_dict({"state": state, "param_groups": given})


def set_state_dict(
    model: dv.nn.Module, optimizers: Any, *, model_state_dict: dict[str, Any], optim_state_dict: dict[str, Any],
    options: StateDictOptions | None = None,
) -> Any:  # fmt: skip
    """`set_model_state_dict` and `set_optimizer_state_dict`."""
    found = set_model_state_dict(model, model_state_dict, options=options)
    set_optimizer_state_dict(model, optimizers, optim_state_dict, options=options)
    return found
