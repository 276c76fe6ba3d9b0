"""Rates that fall (or warm up) by a factor: steps, milestones, constant, linear, exponential, polynomial."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from typing import Any

from ._base import LRScheduler, check

__all__ = ["ConstantLR", "ExponentialLR", "LinearLR", "MultiStepLR", "PolynomialLR", "StepLR"]


class StepLR(LRScheduler):
    """Multiply by gamma every step_size epochs: ``lr · gamma^⌊epoch / step_size⌋``.

    >>> import dovetail as dv
    >>> sgd = dv.optim.SGD([dv.nn.Parameter(dv.ones(1))], lr=1.0)
    >>> rate = dv.optim.lr_scheduler.StepLR(sgd, step_size=1, gamma=0.5); sgd.step(); rate.step(); rate.get_last_lr()
    [0.5]
    """

    def __init__(self, optimizer: Any, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """The rates of this epoch."""
        self._ask()
        return self._times(1 if self.last_epoch == 0 or self.last_epoch % self.step_size != 0 else self.gamma)

    def _get_closed_form_lr(self) -> list[Any]:
        return [lr * self.gamma ** (self.last_epoch // self.step_size) for lr in self.base_lrs]


class MultiStepLR(LRScheduler):
    """Multiply by gamma at each milestone (an epoch that is given twice counts twice).

    >>> import dovetail as dv
    >>> sgd = dv.optim.SGD([dv.nn.Parameter(dv.ones(1))], lr=1.0)
    >>> rate = dv.optim.lr_scheduler.MultiStepLR(sgd, [1, 1], gamma=0.5); sgd.step(); rate.step(); rate.get_last_lr()
    [0.25]
    """

    def __init__(self, optimizer: Any, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1) -> None:
        self.milestones, self.gamma = Counter(milestones), gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """The rates of this epoch."""
        self._ask()
        return self._times(self.gamma ** self.milestones[self.last_epoch] if self.last_epoch in self.milestones else 1)

    def _get_closed_form_lr(self) -> list[Any]:
        passed = bisect_right(sorted(self.milestones.elements()), self.last_epoch)
        return [lr * self.gamma**passed for lr in self.base_lrs]


class ConstantLR(LRScheduler):
    """Multiply by factor until total_iters epochs have passed. Raises a ValueError unless 0 <= factor <= 1.

    >>> import dovetail as dv
    >>> sgd = dv.optim.SGD([dv.nn.Parameter(dv.ones(1))], lr=1.0)
    >>> dv.optim.lr_scheduler.ConstantLR(sgd, factor=0.5).get_last_lr()
    [0.5]
    """

    def __init__(self, optimizer: Any, factor: float = 1.0 / 3, total_iters: int = 5, last_epoch: int = -1) -> None:
        what = f"Constant multiplicative factor expected to be between 0 and 1. (got {factor})"
        check(0 <= factor <= 1.0, "ConstantLR", what)
        self.factor, self.total_iters = factor, total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """The rates of this epoch."""
        self._ask()
        if self.last_epoch == 0:
            return self._times(self.factor)
        return self._times(1 if self.last_epoch != self.total_iters else 1.0 / self.factor)

    def _get_closed_form_lr(self) -> list[Any]:
        return [lr * (self.factor + (self.last_epoch >= self.total_iters) * (1 - self.factor)) for lr in self.base_lrs]


class LinearLR(LRScheduler):
    """Go from start_factor to end_factor in a straight line of total_iters epochs.

    Raises a ValueError unless 0 < start_factor <= 1 and 0 <= end_factor <= 1.

    >>> import dovetail as dv
    >>> sgd = dv.optim.SGD([dv.nn.Parameter(dv.ones(1))], lr=1.0)
    >>> rate = dv.optim.lr_scheduler.LinearLR(sgd, 0.5, total_iters=2); sgd.step(); rate.step(); rate.get_last_lr()
    [0.75]
    """

    def __init__(
        self, optimizer: Any, start_factor: float = 1.0 / 3, end_factor: float = 1.0, total_iters: int = 5, last_epoch: int = -1
    ) -> None:
        what = "Starting multiplicative factor expected to be greater than 0 and less or equal to 1."
        check(0 < start_factor <= 1.0, "LinearLR", f"{what} (got {start_factor})")
        what = f"Ending multiplicative factor expected to be between 0 and 1. (got {end_factor})"
        check(0 <= end_factor <= 1.0, "LinearLR", what)
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """The rates of this epoch."""
        self._ask()
        if self.last_epoch == 0:
            return self._times(self.start_factor)
        if self._is_initial or self.last_epoch > self.total_iters:
            return self._times(1)
        rise = self.end_factor - self.start_factor
        return self._times(1.0 + rise / (self.total_iters * self.start_factor + (self.last_epoch - 1) * rise))

    def _get_closed_form_lr(self) -> list[Any]:
        rise = (self.end_factor - self.start_factor) * min(self.total_iters, self.last_epoch) / self.total_iters
        return [lr * (self.start_factor + rise) for lr in self.base_lrs]


class ExponentialLR(LRScheduler):
    """Multiply by gamma every epoch.

    >>> import dovetail as dv
    >>> sgd = dv.optim.SGD([dv.nn.Parameter(dv.ones(1))], lr=1.0)
    >>> rate = dv.optim.lr_scheduler.ExponentialLR(sgd, 0.5); sgd.step(); rate.step(); rate.get_last_lr()
    [0.5]
    """

    def __init__(self, optimizer: Any, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """The rates of this epoch."""
        self._ask()
        return self._times(1 if self._is_initial else self.gamma)

    def _get_closed_form_lr(self) -> list[Any]:
        return [lr * self.gamma**self.last_epoch for lr in self.base_lrs]


class PolynomialLR(LRScheduler):
    """Fall to zero in total_iters epochs: ``lr · (1 - epoch / total_iters)^power``.

    >>> import dovetail as dv
    >>> sgd = dv.optim.SGD([dv.nn.Parameter(dv.ones(1))], lr=1.0)
    >>> rate = dv.optim.lr_scheduler.PolynomialLR(sgd, 2); sgd.step(); rate.step(); rate.get_last_lr()
    [0.5]
    """

    def __init__(self, optimizer: Any, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1) -> None:
        self.total_iters, self.power = total_iters, power
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """The rates of this epoch."""
        self._ask()
        if self._is_initial or self.last_epoch > self.total_iters:
            return self._times(1)
        left, before = 1.0 - self.last_epoch / self.total_iters, 1.0 - (self.last_epoch - 1) / self.total_iters
        return self._times((left / before) ** self.power)

    def _get_closed_form_lr(self) -> list[Any]:
        left = 1.0 - min(self.total_iters, self.last_epoch) / self.total_iters
        return [lr * left**self.power for lr in self.base_lrs]
