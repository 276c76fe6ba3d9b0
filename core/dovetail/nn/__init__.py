"""Layers, losses and the Module that holds them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import functional, init
from . import parameter as parameter
from .activation import *
from .attention import MultiheadAttention
from .batch_norm import *
from .containers import *
from .conv import *
from .dropout import *
from .embedding import *
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


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """`nn.grad`, which a plugin brings and no program imports before it uses it."""
        if name != "grad":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return import_module(f"{__name__}.grad")
