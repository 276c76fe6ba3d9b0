"""DeepLabV3: a head that looks at several distances at once, with torchvision's parameter names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dovetail import Tensor, cat, nn
from dovetail.nn import functional as F

from .._api import lazy_enums, takes_weights
from ..mobilenetv3 import mobilenet_v3_large
from ..resnet import resnet50, resnet101
from ._utils import _SimpleSegmentationModel, build, mobilenet_features, resnet_features
from .fcn import FCNHead

_ENUMS = {
    "DeepLabV3_ResNet50_Weights": "deeplabv3_resnet50",
    "DeepLabV3_ResNet101_Weights": "deeplabv3_resnet101",
    "DeepLabV3_MobileNet_V3_Large_Weights": "deeplabv3_mobilenet_v3_large",
}
__all__ = ["DeepLabV3", *_ENUMS, *_ENUMS.values()]  # noqa: PLE0604

__getattr__ = lazy_enums(__name__, _ENUMS)


class DeepLabV3(_SimpleSegmentationModel):
    """DeepLabV3: ``(N, 3, H, W)`` to a dict of ``"out"``, and ``"aux"`` where there is an ``aux_classifier``; each ``(N, classes, H, W)``.

    ``backbone`` gives a dict with the inputs of ``classifier`` as ``"out"`` and of ``aux_classifier`` as ``"aux"``.
    After Chen, Papandreou, Schroff, Adam, Rethinking Atrous Convolution, https://arxiv.org/abs/1706.05587.

    >>> from dovetail import zeros
    >>> from dovetail_vision.models import resnet18
    >>> from dovetail_vision.models._utils import IntermediateLayerGetter
    >>> model = DeepLabV3(IntermediateLayerGetter(resnet18(), {"layer4": "out"}), DeepLabHead(512, 3))
    >>> model.eval()(zeros(1, 3, 64, 48))["out"].shape
    dovetail.Size([1, 3, 64, 48])
    """


class DeepLabHead(nn.Sequential):
    """`ASPP` and two convolutions: ``(N, in_channels, H, W)`` to ``(N, num_classes, H, W)``."""

    def __init__(self, in_channels: int, num_classes: int, atrous_rates: Sequence[int] = (12, 24, 36)) -> None:
        aspp = ASPP(in_channels, atrous_rates)
        super().__init__(aspp, *_layers(256, 256, 3, padding=1), nn.Conv2d(256, num_classes, 1))


def _layers(in_channels: int, out_channels: int, kernel_size: int, **kwargs: int) -> tuple[nn.Conv2d, nn.BatchNorm2d, nn.ReLU]:
    return nn.Conv2d(in_channels, out_channels, kernel_size, bias=False, **kwargs), nn.BatchNorm2d(out_channels), nn.ReLU()


class ASPPConv(nn.Sequential):
    """A 3 × 3 convolution that looks ``dilation`` pixels far."""

    def __init__(self, in_channels: int, out_channels: int, dilation: int) -> None:
        super().__init__(*_layers(in_channels, out_channels, 3, padding=dilation, dilation=dilation))


class ASPPPooling(nn.Sequential):
    """The mean of the whole image, at every pixel."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(nn.AdaptiveAvgPool2d(1), *_layers(in_channels, out_channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(super().forward(x), size=x.shape[-2:], mode="bilinear", align_corners=False)


class ASPP(nn.Module):
    """Atrous spatial pyramid pooling: pixels alone, at each of ``atrous_rates`` and the whole image, put together by a convolution."""

    def __init__(self, in_channels: int, atrous_rates: Sequence[int], out_channels: int = 256) -> None:
        super().__init__()
        alone = nn.Sequential(*_layers(in_channels, out_channels, 1))
        around = [ASPPConv(in_channels, out_channels, rate) for rate in atrous_rates]
        self.convs = nn.ModuleList([alone, *around, ASPPPooling(in_channels, out_channels)])
        self.project = nn.Sequential(*_layers(len(self.convs) * out_channels, out_channels, 1), nn.Dropout(0.5))

    def forward(self, x: Tensor) -> Tensor:
        return self.project(cat([conv(x) for conv in self.convs], dim=1))


def _on_resnet(backbone: Callable[..., nn.Module], num_classes: int, aux: bool | None, weights: Any) -> DeepLabV3:
    features = resnet_features(backbone, weights, aux)
    second = FCNHead(1024, num_classes) if aux else None  # made first, as torchvision draws its weights
    return DeepLabV3(features, DeepLabHead(2048, num_classes), second)


def _on_mobilenet(num_classes: int, aux: bool | None, weights: Any) -> DeepLabV3:
    features, high, low = mobilenet_features(mobilenet_v3_large, weights, "out", "aux" if aux else "")
    second = FCNHead(low, num_classes) if aux else None
    return DeepLabV3(features, DeepLabHead(high, num_classes), second)


@takes_weights("DeepLabV3_ResNet50_Weights", backbone="ResNet50_Weights")
def deeplabv3_resnet50(
    *, weights: Any = None, progress: bool = True, num_classes: int | None = None, aux_loss: bool | None = None,
    weights_backbone: Any = "IMAGENET1K_V1", **kwargs: Any,
) -> DeepLabV3:  # fmt: skip
    """DeepLabV3 on a dilated ResNet-50; 21 classes (PASCAL VOC's and the background) unless ``num_classes`` says otherwise.

    ``weights``: a ``DeepLabV3_ResNet50_Weights`` or its name; without them ``weights_backbone``, a ``ResNet50_Weights`` or its name, is
    fetched unless it is None. ``aux_loss`` adds a second head, ``"aux"``, for training.
    """
    return build(weights, progress, num_classes, lambda *how: _on_resnet(resnet50, *how), weights_backbone, aux_loss)


@takes_weights("DeepLabV3_ResNet101_Weights", backbone="ResNet101_Weights")
def deeplabv3_resnet101(
    *, weights: Any = None, progress: bool = True, num_classes: int | None = None, aux_loss: bool | None = None,
    weights_backbone: Any = "IMAGENET1K_V1", **kwargs: Any,
) -> DeepLabV3:  # fmt: skip
    """DeepLabV3 on a dilated ResNet-101; the arguments are those of `deeplabv3_resnet50`."""
    return build(weights, progress, num_classes, lambda *how: _on_resnet(resnet101, *how), weights_backbone, aux_loss)


@takes_weights("DeepLabV3_MobileNet_V3_Large_Weights", backbone="MobileNet_V3_Large_Weights")
def deeplabv3_mobilenet_v3_large(
    *, weights: Any = None, progress: bool = True, num_classes: int | None = None, aux_loss: bool | None = None,
    weights_backbone: Any = "IMAGENET1K_V1", **kwargs: Any,
) -> DeepLabV3:  # fmt: skip
    """DeepLabV3 on a dilated MobileNetV3-Large; the arguments are those of `deeplabv3_resnet50`."""
    return build(weights, progress, num_classes, _on_mobilenet, weights_backbone, aux_loss)
