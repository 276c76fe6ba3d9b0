"""Kernels from outside replace an op's reference by device and type, atomically, and may decline."""

from __future__ import annotations

import numpy as np
import pytest

import dovetail as dv
from dovetail.errors import NameClashError, PluginError, UnknownNameError
from dovetail.ops._op import OPS
from dovetail.ops.kernels import Kernel, install, remove


@pytest.fixture
def calls():
    seen = []
    dv.ones(1) + 1  # kernels of plugins are in their places now; those that the tests replace make room for them
    names = ("mul", "tanh", "matmul")
    before = {name: OPS[name].table.pop(("cpu", np.dtype("f4")), None) for name in names}
    for name in names:
        remove(name, "cpu", (dv.float32,))
    yield seen
    for name, impl in before.items():
        remove(name, "cpu", (dv.float32,))
        if impl is not None:  # as it was, with its gradient and its form in place
            record, kind = OPS[name], np.dtype("f4")
            record.table["cpu", kind] = impl
            if kind in record.fast:
                record.fast[kind] = impl


def test_a_kernel_serves_its_type_only(calls) -> None:
    install("mul", "cpu", (dv.float32,), lambda a, b: calls.append("mul") or a * b)
    x = dv.ones(2, requires_grad=True)
    (x * 3).sum().backward()
    assert x.grad.tolist() == [3, 3] and calls == ["mul", "mul"]  # once forward, once in the gradient rule
    dv.ones(2, dtype=dv.float64) * 3
    assert len(calls) == 2


def test_forward_and_gradient_are_one_set(calls) -> None:
    def rule(g, out):
        calls.append("rule")
        return g * 100

    install("tanh", "cpu", (dv.float32,), Kernel(lambda a: a * 0, rule))
    x = dv.ones(2, requires_grad=True)
    y = x.tanh()
    remove("tanh", "cpu", (dv.float32,))
    y.sum().backward()  # the node chose its set when it was made
    assert y.tolist() == [0, 0] and x.grad.tolist() == [100, 100] and calls == ["rule"]


def test_a_kernel_may_decline(calls) -> None:
    install("tanh", "cpu", (dv.float32,), Kernel(lambda a: NotImplemented, lambda g, out: g * 100))
    x = dv.zeros(2, requires_grad=True)
    y = x.tanh()
    y.sum().backward()
    assert y.tolist() == [0, 0] and x.grad.tolist() == [1, 1]


def test_half_types_take_their_own_kernel_then_that_of_float32(calls) -> None:
    x = dv.full((2,), 0.5, dtype=dv.bfloat16)
    install("tanh", "cpu", (dv.float32,), lambda a: calls.append(("float32", a.dtype.name)) or a)
    assert x.tanh().dtype == dv.bfloat16
    install("tanh", "cpu", (dv.bfloat16,), lambda a: calls.append(("bfloat16", a.dtype.name)) or a)
    try:
        x.tanh()
    finally:
        remove("tanh", "cpu", (dv.bfloat16,))
    assert calls == [("float32", "float32"), ("bfloat16", "float32")]  # computed in float32 either way


def test_claims_clash_and_must_name_an_op(calls) -> None:
    install("matmul", "cpu", (dv.float32,), lambda a, b: a @ b)
    with pytest.raises(NameClashError, match="matmul on cpu for float32 already has a kernel"):
        install("matmul", "cpu", (dv.float32,), lambda a, b: a @ b)
    with pytest.raises(UnknownNameError, match="there is no op named 'frobnicate'"):
        install("frobnicate", "cpu", (dv.float32,), lambda a: a)


@pytest.mark.parametrize(
    ("device", "dtypes", "kernel", "kind", "text"),
    [
        ("cpu", ("float32",), 3, TypeError, "the kernel for mul is int; expected a function on raw arrays"),
        ("gpu", ("float32",), len, ValueError, "names the device 'gpu'; expected 'cpu' or 'cuda'"),
        ("cpu", ("floot32",), len, TypeError, "floot32"),
        ("cpu", ("float32",), Kernel(len, lambda g, nonsense: g), TypeError, r"unknown names \['nonsense'\]"),
    ],
)
def test_a_claim_that_is_wrong_says_so(device, dtypes, kernel, kind, text) -> None:
    with pytest.raises(kind, match=text):
        install("mul", device, dtypes, kernel)


def test_claims_that_fail_for_one_reason_warn_once(monkeypatch) -> None:
    from dovetail import plugins
    from dovetail.ops import kernels
    from dovetail.plugins.manager import KernelClaim

    def load(target, plugin):
        raise PluginError("load", f"it failed while importing {target}") from ImportError("no module _native")

    monkeypatch.setattr(kernels, "_installed", False)
    claims = [KernelClaim(op, "cpu", ("float32",), f"x:{op}", "faulty") for op in ("mul", "add", "tanh")]
    monkeypatch.setattr(plugins, "kernels_for_core", lambda: claims)
    monkeypatch.setattr(plugins, "load_target", load)
    with pytest.warns(RuntimeWarning, match="kernel for mul and 2 other ops was left out, .* importing x:mul") as seen:
        kernels.install_claimed()
    assert len(seen) == 1


def test_a_faulty_claim_of_a_plugin_warns_and_the_reference_serves(monkeypatch) -> None:
    from dovetail import plugins
    from dovetail.ops import kernels
    from dovetail.plugins.manager import KernelClaim

    claim = KernelClaim("mul", "cpu", ("floot32",), "math:sqrt", "faulty")
    monkeypatch.setattr(kernels, "_installed", False)
    monkeypatch.setattr(plugins, "kernels_for_core", lambda: [claim])
    monkeypatch.setattr(plugins, "load_target", lambda target, plugin: len)
    with pytest.warns(RuntimeWarning, match="plugin faulty: its kernel for mul was left out, and the reference serves: .*floot32"):
        kernels.install_claimed()
    assert (dv.ones(1) * 3).item() == 3


def test_a_kernel_may_serve_the_form_in_place() -> None:
    """It is asked where the tensor's own array would be written over, and may decline."""
    asked = []

    def into(input, *_):
        asked.append(input.shape)
        if input.size == 1:
            return NotImplemented
        input[...] = 7
        return input

    kernel = Kernel(lambda input: np.expm1(input), into=into)
    install("expm1", "cpu", (dv.float64,), kernel)
    try:
        x, y, z = dv.zeros(2, dtype=dv.float64), dv.zeros(1, dtype=dv.float64), dv.zeros(2)
        assert x.expm1_().tolist() == [7, 7] and y.expm1_().tolist() == [0] and z.expm1_().tolist() == [0, 0]
        assert asked == [(2,), (1,)] and x._version == 1
        w = dv.ones(2, dtype=dv.float64, requires_grad=True)
        (w * 1).expm1_().sum().backward()
        assert w.grad.tolist() == [8, 8]  # by the op's own rule, of what the kernel wrote
    finally:
        remove("expm1", "cpu", (dv.float64,))
    assert dv.zeros(2, dtype=dv.float64).expm1_().tolist() == [0, 0]
