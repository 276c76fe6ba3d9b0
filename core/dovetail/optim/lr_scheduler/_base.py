"""LRScheduler: what all schedulers share, and helpers for settings that may be one value or one per group."""

from __future__ import annotations

import types
import warnings
from collections.abc import Callable
from typing import Any

from ...autograd.node import CLASSES, changed, wrap
from ...errors import DovetailError, TypeMismatch, UnsupportedError
from ..optimizer import Optimizer, check, number

__all__ = ["LRScheduler", "annealing", "check_optimizer", "one_each", "per_group", "put", "restore", "state_of", "values_of"]

_EPOCH = (
    "The epoch parameter in `scheduler.step()` was not necessary and is being deprecated where possible. Please use "
    "`scheduler.step()` to step the scheduler; with an epoch the closed form is used where there is one."
)
_ORDER = (
    "Detected call of `lr_scheduler.step()` before `optimizer.step()`. Call them in the opposite order: otherwise the first "
    "value of the learning rate schedule is skipped."
)
_REPLACED = (
    "Seems like `optimizer.step()` has been overridden after learning rate scheduler initialization. Please, make sure to "
    "call `optimizer.step()` before `lr_scheduler.step()`."
)


class MissingSetting(DovetailError, KeyError):
    """A group without the setting that a scheduler resumes from."""

    __str__ = Exception.__str__


def check_optimizer(scheduler: Any, optimizer: Any) -> None:
    """Refuse what is no Optimizer."""
    if not isinstance(optimizer, Optimizer):
        raise TypeMismatch(type(scheduler).__name__, f"{type(optimizer).__name__} is not an Optimizer")


def _copied(value: Any) -> Any:
    return wrap(value._a.copy()) if value.__class__ in CLASSES else value


def values_of(optimizer: Any, key: str) -> list[Any]:
    """This setting of every group; tensors are copied."""
    return [_copied(group[key]) for group in optimizer.param_groups]


def put(group: dict[str, Any], key: str, value: Any) -> None:
    """Set a setting; a tensor keeps its identity and takes the value."""
    old = group[key]
    if old.__class__ in CLASSES:
        old._a[...] = number(value)
        changed(old._v, "lr_scheduler")
    else:
        group[key] = value


def one_each(where: Any, value: Any, count: int, what: Callable[[int], str]) -> list[Any]:
    """``count`` values, from one value or a list. Raises a ValueError, told by ``what``, where the list has another length."""
    if not isinstance(value, list | tuple):
        return [value] * count
    check(len(value) == count, where, what(len(value)))
    return list(value)


def per_group(name: str, optimizer: Any, value: Any) -> list[Any]:
    """One value for each group, from one value or a list. Raises a ValueError where the list has another length."""
    count, what = len(optimizer.param_groups), f"{name} must have the same length as optimizer.param_groups. {name} has"
    return [_copied(v) for v in one_each(name, value, count, lambda n: f"{what} {n} values, param_groups has {count}.")]


def annealing(scheduler: Any, strategy: str) -> str:
    """The way from one rate to the next, checked. Raises ValueRangeError (a ValueError) for one that there is not."""
    check(strategy in ("cos", "linear"), scheduler, f"anneal_strategy must be one of 'cos' or 'linear', instead got {strategy}")
    return strategy


def state_of(held: Any) -> Any:
    """What a state dict keeps of a scheduler or a function inside: of a plain function, nothing."""
    if hasattr(held, "state_dict"):
        return held.state_dict()
    return None if held is None or isinstance(held, types.FunctionType) else held.__dict__.copy()


def restore(held: Any, state: Any) -> None:
    """Give a scheduler or a function inside what `state_of` kept."""
    if hasattr(held, "load_state_dict"):
        held.load_state_dict(state)
    elif state is not None:
        held.__dict__.update(state)


class LRScheduler:
    """The base of schedulers: a subclass writes ``get_lr()``, which computes every group's next rate.

    ``last_epoch`` counts the calls of ``step`` (0 after construction); ``base_lrs`` are the groups' initial rates. With
    ``last_epoch=n`` the groups must have ``initial_lr``, as those of a resumed optimizer do. Raises a TypeError for what is
    no Optimizer, a KeyError for a resumed group without ``initial_lr``.

    >>> import dovetail as dv
    >>> class Halving(dv.optim.lr_scheduler.LRScheduler):
    ...     def get_lr(self):
    ...         return [lr * 0.5**self.last_epoch for lr in self.base_lrs]
    >>> sgd = dv.optim.SGD([dv.nn.Parameter(dv.ones(1))], lr=1.0)
    >>> halving = Halving(sgd); sgd.step(); halving.step(); halving.get_last_lr()
    [0.5]
    """

    _held = ""  # the attribute with a list of schedulers or functions, of which a state dict has the states
    _get_lr_called_within_step = False
    _is_initial = False
    _step_count: int
    _last_lr: list[Any]

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        check_optimizer(self, optimizer)
        self.optimizer = optimizer
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", _copied(group["lr"]))
            elif "initial_lr" not in group:
                what = f"param 'initial_lr' is not specified in param_groups[{i}] when resuming scheduler with last_epoch >= 0"
                raise MissingSetting(type(self).__name__, what, "", "load the optimizer's state first, or leave last_epoch out")
        self.base_lrs = values_of(optimizer, "initial_lr")
        self.last_epoch = last_epoch
        if not hasattr(optimizer, "_scheduled"):  # only steps from now on count
            optimizer._scheduled, optimizer._opt_called = True, False
        self._initial_step()

    def _initial_step(self) -> None:
        self._step_count, self._is_initial = 0, True
        try:
            self.step()
        finally:
            self._is_initial = False

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer, in PyTorch's names; of schedulers inside, their state dicts, of functions, the attributes."""
        state = {key: value for key, value in self.__dict__.items() if key != "optimizer"}
        if self._held:
            state[self._held] = [state_of(held) for held in state.pop(self._held)]
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what ``state_dict`` returned."""
        self.__dict__.update({key: value for key, value in state_dict.items() if key != self._held})
        if self._held:
            for held, state in zip(getattr(self, self._held), state_dict[self._held], strict=True):
                restore(held, state)

    def get_last_lr(self) -> list[Any]:
        """The rates that were set last, one per group."""
        return self._last_lr

    def get_lr(self) -> list[Any]:
        """Compute the rates of the present epoch; ``step`` calls it."""
        rates = self._rates()
        if not self._get_lr_called_within_step:
            warnings.warn("To get the last learning rate computed by the scheduler, please use `get_last_lr()`.", UserWarning, stacklevel=2)
        return rates

    def _rates(self) -> list[Any]:
        raise UnsupportedError(f"{type(self).__name__}.get_lr", "not implemented", "", "a subclass of LRScheduler writes it")

    def step(self, epoch: Any = None) -> None:
        """Go on by one epoch and set the groups' rates. Call it after ``optimizer.step()``."""
        if self._step_count == 1:
            if not hasattr(self.optimizer.step, "hooked"):
                warnings.warn(_REPLACED, UserWarning, stacklevel=2)
            elif not self.optimizer._opt_called:
                warnings.warn(_ORDER, UserWarning, stacklevel=2)
        self._step_count += 1
        if epoch is not None:
            warnings.warn(_EPOCH, UserWarning, stacklevel=2)
        self._update_lr(epoch)

    def _update_lr(self, epoch: Any = None) -> None:
        if epoch is None:
            self.last_epoch += 1
            self._apply(self.get_lr)
        else:
            self.last_epoch = epoch
            self._apply(getattr(self, "_get_closed_form_lr", self.get_lr))

    def _apply(self, compute: Callable[[], list[Any]]) -> None:
        """Set the rates that a function computes."""
        self._get_lr_called_within_step = True
        try:
            lrs = compute()
        finally:
            self._get_lr_called_within_step = False
        for group, lr in zip(self.optimizer.param_groups, lrs, strict=True):
            put(group, "lr", lr)
        self._last_lr = values_of(self.optimizer, "lr")

    def _times(self, factor: float) -> list[Any]:
        """The groups' present rates times a factor."""
        if factor == 1:
            return values_of(self.optimizer, "lr")
        return [group["lr"] * factor for group in self.optimizer.param_groups]
