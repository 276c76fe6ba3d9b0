"""What a configuration may name: PyTorch's losses, optimizers and schedules from closed lists, all else by registry key."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

from dovetail import nn, optim, plugins
from dovetail.errors import UnknownNameError, ValueRangeError

from .config import Config, nearest

__all__ = ["KINDS", "check_options", "find", "known"]

#: Table of a configuration → the registry that it may name.
KINDS = {
    "model": "models", "train": "datasets", "valid": "datasets", "transforms": "transforms", "metrics": "metrics",
    "loss": "layers", "optimizer": "optimizers", "schedule": "",
}  # fmt: skip

_LEFT_OUT = {
    "Optimizer", "LRScheduler", "LBFGS", "LambdaLR", "MultiplicativeLR", "ChainedScheduler", "TripletMarginWithDistanceLoss",
    "AdaptiveLogSoftmaxWithLoss",
}  # fmt: skip


@cache
def _classes(table: str) -> dict[str, type]:
    """PyTorch's own classes for a table; those that need what a file cannot give are not among them."""
    if table == "loss":
        found: dict[str, Any] = {name: getattr(nn, name, None) for name in dir(nn) if name.endswith("Loss")}
        base: type = nn.Module
    elif table == "optimizer":
        found, base = {name: getattr(optim, name) for name in dir(optim) if not name.startswith("_")}, optim.Optimizer
    elif table == "schedule":
        schedules = optim.lr_scheduler
        found, base = {name: getattr(schedules, name) for name in dir(schedules) if not name.startswith("_")}, schedules.LRScheduler
    else:
        return {}
    return {name: one for name, one in found.items() if isinstance(one, type) and issubclass(one, base) and name not in _LEFT_OUT}


def known(table: str) -> list[str]:
    """Everything that a table may name.

    >>> "AdamW" in known("optimizer"), "StepLR" in known("schedule"), "CrossEntropyLoss" in known("loss")
    (True, True, True)
    """
    kind = KINDS[table]
    return [*sorted(_classes(table)), *(getattr(plugins, kind).list() if kind else ())]


def find(config: Config, table: str, path: tuple[Any, ...], name: Any) -> Any:
    """The class, or the entry of a registry, that a name stands for; nothing is imported.

    Raises an UnknownNameError that says where the name stands, and which are the nearest.
    """
    classes = _classes(table)
    if isinstance(name, str) and name in classes:
        return classes[name]
    if not isinstance(name, str) or not KINDS[table]:
        raise _unknown(config, table, path, name)
    try:
        return getattr(plugins, KINDS[table]).get(name)
    except UnknownNameError as error:
        if classes or len(name) > 100:
            raise _unknown(config, table, path, name) from None
        raise UnknownNameError(f"{config.where(*path)}: {error}") from None


def _unknown(config: Config, table: str, path: tuple[Any, ...], name: Any) -> UnknownNameError:
    shown = repr(name) if len(repr(name)) <= 100 else f"{repr(name)[:97]}…"
    what = {"train": "dataset", "valid": "dataset", "metrics": "metric", "transforms": "transform"}.get(table, table)
    return UnknownNameError(config.where(*path), f"there is no {what} {shown}", nearest(str(name), known(table)), "dovetail train --list")


def check_options(config: Config, path: tuple[Any, ...], target: Callable[..., Any], options: Any, given: set[str]) -> None:
    """Refuse options that ``target`` does not take, or that it needs and are not there; ``given`` are those that come from elsewhere."""
    try:
        empty = isinstance(target, type) and getattr(target, "__init__", None) is object.__init__  # a class that takes nothing
        parameters = {} if empty else dict(inspect.signature(target).parameters)
    except (TypeError, ValueError):
        return
    takes = [p.name for p in parameters.values() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and p.name not in given]
    if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        for name in options:
            if name not in takes:
                text = f"{_name(target)} has no such option"
                known = nearest(name, ["name", *takes])
                listed = f"its options: {', '.join(takes)}" if known.startswith("nearest") else ""
                raise UnknownNameError(config.where(*path, name), text, known, listed)
    for name, value in options.items():
        if name in takes and (wanted := _misses(parameters[name], value)):
            raise ValueRangeError(config.where(*path, name), f"it is {value!r:.60}", f"{_name(target)} takes {wanted}")
    for name in takes:
        if parameters[name].default is inspect.Parameter.empty and name not in options:
            raise UnknownNameError(config.where(*path), f"{_name(target)} needs {name}", f"expected {name} = …")


def _misses(parameter: inspect.Parameter, value: Any) -> str:
    """What a parameter takes, where ``value`` is of a type that it surely does not mean; or nothing."""
    default = parameter.default
    if isinstance(default, bool) and not isinstance(value, bool):
        return "true or false"
    if isinstance(default, int | float) and not isinstance(default, bool) and isinstance(value, str | bool):
        return "a number" + (", without quotes" if isinstance(value, str) else "")
    if isinstance(value, str) and "Callable" in str(parameter.annotation):
        return "a function, which a file cannot give"
    return ""


def _name(target: Any) -> str:
    return getattr(target, "__name__", type(target).__name__)
