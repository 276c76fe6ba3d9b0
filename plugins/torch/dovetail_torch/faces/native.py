"""Functions that PyTorch also has at the top, beside ``nn.functional``, with the arguments of its native face: as ``dovetail.NAME``.

There `train` has no default, a reduction is a number (0 none, the default, 1 mean, 2 sum), and statistics come after weight and bias.
"""

from __future__ import annotations

from typing import Any

from dovetail import Tensor
from dovetail.errors import TypeMismatch, ValueRangeError
from dovetail.nn import functional as F

__all__ = [
    "adaptive_max_pool1d", "affine_grid_generator", "alpha_dropout", "alpha_dropout_", "batch_norm",
    "binary_cross_entropy_with_logits", "constant_pad_nd", "convolution", "cosine_embedding_loss", "dropout", "dropout_", "embedding",
    "embedding_renorm_", "feature_alpha_dropout", "grid_sampler", "grid_sampler_2d", "grid_sampler_3d", "max_pool1d_with_indices",
    "group_norm", "hinge_embedding_loss", "instance_norm", "kl_div", "layer_norm", "margin_ranking_loss", "poisson_nll_loss",
    "rms_norm", "triplet_margin_loss",
]  # fmt: skip


def _how(where: str, reduction: Any) -> str:
    """The name of a numbered reduction."""
    if isinstance(reduction, bool) or not isinstance(reduction, int):
        what = f"argument 'reduction' must be int, not {type(reduction).__name__}"
        raise TypeMismatch(f"{where}()", what, "0 none, 1 mean, 2 sum", f"names belong to nn.functional.{where}")
    if reduction not in (0, 1, 2):
        raise ValueRangeError(where, f"{reduction} is not a valid value for reduction", "0 none, 1 mean, 2 sum")
    return ("none", "mean", "sum")[reduction]


def dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """``nn.functional.dropout(input, p, train)``. Raises a ValueRangeError (a ValueError and RuntimeError) for a p outside [0, 1].

    >>> import dovetail as dv
    >>> dv.dropout(dv.ones(2), 0.5, False)
    tensor([1., 1.])
    """
    return F.dropout(input, p, train)


def dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """In-place form of :func:`dropout`."""
    return F.dropout(input, p, train, True)


def constant_pad_nd(input: Tensor, pad: Any, value: Any = 0) -> Tensor:
    """``nn.functional.pad(input, pad, "constant", value)``.

    >>> import dovetail as dv
    >>> dv.constant_pad_nd(dv.tensor([1, 2]), (0, 1), 7)
    tensor([1, 2, 7])
    """
    return F.pad(input, pad, "constant", value)


def convolution(
    input: Tensor, weight: Tensor, bias: Any, stride: Any, padding: Any, dilation: Any, transposed: bool, output_padding: Any, groups: int
) -> Tensor:
    """``nn.functional.conv1d``, ``conv2d`` or ``conv3d`` as the weight's dimensions say, or the transposed one.

    >>> import dovetail as dv
    >>> dv.convolution(dv.ones(1, 1, 3), dv.ones(1, 1, 2), None, (1,), (0,), (1,), False, (0,), 1)
    tensor([[[2., 2.]]])
    """
    kind, last = f"{weight.ndim - 2}d", (output_padding, groups, dilation) if transposed else (dilation, groups)
    return getattr(F, f"conv_transpose{kind}" if transposed else f"conv{kind}")(input, weight, bias, stride, padding, *last)


def grid_sampler(input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool) -> Tensor:
    """``nn.functional.grid_sample`` with numbered modes: 0 bilinear, 1 nearest, 2 bicubic; 0 zeros, 1 border, 2 reflection.

    >>> import dovetail as dv
    >>> dv.grid_sampler(dv.ones(1, 1, 2, 2), dv.zeros(1, 1, 1, 2), 0, 0, False)
    tensor([[[[1.]]]])
    """
    modes = ("bilinear", "nearest", "bicubic")[interpolation_mode], ("zeros", "border", "reflection")[padding_mode]
    return F.grid_sample(input, grid, *modes, align_corners)


grid_sampler_2d = grid_sampler_3d = grid_sampler


def affine_grid_generator(theta: Tensor, size: Any, align_corners: bool) -> Tensor:
    """``nn.functional.affine_grid``.

    >>> import dovetail as dv
    >>> dv.affine_grid_generator(dv.ones(1, 2, 3), (1, 1, 2, 2), False).shape
    dovetail.Size([1, 2, 2, 2])
    """
    return F.affine_grid(theta, size, align_corners)


def max_pool1d_with_indices(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False
) -> Any:
    """The maxima and where they are: ``nn.functional.max_pool1d`` with its indices.

    >>> import dovetail as dv
    >>> dv.max_pool1d_with_indices(dv.tensor([[1., 3., 2.]]), 3)
    (tensor([[3.]]), tensor([[1]]))
    """
    return F.max_pool1d_with_indices(input, kernel_size, stride, padding, dilation, ceil_mode)


def embedding_renorm_(input: Tensor, indices: Tensor, max_norm: float, norm_type: float) -> Tensor:
    """Scale those rows of a table down, in place, that are in use and longer than ``max_norm``.

    >>> import dovetail as dv
    >>> dv.embedding_renorm_(dv.tensor([[3., 4.]]), dv.tensor([0]), 1., 2.)
    tensor([[0.6000, 0.8000]])
    """
    F.embedding(indices, input, max_norm=max_norm, norm_type=norm_type)
    return input


def alpha_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """``nn.functional.alpha_dropout(input, p, train)``.

    >>> import dovetail as dv
    >>> dv.alpha_dropout(dv.ones(2), 0.5, False)
    tensor([1., 1.])
    """
    return F.alpha_dropout(input, p, train)


def alpha_dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """In-place form of :func:`alpha_dropout`."""
    return F.alpha_dropout(input, p, train, True)


def feature_alpha_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """``nn.functional.feature_alpha_dropout(input, p, train)``.

    >>> import dovetail as dv
    >>> dv.feature_alpha_dropout(dv.ones(1, 2, 1), 0.5, False).shape
    dovetail.Size([1, 2, 1])
    """
    return F.feature_alpha_dropout(input, p, train)


def embedding(weight: Tensor, indices: Tensor, padding_idx: int = -1, scale_grad_by_freq: bool = False, sparse: bool = False) -> Tensor:
    """``nn.functional.embedding(indices, weight)``; a negative ``padding_idx`` means none.

    >>> import dovetail as dv
    >>> dv.embedding(dv.tensor([[1.], [2.]]), dv.tensor([1, 0]))
    tensor([[2.],
            [1.]])
    """
    return F.embedding(indices, weight, padding_idx if padding_idx >= 0 else None, None, 2.0, scale_grad_by_freq, sparse)


def batch_norm(
    input: Tensor, weight: Any, bias: Any, running_mean: Any, running_var: Any, training: bool, momentum: float, eps: float,
    cudnn_enabled: bool,
) -> Tensor:  # fmt: skip
    """``nn.functional.batch_norm``, with weight and bias before the statistics.

    >>> import dovetail as dv
    >>> one = dv.ones(1)
    >>> dv.batch_norm(dv.tensor([[3.]]), one, one, one, one, False, 0.1, 0., True)
    tensor([[3.]])
    """
    return F.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)


def instance_norm(
    input: Tensor, weight: Any, bias: Any, running_mean: Any, running_var: Any, use_input_stats: bool, momentum: float, eps: float,
    cudnn_enabled: bool,
) -> Tensor:  # fmt: skip
    """``nn.functional.instance_norm``, with weight and bias before the statistics.

    >>> import dovetail as dv
    >>> dv.instance_norm(dv.tensor([[[1., 3.]]]), None, None, None, None, True, 0.1, 0., True)
    tensor([[[-1.,  1.]]])
    """
    return F.instance_norm(input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps)


def layer_norm(
    input: Tensor, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5, cudnn_enable: bool = True
) -> Tensor:
    """``nn.functional.layer_norm``.

    >>> import dovetail as dv
    >>> dv.layer_norm(dv.tensor([1., 3.]), (2,), eps=0.)
    tensor([-1.,  1.])
    """
    return F.layer_norm(input, normalized_shape, weight, bias, eps)


def rms_norm(input: Tensor, normalized_shape: Any, weight: Any = None, eps: float | None = None) -> Tensor:
    """``nn.functional.rms_norm``.

    >>> import dovetail as dv
    >>> dv.rms_norm(dv.tensor([3., 3.]), (2,))
    tensor([1., 1.])
    """
    return F.rms_norm(input, normalized_shape, weight, eps)


def group_norm(
    input: Tensor, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5, cudnn_enabled: bool = True
) -> Tensor:
    """``nn.functional.group_norm``.

    >>> import dovetail as dv
    >>> dv.group_norm(dv.tensor([[1., 3.]]), 1, eps=0.)
    tensor([[-1.,  1.]])
    """
    return F.group_norm(input, num_groups, weight, bias, eps)


def adaptive_max_pool1d(input: Tensor, output_size: Any) -> Any:
    """The maxima and where they are: ``nn.functional.adaptive_max_pool1d`` with its indices.

    >>> import dovetail as dv
    >>> dv.adaptive_max_pool1d(dv.tensor([[1., 3., 2.]]), 1)
    (tensor([[3.]]), tensor([[1]]))
    """
    return F.adaptive_max_pool1d_with_indices(input, output_size)


def kl_div(input: Tensor, target: Tensor, reduction: int = 0, *, log_target: bool = False) -> Tensor:
    """``nn.functional.kl_div`` with a numbered reduction.

    >>> import dovetail as dv
    >>> dv.kl_div(dv.zeros(1), dv.ones(1), reduction=1)
    tensor(0.)
    """
    return F.kl_div(input, target, reduction=_how("kl_div", reduction), log_target=log_target)


def binary_cross_entropy_with_logits(
    input: Tensor, target: Tensor, weight: Any = None, pos_weight: Any = None, reduction: int = 0
) -> Tensor:
    """``nn.functional.binary_cross_entropy_with_logits`` with a numbered reduction.

    >>> import dovetail as dv
    >>> dv.binary_cross_entropy_with_logits(dv.zeros(1), dv.ones(1), reduction=1)
    tensor(0.6931)
    """
    how = _how("binary_cross_entropy_with_logits", reduction)
    return F.binary_cross_entropy_with_logits(input, target, weight, reduction=how, pos_weight=pos_weight)


def poisson_nll_loss(input: Tensor, target: Tensor, log_input: bool, full: bool, eps: float, reduction: int) -> Tensor:
    """``nn.functional.poisson_nll_loss`` with a numbered reduction.

    >>> import dovetail as dv
    >>> dv.poisson_nll_loss(dv.zeros(1), dv.ones(1), True, False, 1e-8, 1)
    tensor(1.)
    """
    return F.poisson_nll_loss(input, target, log_input, full, eps=eps, reduction=_how("poisson_nll_loss", reduction))


def hinge_embedding_loss(input: Tensor, target: Tensor, margin: float = 1.0, reduction: int = 0) -> Tensor:
    """``nn.functional.hinge_embedding_loss`` with a numbered reduction.

    >>> import dovetail as dv
    >>> dv.hinge_embedding_loss(dv.tensor([2.]), dv.ones(1), reduction=1)
    tensor(2.)
    """
    return F.hinge_embedding_loss(input, target, margin, reduction=_how("hinge_embedding_loss", reduction))


def cosine_embedding_loss(input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: int = 0) -> Tensor:
    """``nn.functional.cosine_embedding_loss`` with a numbered reduction.

    >>> import dovetail as dv
    >>> dv.cosine_embedding_loss(dv.ones(1, 2), -dv.ones(1, 2), dv.ones(1), reduction=1)
    tensor(2.)
    """
    return F.cosine_embedding_loss(input1, input2, target, margin, reduction=_how("cosine_embedding_loss", reduction))


def margin_ranking_loss(input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: int = 0) -> Tensor:
    """``nn.functional.margin_ranking_loss`` with a numbered reduction.

    >>> import dovetail as dv
    >>> dv.margin_ranking_loss(dv.tensor([1.]), dv.tensor([3.]), dv.ones(1), reduction=1)
    tensor(2.)
    """
    return F.margin_ranking_loss(input1, input2, target, margin, reduction=_how("margin_ranking_loss", reduction))


def triplet_margin_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 1.0, p: float = 2.0, eps: float = 1e-6, swap: bool = False,
    reduction: int = 0,
) -> Tensor:  # fmt: skip
    """``nn.functional.triplet_margin_loss`` with a numbered reduction.

    >>> import dovetail as dv
    >>> dv.triplet_margin_loss(dv.zeros(1, 1), dv.zeros(1, 1), 2 * dv.ones(1, 1), reduction=1)
    tensor(0.)
    """
    how = _how("triplet_margin_loss", reduction)
    return F.triplet_margin_loss(anchor, positive, negative, margin, p, eps, swap, reduction=how)
