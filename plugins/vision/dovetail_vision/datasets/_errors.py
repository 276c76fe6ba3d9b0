"""What readers of datasets raise; each is also the built-in that torchvision raises in the same place."""

from __future__ import annotations

from PIL import UnidentifiedImageError

from dovetail.errors import DecodeError, FormatError

__all__ = ["MissingFiles", "Unreadable"]


class MissingFiles(FormatError, FileNotFoundError):
    """Files or folders that are not there: a FormatError (so a RuntimeError) and a FileNotFoundError."""


class Unreadable(DecodeError, UnidentifiedImageError):
    """An image file that Pillow cannot read: a DecodeError and Pillow's UnidentifiedImageError (so an OSError)."""
