"""`to_c` at its edges: what must be refused rather than computed otherwise, and values at which C and the model could part."""

from __future__ import annotations

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
from onnx import helper

import dovetail as dv
from dovetail import nn
from dovetail.errors import ValueRangeError
from dovetail_onnx import UnsupportedNodes, load, to_c
from tests.onnx.c99 import STRICT, called, check, compiler, library, run
from tests.onnx.models import constant, model
from tests.onnx.test_c99_ops import Together

node = helper.make_node


def file(tmp_path, nodes, inputs, shapes, weights=(), opset=20):
    """The path of a model whose last node gives ``y``."""
    onnx.save(model(nodes, inputs, shapes, ["y"], weights, opset), tmp_path / "m.onnx")
    return tmp_path / "m.onnx"


@pytest.mark.parametrize("shape", [(4,), (3, 4, 5)])
def test_products_that_are_not_packed_keep_what_follows_them(tmp_path, shape):
    """An elementwise operator after a product with a vector or a stack of matrices is computed, not left out."""
    dv.manual_seed(0)
    weight = dv.randn(shape)
    check(tmp_path, lambda x: (x @ weight).relu() + 1, dv.randn(2, 3, 2, 4))


@pytest.mark.parametrize(
    "nodes, op",
    [
        ([node("NonZero", ["x"], ["z"]), node("Shape", ["z"], ["s"]), node("Cast", ["s"], ["y"], to=1)], "NonZero"),
        ([node("Cast", ["x"], ["s"], to=7), node("Reshape", ["x", "s"], ["y"])], "Reshape"),
        ([node("Cast", ["x"], ["s"], to=7), node("Slice", ["x", "zero", "s"], ["z"]), node("Size", ["z"], ["n"]),
          node("Cast", ["n"], ["y"], to=1)], "Slice"),
        ([node("RandomNormal", [], ["r"], shape=[1]), node("Add", ["x", "r"], ["y"])], "RandomNormal"),
    ],
)  # fmt: skip
def test_shapes_and_draws_that_depend_on_the_run_have_no_c(tmp_path, nodes, op):
    """Also where nobody reads the values, and only their shape."""
    path = file(tmp_path, nodes, ["x"], [(1,)], [constant("zero", np.array([0]))])
    with pytest.raises(UnsupportedNodes, match=rf"to_c: there is no C for .*\({op}, ai\.onnx 20\)") as caught:
        to_c(path, tmp_path / "net.c", np.ones(1, "f4"), batch=False)
    assert [name for _, name in caught.value.nodes] == [op]


def test_samples_of_a_file_that_depend_on_each_other(tmp_path):
    """The file's own example is zeros, whose mean is theirs."""
    nodes = [node("ReduceMean", ["x", "axes"], ["m"]), node("Sub", ["x", "m"], ["y"])]
    path = file(tmp_path, nodes, ["x"], [("n", 4)], [constant("axes", np.array([0]))])
    with pytest.raises(ValueRangeError, match="two samples together give other results than each by itself"):
        to_c(path, tmp_path / "net.c")
    with pytest.raises(ValueRangeError, match="two samples together"):
        to_c(lambda x: x - x.mean(0), tmp_path / "net.c", dv.ones(1, 1))


NAN, INF = float("nan"), float("inf")


def test_values_at_the_edges(tmp_path):
    """NaN and infinities pass a hard sigmoid, the places of maxima and log-sum-exp; bounds that cross give the upper one."""
    x = dv.tensor([[1.0, NAN, 3.0, -0.5], [INF, -INF, NAN, NAN], [-INF, -INF, -INF, -INF], [0.0, 5.0, 5.0, INF]])
    functions = [
        nn.functional.hardsigmoid, nn.functional.hardswish, lambda v: v.argmax(-1), lambda v: v.argmin(-1), lambda v: dv.logsumexp(v, 1),
        lambda v: v.clamp(2.0, 1.0),
    ]  # fmt: skip
    check(tmp_path, Together(functions), x)


def test_long_rows_are_not_on_the_stack(tmp_path):
    made, _ = check(tmp_path, nn.Conv1d(2, 2, 3, groups=2), dv.randn(2, 2, 3000))
    assert made.memory >= 4 * 2998 and "float t[" not in (tmp_path / "net.c").read_text()


def test_names_that_c_has_itself(tmp_path):
    """Inputs and outputs that are called as functions and types of C are; file names that C could not include."""
    x = dv.ones(1, 2)
    to_c(lambda x: (x, x * 2), tmp_path / "net.c", x, input_names=["memcpy"], output_names=["printf", "size_t"], example=True)
    run(compiler(), *STRICT, tmp_path / "net.c", tmp_path / "net_main.c", "-o", tmp_path / "net", "-lm")
    for name in ('n"t.c', "né.c", "a\\b.c"):
        with pytest.raises(ValueRangeError, match=r"to_c: path is .*; expected a name of letters, digits and signs"):
            to_c(nn.ReLU(), tmp_path / name, x)
    with pytest.raises(ValueRangeError, match=r"weights is 'net_main\.c'; expected a file name without a folder"):
        to_c(nn.Linear(2, 2), tmp_path / "net.c", x, weights="net_main.c", example=True)


def same(tmp_path, path, x):
    """The program of the file itself gives what the file gives."""
    wanted = load(path)(x).detach().numpy()
    to_c(path, tmp_path / "net.c", x)
    code, [found] = called(library(tmp_path / "net.c"), "net", len(x), [x.numpy()], [wanted.shape[1:]])
    assert code == 0 and np.allclose(found, wanted, atol=1e-5)


def test_inputs_that_are_left_out(tmp_path):
    """A bias that a file names by nothing, in a convolution with a norm after it; one that a function's caller leaves out of a product."""
    dv.manual_seed(0)
    ones = [constant(name, np.array([0.5, 2.0], "f4")) for name in ("scale", "shift", "mean", "variance")]
    nodes = [node("Conv", ["x", "w", ""], ["c"]), node("BatchNormalization", ["c", "scale", "shift", "mean", "variance"], ["y"])]
    path = file(tmp_path, nodes, ["x"], [("n", 3, 4)], [constant("w", np.ones((2, 3, 1), "f4")), *ones])
    same(tmp_path, path, dv.randn(2, 3, 4))
    path.write_bytes(onnx.parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 18, "my" : 1]>
        g (float[n, 2] x) => (float[n, 2] y) <float[2, 2] w = {1, 2, 3, 4}> { y = my.Product (x, w) }
        <domain: "my", opset_import: ["" : 18]> Product (a, b, c) => (d) { d = Gemm (a, b, c) }""").SerializeToString())  # fmt: skip
    same(tmp_path, path, dv.randn(2, 2))
