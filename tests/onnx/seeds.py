"""Thirty models, one of each kind that a file can be, which the tests of hostile files change."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx.backend.test
from onnx import TensorProto, helper, parser

import dovetail as dv
from dovetail import nn
from dovetail_onnx import export
from tests.onnx import models

__all__ = ["FROM_FILE", "SEEDS", "external"]

DATA = Path(onnx.backend.test.__file__).parent / "data"

#: Of the backend suite, as others wrote them.
SUITE = [
    "simple/test_sequence_model3", "simple/test_sequence_model7", "simple/test_strnorm_model_monday_casesensintive_lower",
    "simple/test_gradient_of_add_and_mul", "simple/test_expand_shape_model2", "pytorch-converted/test_Conv2d_depthwise_with_multiplier",
    "pytorch-converted/test_BatchNorm2d_momentum_eval", "pytorch-converted/test_Embedding", "pytorch-operator/test_operator_pad",
    "pytorch-operator/test_operator_symbolic_override",
]  # fmt: skip

TEXTS = {
    "scan": """g (float[2] s, float[5, 2] x) => (float[2] t, float[5, 2] y) {
        t, y = Scan <num_scan_inputs = 1, body = b (float[2] a, float[2] c) => (float[2] d, float[2] e) {
            d = Add(a, c)
            e = Identity(d)
        }> (s, x) }""",
    "if in a loop": """g (float[n] x, int64 m) => (float[n] y) <bool yes = {1}> {
        y = Loop (m, yes, x) <body = b (int64 i, bool c, float[n] v) => (bool k, float[n] w) {
            k = Identity(c)
            w = If (c) <then_branch = p () => (float[n] q) { q = Neg(v) }, else_branch = r () => (float[n] u) { u = Mul(v, x) }>
        }> }""",
    "strings": """g (string[n] x) => (string[n] y, bool[n] same) <string[2] w = {"yes", "no"}> {
        y = StringConcat(x, x)
        same = Equal(x, y)
    }""",
    "optional": """g (float[n] x) => (float[n] y, bool there) {
        o = Optional(x)
        there = OptionalHasElement(o)
        y = OptionalGetElement(o)
    }""",
    "quantised": """g (float[n, 4] x) => (float[n, 4] y) <float s = {0.5}, uint8 z = {128}> {
        q = QuantizeLinear(x, s, z)
        y = DequantizeLinear(q, s, z)
    }""",
    "shapes": """g (float[n, m] x) => (float[k] y, float[l] z) <int64[1] zero = {0}, int64[1] one = {1}, int64[1] all = {-1}> {
        size = Shape(x)
        rows = Slice(size, zero, one, zero, one)
        shape = Concat <axis = 0> (rows, all)
        flat = Reshape(x, shape)
        y = ReduceSum <keepdims = 0> (flat, one)
        c = ConstantOfShape <value = float {2}> (rows)
        z = Expand(c, rows)
    }""",
    "resize": """g (float[1, 1, h, w] x) => (float[1, 1, i, j] y) <float[4] scales = {1, 1, 2, 3}> {
        none = Constant <value = float[0] {}> ()
        y = Resize <mode = "cubic", cubic_coeff_a = -0.5> (x, none, scales)
    }""",
    "recurrent": """g (float[t, n, 3] x, float[1, 8, 3] w, float[1, 8, 2] r) => (float[t, 1, n, 2] y) {
        y = LSTM <hidden_size = 2, activations = ["Sigmoid", "Tanh", "Relu"]> (x, w, r)
    }""",
    "einsum and friends": """g (float[3, 4] x) => (float[3, 2] y, int64[3, 2] at) <int64[1] k = {2}> {
        e = Einsum <equation = "ij,kj->ik"> (x, x)
        t = TopK (e, k)
        y, at = TopK <axis = 1, largest = 0> (e, k)
    }""",
}


def written(text, opsets='"" : 18'):
    return parser.parse_model(f"<ir_version: 8, opset_import: [{opsets}]> {text}")


def of_suite(name):
    return onnx.load(DATA / name / "model.onnx")


def sparse():
    made = models.model([helper.make_node("Add", ["x", "s"], ["y"])], ["x"], [(2, 3)], ["y"])
    places, values = models.constant("", np.array([1, 4], "i8")), models.constant("s", np.array([2, 3], "f4"))
    made.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [2, 3]))
    return made


def packed():
    """Initializers of types with fewer bits than a byte, of half precision, and of double."""
    kinds = {
        "h": TensorProto.FLOAT16,
        "b": TensorProto.BFLOAT16,
        "f8": TensorProto.FLOAT8E4M3FN,
        "i4": TensorProto.INT4,
        "d": TensorProto.DOUBLE,
    }
    weights = [helper.make_tensor(name, kind, [3], [1, 2, 3]) for name, kind in kinds.items()]
    nodes = [helper.make_node("Cast", [name], [f"c{name}"], to=TensorProto.FLOAT) for name in kinds]
    return models.model(
        [*nodes, helper.make_node("Sum", ["x", *(f"c{name}" for name in kinds)], ["y"])], ["x"], [(3,)], ["y"], weights, opset=21
    )


def trees():
    nodes = [
        helper.make_node(
            "TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", n_targets=1, nodes_treeids=[0, 0, 0], nodes_nodeids=[0, 1, 2],
            nodes_featureids=[0, 0, 0], nodes_values=[0.5, 0.0, 0.0], nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"],
            nodes_truenodeids=[1, 0, 0], nodes_falsenodeids=[2, 0, 0], target_treeids=[0, 0],
            target_nodeids=[1, 2], target_ids=[0, 0], target_weights=[1.0, 2.0],
        )
    ]  # fmt: skip
    made = models.model(nodes, ["x"], [("n", 1)], ["y"])
    made.opset_import.add(domain="ai.onnx.ml", version=3)
    return made


def transformer():
    dv.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 12, batch_first=True).eval()
    return export(layer, dv.randn(2, 3, 8), dynamic_shapes={"src": {0: "batch", 1: "length"}}, metadata={"author": "tests"}, verify=False)


def external():
    """w.bin beside the model holds the weight."""
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4, 4], data_location=TensorProto.EXTERNAL)
    for key, value in {"location": "w.bin", "offset": "0", "length": "64"}.items():
        tensor.external_data.add(key=key, value=value)
    return models.model([helper.make_node("MatMul", ["x", "w"], ["y"])], ["x"], [("n", 4)], ["y"], [tensor])


SEEDS = {
    **models.SEEDS,
    **{name: lambda text=text: written(text, '"" : 20') for name, text in TEXTS.items()},
    **{name: lambda name=name: of_suite(name) for name in SUITE},
    **{made.__name__: made for made in (sparse, packed, trees, transformer)},
    "external": external,
    "external, two": lambda: _twice(external()),
    "an old one": lambda: models.model([helper.make_node("Softmax", ["x"], ["y"], axis=0)], ["x"], [(2, 3)], ["y"], opset=7),
}

#: Those that are read from a file in a folder, since they say where their weights are.
FROM_FILE = {"external", "external, two"}


def _twice(made):
    other = made.graph.initializer.add()
    other.CopyFrom(made.graph.initializer[0])
    other.name = "v"
    made.graph.node.add(op_type="MatMul", input=["y", "v"], output=["z"])
    return made
