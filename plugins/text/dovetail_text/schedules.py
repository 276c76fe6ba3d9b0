"""Learning rates that warm up, by the names of transformers: constant, linear, along a cosine, a power or a root."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from dovetail.errors import ValueRangeError
from dovetail.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau

__all__ = [
    "get_constant_schedule", "get_constant_schedule_with_warmup", "get_cosine_schedule_with_warmup",
    "get_cosine_with_hard_restarts_schedule_with_warmup", "get_inverse_sqrt_schedule", "get_linear_schedule_with_warmup",
    "get_polynomial_decay_schedule_with_warmup", "get_scheduler",
]  # fmt: skip


def get_constant_schedule(optimizer: Any, last_epoch: int = -1) -> LambdaLR:
    """The optimizer's own rate, always."""
    return LambdaLR(optimizer, lambda step: 1.0, last_epoch)


def get_constant_schedule_with_warmup(optimizer: Any, num_warmup_steps: int, last_epoch: int = -1) -> LambdaLR:
    """The optimizer's own rate after ``num_warmup_steps``, over which it grows from 0."""
    return _warmed(optimizer, num_warmup_steps, lambda step: 1.0, last_epoch)


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
    left = num_training_steps - num_warmup_steps
    return _warmed(optimizer, num_warmup_steps, lambda step: max(0.0, (left - step) / max(1, left)), last_epoch)


def get_cosine_schedule_with_warmup(
    optimizer: Any, num_warmup_steps: int, num_training_steps: int, num_cycles: float = 0.5, last_epoch: int = -1
) -> LambdaLR:  # fmt: skip
    """From 0 to the optimizer's own rate over ``num_warmup_steps``, then along ``num_cycles`` waves of a cosine, half of one to 0."""
    turn = math.pi * num_cycles * 2.0
    left = max(1, num_training_steps - num_warmup_steps)
    return _warmed(optimizer, num_warmup_steps, lambda step: max(0.0, 0.5 * (1.0 + math.cos(turn * (step / left)))), last_epoch)


def get_cosine_with_hard_restarts_schedule_with_warmup(
    optimizer: Any, num_warmup_steps: int, num_training_steps: int, num_cycles: int = 1, last_epoch: int = -1
) -> LambdaLR:  # fmt: skip
    """From 0 to the optimizer's own rate over ``num_warmup_steps``, then ``num_cycles`` times along half a cosine from there to 0."""
    left = max(1, num_training_steps - num_warmup_steps)

    def rate(step: int) -> float:
        return 0.0 if step >= left else 0.5 * (1.0 + math.cos(math.pi * (num_cycles * (step / left) % 1.0)))

    return _warmed(optimizer, num_warmup_steps, rate, last_epoch)


def get_polynomial_decay_schedule_with_warmup(
    optimizer: Any, num_warmup_steps: int, num_training_steps: int, lr_end: float = 1e-7, power: float = 1.0, last_epoch: int = -1
) -> LambdaLR:  # fmt: skip
    """From 0 to the optimizer's own rate over ``num_warmup_steps``, then down to ``lr_end`` as a power of the steps that are left.

    Raises a ValueError where ``lr_end`` is not below the optimizer's rate.
    """
    first = optimizer.defaults["lr"]
    if not first > lr_end:
        what = f"lr_end ({lr_end}) must be smaller than initial lr ({first})"
        raise ValueRangeError("get_polynomial_decay_schedule_with_warmup", what)

    left = num_training_steps - num_warmup_steps

    def rate(step: int) -> float:
        part = 0.0 if step > left else (1 - step / max(1, left)) ** power
        return ((first - lr_end) * part + lr_end) / first

    return _warmed(optimizer, num_warmup_steps, rate, last_epoch)


def get_inverse_sqrt_schedule(optimizer: Any, num_warmup_steps: int, timescale: int | None = None, last_epoch: int = -1) -> LambdaLR:
    """From 0 to the optimizer's own rate over ``num_warmup_steps``, then as 1 / √step, by ``timescale`` (the warm-up, or 10,000)."""
    scale = (num_warmup_steps or 10_000) if timescale is None else timescale
    return _warmed(optimizer, num_warmup_steps, lambda step: 1.0 / math.sqrt((step + scale) / scale), last_epoch)


def _warmed(optimizer: Any, warmup: int, after: Callable[[int], float], last_epoch: int) -> LambdaLR:
    """From 0 to the optimizer's own rate over ``warmup`` steps; then the part of it that ``after`` gives, of the steps since."""
    return LambdaLR(optimizer, lambda step: step / max(1, warmup) if step < warmup else after(step - warmup), last_epoch)


_BY_NAME = {
    "linear": get_linear_schedule_with_warmup, "cosine": get_cosine_schedule_with_warmup,
    "cosine_with_restarts": get_cosine_with_hard_restarts_schedule_with_warmup, "polynomial": get_polynomial_decay_schedule_with_warmup,
    "constant": get_constant_schedule, "constant_with_warmup": get_constant_schedule_with_warmup, "inverse_sqrt": get_inverse_sqrt_schedule,
    "reduce_lr_on_plateau": ReduceLROnPlateau,
}  # fmt: skip


def get_scheduler(
    name: str, optimizer: Any, num_warmup_steps: int | None = None, num_training_steps: int | None = None,
    scheduler_specific_kwargs: dict[str, Any] | None = None,
) -> Any:  # fmt: skip
    """The schedule of a name: linear, cosine, cosine_with_restarts, polynomial, constant, constant_with_warmup, inverse_sqrt or
    reduce_lr_on_plateau, with what else it takes in ``scheduler_specific_kwargs``.

    Raises a ValueError for another name, and without the numbers of steps that it needs.

    >>> import dovetail as dv
    >>> optimizer = dv.optim.SGD([dv.nn.Parameter(dv.zeros(1))], 1.0)
    >>> get_scheduler("linear", optimizer, num_warmup_steps=2, num_training_steps=4).get_last_lr()
    [0.0]
    """
    kind = str(getattr(name, "value", name))
    if kind not in _BY_NAME:
        raise ValueRangeError("get_scheduler", f"name is {name!r}", f"expected one of {', '.join(_BY_NAME)}")
    steps: dict[str, Any] = {}
    if kind not in ("constant", "reduce_lr_on_plateau"):
        steps["num_warmup_steps"] = num_warmup_steps
    if kind in ("linear", "cosine", "cosine_with_restarts", "polynomial"):
        steps["num_training_steps"] = num_training_steps
    if missing := [key for key, value in steps.items() if value is None]:
        raise ValueRangeError("get_scheduler", f"{kind} requires `{missing[0]}`, please provide that argument")
    return _BY_NAME[kind](optimizer, **steps, **(scheduler_specific_kwargs or {}))  # type: ignore[operator]
