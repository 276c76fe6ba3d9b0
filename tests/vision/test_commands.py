"""`dovetail predict`, `dovetail models`, `dovetail datasets`: what they say, write and refuse."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import dovetail as dv
from dovetail import models
from dovetail.cli.main import dovetail as program
from dovetail_vision.commands import answers
from dovetail_vision.commands.answers import answer
from dovetail_vision.datasets import Digits
from dovetail_vision.transforms import _presets

PIXELS = dv.from_numpy(np.random.RandomState(0).randint(0, 256, (3, 40, 50)).astype(np.uint8))


def run(*arguments):
    return CliRunner().invoke(program, list(map(str, arguments)))


@pytest.fixture
def scans(tmp_path):
    digits = Digits(train=False)
    names = []
    for index in (7, 100):
        names.append(tmp_path / f"{index}.png")
        digits[index][0].resize((48, 48)).convert("RGB").save(names[-1])
    return names, [digits[index][1] for index in (7, 100)]


def test_predict_prints_classes(scans):
    paths, labels = scans
    result = run("predict", *paths, "--model", "vision/digits_resnet", "--top", 2)
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.output.splitlines() if " - " in line]
    assert len(lines) == 4 and [line[0] for line in lines[::2]] == [str(label) for label in labels]
    assert "class" in result.output and "probability" in result.output and "drawn" not in result.output


def test_predict_for_programs_and_with_a_file(scans, tmp_path):
    paths, labels = scans
    found = json.loads(run("predict", *paths, "--model", "digits_resnet", "--weights", "torch", "--json").output)
    assert [one["found"][0]["index"] for one in found] == labels and {one["task"] for one in found} == {"classification"}
    assert all(one["picture"] is None and len(one["found"]) == 5 for one in found)
    model = models.create("vision/digits_resnet", weights="torch")
    dv.save(model.state_dict(), tmp_path / "state.safetensors")
    dv.save(models.create("vision/digits_cnn"), tmp_path / "whole.safetensors")
    again = json.loads(run("predict", *paths, "--model", "digits_resnet", "--weights", tmp_path / "state.safetensors", "--json").output)
    assert again == found
    assert run("predict", paths[0], "--model", "vision/digits_cnn", "--weights", tmp_path / "whole.safetensors").exit_code == 0


@pytest.mark.parametrize("name", ["shapes_segmenter", "shapes_detector"])
def test_predict_draws(tmp_path, monkeypatch, name):
    dv.manual_seed(0)
    dv.save(models.create(f"vision/{name}").state_dict(), tmp_path / "w.safetensors")
    Image.fromarray(PIXELS.permute(1, 2, 0).numpy()).save(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    result = run("predict", "a.png", "--model", f"vision/{name}", "--weights", "w.safetensors")
    assert result.exit_code == 0, result.output
    assert "drawn: a.predicted.png" in result.output
    with Image.open("a.predicted.png") as picture:
        assert picture.size == (50, 40)


class Found(dv.nn.Module):
    """Stands for a model: gives what it was made with."""

    def __init__(self, out):
        super().__init__()
        self.out = out

    def forward(self, images):
        return self.out


def _asked(out, **options):
    how = {"classes": ["__background__", "cat", "dog"], "threshold": 0.5, "top": 2} | options
    return answer(Found(out), lambda image: image, PIXELS, **how, listed=isinstance(out, list))


def test_no_backbone_is_fetched_for_a_file(tmp_path, monkeypatch):
    """The file has all weights; the default weights of the backbone would come from the network."""
    seen = {}
    monkeypatch.setattr(models, "create", lambda key, weights, **config: seen.update(config) or Found(dv.zeros(1, 2)))
    dv.save({"a": dv.zeros(1)}, tmp_path / "w.safetensors")
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    asked = ("--model", "vision/lraspp_mobilenet_v3_large", "--weights", tmp_path / "w.safetensors")
    assert run("predict", tmp_path / "a.png", *asked).exit_code == 0 and seen == {"weights_backbone": None}


def test_answers_of_a_detector():
    boxes = dv.tensor([[2.0, 3, 20, 30], [10, 10, 40, 35], [0, 0, 5, 5]])
    out = {"boxes": boxes, "labels": dv.tensor([1, 2, 1]), "scores": dv.tensor([0.9, 0.6, 0.2])}
    found = _asked([out])
    assert found.task == "detection" and [row["class"] for row in found.rows] == ["cat", "dog"]
    assert found.rows[0]["box"] == [2.0, 3.0, 20.0, 30.0] and found.picture.shape == PIXELS.shape
    assert found.picture[:, 30, 5].tolist() == [0x3C, 0xB4, 0x4B]  # the lower edge of the cat's box
    masks, points = dv.zeros(3, 1, 40, 50), dv.ones(3, 2, 3) * 8
    masks[0, 0, 5:9, 5:9] = 1.0
    drawn = _asked([out | {"masks": masks, "keypoints": points}], threshold=0.8)
    assert len(drawn.rows) == 1 and not dv.equal(drawn.picture, found.picture)
    assert _asked([out], threshold=0.95).rows == [] and dv.equal(_asked([out], threshold=0.95).picture, PIXELS)


def test_answers_of_a_segmenter():
    scores = dv.zeros(1, 3, 20, 25)
    scores[:, 2, :10] = 1.0
    found = _asked({"out": scores})
    assert found.task == "segmentation" and {row["class"] for row in found.rows} == {"__background__", "dog"}
    assert sum(row["pixels"] for row in found.rows) == 40 * 50
    assert dv.equal(found.picture[:, 30:], PIXELS[:, 30:]) and not dv.equal(found.picture[:, :10], PIXELS[:, :10])


def test_answers_of_a_classifier():
    found = _asked(dv.tensor([[0.0, 2.0, 1.0]]))
    assert [row["class"] for row in found.rows] == ["cat", "dog"] and found.picture is None
    assert _asked(dv.tensor([[0.0, 2.0]]), classes=None).rows[0]["class"] == "1"
    with pytest.raises(NotImplementedError, match="predict: the model gave Tensor; expected scores"):
        _asked(dv.zeros(3))
    assert answers.Answer("classification", ()).rows == []


def test_what_predict_refuses(tmp_path, scans):
    image = scans[0][0]
    (tmp_path / "b.png").write_bytes(b"no image")
    for arguments, text in [
        ((tmp_path / "none.png", "--model", "vision/digits_resnet"), "none.png: cannot be read: No such file"),
        (
            (tmp_path / "b.png", "--model", "vision/digits_resnet"),
            "b.png: these are no whole image of this kind (UnidentifiedImageError: cannot ide",
        ),
        ((image, "--model", "text/char_gpt"), "text/char_gpt is no model of images, but of language model, transformer"),
        ((image, "--model", "vision/digits_cnn"), "vision/digits_cnn comes without trained weights; give a file of your own"),
        ((image, "--model", "vision/resne"), "no plugin that is installed brings 'vision/resne'; nearest: vision/resnet"),
        ((image, "--model", "vision/digits_resnet", "--weights", "v9"), "vision/digits_resnet has no weights 'v9'; it has torch"),
        ((image, "--model", "vision/digits_resnet", "--weights", "a.pth"), "--weights a.pth: there is no such file"),
    ]:
        result = run("predict", *arguments)
        assert result.exit_code == 1 and text in result.output, result.output
        assert "Traceback" not in result.output and " at 0x" not in result.output


def test_where_pictures_go(tmp_path):
    from click import ClickException

    from dovetail_vision.commands.predict import _target, _write

    assert str(_target("x/a.jpg", None, False)) == "a.predicted.png"
    assert _target("a.jpg", tmp_path / "new", True) == tmp_path / "new" / "a.predicted.png" and (tmp_path / "new").is_dir()
    assert _target("a.jpg", tmp_path, False) == tmp_path / "a.predicted.png"
    _write(PIXELS, _target("a.jpg", tmp_path / "deep" / "b.jpg", False))
    assert Image.open(tmp_path / "deep" / "b.jpg").format == "JPEG"
    with pytest.raises(ClickException, match="there is no format for '.abc'; take .png or .jpg"):
        _write(PIXELS, tmp_path / "c.abc")


@pytest.mark.parametrize("kind, pattern, key", [("models", "*digits*", "vision/digits_cnn"), ("datasets", "*mnist", "vision/mnist")])
def test_models_and_datasets(kind, pattern, key):
    listed = run(kind, "list", pattern)
    assert listed.exit_code == 0 and key in listed.output and "license" in listed.output
    rows = json.loads(run(kind, "list", pattern, "--json").output)
    assert key in [row["key"] for row in rows]
    shown = run(kind, "info", key)
    assert shown.exit_code == 0 and "summary" in shown.output and "dovetail-vision" in shown.output
    assert json.loads(run(kind, "info", key, "--json").output)["key"] == key
    found = run(kind, "search", "handwritten" if kind == "datasets" else "digits")
    assert found.exit_code == 0 and "vision/" in found.output
    assert run(kind, "list", "nothing/*").exit_code == 1 and run(kind, "search", "zebrafish").exit_code == 1
    missing = run(kind, "info", "vision/nothing")
    assert missing.exit_code == 1 and "Traceback" not in missing.output


def test_tags_choose():
    found = json.loads(run("models", "list", "--tag", "segmentation", "--json").output)
    assert found and all("segmentation" in row["tags"] for row in found)


def test_the_preset_of_grey_images():
    out = _presets.GreyClassification(size=8, mean=0.3, std=0.38)(Image.new("RGB", (20, 10), (255, 255, 255)))
    assert out.shape == (1, 8, 8) and abs(out.max().item() - 0.7 / 0.38) < 1e-5
    np.testing.assert_allclose(_presets.GreyClassification(size=4)(PIXELS).shape, (1, 4, 4))
