"""What older programs call: FloatTensor and its kin, type() by name, formatting, and the switches of PyTorch's libraries."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

import dovetail as dv


def test_a_legacy_class_makes_a_plain_tensor_of_its_type() -> None:
    for name, dtype in (("FloatTensor", dv.float32), ("LongTensor", dv.int64), ("ByteTensor", dv.uint8), ("BoolTensor", dv.bool)):
        made = getattr(dv, name)([1, 0])
        assert type(made) is dv.Tensor and made.dtype is dtype and made.tolist() == [1, 0]
    assert dv.LongTensor(2, 3).shape == (2, 3) and dv.FloatTensor(dv.Size([4, 1])).shape == (4, 1) and dv.Tensor(dv.Size([2])).shape == (2,)
    assert dv.LongTensor(range(3)).tolist() == [0, 1, 2] and dv.LongTensor(np.array([1.5])).tolist() == [1]
    assert dv.FloatTensor().shape == (0,) and dv.zeros(2, dtype=dv.int64).new([1.5]).dtype is dv.int64


def test_isinstance_looks_at_the_type_of_the_elements() -> None:
    assert isinstance(dv.ones(1), dv.FloatTensor) and not isinstance(dv.ones(1), dv.LongTensor) and not isinstance(1.0, dv.FloatTensor)


def test_a_legacy_class_refuses_a_number_and_a_tensor_of_another_type() -> None:
    with pytest.raises(TypeError, match=r"new\(\): data must be a sequence \(got float\)"):
        dv.FloatTensor(3.0)
    with pytest.raises(TypeError, match="expected a tensor of int64"):
        dv.LongTensor(dv.zeros(2))


def test_type_takes_a_name_a_class_or_a_type() -> None:
    x = dv.tensor([1.7])
    assert x.type() == "dovetail.FloatTensor" and x.type("torch.LongTensor").tolist() == [1]
    assert x.type(dv.DoubleTensor).dtype is x.type(dv.float64).dtype is dv.float64
    with pytest.raises(ValueError, match="invalid type: 'Nonsense'"):
        x.type("Nonsense")


def test_the_default_type_by_its_legacy_name() -> None:
    dv.set_default_tensor_type("torch.DoubleTensor")
    try:
        assert dv.zeros(1).dtype is dv.float64
    finally:
        dv.set_default_tensor_type(dv.FloatTensor)
    with pytest.raises(TypeError, match="only floating-point types are supported"):
        dv.set_default_tensor_type(dv.LongTensor)


def test_a_scalar_formats_as_its_number_and_a_parameter_as_itself() -> None:
    loss = dv.tensor(0.5, requires_grad=True) * 1
    assert f"{loss}" == "0.5" and f"{loss:.3f}" == "0.500" and f"{dv.tensor(3)}" == "3" and f"{dv.ones(1)}" == "tensor([1.])"
    assert f"{dv.nn.Parameter(dv.tensor(1.0))}".startswith("Parameter containing")
    with pytest.raises(TypeError, match="unsupported format string"):
        f"{dv.ones(2):.2f}"


def test_python_numbers_of_several_elements_are_a_value_error() -> None:
    for convert in (float, int, complex):
        with pytest.raises(ValueError, match="only one element tensors can be converted to Python scalars"):
            convert(dv.ones(2))


def test_several_results_print_a_line_each() -> None:
    assert repr(dv.tensor([1.0, 2.0]).max(0)) == "dovetail.return_types.max(\nvalues=tensor(2.),\nindices=tensor(1))"


def test_small_methods_with_newer_names() -> None:
    x = dv.tensor([[1.0, 2.0]])
    assert x.ndimension() == 2 and x.get_device() == -1 and x.is_same_size(x.clone()) and not x.is_pinned()
    assert dv.tensor([2]).is_nonzero() and x.apply_(lambda v: v + 1) is x and x.tolist() == [[2.0, 3.0]]
    with pytest.raises(RuntimeError, match="requires grad"):
        dv.ones(1, requires_grad=True).apply_(abs)


def test_switches_of_backends_can_be_set() -> None:
    cudnn = importlib.import_module("dovetail.backends.cudnn")
    cudnn.benchmark = True
    try:
        assert dv.backends.cudnn.benchmark and not cudnn.is_available() and not dv.backends.mps.is_available()
    finally:
        cudnn.benchmark = False
    with pytest.raises(AttributeError):
        dv.backends.cudnn.no_such_switch


def test_the_gradient_of_a_tensor_as_a_subclass_reaches_the_tensor() -> None:
    class Mine(dv.Tensor):
        pass

    leaf = dv.ones(2, requires_grad=True)
    mine = leaf.as_subclass(Mine)
    assert type(mine) is Mine and not mine.is_leaf and mine.data_ptr() == leaf.data_ptr()
    (mine.as_subclass(dv.Tensor) * 3).sum().backward()
    assert leaf.grad.tolist() == [3.0, 3.0] and dv.ones(2).as_subclass(Mine).is_leaf
