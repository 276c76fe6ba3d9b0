"""Weight norm by a hook before each forward, which dovetail-science brings, by the path of PyTorch's module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...absent import later

__all__ = ["WeightNorm", "remove_weight_norm", "weight_norm"]

if TYPE_CHECKING:
    from dovetail_science.norm_hooks import WeightNorm, remove_weight_norm, weight_norm
else:
    __getattr__, __dir__ = later(__name__)
