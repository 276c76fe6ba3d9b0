"""MobileNet V2, with torchvision's parameter names and initial weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dovetail import Tensor, flatten, nn
from dovetail.errors import ValueRangeError

from ..ops import Conv2dNormActivation
from ._api import Weights, WeightsEnum, build, lazy_enums, takes_weights
from ._initial import fan_out, initialise, normal
from ._utils import _make_divisible

__all__ = ["MobileNetV2", "MobileNet_V2_Weights", "mobilenet_v2"]  # noqa: F822

__getattr__ = lazy_enums(__name__, {"MobileNet_V2_Weights": "mobilenet_v2"})

Layer = Callable[..., nn.Module]

#: Expansion, output channels, blocks and the stride of the first one, of each stage: table 2 of the paper.
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


class InvertedResidual(nn.Module):
    """1 × 1 to ``expand_ratio`` times the channels, 3 × 3 in each channel, 1 × 1 to ``oup``; added to the input where shapes allow."""

    def __init__(self, inp: int, oup: int, stride: int, expand_ratio: float, norm_layer: Layer | None = None) -> None:
        super().__init__()
        if stride not in (1, 2):
            raise ValueRangeError("InvertedResidual", f"stride is {stride}", "expected 1 or 2")
        norm_layer = norm_layer or nn.BatchNorm2d
        self.stride = stride
        self.use_res_connect = stride == 1 and inp == oup
        hidden = round(inp * expand_ratio)
        parts: dict[str, Any] = {"norm_layer": norm_layer, "activation_layer": nn.ReLU6}
        wide: list[nn.Module] = [] if expand_ratio == 1 else [Conv2dNormActivation(inp, hidden, 1, **parts)]
        depthwise = Conv2dNormActivation(hidden, hidden, stride=stride, groups=hidden, **parts)
        self.conv = nn.Sequential(*wide, depthwise, nn.Conv2d(hidden, oup, 1, bias=False), norm_layer(oup))
        self.out_channels = oup
        self._is_cn = stride > 1  # where detection taps features

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.use_res_connect else self.conv(x)


class MobileNetV2(nn.Module):
    """Stages of inverted residuals: ``(N, 3, H, W)`` to ``(N, num_classes)``.

    ``width_mult`` scales all channels, rounded to multiples of ``round_nearest``; ``inverted_residual_setting`` has the rows of `STAGES`.

    After Sandler, Howard, Zhu, Zhmoginov, Chen, Inverted Residuals and Linear Bottlenecks, https://arxiv.org/abs/1801.04381.

    >>> from dovetail import zeros
    >>> MobileNetV2(num_classes=10, width_mult=0.25)(zeros(2, 3, 32, 32)).shape
    dovetail.Size([2, 10])
    """

    def __init__(
        self, num_classes: int = 1000, width_mult: float = 1.0, inverted_residual_setting: Sequence[Sequence[int]] | None = None,
        round_nearest: int = 8, block: Layer | None = None, norm_layer: Layer | None = None, dropout: float = 0.2,
    ) -> None:  # fmt: skip
        super().__init__()
        block, norm_layer = block or InvertedResidual, norm_layer or nn.BatchNorm2d
        stages = STAGES if inverted_residual_setting is None else inverted_residual_setting
        if len(stages) == 0 or len(stages[0]) != 4:
            raise ValueRangeError("MobileNetV2", f"inverted_residual_setting is {stages}", "expected rows of four numbers")
        parts: dict[str, Any] = {"norm_layer": norm_layer, "activation_layer": nn.ReLU6}
        channels = _make_divisible(32 * width_mult, round_nearest)
        self.last_channel = _make_divisible(1280 * max(1.0, width_mult), round_nearest)
        features: list[nn.Module] = [Conv2dNormActivation(3, channels, stride=2, **parts)]
        for expansion, width, count, stride in stages:
            for i in range(count):
                out = _make_divisible(width * width_mult, round_nearest)
                features.append(block(channels, out, 1 if i else stride, expand_ratio=expansion, norm_layer=norm_layer))
                channels = out
        features.append(Conv2dNormActivation(channels, self.last_channel, 1, **parts))
        self.features = nn.Sequential(*features)
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(self.last_channel, num_classes))
        initialise(self, fan_out, normal(0.01))

    def _forward_impl(self, x: Tensor) -> Tensor:
        return self.classifier(flatten(nn.functional.adaptive_avg_pool2d(self.features(x), (1, 1)), 1))

    def forward(self, x: Tensor) -> Tensor:
        return self._forward_impl(x)


@takes_weights("MobileNet_V2_Weights")
def mobilenet_v2(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> MobileNetV2:
    """MobileNet V2.

    ``weights``: a ``MobileNet_V2_Weights`` or its name; ``kwargs`` go to `MobileNetV2`.
    """
    return build(weights, progress, MobileNetV2, **kwargs)
