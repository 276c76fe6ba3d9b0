"""Swin transformers T, S, B and their second version, with torchvision's parameter names and initial weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import dovetail
from dovetail import Tensor, nn
from dovetail.errors import ValueRangeError
from dovetail.nn import functional as F

from ..ops import MLP, Permute, StochasticDepth
from ._api import Weights, WeightsEnum, build, lazy_enums, takes_weights
from ._windows import joined, padded, parted, position_index, regions

_ENUMS = {f"Swin_{name}_Weights": f"swin_{name.lower()}" for name in ("T", "S", "B", "V2_T", "V2_S", "V2_B")}
__all__ = ["SwinTransformer", *_ENUMS, *_ENUMS.values()]  # noqa: PLE0604

__getattr__ = lazy_enums(__name__, _ENUMS)

Layer = Callable[..., nn.Module]


def _quarters(x: Tensor) -> Tensor:
    """Four neighbours as channels of one pixel: (…, H, W, C) to (…, H/2, W/2, 4C), sides padded to even ones."""
    height, width, _ = x.shape[-3:]
    x = F.pad(x, (0, 0, 0, width % 2, 0, height % 2))
    return dovetail.cat([x[..., i::2, j::2, :] for j in (0, 1) for i in (0, 1)], -1)


class PatchMerging(nn.Module):
    """Half the height and width, twice the channels: (…, H, W, C) to (…, H/2, W/2, 2C), normalized before the layer.

    >>> PatchMerging(4)(dovetail.zeros(1, 6, 6, 4)).shape
    dovetail.Size([1, 3, 3, 8])
    """

    def __init__(self, dim: int, norm_layer: Layer = nn.LayerNorm) -> None:
        super().__init__()
        self.dim = dim
        self.reduction = nn.Linear(4 * dim, 2 * dim, bias=False)
        self.norm = norm_layer(4 * dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.reduction(self.norm(_quarters(x)))


class PatchMergingV2(nn.Module):
    """`PatchMerging` that normalizes after the layer.

    >>> PatchMergingV2(4)(dovetail.zeros(1, 6, 6, 4)).shape
    dovetail.Size([1, 3, 3, 8])
    """

    def __init__(self, dim: int, norm_layer: Layer = nn.LayerNorm) -> None:
        super().__init__()
        self.dim = dim
        self.reduction = nn.Linear(4 * dim, 2 * dim, bias=False)
        self.norm = norm_layer(2 * dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.reduction(_quarters(x)))


def shifted_window_attention(
    input: Tensor, qkv_weight: Tensor, proj_weight: Tensor, relative_position_bias: Tensor, window_size: list[int], num_heads: int,
    shift_size: list[int], attention_dropout: float = 0.0, dropout: float = 0.0, qkv_bias: Tensor | None = None,
    proj_bias: Tensor | None = None, logit_scale: Tensor | None = None, training: bool = True,
) -> Tensor:  # fmt: skip
    """Attention within windows of a picture, (N, H, W, C), which is rolled by ``shift_size`` first; ``logit_scale`` makes it cosines'.

    Pixels of a window that were no neighbours before rolling do not see each other.
    """
    (n, height, width, c), heads = input.shape, num_heads
    x = padded(input, window_size)
    sides = x.shape[1:3]
    shift = [0 if window >= side else s for s, window, side in zip(shift_size, window_size, sides, strict=True)]
    if any(shift):
        x = x.roll((-shift[0], -shift[1]), (1, 2))
    x = parted(x, window_size)
    if logit_scale is not None and qkv_bias is not None:  # keys have no bias there
        qkv_bias = qkv_bias.clone()
        qkv_bias[c : 2 * c].zero_()
    q, k, v = F.linear(x, qkv_weight, qkv_bias).reshape(*x.shape[:2], 3, heads, c // heads).permute(2, 0, 3, 1, 4)
    if logit_scale is None:
        scores = (q * (c // heads) ** -0.5) @ k.transpose(-2, -1)
    else:
        scores = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).transpose(-2, -1) * logit_scale.clamp(max=math.log(100.0)).exp()
    scores = scores + relative_position_bias
    if any(shift):
        part = regions(sides, window_size, shift, device=x.device)
        apart = dovetail.where(part[:, :, None] == part[:, None, :], 0.0, -100.0).to(scores.dtype)
        scores = (scores.view(n, len(part), heads, *scores.shape[2:]) + apart[:, None]).view(scores.shape)
    chosen = F.dropout(scores.softmax(-1), attention_dropout, training)
    x = F.linear((chosen @ v).transpose(1, 2).reshape(x.shape), proj_weight, proj_bias)
    x = joined(F.dropout(x, dropout, training), window_size, n, sides)
    if any(shift):
        x = x.roll((shift[0], shift[1]), (1, 2))
    return x[:, :height, :width].contiguous()


class ShiftedWindowAttention(nn.Module):
    """`shifted_window_attention` with its weights, and a learned number for each relative position."""

    def __init__(
        self, dim: int, window_size: list[int], shift_size: list[int], num_heads: int, qkv_bias: bool = True, proj_bias: bool = True,
        attention_dropout: float = 0.0, dropout: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__()
        if len(window_size) != 2 or len(shift_size) != 2:
            raise ValueRangeError(
                type(self).__name__, f"window_size is {window_size}, shift_size {shift_size}", "expected two numbers each"
            )
        self.window_size, self.shift_size, self.num_heads = window_size, shift_size, num_heads
        self.attention_dropout, self.dropout = attention_dropout, dropout
        self.qkv = nn.Linear(dim, dim * 3, bias=qkv_bias)
        self.proj = nn.Linear(dim, dim, bias=proj_bias)
        self.define_relative_position_bias_table()
        self.register_buffer("relative_position_index", position_index(window_size).flatten())

    def define_relative_position_bias_table(self) -> None:
        """One row for each relative position, one column a head."""
        places = math.prod(2 * window - 1 for window in self.window_size)
        self.relative_position_bias_table = nn.Parameter(dovetail.zeros(places, self.num_heads))
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)

    def _biases(self, table: Tensor) -> Tensor:
        """The rows of a table by pairs of places: (1, heads, places, places)."""
        places = math.prod(self.window_size)
        return table[self.relative_position_index].view(places, places, -1).permute(2, 0, 1).contiguous()[None]

    def get_relative_position_bias(self) -> Tensor:
        """What is added to the scores: (1, heads, places, places)."""
        return self._biases(self.relative_position_bias_table)

    def forward(self, x: Tensor) -> Tensor:
        return shifted_window_attention(
            x, self.qkv.weight, self.proj.weight, self.get_relative_position_bias(), self.window_size, self.num_heads, self.shift_size,
            self.attention_dropout, self.dropout, self.qkv.bias, self.proj.bias, getattr(self, "logit_scale", None), self.training,
        )  # fmt: skip


class ShiftedWindowAttentionV2(ShiftedWindowAttention):
    """`ShiftedWindowAttention` by cosines with a learned scale, and relative positions that a small network turns into numbers."""

    def __init__(
        self, dim: int, window_size: list[int], shift_size: list[int], num_heads: int, qkv_bias: bool = True, proj_bias: bool = True,
        attention_dropout: float = 0.0, dropout: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(dim, window_size, shift_size, num_heads, qkv_bias, proj_bias, attention_dropout, dropout)
        self.logit_scale = nn.Parameter((10 * dovetail.ones((num_heads, 1, 1))).log())
        self.cpb_mlp = nn.Sequential(nn.Linear(2, 512), nn.ReLU(inplace=True), nn.Linear(512, num_heads, bias=False))
        if qkv_bias:
            self.qkv.bias.data[dim : 2 * dim].zero_()

    def define_relative_position_bias_table(self) -> None:
        """The relative positions themselves, on a logarithmic scale."""
        sides = [dovetail.arange(1 - window, window, dtype=dovetail.float32) for window in self.window_size]
        table = dovetail.stack(dovetail.meshgrid(*sides, indexing="ij"), -1)[None]
        table = table / dovetail.tensor([window - 1.0 for window in self.window_size]) * 8
        self.register_buffer("relative_coords_table", table.sign() * (table.abs() + 1.0).log2() / 3.0)

    def get_relative_position_bias(self) -> Tensor:
        """What is added to the scores: (1, heads, places, places)."""
        return 16 * self._biases(self.cpb_mlp(self.relative_coords_table).view(-1, self.num_heads)).sigmoid()


class SwinTransformerBlock(nn.Module):
    """Attention in windows and a perceptron, each after a norm, left out at random while training, added to what came in."""

    def __init__(
        self, dim: int, num_heads: int, window_size: list[int], shift_size: list[int], mlp_ratio: float = 4.0, dropout: float = 0.0,
        attention_dropout: float = 0.0, stochastic_depth_prob: float = 0.0, norm_layer: Layer = nn.LayerNorm,
        attn_layer: Layer = ShiftedWindowAttention,
    ) -> None:  # fmt: skip
        super().__init__()
        self.norm1 = norm_layer(dim)
        self.attn = attn_layer(dim, window_size, shift_size, num_heads, attention_dropout=attention_dropout, dropout=dropout)
        self.stochastic_depth = StochasticDepth(stochastic_depth_prob, "row")
        self.norm2 = norm_layer(dim)
        self.mlp = MLP(dim, [int(dim * mlp_ratio), dim], activation_layer=nn.GELU, inplace=None, dropout=dropout)
        for m in self.mlp.modules():
            if isinstance(m, nn.Linear):
                nn.init.xavier_uniform_(m.weight)
                nn.init.normal_(m.bias, std=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.stochastic_depth(self.attn(self.norm1(x)))
        return x + self.stochastic_depth(self.mlp(self.norm2(x)))


class SwinTransformerBlockV2(SwinTransformerBlock):
    """`SwinTransformerBlock` whose norms come after attention and perceptron."""

    def __init__(self, *args: Any, attn_layer: Layer = ShiftedWindowAttentionV2, **kwargs: Any) -> None:
        super().__init__(*args, attn_layer=attn_layer, **kwargs)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.stochastic_depth(self.norm1(self.attn(x)))
        return x + self.stochastic_depth(self.norm2(self.mlp(x)))


class SwinTransformer(nn.Module):
    """Stages of attention in windows, rolled in every second block: ``(N, 3, H, W)`` to ``(N, num_classes)``.

    ``depths`` and ``num_heads`` have a number for each stage. After Liu and others, Swin Transformer, https://arxiv.org/abs/2103.14030,
    and Swin Transformer V2, https://arxiv.org/abs/2111.09883.

    >>> net = SwinTransformer([4, 4], 8, [1, 2], [2, 2], [4, 4], num_classes=10)
    >>> net.eval()(dovetail.zeros(2, 3, 32, 32)).shape
    dovetail.Size([2, 10])
    """

    def __init__(
        self, patch_size: list[int], embed_dim: int, depths: list[int], num_heads: list[int], window_size: list[int],
        mlp_ratio: float = 4.0, dropout: float = 0.0, attention_dropout: float = 0.0, stochastic_depth_prob: float = 0.1,
        num_classes: int = 1000, norm_layer: Layer | None = None, block: Layer | None = None, downsample_layer: Layer = PatchMerging,
    ) -> None:  # fmt: skip
        super().__init__()
        self.num_classes = num_classes
        block, norm_layer = block or SwinTransformerBlock, norm_layer or partial(nn.LayerNorm, eps=1e-5)
        patch = (patch_size[0], patch_size[1])
        layers: list[nn.Module] = [nn.Sequential(nn.Conv2d(3, embed_dim, patch, patch), Permute([0, 2, 3, 1]), norm_layer(embed_dim))]
        total, done, half = sum(depths), 0, [window // 2 for window in window_size]
        parts: dict[str, Any] = {
            "mlp_ratio": mlp_ratio, "dropout": dropout, "attention_dropout": attention_dropout, "norm_layer": norm_layer,
        }  # fmt: skip
        for i, (depth, heads) in enumerate(zip(depths, num_heads, strict=False)):
            dim, stage = embed_dim * 2**i, []
            for j in range(depth):
                chance = stochastic_depth_prob * float(done) / (total - 1)
                stage.append(block(dim, heads, window_size, half if j % 2 else [0, 0], stochastic_depth_prob=chance, **parts))
                done += 1
            layers.append(nn.Sequential(*stage))
            if i < len(depths) - 1:
                layers.append(downsample_layer(dim, norm_layer))
        self.features = nn.Sequential(*layers)
        width = embed_dim * 2 ** (len(depths) - 1)
        self.norm = norm_layer(width)
        self.permute = Permute([0, 3, 1, 2])
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten(1)
        self.head = nn.Linear(width, num_classes)
        for m in self.modules():
            if isinstance(m, nn.Linear):
                nn.init.trunc_normal_(m.weight, std=0.02)
                if m.bias is not None:
                    nn.init.zeros_(m.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.flatten(self.avgpool(self.permute(self.norm(self.features(x))))))


def _swin(
    size: str, window: int, chance: float, weights: Any, progress: bool, kwargs: dict[str, Any], **second: Any
) -> SwinTransformer:  # fmt: skip
    """A network of one of the papers' sizes."""
    width, third = (128 if size == "b" else 96), (6 if size == "t" else 18)
    heads = [width // 32 * 2**i for i in range(4)]
    chance = kwargs.pop("stochastic_depth_prob", chance)
    setting = {"stochastic_depth_prob": chance, **second, **kwargs}
    return build(weights, progress, SwinTransformer, [4, 4], width, [2, 2, third, 2], heads, [window, window], **setting)


@takes_weights("Swin_T_Weights")
def swin_t(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> SwinTransformer:
    """Swin-T. ``weights``: a ``Swin_T_Weights`` or its name; ``kwargs`` go to `SwinTransformer`."""
    return _swin("t", 7, 0.2, weights, progress, kwargs)


@takes_weights("Swin_S_Weights")
def swin_s(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> SwinTransformer:
    """Swin-S. ``weights``: a ``Swin_S_Weights`` or its name; ``kwargs`` go to `SwinTransformer`."""
    return _swin("s", 7, 0.3, weights, progress, kwargs)


@takes_weights("Swin_B_Weights")
def swin_b(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> SwinTransformer:
    """Swin-B. ``weights``: a ``Swin_B_Weights`` or its name; ``kwargs`` go to `SwinTransformer`."""
    return _swin("b", 7, 0.5, weights, progress, kwargs)


_SECOND: dict[str, Any] = {"block": SwinTransformerBlockV2, "downsample_layer": PatchMergingV2}


@takes_weights("Swin_V2_T_Weights")
def swin_v2_t(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> SwinTransformer:
    """Swin V2-T. ``weights``: a ``Swin_V2_T_Weights`` or its name; ``kwargs`` go to `SwinTransformer`."""
    return _swin("t", 8, 0.2, weights, progress, kwargs, **_SECOND)


@takes_weights("Swin_V2_S_Weights")
def swin_v2_s(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> SwinTransformer:
    """Swin V2-S. ``weights``: a ``Swin_V2_S_Weights`` or its name; ``kwargs`` go to `SwinTransformer`."""
    return _swin("s", 8, 0.3, weights, progress, kwargs, **_SECOND)


@takes_weights("Swin_V2_B_Weights")
def swin_v2_b(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> SwinTransformer:
    """Swin V2-B. ``weights``: a ``Swin_V2_B_Weights`` or its name; ``kwargs`` go to `SwinTransformer`."""
    return _swin("b", 8, 0.5, weights, progress, kwargs, **_SECOND)
