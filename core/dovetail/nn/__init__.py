"""Layers, losses and the Module that holds them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..absent import later
from . import functional, init
from . import parameter as parameter
from .activation import *
from .adaptive import AdaptiveLogSoftmaxWithLoss
from .attention import MultiheadAttention
from .batch_norm import *
from .containers import *
from .conv import *
from .dropout import *
from .embedding import *
from .lazy import *
from .linear import *
from .loss import *
from .margin_loss import *
from .module import Module
from .norm import *
from .padding import *
from .parallel import DataParallel
from .parameter import Buffer, Parameter, UninitializedBuffer, UninitializedParameter
from .parameter_containers import *
from .pooling import *
from .recurrent import *
from .recurrent_cells import *
from .softmax import *
from .transformer import *
from .vision import *

from . import modules, utils  # isort: skip - they show what is above under other names


if TYPE_CHECKING:
    from . import grad
else:
    __getattr__, __dir__ = later(__name__)  # what is imported when it is first used, and what a plugin brings
