"""Optimizers, and `lr_scheduler` for their learning rates."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .adadelta import Adadelta
from .adafactor import Adafactor
from .adagrad import Adagrad
from .adam import Adam
from .adamax import Adamax
from .adamw import AdamW
from .asgd import ASGD
from .lbfgs import LBFGS
from .muon import Muon
from .nadam import NAdam
from .optimizer import Optimizer
from .radam import RAdam
from .rmsprop import RMSprop
from .rprop import Rprop
from .sgd import SGD
from .sparse_adam import SparseAdam

__all__ = [
    "ASGD", "LBFGS", "SGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "Muon", "NAdam", "Optimizer",
    "RAdam", "RMSprop", "Rprop", "SparseAdam",
]  # fmt: skip


if TYPE_CHECKING:
    from . import lr_scheduler, swa_utils
else:

    def __getattr__(name: str) -> Any:
        if name == "lr_scheduler":
            return importlib.import_module(f"{__name__}.{name}")
        if name == "swa_utils":  # a plugin's module
            from ..plugins.namespaces import resolve

            return resolve("optim.swa_utils")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
