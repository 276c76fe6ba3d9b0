"""Converting complex tensors: the real part, silently and in memory of its own; how quotients of half precision are rounded."""

from __future__ import annotations

import warnings

import pytest

import dovetail as dv


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint8"])
def test_a_complex_tensor_leaves_its_real_part_without_a_warning(dtype: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        real = dv.tensor([1 + 2j, 3 - 1j]).to(getattr(dv, dtype))
    assert real.tolist() == [1, 3] and real.dtype == getattr(dv, dtype)


def test_the_real_part_is_a_copy() -> None:
    z = dv.tensor([1 + 2j], dtype=dv.complex128)
    real = z.to(dv.float64)
    z.zero_()
    assert real.tolist() == [1]


def test_a_complex_number_is_true_by_either_part() -> None:
    assert dv.tensor([0j, 1j, 1 + 0j]).to(dv.bool).tolist() == [False, True, True]


def test_the_gradient_is_real() -> None:
    z = dv.tensor([1 + 2j], requires_grad=True)
    z.to(dv.float32).sum().backward()
    assert z.grad.tolist() == [1 + 0j]


@pytest.mark.parametrize(
    ("a", "b", "mode", "stepwise", "by_number"),
    [(5.42578125, 0.005252838134765625, "trunc", 1033, 1032), (-11.4140625, -0.006580352783203125, "floor", 1735, 1734)],
)
def test_rounded_quotients_of_half_precision(a, b, mode, stepwise, by_number):
    """As PyTorch computes them: each step is rounded for two tensors, and float32 is used where the divisor is one number."""
    x, y = dv.tensor([a], dtype=dv.float16), dv.tensor([b], dtype=dv.float16)
    assert dv.div(x, y, rounding_mode=mode).tolist() == x.clone().div_(y, rounding_mode=mode).tolist() == [stepwise]
    assert dv.div(x, b, rounding_mode=mode).tolist() == dv.div(x, y[0], rounding_mode=mode).tolist() == [by_number]
    if mode == "floor":
        assert (x // y).tolist() == [stepwise] and (x // b).tolist() == [by_number]


def test_what_stands_beside_half_precision():
    """Numbers are rounded to it before they are added, and not before they multiply; so it is of tensors without dimensions."""
    x = dv.tensor([1.1015625, 3.0], dtype=dv.bfloat16)
    assert (x + 0.3).tolist() == [1.40625, 3.296875] and (0.3 - x).tolist() == [-0.80078125, -2.703125]
    assert (x == 1.1).tolist() == [True, False]
    third = dv.tensor(0.3, requires_grad=True)
    assert (x * third).tolist() == (x * 0.3).tolist() == (x.float() * 0.3).bfloat16().tolist() and (x * third).dtype is dv.bfloat16
    assert (x / third).tolist() == (x.float() / 0.3).bfloat16().tolist()
    (x * third).sum().backward()
    assert third.grad.dtype is dv.float32
