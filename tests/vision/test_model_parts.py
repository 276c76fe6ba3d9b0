"""What families of models share: results on the way, and channel counts."""

from __future__ import annotations

import pytest

import dovetail as dv
from dovetail_vision.models import resnet18
from dovetail_vision.models._utils import IntermediateLayerGetter, _make_divisible


def test_layers_after_the_last_are_left_out():
    model = resnet18().eval()
    features = IntermediateLayerGetter(model, {"layer1": "low", "layer2": "high"})
    assert list(features) == ["conv1", "bn1", "relu", "maxpool", "layer1", "layer2"]
    assert list(features.state_dict()) == [key for key in model.state_dict() if not key.startswith(("layer3", "layer4", "fc"))]
    x = dv.rand(2, 3, 40, 32)
    out = features(x)
    low = model.layer1(model.maxpool(model.relu(model.bn1(model.conv1(x)))))
    assert list(out) == ["low", "high"]
    assert dv.equal(out["low"], low) and dv.equal(out["high"], model.layer2(low))
    assert features.return_layers == {"layer1": "low", "layer2": "high"}


def test_a_name_that_is_not_there():
    with pytest.raises(ValueError, match="return_layers are not present in model: layer9; expected some of conv1, bn1"):
        IntermediateLayerGetter(resnet18(), {"layer1": "low", "layer9": "high"})


@pytest.mark.parametrize(
    "v, divisor, least, want", [(32 * 0.35, 8, None, 16), (17, 8, None, 16), (3, 8, None, 8), (3, 8, 4, 4), (88, 8, 16, 88)]
)
def test_channels_divide(v, divisor, least, want):
    assert _make_divisible(v, divisor, least) == want
