"""Keypoint R-CNN: Faster R-CNN with the key points of each object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dovetail import Tensor, nn
from dovetail.nn import functional as F

from ...ops import MultiScaleRoIAlign
from .._api import lazy_enums, takes_weights
from .._initial import fan_out, initialise
from ._build import Plan, build, settled
from .faster_rcnn import FasterRCNN, check_backbone, check_kind, resnet50_pyramid
from .mask_rcnn import check_free

_ENUMS = {"KeypointRCNN_ResNet50_FPN_Weights": "keypointrcnn_resnet50_fpn"}
__all__ = ["KeypointRCNN", *_ENUMS, *_ENUMS.values()]  # noqa: PLE0604

__getattr__ = lazy_enums(__name__, _ENUMS)


class KeypointRCNN(FasterRCNN):
    """`FasterRCNN`, its arguments first, which also gives ``keypoints`` (N, K, 3), x, y and 1, and ``keypoints_scores`` (N, K).

    While training, targets have ``keypoints`` (N, K, 3), float32, too, x, y and whether one is visible, and the losses
    ``loss_keypoint``. ``num_keypoints`` is 17 unless it is given. Source: https://arxiv.org/abs/1703.06870, section 5.
    """

    def __init__(
        self, backbone: nn.Module, num_classes: int | None = None, min_size: int | Sequence[int] | None = None, *args: Any,
        keypoint_roi_pool: MultiScaleRoIAlign | None = None, keypoint_head: nn.Module | None = None,
        keypoint_predictor: nn.Module | None = None, num_keypoints: int | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        check_backbone("KeypointRCNN", backbone)
        check_kind("KeypointRCNN", "keypoint_roi_pool", keypoint_roi_pool, MultiScaleRoIAlign)
        check_free("KeypointRCNN", "num_keypoints", num_keypoints, "keypoint_predictor", keypoint_predictor)
        pool = keypoint_roi_pool or MultiScaleRoIAlign(["0", "1", "2", "3"], 14, 2)
        head = keypoint_head or KeypointRCNNHeads(backbone.out_channels, [512] * 8)
        predictor = keypoint_predictor or KeypointRCNNPredictor(512, 17 if num_keypoints is None else num_keypoints)
        super().__init__(backbone, num_classes, (640, 672, 704, 736, 768, 800) if min_size is None else min_size, *args, **kwargs)
        self.roi_heads.keypoint_roi_pool = pool
        self.roi_heads.keypoint_head = head
        self.roi_heads.keypoint_predictor = predictor


class KeypointRCNNHeads(nn.Sequential):
    """Convolutions with ReLU that keep a region's size.

    >>> from dovetail import zeros
    >>> KeypointRCNNHeads(2, [4, 5])(zeros(1, 2, 14, 14)).shape
    dovetail.Size([1, 5, 14, 14])
    """

    def __init__(self, in_channels: int, layers: Sequence[int]) -> None:
        parts = ((nn.Conv2d(*size, 3, padding=1), nn.ReLU(inplace=True)) for size in zip([in_channels, *layers], layers, strict=False))
        super().__init__(*(layer for part in parts for layer in part))
        initialise(self, fan_out)


class KeypointRCNNPredictor(nn.Module):
    """A heat map, four times the size, for each key point: (N, in_channels, M, M) to (N, num_keypoints, 4 M, 4 M).

    >>> from dovetail import zeros
    >>> KeypointRCNNPredictor(2, 3)(zeros(1, 2, 14, 14)).shape
    dovetail.Size([1, 3, 56, 56])
    """

    def __init__(self, in_channels: int, num_keypoints: int) -> None:
        super().__init__()
        self.kps_score_lowres = nn.ConvTranspose2d(in_channels, num_keypoints, 4, stride=2, padding=1)
        fan_out(self.kps_score_lowres.weight)
        nn.init.zeros_(self.kps_score_lowres.bias)
        self.up_scale = 2
        self.out_channels = num_keypoints

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(self.kps_score_lowres(x), scale_factor=float(self.up_scale), mode="bilinear", align_corners=False)


@takes_weights("KeypointRCNN_ResNet50_FPN_Weights", backbone="ResNet50_Weights")
def keypointrcnn_resnet50_fpn(
    *, weights: Any = None, progress: bool = True, num_classes: int | None = None, num_keypoints: int | None = None,
    weights_backbone: Any = "IMAGENET1K_V1", trainable_backbone_layers: int | None = None, **kwargs: Any,
) -> KeypointRCNN:  # fmt: skip
    """Keypoint R-CNN on a ResNet-50 with a feature pyramid, of 2 classes (a person and none) and 17 points of a body unless given.

    Other arguments are as those of `fasterrcnn_resnet50_fpn`.
    """
    points = num_keypoints
    if weights is not None:
        points = settled(weights, "num_keypoints", num_keypoints, len(weights.meta["keypoint_names"]))

    def make(plan: Plan) -> KeypointRCNN:
        return KeypointRCNN(resnet50_pyramid(plan), plan.num_classes, num_keypoints=points, **kwargs)

    return build(make, weights, progress, num_classes, weights_backbone, trainable_backbone_layers, classes=2, old_eps=True)
