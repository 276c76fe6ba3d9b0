"""Every scheduler beside PyTorch's: sixty epochs, state dicts both ways, errors and warnings."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import dovetail as dv
from dovetail import nn, optim
from dovetail.autograd.node import wrap
from dovetail.optim import lr_scheduler, swa_utils

pytestmark = pytest.mark.parity


class Factor:
    """A callable with a state of its own."""

    def __init__(self, base: float) -> None:
        self.base = base

    def __call__(self, epoch: float) -> float:
        return self.base**epoch


def chain(s: Any, o: Any) -> Any:
    return s.ChainedScheduler([s.LinearLR(o, 0.2, total_iters=7), s.ExponentialLR(o, 0.97)])


def sequence(s: Any, o: Any) -> Any:
    members = [s.LinearLR(o, 0.1, total_iters=5), s.CosineAnnealingLR(o, 20, 0.01), s.ExponentialLR(o, 0.9)]
    return s.SequentialLR(o, members, milestones=[5, 25])


def nested(s: Any, o: Any) -> Any:
    inner = s.SequentialLR(o, [s.ConstantLR(o, 0.5, 3), s.StepLR(o, 4, 0.7)], milestones=[6])
    return s.SequentialLR(o, [inner, s.PolynomialLR(o, 30, 2.0)], milestones=[20])


TABLE: dict[str, Callable[[Any, Any], Any]] = {
    "lambda": lambda s, o: s.LambdaLR(o, [lambda e: 0.95**e, lambda e: 1 / (1 + e)]),
    "lambda-object": lambda s, o: s.LambdaLR(o, Factor(0.9)),
    "multiplicative": lambda s, o: s.MultiplicativeLR(o, lambda e: 0.9 + 0.05 * (e % 3)),
    "step": lambda s, o: s.StepLR(o, 7, 0.3),
    "multistep": lambda s, o: s.MultiStepLR(o, [3, 10, 10, 31], 0.4),
    "constant": lambda s, o: s.ConstantLR(o),
    "constant-long": lambda s, o: s.ConstantLR(o, 0.25, 20),
    "linear": lambda s, o: s.LinearLR(o),
    "linear-down": lambda s, o: s.LinearLR(o, 1.0, 0.1, 25),
    "exponential": lambda s, o: s.ExponentialLR(o, 0.93),
    "polynomial": lambda s, o: s.PolynomialLR(o, 40, 1.7),
    "cosine": lambda s, o: s.CosineAnnealingLR(o, 13, 0.003),
    "cosine-one": lambda s, o: s.CosineAnnealingLR(o, 1),
    "restarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, 7),
    "restarts-longer": lambda s, o: s.CosineAnnealingWarmRestarts(o, 3, 2, 1e-3),
    "cyclic": lambda s, o: s.CyclicLR(o, 0.01, 0.2, 5),
    "cyclic-2": lambda s, o: s.CyclicLR(o, [0.01, 0.02], [0.2, 0.3], 4, 6, mode="triangular2"),
    "cyclic-exp": lambda s, o: s.CyclicLR(o, 0.01, 0.2, 5, mode="exp_range", gamma=0.98),
    "cyclic-own": lambda s, o: s.CyclicLR(o, 0.01, 0.2, 5, scale_fn=Factor(0.9), scale_mode="iterations", cycle_momentum=False),
    "onecycle": lambda s, o: s.OneCycleLR(o, 0.5, total_steps=61),
    "onecycle-linear": lambda s, o: s.OneCycleLR(o, [0.5, 0.3], epochs=7, steps_per_epoch=9, anneal_strategy="linear", pct_start=0.4),
    "onecycle-three": lambda s, o: s.OneCycleLR(o, 0.5, total_steps=61, three_phase=True, cycle_momentum=False),
    "chained": chain,
    "sequential": sequence,
    "nested": nested,
}


def optimizers(kind: str = "SGD") -> tuple[Any, Any]:
    settings: dict[str, Any] = dict(lr=0.1, momentum=0.8) if kind == "SGD" else dict(lr=0.1)
    mine, their = [nn.Parameter(wrap(np.ones(2))) for _ in range(2)], [torch.nn.Parameter(torch.ones(2)) for _ in range(2)]
    return tuple(  # type: ignore[return-value]
        getattr(o, kind)([{"params": p[:1]}, {"params": p[1:], "lr": 0.03}], **settings) for o, p in ((optim, mine), (torch.optim, their))
    )


def settings_of(optimizer: Any) -> list[dict[str, Any]]:
    names = ("lr", "initial_lr", "momentum", "betas", "max_lr", "min_lr")
    return [{k: v for k, v in g.items() if k in names} for g in optimizer.param_groups]


def close(ours: Any, theirs: Any) -> None:
    """Equal structures, numbers to 1e-12."""
    if isinstance(theirs, dict):
        assert ours.keys() == theirs.keys(), (ours.keys(), theirs.keys())
        for key in theirs:
            close(ours[key], theirs[key])
    elif isinstance(theirs, list | tuple):
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs):
            close(a, b)
    elif isinstance(theirs, float) and math.isfinite(theirs):
        assert ours == pytest.approx(theirs, rel=1e-12, abs=1e-15)
    else:
        assert ours == theirs


@pytest.mark.parametrize("kind", ["SGD", "AdamW"])
@pytest.mark.parametrize("name", TABLE)
def test_sixty_epochs(name: str, kind: str) -> None:
    mine, their = optimizers(kind)
    a, b = TABLE[name](lr_scheduler, mine), TABLE[name](torch.optim.lr_scheduler, their)
    for _ in range(60):
        close(a.get_last_lr(), b.get_last_lr())
        close(settings_of(mine), settings_of(their))
        mine.step()
        their.step()
        a.step()
        b.step()
    close(plain(a.state_dict()), plain(b.state_dict()))


def plain(state: Any) -> Any:
    """Without what differs by design: PyTorch's bound method of CyclicLR."""
    return {k: plain(v) if isinstance(v, dict) else v for k, v in state.items() if k not in ("_scale_fn_ref",)}


@pytest.mark.parametrize("name", TABLE)
def test_state_dicts_are_interchangeable(name: str) -> None:
    """Eleven epochs in one library, resumed in the other."""
    mine, their = optimizers()
    a, b = TABLE[name](lr_scheduler, mine), TABLE[name](torch.optim.lr_scheduler, their)
    for _ in range(11):
        for x in (mine, their, a, b):
            x.step()
    mine2, their2 = optimizers()
    a2, b2 = TABLE[name](lr_scheduler, mine2), TABLE[name](torch.optim.lr_scheduler, their2)
    mine2.load_state_dict(their.state_dict())
    their2.load_state_dict(mine.state_dict())
    a2.load_state_dict(b.state_dict())
    b2.load_state_dict(a.state_dict())
    for _ in range(20):
        for x in (mine2, their2, a2, b2):
            x.step()
        close(a2.get_last_lr(), b2.get_last_lr())
        close(settings_of(mine2), settings_of(their2))


@pytest.mark.filterwarnings("ignore:The epoch parameter")
@pytest.mark.parametrize("name", [n for n in TABLE if n not in ("chained", "sequential", "nested") and "onecycle" not in n])
def test_explicit_epochs(name: str) -> None:
    mine, their = optimizers()
    a, b = TABLE[name](lr_scheduler, mine), TABLE[name](torch.optim.lr_scheduler, their)
    for epoch in (0, 5, 6, 30, 12, 1):
        for x in (mine, their):
            x.step()
        a.step(epoch)
        b.step(epoch)
        close(a.get_last_lr(), b.get_last_lr())


@pytest.mark.parametrize("name", ["step", "cosine", "exponential", "linear", "polynomial", "restarts", "lambda"])
def test_resuming_with_last_epoch(name: str) -> None:
    kinds = {
        "step": ("StepLR", (7, 0.3)), "cosine": ("CosineAnnealingLR", (13,)), "exponential": ("ExponentialLR", (0.9,)),
        "linear": ("LinearLR", ()), "polynomial": ("PolynomialLR", (40,)), "restarts": ("CosineAnnealingWarmRestarts", (7,)),
        "lambda": ("LambdaLR", (Factor(0.9),)),
    }  # fmt: skip
    kind, args = kinds[name]
    lrs = []
    for optimizer, library in zip(optimizers(), (lr_scheduler, torch.optim.lr_scheduler)):
        with pytest.raises(KeyError, match=r"param 'initial_lr' is not specified in param_groups\[0\]"):
            getattr(library, kind)(optimizer, *args, last_epoch=4)
        for group in optimizer.param_groups:
            group["initial_lr"] = 0.1
        scheduler = getattr(library, kind)(optimizer, *args, last_epoch=4)
        row = []
        for _ in range(6):
            row.append(scheduler.get_last_lr())
            optimizer.step()
            scheduler.step()
        lrs.append(row)
    close(*lrs)


PLATEAU = [{}, dict(patience=2, cooldown=3), dict(mode="max", threshold=0.1), dict(threshold_mode="abs", patience=1, min_lr=[0.02, 0.0]),
           dict(mode="max", threshold_mode="abs", threshold=0.05, patience=0, factor=0.5)]  # fmt: skip


@pytest.mark.parametrize("settings", PLATEAU, ids=str)
def test_plateau(settings: dict[str, Any]) -> None:
    mine, their = optimizers()
    a, b = lr_scheduler.ReduceLROnPlateau(mine, **settings), torch.optim.lr_scheduler.ReduceLROnPlateau(their, **settings)
    measures = np.abs(np.sin(np.arange(60.0))) / (1 + np.arange(60) // 9)
    for i, m in enumerate(measures):
        a.step(wrap(np.asarray(m)) if i % 2 else float(m))
        b.step(float(m))
        close(a.get_last_lr(), b.get_last_lr())
    close(a.state_dict(), b.state_dict())
    a.load_state_dict(b.state_dict())
    close(a.state_dict(), b.state_dict())


def walk(scheduler: Any, steps: int) -> None:
    for _ in range(steps):
        scheduler.step()


ERRORS: list[Callable[[Any, Any], Any]] = [
    lambda s, o: s.StepLR("x", 2),
    lambda s, o: s.LambdaLR(o, [lambda e: 1]),
    lambda s, o: s.ConstantLR(o, 1.5),
    lambda s, o: s.LinearLR(o, 0.0),
    lambda s, o: s.LinearLR(o, 0.5, -1.0),
    lambda s, o: s.CosineAnnealingWarmRestarts(o, 0),
    lambda s, o: s.CosineAnnealingWarmRestarts(o, 2, 0),
    lambda s, o: s.CosineAnnealingWarmRestarts(o, 2).step(-1),
    lambda s, o: s.CyclicLR(o, 0.1, [0.2]),
    lambda s, o: s.CyclicLR(o, 0.1, 0.2, mode="x"),
    lambda s, o: s.OneCycleLR(o, 0.1),
    lambda s, o: s.OneCycleLR(o, 0.1, total_steps=0),
    lambda s, o: s.OneCycleLR(o, 0.1, epochs=0, steps_per_epoch=2),
    lambda s, o: s.OneCycleLR(o, 0.1, total_steps=9, pct_start=2.0),
    lambda s, o: s.OneCycleLR(o, 0.1, total_steps=9, anneal_strategy="x"),
    lambda s, o: walk(s.OneCycleLR(o, 0.1, total_steps=3), 4),
    lambda s, o: s.ReduceLROnPlateau(o, factor=1.0),
    lambda s, o: s.ReduceLROnPlateau(o, mode="x"),
    lambda s, o: s.ReduceLROnPlateau(o, threshold_mode="x"),
    lambda s, o: s.ReduceLROnPlateau(o, min_lr=[1]),
    lambda s, o: s.SequentialLR(o, [], []),
    lambda s, o: s.SequentialLR(o, [s.StepLR(o, 2)], [3]),
    lambda s, o: s.SequentialLR(o, [s.ReduceLROnPlateau(o), s.StepLR(o, 2)], [3]),
    lambda s, o: s.ChainedScheduler([]),
    lambda s, o: s.ChainedScheduler([3]),
]


@pytest.mark.parametrize("number", range(len(ERRORS)))
def test_errors_are_pytorchs(number: int) -> None:
    mine, their = optimizers()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(Exception) as theirs:
            ERRORS[number](torch.optim.lr_scheduler, their)
        with pytest.raises(theirs.type) as ours:
            ERRORS[number](lr_scheduler, mine)
    if theirs.type is not AttributeError:
        assert str(theirs.value) in str(ours.value)


def test_swa_rates() -> None:
    for settings in (dict(anneal_epochs=4), dict(anneal_epochs=0), dict(anneal_epochs=3, anneal_strategy="linear")):
        mine, their = optimizers()
        a, b = swa_utils.SWALR(mine, 0.02, **settings), torch.optim.swa_utils.SWALR(their, 0.02, **settings)
        for _ in range(8):
            for x in (mine, their, a, b):
                x.step()
            close(a.get_last_lr(), b.get_last_lr())
        close(a.state_dict(), b.state_dict())


@pytest.mark.parametrize("settings", ["", "ema", "swa", "avg"])
def test_averaged_models(settings: str) -> None:
    def options(library: Any) -> dict[str, Any]:
        return {
            "": {}, "ema": {"multi_avg_fn": library.get_ema_multi_avg_fn(0.9)}, "swa": {"multi_avg_fn": library.get_swa_multi_avg_fn()},
            "avg": {"avg_fn": lambda a, b, n: a * 0.5 + b * 0.5},
        }[settings]  # fmt: skip

    class Ours(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(wrap(np.ones(3)))
            self.register_buffer("b", wrap(np.zeros(2)))

    class Theirs(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = torch.nn.Parameter(torch.ones(3, dtype=torch.float64))
            self.register_buffer("b", torch.zeros(2, dtype=torch.float64))

    mine, their = Ours(), Theirs()
    a = swa_utils.AveragedModel(mine, **options(swa_utils))
    b = torch.optim.swa_utils.AveragedModel(their, **options(torch.optim.swa_utils))
    for step in range(5):
        values = np.random.RandomState(step).randn(5)
        mine.w._a[...], mine.b._a[...] = values[:3], values[3:]
        with torch.no_grad():
            their.w.copy_(torch.from_numpy(values[:3]))
            their.b.copy_(torch.from_numpy(values[3:]))
        a.update_parameters(mine)
        b.update_parameters(their)
    ours, theirs = a.state_dict(), b.state_dict()
    assert list(ours) == list(theirs)
    for key in theirs:
        np.testing.assert_allclose(ours[key]._a, theirs[key].numpy(), rtol=1e-13)
        assert str(ours[key].dtype).split(".")[1] == str(theirs[key].dtype).split(".")[1]
    assert dv.is_tensor(a.n_averaged)


@pytest.mark.parametrize("name", ["default", "get_ema_multi_avg_fn", "get_swa_multi_avg_fn"])
def test_averages_in_half_precision_have_pytorchs_bits(name: str) -> None:
    rng = np.random.RandomState(0)
    values = rng.randn(5, 6).astype(np.float16)

    def averaged(library: Any, module: Any, tensor: Any) -> list[float]:
        net = module.Linear(6, 1, bias=False)
        net.weight.data = tensor(values[:1].copy())
        options = {} if name == "default" else {"multi_avg_fn": getattr(library, name)()}
        mean = library.AveragedModel(net, **options)
        for row in values:
            net.weight.data = tensor(row[None].copy())
            mean.update_parameters(net)
        return mean.module.weight.tolist()

    assert averaged(swa_utils, nn, wrap) == averaged(torch.optim.swa_utils, torch.nn, torch.from_numpy)
