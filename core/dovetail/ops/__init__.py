"""The ops, one file a family; importing this package makes them all known by name.

A family lists its public functions in `__all__`, those that are also Tensor methods in METHODS, those with an in-place
form in INPLACE, and what stands behind Python's operators in OPERATORS.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

__all__ = ["FAMILIES", "OPERATORS", "namespace"]

_NAMES = (
    "arithmetic", "mixing", "powers", "division", "rounding", "limits", "complex", "trigonometry", "special", "elementwise",
    "compare", "select", "activation", "activation_smooth", "activation_straight",
    "memory", "index", "assign", "views", "transpose", "strides",
    "join", "stacks", "gather", "scatter", "scatter_reduce", "patch", "diag", "shape", "create", "ranges", "compose",
    "random", "random_draws", "random_fill", "reduce", "norms", "extremes", "scan", "sort", "counting",
    "softmax", "linalg", "addends", "contract", "decompose", "matrices",
    "pad", "conv", "pool", "resize", "adaptive_pool", "unpool", "grid", "norm", "batch_norm", "dropout", "embedding", "distance",
    "loss", "loss_classes", "loss_margins", "ctc", "attention", "attention_heads", "recurrent",
)  # fmt: skip

FAMILIES: list[ModuleType] = [importlib.import_module(f"{__name__}.{name}") for name in _NAMES]
OPERATORS: dict[str, Any] = {}


def namespace() -> dict[str, Any]:
    """Every public function of the families, by name; two families that claim one name are an error."""
    found: dict[str, Any] = {}
    for family in FAMILIES:
        for name in family.__all__:
            if name in found:
                raise NameError(f"{name!r} is public in two op families, one of them {family.__name__}")
            found[name] = getattr(family, name)
    return found


for _family in FAMILIES:
    OPERATORS.update(getattr(_family, "OPERATORS", {}))
