"""No op without a row, no row without an op, no gradient without a check, and few loosened tolerances."""

from __future__ import annotations

import functools
from collections import Counter
from typing import Any

import pytest

import dovetail as dv
from dovetail.autograd.functional import grad
from dovetail.autograd.modes import observing
from dovetail.autograd.node import wrap
from dovetail.ops import FAMILIES
from dovetail.ops._op import OPS
from dovetail.testing.samples.calls import BROKEN, ROWS, function, inputs, public, walk, wants_grad, wants_grad2
from dovetail.testing.samples.row import Row
from tests.support.figures import note

from .checks import cotangents, differentiable, gradients

TOLERANCES_PER_OP = 0.1  # at most one override for ten ops


@functools.cache
def observed() -> dict[str, set[str]]:
    """Names of the ops that run in any row: forward, gradient and second gradient."""
    seen: dict[str, set[str]] = {"forward": set(), "gradient": set(), "second": set()}
    phase = "forward"

    def watch(op: Any, args: Any, run: Any) -> Any:
        seen[phase].add(op.name)
        return run()

    for row in ROWS:
        try:
            with observing(watch):
                phase = "forward"
                args, kwargs, leaves = inputs(row)
                outs = differentiable(function(row)(*args, **kwargs))
                if not leaves or not outs:
                    continue
                phase = "gradient"
                gradients(outs, leaves)
                if not wants_grad2(row):
                    continue
                phase = "second"
                outs = differentiable(function(row)(*args, **kwargs))
                first = [g for g in gradients(outs, leaves, create_graph=True) if g is not None and g._n is not None]
                if first:
                    grad(first, leaves, [wrap(w) for w in cotangents([g._a for g in first])], allow_unused=True)
        except Exception:  # test_ops says what is wrong with this row
            continue
    return seen


def named() -> set[str]:
    return {row.op for row in ROWS} | {name for row in ROWS for name in row.covers}


def is_public(name: str) -> bool:
    """Whether users reach an op by its name, so that it needs a row of its own."""
    if name.startswith("_"):
        return False
    if any(walk(dv, place + name) for place in ("", "Tensor.", "linalg.", "fft.")):
        return True
    return any(name in getattr(family, "FUNCTIONAL", ()) for family in FAMILIES)


def test_every_rows_file_imports() -> None:
    assert not BROKEN, "\n".join(f"{name}: {type(e).__name__}: {e}" for name, e in BROKEN.items())


def test_every_op_has_a_row() -> None:
    """A public op needs a row of its own; a helper is covered when a row's forward, gradient or second gradient runs it."""
    ran = set().union(*observed().values())
    ours = [n for n in OPS if "/" not in n]  # the others are of plugins and examples
    missing = sorted(n for n in ours if n not in named() and (is_public(n) or n not in ran))
    assert not missing, f"{len(missing)} of {len(OPS)} ops have no row: {' '.join(missing)}"


def test_every_row_names_something() -> None:
    """The first field is an op, or a public function that is not one; `covers` names ops."""
    unknown = []
    for row in ROWS:
        if row.op not in OPS and public(Row(row.op)) is None:
            unknown.append(f"{row.family}: {row.id} names {row.op!r}")
        if row.call is not None and public(row) is None:
            unknown.append(f"{row.family}: {row.id} calls {row.call!r}")
        unknown += [f"{row.family}: {row.id} covers {name!r}" for name in row.covers if name not in OPS]
    assert not unknown, "no such op or public function:\n" + "\n".join(unknown)


def underived(op: Any) -> bool:
    """Whether its rule only says that there is no derivative."""
    return any(rule.function.__qualname__.startswith("underived.") for rule in op.reference.rules.values())


def test_every_gradient_is_checked() -> None:
    """An op with a rule has a row, of its own or that runs it, whose gradient is compared with finite differences."""
    by_row = {row.op for row in ROWS if wants_grad(row)} | {n for row in ROWS if wants_grad(row) for n in row.covers}
    reached = observed()["gradient"] | observed()["second"]
    missing = sorted(
        n
        for n, op in OPS.items()
        if "/" not in n and op.differentiable and n not in by_row and not underived(op)
        if is_public(n) or n not in reached | observed()["forward"]
    )
    assert not missing, f"ops with a gradient rule that no row checks: {' '.join(missing)}"


@pytest.mark.figures
def test_second_gradients() -> None:
    """At least 95 % of the differentiable ops with rows have their second gradient checked; the others say why not."""
    ops = {row.op for row in ROWS if wants_grad(row)}
    checked = {row.op for row in ROWS if wants_grad(row) and wants_grad2(row)}
    silent = [row.id for row in ROWS if wants_grad(row) and not wants_grad2(row) and not row.why]
    samples = [row for row in ROWS if wants_grad(row)]
    note("N1", "rows whose gradient is compared with float64 differences", f"{len(samples)} rows, {len(ops)} ops", "every op")
    note("N1", "ops whose second gradient is", f"{len(checked)} of {len(ops)}", "95 %")
    print(f"second gradients checked for {len(checked)} of {len(ops)} ops; not for: {' '.join(sorted(ops - checked)) or 'none'}")
    assert not silent, f"rows with grad2=False and no `why`: {' '.join(silent)}"
    assert len(checked) >= 0.95 * len(ops), f"only {len(checked)} of {len(ops)}: {' '.join(sorted(ops - checked))}"


@pytest.mark.figures
def test_every_op_has_an_error_row() -> None:
    with_errors = {row.op for row in ROWS if row.errors} | {n for row in ROWS if row.errors for n in row.covers}
    missing = sorted({row.op for row in ROWS if row.op not in OPS or is_public(row.op)} - with_errors)
    count = len({row.op for row in ROWS if row.op not in OPS or is_public(row.op)})
    note("N2", "ops and functions with wrong input whose error is compared", f"{count - len(missing)} of {count}", "100 %")
    assert not missing, f"{len(missing)} ops without an error row: {' '.join(missing)}"


def test_error_rows_name_a_type_and_a_text() -> None:
    bad = [
        f"{row.id}: {error!r}"
        for row in ROWS
        for error in row.errors
        if len(error) != 4 or not issubclass(error[2], Exception) or error[2] is Exception or not isinstance(error[3], str) or not error[3]
    ]
    assert not bad, "an error row is (args, kwargs, type, text):\n" + "\n".join(bad)


@pytest.mark.figures
def test_tolerances_are_few_and_explained(capsys: pytest.CaptureFixture[str]) -> None:
    loosened = [row for row in ROWS if row.tol is not None]
    note("N3", "loosened tolerances, each with its reason", f"{len(loosened)} for {len(OPS)} ops", "1 for 10")
    with capsys.disabled():
        print(f"\ntolerance overrides: {len(loosened)} for {len(OPS)} ops")
        for row in loosened:
            print(f"  {row.id}: {row.tol} ({row.why})")
    assert all(row.why for row in loosened), f"no `why`: {' '.join(row.id for row in loosened if not row.why)}"
    assert len(loosened) <= TOLERANCES_PER_OP * len(OPS), f"{len(loosened)} overrides for {len(OPS)} ops"


def test_rows_without_a_reference_say_why() -> None:
    silent = [row.id for row in ROWS if row.ref is None and not row.why]
    assert not silent, f"rows without `ref` and `why`: {' '.join(silent)}"


def test_row_names_are_unique() -> None:
    doubled = [key for key, n in Counter((row.call or row.op, row.name) for row in ROWS).items() if n > 1]
    assert not doubled, f"give these rows names of their own: {doubled}"
