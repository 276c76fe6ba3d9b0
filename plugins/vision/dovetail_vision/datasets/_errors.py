"""What readers of datasets raise; each is also the built-in that torchvision raises in the same place."""

from __future__ import annotations

from types import ModuleType

from PIL import UnidentifiedImageError

from dovetail.errors import DecodeError, DovetailError, FormatError, HashMismatch

__all__ = ["DamagedFile", "HubError", "MissingFiles", "MissingPackage", "OtherFile", "Unreadable", "package"]


class MissingFiles(FormatError, FileNotFoundError):
    """Files or folders that are not there: a FormatError (so a RuntimeError) and a FileNotFoundError."""


class Unreadable(DecodeError, UnidentifiedImageError):
    """An image file that Pillow cannot read: a DecodeError and Pillow's UnidentifiedImageError (so an OSError)."""


class DamagedFile(FormatError, ValueError):
    """A file of a dataset that is not what its format asks for: a FormatError and a ValueError."""


class OtherFile(HashMismatch, ValueError):
    """A file of a dataset whose MD5 is not the published one."""


class HubError(DovetailError, OSError):
    """A dataset that cannot be fetched or opened."""

    __str__ = Exception.__str__


class MissingPackage(DovetailError, ImportError, RuntimeError):
    """An optional package that a dataset's format needs and that is not installed; torchvision raises either of the two."""


def package(name: str, where: str, extra: str) -> ModuleType:
    """Import an optional package when it is needed; MissingPackage says which extra of dovetail-vision brings it.

    >>> package("no_such_package", "LSUN", "lmdb")
    Traceback (most recent call last):
    ...
    dovetail_vision.datasets._errors.MissingPackage: LSUN: its files need the package no_such_package...
    """
    from importlib import import_module

    try:
        return import_module(name)
    except ImportError as error:
        what = f"its files need the package {name.partition('.')[0]}, which is not installed"
        raise MissingPackage(where, what, "", f"pip install 'dovetail-vision[{extra}]'") from error
