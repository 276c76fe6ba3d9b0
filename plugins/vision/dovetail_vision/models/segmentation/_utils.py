"""What the segmentation models share: a backbone and heads, and how a builder puts them together."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

from dovetail import Tensor, nn
from dovetail.errors import ValueRangeError
from dovetail.nn import functional as F

from .._utils import IntermediateLayerGetter

__all__ = ["build", "mobilenet_features", "resnet_features"]

M = TypeVar("M", bound=nn.Module)


class _SimpleSegmentationModel(nn.Module):
    """``backbone`` gives ``"out"`` (and ``"aux"``), of which each head makes the scores of every pixel: ``(N, classes, H, W)``."""

    def __init__(self, backbone: nn.Module, classifier: nn.Module, aux_classifier: nn.Module | None = None) -> None:
        super().__init__()
        self.backbone = backbone
        self.classifier = classifier
        self.aux_classifier = aux_classifier

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        features, size = self.backbone(x), x.shape[-2:]
        heads = {"out": self.classifier} | ({} if self.aux_classifier is None else {"aux": self.aux_classifier})
        scores = ((name, head(features[name])) for name, head in heads.items())
        return OrderedDict((name, F.interpolate(s, size=size, mode="bilinear", align_corners=False)) for name, s in scores)


def resnet_features(backbone: Callable[..., nn.Module], weights: Any, aux: bool | None) -> IntermediateLayerGetter:
    """A ResNet that keeps an eighth of the size in its last two stages; ``"out"`` has 2048 channels, ``"aux"`` 1024."""
    model = backbone(weights=weights, replace_stride_with_dilation=[False, True, True])
    return IntermediateLayerGetter(model, {"layer4": "out"} | ({"layer3": "aux"} if aux else {}))


def mobilenet_features(backbone: Callable[..., nn.Module], weights: Any, high: str, low: str) -> tuple[IntermediateLayerGetter, int, int]:
    """A dilated MobileNetV3: its last layer as ``high``, a 16th of the size, and ``low``, an 8th (unless ""); and the channels of both."""
    layers = backbone(weights=weights, dilated=True).features
    strided = [0, *(i for i, layer in enumerate(layers) if getattr(layer, "_is_cn", False)), len(layers) - 1]
    last, early = strided[-1], strided[-4]
    features = IntermediateLayerGetter(layers, {str(last): high} | ({str(early): low} if low else {}))
    return features, layers[last].out_channels, layers[early].out_channels


def build(
    weights: Any, progress: bool, num_classes: int | None, make: Callable[[int, bool | None, Any], M], weights_backbone: Any,
    aux_loss: bool | None = None,
) -> M:  # fmt: skip
    """``make(num_classes, aux_loss, weights_backbone)`` with what ``weights`` ask for, and their values; of 21 classes without them."""
    if weights is None:
        return make(21 if num_classes is None else num_classes, aux_loss, weights_backbone)
    count = len(weights.meta["categories"])
    for name, given, own in (("num_classes", num_classes, count), ("aux_loss", aux_loss, True)):
        if given is not None and given != own:
            raise ValueRangeError("weights", f"{name} is {given}", f"expected {own} for {weights!r}", "leave it out")
    model = make(count, True, None)
    model.load_state_dict(weights.get_state_dict(progress=progress, check_hash=True))
    return model
