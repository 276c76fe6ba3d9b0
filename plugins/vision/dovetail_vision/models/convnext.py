"""ConvNeXt, tiny to large, with torchvision's parameter names and initial weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import dovetail
from dovetail import Tensor, nn
from dovetail.errors import TypeMismatch, ValueRangeError
from dovetail.nn import functional as F

from ..ops import Conv2dNormActivation, Permute, StochasticDepth
from ._api import Weights, WeightsEnum, build, lazy_enums, takes_weights
from ._initial import initialise

_ENUMS = {f"ConvNeXt_{size}_Weights": f"convnext_{size.lower()}" for size in ("Tiny", "Small", "Base", "Large")}
__all__ = ["ConvNeXt", *_ENUMS, *_ENUMS.values()]  # noqa: PLE0604

__getattr__ = lazy_enums(__name__, _ENUMS)

Layer = Callable[..., nn.Module]


class LayerNorm2d(nn.LayerNorm):
    """Layer norm over the channels of each pixel: (N, C, H, W).

    >>> LayerNorm2d(2)(dovetail.tensor([[[[1.0]], [[3.0]]]])).flatten().detach()
    tensor([-1.0000,  1.0000])
    """

    def forward(self, x: Tensor) -> Tensor:
        x = F.layer_norm(x.permute(0, 2, 3, 1), self.normalized_shape, self.weight, self.bias, self.eps)
        return x.permute(0, 3, 1, 2)


class CNBlock(nn.Module):
    """A depthwise 7 × 7 convolution, then a perceptron for each pixel, scaled by channel and added to the input."""

    def __init__(self, dim: int, layer_scale: float, stochastic_depth_prob: float, norm_layer: Layer | None = None) -> None:
        super().__init__()
        norm_layer = norm_layer or partial(nn.LayerNorm, eps=1e-6)
        self.block = nn.Sequential(
            nn.Conv2d(dim, dim, 7, padding=3, groups=dim), Permute([0, 2, 3, 1]), norm_layer(dim), nn.Linear(dim, 4 * dim), nn.GELU(),
            nn.Linear(4 * dim, dim), Permute([0, 3, 1, 2]),
        )  # fmt: skip
        self.layer_scale = nn.Parameter(dovetail.ones(dim, 1, 1) * layer_scale)
        self.stochastic_depth = StochasticDepth(stochastic_depth_prob, "row")

    def forward(self, input: Tensor) -> Tensor:
        result = self.stochastic_depth(self.layer_scale * self.block(input))
        result += input
        return result


class CNBlockConfig:
    """One stage: channels, the channels of the next stage or None after the last, and how many blocks.

    >>> CNBlockConfig(96, 192, 3)
    CNBlockConfig(input_channels=96, out_channels=192, num_layers=3)
    """

    def __init__(self, input_channels: int, out_channels: int | None, num_layers: int) -> None:
        self.input_channels, self.out_channels, self.num_layers = input_channels, out_channels, num_layers

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value}' for name, value in vars(self).items())})"


class ConvNeXt(nn.Module):
    """Stages of ``block_setting``, each halving height and width: ``(N, 3, H, W)`` to ``(N, num_classes)``.

    Blocks are left out while training with a chance that grows to ``stochastic_depth_prob``. Other keyword arguments are ignored, as
    torchvision does. After Liu and others, A ConvNet for the 2020s, https://arxiv.org/abs/2201.03545.

    >>> net = ConvNeXt([CNBlockConfig(8, 16, 1), CNBlockConfig(16, None, 1)], num_classes=10)
    >>> net.eval()(dovetail.zeros(2, 3, 32, 32)).shape
    dovetail.Size([2, 10])
    """

    def __init__(
        self, block_setting: list[CNBlockConfig], stochastic_depth_prob: float = 0.0, layer_scale: float = 1e-6, num_classes: int = 1000,
        block: Layer | None = None, norm_layer: Layer | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__()
        if not block_setting:
            raise ValueRangeError("ConvNeXt", "block_setting is empty", "expected a row for each stage")
        if not (isinstance(block_setting, Sequence) and all(isinstance(row, CNBlockConfig) for row in block_setting)):
            raise TypeMismatch("ConvNeXt", f"block_setting is {block_setting!r}", "expected a list of CNBlockConfig")
        block, norm_layer = block or CNBlock, norm_layer or partial(LayerNorm2d, eps=1e-6)
        first, last = block_setting[0].input_channels, block_setting[-1]
        stem = {"padding": 0, "norm_layer": norm_layer, "activation_layer": None, "bias": True}
        layers: list[nn.Module] = [Conv2dNormActivation(3, first, 4, 4, **stem)]  # type: ignore[arg-type]
        total, done = sum(row.num_layers for row in block_setting), 0
        for row in block_setting:
            chances = [stochastic_depth_prob * i / (total - 1.0) for i in range(done, done + row.num_layers)]
            layers.append(nn.Sequential(*(block(row.input_channels, layer_scale, chance) for chance in chances)))
            done += row.num_layers
            if row.out_channels is not None:
                layers.append(nn.Sequential(norm_layer(row.input_channels), nn.Conv2d(row.input_channels, row.out_channels, 2, 2)))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        width = last.input_channels if last.out_channels is None else last.out_channels
        self.classifier = nn.Sequential(norm_layer(width), nn.Flatten(1), nn.Linear(width, num_classes))
        initialise(self, _draw, _draw)

    def _forward_impl(self, x: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.features(x)))

    def forward(self, x: Tensor) -> Tensor:
        return self._forward_impl(x)


def _draw(weight: Tensor) -> Tensor:
    return nn.init.trunc_normal_(weight, std=0.02)


def _convnext(
    widths: Sequence[int], depths: Sequence[int], chance: float, weights: Any, progress: bool, kwargs: dict[str, Any]
) -> ConvNeXt:  # fmt: skip
    rows = [CNBlockConfig(*row) for row in zip(widths, [*widths[1:], None], depths, strict=True)]
    return build(weights, progress, ConvNeXt, rows, kwargs.pop("stochastic_depth_prob", chance), **kwargs)


@takes_weights("ConvNeXt_Tiny_Weights")
def convnext_tiny(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> ConvNeXt:
    """ConvNeXt tiny. ``weights``: a ``ConvNeXt_Tiny_Weights`` or its name; ``kwargs`` go to `ConvNeXt`."""
    return _convnext((96, 192, 384, 768), (3, 3, 9, 3), 0.1, weights, progress, kwargs)


@takes_weights("ConvNeXt_Small_Weights")
def convnext_small(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> ConvNeXt:
    """ConvNeXt small. ``weights``: a ``ConvNeXt_Small_Weights`` or its name; ``kwargs`` go to `ConvNeXt`."""
    return _convnext((96, 192, 384, 768), (3, 3, 27, 3), 0.4, weights, progress, kwargs)


@takes_weights("ConvNeXt_Base_Weights")
def convnext_base(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> ConvNeXt:
    """ConvNeXt base. ``weights``: a ``ConvNeXt_Base_Weights`` or its name; ``kwargs`` go to `ConvNeXt`."""
    return _convnext((128, 256, 512, 1024), (3, 3, 27, 3), 0.5, weights, progress, kwargs)


@takes_weights("ConvNeXt_Large_Weights")
def convnext_large(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> ConvNeXt:
    """ConvNeXt large. ``weights``: a ``ConvNeXt_Large_Weights`` or its name; ``kwargs`` go to `ConvNeXt`."""
    return _convnext((192, 384, 768, 1536), (3, 3, 27, 3), 0.5, weights, progress, kwargs)
