"""Models that were read from ONNX behave as modules: names, gradients, modes, sizes, errors."""

from __future__ import annotations

import numpy as np
import pytest

import dovetail as dv
import dovetail_onnx
from dovetail import nn
from dovetail.errors import FormatError, ShapeError, TypeMismatch, UnsupportedError

onnx = pytest.importorskip("onnx")
from onnx import helper, parser
from onnx.reference import ReferenceEvaluator

from tests.onnx import models


def same(model, *arrays, **options):
    """The imported model and the reference evaluator agree; the module."""
    module = dovetail_onnx.load(model)
    feeds = dict(zip([value.name for value in module.inputs], arrays))
    expected = ReferenceEvaluator(model).run(None, feeds)
    found = module(*arrays)
    for ours, theirs in zip(found if isinstance(found, tuple) else (found,), expected):
        assert ours.detach().numpy().dtype == theirs.dtype
        np.testing.assert_allclose(ours.detach().numpy(), theirs, **{"rtol": 1e-5, "atol": 1e-6, **options})
    return module


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("f4")


@pytest.mark.parametrize("shape", [(1, 2, 6, 6), (3, 2, 9, 5)])
def test_any_size_that_the_graph_can_process(shape):
    same(models.convnet(), normal(*shape))


def test_sizes_are_numbers():
    """Shape, Gather, Unsqueeze and Concat in front of Reshape leave nothing in a trace, and so nothing on the tape."""
    graph = dv.graph.trace(dovetail_onnx.load(models.convnet()), dv.randn(2, 2, 5, 5))
    assert [call.op for call in graph.calls] == ["convolution", "batch_norm_infer", "relu", "mean", "reshape", "linear"]


def test_sizes_where_they_are_data():
    """The same operators on the same kind of numbers, where these come from an input or are an output."""
    made = parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 18]>
        g (float[n, m] x, int64[k] extra) => (int64[l] shape, int64 size, int64[2] half, float y) <int64[1] two = {2}, int64 zero = {0}> {
            s = Shape (x)
            shape = Concat <axis = 0> (s, extra)
            size = Size (x)
            back = Neg (s)
            half = Div (back, two)
            first = Gather (s, zero)
            f = Cast <to = 1> (first)
            y = Sqrt (f)
        }""")
    module = same(made, normal(4, 7), np.array([5, 6], "i8"))
    assert [t.tolist() for t in module(normal(4, 7), np.array([5], "i8"))] == [[4, 7, 5], 28, [-2, -3], 2.0]


@pytest.mark.parametrize("sign", [1, -1])
def test_control_flow(sign):
    x = np.abs(normal(5)) * np.float32(sign)
    module = same(models.control(), x)
    x = dv.from_numpy(x).requires_grad_()
    y, steps = module(x)
    (y.sum() + steps.sum()).backward()
    assert x.grad.shape == x.shape and module.w.grad.item() != 0


def test_functions_of_the_model():
    x = normal(7)
    np.testing.assert_allclose(dovetail_onnx.load(models.functions())(x).numpy(), np.float32(-0.3) * x * x, rtol=1e-6)


def test_names_are_those_of_the_file(tmp_path):
    onnx.save(models.mlp(), tmp_path / "m.onnx")
    module = dovetail_onnx.load(tmp_path / "m.onnx")
    names = ["layers.0.bias", "layers.0.weight", "layers.2.bias", "layers.2.weight"]
    assert sorted(module.state_dict()) == names and all(isinstance(p, nn.Parameter) for p in module.parameters())
    assert module.get_parameter("layers.0.weight").shape == (6, 6) and module.names["layers.2.bias"] == "layers.2.bias"
    assert not module.training and [str(value) for value in module.inputs] == ["x: float[n, 6]"]
    assert "x: float[n, 6] -> y: float" in repr(module) and "Gemm 2" in repr(module)
    # a layer tree with the same names takes its weights
    layers = nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 6))
    layers.load_state_dict({name.removeprefix("layers."): value for name, value in module.state_dict().items()})
    x = dv.randn(3, 6)
    assert dv.allclose(layers(x), module(x))


def test_names_that_python_cannot_have():
    names = ["a/b:0", "a.b", "a.b.c", "forward", "", "weight.", "inputs", "a_b_0", "training"]
    weights = [models.constant(name or "…", np.float32(at)) for at, name in enumerate(names)]
    made = models.model([helper.make_node("Sum", [one.name for one in weights], ["y"])], [], [], ["y"], weights)
    module = dovetail_onnx.load(made)
    assert module().item() == sum(range(9)) and len(module.state_dict()) == 9
    assert {name: module.state_dict()[dotted].item() for name, dotted in module.names.items()} == {
        one.name: at for at, one in enumerate(weights)
    }


def test_numbered_names_become_those_of_layers():
    weights = [models.constant(name, np.ones((2, 2), "f4")) for name in ("onnx::Gemm_7", "onnx::MatMul_8", "head.weight", "onnx::MatMul_9")]
    nodes = [
        helper.make_node("Gemm", ["x", "onnx::Gemm_7"], ["a"], name="/layers/layers.0/layers.0.1/fc/Gemm"),
        helper.make_node("MatMul", ["a", "onnx::MatMul_8"], ["b"], name="/layers/layers.0/layers.0.1/out/MatMul"),
        helper.make_node("MatMul", ["b", "onnx::MatMul_9"], ["c"], name="MatMul_3"),
        helper.make_node("MatMul", ["c", "head.weight"], ["y"], name="/head/MatMul"),
    ]
    module = dovetail_onnx.load(models.model(nodes, ["x"], [("n", 2)], ["y"], weights))
    assert list(module.names.values()) == ["layers.0.1.fc.weight", "layers.0.1.out.weight_t", "head.weight", "onnx_MatMul_9"]
    assert module.get_parameter("layers.0.1.fc.weight") is not None and module(np.ones((1, 2), "f4")).tolist() == [[16.0, 16.0]]


def test_what_is_trained():
    module = dovetail_onnx.load(models.convnet())
    learned = {name for name, _ in module.named_parameters()}
    assert learned == {f"features.{name}" for name in ("conv.weight", "conv.bias", "bn.weight", "bn.bias")} | {"head.weight", "head.bias"}
    assert {"features.bn.running_mean", "features.bn.running_var", "ratio", "zero", "tail", "axes"} == {
        name for name, _ in module.named_buffers()
    }
    only = dovetail_onnx.load(models.convnet(), trainable=lambda name: name.startswith("head"))
    assert {name for name, _ in only.named_parameters()} == {"head.weight", "head.bias"}


class Twin(nn.Module):
    """What `models.convnet` describes, as layers."""

    def __init__(self):
        super().__init__()
        self.features = nn.ModuleDict({"conv": nn.Conv2d(2, 4, 3, padding=1), "bn": nn.BatchNorm2d(4)})
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        x = self.features["bn"](self.features["conv"](x)).relu().mean([2, 3])
        return self.head(dv.dropout(x, 0.5, self.training))


def test_training_is_that_of_layers():
    """Loss, gradients and running statistics over ten steps equal those of the same network made of layers."""
    module, twin = dovetail_onnx.load(models.convnet()), Twin()
    state = module.state_dict()
    twin.load_state_dict({name: value for name, value in state.items() if "." in name}, strict=False)
    x, labels = dv.from_numpy(normal(16, 2, 5, 5)), dv.arange(16) % 3
    losses = []
    for net in (module, twin):
        net.train()
        dv.manual_seed(0)
        optimizer = dv.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
        row = []
        for _ in range(10):
            optimizer.zero_grad()
            dv.manual_seed(len(row))
            loss = nn.functional.cross_entropy(net(x), labels)
            loss.backward()
            optimizer.step()
            row.append(loss.item())
        losses.append(row)
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)
    for name in ("running_mean", "running_var"):
        assert dv.allclose(module.state_dict()[f"features.bn.{name}"], twin.state_dict()[f"features.bn.{name}"], rtol=1e-4)


def test_dropout_is_active_in_training_mode_alone():
    made = models.model([helper.make_node("Dropout", ["x"], ["y", "mask"])], ["x"], [("n",)], ["y", "mask"])
    module = dovetail_onnx.load(made)
    x = dv.ones(1000)
    assert module(x)[0].equal(x) and module(x)[1].all()
    y, mask = module.train()(x)
    assert set(y.tolist()) == {0.0, 2.0} and 400 < mask.sum().item() < 600 and y.equal(mask * 2.0)


def test_inputs_by_name_and_as_arrays():
    made = models.model([helper.make_node("Sub", ["a", "b"], ["y"])], ["a", "b"], [(2,), (2,)], ["y"])
    module = dovetail_onnx.load(made)
    assert module(np.ones(2, "f4"), b=dv.zeros(2)).tolist() == [1.0, 1.0] and module(b=dv.ones(2), a=dv.zeros(2)).tolist() == [-1.0, -1.0]
    for args, kwargs, text in [
        ((1,), {}, r"missing the input 'b'; expected a: float\[2\], b: float\[2\]"),
        ((1, 2, 3), {}, "takes 2 inputs but 3 were given"),
        ((1,), {"a": 2}, "got the input 'a' twice"),
        ((1,), {"c": 2}, "got an unexpected input 'c'"),
    ]:
        with pytest.raises(TypeMismatch, match=text):
            module(*args, **kwargs)


def test_errors_name_the_node():
    module = dovetail_onnx.load(models.convnet())
    with pytest.raises(ShapeError, match=r"node 'conv' \(Conv, ai.onnx 18\): conv2d: .*channels"):
        module(dv.ones(1, 5, 4, 4))
    unknown = models.model([helper.make_node("Warp", ["x"], ["y"], name="w", domain="com.acme")], ["x"], [(1,)], ["y"])
    unknown.opset_import.add(domain="com.acme", version=3)
    text = r"node 'w' \(Warp, com.acme 3\): nobody provides this operator; `dovetail onnx info FILE` lists a model's operators; a plugin"
    with pytest.raises(UnsupportedError, match=text):
        dovetail_onnx.load(unknown)
    newer = models.model([helper.make_node("Neg", ["x"], ["y"])], ["x"], [(1,)], ["y"], opset=99)
    with pytest.raises(UnsupportedError, match=r"uses opset 99; the installed package onnx .* knows opsets up to \d+; pip install -U onnx"):
        dovetail_onnx.load(newer)
    wrong = models.model([helper.make_node("Elu", ["x"], ["y"], gamma=1.0)], ["x"], [(1,)], ["y"])
    with pytest.raises(FormatError, match=r"node number 0 \(Elu, ai.onnx 18\) has the attribute 'gamma'; expected X, alpha"):
        dovetail_onnx.load(wrong)
    with pytest.raises(TypeMismatch, match="load: got a int; expected a path, bytes or a ModelProto"):
        dovetail_onnx.load(3)


def test_types_without_tensors_are_handed_over():
    made = parser.parse_model("""
        <ir_version: 9, opset_import: ["" : 21]>
        g (float[n] x) => (float[n] y) <float s = {0.5}> {
            q = QuantizeLinear <output_dtype = 22> (x, s)
            d = DequantizeLinear (q, s)
            y = Mul (d, x)
        }""")
    module = same(made, normal(6))
    assert set(module.handed_over.values()) == {"QuantizeLinear", "DequantizeLinear"}
    x = dv.from_numpy(normal(6)).requires_grad_()
    module(x).sum().backward()  # the rest stays differentiable
    assert dv.allclose(x.grad, module(x.detach()) / x.detach())


@pytest.mark.parametrize(("op", "opset", "attributes"), [
    ("Attention", 23, {"is_causal": 1}),
    ("LinearAttention", 27, {"q_num_heads": 2, "kv_num_heads": 2, "update_rule": "linear"}),
])  # fmt: skip
def test_definitions_of_the_standard_serve_every_size(op, opset, attributes):
    """Attention's definition is one for all sizes, LinearAttention's one for each."""
    if opset > onnx.defs.onnx_opset_version():
        pytest.skip(f"onnx {onnx.__version__} has no opset {opset}")
    shape = (lambda n: (1, 2, n, 8)) if op == "Attention" else (lambda n: (1, n, 8))
    made = models.model([helper.make_node(op, ["q", "k", "v"], ["y"], **attributes)], ["q", "k", "v"], [None] * 3, ["y"], opset=opset)
    module = dovetail_onnx.load(made)
    for n in (3, 5, 3, *range(1, 25)):
        arrays = [normal(*shape(n), seed=at) for at in range(3)]
        (expected,) = ReferenceEvaluator(made).run(None, dict(zip("qkv", arrays)))
        np.testing.assert_allclose(module(*arrays).numpy(), expected, rtol=1e-4, atol=1e-5)
    assert not module.handed_over


def test_strings_and_sequences():
    made = parser.parse_model("""
        <ir_version: 9, opset_import: ["" : 20]>
        g (string[n] a, float[m] x) => (string[n] joined, float[k] twice) {
            joined = StringConcat (a, a)
            parts = SequenceConstruct (x, x)
            twice = ConcatFromSequence <axis = 0> (parts)
        }""")
    joined, twice = dovetail_onnx.load(made)(np.array(["ab", "c"], object), normal(2))
    assert joined.tolist() == ["abab", "cc"] and twice.shape == (4,)


def test_the_module_is_saved_and_copied():
    import copy

    module = dovetail_onnx.load(models.mlp())
    other = dovetail_onnx.load(models.mlp(np.random.default_rng(9)))
    x = dv.randn(2, 6)
    assert not dv.allclose(module(x), other(x))
    other.load_state_dict(module.state_dict())
    assert dv.allclose(module(x), other(x)) and dv.allclose(copy.deepcopy(module)(x), module(x))
    copied = copy.deepcopy(module)
    with dv.no_grad():
        copied.get_parameter("layers.0.weight").zero_()
    assert not dv.allclose(copied(x), module(x))
    assert module.double()(x.double()).dtype is dv.float64


def test_plugins_add_operators(monkeypatch):
    from dovetail.plugins import registry

    class Entry:
        fields = {"domain": "com.acme", "version": 2}

        def load(self):
            return lambda X, *, factor=1.0: X * factor

    monkeypatch.setattr(registry.Registry, "list", lambda self, pattern=None: ["acme/Gain@onnx-import"])
    monkeypatch.setattr(registry.Registry, "get", lambda self, key: Entry())
    made = models.model([helper.make_node("Gain", ["x"], ["y"], domain="com.acme", factor=3.0)], ["x"], [("n",)], ["y"])
    made.opset_import.add(domain="com.acme", version=2)
    x = dv.ones(2, requires_grad=True)
    dovetail_onnx.load(made)(x).sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]
    made.opset_import[1].version = 1
    with pytest.raises(UnsupportedError, match="nobody provides this operator"):
        dovetail_onnx.load(made)


def test_operators_are_listed():
    found = dovetail_onnx.operators()
    assert len(found["ai.onnx"]) > 150 and {"Conv", "LSTM", "Loop"} <= set(found["ai.onnx"])


def test_a_short_time_transform_as_pytorch_writes_it():
    """The signal has no dimension for its one channel."""
    nodes = [onnx.helper.make_node("STFT", ["x", "step", "window"], ["y"])]
    weights = [models.constant("step", np.int64(8)), models.constant("window", np.hanning(16).astype("f4"))]
    made = models.model(nodes, ["x"], [(2, 64)], ["y"], weights)
    x = normal(2, 64)
    frames = np.lib.stride_tricks.sliding_window_view(x, 16, 1)[:, ::8] * np.hanning(16)
    expected = np.fft.rfft(frames)
    out = dovetail_onnx.load(made)(x).detach().numpy()
    np.testing.assert_allclose(out[..., 0] + 1j * out[..., 1], expected, rtol=1e-4, atol=1e-5)


def test_the_backend():
    from dovetail_onnx import backend

    x = normal(2, 6)
    made = onnx.shape_inference.infer_shapes(models.mlp())
    rep = backend.prepare(made)
    (expected,) = ReferenceEvaluator(made).run(None, {"x": x})
    for out in (rep.run([x]), rep.run({"x": x}), rep.run(x), backend.run_model(made, [x])):
        np.testing.assert_allclose(out.y, expected, rtol=1e-5)
    assert backend.supports_device("CPU") and not backend.supports_device("TPU") and backend.is_compatible(models.mlp())
    unknown = models.model([helper.make_node("Warp", ["x"], ["y"], domain="a")], ["x"], [(1,)], ["y"])
    assert not backend.is_compatible(unknown)
    (top, at) = backend.run_node(helper.make_node("TopK", ["x", "k"], ["v", "i"]), [np.array([3.0, 9.0]), np.array([1])])
    assert top.tolist() == [9.0] and at.tolist() == [1]
