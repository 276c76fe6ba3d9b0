"""Training for days: a loop with callbacks, `dovetail train`, and a view inside the model; see dovetail.toml for what there is."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .callbacks import Curves, EarlyStopping, MetricsFile, Progress, TensorBoard
    from .drawing import draw
    from .flop_counter import FlopCounterMode
    from .model_summary import summary
    from .nonfinite import check_finite, nonfinite_check
    from .state import State
    from .trainer import Trainer

__all__ = [
    "Curves", "EarlyStopping", "FlopCounterMode", "MetricsFile", "Progress", "State", "TensorBoard", "Trainer", "check_finite", "draw",
    "nonfinite_check", "summary",
]  # fmt: skip

_HOMES = {  # each is imported when a name of it is first asked for
    "callbacks": ("Curves", "EarlyStopping", "MetricsFile", "Progress", "TensorBoard"),
    "drawing": ("draw",), "flop_counter": ("FlopCounterMode",),
    "model_summary": ("summary",), "nonfinite": ("check_finite", "nonfinite_check"), "state": ("State",), "trainer": ("Trainer",),
}  # fmt: skip


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__]
