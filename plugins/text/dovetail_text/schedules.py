"""Learning rates that warm up, by the names of transformers: constant, linear, or along a cosine."""

from __future__ import annotations

import math
from typing import Any

from dovetail.optim.lr_scheduler import LambdaLR

__all__ = [
    "get_constant_schedule", "get_constant_schedule_with_warmup", "get_cosine_schedule_with_warmup", "get_linear_schedule_with_warmup",
]  # fmt: skip


def get_constant_schedule(optimizer: Any, last_epoch: int = -1) -> LambdaLR:
    """The optimizer's own rate, always."""
    return LambdaLR(optimizer, lambda step: 1.0, last_epoch)


def get_constant_schedule_with_warmup(optimizer: Any, num_warmup_steps: int, last_epoch: int = -1) -> LambdaLR:
    """The optimizer's own rate after ``num_warmup_steps``, over which it grows from 0."""
    return LambdaLR(optimizer, lambda step: min(1.0, step / max(1, num_warmup_steps)), last_epoch)


def get_linear_schedule_with_warmup(optimizer: Any, num_warmup_steps: int, num_training_steps: int, last_epoch: int = -1) -> LambdaLR:
    """From 0 to the optimizer's own rate over ``num_warmup_steps``, then down to 0 at ``num_training_steps``.

    >>> import dovetail as dv
    >>> optimizer = dv.optim.SGD([dv.nn.Parameter(dv.zeros(1))], 1.0)
    >>> schedule, rates = get_linear_schedule_with_warmup(optimizer, 2, 4), []
    >>> for _ in range(5):
    ...     rates.append(schedule.get_last_lr()[0])
    ...     optimizer.step()
    ...     schedule.step()
    >>> rates
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """

    def rate(step: int) -> float:
        if step < num_warmup_steps:
            return step / max(1, num_warmup_steps)
        return max(0.0, (num_training_steps - step) / max(1, num_training_steps - num_warmup_steps))

    return LambdaLR(optimizer, rate, last_epoch)


def get_cosine_schedule_with_warmup(
    optimizer: Any, num_warmup_steps: int, num_training_steps: int, num_cycles: float = 0.5, last_epoch: int = -1
) -> LambdaLR:  # fmt: skip
    """From 0 to the optimizer's own rate over ``num_warmup_steps``, then along ``num_cycles`` waves of a cosine, half of one to 0."""

    def rate(step: int) -> float:
        if step < num_warmup_steps:
            return step / max(1, num_warmup_steps)
        progress = (step - num_warmup_steps) / max(1, num_training_steps - num_warmup_steps)
        return max(0.0, 0.5 * (1.0 + math.cos(math.pi * num_cycles * 2.0 * progress)))

    return LambdaLR(optimizer, rate, last_epoch)
