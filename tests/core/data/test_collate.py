"""default_collate and default_convert, by element type."""

from __future__ import annotations

from collections import OrderedDict, UserList, defaultdict, deque, namedtuple
from types import MappingProxyType

import numpy as np
import pytest

import dovetail as dv
from dovetail.data import default_collate, default_convert
from dovetail.data.collate import collate
from dovetail.errors import ShapeError, TypeMismatch

Point = namedtuple("Point", "x y")
KINDS = "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found "


def test_numbers():
    assert default_collate([1, 2]).dtype == dv.int64
    assert default_collate([True, False]).dtype == dv.bool
    assert default_collate([1.0, 2]).dtype == dv.float64
    assert default_collate([1, 2.5]).dtype == dv.float32


@pytest.mark.parametrize("kind", ["bool", "uint8", "int8", "int32", "int64", "float16", "float32", "float64"])
def test_numpy(kind):
    scalars = default_collate([np.dtype(kind).type(1), np.dtype(kind).type(0)])
    assert scalars.dtype.name == kind and scalars.tolist() == [1, 0]
    arrays = default_collate([np.ones((2, 3), kind), np.zeros((2, 3), kind)])
    assert arrays.dtype.name == kind and tuple(arrays.shape) == (2, 2, 3)
    assert tuple(default_collate([np.array(1, kind)]).shape) == (1,)


def test_tensors():
    out = default_collate([dv.zeros(2, 3), dv.ones(2, 3)])
    assert tuple(out.shape) == (2, 2, 3) and out[1].sum().item() == 6
    assert tuple(default_collate([dv.zeros(0), dv.zeros(0)]).shape) == (2, 0)
    leaf = dv.ones(2, requires_grad=True)
    assert default_collate([leaf, leaf]).requires_grad


def test_text_stays():
    assert default_collate(["a", "b"]) == ["a", "b"] and default_collate([b"a"]) == [b"a"]
    assert default_collate([np.str_("a")]) == ["a"]


def test_containers():
    batch = [{"x": 1, "y": (2.0, "a"), "z": [dv.ones(1)]}, {"x": 3, "y": (4.0, "b"), "z": [dv.zeros(1)]}]
    out = default_collate(batch)
    assert list(out) == ["x", "y", "z"] and out["x"].tolist() == [1, 3]
    assert isinstance(out["y"], list) and out["y"][0].dtype == dv.float64 and out["y"][1] == ("a", "b")
    assert isinstance(out["z"], list) and tuple(out["z"][0].shape) == (2, 1)
    point = default_collate([Point(1, "a"), Point(2, "b")])
    assert isinstance(point, Point) and point.x.tolist() == [1, 2] and point.y == ("a", "b")


def test_container_classes_are_kept():
    assert type(default_collate([OrderedDict(a=1)])) is OrderedDict
    counted = defaultdict(int, a=1)
    assert default_collate([counted]).default_factory is int and counted == {"a": 1}
    assert type(default_collate([MappingProxyType({"a": 1})])) is MappingProxyType
    assert type(default_collate([deque([1, 2])])) is deque
    assert type(default_collate([UserList([1])])) is UserList

    class Tagged(list):
        tag = "kept"

    tagged = Tagged([1, 2])
    tagged.tag = "mine"
    assert default_collate([tagged, tagged]).tag == "mine" and tagged == [1, 2]
    assert [t.tolist() for t in default_collate([range(2), range(2)])] == [[0, 0], [1, 1]]


@pytest.mark.parametrize("value", [None, object, {1}, frozenset([1]), 1j, np.datetime64("2020-01-01")])
def test_unknown_types(value):
    with pytest.raises(TypeMismatch) as caught:
        default_collate([value])
    assert str(caught.value) == f"{KINDS}{type(value)}; pass collate_fn to the DataLoader, or convert in a transform"


def test_arrays_of_text():
    with pytest.raises(TypeMismatch, match=f"{KINDS}<U1"):
        default_collate([np.array(["a"])])


def test_unequal_samples():
    with pytest.raises(ShapeError) as caught:
        default_collate([dv.ones(2), dv.ones(2), dv.ones(3)])
    expected = "stack expects each tensor to be equal size, but got [2] at entry 0 and [3] at entry 2"
    assert str(caught.value) == f"default_collate: {expected}; resize or pad the samples in a transform, or pass collate_fn"
    with pytest.raises(ShapeError, match=r"each element in list of batch should be of equal size; got lengths \[1, 2\]; pass collate_fn"):
        default_collate([[1], [1, 2]])
    with pytest.raises(KeyError, match="a"):
        default_collate([{"a": 1}, {"b": 1}])
    with pytest.raises(IndexError):
        default_collate([])


def test_rules_of_ones_own():
    class Base:
        pass

    class Below(Base):
        pass

    def count(batch, *, collate_fn_map):
        return len(batch)

    def exact(batch, *, collate_fn_map):
        return "exact"

    rules = {Base: count, Below: exact}
    assert collate([(Base(), 1), (Base(), 2)], collate_fn_map=rules)[0] == 2
    assert collate([Below()], collate_fn_map=rules) == "exact"
    assert collate([[1, Base()]], collate_fn_map={int: exact, **rules}) == ["exact", 1]


def test_convert():
    point = Point(np.ones(2), "a")
    out = default_convert({"p": point, "t": (np.float32(1), 2), "l": [np.zeros(1)], "s": np.array(["x"]), "d": deque([np.ones(1)])})
    assert isinstance(out["p"], Point) and out["p"].x.tolist() == [1, 1] and out["p"].y == "a"
    assert isinstance(out["t"], list) and out["t"][0].dtype == dv.float32 and out["t"][1] == 2
    assert out["l"][0].tolist() == [0] and isinstance(out["s"], np.ndarray) and isinstance(out["d"], deque)
    assert default_convert(3) == 3 and default_convert("a") == "a" and default_convert(None) is None
    t = dv.ones(1)
    assert default_convert(t) is t
