"""Choices that torchvision has at its top, of which one is left here: Pillow reads images, PyAV videos."""

from __future__ import annotations

from dovetail.errors import UnsupportedError, ValueRangeError

__all__ = ["disable_beta_transforms_warning", "get_image_backend", "get_video_backend", "set_image_backend", "set_video_backend"]


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


def get_video_backend() -> str:
    """What reads videos: always "pyav".

    >>> get_video_backend()
    'pyav'
    """
    return "pyav"


def set_video_backend(backend: str) -> None:
    """Do nothing, as torchvision's: videos are read by PyAV alone.

    >>> set_video_backend("pyav")
    """


def disable_beta_transforms_warning() -> None:
    """Do nothing: ``transforms.v2`` warns of nothing here, nor does torchvision's since it left beta.

    >>> disable_beta_transforms_warning()
    """
