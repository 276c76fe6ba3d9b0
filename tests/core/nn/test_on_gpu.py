"""Every layer of the parity table on the stand-in for CuPy: the same results and gradients as on the CPU, all on the GPU."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import dovetail as dv
from tests.parity.layer_table import CASES, Case
from tests.support.cupy_standin import standin  # noqa: F401


def build(case: Case) -> Any:
    def given(value: Any) -> Any:
        return dv.tensor(value) if isinstance(value, np.ndarray) else value

    dv.manual_seed(11)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        layer = getattr(dv.nn, case.name)(*map(given, case.args), **{k: given(v) for k, v in case.kwargs.items()})
    return layer.double().eval() if case.random else layer.double()


def run(case: Case, layer: Any, device: str) -> list[Any]:
    """Results, gradients and buffers."""
    rng, leaves = np.random.default_rng(5), []

    def make(spec: Any) -> Any:
        if isinstance(spec, tuple):
            return tuple(map(make, spec))
        if not hasattr(spec, "make"):
            return spec
        t = dv.tensor(np.array(spec.make(rng))).to(device)
        if getattr(spec, "grad", False):
            leaves.append(t.requires_grad_())
        return t

    args, kwargs = [make(i) for i in case.inputs], {k: make(v) for k, v in case.call.items()}
    dv.manual_seed(2)
    out = layer(*args, **kwargs)
    outs = flat(out)
    for t in outs:
        if t.requires_grad:
            (t * t).sum().backward(retain_graph=True)
    grads = [t.grad for t in [*leaves, *layer.parameters()] if t.grad is not None]
    return outs + grads + list(layer.buffers())


def flat(out: Any) -> list[Any]:
    if isinstance(out, tuple | list):
        return [t for part in out for t in flat(part)]
    return [] if out is None else [out]


# what draws its first weights on the device itself cannot have the CPU's numbers
SHAPED_LATER = [case for case in CASES if case.name.startswith("Lazy")]
ROWS = [case for case in CASES if not case.construct_only and case not in SHAPED_LATER]


@pytest.mark.parametrize("case", ROWS, ids=str)
def test_as_on_the_cpu(case: Case, standin: Any) -> None:
    here = run(case, build(case), "cpu")
    there = run(case, build(case).to("cuda"), "cuda")
    assert len(here) == len(there) and all(t.is_cuda for t in there)
    for a, b in zip(here, there, strict=True):
        np.testing.assert_allclose(b.detach().cpu().numpy(), a.detach().numpy(), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("case", SHAPED_LATER, ids=str)
def test_lazy_layers_take_their_device(case: Case, standin: Any) -> None:
    layer = build(case).to("cuda")
    assert all(t.is_cuda for t in run(case, layer, "cuda")) and all(p.is_cuda for p in layer.parameters())
