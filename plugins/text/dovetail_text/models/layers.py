"""Layers whose weights are left to the model that they are part of, so that nothing is drawn twice, or drawn to be overwritten."""

from __future__ import annotations

from collections.abc import Callable

import dovetail as dv
from dovetail import Tensor, nn
from dovetail.nn import functional as F

__all__ = ["Conv1D", "Embedding", "Linear", "draw", "gated"]


class Linear(nn.Linear):
    """``nn.Linear`` without initial weights of its own."""

    def reset_parameters(self) -> None:
        """Leave the parameters as they are."""


class Embedding(nn.Embedding):
    """``nn.Embedding`` without initial weights of its own."""

    def reset_parameters(self) -> None:
        """Leave the parameters as they are."""


class Conv1D(nn.Module):
    """A linear layer whose weight is ``(in, out)``, as in GPT-2's files: ``x weight + bias``; without initial weights of its own.

    >>> layer = draw(Conv1D(3, 2), std=0.02)
    >>> layer(dv.ones(4, 2)).shape
    dovetail.Size([4, 3])
    """

    def __init__(self, nf: int, nx: int, bias: bool = True) -> None:
        super().__init__()
        self.nf, self.nx = nf, nx
        self.weight = nn.Parameter(dv.empty(nx, nf))
        self.bias = nn.Parameter(dv.empty(nf)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight.t(), self.bias)

    def extra_repr(self) -> str:
        return f"nf={self.nf}, nx={self.nx}"


def gated(x: Tensor, gate: nn.Module, up: nn.Module, act: Callable[[Tensor], Tensor]) -> Tensor:
    """``act(gate(x)) · up(x)``: the gated half of a feed-forward layer (Shazeer, 2020, https://arxiv.org/abs/2002.05202).

    >>> gated(dv.tensor([2.0, -3.0]), nn.Identity(), nn.Identity(), F.relu)
    tensor([4., -0.])
    """
    return act(gate(x)) * up(x)


def draw(layer: nn.Module, std: float) -> nn.Module:
    """Give a layer of this file normal weights of deviation ``std``, a zero bias and a zero row for padding; return it.

    >>> draw(Embedding(2, 3, padding_idx=0), std=0.02).weight[0].detach()
    tensor([0., 0., 0.])
    """
    nn.init.normal_(layer.weight, std=std)
    if getattr(layer, "bias", None) is not None:
        nn.init.zeros_(layer.bias)
    if getattr(layer, "padding_idx", None) is not None:
        with dv.no_grad():
            layer.weight[layer.padding_idx].zero_()
    return layer
