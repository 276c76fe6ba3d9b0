"""Layers whose shape the first input tells."""

from __future__ import annotations

import pytest

import dovetail as dv
from dovetail import nn


def test_becomes_ordinary_after_one_forward():
    layer = nn.LazyLinear(4)
    assert isinstance(layer.weight, nn.UninitializedParameter) and layer.has_uninitialized_params()
    assert layer(dv.ones(2, 3)).shape == (2, 4)
    assert type(layer) is nn.Linear and type(layer.weight) is nn.Parameter and layer.in_features == 3
    layer(dv.ones(2, 3)).sum().backward()
    assert layer.weight.grad.shape == (4, 3) and not layer._watched


def test_shape_is_refused_before():
    with pytest.raises(RuntimeError, match="Can't access the shape of an uninitialized parameter or buffer"):
        nn.LazyLinear(4).weight.shape


def test_loading_gives_the_shape():
    layer = nn.LazyLinear(4)
    layer.load_state_dict(nn.Linear(3, 4).state_dict())
    assert layer.weight.shape == (4, 3)
    assert layer(dv.ones(2, 3)).shape == (2, 4) and layer.in_features == 3


def test_converts_before_it_has_a_shape():
    norm = nn.LazyBatchNorm2d().double()
    out = norm(dv.ones(2, 3, 4, 4, dtype=dv.float64))
    assert out.dtype == norm.weight.dtype == norm.running_var.dtype == dv.float64 and norm.num_features == 3
    assert norm.running_var.tolist() == [0.9, 0.9, 0.9]


def test_convolution_checks_its_input():
    with pytest.raises(RuntimeError, match=r"Expected 3D \(unbatched\) or 4D \(batched\) input to LazyConv2d"):
        nn.LazyConv2d(4, 3)(dv.ones(2, 3))
    with pytest.raises(ValueError, match="in_channels must be divisible by groups"):
        nn.LazyConv2d(4, 3, groups=2)(dv.ones(1, 3, 5, 5))
    layer = nn.LazyConvTranspose1d(4, 3, dtype=dv.float64)
    assert layer(dv.ones(2, 5, 6, dtype=dv.float64)).shape == (2, 4, 8) and type(layer) is nn.ConvTranspose1d


def test_saving_before_it_has_a_shape():
    state = nn.LazyLinear(4).state_dict()
    assert isinstance(state["weight"], nn.UninitializedParameter)
    layer = nn.LazyLinear(4)
    layer.load_state_dict(state)
    assert layer(dv.ones(2, 3)).shape == (2, 4)
    with pytest.raises(RuntimeError, match='named "weight": it is uninitialized in the checkpoint'):
        nn.Linear(3, 4).load_state_dict(state)
