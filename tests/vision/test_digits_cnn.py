"""vision/digits_cnn: shapes, size, determinism, and that it learns."""

from __future__ import annotations

import numpy as np
import pytest

import dovetail
from dovetail.errors import UnsupportedError, ValueRangeError
from dovetail.nn import functional as F
from dovetail_vision.datasets import Digits
from dovetail_vision.models import DigitsCNN, digits_cnn


@pytest.mark.parametrize("batch", [0, 1, 3])
def test_shape(batch):
    model = digits_cnn(num_classes=7, width=2).eval()
    assert tuple(model(dovetail.zeros(batch, 1, 8, 8)).shape) == (batch, 7)


def test_other_sizes_pass():
    assert tuple(digits_cnn(width=2).eval()(dovetail.zeros(1, 1, 13, 9)).shape) == (1, 10)


def test_the_seed_decides_the_weights():
    states = []
    for seed in (1, 1, 2):
        dovetail.manual_seed(seed)
        states.append({name: value.numpy() for name, value in digits_cnn(width=2).state_dict().items()})
    assert all(np.array_equal(states[0][name], states[1][name]) for name in states[0])
    assert not np.array_equal(states[0]["conv1.weight"], states[2]["conv1.weight"])


def test_state_survives_a_round_trip():
    first, second = digits_cnn(width=2).eval(), digits_cnn(width=2).eval()
    second.load_state_dict(first.state_dict())
    value = dovetail.rand(2, 1, 8, 8)
    np.testing.assert_array_equal(first(value).detach().numpy(), second(value).detach().numpy())


def test_every_parameter_gets_a_gradient():
    model = digits_cnn(width=2)
    F.cross_entropy(model(dovetail.rand(4, 1, 8, 8)), dovetail.tensor([0, 1, 2, 3])).backward()
    assert [name for name, value in model.named_parameters() if value.grad is None] == []


def test_it_learns_forty_digits_by_heart():
    dovetail.manual_seed(0)
    digits = Digits()
    images, labels = digits.data[:40].unsqueeze(1).float() / 255, digits.targets[:40]
    model = digits_cnn(width=4)
    optimizer = dovetail.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(25):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.05


def test_there_are_no_weights():
    with pytest.raises(UnsupportedError, match="digits_cnn: weights is 'DEFAULT'; no weights are published for it; train it with"):
        digits_cnn(weights="DEFAULT")


def test_size_must_be_positive():
    with pytest.raises(ValueRangeError, match="DigitsCNN: num_classes is 0 and width is 12; expected 1 or more of each"):
        DigitsCNN(num_classes=0)
