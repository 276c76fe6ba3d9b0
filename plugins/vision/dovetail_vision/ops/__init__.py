"""What vision models are built of, by the names of torchvision's ``ops``."""

from .drop_block import DropBlock2d, drop_block2d
from .misc import MLP, Conv2dNormActivation, FrozenBatchNorm2d, Permute, SqueezeExcitation
from .stochastic_depth import StochasticDepth, stochastic_depth

__all__ = [
    "MLP", "Conv2dNormActivation", "DropBlock2d", "FrozenBatchNorm2d", "Permute", "SqueezeExcitation", "StochasticDepth", "drop_block2d",
    "stochastic_depth",
]  # fmt: skip
