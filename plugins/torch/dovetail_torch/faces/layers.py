"""What only a few programs ask of ``dovetail.nn`` and ``nn.utils``: the layout of all convolutions' weights, and helpers of old."""

from __future__ import annotations

import warnings
from typing import Any

from dovetail import Tensor, nn

__all__ = ["apply_permutation", "convert_conv2d_weight_memory_format", "convert_conv3d_weight_memory_format"]


def _convert(module: Any, kinds: tuple[type, ...], memory_format: Any) -> Any:
    for m in module.modules():
        if isinstance(m, kinds):
            m.weight.data = m.weight.data.contiguous(memory_format=memory_format)
    return module


def convert_conv2d_weight_memory_format(module: Any, memory_format: Any) -> Any:
    """Lay the weights of all 2-d convolutions of a module out in a memory format."""
    return _convert(module, (nn.Conv2d, nn.ConvTranspose2d), memory_format)


def apply_permutation(tensor: Tensor, permutation: Tensor, dim: int = 1) -> Tensor:
    """``tensor.index_select(dim, permutation)``, by its name in ``nn.modules.rnn``."""
    what = "`apply_permutation` is deprecated, please use `tensor.index_select(dim, permutation)` instead"
    warnings.warn(what, FutureWarning, stacklevel=2)
    return tensor.index_select(dim, permutation)


def _addindent(s_: str, numSpaces: int) -> str:
    """Text whose lines after the first begin further right, as the parts of a printed module do."""
    return s_.replace("\n", "\n" + " " * numSpaces)


def convert_conv3d_weight_memory_format(module: Any, memory_format: Any) -> Any:
    """Lay the weights of all 3-d convolutions of a module out in a memory format."""
    return _convert(module, (nn.Conv3d, nn.ConvTranspose3d), memory_format)
