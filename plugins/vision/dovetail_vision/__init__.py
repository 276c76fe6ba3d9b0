"""Vision for Dovetail: datasets, transforms and models, each imported when it is first used."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from dovetail.errors import UnsupportedError, ValueRangeError

__all__ = ["datasets", "io", "metrics", "models", "ops", "transforms", "tv_tensors", "utils"]

__version__ = "0.2.0"


def __getattr__(name: str) -> ModuleType:
    if name in __all__:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])


def get_image_backend() -> str:
    """What reads images: always "PIL".

    >>> get_image_backend()
    'PIL'
    """
    return "PIL"


def set_image_backend(backend: str) -> None:
    """Choose what reads images: "PIL", as it is; an UnsupportedError for "accimage", a ValueError for other names.

    >>> set_image_backend("PIL")
    """
    if backend == "accimage":
        raise UnsupportedError("set_image_backend", "backend is 'accimage'", "expected 'PIL'", "images are read by Pillow alone")
    if backend != "PIL":
        raise ValueRangeError("set_image_backend", f"backend is {backend!r}", "expected 'PIL'")


def disable_beta_transforms_warning() -> None:
    """Do nothing: ``transforms.v2`` warns of nothing here, nor does torchvision's since it left beta.

    >>> disable_beta_transforms_warning()
    """
