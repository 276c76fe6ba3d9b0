"""Initial weights of convolutional networks: one walk over the modules, in the order in which PyTorch draws."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dovetail import Tensor, nn

__all__ = ["fan_out", "initialise", "normal"]

Draw = Callable[[Tensor], Any]


def fan_out(weight: Tensor) -> Tensor:
    """Kaiming's normal numbers by what goes out of a convolution, before a ReLU.

    >>> from dovetail import zeros
    >>> fan_out(zeros(8, 3, 3, 3)).shape
    dovetail.Size([8, 3, 3, 3])
    """
    return nn.init.kaiming_normal_(weight, mode="fan_out", nonlinearity="relu")


def normal(std: float) -> Draw:
    """Normal numbers of this deviation.

    >>> from dovetail import zeros
    >>> normal(0.01)(zeros(2, 3)).abs().max().item() < 0.1
    True
    """
    return lambda weight: nn.init.normal_(weight, 0.0, std)


def initialise(model: nn.Module, conv: Draw, linear: Draw | None = None, own: Callable[[nn.Module], Draw | None] | None = None) -> None:
    """Draw the weights of convolutions by ``conv`` and of linear layers by ``linear``, set biases to 0 and normalizations to 1 and 0.

    ``linear=None`` leaves their weights. ``own`` may give another draw for a layer.

    >>> layer = nn.Linear(2, 2)
    >>> initialise(layer, fan_out)
    >>> layer.bias
    Parameter containing:
    tensor([0., 0.], requires_grad=True)
    """
    for m in model.modules():
        if isinstance(m, nn.Conv2d | nn.Linear):
            draw = (own and own(m)) or (conv if isinstance(m, nn.Conv2d) else linear)
            if draw is not None:
                draw(m.weight)
            if m.bias is not None:
                nn.init.zeros_(m.bias)
        elif isinstance(m, nn.BatchNorm2d | nn.GroupNorm):
            nn.init.ones_(m.weight)
            nn.init.zeros_(m.bias)
