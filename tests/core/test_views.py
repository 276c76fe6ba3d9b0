"""Views: what shares memory, what may be written through, and where gradients go afterwards."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dovetail as dv

X = dv.arange(24.0).reshape(2, 3, 4)
VIEWS: dict[str, Callable[[Any], Any]] = {
    "number": lambda x: x[1], "0-d index": lambda x: x[dv.tensor(1)], "slice": lambda x: x[:, 1:, ::2],
    "new": lambda x: x[None], "rest": lambda x: x[..., 0], "empty tuple": lambda x: x[()],
    "element": lambda x: x[1, 1, 1], "view": lambda x: x.view(6, 4), "reshape": lambda x: x.reshape(4, 6),
    "flatten": lambda x: x.flatten(), "ravel": lambda x: x.ravel(), "unflatten": lambda x: x.unflatten(2, (2, 2)),
    "transpose": lambda x: x.transpose(0, 2), "permute": lambda x: x.permute(2, 0, 1),
    "movedim": lambda x: x.movedim(0, 1), "mT": lambda x: x.mT, "mH": lambda x: x.mH,
    "squeeze": lambda x: x[:1].squeeze(), "unsqueeze": lambda x: x.unsqueeze(1),
    "expand": lambda x: x.expand(5, 2, 3, 4), "narrow": lambda x: x.narrow(2, 1, 2),
    "select": lambda x: x.select(1, 2), "unfold": lambda x: x.unfold(2, 2, 1),
    "diagonal": lambda x: x.diagonal(1, 1, 2), "as_strided": lambda x: x.as_strided((2, 2), (5, 3), 1),
    "split": lambda x: x.split(2, 2)[1], "chunk": lambda x: x.chunk(2, 1)[1], "unbind": lambda x: x.unbind(1)[2],
    "tensor_split": lambda x: x.tensor_split(3, 2)[0], "cut": lambda x: x.tensor_split([1], 2)[1],
    "iteration": lambda x: next(iter(x)), "view as int32": lambda x: x.view(dv.int32),
    "broadcast_to": lambda x: dv.broadcast_to(x, (2, 2, 3, 4)), "detach": lambda x: x.detach(),
}  # fmt: skip
COPIES: dict[str, Callable[[Any], Any]] = {
    "mask": lambda x: x[x > 3], "list": lambda x: x[[0, 1]], "index": lambda x: x[dv.tensor([1])],
    "bool": lambda x: x[True], "clone": lambda x: x.clone(), "flip": lambda x: x.flip(0), "roll": lambda x: x.roll(1),
    "repeat": lambda x: x.repeat(1, 1, 1), "diag": lambda x: x[0].diag(), "tril": lambda x: x.tril(),
    "cat": lambda x: dv.cat([x]), "index_select": lambda x: x.index_select(0, dv.tensor([0])),
    "reshape of a transpose": lambda x: x.mT.reshape(-1), "contiguous of a transpose": lambda x: x.mT.contiguous(),
    "rot90": lambda x: x.rot90(4), "repeat_interleave": lambda x: x.repeat_interleave(1),
}  # fmt: skip


@pytest.mark.parametrize("name", VIEWS)
def test_views_share(name: str) -> None:
    x = X.clone()
    view = VIEWS[name](x)
    assert np.shares_memory(view.numpy(), x.numpy())
    before = x._version
    x.zero_()
    assert view._version == x._version == before + 1
    assert not view.numpy().any()


@pytest.mark.parametrize("name", COPIES)
def test_copies_do_not(name: str) -> None:
    x = X.clone()
    copy = COPIES[name](x)
    assert not np.shares_memory(copy.numpy(), x.numpy())
    assert not copy._is_view()


def test_the_same_object_comes_back() -> None:
    x = dv.ones(3)
    assert x.contiguous() is x
    assert x.flatten() is x
    assert dv.atleast_1d(x) is x
    assert x.to(dv.float32) is x
    assert dv.broadcast_tensors(x, dv.ones(1))[0] is x


def test_memory_formats() -> None:
    x = dv.arange(2.0 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    y = x.contiguous(memory_format=dv.channels_last)
    assert y.stride() == (60, 1, 15, 3)
    assert (y.is_contiguous(), y.is_contiguous(memory_format=dv.channels_last)) == (False, True)
    assert y.clone().stride() == y.stride()
    assert y.clone(memory_format=dv.contiguous_format).is_contiguous()
    assert (y == x).all()
    assert y.contiguous(memory_format=dv.channels_last) is y
    assert dv.ones(1, 2, 3, 4, 5).contiguous(memory_format=dv.channels_last_3d).stride() == (120, 1, 40, 10, 2)
    assert repr(dv.channels_last) == "dovetail.channels_last"
    with pytest.raises(RuntimeError, match="required rank 4 tensor"):
        dv.ones(2, 3).contiguous(memory_format=dv.channels_last)
    with pytest.raises(RuntimeError, match="preserve memory format is unsupported"):
        x.contiguous(memory_format=dv.preserve_format)


def test_view_refuses_to_copy() -> None:
    with pytest.raises(RuntimeError, match="view size is not compatible with input tensor's size and stride"):
        X.mT.view(-1)


def loss_of(*tensors: Any) -> Any:
    return sum(((k + 1.0) * t * t).sum() for k, t in enumerate(tensors))


def test_writing_through_a_chain_of_views() -> None:
    """b[:, 1].mul_(w) changes b as b * mask would, and the gradients are those of that."""
    a, w = dv.tensor(np.arange(6.0).reshape(2, 3) + 1, requires_grad=True), dv.tensor(3.0, requires_grad=True)
    b = a * 2
    row = b.t()[1]
    row.mul_(w)
    loss_of(b, row).backward()
    base = 2 * np.arange(1.0, 7).reshape(2, 3)
    want = 2 * 2 * base
    want[:, 1] = 2 * 2 * 9 * base[:, 1] * 3  # b counts once and row twice
    assert np.allclose(a.grad.numpy(), want)
    assert np.isclose(w.grad.item(), 3 * 2 * 3 * (base[:, 1] ** 2).sum())


def test_assignment_gives_gradients_to_value_and_past() -> None:
    a, v = dv.ones(3, 2, requires_grad=True), dv.tensor([2.0, 3.0], requires_grad=True)
    b = a * 1
    b[1:] = v
    b[[0, 0]] = v * 0 + 1
    (b * dv.tensor([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])).sum().backward()
    assert a.grad.tolist() == [[0, 0], [0, 0], [0, 0]]
    assert v.grad.tolist() == [5, 5]


def test_assignment_through_a_view() -> None:
    a, v = dv.ones(2, 3, requires_grad=True), dv.tensor(5.0, requires_grad=True)
    b = a * 1
    b.mT[2][0] = v
    assert b.tolist() == [[1, 1, 5], [1, 1, 1]]
    b.sum().backward()
    assert a.grad.tolist() == [[1, 1, 0], [1, 1, 1]]
    assert v.grad.item() == 1


def test_later_views_of_a_base_see_the_change() -> None:
    a = dv.ones(4, requires_grad=True)
    b = a * 1
    first, second = b[:2], b[1:3]
    first.mul_(3)
    second.sum().backward()
    assert a.grad.tolist() == [0, 3, 1, 0]


def test_masked_and_numeric_assignment() -> None:
    x = dv.arange(6).reshape(2, 3)
    x[x > 3] = 0
    x[0] = 1.9
    x[:, [0, 2]] = dv.tensor([7, 8])
    assert x.tolist() == [[7, 1, 8], [7, 0, 8]]
    x[False] = 9
    x[...] = dv.ones(1, 1, 2, 3)
    assert x.tolist() == [[1] * 3] * 2


@pytest.mark.parametrize(
    ("write", "error", "text"),
    [
        (lambda x: x.__setitem__(5, 1.0), IndexError, "index 5 is out of bounds for dimension 0 with size 2"),
        (lambda x: x.__setitem__([5], 1.0), IndexError, "index 5 is out of bounds for dimension 0 with size 2"),
        (lambda x: x.__setitem__(0, dv.ones(4)), RuntimeError, "The expanded size of the tensor (3) must match the existing size (4)"),
        (lambda x: x.__setitem__([0], dv.ones(2, 3)), RuntimeError, "cannot be broadcast to indexing result of shape [1, 3]"),
        (lambda x: x.__setitem__(x == 0, dv.ones(5)), RuntimeError, "value tensor of shape [5] cannot be broadcast"),
        (lambda x: x.__setitem__([0], dv.ones(3, dtype=dv.float64)), RuntimeError, "the source and destination dtypes match, got Float"),
        (lambda x: x.__setitem__(0, [1, 2, 3]), TypeError, "can't assign a list to a"),
        (lambda x: x.__setitem__(0, None), TypeError, "can't assign a NoneType to a"),
        (lambda x: x.__setitem__(0, 1j), RuntimeError, "value cannot be converted to type float32 without overflow"),
        (lambda x: x.expand(4, 2, 3).exp_(), RuntimeError, "more than one element of the written-to tensor refers to a single"),
    ],
)  # fmt: skip
def test_writes_that_are_refused(write: Callable[[Any], Any], error: type[Exception], text: str) -> None:
    x = dv.zeros(2, 3)
    with pytest.raises(error) as caught:
        write(x)
    assert text in str(caught.value)
    assert not x.numpy().any()
    assert x._version == 0


@pytest.mark.parametrize(
    ("write", "text"),
    [
        (lambda x: x.__setitem__(0, 1.0), "a leaf Variable that requires grad is being used in an in-place operation"),
        (lambda x: x[0].__setitem__(0, 1.0), "a view of a leaf Variable that requires grad is being used in an in-place operation"),
        (lambda x: x.t_(), "a leaf Variable that requires grad is being used in an in-place operation"),
        (lambda x: x[0].unsqueeze_(0), "a view of a leaf Variable that requires grad"),
        (lambda x: (x * 1).unbind()[0].mul_(2), "is the output of a function that returns multiple views"),
        (lambda x: (x * 1).split(1)[0][0].mul_(2), "is the output of a function that returns multiple views"),
        (lambda x: (x * 1).chunk(2)[0].t_(), "is the output of a function that returns multiple views"),
        (lambda x: x.resize_(6), "cannot resize variables that require grad"),
    ],
)
def test_writes_that_would_lose_a_gradient(write: Callable[[Any], Any], text: str) -> None:
    with pytest.raises(RuntimeError, match=text):
        write(dv.ones(2, 3, requires_grad=True))


def test_leaves_may_be_written_without_recording() -> None:
    x = dv.ones(2, 3, requires_grad=True)
    with dv.no_grad():
        x[0] = 5
        x.view(-1)[-1] = 7
        x.t_()
    assert x.tolist() == [[5, 1], [5, 1], [5, 7]]
    x.sum().backward()
    assert x.grad.shape == (3, 2)


def test_a_value_that_a_gradient_needs_must_stay() -> None:
    a = dv.ones(3, requires_grad=True)
    b = a * 2
    c = b * b
    b[0] = 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation by setitem"):
        c.sum().backward()


def test_metadata_in_place() -> None:
    a = dv.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    b = a * 1
    old = b[0]
    b.t_()
    b[0].mul_(2)  # the first column of a
    assert b.tolist() == [[2, 6], [2, 4]]
    assert old.tolist() == [2, 2]
    loss_of(b, old).backward()
    assert a.grad.tolist() == [[24, 12], [24, 8]]  # of (2p)^2 + (2r)^2 + q^2 + s^2 + 2 ((2p)^2 + q^2) for a = [[p, q], [r, s]]
    c = dv.zeros(2, 3)
    assert c.unsqueeze_(0).shape == (1, 2, 3)
    assert c.squeeze_().transpose_(0, 1).shape == (3, 2)
    assert c.resize_(2, 2).shape == (2, 2)
    assert dv.zeros(1).set_(dv.ones(4)).shape == (4,)


def test_as_strided_gradient_and_offsets() -> None:
    a = dv.tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
    (a.as_strided((2, 2), (1, 1), 1) * dv.tensor([[1.0, 2.0], [4.0, 8.0]])).sum().backward()
    assert a.grad.tolist() == [[0, 1, 6], [8, 0, 0]]
    tail = dv.arange(6)[2:]
    assert tail.storage_offset() == 2
    assert tail.as_strided((2,), (1,)).tolist() == [2, 3]
    assert tail.as_strided((2,), (1,), 0).tolist() == [0, 1]
    b = dv.tensor(np.arange(6.0).reshape(2, 3), requires_grad=True).mT * 1
    b.as_strided((2,), (3,)).mul_(10)
    assert b.max().item() == 30
    c = dv.ones(1, 3, requires_grad=True)  # whose rows share memory once it is expanded
    (c.expand(2, 3).as_strided((2,), (1,)) * dv.tensor([1.0, 2.0])).sum().backward()
    assert c.grad.tolist() == [[1, 2, 0]]


def test_copy_() -> None:
    src = dv.tensor([1.0, 2.0], requires_grad=True)
    x = dv.zeros(2, 2, dtype=dv.float64)
    x.copy_(src)
    assert x.dtype is dv.float64
    x.sum().backward()
    assert src.grad.tolist() == [2, 2]
    assert dv.zeros(2, dtype=dv.int64).copy_(dv.tensor([1.7, -1.7])).tolist() == [1, -1]
    with pytest.raises(RuntimeError, match="doesn't match the broadcast shape"):
        dv.zeros(2).copy_(dv.ones(2, 2))


def test_views_on_views_keep_only_what_they_need() -> None:
    """A view of a view looks at the memory of the base, also once the views between are gone."""
    base = dv.arange(10)
    view = base[2:][::2][1:]
    assert view._base is base
    view += 100
    assert base.tolist() == [0, 1, 2, 3, 104, 5, 106, 7, 108, 9]


def test_a_deep_copy_keeps_the_order_of_its_memory() -> None:
    """As PyTorch's: a product with the copy takes the same path, and is the same to the last bit."""
    turned = dv.arange(6.0).reshape(2, 3).t()
    twin = copy.deepcopy(turned)
    assert twin.stride() == turned.stride() == (1, 3) and twin.tolist() == turned.tolist()
