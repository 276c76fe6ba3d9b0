"""What export does on request: batch norms folded, constants computed, half types."""

from __future__ import annotations

import sys

import numpy as np
import onnx
import pytest

pytest.importorskip("onnxruntime")

import dovetail as dv
from dovetail import nn
from dovetail.errors import TypeMismatch, UnsupportedError, ValueRangeError
from dovetail_onnx import ExportMismatch, export, load
from dovetail_onnx.exporter import passes as requested
from dovetail_onnx.exporter import verification
from dovetail_onnx.exporter.passes import folding
from dovetail_onnx.exporter.passes import half as halving
from dovetail_onnx.exporter.verification import distance
from tests.onnx.families import FAMILIES
from tests.onnx.running import assert_same, run
from tests.onnx.test_export import GPT, Small

FLOAT, FLOAT16, BFLOAT16 = onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16


def ops(proto):
    return [node.op_type for node in proto.graph.node]


def kinds(proto):
    return {w.name: w.data_type for w in proto.graph.initializer}


def trained(model, *shape):
    """With running statistics that are no zeros and ones."""
    dv.manual_seed(0)
    for p in model.parameters():
        nn.init.normal_(p, 0.1, 0.5)
    for _ in range(3):
        model.train()(dv.randn(*shape) + 1)
    return model.eval()


SEQUENTIALS = {
    "conv": (lambda: nn.Sequential(nn.Conv2d(4, 6, 3, groups=2), nn.BatchNorm2d(6)), (3, 4, 5, 6), ["Conv"]),
    "conv without a bias": (lambda: nn.Sequential(nn.Conv1d(4, 6, 3, bias=False), nn.BatchNorm1d(6, eps=0.1)), (3, 4, 5), ["Conv"]),
    "transposed": (lambda: nn.Sequential(nn.ConvTranspose2d(4, 6, 3, 2), nn.BatchNorm2d(6, affine=False)), (2, 4, 3, 3), ["ConvTranspose"]),
    "transposed, in groups": (
        lambda: nn.Sequential(nn.ConvTranspose2d(4, 6, 3, groups=2, bias=False), nn.BatchNorm2d(6)), (2, 4, 3, 3), ["ConvTranspose"],
    ),
    "linear": (lambda: nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU()), (5, 4), ["Gemm", "Relu"]),
    "two in a row": (lambda: nn.Sequential(nn.Conv3d(2, 3, 1), nn.BatchNorm3d(3), nn.BatchNorm3d(3)), (2, 2, 3, 3, 3), ["Conv"]),
}  # fmt: skip


@pytest.mark.parametrize("name", SEQUENTIALS)
def test_a_batch_norm_is_folded(name):
    make, shape, expected = SEQUENTIALS[name]
    model = trained(make(), *shape)
    proto = export(model, dv.randn(*shape), dynamic_shapes=[{0: "n"}], fold_batch_norm=True)
    assert "BatchNormalization" in ops(export(model, dv.randn(*shape))) and "BatchNormalization" not in ops(proto)
    assert ops(proto) == expected
    assert_same(proto, model, dv.randn(*shape), {"n": 7}, [{0: "n"}], tol=1e-5)
    assert "0.weight" in kinds(proto) and not any("running" in name for name in kinds(proto))


def test_a_batch_norm_that_cannot_be_folded_stays():
    """Before a convolution, after what another node reads too, and with weights that are no constants."""

    class Shared(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)

        def forward(self, x):
            y = self.conv(x)
            return self.norm(y) + y

    for model in (nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 3, 1)), Shared()):
        proto = export(trained(model, 2, 3, 4, 4), dv.rand(2, 3, 4, 4), fold_batch_norm=True)
        assert ops(proto).count("BatchNormalization") == 1


def test_a_shared_convolution_keeps_its_weights():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.one, self.two = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.BatchNorm2d(3)

        def forward(self, x):
            return self.one(self.conv(x)) + self.two(self.conv(x + 1)) + self.conv(x - 1)

    model = trained(Twice(), 2, 3, 4, 4)
    proto = export(model, dv.rand(2, 3, 4, 4), fold_batch_norm=True)
    weights = {w.name: onnx.numpy_helper.to_array(w) for w in proto.graph.initializer}
    assert "BatchNormalization" not in ops(proto)
    assert sorted(name for name in weights if "weight" in name) == ["conv.weight", "conv.weight_1", "conv.weight_2"]
    np.testing.assert_array_equal(weights["conv.weight"], model.conv.weight.detach().numpy())


def test_constants_are_folded():
    """Normed weights, transposed ones, and tables made of constants; not what would only be larger."""
    model = nn.utils.parametrizations.weight_norm(nn.Linear(6, 5))
    plain, proto = export(model, dv.rand(2, 3, 6)), export(model, dv.rand(2, 3, 6), fold_constants=True)
    assert len(ops(plain)) > 4 and ops(proto) == ["MatMul", "Add"]
    assert_same(proto, model, dv.rand(2, 3, 6), {}, tol=1e-5)
    assert ops(export(model, dv.rand(2, 3, 6), do_constant_folding=True)) == ["MatMul", "Add"]
    big = lambda x: x + dv.ones(1).expand(200, 200)
    tied = GPT(words=2000)
    assert "Expand" in ops(export(big, dv.rand(1), fold_constants=True))
    proto = export(tied, dv.randint(0, 11, (2, 8)), fold_constants=True)
    assert ops(proto)[-2:] == ["Transpose", "MatMul"] and "qkv.weight" not in kinds(proto)  # the head's is the embedding's
    proto = export(lambda x: (x, dv.ones(2) * 3), dv.rand(1), fold_constants=True)  # an output that depends on nothing
    assert run(proto, {i.name: np.ones(1, "f4") for i in proto.graph.input})[1].tolist() == [3, 3]


def test_constants_are_folded_without_onnxruntime(monkeypatch):
    model = lambda x: x + (dv.arange(6.0).reshape(2, 3).t() * 3).sum(0)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    folded = export(model, dv.rand(2), fold_constants=True)
    assert ops(folded) == ["Add"]
    monkeypatch.setattr(folding, "runner", lambda model: ("nothing", None))  # nor do we know the nodes
    assert ops(export(model, dv.rand(2), fold_constants=True)) == ops(export(model, dv.rand(2)))


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
@pytest.mark.parametrize("keep", [False, True])
def test_half(kind, keep):
    model, x, spec = trained(Small(), 4, 3, 32, 32), dv.rand(1, 3, 32, 32), {"image": {0: "batch", 2: "h", 3: "w"}}
    number = FLOAT16 if kind == "float16" else BFLOAT16
    plain = export(model, x, dynamic_shapes=spec, opset=22)
    proto = export(model, x, dynamic_shapes=spec, half=kind, keep_io_types=keep, opset=22, fold_batch_norm=True)
    assert {kinds(proto)[name] for name in kinds(proto) if name.startswith(("stem", "block"))} == {number}
    ends = {value.type.tensor_type.elem_type for value in (*proto.graph.input, *proto.graph.output)}
    assert ends == {FLOAT if keep else number} and proto.ByteSize() < 0.65 * plain.ByteSize()
    image = dv.rand(2, 3, 40, 64)
    ours = load(proto)(image if keep else image.to(getattr(dv, kind))).float().detach().numpy()
    assert distance(ours, model(image).detach().numpy()) < (5e-3 if kind == "float16" else 4e-2)


def test_half_of_a_language_model():
    """Whole numbers stay, a mask of -inf too, and tied weights are there once."""
    model = GPT()
    proto = export(model, dv.randint(0, 11, (2, 8)), dynamic_shapes={"idx": {0: "batch", 1: "time"}}, half=True)
    assert {kinds(proto)[name] for name in ("tok.weight", "pos.weight", "qkv.weight", "mask")} == {FLOAT16}
    assert proto.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.INT64 and "head.weight" not in kinds(proto)
    found = run(proto, {"idx": np.arange(11)[None]})[0]
    assert found.dtype == np.float16
    assert distance(found.astype("f4"), model(dv.arange(11)[None]).detach().numpy()) < 5e-3


def test_what_stays_float32_in_half():
    """Squares and their sums, positions with their frequencies, and the scales of Resize; an epsilon and a mask stay what they are for."""

    class Norm(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm, self.out = nn.RMSNorm(64), nn.Linear(64, 32)
            self.register_buffer("frequencies", 10000.0 ** (-dv.arange(32) / 32))

        def forward(self, x):
            angles = dv.arange(x.shape[1])[:, None] * self.frequencies
            return self.out(self.norm(x)) + angles.sin()

    x = dv.randn(1, 4000, 64) * 2000  # the square of 2000 is no float16
    proto = export(Norm(), x, half=True)
    exact = Norm()
    exact.load_state_dict({name: dv.from_numpy(onnx.numpy_helper.to_array(w).astype("f4")) for name, w in
                           ((w.name, w) for w in proto.graph.initializer) if name in exact.state_dict()})  # fmt: skip
    found = run(proto, {proto.graph.input[0].name: x.numpy().astype("f2")})[0]
    assert distance(found.astype("f4"), exact(x).detach().numpy()) < 5e-3
    with pytest.raises(ExportMismatch, match="of its largest element; expected at most 0.02 for float16; op_block_list names"):
        dv.manual_seed(0)
        export(lambda x: (x * 300) * (x * 301) / 1e6, dv.full((3,), 100.0), half=True)
    proto = export(lambda x: (x * 300) * (x * 301) / 1e6, dv.full((3,), 100.0), half=True, op_block_list=["Mul", "Div"])
    assert run(proto, {"x": np.full(3, 100, "f2")})[0] == pytest.approx(903, rel=1e-3)
    proto = export(lambda x: nn.functional.interpolate(x, scale_factor=1.5), dv.rand(1, 2, 4, 4), half=True)
    assert ops(proto) == ["Resize"]
    proto = export(lambda x: x.masked_fill(x > 0.5, -3e38).softmax(0) + x / dv.clamp(x, min=1e-12), dv.tensor([0.0, 0.25, 1.0]), half=True)
    values = sorted(float(onnx.numpy_helper.to_array(w)) for w in proto.graph.initializer if w.data_type == FLOAT16)
    assert values[0] == -65504 and 0 < values[1] < 1e-7


def test_small_constants_are_there_in_both_types():
    def function(x):
        scale = dv.tensor([1.001, 2.003])
        return (x * scale).sum(0) * 1.0, scale * dv.arange(2)

    proto = export(function, dv.rand(3, 2), half=True)
    assert sorted(w.data_type for w in proto.graph.initializer if list(w.dims) == [2] and w.data_type in (FLOAT, FLOAT16)) == [
        FLOAT,
        FLOAT16,
    ]


@pytest.mark.parametrize("name", ["shapes_segmenter", "gpt", "lstm_lm", "vision_transformer"])
@pytest.mark.filterwarnings("ignore")
def test_families(name):
    make, arguments, free = FAMILIES[name]
    dv.manual_seed(0)
    model, args = make().eval(), arguments()
    for how in ({"half": True}, {"fold_batch_norm": True, "fold_constants": True}):
        export(model, args, dynamic_shapes=list(free.values()), **how)


@pytest.mark.parametrize(
    ("how", "error", "message"),
    [
        ({"half": "float8"}, ValueRangeError, "half is 'float8'; expected False, True, 'float16' or 'bfloat16'"),
        ({"half": dv.float64}, ValueRangeError, "expected False, True, 'float16' or 'bfloat16'"),
        ({"keep_io_types": True}, ValueRangeError, "keep_io_types and op_block_list are given without half"),
        ({"op_block_list": ["Add"]}, ValueRangeError, "keep_io_types and op_block_list are given without half"),
        ({"half": True, "op_block_list": "Add"}, TypeMismatch, r"op_block_list is 'Add'; expected a list of operators"),
        ({"fold_constants": 1}, TypeMismatch, "fold_constants is 1; expected True or False"),
    ],
)
def test_refused(how, error, message):
    with pytest.raises(error, match=message):
        export(nn.ReLU(), dv.ones(2), **how)


def test_half_by_its_dtype_and_of_other_domains():
    assert export(nn.ReLU(), dv.ones(2), half=dv.float16).graph.input[0].type.tensor_type.elem_type == FLOAT16
    assert requested.Requests.of(False, False, None, False, None).half == ""
    proto = export(nn.ReLU(), dv.ones(2))
    proto.graph.node[0].domain = "com.acme"
    with pytest.raises(UnsupportedError, match=r"the types of Relu \(com.acme::Relu\) are not known"):
        halving.to_half(proto, "float16")


def test_what_nothing_here_runs_is_written_with_a_warning(monkeypatch):
    monkeypatch.setattr(verification, "runner", lambda model: ("nothing", None))
    with pytest.warns(UserWarning, match=r"results were not compared: nothing here runs its operators; pip install onnxruntime"):
        assert export(lambda x: x + 1, dv.ones(2)).graph.node[0].op_type == "Add"
