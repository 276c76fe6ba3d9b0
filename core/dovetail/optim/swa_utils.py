"""Averages of a model's parameters over training: stochastic weight averaging and exponential moving averages."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from copy import deepcopy
from itertools import chain
from typing import Any

from ..autograd.modes import no_grad
from ..autograd.node import Tensor
from ..dtypes import int64
from ..errors import AssertedError
from ..nn import Module
from ..ops.create import zeros
from .lr_scheduler import LRScheduler, annealing, per_group
from .optimizer import check, number

__all__ = ["SWALR", "AveragedModel", "get_ema_avg_fn", "get_ema_multi_avg_fn", "get_swa_avg_fn", "get_swa_multi_avg_fn", "update_bn"]


def get_ema_avg_fn(decay: float = 0.999) -> Callable[[Any, Any, Any], Any]:
    """The function ``decay · average + (1 - decay) · current`` of two tensors. Raises a ValueError unless 0 <= decay <= 1.

    >>> import dovetail as dv
    >>> dv.optim.swa_utils.get_ema_avg_fn(0.5)(dv.ones(1), dv.zeros(1), 1)
    tensor([0.5000])
    """
    _check_decay(decay)

    @no_grad()
    def average(ema_param: Any, current_param: Any, num_averaged: Any) -> Any:
        return decay * ema_param + (1 - decay) * current_param

    return average


def get_swa_avg_fn() -> Callable[[Any, Any, Any], Any]:
    """The function of two tensors that gives the mean of all so far.

    >>> import dovetail as dv
    >>> dv.optim.swa_utils.get_swa_avg_fn()(dv.ones(1), dv.zeros(1), 1)
    tensor([0.5000])
    """

    @no_grad()
    def average(averaged_param: Any, current_param: Any, num_averaged: Any) -> Any:
        return averaged_param + (current_param - averaged_param) / (num_averaged + 1)

    return average


def get_ema_multi_avg_fn(decay: float = 0.999) -> Callable[[Any, Any, Any], None]:
    """The exponential moving average of lists of tensors, in place. Raises a ValueError unless 0 <= decay <= 1.

    >>> import dovetail as dv
    >>> mean = dv.ones(1); dv.optim.swa_utils.get_ema_multi_avg_fn(0.5)([mean], [dv.zeros(1)], 1); mean
    tensor([0.5000])
    """
    _check_decay(decay)

    def average(ema_param_list: Any, current_param_list: Any, num_averaged: Any) -> None:
        _towards(ema_param_list, current_param_list, 1 - decay)

    return average


def get_swa_multi_avg_fn() -> Callable[[Any, Any, Any], None]:
    """The mean of all so far, for lists of tensors, in place.

    >>> import dovetail as dv
    >>> mean = dv.ones(1); dv.optim.swa_utils.get_swa_multi_avg_fn()([mean], [dv.zeros(1)], 1); mean
    tensor([0.5000])
    """

    def average(averaged_param_list: Any, current_param_list: Any, num_averaged: Any) -> None:
        _towards(averaged_param_list, current_param_list, number(1 / (num_averaged + 1)))

    return average


def _check_decay(decay: float) -> None:
    check(0.0 <= decay <= 1.0, "EMA", f"Invalid decay value {decay} provided. Please provide a value in [0,1] range.")


@no_grad()
def _towards(means: Any, currents: Any, weight: float) -> None:
    """Move averages by this part of the way; integers are truncated, as a copy does."""
    for mean, current in zip(means, currents, strict=True):
        if mean.is_floating_point() or mean.is_complex():
            mean.lerp_(current.to(mean.dtype), weight)
        else:
            mean.copy_(mean * (1 - weight) + current * weight)


class AveragedModel(Module):
    """A copy of a model whose parameters are averages of the model's: ``update_parameters(model)`` takes the next ones.

    The first update copies; later ones apply ``multi_avg_fn(averages, currents, count)`` or ``avg_fn(average, current,
    count)``, by default the mean of all. With use_buffers the buffers are averaged too, otherwise copied. Source: Izmailov
    et al., "Averaging weights leads to wider optima", 2018.

    >>> import dovetail as dv
    >>> class Net(dv.nn.Module):
    ...     def __init__(self):
    ...         super().__init__(); self.w = dv.nn.Parameter(dv.ones(1))
    >>> net = Net(); mean = dv.optim.swa_utils.AveragedModel(net)
    >>> mean.update_parameters(net); _ = net.w.data.zero_(); mean.update_parameters(net); mean.module.w.item()
    0.5
    """

    n_averaged: Tensor

    def __init__(
        self, model: Module, device: Any = None, avg_fn: Callable[..., Any] | None = None,
        multi_avg_fn: Callable[..., None] | None = None, use_buffers: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertedError("AveragedModel", "Only one of avg_fn and multi_avg_fn should be provided")
        self.module = deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", zeros((), dtype=int64, device=device))
        self.avg_fn, self.multi_avg_fn, self.use_buffers = avg_fn, multi_avg_fn, use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The copy's forward."""
        return self.module(*args, **kwargs)

    def update_parameters(self, model: Module) -> None:
        """Take the model's present parameters into the average."""
        parts = (lambda m: chain(m.parameters(), m.buffers())) if self.use_buffers else (lambda m: m.parameters())
        means = [t.detach() for t in parts(self.module)]
        currents = [t.detach().to(mean.device) for mean, t in zip(means, parts(model), strict=True)]
        average = self.avg_fn or get_swa_avg_fn()
        if self.multi_avg_fn is not None and self.n_averaged > 0:
            if means:
                self.multi_avg_fn(means, currents, self.n_averaged)
        else:
            for mean, current in zip(means, currents, strict=True):
                mean.copy_(average(mean, current, self.n_averaged) if self.n_averaged > 0 else current)
        if not self.use_buffers:
            for mine, theirs in zip(self.module.buffers(), model.buffers(), strict=True):
                mine.detach().copy_(theirs.detach())
        self.n_averaged.add_(1)


def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Compute the running statistics of the model's batch norms anew, by one pass over the data.

    A batch is a tensor, or a tuple or list whose first element is the input.
    """
    norms = {m: m.momentum for m in model.modules() if hasattr(m, "reset_running_stats") and hasattr(m, "momentum")}
    if not norms:
        return
    training = model.training
    model.train()
    try:
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # a plain mean over all batches
        with no_grad():
            for batch in loader:
                x = batch[0] if isinstance(batch, list | tuple) else batch
                model(x if device is None else x.to(device))
    finally:
        for norm, momentum in norms.items():
            norm.momentum = momentum
        model.train(training)


class SWALR(LRScheduler):
    """Go to the constant rate swa_lr in anneal_epochs epochs, along a cosine or a line, and stay there.

    Raises a ValueError for an unknown anneal_strategy or a negative anneal_epochs.

    >>> import dovetail as dv
    >>> sgd = dv.optim.SGD([dv.nn.Parameter(dv.ones(1))], lr=1.0)
    >>> rate = dv.optim.swa_utils.SWALR(sgd, 0.5, anneal_epochs=1); sgd.step(); rate.step(); rate.get_last_lr()
    [0.5]
    """

    def __init__(self, optimizer: Any, swa_lr: Any, anneal_epochs: int = 10, anneal_strategy: str = "cos", last_epoch: int = -1) -> None:
        for lr, group in zip(per_group("swa_lr", optimizer, swa_lr), optimizer.param_groups, strict=True):
            group["swa_lr"] = lr
        self._anneal_strategy = annealing(self, anneal_strategy)
        whole = isinstance(anneal_epochs, int) and anneal_epochs >= 0
        check(whole, self, f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        self.anneal_epochs = anneal_epochs
        super().__init__(optimizer, last_epoch)

    def _part(self, step: int) -> float:
        t = max(0, min(1, step / max(1, self.anneal_epochs)))
        return (1 - math.cos(math.pi * t)) / 2 if self._anneal_strategy == "cos" else t

    def _rates(self) -> list[Any]:
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        before, now = self._part(step - 1), self._part(step)
        lrs = []
        for group in self.optimizer.param_groups:
            aim = group["swa_lr"]
            start = aim if before == 1 else (group["lr"] - before * aim) / (1 - before)
            lrs.append(aim * now + start * (1 - now))
        return lrs
