"""FLOPs by operator are PyTorch's, forward and backward, on networks of all kinds; by module too."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch

import dovetail as dv
from tests.parity.torchvision_oracle import torchvision

pytest.importorskip("dovetail_train")


def mlp(T: Any) -> Any:
    nn = T.nn
    net = nn.Sequential(nn.Linear(20, 16), nn.ReLU(), nn.Linear(16, 8, bias=False), nn.Tanh(), nn.Linear(8, 4))
    return net, net(T.ones(5, 20))


def convolutions(T: Any) -> Any:
    nn = T.nn
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3, groups=8, stride=2),
        nn.Conv2d(8, 12, 1, dilation=1, bias=False), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 4),
    )  # fmt: skip
    return net, net(T.ones(2, 3, 16, 16, requires_grad=True))


def autoencoder(T: Any) -> Any:
    nn = T.nn
    net = nn.Sequential(
        nn.Conv1d(2, 6, 5, stride=2), nn.GELU(), nn.ConvTranspose1d(6, 6, 5, stride=2, groups=3), nn.ConvTranspose1d(6, 2, 1)
    )
    return net, net(T.ones(3, 2, 33))


def volumes(T: Any) -> Any:
    net = T.nn.Sequential(T.nn.Conv3d(1, 4, 3), T.nn.ReLU(), T.nn.ConvTranspose3d(4, 1, 3))
    return net, net(T.ones(2, 1, 6, 6, 6))


def encoder(T: Any) -> Any:
    net = T.nn.TransformerEncoder(T.nn.TransformerEncoderLayer(16, 4, 32, batch_first=True), 2)
    return net, net(T.ones(2, 7, 16))


def attention(T: Any) -> Any:
    net = T.nn.MultiheadAttention(16, 4)
    x = T.ones(7, 2, 16, requires_grad=True)
    return net, net(x, x, x)[0]


def two_streams(T: Any) -> Any:
    net = T.nn.MultiheadAttention(16, 4, kdim=12, vdim=12, bias=False, batch_first=True)
    return net, net(T.ones(2, 3, 16), T.ones(2, 9, 12), T.ones(2, 9, 12))[0]


def gru(T: Any) -> Any:
    net = T.nn.GRU(6, 8, 2, bidirectional=True, batch_first=True)
    return net, net(T.ones(3, 9, 6))[0]


def lstm(T: Any) -> Any:
    net = T.nn.LSTM(6, 8, 2).double()
    return net, net(T.ones(9, 3, 6, dtype=T.float64, requires_grad=True))[0]


def elman(T: Any) -> Any:
    net = T.nn.RNN(6, 8, bias=False)
    return net, net(T.ones(9, 3, 6), T.ones(1, 3, 8, requires_grad=True))[1]


def packed(T: Any) -> Any:
    net = T.nn.GRU(6, 8)
    return net, net(T.nn.utils.rnn.pack_sequence([T.ones(5, 6), T.ones(3, 6), T.ones(2, 6)]))[0].data


def sums(T: Any) -> Any:
    net = T.nn.Linear(6, 6)
    x = net(T.ones(2, 5, 6))
    y = T.einsum("bij,bkj->bik", x, x) @ x
    return net, y @ net.weight + T.baddbmm(x, T.einsum("bij,bkj->bik", x, x), x) + T.tensordot(x, net.weight, dims=([2], [0]))


def vectors(T: Any) -> Any:
    net = T.nn.Linear(6, 4)
    x = T.ones(6, requires_grad=True)
    return net, net(x) + net.weight @ x + (x @ net.weight.t()) + T.mv(net.weight, x) + T.addmm(net.weight, net.weight, T.ones(6, 6))[:, 0]


def attentions(T: Any) -> Any:
    net, f = T.nn.Linear(8, 8), T.nn.functional.scaled_dot_product_attention
    q = net(T.ones(2, 4, 5, 8))
    k = q[:, :, :3]
    bias = T.ones(5, 3, requires_grad=True)
    dropped = f(q, k, k, dropout_p=0.1)
    return net, dropped + f(q, k, k, attn_mask=bias) + f(q[0], k[0], k[0]) + f(q, k, k, attn_mask=T.ones(5, 3, dtype=T.bool))


def frozen(T: Any) -> Any:
    net = T.nn.Sequential(T.nn.Linear(6, 6).requires_grad_(False), T.nn.Conv1d(5, 2, 3).requires_grad_(False), T.nn.Linear(4, 3))
    return net, net(T.ones(2, 5, 6, requires_grad=True))


NETWORKS = (
    mlp, convolutions, autoencoder, volumes, encoder, attention, two_streams, gru, lstm, elman, packed, sums, vectors, attentions, frozen
)  # fmt: skip


def counted(T: Any, build: Callable[[Any], Any]) -> tuple[dict[str, dict[str, int]], int, str]:
    counter = importlib.import_module(f"{T.__name__}.utils.flop_counter").FlopCounterMode(display=False)
    with warnings.catch_warnings(), counter:
        warnings.simplefilter("ignore")
        _, out = build(T)
        out.sum().backward()
    by_module = {module: {str(op): n for op, n in counts.items()} for module, counts in counter.get_flop_counts().items()}
    return by_module, counter.get_total_flops(), counter.get_table()


@pytest.mark.parametrize("build", NETWORKS, ids=lambda f: f.__name__)
def test_counts(build: Callable[[Any], Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (mine, total, table), (theirs, right, shown) = counted(dv, build), counted(torch, build)
    assert mine == theirs and total == right > 0
    rows = [[line.split() for line in text.splitlines() if "---" not in line] for text in (table, shown)]
    assert rows[0] == rows[1]


@pytest.mark.parametrize("name", ["resnet18", "resnext50_32x4d"])
def test_torchvision_s_networks(name: str) -> None:
    models = torchvision().models
    pytest.importorskip("dovetail_vision")
    nets = {dv: dv.models.create(name), torch: getattr(models, name)()}

    def build(T: Any) -> Any:
        return nets[T], nets[T](T.ones(1, 3, 64, 64))

    (mine, total, _), (theirs, right, _) = counted(dv, build), counted(torch, build)
    assert total == right and mine["Global"] == theirs["Global"]


def test_what_has_no_formula_there_has_none_here() -> None:
    """Fused attention and a float32 LSTM: nothing in PyTorch on a CPU; here a warning says so."""
    x = dv.ones(2, 4, 5, 8)
    theirs = torch.utils.flop_counter.FlopCounterMode(display=False)
    with theirs:
        torch.nn.functional.scaled_dot_product_attention(*[torch.ones(2, 4, 5, 8)] * 3)
        torch.nn.LSTM(4, 4)(torch.ones(3, 2, 4))[0].sum().backward()
    words = r"no formula for aten._scaled\w+, aten.mkldnn_rnn_layer, aten.mkldnn_rnn_layer_backward, which ran"
    with pytest.warns(UserWarning, match=words), dv.utils.flop_counter.FlopCounterMode(display=False) as counter:
        dv.nn.functional.scaled_dot_product_attention(x, x, x)
        dv.nn.LSTM(4, 4)(dv.ones(3, 2, 4))[0].sum().backward()
    assert counter.get_total_flops() == theirs.get_total_flops() == 0
