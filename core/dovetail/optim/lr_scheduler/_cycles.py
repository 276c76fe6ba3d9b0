"""Rates that rise and fall within bounds, with the momentum going the other way: CyclicLR and OneCycleLR."""

from __future__ import annotations

import math
import types
from collections.abc import Callable
from typing import Any

from ._base import LRScheduler, check, check_optimizer, cycle_momentum, per_group, put, put_momentum

__all__ = ["CyclicLR", "OneCycleLR"]

_MODES = ("triangular", "triangular2", "exp_range")


class CyclicLR(LRScheduler):
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
        check_optimizer("CyclicLR", optimizer)
        base_lrs = per_group("base_lr", optimizer, base_lr)
        if last_epoch == -1:
            for lr, group in zip(base_lrs, optimizer.param_groups, strict=True):
                put(group, "lr", lr)
        self.max_lrs = per_group("max_lr", optimizer, max_lr)
        up, down = float(step_size_up), float(step_size_up if step_size_down is None else step_size_down)
        self.total_size, self.step_ratio = up + down, up / (up + down)
        what = f"mode is invalid and scale_fn is None (mode={mode!r})"
        check(mode in _MODES or scale_fn is not None, "CyclicLR", what, f"expected one of {_MODES}")
        self.mode, self.gamma, self._scale_fn_custom, self.scale_mode = mode, gamma, scale_fn, scale_mode
        if scale_fn is None:
            self.scale_mode = "iterations" if mode == "exp_range" else "cycle"
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self._begin_momentum(optimizer, base_momentum, max_momentum, last_epoch == -1)
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def _begin_momentum(self, optimizer: Any, base: Any, most: Any, begin: bool) -> None:
        self.base_momentums, self.max_momentums, self.use_beta1 = cycle_momentum("CyclicLR", optimizer, base, most, begin)

    def scale_fn(self, x: float) -> float:
        """How much of the height remains in cycle (or step) x."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        if self.mode == "triangular":
            return 1.0
        return 1 / 2.0 ** (x - 1) if self.mode == "triangular2" else self.gamma**x

    def get_lr(self) -> list[Any]:
        """The rates of this step; the momenta are set, too."""
        self._ask()
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        part = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        scale = self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            for base, most, group in zip(self.base_momentums, self.max_momentums, self.optimizer.param_groups, strict=True):
                put_momentum(group, most - (most - base) * part * scale, self.use_beta1)
        return [base + (most - base) * part * scale for base, most in zip(self.base_lrs, self.max_lrs, strict=True)]

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer; of scale_fn, the attributes if it is an object."""
        state, function = super().state_dict(), self._scale_fn_custom
        plain = function is None or isinstance(function, types.FunctionType)
        state["_scale_fn_custom"] = None if plain else function.__dict__.copy()
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what ``state_dict`` returned."""
        super().load_state_dict({key: value for key, value in state_dict.items() if key != "_scale_fn_custom"})
        if state_dict["_scale_fn_custom"] is not None:
            self._scale_fn_custom.__dict__.update(state_dict["_scale_fn_custom"])


class OneCycleLR(LRScheduler):
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
        check_optimizer("OneCycleLR", optimizer)
        self.total_steps = _total(total_steps, epochs, steps_per_epoch)
        self._schedule_phases = _phases(self.total_steps, pct_start, three_phase)
        what = f"Expected float between 0 and 1 pct_start, but got {pct_start}"
        check(isinstance(pct_start, float) and 0 <= pct_start <= 1, "OneCycleLR", what)
        what = f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}"
        check(anneal_strategy in ("cos", "linear"), "OneCycleLR", what)
        self._anneal_func_type = anneal_strategy
        maxima = per_group("max_lr", optimizer, max_lr)
        if last_epoch == -1:
            for most, group in zip(maxima, optimizer.param_groups, strict=True):
                group["initial_lr"], group["max_lr"] = most / div_factor, most
                group["min_lr"] = group["initial_lr"] / final_div_factor
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self._begin_momentum(optimizer, base_momentum, max_momentum, last_epoch == -1)
        super().__init__(optimizer, last_epoch)

    def _begin_momentum(self, optimizer: Any, base: Any, most: Any, begin: bool) -> None:
        _, _, self.use_beta1 = cycle_momentum("OneCycleLR", optimizer, base, most, begin)

    def _anneal(self, start: Any, end: Any, part: float) -> Any:
        if self._anneal_func_type == "cos":
            return end + (start - end) / 2.0 * (math.cos(math.pi * part) + 1)
        return (end - start) * part + start

    def get_lr(self) -> list[Any]:
        """The rates of this step; the momenta are set, too."""
        self._ask()
        step = self.last_epoch
        what = f"Tried to step {step} times. The specified number of total steps is {self.total_steps}"
        check(step <= self.total_steps, "OneCycleLR", what)
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
                momentum = self._anneal(group[phase["start_momentum"]], group[phase["end_momentum"]], part)
                put_momentum(group, momentum, self.use_beta1)
        return lrs


def _total(total_steps: Any, epochs: Any, steps_per_epoch: Any) -> int:
    """The number of steps, from either way of giving it."""
    if total_steps is None:
        known = epochs is not None and steps_per_epoch is not None
        check(known, "OneCycleLR", "You must define either total_steps OR (epochs AND steps_per_epoch)")
        for name, value in (("epochs", epochs), ("steps_per_epoch", steps_per_epoch)):
            check(isinstance(value, int) and value > 0, "OneCycleLR", f"Expected positive integer {name}, but got {value}")
        return epochs * steps_per_epoch
    what = f"Expected positive integer total_steps, but got {total_steps}"
    check(isinstance(total_steps, int) and total_steps > 0, "OneCycleLR", what)
    return total_steps


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
