"""Rates by a factor: of any function of the epoch, or of steps, milestones, a constant, a line, a power, a polynomial."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from ...errors import TypeMismatch
from ..optimizer import check
from ._base import LRScheduler, one_each

__all__ = ["ConstantLR", "ExponentialLR", "LambdaLR", "LinearLR", "MultiStepLR", "MultiplicativeLR", "PolynomialLR", "StepLR"]


class _ByFactor(LRScheduler):
    """The initial rates times a number: in steps, each from the present rate (``_step``), or at once (``_whole``)."""

    def _rates(self) -> list[Any]:
        return self._times(self._step())

    def _get_closed_form_lr(self) -> list[Any]:
        whole = self._whole()
        return [lr * whole for lr in self.base_lrs]

    def _step(self) -> float:
        raise NotImplementedError

    def _whole(self) -> float:
        raise NotImplementedError


class StepLR(_ByFactor):
    """Multiply by gamma every step_size epochs: ``lr · gamma^⌊epoch / step_size⌋``.

    >>> import dovetail as dv
    >>> sgd = dv.optim.SGD([dv.nn.Parameter(dv.ones(1))], lr=1.0)
    >>> rate = dv.optim.lr_scheduler.StepLR(sgd, step_size=1, gamma=0.5); sgd.step(); rate.step(); rate.get_last_lr()
    [0.5]
    """

    def __init__(self, optimizer: Any, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def _step(self) -> float:
        return 1 if self.last_epoch == 0 or self.last_epoch % self.step_size != 0 else self.gamma

    def _whole(self) -> float:
        return self.gamma ** (self.last_epoch // self.step_size)


class MultiStepLR(_ByFactor):
    """Multiply by gamma at each milestone (an epoch that is given twice counts twice).

    >>> import dovetail as dv
    >>> sgd = dv.optim.SGD([dv.nn.Parameter(dv.ones(1))], lr=1.0)
    >>> rate = dv.optim.lr_scheduler.MultiStepLR(sgd, [1, 1], gamma=0.5); sgd.step(); rate.step(); rate.get_last_lr()
    [0.25]
    """

    def __init__(self, optimizer: Any, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1) -> None:
        self.milestones, self.gamma = Counter(milestones), gamma
        super().__init__(optimizer, last_epoch)

    def _step(self) -> float:
        return self.gamma ** self.milestones[self.last_epoch] if self.last_epoch in self.milestones else 1

    def _whole(self) -> float:
        return self.gamma ** bisect_right(sorted(self.milestones.elements()), self.last_epoch)


class ConstantLR(_ByFactor):
    """Multiply by factor until total_iters epochs have passed. Raises a ValueError unless 0 <= factor <= 1.

    >>> import dovetail as dv
    >>> sgd = dv.optim.SGD([dv.nn.Parameter(dv.ones(1))], lr=1.0)
    >>> dv.optim.lr_scheduler.ConstantLR(sgd, factor=0.5).get_last_lr()
    [0.5]
    """

    def __init__(self, optimizer: Any, factor: float = 1.0 / 3, total_iters: int = 5, last_epoch: int = -1) -> None:
        check(0 <= factor <= 1.0, self, f"Constant multiplicative factor expected to be between 0 and 1. (got {factor})")
        self.factor, self.total_iters = factor, total_iters
        super().__init__(optimizer, last_epoch)

    def _step(self) -> float:
        if self.last_epoch == 0:
            return self.factor
        return 1 if self.last_epoch != self.total_iters else 1.0 / self.factor

    def _whole(self) -> float:
        return self.factor + (self.last_epoch >= self.total_iters) * (1 - self.factor)


class LinearLR(_ByFactor):
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
        check(0 < start_factor <= 1.0, self, f"{what} (got {start_factor})")
        check(0 <= end_factor <= 1.0, self, f"Ending multiplicative factor expected to be between 0 and 1. (got {end_factor})")
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        super().__init__(optimizer, last_epoch)

    def _step(self) -> float:
        if self.last_epoch == 0:
            return self.start_factor
        if self._is_initial or self.last_epoch > self.total_iters:
            return 1
        rise = self.end_factor - self.start_factor
        return 1.0 + rise / (self.total_iters * self.start_factor + (self.last_epoch - 1) * rise)

    def _whole(self) -> float:
        return self.start_factor + (self.end_factor - self.start_factor) * min(self.total_iters, self.last_epoch) / self.total_iters


class ExponentialLR(_ByFactor):
    """Multiply by gamma every epoch.

    >>> import dovetail as dv
    >>> sgd = dv.optim.SGD([dv.nn.Parameter(dv.ones(1))], lr=1.0)
    >>> rate = dv.optim.lr_scheduler.ExponentialLR(sgd, 0.5); sgd.step(); rate.step(); rate.get_last_lr()
    [0.5]
    """

    def __init__(self, optimizer: Any, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _step(self) -> float:
        return 1 if self._is_initial else self.gamma

    def _whole(self) -> float:
        return self.gamma**self.last_epoch


class PolynomialLR(_ByFactor):
    """Fall to zero in total_iters epochs: ``lr · (1 - epoch / total_iters)^power``.

    >>> import dovetail as dv
    >>> sgd = dv.optim.SGD([dv.nn.Parameter(dv.ones(1))], lr=1.0)
    >>> rate = dv.optim.lr_scheduler.PolynomialLR(sgd, 2); sgd.step(); rate.step(); rate.get_last_lr()
    [0.5]
    """

    def __init__(self, optimizer: Any, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1) -> None:
        self.total_iters, self.power = total_iters, power
        super().__init__(optimizer, last_epoch)

    def _step(self) -> float:
        if self._is_initial or self.last_epoch > self.total_iters:
            return 1
        left, before = 1.0 - self.last_epoch / self.total_iters, 1.0 - (self.last_epoch - 1) / self.total_iters
        return (left / before) ** self.power

    def _whole(self) -> float:
        return (1.0 - min(self.total_iters, self.last_epoch) / self.total_iters) ** self.power


class _ByFunction(LRScheduler):
    """One function per group; a callable object's attributes are part of the state, a plain function is not."""

    _held = "lr_lambdas"
    lr_lambdas: list[Callable[[int], float]]

    def __init__(self, optimizer: Any, lr_lambda: Any, last_epoch: int = -1) -> None:
        count = len(optimizer.param_groups)
        self.lr_lambdas = one_each(self, lr_lambda, count, lambda n: f"Expected {count} lr_lambdas, but got {n}")
        for function in self.lr_lambdas:
            if not callable(function):
                raise TypeMismatch(type(self).__name__, f"lr_lambda should be a function, but got {type(function).__name__}")
        super().__init__(optimizer, last_epoch)


class LambdaLR(_ByFunction):
    """The initial rate times ``lr_lambda(epoch)``; one function, or one per group.

    >>> import dovetail as dv
    >>> sgd = dv.optim.SGD([dv.nn.Parameter(dv.ones(1))], lr=1.0)
    >>> rate = dv.optim.lr_scheduler.LambdaLR(sgd, lambda epoch: 0.5**epoch); sgd.step(); rate.step(); rate.get_last_lr()
    [0.5]
    """

    def _rates(self) -> list[Any]:
        return [lr * f(self.last_epoch) for f, lr in zip(self.lr_lambdas, self.base_lrs, strict=True)]


class MultiplicativeLR(_ByFunction):
    """The present rate times ``lr_lambda(epoch)``, from the first step on.

    >>> import dovetail as dv
    >>> sgd = dv.optim.SGD([dv.nn.Parameter(dv.ones(1))], lr=1.0)
    >>> rate = dv.optim.lr_scheduler.MultiplicativeLR(sgd, lambda epoch: 0.5); sgd.step(); rate.step(); rate.get_last_lr()
    [0.5]
    """

    def _rates(self) -> list[Any]:
        if self._is_initial:
            return self._times(1)
        return [group["lr"] * f(self.last_epoch) for f, group in zip(self.lr_lambdas, self.optimizer.param_groups, strict=True)]
