"""One seed gives PyTorch's dropout masks, strides and losses, in whatever order the input lies in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import dovetail as dv

LAYOUTS: dict[str, Callable[[Any], Any]] = {
    "contiguous": lambda T: T.arange(24.0).reshape(2, 3, 4) + 1,
    "transposed": lambda T: (T.arange(24.0).reshape(2, 3, 4) + 1).transpose(1, 2),
    "permuted": lambda T: (T.arange(24.0).reshape(2, 3, 4) + 1).permute(2, 0, 1),
    "channels_last": lambda T: (T.arange(48.0).reshape(2, 3, 2, 4) + 1).contiguous(memory_format=T.channels_last),
    "channels_last_3d": lambda T: (T.arange(96.0).reshape(2, 3, 2, 4, 2) + 1).permute(0, 4, 1, 2, 3),
    "expanded": lambda T: T.ones(3).expand(2, 3),
    "transposed and expanded": lambda T: T.ones(3, 2).t().expand(4, 2, 3),
    "expanded at the end": lambda T: T.ones(3, 4, 1).transpose(0, 1).expand(4, 3, 2),
    "sliced": lambda T: (T.arange(24.0).reshape(4, 6) + 1)[:, ::2],
    "sliced and transposed": lambda T: (T.arange(24.0).reshape(4, 6) + 1)[:, ::2].t(),
    "half": lambda T: (T.arange(24.0).reshape(2, 3, 4) + 1).transpose(1, 2).bfloat16(),
}
FUNCTIONS: dict[str, Callable[[Any, Any], Any]] = {
    "dropout": lambda F, x: F.dropout(x, 0.3),
    "dropout in place": lambda F, x: F.dropout(x + 0, 0.3, inplace=True),
    "alpha_dropout": lambda F, x: F.alpha_dropout(x, 0.3, True),
    "feature_alpha_dropout": lambda F, x: F.feature_alpha_dropout(x, 0.3, True),
    "dropout of channels": lambda F, x: (F.dropout1d if x.ndim <= 3 else F.dropout2d if x.ndim == 4 else F.dropout3d)(x, 0.5),
    "rrelu": lambda F, x: F.rrelu(-x, training=True),
    "rrelu_": lambda F, x: F.rrelu_(-x, training=True),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_masks_and_strides(function: str, layout: str) -> None:
    found = []
    for T in (torch, dv):
        x = LAYOUTS[layout](T).detach().requires_grad_()
        T.manual_seed(0)
        y = FUNCTIONS[function](T.nn.functional, x)
        weight = T.arange(float(y.numel())).reshape(y.shape).to(y.dtype)
        (g,) = T.autograd.grad((y * weight).sum(), [x])
        found.append((y.stride(), y.detach().float().numpy(), g.float().numpy(), T.rand(1).item()))
    (strides, *theirs), (own, *ours) = found
    assert own == strides
    for a, b in zip(theirs, ours, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-2 if layout == "half" else 1e-5, atol=1e-6)


def test_masks_of_overlapping_memory() -> None:
    found = []
    for T in (torch, dv):
        T.manual_seed(0)
        found.append(T.nn.functional.dropout(T.as_strided(T.arange(24.0) + 1, (3, 2, 3), (0, 2, 2)), 0.3).numpy())
    np.testing.assert_allclose(found[1], found[0], rtol=1e-6)


class Recurrent:
    """Makes a dropout after an LSTM, whose result lies time first."""

    def __new__(cls, nn: Any) -> Any:
        def forward(self: Any, x: Any) -> Any:
            return self.drop(self.lstm(x)[0])

        def init(self: Any) -> None:
            nn.Module.__init__(self)
            self.lstm, self.drop = nn.LSTM(8, 4, 2, batch_first=True, dropout=0.3), nn.Dropout(0.5)

        return type("Net", (nn.Module,), {"__init__": init, "forward": forward})()


MODULES: dict[str, tuple[Callable[[Any], Any], int]] = {
    "encoder": (lambda nn: nn.TransformerEncoderLayer(8, 2, 16, 0.5, batch_first=True), 1),
    "decoder": (lambda nn: nn.TransformerDecoderLayer(8, 2, 16, 0.5, batch_first=True), 2),
    "transformer": (lambda nn: nn.Transformer(8, 2, 1, 1, 16, 0.5, batch_first=True), 2),
    "recurrent": (Recurrent, 1),
}


@pytest.mark.parametrize("name", MODULES)
def test_stock_modules_train_alike(name: str) -> None:
    build, inputs = MODULES[name]
    losses = []
    for T in (torch, dv):
        T.manual_seed(0)
        net = build(T.nn)
        sgd = T.optim.SGD(net.parameters(), lr=0.1)
        given = [T.randn(2, 5 - k, 8) for k in range(inputs)]
        for _ in range(3):
            loss = (net(*given) ** 2).mean() + net(*given).sum() * 0.01
            sgd.zero_grad()
            loss.backward()
            sgd.step()
            losses.append(loss.item())
    np.testing.assert_allclose(losses[3:], losses[:3], rtol=1e-4)


@pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM"])
def test_masks_between_the_layers_of_a_packed_batch(name: str) -> None:
    """They are drawn for the packed rows; what lies after the ends of sequences takes no numbers."""
    found = []
    for T in (torch, dv):
        T.manual_seed(0)
        net = getattr(T.nn, name)(3, 4, 3, dropout=0.4, bidirectional=True)
        packed = T.nn.utils.rnn.pack_padded_sequence(T.randn(6, 4, 3), T.tensor([2, 6, 1, 5]), enforce_sorted=False)
        out, states = net(packed)
        assert [key for keys in net._all_weights for key in keys] == [key for key, _ in net.named_parameters()]
        (out.data**2).sum().backward()
        found.append([out.data, states[0], net.weight_ih_l0.grad, T.rand(2)])
    for want, got in zip(*found, strict=True):
        np.testing.assert_allclose(got.detach().numpy(), want.detach().numpy(), rtol=1e-4, atol=1e-6)
