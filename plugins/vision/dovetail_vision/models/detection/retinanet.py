"""RetinaNet: classes and boxes of all anchors at once, with a loss that does not drown in the background."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import dovetail
from dovetail import Tensor, nn

from ...ops import Conv2dNormActivation, box_iou, sigmoid_focal_loss
from ...ops.feature_pyramid_network import LastLevelP6P7, move_keys
from .._api import lazy_enums, takes_weights
from .._initial import initialise, normal
from ..resnet import resnet50
from ._build import Plan, build
from ._dense import DenseDetector, Outputs, Target
from ._utils import BoxCoder, Matcher, _box_loss
from .anchor_utils import AnchorGenerator
from .backbone_utils import BackboneWithFPN, _resnet_fpn_extractor
from .faster_rcnn import check_backbone, check_kind, usual_transform
from .rpn import rows

_ENUMS = {"RetinaNet_ResNet50_FPN_Weights": "retinanet_resnet50_fpn", "RetinaNet_ResNet50_FPN_V2_Weights": "retinanet_resnet50_fpn_v2"}
__all__ = ["RetinaNet", *_ENUMS, *_ENUMS.values()]  # noqa: PLE0604

__getattr__ = lazy_enums(__name__, _ENUMS)

Norm = Callable[..., nn.Module]


def _default_anchorgen() -> AnchorGenerator:
    """Three sizes for each map of a pyramid, three shapes of each."""
    sizes = tuple((x, int(x * 2 ** (1.0 / 3)), int(x * 2 ** (2.0 / 3))) for x in (32, 64, 128, 256, 512))
    return AnchorGenerator(sizes, ((0.5, 1.0, 2.0),) * len(sizes))


def matched(matcher: Matcher, anchors: Sequence[Tensor], targets: Sequence[Target]) -> list[Tensor]:
    """For each anchor of each image what the matcher says; -1 where there are no boxes."""
    out = []
    for own, target in zip(anchors, targets, strict=True):
        if target["boxes"].numel():
            out.append(matcher(box_iou(target["boxes"], own)))
        else:
            out.append(dovetail.full((len(own),), -1, dtype=dovetail.int64, device=own.device))
    return out


class _Head(nn.Module):
    """Four convolutions, which the heads of classes and of boxes both begin with."""

    _version = 2

    def __init__(self, in_channels: int, norm_layer: Norm | None) -> None:
        super().__init__()
        self.conv = nn.Sequential(*(Conv2dNormActivation(in_channels, in_channels, norm_layer=norm_layer) for _ in range(4)))

    def _load_from_state_dict(self, state_dict: Any, prefix: str, local_metadata: Any, *rest: Any) -> None:
        if local_metadata.get("version") is None or local_metadata["version"] < 2:  # convolutions and ReLUs in one row
            move_keys(state_dict, prefix, {f"conv.{2 * i}": f"conv.{i}.0" for i in range(4)})
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)


class RetinaNetClassificationHead(_Head):
    """Class logits (N, A, num_classes) of all maps; at first every class has ``prior_probability``.

    >>> RetinaNetClassificationHead(8, 3, 5)([dovetail.zeros(1, 8, 2, 2), dovetail.zeros(1, 8, 1, 1)]).shape
    dovetail.Size([1, 15, 5])
    """

    def __init__(
        self, in_channels: int, num_anchors: int, num_classes: int, prior_probability: float = 0.01, norm_layer: Norm | None = None
    ) -> None:
        super().__init__(in_channels, norm_layer)
        initialise(self.conv, normal(0.01))
        self.cls_logits = nn.Conv2d(in_channels, num_anchors * num_classes, 3, padding=1)
        nn.init.normal_(self.cls_logits.weight, std=0.01)
        nn.init.constant_(self.cls_logits.bias, -math.log((1 - prior_probability) / prior_probability))
        self.num_classes = num_classes
        self.num_anchors = num_anchors
        self.BETWEEN_THRESHOLDS = Matcher.BETWEEN_THRESHOLDS

    def compute_loss(self, targets: Sequence[Target], head_outputs: Outputs, matched_idxs: Sequence[Tensor]) -> Tensor:
        """The focal loss of all anchors that count, over the number of those with an object, averaged over the images."""
        losses = []
        for target, logits, at in zip(targets, head_outputs["cls_logits"], matched_idxs, strict=True):
            found = at >= 0
            truth = dovetail.zeros_like(logits)
            truth[found, target["labels"][at[found]]] = 1.0
            counts = at != self.BETWEEN_THRESHOLDS
            loss = sigmoid_focal_loss(logits[counts], truth[counts], reduction="sum")
            losses.append(loss / max(1, int(found.sum().item())))
        return sum(losses) / len(targets)

    def forward(self, x: Sequence[Tensor]) -> Tensor:
        return dovetail.cat([rows(self.cls_logits(self.conv(one)), self.num_classes) for one in x], 1)


class RetinaNetRegressionHead(_Head):
    """Offsets of boxes (N, A, 4) of all maps.

    >>> RetinaNetRegressionHead(8, 3)([dovetail.zeros(1, 8, 2, 2)]).shape
    dovetail.Size([1, 12, 4])
    """

    def __init__(self, in_channels: int, num_anchors: int, norm_layer: Norm | None = None) -> None:
        super().__init__(in_channels, norm_layer)
        self.bbox_reg = nn.Conv2d(in_channels, num_anchors * 4, 3, padding=1)
        initialise(self.bbox_reg, normal(0.01))
        initialise(self.conv, normal(0.01))
        self.box_coder = BoxCoder((1.0, 1.0, 1.0, 1.0))
        self._loss_type = "l1"

    def compute_loss(
        self, targets: Sequence[Target], head_outputs: Outputs, anchors: Sequence[Tensor], matched_idxs: Sequence[Tensor]
    ) -> Tensor:
        """The loss of the boxes of anchors with an object, over their number, averaged over the images."""
        losses = []
        for target, offsets, own, at in zip(targets, head_outputs["bbox_regression"], anchors, matched_idxs, strict=True):
            found = dovetail.where(at >= 0)[0]
            loss = _box_loss(self._loss_type, self.box_coder, own[found], target["boxes"][at[found]], offsets[found])
            losses.append(loss / max(1, found.numel()))
        return sum(losses) / max(1, len(targets))

    def forward(self, x: Sequence[Tensor]) -> Tensor:
        return dovetail.cat([rows(self.bbox_reg(self.conv(one)), 4) for one in x], 1)


class RetinaNetHead(nn.Module):
    """Both heads: a dict of ``cls_logits`` and ``bbox_regression``.

    >>> sorted(RetinaNetHead(8, 3, 5)([dovetail.zeros(1, 8, 2, 2)]))
    ['bbox_regression', 'cls_logits']
    """

    def __init__(self, in_channels: int, num_anchors: int, num_classes: int, norm_layer: Norm | None = None) -> None:
        super().__init__()
        self.classification_head = RetinaNetClassificationHead(in_channels, num_anchors, num_classes, norm_layer=norm_layer)
        self.regression_head = RetinaNetRegressionHead(in_channels, num_anchors, norm_layer=norm_layer)

    def compute_loss(
        self, targets: Sequence[Target], head_outputs: Outputs, anchors: Sequence[Tensor], matched_idxs: Sequence[Tensor]
    ) -> dict[str, Tensor]:
        """The losses of both heads."""
        return {
            "classification": self.classification_head.compute_loss(targets, head_outputs, matched_idxs),
            "bbox_regression": self.regression_head.compute_loss(targets, head_outputs, anchors, matched_idxs),
        }

    def forward(self, x: Sequence[Tensor]) -> dict[str, Tensor]:
        return {"cls_logits": self.classification_head(x), "bbox_regression": self.regression_head(x)}


class RetinaNet(DenseDetector):
    """Images to boxes, labels and scores; what is called and given says `Detector`, and of the choice among them `DenseDetector`.

    An anchor has an object from an overlap of ``fg_iou_thresh`` on, none below ``bg_iou_thresh``. ``backbone``, sizes and
    normalization as in `FasterRCNN`. Source: https://arxiv.org/abs/1708.02002.
    """

    def __init__(
        self, backbone: nn.Module, num_classes: int, min_size: int = 800, max_size: int = 1333, image_mean: list[float] | None = None,
        image_std: list[float] | None = None, anchor_generator: AnchorGenerator | None = None, head: nn.Module | None = None,
        proposal_matcher: Matcher | None = None, score_thresh: float = 0.05, nms_thresh: float = 0.5, detections_per_img: int = 300,
        fg_iou_thresh: float = 0.5, bg_iou_thresh: float = 0.4, topk_candidates: int = 1000, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__()
        check_backbone("RetinaNet", backbone)
        check_kind("RetinaNet", "anchor_generator", anchor_generator, AnchorGenerator)
        self.backbone = backbone
        self.anchor_generator = anchor_generator or _default_anchorgen()
        per_cell = self.anchor_generator.num_anchors_per_location()[0]
        self.head = head or RetinaNetHead(backbone.out_channels, per_cell, num_classes)
        self.proposal_matcher = proposal_matcher or Matcher(fg_iou_thresh, bg_iou_thresh, allow_low_quality_matches=True)
        self.box_coder = BoxCoder((1.0, 1.0, 1.0, 1.0))
        self.transform = usual_transform(min_size, max_size, image_mean, image_std, **kwargs)
        self.score_thresh = score_thresh
        self.nms_thresh = nms_thresh
        self.detections_per_img = detections_per_img
        self.topk_candidates = topk_candidates

    def compute_loss(self, targets: list[Target], head_outputs: Outputs, anchors: list[Tensor]) -> dict[str, Tensor]:
        """The losses of the head, by the anchors' matches with the true boxes."""
        return self.head.compute_loss(targets, head_outputs, anchors, matched(self.proposal_matcher, anchors, targets))

    def _losses(self, targets: list[Target], outputs: Outputs, anchors: list[Tensor], per_level: list[int]) -> dict[str, Tensor]:
        return self.compute_loss(targets, outputs, anchors)

    def _scores(self, outputs: dict[str, Tensor]) -> Tensor:
        return outputs["cls_logits"].sigmoid()

    def _boxes(self, offsets: Tensor, anchors: Tensor) -> Tensor:
        return self.box_coder.decode_single(offsets, anchors)


# -------------------------------------------------------------------------------------------------- builders


def coarse_pyramid(plan: Plan, last_channels: int = 256, **kwargs: Any) -> BackboneWithFPN:
    """The maps of the last three stages and two more by convolutions; the first stage has too many anchors."""
    return _resnet_fpn_extractor(resnet50(**plan.start, **kwargs), plan.trainable, [2, 3, 4], LastLevelP6P7(last_channels, 256))


@takes_weights("RetinaNet_ResNet50_FPN_Weights", backbone="ResNet50_Weights")
def retinanet_resnet50_fpn(
    *, weights: Any = None, progress: bool = True, num_classes: int | None = None, weights_backbone: Any = "IMAGENET1K_V1",
    trainable_backbone_layers: int | None = None, **kwargs: Any,
) -> RetinaNet:  # fmt: skip
    """RetinaNet on a ResNet-50 with a feature pyramid; arguments as those of `fasterrcnn_resnet50_fpn`."""

    def make(plan: Plan) -> RetinaNet:
        return RetinaNet(coarse_pyramid(plan, norm_layer=plan.norm_layer), plan.num_classes, **kwargs)

    return build(make, weights, progress, num_classes, weights_backbone, trainable_backbone_layers, old_eps=True)


@takes_weights("RetinaNet_ResNet50_FPN_V2_Weights", backbone="ResNet50_Weights")
def retinanet_resnet50_fpn_v2(
    *, weights: Any = None, progress: bool = True, num_classes: int | None = None, weights_backbone: Any = None,
    trainable_backbone_layers: int | None = None, **kwargs: Any,
) -> RetinaNet:  # fmt: skip
    """RetinaNet with group normalization and a loss of overlaps (https://arxiv.org/abs/1912.02424); else as `retinanet_resnet50_fpn`."""

    def make(plan: Plan) -> RetinaNet:
        backbone, anchors = coarse_pyramid(plan, 2048), _default_anchorgen()
        per_cell = anchors.num_anchors_per_location()[0]
        head = RetinaNetHead(backbone.out_channels, per_cell, plan.num_classes, norm_layer=partial(nn.GroupNorm, 32))
        head.regression_head._loss_type = "giou"
        return RetinaNet(backbone, plan.num_classes, anchor_generator=anchors, head=head, **kwargs)

    return build(make, weights, progress, num_classes, weights_backbone, trainable_backbone_layers)
