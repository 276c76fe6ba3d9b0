"""Every row of every op: values, types, layouts, gradients, errors, in-place forms and the CUDA path on CuPy's stand-in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dovetail as dv
from dovetail.autograd.functional import grad
from dovetail.autograd.node import Tensor, wrap
from dovetail.dtypes import result_dtype
from dovetail.errors import DovetailError
from dovetail.ops._op import OPS
from dovetail.testing.samples.calls import (
    ROWS,
    Made,
    arrays,
    declared,
    fill,
    flat,
    flat_tree,
    free,
    function,
    inputs,
    layouts,
    named,
    public,
    reference,
    shaped,
    tensor,
    tree,
    typed,
    wants_grad,
    wants_grad2,
)  # fmt: skip
from dovetail.testing.samples.row import Row, Spec, T
from tests.support.cupy_standin import install

from .checks import EPS, alike, check_gradient, check_second, cotangents, differentiable, gradients, kept_apart, unkept


def each(applies: Callable[[Row], bool]) -> Any:
    """Parametrise over the rows to which a check applies."""
    return pytest.mark.parametrize("row", [pytest.param(r, id=r.id) for r in ROWS if applies(r)])


def tensors(row: Row) -> list[Any]:
    return flat_tree(arrays(row), Made)


def tolerance(row: Row, dtype: Any) -> float:
    """The row's tolerance for a type: its own, where it declares one."""
    own = row.tol if isinstance(row.tol, tuple) else (row.tol, None)
    found = own[0] if dtype in (np.float64, np.complex128) else own[1] if dtype in (np.float32, np.complex64) else None
    return EPS.get(np.dtype(dtype).name, 0.0) if found is None else found


def agree(row: Row, given: Any, what: str) -> list[Any]:
    """Run a row on these arguments, compare with the reference and return our results."""
    args, kwargs, _ = inputs(row, given, grad=False)
    outs = flat(function(row)(*args, **kwargs))
    wide = tree(given, Made, lambda m: Made(spec=m.spec, array=m.array.astype(np.float64) if m.array.dtype.kind == "f" else m.array))
    wants = reference(row, wide)
    assert len(outs) == len(wants), f"{len(outs)} results, the reference has {len(wants)}"
    for k, (o, w) in enumerate(zip(outs, wants, strict=True)):
        a = o._a if isinstance(o, Tensor) else o
        with named(row, what):
            alike(a, w, f"result {k}", tolerance(row, a.dtype), dtype=what != "types")
    return outs


# --- values --------------------------------------------------------------------------------------------------------


@each(lambda r: r.ref is not None)
def test_forward(row: Row) -> None:
    agree(row, arrays(row), "as it stands")
    if free(arrays(row)):
        agree(row, typed(arrays(row), lambda k: "float32"), "in float32")


@each(lambda r: r.broadcast)
def test_broadcasting(row: Row) -> None:
    specs = [m.spec for m in tensors(row)]
    assert len(specs) > 1, "broadcast=True is for ops of several tensors"
    for other in ((1,), (), (4,), (3, 1), (1, 4), (2, 1, 4)):
        for turn in (0, 1):
            given = shaped(row, lambda k, s: other if k == turn else (3, 4))  # noqa: B023
            with named(row, f"shape {other} at position {turn}"):
                if row.ref is not None:
                    agree(row, given, "broadcast")
                args, kwargs, leaves = inputs(row, given)
                if leaves:
                    check_gradient(lambda: function(row)(*args, **kwargs), leaves)  # noqa: B023


@each(lambda r: r.empty)
def test_zero_size(row: Row) -> None:
    first = tensors(row)[0].spec.shape
    empty = (0, *first[1:])
    assert first, "empty=True needs a first argument with dimensions"
    given = shaped(row, lambda k, s: empty if k == 0 or s == first else s)
    if row.ref is not None:
        agree(row, given, "zero-size")
    args, kwargs, leaves = inputs(row, given)
    result = function(row)(*args, **kwargs)
    if leaves and differentiable(result):
        for x, g in zip(leaves, gradients(result, leaves), strict=True):
            assert g is None or (g._a.shape == x._a.shape and not np.isnan(g._a).any())


@each(lambda r: any(m.array.ndim for m in tensors(r)))
def test_layouts(row: Row) -> None:
    """Transposed, strided and reversed inputs give the values and gradients of contiguous ones."""
    call = function(row)
    for name, layout in {"contiguous": np.array, **layouts}.items():
        args, kwargs, leaves = inputs(row, move=layout)
        if name == "reversed" and not any(t._a.ndim for t in flat_tree((args, kwargs), Tensor)):
            continue
        result = call(*args, **kwargs)
        values = [o._a.copy() if isinstance(o, Tensor) else o for o in flat(result)]
        found = [None if g is None else g._a for g in gradients(result, leaves)] if leaves and differentiable(result) else []
        if name == "contiguous":
            wants, want_grads = values, found
            continue
        with named(row, f"{name} inputs"):
            for k, (a, w) in enumerate(zip(values, wants, strict=True)):
                alike(a, w, f"result {k}", 1e-11)
            for k, (g, w) in enumerate(zip(found, want_grads, strict=True)):
                assert (g is None) == (w is None)
                if g is not None:
                    alike(g, w, f"gradient {k}", 1e-10)


# --- types ---------------------------------------------------------------------------------------------------------

_ALONE = ("bool", "uint8", "int32", "int64", "float16", "float32", "float64")
_MIXED = (
    ("float32", "int64"), ("int64", "float32"), ("float16", "float32"), ("float32", "float64"), ("uint8", "int8"), ("bool", "int32"),
    ("float16", "int64"), ("int32", "float64"), ("bool", "float32"),
)  # fmt: skip


def common_types(row: Row, given: Any) -> list[Any]:
    """The common type of the arguments that the op promotes, Python numbers among them.

    Of a public function around the op the numbers may or may not take part: both answers are returned, tests/parity decides.
    """
    args, kwargs, _ = inputs(row, given, grad=False)
    found = public(row)
    record = getattr(found[1], "op", None) if found else OPS.get(row.op)
    if record is not None and record.name == row.op:
        bound = record.bind(tuple(args), kwargs)
        values: list[Any] = []
        for i in record.arrays:
            values += list(bound[i]) if isinstance(bound[i], list | tuple) else [bound[i]]
        return [result_dtype([v._a if isinstance(v, Tensor) else v for v in values])]
    free_ones = [m.array for m in flat_tree(given, Made) if m.spec.free]
    numbers = [v for v in (*args, *kwargs.values()) if isinstance(v, int | float)]
    return [result_dtype(free_ones), result_dtype([*free_ones, *numbers])]


@each(lambda r: free(arrays(r)) > 0 and declared(r) is not None)
def test_types(row: Row) -> None:
    """Each type and mixture gives the type that the declared class says; float16 is float32 rounded once."""
    given, kind, call = arrays(row), declared(row), function(row)
    args, kwargs, _ = inputs(row, given, grad=False)
    follows = [o.dtype in (dv.float64, dv.complex128) for o in flat(call(*args, **kwargs))]
    mixtures = [(n,) for n in _ALONE] + (list(_MIXED) if free(given) > 1 else [])
    if public(row) is None:  # a helper only ever gets what its op passes on
        mixtures = [m for m in mixtures if all(n.startswith("float") for n in m)]
    for mixture in mixtures:
        changed = typed(given, lambda k: mixture[k % len(mixture)])  # noqa: B023
        with named(row, f"types {mixture}"):
            _check_types(row, changed, kind, follows, call, mixture)


def _check_types(row: Row, given: Any, kind: str | None, follows: list[bool], call: Any, mixture: tuple[str, ...]) -> None:
    commons = common_types(row, given)
    common = commons[0]
    floating = common.is_floating_point or common.is_complex
    args, kwargs, _ = inputs(row, given, grad=False)
    if kind == "floating" and not floating:
        with pytest.raises(RuntimeError):
            call(*args, **kwargs)
        return
    try:
        outs = flat(call(*args, **kwargs))
    except DovetailError:
        assert not floating or len(set(mixture)) > 1, f"{mixture[0]} is refused"
        return  # integers, bools or mixtures that an op refuses: tests/parity holds which ones
    accepted = set(commons)
    if not floating:
        accepted = {dv.get_default_dtype()} if kind == "float" else {*commons, dv.int64} if kind == "promote" else accepted
    for o, follow in zip(outs, follows, strict=True):  # of integers: sums and their kin are int64
        if follow and isinstance(o, Tensor):
            real = o.dtype.to_real() if o.dtype.is_complex else o.dtype
            assert real in accepted, f"the result is {o.dtype}, expected {' or '.join(map(str, accepted))}"
    if floating and row.ref is not None:
        agree(row, given, "types")
    inside = row.op == "xlogy"  # its logarithm is rounded too, as PyTorch's; tests/parity/test_promotion.py holds it to the last bit
    if mixture == ("float16",) and common is dv.float16 and not inside:
        raised = tree(given, Made, lambda m: Made(spec=m.spec, array=m.array.astype("f4") if m.array.dtype == np.float16 else m.array))
        args, kwargs, _ = inputs(row, raised, grad=False)
        for o, w, follow in zip(outs, flat(call(*args, **kwargs)), follows, strict=True):
            if follow:
                with np.errstate(over="ignore"):
                    np.testing.assert_array_equal(o._a, w._a.astype(np.float16), err_msg="not float32 rounded once")


# --- gradients -----------------------------------------------------------------------------------------------------


@each(wants_grad)
def test_gradient(row: Row) -> None:
    args, kwargs, leaves = inputs(row)
    assert leaves, "grad=True needs a floating tensor"
    check_gradient(lambda: function(row)(*args, **kwargs), leaves)


@each(lambda r: wants_grad(r) and wants_grad2(r))
def test_second_gradient(row: Row) -> None:
    args, kwargs, leaves = inputs(row)
    check_second(lambda: function(row)(*args, **kwargs), leaves)


@each(wants_grad)
def test_no_kept_value_is_a_gradient(row: Row) -> None:
    args, kwargs, leaves = inputs(row)
    result = function(row)(*args, **kwargs)
    outs = differentiable(result)
    before = [o._a.copy() for o in outs]
    with kept_apart(outs):
        gradients(result, leaves)
    for o, b in zip(outs, before, strict=True):
        np.testing.assert_array_equal(o._a, b, err_msg="the backward pass changed a result")


@each(wants_grad)
def test_keeps_only_what_a_rule_names(row: Row) -> None:
    def fresh(m: Made) -> Tensor:
        t = tensor(np.array(m.array), m.spec.grad)
        if m.spec.grad:  # not a leaf, so that nothing but the op can hold the array
            t = dv.Tensor.clone(t)
        return t

    args, kwargs, made = fill(arrays(row), fresh)
    call = function(row)
    alive = unkept(call, args, kwargs, made)
    assert not alive, f"the arrays {alive} outlive the call, though no rule asked for them"


# --- in-place forms ------------------------------------------------------------------------------------------------


def inplace_form(row: Row) -> str | None:
    """The name of the in-place method beside a row's function, where there is one and the first argument is a tensor."""
    found = public(row)
    if found is None or not row.args or not isinstance(row.args[0], T) or found[0].endswith("_"):
        return None
    name = found[0].rpartition(".")[2] + "_"
    return name if hasattr(dv.Tensor, name) and not found[0].startswith(("nn.", "linalg.", "fft.")) else None


@each(lambda r: inplace_form(r) is not None)
def test_inplace(row: Row) -> None:
    """The in-place form gives the values and gradients of the other, in the tensor it was called on."""
    args, kwargs, leaves = inputs(row)
    want = function(row)(*args, **kwargs)
    first, *rest = args
    target = first.clone()
    version = target._version
    call = getattr(target, inplace_form(row) or "")
    if want.shape != first.shape or want.dtype != first.dtype:
        try:
            got = call(*rest, **kwargs)
        except RuntimeError:
            return
        if want.shape == first.shape:
            assert got is target and got.dtype == first.dtype
            return
    else:
        got = call(*rest, **kwargs)
    assert got is target and target._version > version
    alike(got._a, want._a, "in-place value")
    if leaves:
        for k, (g, w) in enumerate(zip(gradients(got, leaves), gradients(want, leaves), strict=True)):
            assert (g is None) == (w is None), f"gradient {k}: {g} in place, {w} else"
            if g is not None:
                alike(g._a, w._a, f"gradient {k} in place", 1e-10)


# --- errors --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "error"), [pytest.param(r, e, id=f"{r.id}-{k}") for r in ROWS for k, e in enumerate(r.errors)]
)  # fmt: skip
def test_error(row: Row, error: tuple[Any, ...]) -> None:
    given, kwargs, kind, text = error
    args, kwargs, _ = inputs(row, arrays(row, given, kwargs), grad=False)
    with pytest.raises(kind) as caught:
        function(row)(*args, **kwargs)
    assert type(text) is str and text and text in str(caught.value), f"{str(caught.value)!r} does not say {text!r}"
    assert isinstance(caught.value, DovetailError), f"{type(caught.value).__name__} is not one of dovetail's errors"


# --- the CUDA path -------------------------------------------------------------------------------------------------


@each(lambda r: bool(flat_tree((list(r.args), r.kwargs), Spec)))
def test_on_cuda(row: Row) -> None:
    """On CuPy's stand-in: the values and gradients of the CPU, on the device, without a copy to the host unasked."""
    call = function(row)
    args, kwargs, leaves = inputs(row)
    result = call(*args, **kwargs)
    want = flat(result)
    want_grads = gradients(result, leaves) if leaves and differentiable(result) else []
    with install() as standin:
        args, kwargs, leaves = inputs(row, move=standin.cupy.array)
        if row.sync:
            got = flat(call(*args, **kwargs))
            assert standin.host_copies + standin.synchronizations, "sync=True, yet nothing waits for the GPU"
        else:
            with standin.no_host_copies():
                result = call(*args, **kwargs)
            got = flat(result)
        for k, (o, w) in enumerate(zip(got, want, strict=True)):
            if isinstance(w, Tensor):
                assert isinstance(o._a, standin.cupy.ndarray), f"result {k} has left the GPU"
                alike(o._a.get(), w._a, f"result {k}", 1e-11)
            else:
                alike(o, w, f"result {k}", 1e-11)
        if want_grads:
            _device_gradients(row, standin, got, leaves, want_grads)


@each(lambda r: inplace_form(r) is not None)
def test_inplace_on_cuda(row: Row) -> None:
    """In-place forms and accumulated gradients on the device equal those of the CPU."""

    def run(move: Any) -> tuple[Tensor, list[Tensor]] | type:
        args, kwargs, leaves = inputs(row, move=move)
        first, *rest = args
        try:
            made = getattr(first.clone(), inplace_form(row) or "")(*rest, **kwargs)
        except RuntimeError as error:
            return type(error)
        if leaves:
            made.backward(made.detach().clone())
        return made, leaves

    want = run(np.array)
    with install() as standin:
        got = run(standin.cupy.array)
        if isinstance(want, type) or isinstance(got, type):
            assert want is got
            return
        alike(got[0]._a.get(), want[0]._a, "in-place value", 1e-11)
        for k, (x, y) in enumerate(zip(got[1], want[1], strict=True)):
            assert (x.grad is None) == (y.grad is None)
            if y.grad is not None:
                alike(x.grad._a.get(), y.grad._a, f"gradient {k}", 1e-10)


def _device_gradients(row: Row, standin: Any, got: list[Any], leaves: list[Tensor], want: list[Any]) -> None:
    outs = [o for o in got if isinstance(o, Tensor) and o._n is not None]
    ws = cotangents([np.empty(o._a.shape, o._a.dtype) for o in outs])
    seeds = [wrap(standin.cupy.array(w)) for w in ws]
    if row.sync:
        found = grad(outs, leaves, seeds, allow_unused=True)
    else:
        with standin.no_host_copies():
            found = grad(outs, leaves, seeds, allow_unused=True)
    for k, (g, w) in enumerate(zip(found, want, strict=True)):
        assert (g is None) == (w is None)
        if g is not None:
            assert isinstance(g._a, standin.cupy.ndarray), f"gradient {k} has left the GPU"
            alike(g._a.get(), w._a, f"gradient {k}", 1e-10)
