"""SSD: classes and boxes of anchors on maps that get ever coarser, without a pyramid."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import dovetail
from dovetail import Tensor, nn
from dovetail.errors import ValueRangeError
from dovetail.nn import functional as F

from ...ops import batched_nms, clip_boxes_to_image
from .._api import lazy_enums, takes_weights
from .._initial import initialise
from ..vgg import vgg16
from ._build import Plan, build
from ._utils import BoxCoder, SSDMatcher, retrieve_out_channels
from .anchor_utils import DefaultBoxGenerator
from .backbone_utils import freeze_stages
from .faster_rcnn import usual_transform
from .generalized_rcnn import Detector
from .image_list import ImageList
from .retinanet import matched
from .rpn import rows

_ENUMS = {"SSD300_VGG16_Weights": "ssd300_vgg16"}
__all__ = ["SSD", *_ENUMS, *_ENUMS.values()]  # noqa: PLE0604

__getattr__ = lazy_enums(__name__, _ENUMS)

Target = dict[str, Tensor]


class SSDScoringHead(nn.Module):
    """A layer of its own for each map, their results as rows of ``num_columns``: (N, A, num_columns).

    >>> SSDScoringHead(nn.ModuleList([nn.Conv2d(4, 6, 1)]), 3)([dovetail.zeros(1, 4, 2, 2)]).shape
    dovetail.Size([1, 8, 3])
    """

    def __init__(self, module_list: nn.ModuleList, num_columns: int) -> None:
        super().__init__()
        self.module_list = module_list
        self.num_columns = num_columns

    def forward(self, x: Sequence[Tensor]) -> Tensor:
        return dovetail.cat([rows(layer(one), self.num_columns) for layer, one in zip(self.module_list, x, strict=False)], 1)


class SSDClassificationHead(SSDScoringHead):
    """Class logits (N, A, num_classes), for maps of ``in_channels`` and ``num_anchors`` a cell.

    >>> SSDClassificationHead([4], [2], 5)([dovetail.zeros(1, 4, 2, 2)]).shape
    dovetail.Size([1, 8, 5])
    """

    def __init__(self, in_channels: Sequence[int], num_anchors: Sequence[int], num_classes: int) -> None:
        super().__init__(_layers(in_channels, num_anchors, num_classes), num_classes)


class SSDRegressionHead(SSDScoringHead):
    """Offsets of boxes (N, A, 4), likewise.

    >>> SSDRegressionHead([4], [2])([dovetail.zeros(1, 4, 2, 2)]).shape
    dovetail.Size([1, 8, 4])
    """

    def __init__(self, in_channels: Sequence[int], num_anchors: Sequence[int]) -> None:
        super().__init__(_layers(in_channels, num_anchors, 4), 4)


class SSDHead(nn.Module):
    """Heads of classes and of boxes: a dict of ``bbox_regression`` (N, A, 4) and ``cls_logits`` (N, A, num_classes).

    >>> sorted(SSDHead([4], [2], 5)([dovetail.zeros(1, 4, 2, 2)]))
    ['bbox_regression', 'cls_logits']
    """

    def __init__(self, in_channels: Sequence[int], num_anchors: Sequence[int], num_classes: int) -> None:
        super().__init__()
        self.classification_head = SSDClassificationHead(in_channels, num_anchors, num_classes)
        self.regression_head = SSDRegressionHead(in_channels, num_anchors)

    def forward(self, x: Sequence[Tensor]) -> dict[str, Tensor]:
        return {"bbox_regression": self.regression_head(x), "cls_logits": self.classification_head(x)}


def _layers(in_channels: Sequence[int], num_anchors: Sequence[int], columns: int) -> nn.ModuleList:
    pairs = zip(in_channels, num_anchors, strict=False)
    layers = nn.ModuleList([nn.Conv2d(channels, columns * anchors, 3, padding=1) for channels, anchors in pairs])
    initialise(layers, nn.init.xavier_uniform_)
    return layers


class SSD(Detector):
    """Images to boxes, labels and scores; what is called and given says `Detector`. ``num_classes`` counts the background, class 0.

    Images become ``size``, width and height. Of each class the ``topk_candidates`` best boxes above ``score_thresh`` are looked at;
    those are kept that overlap no better box of their class by more than ``nms_thresh``, ``detections_per_img`` at most. While
    training an anchor has an object from an overlap of ``iou_thresh`` on, and the worst of the others count, so that
    ``positive_fraction`` have one. Source: https://arxiv.org/abs/1512.02325.
    """

    def __init__(
        self, backbone: nn.Module, anchor_generator: DefaultBoxGenerator, size: tuple[int, int], num_classes: int,
        image_mean: list[float] | None = None, image_std: list[float] | None = None, head: nn.Module | None = None,
        score_thresh: float = 0.01, nms_thresh: float = 0.45, detections_per_img: int = 200, iou_thresh: float = 0.5,
        topk_candidates: int = 400, positive_fraction: float = 0.25, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__()
        self.backbone = backbone
        self.anchor_generator = anchor_generator
        self.box_coder = BoxCoder((10.0, 10.0, 5.0, 5.0))
        if head is None:
            channels = backbone.out_channels if hasattr(backbone, "out_channels") else retrieve_out_channels(backbone, size)
            check_maps(channels, anchor_generator)
            head = SSDHead(channels, anchor_generator.num_anchors_per_location(), num_classes)
        self.head = head
        self.proposal_matcher = SSDMatcher(iou_thresh)
        self.transform = usual_transform(min(size), max(size), image_mean, image_std, size_divisible=1, fixed_size=size, **kwargs)
        self.score_thresh = score_thresh
        self.nms_thresh = nms_thresh
        self.detections_per_img = detections_per_img
        self.topk_candidates = topk_candidates
        self.neg_to_pos_ratio = (1.0 - positive_fraction) / positive_fraction

    def compute_loss(
        self, targets: Sequence[Target], head_outputs: dict[str, Tensor], anchors: Sequence[Tensor], matched_idxs: Sequence[Tensor]
    ) -> dict[str, Tensor]:
        """The losses of boxes and classes, over the number of anchors that have an object."""
        box_losses, truth, count = [], [], 0
        for target, offsets, own, at in zip(targets, head_outputs["bbox_regression"], anchors, matched_idxs, strict=True):
            found = dovetail.where(at >= 0)[0]
            count += len(found)
            goal = self.box_coder.encode_single(target["boxes"][at[found]], own[found])
            box_losses.append(F.smooth_l1_loss(offsets[found], goal, reduction="sum"))
            classes = dovetail.zeros(len(at), dtype=target["labels"].dtype, device=at.device)
            classes[found] = target["labels"][at[found]]
            truth.append(classes)
        class_loss = self._class_loss(head_outputs["cls_logits"], dovetail.stack(truth))
        return {"bbox_regression": dovetail.stack(box_losses).sum() / max(1, count), "classification": class_loss / max(1, count)}

    def _class_loss(self, logits: Tensor, truth: Tensor) -> Tensor:
        """The summed loss of the anchors with an object and of the worst of the others, so many times more of them."""
        loss = F.cross_entropy(logits.reshape(-1, logits.shape[-1]), truth.reshape(-1), reduction="none").reshape(truth.shape)
        found = truth > 0
        rank = dovetail.where(found, -dovetail.inf, loss.detach()).argsort(1, descending=True).argsort(1)
        worst = rank < self.neg_to_pos_ratio * found.sum(1, keepdim=True)
        return loss[found].sum() + loss[worst].sum()

    def detect(
        self, images: ImageList, features: dict[str, Tensor], targets: list[Target] | None
    ) -> tuple[dict[str, Tensor], list[Target]]:
        maps = list(features.values())
        outputs, anchors = self.head(maps), self.anchor_generator(images, maps)
        if self.training:
            return self.compute_loss(targets or [], outputs, anchors, matched(self.proposal_matcher, anchors, targets or [])), []
        return {}, self.postprocess_detections(outputs, anchors, images.image_sizes)

    def postprocess_detections(
        self, head_outputs: dict[str, Tensor], image_anchors: Sequence[Tensor], image_shapes: Sequence[tuple[int, int]]
    ) -> list[Target]:
        """What is found in each image."""
        results = []
        parts = zip(head_outputs["bbox_regression"], F.softmax(head_outputs["cls_logits"], -1), image_anchors, image_shapes, strict=True)
        for offsets, scores, anchors, size in parts:
            boxes = clip_boxes_to_image(self.box_coder.decode_single(offsets, anchors), size)
            best, at = scores[:, 1:].T.topk(min(self.topk_candidates, len(scores)), dim=1)
            kept = best > self.score_thresh
            labels = dovetail.arange(1, scores.shape[1], device=scores.device)[:, None].expand_as(at)[kept]
            best, boxes = best[kept], boxes[at[kept]]
            keep = batched_nms(boxes, best, labels, self.nms_thresh)[: self.detections_per_img]
            results.append({"boxes": boxes[keep], "scores": best[keep], "labels": labels[keep]})
        return results


def check_maps(channels: Sequence[int], anchors: DefaultBoxGenerator) -> None:
    """A ValueError for as many maps as there are no shapes of anchors for."""
    if len(channels) != len(anchors.aspect_ratios):
        what = f"the backbone gives {len(channels)} maps and anchor_generator has aspect_ratios for {len(anchors.aspect_ratios)}"
        raise ValueRangeError("SSD", what, "expected as many")


class SSDFeatureExtractorVGG(nn.Module):
    """VGG's fourth stage, normalized and scaled by what is learned, its fifth, and ever coarser maps; one more if ``highres``."""

    def __init__(self, backbone: Any, highres: bool) -> None:
        super().__init__()
        pools = [i for i, layer in enumerate(backbone) if isinstance(layer, nn.MaxPool2d)]
        third, fourth = pools[2], pools[3]
        backbone[third].ceil_mode = True  # 75 cells become 38
        self.scale_weight = nn.Parameter(dovetail.ones(512) * 20)
        self.features = nn.Sequential(*backbone[:fourth])
        halving = {"padding": 1, "stride": 2}
        extra = nn.ModuleList([_narrow(1024, 512, **halving), _narrow(512, 256, **halving), _narrow(256, 256), _narrow(256, 256)])
        if highres:
            extra.append(_narrow(256, 256, kernel_size=4))
        initialise(extra, nn.init.xavier_uniform_)
        fc = nn.Sequential(
            nn.MaxPool2d(3, stride=1, padding=1), nn.Conv2d(512, 1024, 3, padding=6, dilation=6), nn.ReLU(inplace=True),
            nn.Conv2d(1024, 1024, 1), nn.ReLU(inplace=True),
        )  # fmt: skip
        initialise(fc, nn.init.xavier_uniform_)
        extra.insert(0, nn.Sequential(*backbone[fourth:-1], fc))
        self.extra = extra

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        x = self.features(x)
        out = [self.scale_weight.reshape(1, -1, 1, 1) * F.normalize(x)]
        for block in self.extra:
            x = block(x)
            out.append(x)
        return OrderedDict((str(i), one) for i, one in enumerate(out))


def _narrow(channels: int, out: int, kernel_size: int = 3, **kwargs: Any) -> nn.Sequential:
    """Half the channels by 1 × 1, then a convolution."""
    first, second = nn.Conv2d(channels, out // 2, 1), nn.Conv2d(out // 2, out, kernel_size, **kwargs)
    return nn.Sequential(first, nn.ReLU(inplace=True), second, nn.ReLU(inplace=True))


def _vgg_extractor(backbone: Any, highres: bool, trainable_layers: int) -> SSDFeatureExtractorVGG:
    layers = backbone.features
    freeze_stages(layers[:-1], lambda layer: isinstance(layer, nn.MaxPool2d), trainable_layers, last=False)
    return SSDFeatureExtractorVGG(layers, highres)


@takes_weights("SSD300_VGG16_Weights", backbone="VGG16_Weights.IMAGENET1K_FEATURES")
def ssd300_vgg16(
    *, weights: Any = None, progress: bool = True, num_classes: int | None = None, weights_backbone: Any = "IMAGENET1K_FEATURES",
    trainable_backbone_layers: int | None = None, **kwargs: Any,
) -> SSD:  # fmt: skip
    """SSD on VGG-16, for images of 300 × 300; arguments as those of `fasterrcnn_resnet50_fpn`, the backbone's a ``VGG16_Weights``."""
    usual = {"image_mean": [0.48235, 0.45882, 0.40784], "image_std": [1.0 / 255.0] * 3, **kwargs}

    def make(plan: Plan) -> SSD:
        backbone = _vgg_extractor(vgg16(**plan.start), False, plan.trainable)
        scales, steps = [0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05], [8, 16, 32, 64, 100, 300]
        anchors = DefaultBoxGenerator([[2], [2, 3], [2, 3], [2, 3], [2], [2]], scales=scales, steps=steps)
        return SSD(backbone, anchors, (300, 300), plan.num_classes, **usual)

    return build(make, weights, progress, num_classes, weights_backbone, trainable_backbone_layers, stages=(5, 4))
