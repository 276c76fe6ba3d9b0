"""Models that tell the class of every pixel, by torchvision's names; a family is imported when one of its names is first used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

#: Module → the names that it gives.
FAMILIES: dict[str, list[str]] = {
    "fcn": ["FCN", "FCN_ResNet50_Weights", "FCN_ResNet101_Weights", "fcn_resnet50", "fcn_resnet101"],
    "deeplabv3": [
        "DeepLabV3", "DeepLabV3_ResNet50_Weights", "DeepLabV3_ResNet101_Weights", "DeepLabV3_MobileNet_V3_Large_Weights",
        "deeplabv3_resnet50", "deeplabv3_resnet101", "deeplabv3_mobilenet_v3_large",
    ],
    "lraspp": ["LRASPP", "LRASPP_MobileNet_V3_Large_Weights", "lraspp_mobilenet_v3_large"],
}  # fmt: skip
_HOME = {name: family for family, names in FAMILIES.items() for name in names}
__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name in FAMILIES or name == "_utils":
        return import_module(f"{__name__}.{name}")
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
