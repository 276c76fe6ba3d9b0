"""`dovetail export`, `dovetail onnx check` and `dovetail onnx run`."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import dovetail as dv
from dovetail.cli.main import dovetail
from dovetail_onnx import inspect, load
from tests.onnx import models

onnx = pytest.importorskip("onnx")
from onnx import helper


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
    np.savez(tmp_path / "other.npz", a=1, b=2)
    np.save(tmp_path / "objects.npy", np.array([{}]), allow_pickle=True)
    for files, message in (
        (["x.png"], "x.png: is no image, .npy or .npz file"),
        (["x.npz"], "x.npz: is no .npz file of numbers"),
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
