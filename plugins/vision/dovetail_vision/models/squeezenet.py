"""SqueezeNet 1.0 and 1.1, with torchvision's parameter names and initial weights."""

from __future__ import annotations

from typing import Any

from dovetail import Tensor, cat, flatten, nn
from dovetail.errors import ValueRangeError

from ._api import Weights, WeightsEnum, build, lazy_enums, takes_weights
from ._initial import initialise, normal

_ENUMS = {"SqueezeNet1_0_Weights": "squeezenet1_0", "SqueezeNet1_1_Weights": "squeezenet1_1"}
__all__ = ["SqueezeNet", *_ENUMS, *_ENUMS.values()]  # noqa: PLE0604

__getattr__ = lazy_enums(__name__, _ENUMS)

#: Version → the first convolution's channels and size, and the fire modules (channels squeezed to, those of each expansion), "M" a pooling.
_VERSIONS: dict[str, tuple[int, int, tuple[tuple[int, int] | str, ...]]] = {
    "1_0": (96, 7, ("M", (16, 64), (16, 64), (32, 128), "M", (32, 128), (48, 192), (48, 192), (64, 256), "M", (64, 256))),
    "1_1": (64, 3, ("M", (16, 64), (16, 64), "M", (32, 128), (32, 128), "M", (48, 192), (48, 192), (64, 256), (64, 256))),
}


class Fire(nn.Module):
    """1 × 1 to few channels, then 1 × 1 and 3 × 3 beside each other, joined."""

    def __init__(self, inplanes: int, squeeze_planes: int, expand1x1_planes: int, expand3x3_planes: int) -> None:
        super().__init__()
        self.inplanes = inplanes
        self.squeeze = nn.Conv2d(inplanes, squeeze_planes, 1)
        self.squeeze_activation = nn.ReLU(True)
        self.expand1x1 = nn.Conv2d(squeeze_planes, expand1x1_planes, 1)
        self.expand1x1_activation = nn.ReLU(True)
        self.expand3x3 = nn.Conv2d(squeeze_planes, expand3x3_planes, 3, padding=1)
        self.expand3x3_activation = nn.ReLU(True)

    def forward(self, x: Tensor) -> Tensor:
        x = self.squeeze_activation(self.squeeze(x))
        return cat([self.expand1x1_activation(self.expand1x1(x)), self.expand3x3_activation(self.expand3x3(x))], 1)


class SqueezeNet(nn.Module):
    """Fire modules, and a convolution as classifier: ``(N, 3, H, W)``, 21 or more each way (17 in 1.1), to ``(N, num_classes)``.

    After Iandola and others, AlexNet-Level Accuracy with 50x Fewer Parameters, https://arxiv.org/abs/1602.07360.

    >>> from dovetail import zeros
    >>> SqueezeNet("1_1", num_classes=10)(zeros(2, 3, 32, 32)).shape
    dovetail.Size([2, 10])
    """

    def __init__(self, version: str = "1_0", num_classes: int = 1000, dropout: float = 0.5) -> None:
        super().__init__()
        self.num_classes = num_classes
        if version not in _VERSIONS:
            raise ValueRangeError("SqueezeNet", f"version is {version!r}", 'expected "1_0" or "1_1"')
        channels, size, rows = _VERSIONS[version]
        layers: list[nn.Module] = [nn.Conv2d(3, channels, size, 2), nn.ReLU(True)]
        for row in rows:
            if isinstance(row, str):
                layers.append(nn.MaxPool2d(3, 2, ceil_mode=True))
            else:
                squeezed, expanded = row
                layers.append(Fire(channels, squeezed, expanded, expanded))
                channels = 2 * expanded
        self.features = nn.Sequential(*layers)
        last = nn.Conv2d(channels, num_classes, 1)
        self.classifier = nn.Sequential(nn.Dropout(dropout), last, nn.ReLU(True), nn.AdaptiveAvgPool2d((1, 1)))
        initialise(self, nn.init.kaiming_uniform_, own={last: normal(0.01)})

    def forward(self, x: Tensor) -> Tensor:
        return flatten(self.classifier(self.features(x)), 1)


@takes_weights("SqueezeNet1_0_Weights")
def squeezenet1_0(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> SqueezeNet:
    """SqueezeNet 1.0.

    ``weights``: a ``SqueezeNet1_0_Weights`` or its name; ``kwargs`` go to `SqueezeNet`.
    """
    return build(weights, progress, SqueezeNet, "1_0", **kwargs)


@takes_weights("SqueezeNet1_1_Weights")
def squeezenet1_1(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> SqueezeNet:
    """SqueezeNet 1.1, which needs 2.4 times less work (https://github.com/forresti/SqueezeNet).

    ``weights``: a ``SqueezeNet1_1_Weights`` or its name; ``kwargs`` go to `SqueezeNet`.
    """
    return build(weights, progress, SqueezeNet, "1_1", **kwargs)
