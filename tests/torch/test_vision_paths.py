"""Modules of torchvision's that programs import, private ones among them: each is answered."""

from __future__ import annotations

import importlib

import pytest

import dovetail_torch
from dovetail_torch import report

# module: some of its names
PATHS = {
    "torchvision": "get_image_backend set_image_backend disable_beta_transforms_warning tv_tensors io ops utils models datasets transforms",
    "torchvision._internally_replaced_utils": "load_state_dict_from_url",
    "torchvision.datasets.folder": "ImageFolder default_loader pil_loader make_dataset IMG_EXTENSIONS",
    "torchvision.datasets.utils": "download_url check_integrity extract_archive",
    "torchvision.datasets.vision": "VisionDataset StandardTransform",
    "torchvision.io.image": "read_image ImageReadMode decode_image write_png",
    "torchvision.models._api": "WeightsEnum Weights register_model",
    "torchvision.models._meta": "_IMAGENET_CATEGORIES _COCO_CATEGORIES _VOC_CATEGORIES",
    "torchvision.models._utils": "IntermediateLayerGetter handle_legacy_interface _ovewrite_named_param _make_divisible",
    "torchvision.models.detection.anchor_utils": "AnchorGenerator",
    "torchvision.models.detection.backbone_utils": "resnet_fpn_backbone BackboneWithFPN",
    "torchvision.models.detection.faster_rcnn": "FasterRCNN FastRCNNPredictor TwoMLPHead",
    "torchvision.models.detection.mask_rcnn": "MaskRCNN MaskRCNNPredictor MaskRCNNHeads",
    "torchvision.models.detection.transform": "GeneralizedRCNNTransform",
    "torchvision.models.resnet": "ResNet BasicBlock Bottleneck conv1x1 conv3x3",
    "torchvision.models.segmentation.deeplabv3": "DeepLabHead ASPP DeepLabV3",
    "torchvision.ops.giou_loss": "generalized_box_iou_loss",
    "torchvision.ops.misc": "FrozenBatchNorm2d Conv2dNormActivation",
    "torchvision.transforms._presets": "ImageClassification ObjectDetection",
    "torchvision.transforms.autoaugment": "AutoAugment AutoAugmentPolicy TrivialAugmentWide",
    "torchvision.transforms.functional": "to_tensor resize InterpolationMode",
    "torchvision.transforms.transforms": "Compose ToTensor ColorJitter",
    "torchvision.transforms.v2._utils": "check_type get_bounding_boxes query_size",
    "torchvision.transforms.v2.functional._meta": "get_size convert_bounding_box_format",
    "torchvision.tv_tensors._bounding_boxes": "BoundingBoxes BoundingBoxFormat",
}


@pytest.mark.parametrize("path", PATHS)
def test_a_module_of_torchvision_is_answered(path):
    dovetail_torch.install()
    try:
        module = importlib.import_module(path)
        lacking = [name for name in PATHS[path].split() if not hasattr(module, name)]
        with pytest.raises(AttributeError):
            module.no_such_name
    finally:
        dovetail_torch.uninstall()
    assert not lacking
    program = "".join(f"from {path} import {name}\n" for name in PATHS[path].split())
    assert report(program).missing == []


@pytest.mark.parametrize("path", ["models._utils", "models._meta", "models.segmentation._utils", "ops._utils", "extension", "version"])
def test_a_module_is_reached_through_its_package(path):
    dovetail_torch.install()
    try:
        import torchvision

        found = torchvision
        for name in path.split("."):
            found = getattr(found, name)
        assert found is importlib.import_module(f"dovetail_vision.{path}")
    finally:
        dovetail_torch.uninstall()


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("torchvision.models.utils", "use torch.hub.load_state_dict_from_url"),
        ("torchvision.models.quantization", "there is no quantization yet"),
        ("torchvision.transforms.functional_tensor", "use torchvision.transforms.functional"),
    ],
)
def test_what_is_not_there_says_what_to_use(path, says):
    dovetail_torch.install()
    try:
        with pytest.raises(ModuleNotFoundError, match=says):
            importlib.import_module(path)
    finally:
        dovetail_torch.uninstall()
