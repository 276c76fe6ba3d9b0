"""Datasets of images, by torchvision's names and signatures, in their true file formats; each is imported when it is first used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

#: Module → what of it is here.
_WHERE = {
    "_optical_flow": "FlyingChairs FlyingThings3D HD1K KittiFlow Sintel",
    "_stereo_matching": "CREStereo CarlaStereo ETH3DStereo FallingThingsStereo InStereo2k Kitti2012Stereo Kitti2015Stereo "
    "Middlebury2014Stereo SceneFlowStereo SintelStereo",
    "caltech": "Caltech101 Caltech256",
    "celeba": "CelebA",
    "cifar": "CIFAR10 CIFAR100",
    "cityscapes": "Cityscapes",
    "clevr": "CLEVRClassification",
    "coco": "CocoCaptions CocoDetection",
    "country211": "Country211",
    "digits": "Digits",
    "dtd": "DTD",
    "eurosat": "EuroSAT",
    "fakedata": "FakeData",
    "fer2013": "FER2013",
    "fgvc_aircraft": "FGVCAircraft",
    "flickr": "Flickr8k Flickr30k",
    "flowers102": "Flowers102",
    "folder": "DatasetFolder ImageFolder",
    "food101": "Food101",
    "gtsrb": "GTSRB",
    "hmdb51": "HMDB51",
    "hub": "HFDataset HFIterableDataset hf",
    "imagenet": "ImageNet",
    "imagenette": "Imagenette",
    "inaturalist": "INaturalist",
    "kinetics": "Kinetics",
    "kitti": "Kitti",
    "lfw": "LFWPairs LFWPeople",
    "lsun": "LSUN LSUNClass",
    "mnist": "EMNIST FashionMNIST KMNIST MNIST QMNIST",
    "moving_mnist": "MovingMNIST",
    "omniglot": "Omniglot",
    "oxford_iiit_pet": "OxfordIIITPet",
    "pcam": "PCAM",
    "phototour": "PhotoTour",
    "places365": "Places365",
    "rendered_sst2": "RenderedSST2",
    "sbd": "SBDataset",
    "sbu": "SBU",
    "semeion": "SEMEION",
    "shapes": "Shapes",
    "stanford_cars": "StanfordCars",
    "stl10": "STL10",
    "sun397": "SUN397",
    "svhn": "SVHN",
    "ucf101": "UCF101",
    "usps": "USPS",
    "vision": "StandardTransform VisionDataset",
    "voc": "VOCDetection VOCSegmentation",
    "widerface": "WIDERFace",
    "wrapped": "wrap_dataset_for_transforms_v2",
}
_MODULE = {name: module for module, names in _WHERE.items() for name in names.split()}
_MODULES = {*_WHERE, "samplers", "tiny", "utils", "video_utils"}

__all__ = [
    "CIFAR10", "CIFAR100", "CLEVRClassification", "CREStereo", "Caltech101", "Caltech256", "CarlaStereo", "CelebA", "Cityscapes",
    "CocoCaptions", "CocoDetection", "Country211", "DTD", "DatasetFolder", "Digits", "EMNIST", "ETH3DStereo", "EuroSAT", "FER2013",
    "FGVCAircraft", "FakeData", "FallingThingsStereo", "FashionMNIST", "Flickr30k", "Flickr8k", "Flowers102", "FlyingChairs",
    "FlyingThings3D", "Food101", "GTSRB", "HD1K", "HFDataset", "HFIterableDataset", "HMDB51", "INaturalist", "ImageFolder",
    "ImageNet", "Imagenette", "InStereo2k", "KMNIST", "Kinetics", "Kitti", "Kitti2012Stereo", "Kitti2015Stereo", "KittiFlow",
    "LFWPairs", "LFWPeople", "LSUN", "LSUNClass", "MNIST", "Middlebury2014Stereo", "MovingMNIST", "Omniglot", "OxfordIIITPet", "PCAM",
    "PhotoTour", "Places365", "QMNIST", "RenderedSST2", "SBDataset", "SBU", "SEMEION", "STL10", "SUN397", "SVHN", "SceneFlowStereo",
    "Shapes", "Sintel", "SintelStereo", "StandardTransform", "StanfordCars", "UCF101", "USPS", "VOCDetection", "VOCSegmentation",
    "VisionDataset", "WIDERFace", "hf", "wrap_dataset_for_transforms_v2",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _MODULE:
        found = getattr(import_module(f"{__name__}.{_MODULE[name]}"), name)
        globals()[name] = found
        return found
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES})
