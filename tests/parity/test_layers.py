"""Every layer against PyTorch's: initial weights for one seed, repr, state dict, results, gradients, training and evaluation."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import dovetail as dv
from tests.parity.layer_table import CASES, Case

pytestmark = pytest.mark.parity
warnings.filterwarnings("ignore", module="torch")


def build(case: Case, lib: Any) -> Any:
    """The layer, made from a fixed seed; arrays among its arguments become tensors."""
    lib.manual_seed(11)

    def given(value: Any) -> Any:
        return lib.tensor(value) if isinstance(value, np.ndarray) else value

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(lib.nn, case.name)(*map(given, case.args), **{k: given(v) for k, v in case.kwargs.items()})


def inputs(case: Case, lib: Any) -> tuple[list[Any], dict[str, Any], list[Any]]:
    """The positional and named inputs, and those among them that get gradients."""
    rng = np.random.default_rng(5)
    leaves = []

    def make(spec: Any) -> Any:
        if isinstance(spec, tuple):
            return tuple(make(s) for s in spec)
        if not hasattr(spec, "make"):
            return spec
        t = lib.tensor(np.array(spec.make(rng)))
        if getattr(spec, "grad", False):
            t.requires_grad_()
            leaves.append(t)
        return t

    return [make(i) for i in case.inputs], {k: make(v) for k, v in case.call.items()}, leaves


def tensors(out: Any) -> list[Any]:
    """The tensors of a result, in order."""
    if isinstance(out, tuple | list):
        return [t for part in out for t in tensors(part)]
    return [] if out is None else [out]


def array(t: Any) -> np.ndarray:
    return np.asarray(t.detach().numpy())


def twins(case: Case) -> tuple[Any, Any]:
    """Ours and theirs in float64, with the weights of theirs (lazy ones after a first call)."""
    mine, theirs = build(case, dv).double(), build(case, torch).double()
    if case.name.startswith("Lazy"):
        for layer, lib in ((mine, dv), (theirs, torch)):
            lib.manual_seed(3)
            with lib.no_grad():
                layer.eval()(*inputs(case, lib)[0])
            layer.train()
    mine.load_state_dict({k: dv.tensor(array(v)) for k, v in theirs.state_dict().items()})
    return mine, theirs


def run(layer: Any, case: Case, lib: Any) -> tuple[list[np.ndarray], list[np.ndarray], list[Any], dict[str, np.ndarray]]:
    """Results, their types, gradients of inputs and parameters, buffers afterwards."""
    args, kwargs, leaves = inputs(case, lib)
    outs = tensors(layer(*args, **kwargs))
    floating = [t for t in outs if t.is_floating_point() and t.requires_grad]
    if floating:
        rng = np.random.default_rng(7)
        total = sum((t * lib.tensor(rng.uniform(0.5, 1.5, tuple(t.shape)))).sum() for t in floating)
        total.backward()
    grads = [p.grad for p in [*leaves, *layer.parameters()]]
    return [array(t) for t in outs], [t.requires_grad for t in outs], grads, {k: array(v) for k, v in layer.named_buffers()}


def close(mine: Any, theirs: Any, tol: float, what: str) -> None:
    mine, theirs = np.asarray(mine), np.asarray(theirs)
    assert mine.shape == theirs.shape, f"{what}: shapes {mine.shape} and {theirs.shape}"
    assert mine.dtype == theirs.dtype, f"{what}: types {mine.dtype} and {theirs.dtype}"
    np.testing.assert_allclose(mine, theirs, rtol=tol, atol=tol, err_msg=what)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_is_made_alike(case: Case) -> None:
    mine, theirs = build(case, dv), build(case, torch)
    assert repr(mine) == repr(theirs)
    if case.name.startswith("Lazy"):
        for layer, lib in ((mine, dv), (theirs, torch)):
            lib.manual_seed(3)
            with lib.no_grad():
                layer(*[t.float() for t in inputs(case, lib)[0]])
        assert repr(mine) == repr(theirs)
    ours, others = mine.state_dict(), theirs.state_dict()
    assert list(ours) == list(others)
    assert {k: v["version"] for k, v in ours._metadata.items()} == {k: v["version"] for k, v in others._metadata.items()}
    for key, value in others.items():
        assert tuple(ours[key].shape) == tuple(value.shape), key
        assert str(ours[key].dtype).partition(".")[2] == str(value.dtype).partition(".")[2], key
        if not case.name.startswith("Lazy"):  # what a lazy layer drew is compared where it was not changed by a forward
            np.testing.assert_array_max_ulp(array(ours[key]), array(value), 1)
    assert [n for n, _ in mine.named_parameters()] == [n for n, _ in theirs.named_parameters()]
    assert [p.requires_grad for p in mine.parameters()] == [p.requires_grad for p in theirs.parameters()]
    assert float(dv.rand(1)) == float(torch.rand(1)), "the random streams stand at different places"


RUNS = [(case, training) for case in CASES if not case.construct_only for training in ((False,) if case.random else (True, False))]


@pytest.mark.parametrize(("case", "training"), RUNS, ids=[f"{case}-{'train' if training else 'eval'}" for case, training in RUNS])
def test_computes_alike(case: Case, training: bool) -> None:
    mine, theirs = (layer.train(training) for layer in twins(case))
    outs, flags, grads, buffers = run(mine, case, dv)
    outs_, flags_, grads_, buffers_ = run(theirs, case, torch)
    assert len(outs) == len(outs_)
    for i, (a, b) in enumerate(zip(outs, outs_, strict=True)):
        close(a, b, case.tol, f"result {i}")
    assert flags == flags_
    for i, (a, b) in enumerate(zip(grads, grads_, strict=True)):
        assert (a is None) == (b is None), f"gradient {i}: {a} and {b}"
        if a is not None:
            close(array(a), array(b), case.tol, f"gradient {i}")
    for key, value in buffers_.items():
        close(buffers[key], value, case.tol, key)


def test_every_layer_has_a_row() -> None:
    named = {case.name for case in CASES}
    own = {n for n, v in vars(torch.nn).items() if isinstance(v, type) and issubclass(v, torch.nn.Module) and hasattr(dv.nn, n)}
    without = {
        "Module",
        "ModuleDict",
        "ModuleList",
        "ParameterDict",
        "ParameterList",
        "Sequential",
        "DataParallel",
    }  # in test_containers.py
    bases = {"RNNBase", "RNNCellBase", "TransformerDecoder", "TransformerEncoder"}  # rows of what is made of them
    assert own - named - without - bases == set()
