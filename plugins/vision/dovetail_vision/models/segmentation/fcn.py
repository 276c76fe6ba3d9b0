"""FCN: the classes of every pixel from one or two heads of convolutions, with torchvision's parameter names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dovetail import nn

from .._api import lazy_enums, takes_weights
from ..resnet import resnet50, resnet101
from ._utils import _SimpleSegmentationModel, build, resnet_features

_ENUMS = {"FCN_ResNet50_Weights": "fcn_resnet50", "FCN_ResNet101_Weights": "fcn_resnet101"}
__all__ = ["FCN", *_ENUMS, *_ENUMS.values()]  # noqa: PLE0604

__getattr__ = lazy_enums(__name__, _ENUMS)


class FCN(_SimpleSegmentationModel):
    """A fully convolutional network: ``(N, 3, H, W)`` to a dict of ``"out"``, and ``"aux"`` where there is an ``aux_classifier``.

    ``backbone`` gives a dict with the inputs of ``classifier`` as ``"out"`` and of ``aux_classifier`` as ``"aux"``; what the heads give,
    ``(N, classes, h, w)``, is brought to ``H × W``. After Long, Shelhamer, Darrell, https://arxiv.org/abs/1411.4038.

    >>> from dovetail import zeros
    >>> from dovetail_vision.models import resnet18
    >>> from dovetail_vision.models._utils import IntermediateLayerGetter
    >>> model = FCN(IntermediateLayerGetter(resnet18(), {"layer4": "out"}), FCNHead(512, 3))
    >>> model(zeros(1, 3, 64, 48))["out"].shape
    dovetail.Size([1, 3, 64, 48])
    """


class FCNHead(nn.Sequential):
    """Two convolutions, a quarter of the channels between them: ``(N, in_channels, H, W)`` to ``(N, channels, H, W)``."""

    def __init__(self, in_channels: int, channels: int) -> None:
        middle = in_channels // 4
        first = nn.Conv2d(in_channels, middle, 3, padding=1, bias=False)
        super().__init__(first, nn.BatchNorm2d(middle), nn.ReLU(), nn.Dropout(0.1), nn.Conv2d(middle, channels, 1))


def _fcn(backbone: Callable[..., nn.Module], num_classes: int, aux: bool | None, weights: Any) -> FCN:
    features = resnet_features(backbone, weights, aux)
    second = FCNHead(1024, num_classes) if aux else None  # made first, as torchvision draws its weights
    return FCN(features, FCNHead(2048, num_classes), second)


@takes_weights("FCN_ResNet50_Weights", backbone="ResNet50_Weights")
def fcn_resnet50(
    *, weights: Any = None, progress: bool = True, num_classes: int | None = None, aux_loss: bool | None = None,
    weights_backbone: Any = "IMAGENET1K_V1", **kwargs: Any,
) -> FCN:  # fmt: skip
    """FCN on a dilated ResNet-50; 21 classes (PASCAL VOC's and the background) unless ``num_classes`` says otherwise.

    ``weights``: a ``FCN_ResNet50_Weights`` or its name; without them ``weights_backbone``, a ``ResNet50_Weights`` or its name, is
    fetched unless it is None. ``aux_loss`` adds a second head, ``"aux"``, for training.
    """
    return build(weights, progress, num_classes, lambda *how: _fcn(resnet50, *how), weights_backbone, aux_loss)


@takes_weights("FCN_ResNet101_Weights", backbone="ResNet101_Weights")
def fcn_resnet101(
    *, weights: Any = None, progress: bool = True, num_classes: int | None = None, aux_loss: bool | None = None,
    weights_backbone: Any = "IMAGENET1K_V1", **kwargs: Any,
) -> FCN:  # fmt: skip
    """FCN on a dilated ResNet-101; the arguments are those of `fcn_resnet50`."""
    return build(weights, progress, num_classes, lambda *how: _fcn(resnet101, *how), weights_backbone, aux_loss)
