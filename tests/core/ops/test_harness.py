"""The checks catch what they are for: each is run on an op with a planted fault, and must fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from dovetail.autograd.node import wrap
from dovetail.errors import ShapeError
from dovetail.ops import arithmetic
from dovetail.ops._op import OPS, Array, op
from dovetail.testing.samples.row import Row, T

from . import test_ops as checks

HELD: list[Any] = []  # what a faulty op hides away


@pytest.fixture
def plant() -> Iterator[Callable[..., Any]]:
    """Make an op that is forgotten after the test."""
    before = set(OPS)

    def make(function: Any, **options: Any) -> Any:
        return op(function, **options)

    yield make
    HELD.clear()
    for name in set(OPS) - before:
        del OPS[name]


def fails(check: Callable[..., None], row: Row, text: str, *more: Any) -> None:
    with pytest.raises((AssertionError, TypeError, pytest.fail.Exception)) as caught:
        check(row, *more)
    assert text in str(caught.value), str(caught.value)


def planted_triple(input: Array) -> Array:
    return input * 3


ROW = Row("planted_triple", [T(3, 4)], ref=lambda x: 3 * x)


def test_a_right_op_passes(plant: Callable[..., Any]) -> None:
    plant(planted_triple).vjp(lambda g: arithmetic.mul(g, 3))
    for check in (
        checks.test_forward, checks.test_layouts, checks.test_types, checks.test_gradient, checks.test_second_gradient,
        checks.test_no_kept_value_is_a_gradient, checks.test_keeps_only_what_a_rule_names, checks.test_on_cuda,
    ):  # fmt: skip
        check(ROW)


def test_wrong_value(plant: Callable[..., Any]) -> None:
    plant(planted_triple)
    fails(checks.test_forward, Row("planted_triple", [T(3, 4)], ref=lambda x: 3 * x + 1e-9), "result 0")


def test_wrong_gradient(plant: Callable[..., Any]) -> None:
    plant(planted_triple).vjp(lambda g: arithmetic.mul(g, 3.001))
    fails(checks.test_gradient, ROW, "by finite differences")


def test_wrong_gradient_of_many_elements(plant: Callable[..., Any]) -> None:
    plant(planted_triple).vjp(lambda g: arithmetic.mul(g, wrap(3 + 0.001 * (np.arange(60) == 59))))
    fails(checks.test_gradient, Row("planted_triple", [T(60)]), "along a random direction")


def test_gradient_that_leaves_the_graph(plant: Callable[..., Any]) -> None:
    def planted_square(input: Array) -> Array:
        return input * input

    plant(planted_square).vjp(lambda g, input: arithmetic.mul(g, wrap(2 * input._a)))
    row = Row("planted_square", [T(3, 4)])
    checks.test_gradient(row)
    fails(checks.test_second_gradient, row, "second gradient")


def test_kept_value_returned(plant: Callable[..., Any]) -> None:
    def planted_ramp(input: Array) -> Array:
        return input * input / 2

    plant(planted_ramp).vjp(lambda g, input: input)
    fails(checks.test_no_kept_value_is_a_gradient, Row("planted_ramp", [T(3, 4)]), "returns a kept value")


def test_hidden_reference(plant: Callable[..., Any]) -> None:
    def planted_hoard(input: Array) -> Array:
        HELD.append(input)
        return input * 3

    plant(planted_hoard).vjp(lambda g: arithmetic.mul(g, 3))
    fails(checks.test_keeps_only_what_a_rule_names, Row("planted_hoard", [T(3, 4)]), "outlive the call")


def test_layout_dependence(plant: Callable[..., Any]) -> None:
    def planted_lines(input: Array) -> Array:
        return input.ravel(order="K")

    plant(planted_lines)
    fails(checks.test_layouts, Row("planted_lines", [T(3, 4)], grad=False), "result 0")


def test_wrong_type(plant: Callable[..., Any]) -> None:
    def planted_wide(input: Array) -> Array:
        return input.astype("f8")

    plant(planted_wide)
    fails(checks.test_types, Row("planted_wide", [T(3, 4)]), "the result is dovetail.float64")


def test_host_copy(plant: Callable[..., Any]) -> None:
    def planted_scaled(input: Array) -> Array:
        return input / float(input.max())

    plant(planted_scaled)
    fails(checks.test_on_cuda, Row("planted_scaled", [T(3, 4)], grad=False), "copies an array from the GPU")
    checks.test_on_cuda(Row("planted_scaled", [T(3, 4)], grad=False, sync=True))
    fails(checks.test_on_cuda, Row("neg", [T(3, 4)], sync=True), "nothing waits for the GPU")


def test_numpy_on_a_gpu_array(plant: Callable[..., Any]) -> None:
    def planted_rounded(input: Array) -> Array:
        return np.round(input)

    plant(planted_rounded)
    fails(checks.test_on_cuda, Row("planted_rounded", [T(3, 4)], grad=False), "cupy")


def test_wrong_error_text(plant: Callable[..., Any]) -> None:
    def planted_refuse(input: Array) -> Array:
        raise ShapeError("refuse: too long")

    plant(planted_refuse)
    row = Row("planted_refuse", [T(3)])
    checks.test_error(row, ([T(3)], {}, RuntimeError, "too long"))
    fails(checks.test_error, row, "does not say", ([T(3)], {}, RuntimeError, "too short"))
    fails(checks.test_error, Row("neg"), "DID NOT RAISE", ([T(3)], {}, RuntimeError, "too short"))
