"""`dovetail export`, `dovetail onnx check` and `dovetail onnx run`, as they are typed."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner

import dovetail as dv
from dovetail_onnx.commands import onnx
from dovetail_onnx.export_command import export


def typed(command, *words):
    found = CliRunner().invoke(command, [str(word) for word in words])
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    return found.exit_code, found.output


@pytest.mark.parametrize("end", [".onnx", ".c"])
def test_a_model_of_the_registry(tmp_path, end):
    code, said = typed(export, "vision/digits_resnet", tmp_path / f"net{end}", "--weights", "torch")
    assert code == 0, said
    assert ("compared with the model" if end == ".onnx" else "int net_run(size_t n") in said
    assert (tmp_path / f"net{end}").stat().st_size > 100_000


def test_a_file_is_checked_and_run(tmp_path):
    path = tmp_path / "digits.onnx"
    assert typed(export, "vision/digits_resnet", path, "--weights", "torch")[0] == 0
    assert typed(onnx, "check", path) == (0, f"{path}: sound, 31 nodes of 7 operators\n")
    pictures = np.random.default_rng(0).random((3, 1, 8, 8), np.float32)  # another batch than the example's
    np.savez(tmp_path / "in.npz", input=pictures)
    code, said = typed(onnx, "run", path, tmp_path / "in.npz", "--out", tmp_path / "out.npz")
    assert code == 0
    assert said.startswith("output: float32 [3, 10] from ")
    model = dv.models.create("vision/digits_resnet", weights="torch").eval()
    with dv.no_grad():
        np.testing.assert_allclose(np.load(tmp_path / "out.npz")["output"], model(dv.from_numpy(pictures)).numpy(), atol=1e-4)


def test_a_picture_is_run(tmp_path):
    from PIL import Image

    assert typed(export, "vision/digits_resnet", tmp_path / "net.onnx", "--weights", "torch")[0] == 0
    Image.fromarray(np.arange(400, dtype=np.uint8).reshape(20, 20)).save(tmp_path / "in.png")
    code, said = typed(onnx, "run", tmp_path / "net.onnx", tmp_path / "in.png")
    assert code == 0
    assert said.startswith("output: float32 [1, 10]; largest: ")


def test_a_saved_model_with_the_sizes_of_its_input(tmp_path):
    whole = dv.models.create("vision/digits_cnn", width=4).eval()
    dv.save(whole, tmp_path / "whole.safetensors")
    code, said = typed(export, tmp_path / "whole.safetensors", tmp_path / "net.onnx", "--input", "2,1,8,8", "--opset", 17, "--fixed")
    assert code == 0, said
    code, said = typed(onnx, "info", tmp_path / "net.onnx")
    assert "ai.onnx 17" in said
    assert "input: float[2, 1, 8, 8]" in said
    dv.save(whole.state_dict(), tmp_path / "state.safetensors")
    code, said = typed(export, tmp_path / "state.safetensors", tmp_path / "net.onnx")
    assert code == 1
    assert "save the model itself: dovetail.save(model, path)" in said


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["vision/digits_cnn", "net.txt"], "a name ends in .onnx (an ONNX file), .c (a C99 program), .html (a web page)"),
        (["vision/digits_cnnn", "net.onnx"], "vision/digits_cnn"),
        (["text/bert", "net.onnx"], "give the sizes of each input: --input 1,3,224,224 or --input int64:1,12"),
        (["vision/digits_cnn", "net.c", "--opset", "17"], "--opset and --fixed are of .onnx files"),
        (["vision/digits_cnn", "net.onnx", "--input", "1,3,8"], "to have 1 channels"),
        (["vision/digits_cnn", "net.onnx", "--input", "one"], "'one' is not the sizes of an input"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, words, text):
    code, said = typed(export, words[0], tmp_path / words[1], *words[2:])
    assert code in (1, 2)
    assert text in said.replace("\n", " ")
    assert not (tmp_path / words[1]).exists()


def test_wrong_files_are_refused(tmp_path):
    (tmp_path / "bad.onnx").write_bytes(b"no model at all")
    for words in (["check", tmp_path / "bad.onnx"], ["run", tmp_path / "bad.onnx", tmp_path / "bad.onnx"]):
        code, said = typed(onnx, *words)
        assert code == 1
        assert said.startswith("Error: ")
    assert typed(export, "vision/digits_resnet", tmp_path / "net.onnx", "--weights", "torch")[0] == 0
    np.savez(tmp_path / "two.npz", a=np.zeros(1), b=np.zeros(1))
    assert "holds a, b; the inputs are input" in typed(onnx, "run", tmp_path / "net.onnx", tmp_path / "two.npz")[1]
