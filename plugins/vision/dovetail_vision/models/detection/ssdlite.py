"""SSDlite: SSD of depthwise convolutions on a MobileNet V3."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

from dovetail import Tensor, nn
from dovetail.errors import ValueRangeError

from ...ops import Conv2dNormActivation
from .._api import lazy_enums, takes_weights
from .._initial import initialise, normal
from ..mobilenetv3 import mobilenet_v3_large
from ._build import Plan, build
from ._utils import retrieve_out_channels
from .anchor_utils import DefaultBoxGenerator
from .backbone_utils import freeze_stages, is_strided
from .ssd import SSD, SSDScoringHead, check_maps

_ENUMS = {"SSDLite320_MobileNet_V3_Large_Weights": "ssdlite320_mobilenet_v3_large"}
__all__ = [*_ENUMS, *_ENUMS.values()]  # noqa: PLE0604

__getattr__ = lazy_enums(__name__, _ENUMS)

Norm = Callable[..., nn.Module]
_relu6: dict[str, Any] = {"activation_layer": nn.ReLU6}


class SSDLiteClassificationHead(SSDScoringHead):
    """Class logits (N, A, num_classes), for maps of ``in_channels`` and ``num_anchors`` a cell."""

    def __init__(self, in_channels: Sequence[int], num_anchors: Sequence[int], num_classes: int, norm_layer: Norm) -> None:
        super().__init__(_layers(in_channels, num_anchors, num_classes, norm_layer), num_classes)


class SSDLiteRegressionHead(SSDScoringHead):
    """Offsets of boxes (N, A, 4), likewise."""

    def __init__(self, in_channels: Sequence[int], num_anchors: Sequence[int], norm_layer: Norm) -> None:
        super().__init__(_layers(in_channels, num_anchors, 4, norm_layer), 4)


class SSDLiteHead(nn.Module):
    """Heads of classes and of boxes by depthwise convolutions: a dict of ``bbox_regression`` and ``cls_logits``.

    >>> from dovetail import zeros
    >>> sorted(SSDLiteHead([4], [2], 5, nn.BatchNorm2d)([zeros(1, 4, 2, 2)]))
    ['bbox_regression', 'cls_logits']
    """

    def __init__(self, in_channels: Sequence[int], num_anchors: Sequence[int], num_classes: int, norm_layer: Norm) -> None:
        super().__init__()
        self.classification_head = SSDLiteClassificationHead(in_channels, num_anchors, num_classes, norm_layer)
        self.regression_head = SSDLiteRegressionHead(in_channels, num_anchors, norm_layer)

    def forward(self, x: Sequence[Tensor]) -> dict[str, Tensor]:
        return {"bbox_regression": self.regression_head(x), "cls_logits": self.classification_head(x)}


def _prediction_block(in_channels: int, out_channels: int, kernel_size: int, norm_layer: Norm) -> nn.Sequential:
    """A depthwise convolution, and one of 1 × 1 that projects."""
    depthwise = Conv2dNormActivation(in_channels, in_channels, kernel_size, groups=in_channels, norm_layer=norm_layer, **_relu6)
    return nn.Sequential(depthwise, nn.Conv2d(in_channels, out_channels, 1))


def _normal_init(conv: nn.Module) -> None:
    initialise(conv, normal(0.03))


def _layers(in_channels: Sequence[int], num_anchors: Sequence[int], columns: int, norm_layer: Norm) -> nn.ModuleList:
    layers = nn.ModuleList()
    for channels, anchors in zip(in_channels, num_anchors, strict=False):
        layers.append(_prediction_block(channels, columns * anchors, 3, norm_layer))
    _normal_init(layers)
    return layers


def _extra_block(channels: int, out: int, norm_layer: Norm) -> nn.Sequential:
    """Half the size: 1 × 1, depthwise, 1 × 1."""
    half = out // 2
    return nn.Sequential(
        Conv2dNormActivation(channels, half, 1, norm_layer=norm_layer, **_relu6),
        Conv2dNormActivation(half, half, 3, stride=2, groups=half, norm_layer=norm_layer, **_relu6),
        Conv2dNormActivation(half, out, 1, norm_layer=norm_layer, **_relu6),
    )


class SSDLiteFeatureExtractorMobileNet(nn.Module):
    """A MobileNet's layers up to the expansion of block ``c4_pos``, all of them, and four ever coarser maps.

    Raises a ValueError for a block that adds its input, which must not be cut in two.
    """

    def __init__(self, backbone: Any, c4_pos: int, norm_layer: Norm, width_mult: float = 1.0, min_depth: int = 16) -> None:
        super().__init__()
        middle = backbone[c4_pos]
        if middle.use_res_connect:
            raise ValueRangeError("SSDLiteFeatureExtractorMobileNet", "backbone[c4_pos].use_res_connect is True", "expected False")
        self.features = nn.Sequential(
            nn.Sequential(*backbone[:c4_pos], middle.block[0]), nn.Sequential(middle.block[1:], *backbone[c4_pos + 1 :])
        )
        sizes = [backbone[-1].out_channels] + [max(min_depth, int(depth * width_mult)) for depth in (512, 256, 256, 128)]
        extra = nn.ModuleList([_extra_block(*pair, norm_layer) for pair in pairwise(sizes)])
        initialise(extra, normal(0.03))
        self.extra = extra

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        out: OrderedDict[str, Tensor] = OrderedDict()
        for block in (*self.features, *self.extra):
            x = out[str(len(out))] = block(x)
        return out


@takes_weights("SSDLite320_MobileNet_V3_Large_Weights", backbone="MobileNet_V3_Large_Weights")
def ssdlite320_mobilenet_v3_large(
    *, weights: Any = None, progress: bool = True, num_classes: int | None = None, weights_backbone: Any = "IMAGENET1K_V1",
    trainable_backbone_layers: int | None = None, norm_layer: Norm | None = None, **kwargs: Any,
) -> SSD:  # fmt: skip
    """SSDlite on a MobileNet V3, for images of 320 × 320; arguments as those of `fasterrcnn_resnet50_fpn`, of 6 stages, all trained."""
    norm = norm_layer or partial(nn.BatchNorm2d, eps=0.001, momentum=0.03)
    usual = {
        "score_thresh": 0.001, "nms_thresh": 0.55, "detections_per_img": 300, "topk_candidates": 300, "image_mean": [0.5] * 3,
        "image_std": [0.5] * 3, **kwargs,
    }  # fmt: skip

    def make(plan: Plan) -> SSD:
        anew = plan.start["weights"] is None
        model = mobilenet_v3_large(**plan.start, norm_layer=norm, reduced_tail=anew, **kwargs)
        if anew:
            initialise(model, normal(0.03))
        stages = freeze_stages(model.features, is_strided, plan.trainable)
        backbone = SSDLiteFeatureExtractorMobileNet(model.features, stages[-2], norm)
        anchors = DefaultBoxGenerator([[2, 3] for _ in range(6)], min_ratio=0.2, max_ratio=0.95)
        channels = retrieve_out_channels(backbone, (320, 320))
        check_maps(channels, anchors)
        head = SSDLiteHead(channels, anchors.num_anchors_per_location(), plan.num_classes, norm)
        return SSD(backbone, anchors, (320, 320), plan.num_classes, head=head, **usual)

    return build(make, weights, progress, num_classes, weights_backbone, trainable_backbone_layers, stages=(6, 6))
