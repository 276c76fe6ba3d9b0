"""VGG, with and without batch normalization, with torchvision's parameter names and initial weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dovetail import Tensor, flatten, nn

from ._api import Weights, WeightsEnum, build, lazy_enums, takes_weights
from ._initial import fan_out, initialise, normal

_ENUMS = {
    "VGG11_Weights": "vgg11", "VGG11_BN_Weights": "vgg11_bn", "VGG13_Weights": "vgg13", "VGG13_BN_Weights": "vgg13_bn",
    "VGG16_Weights": "vgg16", "VGG16_BN_Weights": "vgg16_bn", "VGG19_Weights": "vgg19", "VGG19_BN_Weights": "vgg19_bn",
}  # fmt: skip
__all__ = ["VGG", *_ENUMS, *_ENUMS.values()]  # noqa: PLE0604

__getattr__ = lazy_enums(__name__, _ENUMS)


def _stages(*counts: int) -> list[int | str]:
    """So many convolutions in each of the five stages, a pooling after each."""
    return [part for width, count in zip((64, 128, 256, 512, 512), counts, strict=True) for part in [width] * count + ["M"]]


#: Channels of the convolutions, "M" where the size is halved: columns A, B, D and E of the paper's table 1.
cfgs: dict[str, list[int | str]] = {
    "A": _stages(1, 1, 2, 2, 2), "B": _stages(2, 2, 2, 2, 2), "D": _stages(2, 2, 3, 3, 3), "E": _stages(2, 2, 4, 4, 4),
}  # fmt: skip


def make_layers(cfg: Sequence[int | str], batch_norm: bool = False) -> nn.Sequential:
    """3 × 3 convolutions with ReLU (and batch normalization), and poolings.

    >>> len(make_layers(cfgs["A"], batch_norm=True))
    29
    """
    layers: list[nn.Module] = []
    channels = 3
    for width in cfg:
        if width == "M":
            layers.append(nn.MaxPool2d(2, 2))
        else:
            norm = [nn.BatchNorm2d(int(width))] if batch_norm else []
            layers += [nn.Conv2d(channels, int(width), 3, padding=1), *norm, nn.ReLU(True)]
            channels = int(width)
    return nn.Sequential(*layers)


class VGG(nn.Module):
    """``features`` that give 512 channels, and three linear layers: ``(N, 3, H, W)`` to ``(N, num_classes)``.

    After Simonyan, Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition, https://arxiv.org/abs/1409.1556.

    >>> from dovetail import zeros
    >>> VGG(make_layers([8, "M", 512, "M"]), num_classes=10, init_weights=False)(zeros(2, 3, 32, 32)).shape
    dovetail.Size([2, 10])
    """

    def __init__(self, features: nn.Module, num_classes: int = 1000, init_weights: bool = True, dropout: float = 0.5) -> None:
        super().__init__()
        self.features = features
        self.avgpool = nn.AdaptiveAvgPool2d((7, 7))
        self.classifier = nn.Sequential(
            nn.Linear(512 * 7 * 7, 4096), nn.ReLU(True), nn.Dropout(dropout),
            nn.Linear(4096, 4096), nn.ReLU(True), nn.Dropout(dropout),
            nn.Linear(4096, num_classes),
        )  # fmt: skip
        if init_weights:
            initialise(self, fan_out, normal(0.01))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(flatten(self.avgpool(self.features(x)), 1))


def _vgg(cfg: str, batch_norm: bool, weights: WeightsEnum | Weights | None, progress: bool, **kwargs: Any) -> VGG:
    if weights is not None:
        kwargs["init_weights"] = False
    return build(weights, progress, lambda **rest: VGG(make_layers(cfgs[cfg], batch_norm), **rest), **kwargs)


@takes_weights("VGG11_Weights")
def vgg11(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> VGG:
    """VGG-11.

    ``weights``: a ``VGG11_Weights`` or its name; ``kwargs`` go to `VGG`.
    """
    return _vgg("A", False, weights, progress, **kwargs)


@takes_weights("VGG11_BN_Weights")
def vgg11_bn(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> VGG:
    """VGG-11 with batch normalization.

    ``weights``: a ``VGG11_BN_Weights`` or its name; ``kwargs`` go to `VGG`.
    """
    return _vgg("A", True, weights, progress, **kwargs)


@takes_weights("VGG13_Weights")
def vgg13(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> VGG:
    """VGG-13.

    ``weights``: a ``VGG13_Weights`` or its name; ``kwargs`` go to `VGG`.
    """
    return _vgg("B", False, weights, progress, **kwargs)


@takes_weights("VGG13_BN_Weights")
def vgg13_bn(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> VGG:
    """VGG-13 with batch normalization.

    ``weights``: a ``VGG13_BN_Weights`` or its name; ``kwargs`` go to `VGG`.
    """
    return _vgg("B", True, weights, progress, **kwargs)


@takes_weights("VGG16_Weights")
def vgg16(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> VGG:
    """VGG-16.

    ``weights``: a ``VGG16_Weights`` or its name; ``kwargs`` go to `VGG`.
    """
    return _vgg("D", False, weights, progress, **kwargs)


@takes_weights("VGG16_BN_Weights")
def vgg16_bn(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> VGG:
    """VGG-16 with batch normalization.

    ``weights``: a ``VGG16_BN_Weights`` or its name; ``kwargs`` go to `VGG`.
    """
    return _vgg("D", True, weights, progress, **kwargs)


@takes_weights("VGG19_Weights")
def vgg19(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> VGG:
    """VGG-19.

    ``weights``: a ``VGG19_Weights`` or its name; ``kwargs`` go to `VGG`.
    """
    return _vgg("E", False, weights, progress, **kwargs)


@takes_weights("VGG19_BN_Weights")
def vgg19_bn(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> VGG:
    """VGG-19 with batch normalization.

    ``weights``: a ``VGG19_BN_Weights`` or its name; ``kwargs`` go to `VGG`.
    """
    return _vgg("E", True, weights, progress, **kwargs)
