"""Rates along a cosine, once or with restarts, and rates that rise and fall with the momentum going the other way."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..optimizer import check
from ._base import LRScheduler, annealing, check_optimizer, per_group, put, restore, state_of

__all__ = ["CosineAnnealingLR", "CosineAnnealingWarmRestarts", "CyclicLR", "OneCycleLR"]

_MODES = ("triangular", "triangular2", "exp_range")


def _along(tops: list[Any], least: float, part: float) -> list[Any]:
    """The points of half a cosine from each top (part 0) to the least (part 1)."""
    wave = 1 + math.cos(math.pi * part)
    return [least + (top - least) * wave / 2 for top in tops]


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

    def _rates(self) -> list[Any]:
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
        return _along(self.base_lrs, self.eta_min, self.last_epoch / self.T_max)


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
        check(isinstance(T_0, int) and T_0 > 0, self, f"Expected positive integer T_0, but got {T_0}")
        check(isinstance(T_mult, int) and T_mult >= 1, self, f"Expected integer T_mult >= 1, but got {T_mult}")
        check(isinstance(eta_min, float | int), self, f"Expected float or int eta_min, but got {eta_min} of type {type(eta_min)}")
        self.T_0 = self.T_i = T_0
        self.T_mult, self.eta_min = T_mult, eta_min
        self.T_cur: float = last_epoch
        super().__init__(optimizer, last_epoch)

    def _rates(self) -> list[Any]:
        return _along(self.base_lrs, self.eta_min, self.T_cur / self.T_i)

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
        self._apply(self.get_lr)

    def _go_to(self, epoch: float) -> None:
        check(epoch >= 0, self, f"Expected non-negative epoch, but got {epoch}")
        if epoch < self.T_0:
            self.T_i, self.T_cur = self.T_0, epoch
        elif self.T_mult == 1:
            self.T_cur = epoch % self.T_0
        else:
            n = int(math.log(epoch / self.T_0 * (self.T_mult - 1) + 1, self.T_mult))
            self.T_cur = epoch - self.T_0 * (self.T_mult**n - 1) / (self.T_mult - 1)
            self.T_i = self.T_0 * self.T_mult**n


class _Cycle(LRScheduler):
    """What has a momentum (or beta1) that goes against the rate."""

    def _begin_momentum(self, optimizer: Any, base: Any, most: Any, begin: bool) -> tuple[list[Any], list[Any]]:
        """Prepare the groups; every group's least and greatest momentum."""
        known = "momentum" in optimizer.defaults or "betas" in optimizer.defaults
        check(known, self, "optimizer must support momentum or beta1 with `cycle_momentum` option enabled")
        bases, maxima = per_group("base_momentum", optimizer, base), per_group("max_momentum", optimizer, most)
        self.use_beta1 = "betas" in optimizer.defaults
        if begin:
            for high, low, group in zip(maxima, bases, optimizer.param_groups, strict=True):
                self._put_momentum(group, high)
                group["max_momentum"], group["base_momentum"] = high, low
        return bases, maxima

    def _put_momentum(self, group: dict[str, Any], value: Any) -> None:
        if self.use_beta1:
            group["betas"] = (value, *group["betas"][1:])
        else:
            group["momentum"] = value


class CyclicLR(_Cycle):
    """Between base_lr and max_lr and back, in straight lines of step_size_up and step_size_down steps, every batch one step.

    mode "triangular" keeps the height, "triangular2" halves it each cycle, "exp_range" shrinks it by gamma^step; scale_fn(x)
    replaces them, x being the cycle or (scale_mode="iterations") the step. Source: Smith, "Cyclical learning rates for
    training neural networks", 2015. Raises a ValueError for an unknown mode or an optimizer without momentum.

    >>> import dovetail as dv
    >>> sgd = dv.optim.SGD([dv.nn.Parameter(dv.ones(1))], lr=1.0, momentum=0.9)
    >>> rate = dv.optim.lr_scheduler.CyclicLR(sgd, 0.5, 1.0, step_size_up=2); sgd.step(); rate.step(); rate.get_last_lr()
    [0.75]
    """

    def __init__(
        self, optimizer: Any, base_lr: Any, max_lr: Any, step_size_up: int = 2000, step_size_down: int | None = None,
        mode: str = "triangular", gamma: float = 1.0, scale_fn: Callable[[float], float] | None = None, scale_mode: str = "cycle",
        cycle_momentum: bool = True, base_momentum: Any = 0.8, max_momentum: Any = 0.9, last_epoch: int = -1,
    ) -> None:  # fmt: skip
        check_optimizer(self, optimizer)
        base_lrs = per_group("base_lr", optimizer, base_lr)
        if last_epoch == -1:
            for lr, group in zip(base_lrs, optimizer.param_groups, strict=True):
                put(group, "lr", lr)
        self.max_lrs = per_group("max_lr", optimizer, max_lr)
        up, down = float(step_size_up), float(step_size_up if step_size_down is None else step_size_down)
        self.total_size, self.step_ratio = up + down, up / (up + down)
        what = f"mode is invalid and scale_fn is None (mode={mode!r})"
        check(mode in _MODES or scale_fn is not None, self, what, f"expected one of {_MODES}")
        self.mode, self.gamma, self._scale_fn_custom, self.scale_mode = mode, gamma, scale_fn, scale_mode
        if scale_fn is None:
            self.scale_mode = "iterations" if mode == "exp_range" else "cycle"
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self.base_momentums, self.max_momentums = self._begin_momentum(optimizer, base_momentum, max_momentum, last_epoch == -1)
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def scale_fn(self, x: float) -> float:
        """How much of the height remains in cycle (or step) x."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        if self.mode == "triangular":
            return 1.0
        return 1 / 2.0 ** (x - 1) if self.mode == "triangular2" else self.gamma**x

    def _rates(self) -> list[Any]:
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        part = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        scale = self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            for base, most, group in zip(self.base_momentums, self.max_momentums, self.optimizer.param_groups, strict=True):
                self._put_momentum(group, most - (most - base) * part * scale)
        return [base + (most - base) * part * scale for base, most in zip(self.base_lrs, self.max_lrs, strict=True)]

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer; of scale_fn, the attributes if it is an object."""
        state = super().state_dict()
        state["_scale_fn_custom"] = state_of(state.pop("_scale_fn_custom"))
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what ``state_dict`` returned."""
        function = self._scale_fn_custom
        super().load_state_dict({**state_dict, "_scale_fn_custom": function})
        restore(function, state_dict["_scale_fn_custom"])


class OneCycleLR(_Cycle):
    """One rise from max_lr / div_factor to max_lr in pct_start of the steps, then down to a final_div_factor-th of the start.

    three_phase mirrors the rise before the final fall. anneal_strategy: "cos" or "linear". Give total_steps, or epochs and
    steps_per_epoch. Source: Smith and Topin, "Super-convergence", 2017. Raises a ValueError for settings out of range, and
    when it is stepped further than total_steps.

    >>> import dovetail as dv
    >>> sgd = dv.optim.SGD([dv.nn.Parameter(dv.ones(1))], lr=1.0, momentum=0.9)
    >>> dv.optim.lr_scheduler.OneCycleLR(sgd, max_lr=1.0, total_steps=10, div_factor=4).get_last_lr()
    [0.25]
    """

    def __init__(
        self, optimizer: Any, max_lr: Any, total_steps: int | None = None, epochs: int | None = None,
        steps_per_epoch: int | None = None, pct_start: float = 0.3, anneal_strategy: str = "cos", cycle_momentum: bool = True,
        base_momentum: Any = 0.85, max_momentum: Any = 0.95, div_factor: float = 25.0, final_div_factor: float = 1e4,
        three_phase: bool = False, last_epoch: int = -1,
    ) -> None:  # fmt: skip
        check_optimizer(self, optimizer)
        given: dict[str, Any] = {"total_steps": total_steps}
        if total_steps is None:
            given = {"epochs": epochs, "steps_per_epoch": steps_per_epoch}
            check(None not in given.values(), self, "You must define either total_steps OR (epochs AND steps_per_epoch)")
        for name, value in given.items():
            check(isinstance(value, int) and value > 0, self, f"Expected positive integer {name}, but got {value}")
        self.total_steps = math.prod(given.values())
        self._schedule_phases = _phases(self.total_steps, pct_start, three_phase)
        fraction = isinstance(pct_start, float) and 0 <= pct_start <= 1
        check(fraction, self, f"Expected float between 0 and 1 pct_start, but got {pct_start}")
        self._anneal_func_type = annealing(self, anneal_strategy)
        maxima = per_group("max_lr", optimizer, max_lr)
        if last_epoch == -1:
            for most, group in zip(maxima, optimizer.param_groups, strict=True):
                group["initial_lr"], group["max_lr"] = most / div_factor, most
                group["min_lr"] = group["initial_lr"] / final_div_factor
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self._begin_momentum(optimizer, base_momentum, max_momentum, last_epoch == -1)
        super().__init__(optimizer, last_epoch)

    def _anneal(self, start: Any, end: Any, part: float) -> Any:
        if self._anneal_func_type == "cos":
            return end + (start - end) / 2.0 * (math.cos(math.pi * part) + 1)
        return (end - start) * part + start

    def _rates(self) -> list[Any]:
        step = self.last_epoch
        check(step <= self.total_steps, self, f"Tried to step {step} times. The specified number of total steps is {self.total_steps}")
        begin = 0.0
        for phase in self._schedule_phases:
            if step <= phase["end_step"] or phase is self._schedule_phases[-1]:
                break
            begin = phase["end_step"]
        part = (step - begin) / (phase["end_step"] - begin)
        lrs = []
        for group in self.optimizer.param_groups:
            lrs.append(self._anneal(group[phase["start_lr"]], group[phase["end_lr"]], part))
            if self.cycle_momentum:
                self._put_momentum(group, self._anneal(group[phase["start_momentum"]], group[phase["end_momentum"]], part))
        return lrs


def _phases(total: int, pct_start: float, three: bool) -> list[dict[str, Any]]:
    """The stretches: where each ends, and between which settings it leads."""
    keys = ("end_step", "start_lr", "end_lr", "start_momentum", "end_momentum")
    up = (float(pct_start * total) - 1, "initial_lr", "max_lr", "max_momentum", "base_momentum")
    if not three:
        rows = [up, (total - 1, "max_lr", "min_lr", "base_momentum", "max_momentum")]
    else:
        down = (float(2 * pct_start * total) - 2, "max_lr", "initial_lr", "base_momentum", "max_momentum")
        rows = [up, down, (total - 1, "initial_lr", "min_lr", "max_momentum", "max_momentum")]
    return [dict(zip(keys, row, strict=True)) for row in rows]
