"""The second stage of two: what is in each proposed region, where exactly, its mask and its key points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dovetail
from dovetail import Tensor, nn
from dovetail.errors import TypeMismatch, ValueRangeError
from dovetail.nn import functional as F

from ...ops import batched_nms, box_iou, clip_boxes_to_image, remove_small_boxes
from ._keypoints import heatmaps_to_keypoints, keypointrcnn_inference, keypointrcnn_loss, keypoints_to_heatmap
from ._masks import (
    expand_boxes,
    expand_masks,
    maskrcnn_inference,
    maskrcnn_loss,
    paste_mask_in_image,
    paste_masks_in_image,
    project_masks_on_boxes,
)
from ._utils import BalancedPositiveNegativeSampler, BoxCoder, Matcher

__all__ = [
    "RoIHeads", "expand_boxes", "expand_masks", "fastrcnn_loss", "heatmaps_to_keypoints", "keypointrcnn_inference", "keypointrcnn_loss",
    "keypoints_to_heatmap", "maskrcnn_inference", "maskrcnn_loss", "paste_mask_in_image", "paste_masks_in_image", "project_masks_on_boxes",
]  # fmt: skip

Target = dict[str, Tensor]
Losses = dict[str, Tensor]


def fastrcnn_loss(
    class_logits: Tensor, box_regression: Tensor, labels: Sequence[Tensor], regression_targets: Sequence[Tensor]
) -> tuple[Tensor, Tensor]:
    """Cross-entropy of the classes, and the smooth L1 loss of the offsets predicted for the true classes, over all regions."""
    truth, targets = dovetail.cat(list(labels)), dovetail.cat(list(regression_targets))
    positive = dovetail.where(truth > 0)[0]
    offsets = box_regression.reshape(len(class_logits), -1, 4)[positive, truth[positive]]
    box_loss = F.smooth_l1_loss(offsets, targets[positive], beta=1 / 9, reduction="sum") / truth.numel()
    return F.cross_entropy(class_logits, truth), box_loss


class RoIHeads(nn.Module):
    """Regions of the maps, pooled, through ``box_head`` to classes and boxes, and through heads of masks and key points if there are any.

    While training a region is of a true box's class from an overlap of ``fg_iou_thresh`` on, background below ``bg_iou_thresh``;
    ``batch_size_per_image`` regions count, ``positive_fraction`` of them not background. Else what has a probability above
    ``score_thresh``, and overlaps no better box of its class by more than ``nms_thresh``, is given, ``detections_per_img`` at most.
    """

    def __init__(
        self,
        box_roi_pool: nn.Module,
        box_head: nn.Module,
        box_predictor: nn.Module,
        fg_iou_thresh: float,
        bg_iou_thresh: float,
        batch_size_per_image: int,
        positive_fraction: float,
        bbox_reg_weights: tuple[float, float, float, float] | None,
        score_thresh: float,
        nms_thresh: float,
        detections_per_img: int,
        mask_roi_pool: nn.Module | None = None,
        mask_head: nn.Module | None = None,
        mask_predictor: nn.Module | None = None,
        keypoint_roi_pool: nn.Module | None = None,
        keypoint_head: nn.Module | None = None,
        keypoint_predictor: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.box_similarity = box_iou
        self.proposal_matcher = Matcher(fg_iou_thresh, bg_iou_thresh)
        self.fg_bg_sampler = BalancedPositiveNegativeSampler(batch_size_per_image, positive_fraction)
        self.box_coder = BoxCoder((10.0, 10.0, 5.0, 5.0) if bbox_reg_weights is None else bbox_reg_weights)
        self.box_roi_pool = box_roi_pool
        self.box_head = box_head
        self.box_predictor = box_predictor
        self.score_thresh = score_thresh
        self.nms_thresh = nms_thresh
        self.detections_per_img = detections_per_img
        self.mask_roi_pool = mask_roi_pool
        self.mask_head = mask_head
        self.mask_predictor = mask_predictor
        self.keypoint_roi_pool = keypoint_roi_pool
        self.keypoint_head = keypoint_head
        self.keypoint_predictor = keypoint_predictor

    def _has(self, kind: str) -> bool:
        return all(getattr(self, f"{kind}_{part}") is not None for part in ("roi_pool", "head", "predictor"))

    def has_mask(self) -> bool:
        """Whether masks are predicted."""
        return self._has("mask")

    def has_keypoint(self) -> bool:
        """Whether key points are predicted."""
        return self._has("keypoint")

    def assign_targets_to_proposals(
        self, proposals: Sequence[Tensor], gt_boxes: Sequence[Tensor], gt_labels: Sequence[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """For each region the true box that it is matched with, and its label: 0 for background, -1 where it does not count."""
        matched, labels = [], []
        for regions, boxes, own in zip(proposals, gt_boxes, gt_labels, strict=True):
            if boxes.numel() == 0:
                matched.append(dovetail.zeros(len(regions), dtype=dovetail.int64, device=regions.device))
                labels.append(matched[-1].clone())
                continue
            at = self.proposal_matcher(self.box_similarity(boxes, regions))
            matched.append(at.clamp(min=0))
            label = dovetail.where(at == self.proposal_matcher.BELOW_LOW_THRESHOLD, 0, own[matched[-1]].long())
            labels.append(dovetail.where(at == self.proposal_matcher.BETWEEN_THRESHOLDS, -1, label))
        return matched, labels

    def subsample(self, labels: Sequence[Tensor]) -> list[Tensor]:
        """The numbers of the regions that count, drawn at random."""
        return [dovetail.where(one | other)[0] for one, other in zip(*self.fg_bg_sampler(labels), strict=True)]

    def add_gt_proposals(self, proposals: Sequence[Tensor], gt_boxes: Sequence[Tensor]) -> list[Tensor]:
        """The regions of each image, and behind them its true boxes."""
        return [dovetail.cat(pair) for pair in zip(proposals, gt_boxes, strict=True)]

    def check_targets(self, targets: Sequence[Target] | None) -> None:
        """A ValueError where something is missing."""
        if targets is None:
            raise ValueRangeError("RoIHeads", "targets should not be None")
        for key in ("boxes", "labels") + (("masks",) if self.has_mask() else ()):
            if not all(key in target for target in targets):
                raise ValueRangeError("RoIHeads", f"Every element of targets should have a {key} key")

    def select_training_samples(
        self, proposals: Sequence[Tensor], targets: Sequence[Target] | None
    ) -> tuple[list[Tensor], list[Tensor], list[Tensor], Any]:
        """Regions (true boxes among them), the numbers of their true boxes, labels and offsets, of those that count."""
        self.check_targets(targets)
        gt_boxes = [target["boxes"].to(proposals[0].dtype) for target in targets or ()]
        regions = self.add_gt_proposals(proposals, gt_boxes)
        matched, labels = self.assign_targets_to_proposals(regions, gt_boxes, [target["labels"] for target in targets or ()])
        sampled = self.subsample(labels)
        regions, matched, labels = ([one[at] for one, at in zip(all_, sampled, strict=True)] for all_ in (regions, matched, labels))
        boxes = [b if b.numel() else b.new_zeros((1, 4)) for b in gt_boxes]
        truth = [b[at] for b, at in zip(boxes, matched, strict=True)]
        return regions, matched, labels, self.box_coder.encode(truth, regions)

    def postprocess_detections(
        self, class_logits: Tensor, box_regression: Tensor, proposals: Sequence[Tensor], image_shapes: Sequence[tuple[int, int]]
    ) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Boxes, scores and labels of each image; every class but the background (0) gives a box for every region."""
        counts = [len(one) for one in proposals]
        boxes = self.box_coder.decode(box_regression, proposals).split(counts)
        found = zip(boxes, F.softmax(class_logits, -1).split(counts), image_shapes, strict=True)
        kept = [self._keep(clip_boxes_to_image(one, size), scores) for one, scores, size in found]
        return [k[0] for k in kept], [k[1] for k in kept], [k[2] for k in kept]

    def _keep(self, boxes: Tensor, scores: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        labels = dovetail.arange(scores.shape[1], device=scores.device).expand_as(scores)
        boxes, scores, labels = boxes[:, 1:].reshape(-1, 4), scores[:, 1:].reshape(-1), labels[:, 1:].reshape(-1)
        at = dovetail.where(scores > self.score_thresh)[0]
        at = at[remove_small_boxes(boxes[at], 1e-2)]
        at = at[batched_nms(boxes[at], scores[at], labels[at], self.nms_thresh)][: self.detections_per_img]
        return boxes[at], scores[at], labels[at]

    def forward(
        self,
        features: dict[str, Tensor],
        proposals: list[Tensor],
        image_shapes: list[tuple[int, int]],
        targets: Sequence[Target] | None = None,
    ) -> tuple[list[Target], Losses]:
        self._check_types(targets or ())
        if self.training:
            proposals, matched, labels, offsets = self.select_training_samples(proposals, targets)
        logits, regression = self.box_predictor(self.box_head(self.box_roi_pool(features, proposals, image_shapes)))
        if not self.training:
            found = zip(*self.postprocess_detections(logits, regression, proposals, image_shapes), strict=True)
            result = [{"boxes": boxes, "labels": own, "scores": scores} for boxes, scores, own in found]
            return self._add_details(result, features, image_shapes), {}
        losses = dict(zip(("loss_classifier", "loss_box_reg"), fastrcnn_loss(logits, regression, labels, offsets), strict=True))
        positive = [dovetail.where(one > 0)[0] for one in labels]
        boxes, at = ([one[p] for one, p in zip(all_, positive, strict=True)] for all_ in (proposals, matched))
        return [], losses | self._detail_losses(features, boxes, at, image_shapes, targets or ())

    def _maps(self, kind: str, features: dict[str, Tensor], boxes: list[Tensor], image_shapes: Any) -> Tensor:
        """What the heads of one kind make of boxes."""
        pool, head, predictor = (getattr(self, f"{kind}_{part}") for part in ("roi_pool", "head", "predictor"))
        return predictor(head(pool(features, boxes, image_shapes)))

    def _add_details(self, result: list[Target], features: dict[str, Tensor], image_shapes: Any) -> list[Target]:
        boxes = [one["boxes"] for one in result]
        if self.has_mask():
            logits = self._maps("mask", features, boxes, image_shapes)
            for one, masks in zip(result, maskrcnn_inference(logits, [one["labels"] for one in result]), strict=True):
                one["masks"] = masks
        if self.has_keypoint():
            logits = self._maps("keypoint", features, boxes, image_shapes)
            for one, points, scores in zip(result, *keypointrcnn_inference(logits, boxes), strict=True):
                one["keypoints"], one["keypoints_scores"] = points, scores
        return result

    def _detail_losses(
        self, features: dict[str, Tensor], boxes: list[Tensor], at: list[Tensor], image_shapes: Any, targets: Sequence[Target]
    ) -> Losses:
        losses = {}
        if self.has_mask():
            logits = self._maps("mask", features, boxes, image_shapes)
            losses["loss_mask"] = maskrcnn_loss(logits, boxes, [t["masks"] for t in targets], [t["labels"] for t in targets], at)
        if self.has_keypoint():
            logits = self._maps("keypoint", features, boxes, image_shapes)
            losses["loss_keypoint"] = keypointrcnn_loss(logits, boxes, [t["keypoints"] for t in targets], at)
        return losses

    def _check_types(self, targets: Sequence[Target]) -> None:
        for target in targets:
            if target["boxes"].dtype not in (dovetail.float32, dovetail.float64, dovetail.float16):
                raise TypeMismatch("RoIHeads", f"target boxes must of float type, instead got {target['boxes'].dtype}")
            if target["labels"].dtype != dovetail.int64:
                raise TypeMismatch("RoIHeads", f"target labels must of int64 type, instead got {target['labels'].dtype}")
            if self.has_keypoint() and target["keypoints"].dtype != dovetail.float32:
                raise TypeMismatch("RoIHeads", f"target keypoints must of float type, instead got {target['keypoints'].dtype}")
