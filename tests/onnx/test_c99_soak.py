"""`make soak`: every family of operators under sanitizers, and the vision plugin's families as C programs."""

from __future__ import annotations

import numpy as np
import pytest

import dovetail as dv
from benchmarks import networks
from dovetail import nn
from dovetail_onnx import to_c
from tests.onnx.c99 import STRICT, check, compiler, results, run
from tests.onnx.test_c99 import Encoder
from tests.onnx.test_c99_ops import ELEMENTWISE, SHAPES, WINDOWS, Last, Together

pytest.importorskip("onnx")

LAYERS = [
    nn.Conv2d(4, 8, 3, 2, 1), nn.Conv2d(4, 8, 3, 1, 2, dilation=2), nn.Conv2d(4, 4, 3, 1, 1, groups=4), nn.Conv2d(4, 2, 3, groups=2),
    nn.Conv2d(4, 32, 3, 1, 1, groups=2), nn.Conv2d(4, 70, (11, 13)), nn.Conv2d(4, 16, (11, 12)), nn.Conv2d(4, 16, 10, groups=2),
    nn.ConvTranspose2d(4, 6, 3, 2, 1, 1), nn.ConvTranspose2d(4, 2, 3, 1, 2, dilation=2), nn.ConvTranspose2d(4, 8, 3, groups=2),
]  # fmt: skip
PROGRAMS = {
    "activations": (Together(ELEMENTWISE["activations"]), (2, 3, 9)), "moves": (Together(SHAPES["moves"]), (2, 4, 4, 4)),
    "reductions": (Together(SHAPES["reductions"]), (2, 4, 4, 4)), "resizing": (Together(SHAPES["resizing"]), (2, 4, 4, 4)),
    "products": (Together(SHAPES["products"]), (2, 4, 4, 4)), "windows": (Together(WINDOWS), (2, 4, 11, 13)),
    "convolutions": (Together(LAYERS), (2, 4, 11, 13)), "lstm": (Last(nn.LSTM, num_layers=2, bidirectional=True), (2, 4, 5)),
    "gru": (Last(nn.GRU, bidirectional=True), (2, 4, 5)), "words": (Encoder(), None), "decoder": (networks.gpt(dv, 32, 8, 1, 4), None),
}  # fmt: skip


@pytest.mark.soak
@pytest.mark.parametrize("name", PROGRAMS)
def test_with_sanitizers(tmp_path, name):
    model, shape = PROGRAMS[name]
    dv.manual_seed(0)
    x = dv.randn(shape) if shape else dv.randint(0, 50, (3, 12 if name == "words" else 8))
    to_c(model.eval(), tmp_path / "net.c", x, example=True)
    flags = [*STRICT, "-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    run(compiler(), *flags, tmp_path / "net.c", tmp_path / "net_main.c", "-o", tmp_path / "net", "-lm")
    lines = run(tmp_path / "net", input=x.numpy().tobytes(), cwd=tmp_path).decode().splitlines()
    wanted = np.concatenate([one.reshape(len(x), -1).astype("f8") for one in results(model(x))], 1)
    found = np.array([list(map(float, line.split())) for line in lines])
    assert np.allclose(found, wanted, rtol=1e-5, atol=2e-5)


FAMILIES = {
    "alexnet": 64, "convnext_tiny": 32, "densenet121": 32, "efficientnet_b0": 32, "efficientnet_v2_s": 32, "googlenet": 64,
    "inception_v3": 75, "mnasnet0_5": 32, "mobilenet_v2": 32, "mobilenet_v3_small": 32, "regnet_y_400mf": 32, "resnet50": 32,
    "resnext50_32x4d": 32, "shufflenet_v2_x0_5": 32, "squeezenet1_1": 64, "swin_t": 32, "vgg11": 32, "vit_b_32": 224,
}  # fmt: skip


@pytest.mark.soak
@pytest.mark.parametrize("name", FAMILIES)
def test_the_families_of_the_vision_plugin(tmp_path, name):
    dv.manual_seed(0)
    size = FAMILIES[name]
    config = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    check(tmp_path, dv.models.create(f"vision/{name}", **config), dv.rand(1, 3, size, size), flags=["-O2"])
