"""Modules of PyTorch's packages that lie elsewhere here: their names, from one or several modules of the counterpart."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

__all__ = ["counterpart"]

_V2 = ("transforms.v2", "transforms.v2.functional")
_KINDS = ("transforms.v2.functional", "tv_tensors")
#: Module below ``torchvision`` → modules below ``dovetail_vision`` that have its names; a leading dot: below ``dovetail``.
_MOVED = {
    "_internally_replaced_utils": (".hub",),
    "ops.ciou_loss": ("ops",),
    "ops.diou_loss": ("ops",),
    "ops.giou_loss": ("ops",),
    "transforms._functional_pil": ("transforms.functional",),
    "transforms._functional_tensor": ("transforms.functional",),
    **{f"transforms.v2._{name}": _V2 for name in "augment auto_augment color container deprecated geometry meta misc".split()},
    **{f"transforms.v2._{name}": _V2 for name in "temporal transform type_conversion utils".split()},
    **{
        f"transforms.v2.functional._{name}": _KINDS
        for name in "augment color deprecated geometry meta misc temporal type_conversion utils".split()
    },
    **{f"tv_tensors._{name}": ("tv_tensors",) for name in "bounding_boxes image keypoints mask tv_tensor video".split()},
    "tv_tensors._dataset_wrapper": ("datasets",),
}


class _Gathered(ModuleType):
    """The names of several modules, the first that has one."""

    def __init__(self, name: str, homes: list[ModuleType]) -> None:
        super().__init__(name, homes[0].__doc__)
        self.__dict__.update(_homes=homes, __file__=homes[0].__file__)

    def __getattr__(self, name: str) -> Any:
        for home in self.__dict__["_homes"] if not name.startswith("__") else ():
            if hasattr(home, name):
                return getattr(home, name)
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")

    def __dir__(self) -> list[str]:
        return sorted({name for home in self.__dict__["_homes"] for name in dir(home)})


def counterpart(home: str, rest: str) -> ModuleType:
    """The module of ``home`` that answers for what is called ``rest`` in PyTorch's package; a ModuleNotFoundError where there is none.

    >>> counterpart("dovetail_vision", "transforms.v2._container").Compose.__name__
    'Compose'
    """
    if (home, rest) == ("dovetail", "_C"):
        return importlib.import_module("dovetail_torch.faces.internals")
    if home != "dovetail_vision" or rest not in _MOVED:
        return importlib.import_module(f"{home}.{rest}" if rest else home)
    homes = [importlib.import_module(f"dovetail{name}" if name.startswith(".") else f"{home}.{name}") for name in _MOVED[rest]]
    return _Gathered(f"{home}.{rest}", homes)
