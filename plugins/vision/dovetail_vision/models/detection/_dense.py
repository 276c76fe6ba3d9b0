"""Detectors of one stage: every anchor of every map gets classes and a box at once."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import dovetail
from dovetail import Tensor, nn

from ...ops import batched_nms, clip_boxes_to_image
from ...ops.boxes import first_best
from .generalized_rcnn import Detector
from .image_list import ImageList

__all__ = ["DenseDetector"]

Target = dict[str, Tensor]
Outputs = dict[str, Any]


class DenseDetector(Detector):
    """``head`` makes of all maps ``cls_logits`` (N, A, classes) and ``bbox_regression`` (N, A, 4), for A anchors in the maps' order.

    Of each map the ``topk_candidates`` best pairs of anchor and class above ``score_thresh`` are looked at; of all maps together
    those are kept that overlap no better box of their class by more than ``nms_thresh``, ``detections_per_img`` at most.
    """

    head: nn.Module
    anchor_generator: nn.Module
    score_thresh: float
    nms_thresh: float
    detections_per_img: int
    topk_candidates: int

    @abstractmethod
    def _losses(self, targets: list[Target], outputs: Outputs, anchors: list[Tensor], per_level: list[int]) -> dict[str, Tensor]:
        """The losses of what the head gives."""

    @abstractmethod
    def _scores(self, outputs: dict[str, Tensor]) -> Tensor:
        """The probability (A, classes) of each class for the anchors of a map."""

    @abstractmethod
    def _boxes(self, offsets: Tensor, anchors: Tensor) -> Tensor:
        """The boxes that the head means."""

    def detect(
        self, images: ImageList, features: dict[str, Tensor], targets: list[Target] | None
    ) -> tuple[dict[str, Tensor], list[Target]]:
        maps = list(features.values())
        outputs, anchors = self.head(maps), self.anchor_generator(images, maps)
        cells = [one.shape[2] * one.shape[3] for one in maps]
        per_level = [count * (outputs["cls_logits"].shape[1] // sum(cells)) for count in cells]
        if self.training:
            return self._losses(targets or [], outputs, anchors, per_level), []
        split = {name: list(one.split(per_level, 1)) for name, one in outputs.items()}
        return {}, self.postprocess_detections(split, [list(one.split(per_level)) for one in anchors], images.image_sizes)

    def postprocess_detections(
        self, head_outputs: Outputs, anchors: Sequence[Sequence[Tensor]], image_shapes: Sequence[tuple[int, int]]
    ) -> list[Target]:
        """What is found in each image, of outputs and anchors by map."""
        results = []
        for i, (own, size) in enumerate(zip(anchors, image_shapes, strict=True)):
            levels = [{name: level[i] for name, level in zip(head_outputs, maps, strict=True)} for maps in zip(*head_outputs.values())]
            found = zip(*(self._best(outputs, boxes, size) for outputs, boxes in zip(levels, own, strict=True)), strict=True)
            boxes, scores, labels = (dovetail.cat(parts) for parts in found)
            keep = batched_nms(boxes, scores, labels, self.nms_thresh)[: self.detections_per_img]
            results.append({"boxes": boxes[keep], "scores": scores[keep], "labels": labels[keep]})
        return results

    def _best(self, outputs: dict[str, Tensor], anchors: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor]:
        """The best pairs of anchor and class of one map."""
        scores = self._scores(outputs)
        classes, flat = scores.shape[1], scores.flatten()
        at = dovetail.where(flat > self.score_thresh)[0]
        at = at[first_best(flat[at], self.topk_candidates)]
        anchor = at // classes
        boxes = self._boxes(outputs["bbox_regression"][anchor], anchors[anchor])
        return clip_boxes_to_image(boxes, size), flat[at], at % classes
