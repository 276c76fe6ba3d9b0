"""Optimizers, and `lr_scheduler` for their learning rates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..absent import later
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

__all__ = [
    "ASGD", "LBFGS", "SGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "Muon", "NAdam", "Optimizer",
    "RAdam", "RMSprop", "Rprop",
]  # fmt: skip


if TYPE_CHECKING:
    from . import lr_scheduler, swa_utils
    from .sparse_adam import SparseAdam
else:
    __getattr__, __dir__ = later(__name__)  # what is imported when it is first used
