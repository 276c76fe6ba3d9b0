"""Mask R-CNN: Faster R-CNN with a mask of each object."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from dovetail import nn
from dovetail.errors import ValueRangeError

from ...ops import Conv2dNormActivation, MultiScaleRoIAlign
from ...ops.feature_pyramid_network import move_keys
from .._api import lazy_enums, takes_weights
from .._initial import fan_out, initialise
from ._build import Plan, build
from .faster_rcnn import FasterRCNN, check_backbone, check_kind, resnet50_pyramid, second_version

_ENUMS = {"MaskRCNN_ResNet50_FPN_Weights": "maskrcnn_resnet50_fpn", "MaskRCNN_ResNet50_FPN_V2_Weights": "maskrcnn_resnet50_fpn_v2"}
__all__ = ["MaskRCNN", *_ENUMS, *_ENUMS.values()]  # noqa: PLE0604

__getattr__ = lazy_enums(__name__, _ENUMS)


class MaskRCNN(FasterRCNN):
    """`FasterRCNN`, its arguments first, which also gives ``masks`` (N, 1, H, W), the probability that a pixel belongs to the object.

    While training, targets have ``masks`` (N, H, W) of 0 and 1 too, and the losses ``loss_mask``. Source:
    https://arxiv.org/abs/1703.06870.
    """

    def __init__(
        self, backbone: nn.Module, num_classes: int | None = None, *args: Any, mask_roi_pool: MultiScaleRoIAlign | None = None,
        mask_head: nn.Module | None = None, mask_predictor: nn.Module | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        check_backbone("MaskRCNN", backbone)
        check_kind("MaskRCNN", "mask_roi_pool", mask_roi_pool, MultiScaleRoIAlign)
        check_free("MaskRCNN", "num_classes", num_classes, "mask_predictor", mask_predictor)
        pool = mask_roi_pool or MultiScaleRoIAlign(["0", "1", "2", "3"], 14, 2)
        head = mask_head or MaskRCNNHeads(backbone.out_channels, [256] * 4, 1)
        predictor = mask_predictor or MaskRCNNPredictor(256, 256, num_classes)  # type: ignore[arg-type]
        super().__init__(backbone, num_classes, *args, **kwargs)
        self.roi_heads.mask_roi_pool = pool
        self.roi_heads.mask_head = head
        self.roi_heads.mask_predictor = predictor


class MaskRCNNHeads(nn.Sequential):
    """Convolutions that keep a region's size.

    >>> from dovetail import zeros
    >>> MaskRCNNHeads(2, [4, 5], 1)(zeros(1, 2, 14, 14)).shape
    dovetail.Size([1, 5, 14, 14])
    """

    _version = 2

    def __init__(self, in_channels: int, layers: Sequence[int], dilation: int, norm_layer: Callable[..., nn.Module] | None = None) -> None:
        sizes = zip([in_channels, *layers], layers, strict=False)
        super().__init__(*(Conv2dNormActivation(*size, padding=dilation, dilation=dilation, norm_layer=norm_layer) for size in sizes))
        initialise(self, fan_out)

    def _load_from_state_dict(self, state_dict: Any, prefix: str, local_metadata: Any, *rest: Any) -> None:
        if local_metadata.get("version") is None or local_metadata["version"] < 2:  # convolutions by names of their own
            move_keys(state_dict, prefix, {f"mask_fcn{i + 1}": f"{i}.0" for i in range(len(self))})
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)


class MaskRCNNPredictor(nn.Sequential):
    """Twice the size, and a mask for each class: (N, in_channels, M, M) to (N, num_classes, 2 M, 2 M).

    >>> from dovetail import zeros
    >>> MaskRCNNPredictor(2, 3, 5)(zeros(1, 2, 14, 14)).shape
    dovetail.Size([1, 5, 28, 28])
    """

    def __init__(self, in_channels: int, dim_reduced: int, num_classes: int) -> None:
        larger, last = nn.ConvTranspose2d(in_channels, dim_reduced, 2, 2, 0), nn.Conv2d(dim_reduced, num_classes, 1)
        super().__init__(OrderedDict(conv5_mask=larger, relu=nn.ReLU(inplace=True), mask_fcn_logits=last))
        for layer in (larger, last):
            fan_out(layer.weight)


def check_free(where: str, name: str, value: Any, part: str, given: Any) -> None:
    """A ValueError for a number that a part of one's own has settled already."""
    if value is not None and given is not None:
        raise ValueRangeError(where, f"{name} and {part} are both given", f"{name} should be None when {part} is specified")


@takes_weights("MaskRCNN_ResNet50_FPN_Weights", backbone="ResNet50_Weights")
def maskrcnn_resnet50_fpn(
    *, weights: Any = None, progress: bool = True, num_classes: int | None = None, weights_backbone: Any = "IMAGENET1K_V1",
    trainable_backbone_layers: int | None = None, **kwargs: Any,
) -> MaskRCNN:  # fmt: skip
    """Mask R-CNN on a ResNet-50 with a feature pyramid; arguments as those of `fasterrcnn_resnet50_fpn`."""

    def make(plan: Plan) -> MaskRCNN:
        return MaskRCNN(resnet50_pyramid(plan), num_classes=plan.num_classes, **kwargs)

    return build(make, weights, progress, num_classes, weights_backbone, trainable_backbone_layers, old_eps=True)


@takes_weights("MaskRCNN_ResNet50_FPN_V2_Weights", backbone="ResNet50_Weights")
def maskrcnn_resnet50_fpn_v2(
    *, weights: Any = None, progress: bool = True, num_classes: int | None = None, weights_backbone: Any = None,
    trainable_backbone_layers: int | None = None, **kwargs: Any,
) -> MaskRCNN:  # fmt: skip
    """Mask R-CNN with batch normalization and deeper heads, after https://arxiv.org/abs/2111.11429; else as `maskrcnn_resnet50_fpn`."""

    def make(plan: Plan) -> MaskRCNN:
        parts = second_version(plan)
        head = MaskRCNNHeads(parts["backbone"].out_channels, [256] * 4, 1, norm_layer=nn.BatchNorm2d)
        return MaskRCNN(**parts, num_classes=plan.num_classes, mask_head=head, **kwargs)

    return build(make, weights, progress, num_classes, weights_backbone, trainable_backbone_layers)
