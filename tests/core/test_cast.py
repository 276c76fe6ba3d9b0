"""Converting complex tensors: the real part, silently and in memory of its own."""

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
