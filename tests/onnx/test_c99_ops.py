"""`to_c`, operator by operator, each on two samples; hostile names; memory plans."""

from __future__ import annotations

import re

import numpy as np
import pytest

import dovetail as dv
from dovetail import nn
from dovetail.nn import functional as F
from dovetail_onnx import load, to_c
from dovetail_onnx.c99.ops import generators
from dovetail_onnx.c99.plan import Block, arrange
from tests.onnx.c99 import check, library
from tests.onnx.models import constant, model

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper

ELEMENTWISE = {
    "activations": [
        F.relu, F.leaky_relu, F.elu, F.selu, F.celu, F.gelu, F.silu, F.mish, F.hardswish, F.hardsigmoid, F.relu6, F.softplus, F.softsign,
        F.logsigmoid, F.hardshrink, F.softshrink, F.hardtanh, F.tanhshrink, dv.sigmoid, dv.tanh, dv.erf,
        lambda x: F.gelu(x, approximate="tanh"), lambda x: F.threshold(x, 0.1, 2.0), lambda x: x.clamp(min=0.1), lambda x: x.clamp(max=0.2),
        lambda x: F.prelu(x, dv.tensor([0.1, 0.2, 0.3])), lambda x: F.softmax(x, 1), lambda x: F.log_softmax(x, -1),
        lambda x: F.softmax(x, -1) * 2,
    ],
    "arithmetic": [
        dv.exp, dv.abs, dv.sin, dv.cos, dv.tan, dv.floor, dv.ceil, dv.round, dv.sign, dv.atan, dv.sinh, dv.asinh, dv.square, dv.neg,
        lambda x: dv.log(x.abs() + 1), lambda x: dv.sqrt(x.abs()), lambda x: (x.abs() + 1) ** 1.5, lambda x: (x.abs() + 1) ** -1,
        lambda x: x / (x.abs() + 1), lambda x: 1 / (x.abs() + 1), lambda x: dv.maximum(x, dv.tensor(0.3)), lambda x: dv.minimum(x, x * x),
        lambda x: dv.where(x > 0, x, x * 2), lambda x: (x > 0).float(), lambda x: ((x > 0) & (x < 1)).float(), lambda x: ~(x >= 0.5),
        lambda x: x.long() * 3 - 2, lambda x: x.long() // 2, lambda x: x.long() % 3, lambda x: dv.fmod(x, 0.7), lambda x: x.int(),
        lambda x: dv.isnan(x / x.relu()), lambda x: x[:, :1] + x[:, :, :1] * x - 3, lambda x: (x + 1) * (x - 1) + dv.ones(3, 1),
    ],
}  # fmt: skip
SHAPES = {
    "moves": [
        lambda x: x.permute(0, 2, 3, 1), lambda x: x[:, :, 1::2, :], lambda x: x.flip(2), lambda x: x.split(2, 1)[1],
        lambda x: x[:, [2, 0]], lambda x: x.repeat(1, 2, 1, 1), lambda x: F.channel_shuffle(x, 2),
        lambda x: dv.cat([x, x * 2], 1), lambda x: F.pad(x, (1, 2, 0, 1)), lambda x: F.pad(x, (-1, 0, 0, 2), value=3.0),
        lambda x: F.pad(x, (1, 1, 1, 1), mode="reflect"), lambda x: F.pad(x, (1, 1, 1, 1), mode="replicate"),
        lambda x: x.unsqueeze(2).expand(-1, -1, 2, -1, -1) * 1, lambda x: F.pixel_shuffle(x, 2), lambda x: x.flatten(1),
        lambda x: x[..., -1],
        lambda x: x.roll(1, 2), lambda x: dv.stack([x, -x], 1),
    ],
    "reductions": [
        lambda x: x.mean((2, 3)), lambda x: x.amax(1), lambda x: x.amin((1, 3)), lambda x: x.sum(-1, keepdim=True), lambda x: x.argmax(1),
        lambda x: x.argmin(-1), lambda x: x.std(1), lambda x: x.prod(2), lambda x: x.norm(dim=1), lambda x: dv.logsumexp(x, 1),
        lambda x: x.cumsum(1), lambda x: x.min(1)[0], lambda x: x.long().sum(1), lambda x: x.abs().sum((1, 2)), lambda x: x.var((1, 2, 3)),
    ],
    "resizing": [
        lambda x: F.interpolate(x, scale_factor=2), lambda x: F.interpolate(x, size=(7, 5), mode="bilinear"),
        lambda x: F.interpolate(x, size=(9, 9), mode="bicubic"), lambda x: F.interpolate(x, size=(2, 3), mode="nearest"),
        lambda x: F.interpolate(x, size=(2, 3), mode="bilinear", antialias=True),
        lambda x: F.interpolate(x, size=(8, 4), align_corners=True, mode="bilinear"),
        lambda x: F.interpolate(x[:, :, 0], size=9, mode="linear"),
    ],
    "products": [
        lambda x: x.reshape(-1, 8, 8) @ x.reshape(-1, 8, 8).transpose(1, 2), lambda x: x @ x[:, :1], lambda x: x @ dv.arange(4).float(),
        lambda x: F.linear(x, dv.arange(36.0).reshape(9, 4) / 36), lambda x: F.scaled_dot_product_attention(x, x, x, is_causal=True),
        lambda x: F.linear(x.flatten(1), dv.ones(70, 64) * 0.1, dv.arange(70.0)).relu() + 1, lambda x: dv.einsum("nchw,nchv->ncwv", x, x),
    ],
}  # fmt: skip
WINDOWS = [
    lambda x: F.max_pool2d(x, 2), lambda x: F.max_pool2d(x, 3, 2, 1), lambda x: F.avg_pool2d(x, 3, 2, 1),
    lambda x: F.max_pool2d(x, 3, 2, ceil_mode=True), lambda x: F.adaptive_avg_pool2d(x, 1),
    lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False), lambda x: F.avg_pool2d(x, 3, 2, ceil_mode=True),
    lambda x: F.adaptive_avg_pool2d(x, (3, 5)), lambda x: F.max_pool2d(x, 2, dilation=2, stride=1), lambda x: F.adaptive_max_pool2d(x, 1),
    lambda x: F.max_pool1d(x.flatten(2), 3), lambda x: F.avg_pool1d(x.flatten(2), 3), lambda x: F.max_pool3d(x[:, None], 2),
    F.instance_norm, lambda x: F.group_norm(x, 2), lambda x: F.layer_norm(x, (13,)), lambda x: F.layer_norm(x, (11, 13), dv.ones(11, 13)),
    lambda x: F.local_response_norm(x, 3), lambda x: F.batch_norm(x, dv.ones(4), dv.ones(4) * 2).relu(), lambda x: F.normalize(x, dim=1),
    lambda x: F.rms_norm(x, (13,)),
]  # fmt: skip


class Together(nn.Module):
    """Many functions of one input, in one program: one compilation for all."""

    def __init__(self, functions):
        super().__init__()
        self.functions = functions

    def forward(self, x):
        return tuple(function(x) for function in self.functions)


@pytest.mark.parametrize("family", ELEMENTWISE)
def test_elementwise(tmp_path, family):
    dv.manual_seed(1)
    check(tmp_path, Together(ELEMENTWISE[family]), dv.randn(2, 3, 9) * 2)


@pytest.mark.parametrize("family", SHAPES)
def test_shapes(tmp_path, family):
    dv.manual_seed(2)
    check(tmp_path, Together(SHAPES[family]), dv.randn(2, 4, 4, 4))


def test_windows_and_norms(tmp_path):
    dv.manual_seed(3)
    check(tmp_path, Together(WINDOWS), dv.randn(2, 4, 11, 13))


def test_convolutions(tmp_path):
    """Blocked and direct, with and without groups, tables and borders."""
    dv.manual_seed(4)
    layers = nn.ModuleList([
        nn.Conv2d(4, 8, 3), nn.Conv2d(4, 8, 3, 2, 1), nn.Conv2d(4, 8, 3, 1, 2, dilation=2), nn.Conv2d(4, 4, 3, 1, 1, groups=4),
        nn.Conv2d(4, 32, 3, 1, 1, groups=2), nn.Conv2d(4, 8, 1), nn.Conv2d(4, 8, 1, 2), nn.Conv2d(4, 6, (1, 5), padding=(0, 2)),
        nn.Conv2d(4, 2, 3, groups=2), nn.Conv2d(4, 8, 5, 3, bias=False), nn.Conv2d(4, 70, (11, 13)), nn.Conv2d(4, 16, (11, 12)),
        nn.Conv2d(4, 16, 10, bias=False, groups=2), nn.Conv2d(4, 1, 3), nn.Conv2d(4, 8, 2, padding="same"),
        nn.Conv2d(4, 8, 3, 1, 1, groups=4),
        nn.ConvTranspose2d(4, 6, 3, 2, 1, 1), nn.ConvTranspose2d(4, 6, 2, 2), nn.ConvTranspose2d(4, 8, 3, groups=2),
        nn.ConvTranspose2d(4, 2, 3, 1, 2, dilation=2),
    ])  # fmt: skip
    check(tmp_path, Together(list(layers)), dv.randn(2, 4, 11, 13))


def test_convolutions_of_other_ranks(tmp_path):
    class Layers(nn.Module):
        def __init__(self):
            super().__init__()
            self.line, self.norm, self.back = nn.Conv1d(4, 8, 5, 2, 2), nn.BatchNorm1d(8), nn.ConvTranspose1d(8, 3, 4, 2, 1)
            self.space, self.apart = nn.Conv3d(2, 8, 3, 1, 1), nn.Conv3d(2, 2, 3, 2, 1, groups=2)
            self.gate = nn.Conv1d(4, 8, 5, 2, 2)

        def forward(self, x, y):
            one = self.line(x)
            gate = self.gate(x)
            return self.norm(one).relu(), self.back(one), self.space(y), self.apart(y), one + gate, one.sigmoid() * gate, x

    dv.manual_seed(5)
    check(tmp_path, Layers(), dv.randn(2, 4, 17), dv.randn(2, 2, 5, 6, 7))
    check(tmp_path, nn.Conv2d(2, 8, 3, padding=1), dv.randn(3, 2, 5, 5), batch=False)


class Last(nn.Module):
    """A recurrent layer's outputs and states."""

    def __init__(self, kind, **how):
        super().__init__()
        self.layer = kind(5, 8, batch_first=True, **how)

    def forward(self, x):
        out, state = self.layer(x)
        return (out, *(s.transpose(0, 1) for s in (state if isinstance(state, tuple) else (state,))))


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_recurrent_layers(tmp_path, kind):
    dv.manual_seed(6)
    check(tmp_path, Last(kind, num_layers=2, bidirectional=True), dv.randn(2, 4, 5))


def test_values_that_are_no_numbers(tmp_path):
    """Infinities and NaN pass relu, pooling and reductions as they pass the model's."""
    x = dv.tensor([[[1.0, float("nan"), -2.0, float("inf")], [-float("inf"), 3.0, 0.0, -0.0]]])
    functions = [F.relu, lambda v: F.max_pool1d(v, 2), lambda v: v.amax(-1), lambda v: v.amin(1), lambda v: v * 2, lambda v: v.clamp(-1, 1)]
    check(tmp_path, Together(functions), x)


def graph(tmp_path, text):
    onnx.save(onnx.parser.parse_model(text), tmp_path / "m.onnx")
    return tmp_path / "m.onnx"


def test_functions_branches_and_old_opsets(tmp_path):
    """What an ONNX file can have beside plain nodes: functions, a branch that is decided, an opset before 13."""
    path = graph(tmp_path, """
        <ir_version: 8, opset_import: ["" : 18, "my" : 1]>
        g (float[n, 4] x) => (float[n, 4] y) <bool yes = {1}, float[4] w = {1, 2, 3, 4}> {
            a = my.Twice (x)
            b = If (yes) <then_branch = t () => (float[n, 4] p) { p = Mul(a, w) }, else_branch = e () => (float[n, 4] q) { q = Neg(a) }>
            y = Celu (b)
        }
        <domain: "my", opset_import: ["" : 18]> Twice (u) => (v) { v = Add(u, u) }""")  # fmt: skip
    x = dv.tensor([[1.0, -2.0, 3.0, -4.0], [0.0, 0.5, -0.5, 1.0]])
    to_c(path, tmp_path / "m.c")
    from tests.onnx.c99 import called

    code, [y] = called(library(tmp_path / "m.c"), "m", 2, [x.numpy()], [(4,)])
    assert code == 0 and np.allclose(y, load(path)(x).detach().numpy(), atol=1e-6)
    path = graph(tmp_path, """
        <ir_version: 6, opset_import: ["" : 9]>
        g (float[n, 2, 3] x) => (float[n, 2, 3] y) { c = Clip <min = -1.0, max = 1.0> (x)  y = Softmax <axis = 1> (c) }""")  # fmt: skip
    x = dv.arange(12.0).reshape(2, 2, 3) / 6 - 1
    to_c(path, tmp_path / "o.c")
    code, [y] = called(library(tmp_path / "o.c"), "o", 2, [x.numpy()], [(2, 3)])
    assert code == 0 and np.allclose(y, load(path)(x).detach().numpy(), atol=1e-6)


def test_free_sizes_need_an_example(tmp_path):
    path = graph(tmp_path, '<ir_version: 8, opset_import: ["" : 18]> g (float[n, w] x) => (float[n, w] y) { y = Relu(x) }')
    from dovetail.errors import ShapeError

    with pytest.raises(ShapeError, match=r"to_c: the input x: float\[n, w\] has free sizes; expected an example input"):
        to_c(path, tmp_path / "m.c")
    assert to_c(path, tmp_path / "m.c", dv.zeros(1, 5)).inputs == {"x": (5,)}


HOSTILE = [
    "*/ int evil(void) { return 1; } /*",
    'a"; system("true"); "',
    "line\nbreak",
    "back\\",
    "what??/",
    "main",
    "int",
    "déjà",
    "a" * 300,
    "0",
    "#",
]


def test_names_from_a_file_cannot_leave_their_place(tmp_path):
    """Names of inputs, outputs, weights and nodes, as a stranger's file may have them: comments and identifiers at most."""
    for name in HOSTILE:
        weight = constant(f"{name} w", np.ones((3, 3), "f4"))
        node = helper.make_node("MatMul", [name, f"{name} w"], [f"{name} y"], name=name)
        onnx.save(model([node], [name], [(1, 3)], [f"{name} y"], [weight], kind=TensorProto.FLOAT), tmp_path / "m.onnx")
        to_c(tmp_path / "m.onnx", tmp_path / "net.c", example=True)
        text = (tmp_path / "net.c").read_text("ascii")
        code = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
        assert "evil" not in code.replace("evil_void_return_1", "") and "system(" not in code
        assert text.count("/*") == text.count("*/") and not re.search(r"\?\?|\\$", text, re.MULTILINE)
        library(tmp_path / "net.c", "-O0")


def test_equal_functions_are_there_once(tmp_path):
    layers = nn.Sequential(*[nn.Conv2d(4, 4, 3, padding=1) for _ in range(3)])
    to_c(layers, tmp_path / "net.c", dv.zeros(1, 4, 6, 6))
    text = (tmp_path / "net.c").read_text()
    assert len(re.findall(r"^static void conv_1\(", text, re.MULTILINE)) == 1 and len(re.findall(r"    conv_1\(", text)) == 3


def test_memory_is_shared_by_lifetimes():
    """Random plans: blocks that live at one time never overlap, and a chain needs no more than its two largest neighbours."""
    random = np.random.default_rng(0)
    for _ in range(50):
        blocks = []
        for at in range(30):
            first = int(random.integers(0, 40))
            blocks.append(Block(str(at), int(random.integers(1, 500)), first, first + int(random.integers(0, 8))))
        total = arrange(blocks)
        for a in blocks:
            assert a.offset % 16 == 0 and a.offset + a.size <= total
            for b in blocks:
                if a is not b and a.first <= b.last and b.first <= a.last:
                    assert a.offset + a.size <= b.offset or b.offset + b.size <= a.offset
    chain = [Block(str(at), 160, at, at + 1) for at in range(10)]
    assert arrange(chain) == 320


def test_every_generator_is_of_an_operator():
    known = {schema.name for schema in onnx.defs.get_all_schemas()}
    assert set(generators()) - known <= {"Silu"} and len(generators()) > 100
