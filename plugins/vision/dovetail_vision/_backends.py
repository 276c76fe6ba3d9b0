"""Choices that torchvision has at its top, of which one is left here: images are read by Pillow."""

from __future__ import annotations

from dovetail.errors import UnsupportedError, ValueRangeError

__all__ = ["disable_beta_transforms_warning", "get_image_backend", "set_image_backend"]


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
