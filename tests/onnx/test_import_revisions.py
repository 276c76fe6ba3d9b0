"""Operators as older opsets define them: each row runs at a revision that the backend suite, which has the newest only, does not reach."""

from __future__ import annotations

import numpy as np
import pytest

import dovetail_onnx

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper

X = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype("f4")
M = X[0, 0]
V = np.random.default_rng(1).normal(size=5).astype("f4")
i64 = lambda *values: np.array(values, "i8")
f32 = lambda *values: np.array(values, "f4")

#: Those whose axes were an attribute up to opset 17.
REDUCTIONS = {
    "L1": lambda x: abs(x).sum((1, 3)),
    "L2": lambda x: np.sqrt((x * x).sum((1, 3))),
    "LogSum": lambda x: np.log(x.sum((1, 3))),
    "LogSumExp": lambda x: np.log(np.exp(x).sum((1, 3))),
    "Max": lambda x: x.max((1, 3)),
    "Mean": lambda x: x.mean((1, 3)),
    "Min": lambda x: x.min((1, 3)),
    "Prod": lambda x: x.prod((1, 3)),
    "SumSquare": lambda x: (x * x).sum((1, 3)),
}

# (operator, opset, inputs, attributes, what is expected: a function of the inputs, or None for onnxruntime's answer)
ROWS = [
    ("Add", 6, [X, V], {"broadcast": 1}, lambda a, b: a + b),
    ("Mul", 6, [X, f32(1, 2, 3)], {"broadcast": 1, "axis": 1}, lambda a, b: a * b[:, None, None]),
    ("Sub", 6, [X, f32(1, 2, 3, 4)], {"broadcast": 1, "axis": -2}, lambda a, b: a - b[:, None]),
    ("Div", 5, [X, X[:1, :1, :1]], {"broadcast": 1}, lambda a, b: a / b),
    ("Greater", 6, [X, V], {"broadcast": 1}, lambda a, b: a > b),
    ("Pow", 6, [abs(X), f32(2)], {"broadcast": 1}, lambda a, b: a**b),
    ("Gemm", 6, [M, M.T.copy(), f32(1, 2, 3, 4)], {"broadcast": 1, "alpha": 0.5, "beta": 2.0}, lambda a, b, c: 0.5 * a @ b + 2 * c),
    ("Gemm", 8, [M, M, f32(1, 2, 3, 4).reshape(4, 1)], {"transB": 1}, lambda a, b, c: a @ b.T + c),
    ("Gemm", 9, [M, M, f32(1)], {"transB": 1}, lambda a, b, c: a @ b.T + c),
    ("Relu", 6, [X], {}, lambda x: np.maximum(x, 0)),
    ("PRelu", 6, [X, f32(0.1, 0.2, 0.3)], {}, lambda x, s: np.where(x < 0, x * s[:, None, None], x)),
    ("PRelu", 9, [X, f32(0.1, 0.2, 0.3).reshape(3, 1, 1)], {}, lambda x, s: np.where(x < 0, x * s, x)),
    ("Selu", 6, [X], {"alpha": 2.0, "gamma": 3.0}, lambda x: 3 * np.where(x > 0, x, 2 * np.expm1(x))),
    ("Softmax", 11, [X], {}, lambda x: softmax(x.reshape(2, -1)).reshape(x.shape)),
    ("Softmax", 12, [X], {"axis": 2}, lambda x: softmax(x.reshape(6, -1)).reshape(x.shape)),
    ("Softmax", 1, [X], {"axis": -1}, lambda x: softmax(x)),
    ("LogSoftmax", 11, [X], {"axis": 3}, lambda x: np.log(softmax(x))),
    ("Hardmax", 11, [X], {"axis": 2}, lambda x: (x.reshape(6, 20) == x.reshape(6, 20).max(1, keepdims=True)).reshape(x.shape).astype("f4")),
    ("LogSoftmax", 1, [X], {"axis": 3}, lambda x: np.log(softmax(x))),
    ("Hardmax", 1, [X], {"axis": 3}, lambda x: (x == x.max(-1, keepdims=True)).astype("f4")),
    ("Squeeze", 11, [X[:, :1]], {"axes": [1]}, lambda x: x[:, 0]),
    ("Squeeze", 1, [X[:, :1]], {}, lambda x: x[:, 0]),
    ("Unsqueeze", 11, [M], {"axes": [0, -1]}, lambda x: x[None, :, :, None]),
    ("ReduceSum", 10, [X], {"axes": [1, 2], "keepdims": 0}, lambda x: x.sum((1, 2))),
    ("ReduceSum", 11, [X], {"axes": [1, 2], "keepdims": 0}, lambda x: x.sum((1, 2))),
    ("ReduceMean", 13, [X], {"axes": [-1]}, lambda x: x.mean(-1, keepdims=True)),
    ("ReduceMax", 11, [X], {"keepdims": 0}, lambda x: x.max()),
    ("ReduceL2", 1, [X], {"axes": [3]}, lambda x: np.sqrt((x * x).sum(3, keepdims=True))),
    ("ReduceLogSumExp", 13, [X], {"axes": [0]}, lambda x: np.log(np.exp(x).sum(0, keepdims=True))),
    ("ArgMax", 11, [X], {"axis": 2, "keepdims": 0}, lambda x: x.argmax(2)),
    ("Split", 11, [X], {"axis": 3, "split": [2, 3]}, lambda x: [x[..., :2], x[..., 2:]]),
    ("Split", 2, [X], {"axis": 2}, lambda x: [x[:, :, :2], x[:, :, 2:]]),
    ("Split", 13, [X, i64(1, 4)], {"axis": 3}, lambda x, s: [x[..., :1], x[..., 1:]]),
    ("Clip", 6, [X], {"min": -0.5, "max": 0.25}, lambda x: x.clip(-0.5, 0.25)),
    ("Clip", 11, [X, f32(0).reshape(())], {}, lambda x, low: x.clip(0)),
    ("Pad", 2, [M], {"pads": [0, 1, 2, 0], "value": 1.5}, lambda x: np.pad(x, ((0, 2), (1, 0)), constant_values=1.5)),
    ("Pad", 1, [M], {"paddings": [0, 1, 2, 0], "mode": "reflect"}, lambda x: np.pad(x, ((0, 2), (1, 0)), mode="reflect")),
    ("Pad", 11, [M, i64(1, 1, 1, 1), f32(2).reshape(())], {"mode": "edge"}, lambda x, p, c: np.pad(x, 1, mode="edge")),
    ("Slice", 9, [X], {"starts": [1, -2], "ends": [99, 99], "axes": [1, 3]}, lambda x: x[:, 1:, :, -2:]),
    ("Slice", 1, [M], {"starts": [1], "ends": [-1]}, lambda x: x[1:-1]),
    ("Slice", 10, [M, i64(-1), i64(-99), i64(1), i64(-2)], {}, lambda x, *_: x[:, ::-2]),
    ("TopK", 9, [M], {"k": 2, "axis": 0}, lambda x: [np.sort(x, 0)[::-1][:2], np.argsort(-x, 0)[:2]]),
    ("TopK", 10, [M, i64(3)], {}, lambda x, k: [np.sort(x)[:, ::-1][:, :3], np.argsort(-x)[:, :3]]),
    ("Reshape", 4, [X], {"shape": [0, -1]}, lambda x: x.reshape(2, -1)),
    ("Reshape", 5, [X, i64(0, 0, -1)], {}, lambda x, s: x.reshape(2, 3, -1)),
    ("Cast", 5, [X], {"to": "INT32"}, lambda x: x.astype("i4")),
    ("Cast", 9, [X], {"to": TensorProto.DOUBLE}, lambda x: x.astype("f8")),
    ("Concat", 3, [M, M], {}, lambda a, b: np.concatenate([a, b], 1)),
    ("Tile", 1, [M, i64(2), i64(1)], {}, lambda x, t, a: np.tile(x, (1, 2))),
    ("Upsample", 7, [X], {"scales": [1.0, 1.0, 2.0, 3.0]}, lambda x: x.repeat(2, 2).repeat(3, 3)),
    ("Upsample", 9, [X, f32(1, 1, 2, 2)], {"mode": "linear"}, None),
    ("Resize", 10, [X, f32(1, 1, 0.5, 2)], {}, lambda x, s: x[:, :, ::2].repeat(2, 3)),
    ("Resize", 11, [X, f32(), f32(1, 1, 2, 2)], {"nearest_mode": "floor", "coordinate_transformation_mode": "asymmetric"},
     lambda x, *_: x.repeat(2, 2).repeat(2, 3)),
    ("Flatten", 9, [X], {"axis": 2}, lambda x: x.reshape(6, 20)),
    ("Dropout", 6, [X], {"is_test": 1, "ratio": 0.5}, lambda x: x),
    ("Dropout", 10, [X], {"ratio": 0.7}, lambda x: x),
    ("BatchNormalization", 6, [X, *[f32(1, 2, 3)] * 4], {"is_test": 1, "spatial": 1}, lambda x, *_: normalized(x)),
    ("BatchNormalization", 8, [X, *[f32(1, 2, 3)] * 4], {}, lambda x, *_: normalized(x)),
    ("BatchNormalization", 13, [X, *[f32(1, 2, 3)] * 4], {}, lambda x, *_: normalized(x)),
    ("GroupNormalization", 18, [X.repeat(2, 1), f32(1, 2, 3), f32(0, 1, 2)], {"num_groups": 3}, lambda x, s, b: groups(x, s, b)),
    ("MaxPool", 1, [X], {"kernel_shape": [2, 2], "auto_pad": "SAME_UPPER"}, None),
    ("AveragePool", 7, [X], {"kernel_shape": [2, 2], "strides": [2, 2]}, lambda x: x[:, :, :, :4].reshape(2, 3, 2, 2, 2, 2).mean((3, 5))),
    ("Gather", 1, [M, i64(0, 2)], {"axis": 1}, lambda x, i: x[:, [0, 2]]),
    ("Scatter", 9, [M, i64(0, 1).reshape(1, 2), f32(7, 8).reshape(1, 2)], {}, None),
    ("CumSum", 11, [M, i64(1)], {"exclusive": 1, "reverse": 1}, lambda x, a: x[:, ::-1].cumsum(1)[:, ::-1] - x),
    ("GridSample", 16, [X, np.tanh(np.random.default_rng(2).normal(size=(2, 3, 3, 2))).astype("f4")], {"mode": "bilinear"}, None),
    ("DFT", 17, [X[..., :2]], {"axis": 2}, lambda x: fourier(x, 2)),
    ("Max", 6, [X, X + 1], {}, lambda a, b: b),
    ("Mean", 6, [X, X + 2], {}, lambda a, b: a + 1),
    ("OneHot", 9, [i64(0, 2, -1), i64(4), f32(0, 5)], {}, lambda i, d, v: np.eye(4, dtype="f4")[i] * 5),
    ("GlobalLpPool", 1, [X], {"p": 2.0}, lambda x: np.sqrt((x * x).sum((2, 3), keepdims=True))),
    ("LpPool", 1, [X], {"p": 2.0, "kernel_shape": [4, 5]}, lambda x: np.sqrt((x * x).sum((2, 3), keepdims=True))),
    ("BatchNormalization", 5, [X, *[f32(1, 2, 3)] * 4], {"is_test": 1, "consumed_inputs": [0] * 5}, lambda x, *_: normalized(x)),
    ("Clip", 5, [X], {"max": 0.25, "consumed_inputs": [0]}, lambda x: x.clip(None, 0.25)),
    ("DepthToSpace", 10, [X.reshape(2, 12, 1, 5)], {"blocksize": 2},
     lambda x: x.reshape(2, 2, 2, 3, 1, 5).transpose(0, 3, 4, 1, 5, 2).reshape(2, 3, 2, 10)),
    ("Dropout", 5, [X], {"is_test": 1, "ratio": 0.5, "consumed_inputs": [0]}, lambda x: x),
    ("Dropout", 9, [X], {"ratio": 0.7}, lambda x: x),
    ("Gemm", 5, [M, M.T.copy(), f32(1, 2, 3, 4)], {"broadcast": 1}, lambda a, b, c: a @ b + c),
    ("GlobalLpPool", 21, [X], {"p": 1}, lambda x: abs(x).sum((2, 3), keepdims=True)),
    ("MaxRoiPool", 21, [X, f32(0, 0, 0, 4, 3, 1, 2, 1, 9, 2).reshape(2, 5)], {"pooled_shape": [2, 3], "spatial_scale": 0.75}, None),
    ("RoiAlign", 10, [X, f32(0, 0, 4, 3, 1, 1, 3, 2).reshape(2, 4), i64(0, 1)], {"output_height": 2, "output_width": 3}, None),
    ("Split", 1, [X], {"axis": 3, "split": [2, 3]}, lambda x: [x[..., :2], x[..., 2:]]),
    ("Unsqueeze", 10, [M], {"axes": [0, 2]}, lambda x: x[None, :, None]),
    ("Upsample", 1, [X], {"height_scale": 2.0, "width_scale": 3.0}, lambda x: x.repeat(2, 2).repeat(3, 3)),
    *((f"Reduce{name}", opset, [X], {"axes": [1, 3], "keepdims": 0}, how) for opset in (10, 12, 17) for name, how in REDUCTIONS.items()),
    ("InstanceNormalization", 1, [X, f32(1, 1, 1), f32(0, 0, 0)], {"consumed_inputs": [0, 0, 0]}, lambda x, s, b: instances(x)),
]  # fmt: skip


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def normalized(x):
    p = np.array([1, 2, 3], "f4")[:, None, None]
    return (x - p) / np.sqrt(p + 1e-5) * p + p


def instances(x):
    return (x - x.mean((2, 3), keepdims=True)) / np.sqrt(x.var((2, 3), keepdims=True) + 1e-5)


def groups(x, s, b):
    g = x.reshape(2, 3, -1)
    g = (g - g.mean(-1, keepdims=True)) / np.sqrt(g.var(-1, keepdims=True) + 1e-5)
    return (g * s[:, None] + b[:, None]).reshape(x.shape)


def fourier(x, axis):
    z = np.fft.fft(x[..., 0] + 1j * x[..., 1], axis=axis)
    return np.stack([z.real, z.imag], -1).astype("f4")


def one_node(op, opset, inputs, attributes, outputs):
    values = [helper.make_tensor_value_info(f"i{at}", helper.np_dtype_to_tensor_dtype(x.dtype), x.shape) for at, x in enumerate(inputs)]
    node = helper.make_node(op, [value.name for value in values], [f"o{at}" for at in range(outputs)], **attributes)
    results = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in node.output]
    return helper.make_model(helper.make_graph([node], "g", values, results), opset_imports=[helper.make_opsetid("", opset)], ir_version=7)


@pytest.mark.parametrize(("op", "opset", "inputs", "attributes", "expected"), ROWS, ids=[f"{row[0]}-{row[1]}" for row in ROWS])
def test_revision(op, opset, inputs, attributes, expected):
    newest = onnx.defs.get_schema(op).since_version
    assert onnx.defs.get_schema(op, opset).since_version <= newest
    wanted = expected(*inputs) if expected else None
    count = len(wanted) if isinstance(wanted, list) else 1
    made = one_node(op, opset, inputs, attributes, count)
    if wanted is None:
        runtime = pytest.importorskip("onnxruntime")
        session = runtime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
        wanted = session.run(None, {f"i{at}": value for at, value in enumerate(inputs)})
    module = dovetail_onnx.load(made)
    found = module(*inputs)
    assert not module.handed_over
    for ours, theirs in zip(found if isinstance(found, tuple) else [found], wanted if isinstance(wanted, list) else [wanted]):
        assert ours.numpy().dtype == theirs.dtype and ours.shape == theirs.shape
        np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-5, atol=1e-6)


def test_every_operator_with_an_older_meaning_has_a_row():
    """Those for which the table has more than one function are here at least once below the newest."""
    from dovetail_onnx.importer import table

    table.operators()
    several = {name for (domain, name), rows in table._TABLE.items() if len(rows) > 1}
    assert several - {row[0] for row in ROWS} <= {"Scan"}  # opset 8 is tried below


def test_scan_of_opset_8():
    body = onnx.parser.parse_graph("b (float[2] s, float[2] x) => (float[2] t, float[2] y) { t = Add(s, x) y = Identity(t) }")
    node = helper.make_node("Scan", ["", "s", "x"], ["t", "y"], body=body, num_scan_inputs=1)
    shapes = {"s": (3, 2), "x": (3, 5, 2)}
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    results = [helper.make_value_info(name, onnx.TypeProto()) for name in ("t", "y")]
    made = helper.make_model(helper.make_graph([node], "g", values, results), opset_imports=[helper.make_opsetid("", 8)])
    x = np.random.default_rng(0).normal(size=(3, 5, 2)).astype("f4")
    t, y = dovetail_onnx.load(made)(np.zeros((3, 2), "f4"), x)
    np.testing.assert_allclose(y.numpy(), x.cumsum(1), rtol=1e-5)
    np.testing.assert_allclose(t.numpy(), x.sum(1), rtol=1e-5, atol=1e-6)
