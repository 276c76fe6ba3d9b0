"""The small models for pictures of shapes: sizes, results, and that they learn."""

from __future__ import annotations

import importlib.util
import tomllib
from pathlib import Path

import pytest

import dovetail as dv
import dovetail_vision
from dovetail import models
from dovetail_vision.datasets import Shapes
from dovetail_vision.models.shapes import TinyResNet, shapes_detector, shapes_segmenter

ROWS = tomllib.loads((Path(dovetail_vision.__file__).parent / "dovetail.toml").read_text(encoding="utf-8"))["models"]


@pytest.mark.parametrize("name", ["shapes_detector", "shapes_segmenter"])
def test_what_is_said_of_the_models_is_so(name):
    assert sum(p.numel() for p in models.create(f"vision/{name}").parameters()) == ROWS[f"vision/{name}"]["params"]
    assert (Path(__file__).parents[2] / "plugins/vision/recipes" / f"{name}.py").is_file()


def test_stages_halve_the_size():
    body, sizes = TinyResNet(4), []
    for stage in (body.layer1, body.layer2, body.layer3, body.layer4):
        stage.register_forward_hook(lambda module, args, out: sizes.append(tuple(out.shape[1:])))
    body(dv.zeros(1, 3, 64, 96))
    assert sizes == [(4, 32, 48), (8, 16, 24), (16, 8, 12), (32, 4, 6)]


def test_larger_pictures_and_other_sizes():
    image = dv.rand(3, 200, 150)
    found = shapes_detector(width=4).eval()([image, dv.rand(3, 40, 60)])
    assert all(set(one) == {"boxes", "labels", "scores"} and one["boxes"].shape[1:] == (4,) for one in found)
    assert shapes_segmenter(width=4, channels=8).eval()(image[None])["out"].shape == (1, 6, 200, 150)


def test_they_learn():
    """A few steps on one batch make the losses smaller; every parameter gets a gradient."""
    dv.manual_seed(0)
    samples = list(Shapes(size=4))
    images = [dv.vision.transforms.functional.pil_to_tensor(image).float() / 255 for image, _ in samples]
    targets = [{name: target[name] for name in ("boxes", "labels")} for _, target in samples]
    classes = dv.stack([classes for _, classes in Shapes(size=4, target_type="semantic")]).long()
    detector, segmenter = shapes_detector(width=4), shapes_segmenter(width=4, channels=16)
    for model, loss_of in (
        (detector, lambda: sum(detector(images, targets).values())),
        (segmenter, lambda: dv.nn.functional.cross_entropy(segmenter(dv.stack(images))["out"], classes)),
    ):
        optimizer, losses = dv.optim.AdamW(model.parameters(), lr=3e-3), []
        for _ in range(6):
            optimizer.zero_grad()
            losses.append(loss_of())
            losses[-1].backward()
            assert [name for name, p in model.named_parameters() if p.grad is None] == []
            optimizer.step()
        assert losses[-1].item() < 0.9 * losses[0].item()


def test_a_recipe_gives_the_same_weights_twice():
    path = Path(__file__).parents[2] / "plugins/vision/recipes/shapes_segmenter.py"
    spec = importlib.util.spec_from_file_location("shapes_segmenter_recipe", path)
    recipe = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(recipe)
    states = []
    for _ in range(2):
        dv.manual_seed(0)
        model = shapes_segmenter(width=4, channels=8)
        recipe.learn(model, 0, 24, 4e-3)
        states.append(model.state_dict())
    assert all(dv.equal(value, states[1][key]) for key, value in states[0].items())
    dv.manual_seed(0)
    assert not dv.equal(shapes_segmenter(width=4, channels=8).backbone.body.conv1.weight, states[0]["backbone.body.conv1.weight"])
