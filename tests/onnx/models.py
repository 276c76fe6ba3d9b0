"""Small models that the tests of reading ONNX files share, and the 40 attacks on their external data."""

from __future__ import annotations

import os
import socket

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, parser

SHAPES = {"w": (4, 4), "b": (4,)}


def constant(name, array):
    return numpy_helper.from_array(np.asarray(array), name)


def mlp(rng=None):
    rng = rng or np.random.default_rng(0)
    weights = [
        constant(f"layers.{at}.{kind}", rng.normal(size=size).astype("f4"))
        for at in (0, 2)
        for kind, size in (("weight", (6, 6)), ("bias", 6))
    ]
    nodes = [
        helper.make_node("Gemm", ["x", "layers.0.weight", "layers.0.bias"], ["h"], transB=1),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("Gemm", ["r", "layers.2.weight", "layers.2.bias"], ["y"], transB=1),
    ]
    return model(nodes, ["x"], [("n", 6)], ["y"], weights)


def model(nodes, inputs, shapes, outputs, weights=(), opset=18, functions=(), kind=TensorProto.FLOAT):
    values = [helper.make_tensor_value_info(name, kind, shape) for name, shape in zip(inputs, shapes)]
    results = [helper.make_tensor_value_info(name, kind, None) for name in outputs]
    graph = helper.make_graph(nodes, "g", values, results, list(weights))
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(f.domain, 1) for f in functions)]
    return helper.make_model(graph, opset_imports=opsets, functions=list(functions), ir_version=8)


def convnet():
    """Conv, BatchNormalization, pooling, Dropout and a classifier whose input shape is computed: any batch and image size."""
    rng = np.random.default_rng(1)
    weights = [
        constant("features.conv.weight", rng.normal(size=(4, 2, 3, 3)).astype("f4") / 3),
        constant("features.conv.bias", np.zeros(4, "f4")),
        constant("features.bn.weight", np.ones(4, "f4")), constant("features.bn.bias", np.zeros(4, "f4")),
        constant("features.bn.running_mean", np.full(4, 0.1, "f4")),
        constant("features.bn.running_var", np.full(4, 0.5, "f4")),
        constant("head.weight", rng.normal(size=(3, 4)).astype("f4")), constant("head.bias", np.zeros(3, "f4")),
        constant("ratio", np.float32(0.5)), constant("zero", np.int64(0)), constant("tail", np.array([-1], "i8")),
        constant("axes", np.array([0], "i8")),
    ]  # fmt: skip
    nodes = [
        helper.make_node("Conv", ["x", "features.conv.weight", "features.conv.bias"], ["c"], name="conv", pads=[1, 1, 1, 1]),
        helper.make_node(
            "BatchNormalization", ["c", *(f"features.bn.{n}" for n in ("weight", "bias", "running_mean", "running_var"))], ["n"]
        ),
        helper.make_node("Relu", ["n"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["p"]),
        helper.make_node("Shape", ["x"], ["size"]),
        helper.make_node("Gather", ["size", "zero"], ["batch"]),
        helper.make_node("Unsqueeze", ["batch", "axes"], ["batch1"]),
        helper.make_node("Concat", ["batch1", "tail"], ["shape"], axis=0),
        helper.make_node("Reshape", ["p", "shape"], ["f"]),
        helper.make_node("Dropout", ["f", "ratio"], ["d"]),
        helper.make_node("Gemm", ["d", "head.weight", "head.bias"], ["y"], name="head", transB=1),
    ]
    return model(nodes, ["x"], [("n", 2, "h", "w")], ["y"], weights)


def control():
    """If and Loop, which see names of the graph around them."""
    return parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 18]>
        g (float[n] x) => (float[n] y, float[k, n] steps) <float[1] w = {0.5}, int64 three = {3}, bool yes = {1}, float zero = {0}> {
            total = ReduceSum <keepdims = 0> (x)
            positive = Greater(total, zero)
            start = If (positive) <
                then_branch = a () => (float[n] p) { p = Mul(x, w) },
                else_branch = b () => (float[n] q) { q = Neg(x) }
            >
            y, steps = Loop (three, yes, start) <
                body = c (int64 i, bool going, float[n] v) => (bool on, float[n] next, float[n] out) {
                    on = Identity(going)
                    next = Add(v, w)
                    out = Mul(next, x)
                }
            >
        }""")


def functions():
    body = helper.make_node("Mul", ["u", "n"], ["v"])
    scaled = helper.make_node("LeakyRelu", ["v"], ["out"])
    scaled.attribute.append(onnx.AttributeProto(name="alpha", ref_attr_name="slope", type=onnx.AttributeProto.FLOAT))
    opsets = [helper.make_opsetid("", 18)]
    square = helper.make_function(
        "com.acme", "Square", ["u"], ["out"], [helper.make_node("Neg", ["u"], ["n"]), body, scaled], opsets, ["slope"]
    )
    return model([helper.make_node("Square", ["x"], ["y"], domain="com.acme", slope=0.3)], ["x"], [("n",)], ["y"], functions=[square])


SEEDS = {"mlp": mlp, "convnet": convnet, "control": control, "functions": functions}


def external(folder, location="w.bin", name="w", **entries):
    """x @ w with w in another file, whose entries are as given (None leaves one out)."""
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[4, 4], data_location=TensorProto.EXTERNAL)
    for key, value in {"location": location, "offset": "0", "length": "64", **entries}.items():
        if value is not None:
            tensor.external_data.add(key=key, value=value)
    made = model([helper.make_node("MatMul", ["x", name], ["y"])], ["x"], [("n", 4)], ["y"], [tensor])
    (folder / "m.onnx").write_bytes(made.SerializeToString())
    return folder / "m.onnx"


def attacks(outside, inside):
    """Name → what `external` is called with. ``outside`` holds secret.bin; what a case needs inside is made here."""
    secret = outside / "secret.bin"
    os.symlink(secret, inside / "link.bin")
    os.symlink(outside, inside / "linked")
    os.symlink("link.bin", inside / "chain.bin")
    os.symlink("w.bin", inside / "alias.bin")
    os.symlink(inside / "nowhere", inside / "dangling.bin")
    os.symlink("/dev/zero", inside / "zero.bin")
    os.link(secret, inside / "hard.bin")
    os.mkfifo(inside / "fifo.bin")
    (inside / "sub").mkdir()
    os.symlink(secret, inside / "sub" / "link.bin")
    listening = socket.socket(socket.AF_UNIX)
    before = os.getcwd()
    os.chdir(inside)  # names of sockets are short
    listening.bind("sock.bin")
    os.chdir(before)
    listening.close()
    relative = os.path.relpath(secret, inside)
    locations = {
        "parent": relative, "parent behind a folder": f"sub/../{relative}", "absolute": str(secret), "absolute, twice": f"/{secret}",
        "dots": "..", "dot": ".", "dot inside": "sub/./w.bin", "empty": "", "no name": None, "folder": "sub", "ends in a slash": "sub/",
        "two slashes": "sub//w.bin", "link": "link.bin", "folder that is a link": "linked/secret.bin", "chain of links": "chain.bin",
        "link inside": "alias.bin", "dangling link": "dangling.bin", "link to a device": "zero.bin", "link in a folder": "sub/link.bin",
        "hard link": "hard.bin", "fifo": "fifo.bin", "socket": "sock.bin", "proc": "/proc/self/environ", "device": "/dev/zero",
        "NUL": "w.bin\0.txt", "backslashes": f"..\\{secret.name}", "drive": "C:\\secret.bin", "share": "\\\\host\\share\\secret.bin",
        "stream": "w.bin:other", "url": f"file://{secret}", "newline": "w\n.bin", "long": "a/" * 3000 + "w.bin", "long name": "w" * 600,
        "missing": "nothing.bin", "home": "~/secret.bin", "percent": "%2e%2e/secret.bin",
    }  # fmt: skip
    rows = {name: {"location": location} for name, location in locations.items()}
    rows |= {
        "negative offset": {"offset": "-4"}, "huge offset": {"offset": str(2**62)}, "offset no number": {"offset": "1e3"},
        "offset of other digits": {"offset": "\uff11"}, "negative length": {"length": "-64"}, "huge length": {"length": str(2**62)},
        "short length": {"length": "60"}, "behind the end": {"offset": "100"}, "offset too long": {"offset": "9" * 4000},
    }  # fmt: skip
    return rows
