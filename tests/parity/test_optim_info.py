"""PyTorch's own table of optimizers (`optim_db`): settings, flags, groups, closures, states and errors of each compared step by step."""

from __future__ import annotations

import copy
import re
import warnings
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("expecttest", reason="PyTorch's tables of tests import it (make parity installs it)")

from torch.testing._internal.common_optimizers import OptimizerErrorEnum, optim_db

import dovetail as dv
from tests.parity.both import category
from tests.parity.translate import attempted, leaves_of, same, to_ours

pytestmark = pytest.mark.parity

NAMES = [info.optim_cls.__name__ for info in optim_db]
TOLERANCE = {torch.float64: 1e-7, torch.float32: 5e-5, torch.complex64: 5e-5}
SETTINGS = [(info, given) for info in optim_db for given in info.optim_inputs_func("cpu")]
IDS = [f"{info.optim_cls.__name__}-{given.desc}" for info, given in SETTINGS]


def own(info: Any) -> Any:
    return getattr(dv.optim, info.optim_cls.__name__)


def parameters(info: Any, dtype: Any) -> list[Any]:
    torch.manual_seed(0)
    shapes = [(3, 4), (2, 3)] if info.optim_cls.__name__ == "Muon" else [(3, 4), (2, 3), (5,), ()]
    return [torch.nn.Parameter(torch.randn(shape, dtype=dtype)) for shape in shapes]


def gradients(info: Any, params: list[Any], sparse: bool) -> list[list[Any]]:
    if sparse:
        at = torch.tensor([[0, 1, 0]])
        return [[torch.sparse_coo_tensor(at, torch.randn(3, *p.shape[1:], dtype=p.dtype), p.shape) for p in params[:2]] for _ in range(4)]
    return [[torch.randn_like(p) for p in params] for _ in range(4)]


def grouped(params: list[Any], how: str) -> Any:
    if how == "groups":
        return [{"params": params[:1], "lr": 0.05}, {"params": params[1:]}]
    return [(f"p{i}", p) for i, p in enumerate(params)] if how == "names" else params


def course(lib: Any, cls: Any, params: list[Any], grads: list[list[Any]], kwargs: dict[str, Any], how: str, closure: bool) -> list[Any]:
    """What four steps leave behind, the state saved and loaded into a new optimizer after the second."""
    optimizer, seen = cls(grouped(params, how), **kwargs), []
    seen.append(re.sub(r"\b(torch|dovetail)\.", "", repr(optimizer)))

    def evaluate() -> Any:
        optimizer.zero_grad()
        loss = sum(((p - g).abs() ** 2).sum() for p, g in zip(params, grads[0], strict=True))
        loss.backward()
        return loss

    for number, given in enumerate(grads):
        if not closure:
            for p, g in zip(params, given, strict=True):
                p.grad = g
        seen.append(optimizer.step(evaluate).detach() if closure else optimizer.step())
        seen.append([p.detach().clone() for p in params])
        if number == 1:
            saved = copy.deepcopy(optimizer.state_dict())
            optimizer = cls(grouped(params, how), **kwargs)
            optimizer.load_state_dict(saved)
    return seen if closure else [*seen, optimizer.state_dict()]  # LBFGS keeps a buffer of its own, "al", among its state


def judge(info: Any, settings: dict[str, Any], dtype: Any = torch.float64, how: str = "", sparse: bool = False) -> None:
    params = parameters(info, dtype)
    grads = gradients(info, params, sparse)
    params = params[: len(grads[0])]
    mine, own_grads, own_settings = to_ours(params), to_ours(grads), to_ours(settings)
    closure = info.step_requires_closure
    expected = attempted(lambda: course(torch, info.optim_cls, params, grads, copy.deepcopy(settings), how, closure))
    found = attempted(lambda: course(dv, own(info), mine, own_grads, own_settings, how, closure))
    if isinstance(expected, Exception):
        assert isinstance(found, category(expected)), f"{found!r}; PyTorch {expected!r}"
        return
    if isinstance(found, Exception):
        raise AssertionError(f"we raise {found!r}") from found
    for number, (a, b) in enumerate(zip(found, expected, strict=True)):
        same(a, b, f"entry {number} of the course", TOLERANCE[dtype])


@pytest.mark.parametrize(("info", "given"), SETTINGS, ids=IDS)
@pytest.mark.parametrize("how", ["", "groups", "names"])
def test_steps(info: Any, given: Any, how: str) -> None:
    if info.step_requires_closure and how:
        pytest.skip("LBFGS takes one group")
    judge(info, given.kwargs, how=how, sparse=info.only_supports_sparse_grads)


@pytest.mark.parametrize(("info", "given"), SETTINGS, ids=IDS)
def test_flags(info: Any, given: Any) -> None:
    flags = [{name: True} for name in ("foreach", "fused") if name in info.supported_impls] + [{"foreach": True, "fused": True}]
    for flag in flags if "foreach" in info.supported_impls else ():
        if "fused" not in flag or "fused" in info.supported_impls:
            judge(info, {**given.kwargs, **flag}, torch.float32)
            if info.supports_complex:
                judge(info, {**given.kwargs, **flag}, torch.complex64)
    if info.supports_sparse and not info.only_supports_sparse_grads:
        judge(info, given.kwargs, sparse=True)


@pytest.mark.parametrize("info", optim_db, ids=NAMES)
def test_errors(info: Any) -> None:
    for bad in info.optim_error_inputs_func("cpu", torch.float32):
        given, found = bad.optimizer_error_input, {}
        seen: dict[int, Any] = {}
        for lib, cls, tr in ((torch, info.optim_cls, lambda v: v), (dv, own(info), lambda v: to_ours(v, seen))):  # noqa: B023
            params = [lib.nn.Parameter(lib.ones(2, 2))] if given.params is None else tr(given.params)
            for p, q in zip(leaves_of(params), leaves_of(given.params), strict=False):
                p.grad = p.grad if q.grad is None else tr(q.grad)
            with warnings.catch_warnings(), pytest.raises((Exception, Warning), match=bad.error_regex) as caught:
                warnings.simplefilter("error")
                optimizer = cls(params, **tr(given.kwargs))
                if bad.error_on is OptimizerErrorEnum.STEP_ERROR:
                    optimizer.step()
            found[lib] = caught.value
        kind = type(found[torch]) if isinstance(found[torch], Warning) else category(found[torch])
        assert isinstance(found[dv], kind), f"{given.desc}: {found[dv]!r}; PyTorch {found[torch]!r}"


@pytest.mark.parametrize("info", optim_db, ids=NAMES)
def test_schedules(info: Any) -> None:
    for k, _ in enumerate(info.scheduler_inputs):
        rates = []
        for lib, cls in ((torch, info.optim_cls), (dv, own(info))):
            p = lib.nn.Parameter(lib.ones(2, 2))
            optimizer = cls([p])
            schedules = [make(optimizer) for make in translated(lib, info.scheduler_inputs[k])]
            for _ in range(12):
                optimizer._opt_called = True
                for schedule in schedules:
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")
                        schedule.step(1.0) if type(schedule).__name__ == "ReduceLROnPlateau" else schedule.step()
                rates.append(float(optimizer.param_groups[0]["lr"]))
        half = len(rates) // 2
        same(rates[half:], rates[:half], "learning rates", 1e-12)


def translated(lib: Any, makers: list[Any]) -> list[Any]:
    """The lambdas of the table with the schedules of a library where they name PyTorch's."""
    names = {
        name: getattr(lib.optim.lr_scheduler, name) for name in torch.optim.lr_scheduler.__all__ if hasattr(lib.optim.lr_scheduler, name)
    }
    return [type(make)(make.__code__, {**make.__globals__, **names}) for make in makers]
