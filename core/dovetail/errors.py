"""Every error a user can meet, and how a message is formed.

Each class also derives from the built-in that PyTorch raises in the same place, so that programs that catch still catch.
"""

from __future__ import annotations

from collections.abc import Sequence

from dovetail_numerics.errors import (
    DeviceError,
    DovetailError,
    DtypeError,
    ShapeError,
    TypeMismatch,
    UnsupportedError,
    ValueRangeError,
    say,
)

__all__ = [
    "AcceleratorError", "AssertedError", "DecodeError", "DeviceError", "DovetailError", "DownloadError", "DtypeError",
    "FormatError", "GradError", "HashMismatch", "ManifestError", "NameClashError", "NoDevice", "NonFiniteError", "NotATensor",
    "OutOfMemory", "PluginError", "RangeError", "ShapeError", "TypeMismatch", "UnknownAttribute", "UnknownNameError",
    "UnsafeArchiveError", "UnsupportedError", "ValueRangeError", "WorkerError", "say",
]  # fmt: skip


def as_tensor_remedy(x: object) -> str:
    """What to do with something that is given in a tensor's place.

    >>> as_tensor_remedy([1.0])
    'make a tensor of it with dovetail.tensor or dovetail.from_numpy'
    """
    if hasattr(x, "forward") and callable(x):
        return f"a layer is made first, and called then: {type(x).__name__}(…)(x)"
    return "make a tensor of it with dovetail.tensor or dovetail.from_numpy"


class NoDevice(DeviceError, AssertionError):
    """A device that this machine does not have; PyTorch's build without it raises an AssertionError in most places."""


class AcceleratorError(DeviceError):
    """PyTorch's name for what a GPU reports after the fact; CuPy raises classes of its own."""


class GradError(DovetailError, RuntimeError):
    """A gradient that was asked for and cannot be given."""


class NotATensor(TypeMismatch, AttributeError):
    """What is no tensor where one belongs; in places PyTorch stumbles over it with an AttributeError."""

    __str__ = Exception.__str__


class AssertedError(DovetailError, AssertionError):
    """A condition that PyTorch asserts."""


class RangeError(DovetailError, IndexError):
    """An index, a dimension or a label outside its range."""


class FormatError(DovetailError, RuntimeError):
    """A file that is not what its reader expects.

    ``path`` names the file, ``offset`` the byte (or None), ``reason`` what is wrong there.
    """

    def __init__(self, path: object, offset: int | None, reason: str) -> None:
        self.path, self.offset, self.reason = path, offset, reason
        at = "" if offset is None else f" at byte {offset}"
        super().__init__(f"{path}{at}: {reason}")

    def __reduce__(self) -> tuple[type, tuple[object, int | None, str]]:
        return type(self), (self.path, self.offset, self.reason)


class DecodeError(FormatError):
    """A sample (an image, a sound, a text) that cannot be decoded."""


class UnsafeArchiveError(FormatError):
    """An archive that would write outside its target or grow past its bound."""


class HashMismatch(FormatError):
    """A file whose SHA-256 is not the one that was declared."""


class DownloadError(DovetailError, OSError):
    """A file that could not be fetched; ``code`` is the HTTP status of the last answer, or None."""

    code: int | None = None


class WorkerError(DovetailError, RuntimeError):
    """A loader worker that died, hung or failed."""


class OutOfMemory(DovetailError, RuntimeError, MemoryError):
    """An allocation that failed: ``asked`` bytes (None where that is not known), while live tensors held ``in_use``.

    ``largest`` describes up to five of them, the largest first.
    """

    asked: int | None = None
    in_use: int = 0
    largest: Sequence[str] = ()


class NonFiniteError(DovetailError, RuntimeError):
    """A NaN or an infinity where finite numbers were asked for."""


class PluginError(DovetailError, RuntimeError):
    """A plugin that failed; the message names plugin, distribution and the command that disables it."""


class ManifestError(PluginError):
    """A plugin manifest that is wrong; the message names file, line, field and what was expected."""


class NameClashError(PluginError):
    """Two plugins that claim one name."""


class UnknownNameError(DovetailError, LookupError, ValueError):
    """A registry key that nobody provides; the message suggests the nearest ones."""

    __str__ = Exception.__str__


class UnknownAttribute(DovetailError, AttributeError):
    """A name that a module or tensor does not have."""
