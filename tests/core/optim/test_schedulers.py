"""Schedulers against their closed forms, their order of calls, and resuming; averaged models."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dovetail import nn, optim
from dovetail.autograd.node import wrap
from dovetail.errors import TypeMismatch, ValueRangeError
from dovetail.optim import lr_scheduler as schedule
from dovetail.optim import swa_utils


def sgd(lr: float = 1.0, momentum: float = 0.5) -> Any:
    return optim.SGD([nn.Parameter(wrap(np.ones(1)))], lr=lr, momentum=momentum)


FORMS: dict[str, tuple[Callable[[Any], Any], Callable[[int], float]]] = {
    "step": (lambda o: schedule.StepLR(o, 4, 0.5), lambda e: 0.5 ** (e // 4)),
    "multistep": (lambda o: schedule.MultiStepLR(o, [2, 5], 0.1), lambda e: 0.1 ** ((e >= 2) + (e >= 5))),
    "constant": (lambda o: schedule.ConstantLR(o, 0.25, 4), lambda e: 0.25 if e < 4 else 1.0),
    "linear": (lambda o: schedule.LinearLR(o, 0.2, 0.9, 10), lambda e: 0.2 + 0.7 * min(e, 10) / 10),
    "exponential": (lambda o: schedule.ExponentialLR(o, 0.9), lambda e: 0.9**e),
    "polynomial": (lambda o: schedule.PolynomialLR(o, 12, 2), lambda e: (1 - min(e, 12) / 12) ** 2),
    "cosine": (lambda o: schedule.CosineAnnealingLR(o, 6, 0.1), lambda e: 0.1 + 0.45 * (1 + math.cos(math.pi * e / 6))),
    "restarts": (
        lambda o: schedule.CosineAnnealingWarmRestarts(o, 5, eta_min=0.1), lambda e: 0.1 + 0.45 * (1 + math.cos(math.pi * (e % 5) / 5)),
    ),
    "lambda": (lambda o: schedule.LambdaLR(o, lambda e: 1 / (1 + e)), lambda e: 1 / (1 + e)),
    "multiplicative": (lambda o: schedule.MultiplicativeLR(o, lambda e: 0.8), lambda e: 0.8**e),
    "cyclic": (lambda o: schedule.CyclicLR(o, 0.5, 1.0, 3), lambda e: 0.5 + 0.5 * (1 - abs(e % 6 - 3) / 3)),
    "chained": (
        lambda o: schedule.ChainedScheduler([schedule.ExponentialLR(o, 0.9), schedule.StepLR(o, 4, 0.5)]),
        lambda e: 0.9**e * 0.5 ** (e // 4),
    ),
    "sequential": (
        lambda o: schedule.SequentialLR(o, [schedule.LinearLR(o, 0.5, total_iters=4), schedule.ExponentialLR(o, 0.5)], [4]),
        lambda e: 0.5 + 0.5 * e / 4 if e < 4 else 0.5 ** (e - 4),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_closed_forms(name: str) -> None:
    make, form = FORMS[name]
    optimizer = sgd()
    scheduler = make(optimizer)
    for epoch in range(20):
        assert scheduler.get_last_lr() == [pytest.approx(form(epoch), rel=1e-12, abs=1e-15)]
        assert optimizer.param_groups[0]["lr"] == scheduler.get_last_lr()[0]
        optimizer.step()
        scheduler.step()


@pytest.mark.parametrize("name", FORMS)
def test_resuming(name: str) -> None:
    make, form = FORMS[name]
    first = sgd()
    scheduler = make(first)
    for _ in range(7):
        first.step()
        scheduler.step()
    second = sgd(lr=1.0)
    resumed = make(second)
    second.load_state_dict(first.state_dict())
    resumed.load_state_dict(scheduler.state_dict())
    for epoch in range(8, 16):
        second.step()
        resumed.step()
        assert resumed.get_last_lr() == [pytest.approx(form(epoch), rel=1e-12, abs=1e-15)]


def test_one_cycle_with_momentum() -> None:
    optimizer = sgd()
    settings: dict[str, Any] = dict(pct_start=0.5, anneal_strategy="linear", div_factor=10, final_div_factor=10)
    scheduler = schedule.OneCycleLR(optimizer, 1.0, total_steps=11, **settings)
    path = []
    for _ in range(11):
        path.append((optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["momentum"]))
        optimizer.step()
        scheduler.step()
    lrs, momenta = zip(*path, strict=True)
    assert lrs[0] == 0.1 and lrs[10] == pytest.approx(0.01) and max(lrs) > 0.9 and np.argmax(lrs) == np.argmin(momenta)
    assert momenta[0] == 0.95 and momenta[10] == pytest.approx(0.95)
    with pytest.raises(ValueRangeError, match=r"Tried to step 12 times\. The specified number of total steps is 11"):
        scheduler.step()


def test_plateau() -> None:
    optimizer = sgd()
    scheduler = schedule.ReduceLROnPlateau(optimizer, factor=0.5, patience=1, cooldown=2, min_lr=0.2)
    lrs = []
    for measure in [1.0, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9]:
        scheduler.step(measure)
        lrs.append(scheduler.get_last_lr()[0])
    assert lrs == [1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25, 0.2]


def test_the_order_of_calls() -> None:
    optimizer = sgd()
    optimizer.step()  # before there was a scheduler: does not count
    scheduler = schedule.ExponentialLR(optimizer, 0.5)
    with pytest.warns(UserWarning, match=r"Detected call of `lr_scheduler\.step\(\)` before `optimizer\.step\(\)`"):
        scheduler.step()
    optimizer = sgd()
    scheduler = schedule.ExponentialLR(optimizer, 0.5)
    optimizer.step()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scheduler.step()
    optimizer = sgd()
    scheduler = schedule.ExponentialLR(optimizer, 0.5)
    optimizer.step = lambda: None
    with pytest.warns(UserWarning, match="has been overridden after learning rate scheduler initialization"):
        scheduler.step()


def test_warnings() -> None:
    optimizer = sgd()
    scheduler = schedule.ExponentialLR(optimizer, 0.5)
    with pytest.warns(UserWarning, match="please use `get_last_lr"):
        scheduler.get_lr()
    optimizer.step()
    with pytest.warns(UserWarning, match="epoch parameter in `scheduler.step"):
        scheduler.step(3)
    assert scheduler.get_last_lr() == [0.125] and scheduler.last_epoch == 3


def test_a_tensor_rate_is_written_in_place() -> None:
    lr = wrap(np.asarray(1.0))
    optimizer = optim.SGD([nn.Parameter(wrap(np.ones(1)))], lr=lr)
    scheduler = schedule.ExponentialLR(optimizer, 0.5)
    optimizer.step()
    scheduler.step()
    assert optimizer.param_groups[0]["lr"] is lr and lr.item() == 0.5
    scheduler.get_last_lr()[0]._a[...] = 9
    assert lr.item() == 0.5


def test_refusals() -> None:
    with pytest.raises(TypeMismatch, match="str is not an Optimizer"):
        schedule.StepLR("x", 2)
    with pytest.raises(KeyError, match=r"param 'initial_lr' is not specified in param_groups\[0\]"):
        schedule.StepLR(sgd(), 2, last_epoch=3)
    with pytest.raises(ValueRangeError, match="max_lr must have the same length as optimizer.param_groups. max_lr has 2 values"):
        schedule.CyclicLR(sgd(), 0.1, [0.1, 0.2])
    with pytest.raises(ValueRangeError, match="optimizer must support momentum or beta1"):
        schedule.CyclicLR(optim.Adagrad([nn.Parameter(wrap(np.ones(1)))]), 0.1, 0.2)
    with pytest.raises(ValueRangeError, match="expects all schedulers to belong to the same optimizer"):
        schedule.ChainedScheduler([schedule.ExponentialLR(sgd(), 0.5), schedule.ExponentialLR(sgd(), 0.5)])
    with pytest.raises(ValueRangeError, match="anneal_strategy must be one of 'cos' or 'linear'"):
        swa_utils.SWALR(sgd(), 0.1, anneal_strategy="x")


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(wrap(np.zeros(2)))
        self.register_buffer("seen", wrap(np.zeros((), np.int64)))


@pytest.mark.parametrize(("options", "expected"), [({}, 2.0), ({"multi_avg_fn": swa_utils.get_ema_multi_avg_fn(0.5)}, 2.25)])
def test_averaged_model(options: dict[str, Any], expected: float) -> None:
    net = Net()
    mean = swa_utils.AveragedModel(net, **options)
    for step in (1, 2, 3):
        net.w._a[...], net.seen._a[...] = step, step
        mean.update_parameters(net)
    assert mean.module.w.tolist() == [expected, expected] and mean.module.seen.item() == 3 and mean.n_averaged.item() == 3
    with pytest.raises(ValueRangeError, match="Invalid decay value 1.5"):
        swa_utils.get_ema_avg_fn(1.5)


def test_update_bn_restores_momentum_and_mode() -> None:
    class Norm(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.momentum: float | None = 0.1
            self.batches: list[Any] = []

        def reset_running_stats(self) -> None:
            self.batches = []

        def forward(self, x: Any) -> Any:
            self.batches.append((x, self.momentum, self.training))
            return x

    norm = Norm().eval()
    swa_utils.update_bn([(1, "label"), 2], norm)
    assert norm.batches == [(1, None, True), (2, None, True)] and norm.momentum == 0.1 and not norm.training
