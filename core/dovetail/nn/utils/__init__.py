"""Helpers for parameters, gradients and sequences of different lengths."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...absent import later
from . import rnn
from .clip_grad import clip_grad_norm, clip_grad_norm_, clip_grad_value_, clip_grads_with_norm_, get_total_norm
from .convert_parameters import parameters_to_vector, vector_to_parameters
from .init import skip_init
from .spectral_norm import remove_spectral_norm, spectral_norm
from .weight_norm import remove_weight_norm, weight_norm

__all__ = [
    "clip_grad_norm", "clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_", "get_total_norm", "parameters_to_vector",
    "remove_spectral_norm", "remove_weight_norm", "rnn", "skip_init", "spectral_norm", "vector_to_parameters", "weight_norm",
]  # fmt: skip


if TYPE_CHECKING:
    from dovetail_torch.faces.layers import convert_conv2d_weight_memory_format, convert_conv3d_weight_memory_format

    from . import fusion, parametrizations, parametrize, stateless
    from .fusion import fuse_conv_bn_eval, fuse_conv_bn_weights, fuse_linear_bn_eval, fuse_linear_bn_weights
else:
    __getattr__, __dir__ = later(__name__)  # what is imported when it is first used, and what a plugin brings
