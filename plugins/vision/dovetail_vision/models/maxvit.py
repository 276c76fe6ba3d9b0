"""MaxViT T, with torchvision's parameter names and initial weights."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

import dovetail
from dovetail import Tensor, nn
from dovetail.errors import AssertedError, ValueRangeError

from ..ops import Conv2dNormActivation, SqueezeExcitation, StochasticDepth
from ._api import Weights, WeightsEnum, build, lazy_enums, takes_weights
from ._initial import initialise, normal
from ._windows import joined, parted, position_index

_ENUMS = {"MaxVit_T_Weights": "maxvit_t"}
__all__ = ["MaxVit", *_ENUMS, *_ENUMS.values()]  # noqa: PLE0604

__getattr__ = lazy_enums(__name__, _ENUMS)

Layer = Callable[..., nn.Module]


class MBConv(nn.Module):
    """A norm, then 1 × 1 to the expanded channels, depthwise, squeeze and excitation, 1 × 1; added to the input, made to fit."""

    def __init__(
        self, in_channels: int, out_channels: int, expansion_ratio: float, squeeze_ratio: float, stride: int, activation_layer: Layer,
        norm_layer: Layer, p_stochastic_dropout: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__()
        self.proj: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            smaller = [nn.AvgPool2d(3, stride, 1)] if stride == 2 else []
            self.proj = nn.Sequential(*smaller, nn.Conv2d(in_channels, out_channels, 1))
        width = int(out_channels * expansion_ratio)
        self.stochastic_depth = StochasticDepth(p_stochastic_dropout, "row") if p_stochastic_dropout else nn.Identity()
        parts: dict[str, Any] = {"activation_layer": activation_layer, "norm_layer": norm_layer, "inplace": None}
        self.layers = nn.Sequential(OrderedDict(
            pre_norm=norm_layer(in_channels), conv_a=Conv2dNormActivation(in_channels, width, 1, **parts),
            conv_b=Conv2dNormActivation(width, width, 3, stride, groups=width, **parts),
            squeeze_excitation=SqueezeExcitation(width, int(out_channels * squeeze_ratio), nn.SiLU),
            conv_c=nn.Conv2d(width, out_channels, 1),
        ))  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(x) + self.stochastic_depth(self.layers(x))


class RelativePositionalMultiHeadAttention(nn.Module):
    """Attention among the places of each group, with a learned number for each relative position: (N, groups, places, C)."""

    def __init__(self, feat_dim: int, head_dim: int, max_seq_len: int) -> None:
        super().__init__()
        if feat_dim % head_dim != 0:
            what = f"feat_dim: {feat_dim} must be divisible by head_dim: {head_dim}"
            raise ValueRangeError("RelativePositionalMultiHeadAttention", what)
        self.n_heads, self.head_dim = feat_dim // head_dim, head_dim
        self.size, self.max_seq_len = math.isqrt(max_seq_len), max_seq_len
        self.to_qkv = nn.Linear(feat_dim, 3 * feat_dim)
        self.scale_factor = feat_dim**-0.5
        self.merge = nn.Linear(feat_dim, feat_dim)
        self.relative_position_bias_table = nn.Parameter(dovetail.empty((2 * self.size - 1) ** 2, self.n_heads))
        self.register_buffer("relative_position_index", position_index((self.size, self.size)))
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)

    def get_relative_positional_bias(self) -> Tensor:
        """What is added to the scores: (1, heads, places, places)."""
        return self.relative_position_bias_table[self.relative_position_index].permute(2, 0, 1).contiguous()[None]

    def forward(self, x: Tensor) -> Tensor:
        n, groups, places, width = x.shape
        q, k, v = self.to_qkv(x).reshape(n, groups, places, 3, self.n_heads, self.head_dim).permute(3, 0, 1, 4, 2, 5)
        scores = q @ (k * self.scale_factor).transpose(-2, -1) + self.get_relative_positional_bias()
        return self.merge((scores.softmax(-1) @ v).transpose(2, 3).reshape(n, groups, places, width))


class SwapAxes(nn.Module):
    """Two dimensions exchanged."""

    def __init__(self, a: int, b: int) -> None:
        super().__init__()
        self.a, self.b = a, b

    def forward(self, x: Tensor) -> Tensor:
        return x.swapaxes(self.a, self.b)


class WindowPartition(nn.Module):
    """A picture (N, C, H, W) as its windows of ``p`` by ``p``: (N, windows, p², C).

    >>> WindowPartition()(dovetail.zeros(1, 3, 8, 8), 4).shape
    dovetail.Size([1, 4, 16, 3])
    """

    def forward(self, x: Tensor, p: int) -> Tensor:
        return parted(x.permute(0, 2, 3, 1).contiguous(), (p, p)).reshape(x.shape[0], -1, p * p, x.shape[1])


class WindowDepartition(nn.Module):
    """The picture (N, C, H, W) of windows (N, windows, p², C).

    >>> WindowDepartition()(dovetail.zeros(1, 4, 16, 3), 4, 2, 2).shape
    dovetail.Size([1, 3, 8, 8])
    """

    def forward(self, x: Tensor, p: int, h_partitions: int, w_partitions: int) -> Tensor:
        x = joined(x.reshape(-1, *x.shape[2:]), (p, p), x.shape[0], (h_partitions * p, w_partitions * p))
        return x.permute(0, 3, 1, 2)


class PartitionAttentionLayer(nn.Module):
    """Attention and a perceptron in windows of ``partition_size`` ("window"), or among as many pixels spread evenly ("grid")."""

    def __init__(
        self, in_channels: int, head_dim: int, partition_size: int, partition_type: str, grid_size: tuple[int, int], mlp_ratio: int,
        activation_layer: Layer, norm_layer: Layer, attention_dropout: float, mlp_dropout: float, p_stochastic_dropout: float,
    ) -> None:  # fmt: skip
        super().__init__()
        if partition_type not in ("grid", "window"):
            raise ValueRangeError("PartitionAttentionLayer", f"partition_type is {partition_type!r}", "expected 'grid' or 'window'")
        self.n_heads, self.head_dim = in_channels // head_dim, head_dim
        self.n_partitions, self.partition_type, self.grid_size = grid_size[0] // partition_size, partition_type, grid_size
        sizes = (partition_size, self.n_partitions)
        self.p, self.g = sizes if partition_type == "window" else sizes[::-1]
        self.partition_op, self.departition_op = WindowPartition(), WindowDepartition()
        spread = partition_type == "grid"
        self.partition_swap, self.departition_swap = (SwapAxes(-2, -3) if spread else nn.Identity() for _ in range(2))
        self.attn_layer = nn.Sequential(
            norm_layer(in_channels), RelativePositionalMultiHeadAttention(in_channels, head_dim, partition_size**2),
            nn.Dropout(attention_dropout),
        )  # fmt: skip
        self.mlp_layer = nn.Sequential(
            nn.LayerNorm(in_channels), nn.Linear(in_channels, in_channels * mlp_ratio), activation_layer(),
            nn.Linear(in_channels * mlp_ratio, in_channels), nn.Dropout(mlp_dropout),
        )  # fmt: skip
        self.stochastic_dropout = StochasticDepth(p_stochastic_dropout, "row")

    def forward(self, x: Tensor) -> Tensor:
        if any(side % self.p for side in self.grid_size):
            what = f"Grid size must be divisible by partition size. Got grid size of {self.grid_size} and partition size of {self.p}"
            raise AssertedError("PartitionAttentionLayer", what)
        x = self.partition_swap(self.partition_op(x, self.p))
        x = x + self.stochastic_dropout(self.attn_layer(x))
        x = x + self.stochastic_dropout(self.mlp_layer(x))
        return self.departition_op(self.departition_swap(x), self.p, *(side // self.p for side in self.grid_size))


class MaxVitLayer(nn.Module):
    """A convolution block, attention in windows, attention on a grid."""

    def __init__(
        self, in_channels: int, out_channels: int, squeeze_ratio: float, expansion_ratio: float, stride: int, norm_layer: Layer,
        activation_layer: Layer, head_dim: int, mlp_ratio: int, mlp_dropout: float, attention_dropout: float, p_stochastic_dropout: float,
        partition_size: int, grid_size: tuple[int, int],
    ) -> None:  # fmt: skip
        super().__init__()
        block = MBConv(
            in_channels, out_channels, expansion_ratio, squeeze_ratio, stride, activation_layer, norm_layer, p_stochastic_dropout
        )
        window, grid = (
            PartitionAttentionLayer(
                out_channels, head_dim, partition_size, kind, grid_size, mlp_ratio, activation_layer, nn.LayerNorm, attention_dropout,
                mlp_dropout, p_stochastic_dropout,
            )
            for kind in ("window", "grid")
        )  # fmt: skip
        self.layers = nn.Sequential(OrderedDict(MBconv=block, window_attention=window, grid_attention=grid))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class MaxVitBlock(nn.Module):
    """``n_layers`` layers, of which the first halves height and width; ``p_stochastic`` has a chance for each."""

    def __init__(
        self, in_channels: int, out_channels: int, squeeze_ratio: float, expansion_ratio: float, norm_layer: Layer,
        activation_layer: Layer, head_dim: int, mlp_ratio: int, mlp_dropout: float, attention_dropout: float, partition_size: int,
        input_grid_size: tuple[int, int], n_layers: int, p_stochastic: list[float],
    ) -> None:  # fmt: skip
        super().__init__()
        if len(p_stochastic) != n_layers:
            raise ValueRangeError("MaxVitBlock", f"p_stochastic must have length n_layers={n_layers}, got p_stochastic={p_stochastic}.")
        self.grid_size = _halved(input_grid_size)
        self.layers = nn.ModuleList(
            MaxVitLayer(
                out_channels if i else in_channels, out_channels, squeeze_ratio, expansion_ratio, 1 if i else 2, norm_layer,
                activation_layer, head_dim, mlp_ratio, mlp_dropout, attention_dropout, chance, partition_size, self.grid_size,
            )
            for i, chance in enumerate(p_stochastic)
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


def _halved(size: Sequence[int]) -> tuple[int, int]:
    """What a 3 × 3 convolution of stride 2 and padding 1 leaves."""
    return (size[0] - 1) // 2 + 1, (size[1] - 1) // 2 + 1


class MaxVit(nn.Module):
    """A stem and blocks of layers that look at windows and at grids: ``(N, 3, *input_size)`` to ``(N, num_classes)``.

    ``block_channels`` and ``block_layers`` have a number for each block. Raises a ValueError for an ``input_size`` whose halves
    ``partition_size`` does not divide. After Tu and others, MaxViT, https://arxiv.org/abs/2204.01697.

    >>> net = MaxVit((32, 32), 8, 4, [8, 16], [1, 1], head_dim=4, stochastic_depth_prob=0.1, num_classes=10)
    >>> net.eval()(dovetail.zeros(1, 3, 32, 32)).shape
    dovetail.Size([1, 10])
    """

    def __init__(
        self, input_size: tuple[int, int], stem_channels: int, partition_size: int, block_channels: list[int], block_layers: list[int],
        head_dim: int, stochastic_depth_prob: float, norm_layer: Layer | None = None, activation_layer: Layer = nn.GELU,
        squeeze_ratio: float = 0.25, expansion_ratio: float = 4, mlp_ratio: int = 4, mlp_dropout: float = 0.0,
        attention_dropout: float = 0.0, num_classes: int = 1000,
    ) -> None:  # fmt: skip
        super().__init__()
        norm_layer = norm_layer or partial(nn.BatchNorm2d, eps=1e-3, momentum=0.01)
        size = _halved(input_size)
        _check(size, len(block_channels), partition_size)
        self.stem = nn.Sequential(
            Conv2dNormActivation(
                3, stem_channels, 3, 2, norm_layer=norm_layer, activation_layer=activation_layer, bias=False, inplace=None
            ),
            Conv2dNormActivation(stem_channels, stem_channels, 3, norm_layer=None, activation_layer=None, bias=True),
        )
        self.partition_size = partition_size
        total = sum(block_layers)
        chances = np.linspace(0, stochastic_depth_prob, total).tolist()
        self.blocks = nn.ModuleList()
        for before, channels, count in zip([stem_channels, *block_channels[:-1]], block_channels, block_layers, strict=False):
            block = MaxVitBlock(
                before, channels, squeeze_ratio, expansion_ratio, norm_layer, activation_layer, head_dim, mlp_ratio, mlp_dropout,
                attention_dropout, partition_size, size, count, chances[:count],
            )  # fmt: skip
            self.blocks.append(block)
            size, chances = block.grid_size, chances[count:]
        width = block_channels[-1]
        self.classifier = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm(width), nn.Linear(width, width), nn.Tanh(),
            nn.Linear(width, num_classes, bias=False),
        )  # fmt: skip
        initialise(self, normal(0.02), normal(0.02))

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.classifier(x)


def _check(size: tuple[int, int], blocks: int, partition_size: int) -> None:
    """Refuse sizes that do not fall into whole windows in every block."""
    for i in range(blocks):
        size = _halved(size)
        if any(side % partition_size for side in size):
            what = f"Input size {size} of block {i} is not divisible by partition size {partition_size}"
            raise ValueRangeError("MaxVit", what, "every block halves the size", "change partition_size or input_size")


@takes_weights("MaxVit_T_Weights")
def maxvit_t(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> MaxVit:
    """MaxViT-T. ``weights``: a ``MaxVit_T_Weights`` or its name; ``kwargs`` go to `MaxVit`."""
    if weights is not None:
        size = tuple(weights.meta["min_size"])
        if tuple(kwargs.setdefault("input_size", size)) != size:
            raise ValueRangeError("weights", f"input_size is {kwargs['input_size']}", f"{weights!r} is for {size}", "leave it out")
    size = kwargs.pop("input_size", (224, 224))
    setting = {"head_dim": 32, "stochastic_depth_prob": 0.2, **kwargs}
    return build(weights, progress, MaxVit, size, 64, 7, [64, 128, 256, 512], [2, 2, 5, 2], **setting)
