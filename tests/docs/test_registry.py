"""The registry pages show every dataset, model and transform of the plugins, with what its manifest says and the pictures there are."""

from __future__ import annotations

import re

import numpy as np
import pytest

pytest.importorskip("sphinx")
pytest.importorskip("PIL")

from docs._ext import pictures, registry
from dovetail.plugins.registry import Registry

CARD = re.compile(r"^::::\{grid-item-card\} `(.+?)`\n(.*?)^::::$", re.M | re.S)


@pytest.fixture(scope="module", params=["datasets", "models", "transforms"])
def page(request):
    return request.param, dict(CARD.findall(registry.cards(request.param)))


def test_everything_has_a_card(page) -> None:
    kind, found = page
    entries = Registry(kind)
    assert sorted(found) == entries.list() and len(found) >= 100
    for key, text in found.items():
        assert registry._escaped(entries.get(key).summary) in text and ":::{div} facts" in text


def test_what_a_card_says() -> None:
    digits, resnet = (dict(CARD.findall(registry.cards(kind)))[f"vision/{name}"] for kind, name in _SHOWN)
    assert "train 1,346 · test 451 · 10 classes · 58 kB · CC-BY-4.0 · [home page](https://doi.org/10.24432/C50P49)" in digits
    assert ":img-top: /_build/registry/datasets-digits.png" in digits
    assert "77,754 parameters" in resnet and "(accuracy 0.9867, 0.3 MB)" in resnet
    assert sum(p.numel() for p in Registry("models").load("vision/digits_resnet")().parameters()) == 77754


_SHOWN = (("datasets", "digits"), ("models", "digits_resnet"))


def test_pictures_show_what_a_transform_does() -> None:
    transforms = Registry("transforms")
    flipped = np.asarray(pictures.shown(transforms.get("vision/random_horizontal_flip")).convert("RGB"))
    whole = np.asarray(pictures._framed([pictures.scene()]))
    assert np.array_equal(flipped[:, ::-1], whole)
    assert pictures.shown(transforms.get("vision/identity")) is None and pictures.shown(transforms.get("vision/mixup")) is None
    drawn = [made for key in transforms.list("vision/*") if (made := pictures.shown(transforms.get(key)))]
    assert len(drawn) >= 65 and all(len(made.getcolors(1 << 20)) > 5 for made in drawn)
    unknown = set(pictures.ARGUMENTS) - {pictures._name(transforms.get(key)) for key in transforms.list("vision/*")}
    assert not unknown
