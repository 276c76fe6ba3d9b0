"""``dovetail.fft`` beside ``torch.fft``: lengths, dimensions, norms and types in all combinations; what the rows do not reach."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import dovetail as dv

from .both import caught_alike, raw

pytestmark = pytest.mark.parity

ONE = ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
MANY = ("fftn", "ifftn", "rfftn", "irfftn", "fft2", "ifft2", "rfft2", "irfft2")
TYPES = ("bool", "int32", "int64", "float32", "float64", "complex64", "complex128")


def answer(call: Any) -> Any:
    try:
        return call()
    except Exception as error:
        return error


def same(name: str, array: Any, **options: Any) -> None:
    """The values, shape and type, or an error that the same ``except`` catches."""
    mine = answer(lambda: getattr(dv.fft, name)(dv.from_numpy(array), **options))
    other = answer(lambda: getattr(torch.fft, name)(torch.from_numpy(array), **options))
    what = f"{name} of {array.dtype}{array.shape} with {options}: {mine!r}, PyTorch {other!r}"
    if isinstance(mine, Exception) or isinstance(other, Exception):
        assert isinstance(mine, Exception) and isinstance(other, Exception) and caught_alike(mine, other), what
        return
    a, b = raw(mine), raw(other)
    assert a.shape == b.shape and a.dtype == b.dtype, what
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5 * max(1.0, float(abs(b).max())), err_msg=what)


def drawn(shape: tuple[int, ...], dtype: str) -> Any:
    draw = np.random.RandomState(0)
    values = draw.standard_normal(shape) * 3
    return (values + 1j * draw.standard_normal(shape) if dtype.startswith("complex") else values).astype(dtype)


@pytest.mark.parametrize("name", ONE)
def test_one_dimension(name: str) -> None:
    for dtype, n, dim, norm in itertools.product(TYPES, (None, 1, 2, 5, 6, 9), (0, -1), (None, "backward", "forward", "ortho")):
        same(name, drawn((5, 6), dtype), n=n, dim=dim, norm=norm)


@pytest.mark.parametrize("name", MANY)
def test_many_dimensions(name: str) -> None:
    for dtype, s, dim in itertools.product(
        TYPES, (None, (4,), (3, -1), (5, 2), (2, 3, 4), (2, 2, 2, 2), (0, 1)), (None, 0, (1,), (0, 2), (-1, -2), (0, 1, 2), (0, 0), ())
    ):
        for norm in (None, "ortho"):
            given = {} if dim is None and name.endswith("2") else {"dim": dim}
            same(name, drawn((3, 4, 5), dtype), s=s, norm=norm, **given)


def test_no_dimension() -> None:
    for name in MANY + ONE:
        same(name, drawn((), "float32"))


def test_an_empty_batch_is_transformed() -> None:
    """PyTorch's build with MKL fails inside on one; the shape is that of any other batch."""
    for name, n in (("fft", 4), ("ifft", 4), ("rfft", 3), ("irfft", 6), ("hfft", 6), ("ihfft", 3)):
        x = dv.zeros(0, 4, requires_grad=True)
        out = getattr(dv.fft, name)(x)
        assert out.shape == (0, n)
        out.abs().sum().backward()
        assert x.grad.shape == (0, 4)


@pytest.mark.parametrize("name", ["fftfreq", "rfftfreq"])
def test_frequencies(name: str) -> None:
    for n, d, dtype in itertools.product((0, 1, 2, 5, 8, -1, -4), (1.0, 0.3, -2.0), ("float32", "float64", "float16", "int64")):
        mine = answer(lambda: getattr(dv.fft, name)(n, d, dtype=getattr(dv, dtype)))  # noqa: B023
        other = answer(lambda: getattr(torch.fft, name)(n, d, dtype=getattr(torch, dtype)))  # noqa: B023
        if isinstance(other, Exception):
            assert isinstance(mine, Exception) and caught_alike(mine, other), f"{mine!r}, PyTorch {other!r}"
            continue
        assert str(mine.dtype).endswith(dtype)
        np.testing.assert_allclose(raw(mine), raw(other), rtol=1e-3 if dtype == "float16" else 1e-6, equal_nan=True)
    assert getattr(dv.fft, name)(4, requires_grad=True).requires_grad


@pytest.mark.parametrize("name", ["fftshift", "ifftshift"])
def test_shifts(name: str) -> None:
    for dim in (None, 0, -1, (0, 1), (1, 1), [0], (), 2):
        same(name, drawn((4, 5), "float64"), **({} if dim is None else {"dim": dim}))


def test_every_name_is_pytorchs() -> None:
    unlisted = {"hfft2", "ihfft2", "hfftn", "ihfftn"}
    assert set(dv.fft.__all__) == {n for n in torch.fft.__all__ if n != "Tensor"} | unlisted and unlisted <= set(dir(torch.fft))
