"""ShuffleNet V2, with torchvision's parameter names and initial weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dovetail import Tensor, cat, nn
from dovetail.errors import ValueRangeError

from ..ops import Conv2dNormActivation
from ._api import Weights, WeightsEnum, build, lazy_enums, takes_weights

_ENUMS = {f"ShuffleNet_V2_X{size}_Weights": f"shufflenet_v2_x{size}" for size in ("0_5", "1_0", "1_5", "2_0")}
__all__ = ["ShuffleNetV2", *_ENUMS, *_ENUMS.values()]  # noqa: PLE0604

__getattr__ = lazy_enums(__name__, _ENUMS)


def channel_shuffle(x: Tensor, groups: int) -> Tensor:
    """Channels ``(group, place)`` in the order ``(place, group)``, of ``(N, C, H, W)``.

    >>> from dovetail import arange
    >>> channel_shuffle(arange(6).reshape(1, 6, 1, 1), 2).flatten()
    tensor([0, 3, 1, 4, 2, 5])
    """
    count, channels, height, width = x.shape
    return x.view(count, groups, channels // groups, height, width).transpose(1, 2).reshape(count, channels, height, width)


def _depthwise(channels: int, stride: int) -> nn.Sequential:
    return Conv2dNormActivation(channels, channels, 3, stride, groups=channels, activation_layer=None)


class InvertedResidual(nn.Module):
    """Half of the channels go by, half through 1 × 1, depthwise and 1 × 1; at stride 2 or 3 all go both ways. Then they are shuffled."""

    def __init__(self, inp: int, oup: int, stride: int) -> None:
        super().__init__()
        if not 1 <= stride <= 3:
            raise ValueRangeError("InvertedResidual", f"stride is {stride}", "expected 1, 2 or 3")
        self.stride = stride
        half = oup // 2
        if stride == 1 and inp != 2 * half:
            what = f"inp is {inp} and oup is {oup} at stride 1"
            raise ValueRangeError("InvertedResidual", what, "expected the same even number")
        aside: list[nn.Module] = []
        if stride > 1:
            aside = [*_depthwise(inp, stride), *Conv2dNormActivation(inp, half, 1)]
        self.branch1 = nn.Sequential(*aside)
        narrow = Conv2dNormActivation(half if stride == 1 else inp, half, 1)
        self.branch2 = nn.Sequential(*narrow, *_depthwise(half, stride), *Conv2dNormActivation(half, half, 1))

    @staticmethod
    def depthwise_conv(i: int, o: int, kernel_size: int, stride: int = 1, padding: int = 0, bias: bool = False) -> nn.Conv2d:
        """A convolution in which each of ``i`` channels stays by itself."""
        return nn.Conv2d(i, o, kernel_size, stride, padding, bias=bias, groups=i)

    def forward(self, x: Tensor) -> Tensor:
        by, through = x.chunk(2, dim=1) if self.stride == 1 else (self.branch1(x), x)
        return channel_shuffle(cat((by, self.branch2(through)), 1), 2)


class ShuffleNetV2(nn.Module):
    """Three stages of shuffled blocks: ``(N, 3, H, W)`` to ``(N, num_classes)``.

    ``stages_repeats`` are their blocks; ``stages_out_channels`` the channels of the first convolution, the stages and the last one.

    After Ma, Zhang, Zheng, Sun, Practical Guidelines for Efficient CNN Architecture Design, https://arxiv.org/abs/1807.11164.

    >>> from dovetail import zeros
    >>> ShuffleNetV2([1, 1, 1], [8, 8, 16, 32, 64], num_classes=10)(zeros(2, 3, 32, 32)).shape
    dovetail.Size([2, 10])
    """

    def __init__(
        self, stages_repeats: Sequence[int], stages_out_channels: Sequence[int], num_classes: int = 1000,
        inverted_residual: Callable[..., nn.Module] = InvertedResidual,
    ) -> None:  # fmt: skip
        super().__init__()
        for name, value, count in (("stages_repeats", stages_repeats, 3), ("stages_out_channels", stages_out_channels, 5)):
            if len(value) != count:
                raise ValueRangeError("ShuffleNetV2", f"{name} is {value}", f"expected {count} numbers")
        self._stage_out_channels = stages_out_channels
        first, *stages, last = stages_out_channels
        self.conv1 = nn.Sequential(*Conv2dNormActivation(3, first, 3, 2))
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        channels = first
        for number, repeats, out in zip((2, 3, 4), stages_repeats, stages, strict=True):
            blocks = [inverted_residual(out if i else channels, out, 1 if i else 2) for i in range(max(repeats, 1))]
            setattr(self, f"stage{number}", nn.Sequential(*blocks))
            channels = out
        self.conv5 = nn.Sequential(*Conv2dNormActivation(channels, last, 1))
        self.fc = nn.Linear(last, num_classes)

    def _forward_impl(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.conv1(x))
        x = self.conv5(self.stage4(self.stage3(self.stage2(x))))
        return self.fc(x.mean([2, 3]))

    def forward(self, x: Tensor) -> Tensor:
        return self._forward_impl(x)


@takes_weights("ShuffleNet_V2_X0_5_Weights")
def shufflenet_v2_x0_5(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> ShuffleNetV2:
    """ShuffleNet V2 of half the width.

    ``weights``: a ``ShuffleNet_V2_X0_5_Weights`` or its name; ``kwargs`` go to `ShuffleNetV2`.
    """
    return build(weights, progress, ShuffleNetV2, [4, 8, 4], [24, 48, 96, 192, 1024], **kwargs)


@takes_weights("ShuffleNet_V2_X1_0_Weights")
def shufflenet_v2_x1_0(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> ShuffleNetV2:
    """ShuffleNet V2.

    ``weights``: a ``ShuffleNet_V2_X1_0_Weights`` or its name; ``kwargs`` go to `ShuffleNetV2`.
    """
    return build(weights, progress, ShuffleNetV2, [4, 8, 4], [24, 116, 232, 464, 1024], **kwargs)


@takes_weights("ShuffleNet_V2_X1_5_Weights")
def shufflenet_v2_x1_5(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> ShuffleNetV2:
    """ShuffleNet V2 of 1.5 times the width.

    ``weights``: a ``ShuffleNet_V2_X1_5_Weights`` or its name; ``kwargs`` go to `ShuffleNetV2`.
    """
    return build(weights, progress, ShuffleNetV2, [4, 8, 4], [24, 176, 352, 704, 1024], **kwargs)


@takes_weights("ShuffleNet_V2_X2_0_Weights")
def shufflenet_v2_x2_0(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> ShuffleNetV2:
    """ShuffleNet V2 of twice the width.

    ``weights``: a ``ShuffleNet_V2_X2_0_Weights`` or its name; ``kwargs`` go to `ShuffleNetV2`.
    """
    return build(weights, progress, ShuffleNetV2, [4, 8, 4], [24, 244, 488, 976, 2048], **kwargs)
