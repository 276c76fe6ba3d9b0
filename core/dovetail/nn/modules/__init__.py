"""The layers under the module paths of PyTorch: ``nn.modules.batchnorm._BatchNorm``, ``nn.modules.utils._pair`` …"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType

from ...absent import later
from ..module import Module

_FACES = {
    "adaptive": "adaptive",
    "activation": "activation softmax attention",
    "batchnorm": "batch_norm",
    "channelshuffle": "vision",
    "container": "containers parameter_containers",
    "conv": "conv",
    "distance": "margin_loss",
    "dropout": "dropout",
    "flatten": "linear",
    "fold": "vision",
    "instancenorm": "batch_norm",
    "lazy": "lazy",
    "linear": "linear",
    "loss": "loss margin_loss",
    "module": "module _hooks _state",
    "normalization": "norm",
    "padding": "padding",
    "pixelshuffle": "vision",
    "pooling": "pooling",
    "rnn": "recurrent recurrent_cells",
    "sparse": "embedding",
    "transformer": "transformer",
    "upsampling": "vision",
    "utils": "_sizes",
}


__getattr__, __dir__ = later(__name__)  # layers that a plugin brings


def _face(name: str, sources: str) -> ModuleType:
    """A module that shows the names of others, the private ones too: programs import `_BatchNorm` and `_ConvNd`."""
    made = ModuleType(f"{__name__}.{name}", f"The names of PyTorch's nn.modules.{name}.")
    made.Module, made.__getattr__ = Module, __getattr__
    for source in sources.split():
        found = vars(import_module(f"..{source}", __name__))
        made.__dict__.update({key: value for key, value in found.items() if not key.startswith("__")})
    sys.modules[made.__name__] = made
    return made


globals().update({name: _face(name, sources) for name, sources in _FACES.items()})
globals().update({k: v for face in _FACES for k, v in vars(globals()[face]).items() if isinstance(v, type) and not k.startswith("_")})
