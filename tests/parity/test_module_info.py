"""PyTorch's own table of modules (`module_db`): its inputs given to our modules, results, gradients, buffers and states compared."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("expecttest", reason="PyTorch's tables of tests import it (make parity installs it)")

from torch.testing._internal.common_modules import module_db

import dovetail as dv
from tests.parity.both import category
from tests.parity.known import KNOWN_MODULES
from tests.parity.translate import attempted, leaves_of, same, to_ours

pytestmark = pytest.mark.parity

TABLE = [info for info in module_db if info.module_cls.__module__.startswith("torch.nn.")]
NAMES = [info.module_cls.__name__ for info in TABLE]
TOLERANCE = {torch.float64: 1e-9, torch.float32: 5e-5, torch.complex128: 1e-9, torch.bfloat16: 0.06, torch.float16: 0.01}
FEW = 4  # samples of each entry, type and mode, spread over what there are


def samples(info: Any, dtype: Any, few: int = FEW) -> Iterator[tuple[bool, Any]]:
    """Some inputs of an entry, in training and where that differs in evaluation."""
    for training in (True, False) if info.train_and_eval_differ else (True,):
        torch.manual_seed(0)
        given = list(info.module_inputs_func(info, "cpu", dtype, True, training))
        for i in np.unique(np.linspace(0, len(given) - 1, few).astype(int)):
            yield training, given[i]


def made(info: Any, given: Any, dtype: Any, training: bool) -> tuple[Any, Any]:
    """Our module and theirs, made from one seed."""
    pair = []
    for lib, tr in ((dv, to_ours), (torch, lambda v: v)):
        lib.manual_seed(3)
        module = getattr(lib.nn, info.module_cls.__name__)(*tr(given.constructor_input.args), **tr(given.constructor_input.kwargs))
        pair.append(module.to(tr(dtype)).train(training))
    return pair[0], pair[1]


def fresh(value: Any, change: Callable[[Any], Any] = lambda t: t) -> Any:
    """The inputs as leaves of a graph of their own, each changed."""
    if isinstance(value, torch.Tensor):
        return change(value.detach()).requires_grad_(value.requires_grad)
    if isinstance(value, torch.nn.utils.rnn.PackedSequence):
        return type(value)(*(fresh(part) for part in value))
    if isinstance(value, dict):
        return {k: fresh(v, change) for k, v in value.items()}
    return type(value)(fresh(v, change) for v in value) if isinstance(value, tuple | list) else value


def scattered(t: Any) -> Any:
    """The same values with gaps between them in memory (whole numbers stay: PyTorch's CTC loss reads past the gaps)."""
    return torch.stack([t, t], -1)[..., 0] if t.dim() and t.is_floating_point() else t


def outcome(lib: Any, module: Any, args: Any, kwargs: Any) -> dict[str, Any]:
    """Results, gradients of inputs and parameters, and buffers afterwards."""
    lib.manual_seed(5)
    outs = leaves_of(module(*args, **kwargs))
    total = 0
    for out in (t for t in outs if t.requires_grad):
        weights = np.random.default_rng(7).uniform(0.5, 1.5, tuple(out.shape))
        part = (out * lib.tensor(weights).to(out.dtype)).sum()
        total = total + (part.real + part.imag if part.is_complex() else part)
    if not isinstance(total, int):
        total.backward()
    return {
        "results": outs,
        "gradients of inputs": [t.grad for t in leaves_of((args, kwargs)) if t.requires_grad],
        "gradients": {name: p.grad for name, p in module.named_parameters()},
        "buffers": dict(module.named_buffers()),
        "the next random number": float(lib.rand(1)),
    }


def judge(info: Any, dtype: Any, few: int = FEW, change: Callable[[Any], Any] = lambda t: t) -> None:
    tol = TOLERANCE[dtype]
    for training, given in samples(info, dtype, few):
        mine, theirs = made(info, given, dtype, training)
        args, kwargs = fresh(given.forward_input.args, change), fresh(given.forward_input.kwargs, change)
        own_args, own_kwargs = to_ours((args, kwargs))
        expected = attempted(lambda m=theirs, a=args, k=kwargs: outcome(torch, m, a, k))
        found = attempted(lambda m=mine, a=own_args, k=own_kwargs: outcome(dv, m, a, k))
        if isinstance(expected, Exception):
            if not (isinstance(expected, NotImplementedError) and "not implemented for" in str(expected)):
                assert isinstance(found, category(expected)), f"{given.desc}: {found!r}; PyTorch {expected!r}"
            continue
        if isinstance(found, Exception):
            raise AssertionError(f"{given.desc}: we raise {found!r}") from found
        for what, value in expected.items():
            same(found[what], value, f"{given.desc or 'sample'}, {what}", tol)


@pytest.mark.parametrize("info", TABLE, ids=NAMES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
def test_computes_alike(info: Any, dtype: Any) -> None:
    judge(info, dtype)


@pytest.mark.parametrize("info", TABLE, ids=NAMES)
def test_other_types(info: Any) -> None:
    for dtype in (torch.bfloat16, torch.complex128):
        known = (info.module_cls.__name__, str(dtype)) in KNOWN_MODULES
        if not known and (dtype == torch.bfloat16 or dtype in info.dtypes):
            judge(info, dtype, few=2)


@pytest.mark.parametrize("info", TABLE, ids=NAMES)
def test_inputs_with_gaps(info: Any) -> None:
    judge(info, torch.float64, few=2, change=scattered)


@pytest.mark.parametrize("info", TABLE, ids=NAMES)
def test_state_repr_and_copies(info: Any) -> None:
    for training, given in samples(info, torch.float32, few=2):
        mine, theirs = made(info, given, torch.float32, training)
        assert re.sub(r"\bdovetail\.", "", repr(mine)) == re.sub(r"\btorch\.", "", repr(theirs))
        assert [n for n, _ in mine.named_modules()] == [n for n, _ in theirs.named_modules()]
        if not info.is_lazy:
            same(dict(mine.state_dict()), dict(theirs.state_dict()), "state", 1e-6)
            twin = copy.deepcopy(mine)
            assert twin.training == training and twin.load_state_dict(mine.double().float().state_dict())
            same(list(twin.parameters()), list(theirs.parameters()), "copy", 1e-6)
