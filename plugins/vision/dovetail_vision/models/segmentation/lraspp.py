"""LR-ASPP: a light head for MobileNetV3, with torchvision's parameter names."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from dovetail import Tensor, nn
from dovetail.errors import UnsupportedError
from dovetail.nn import functional as F

from .._api import lazy_enums, takes_weights
from ..mobilenetv3 import mobilenet_v3_large
from ._utils import build, mobilenet_features

_ENUMS = {"LRASPP_MobileNet_V3_Large_Weights": "lraspp_mobilenet_v3_large"}
__all__ = ["LRASPP", *_ENUMS, *_ENUMS.values()]  # noqa: PLE0604

__getattr__ = lazy_enums(__name__, _ENUMS)


class LRASPP(nn.Module):
    """Lite R-ASPP: ``(N, 3, H, W)`` to a dict of ``"out"``, ``(N, num_classes, H, W)``.

    ``backbone`` gives a dict of ``"low"``, fine features of ``low_channels``, and ``"high"``, coarse ones of ``high_channels``.
    After Howard et al., Searching for MobileNetV3, https://arxiv.org/abs/1905.02244.

    >>> from dovetail import zeros
    >>> from dovetail_vision.models import resnet18
    >>> from dovetail_vision.models._utils import IntermediateLayerGetter
    >>> features = IntermediateLayerGetter(resnet18(), {"layer2": "low", "layer4": "high"})
    >>> LRASPP(features, 128, 512, num_classes=3)(zeros(2, 3, 64, 48))["out"].shape
    dovetail.Size([2, 3, 64, 48])
    """

    def __init__(self, backbone: nn.Module, low_channels: int, high_channels: int, num_classes: int, inter_channels: int = 128) -> None:
        super().__init__()
        self.backbone = backbone
        self.classifier = LRASPPHead(low_channels, high_channels, num_classes, inter_channels)

    def forward(self, input: Tensor) -> dict[str, Tensor]:
        out = self.classifier(self.backbone(input))
        return OrderedDict(out=F.interpolate(out, size=input.shape[-2:], mode="bilinear", align_corners=False))


class LRASPPHead(nn.Module):
    """Coarse features, weighted by what the whole image says, and fine ones: each gives scores of the classes, and they are added."""

    def __init__(self, low_channels: int, high_channels: int, num_classes: int, inter_channels: int) -> None:
        super().__init__()
        conv = nn.Conv2d(high_channels, inter_channels, 1, bias=False)
        self.cbr = nn.Sequential(conv, nn.BatchNorm2d(inter_channels), nn.ReLU(inplace=True))
        self.scale = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(high_channels, inter_channels, 1, bias=False), nn.Sigmoid())
        self.low_classifier = nn.Conv2d(low_channels, num_classes, 1)
        self.high_classifier = nn.Conv2d(inter_channels, num_classes, 1)

    def forward(self, input: dict[str, Tensor]) -> Tensor:
        low, high = input["low"], input["high"]
        x = self.cbr(high) * self.scale(high)
        x = F.interpolate(x, size=low.shape[-2:], mode="bilinear", align_corners=False)
        return self.low_classifier(low) + self.high_classifier(x)


def _lraspp(num_classes: int, aux: bool | None, weights: Any) -> LRASPP:
    features, high, low = mobilenet_features(mobilenet_v3_large, weights, "high", "low")
    return LRASPP(features, low, high, num_classes)


@takes_weights("LRASPP_MobileNet_V3_Large_Weights", backbone="MobileNet_V3_Large_Weights")
def lraspp_mobilenet_v3_large(
    *, weights: Any = None, progress: bool = True, num_classes: int | None = None, weights_backbone: Any = "IMAGENET1K_V1", **kwargs: Any
) -> LRASPP:
    """LR-ASPP on a dilated MobileNetV3-Large; 21 classes (PASCAL VOC's and the background) unless ``num_classes`` says otherwise.

    ``weights``: a ``LRASPP_MobileNet_V3_Large_Weights`` or its name; without them ``weights_backbone``, a ``MobileNet_V3_Large_Weights``
    or its name, is fetched unless it is None. An UnsupportedError (a NotImplementedError) for ``aux_loss``, which it does not have.
    """
    if kwargs.pop("aux_loss", False):
        raise UnsupportedError("lraspp_mobilenet_v3_large", "aux_loss is true", "This model does not use auxiliary loss")
    return build(weights, progress, num_classes, _lraspp, weights_backbone)
