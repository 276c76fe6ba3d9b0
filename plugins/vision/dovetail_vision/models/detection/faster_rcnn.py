"""Faster R-CNN: proposals, and of each its class and box; with torchvision's parameter names and initial weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dovetail import Tensor, nn
from dovetail.errors import AssertedError, TypeMismatch, ValueRangeError
from dovetail.nn import functional as F

from ...ops import Conv2dNormActivation, MultiScaleRoIAlign
from .._api import lazy_enums, takes_weights
from .._initial import fan_out, initialise
from ..mobilenetv3 import mobilenet_v3_large
from ..resnet import resnet50
from ._build import Plan, build
from .anchor_utils import AnchorGenerator
from .backbone_utils import BackboneWithFPN, _mobilenet_extractor, _resnet_fpn_extractor
from .generalized_rcnn import GeneralizedRCNN
from .roi_heads import RoIHeads
from .rpn import RegionProposalNetwork, RPNHead
from .transform import GeneralizedRCNNTransform

_ENUMS = {
    "FasterRCNN_ResNet50_FPN_Weights": "fasterrcnn_resnet50_fpn", "FasterRCNN_ResNet50_FPN_V2_Weights": "fasterrcnn_resnet50_fpn_v2",
    "FasterRCNN_MobileNet_V3_Large_FPN_Weights": "fasterrcnn_mobilenet_v3_large_fpn",
    "FasterRCNN_MobileNet_V3_Large_320_FPN_Weights": "fasterrcnn_mobilenet_v3_large_320_fpn",
}  # fmt: skip
__all__ = ["FasterRCNN", *_ENUMS, *_ENUMS.values()]  # noqa: PLE0604

__getattr__ = lazy_enums(__name__, _ENUMS)

Norm = Callable[..., nn.Module]


def _default_anchorgen() -> AnchorGenerator:
    """One size for each map of a pyramid, three shapes."""
    sizes = ((32,), (64,), (128,), (256,), (512,))
    return AnchorGenerator(sizes, ((0.5, 1.0, 2.0),) * len(sizes))


def check_kind(where: str, name: str, value: Any, kind: type) -> None:
    """A TypeError for what is neither None nor of a kind."""
    if value is not None and not isinstance(value, kind):
        raise TypeMismatch(where, f"{name} is {type(value).__name__}", f"expected {kind.__name__} or None")


def check_backbone(where: str, backbone: Any) -> None:
    """A ValueError for a backbone that does not say how many channels its maps have."""
    if not hasattr(backbone, "out_channels"):
        what = "backbone should contain an attribute out_channels specifying the number of output channels"
        raise ValueRangeError(where, what, "", "set it; it is the same for all the levels")


class FasterRCNN(GeneralizedRCNN):
    """Images to boxes, labels and scores; what is called and given says `Detector`. ``num_classes`` counts the background, class 0.

    ``backbone`` gives a map or a dict of maps, and has ``out_channels``. Of sizes and normalization see `GeneralizedRCNNTransform`,
    of proposals (``rpn_…``) `RegionProposalNetwork`, of regions (``box_…``) `RoIHeads`. Parts of one's own take the place of the usual
    ones. Raises a ValueError for contradicting arguments. Source: https://arxiv.org/abs/1506.01497.

    >>> from dovetail import zeros
    >>> from dovetail_vision.models.detection.backbone_utils import resnet_fpn_backbone
    >>> model = FasterRCNN(resnet_fpn_backbone(backbone_name="resnet18", weights=None), 3, min_size=64).eval()
    >>> sorted(model([zeros(3, 40, 50)])[0])
    ['boxes', 'labels', 'scores']
    """

    def __init__(
        self, backbone: nn.Module, num_classes: int | None = None,
        min_size: int | Sequence[int] = 800, max_size: int = 1333, image_mean: list[float] | None = None,
        image_std: list[float] | None = None,
        rpn_anchor_generator: AnchorGenerator | None = None, rpn_head: nn.Module | None = None,
        rpn_pre_nms_top_n_train: int = 2000, rpn_pre_nms_top_n_test: int = 1000, rpn_post_nms_top_n_train: int = 2000,
        rpn_post_nms_top_n_test: int = 1000, rpn_nms_thresh: float = 0.7, rpn_fg_iou_thresh: float = 0.7, rpn_bg_iou_thresh: float = 0.3,
        rpn_batch_size_per_image: int = 256, rpn_positive_fraction: float = 0.5, rpn_score_thresh: float = 0.0,
        box_roi_pool: MultiScaleRoIAlign | None = None, box_head: nn.Module | None = None, box_predictor: nn.Module | None = None,
        box_score_thresh: float = 0.05, box_nms_thresh: float = 0.5, box_detections_per_img: int = 100, box_fg_iou_thresh: float = 0.5,
        box_bg_iou_thresh: float = 0.5, box_batch_size_per_image: int = 512, box_positive_fraction: float = 0.25,
        bbox_reg_weights: tuple[float, float, float, float] | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        where = type(self).__name__
        check_backbone(where, backbone)
        check_kind(where, "rpn_anchor_generator", rpn_anchor_generator, AnchorGenerator)
        check_kind(where, "box_roi_pool", box_roi_pool, MultiScaleRoIAlign)
        if (num_classes is None) == (box_predictor is None):
            given = "both" if box_predictor is not None else "neither"
            raise ValueRangeError(where, f"num_classes and box_predictor are {given} given", "expected one of them")
        channels = backbone.out_channels
        anchors = rpn_anchor_generator or _default_anchorgen()
        rpn = RegionProposalNetwork(
            anchors, rpn_head or RPNHead(channels, anchors.num_anchors_per_location()[0]), rpn_fg_iou_thresh, rpn_bg_iou_thresh,
            rpn_batch_size_per_image, rpn_positive_fraction, {"training": rpn_pre_nms_top_n_train, "testing": rpn_pre_nms_top_n_test},
            {"training": rpn_post_nms_top_n_train, "testing": rpn_post_nms_top_n_test}, rpn_nms_thresh, rpn_score_thresh,
        )  # fmt: skip
        pool = box_roi_pool or MultiScaleRoIAlign(["0", "1", "2", "3"], 7, 2)
        heads = RoIHeads(
            pool, box_head or TwoMLPHead(channels * pool.output_size[0] ** 2, 1024), box_predictor or FastRCNNPredictor(1024, num_classes),
            box_fg_iou_thresh, box_bg_iou_thresh, box_batch_size_per_image, box_positive_fraction, bbox_reg_weights, box_score_thresh,
            box_nms_thresh, box_detections_per_img,
        )  # fmt: skip
        transform = usual_transform(min_size, max_size, image_mean, image_std, **kwargs)
        super().__init__(backbone, rpn, heads, transform)


def usual_transform(
    min_size: Any, max_size: int, image_mean: list[float] | None, image_std: list[float] | None, **kwargs: Any
) -> GeneralizedRCNNTransform:
    """Normalization as ImageNet's unless it is given."""
    mean, std = image_mean or [0.485, 0.456, 0.406], image_std or [0.229, 0.224, 0.225]
    return GeneralizedRCNNTransform(min_size, max_size, mean, std, **kwargs)


class TwoMLPHead(nn.Module):
    """A region's cells through two linear layers: (N, C, H, W) to (N, representation_size).

    >>> from dovetail import zeros
    >>> TwoMLPHead(8, 5)(zeros(3, 2, 2, 2)).shape
    dovetail.Size([3, 5])
    """

    def __init__(self, in_channels: int, representation_size: int) -> None:
        super().__init__()
        self.fc6 = nn.Linear(in_channels, representation_size)
        self.fc7 = nn.Linear(representation_size, representation_size)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.fc7(F.relu(self.fc6(x.flatten(1)))))


class FastRCNNConvFCHead(nn.Sequential):
    """Convolutions, then linear layers, on regions of ``input_size`` (C, H, W).

    >>> from dovetail import zeros
    >>> FastRCNNConvFCHead((2, 3, 3), [4], [5])(zeros(1, 2, 3, 3)).shape
    dovetail.Size([1, 5])
    """

    def __init__(
        self, input_size: tuple[int, int, int], conv_layers: Sequence[int], fc_layers: Sequence[int], norm_layer: Norm | None = None
    ) -> None:
        channels, height, width = input_size
        blocks: list[nn.Module] = []
        for size in conv_layers:
            blocks.append(Conv2dNormActivation(channels, size, norm_layer=norm_layer))
            channels = size
        blocks.append(nn.Flatten())
        channels *= height * width
        for size in fc_layers:
            blocks += [nn.Linear(channels, size), nn.ReLU(inplace=True)]
            channels = size
        super().__init__(*blocks)
        for conv in blocks[: len(conv_layers)]:
            initialise(conv, fan_out)


class FastRCNNPredictor(nn.Module):
    """Scores (N, num_classes) and the offsets of a box for each class (N, 4 num_classes).

    >>> from dovetail import zeros
    >>> [tuple(one.shape) for one in FastRCNNPredictor(5, 3)(zeros(2, 5))]
    [(2, 3), (2, 12)]
    """

    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__()
        self.cls_score = nn.Linear(in_channels, num_classes)
        self.bbox_pred = nn.Linear(in_channels, num_classes * 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if x.ndim == 4 and tuple(x.shape[2:]) != (1, 1):
            raise AssertedError("FastRCNNPredictor", f"x has shape {tuple(x.shape)}", "expected (N, C) or (N, C, 1, 1)")
        x = x.flatten(1)
        return self.cls_score(x), self.bbox_pred(x)


# -------------------------------------------------------------------------------------------------- builders


def resnet50_pyramid(plan: Plan) -> BackboneWithFPN:
    """The backbone of the first versions: normalizations are frozen where it is trained already."""
    return _resnet_fpn_extractor(resnet50(**plan.start, norm_layer=plan.norm_layer), plan.trainable)


def second_version(plan: Plan) -> dict[str, Any]:
    """The parts of the second versions: batch normalization everywhere, deeper heads."""
    backbone = _resnet_fpn_extractor(resnet50(**plan.start), plan.trainable, norm_layer=nn.BatchNorm2d)
    anchors = _default_anchorgen()
    rpn_head = RPNHead(backbone.out_channels, anchors.num_anchors_per_location()[0], conv_depth=2)
    box_head = FastRCNNConvFCHead((backbone.out_channels, 7, 7), [256] * 4, [1024], norm_layer=nn.BatchNorm2d)
    return {"backbone": backbone, "rpn_anchor_generator": anchors, "rpn_head": rpn_head, "box_head": box_head}


@takes_weights("FasterRCNN_ResNet50_FPN_Weights", backbone="ResNet50_Weights")
def fasterrcnn_resnet50_fpn(
    *, weights: Any = None, progress: bool = True, num_classes: int | None = None, weights_backbone: Any = "IMAGENET1K_V1",
    trainable_backbone_layers: int | None = None, **kwargs: Any,
) -> FasterRCNN:  # fmt: skip
    """Faster R-CNN on a ResNet-50 with a feature pyramid; COCO's 91 classes unless ``num_classes``, with the background, says otherwise.

    ``weights``: a ``FasterRCNN_ResNet50_FPN_Weights`` or its name; without them ``weights_backbone``, a ``ResNet50_Weights`` or its
    name, is fetched unless it is None. ``trainable_backbone_layers`` (0 to 5, by default 3) of a trained backbone's stages are not
    frozen. ``kwargs`` go to `FasterRCNN`.
    """

    def make(plan: Plan) -> FasterRCNN:
        return FasterRCNN(resnet50_pyramid(plan), num_classes=plan.num_classes, **kwargs)

    return build(make, weights, progress, num_classes, weights_backbone, trainable_backbone_layers, old_eps=True)


@takes_weights("FasterRCNN_ResNet50_FPN_V2_Weights", backbone="ResNet50_Weights")
def fasterrcnn_resnet50_fpn_v2(
    *, weights: Any = None, progress: bool = True, num_classes: int | None = None, weights_backbone: Any = None,
    trainable_backbone_layers: int | None = None, **kwargs: Any,
) -> FasterRCNN:  # fmt: skip
    """Faster R-CNN with batch normalization and deeper heads, after https://arxiv.org/abs/2111.11429; else as `fasterrcnn_resnet50_fpn`."""

    def make(plan: Plan) -> FasterRCNN:
        return FasterRCNN(**second_version(plan), num_classes=plan.num_classes, **kwargs)

    return build(make, weights, progress, num_classes, weights_backbone, trainable_backbone_layers)


def _mobile(plan: Plan, **kwargs: Any) -> FasterRCNN:
    backbone = _mobilenet_extractor(mobilenet_v3_large(**plan.start, norm_layer=plan.norm_layer), True, plan.trainable)
    anchors = AnchorGenerator(((32, 64, 128, 256, 512),) * 3, ((0.5, 1.0, 2.0),) * 3)
    return FasterRCNN(backbone, plan.num_classes, rpn_anchor_generator=anchors, **{"rpn_score_thresh": 0.05, **kwargs})


@takes_weights("FasterRCNN_MobileNet_V3_Large_FPN_Weights", backbone="MobileNet_V3_Large_Weights")
def fasterrcnn_mobilenet_v3_large_fpn(
    *, weights: Any = None, progress: bool = True, num_classes: int | None = None, weights_backbone: Any = "IMAGENET1K_V1",
    trainable_backbone_layers: int | None = None, **kwargs: Any,
) -> FasterRCNN:  # fmt: skip
    """Faster R-CNN on a MobileNet V3; arguments as those of `fasterrcnn_resnet50_fpn`, of 6 stages."""
    return build(
        lambda plan: _mobile(plan, **kwargs), weights, progress, num_classes, weights_backbone, trainable_backbone_layers, stages=(6, 3)
    )


@takes_weights("FasterRCNN_MobileNet_V3_Large_320_FPN_Weights", backbone="MobileNet_V3_Large_Weights")
def fasterrcnn_mobilenet_v3_large_320_fpn(
    *, weights: Any = None, progress: bool = True, num_classes: int | None = None, weights_backbone: Any = "IMAGENET1K_V1",
    trainable_backbone_layers: int | None = None, **kwargs: Any,
) -> FasterRCNN:  # fmt: skip
    """Faster R-CNN on a MobileNet V3 for images of 320 pixels; arguments as those of `fasterrcnn_resnet50_fpn`, of 6 stages."""
    small = {"min_size": 320, "max_size": 640, "rpn_pre_nms_top_n_test": 150, "rpn_post_nms_top_n_test": 150, **kwargs}
    return build(
        lambda plan: _mobile(plan, **small), weights, progress, num_classes, weights_backbone, trainable_backbone_layers, stages=(6, 3)
    )
