"""What a hostile ONNX file can do: be refused with a typed error, and nothing else."""

from __future__ import annotations

import os
import sys
import time

import numpy as np
import pytest

from dovetail.errors import FormatError

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper

from dovetail_onnx import importer
from dovetail_onnx.weights import read
from tests.onnx import models
from tests.support.figures import note

OPENED = []
WATCHING = []
sys.addaudithook(lambda event, args: OPENED.append(args[0]) if WATCHING and event == "open" else None)


def opened(function, *args):
    """The names that were opened while a function ran, and the error it ended with."""
    OPENED.clear()
    WATCHING.append(True)
    try:
        function(*args)
    except Exception as error:
        return list(OPENED), error
    finally:
        WATCHING.clear()
    return list(OPENED), None


@pytest.fixture
def folders(tmp_path):
    inside, outside = tmp_path / "model", tmp_path / "elsewhere"
    inside.mkdir(), outside.mkdir()
    values = np.arange(16, dtype="f4").tobytes()
    (inside / "w.bin").write_bytes(values + bytes(32))
    (outside / "secret.bin").write_bytes(values)
    return inside, outside


@pytest.mark.figures
@pytest.mark.parametrize("stepwise", [True, False], ids=["stepwise", "by name"])
@pytest.mark.parametrize("reader", [importer.load, lambda path: read(str(path))], ids=["load", "weights"])
def test_external_data(folders, reader, stepwise, monkeypatch):
    """Files are opened step by step, or by name where the system cannot do that."""
    inside, outside = folders
    if not stepwise:
        monkeypatch.setattr(os, "supports_dir_fd", set())
    rows = models.attacks(outside, inside)
    assert len(rows) >= 40
    reader(models.external(inside))  # imports happen here, and it works
    for name, row in rows.items():
        path = models.external(inside, **row)
        names, error = opened(reader, path)
        assert type(error) is FormatError and "tensor 'w'" in str(error), (name, error)
        allowed = {str(path), str(inside), "sub"} | ({"w.bin", str(inside / "w.bin")} if "offset" in row or "length" in row else set())
        assert {str(one) for one in names if not isinstance(one, int)} <= allowed, (name, names)
    note("S3", "attacks on external data of ONNX refused, nothing opened outside the folder", f"{len(rows)} of {len(rows)}", "40 of 40")


def test_good_external_data(folders):
    inside, _ = folders
    module = importer.load(models.external(inside, location="./w.bin", offset="16"))
    assert module.w[0].tolist() == [4.0, 5.0, 6.0, 7.0]
    (inside / "deep" / "er").mkdir(parents=True)
    (inside / "w.bin").rename(inside / "deep" / "er" / "w.bin")
    assert importer.load(models.external(inside, location="deep/er/w.bin", length=None)).w[3, 3].item() == 15
    with pytest.raises(FormatError, match="lies outside the model, and this model was not read from a file"):
        importer.load((inside / "m.onnx").read_bytes())


def test_what_the_onnx_package_writes(tmp_path):
    made = models.convnet()
    onnx.save(made, tmp_path / "m.onnx", save_as_external_data=True, location="m.data", size_threshold=0)
    assert (tmp_path / "m.data").stat().st_size > 300
    found, expected = importer.load(tmp_path / "m.onnx").state_dict(), importer.load(models.convnet()).state_dict()
    assert list(found) == list(expected) and all(found[name].equal(expected[name]) for name in expected)


def test_ranges_apart_or_the_same(folders):
    inside, _ = folders

    def two(offset, times=1):
        graph = onnx.load(models.external(inside), load_external_data=False)
        for at in range(times):
            other = graph.graph.initializer.add()
            other.CopyFrom(graph.graph.initializer[0])
            other.name = f"v{at}"
            other.external_data[1].value = offset
        (inside / "m.onnx").write_bytes(graph.SerializeToString())
        return inside / "m.onnx"

    importer.load(two("0"))
    with pytest.raises(FormatError, match=r"overlaps another tensor in 'w\.bin'"):
        importer.load(two("4"))
    with pytest.raises(FormatError, match="expected at most 8 tensors on the same bytes"):
        importer.load(two("0", times=20))


@pytest.mark.parametrize(
    ("dims", "more"), [([1 << 40], {}), ([-1], {}), ([1 << 31, 1 << 31], {}), ([4], {"raw_data": bytes(12)}), ([2], {"float_data": [1.0]})]
)
def test_sizes_are_checked_before_anything_is_allocated(dims, more):
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=dims, **more)
    made = models.model([helper.make_node("Identity", ["w"], ["y"])], [], [], ["y"], [tensor])
    began = time.perf_counter()
    with pytest.raises(FormatError, match="tensor 'w'"):
        importer.load(made)
    assert time.perf_counter() - began < 1


def test_sparse_bombs():
    values, places = models.constant("s", np.ones(1, "f4")), models.constant("", np.zeros(1, "i8"))
    made = models.model([helper.make_node("Identity", ["s"], ["y"])], [], [], ["y"])
    made.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [1 << 40]))
    with pytest.raises(FormatError, match="sparse tensor 's' with 1 values has the shape"):
        importer.load(made)
    made.graph.sparse_initializer[0].dims[:] = [2, 2]
    assert importer.load(made)().tolist() == [[1.0, 0.0], [0.0, 0.0]]


def test_graphs_that_go_in_circles():
    def function(name, calls):
        return helper.make_function(
            "a", name, ["u"], ["v"], [helper.make_node(calls, ["u"], ["v"], domain="a")], [helper.make_opsetid("a", 1)]
        )

    made = models.model(
        [helper.make_node("F", ["x"], ["y"], domain="a")], ["x"], [(1,)], ["y"], functions=[function("F", "G"), function("G", "F")]
    )
    with pytest.raises(FormatError, match=r"node number 0 \(F, a 1\) calls itself"):
        importer.load(made)
    loop = models.model([helper.make_node("Add", ["x", "b"], ["a"]), helper.make_node("Neg", ["a"], ["b"])], ["x"], [(1,)], ["b"])
    with pytest.raises(FormatError, match="takes 'b', which nothing before it computes"):
        importer.load(loop)


def test_functions_that_call_each_other_twice_and_twice_again():
    def function(at):
        calls = [helper.make_node(f"F{at + 1}", ["u"], [name], domain="a") for name in ("p", "q")]
        nodes = [*calls, helper.make_node("Add", ["p", "q"], ["v"])]
        return helper.make_function("a", f"F{at}", ["u"], ["v"], nodes, [helper.make_opsetid("a", 1), helper.make_opsetid("", 18)])

    last = helper.make_function("a", "F40", ["u"], ["v"], [helper.make_node("Neg", ["u"], ["v"])], [helper.make_opsetid("", 18)])
    made = models.model(
        [helper.make_node("F0", ["x"], ["y"], domain="a")], ["x"], [(1,)], ["y"], functions=[*map(function, range(40)), last]
    )
    with pytest.raises(FormatError, match="written out, are more than 100 times as long as the model"):
        importer.load(made)
