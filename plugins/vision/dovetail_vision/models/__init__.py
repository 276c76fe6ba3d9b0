"""Models that see, by torchvision's names; a family is imported when one of its names is first used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ._api import Weights, WeightsEnum, get_model, get_model_builder, get_model_weights, get_weight, list_models, register_model
from .digits_cnn import DigitsCNN, digits_cnn
from .digits_resnet import DigitsResNet, digits_resnet

#: Module → the names that it gives.
FAMILIES: dict[str, list[str]] = {
    "resnet": [
        "ResNet", "resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext50_32x4d", "resnext101_32x8d", "resnext101_64x4d",
        "wide_resnet50_2", "wide_resnet101_2", "ResNet18_Weights", "ResNet34_Weights", "ResNet50_Weights", "ResNet101_Weights",
        "ResNet152_Weights", "ResNeXt50_32X4D_Weights", "ResNeXt101_32X8D_Weights", "ResNeXt101_64X4D_Weights", "Wide_ResNet50_2_Weights",
        "Wide_ResNet101_2_Weights",
    ]
}  # fmt: skip
_HOME = {name: family for family, names in FAMILIES.items() for name in names}
__all__ = [  # noqa: PLE0604
    "DigitsCNN", "DigitsResNet", "Weights", "WeightsEnum", "digits_cnn", "digits_resnet", "get_model", "get_model_builder",
    "get_model_weights", "get_weight", "list_models", "register_model", *_HOME,
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
