"""Names for annotations, by PyTorch's path."""

from __future__ import annotations

import builtins
import os
from typing import IO, Any, TypeAlias

from .device import Device as _Device
from .dtypes import dtype as _dtype  # noqa: F401
from .size import Size
from .tensor import Tensor

__all__ = ["Device", "FileLike", "Number", "Tensor"]

_int, _float, _bool, _complex, _device, _size = builtins.int, builtins.float, builtins.bool, builtins.complex, _Device, Size

Number: TypeAlias = int | float | bool
Device: TypeAlias = _Device | str | int | None
FileLike: TypeAlias = str | os.PathLike[str] | IO[Any]
