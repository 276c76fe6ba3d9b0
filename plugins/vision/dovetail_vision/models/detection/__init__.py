"""Detectors, by torchvision's names: boxes, masks and key points of what is in an image; a family is imported when it is first used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

#: Module → the names that it gives.
FAMILIES: dict[str, list[str]] = {
    "faster_rcnn": [
        "FasterRCNN", "FasterRCNN_ResNet50_FPN_Weights", "FasterRCNN_ResNet50_FPN_V2_Weights", "FasterRCNN_MobileNet_V3_Large_FPN_Weights",
        "FasterRCNN_MobileNet_V3_Large_320_FPN_Weights", "fasterrcnn_resnet50_fpn", "fasterrcnn_resnet50_fpn_v2",
        "fasterrcnn_mobilenet_v3_large_fpn", "fasterrcnn_mobilenet_v3_large_320_fpn",
    ],
    "fcos": ["FCOS", "FCOS_ResNet50_FPN_Weights", "fcos_resnet50_fpn"],
    "keypoint_rcnn": ["KeypointRCNN", "KeypointRCNN_ResNet50_FPN_Weights", "keypointrcnn_resnet50_fpn"],
    "mask_rcnn": [
        "MaskRCNN", "MaskRCNN_ResNet50_FPN_Weights", "MaskRCNN_ResNet50_FPN_V2_Weights", "maskrcnn_resnet50_fpn",
        "maskrcnn_resnet50_fpn_v2",
    ],
    "retinanet": [
        "RetinaNet", "RetinaNet_ResNet50_FPN_Weights", "RetinaNet_ResNet50_FPN_V2_Weights", "retinanet_resnet50_fpn",
        "retinanet_resnet50_fpn_v2",
    ],
    "ssd": ["SSD", "SSD300_VGG16_Weights", "ssd300_vgg16"],
    "ssdlite": ["SSDLite320_MobileNet_V3_Large_Weights", "ssdlite320_mobilenet_v3_large"],
}  # fmt: skip
_PARTS = ("anchor_utils", "backbone_utils", "generalized_rcnn", "image_list", "roi_heads", "rpn", "transform", "_utils")
_HOME = {name: family for family, names in FAMILIES.items() for name in names}
__all__ = [*_HOME]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name in FAMILIES or name in _PARTS:
        return import_module(f"{__name__}.{name}")
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
