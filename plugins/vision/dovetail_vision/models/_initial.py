"""Initial weights of convolutional networks: one walk over the modules, in the order in which PyTorch draws."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dovetail import Tensor, nn

__all__ = ["fan_out", "initialise", "normal", "truncated"]

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


def truncated(std: float) -> Draw:
    """Normal numbers of this deviation, none of them beyond 2.

    >>> from dovetail import zeros
    >>> truncated(5.0)(zeros(4, 9)).abs().max().item() <= 2
    True
    """
    return lambda weight: nn.init.trunc_normal_(weight, 0.0, std, -2, 2)


def initialise(
    model: nn.Module,
    conv: Draw,
    linear: Draw | None = None,
    own: Mapping[nn.Module, Draw] | None = None,
    zeroed: tuple[type[nn.Module], ...] = (nn.Conv2d, nn.Linear),
) -> None:
    """Draw the weights of convolutions by ``conv``, of linear layers by ``linear`` (None leaves them), of the layers in ``own`` as it says.

    Biases of the kinds in ``zeroed`` become 0; normalizations become 1 and 0.

    >>> layer = nn.Linear(2, 2)
    >>> initialise(layer, fan_out)
    >>> layer.bias
    Parameter containing:
    tensor([0., 0.], requires_grad=True)
    """
    for m in model.modules():
        if isinstance(m, nn.Conv2d | nn.Linear):
            draw = (own or {}).get(m, conv if isinstance(m, nn.Conv2d) else linear)
            if draw is not None:
                draw(m.weight)
            if m.bias is not None and isinstance(m, zeroed):
                nn.init.zeros_(m.bias)
        elif isinstance(m, nn.BatchNorm2d | nn.GroupNorm):
            nn.init.ones_(m.weight)
            nn.init.zeros_(m.bias)
