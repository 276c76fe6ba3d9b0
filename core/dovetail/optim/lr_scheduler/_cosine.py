"""Rates along a cosine, once or with restarts."""

from __future__ import annotations

import math
from typing import Any

from ._base import LRScheduler, check

__all__ = ["CosineAnnealingLR", "CosineAnnealingWarmRestarts"]


class CosineAnnealingLR(LRScheduler):
    """Along half a cosine from lr to eta_min in T_max epochs: ``eta_min + (lr - eta_min) (1 + cos(π epoch / T_max)) / 2``.

    Source: Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", 2016 (without the restarts). The
    rate is computed from the present one, so that it may be combined with others.

    >>> import dovetail as dv
    >>> sgd = dv.optim.SGD([dv.nn.Parameter(dv.ones(1))], lr=1.0)
    >>> rate = dv.optim.lr_scheduler.CosineAnnealingLR(sgd, T_max=2); sgd.step(); rate.step(); rate.get_last_lr()
    [0.5]
    """

    def __init__(self, optimizer: Any, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """The rates of this epoch."""
        self._ask()
        epoch, half, least = self.last_epoch, self.T_max, self.eta_min
        if self._is_initial:
            return self._times(1)
        if self._step_count == 1 and epoch > 0:
            return self._get_closed_form_lr()
        if (epoch - 1 - half) % (2 * half) == 0:  # the rate has just been eta_min, from where no factor leads away
            lift = (1 - math.cos(math.pi / half)) / 2
            return [group["lr"] + (lr - least) * lift for lr, group in zip(self.base_lrs, self.optimizer.param_groups, strict=True)]
        ratio = (1 + math.cos(math.pi * epoch / half)) / (1 + math.cos(math.pi * (epoch - 1) / half))
        return [ratio * (group["lr"] - least) + least for group in self.optimizer.param_groups]

    def _get_closed_form_lr(self) -> list[Any]:
        wave = 1 + math.cos(math.pi * self.last_epoch / self.T_max)
        return [self.eta_min + (lr - self.eta_min) * wave / 2 for lr in self.base_lrs]


class CosineAnnealingWarmRestarts(LRScheduler):
    """Half cosines from lr to eta_min, again and again: the first lasts T_0 epochs, each next T_mult times as long.

    ``step(epoch)`` takes fractions of epochs. Source: Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm
    restarts", 2016. Raises a ValueError unless T_0 and T_mult are integers >= 1.

    >>> import dovetail as dv
    >>> sgd = dv.optim.SGD([dv.nn.Parameter(dv.ones(1))], lr=1.0)
    >>> rate = dv.optim.lr_scheduler.CosineAnnealingWarmRestarts(sgd, T_0=2); rate.step(); rate.step(); rate.get_last_lr()
    [1.0]
    """

    def __init__(self, optimizer: Any, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        where = "CosineAnnealingWarmRestarts"
        check(isinstance(T_0, int) and T_0 > 0, where, f"Expected positive integer T_0, but got {T_0}")
        check(isinstance(T_mult, int) and T_mult >= 1, where, f"Expected integer T_mult >= 1, but got {T_mult}")
        what = f"Expected float or int eta_min, but got {eta_min} of type {type(eta_min)}"
        check(isinstance(eta_min, float | int), where, what)
        self.T_0 = self.T_i = T_0
        self.T_mult, self.eta_min = T_mult, eta_min
        self.T_cur: float = last_epoch
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """The rates of this epoch."""
        self._ask()
        wave = 1 + math.cos(math.pi * self.T_cur / self.T_i)
        return [self.eta_min + (lr - self.eta_min) * wave / 2 for lr in self.base_lrs]

    def step(self, epoch: Any = None) -> None:
        """Go on by one epoch, or to this epoch (a fraction is allowed)."""
        if epoch is None and self.last_epoch < 0:
            epoch = 0
        if epoch is None:
            epoch = self.last_epoch + 1
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur %= self.T_i
                self.T_i *= self.T_mult
        else:
            self._go_to(epoch)
        self.last_epoch = math.floor(epoch)
        with self._within_step():
            lrs = self.get_lr()
        self._put(lrs)

    def _go_to(self, epoch: float) -> None:
        check(epoch >= 0, "CosineAnnealingWarmRestarts", f"Expected non-negative epoch, but got {epoch}")
        if epoch < self.T_0:
            self.T_i, self.T_cur = self.T_0, epoch
        elif self.T_mult == 1:
            self.T_cur = epoch % self.T_0
        else:
            n = int(math.log(epoch / self.T_0 * (self.T_mult - 1) + 1, self.T_mult))
            self.T_cur = epoch - self.T_0 * (self.T_mult**n - 1) / (self.T_mult - 1)
            self.T_i = self.T_0 * self.T_mult**n
