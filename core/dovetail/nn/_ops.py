"""The functions of the `dovetail` namespace as `dv`, for layers, which may not import the package's face."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from ..ops import namespace

__all__ = ["dv"]

dv: Any = SimpleNamespace(**namespace())
