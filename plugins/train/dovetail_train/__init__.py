"""Training for days: a loop with callbacks, `dovetail train`, and a view inside the model; see dovetail.toml for what there is."""

from __future__ import annotations

from .callbacks import Curves, EarlyStopping, MetricsFile, Progress
from .state import State
from .trainer import Trainer

__all__ = ["Curves", "EarlyStopping", "MetricsFile", "Progress", "State", "Trainer"]
