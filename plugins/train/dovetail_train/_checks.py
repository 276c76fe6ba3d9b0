"""What a Trainer is given, looked at before the first step."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from dovetail import nn, optim
from dovetail.errors import TypeMismatch, UnsupportedError, ValueRangeError
from dovetail.utils.data import Dataset, IterableDataset

__all__ = ["check_choices", "check_counts", "check_parts", "check_seed"]


def check_choices(**given: tuple[Any, tuple[Any, ...]]) -> None:
    """Refuse a value that is not among those allowed."""
    for name, (value, allowed) in given.items():
        if value not in allowed:
            raise ValueRangeError("Trainer", f"{name} is {value!r}", f"expected one of {', '.join(map(repr, allowed))}")


def check_counts(**given: Any) -> None:
    """Refuse what is no whole number from 1 on; None is left out, and no epochs at all are allowed."""
    for name, value in given.items():
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < (0 if name == "epochs" else 1)):
            raise ValueRangeError("Trainer", f"{name} is {value!r}", "expected a whole number from 1 on")


def check_seed(seed: Any) -> None:
    """Refuse what is no whole number."""
    if seed is not None and (not isinstance(seed, int) or isinstance(seed, bool)):
        raise TypeMismatch("Trainer", f"seed is {seed!r}", "expected a whole number")


def check_parts(model: Any, loss: Any, optimizer: Any, scheduler: Any, train: Any, valid: Any, metrics: Any) -> None:
    """Refuse parts that are of another kind, or do not belong together."""
    for name, value in (("model", model), ("loss", loss), ("optimizer", optimizer), ("scheduler", scheduler)):
        if isinstance(value, type):
            raise TypeMismatch("Trainer", f"{name} is the class {value.__name__}", f"expected an object: {value.__name__}(…)")
    if not isinstance(model, nn.Module):
        raise TypeMismatch("Trainer", f"model is a {type(model).__name__}", "expected a Module")
    if loss is not None and not callable(loss):
        raise TypeMismatch("Trainer", f"loss is a {type(loss).__name__}", "expected a function of output and target")
    for name, value in (("train", train), ("valid", valid)):
        if isinstance(value, Dataset) and not isinstance(value, IterableDataset):
            what = f"{name} is a {type(value).__name__}, which gives samples"
            raise TypeMismatch("Trainer", what, "expected batches", f"DataLoader({name}, batch_size=…)")
    if metrics is not None and not isinstance(metrics, Mapping):
        raise TypeMismatch("Trainer", f"metrics is a {type(metrics).__name__}", "expected a dict of names and functions")
    for name, metric in (metrics or {}).items():
        if not callable(metric) and not hasattr(metric, "update"):
            remedy = f"plugins.metrics.load({metric!r})" if isinstance(metric, str) else ""
            raise TypeMismatch("Trainer", f"metric {name!r} is {metric!r:.60}", "expected a function, or an object with update()", remedy)
    _check_optimizer(model, optimizer)


def _check_optimizer(model: nn.Module, optimizer: optim.Optimizer) -> None:
    closure = inspect.signature(optimizer.step).parameters.get("closure")
    if closure is not None and closure.default is closure.empty:
        what = f"{type(optimizer).__name__} evaluates the loss as often as it likes in a step"
        raise UnsupportedError("Trainer", what, "expected an optimizer whose step() needs no closure", "write the loop yourself")
    own = {id(p) for p in model.parameters()}
    if own and not any(id(p) in own for group in optimizer.param_groups for p in group["params"]):
        what = "the optimizer has none of the model's parameters"
        raise ValueRangeError("Trainer", what, "expected at least one", "make it with model.parameters() of this model")
