"""Schedulers of schedulers: one after the other, or all at once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from ...errors import TypeMismatch
from ..optimizer import check
from ._base import LRScheduler, put, values_of
from ._plateau import ReduceLROnPlateau

__all__ = ["ChainedScheduler", "SequentialLR"]


class _Composed(LRScheduler):
    """What holds `_schedulers`: their states are part of its own."""

    _held = "_schedulers"
    _schedulers: Sequence[Any]

    def _check_members(self, schedulers: Sequence[Any], optimizer: Any) -> None:
        name = type(self).__name__
        for i, scheduler in enumerate(schedulers):
            if not hasattr(scheduler, "optimizer"):
                raise TypeMismatch(name, f"{name} at index {i} should have `optimizer` as its attribute.")
            what = f"{name} does not support `ReduceLROnPlateau` scheduler as it requires additional kwargs to be specified when calling"
            plain = not isinstance(scheduler, ReduceLROnPlateau)
            check(plain, self, f"{what} `step`, but got one at index {i} in the given schedulers sequence.")
            what = f"{name} expects all schedulers to belong to the same optimizer, but got scheduler"
            check(optimizer is scheduler.optimizer, self, f"{what} {type(scheduler).__name__} at index {i} with another one")


class SequentialLR(_Composed):
    """One scheduler after the other: the next one begins, at its epoch 0, when a milestone is reached.

    Raises a ValueError for schedulers of different optimizers or a wrong number of milestones (one less than schedulers).

    >>> import dovetail as dv
    >>> schedule = dv.optim.lr_scheduler
    >>> sgd = dv.optim.SGD([dv.nn.Parameter(dv.ones(1))], lr=1.0)
    >>> warm, fall = schedule.ConstantLR(sgd, 0.25, total_iters=9), schedule.ExponentialLR(sgd, 0.5)
    >>> rate = schedule.SequentialLR(sgd, [warm, fall], milestones=[1])
    >>> first = rate.get_last_lr(); sgd.step(); rate.step(); first, rate.get_last_lr()
    ([0.25], [1.0])
    """

    def __init__(self, optimizer: Any, schedulers: list[Any], milestones: list[int], last_epoch: int = -1) -> None:
        check(len(schedulers) >= 1, self, "SequentialLR expects at least one scheduler, but got no scheduler.")
        self._check_members(schedulers, optimizer)
        what = "Sequential Schedulers expects number of schedulers provided to be one more than the number of milestone points"
        got = f"number of schedulers {len(schedulers)} and the number of milestones to be equal to {len(milestones)}"
        check(len(milestones) == len(schedulers) - 1, self, f"{what}, but got {got}")
        self._schedulers, self._milestones = schedulers, milestones
        self.last_epoch, self.optimizer = last_epoch + 1, optimizer
        for group in optimizer.param_groups:
            put(group, "lr", group["initial_lr"])
        self.recursive_undo()
        first = schedulers[bisect_right(milestones, 0)]
        first._initial_step()
        self._last_lr = first.get_last_lr()

    def recursive_undo(self, sched: Any = None) -> None:
        """Take back the step that each scheduler made when it was constructed."""
        sched = self if sched is None else sched
        if hasattr(sched, "_schedulers"):
            for member in sched._schedulers:
                self.recursive_undo(member)
        elif hasattr(sched, "last_epoch"):
            sched.last_epoch -= 1

    def step(self) -> None:  # type: ignore[override]
        """Go on by one epoch."""
        self.last_epoch += 1
        at = bisect_right(self._milestones, self.last_epoch)
        scheduler = self._schedulers[at]
        if at > 0 and self._milestones[at - 1] == self.last_epoch:
            scheduler._update_lr(0)
        else:
            scheduler.step()
        self._last_lr = scheduler.get_last_lr()


class ChainedScheduler(_Composed):
    """All schedulers at each step, one on top of the other.

    Raises a ValueError for no scheduler, or schedulers of different optimizers.

    >>> import dovetail as dv
    >>> schedule = dv.optim.lr_scheduler
    >>> sgd = dv.optim.SGD([dv.nn.Parameter(dv.ones(1))], lr=1.0)
    >>> both = schedule.ChainedScheduler([schedule.ExponentialLR(sgd, 0.5), schedule.ExponentialLR(sgd, 0.5)])
    >>> sgd.step(); both.step(); both.get_last_lr()
    [0.25]
    """

    def __init__(self, schedulers: Sequence[Any], optimizer: Any = None) -> None:
        check(len(schedulers) >= 1, self, "ChainedScheduler expects at least one scheduler to be chained, but got no scheduler.")
        optimizer = optimizer or schedulers[0].optimizer
        self._check_members(schedulers, optimizer)
        self._schedulers, self.optimizer = schedulers, optimizer
        self._last_lr = values_of(optimizer, "lr")

    def step(self) -> None:  # type: ignore[override]
        """Step all schedulers."""
        for scheduler in self._schedulers:
            scheduler.step()
        self._last_lr = values_of(self.optimizer, "lr")
