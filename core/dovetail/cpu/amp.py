"""Mixed precision on the CPU by its older names: ``amp.autocast("cpu")`` and ``amp.GradScaler("cpu")``."""

from __future__ import annotations

from functools import partial
from typing import Any

from .. import amp

__all__ = ["GradScaler", "autocast"]


class autocast(amp.autocast):
    """``amp.autocast("cpu")``."""

    def __init__(self, enabled: bool = True, dtype: Any = None, cache_enabled: bool = True) -> None:
        super().__init__("cpu", dtype, enabled, cache_enabled)


GradScaler = partial(amp.GradScaler, "cpu")
