"""What only a few programs ask of ``dovetail.nn`` and ``nn.utils``: a layer of old, and the layout of all convolutions' weights."""

from __future__ import annotations

import warnings
from typing import Any

import dovetail as dv
from dovetail import Tensor, nn
from dovetail.errors import ValueRangeError

__all__ = ["CrossMapLRN2d", "apply_permutation", "convert_conv2d_weight_memory_format", "convert_conv3d_weight_memory_format"]


class CrossMapLRN2d(nn.LocalResponseNorm):
    """:class:`LocalResponseNorm` as old programs have it, on (N, C, H, W): every sum of squares has that of channel 0 in it, as PyTorch's.

    The gradient is that of the result (PyTorch's own is off by a channel).

    >>> import dovetail as dv
    >>> dv.nn.CrossMapLRN2d(3)(dv.ones(1, 4, 3, 3)).shape
    dovetail.Size([1, 4, 3, 3])
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1) -> None:
        super().__init__(size, alpha, beta, k)

    def forward(self, input: Tensor) -> Tensor:
        if input.dim() != 4:
            raise ValueRangeError("CrossMapLRN2d", f"Expected input to be 4D, got {input.dim()}D instead.")
        c = dv.arange(input.size(1), device=input.device)
        near = (((c[:, None] - c).abs() < int((self.size - 1) / 2 + 1)) | (c == 0)).to(input.dtype)
        return input * (dv.einsum("nchw,dc->ndhw", input * input, near) * (self.alpha / self.size) + self.k) ** -self.beta


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
