"""Datasets of images, by torchvision's names and signatures, in their true file formats; each is imported when it is first used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

#: Module → what of it is here.
_WHERE = {
    "cifar": "CIFAR10 CIFAR100",
    "clevr": "CLEVRClassification",
    "coco": "CocoCaptions CocoDetection",
    "country211": "Country211",
    "digits": "Digits",
    "dtd": "DTD",
    "eurosat": "EuroSAT",
    "fakedata": "FakeData",
    "fgvc_aircraft": "FGVCAircraft",
    "flowers102": "Flowers102",
    "folder": "DatasetFolder ImageFolder",
    "food101": "Food101",
    "gtsrb": "GTSRB",
    "imagenette": "Imagenette",
    "mnist": "EMNIST FashionMNIST KMNIST MNIST QMNIST",
    "oxford_iiit_pet": "OxfordIIITPet",
    "rendered_sst2": "RenderedSST2",
    "sbd": "SBDataset",
    "semeion": "SEMEION",
    "stanford_cars": "StanfordCars",
    "stl10": "STL10",
    "sun397": "SUN397",
    "svhn": "SVHN",
    "usps": "USPS",
    "vision": "StandardTransform VisionDataset",
    "voc": "VOCDetection VOCSegmentation",
}
_MODULE = {name: module for module, names in _WHERE.items() for name in names.split()}
_MODULES = {*_WHERE, "samplers", "tiny", "utils"}

__all__ = [
    "CIFAR10", "CIFAR100", "CLEVRClassification", "CocoCaptions", "CocoDetection", "Country211", "DTD", "DatasetFolder", "Digits",
    "EMNIST", "EuroSAT", "FGVCAircraft", "FakeData", "FashionMNIST", "Flowers102", "Food101", "GTSRB", "ImageFolder", "Imagenette",
    "KMNIST", "MNIST", "OxfordIIITPet", "QMNIST", "RenderedSST2", "SBDataset", "SEMEION", "STL10", "SUN397", "SVHN",
    "StandardTransform", "StanfordCars", "USPS", "VOCDetection", "VOCSegmentation", "VisionDataset",
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
