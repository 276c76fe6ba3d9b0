"""The weights that ship with the small models: what they find in pictures of shapes held out, and by what names they are loaded."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path

import pytest

import dovetail as dv
import dovetail_vision
from dovetail import models, weights
from dovetail.errors import TypeMismatch, UnknownNameError
from dovetail_vision.datasets import Shapes
from dovetail_vision.metrics import evaluate
from dovetail_vision.models.shapes import shapes_detector, shapes_segmenter
from tests.support.figures import note

FOLDER = Path(dovetail_vision.__file__).parent
MANIFEST = tomllib.loads((FOLDER / "dovetail.toml").read_text(encoding="utf-8"))
NAMES = ["shapes_detector", "shapes_segmenter"]


def shipped(name):
    return models.create(f"vision/{name}", weights="v1")


@pytest.mark.parametrize("name", NAMES)
def test_what_is_said_of_models_and_weights_is_so(name):
    row, model = MANIFEST["weights"][f"vision/{name}@v1"], shipped(name)
    data = (FOLDER / row["file"]).read_bytes()
    assert (hashlib.sha256(data).hexdigest(), len(data)) == (row["sha256"], row["bytes"]) and len(data) < 2_000_000
    assert list(dv.load(FOLDER / row["file"])) == list(model.state_dict())
    note_of = (FOLDER / "weights/WEIGHTS.md").read_text(encoding="utf-8")
    assert all(
        text in note_of for text in (row["sha256"], f"recipes/{name}.py", row["license"], *(str(v) for v in row["metrics"].values()))
    )


@pytest.mark.parametrize("count", [80, pytest.param(500, marks=pytest.mark.soak)])
def test_shapes_are_found(count):
    found = evaluate(shipped("shapes_detector"), Shapes(split="test", size=count))
    said = MANIFEST["weights"]["vision/shapes_detector@v1"]["metrics"]
    note("vision", f"mAP@.5 of the shapes detector on {count} pictures held out", round(found["map_50"], 4), "≥ 0.85")
    assert found["map_50"] >= 0.85
    if count == 500:
        assert (found["map_50"], found["map"]) == pytest.approx((said["map_50"], said["map"]), abs=2e-3)


@pytest.mark.parametrize("count", [80, pytest.param(500, marks=pytest.mark.soak)])
def test_pixels_are_told_apart(count):
    prepare = weights.transforms("vision/shapes_segmenter@v1")
    pictures = Shapes(split="test", target_type="semantic", size=count)
    found = evaluate(shipped("shapes_segmenter"), pictures, transform=prepare, num_classes=6)
    said = MANIFEST["weights"]["vision/shapes_segmenter@v1"]["metrics"]
    note("vision", f"mIoU of the shapes segmenter on {count} pictures held out", round(found["miou"], 4), "≥ 0.85")
    assert found["miou"] >= 0.85
    if count == 500:
        assert (found["miou"], found["pixel_accuracy"]) == pytest.approx((said["miou"], said["pixel_acc"]), abs=1e-3)


@pytest.mark.parametrize("build", [shapes_detector, shapes_segmenter])
def test_weights_by_name(build):
    assert dv.equal(build(weights="DEFAULT").state_dict()["backbone.body.conv1.weight"], build(weights="v1").backbone.body.conv1.weight)
    with pytest.raises(UnknownNameError, match=f"{build.__name__}: there are no weights 'v9'; expected DEFAULT or one of v1"):
        build(weights="v9")
    with pytest.raises(TypeMismatch, match=f"{build.__name__}: weights is 3; expected None or the name of weights"):
        build(weights=3)
