"""A rate that falls when a measure stops improving."""

from __future__ import annotations

import math
import warnings
from typing import Any

from ...errors import UnsupportedError
from ..optimizer import check, number
from ._base import _EPOCH, LRScheduler, check_optimizer, one_each, put, values_of

__all__ = ["ReduceLROnPlateau"]


class ReduceLROnPlateau(LRScheduler):
    """Multiply by factor when the measure given to ``step`` has not improved for more than ``patience`` epochs.

    mode "min" or "max" says what is better; threshold by how much ("rel": a fraction of the best, "abs": a difference);
    cooldown epochs follow a fall in which nothing counts; min_lr (also one per group) and eps bound it. Raises a ValueError
    for factor >= 1 or an unknown mode.

    >>> import dovetail as dv
    >>> sgd = dv.optim.SGD([dv.nn.Parameter(dv.ones(1))], lr=1.0)
    >>> rate = dv.optim.lr_scheduler.ReduceLROnPlateau(sgd, factor=0.5, patience=0)
    >>> rate.step(1.0); rate.step(1.0); rate.get_last_lr()
    [0.5]
    """

    def __init__(
        self, optimizer: Any, mode: str = "min", factor: float = 0.1, patience: int = 10, threshold: float = 1e-4,
        threshold_mode: str = "rel", cooldown: int = 0, min_lr: Any = 0, eps: float = 1e-8,
    ) -> None:  # fmt: skip
        check(factor < 1.0, self, f"Factor should be < 1.0. (got {factor})")
        check_optimizer(self, optimizer)
        self.factor, self.optimizer = factor, optimizer
        count = len(optimizer.param_groups)
        self.default_min_lr = None if isinstance(min_lr, list | tuple) else min_lr
        self.min_lrs = one_each(self, min_lr, count, lambda n: f"expected {count} min_lrs, got {n}")
        self.patience, self.cooldown, self.eps = patience, cooldown, eps
        self.last_epoch = 0
        self._last_lr = values_of(optimizer, "lr")
        self._set_mode(mode, threshold, threshold_mode)
        self._reset()

    def _set_mode(self, mode: str, threshold: float, threshold_mode: str) -> None:
        check(mode in ("min", "max"), self, f"mode {mode} is unknown!", "expected 'min' or 'max'")
        check(threshold_mode in ("rel", "abs"), self, f"threshold mode {threshold_mode} is unknown!", "expected 'rel' or 'abs'")
        self.mode_worse = math.inf if mode == "min" else -math.inf
        self.mode, self.threshold, self.threshold_mode = mode, threshold, threshold_mode

    def _reset(self) -> None:
        """Forget what was measured."""
        self.best, self.cooldown_counter, self.num_bad_epochs = self.mode_worse, 0, 0

    def step(self, metrics: Any, epoch: Any = None) -> None:  # type: ignore[override]
        """Take the measure of an epoch, and lower the rates where it is time."""
        current = float(number(metrics))
        if epoch is not None:
            warnings.warn(_EPOCH, UserWarning, stacklevel=2)
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        if self._is_better(current, self.best):
            self.best, self.num_bad_epochs = current, 0
        else:
            self.num_bad_epochs += 1
        if self.in_cooldown:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce_lr()
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self._last_lr = values_of(self.optimizer, "lr")

    def _reduce_lr(self) -> None:
        groups = self.optimizer.param_groups
        if len(groups) != len(self.min_lrs):
            if self.default_min_lr is None:
                what = f"The number of param groups in the `optimizer` ({len(groups)}) differs from that of min_lr ({len(self.min_lrs)})"
                raise UnsupportedError("ReduceLROnPlateau", what, "", "lengthen the scheduler's min_lrs after add_param_group")
            self.min_lrs = [self.default_min_lr] * len(groups)
        for least, group in zip(self.min_lrs, groups, strict=True):
            old = float(number(group["lr"]))
            new = max(old * self.factor, least)
            if old - new > self.eps:
                put(group, "lr", new)

    @property
    def in_cooldown(self) -> bool:
        """Whether bad epochs do not count at present."""
        return self.cooldown_counter > 0

    def _is_better(self, a: float, best: float) -> bool:
        sign = -1 if self.mode == "min" else 1
        aim = best * (1.0 + sign * self.threshold) if self.threshold_mode == "rel" else best + sign * self.threshold
        return a < aim if self.mode == "min" else a > aim

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what ``state_dict`` returned."""
        self.__dict__.update(state_dict)
        self._set_mode(self.mode, self.threshold, self.threshold_mode)
