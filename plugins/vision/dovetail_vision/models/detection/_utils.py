"""What detectors share: matching of anchors to true boxes, sampling of them, boxes as offsets from anchors, and their loss."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import dovetail
from dovetail import Tensor, nn
from dovetail.errors import AssertedError, ValueRangeError
from dovetail.nn import functional as F

from ...ops import FrozenBatchNorm2d, complete_box_iou_loss, distance_box_iou_loss, generalized_box_iou_loss

__all__ = [
    "BalancedPositiveNegativeSampler", "BoxCoder", "BoxLinearCoder", "Matcher", "SSDMatcher", "encode_boxes", "overwrite_eps",
    "retrieve_out_channels",
]  # fmt: skip


class BalancedPositiveNegativeSampler:
    """Of each image ``batch_size_per_image`` elements at random, ``positive_fraction`` of them positive where there are so many.

    Called with labels (A,), 1 or more for positive, 0 for negative, less for neither: two lists of masks (A,), uint8.

    >>> positive, negative = BalancedPositiveNegativeSampler(4, 0.5)([dovetail.tensor([1, 0, 0, 0, -1, 0])])
    >>> positive[0].sum().item(), negative[0].sum().item()
    (1, 3)
    """

    def __init__(self, batch_size_per_image: int, positive_fraction: float) -> None:
        self.batch_size_per_image = batch_size_per_image
        self.positive_fraction = positive_fraction

    def __call__(self, matched_idxs: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        masks: tuple[list[Tensor], list[Tensor]] = ([], [])
        for labels in matched_idxs:
            left, wanted = self.batch_size_per_image, int(self.batch_size_per_image * self.positive_fraction)
            for chosen, found in zip(masks, (labels >= 1, labels == 0), strict=True):
                at = dovetail.where(found)[0]
                count = min(at.numel(), wanted)
                mask = dovetail.zeros_like(labels, dtype=dovetail.uint8)
                mask[at[dovetail.randperm(at.numel(), device=at.device)[:count]]] = 1
                chosen.append(mask)
                left = wanted = left - count
        return masks


def _middles(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Centres and sides of boxes, xyxy."""
    sides = boxes[..., 2:] - boxes[..., :2]
    return boxes[..., :2] + 0.5 * sides, sides


def encode_boxes(reference_boxes: Tensor, proposals: Tensor, weights: Tensor) -> Tensor:
    """What `BoxCoder` says of boxes (N, 4) relative to proposals (N, 4)."""
    (centre, sides), (goal, goal_sides) = _middles(proposals), _middles(reference_boxes)
    return dovetail.cat((weights[:2] * (goal - centre) / sides, weights[2:] * (goal_sides / sides).log()), 1)


class BoxCoder:
    """Boxes as offsets: of the centre in sides of the anchor, and the logarithm of the sides' ratio, each times its weight.

    ``bbox_xform_clip`` bounds that logarithm. Source: https://arxiv.org/abs/1311.2524, appendix C.

    >>> coder = BoxCoder((1.0, 1.0, 1.0, 1.0))
    >>> anchors, boxes = dovetail.tensor([[0., 0, 10, 10]]), dovetail.tensor([[1., 0, 11, 20]])
    >>> coder.encode_single(boxes, anchors)
    tensor([[0.1000, 0.5000, 0.0000, 0.6931]])
    >>> coder.decode_single(coder.encode_single(boxes, anchors), anchors)
    tensor([[ 1.,  0., 11., 20.]])
    """

    def __init__(self, weights: tuple[float, float, float, float], bbox_xform_clip: float = math.log(1000.0 / 16)) -> None:
        self.weights = weights
        self.bbox_xform_clip = bbox_xform_clip

    def encode(self, reference_boxes: Sequence[Tensor], proposals: Sequence[Tensor]) -> Any:
        """The offsets of each image's boxes from its proposals."""
        counts = [len(boxes) for boxes in reference_boxes]
        return self.encode_single(dovetail.cat(list(reference_boxes)), dovetail.cat(list(proposals))).split(counts)

    def encode_single(self, reference_boxes: Tensor, proposals: Tensor) -> Tensor:
        """The offsets (N, 4) of boxes from proposals."""
        weights = dovetail.tensor(self.weights, dtype=reference_boxes.dtype, device=reference_boxes.device)
        return encode_boxes(reference_boxes, proposals, weights)

    def decode(self, rel_codes: Tensor, boxes: Sequence[Tensor]) -> Tensor:
        """The boxes (A, K, 4) that offsets (A, 4 K) mean for the boxes of all images together."""
        if not isinstance(boxes, list | tuple) or not isinstance(rel_codes, Tensor):
            what = f"rel_codes is {type(rel_codes).__name__} and boxes {type(boxes).__name__}"
            raise AssertedError("BoxCoder.decode", what, "expected a tensor and a list of tensors")
        together = dovetail.cat(list(boxes))
        if not len(together):
            return self.decode_single(rel_codes, together)
        return self.decode_single(rel_codes.reshape(len(together), -1), together).reshape(len(together), -1, 4)

    def decode_single(self, rel_codes: Tensor, boxes: Tensor) -> Tensor:
        """The boxes (A, 4 K) that offsets (A, 4 K) mean for boxes (A, 4)."""
        codes = rel_codes.reshape(len(rel_codes), rel_codes.shape[1] // 4, 4)
        codes = codes / dovetail.tensor(self.weights, dtype=codes.dtype, device=codes.device)
        centre, sides = _middles(boxes.to(codes.dtype)[:, None])
        middle = codes[..., :2] * sides + centre
        half = 0.5 * (codes[..., 2:].clamp(max=self.bbox_xform_clip).exp() * sides)
        return dovetail.cat((middle - half, middle + half), 2).flatten(1)


class BoxLinearCoder:
    """Boxes as distances of their sides from the anchor's centre, in sides of the anchor: FCOS's.

    >>> coder, anchors = BoxLinearCoder(), dovetail.tensor([[0., 0, 10, 10]])
    >>> coder.encode(anchors, dovetail.tensor([[1., 0, 11, 20]]))
    tensor([[0.4000, 0.5000, 0.6000, 1.5000]])
    """

    def __init__(self, normalize_by_size: bool = True) -> None:
        self.normalize_by_size = normalize_by_size

    def _frame(self, boxes: Tensor) -> tuple[Tensor, Tensor | float]:
        centre = 0.5 * (boxes[..., :2] + boxes[..., 2:])
        sides = boxes[..., 2:] - boxes[..., :2]
        return centre, dovetail.cat((sides, sides), -1) if self.normalize_by_size else 1.0

    def encode(self, reference_boxes: Tensor, proposals: Tensor) -> Tensor:
        """The distances (..., 4) of the boxes ``proposals`` from the anchors ``reference_boxes``."""
        centre, scale = self._frame(reference_boxes)
        return dovetail.cat((centre - proposals[..., :2], proposals[..., 2:] - centre), -1) / scale

    def decode(self, rel_codes: Tensor, boxes: Tensor) -> Tensor:
        """The boxes (..., 4) that distances mean for anchors ``boxes``."""
        centre, scale = self._frame(boxes.to(rel_codes.dtype))
        far = rel_codes * scale
        return dovetail.cat((centre - far[..., :2], centre + far[..., 2:]), -1)


class Matcher:
    """For each anchor the true box of most overlap: its number, -1 below ``low_threshold``, -2 between that and ``high_threshold``.

    ``allow_low_quality_matches`` gives the anchors that overlap a box most, of all anchors, their match whatever it is. Called with
    overlaps (boxes, anchors); a ValueError without boxes or anchors.

    >>> Matcher(0.7, 0.3)(dovetail.tensor([[0.8, 0.1, 0.5], [0.2, 0.2, 0.1]]))
    tensor([ 0, -1, -2])
    """

    BELOW_LOW_THRESHOLD = -1
    BETWEEN_THRESHOLDS = -2

    def __init__(self, high_threshold: float, low_threshold: float, allow_low_quality_matches: bool = False) -> None:
        if low_threshold > high_threshold:
            raise AssertedError("Matcher", f"low_threshold is {low_threshold} and high_threshold {high_threshold}", "expected low <= high")
        self.high_threshold = high_threshold
        self.low_threshold = low_threshold
        self.allow_low_quality_matches = allow_low_quality_matches

    def __call__(self, match_quality_matrix: Tensor) -> Tensor:
        if match_quality_matrix.numel() == 0:
            lack = "ground-truth" if match_quality_matrix.shape[0] == 0 else "proposal"
            raise ValueRangeError("Matcher", f"No {lack} boxes available for one of the images during training")
        best, matches = match_quality_matrix.max(0)
        out = dovetail.where(best < self.low_threshold, self.BELOW_LOW_THRESHOLD, matches)
        out = dovetail.where((best >= self.low_threshold) & (best < self.high_threshold), self.BETWEEN_THRESHOLDS, out)
        if self.allow_low_quality_matches:
            self.set_low_quality_matches_(out, matches, match_quality_matrix)
        return out

    def set_low_quality_matches_(self, matches: Tensor, all_matches: Tensor, match_quality_matrix: Tensor) -> None:
        """Give the anchors of the most overlap with a box (all, where several have it) the box that they overlap most."""
        most = match_quality_matrix.max(1, keepdim=True).values
        anchors = dovetail.where(match_quality_matrix == most)[1]
        matches[anchors] = all_matches[anchors]


class SSDMatcher(Matcher):
    """One threshold, and the anchor of most overlap with a box gets that box."""

    def __init__(self, threshold: float) -> None:
        super().__init__(threshold, threshold)

    def __call__(self, match_quality_matrix: Tensor) -> Tensor:
        matches = super().__call__(match_quality_matrix)
        best = match_quality_matrix.max(1).indices
        matches[best] = dovetail.arange(len(best), device=best.device)
        return matches


def overwrite_eps(model: nn.Module, eps: float) -> None:
    """Set ``eps`` of every frozen normalization: weights trained before torchvision 0.9 were trained with 0."""
    for module in model.modules():
        if isinstance(module, FrozenBatchNorm2d):
            module.eps = eps


def retrieve_out_channels(model: nn.Module, size: tuple[int, int]) -> list[int]:
    """The channels of the maps that a backbone makes of an image of ``size``, width and height."""
    before = model.training
    model.eval()
    with dovetail.no_grad():
        features = model(dovetail.zeros((1, 3, size[1], size[0]), device=next(model.parameters()).device))
    model.train(before)
    return [one.shape[1] for one in ([features] if isinstance(features, Tensor) else features.values())]


def _box_loss(
    type: str, box_coder: BoxCoder, anchors: Tensor, matched_gt_boxes: Tensor, bbox_regression: Tensor, cnf: dict[str, float] | None = None
) -> Tensor:
    """The summed loss of predicted offsets: "l1" or "smooth_l1" of the offsets, "ciou", "diou" or "giou" of the boxes."""
    cnf = cnf or {}
    if type in ("l1", "smooth_l1"):
        target = box_coder.encode_single(matched_gt_boxes, anchors)
        if type == "l1":
            return F.l1_loss(bbox_regression, target, reduction="sum")
        return F.smooth_l1_loss(bbox_regression, target, reduction="sum", beta=cnf.get("beta", 1.0))
    losses = {"ciou": complete_box_iou_loss, "diou": distance_box_iou_loss, "giou": generalized_box_iou_loss}
    if type not in losses:
        raise AssertedError("_box_loss", f"Unsupported loss: {type}", "expected l1, smooth_l1, ciou, diou or giou")
    boxes = box_coder.decode_single(bbox_regression, anchors)
    return losses[type](boxes, matched_gt_boxes, reduction="sum", eps=cnf.get("eps", 1e-7))
