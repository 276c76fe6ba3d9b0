"""Checks of kernels: the same as the core's own reference on the sample rows of their op, forward and gradient."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ...ops._op import OPS
from ...ops.kernels import WHOLE, install, install_claimed, remove, update_table
from .case import Skip, Subject, check
from .model import tensors_of

__all__: list[str] = []

_INDIRECT = 12  # rows for an op that has none of its own
_TOLERANCE = {"float64": 1e-9, "complex128": 1e-9, "float32": 2e-5, "complex64": 2e-5, "float16": 5e-3, "bfloat16": 4e-2}


@check("kernels")
def its_op_is_there(subject: Subject) -> None:
    """The op, or the optimizer's update, that the kernel replaces exists."""
    op = subject.fields["op"]
    assert op in OPS or op in WHOLE or _optimizers(op), f"there is no op and no update named {op!r}"


def _optimizers(update: str) -> list[Any]:
    """The optimizers that step by this update."""
    from ... import optim

    classes = [getattr(optim, name) for name in optim.__all__]
    return [kind for kind in classes if getattr(getattr(kind, "rule", None), "name", None) == update]


@contextmanager
def _table(subject: Subject) -> Iterator[Callable[[bool], None]]:
    """A switch that puts the kernel, or the reference, in the op's place; what was there before comes back."""
    op, device, dtype = (subject.fields[name] for name in ("op", "device", "dtype"))
    if op not in OPS and not _optimizers(op):
        raise Skip("there is no such op")
    if device != "cpu":
        raise Skip(f"this machine's kernels for {device!r} cannot be tried here")
    install_claimed()  # now, and not at the first op inside, which would count as before
    record, kernel, kind = OPS.get(op), subject.entry.load(), np.dtype(dtype)
    table: dict[Any, Any] = update_table(op) if record is None else record.table
    before, fast = table.get((device, kind)), None if record is None else record.fast.get(kind)

    def use(ours: bool) -> None:
        remove(op, device, (dtype,))
        if ours:
            install(op, device, (dtype,), kernel)

    try:
        yield use
    finally:
        remove(op, device, (dtype,))
        if before is not None:
            table[device, kind] = before
        if record is not None and fast is not None:
            record.fast[kind] = fast


@functools.cache
def _rows_by_op() -> dict[str, list[Any]]:
    """For each op the sample rows that call it, in their result or their gradient: how private ops are reached."""
    import dovetail as dv

    from ...autograd.modes import observing
    from ..samples.calls import ROWS, arrays, function, inputs

    found: dict[str, list[Any]] = {}
    for row in ROWS:
        called: dict[str, None] = {}

        def note(op: Any, args: Any, run: Callable[[], Any], called: dict[str, None] = called) -> Any:
            called[op.name] = None
            return run()

        try:
            args, kwargs, leaves = inputs(row, arrays(row))
            with observing(note):
                total = [t.sum() for t in tensors_of(function(row)(*args, **kwargs)) if t.requires_grad]
                dv.autograd.grad(total, leaves, allow_unused=True)
        except Exception:  # not every row has a gradient; what was called until then counts
            pass
        for name in called:
            found.setdefault(name, []).append(row)
    return found


def _calls(subject: Subject) -> Iterator[tuple[str, Callable[[], tuple[list[Any], list[Any]]]]]:
    """For each sample row of the op, in each layout: its name, and what gives (results, inputs) of one call."""
    from ..samples.calls import ROWS, arrays, free, function, inputs, layouts, typed

    dtype = subject.fields["dtype"]
    op = subject.fields["op"]
    if op not in OPS:
        yield from _steps(op, dtype)
        return
    rows = [row for row in ROWS if row.op == op and not (row.call or "").endswith("_")] or _rows_by_op().get(op, [])[:_INDIRECT]
    if not rows:
        raise Skip("no sample row reaches the op")
    for row in rows:
        given = arrays(row)
        if free(given):
            given = typed(given, lambda k: dtype)
        for layout, move in {"contiguous": np.array, **layouts}.items():

            def call(row: Any = row, given: Any = given, move: Any = move) -> tuple[list[Any], list[Any]]:
                args, kwargs, leaves = inputs(row, given, move=move)
                return tensors_of(function(row)(*args, **kwargs)), leaves

            yield f"row {row.id}, {layout}", call


def _steps(update: str, dtype: str) -> Iterator[tuple[str, Callable[[], tuple[list[Any], list[Any]]]]]:
    """Three steps of each optimizer that uses the update, with each of its switches: the parameters after them."""
    import dovetail as dv

    switches: tuple[dict[str, Any], ...] = (
        {}, {"weight_decay": 0.1}, {"maximize": True}, {"amsgrad": True}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True},
        {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01}, {"centered": True, "momentum": 0.5},
    )  # fmt: skip
    for kind in _optimizers(update):
        for options in switches:
            if not options.keys() <= kind.__init__.__annotations__.keys():
                continue

            def call(kind: Any = kind, options: dict[str, Any] = options) -> tuple[list[Any], list[Any]]:
                draw = np.random.RandomState(0).standard_normal
                shapes = ((3,), (4, 5), (), (70001,))
                params = [dv.nn.Parameter(dv.tensor(draw(s), dtype=getattr(dv, dtype))) for s in shapes]
                optimizer = kind(params, lr=0.05, **options)
                for _ in range(3):
                    for p in params:
                        p.grad = dv.tensor(draw(tuple(p.shape)), dtype=p.dtype)
                    optimizer.step()
                states = [s for p in params for s in optimizer.state[p].values() if isinstance(s, dv.Tensor)]
                return [p.detach() for p in params] + states, []

            yield f"{kind.__name__}({', '.join(f'{k}={v}' for k, v in options.items())})", call


def _compare(subject: Subject, of: Callable[[list[Any], list[Any]], list[Any]], what: str) -> None:
    tolerance = _TOLERANCE.get(subject.fields["dtype"], 0.0)
    with _table(subject) as use:
        for name, call in _calls(subject):
            answers = []
            for ours in (False, True):
                use(ours)
                answers.append([np.asarray(t.detach().numpy()) for t in of(*call())])
            for expected, found in zip(*answers, strict=True):
                assert expected.shape == found.shape and expected.dtype == found.dtype, f"{name}: {what} of another shape or type"
                if expected.size:
                    a, b = (x.astype("complex128" if x.dtype.kind == "c" else "float64") for x in (expected, found))
                    close = np.allclose(a, b, rtol=tolerance, atol=tolerance * max(1.0, float(np.nanmax(abs(a)))), equal_nan=True)
                    assert close, f"{name}: {what} differs by {float(np.nanmax(abs(a - b))):.3g}"


@check("kernels")
def it_equals_the_reference(subject: Subject) -> None:
    """On every sample row of its op, contiguous, transposed, strided and reversed, the result is the reference's."""
    _compare(subject, lambda results, leaves: results, "the result")


@check("kernels")
def its_gradient_equals_the_reference(subject: Subject) -> None:
    """Likewise the gradient."""
    import dovetail as dv

    def gradients(results: list[Any], leaves: list[Any]) -> list[Any]:
        some = [t for t in results if t.requires_grad]
        if not some or not leaves:
            return []
        weigh = np.random.RandomState(0)
        total = sum((t * dv.from_numpy(np.asarray(weigh.standard_normal(tuple(t.shape)))).to(t.dtype)).sum() for t in some)
        found = dv.autograd.grad(total.real if total.is_complex() else total, leaves, allow_unused=True)
        return [dv.zeros_like(leaf) if g is None else g for g, leaf in zip(found, leaves, strict=True)]

    _compare(subject, gradients, "the gradient")


@check("kernels")
def it_leaves_its_inputs(subject: Subject) -> None:
    """It does not write into its inputs."""
    with _table(subject) as use:
        for name, call in _calls(subject):
            inputs = []
            for ours in (False, True):
                use(ours)
                inputs.append([t.detach().numpy() for t in call()[1]])
            same = all(np.array_equal(a, b, equal_nan=a.dtype.kind in "fc") for a, b in zip(*inputs, strict=True))
            assert same, f"{name}: the inputs are changed"
