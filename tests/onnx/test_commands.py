"""`dovetail export`, `dovetail onnx check` and `dovetail onnx run`."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

onnx = pytest.importorskip("onnx")

import dovetail as dv
from dovetail.cli.main import dovetail
from dovetail_onnx import inspect, load
from tests.onnx import models, seeds

helper = onnx.helper


def call(*arguments):
    return CliRunner().invoke(dovetail, list(map(str, arguments)))


def good(*arguments):
    done = call(*arguments)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture
def digits(tmp_path):
    good("export", "vision/digits_resnet", tmp_path / "d.onnx")
    return tmp_path / "d.onnx"


def test_export_of_a_registered_model(digits, tmp_path):
    """With the weights that it recommends, a free batch, and the sizes that its manifest has."""
    assert [str(one) for one in inspect(digits).inputs] == ["x: float[batch, 1, 8, 8]"]
    model = dv.models.create("vision/digits_resnet", weights="torch").eval()
    x = dv.randn(3, 1, 8, 8)
    assert np.allclose(load(digits)(x).detach().numpy(), model(x).detach().numpy(), atol=1e-5)
    good("export", "vision/digits_resnet", tmp_path / "f.onnx", "--fixed", "--opset", 17, "--input", "2,1,8,8")
    assert [str(one) for one in inspect(tmp_path / "f.onnx").inputs] == ["x: float[2, 1, 8, 8]"]
    assert inspect(tmp_path / "f.onnx").opsets == {"ai.onnx": 17}


def test_export_in_half(tmp_path):
    options = ("--half", "float16", "--keep-io-types", "--fold-batch-norm", "--fold-constants")
    good("export", "vision/digits_resnet", tmp_path / "h.onnx", *options)
    proto = onnx.load(tmp_path / "h.onnx")
    assert str(inspect(tmp_path / "h.onnx").inputs[0]) == "x: float[batch, 1, 8, 8]"
    assert not any(node.op_type == "BatchNormalization" for node in proto.graph.node)
    assert {w.name: w.data_type for w in proto.graph.initializer}["layer1.0.conv1.weight"] == onnx.TensorProto.FLOAT16
    done = call("export", "vision/digits_resnet", tmp_path / "h.c", "--half", "float16")
    assert done.exit_code == 1 and "--half is for .onnx and .html; a C program has float32 and folds by itself" in done.output


def test_export_as_c(digits, tmp_path):
    lines = good("export", "vision/digits_resnet", tmp_path / "d.c", "--example").splitlines()
    assert [line.split()[0].rpartition("/")[2] for line in lines] == ["d.h", "d_main.c", "d.c"] and lines[-1].endswith("kB")
    good("export", digits, tmp_path / "from_onnx.c")
    assert "int from_onnx_run(size_t n, const float *x, float *output);" in (tmp_path / "from_onnx.h").read_text()


def test_export_of_a_saved_model(tmp_path):
    model = dv.models.create("vision/digits_cnn", width=4)
    dv.save(model, tmp_path / "m.dvt")
    good("export", tmp_path / "m.dvt", tmp_path / "m.onnx")
    x = dv.randn(2, 1, 8, 8)
    assert np.allclose(load(tmp_path / "m.onnx")(x).detach().numpy(), model.eval()(x).detach().numpy(), atol=1e-5)
    dv.save(model.state_dict(), tmp_path / "state.dvt")
    done = call("export", tmp_path / "state.dvt", tmp_path / "s.onnx")
    assert done.exit_code == 1 and "holds tensors without their model; give the model's key, and the file as --weights" in done.output
    assert "no trained weights, its initial ones are written" in good("export", "vision/digits_cnn", tmp_path / "i.c")


def test_export_makes_the_model_itself(tmp_path, monkeypatch):
    """The size and the inputs that its manifest's example has are those of a smaller model, and not taken."""
    done = call("export", "vision/mobilenet_v2", tmp_path / "m.onnx", "--weights", "none")
    assert (
        done.exit_code == 1 and "vision/mobilenet_v2 does not say what its inputs are; give their sizes: --input 1,3,224,224" in done.output
    )
    good("export", "vision/mobilenet_v2", tmp_path / "m.onnx", "--weights", "none", "--input", "1,3,32,32")
    assert [str(one) for one in inspect(tmp_path / "m.onnx").outputs] == ["output: float[batch, 1000]"]
    for named in ((), ("--weights", "V1"), ("--weights", "vision/shapes_segmenter@v1")):
        good("export", "vision/shapes_segmenter", tmp_path / "s.onnx", "--input", "1,3,32,32", *named)
        model = dv.models.create("vision/shapes_segmenter", weights="v1").eval()
        x = dv.randn(1, 3, 32, 32)
        assert np.allclose(load(tmp_path / "s.onnx")(x).detach().numpy(), model(x)["out"].detach().numpy(), atol=1e-4)


def test_export_and_run_of_a_detector(tmp_path):
    """Its input is a list of one picture; what it finds in another picture is what the model finds there."""
    good("export", "vision/shapes_detector", tmp_path / "d.onnx", "--input", "[3,96,96]")
    assert str(inspect(tmp_path / "d.onnx").inputs[0]) == "images_0: float[3, 96, 96]"
    pixels = np.zeros((96, 96, 3), "u1")
    pixels[20:60, 30:70] = (250, 40, 40)
    Image.fromarray(pixels).save(tmp_path / "square.png")
    good("onnx", "run", tmp_path / "d.onnx", tmp_path / "square.png", "--out", tmp_path / "o.npz")
    model = dv.models.create("vision/shapes_detector", weights="DEFAULT").eval()
    with dv.no_grad():
        (found,) = model([dv.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1), "f4") / 255)])
    with np.load(tmp_path / "o.npz") as kept:
        assert kept["output_0_labels"].tolist() == found["labels"].tolist()
        np.testing.assert_allclose(kept["output_0_boxes"], found["boxes"].numpy(), rtol=1e-4, atol=1e-3)
    done = call("export", "vision/shapes_detector", tmp_path / "d.onnx")
    assert done.exit_code == 1 and "or --input [3,480,640] for a detector" in done.output


def test_a_page_has_the_transforms_of_the_weights_that_were_taken():
    from dovetail_onnx import export_command

    rows = [dv.weights.get(name) for name in dv.weights.list("vision/resnet50@*")]
    sizes = {"IMAGENET1K_V1": 256, "imagenet1k_v2": 232, "vision/resnet50@imagenet1k_v2": 232, "DEFAULT": 232}
    for named, size in sizes.items():
        assert export_command._about("vision/resnet50", rows, named)["transforms_config"].get("resize_size", 256) == size
        assert export_command._about("vision/resnet50", rows, named)["labels"][:2] == ["tench", "goldfish"]
    assert export_command._about("vision/resnet50", rows, None) == {}
    rows = [dv.weights.get("vision/digits_resnet@torch")]
    assert export_command._about("vision/digits_resnet", rows, "DEFAULT")["labels"][3] == "3 - three"


def test_export_as_a_page(tmp_path, monkeypatch):
    """The page is written by to_web, which is given the model, an example and what prepares its pictures."""
    import dovetail_onnx.web

    seen = []

    def to_web(model, path, *args, **how):
        seen.append((type(model).__name__, [tuple(one.shape) for one in args], sorted(how), len(how.get("labels", ()))))
        path.write_text("page")
        return path

    monkeypatch.setattr(dovetail_onnx.web, "to_web", to_web)
    assert "d.html" in good("export", "vision/digits_resnet", tmp_path / "d.html")
    assert [one[1:] for one in seen] == [([(1, 1, 8, 8)], ["labels", "transforms"], 10)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["vision/digits_cnn", "x.txt"], "x.txt ends in '.txt'; expected one of .onnx, .c, .html"),
        (["none.onnx", "x.c"], "none.onnx: there is no such file"),
        (["vision/nothing", "x.c"], "vision/nothing"),
        (["vision/digits_cnn", "x.c", "--input", "1,one"], "--input 1,one: expected sizes, 1,3,64,64"),
        (["vision/digits_cnn", "x.c", "--input", "1,8:text"], "--input 1,8:text: expected sizes"),
        (["vision/digits_cnn", "x.c", "--input", "[1,one]"], "--input 1,one: expected sizes"),
        (["vision/digits_cnn", "x.c", "--weights", "v9"], "v9"),
    ],
)
def test_export_refuses(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    done = call("export", *arguments)
    assert done.exit_code == 1 and message in done.output, done.output
    assert not list(tmp_path.iterdir())


def test_check(digits, tmp_path):
    lines = good("onnx", "check", digits).splitlines()
    assert lines[0] == "checker     sound" and lines[1].startswith("native      ") and len(lines) == 2
    nodes = [helper.make_node("Gate", ["x"], ["a"], domain="com.acme"), helper.make_node("TfIdfVectorizer", ["x"], ["b"], mode="TF")]
    made = models.model(nodes, ["x"], [(3,)], ["a"])
    made.opset_import.append(helper.make_opsetid("com.acme", 1))
    onnx.save(made, tmp_path / "foreign.onnx")
    done = call("onnx", "check", tmp_path / "foreign.onnx")
    assert done.exit_code == 1 and "handed on   TfIdfVectorizer  1" in done.output and "nobody      com.acme::Gate  1" in done.output
    onnx.save(models.model([helper.make_node("Relu", ["x", "x"], ["y"])], ["x"], [(3,)], ["y"]), tmp_path / "unsound.onnx")
    done = call("onnx", "check", tmp_path / "unsound.onnx")
    assert done.exit_code == 1 and "sound" not in done.output.splitlines()[0].removeprefix("checker").split()
    made = seeds.external()
    made.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ("n", 4)))
    onnx.save(made, tmp_path / "beside.onnx")
    done = call("onnx", "check", tmp_path / "beside.onnx")  # its weights lie in a file that is not there
    assert done.exit_code == 1 and "w.bin" in done.output
    (tmp_path / "w.bin").write_bytes(bytes(64))
    assert good("onnx", "check", tmp_path / "beside.onnx").startswith("checker     sound")
    made.graph.node[0].output[0] = "z"
    onnx.save(made, tmp_path / "beside.onnx")
    assert call("onnx", "check", tmp_path / "beside.onnx").exit_code == 1
    (tmp_path / "no.onnx").write_bytes(b"hello")
    assert "is not an ONNX model" in call("onnx", "check", tmp_path / "no.onnx").output


def test_run(digits, tmp_path):
    x = np.random.default_rng(0).normal(size=(1, 1, 8, 8)).astype("f4")
    wanted = load(digits)(dv.from_numpy(x)).detach().numpy()
    np.savez(tmp_path / "in.npz", x=x)
    np.save(tmp_path / "in.npy", x)
    for name in ("in.npz", "in.npy"):
        output = good("onnx", "run", digits, tmp_path / name, "--out", tmp_path / "out.npz")
        assert output.startswith("output  float32[1, 10]  [")
        with np.load(tmp_path / "out.npz") as found:
            assert np.allclose(found["output"], wanted, atol=1e-6)


def test_run_keeps_arrays_alone(tmp_path):
    """Results by any name; a sequence is refused, which NumPy would pickle."""
    np.save(tmp_path / "x.npy", np.ones(2, "f4"))
    onnx.save(models.model([helper.make_node("Identity", ["x"], ["file"])], ["x"], [(2,)], ["file"]), tmp_path / "m.onnx")
    good("onnx", "run", tmp_path / "m.onnx", tmp_path / "x.npy", "--out", tmp_path / "o.npz")
    with np.load(tmp_path / "o.npz") as found:
        assert found["file"].tolist() == [1, 1]
    onnx.save(seeds.written("g (float[2] x) => (seq(float[2]) y) { y = SequenceConstruct(x, x) }"), tmp_path / "s.onnx")
    done = call("onnx", "run", tmp_path / "s.onnx", tmp_path / "x.npy", "--out", tmp_path / "s.npz")
    assert done.exit_code == 1 and "'y' is no array of numbers; an .npz has arrays alone" in done.output
    assert not (tmp_path / "s.npz").exists()


def test_run_on_a_picture(digits, tmp_path):
    """A grey picture of another size is resized, scaled and normalized; it is read as the digit that it shows."""
    from dovetail_vision.datasets import Digits

    data = Digits(train=False)
    Image.fromarray(data.data[0].numpy()).resize((40, 40), Image.Resampling.NEAREST).save(tmp_path / "digit.png")
    output = good("onnx", "run", digits, tmp_path / "digit.png", "--mean", 0.3, "--std", 0.38, "--out", tmp_path / "o.npz")
    assert output.startswith("output  float32[1, 10]")
    with np.load(tmp_path / "o.npz") as found:
        assert found["output"].argmax() == int(data.targets[0])


def test_run_refuses(digits, tmp_path, monkeypatch):
    (tmp_path / "x.png").write_bytes(b"no picture")
    (tmp_path / "x.npz").write_bytes(b"no archive")
    (tmp_path / "cut.npz").write_bytes(b"PK\x03\x04 cut off")
    np.savez(tmp_path / "other.npz", a=1, b=2)
    np.save(tmp_path / "objects.npy", np.array([{}]), allow_pickle=True)
    for files, message in (
        (["x.png"], "x.png: is no image, .npy or .npz file"),
        (["x.npz"], "x.npz: is no .npz file of numbers"),
        (["cut.npz"], "cut.npz: is no .npz file of numbers"),
        (["objects.npy"], "objects.npy: is no .npy file of numbers"),
        (["other.npz"], "has a, b, and not 'x'; expected x: float[batch, 1, 8, 8]"),
        ([], "0 files are given; expected x: float[batch, 1, 8, 8]; an .npz has them all"),
    ):
        done = call("onnx", "run", digits, *(tmp_path / name for name in files))
        assert done.exit_code == 1 and message in done.output, done.output
    onnx.save(models.mlp(), tmp_path / "mlp.onnx")
    done = call("onnx", "run", tmp_path / "mlp.onnx", tmp_path / "x.png")
    assert done.exit_code == 1 and "is to be x: float[n, 6]; an image is a (1, 3, H, W)" in done.output
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert "pip install pillow" in call("onnx", "run", digits, tmp_path / "x.png").output
