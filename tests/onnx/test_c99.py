"""`to_c`: whole models as C programs, compared with the models; compiled without a warning, also with sanitizers and from C++."""

from __future__ import annotations

import re

import numpy as np
import pytest

import dovetail as dv
from benchmarks import networks
from dovetail import nn
from dovetail.errors import ShapeError, UnsupportedError, ValueRangeError
from dovetail_onnx import UnsupportedNodes, export, to_c
from tests.onnx.c99 import STRICT, check, compiler, library, run

pytest.importorskip("onnx")


def digits():
    return dv.models.create("vision/digits_resnet", weights="vision/digits_resnet@torch").eval()


class Encoder(nn.Module):
    """A small BERT: tokens and positions, two layers, a mean over the words, classes."""

    def __init__(self, words=50, width=32, length=12):
        super().__init__()
        self.words, self.places = nn.Embedding(words, width), nn.Embedding(length, width)
        layer = nn.TransformerEncoderLayer(width, 4, 64, batch_first=True, activation="gelu")
        self.layers, self.head = nn.TransformerEncoder(layer, 2), nn.Linear(width, 3)

    def forward(self, tokens):
        x = self.words(tokens) + self.places(dv.arange(tokens.shape[1]))
        return self.head(self.layers(x).mean(1))


def test_digits(tmp_path):
    """The shipped weights, on the held-out digits: the same scores, and 98 % of the answers right."""
    images, labels = held_out()
    made, loaded = check(tmp_path, digits(), images[:60])
    assert made.prototype == "int net_run(size_t n, const float *x, float *output)"
    assert made.inputs == {"x": (1, 8, 8)} and made.outputs == {"output": (10,)} and made.memory < 20_000
    from tests.onnx.c99 import called

    _, [scores] = called(loaded, "net", len(images), [images.numpy()], [(10,)])
    assert (scores.argmax(1) == labels).mean() > 0.98


def held_out():
    from dovetail_vision.datasets import Digits

    data = Digits(train=False)
    return (data.data.float().unsqueeze(1) / 255 - 0.3) / 0.38, data.targets.numpy()


def test_a_perceptron(tmp_path):
    check(tmp_path, networks.perceptron(dv, 20, 70, 33, 10), dv.randn(5, 20))


def test_a_transformer_of_words(tmp_path):
    dv.manual_seed(0)
    _, loaded = check(tmp_path, Encoder(), dv.randint(0, 50, (4, 12)))
    from tests.onnx.c99 import called

    code, _ = called(loaded, "net", 1, [np.full((1, 12), 50)], [(3,)])  # a word that is not there: refused, and nothing outside read
    assert code == 1
    assert called(loaded, "net", 1, [np.full((1, 12), -50)], [(3,)])[0] == 0


def test_a_decoder(tmp_path):
    dv.manual_seed(0)
    check(tmp_path, networks.gpt(dv, 32, 8, 1, 4), dv.randint(0, 65, (3, 8)))


def test_a_vision_transformer(tmp_path):
    from dovetail_vision.models.vision_transformer import VisionTransformer

    model = VisionTransformer(image_size=16, patch_size=4, num_layers=1, num_heads=2, hidden_dim=24, mlp_dim=32, num_classes=5)
    nn.init.normal_(model.heads.head.weight)
    check(tmp_path, model, dv.randn(2, 3, 16, 16))


def test_an_lstm(tmp_path):
    check(tmp_path, networks.classifier(dv, 6, 20), dv.randn(3, 5, 6))


def test_resnet18(tmp_path):
    """At 64 x 64; 11.7 million weights lie in a file of their own."""
    dv.manual_seed(0)
    model = dv.models.create("vision/resnet18")
    for module in model.modules():  # statistics that are not those of the start
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.5, 2)
    made, _ = check(tmp_path, model, dv.randn(2, 3, 64, 64))
    assert [name.rpartition(".")[2] for name in made.files] == ["bin", "h", "c"] and made.weights > 11_000_000
    assert (tmp_path / "net.c").stat().st_size < 100_000


def test_nothing_is_allocated(tmp_path):
    to_c(digits(), tmp_path / "net.c", dv.zeros(1, 1, 8, 8))
    loaded = library(tmp_path / "net.c")
    text = (tmp_path / "net.c").read_text()
    assert not re.search(r"\b(malloc|calloc|realloc|alloca|free)\b", text)
    symbols = run("nm", "-D", "--undefined-only", loaded._name).decode() if compiler("nm") else ""
    assert not re.search(r"malloc|calloc|realloc|free\b", symbols)


def test_without_vectors(tmp_path):
    """The arrays that serve compilers without vectors, and -O3 for the processor at hand."""
    check(tmp_path, digits(), dv.randn(3, 1, 8, 8), flags=["-O1", "-DNET_PLAIN"])
    check(tmp_path, digits(), dv.randn(3, 1, 8, 8), flags=["-O3", "-march=native"])


@pytest.mark.parametrize("weights", [None, "numbers.bin"])
def test_the_example_with_sanitizers(tmp_path, weights):
    """The program as a whole, no access out of bounds and nothing undefined on the way."""
    model = nn.Sequential(nn.Conv2d(2, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.SiLU(), nn.MaxPool2d(2, 1), nn.Flatten(), nn.Linear(32, 5)).eval()
    x = dv.randn(3, 2, 6, 6)
    made = to_c(model, tmp_path / "net.c", x, weights=weights, example=True)
    assert len(made.files) == 3 + bool(weights)
    flags = [*STRICT, "-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    run(compiler(), *flags, tmp_path / "net.c", tmp_path / "net_main.c", "-o", tmp_path / "net", "-lm")
    given = [tmp_path / "numbers.bin"] if weights else []
    lines = run(tmp_path / "net", *given, input=x.numpy().tobytes(), cwd=tmp_path).decode().splitlines()
    found = np.array([list(map(float, line.split())) for line in lines], "f4")
    assert np.allclose(found, model(x).detach().numpy(), atol=1e-5) and found.shape == (3, 5)


def test_from_cpp(tmp_path):
    """The header in a C++ program, which calls by the macros for sizes."""
    model = networks.perceptron(dv, 3, 4, 2)
    x = dv.tensor([[1.0, 2.0, 3.0], [0.5, 0.0, -1.0]])
    to_c(model, tmp_path / "net.c", x, output_names=["scores"])
    (tmp_path / "main.cpp").write_text("""
        #include "net.h"
        #include <cstdio>
        int main() {
            static_assert(NET_INPUT_RANK == 1 && NET_SCORES_SIZE == 2, "sizes");
            const int shape[] = NET_INPUT_SHAPE;
            const float in[2 * NET_INPUT_SIZE] = {1, 2, 3, 0.5f, 0, -1};
            float out[2 * NET_SCORES_SIZE];
            if (shape[0] != 3 || net_run(2, in, out)) return 1;
            for (float one : out) std::printf("%.9g ", one);
        }""")
    run(compiler(), *STRICT, "-c", tmp_path / "net.c", "-o", tmp_path / "net.o")
    run(compiler("g++"), "-Wall", "-Wextra", "-Werror", tmp_path / "main.cpp", tmp_path / "net.o", "-o", tmp_path / "main", "-lm")
    found = np.array(run(tmp_path / "main").split(), "f4")
    assert np.allclose(found, model(x).detach().numpy().ravel(), atol=1e-6)


def test_the_side_file_is_known(tmp_path):
    """Another file, a shorter one, one with a changed bit: all refused, and nothing runs on them."""
    model, x = nn.Linear(40, 3), dv.ones(1, 40)
    to_c(model, tmp_path / "net.c", x, weights="w.bin")
    loaded, good = library(tmp_path / "net.c"), (tmp_path / "w.bin").read_bytes()
    from tests.onnx.c99 import called

    assert called(loaded, "net", 1, [x.numpy()], [(3,)])[0] == 2
    assert loaded.net_load(str(tmp_path / "none.bin").encode()) == 1
    flipped = bytearray(good)
    flipped[-300] ^= 1
    for bad in (b"", good[:-1], good + b"\0", bytes(flipped), b"X" + good[1:], good[:8] + bytes(8) + good[16:]):
        (tmp_path / "bad.bin").write_bytes(bad)
        assert loaded.net_load(str(tmp_path / "bad.bin").encode()) == 2
        assert called(loaded, "net", 1, [x.numpy()], [(3,)])[0] == 2
    assert loaded.net_load(str(tmp_path / "w.bin").encode()) == 0
    code, [y] = called(loaded, "net", 1, [x.numpy()], [(3,)])
    assert code == 0 and np.allclose(y, model(x).detach().numpy(), atol=1e-6)


def test_an_onnx_file(tmp_path):
    model = digits()
    export(model, dv.randn(2, 1, 8, 8), tmp_path / "digits.onnx", dynamic_shapes={"x": {0: "batch"}}, verify=False)
    made = to_c(str(tmp_path / "digits.onnx"), tmp_path / "d.c")
    assert made.inputs == {"x": (1, 8, 8)}
    export(model, dv.randn(2, 1, 8, 8), tmp_path / "old.onnx", opset=13, verify=False)
    to_c(str(tmp_path / "old.onnx"), tmp_path / "o.c", batch=False)


def test_samples_that_depend_on_each_other(tmp_path):
    with pytest.raises(ValueRangeError, match=r"to_c: two samples together give other results than each by itself; .*batch=False"):
        to_c(lambda x: x - x.mean(0), tmp_path / "net.c", dv.randn(3, 4))
    with pytest.raises(
        ShapeError, match=r"to_c: the inputs have the shapes \(2, 3\), \(4,\); expected first dimensions that count samples"
    ):
        to_c(lambda x, y: x @ y[:3], tmp_path / "net.c", dv.randn(2, 3), dv.randn(4))
    check(tmp_path, lambda x: x - x.mean(0), dv.randn(3, 4), batch=False)


def test_what_has_no_c_is_listed(tmp_path):
    class Model(nn.Module):
        def forward(self, x):
            return dv.topk(x, 2)[0] + dv.sort(x, -1)[0][:, :2] + dv.linalg.det(x.reshape(-1, 2, 2)).unsqueeze(1)

    with pytest.raises(UnsupportedNodes, match=r"to_c: there is no C for .*\(TopK, ai\.onnx 20\).*\(Det, ai\.onnx 20\)") as caught:
        to_c(Model(), tmp_path / "net.c", dv.randn(1, 4))
    assert {op for _, op in caught.value.nodes} == {"TopK", "Det"} and isinstance(caught.value, UnsupportedError)
    assert not list(tmp_path.iterdir())
    with pytest.raises(
        UnsupportedError, match=r"to_c: node .* has values of the type float64; the C program has float.*; model\.float\(\)"
    ):
        to_c(lambda x: x * 2, tmp_path / "net.c", dv.randn(1, 4).double())


def test_arguments(tmp_path):
    with pytest.raises(ValueRangeError, match="to_c: path is '.*net.txt'; expected a name that ends in .c"):
        to_c(nn.ReLU(), tmp_path / "net.txt", dv.ones(1, 2))
    with pytest.raises(ValueRangeError, match="to_c: no example input is given"):
        to_c(nn.ReLU(), tmp_path / "net.c")
    for name in ("../w.bin", "a/b", 'x".bin', "net.c"):
        with pytest.raises(ValueRangeError, match="expected a file name without a folder"):
            to_c(nn.Linear(2, 2), tmp_path / "net.c", dv.ones(1, 2), weights=name)
