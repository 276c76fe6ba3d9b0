"""`dovetail demo checkpoint`: every step is said, what it writes works, and what is not installed is left out in one line."""

from __future__ import annotations

import builtins
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

import dovetail as dv
from dovetail.cli.main import dovetail as program
from dovetail_vision.demo.task import answers, open_task


def demo(*arguments):
    return CliRunner().invoke(program, ["demo", "checkpoint", *map(str, arguments)])


def without(monkeypatch, *names):
    """As if these packages were not installed."""
    real = builtins.__import__

    def refusing(name, *rest, **more):
        if name.split(".")[0] in names:
            raise ImportError(f"No module named {name!r}")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", refusing)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo") / "new" / "folder"
    with pytest.MonkeyPatch.context() as patch:
        without(patch, "dovetail_onnx")
        result = demo("--epochs", 1, "--seed", 3, "--out", out)
    assert result.exit_code == 0, result.output
    return out, result.output


def test_what_it_says(written):
    out, text = written
    lines = text.splitlines()
    assert lines[0] == "digits_resnet_torch.pth: a ResNet for handwritten digits, trained and saved by PyTorch, 333 kB"
    assert lines[1] == "vision/digits_resnet · cpu · seed 3"
    took = r" +\d+\.\d\d s   "
    assert re.search(f"^Load it, without PyTorch{took}77,754 parameters, 56 tensors$", text, re.M)
    assert re.search(rf"^Check it{took}98.7% \(445 of 451\) of the held-out digits are read right, as PyTorch counted$", text, re.M)
    assert re.search(rf"^Fine-tune it, 1 epoch{took}\d\d\.\d% \(\d+ of 451\) are read right now$", text, re.M)
    assert re.search(f"^Save it{took}safetensors, with checksums$", text, re.M) and "\nepoch 1/1  loss " in text
    assert "Export it to ONNX             left out: dovetail-onnx is not installed; to have it: pip install dovetail-onnx\n" in text
    assert re.search(r"^\d+\.\d s in all, \d+ MB of memory at most", text, re.M)
    assert f"  {out / 'digits_resnet.safetensors'}  the fine-tuned model, 327 kB" in text
    assert lines[-1].endswith(f"""-c "import dovetail as dv; print(dv.load('{out.as_posix()}/digits_resnet.safetensors'))\"""")


def test_the_file_holds_what_was_tuned(written):
    out, text = written
    assert os.listdir(out) == ["digits_resnet.safetensors"]
    task, model = open_task(dv.device("cpu")), dv.load(out / "digits_resnet.safetensors")
    right = int((answers(model, task) == task.labels).sum())
    assert f"({right} of 451) are read right now" in text and right > 400


def test_the_seed_decides(written, tmp_path, monkeypatch):
    out, _ = written
    without(monkeypatch, "dovetail_onnx")
    assert demo("--epochs", 1, "--seed", 3, "--out", tmp_path).exit_code == 0
    monkeypatch.undo()
    assert (tmp_path / "digits_resnet.safetensors").read_bytes() == (out / "digits_resnet.safetensors").read_bytes()


def test_pytorch_is_not_imported():
    code = "import sys, dovetail as dv; dv.models.create('vision/digits_resnet', weights='torch'); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_bad_options(tmp_path):
    (tmp_path / "file").write_text("")
    assert demo("--epochs", 0).exit_code == 2 and demo("--out", tmp_path / "file").exit_code == 2
    for device in ("moon", "cuda:99"):
        result = demo("--device", device, "--out", tmp_path / "demo")
        assert result.exit_code == 1 and result.output.startswith("Error: ") and "Traceback" not in result.output


def test_the_first_demo_names_it():
    text = CliRunner().invoke(program, ["demo", "--help"]).output
    assert "checkpoint" in text and "Take a PyTorch checkpoint, without PyTorch" in text and "--epochs" in text


def exporter():
    found = pytest.importorskip("dovetail_onnx")
    if not hasattr(found, "export"):
        pytest.skip("this dovetail-onnx has no export")


def test_onnx(tmp_path):
    exporter()
    runtime = pytest.importorskip("onnxruntime")
    result = demo("--epochs", 1, "--out", tmp_path)
    assert result.exit_code == 0, result.output
    assert re.search(r"^Export it to ONNX +\d+\.\d\d s   for any number of images$", result.output, re.M)
    assert re.search(
        r"^Run it in onnxruntime +\d+\.\d\d s   the same 451 of 451 answers; scores differ by \de-0\d at most$", result.output, re.M
    )
    assert sorted(os.listdir(tmp_path)) == ["digits_resnet.onnx", "digits_resnet.safetensors"]
    session = runtime.InferenceSession(str(tmp_path / "digits_resnet.onnx"), providers=["CPUExecutionProvider"])
    model, images = dv.load(tmp_path / "digits_resnet.safetensors").eval(), dv.rand(7, 1, 8, 8)
    with dv.no_grad():
        np.testing.assert_allclose(session.run(None, {"image": images.numpy()})[0], model(images).numpy(), rtol=1e-3, atol=1e-4)


def test_without_onnxruntime(tmp_path, monkeypatch):
    exporter()
    without(monkeypatch, "onnxruntime")
    result = demo("--epochs", 1, "--out", tmp_path)
    monkeypatch.undo()
    assert result.exit_code == 0, result.output
    assert "Run it in onnxruntime         left out: onnxruntime is not installed; to have it: pip install onnxruntime\n" in result.output
    assert sorted(os.listdir(tmp_path)) == ["digits_resnet.onnx", "digits_resnet.safetensors"]
