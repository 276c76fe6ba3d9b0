"""export(): names, files, structures, modes, and what it refuses."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

pytest.importorskip("onnxruntime")

import dovetail as dv
from dovetail import nn
from dovetail.errors import DovetailError, ShapeError, TypeMismatch, UnsupportedError, ValueRangeError
from dovetail_onnx import ExportMismatch, MissingLowerings, Unsolved, explain_export, export, inspect, is_in_onnx_export, load
from dovetail_onnx.exporter import lower, verification
from dovetail_onnx.exporter import write as writing
from tests.onnx.running import assert_same, run

F = nn.functional


class Block(nn.Module):
    """A residual block."""

    def __init__(self, channels):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        self.conv2, self.bn2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)), inplace=True)
        out = self.bn2(self.conv2(out))
        out += x
        return F.relu_(out)


class Small(nn.Module):
    """A small residual network."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        self.block, self.drop, self.fc = Block(8), nn.Dropout(0.5), nn.Linear(8, 5)

    def forward(self, image):
        x = self.block(self.stem(image))
        return self.fc(self.drop(F.adaptive_avg_pool2d(x, 1).flatten(1)))


class GPT(nn.Module):
    """One layer of a language model, whose head is its embedding."""

    def __init__(self, words=11, width=16, longest=24):
        super().__init__()
        self.tok, self.pos = nn.Embedding(words, width), nn.Embedding(longest, width)
        self.ln, self.qkv, self.head = nn.LayerNorm(width), nn.Linear(width, 3 * width), nn.Linear(width, words, bias=False)
        self.head.weight = self.tok.weight
        self.register_buffer("mask", dv.tril(dv.ones(longest, longest)).view(1, 1, longest, longest))

    def forward(self, idx):
        batch, time = idx.size()
        x = self.tok(idx) + self.pos(dv.arange(0, time, dtype=dv.long))
        q, k, v = (t.view(batch, time, 4, 4).transpose(1, 2) for t in self.qkv(self.ln(x)).split(16, dim=2))
        scores = (q @ k.transpose(-2, -1)) * (1.0 / 4**0.5)
        scores = scores.masked_fill(self.mask[:, :, :time, :time] == 0, float("-inf"))
        return self.head(x + (F.softmax(scores, -1) @ v).transpose(1, 2).contiguous().view(batch, time, 16))


MODELS = {
    "cnn": (
        Small, (dv.rand(1, 3, 32, 32),), {"image": {0: "batch", 2: "h", 3: "w"}},
        [{"batch": 4, "h": 45, "w": 70}, {"batch": 1, "h": 33, "w": 64}],
    ),
    "gpt": (GPT, (dv.randint(0, 11, (1, 8)),), {"idx": {0: "batch", 1: "time"}}, [{"batch": 6, "time": 24}, {"batch": 1, "time": 1}]),
    "lstm": (
        lambda: nn.LSTM(3, 4, 2, bidirectional=True, batch_first=True), (dv.rand(2, 5, 3),), {"input": {0: "batch", 1: "time"}},
        [{"batch": 7, "time": 19}, {"batch": 1, "time": 1}],
    ),
    "encoder": (
        lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2),
        (dv.rand(2, 5, 8), None, dv.tensor([[False] * 4 + [True]] * 2)),
        {"src": {0: "batch", 1: "time"}, "src_key_padding_mask": {0: "batch", 1: "time"}}, [{"batch": 9, "time": 16}],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_models(name):
    make, args, spec, sizes = MODELS[name]
    dv.manual_seed(0)
    model = make().eval()
    proto = export(model, args, dynamic_shapes=spec)
    for each in sizes:
        assert_same(proto, model, args, each, spec)


def test_names():
    model = GPT()
    proto = export(model, dv.randint(0, 11, (2, 8)), dynamic_shapes={"idx": {0: "batch", 1: "time"}}, metadata={"author": "A"})
    weights = {w.name: tuple(w.dims) for w in proto.graph.initializer}
    for name in ("tok.weight", "pos.weight", "ln.weight", "qkv.weight", "mask"):
        assert weights[name] == tuple(model.get_buffer(name).shape if name == "mask" else model.get_parameter(name).shape)
    assert "head.weight" not in weights  # it is tok.weight
    assert {"tok.Gather", "ln.LayerNormalization", "qkv.MatMul"} <= {n.name for n in proto.graph.node}
    assert [d.dim_param or d.dim_value for d in proto.graph.output[0].type.tensor_type.shape.dim] == ["batch", "time", 11]
    assert (proto.producer_name, proto.metadata_props[0].key, proto.metadata_props[0].value) == ("dovetail-onnx", "author", "A")
    assert [o.version for o in proto.opset_import] == [20] and proto.graph.name == "GPT"


def test_formulas_of_output_sizes():
    proto = export(nn.Sequential(nn.MaxPool2d(2), nn.Flatten(0, 1)), dv.rand(1, 3, 8, 8), dynamic_shapes=[{0: "n", 2: "h", 3: "w"}])
    assert [d.dim_param for d in proto.graph.output[0].type.tensor_type.shape.dim] == ["n * 3", "h // 2", "w // 2"]


def test_given_names_and_dynamic_axes():
    model = nn.Bilinear(2, 3, 4)
    names = {"input_names": ["left", "right"], "output_names": ["both"]}
    for how in ({"dynamic_axes": {"left": {0: "n"}, "right": {0: "n"}, "both": {0: "n"}}}, {"dynamic_shapes": ({0: "n"}, ["n", None])}):
        proto = export(model, (dv.ones(2, 2), dv.ones(2, 3)), **names, **how)
        assert [i.name for i in proto.graph.input] == ["left", "right"] and proto.graph.output[0].name == "both"
        assert run(proto, {"left": np.ones((7, 2), "f"), "right": np.ones((7, 3), "f")})[0].shape == (7, 4)


def test_the_arguments_of_pytorch(tmp_path):
    import enum

    mode = enum.Enum("TrainingMode", "EVAL PRESERVE TRAINING")
    how = {"export_params": True, "do_constant_folding": True, "verbose": False, "dynamo": False, "training": mode.EVAL}
    model = nn.Sequential(nn.Linear(4, 3), nn.Dropout())
    proto = export(model, dv.ones(2, 4), f=tmp_path / "a.onnx", opset_version=13, input_names=["x"], dynamic_axes={"x": [0]}, **how)
    assert proto.opset_import[0].version == 13 and (tmp_path / "a.onnx").exists()
    assert proto.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "x_dynamic_axes_1"
    with pytest.raises(MissingLowerings):
        export(model, dv.ones(2, 4), training=mode.PRESERVE)
    with pytest.raises(UnsupportedError, match="export_params is False; expected True, as which the model is written"):
        export(model, dv.ones(2, 4), export_params=False)
    with pytest.raises(TypeMismatch, match=r"export\(\): got an unexpected keyword argument 'opsets'"):
        export(model, dv.ones(2, 4), opsets=3)
    with pytest.raises(ValueRangeError, match="training is 3; expected True or False"):
        export(model, dv.ones(2, 4), training=3)


@dataclass
class Out:
    logits: dv.Tensor
    states: tuple
    note: str = "kept"


def test_structures_of_arguments_and_results():
    def function(pair, *, scale, table=None):
        a, b = pair
        return Out(a * scale + b, (a, {"first": b - 1}))

    given = (dv.ones(2, 3), dv.zeros(2, 3))
    for args, kwargs in (((given,), {"scale": dv.tensor(2.0)}), ((given, {"scale": dv.tensor(2.0)}), None)):
        proto = export(function, args, kwargs=kwargs, dynamic_shapes={"pair_0": {0: "n"}, "pair_1": {0: "n"}})
        assert [i.name for i in proto.graph.input] == ["pair_0", "pair_1", "scale"]
        assert [o.name for o in proto.graph.output] == ["logits", "states_0", "states_1_first"]
        feed = {"pair_0": np.ones((5, 3), "f"), "pair_1": np.ones((5, 3), "f"), "scale": np.float32(3)}
        logits, a, b = run(proto, feed)
        assert (logits == 4).all() and (a == 1).all() and (b == 0).all() and a.shape == (5, 3)


def test_the_model_is_left_as_it_was():
    model = Small().train()
    model.block.bn1.eval()
    image = dv.rand(2, 3, 32, 32, requires_grad=True)
    model(image).sum().backward()
    grads = [p.grad.clone() for p in model.parameters()]
    before = {k: v.clone() for k, v in model.state_dict().items()}
    export(model, image)
    assert model.training and model.block.training and not model.block.bn1.training
    assert all(dv.equal(p.grad, g) for p, g in zip(model.parameters(), grads, strict=True)) and image.grad is not None
    assert all(dv.equal(v, before[k]) for k, v in model.state_dict().items())
    with pytest.raises(MissingLowerings, match="dropout: 1 call in drop"):
        export(model, image, training=True)
    assert all(dv.equal(v, before[k]) for k, v in model.state_dict().items())
    x = dv.ones(3)
    export(lambda t: t.mul_(2), x)
    assert x.tolist() == [1, 1, 1]


def test_files(tmp_path):
    model, path = nn.Linear(64, 64), tmp_path / "a.onnx"
    export(model, dv.rand(1, 64), path, dynamic_shapes={"input": {0: "batch"}})
    assert [str(i) for i in inspect(path).inputs] == ["input: float[batch, 64]"] and os.listdir(tmp_path) == ["a.onnx"]
    export(model, dv.rand(1, 64), path, external_data=True)
    assert sorted(os.listdir(tmp_path)) == ["a.onnx", "a.onnx.data"] and path.stat().st_size < 2000
    assert inspect(path).external == ["a.onnx.data"]
    x = dv.rand(1, 64)
    np.testing.assert_allclose(run(str(path), {"input": x.numpy()})[0], model(x).detach().numpy(), rtol=1e-4, atol=1e-5)
    onnx.checker.check_model(str(path), full_check=True)
    found = onnx.load(path)
    np.testing.assert_array_equal(onnx.numpy_helper.to_array(found.graph.initializer[0]), model.weight.detach().numpy())


def test_weights_past_the_room_of_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "ROOM", 10_000)
    monkeypatch.setattr(verification, "ROOM", 10_000)
    export(nn.Linear(64, 64), dv.rand(1, 64), tmp_path / "a.onnx")
    assert sorted(os.listdir(tmp_path)) == ["a.onnx", "a.onnx.data"]
    with pytest.raises(ValueRangeError, match=r'the weights are 16,640 bytes, and one file holds 2 GB; external_data="auto"'):
        export(nn.Linear(64, 64), dv.rand(1, 64), tmp_path / "b.onnx", external_data=False)
    assert not (tmp_path / "b.onnx").exists()


def test_a_wrong_result_is_an_error_and_no_file(tmp_path, monkeypatch):
    monkeypatch.setattr(lower.Lowerer, "function", lambda self, op: lambda g, input: g.Abs(input))
    with pytest.raises(
        ExportMismatch, match=r"onnxruntime at the traced sizes: output 'output' differs from the model's by 3 of its largest element"
    ):
        export(nn.ReLU(), dv.tensor([-3.0, 1.0]), tmp_path / "a.onnx")
    assert os.listdir(tmp_path) == []
    export(nn.ReLU(), dv.tensor([-3.0, 1.0]), tmp_path / "a.onnx", verify=False)
    monkeypatch.setattr(lower.Lowerer, "function", lambda self, op: lambda g, input: g.And(input, input))
    with pytest.raises(ExportMismatch, match="the model is not valid ONNX"):
        export(nn.ReLU(), dv.tensor([-3.0, 1.0]))


def test_without_onnxruntime_our_own_importer_compares(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    export(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU()), dv.rand(1, 1, 5, 5), dynamic_shapes=[{0: "n", 2: "h"}])
    monkeypatch.setattr(lower.Lowerer, "function", lambda self, op: lambda g, input: g.Neg(input))
    with pytest.raises(ExportMismatch, match="dovetail at the traced sizes: output 'output' differs from the model's by"):
        export(nn.ReLU(), dv.tensor([-3.0, 1.0]))


def test_aligned_corners_lie_where_the_standard_has_them():
    """By the unrounded size, where a file has scales: so it has sizes, of which all runtimes think alike."""
    model = nn.Upsample(scale_factor=(2.0, 1.5), mode="bilinear", align_corners=True)
    proto = export(model, dv.rand(1, 2, 4, 4), dynamic_shapes=[{2: "h", 3: "w"}])
    for size in ((4, 4), (8, 11), (5, 7)):
        x = dv.rand(1, 2, *size)
        for found in (load(proto)(x).numpy(), ReferenceEvaluator(proto).run(None, {"input": x.numpy()})[0]):
            np.testing.assert_allclose(found, model(x).numpy(), atol=1e-5)


def test_without_onnxruntime(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    name, call = verification.runner(export(nn.ReLU(), dv.tensor([-3.0, 1.0])).SerializeToString())
    assert name == "dovetail" and call({"input": np.float32([-1, 2])})[0].tolist() == [0, 2]


def test_all_missing_ops_are_listed():
    class Inner(nn.Module):
        def forward(self, x):
            return dv.linalg.pinv(x) + dv.nextafter(dv.linalg.pinv(x), x)

    model = nn.Sequential(Inner(), nn.ReLU(), Inner())
    found = {u.op: u for u in explain_export(model, dv.eye(3))}
    assert set(found) == {"linalg_pinv", "nextafter"} and found["linalg_pinv"].count == 4 and found["nextafter"].modules == ("0", "2")
    with pytest.raises(MissingLowerings) as caught:
        export(model, dv.eye(3))
    assert str(caught.value) == (
        "export: 2 ops have no lowering to ONNX; linalg_pinv: 4 calls in 0, 2 (ONNX has no eigenvalues and singular values, whose vectors "
        'have the signs that a library gives them); a plugin can bring it: [lowerings.linalg_pinv] with format = "onnx"; nextafter: '
        '2 calls in 0, 2 (ONNX cannot count up the bits of a float); a plugin can bring it: [lowerings.nextafter] with format = "onnx"'
    )
    assert [u.op for u in caught.value.missing] == ["linalg_pinv", "nextafter"] and isinstance(caught.value, NotImplementedError)


def test_what_depends_on_values_is_refused():
    with pytest.raises(UnsupportedError, match="a constant of shape .* has other elements when sizes or inputs change"):
        export(lambda x: x + dv.rand(4), dv.ones(4))
    with pytest.raises(UnsupportedError, match="a constant of shape"):
        export(lambda x: x + dv.from_numpy(np.cumprod(x.numpy())), dv.tensor([0.5, 0.25, 0.75]))
    with pytest.raises(Unsolved, match="export: mul: other is "):
        export(lambda x: x * float(x[0]), dv.tensor([0.5, 0.25, 0.75]))
    with pytest.raises(UnsupportedError, match=r"export: (sin|cos): with other values of the same sizes the model calls (sin|cos)"):
        export(lambda x: x.sin() if float(x[0]) > 0 else x.cos(), dv.tensor([1.0, -1.0, -1.0]))


def test_what_keeps_something_is_refused():
    class Counter(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("count", dv.zeros(()))

        def forward(self, x):
            self.count += 1
            return x * self.count

    text = "the model writes to its own count while it runs; a graph keeps nothing from run to run"
    with pytest.raises(UnsupportedError, match=text):
        export(Counter(), dv.ones(2))


def test_what_depends_on_sizes_is_refused():
    class Odd(nn.Module):
        def forward(self, x):
            return x.expand((x.shape[0] * 7919) % 13 + 2, *x.shape)

    with pytest.raises(
        Unsolved, match=r"export: expand_to in inner: shape is \d+ at n = 4; .* expected an expression of the named dimensions"
    ):
        export(Named(Odd()), dv.ones(4), dynamic_shapes=[{0: "n"}])
    with pytest.raises(UnsupportedError, match="at n = 5 the model calls"):
        export(lambda x: x.sin() if x.shape[0] == 4 else x.cos(), dv.ones(4), dynamic_shapes=[{0: "n"}])
    with pytest.raises(ShapeError, match=r"dimension 'a' cannot change from 3: ShapeError: add: .*give equal ones one name"):
        export(lambda x, y: x + y, (dv.ones(3), dv.ones(3)), dynamic_shapes=[{0: "a"}, {0: "b"}])
    with pytest.raises(UnsupportedError, match=r"export: split: at n = 5 it gives 3 results, and at first 2; a graph has a fixed number"):
        export(lambda x: x.split(2)[0], dv.ones(4), dynamic_shapes=[{0: "n"}])


class Named(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x)


WRONG = {
    "opset": ({"opset": 12}, ValueRangeError, r"opset is 12; expected 13 to \d+, the newest that onnx knows here"),
    "names": ({"input_names": ["a", "b"]}, ValueRangeError, "input_names has 2 names for 1 tensors; expected at most 1"),
    "outputs": ({"output_names": ["a", "b"]}, ValueRangeError, "output_names has 2 names; the model returns 1 tensors"),
    "twice": ({"output_names": ["input"]}, ValueRangeError, "a name occurs twice"),
    "unknown": ({"dynamic_shapes": {"x": {0: "n"}}}, ValueRangeError, "dynamic_shapes names 'x'; expected one of the inputs input"),
    "dimension": ({"dynamic_shapes": {"input": {2: "n"}}}, ValueRangeError, "names dimension 2; the input has 2 dimensions"),
    "dim": ({"dynamic_shapes": {"input": {0: 1.5}}}, TypeMismatch, r"\['input'\]\[0\] is 1.5; expected the name of a dimension"),
    "sizes": ({"dynamic_shapes": {"input": {0: "n", 1: "n"}}}, ShapeError, "'n' is 2 in one input and 4 in dimension 1 of 'input'"),
    "count": ({"dynamic_shapes": [{}, {}]}, ValueRangeError, "dynamic_shapes has 2 entries for 1 inputs"),
    "external": ({"external_data": "yes"}, ValueRangeError, "external_data is 'yes'; expected True, False or"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_wrong_arguments(name, tmp_path):
    more, kind, text = WRONG[name]
    with pytest.raises(kind, match=text) as caught:
        export(nn.Linear(4, 3), dv.ones(2, 4), tmp_path / "a.onnx", **more)
    assert isinstance(caught.value, DovetailError) and os.listdir(tmp_path) == []


def test_wrong_calls():
    with pytest.raises(TypeMismatch, match="the arguments do not fit the model: too many positional arguments"):
        export(nn.Linear(4, 3), (dv.ones(2, 4), 1))
    with pytest.raises(TypeMismatch, match="model is Tensor; expected a Module or a function"):
        export(dv.ones(2), dv.ones(2))
    with pytest.raises(UnsupportedError, match="the model returns no tensor"):
        export(lambda x: 1, dv.ones(2))


def test_the_digits_network(tmp_path):
    from dovetail import datasets, models, plugins

    dv.manual_seed(0)
    model = models.create("vision/digits_cnn")
    digits = datasets.load("vision/digits", split="test", transform=plugins.transforms.load("vision/to_tensor")())
    images = dv.stack([digits[i][0] for i in range(5)])
    proto = export(model, images[:1], tmp_path / "digits.onnx", dynamic_shapes=[{0: "batch"}])
    (found,) = run(str(tmp_path / "digits.onnx"), {proto.graph.input[0].name: images.numpy()})
    np.testing.assert_allclose(found, model.eval()(images).detach().numpy(), rtol=1e-4, atol=1e-4)


def test_nothing_is_imported_before_it_is_used():
    program = "import sys, dovetail, dovetail_onnx; print(sorted({'onnx', 'onnxruntime', 'dovetail_onnx.exporter'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


class Padded(nn.Module):
    """A small U-Net that pads what its pooling lost, as is often done."""

    def __init__(self):
        super().__init__()
        self.down, self.up = nn.Conv2d(1, 2, 3, padding=1), nn.ConvTranspose2d(2, 2, 2, 2)

    def forward(self, x):
        beside = self.down(x)
        y = self.up(F.max_pool2d(beside, 2))
        dy, dx = beside.size(2) - y.size(2), beside.size(3) - y.size(3)
        return dv.cat([beside, F.pad(y, [dx // 2, dx - dx // 2, dy // 2, dy - dy // 2])], 1)


def test_a_dimension_of_multiples():
    """Its sizes divide by a number, in all runs and in the file; a size that does not is refused."""
    model, x = Padded().eval(), dv.rand(1, 1, 64, 48)
    with pytest.raises(Unsolved, match=r"name it by what it divides by \('32\*h'\)"):
        export(lambda x: x + x.shape[2] % 2, x, dynamic_shapes=[{2: "h", 3: "w"}])
    spec = [{0: "batch", 2: "2*h", 3: "2*w"}]
    proto = export(model, x, dynamic_shapes=[{0: "batch", 2: "2 * h", 3: "2*w"}])
    assert [d.dim_param for d in proto.graph.input[0].type.tensor_type.shape.dim] == ["batch", "", "2*h", "2*w"]
    for h, w in ((2, 2), (30, 44)):
        assert_same(proto, model, x, {"batch": 3, "2*h": h, "2*w": w}, spec)
    with pytest.raises(ShapeError, match=r"dimension 3 of 'x' is 48; expected a multiple of 5, as '5\*w' says"):
        export(model, x, dynamic_shapes=[{3: "5*w"}])
    with pytest.raises(TypeMismatch, match='expected the name of a dimension, such as "batch", or a multiple of one'):
        export(model, x, dynamic_shapes=[{3: "w*5"}])


def halves(n):
    return n // 2, n - n // 2


def same(n, stride=2, kernel=3):
    """What is padded so that a convolution gives ⌈n / stride⌉, as TensorFlow does."""
    return halves(max((-(-n // stride) - 1) * stride + kernel - n, 0))


def peaks(x):
    """The places of the highest points, as CenterNet has them."""
    b, _, h, w = x.shape
    highest = F.max_pool2d(x, 3, 1, 1)
    at = dv.where(x == highest, x, 0.0).reshape(b, -1).topk(4).indices
    return at // (h * w), at % (h * w) // w, at % w


SIZED = {
    "a U-Net": (Padded().eval(), (1, 1, 20, 24)),
    "padded to multiples": (lambda x: F.pad(x, (0, -x.size(3) % 32, 0, -x.size(2) % 32)), (1, 1, 64, 64)),
    "on both sides": (lambda x: F.pad(x, (*halves(-x.size(3) % 16), *halves(-x.size(2) % 16)), mode="reflect"), (1, 1, 50, 40)),
    "in front": (lambda x: F.pad(x, (-x.size(3) % 4, 1, -x.size(2) % 4, 0), mode="replicate"), (1, 1, 50, 40)),
    "as TensorFlow": (lambda x: F.max_pool2d(F.pad(x, (*same(x.size(3)), *same(x.size(2)))), 3, 2), (1, 1, 64, 64)),
    "scaled by 1.7": (lambda x: F.interpolate(x, scale_factor=1.7, mode="area"), (2, 1, 8, 10)),
    "averages beyond the border": (lambda x: F.avg_pool2d(x, 3, 2, ceil_mode=True), (2, 1, 9, 11)),
    "averages with padding": (lambda x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True), (1, 1, 32, 32)),
    "averages without it": (lambda x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True, count_include_pad=False), (1, 1, 30, 17)),
    "highest points": (peaks, (2, 3, 8, 9)),
}


@pytest.mark.parametrize("name", SIZED)
def test_sizes_that_halves_and_multiples_leave(name):
    """What the sizes leave when they are divided is found again at sizes of any kind."""
    model, shape = SIZED[name]
    spec = [{0: "batch", 2: "h", 3: "w"}]
    dv.manual_seed(0)
    x = dv.rand(*shape)
    proto = export(model, x, dynamic_shapes=spec)
    for h, w in ((37, 48), (41, 35), (54, 71), (63, 64), (96, 94)):
        assert_same(proto, model, x, {"batch": 3, "h": h, "w": w}, spec)


def test_a_size_at_which_a_formula_fails_is_one_more_run(monkeypatch):
    """What is wrong at a size that no run had is corrected by a run of that size, and an error where no formula is found."""
    from dovetail_onnx import exporter
    from dovetail_onnx.exporter import sizes

    asked, record = [], exporter.record
    monkeypatch.setattr(sizes, "_FACTORS", tuple(range(2, 20)))  # 12/7 is tried before 17/10
    monkeypatch.setattr(exporter, "record", lambda *args: asked.append(list(args[3])) or record(*args))
    model, x, spec = SIZED["scaled by 1.7"][0], dv.rand(2, 1, 8, 10), [{2: "h", 3: "w"}]
    assert_same(export(model, x, dynamic_shapes=spec), model, x, {"h": 37, "w": 48}, spec)
    assert asked[0] == [] and 1 <= len(asked[-1]) <= 2
    monkeypatch.setattr(exporter, "record", lambda *args: record(*args[:3]))
    with pytest.raises(ExportMismatch, match=r"onnxruntime at h = \d+, w = \d+: output 'output' is float32"):
        export(model, x, dynamic_shapes=spec)


@pytest.mark.parametrize("kind", ["bool", "uint8", "int16", "int32", "float16", "float64"])
def test_unique_of_types_that_onnxruntime_does_not_know(kind):
    x = dv.tensor([[0, 3], [3, 1]]).to(getattr(dv, kind))
    found = run(export(lambda x: dv.unique(x, return_inverse=True, return_counts=True), x), {"x": x.numpy()})
    for mine, theirs in zip(dv.unique(x, return_inverse=True, return_counts=True), found):
        assert mine.numpy().dtype == theirs.dtype and mine.tolist() == theirs.tolist()


def test_a_model_can_ask_whether_it_is_exported():
    class Ends(nn.Module):
        def forward(self, x):
            seen.append(dv.onnx.is_in_onnx_export())
            return x * 2 if seen[-1] else x

    seen: list[bool] = []
    x, net = dv.ones(2), Ends()
    assert [node.op_type for node in export(net, x).graph.node] == ["Mul"] and all(seen)
    assert net(x) is x and seen[-1] is False
    with pytest.raises(MissingLowerings):
        export(lambda x: dv.nextafter(x, x), x)
    assert not dv.onnx.is_in_onnx_export()


def test_a_stream():
    """As PyTorch's exporter takes one; weights beside it have no place."""
    buffer, x = io.BytesIO(), dv.ones(1, 2)
    proto = export(nn.Linear(2, 3), x, buffer)
    assert buffer.getvalue() == proto.SerializeToString(deterministic=True)
    with pytest.raises(ValueRangeError, match="export: f is BytesIO, and weights go into a file beside it; expected a path"):
        export(nn.Linear(2, 3), x, io.BytesIO(), external_data=True)


def test_a_model_that_asks_whether_it_is_exported():
    seen = []

    def model(x):
        seen.append(is_in_onnx_export())
        if len(seen) > 9:
            raise EOFError
        return x * 2

    model(dv.ones(2))
    export(model, dv.ones(2))
    explain_export(model, dv.ones(2))
    assert seen[0] is False and all(seen[1:]) and len(seen) > 3 and not is_in_onnx_export()
    seen += [True] * 9
    with pytest.raises(EOFError):
        export(model, dv.ones(2))
    assert not is_in_onnx_export()
