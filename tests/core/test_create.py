"""Tensors made from numbers, lists, arrays, buffers and sizes."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import dovetail as dv

F32, F64, I64 = dv.float32, dv.float64, dv.int64


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (True, dv.bool), (3, I64), (1.5, F32), (1j, dv.complex64), ([True, 2], I64), ([1, 2.5], F32), ([1, 2.5, 1j], dv.complex64),
        ([], F32), ([[], []], F32), (np.float64(1), F64), ([np.float64(1)], F64), (np.float32(1), F32), ([np.float32(1), 2.0], F32),
        ([1.0, np.array(2.0)], F64), ([np.array([1.0])], F64), ([np.int32(1)], dv.int32), (np.zeros(2, np.int8), dv.int8), (range(3), I64),
        ([dv.tensor(1.5), dv.tensor(2)], F32),
    ],
)  # fmt: skip
def test_type_of_data(data: Any, kind: Any) -> None:
    assert dv.tensor(data).dtype is kind


def test_arrays_on_the_memory_of_others() -> None:
    """NumPy names as the base of an array what it was made from; that may be anything."""

    class Other:
        dtype = "float32"

        def __init__(self) -> None:
            self.array = np.arange(6.0, dtype=np.float32)
            self.__array_interface__ = self.array.__array_interface__

    lent = np.asarray(Other())
    assert isinstance(lent.base, Other)
    x = dv.from_numpy(lent)
    assert x.to(dv.float64).tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    view = x.reshape(2, 3)
    assert view._base is x and x.view(2, 3).t().reshape(-1)._base is None
    view[0, 0] = 7.0
    assert lent[0] == 7.0


def test_default_type_decides_of_python_floats() -> None:
    dv.set_default_dtype(F64)
    try:
        assert dv.tensor(1.5).dtype is F64
        assert dv.zeros(1).dtype is F64
        assert dv.tensor([np.float32(1)]).dtype is F32
    finally:
        dv.set_default_dtype(F32)


@pytest.mark.parametrize(
    ("data", "error", "text"),
    [
        ([[1, 2], [1]], ValueError, "expected sequence of length 2 at dim 1 (got 1)"),
        ([[1], [1, 2]], ValueError, "expected sequence of length 1 at dim 1 (got 2)"),
        ([[1, 2], 3], TypeError, "not a sequence"),
        ([1, [2]], TypeError, "'list' object cannot be interpreted"),
        ("a", TypeError, "invalid data type 'str'"),
        (["a"], ValueError, "too many dimensions 'str'"),
        (None, RuntimeError, "Could not infer dtype of NoneType"),
        ([None], RuntimeError, "Could not infer dtype of NoneType"),
        ({}, RuntimeError, "Could not infer dtype of dict"),
        (2**63, ValueError, "Overflow when unpacking long"),
        (np.array(["a"]), TypeError, "can't convert np.ndarray of type numpy.str_"),
        (np.array([1], ">i4"), ValueError, "byte order different from the native byte order"),
        ([dv.ones(2)], ValueError, "only one element tensors can be converted to Python scalars"),
    ],
)
def test_data_that_is_none(data: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error) as caught:
        dv.tensor(data)
    assert text in str(caught.value)


def test_values_that_do_not_fit() -> None:
    assert dv.tensor(-1, dtype=dv.uint8).item() == 255
    assert dv.tensor([1.9, -1.9], dtype=I64).tolist() == [1, -1]
    for value, kind, error, text in (
        (300, dv.uint8, RuntimeError, "value cannot be converted to type uint8 without overflow"),
        (float("inf"), I64, RuntimeError, "value cannot be converted to type int64 without overflow"),
        (1j, F32, TypeError, "not 'complex'"),
    ):
        with pytest.raises(error, match=text):
            dv.tensor(value, dtype=kind)


def test_copies_and_shares() -> None:
    a = np.zeros(3, np.float32)
    copied, shared, same = dv.tensor(a), dv.from_numpy(a), dv.as_tensor(a)
    a[0] = 7
    assert copied[0].item() == 0
    assert shared[0].item() == same[0].item() == 7
    shared[1] = 5
    assert a[1] == 5
    assert dv.as_tensor(shared) is shared
    assert dv.as_tensor(a, dtype=F64).dtype is F64
    with pytest.raises(ValueError, match="can't alias"):
        dv.asarray([1], copy=False)
    with pytest.warns(UserWarning, match="To copy construct from a tensor"):
        assert dv.tensor(shared).data_ptr() != shared.data_ptr()


def test_from_numpy_refuses() -> None:
    for bad, error, text in (
        ([1], TypeError, "expected np.ndarray (got list)"),
        (np.ones(3)[::-1], ValueError, "At least one stride in the given numpy array is negative"),
        (np.array([None]), TypeError, "can't convert np.ndarray of type numpy.object_"),
    ):
        with pytest.raises(error) as caught:
            dv.from_numpy(bad)
        assert text in str(caught.value)
    frozen = np.ones(2)
    frozen.flags.writeable = False
    assert dv.from_numpy(frozen).sum().item() == 2


def test_buffers_and_dlpack() -> None:
    raw = bytearray(b"\x01\x00\x02\x00")
    t = dv.frombuffer(raw, dtype=dv.int16)
    raw[0] = 9
    assert t.tolist() == [9, 2]
    with pytest.raises(ValueError, match="multiple of element size"):
        dv.frombuffer(bytearray(3), dtype=dv.int16)
    a = np.arange(3)
    assert dv.from_dlpack(a).data_ptr() == a.ctypes.data


def test_sizes() -> None:
    for made in (
        dv.zeros(2, 3),
        dv.zeros((2, 3)),
        dv.zeros([2, 3]),
        dv.zeros(dv.Size([2, 3])),
        dv.zeros(size=(2, 3)),
        dv.zeros(dv.tensor(2), 3),
    ):
        assert made.shape == (2, 3)
    assert dv.zeros(()).shape == ()
    for bad, error, text in (
        ((1.5,), TypeError, "must be tuple of ints"),
        ((-1,), RuntimeError, "Dimension size must be non-negative"),
        ((), TypeError, "missing"),
    ):
        with pytest.raises(error, match=text):
            dv.zeros(*bad)
    with pytest.raises(TypeError, match="must be tuple of ints, not int"):
        dv.full(2, 1)
    with pytest.raises(RuntimeError, match="Only Tensors of floating point and complex dtype can require gradients"):
        dv.ones(2, dtype=I64, requires_grad=True)


def test_full_takes_the_type_of_its_number() -> None:
    assert [dv.full((1,), v).dtype for v in (True, 1, 1.0, 1j, dv.tensor(2))] == [dv.bool, I64, F32, dv.complex64, I64]
    assert dv.full((2,), 1.5, dtype=I64).tolist() == [1, 1]


def test_like_and_new_keep_type_and_layout() -> None:
    x = dv.ones(2, 3, 4, 5, dtype=F64).contiguous(memory_format=dv.channels_last)
    for made in (dv.zeros_like(x), dv.ones_like(x), dv.empty_like(x), dv.full_like(x, 3), x.clone()):
        assert made.stride() == x.stride() == (60, 1, 15, 3)
        assert made.dtype is F64
    assert dv.zeros_like(x, memory_format=dv.contiguous_format).is_contiguous()
    assert dv.empty_like(dv.ones(2, 3).t()).stride() == (1, 3)
    i = dv.arange(3)
    assert [t.dtype for t in (i.new_zeros(2), i.new_ones(2, 2), i.new_full((2,), 3.5), i.new_tensor([1.5]))] == [I64] * 4
    assert i.new_zeros(2, dtype=F32).dtype is F32
    with pytest.raises(TypeError, match="must be Tensor, not list"):
        dv.zeros_like([1])


def test_arange() -> None:
    assert dv.arange(5, 0, -2).tolist() == [5, 3, 1]
    assert dv.arange(2**53, 2**53 + 3).tolist() == [2**53, 2**53 + 1, 2**53 + 2]
    assert [dv.arange(*a).dtype for a in ((3,), (3.0,), (0, 3, 1.0), (dv.tensor(3.0),))] == [I64, F32, F32, F32]
    assert dv.arange(0, 1, 0.3).numel() == 4
    for bad, text in (
        ((1, 0), "inconsistent with step sign"),
        ((0, 1, 0), "step must be nonzero"),
        ((0.0, float("nan")), "unsupported range"),
    ):
        with pytest.raises(RuntimeError, match=text):
            dv.arange(*bad)
    for kind in (dv.bool, dv.complex64):
        with pytest.raises(NotImplementedError, match="a type of real numbers"):
            dv.arange(3, dtype=kind)


def test_spaces_and_eye() -> None:
    assert dv.linspace(0, 10, 4, dtype=I64).tolist() == [0, 3, 6, 10]
    assert dv.linspace(3, 4, 1).tolist() == [3]
    assert dv.linspace(-1, 1, 7)[-1].item() == 1
    assert dv.logspace(0, 2, 3, base=2).tolist() == [1, 2, 4]
    assert dv.eye(2, 3).tolist() == [[1, 0, 0], [0, 1, 0]]
    assert dv.tril_indices(2, 3, 1).tolist() == np.stack(np.tril_indices(2, 1, 3)).tolist()
    for bad, text in ((lambda: dv.linspace(0, 1, -1), "non-negative"), (lambda: dv.eye(-1), "n must be greater or equal to 0")):
        with pytest.raises(RuntimeError, match=text):
            bad()


def test_strides_on_demand() -> None:
    assert dv.empty(2, 3, 4, 5, memory_format=dv.channels_last).stride() == (60, 1, 15, 3)
    assert dv.empty_strided((2, 3), (1, 2)).stride() == (1, 2)
    assert dv.empty_permuted((2, 3, 4), (0, 2, 1)).stride() == (12, 1, 3)
    with pytest.raises(RuntimeError, match="required rank 4 tensor to use channels_last format"):
        dv.empty(2, 3, memory_format=dv.channels_last)


def test_legacy_constructor() -> None:
    assert dv.Tensor(2, 3).shape == (2, 3)
    assert dv.Tensor([1, 2]).dtype is F32
    assert dv.Tensor().shape == (0,)
    x = dv.ones(2)
    assert dv.Tensor(x).data_ptr() == x.data_ptr()
    with pytest.raises(TypeError, match="data must be a sequence"):
        dv.Tensor(2.5)


def test_inference_mode_marks_new_tensors() -> None:
    with dv.inference_mode():
        assert dv.zeros(1).is_inference()
        assert dv.tensor(1.0).is_inference()
    assert not dv.zeros(1).is_inference()


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (lambda: dv.tensor(3.0), "tensor(3.)"),
        (lambda: dv.tensor([0.0, float("nan")]), "tensor([0., nan])"),
        (lambda: dv.tensor([1.5, float("inf"), -2]), "tensor([ 1.5000,     inf, -2.0000])"),
        (lambda: dv.tensor([1e-5, 1.0]), "tensor([1.0000e-05, 1.0000e+00])"),
        (lambda: dv.tensor([100000.0, 1.0]), "tensor([1.0000e+05, 1.0000e+00])"),
        (lambda: dv.tensor([True, False]), "tensor([ True, False])"),
        (lambda: dv.tensor([[1, -20], [300, 4]]), "tensor([[  1, -20],\n        [300,   4]])"),
        (lambda: dv.tensor([1 + 2j, -0.5j]), "tensor([1.+2.0000j, -0.-0.5000j])"),
        (lambda: dv.zeros(0), "tensor([])"),
        (lambda: dv.zeros(2, 0, dtype=F64), "tensor([], size=(2, 0), dtype=dovetail.float64)"),
        (lambda: dv.tensor([1], dtype=dv.uint8), "tensor([1], dtype=dovetail.uint8)"),
        (lambda: dv.ones(1, requires_grad=True), "tensor([1.], requires_grad=True)"),
        (lambda: dv.ones(1, requires_grad=True) * 2, "tensor([2.], grad_fn=<MulBackward0>)"),
        (lambda: dv.arange(2000), "tensor([   0,    1,    2,  ..., 1997, 1998, 1999])"),
        (lambda: dv.zeros(1, 1, 1), "tensor([[[0.]]])"),
    ],
)
def test_text(made: Any, text: str) -> None:
    assert repr(made()) == text


def test_text_breaks_lines_and_leaves_out_the_middle() -> None:
    lines = repr(dv.arange(30)).split("\n")
    assert len(lines) == 2
    assert lines[1].startswith("        18, 19")
    big = repr(dv.zeros(1000, 1000)).split("\n")
    assert big[3] == "        ...,"
    assert len(big) == 7
    try:
        dv.set_printoptions(precision=1, threshold=2, edgeitems=1, sci_mode=True)
        assert repr(dv.tensor([1.0, 2.0, 3.0])) == "tensor([1.0e+00,  ..., 3.0e+00])"
        dv.set_printoptions(edgeitems=0)
        assert repr(dv.ones(5)) == "tensor([...], size=(5,))" and repr(dv.ones(2, 2)) == "tensor([...], size=(2, 2))"
    finally:
        dv.set_printoptions(profile="default")
    with pytest.raises(ValueError, match="unknown profile"):
        dv.set_printoptions(profile="none")


def test_index_warnings() -> None:
    with pytest.warns(UserWarning, match="deprecated"):
        dv.arange(2)[dv.tensor([0, 1], dtype=dv.uint8)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dv.arange(6).reshape(2, 3)[[0, 1]]


def test_ranges_and_identities_fill_out_and_name_unknown_options() -> None:
    for make in (lambda **k: dv.eye(2, **k), lambda **k: dv.linspace(0, 1, 4, **k), lambda **k: dv.arange(4.0, **k)):
        out = dv.zeros(1)
        assert make(out=out) is out and out.tolist() == make().tolist()
        with pytest.raises(TypeError, match="got an unexpected keyword argument 'foo'"):
            make(foo=1)
