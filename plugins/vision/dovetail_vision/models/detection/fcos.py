"""FCOS: classes and boxes of every cell without shapes to start from, and how near its cell is to the middle of the box."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import dovetail
from dovetail import Tensor, nn
from dovetail.errors import ValueRangeError
from dovetail.nn import functional as F

from ...ops import generalized_box_iou_loss, sigmoid_focal_loss
from .._api import lazy_enums, takes_weights
from .._initial import initialise, normal
from ._build import Plan, build
from ._dense import DenseDetector, Outputs, Target
from ._utils import BoxLinearCoder
from .anchor_utils import AnchorGenerator
from .faster_rcnn import check_backbone, check_kind, usual_transform
from .retinanet import coarse_pyramid
from .rpn import rows

_ENUMS = {"FCOS_ResNet50_FPN_Weights": "fcos_resnet50_fpn"}
__all__ = ["FCOS", *_ENUMS, *_ENUMS.values()]  # noqa: PLE0604

__getattr__ = lazy_enums(__name__, _ENUMS)

Norm = Callable[..., nn.Module]


def _convolutions(channels: int, count: int, norm_layer: Norm | None) -> nn.Sequential:
    """Convolution, normalization, ReLU, so many times."""
    norm_layer = norm_layer or partial(nn.GroupNorm, 32)
    parts = ((nn.Conv2d(channels, channels, 3, padding=1), norm_layer(channels), nn.ReLU()) for _ in range(count))
    return nn.Sequential(*(layer for part in parts for layer in part))


class FCOSClassificationHead(nn.Module):
    """Class logits (N, A, num_classes) of all maps; at first every class has ``prior_probability``.

    >>> FCOSClassificationHead(32, 1, 5)([dovetail.zeros(1, 32, 2, 2)]).shape
    dovetail.Size([1, 4, 5])
    """

    def __init__(
        self, in_channels: int, num_anchors: int, num_classes: int, num_convs: int = 4, prior_probability: float = 0.01,
        norm_layer: Norm | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.num_classes = num_classes
        self.num_anchors = num_anchors
        self.conv = _convolutions(in_channels, num_convs, norm_layer)
        initialise(self.conv, normal(0.01))
        self.cls_logits = nn.Conv2d(in_channels, num_anchors * num_classes, 3, padding=1)
        nn.init.normal_(self.cls_logits.weight, std=0.01)
        nn.init.constant_(self.cls_logits.bias, -math.log((1 - prior_probability) / prior_probability))

    def forward(self, x: Sequence[Tensor]) -> Tensor:
        return dovetail.cat([rows(self.cls_logits(self.conv(one)), self.num_classes) for one in x], 1)


class FCOSRegressionHead(nn.Module):
    """Distances of a box's sides (N, A, 4), and the logit of how near the middle the cell is (N, A, 1), of all maps.

    >>> [tuple(one.shape) for one in FCOSRegressionHead(32, 1)([dovetail.zeros(1, 32, 2, 2)])]
    [(1, 4, 4), (1, 4, 1)]
    """

    def __init__(self, in_channels: int, num_anchors: int, num_convs: int = 4, norm_layer: Norm | None = None) -> None:
        super().__init__()
        self.conv = _convolutions(in_channels, num_convs, norm_layer)
        self.bbox_reg = nn.Conv2d(in_channels, num_anchors * 4, 3, padding=1)
        self.bbox_ctrness = nn.Conv2d(in_channels, num_anchors, 3, padding=1)
        for part in (self.bbox_reg, self.bbox_ctrness, self.conv):
            initialise(part, normal(0.01))

    def forward(self, x: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        maps = [self.conv(one) for one in x]
        sides = dovetail.cat([rows(F.relu(self.bbox_reg(one)), 4) for one in maps], 1)
        return sides, dovetail.cat([rows(self.bbox_ctrness(one), 1) for one in maps], 1)


class FCOSHead(nn.Module):
    """Both heads: a dict of ``cls_logits``, ``bbox_regression`` and ``bbox_ctrness``.

    >>> sorted(FCOSHead(32, 1, 5)([dovetail.zeros(1, 32, 2, 2)]))
    ['bbox_ctrness', 'bbox_regression', 'cls_logits']
    """

    def __init__(self, in_channels: int, num_anchors: int, num_classes: int, num_convs: int = 4) -> None:
        super().__init__()
        self.box_coder = BoxLinearCoder(normalize_by_size=True)
        self.classification_head = FCOSClassificationHead(in_channels, num_anchors, num_classes, num_convs)
        self.regression_head = FCOSRegressionHead(in_channels, num_anchors, num_convs)

    def compute_loss(
        self, targets: Sequence[Target], head_outputs: Outputs, anchors: Sequence[Tensor], matched_idxs: Sequence[Tensor]
    ) -> dict[str, Tensor]:
        """The losses of classes, boxes and nearness to the middle, over the number of cells that have an object."""
        boxes, classes = self._truth(targets, matched_idxs)
        logits, cells = head_outputs["cls_logits"], dovetail.stack(list(anchors))
        found = classes >= 0
        truth = dovetail.zeros_like(logits)
        truth[found, classes[found]] = 1.0
        predicted = self.box_coder.decode(head_outputs["bbox_regression"], cells)
        losses = {
            "classification": sigmoid_focal_loss(logits, truth, reduction="sum"),
            "bbox_regression": generalized_box_iou_loss(predicted[found], boxes[found], reduction="sum"),
            "bbox_ctrness": F.binary_cross_entropy_with_logits(
                head_outputs["bbox_ctrness"].squeeze(2)[found], self._nearness(cells, boxes)[found], reduction="sum"
            ),
        }
        return {name: loss / max(1, int(found.sum().item())) for name, loss in losses.items()}

    def _truth(self, targets: Sequence[Target], matched_idxs: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """For each cell its box (N, A, 4) and class (N, A), -1 where there is none."""
        boxes, classes = [], []
        for target, at in zip(targets, matched_idxs, strict=True):
            labels, own = target["labels"], target["boxes"]
            if len(labels) == 0:
                labels, own = labels.new_zeros((1,)), own.new_zeros((1, 4))
            boxes.append(own[at.clamp(min=0)])
            classes.append(dovetail.where(at < 0, -1, labels[at.clamp(min=0)]))
        return dovetail.stack(boxes), dovetail.stack(classes)

    def _nearness(self, anchors: Tensor, boxes: Tensor) -> Tensor:
        """1 in the middle of a box, 0 at its sides (N, A)."""
        far = self.box_coder.encode(anchors, boxes)
        across, down = far[..., [0, 2]], far[..., [1, 3]]
        ratio = across.min(-1).values / across.max(-1).values * (down.min(-1).values / down.max(-1).values)
        return ratio.sqrt()

    def forward(self, x: Sequence[Tensor]) -> dict[str, Tensor]:
        logits = self.classification_head(x)
        sides, nearness = self.regression_head(x)
        return {"cls_logits": logits, "bbox_regression": sides, "bbox_ctrness": nearness}


class FCOS(DenseDetector):
    """Images to boxes, labels and scores; what is called and given says `Detector`, and of the choice among them `DenseDetector`.

    A cell has an object whose middle is nearer than ``center_sampling_radius`` cells and whose size suits the map.
    ``backbone``, sizes and normalization as in `FasterRCNN`; anchors are one a cell, squares of its size. Source:
    https://arxiv.org/abs/1904.01355.
    """

    def __init__(
        self, backbone: nn.Module, num_classes: int, min_size: int = 800, max_size: int = 1333, image_mean: list[float] | None = None,
        image_std: list[float] | None = None, anchor_generator: AnchorGenerator | None = None, head: nn.Module | None = None,
        center_sampling_radius: float = 1.5, score_thresh: float = 0.2, nms_thresh: float = 0.6, detections_per_img: int = 100,
        topk_candidates: int = 1000, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__()
        check_backbone("FCOS", backbone)
        check_kind("FCOS", "anchor_generator", anchor_generator, AnchorGenerator)
        self.backbone = backbone
        self.anchor_generator = anchor_generator or AnchorGenerator(((8,), (16,), (32,), (64,), (128,)), ((1.0,),) * 5)
        per_cell = self.anchor_generator.num_anchors_per_location()[0]
        if per_cell != 1:
            raise ValueRangeError("FCOS", f"anchor_generator.num_anchors_per_location()[0] is {per_cell}", "expected 1")
        self.head = head or FCOSHead(backbone.out_channels, per_cell, num_classes)
        self.box_coder = BoxLinearCoder(normalize_by_size=True)
        self.transform = usual_transform(min_size, max_size, image_mean, image_std, **kwargs)
        self.center_sampling_radius = center_sampling_radius
        self.score_thresh = score_thresh
        self.nms_thresh = nms_thresh
        self.detections_per_img = detections_per_img
        self.topk_candidates = topk_candidates

    def compute_loss(
        self, targets: list[Target], head_outputs: Outputs, anchors: list[Tensor], num_anchors_per_level: list[int]
    ) -> dict[str, Tensor]:
        """The losses of the head, by the box that each cell is for."""
        at = [self._match(own, target["boxes"], num_anchors_per_level) for own, target in zip(anchors, targets, strict=True)]
        return self.head.compute_loss(targets, head_outputs, anchors, at)

    def _match(self, anchors: Tensor, boxes: Tensor, per_level: list[int]) -> Tensor:
        """The number of each cell's box, the smallest of those that suit it, or -1."""
        if boxes.numel() == 0:
            return dovetail.full((len(anchors),), -1, dtype=dovetail.int64, device=anchors.device)
        middles, centres = (anchors[:, None, :2] + anchors[:, None, 2:]) / 2, (boxes[:, :2] + boxes[:, 2:]) / 2
        size = anchors[:, 2] - anchors[:, 0]
        near = (middles - centres).abs().max(2).values < self.center_sampling_radius * size[:, None]
        far = dovetail.cat((middles - boxes[:, :2], boxes[:, 2:] - middles), 2)
        lowest, highest = size * 4, size * 8
        lowest[: per_level[0]] = 0
        highest[-per_level[-1] :] = math.inf
        longest = far.max(2).values
        suits = near & (far.min(2).values > 0) & (longest > lowest[:, None]) & (longest < highest[:, None])
        areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        best, at = (suits.float() * (1e8 - areas)).max(1)
        return dovetail.where(best < 1e-5, -1, at)

    def _losses(self, targets: list[Target], outputs: Outputs, anchors: list[Tensor], per_level: list[int]) -> dict[str, Tensor]:
        return self.compute_loss(targets, outputs, anchors, per_level)

    def _scores(self, outputs: dict[str, Tensor]) -> Tensor:
        return (outputs["cls_logits"].sigmoid() * outputs["bbox_ctrness"].sigmoid()).sqrt()

    def _boxes(self, offsets: Tensor, anchors: Tensor) -> Tensor:
        return self.box_coder.decode(offsets, anchors)


@takes_weights("FCOS_ResNet50_FPN_Weights", backbone="ResNet50_Weights")
def fcos_resnet50_fpn(
    *, weights: Any = None, progress: bool = True, num_classes: int | None = None, weights_backbone: Any = "IMAGENET1K_V1",
    trainable_backbone_layers: int | None = None, **kwargs: Any,
) -> FCOS:  # fmt: skip
    """FCOS on a ResNet-50 with a feature pyramid; arguments as those of `fasterrcnn_resnet50_fpn`."""

    def make(plan: Plan) -> FCOS:
        return FCOS(coarse_pyramid(plan, norm_layer=plan.norm_layer), plan.num_classes, **kwargs)

    return build(make, weights, progress, num_classes, weights_backbone, trainable_backbone_layers)
