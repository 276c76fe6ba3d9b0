"""Vision transformers B, L and H, with torchvision's parameter names and initial weights."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import dovetail
from dovetail import Tensor, nn
from dovetail.errors import AssertedError, ValueRangeError
from dovetail.nn import functional as F

from ..ops import MLP, Conv2dNormActivation
from ._api import Weights, WeightsEnum, build, lazy_enums, takes_weights
from ._initial import initialise

_ENUMS = {f"ViT_{name}_Weights": f"vit_{name.lower()}" for name in ("B_16", "B_32", "L_16", "L_32", "H_14")}
__all__ = ["VisionTransformer", *_ENUMS, *_ENUMS.values(), "interpolate_embeddings"]  # noqa: PLE0604

__getattr__ = lazy_enums(__name__, _ENUMS)

Layer = Callable[..., nn.Module]
_NORM = partial(nn.LayerNorm, eps=1e-6)


class ConvStemConfig(NamedTuple):
    """One convolution of a stem in the place of patches: https://arxiv.org/abs/2106.14881."""

    out_channels: int
    kernel_size: int
    stride: int
    norm_layer: Layer = nn.BatchNorm2d
    activation_layer: Layer = nn.ReLU


class MLPBlock(MLP):
    """The perceptron of a transformer's block. State dicts with the layers' older names, ``linear_1`` and ``linear_2``, load."""

    _version = 2

    def __init__(self, in_dim: int, mlp_dim: int, dropout: float) -> None:
        super().__init__(in_dim, [mlp_dim, in_dim], activation_layer=nn.GELU, inplace=None, dropout=dropout)
        for m in self.modules():
            if isinstance(m, nn.Linear):
                nn.init.xavier_uniform_(m.weight)
                nn.init.normal_(m.bias, std=1e-6)

    def _load_from_state_dict(self, state_dict: Any, prefix: str, local_metadata: Any, *rest: Any) -> None:
        if (local_metadata.get("version") or 0) < 2:
            for old, new in (("linear_1", "0"), ("linear_2", "3")):
                for kind in ("weight", "bias"):
                    if f"{prefix}{old}.{kind}" in state_dict:
                        state_dict[f"{prefix}{new}.{kind}"] = state_dict.pop(f"{prefix}{old}.{kind}")
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)  # type: ignore[misc]


class EncoderBlock(nn.Module):
    """Attention and a perceptron, each after a norm and added to what came in: (N, S, E)."""

    def __init__(
        self, num_heads: int, hidden_dim: int, mlp_dim: int, dropout: float, attention_dropout: float, norm_layer: Layer = _NORM
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.ln_1 = norm_layer(hidden_dim)
        self.self_attention = nn.MultiheadAttention(hidden_dim, num_heads, dropout=attention_dropout, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.ln_2 = norm_layer(hidden_dim)
        self.mlp = MLPBlock(hidden_dim, mlp_dim, dropout)

    def forward(self, input: Tensor) -> Tensor:
        _demand(input.dim() == 3, "EncoderBlock", f"input has shape {tuple(input.shape)}", "expected (N, S, E)")
        x = self.ln_1(input)
        x = self.dropout(self.self_attention(x, x, x, need_weights=False)[0]) + input
        return x + self.mlp(self.ln_2(x))


class Encoder(nn.Module):
    """Positions and blocks, with a norm at the end: (N, S, E), S fixed by ``seq_length``."""

    def __init__(
        self, seq_length: int, num_layers: int, num_heads: int, hidden_dim: int, mlp_dim: int, dropout: float, attention_dropout: float,
        norm_layer: Layer = _NORM,
    ) -> None:  # fmt: skip
        super().__init__()
        self.pos_embedding = nn.Parameter(dovetail.empty(1, seq_length, hidden_dim).normal_(std=0.02))
        self.dropout = nn.Dropout(dropout)
        blocks = (EncoderBlock(num_heads, hidden_dim, mlp_dim, dropout, attention_dropout, norm_layer) for _ in range(num_layers))
        self.layers = nn.Sequential(OrderedDict((f"encoder_layer_{i}", block) for i, block in enumerate(blocks)))
        self.ln = norm_layer(hidden_dim)

    def forward(self, input: Tensor) -> Tensor:
        _demand(input.dim() == 3, "Encoder", f"input has shape {tuple(input.shape)}", "expected (N, S, E)")
        return self.ln(self.layers(self.dropout(input + self.pos_embedding)))


class VisionTransformer(nn.Module):
    """Patches as words, and a class token whose answer is read: ``(N, 3, image_size, image_size)`` to ``(N, num_classes)``.

    ``representation_size`` puts a layer with tanh before the last one; ``conv_stem_configs`` a stem of convolutions in the place of the
    patches. After Dosovitskiy and others, An Image is Worth 16x16 Words, https://arxiv.org/abs/2010.11929.

    >>> net = VisionTransformer(32, 8, num_layers=1, num_heads=2, hidden_dim=8, mlp_dim=16, num_classes=10)
    >>> net.eval()(dovetail.zeros(2, 3, 32, 32)).shape
    dovetail.Size([2, 10])
    """

    def __init__(
        self, image_size: int, patch_size: int, num_layers: int, num_heads: int, hidden_dim: int, mlp_dim: int, dropout: float = 0.0,
        attention_dropout: float = 0.0, num_classes: int = 1000, representation_size: int | None = None, norm_layer: Layer = _NORM,
        conv_stem_configs: list[ConvStemConfig] | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        what = f"image_size is {image_size}, patch_size {patch_size}"
        _demand(image_size % patch_size == 0, "VisionTransformer", what, "expected whole patches", "Input shape indivisible by patch size!")
        self.image_size, self.patch_size, self.hidden_dim, self.mlp_dim = image_size, patch_size, hidden_dim, mlp_dim
        self.attention_dropout, self.dropout, self.num_classes = attention_dropout, dropout, num_classes
        self.representation_size, self.norm_layer = representation_size, norm_layer
        if conv_stem_configs is None:
            self.conv_proj: nn.Module = nn.Conv2d(3, hidden_dim, patch_size, patch_size)
        else:
            self.conv_proj = _stem(conv_stem_configs, hidden_dim)
        self.class_token = nn.Parameter(dovetail.zeros(1, 1, hidden_dim))
        self.seq_length = (image_size // patch_size) ** 2 + 1
        self.encoder = Encoder(self.seq_length, num_layers, num_heads, hidden_dim, mlp_dim, dropout, attention_dropout, norm_layer)
        heads: OrderedDict[str, nn.Module] = OrderedDict()
        if representation_size is not None:
            heads["pre_logits"], heads["act"] = nn.Linear(hidden_dim, representation_size), nn.Tanh()
        heads["head"] = nn.Linear(representation_size or hidden_dim, num_classes)
        self.heads = nn.Sequential(heads)
        self._draw()

    def _draw(self) -> None:
        stem = self.conv_proj
        if isinstance(stem, nn.Conv2d):
            nn.init.trunc_normal_(stem.weight, std=math.sqrt(1 / stem.weight[0].numel()))
            nn.init.zeros_(stem.bias)
        else:
            last: Any = stem.conv_last
            nn.init.normal_(last.weight, mean=0.0, std=math.sqrt(2.0 / last.out_channels))
            nn.init.zeros_(last.bias)
        if self.representation_size is not None:
            before: Any = self.heads.pre_logits
            nn.init.trunc_normal_(before.weight, std=math.sqrt(1 / before.in_features))
            nn.init.zeros_(before.bias)
        initialise(self.heads.head, nn.init.zeros_, nn.init.zeros_)  # type: ignore[arg-type]

    def _process_input(self, x: Tensor) -> Tensor:
        size = self.image_size
        for side, got in zip(("height", "width"), x.shape[2:], strict=True):
            said = f"Wrong image {side}! Expected {size} but got {got}!"
            _demand(got == size, "VisionTransformer", f"the input has shape {tuple(x.shape)}", "resize it, or build with image_size=", said)
        return self.conv_proj(x).flatten(2).permute(0, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self._process_input(x)
        x = dovetail.cat([self.class_token.expand(x.shape[0], -1, -1), x], dim=1)
        return self.heads(self.encoder(x)[:, 0])


def _demand(condition: bool, where: str, what: str, expected: str, said: str = "") -> None:
    if not condition:
        raise AssertedError(where, f"{said} ({what})" if said else what, expected)


def _stem(configs: list[ConvStemConfig], hidden_dim: int) -> nn.Sequential:
    """Convolutions with norms, and one of 1 × 1 to the width of the transformer."""
    stem, channels = nn.Sequential(), 3
    for i, c in enumerate(configs):
        parts: dict[str, Any] = {"norm_layer": c.norm_layer, "activation_layer": c.activation_layer}
        stem.add_module(f"conv_bn_relu_{i}", Conv2dNormActivation(channels, c.out_channels, c.kernel_size, c.stride, **parts))
        channels = c.out_channels
    stem.add_module("conv_last", nn.Conv2d(channels, hidden_dim, 1))
    return stem


def _vision_transformer(
    patch_size: int, num_layers: int, num_heads: int, hidden_dim: int, mlp_dim: int, weights: Any, progress: bool, **kwargs: Any
) -> VisionTransformer:
    if weights is not None:  # the size of the images is the weights'
        size = weights.meta["min_size"][0]
        if kwargs.setdefault("image_size", size) != size:
            raise ValueRangeError(
                "weights", f"image_size is {kwargs['image_size']}", f"{weights!r} is for {size}", "interpolate_embeddings"
            )
    size = kwargs.pop("image_size", 224)
    return build(weights, progress, VisionTransformer, size, patch_size, num_layers, num_heads, hidden_dim, mlp_dim, **kwargs)


def interpolate_embeddings(
    image_size: int, patch_size: int, model_state: OrderedDict[str, Tensor], interpolation_mode: str = "bicubic", reset_heads: bool = False
) -> OrderedDict[str, Tensor]:
    """The state dict of a vision transformer for images of another size: its positions resampled as a picture.

    ``reset_heads`` leaves the last layers out. Raises a ValueError where the positions are no square.

    >>> state = OrderedDict({"encoder.pos_embedding": dovetail.zeros(1, 5, 8)})
    >>> interpolate_embeddings(24, 8, state)["encoder.pos_embedding"].shape
    dovetail.Size([1, 10, 8])
    """
    positions = model_state["encoder.pos_embedding"]
    one, length, width = positions.shape
    if one != 1:
        raise ValueRangeError(
            "interpolate_embeddings", f"Unexpected position embedding shape: {tuple(positions.shape)}", "expected (1, S, E)"
        )
    side, new = math.isqrt(length - 1), image_size // patch_size
    if new**2 + 1 == length:
        return model_state
    if side * side != length - 1:
        what = f"seq_length is not a perfect square! Instead got {side} * {side} = {side * side} and seq_length = {length - 1}"
        raise ValueRangeError("interpolate_embeddings", what)
    picture = positions[:, 1:].permute(0, 2, 1).reshape(1, width, side, side)
    picture = F.interpolate(picture, size=new, mode=interpolation_mode, align_corners=True)
    model_state["encoder.pos_embedding"] = dovetail.cat([positions[:, :1], picture.reshape(1, width, new**2).permute(0, 2, 1)], dim=1)
    return OrderedDict((k, v) for k, v in model_state.items() if not k.startswith("heads")) if reset_heads else model_state


@takes_weights("ViT_B_16_Weights")
def vit_b_16(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> VisionTransformer:
    """ViT-B/16. ``weights``: a ``ViT_B_16_Weights`` or its name; ``kwargs`` go to `VisionTransformer`."""
    return _vision_transformer(16, 12, 12, 768, 3072, weights, progress, **kwargs)


@takes_weights("ViT_B_32_Weights")
def vit_b_32(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> VisionTransformer:
    """ViT-B/32. ``weights``: a ``ViT_B_32_Weights`` or its name; ``kwargs`` go to `VisionTransformer`."""
    return _vision_transformer(32, 12, 12, 768, 3072, weights, progress, **kwargs)


@takes_weights("ViT_L_16_Weights")
def vit_l_16(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> VisionTransformer:
    """ViT-L/16. ``weights``: a ``ViT_L_16_Weights`` or its name; ``kwargs`` go to `VisionTransformer`."""
    return _vision_transformer(16, 24, 16, 1024, 4096, weights, progress, **kwargs)


@takes_weights("ViT_L_32_Weights")
def vit_l_32(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> VisionTransformer:
    """ViT-L/32. ``weights``: a ``ViT_L_32_Weights`` or its name; ``kwargs`` go to `VisionTransformer`."""
    return _vision_transformer(32, 24, 16, 1024, 4096, weights, progress, **kwargs)


@takes_weights("ViT_H_14_Weights")
def vit_h_14(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> VisionTransformer:
    """ViT-H/14. ``weights``: a ``ViT_H_14_Weights`` or its name; ``kwargs`` go to `VisionTransformer`."""
    return _vision_transformer(14, 32, 16, 1280, 5120, weights, progress, **kwargs)
