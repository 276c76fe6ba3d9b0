"""The segmentation models: shapes of their results, gradients, weights by name, and what is refused."""

from __future__ import annotations

import subprocess
import sys

import pytest

import dovetail as dv
from dovetail import nn, weights
from dovetail.errors import UnsupportedError, ValueRangeError
from dovetail_vision import models
from dovetail_vision.models import resnet, segmentation
from dovetail_vision.models._utils import IntermediateLayerGetter
from dovetail_vision.models.segmentation import fcn

ROWS = [key for name in models.list_models(module=segmentation) for key in weights.list(f"vision/{name}@*")]


def short(weights=None, **config):
    """A narrow ResNet of one block a stage, which gives as many channels as the deep ones."""
    return resnet.ResNet(resnet.Bottleneck, [1, 1, 1, 1], width_per_group=8, **config)


@pytest.mark.parametrize("name", ["fcn_resnet50", "deeplabv3_resnet50", "deeplabv3_mobilenet_v3_large", "lraspp_mobilenet_v3_large"])
def test_forward_and_backward(name, monkeypatch):
    monkeypatch.setattr(fcn, "resnet50", short)
    monkeypatch.setattr(segmentation.deeplabv3, "resnet50", short)
    aux = {} if name.startswith("lraspp") else {"aux_loss": True}
    model = getattr(segmentation, name)(weights_backbone=None, num_classes=3, **aux)
    out = model(dv.rand(2, 3, 24, 33))
    assert list(out) == ["out", *(["aux"] if aux else [])] and all(tuple(t.shape) == (2, 3, 24, 33) for t in out.values())
    target = dv.randint(0, 3, (2, 24, 33))
    sum(nn.functional.cross_entropy(t, target) for t in out.values()).backward()
    assert [key for key, p in model.named_parameters() if p.grad is None] == []


def test_one_head_of_21_classes_unless_asked(monkeypatch):
    monkeypatch.setattr(fcn, "resnet50", short)
    model = segmentation.fcn_resnet50(weights_backbone=None).eval()
    assert model.aux_classifier is None and tuple(model(dv.zeros(1, 3, 16, 16))["out"].shape) == (1, 21, 16, 16)


def test_weights_are_loaded_by_name_with_both_heads(monkeypatch, tmp_path):
    monkeypatch.setattr(fcn, "resnet50", short)
    monkeypatch.setenv("DOVETAIL_HOME", str(tmp_path / "home"))
    want = segmentation.fcn_resnet50(weights_backbone=None, aux_loss=True)
    member = segmentation.FCN_ResNet50_Weights.DEFAULT
    monkeypatch.setattr(models.WeightsEnum, "get_state_dict", lambda self, **how: want.state_dict() if self is member else {})
    got = segmentation.fcn_resnet50(weights="COCO_WITH_VOC_LABELS_V1", weights_backbone="IMAGENET1K_V2")
    assert all(dv.equal(value, want.state_dict()[key]) for key, value in got.state_dict().items())
    assert member.meta["categories"][:2] == ["__background__", "aeroplane"] and member.transforms().resize_size == [520]


def test_refusals_say_what_to_do():
    with pytest.raises(ValueRangeError, match=r"weights: num_classes is 3; expected 21 for FCN_ResNet50_Weights.COCO_.*; leave it out"):
        segmentation.fcn_resnet50(weights="DEFAULT", num_classes=3)
    with pytest.raises(ValueRangeError, match=r"weights: aux_loss is False; expected True"):
        segmentation.deeplabv3_resnet101(weights="DEFAULT", aux_loss=False)
    with pytest.raises(UnsupportedError, match="lraspp_mobilenet_v3_large: aux_loss is true; This model does not use auxiliary loss"):
        segmentation.lraspp_mobilenet_v3_large(aux_loss=True)
    with pytest.raises(KeyError, match="ResNet50_Weights: there is no 'V9'; expected one of IMAGENET1K_V1"):
        segmentation.fcn_resnet50(weights_backbone="V9")
    with pytest.raises(TypeError, match="fcn_resnet50: it got 6 positional arguments; expected weights, progress, num_classes, aux_loss"):
        segmentation.fcn_resnet50(None, True, 3, None, None, 7)
    with pytest.raises(AttributeError, match="has no attribute 'fcn_resnet18'"):
        segmentation.fcn_resnet18


def test_the_old_words_for_weights_still_work(monkeypatch):
    seen = []
    monkeypatch.setattr(fcn, "resnet50", lambda weights=None, **config: seen.append(weights) or short(**config))
    with pytest.warns(
        UserWarning, match="fcn_resnet50: pretrained_backbone=True is deprecated .* it means weights_backbone|weights=ResNet50"
    ):
        segmentation.fcn_resnet50(pretrained_backbone=True)
    with pytest.warns(UserWarning, match="fcn_resnet50: weights_backbone=False is deprecated"):
        segmentation.fcn_resnet50(weights_backbone=False)
    with pytest.warns(UserWarning, match="fcn_resnet50: weights and progress by position is deprecated"):
        segmentation.fcn_resnet50(None, True)
    assert seen == [models.ResNet50_Weights.IMAGENET1K_V1, None, "IMAGENET1K_V1"]


@pytest.mark.parametrize("key", ROWS)
def test_rows_are_complete(key):
    """S14: foreign files have what their publisher gives, a licence, and are checked against it."""
    row = weights.get(key)
    assert row.url.startswith("https://download.pytorch.org/models/") and row.url.endswith(f"-{row.sha256_prefix}.pth")
    assert row.license == "BSD-3-Clause" and len(row.sha256_prefix) == 8 and row.meta["file_size"] and row.meta["num_params"]
    assert type(weights.transforms(row)).__name__ == "SemanticSegmentation"


def test_there_are_as_many_rows_as_members():
    enums = [getattr(segmentation, name) for name in segmentation.__all__ if name.endswith("_Weights")]
    assert len(ROWS) == len(enums) == 6 and {value.value.key for enum in enums for value in enum} == set(ROWS)


def test_ones_own_backbone():
    features = IntermediateLayerGetter(resnet.resnet18(), {"layer1": "aux", "layer2": "out"})
    model = segmentation.FCN(features, fcn.FCNHead(128, 2), fcn.FCNHead(64, 2))
    assert [tuple(t.shape) for t in model(dv.zeros(2, 3, 20, 30)).values()] == [(2, 2, 20, 30)] * 2


def test_typical_imports():
    program = (
        "import sys, dovetail_vision.models as models\n"
        "assert 'dovetail_vision.models.segmentation' not in sys.modules\n"
        "assert models.segmentation.fcn.FCNHead and 'dovetail_vision.models.segmentation.lraspp' not in sys.modules\n"
        "from dovetail_vision.models.segmentation import deeplabv3_resnet50, DeepLabV3_ResNet50_Weights\n"
        "from dovetail_vision.models.segmentation.deeplabv3 import ASPP, DeepLabHead\n"
        "names = {}\n"
        "exec('from dovetail_vision.models.segmentation import *', names)\n"
        "assert names['lraspp_mobilenet_v3_large'] and 'fcn_resnet50' in dir(models.segmentation)\n"
        "assert models.get_weight('FCN_ResNet50_Weights.DEFAULT') is models.segmentation.FCN_ResNet50_Weights.DEFAULT\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
