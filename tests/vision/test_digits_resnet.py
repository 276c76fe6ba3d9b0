"""vision/digits_resnet: shapes, names, and the weights that PyTorch saved."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import pytest

import dovetail as dv
import dovetail_vision
from dovetail import models
from dovetail.errors import UnsupportedError, ValueRangeError
from dovetail_vision.datasets import Digits
from dovetail_vision.models import digits_resnet

FILE = Path(dovetail_vision.__file__).parent / "weights" / "digits_resnet_torch.pth"


@pytest.mark.parametrize("batch", [0, 1, 3])
def test_shape(batch):
    assert tuple(digits_resnet(num_classes=7, width=2).eval()(dv.zeros(batch, 1, 8, 8)).shape) == (batch, 7)


def test_names_and_shapes_are_those_of_the_file():
    state, model = dv.load(FILE), digits_resnet()
    assert type(state) is OrderedDict and list(state) == list(model.state_dict())
    assert [(t.shape, t.dtype) for t in state.values()] == [(t.shape, t.dtype) for t in model.state_dict().values()]
    assert {"layer1.0.conv1.weight", "layer2.0.downsample.1.running_var", "fc.bias"} <= set(state) and state._metadata["bn1"] == {
        "version": 2
    }


def test_the_weights_read_the_digits():
    model, digits = models.create("vision/digits_resnet", weights="torch").eval(), Digits(train=False)
    images = ((digits.data.float() / 255 - 0.3) / 0.38).unsqueeze(1)
    with dv.no_grad():
        assert int((model(images).argmax(1) == digits.targets).sum()) == 445
    assert models.create("vision/digits_resnet", weights=FILE).state_dict()["fc.bias"].tolist() == model.fc.bias.tolist()


def test_errors():
    with pytest.raises(ValueRangeError, match="DigitsResNet: num_classes is 0 and width is 16; expected 1 or more of each"):
        digits_resnet(num_classes=0)
    with pytest.raises(UnsupportedError, match="digits_resnet: weights is 'v1'; expected 'torch'; pass a state dict to models.create"):
        digits_resnet(weights="v1")
