"""What PyTorch saves, load() gives as torch.load(weights_only=True) does: values, order, memory that is shared, what is refused."""

from __future__ import annotations

import io
import random
from collections import Counter, OrderedDict
from typing import Any

import numpy as np
import pytest
import torch

import dovetail as dv
from dovetail.errors import FormatError

DTYPES = "bool uint8 int8 int16 int32 int64 uint16 uint32 uint64 float16 bfloat16 float32 float64 complex64 complex128".split()
PLAIN = {torch.device: dv.device, torch.Size: dv.Size, torch.dtype: dv.dtype, torch.nn.Parameter: dv.nn.Parameter, torch.Tensor: dv.Tensor}


def saved(value: Any, **options: Any) -> io.BytesIO:
    file = io.BytesIO()
    torch.save(value, file, **options)
    file.seek(0)
    return file


def bits(t: Any) -> bytes:
    """The elements as bytes; bfloat16 has no NumPy type in PyTorch."""
    t = t.detach()
    if "bfloat16" in str(t.dtype):
        t = t.float()
    return np.ascontiguousarray((t.resolve_conj().resolve_neg() if isinstance(t, torch.Tensor) else t).numpy()).tobytes()


def same(theirs: Any, mine: Any) -> None:
    kind = type(theirs)
    assert type(mine) is PLAIN.get(kind, kind)
    if isinstance(theirs, torch.Tensor):
        assert str(mine.dtype).removeprefix("dovetail.") == str(theirs.dtype).removeprefix("torch.")
        assert tuple(mine.shape) == tuple(theirs.shape) and mine.requires_grad == theirs.requires_grad and mine.is_leaf == theirs.is_leaf
        conj = theirs.is_conj() or theirs.is_neg()
        if theirs.numel():
            assert tuple(mine.stride()) == theirs.stride() and (conj or mine.storage_offset() == theirs.storage_offset())
        assert bits(theirs) == bits(mine)
    elif isinstance(theirs, dict):
        for (k, a), (key, b) in zip(theirs.items(), mine.items(), strict=True):
            same(k, key), same(a, b)
        assert getattr(mine, "_metadata", None) == getattr(theirs, "_metadata", None)
    elif isinstance(theirs, list | tuple):
        for a, b in zip(theirs, mine, strict=True):
            same(a, b)
    elif isinstance(theirs, torch.dtype | torch.device):
        assert str(mine).removeprefix("dovetail.") == str(theirs).removeprefix("torch.")
    else:
        assert mine == theirs or (mine != mine and theirs != theirs)


def tensor(draw: random.Random, pool: list[Any]) -> Any:
    """A new tensor, or one that looks at the memory of another."""
    if pool and draw.random() < 0.4:
        t = draw.choice(pool)
        kind = draw.randrange(5)
        if kind == 0:
            return t
        if kind == 1 and t.dim() > 1:
            return t.transpose(0, -1)
        if kind == 2 and t.dim() and t.shape[0] > 1:
            return t[1:]
        if kind == 3 and t.dim():
            return t[..., ::2]
        return t.unsqueeze(0).expand(3, *t.shape)
    shape = [draw.choice([0, 1, 2, 3, 5]) if draw.random() < 0.9 else 7 for _ in range(draw.randrange(5))]
    t = (torch.randn(shape) * 50).to(getattr(torch, draw.choice(DTYPES)))
    if t.dim() == 4 and draw.random() < 0.5:
        t = t.contiguous(memory_format=torch.channels_last)
    if t.is_complex() and draw.random() < 0.5:
        t = t.conj()
    elif t.is_floating_point() and draw.random() < 0.3:
        t = torch.nn.Parameter(t, draw.random() < 0.5) if draw.random() < 0.6 else t.requires_grad_()
    if not t.requires_grad and not t.is_conj() and type(t) is torch.Tensor:
        pool.append(t)
    return t


def leaf(draw: random.Random, pool: list[Any]) -> Any:
    kind = draw.randrange(14)
    numbers = [0, 1, -1, 200, 256, 70_000, -(2**40), 2**31, 2**64, -(2**200), True, False, None, 1.5, float("nan"), -0.0, 1e-310]
    if kind < 5:
        return tensor(draw, pool)
    if kind < 8:
        return draw.choice(numbers)
    others = [
        "",
        "weight",
        "ü漢\0",
        "x" * 300,
        b"ab\xff",
        b"a" * 300,
        bytearray(b"q"),
        2 - 3j,
        torch.Size([3, 0]),
        torch.bfloat16,
        torch.int8,
    ]
    return draw.choice([*others, torch.device("cpu"), torch.device("cuda:3"), {1, "a"}, set(), (), [], {}, OrderedDict(), Counter("abca")])


def tree(draw: random.Random, pool: list[Any], depth: int) -> Any:
    if depth == 0 or draw.random() < 0.25:
        return leaf(draw, pool)
    inside = [tree(draw, pool, depth - 1) for _ in range(draw.randrange(6))]
    keys = [draw.choice([f"k{i}", i, (i, "x"), float(i) + 0.5, f"layer.{i}.weight"]) for i in range(len(inside))]
    made = [list, tuple, lambda v: dict(zip(keys, v, strict=True)), lambda v: OrderedDict(zip(keys, v, strict=True)), lambda v: v + v]
    return draw.choice(made)(inside)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("seed", range(60))
def test_random_trees(seed: int, zipped: bool) -> None:
    torch.manual_seed(seed)
    draw = random.Random(seed)
    value = [tree(draw, pool := [], 4), pool]
    file = saved(value, _use_new_zipfile_serialization=zipped)
    try:
        theirs = torch.load(file, weights_only=True)
    except AttributeError:  # it cannot read the unsigned types that it wrote in the older format
        assert not zipped
        theirs = value
    file.seek(0)
    mine = dv.load(file)
    same(theirs, mine)
    for a, b in zip(theirs[1], mine[1], strict=True):  # writing to one tensor shows in the others that look at its memory
        if a.numel() and 0 not in a.stride():
            a[...], b[...] = 1, 1
    same(theirs, mine)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_protocols(protocol: int) -> None:
    value = {"w": torch.ones(2), "s": {1, 2}, "f": frozenset({3}), "b": b"x", "e": b"", "n": [-1, 2**70, 1.5], "t": ("a" * 300, "ü")}
    for zipped in (True, False):
        mine = dv.load(saved(value, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped))
        same(value, mine)


@pytest.mark.parametrize("name", ["Linear", "BatchNorm2d", "LSTM", "Transformer", "MultiheadAttention"])
def test_modules(name: str) -> None:
    arguments = {"Linear": (3, 4), "BatchNorm2d": (3,), "LSTM": (3, 4, 2), "Transformer": (8, 2, 1, 1, 16), "MultiheadAttention": (8, 2)}[
        name
    ]
    theirs, mine = getattr(torch.nn, name)(*arguments), getattr(dv.nn, name)(*arguments)
    state = dv.load(saved(theirs.state_dict()))
    same(theirs.state_dict(), state)
    assert str(mine.load_state_dict(state)) == "<All keys matched successfully>"
    assert isinstance(mine.state_dict(), OrderedDict) and state._metadata == theirs.state_dict()._metadata


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "NAdam", "LBFGS"])
def test_optimizers_go_on(name: str) -> None:
    def steps(T: Any, model: Any, optimizer: Any) -> Any:
        for _ in range(3):
            optimizer.zero_grad()
            loss = model(T.ones(4, 3)).square().sum()
            loss.backward()
            optimizer.step(lambda loss=loss: loss)
        return [p.detach().numpy().copy() for p in model.parameters()]

    options = {"momentum": 0.9} if name == "SGD" else {}
    theirs, mine = torch.nn.Linear(3, 2), dv.nn.Linear(3, 2)
    optimizer = getattr(torch.optim, name)(theirs.parameters(), lr=0.05, **options)
    steps(torch, theirs, optimizer)
    found = dv.load(saved({"model": theirs.state_dict(), "optimizer": optimizer.state_dict()}))
    mine.load_state_dict(found["model"])
    other = getattr(dv.optim, name)(mine.parameters(), lr=0.1, **options)
    other.load_state_dict(found["optimizer"])
    for a, b in zip(steps(torch, theirs, optimizer), steps(dv, mine, other), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-6)


def test_attributes_of_parameters() -> None:
    value = torch.nn.Parameter(torch.ones(2))
    value.tag, value.rank = "lora", 3
    plain = torch.ones(2)
    plain.scale = torch.tensor(0.5)
    mine = dv.load(saved([value, plain]))
    assert (mine[0].tag, mine[0].rank, mine[1].scale.item()) == ("lora", 3, 0.5)


def test_checksums_may_be_left_out() -> None:
    torch.serialization.set_crc32_options(False)
    try:
        file = saved({"w": torch.ones(3)})
    finally:
        torch.serialization.set_crc32_options(True)
    assert dv.load(file)["w"].tolist() == [1, 1, 1]


class Thing:
    """A class that no reader but this program knows."""


@pytest.mark.parametrize(
    "value",
    [Thing(), [Thing], torch.nn.Linear(2, 2), np.ones(2), np.float64(3), range(3), Thing.__init__, torch.ones(2).to_sparse()],
    ids=lambda value: type(value).__name__,
)
def test_refused_by_both(value: Any) -> None:
    file = saved(value)
    if not isinstance(value, torch.Tensor):  # sparse tensors are not here
        with pytest.raises(Exception, match=r"(?i)weights.only"):
            torch.load(file, weights_only=True)
    file.seek(0)
    with pytest.raises(FormatError, match="which is not among what tensors and plain values need, and is not run"):
        dv.load(file)


def test_float8_is_refused_by_name() -> None:
    with pytest.raises(FormatError, match="names 'torch.float8_e4m3fn'"):
        dv.load(saved(torch.ones(2).to(torch.float8_e4m3fn)))
