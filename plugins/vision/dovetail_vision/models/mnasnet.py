"""MNASNet, with torchvision's parameter names and initial weights."""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any

from dovetail import Tensor, nn
from dovetail.errors import ValueRangeError

from ..ops import Conv2dNormActivation
from ._api import Weights, WeightsEnum, build, lazy_enums, takes_weights
from ._initial import fan_out, initialise
from ._utils import _make_divisible

_ENUMS = {f"MNASNet{size}_Weights": f"mnasnet{size}" for size in ("0_5", "0_75", "1_0", "1_3")}
__all__ = ["MNASNet", *_ENUMS, *_ENUMS.values()]  # noqa: PLE0604

__getattr__ = lazy_enums(__name__, _ENUMS)

_BN_MOMENTUM = 1 - 0.9997  # the paper's 0.9997 counts what is kept

#: Kernel, stride, expansion and blocks of each stack.
_STACKS = ((3, 2, 3, 3), (5, 2, 3, 3), (5, 2, 6, 3), (3, 1, 6, 2), (5, 2, 6, 4), (3, 1, 6, 1))


def _conv(
    channels: int, out: int, size: int, stride: int = 1, groups: int = 1, relu: bool = True, momentum: float = _BN_MOMENTUM
) -> nn.Sequential:
    norm, activation = partial(nn.BatchNorm2d, momentum=momentum), nn.ReLU if relu else None
    return Conv2dNormActivation(channels, out, size, stride, groups=groups, norm_layer=norm, activation_layer=activation)


class _InvertedResidual(nn.Module):
    """1 × 1 to ``expansion_factor`` times the channels, depthwise, 1 × 1; added to the input where shapes allow."""

    def __init__(self, in_ch: int, out_ch: int, kernel_size: int, stride: int, expansion_factor: int, bn_momentum: float = 0.1) -> None:
        super().__init__()
        if stride not in (1, 2) or kernel_size not in (3, 5):
            what = f"stride is {stride} and kernel_size is {kernel_size}"
            raise ValueRangeError("_InvertedResidual", what, "expected stride 1 or 2 and kernel_size 3 or 5")
        self.apply_residual = in_ch == out_ch and stride == 1
        wide = in_ch * expansion_factor
        self.layers = nn.Sequential(
            *_conv(in_ch, wide, 1, momentum=bn_momentum),
            *_conv(wide, wide, kernel_size, stride, wide, momentum=bn_momentum),
            *_conv(wide, out_ch, 1, relu=False, momentum=bn_momentum),
        )

    def forward(self, input: Tensor) -> Tensor:
        return self.layers(input) + input if self.apply_residual else self.layers(input)


def _stack(in_ch: int, out_ch: int, kernel_size: int, stride: int, exp_factor: int, repeats: int, bn_momentum: float) -> nn.Sequential:
    if repeats < 1:
        raise ValueRangeError("_stack", f"repeats is {repeats}", "expected 1 or more")
    rows = [(in_ch, out_ch, stride), *[(out_ch, out_ch, 1)] * (repeats - 1)]
    return nn.Sequential(*(_InvertedResidual(one, two, kernel_size, step, exp_factor, bn_momentum) for one, two, step in rows))


def _get_depths(alpha: float) -> list[int]:
    """The channels of the stem's two parts and of the stacks, as multiples of 8.

    >>> _get_depths(0.5)
    [16, 8, 16, 24, 40, 48, 96, 160]
    """
    return [_make_divisible(depth * alpha, 8) for depth in (32, 16, 24, 40, 80, 96, 192, 320)]


def _stem(first: int, second: int, third: int) -> list[nn.Module]:
    """The layers up to the first stack."""
    layers = [*_conv(3, first, 3, 2), *_conv(first, first, 3, groups=first), *_conv(first, second, 1, relu=False)]
    return [*layers, _stack(second, third, *_STACKS[0], _BN_MOMENTUM)]


class MNASNet(nn.Module):
    """The network B1 that was found by search, of ``alpha`` times the channels: ``(N, 3, H, W)`` to ``(N, num_classes)``.

    State dicts of version 1, whose stem had 32 and 16 channels for every ``alpha``, make the stem like that, with a warning.

    After Tan and others, Platform-Aware Neural Architecture Search for Mobile, https://arxiv.org/abs/1807.11626.

    >>> from dovetail import zeros
    >>> MNASNet(0.25, num_classes=10)(zeros(2, 3, 32, 32)).shape
    dovetail.Size([2, 10])
    """

    _version = 2

    def __init__(self, alpha: float, num_classes: int = 1000, dropout: float = 0.2) -> None:
        super().__init__()
        if alpha <= 0.0:
            raise ValueRangeError("MNASNet", f"alpha is {alpha}", "expected more than 0")
        self.alpha, self.num_classes = alpha, num_classes
        depths = _get_depths(alpha)
        stacks = [_stack(depths[i + 1], depths[i + 2], *row, _BN_MOMENTUM) for i, row in enumerate(_STACKS[1:], 1)]
        self.layers = nn.Sequential(*_stem(*depths[:3]), *stacks, *_conv(depths[7], 1280, 1))
        self.classifier = nn.Sequential(nn.Dropout(dropout, inplace=True), nn.Linear(1280, num_classes))
        initialise(self, fan_out, lambda w: nn.init.kaiming_uniform_(w, mode="fan_out", nonlinearity="sigmoid"))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.layers(x).mean([2, 3]))

    def _load_from_state_dict(self, state_dict: Any, prefix: str, local_metadata: Any, *rest: Any) -> None:
        version, stem = local_metadata.get("version"), state_dict.get(prefix + "layers.0.weight")
        if version is None:  # a file without versions: its stem says it
            version = 1 if stem is not None and stem.shape[0] != _get_depths(self.alpha)[0] and stem.shape[0] == 32 else 2
        if version not in (1, 2):
            raise ValueRangeError("MNASNet", f"the state dict is of version {version}", "expected 1 or 2")
        if version == 1 and self.alpha != 1.0:
            for i, layer in enumerate(_stem(32, 16, _get_depths(self.alpha)[2])):
                self.layers[i] = layer
            self._version = 1
            text = "MNASNet: the state dict is of version 1, and the stem is made like its own; newer weights have another stem"
            warnings.warn(text, UserWarning, stacklevel=2)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)


@takes_weights("MNASNet0_5_Weights")
def mnasnet0_5(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> MNASNet:
    """MNASNet of 0.5 times the channels.

    ``weights``: a ``MNASNet0_5_Weights`` or its name; ``kwargs`` go to `MNASNet`.
    """
    return build(weights, progress, MNASNet, 0.5, **kwargs)


@takes_weights("MNASNet0_75_Weights")
def mnasnet0_75(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> MNASNet:
    """MNASNet of 0.75 times the channels.

    ``weights``: a ``MNASNet0_75_Weights`` or its name; ``kwargs`` go to `MNASNet`.
    """
    return build(weights, progress, MNASNet, 0.75, **kwargs)


@takes_weights("MNASNet1_0_Weights")
def mnasnet1_0(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> MNASNet:
    """MNASNet.

    ``weights``: a ``MNASNet1_0_Weights`` or its name; ``kwargs`` go to `MNASNet`.
    """
    return build(weights, progress, MNASNet, 1.0, **kwargs)


@takes_weights("MNASNet1_3_Weights")
def mnasnet1_3(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> MNASNet:
    """MNASNet of 1.3 times the channels.

    ``weights``: a ``MNASNet1_3_Weights`` or its name; ``kwargs`` go to `MNASNet`.
    """
    return build(weights, progress, MNASNet, 1.3, **kwargs)
