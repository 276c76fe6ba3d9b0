"""`dovetail demo`: what it writes and says, that the seed decides, and one clear error where something is missing."""

from __future__ import annotations

import importlib.util
import io
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

import dovetail as dv
from dovetail import plugins
from dovetail.cli.main import dovetail as program
from dovetail_vision.demo import progress as demo_progress
from dovetail_vision.demo.pictures import chosen
from dovetail_vision.demo.progress import Lines, Live, curve, display, picture
from dovetail_vision.demo.task import Epoch, History, answers, open_task, train

dovetail_vision = pytest.importorskip("dovetail_vision")


def demo(*arguments):
    return CliRunner().invoke(program, ["demo", *map(str, arguments)])


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo") / "new" / "folder"
    result = demo("--epochs", 1, "--seed", 3, "--out", out)
    assert result.exit_code == 0, result.output
    return out, result.output


def test_what_it_says(written):
    out, text = written
    lines = [line for line in text.splitlines() if not line.startswith("NumPy computes")]
    assert lines[0] == "vision/digits: 1,346 handwritten digits to learn from, 451 held out"
    assert lines[1] == "vision/digits_cnn: 44,014 parameters · cpu · seed 3"
    assert lines[3].startswith("epoch 1/1  loss ") and "samples/s" in lines[3] and "held out" in lines[3]
    assert "of the held-out digits are read right (" in text
    assert "Loaded from its file in a new process, the model reads the same " in text
    assert f"  {out / 'training.png'} " in text and "held-out digits with the answers, mistakes marked" in text
    python, _, rest = lines[-1].strip().partition(" ")
    assert os.path.samefile(shutil.which(python), sys.executable)
    assert rest == f"""-c "import dovetail as dv; print(dv.load('{out.as_posix()}/digits_cnn.safetensors'))\""""


@pytest.mark.parametrize(("kernels", "said"), [(None, 1), (object(), 0)])
def test_it_says_that_native_kernels_are_faster_where_there_are_none(kernels, said, monkeypatch, tmp_path):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: kernels if name == "dovetail_cpu" else found(name))
    result = demo("--epochs", 1, "--out", tmp_path)
    assert result.output.count("NumPy computes; native kernels are faster; to have them: pip install dovetail-cpu\n") == said, result.output


def test_what_it_writes(written):
    image = pytest.importorskip("PIL.Image")
    out, _ = written
    assert sorted(os.listdir(out)) == ["confusion.png", "digits_cnn.safetensors", "predictions.png", "training.png"]
    for name in ("confusion.png", "predictions.png", "training.png"):
        with image.open(out / name) as picture:
            assert min(picture.size) > 400 and len(np.unique(np.asarray(picture.convert("L")))) > 20, f"{name} is blank"


def test_the_last_command_works(written):
    out, _ = written
    code = f"import dovetail as dv; print(dv.load('{out.as_posix()}/digits_cnn.safetensors'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("DigitsCNN(")


def test_the_file_holds_what_was_trained(written):
    out, text = written
    task = open_task(dv.device("cpu"))
    right = int((answers(dv.load(out / "digits_cnn.safetensors"), task) == task.labels).sum())
    assert f"({right} of 451)" in text and right > 100  # chance is 45


def test_the_seed_decides(written, tmp_path):
    out, _ = written
    assert demo("--epochs", 1, "--seed", 3, "--out", tmp_path).exit_code == 0
    assert (tmp_path / "digits_cnn.safetensors").read_bytes() == (out / "digits_cnn.safetensors").read_bytes()


def test_without_the_plugin(tmp_path, monkeypatch):
    monkeypatch.setenv("DOVETAIL_PLUGINS", "none")
    plugins.reset()
    try:
        result = demo("--out", tmp_path / "demo")
    finally:
        monkeypatch.undo()
        plugins.reset()
    assert result.exit_code == 2 and f"plugin vision (dovetail-vision {dovetail_vision.__version__}) is disabled" in result.output
    assert not (tmp_path / "demo").exists()


def test_without_matplotlib(tmp_path, monkeypatch):
    monkeypatch.setattr("dovetail_vision.demo.command._can_draw", lambda: False)
    result = demo("--epochs", 1, "--out", tmp_path)
    assert result.exit_code == 0, result.output
    assert 'matplotlib is not installed, so no pictures will be drawn; to have them: pip install "dovetail-vision[demo]"' in result.output
    assert os.listdir(tmp_path) == ["digits_cnn.safetensors"]


def test_bad_options(tmp_path):
    (tmp_path / "file").write_text("")
    assert demo("--epochs", 0).exit_code == 2 and demo("--out", tmp_path / "file").exit_code == 2
    for device in ("moon", "cuda:99"):
        result = demo("--device", device, "--out", tmp_path / "demo")
        assert result.exit_code == 1 and result.output.startswith("Error: ") and "Traceback" not in result.output


def test_a_model_that_does_not_come_back_is_reported(tmp_path, monkeypatch):
    monkeypatch.setattr("dovetail_vision.demo.command._in_a_new_process", lambda path, device: 7)
    result = demo("--epochs", 1, "--out", tmp_path)
    assert result.exit_code == 1 and "loaded in a new process it reads 7 digits right, not" in result.output


def history(batches, epochs=2):
    made = History(total=10, epochs=epochs)
    for i in range(batches):
        made.add(2.0 - 0.1 * i, 32 + i, 64, 0.01)
    made.passes = [Epoch(1.5, 0.5, 0.75)][: batches // 5]
    return made


def test_the_live_display():
    from rich.console import Console

    for batches in (1, 6, 10):
        console = Console(width=120, record=True, file=io.StringIO())
        console.print(picture(history(batches)))
        text = console.export_text()
        assert f"epoch {1 if batches == 1 else 2}/2" in text and "6,400 samples/s" in text and "loss" in text and "accuracy" in text
        assert ("held out 75.0%" in text) == (batches > 5) and ("s left" in text) == (batches < 10)


def test_the_display_suits_the_output(monkeypatch):
    assert type(display(2)) is Lines
    monkeypatch.setattr(demo_progress.sys.stdout, "isatty", lambda: True, raising=False)
    with display(2) as live:
        assert type(live) is Live
        live.batch(history(3)), live.epoch(history(5))


def test_curves():
    assert curve([3.0] * 5) == "▁" * 5 and curve([0.0, 0.5, 1.0], 0, 1) == "▁▅█"
    long = curve([float(i) for i in range(1000)])
    assert len(long) == 40 and long[0] == "▁" and long[-1] == "█" and list(long) == sorted(long)


def test_mistakes_are_among_the_digits_shown():
    labels = np.arange(100) % 10
    given = labels.copy()
    given[[5, 50]] = 0
    shown = chosen(labels, given, 12)
    assert len(shown) == 12 == len(set(shown)) and {5, 50} <= set(shown) and list(shown) == sorted(shown)
    assert len(chosen(labels, (labels + 1) % 10, 12)) == 4 and len(chosen(labels, labels, 12)) == 12


def test_the_training_is_watched():
    seen = []

    class Watch:
        def batch(self, history):
            seen.append(len(history.losses))

        def epoch(self, history):
            seen.append(history.passes[-1].held_out)

    task = open_task(dv.device("cpu"))
    _, past = train(task, 1, 0, Watch())
    assert seen[:-1] == list(range(1, past.total + 1)) and past.total == 21 and seen[-1] == past.passes[0].held_out
