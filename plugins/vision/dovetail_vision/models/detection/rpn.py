"""The region proposal network: where in an image there is something, whatever it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dovetail
from dovetail import Tensor, nn
from dovetail.errors import ValueRangeError
from dovetail.nn import functional as F

from ...ops import Conv2dNormActivation, batched_nms, box_iou, clip_boxes_to_image, remove_small_boxes
from ...ops.feature_pyramid_network import move_keys
from ._utils import BalancedPositiveNegativeSampler, BoxCoder, Matcher
from .anchor_utils import AnchorGenerator
from .image_list import ImageList

__all__ = ["RPNHead", "RegionProposalNetwork", "concat_box_prediction_layers", "permute_and_flatten"]

Target = dict[str, Tensor]


class RPNHead(nn.Module):
    """``conv_depth`` convolutions, and of their result how likely an object (N, A, H, W) and its box (N, 4 A, H, W), for each map.

    >>> scores, boxes = RPNHead(8, 3)([dovetail.zeros(1, 8, 4, 4)])
    >>> tuple(scores[0].shape), tuple(boxes[0].shape)
    ((1, 3, 4, 4), (1, 12, 4, 4))
    """

    _version = 2

    def __init__(self, in_channels: int, num_anchors: int, conv_depth: int = 1) -> None:
        super().__init__()
        self.conv = nn.Sequential(*(Conv2dNormActivation(in_channels, in_channels, 3, norm_layer=None) for _ in range(conv_depth)))
        self.cls_logits = nn.Conv2d(in_channels, num_anchors, 1)
        self.bbox_pred = nn.Conv2d(in_channels, num_anchors * 4, 1)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.normal_(layer.weight, std=0.01)
                nn.init.constant_(layer.bias, 0)

    def _load_from_state_dict(self, state_dict: Any, prefix: str, local_metadata: Any, *rest: Any) -> None:
        if local_metadata.get("version") is None or local_metadata["version"] < 2:  # one convolution, which stood alone
            move_keys(state_dict, prefix, {"conv": "conv.0.0"})
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)

    def forward(self, x: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        maps = [self.conv(one) for one in x]
        return [self.cls_logits(one) for one in maps], [self.bbox_pred(one) for one in maps]


def permute_and_flatten(layer: Tensor, N: int, A: int, C: int, H: int, W: int) -> Tensor:
    """What convolutions give for A anchors a cell, (N, A · C, H, W), as rows of anchors: (N, H · W · A, C).

    >>> permute_and_flatten(dovetail.zeros(2, 6, 4, 5), 2, 3, 2, 4, 5).shape
    dovetail.Size([2, 60, 2])
    """
    return layer.reshape(N, A, C, H, W).permute(0, 3, 4, 1, 2).reshape(N, -1, C)


def rows(layer: Tensor, columns: int) -> Tensor:
    """The same by the number of columns alone."""
    n, channels, height, width = layer.shape
    return permute_and_flatten(layer, n, channels // columns, columns, height, width)


def concat_box_prediction_layers(box_cls: Sequence[Tensor], box_regression: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Scores and offsets of all maps and images as rows: (·, C) and (·, 4)."""
    classes = box_cls[0].shape[1] // (box_regression[0].shape[1] // 4)
    scores = dovetail.cat([rows(one, classes) for one in box_cls], 1).flatten(0, -2)
    return scores, dovetail.cat([rows(one, 4) for one in box_regression], 1).reshape(-1, 4)


class RegionProposalNetwork(nn.Module):
    """Boxes of each image in which something is, best first, and, while training, the losses of finding them.

    ``head`` scores and moves the anchors; of each map the ``pre_nms_top_n`` best are kept, without those that overlap a better one by
    more than ``nms_thresh``, and of these ``post_nms_top_n`` (both a dict of "training" and "testing") with a probability of at
    least ``score_thresh``. While training anchors are positive from ``fg_iou_thresh`` on, negative below ``bg_iou_thresh``, and
    ``batch_size_per_image`` of them count, ``positive_fraction`` positive. Source: https://arxiv.org/abs/1506.01497.
    """

    def __init__(
        self,
        anchor_generator: AnchorGenerator,
        head: nn.Module,
        fg_iou_thresh: float,
        bg_iou_thresh: float,
        batch_size_per_image: int,
        positive_fraction: float,
        pre_nms_top_n: dict[str, int],
        post_nms_top_n: dict[str, int],
        nms_thresh: float,
        score_thresh: float = 0.0,
    ) -> None:
        super().__init__()
        self.anchor_generator = anchor_generator
        self.head = head
        self.box_coder = BoxCoder((1.0, 1.0, 1.0, 1.0))
        self.box_similarity = box_iou
        self.proposal_matcher = Matcher(fg_iou_thresh, bg_iou_thresh, allow_low_quality_matches=True)
        self.fg_bg_sampler = BalancedPositiveNegativeSampler(batch_size_per_image, positive_fraction)
        self._pre_nms_top_n = pre_nms_top_n
        self._post_nms_top_n = post_nms_top_n
        self.nms_thresh = nms_thresh
        self.score_thresh = score_thresh
        self.min_size = 1e-3

    def pre_nms_top_n(self) -> int:
        """How many boxes of a map are looked at."""
        return self._pre_nms_top_n["training" if self.training else "testing"]

    def post_nms_top_n(self) -> int:
        """How many boxes of an image are given."""
        return self._post_nms_top_n["training" if self.training else "testing"]

    def assign_targets_to_anchors(self, anchors: Sequence[Tensor], targets: Sequence[Target]) -> tuple[list[Tensor], list[Tensor]]:
        """For each anchor 1 (object), 0 (none) or -1 (does not count), and the true box that is meant."""
        labels, matched = [], []
        for own, target in zip(anchors, targets, strict=True):
            boxes = target["boxes"]
            if boxes.numel() == 0:
                labels.append(dovetail.zeros(len(own), device=own.device))
                matched.append(dovetail.zeros(own.shape, device=own.device))
                continue
            at = self.proposal_matcher(self.box_similarity(boxes, own))
            matched.append(boxes[at.clamp(min=0)])
            found = (at >= 0).float()
            labels.append(dovetail.where(at == self.proposal_matcher.BETWEEN_THRESHOLDS, -1.0, found))
        return labels, matched

    def _get_top_n_idx(self, objectness: Tensor, num_anchors_per_level: list[int]) -> Tensor:
        found, offset = [], 0
        for level in objectness.split(num_anchors_per_level, 1):
            found.append(level.topk(min(self.pre_nms_top_n(), level.shape[1]), dim=1).indices + offset)
            offset += level.shape[1]
        return dovetail.cat(found, 1)

    def filter_proposals(
        self, proposals: Tensor, objectness: Tensor, image_shapes: Sequence[tuple[int, int]], num_anchors_per_level: list[int]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """The boxes and probabilities of each image that are kept."""
        count = len(proposals)
        objectness = objectness.detach().reshape(count, -1)
        levels = dovetail.cat([dovetail.full((n,), i, device=proposals.device) for i, n in enumerate(num_anchors_per_level)])
        best = self._get_top_n_idx(objectness, num_anchors_per_level)
        image = dovetail.arange(count, device=proposals.device)[:, None]
        parts = zip(proposals[image, best], objectness[image, best].sigmoid(), levels[best], image_shapes, strict=True)
        kept = [self._filter(clip_boxes_to_image(boxes, size), scores, level) for boxes, scores, level, size in parts]
        return [boxes for boxes, _ in kept], [scores for _, scores in kept]

    def _filter(self, boxes: Tensor, scores: Tensor, levels: Tensor) -> tuple[Tensor, Tensor]:
        keep = remove_small_boxes(boxes, self.min_size)
        keep = keep[scores[keep] >= self.score_thresh]
        keep = keep[batched_nms(boxes[keep], scores[keep], levels[keep], self.nms_thresh)][: self.post_nms_top_n()]
        return boxes[keep], scores[keep]

    def compute_loss(
        self, objectness: Tensor, pred_bbox_deltas: Tensor, labels: list[Tensor], regression_targets: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """The losses of scores and of boxes, over a sample of the anchors."""
        masks = self.fg_bg_sampler(labels)
        positive, negative = (dovetail.where(dovetail.cat(one))[0] for one in masks)
        sampled = dovetail.cat([positive, negative])
        targets = dovetail.cat(list(regression_targets))[positive]
        box_loss = F.smooth_l1_loss(pred_bbox_deltas[positive], targets, beta=1 / 9, reduction="sum") / sampled.numel()
        return F.binary_cross_entropy_with_logits(objectness.flatten()[sampled], dovetail.cat(labels)[sampled]), box_loss

    def forward(
        self, images: ImageList, features: dict[str, Tensor], targets: Sequence[Target] | None = None
    ) -> tuple[list[Tensor], dict[str, Tensor]]:
        maps = list(features.values())
        objectness, deltas = self.head(maps)
        anchors = self.anchor_generator(images, maps)
        per_level = [one[0].numel() for one in objectness]
        objectness, deltas = concat_box_prediction_layers(objectness, deltas)
        proposals = self.box_coder.decode(deltas.detach(), anchors).reshape(len(anchors), -1, 4)
        boxes, _ = self.filter_proposals(proposals, objectness, images.image_sizes, per_level)
        if not self.training:
            return boxes, {}
        if targets is None:
            raise ValueRangeError("RegionProposalNetwork", "targets should not be None")
        labels, matched = self.assign_targets_to_anchors(anchors, targets)
        loss_objectness, loss_box = self.compute_loss(objectness, deltas, labels, self.box_coder.encode(matched, anchors))
        return boxes, {"loss_objectness": loss_objectness, "loss_rpn_box_reg": loss_box}
