"""save and load: every kind of value comes back as it was; map_location, into, names."""

from __future__ import annotations

import argparse
import io
import math
import subprocess
import sys
from collections import OrderedDict, defaultdict, deque, namedtuple

import numpy as np
import pytest

import dovetail as dv
from dovetail import nn
from dovetail.errors import FormatError, TypeMismatch


def again(value, **options):
    file = io.BytesIO()
    dv.save(value, file)
    file.seek(0)
    return dv.load(file, **options)


def same(a, b):
    if isinstance(a, dv.Tensor):
        same_flags = a.dtype is b.dtype and a.requires_grad == b.requires_grad and type(a) is type(b)
        return same_flags and np.array_equal(a.detach().numpy(), b.detach().numpy(), equal_nan=a.dtype.is_floating_point)
    if isinstance(a, dict):
        return type(a) is type(b) and list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and (a == b or (a != a and b != b))


NAMED_SELF = argparse.Namespace(lr=0.1)
vars(NAMED_SELF).update(self=dv.float16)
VALUES = [
    *(
        None,
        True,
        3,
        -(2**80),
        1.5,
        math.inf,
        -math.inf,
        math.nan,
        1e-320,
        -0.0,
        "",
        "ü\n\ud800\0",
        b"",
        b"\x00\xff",
        bytearray(b"ab"),
        1 - 2j,
    ),
    *([], (), {}, set(), [1, [2.0, ["x"]]], (1, (2,)), {1, 2, 3}, frozenset({"a"}), deque([1, (2,)], 2), deque(), dv.Size([2, 3])),
    *({"a": {"b": None}}, {0: "a", 1.5: "b", None: "c", (1, 2): "d", True: 3}, {"$": "tensor", "v": "x"}, OrderedDict(b=1, a=2)),
    *(argparse.Namespace(), NAMED_SELF, argparse.Namespace(lr=0.1, steps=(1, 2), model={"net": argparse.Namespace(dtype=dv.float8_e5m2)})),
    *(dv.float32, dv.bfloat16, dv.device("cpu"), {"__metadata__": dv.ones(1), "": dv.zeros(1), "a.b": dv.ones(2), "a": {"b": dv.zeros(2)}}),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda v: repr(v)[:40].encode("ascii", "replace").decode())
def test_values(value):
    assert same(again(value), value)


@pytest.mark.parametrize(
    "name",
    ["bool", "uint8", "int8", "int16", "int32", "int64", "uint16", "uint32", "uint64", "float16", "bfloat16", "float32", "float64",
     "complex64", "complex128", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz"],
)  # fmt: skip
@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (3,), (2, 3)])
def test_types_and_shapes(name, shape):
    t = dv.tensor(np.arange(math.prod(shape)).reshape(shape)).to(getattr(dv, name))
    back = again({"t": t})["t"]
    assert back.dtype is t.dtype and tuple(back.shape) == shape and back.tolist() == t.tolist()
    assert back.add_(1) is back if name != "bool" and "float8" not in name else True  # its memory may be written to


def test_an_open_file_is_whole_for_who_opens_it_by_name(tmp_path):
    with open(tmp_path / "t", "w+b") as file:
        dv.save({"a": dv.ones(2)}, file)
        assert dv.load(file.name)["a"].tolist() == [1, 1]


def test_not_contiguous():
    t = dv.arange(24).reshape(2, 3, 4)
    for view in (t.transpose(0, 2), t[:, ::2], t[..., 1:3], t[0].expand(5, 3, 4)):
        assert again(view).tolist() == view.tolist()
    assert again(dv.from_numpy(np.arange(3, dtype=">f4").astype("<f4")[::-1].copy())).tolist() == [2, 1, 0]


def test_gradients_and_parameters():
    leaf = dv.ones(2, requires_grad=True)
    back = again(
        {
            "leaf": leaf,
            "result": leaf * 2,
            "plain": leaf.detach(),
            "p": nn.Parameter(dv.zeros(1)),
            "frozen": nn.Parameter(dv.zeros(1), False),
        }
    )
    assert back["leaf"].requires_grad and back["leaf"].is_leaf and back["leaf"].grad is None
    assert back["result"].requires_grad and back["result"].is_leaf and back["result"].tolist() == [2, 2]
    assert not back["plain"].requires_grad
    assert type(back["p"]) is nn.Parameter and back["p"].requires_grad and not back["frozen"].requires_grad
    (back["leaf"] * 3).sum().backward()
    assert back["leaf"].grad.tolist() == [3, 3]


def test_shared_memory_is_shared_again(tmp_path):
    t = dv.ones(100_000)
    p = nn.Parameter(t)
    dv.save({"a": t, "b": t, "c": t.detach(), "p": p, "q": p, "other": dv.ones(100_000)}, tmp_path / "f")
    assert (tmp_path / "f").stat().st_size < 2.1 * 400_000
    back = dv.load(tmp_path / "f")
    assert back["a"] is back["b"] and back["p"] is back["q"]
    back["a"][0] = 7
    assert back["c"][0] == 7 and back["p"][0] == 7 and back["other"][0] == 1


def test_tied_weights_stay_tied():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(3, 3), nn.Linear(3, 3)
            self.b.weight = self.a.weight

    first, second = Tied(), Tied()
    again(first, into=second)
    assert second.a.weight is second.b.weight and second.a.weight.tolist() == first.a.weight.tolist()


def test_state_dicts_keep_order_and_versions():
    state = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)).state_dict()
    back = again(state)
    assert type(back) is OrderedDict and list(back) == list(state) and all(same(state[k], back[k]) for k in state)
    assert back._metadata == {k: {"version": v["version"]} for k, v in state._metadata.items()}


@pytest.mark.parametrize("name, options", [("SGD", {"momentum": 0.9}), ("Adam", {"amsgrad": True}), ("AdamW", {}), ("RMSprop", {})])
def test_optimizers_go_on_where_they_were(name, options):
    def make():
        dv.manual_seed(0)
        model = nn.Linear(3, 2)
        return model, getattr(dv.optim, name)(model.parameters(), lr=0.1, **options)

    def steps(model, optimizer, count):
        for _ in range(count):
            optimizer.zero_grad()
            model(dv.ones(4, 3)).square().sum().backward()
            optimizer.step()

    model, optimizer = make()
    steps(model, optimizer, 3)
    back = again({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3})
    assert same(back["optimizer"], optimizer.state_dict())
    model2, optimizer2 = make()
    model2.load_state_dict(back["model"])
    optimizer2.load_state_dict(back["optimizer"])
    steps(model, optimizer, 2), steps(model2, optimizer2, 2)
    assert same(model.state_dict(), model2.state_dict()) and same(optimizer.state_dict(), optimizer2.state_dict())


def test_schedulers_and_random_state():
    optimizer = dv.optim.SGD([nn.Parameter(dv.ones(1))], lr=0.1)
    scheduler = dv.optim.lr_scheduler.StepLR(optimizer, 2)
    optimizer.step(), scheduler.step()
    assert same(again(scheduler.state_dict()), scheduler.state_dict())
    state = again(dv.get_rng_state())
    first = dv.rand(3)
    dv.set_rng_state(state)
    assert dv.rand(3).tolist() == first.tolist()


def test_a_registered_model_is_rebuilt_by_its_key(tmp_path):
    model = dv.models.create("vision/digits_cnn", width=2, num_classes=3).eval()
    dv.save(model, tmp_path / "digits.dvt")
    back = dv.load(tmp_path / "digits.dvt").eval()
    assert type(back) is type(model) and back._dovetail_entry == model._dovetail_entry
    x = dv.rand(2, 1, 8, 8)
    assert back(x).tolist() == model(x).tolist()


def test_another_module_needs_into(tmp_path):
    model = nn.Linear(2, 3)
    dv.save(model, tmp_path / "linear.dvt")
    with pytest.raises(
        FormatError, match=r"linear.dvt: holds the tensors of a 'Linear', whose class is not registered.*load\(path, into=module\)"
    ):
        dv.load(tmp_path / "linear.dvt")
    other = nn.Linear(2, 3)
    assert dv.load(tmp_path / "linear.dvt", into=other) is other and same(other.state_dict(), model.state_dict())
    with pytest.raises(RuntimeError, match="size mismatch for weight"):
        dv.load(tmp_path / "linear.dvt", into=nn.Linear(3, 3))
    again(model.state_dict(), into=other)


@pytest.mark.parametrize("where", ["cpu", dv.device("cpu"), {"cuda:0": "cpu"}, {"cpu": "cpu"}, lambda t, place: t, lambda t, place: None])
def test_map_location(where):
    assert again({"t": dv.ones(2)}, map_location=where)["t"].tolist() == [1, 1]


def test_map_location_errors():
    with pytest.raises(TypeMismatch, match="load: map_location is float; expected a device, a dict or a function"):
        again(dv.ones(1), map_location=1.5)


def test_pytorch_s_arguments(tmp_path):
    dv.save(dv.ones(1), tmp_path / "t", pickle_protocol=2, _use_new_zipfile_serialization=False)
    assert dv.load(tmp_path / "t", weights_only=True, mmap=False, encoding="utf-8").tolist() == [1]
    with pytest.raises(TypeMismatch, match=r"load\(\): got an unexpected keyword argument 'map_locaton'"):
        dv.load(tmp_path / "t", map_locaton="cpu")
    with pytest.raises(TypeMismatch, match=r"save\(\): got an unexpected keyword argument 'safe'"):
        dv.save(1, tmp_path / "t", safe=True)


Point = namedtuple("Point", "x y")


@pytest.mark.parametrize(
    "value, text",
    [
        ({"a": [1, {"b": object()}]}, "save: cannot save a.1.b of type builtins.object; expected tensors, numbers"),
        (Point(1, 2), "save: cannot save the value of type .*Point"),
        (
            {"model": nn.Linear(1, 1)},
            r"save: cannot save model of type dovetail.nn.linear.Linear;.*; save its state_dict\(\), or plain values",
        ),
        (np.ones(2), "save: cannot save the value of type numpy.ndarray"),
        (lambda: 0, "save: cannot save the value of type builtins.function"),
    ],
)
def test_what_cannot_be_saved(value, text):
    with pytest.raises(TypeMismatch, match=text):
        again(value)


def test_a_circle():
    circle = []
    circle.append(circle)
    with pytest.raises(TypeMismatch, match="save: values are nested deeper than 200"):
        again(circle)


def test_a_lazy_module_before_its_first_forward():
    with pytest.raises(TypeMismatch, match="save: weight has no shape yet; .*run one forward first"):
        again(nn.LazyLinear(2))


def test_numpy_numbers_and_dict_classes_become_plain():
    assert same(again([np.float32(1.5), np.int64(2), np.bool_(True), np.str_("a")]), [1.5, 2, True, "a"])
    assert same(again(defaultdict(int, a=1)), {"a": 1})


def test_other_readers_can_read_it(tmp_path):
    from safetensors import safe_open
    from safetensors.numpy import load_file, save_file

    dv.save({"w": dv.ones(2, 3), "i": dv.tensor([1, 2]), "h": dv.tensor(True), "e": dv.zeros(0)}, tmp_path / "ours")
    theirs = load_file(tmp_path / "ours")
    assert {k: (a.dtype.name, a.shape) for k, a in theirs.items()} == {
        "w": ("float32", (2, 3)), "i": ("int64", (2,)), "h": ("bool", ()), "e": ("float32", (0,))
    }  # fmt: skip
    with safe_open(tmp_path / "ours", "numpy") as file:
        assert set(file.metadata()) == {"dovetail", "dovetail.crc32", "dovetail.header"}
    save_file({"w": np.eye(2)}, tmp_path / "theirs", {"format": "np"})
    assert dv.load(tmp_path / "theirs")["w"].tolist() == [[1, 0], [0, 1]]


def test_saving_needs_no_other_package():
    code = "import io, sys, dovetail as dv; dv.save({'a': dv.ones(2)}, io.BytesIO()); assert 'safetensors' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_deque_keeps_its_length(tmp_path):
    dv.save({"last": deque([dv.ones(1), 2], 2)}, tmp_path / "x.dv")
    last = dv.load(tmp_path / "x.dv")["last"]
    last.append(3)
    assert last.maxlen == 2 and list(last) == [2, 3]
