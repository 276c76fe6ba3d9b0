"""What users get wrong, and what they are told: where, what with which values, what was expected, the remedy."""

from __future__ import annotations

import numpy as np
import pytest

import dovetail as dv
import dovetail.nn.functional as F
from dovetail.errors import DovetailError


def case(call, kind, text):
    return pytest.param(call, kind, text, id=text[:40])


CASES = [
    case(
        lambda: dv.ones(2, 3) + dv.ones(4, 3),
        RuntimeError,
        r"add: The size of tensor a \(2\) must match the size of tensor b \(4\) at non-singleton dimension 0; "
        r"input \(2, 3\), other \(4, 3\)",
    ),
    case(lambda: dv.ones(2, 3) @ dv.ones(2, 3), RuntimeError, r"mat1 and mat2 shapes cannot be multiplied \(2x3 and 2x3\)"),
    case(lambda: F.linear(dv.ones(2, 3), dv.ones(5, 4)), RuntimeError, r"linear: .*\(2, 3\).*\(5, 4\)"),
    case(
        lambda: F.conv2d(dv.ones(8, 4, 9, 9), dv.ones(16, 3, 3, 3)),
        RuntimeError,
        r"conv2d: .*weight of size \[16, 3, 3, 3\], expected input\[8, 4, 9, 9\] to have 3 channels, but got 4 channels",
    ),
    case(lambda: dv.ones(2, 3).view(4), RuntimeError, r"shape '\[4\]' is invalid for input of size 6"),
    case(lambda: dv.ones(2, 3).t().view(6), RuntimeError, r"view size is not compatible"),
    case(lambda: dv.cat([dv.ones(2, 3), dv.ones(3, 2)]), RuntimeError, r"Sizes of tensors must match except in dimension 0"),
    case(lambda: dv.ones(2, 3).sum(2), IndexError, r"Dimension out of range \(expected to be in range of \[-2, 1\], but got 2\)"),
    case(lambda: dv.ones(3)[3], IndexError, r"index 3 is out of bounds for dimension 0 with size 3"),
    case(lambda: dv.ones(3)[::-1], ValueError, r"step must be greater than zero"),
    case(lambda: dv.ones(3)[dv.tensor([0, 5])], IndexError, r"index 5 is out of bounds for dimension 0 with size 3"),
    case(lambda: dv.ones(2, 3).gather(1, dv.tensor([[4]])), RuntimeError, r"index 4 is out of bounds for dimension 1 with size 3"),
    case(lambda: F.cross_entropy(dv.ones(2, 3), dv.tensor([0, 3])), IndexError, r"Target 3 is out of bounds"),
    case(lambda: F.embedding(dv.tensor([7]), dv.ones(3, 2)), IndexError, r"index out of range"),
    case(lambda: F.cross_entropy(dv.ones(2, 3), dv.tensor([0.0, 1.0])), RuntimeError, r"cross_entropy.*"),
    case(lambda: dv.softmax(dv.tensor([1, 2]), 0), NotImplementedError, r'not implemented for \'?"?Long'),
    case(lambda: dv.tensor([1, 2]).mean(), RuntimeError, r"mean.*(Long|int64)"),
    case(
        lambda: dv.tensor([1, 2], requires_grad=True),
        RuntimeError,
        r"Only Tensors of floating point and complex dtype can require gradients",
    ),
    case(lambda: dv.tensor([1]).add_(0.5), RuntimeError, r"result type Float can't be cast to the desired output type Long"),
    case(lambda: dv.ones(3).add_(dv.ones(2, 3)), RuntimeError, r"output with shape \[3\] doesn't match the broadcast shape \[2, 3\]"),
    case(
        lambda: dv.ones(2, 1).expand(2, 3).add_(1),
        RuntimeError,
        r"more than one element of the written-to tensor refers to a single memory location",
    ),
    case(lambda: bool(dv.ones(2)), RuntimeError, r"Boolean value of Tensor with more than one value is ambiguous"),
    case(lambda: dv.ones(2).item(), RuntimeError, r"a Tensor with 2 elements cannot be converted to Scalar"),
    case(lambda: dv.ones(2, requires_grad=True).numpy(), RuntimeError, r"Can't call numpy\(\) on Tensor that requires grad"),
    case(lambda: len(dv.tensor(1.0)), TypeError, r"len\(\) of a 0-d tensor"),
    case(lambda: dv.add(dv.ones(1), "a"), TypeError, r"add\(\).*'other' \(position 2\) must be Tensor or Number, not str"),
    case(lambda: F.linear(dv.ones(2, 3)), TypeError, r"linear.*missing argument"),
    case(lambda: dv.tensor([True]) - 1, RuntimeError, r"sub: Subtraction, the `-` operator, with a bool tensor is not supported"),
    case(lambda: 1 - dv.tensor([True]), RuntimeError, r"operator, with a bool tensor is not supported; .*`~` or `logical_not\(\)`"),
    case(lambda: dv.tensor([2], dtype=dv.uint8) ** -1, RuntimeError, r"Integers to negative integer powers .* \(exponent -1\)"),
    case(lambda: dv.ones(-1), RuntimeError, r"ones: Dimension size must be non-negative.*\[-1\]"),
    case(lambda: dv.ones(2).to("tpu"), RuntimeError, r"device: unknown device type 'tpu'"),
    case(lambda: dv.nn.Linear(3, 2)(dv.ones(4, 5)), RuntimeError, r"\(4, 5\).*\(2, 3\)"),
    case(lambda: dv.nn.Linear(3, 2).load_state_dict({"weight": dv.ones(2, 3)}), RuntimeError, r'Missing key\(s\) in state_dict: "bias"'),
    case(
        lambda: dv.nn.Linear(3, 2).load_state_dict({"weight": dv.ones(3, 3), "bias": dv.ones(2)}),
        RuntimeError,
        r"size mismatch for weight: copying a param with shape dovetail.Size\(\[3, 3\]\)",
    ),
    case(lambda: dv.optim.SGD([], lr=0.1), ValueError, r"empty parameter list"),
    case(lambda: dv.optim.SGD([dv.ones(1, requires_grad=True)], lr=-1), ValueError, r"Invalid learning rate: -1"),
]


@pytest.mark.parametrize(("call", "kind", "text"), CASES)
def test_the_text_names_what_is_wrong(call, kind, text) -> None:
    with pytest.raises(kind, match=text) as caught:
        call()
    assert isinstance(caught.value, DovetailError), f"{type(caught.value).__name__} is not one of ours"


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda a: F.conv2d(a, dv.ones(1, 1, 2, 2)), r"conv2d\(\): argument 'input' must be Tensor, not ndarray; make a tensor of it"),
        (dv.nn.Conv2d(1, 1, 2), r"conv2d\(\): argument 'input' must be Tensor, not ndarray"),
        (lambda a: F.layer_norm(a, (3,)), r"layer_norm\(\): argument 'input' must be Tensor, not ndarray"),
        (lambda a: F.cross_entropy(input=a, target=dv.tensor([1])), r"cross_entropy\(\): argument 'input' must be Tensor, not ndarray"),
        (lambda a: F.linear(a, dv.ones(3, 3)), r"linear\(\): argument 'input' \(position 1\) must be Tensor, not ndarray"),
    ],
)
def test_an_array_is_no_tensor(call, text) -> None:
    with pytest.raises(TypeError, match=text):
        call(np.ones((1, 1, 3, 3)))


def test_a_state_dict_that_does_not_fit_changes_nothing() -> None:
    layer = dv.nn.Linear(3, 2)
    before = layer.weight.tolist()
    with pytest.raises(RuntimeError, match="size mismatch for bias"):
        layer.load_state_dict({"weight": dv.ones(2, 3), "bias": dv.ones(5)})
    assert layer.weight.tolist() == before


def test_cuda_without_cupy_is_one_clear_error() -> None:
    if dv.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(RuntimeError, match=r"cuda: .*(CuPy is not installed|no usable GPU|no GPU was found)"):
        dv.ones(2).to("cuda")


def test_what_is_not_positive_definite_has_no_cholesky_factor() -> None:
    for matrix in (dv.full((2, 2), float("nan")), dv.tensor([[1.0, 0.0], [float("nan"), 1.0]]), -dv.eye(2)):
        with pytest.raises(dv.linalg.LinAlgError, match=r"linalg.cholesky: .* not positive-definite"):
            dv.linalg.cholesky(matrix)


def test_integers_hold_no_infinity() -> None:
    whole = dv.zeros(2, dtype=dv.int64)
    for value in (float("nan"), float("inf")):
        for write in (
            lambda v: dv.full((2,), v, dtype=dv.int64),
            lambda v: dv.full_like(whole, v),
            lambda v: whole.new_full((2,), v),
            lambda v: whole.__setitem__(0, v),
            lambda v: whole.__setitem__(whole == 0, v),
        ):
            with pytest.raises(RuntimeError, match=r"value cannot be converted to type int64(_t)? without overflow"):
                write(value)
    assert whole.tolist() == [0, 0]
