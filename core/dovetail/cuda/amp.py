"""Mixed precision on a GPU by its older names: ``amp.autocast("cuda")`` and ``amp.GradScaler("cuda")``."""

from __future__ import annotations

from typing import Any

from .. import amp
from ..dtypes import TYPES

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd"]
__path__: list[str] = []  # PyTorch's is a package


class autocast(amp.autocast):
    """``amp.autocast("cuda")``."""

    def __init__(self, enabled: bool = True, dtype: Any = TYPES["float16"], cache_enabled: bool = True) -> None:
        super().__init__("cuda", dtype, enabled, cache_enabled)


class GradScaler(amp.GradScaler):
    """``amp.GradScaler("cuda")``."""

    def __init__(
        self,
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        super().__init__("cuda", init_scale, growth_factor, backoff_factor, growth_interval, enabled)


def custom_fwd(fwd: Any = None, *, cast_inputs: Any = None) -> Any:
    """``amp.custom_fwd`` for a GPU."""
    return amp.custom_fwd(fwd, device_type="cuda", cast_inputs=cast_inputs)


def custom_bwd(bwd: Any = None) -> Any:
    """``amp.custom_bwd`` for a GPU."""
    return amp.custom_bwd(bwd, device_type="cuda")
